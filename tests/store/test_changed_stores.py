"""Stores that another program has changed: right, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from gracelstm_xr.errors import StoreError
from gracelstm_xr.store.location import META
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr


@pytest.fixture
def pair(make_grid: Any, tmp_path: Path) -> tuple[Path, Path]:
    """Stores of ten minutes each, the second an hour later."""
    for name, start in (("a.zarr", "2008-01-01"), ("b.zarr", "2008-01-01T01")):
        to_zarr(make_grid(start=start, size=600), tmp_path / name)
    return tmp_path / "a.zarr", tmp_path / "b.zarr"


def refused(store: Path, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        open_store(store)
    text = str(caught.value)
    assert str(store) in text
    assert "write it to a new one" in text or "write the store again" in text
    assert "\n" not in text


def test_appended_by_plain_xarray(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """The attributes of the second store have been put over those of the first."""
    first, second = pair
    plain = xr.open_zarr(second, consolidated=False)
    plain.to_zarr(first, append_dim="time", consolidated=False)
    refused(first, "time has 1200 along 'time', its attributes say 600")
    # the remedy: all times are there, and in order
    both = xr.open_zarr(first, consolidated=False).sel(
        time=slice(None, "2008-01-01T00")
    )
    to_zarr(both, tmp_path / "c.zarr")
    assert open_store(tmp_path / "c.zarr").sizes["time"] == 600


def test_a_part_written_by_plain_xarray(pair: tuple[Path, Path]) -> None:
    """The attributes still tell of the whole."""
    first, _ = pair
    part = xr.open_zarr(first, consolidated=False).isel(time=slice(100, 200))
    for variable in part.variables.values():
        variable.encoding = {}
    part.to_zarr(first.with_name("part.zarr"), consolidated=False)
    refused(
        first.with_name("part.zarr"),
        "time has 100 along 'time', its attributes say 600",
    )


def shift(group: Any) -> None:
    group["time"][:] = group["time"][:] + 3600


def move_axis(group: Any) -> None:
    meta = group.attrs[META]
    meta["time"]["start"] = "2008-01-01T00:00:01.000000000"
    group.attrs[META] = meta


def change_units(group: Any) -> None:
    group["time"].attrs["units"] = "seconds since 1980-01-06"


EDITS = [shift, move_axis, change_units]


@pytest.mark.parametrize("edit", EDITS, ids=lambda f: f.__name__)
def test_edited(pair: tuple[Path, Path], edit: Callable[[Any], None]) -> None:
    first, _ = pair
    edit(zarr.open_group(first, mode="r+"))
    refused(first, "its attributes say|was written")


def test_without_its_times(pair: tuple[Path, Path]) -> None:
    first, _ = pair
    del zarr.open_group(first, mode="r+")["time"]
    refused(first, "no array 'time'")


def test_what_plain_xarray_copies_is_as_it_was(pair: tuple[Path, Path]) -> None:
    first, _ = pair
    copy = first.with_name("copy.zarr")
    xr.open_zarr(first, consolidated=False).to_zarr(copy, consolidated=False)
    xr.testing.assert_identical(open_store(copy).load(), open_store(first).load())
    times = open_store(copy)["time"].values
    np.testing.assert_array_equal(times, xr.open_zarr(first, consolidated=False).time)
