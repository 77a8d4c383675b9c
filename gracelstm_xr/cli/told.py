"""What a command says when it has finished."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd
import xarray as xr

from gracelstm_xr.core.components import as_data_model
from gracelstm_xr.core.conventions import FILL_METHODS, require_series
from gracelstm_xr.core.remote import is_url


def open_series(
    path: str, opened: contextlib.ExitStack, *, days: int | None = None
) -> xr.Dataset:
    """Series in a store, or in a netCDF file of this package, lazily.

    Parameters
    ----------
    path : str
        Of either; a name in ``.nc`` that is a file is netCDF.
    opened : contextlib.ExitStack
        Closes the file.
    days : int, optional
        Length of a chunk of a store; that of its files by default.
    """
    from gracelstm_xr.core.index import axis_of
    from gracelstm_xr.core.time import DAY_NS
    from gracelstm_xr.store.read import open_store

    if not is_url(path) and path.endswith(".nc") and Path(path).is_file():
        ds = opened.enter_context(xr.open_dataset(path, chunks={}))
        require_series(ds)
        return as_data_model(ds)
    ds = open_store(path)
    if days is None:
        return ds
    per_day = max(DAY_NS // axis_of(ds).step_ns, 1)
    return open_store(path, chunks={"satellite": 1, "time": days * per_day})


def fill_table(ds: xr.Dataset) -> str:
    """Missing samples on x, y, z by the method that filled them, a line a satellite.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``lin_accl_fill_method``, which is computed.
    """
    method = ds["lin_accl_fill_method"]
    if "satellite" not in method.dims:
        method = method.expand_dims("satellite")
    names = {name: code for name, code in FILL_METHODS.items() if name != "observed"}
    codes = xr.DataArray(list(names.values()), dims="code")
    counts = (method == codes).sum("time").transpose("satellite", "code", "axis")
    lines = ["missing samples on x, y, z by the method that filled them:"]
    for letter, rows in zip(method["satellite"].values, counts.values, strict=True):
        told = [
            f"{name} {' '.join(map(str, row))}"
            for name, row in zip(names, rows, strict=True)
            if row.any()
        ]
        lines.append(f"  {letter}: {'; '.join(told) or 'nothing was missing'}")
    return "\n".join(lines)


def gap_table(rows: pd.DataFrame) -> str:
    """Gaps of `gracelstm_xr.preprocess.gaps.find_gaps`, a line each."""
    head = f"{'satellite':<10}{'start (GPS)':<21}{'stop (GPS)':<21}{'length [s]':>12}"
    lines = (
        f"{row.satellite!s:<10}{row.start:%Y-%m-%dT%H:%M:%S}  "
        f"{row.stop:%Y-%m-%dT%H:%M:%S}  {row.length:>12g}"
        for row in rows.itertuples(index=False)
    )
    return "\n".join([head, *lines])
