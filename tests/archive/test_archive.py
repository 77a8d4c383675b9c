from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path
from typing import Any

import dask
import fsspec
import numpy as np
import pytest
import xarray as xr
from archives import columns, content, write_file, write_tarball

from gracelstm_xr import l1b
from gracelstm_xr.archive import cache as filecache
from gracelstm_xr.archive.catalogue import find_files
from gracelstm_xr.archive.dataset import files_of, open_archive
from gracelstm_xr.archive.scan import count_records
from gracelstm_xr.core.index import RegularTimeIndex, axis_of
from gracelstm_xr.errors import ArchiveError, GraceWarning, L1BFormatError

DAY = "2008-01-01"
PRODUCTS = ("ACC1B", "GNV1B", "SCA1B", "THR1B")


class Reads(list[str]):
    """Names of the parsed files, of the headers, and of the passes over tarballs."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[str] = []
        self.passes: list[str] = []


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    seen = Reads()

    def count(name: str, note: Any) -> None:
        original = getattr(l1b, name)

        def counted(*args: Any, **options: Any) -> Any:
            note(args)
            return original(*args, **options)

        monkeypatch.setattr(l1b, name, counted)

    count("read", lambda a: seen.append(Path(a[0]).name))
    count("read_bytes", lambda a: seen.append(str(l1b.parse_name(a[1]))))
    count("read_header", lambda a: seen.headers.append(str(l1b.parse_name(a[0]))))
    count("read_members", lambda a: seen.passes.append(Path(a[0]).name))
    monkeypatch.setattr(filecache, "FILES", filecache.LimitedCache(1 << 28))
    monkeypatch.setattr(filecache, "MEMBERS", filecache.LimitedCache(1 << 28))
    return seen


def write_days(
    folder: Path, days: int, *, satellites: str = "AB", products: Any = PRODUCTS
) -> list[str]:
    """One small file per product, satellite and day from 2008-01-01."""
    first = dt.date(2008, 1, 1)
    names = [(first + dt.timedelta(days=d)).isoformat() for d in range(days)]
    for number, day in enumerate(names):
        for product in products:
            for satellite in satellites:
                shift = 100.0 * number + 1000 * (satellite in "BD")
                write_file(folder / day[:7], product, day, satellite, value=shift)
    return names


# --- laziness ---


def test_sixty_days_open_without_reading(tmp_path: Path, reads: Reads) -> None:
    write_days(tmp_path, 60, products=("ACC1B", "THR1B"))
    with dask.config.set(scheduler=_refuse):
        ds = open_archive(tmp_path)
        repr(ds)
        part = ds.sel(time="2008-02", satellite="B")
    # one header, which says whether the data are simulated
    assert (list(reads), reads.headers) == ([], ["ACC1B_2008-01-01_A_02.dat"])
    assert ds.sizes["time"] == 60 * 86400
    assert isinstance(ds.xindexes["time"], RegularTimeIndex)
    assert ds.lin_accl.chunks[:2] == ((1, 1), (86400,) * 60)
    assert part.sizes["time"] == 29 * 86400
    point = part.lin_accl.sel(time="2008-02-03T00:00:07", axis="y").compute()
    assert point.item() == pytest.approx(1e-9 * (3300 + 1000 + 7.1), rel=1e-12)
    assert list(reads) == ["ACC1B_2008-02-03_B_02.dat"]


def _refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("something was computed")


def test_the_variables_of_a_file_share_one_parse(tmp_path: Path, reads: Reads) -> None:
    write_days(tmp_path, 2)
    open_archive(tmp_path).isel(time=slice(86400, None)).compute()
    assert sorted(reads) == sorted(
        f"{p}_2008-01-02_{s}_02.dat" for p in PRODUCTS for s in "AB"
    )


def test_the_grid(tmp_path: Path) -> None:
    write_file(tmp_path, "ACC1B", DAY, "A", [0, 1, 5, 86399])
    ds = open_archive(tmp_path)
    expected = columns("ACC1B", DAY, [0, 1, 5, 86399])
    there = [0, 1, 5, 86399]
    values = ds.lin_accl.sel(satellite="A").compute()
    np.testing.assert_array_equal(values[there], expected["lin_accl"])
    assert int(values.notnull().sum()) == 12
    flags = ds.acc_qualflg.compute()
    assert flags.dtype == "uint8"
    np.testing.assert_array_equal(flags[0, there], expected["acc_qualflg"])
    assert int((flags != 0).sum()) == 3
    assert ds.lin_accl.dims == ("satellite", "time", "axis")
    assert axis_of(ds).start == np.datetime64(DAY)


@pytest.mark.parametrize("product", ["ACC1B", "SCA1B", "GNV1B"])
def test_overlaps_duplicates_and_disorder(tmp_path: Path, product: str) -> None:
    """The first record of a second counts, and only those of the file's own day."""
    offsets = [-60, 0, 7, 5, 6, 7, 86399, 86400]
    name = {"ACC1B": "lin_accl", "SCA1B": "quaternion", "GNV1B": "position"}[product]
    data = columns(product, DAY, offsets)
    data[name][5] = 0.5
    l1b.write(tmp_path / f"{product}_{DAY}_A_02.dat", product, data)
    write_file(tmp_path, product, "2008-01-02", "A", [-1, 0, 1], value=9)
    ds = open_archive(tmp_path, products=product)
    values = ds[name].sel(satellite="A").compute()
    for record in (1, 2, 3, 4, 6):
        np.testing.assert_array_equal(values[offsets[record]], data[name][record])
    next_day = columns(product, "2008-01-02", [-1, 0, 1], value=9)
    np.testing.assert_array_equal(values[86400], next_day[name][1])
    assert int(values.notnull().any(values.dims[1]).sum()) == 7


