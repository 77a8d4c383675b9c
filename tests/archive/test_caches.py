"""What a user edits in memory is theirs alone: no later reading shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr import l1b


@pytest.fixture
def folder(twin_archive: Path, tmp_path: Path) -> Path:
    """The files of one day of A, under a name no other test has read."""
    for product in ("ACC1B", "GNV1B", "SCA1B", "THR1B"):
        (source,) = twin_archive.rglob(f"{product}_2008-01-01_A_*")
        (tmp_path / source.name).write_bytes(source.read_bytes())
    return tmp_path


def values_of(folder: Path) -> dict[str, Any]:
    """Every variable as read by the engine and by an archive, and what is written."""
    read: dict[str, Any] = {}
    for path in sorted(folder.glob("*.dat")):
        with xr.open_dataset(path) as ds:
            read |= {f"{path.name} {n}": np.array(ds[n].values) for n in ds.variables}
    archive = gx.open_archive(folder, satellites="A")
    read |= {f"archive {n}": np.array(archive[n].values) for n in archive.variables}
    archive.grace.to_netcdf(folder / "out.nc")
    with xr.open_dataset(folder / "out.nc") as written:
        read |= {f"netcdf {n}": np.array(written[n].values) for n in written.variables}
    (folder / "out.nc").unlink()
    (day,) = archive.grace.to_l1b(folder / "written", product="ACC1B")
    read |= {f"l1b {n}": v.copy() for n, v in l1b.read(day).columns.items()}
    day.unlink()
    gaps = archive.grace.gaps()
    return read | {f"gaps {n}": np.array(gaps[n].values) for n in gaps}


def same(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def spoil(values: Any) -> None:
    """Write over an array in place."""
    values[...] = np.zeros((), values.dtype) if values.dtype.kind in "SOU" else 77


def test_editing_a_loaded_dataset_edits_nothing_else(folder: Path) -> None:
    before = values_of(folder)
    for path in sorted(folder.glob("*.dat")):
        for one in (xr.open_dataset(path).load(), xr.open_dataset(path)):
            for name in one.data_vars:
                spoil(one[name].values)
                spoil(one[name].isel({one[name].dims[0]: slice(3, 9)}).values)
                spoil(one[name].isel({one[name].dims[0]: [1, 2]}).values)
    one = xr.open_dataset(next(folder.glob("ACC1B*"))).load()
    one["lin_accl"] *= 1e9
    archive = gx.open_archive(folder, satellites="A").load()
    for name in archive.data_vars:
        spoil(archive[name].values)
    same(values_of(folder), before)


def test_a_block_function_that_works_in_place(folder: Path) -> None:
    def in_place(block: Any) -> Any:
        block *= 1e9
        return block

    path = next(folder.glob("ACC1B*"))
    before = xr.open_dataset(path)["lin_accl"].values.copy()
    for _ in range(2):
        lazy = xr.open_dataset(path, chunks={})["lin_accl"]
        scaled = lazy.data.map_blocks(in_place).compute()
        np.testing.assert_array_equal(scaled, before * 1e9)
    np.testing.assert_array_equal(xr.open_dataset(path)["lin_accl"].values, before)


def test_times_are_read_only_as_those_of_any_index(
    folder: Path, tmp_path: Path
) -> None:
    archive = gx.open_archive(folder, satellites="A", products=["ACC1B"])
    archive.grace.to_zarr(tmp_path / "a.zarr")
    # backwards it is an ordinary index, whose values pandas 2 lets be written
    ordinary = archive.isel(time=slice(None, None, -1))
    writable = pd.date_range("2008", periods=2).values.flags.writeable
    for ds in (
        xr.open_dataset(next(folder.glob("ACC1B*"))),
        xr.open_dataset(next(folder.glob("ACC1B*"))).load(),
        archive,
        *([] if writable else [ordinary]),
        gx.open_store(tmp_path / "a.zarr"),
        gx.open_store(tmp_path / "a.zarr").load(),
    ):
        first = ds["time"].values[0]
        with pytest.raises(ValueError, match="read-only"):
            ds["time"].values[0] = np.datetime64("1999-01-01", "ns")
        assert ds["time"].values[0] == first


def test_edited_attributes_are_not_those_of_the_next(folder: Path) -> None:
    path = next(folder.glob("ACC1B*"))
    for make in (
        lambda: xr.open_dataset(path),
        lambda: gx.open_archive(folder, satellites="A"),
    ):
        before = {str(n): dict(v.attrs) for n, v in make().variables.items()}
        text = {n: repr(attrs) for n, attrs in before.items()}
        for variable in make().variables.values():
            for name, value in variable.attrs.items():
                if isinstance(value, np.ndarray):
                    value[...] = 0
                variable.attrs[name] = "edited"
            variable.encoding.clear()
        after = {str(n): repr(dict(v.attrs)) for n, v in make().variables.items()}
        assert after == text
