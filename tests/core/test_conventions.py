"""What ends in written files; the expected values are those of CF-1.11 and ACDD-1.3."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from archives import write_file

from gracelstm_xr import l1b
from gracelstm_xr.archive.dataset import open_archive
from gracelstm_xr.core import conventions
from gracelstm_xr.core.index import regular_coords
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.errors import GraceError

DAY = "2008-01-01"
CONTRACT = {
    "lin_accl": "m s-2",
    "acl_res": "m s-2",
    "ang_accl": "rad s-2",
    "acc_qualflg": None,
    "position": "m",
    "velocity": "m s-1",
    "quaternion": "1",
    "thruster_on_time": "ms",
    "lin_accl_filled": "m s-2",
    "lin_accl_filled_sigma": "m s-2",
    "lin_accl_fill_method": None,
    "lin_accl_forecast": "m s-2",
    "lin_accl_forecast_sigma": "m s-2",
}


@pytest.fixture
def archive(tmp_path: Path) -> xr.Dataset:
    for product in ("ACC1B", "GNV1B", "SCA1B", "THR1B"):
        for satellite in "AB":
            write_file(tmp_path / "files", product, DAY, satellite)
    return open_archive(tmp_path / "files", stop="2008-01-01T01:00")


@pytest.mark.parametrize(("name", "units"), CONTRACT.items())
def test_every_variable_of_the_data_model(name: str, units: str | None) -> None:
    attrs = conventions.attributes_of(name)
    assert attrs.get("units") == units
    assert attrs["long_name"]
    assert attrs["coverage_content_type"] in {
        "physicalMeasurement", "modelResult", "qualityInformation",
    }  # fmt: skip
    attrs["long_name"] = "changed"
    assert conventions.attributes_of(name)["long_name"] != "changed"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(GraceError, match="'lin_acl' is not in the data model"):
        conventions.attributes_of("lin_acl")


def test_fill_methods_are_the_contract() -> None:
    attrs = conventions.attributes_of("lin_accl_fill_method")
    assert attrs["flag_values"].tolist() == [0, 1, 2, 3, 4, 5]
    assert attrs["flag_values"].dtype == "uint8"
    assert attrs["flag_meanings"] == (
        "observed lstm transplant interpolation harmonic none"
    )


def test_flag_masks_have_the_type_of_the_variable() -> None:
    item = l1b.PRODUCTS["ACC1B"]["acc_qualflg"]
    flags = l1b.PRODUCTS["ACC1B"].flags["acc_qualflg"]
    attrs = conventions.field_attributes(item, flags=flags)
    assert attrs["flag_masks"].dtype == "uint8"
    assert len(attrs["flag_masks"]) == len(attrs["flag_meanings"].split())
    assert attrs["standard_name"] == "status_flag"
    assert conventions.flag_attributes((), "uint8") == {}


def test_history_is_appended_to() -> None:
    when = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    attrs = {"history": "first", "title": "x"}
    found = conventions.append_history(attrs, "filled", when=when)
    assert found["history"] == "first\n2026-01-02T03:04:05Z gracelstm_xr: filled"
    assert attrs == {"history": "first", "title": "x"}
    assert conventions.append_history({}, "a", when=when)["history"].count("\n") == 0
    lines = conventions.append_history({"history": ["a", "b"]}, "c", when=when)
    assert lines["history"].split("\n")[:2] == ["a", "b"]


def test_coverage() -> None:
    axis = RegularAxis.between("2008-01-01", "2008-01-03")
    found = conventions.coverage_attributes(axis.start, axis.stop, axis.step)
    assert found == {
        "time_coverage_start": "2008-01-01T00:00:00",
        "time_coverage_end": "2008-01-02T23:59:59",
        "time_coverage_duration": "PT172800S",
        "time_coverage_resolution": "PT1S",
    }
    assert all(type(v) is str for v in found.values())


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_netcdf_file(archive: xr.Dataset, tmp_path: Path, engine: Any) -> None:
    path = tmp_path / "a.nc"
    archive.to_netcdf(
        path, engine=engine, encoding=conventions.netcdf_encoding(archive.variables)
    )
    with xr.open_dataset(path, decode_cf=False) as raw:
        assert raw.time.dtype == "int64"
        assert raw.time.attrs["units"] == "microseconds since 2000-01-01T12:00:00"
        assert raw.time.attrs["units_metadata"] == "leap_seconds: none"
        assert raw.time.attrs["axis"] == "T"
        assert "_FillValue" not in raw.time.attrs
        assert "_FillValue" not in raw.acc_qualflg.attrs
        assert raw.acc_qualflg.dtype == "uint8"
        assert np.isnan(raw.lin_accl.attrs["_FillValue"])
        assert raw.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
        for variable in raw.data_vars.values():
            for name in variable.attrs.get("ancillary_variables", "").split():
                assert name in raw
    with xr.open_dataset(path) as back:
        xr.testing.assert_equal(back.load(), archive.compute())
        assert back.thruster_on_time.dtype == "float32"


def test_zarr_store(archive: xr.Dataset, tmp_path: Path) -> None:
    import zarr

    encoding = conventions.zarr_encoding(
        archive.variables,
        chunks={"satellite": 1, "time": 900},
        shards={"satellite": 1, "time": 3600},
    )
    archive.to_zarr(
        tmp_path / "a.zarr", encoding=encoding, consolidated=False, zarr_format=3
    )
    array = zarr.open_array(tmp_path / "a.zarr" / "lin_accl", mode="r")
    assert array.chunks == (1, 900, 3)
    assert array.shards == (1, 3600, 3)
    codec = array.compressors[0]
    assert codec.cname.value == "zstd"
    assert codec.shuffle.value == "bitshuffle"
    assert np.isnan(array.fill_value)
    back = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    for dim in ("satellite", "axis", "quaternion_component", "thruster"):
        back[dim] = back[dim].values.astype(object).astype("U")
    xr.testing.assert_equal(back.load(), archive.compute())


def test_chunks_without_data_are_not_written(
    archive: xr.Dataset, tmp_path: Path
) -> None:
    encoding = conventions.zarr_encoding(
        archive.variables, chunks={"satellite": 1, "time": 900}
    )
    archive.to_zarr(
        tmp_path / "a.zarr",
        encoding=encoding,
        consolidated=False,
        zarr_format=3,
        write_empty_chunks=False,
    )
    chunks = list((tmp_path / "a.zarr" / "lin_accl" / "c").rglob("0"))
    # only the first quarter of an hour of both satellites has records
    times = {p.parent.name for p in chunks if p.is_file()}
    assert times == {"0"}


def test_cf_and_acdd_checker(archive: xr.Dataset, tmp_path: Path) -> None:
    runner = pytest.importorskip("compliance_checker.runner")
    path = tmp_path / "a.nc"
    # CF 2.4 recommends that dimensions other than T, Z, Y, X stand left of them
    ds = archive.isel(time=slice(0, 120)).transpose(..., "time")
    ds.attrs = conventions.append_history(ds.attrs, "test")
    ds.to_netcdf(path, encoding=conventions.netcdf_encoding(ds.variables))
    runner.CheckSuite.load_all_available_checkers()
    report = tmp_path / "report.txt"
    passed, errors = runner.ComplianceChecker.run_checker(
        str(path), ["cf:1.11"], 0, "normal", output_filename=str(report)
    )
    text = report.read_text()
    assert not errors, text
    assert passed, text


def test_lazy_time_attributes() -> None:
    axis = RegularAxis.between("2008-01-01", "2008-01-02")
    ds = xr.Dataset(coords=regular_coords(axis))
    assert ds.time.attrs == conventions.attributes_of("time")
    assert ds.time.encoding == conventions.time_encoding()