def test_thruster_firings_add_up_and_are_zero_without_one(tmp_path: Path) -> None:
    data = columns("THR1B", DAY, [10, 10, 10, 20])
    data["time_frac"] = np.array([0, 400_000, 400_000, 999_999])
    data["thruster_on_time"][3, 12] = 7
    l1b.write(tmp_path / f"THR1B_{DAY}_A_02.dat", "THR1B", data)
    write_file(tmp_path, "ACC1B", "2008-01-02", "A")
    on_time = open_archive(tmp_path).thruster_on_time.sel(satellite="A").compute()
    assert on_time.dtype == "float32"
    # rows 1 and 2 are one record written twice
    assert on_time[10, [0, 6]].values.tolist() == [200, 200]
    assert on_time[20, [0, 12]].values.tolist() == [100, 7]
    assert float(on_time[:86400].sum()) == 607
    assert bool(on_time[86400:].isnull().all())


def test_absent_satellites_products_and_days(tmp_path: Path) -> None:
    write_file(tmp_path, "ACC1B", DAY, "A")
    write_file(tmp_path, "GNV1B", "2008-01-03", "B")
    ds = open_archive(tmp_path)
    assert "quaternion" not in ds
    assert "quaternion_component" not in ds.dims
    assert ds.satellite.values.tolist() == ["A", "B"]
    assert ds.sizes["time"] == 3 * 86400
    counts = ds[["lin_accl", "position"]].count(["time", "axis"]).compute()
    assert counts.lin_accl.values.tolist() == [180, 0]
    assert counts.position.values.tolist() == [0, 180]
    only = open_archive(tmp_path, satellites="B", products=["GNV1B"])
    assert only.satellite.values.tolist() == ["B"]
    both = open_archive(tmp_path, satellites="AB", products="ACC1B")
    assert both.sizes["satellite"] == 2
    assert both.sizes["time"] == 86400


