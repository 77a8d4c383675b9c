"""A part of an archive goes without the counts of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr
from archives import DAYS, content, fill_folder, put, write_file, write_tarball

import gracelstm_xr as gx
from gracelstm_xr.core.conventions import COUNTS


@pytest.fixture
def store(tmp_path: Path) -> xr.Dataset:
    put(fill_folder(tmp_path / "in", DAYS[:3]), tmp_path / "a.zarr")
    return gx.open_store(tmp_path / "a.zarr")


def test_the_whole_keeps_its_counts(store: xr.Dataset, tmp_path: Path) -> None:
    assert set(COUNTS) <= set(store.attrs)
    assert "records" in repr(store.grace)
    store[["lin_accl"]].grace.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as back:
        assert {k: back.attrs[k] for k in COUNTS} == {k: store.attrs[k] for k in COUNTS}


@pytest.mark.parametrize(
    "part", [{"time": slice(0, 86_400)}, {"satellite": [1]}], ids=["day", "satellite"]
)
def test_a_part_does_not(
    store: xr.Dataset, tmp_path: Path, part: dict[str, object]
) -> None:
    few = store.isel(part)
    assert "records" not in repr(few.grace)
    few.grace.to_netcdf(tmp_path / "a.nc")
    few.grace.to_zarr(tmp_path / "b.zarr")
    with xr.open_dataset(tmp_path / "a.nc") as file:
        for back in (file, gx.open_store(tmp_path / "b.zarr")):
            assert not set(COUNTS) & set(back.attrs)
            names = "GRACE B" if "satellite" in part else "GRACE A, GRACE B"
            assert back.attrs["platform"] == names
            last = "2008-01-01" if "time" in part else "2008-01-03"
            assert back.attrs["time_coverage_end"] == f"{last}T23:59:59"


def test_a_store_has_no_variables_of_products_it_never_saw(tmp_path: Path) -> None:
    for day in DAYS[:2]:
        members = [content("ACC1B", day, satellite) for satellite in "AB"]
        write_tarball(tmp_path / "in", f"grace_1B_{day}_02.tar.gz", members)
    put(tmp_path / "in", tmp_path / "a.zarr")
    store = gx.open_store(tmp_path / "a.zarr")
    assert set(store.data_vars) == {"lin_accl", "ang_accl", "acl_res", "acc_qualflg"}
    assert put(tmp_path / "in", tmp_path / "a.zarr").shards == 0
    write_file(tmp_path / "in", "SCA1B", DAYS[1], "A")
    put(tmp_path / "in", tmp_path / "a.zarr")
    grown = gx.open_store(tmp_path / "a.zarr")
    assert set(grown.data_vars) - set(store.data_vars) == {"quaternion", "sca_qualflg"}
    xr.testing.assert_identical(grown["lin_accl"], store["lin_accl"])
