"""Exported files, read back by other software than wrote them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

from gracelstm_xr import l1b
from gracelstm_xr.errors import GraceError
from gracelstm_xr.export.l1b import to_l1b
from gracelstm_xr.export.netcdf import to_netcdf

DAY = 86_400
#: 2008-01-01T00:00:00 GPS is 2921.5 days past 2000-01-01T12:00:00.
START = 252_417_600


@pytest.fixture(scope="module")
def filled(make_grid: Any) -> xr.Dataset:
    spans = {"A": [(100, 160)], "B": [(1000, 5000), (DAY - 10, DAY + 10)]}
    return make_grid(size=DAY + 3600, gaps=spans, filled=True, orbit=True)


@pytest.fixture(scope="module")
def netcdf(filled: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("netcdf")
    lazy = filled.chunk(satellite=1, time=DAY)
    return to_netcdf(lazy, folder / "filled.nc", attrs={"creator_name": "a test"})


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_netcdf_holds_the_same_numbers(
    filled: xr.Dataset, netcdf: Path, engine: Any
) -> None:
    with xr.open_dataset(netcdf, engine=engine) as back:
        for name in filled.variables:
            same = back[name].transpose(*filled[name].dims)
            np.testing.assert_array_equal(same.values, filled[name].values)
        assert back["lin_accl"].dims == ("satellite", "axis", "time")
        assert back.sel(satellite="B", axis="x")["lin_accl"].shape == (DAY + 3600,)


def test_netcdf_layout(netcdf: Path) -> None:
    with netCDF4.Dataset(netcdf) as file:
        time = file["time"]
        assert time.dtype == np.dtype("int64")
        assert time.units == "seconds since 2000-01-01T12:00:00"
        assert time.units_metadata == "leap_seconds: none"
        time.set_auto_mask(False)
        assert time[0] == START
        assert file["lin_accl"].chunking() == [1, 3, DAY]
        assert file["lin_accl"].filters()["zlib"]
        assert np.isnan(file["lin_accl"]._FillValue)
        for name in ("time", "satellite", "axis", "acc_qualflg"):
            assert "_FillValue" not in file[name].ncattrs()
        flags = file["acc_qualflg"]
        assert flags.flag_masks.dtype == flags.dtype
        methods = file["lin_accl_fill_method"]
        assert methods.flag_meanings.split()[1] == "lstm"
        assert methods.flag_values.dtype == methods.dtype
        assert file.Conventions == "CF-1.11, ACDD-1.3"
        assert file.time_coverage_start == "2008-01-01T00:00:00"
        assert file.time_coverage_end == "2008-01-02T00:59:59"
        assert file.creator_name == "a test"
        lines = file.history.split("\n")
        assert lines[0] == "2026-01-01 made"
        assert len(lines) == 2
        # position refers to a flag variable that this file does not have
        assert "ancillary_variables" not in file["position"].ncattrs()


def check(path: Path, suite: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "compliance-checker"), "-t", suite, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout


def test_a_file_read_back_is_of_the_data_model(
    filled: xr.Dataset, netcdf: Path, tmp_path: Path
) -> None:
    """Whatever the order of the dimensions in the file."""
    with xr.open_dataset(netcdf) as back:
        xr.testing.assert_equal(back.grace.gaps(), filled.grace.gaps())
        wanted, got = (
            to_l1b(ds, tmp_path / n) for ds, n in ((filled, "a"), (back, "b"))
        )
        for one, other in zip(wanted[:2], got[:2], strict=True):
            assert one.read_bytes()[-78 * DAY :] == other.read_bytes()[-78 * DAY :]
        again = to_netcdf(back, tmp_path / "again.nc")
    with xr.open_dataset(again) as second, xr.open_dataset(netcdf) as first:
        xr.testing.assert_equal(second, first)


def test_kinds_of_numbers_along_time(filled: xr.Dataset, tmp_path: Path) -> None:
    """Chunks are written as bytes: whatever stands in memory, and in whole chunks."""
    ds = filled[["lin_accl"]].isel(time=slice(0, 500))
    number = np.arange(500)
    ds = ds.assign(
        swapped=("time", number.astype(">f8")),
        usable=("time", number % 2 == 0),
        age=("time", number.astype("m8[s]").astype("m8[ns]")),
        seen=("time", np.where(number == 3, np.datetime64("NaT"), ds["time"].values)),
    )
    with xr.open_dataset(to_netcdf(ds.chunk(time=100), tmp_path / "a.nc")) as back:
        assert back["usable"].dtype == bool
        for name in ("swapped", "usable", "seen"):
            np.testing.assert_array_equal(back[name].values, ds[name].values)
        seconds = back["age"].values
        if seconds.dtype.kind == "m":
            seconds = seconds / np.timedelta64(1, "s")
        np.testing.assert_array_equal(seconds, number)


def test_a_table_of_gaps_has_times_that_others_read(
    filled: xr.Dataset, tmp_path: Path
) -> None:
    """The netCDF library knows no nanoseconds."""
    gaps = filled.grace.gaps()
    path = to_netcdf(gaps, tmp_path / "gaps.nc")
    with netCDF4.Dataset(path) as file:
        start = file["start"]
        read = netCDF4.num2date(start[:], start.units, start.calendar)
        assert read[0].isoformat() == str(gaps["start"].values[0])[:19]
    with xr.open_dataset(path) as back:
        xr.testing.assert_equal(back, gaps)


@pytest.mark.slow
def test_netcdf_passes_the_cf_checker(netcdf: Path) -> None:
    """No errors; names of dimensions are the data model's own."""
    report = check(netcdf, "cf:1.11")
    assert "cf:1.11" in report
    assert "Errors" not in report
    findings = [line for line in report.splitlines() if line.startswith("* ")]
    for line in findings:
        assert "shares the same name" in line