def test_both_missions_share_the_axis(tmp_path: Path) -> None:
    write_file(tmp_path, "ACC1B", DAY, "B")
    write_file(
        tmp_path, "ACC1B", "2008-01-02", "C", release="04", extension="txt", value=5
    )
    ds = open_archive(tmp_path)
    assert ds.satellite.values.tolist() == ["B", "C"]
    assert ds.attrs["platform"] == "GRACE B, GRACE-FO C"
    assert float(ds.lin_accl.sel(satellite="C")[86401, 0]) == pytest.approx(6e-9)


# --- limits ---


@pytest.mark.parametrize(
    ("start", "stop", "first", "last"),
    [
        (None, None, "2008-01-01", "2008-01-05"),
        ("2008-01-02", None, "2008-01-02", "2008-01-05"),
        ("2008-01-02", "2008-01-03", "2008-01-02", "2008-01-04"),
        (dt.date(2008, 1, 2), dt.date(2008, 1, 2), "2008-01-02", "2008-01-03"),
        (np.datetime64("2008-01-02"), np.datetime64("2008-01-02"), "2008-01-02",
         "2008-01-03"),
        ("2008", "2008-01", "2008-01-01", "2008-02-01"),
        ("2008-01-02T06", "2008-01-03T00:00", "2008-01-02T06", "2008-01-03"),
        (dt.datetime(2008, 1, 1, 0, 0, 30), np.datetime64("2008-01-01T00:00:40"),
         "2008-01-01T00:00:30", "2008-01-01T00:00:40"),
    ],
)  # fmt: skip
def test_start_and_stop(
    tmp_path: Path, start: Any, stop: Any, first: str, last: str
) -> None:
    write_days(tmp_path, 4, satellites="A", products=["ACC1B"])
    axis = axis_of(open_archive(tmp_path, start=start, stop=stop))
    assert (axis.start, axis.stop) == (np.datetime64(first), np.datetime64(last))


def test_limits_within_a_day_cut_its_block(tmp_path: Path) -> None:
    write_days(tmp_path, 2, satellites="A", products=["ACC1B"])
    whole = open_archive(tmp_path)
    part = open_archive(
        tmp_path, start="2008-01-01T00:00:30", stop="2008-01-02T00:00:20"
    )
    assert part.lin_accl.chunks[1] == (86370, 20)
    expected = whole.sel(time=slice("2008-01-01T00:00:30", "2008-01-02T00:00:19"))
    xr.testing.assert_equal(part.compute(), expected.compute())


# --- preference ---


def value_of(ds: xr.Dataset, satellite: str = "A") -> int:
    """The `value` with which the file of the first day was written."""
    return round(float(ds.lin_accl.sel(satellite=satellite)[0, 0]) * 1e9)


def test_newest_release_then_binary_then_plain_file(tmp_path: Path) -> None:
    for release, value in (("00", 1), ("02", 2), ("01", 3)):
        write_file(tmp_path / release, "ACC1B", DAY, "A", release=release, value=value)
    write_file(tmp_path / "02", "ACC1B", DAY, "A", extension="asc", value=4)
    write_tarball(tmp_path, "mine.tar.gz", [content("ACC1B", DAY, "A", value=5)])
    assert value_of(open_archive(tmp_path)) == 2
    assert value_of(open_archive(tmp_path, releases="01")) == 3
    assert value_of(open_archive(tmp_path, releases=["00", "02"])) == 1
    assert value_of(open_archive(tmp_path / "02")) == 2
    assert open_archive(tmp_path).attrs["product_version"] == "02"
    assert open_archive(tmp_path).attrs["source_files"] == 1


def test_releases_are_chosen_per_product(tmp_path: Path) -> None:
    write_days(tmp_path, 1, satellites="A")
    write_file(tmp_path, "SCA1B", DAY, "A", release="03", value=50)
    ds = open_archive(tmp_path)
    assert ds.attrs["product_version"] == "02, 03"
    assert float(ds.quaternion[0, 0, 0]) == pytest.approx(np.cos(0.05))


