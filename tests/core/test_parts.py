"""A part of an archive goes without the counts of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr
from archives import DAYS, fill_folder, put

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