@pytest.mark.slow
def test_netcdf_passes_the_acdd_checker(netcdf: Path) -> None:
    """All highly recommended attributes, but for names that CF does not have."""
    report = check(netcdf, "acdd:1.3")
    assert "acdd:1.3" in report
    important = report.split("Highly Recommended")[-1].split("Recommended")[0]
    findings = [line for line in important.splitlines() if line.startswith("* ")]
    assert set(findings) <= {"* standard_name"}


def test_netcdf_is_written_in_slabs(filled: xr.Dataset, tmp_path: Path) -> None:
    """No task sees more than one chunk, whatever the length of the series."""
    import dask.array as da

    largest = []

    def watch(block: np.ndarray) -> np.ndarray:
        largest.append(block.nbytes)
        return block

    lazy = filled[["lin_accl"]].chunk(time=3600)
    lazy["lin_accl"].data = da.map_blocks(watch, lazy["lin_accl"].data, dtype="f8")
    to_netcdf(lazy, tmp_path / "a.nc")
    assert max(largest) <= 2 * 3600 * 3 * 8


def test_interrupted_netcdf_leaves_the_old_file(
    filled: xr.Dataset, tmp_path: Path
) -> None:
    import dask.array as da

    path = tmp_path / "a.nc"
    to_netcdf(filled[["lin_accl"]].isel(time=slice(0, 60)), path)
    before = path.read_bytes()
    lazy = filled[["lin_accl"]].chunk(time=3600)

    def fail(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info and block_info[0]["chunk-location"][1] > 20:
            raise OSError("no space left")
        return block

    lazy["lin_accl"].data = da.map_blocks(fail, lazy["lin_accl"].data, dtype="f8")
    with pytest.raises(OSError, match="no space left"):
        to_netcdf(lazy, path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_netcdf_refuses_what_it_cannot_hold(filled: xr.Dataset, tmp_path: Path) -> None:
    bad = filled.assign(phase=("time", np.zeros(filled.sizes["time"], complex)))
    with pytest.raises(GraceError, match=r"drop_vars\('phase'\)"):
        to_netcdf(bad, tmp_path / "a.nc")
    with pytest.raises(GraceError, match="is a folder"):
        to_netcdf(filled, tmp_path)
    with pytest.raises(GraceError, match="0 to 9"):
        to_netcdf(filled, tmp_path / "a.nc", compression=10)


@pytest.mark.parametrize(
    ("format", "suffix"), [("binary", "dat"), ("ascii", "asc"), ("text", "txt")]
)
def test_l1b_names_numbers_and_flags(
    filled: xr.Dataset, tmp_path: Path, format: str, suffix: str
) -> None:
    paths = to_l1b(filled.chunk(time=DAY), tmp_path, format=format)
    assert [p.name for p in paths] == [
        f"ACT1B_2008-01-0{day}_{letter}_02.{suffix}"
        for day in (1, 2)
        for letter in "AB"
    ]
    file = l1b.read(paths[1])
    assert file.report.records == file.report.announced == DAY
    np.testing.assert_array_equal(file.columns["gps_time"], START + np.arange(DAY))
    wanted = filled["lin_accl_filled"].sel(satellite="B").values[:DAY]
    rtol = 1e-15 if format == "ascii" else 0.0
    np.testing.assert_allclose(file.columns["lin_accl"], wanted, rtol=rtol, atol=0)
    made = filled["lin_accl_fill_method"].sel(satellite="B", axis="x").values[:DAY]
    np.testing.assert_array_equal(file.columns["acc_qualflg"], 2 * (made > 0))
    # nobody measured these in a gap
    assert not file.columns["ang_accl"][made > 0].any()


def test_l1b_observed_samples_keep_their_bits(
    filled: xr.Dataset, tmp_path: Path
) -> None:
    path = to_l1b(filled, tmp_path)[1]
    values = l1b.read(path).columns["lin_accl"]
    source = filled["lin_accl"].sel(satellite="B").values[:DAY]
    seen = np.isfinite(source).all(axis=1)
    assert values[seen].tobytes() == source[seen].tobytes()


def test_l1b_header_lists_synthetic_epochs(filled: xr.Dataset, tmp_path: Path) -> None:
    path = to_l1b(filled, tmp_path)[1]
    history = " ".join(l1b.read_header(path).attributes["history"])
    assert "4010 synthetic epochs, flag bit 1 set" in history
    assert f"lstm GPS {START + 1000} to {START + 4999}" in history
    assert f"lstm GPS {START + DAY - 10} to {START + DAY - 1}" in history


def test_l1b_binary_layout_independently(filled: xr.Dataset, tmp_path: Path) -> None:
    """78-byte big-endian records after 81-byte header records (sections 2, 6.1)."""
    data = to_l1b(filled, tmp_path)[0].read_bytes()
    body = data[-78 * DAY :]
    head = data[: -78 * DAY]
    assert len(head) % 81 == 0
    assert head[-81:].startswith(b"END OF HEADER")
    first = np.frombuffer(body[:78], ">i4, S1, 9>f8, u1")[0]
    assert first["f0"] == START
    assert first["f1"] == b"A"
    wanted = filled["lin_accl"].sel(satellite="A").values[0]
    np.testing.assert_array_equal(first["f2"][:3], wanted)


def test_l1b_absent_seconds_stay_absent(make_grid: Any, tmp_path: Path) -> None:
    ds = make_grid(size=3600, gaps={"B": [(10, 20)]})
    ds["lin_accl"][0] = np.nan
    paths = to_l1b(ds, tmp_path)
    assert [p.name for p in paths] == ["ACC1B_2008-01-01_B_02.dat"]
    file = l1b.read(paths[0])
    wanted = np.delete(np.arange(3600), np.arange(10, 20)) + START
    np.testing.assert_array_equal(file.columns["gps_time"], wanted)
    assert "no synthetic epochs" in " ".join(file.header.attributes["history"])


def test_l1b_of_grace_fo_is_text(make_grid: Any, tmp_path: Path) -> None:
    ds = make_grid(size=100, satellites="CD", start="2019-01-01", filled=True)
    path = to_l1b(ds, tmp_path, product="ACH1B")[0]
    assert path.name == "ACH1B_2019-01-01_C_04.txt"
    text = path.read_text()
    assert text.startswith("header:")
    assert "bit 1 = synthetic_sample" in text


def test_l1b_refusals(make_grid: Any, tmp_path: Path) -> None:
    ds = make_grid(size=100)
    with pytest.raises(GraceError, match="expected one of ACC1B"):
        to_l1b(ds, tmp_path, product="KBR1B")
    with pytest.raises(GraceError, match="expected one of binary"):
        to_l1b(ds, tmp_path, format="excel")
    with pytest.raises(GraceError, match="none of"):
        to_l1b(ds[["acc_qualflg"]], tmp_path)
    ds["lin_accl"][...] = np.nan
    with pytest.raises(GraceError, match="nothing was written"):
        to_l1b(ds, tmp_path)