def test_transplants_stand_in_where_the_accelerometer_is_absent(tmp_path: Path) -> None:
    write_file(tmp_path, "ACC1B", DAY, "A", value=1)
    write_file(tmp_path, "ACT1B", DAY, "A", value=2)
    write_file(tmp_path, "ACT1B", DAY, "B", value=3)
    write_file(tmp_path, "ACT1B", "2008-01-02", "A", value=4)
    ds = open_archive(tmp_path, products=["ACC1B", "ACT1B"])
    assert (value_of(ds), value_of(ds, "B")) == (1, 3)
    assert value_of(ds.isel(time=slice(86400, None))) == 4
    assert value_of(open_archive(tmp_path, products=["ACT1B", "ACC1B"])) == 2
    assert open_archive(tmp_path, products="ACC1B").satellite.values.tolist() == ["A"]


# --- places ---


def test_globs_files_and_lists(tmp_path: Path) -> None:
    write_days(tmp_path, 3, satellites="A", products=["ACC1B"])
    single = tmp_path / "2008-01" / "ACC1B_2008-01-02_A_02.dat"
    pattern = str(tmp_path / "**" / "ACC1B_2008-01-0[12]*.dat")
    assert open_archive(pattern).sizes["time"] == 2 * 86400
    assert open_archive(single).sizes["time"] == 86400
    again = open_archive([single, str(single), pattern])
    assert again.attrs["source_files"] == 2


def test_relative_paths_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    ds = open_archive("2008-01")
    monkeypatch.chdir("/")
    assert value_of(ds.compute()) == 0


def test_remote_files(reads: Reads) -> None:
    fs = fsspec.filesystem("memory")
    for product in ("ACC1B", "THR1B"):
        name, data = content(product, DAY, "A", value=3)
        fs.pipe(f"/archive/2008/{name}", data)
    for source in ("memory://archive", "memory://archive/*/*.dat"):
        ds = open_archive(source)
        assert (value_of(ds), ds.attrs["source_files"]) == (3, 2)
    with pytest.raises(ArchiveError, match="nothing found at memory://nowhere"):
        open_archive("memory://nowhere")


def grace_tarball(folder: Path, day: str, *, skip: tuple[str, ...] = ()) -> Path:
    members = [
        content(product, day, satellite, value=value)
        for product in ("ACC1B", "AHK1B", "GNV1B", "SCA1B", "THR1B")
        for satellite, value in (("A", 1), ("B", 2))
        if product != "AHK1B" and product + satellite not in skip
    ]
    return write_tarball(folder, f"grace_1B_{day}_02.tar.gz", members)


