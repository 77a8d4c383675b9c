from __future__ import annotations

import gzip
import io
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from archives import columns, content, write_file, write_tarball

from gracelstm_xr import l1b
from gracelstm_xr.archive import cache as filecache
from gracelstm_xr.archive.engine import GraceL1BBackend
from gracelstm_xr.core.lazytime import LazyTimeIndex
from gracelstm_xr.errors import GraceError, GraceWarning, L1BFormatError

DAY = "2008-01-01"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose body is parsed."""
    seen: list[str] = []
    original = l1b.read

    def counted(source: Any, **options: Any) -> Any:
        seen.append(Path(str(source)).name)
        return original(source, **options)

    monkeypatch.setattr(l1b, "read", counted)
    monkeypatch.setattr(filecache, "FILES", filecache.LimitedCache(1 << 28))
    return seen


@pytest.fixture(params=["dat", "asc", "txt"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    grace_fo = request.param == "txt"
    return write_file(
        tmp_path,
        "ACC1B",
        DAY,
        "C" if grace_fo else "A",
        release="04" if grace_fo else "02",
        extension=request.param,
    )


def test_values_names_and_attributes(path: Path) -> None:
    expected = columns("ACC1B", DAY, range(60))
    with xr.open_dataset(path, engine="grace_l1b") as ds:
        assert set(ds.data_vars) == {"lin_accl", "ang_accl", "acl_res", "acc_qualflg"}
        assert ds.lin_accl.dims == ("time", "axis")
        np.testing.assert_array_equal(ds.lin_accl, expected["lin_accl"])
        np.testing.assert_array_equal(ds.acc_qualflg, expected["acc_qualflg"])
        assert ds.time.values[0] == np.datetime64(DAY)
        assert ds.time.values[59] == np.datetime64("2008-01-01T00:00:59")
        assert ds.axis.values.tolist() == ["x", "y", "z"]
        assert ds.satellite.item() == path.name[17]
        assert ds.lin_accl.attrs["units"] == "m s-2"
        assert ds.lin_accl.attrs["ancillary_variables"] == "acc_qualflg"
        flag = ds.acc_qualflg
        assert flag.dtype == flag.attrs["flag_masks"].dtype == "uint8"
        assert len(flag.attrs["flag_masks"]) == len(flag.attrs["flag_meanings"].split())
        assert ds.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
        assert ds.attrs["product"] == "ACC1B"
        assert ds.attrs["product_version"] == path.name[19:21]
        assert ds.time.attrs["units_metadata"] == "leap_seconds: none"


def test_opening_reads_the_header_only(path: Path, reads: list[str]) -> None:
    ds = xr.open_dataset(path, engine="grace_l1b", chunks={})
    repr(ds)
    part = ds.isel(time=slice(3, 9))
    assert part.lin_accl.shape == (6, 3)
    assert ds.lin_accl.chunks == ((60,), (3,))
    assert isinstance(ds.xindexes["time"], LazyTimeIndex)
    assert reads == []
    part.load()
    ds.sel(time=slice("2008-01-01T00:00:10", None)).load()
    assert reads == [path.name]


def test_without_engine_and_without_chunks(path: Path, reads: list[str]) -> None:
    with xr.open_dataset(path) as ds:
        assert reads == []
        first = ds.lin_accl[0, 0].item()
        assert first == 0.0
        assert reads == [path.name]


@pytest.mark.parametrize(
    ("product", "dims"),
    [
        ("GNV1B", {"time": 4, "axis": 3}),
        ("SCA1B", {"time": 4, "quaternion_component": 4}),
        ("THR1B", {"time": 4, "thruster": 14}),
    ],
)
def test_other_products(tmp_path: Path, product: str, dims: dict[str, int]) -> None:
    path = write_file(tmp_path, product, DAY, "A", [0, 5, 5, 9])
    ds = xr.open_dataset(path, chunks={})
    assert dict(ds.sizes) == dims
    expected = columns(product, DAY, [0, 5, 5, 9])
    for name in ds.data_vars:
        if name in expected:
            np.testing.assert_array_equal(ds[name], expected[name])
    if product == "THR1B":
        # microseconds of the time tag survive: record 3 carries a fraction of 3000 us
        assert ds.time.values[3] == np.datetime64("2008-01-01T00:00:09.003")
        assert ds.thruster.values[[0, 12]].tolist() == ["A11", "O11"]
    if product == "SCA1B":
        assert ds.quaternion_component.values.tolist() == ["q0", "q1", "q2", "q3"]


def test_every_sample_file_equals_its_ascii_twin(shared_data: Path) -> None:
    folder = shared_data / "jpl_sample"
    files = sorted(folder.glob("*.dat"))
    assert len(files) > 20
    for path in files:
        binary = xr.open_dataset(path, chunks={})
        text = xr.open_dataset(folder / "asc" / f"{path.stem}.asc")
        assert binary.sizes == text.sizes
        text.attrs = binary.attrs
        xr.testing.assert_identical(binary.compute(), text.compute())


def test_gzip_and_tarball_members(tmp_path: Path, path: Path, reads: list[str]) -> None:
    expected = xr.open_dataset(path).load()
    zipped = tmp_path / "zip" / f"{path.name}.gz"
    zipped.parent.mkdir()
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    tarball = write_tarball(tmp_path, "x.tgz", [(path.name, path.read_bytes())])
    for source in (str(zipped), f"tar://{path.name}::{tarball}"):
        reads.clear()
        ds = xr.open_dataset(source, engine="grace_l1b", chunks={})
        assert reads == []
        np.testing.assert_array_equal(ds.lin_accl, expected.lin_accl)
        xr.testing.assert_equal(ds.load(), expected)
        assert GraceL1BBackend().guess_can_open(source)


def test_open_mfdataset_parses_each_file_once(tmp_path: Path, reads: list[str]) -> None:
    days = ["2008-01-01", "2008-01-02", "2008-01-03"]
    paths = [write_file(tmp_path, "ACC1B", day, "A") for day in days]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = xr.open_mfdataset(paths, engine="grace_l1b")
    assert ds.lin_accl.chunks[0] == (60, 60, 60)
    day = ds.sel(time="2008-01-02")
    assert day.sizes["time"] == 60
    np.testing.assert_allclose(day.lin_accl[:, 1], 1e-9 * (np.arange(60) + 0.1))
    ds.load()
    assert sorted(reads) == sorted(p.name for p in paths)


def test_pickle_carries_the_name_only(path: Path, reads: list[str]) -> None:
    ds = xr.open_dataset(path, chunks={})
    data = pickle.dumps(ds)
    assert len(data) < 30_000
    xr.testing.assert_identical(pickle.loads(data).load(), ds.load())
    assert reads == [path.name]


def test_relative_and_absolute_spelling_share_one_parse(
    path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    xr.open_dataset(path.name).load()
    xr.open_dataset(path).load()
    assert reads == [path.name]


def test_many_threads_parse_once(path: Path, reads: list[str]) -> None:
    ds = xr.open_dataset(path, chunks={})
    results: list[float] = []
    gate = threading.Barrier(8)

    def work() -> None:
        gate.wait()
        results.append(float(ds.lin_accl.sum().compute(scheduler="synchronous")))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results) == 8
    assert reads == [path.name]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = write_file(tmp_path, "ACC1B", DAY, "A")
    assert xr.open_dataset(path).lin_accl[0, 0].item() == 0
    write_file(tmp_path, "ACC1B", DAY, "A", range(61), value=5)
    assert xr.open_dataset(path).lin_accl[0, 0].item() == pytest.approx(5e-9)


@pytest.mark.parametrize("chunks", [None, {}])
def test_a_loaded_file_is_not_needed_any_more(path: Path, chunks: Any) -> None:
    ds = xr.open_dataset(path, chunks=chunks).load()
    ds.close()
    path.unlink()
    part = ds.sel(time=slice("2008-01-01T00:00:10", "2008-01-01T00:00:19"))
    assert part.lin_accl.shape == (10, 3)
    assert part.time.values[0] == np.datetime64("2008-01-01T00:00:10")


def test_close_frees_the_memory(path: Path, reads: list[str]) -> None:
    ds = xr.open_dataset(path)
    ds.load()
    assert len(filecache.FILES.keys()) == 1
    ds.close()
    assert filecache.FILES.keys() == []


# --- damaged files -----------------------------------------------------------------


def test_truncated_binary_has_the_size_of_its_whole_records(tmp_path: Path) -> None:
    path = write_file(tmp_path, "ACC1B", DAY, "A")
    path.write_bytes(path.read_bytes()[:-100])  # 1 record of 78 bytes and a bit
    ds = xr.open_dataset(path, chunks={})
    assert ds.sizes["time"] == 58
    with pytest.warns(GraceWarning, match="58 of 60"):
        assert ds.lin_accl.load().shape == (58, 3)
    with pytest.raises(L1BFormatError, match="58 of 60"):
        xr.open_dataset(path, engine="grace_l1b", strict=True).load()


def test_text_with_fewer_lines_than_announced(tmp_path: Path) -> None:
    path = write_file(tmp_path, "ACC1B", DAY, "C", release="04", extension="txt")
    path.write_bytes(b"".join(path.read_bytes().splitlines(True)[:-7]))
    with pytest.warns(GraceWarning, match="53 of 60"):
        ds = xr.open_dataset(path, chunks={})
    assert ds.lin_accl.load().shape == (53, 3)


def test_text_with_a_line_cut_off(tmp_path: Path) -> None:
    path = write_file(tmp_path, "ACC1B", DAY, "C", release="04", extension="txt")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(GraceWarning):
        ds = xr.open_dataset(path, chunks={})
    assert ds.lin_accl.load().shape == (59, 3)


def test_a_bad_line_inside_needs_eager(tmp_path: Path) -> None:
    path = write_file(tmp_path, "ACC1B", DAY, "C", release="04", extension="txt")
    lines = path.read_bytes().splitlines(True)
    lines[-10] = b"252417650 C 1e-9\n"
    path.write_bytes(b"".join(lines))
    ds = xr.open_dataset(path, chunks={})
    assert ds.sizes["time"] == 60
    with (
        pytest.warns(GraceWarning),
        pytest.raises(L1BFormatError, match=r"59 readable records .* eager=True"),
    ):
        ds.load()
    ds = xr.open_dataset(path, engine="grace_l1b", eager=True)
    assert ds.lin_accl.load().shape == (59, 3)


def test_header_only(tmp_path: Path) -> None:
    name, data = content("ACC1B", DAY, "A")
    header = l1b.read_header(_written(tmp_path / name, data))
    path = _written(tmp_path / name, data[: header.nbytes])
    with pytest.warns(GraceWarning, match="0 of 60"):
        assert xr.open_dataset(path).lin_accl.load().shape == (0, 3)


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "error", "text"),
    [
        ("ACC1B_2008-01-01_A_02.dat", b"", L1BFormatError, "empty"),
        ("ACC1B_2008-01-01_A_02.dat", b"hello", L1BFormatError, "not a Level-1B"),
        ("ACC1B_2008-01-01_A_02.dat", None, FileNotFoundError, "no such file"),
    ],
)
def test_wrong_files_say_so_when_opened(
    tmp_path: Path, name: str, data: bytes | None, error: Any, text: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error, match=text) as caught:
        xr.open_dataset(tmp_path / name, engine="grace_l1b")
    assert "\n" not in str(caught.value)


def test_a_file_object_is_refused() -> None:
    with pytest.raises(GraceError, match="BytesIO found"):
        GraceL1BBackend().open_dataset(io.BytesIO(b""))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ACC1B_2008-01-01_A_02.dat", True),
        ("data/GA-OG-1B-ACCDAT+JPL-ACC1B_2003-09-14_A_00.dat", True),
        ("KBR1B_2019-01-30_Y_04.txt.gz", True),
        ("tar://ACC1B_2008-01-01_A_02.dat::grace_1B_2008-01-01_02.tar.gz", True),
        (Path("AC01B_2019-01-30_D_04.txt"), True),
        ("ACC1B_2008-01-01_A_02.rpt", False),
        ("ACC1A_2008-01-01_A_02.dat", False),
        ("ACC1B_2008-13-01_A_02.dat", False),
        ("ZZZ1B_2008-01-01_A_02.dat", False),
        ("filled.nc", False),
        (io.BytesIO(b""), False),
        (3, False),
        (None, False),
    ],
)
def test_guess_can_open(name: Any, expected: bool) -> None:
    assert GraceL1BBackend().guess_can_open(name) is expected


def test_drop_variables(path: Path) -> None:
    ds = xr.open_dataset(path, engine="grace_l1b", drop_variables=["ang_accl"])
    assert "ang_accl" not in ds
    assert "lin_accl" in ds


def test_a_file_survives_netcdf(path: Path, tmp_path: Path) -> None:
    ds = xr.open_dataset(path)
    ds.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as back:
        xr.testing.assert_equal(back.load(), ds.load())
        assert back.attrs == ds.attrs
        np.testing.assert_array_equal(
            back.acc_qualflg.attrs["flag_masks"], ds.acc_qualflg.attrs["flag_masks"]
        )
    with xr.open_dataset(tmp_path / "a.nc", decode_times=False) as raw:
        assert raw.time.dtype == "int64"
        assert "_FillValue" not in raw.time.attrs


def test_times_that_are_no_gps_time_are_not_called_so(shared_data: Path) -> None:
    ds = xr.open_dataset(shared_data / "jpl_sample" / "TIM1B_2003-09-14_A_00.dat")
    assert ds.time.attrs["long_name"] == "on-board time"
    assert "obdh_time" in ds


def test_the_engine_imports_nothing_heavy() -> None:
    code = (
        "import sys, gracelstm_xr.archive.engine\n"
        "heavy = {'dask', 'keras', 'tensorflow', 'matplotlib', 'zarr', 'distributed'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_the_cache_keeps_to_its_limit() -> None:
    cache: filecache.LimitedCache[str] = filecache.LimitedCache(10)
    for name in "abcd":
        cache.put(name, name, 4)
    assert cache.keys() == ["c", "d"]
    cache.put("big", "big", 99)
    assert cache.keys() == ["big"]
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("bad", lambda: str(1 / 0), len)
    assert cache.get_or_make("bad", lambda: "fine", len) == "fine"
