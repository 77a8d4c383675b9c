"""Opening of Zarr stores; how they are laid out is told in `gracelstm_xr.store`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.conventions import VARIABLES
from gracelstm_xr.errors import GraceWarning, StoreError
from gracelstm_xr.timebase import RegularAxis, regular_coords

if TYPE_CHECKING:
    import zarr

__all__ = ["LAYOUT", "META", "axis_in", "open_root", "open_store", "read_meta"]

#: Root attribute that makes a Zarr group a store of this package.
META = "grace_store"
#: Version of the layout.
LAYOUT = 1


def open_store(
    store: str | os.PathLike[str],
    *,
    chunks: Mapping[str, int] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open a store lazily; the cost does not depend on its length.

    Parameters
    ----------
    store : str or PathLike
        Folder or fsspec URL written by `to_zarr`.
    chunks : mapping, optional
        Dask chunk sizes; whole shards by default, the cheapest to read. Multiples
        of a day (86400 steps at 1 Hz) also read only what they need.
    storage_options : mapping, optional
        Passed to fsspec for a URL.

    Returns
    -------
    xarray.Dataset
        The data model with Dask arrays and a regular time index.

    Raises
    ------
    StoreError
        Nothing is there, it is not a store of this package, or it is incomplete.
    """
    meta, where = read_meta(store, storage_options=storage_options)
    axis = axis_in(meta)
    grid = {"satellite": 1, "time": int(meta["shard"])} if chunks is None else chunks
    # of a store that is just growing only what is complete
    ds = _open_group(where, storage_options).isel(
        time=slice(0, axis.size),
        satellite=slice(0, len(meta.get("satellites", "ABCD"))),
        missing_dims="ignore",
    )
    ds = ds.chunk({k: v for k, v in grid.items() if k in ds.dims})
    texts = {n: c for n, c in ds.coords.items() if c.dtype.kind in "TO"}
    ds = ds.assign_coords(
        {n: (c.dims, np.array(c.values.tolist()), c.attrs) for n, c in texts.items()}
    )
    attrs = {k: v for k, v in ds.attrs.items() if k != META}
    order = [n for n in VARIABLES if n in ds]
    ds = ds[[*order, *(n for n in ds.data_vars if n not in VARIABLES)]].assign_coords(
        regular_coords(axis)
    )
    ds.attrs = attrs
    ds.encoding["source"] = where
    ds.encoding["observed"] = {"size": axis.size, **meta.get("observed", {})}
    ds.encoding["problems"] = list(meta.get("problems", ()))
    return ds


def read_meta(
    store: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], str]:
    """Return what a store says about itself, and its address.

    Parameters
    ----------
    store : str or PathLike
        Folder or fsspec URL.
    storage_options : mapping, optional
        Passed to fsspec for a URL.

    Returns
    -------
    meta : dict
        Layout version, time axis, shard length, seconds observed per satellite.
    address : str
        What to give to ``xarray.open_zarr``.

    Raises
    ------
    StoreError
        Nothing is there, it is not a store of this package, or it is incomplete.
    """
    group, where = open_root(store, storage_options=storage_options)
    meta: Any = group.attrs.asdict()[META]
    if meta.get("pending"):
        warnings.warn(
            f"an ingest into {where} was interrupted or is at work; run it again to "
            "complete the store",
            GraceWarning,
            stacklevel=3,
        )
    return meta, where


def axis_in(meta: Mapping[str, Any]) -> RegularAxis:
    """Return the time axis that a store says it has."""
    return RegularAxis(
        np.datetime64(meta["time"]["start"], "ns"),
        np.timedelta64(int(meta["time"]["step_ns"]), "ns"),
        int(meta["time"]["size"]),
    )


def open_root(
    store: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[zarr.Group, str]:
    """Open the root group of a complete store; see `read_meta`."""
    import zarr
    from zarr.errors import GroupNotFoundError

    where = os.fspath(store)
    try:
        group = zarr.open_group(
            where,
            mode="r",
            storage_options=dict(storage_options) if storage_options else None,
        )
    except (FileNotFoundError, NotADirectoryError, GroupNotFoundError) as error:
        if os.path.isfile(where):
            raise StoreError(
                f"{where} is a file, expected the folder of a Zarr store; make one "
                "with `gracelstm ingest` or ds.grace.to_zarr"
            ) from error
        raise StoreError(
            f"no Zarr store at {where}; make one with `gracelstm ingest` or "
            "ds.grace.to_zarr"
        ) from error
    except ValueError as error:
        raise StoreError(f"{where} is not a readable Zarr store: {error}") from error
    meta = group.attrs.asdict().get(META)
    if not isinstance(meta, dict) or "layout" not in meta:
        raise StoreError(
            f"{where} is a Zarr store of another kind (no {META!r} attribute); open "
            "it with xarray.open_zarr and write it with ds.grace.to_zarr"
        )
    if meta["layout"] != LAYOUT:
        raise StoreError(
            f"{where} has layout {meta['layout']}, this version reads {LAYOUT}; "
            "update gracelstm-xr"
        )
    if not meta.get("complete"):
        raise StoreError(
            f"{where} is incomplete: its writing was interrupted; run the same again, "
            "or write it anew with mode='w'"
        )
    return group, where


def _open_group(where: str, options: Mapping[str, Any] | None) -> xr.Dataset:
    try:
        ds: xr.Dataset = xr.open_zarr(
            where,
            chunks=None,
            consolidated=False,
            drop_variables="time",
            storage_options=dict(options) if options else None,
        )
    except (ValueError, LookupError) as error:
        raise StoreError(
            f"{where} holds an array that cannot be opened ({error}); write the "
            "store again"
        ) from error
    return ds