def test_official_tarballs_are_not_opened_to_look_inside(
    tmp_path: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (DAY, "2008-01-02"):
        grace_tarball(tmp_path / "2008", day)
    monkeypatch.setattr(l1b, "members", _refuse)
    ds = open_archive(tmp_path)
    assert (list(reads), reads.passes) == ([], [])
    assert (value_of(ds), value_of(ds, "B")) == (1, 2)
    assert reads.passes == [f"grace_1B_{DAY}_02.tar.gz"]
    assert sorted(reads) == [f"ACC1B_{DAY}_{s}_02.dat" for s in "AB"]


def test_one_pass_over_a_tarball_for_all_its_members(
    tmp_path: Path, reads: Reads
) -> None:
    grace_tarball(tmp_path, DAY)
    write_days(tmp_path / "plain", 1)
    ds = open_archive(tmp_path / f"grace_1B_{DAY}_02.tar.gz").compute()
    assert len(reads.passes) == 1
    assert len(reads) == len(set(reads)) == 8
    assert not ds.quaternion.isnull().all()
    for key in filecache.FILES.keys():  # noqa: SIM118
        filecache.FILES.pop(key)
    assert count_records(open_archive(tmp_path / f"grace_1B_{DAY}_02.tar.gz"))
    assert len(reads.passes) == 2


def test_members_that_were_predicted_but_are_absent(tmp_path: Path) -> None:
    grace_tarball(tmp_path, DAY, skip=("ACC1BB", "THR1BA"))
    ds = open_archive(tmp_path)
    counts = ds.count(["time", "axis", "thruster", "quaternion_component"]).compute()
    assert counts.lin_accl.values.tolist() == [180, 0]
    assert counts.thruster_on_time.values.tolist() == [0, 86400 * 14]
    found = open_archive(tmp_path, scan=True).attrs
    assert (found["absent_files"], found["unreadable_files"]) == (2, 0)


def test_monthly_archives_replace_and_fall_back(tmp_path: Path, reads: Reads) -> None:
    for day in (DAY, "2008-01-02"):
        grace_tarball(tmp_path, day)
    better = [content("SCA1B", DAY, "A", release="03", value=70)]
    write_tarball(tmp_path, "grace_1B_2008-01_03.tar.gz", better)
    ds = open_archive(tmp_path, products=["ACC1B", "SCA1B"], stop="2008-01-02")
    angle = np.arccos(ds.quaternion[:, ::86400, 0].compute()) * 1000
    np.testing.assert_allclose(angle, [[70, 1], [2, 2]], rtol=1e-9)


def test_grace_fo_tarballs(tmp_path: Path, reads: Reads) -> None:
    day = "2019-02-01"

    def text(product: str, satellite: str, value: float) -> tuple[str, bytes]:
        return content(
            product, day, satellite, release="04", extension="txt", value=value
        )

    main = [text("ACC1B", "C", 1), text("ACC1B", "D", 2), text("THR1B", "C", 0)]
    write_tarball(
        tmp_path, f"gracefo_1B_{day}_RL04.ascii.noLRI.tgz", main, checksum=True
    )
    write_tarball(
        tmp_path, f"gracefo_1B_{day}_RL04.ascii.ACX.tgz", [text("ACH1B", "D", 3)]
    )
    ds = open_archive(tmp_path)
    assert len(reads.headers) <= 4
    assert list(reads) == []
    assert (value_of(ds, "C"), value_of(ds, "D")) == (1, 2)
    assert "flag_meanings" in ds.acc_qualflg.attrs
    hybrid = open_archive(tmp_path, products=["ACH1B", "ACC1B"])
    assert (value_of(hybrid, "C"), value_of(hybrid, "D")) == (1, 3)


def test_flag_meanings_of_grace_fo_come_from_the_header(tmp_path: Path) -> None:
    path = write_file(tmp_path, "ACC1B", DAY, "C", release="04", extension="txt")
    header = l1b.read_header(path)
    assert header.flags["qualflg"]
    attrs = open_archive(tmp_path).acc_qualflg.attrs
    assert attrs["flag_masks"].tolist() == [m for m, _ in header.flags["qualflg"]]
    assert attrs["flag_meanings"] == " ".join(t for _, t in header.flags["qualflg"])


def test_other_tarballs_are_listed_once(tmp_path: Path) -> None:
    name, data = content("ACC1B", DAY, "A", value=4)
    write_tarball(tmp_path, "copy.tgz", [(f"folder/{name}", data), ("readme", b"x")])
    assert value_of(open_archive(tmp_path / "copy.tgz")) == 4
    chain = f"tar://{name}::{tmp_path / 'copy.tgz'}"
    assert value_of(open_archive(chain)) == 4


def test_the_sample_files(shared_data: Path) -> None:
    ds = open_archive(shared_data / "jpl_sample")
    assert ds.satellite.values.tolist() == ["A", "B"]
    assert (ds.sizes["time"], ds.attrs["source_files"]) == (86400, 6)
    file = xr.open_dataset(
        shared_data / "jpl_sample" / "ACC1B_2003-09-14_A_00.dat", engine="grace_l1b"
    )
    same = ds.lin_accl.sel(satellite="A", time=file.time)
    np.testing.assert_array_equal(same, file.lin_accl)
    # 60 rows from 60 s before midnight, every 60 s: 59 are of the day
    positions = ds.position.isel(axis=0).count("time").compute()
    assert positions.values.tolist() == [59, 59]
    text = open_archive(shared_data / "jpl_sample" / "asc")
    xr.testing.assert_equal(text.lin_accl, ds.lin_accl)


# --- dask ---


@pytest.mark.parametrize("chunks", [{"time": 100_000}, {"time": 3600}, {"axis": 1}])
def test_values_do_not_depend_on_chunks(tmp_path: Path, chunks: Any) -> None:
    write_days(tmp_path, 2, satellites="A")
    expected = open_archive(tmp_path).compute()
    found = open_archive(tmp_path, chunks=chunks)
    assert found.lin_accl.chunks != open_archive(tmp_path).lin_accl.chunks
    assert found.time.chunks is None
    xr.testing.assert_identical(found.compute(scheduler="threads"), expected)


def test_pickle_and_processes(tmp_path: Path) -> None:
    write_days(tmp_path, 2, satellites="A", products=["ACC1B"])
    ds = open_archive(tmp_path)
    copy = pickle.loads(pickle.dumps(ds))
    xr.testing.assert_identical(copy.compute(), ds.compute())
    total = ds.lin_accl.sum()
    with dask.config.set({"multiprocessing.context": "spawn"}):
        found = total.compute(scheduler="processes", num_workers=1)
    assert float(found) == pytest.approx(float(total.compute()))


def test_equal_archives_get_equal_names(tmp_path: Path) -> None:
    write_days(tmp_path, 2, satellites="A")
    first, second = open_archive(tmp_path), open_archive(tmp_path)
    assert first.lin_accl.data.name == second.lin_accl.data.name
    assert first.lin_accl.data.name != first.acl_res.data.name
    changed = tmp_path / "2008-01" / "ACC1B_2008-01-02_A_02.dat"
    changed.write_bytes(changed.read_bytes()[:-78])
    assert open_archive(tmp_path).lin_accl.data.name != first.lin_accl.data.name


def test_fifteen_years_of_names_open_without_reading(
    tmp_path: Path, reads: Reads
) -> None:
    """Every fifth day, as empty tarballs."""
    first = dt.date(2002, 4, 4)
    for number in range(0, 15 * 365, 5):
        day = first + dt.timedelta(days=number)
        (tmp_path / f"grace_1B_{day}_02.tar.gz").touch()
    ds = open_archive(tmp_path)
    assert list(reads) == []
    assert ds.sizes["time"] == (15 * 365 - 4) * 86400


# --- counts and damage ---


def test_counts(tmp_path: Path) -> None:
    write_file(tmp_path, "ACC1B", DAY, "A", [-1, 0, 1, 1, 3, 2])
    short = write_file(tmp_path, "ACC1B", "2008-01-02", "A")
    short.write_bytes(short.read_bytes()[:-80])
    write_file(tmp_path, "ACC1B", "2008-01-03", "A")
    (tmp_path / "ACC1B_2008-01-04_A_02.dat").write_bytes(b"")
    ds = open_archive(tmp_path)
    assert "duplicate_epochs" not in ds.attrs
    steps: list[tuple[int, int]] = []
    found = count_records(ds, progress=lambda *a: steps.append(a))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found == {
        "records": 6 + 58 + 60,
        "duplicate_epochs": 1,
        "out_of_order_epochs": 1,
        "overlap_records": 1,
        "truncated_files": 1,
        "missing_records": 2,
        "flagged_records": 4 + 38 + 40,
        "foreign_records": 0,
        "mismatched_files": 0,
        "absent_files": 0,
        "unreadable_files": 1,
    }
    scanned = open_archive(tmp_path, scan=True)
    assert {k: scanned.attrs[k] for k in found} == found
    catalogue = find_files(tmp_path, products=["ACC1B"])
    assert count_records(catalogue) == found
    with pytest.raises(ArchiveError, match="not known"):
        count_records(xr.Dataset())


def test_a_damaged_file_raises_or_leaves_its_day_empty(tmp_path: Path) -> None:
    write_days(tmp_path, 2, satellites="A", products=["ACC1B"])
    bad = tmp_path / "2008-01" / "ACC1B_2008-01-02_A_02.dat"
    bad.write_bytes(b"PRODUCER AGENCY               : NASA\n")
    ds = open_archive(tmp_path)
    assert int(ds.lin_accl[:, :86400].count()) == 180
    with pytest.raises(L1BFormatError, match="ACC1B_2008-01-02"):
        ds.compute()
    lenient = open_archive(tmp_path, errors="warn")
    with pytest.warns(GraceWarning, match="left out"):
        assert int(lenient.lin_accl.count()) == 180


def test_a_damaged_sibling_harms_only_itself(tmp_path: Path) -> None:
    day = "2019-02-01"
    good = content("ACC1B", day, "C", release="04", extension="txt", value=1)
    other = content("THR1B", day, "C", release="04", extension="txt")
    path = write_tarball(
        tmp_path, f"gracefo_1B_{day}_RL04.ascii.noLRI.tgz",
        [good, other, ("checksum", f"{'0' * 32}  {other[0]}\n".encode())],
    )  # fmt: skip
    ds = open_archive(path, satellites="C")
    assert value_of(ds, "C") == 1
    with pytest.raises(L1BFormatError, match="wrong checksum of THR1B"):
        ds.thruster_on_time.compute()


@pytest.mark.parametrize(
    ("make", "options", "text"),
    [
        (lambda p: p / "nowhere", {}, "no such file or folder"),
        (lambda p: p / "*.xyz", {}, "no such file or folder"),
        (lambda p: p / "b", {}, "no Level-1B files found"),
        (lambda p: [], {}, "no Level-1B files found in an empty list"),
        (lambda p: p / "a", {"products": ["GNV1B"]}, "found products ACC1B"),
        (lambda p: p / "a", {"satellites": "D"}, "satellites D found"),
        (lambda p: p / "a", {"satellites": "A,B"}, "expected letters of A, B"),
        (lambda p: p / "a", {"releases": "03"}, "releases 03 found"),
        (lambda p: p / "a", {"products": ["KBR1B"]}, "not on the 1 s grid"),
        (lambda p: p / "a", {"products": ["XYZ"]}, "unknown product 'XYZ'"),
        (lambda p: p / "a", {"products": []}, "no products requested"),
        (lambda p: p / "a", {"start": "2009"}, "is not before stop"),
        (lambda p: p / "a", {"start": "2009", "stop": "2010"}, "no files from 2009"),
        (lambda p: p / "a", {"start": "soon"}, "is not a date"),
    ],
)
def test_wrong_requests(tmp_path: Path, make: Any, options: Any, text: str) -> None:
    write_file(tmp_path / "a", "ACC1B", DAY, "A")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "readme.txt").touch()
    with pytest.raises(ValueError, match=text) as caught:
        open_archive(make(tmp_path), **options)
    assert "\n" not in str(caught.value)


def test_files_of_an_archive_are_known_by_its_arrays(tmp_path: Path) -> None:
    write_days(tmp_path, 2, products=("ACC1B", "GNV1B"))
    ds = open_archive(tmp_path, products=["ACC1B", "GNV1B"])
    files = files_of(ds.drop_encoding().copy().assign_attrs(title="t"))
    assert files is not None
    assert files.strict
    assert files.selection.satellites == ("A", "B")
    for other in (
        ds.isel(time=slice(86400)),
        ds.isel(satellite=[0]),
        ds.drop_vars("position"),
        ds.assign(lin_accl=ds.lin_accl * 2),
        ds.compute(),
        xr.Dataset(),
    ):
        assert files_of(other) is None
