"""Opening of Zarr stores; how they are laid out is told in `gracelstm_xr.store`."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import ZarrStore

from gracelstm_xr.core.datamodel import VARIABLES
from gracelstm_xr.core.index import regular_coords
from gracelstm_xr.core.remote import at_once, check_place, is_url, reached
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.errors import GraceWarning, StoreError
from gracelstm_xr.missions import SATELLITES
from gracelstm_xr.store.agree import (
    ANEW,
    axis_in,
    check_arrays,
    check_meta,
    check_time,
    readable,
)
from gracelstm_xr.store.layout import with_arrays
from gracelstm_xr.store.location import LAYOUT, META, Target
from gracelstm_xr.store.stored import guarded

if TYPE_CHECKING:
    import zarr


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
        Nothing is there, it is not a store of this package, it is incomplete, or its
        times are not those that its attributes promise.
    """
    group, where = open_root(store, storage_options=storage_options)
    meta = _meta_of(group, where)
    with reached(where), readable(where):
        return _opened(group, meta, where, chunks)


def _opened(
    group: Any,
    meta: Mapping[str, Any],
    where: str,
    chunks: Mapping[str, int] | None,
) -> xr.Dataset:
    group = with_arrays(group, group.metadata.attributes)
    axis = checked_axis(group, meta, where)
    grid = {"satellite": 1, "time": int(meta["shard"])} if chunks is None else chunks
    ds = _complete_part(group, where, meta)
    # members of official tarballs are predicted: arrays without any file behind them
    ds = ds.drop_vars([n for n in meta.get("unseen", ()) if n in ds.data_vars])
    sizes = {k: v for k, v in grid.items() if k in ds.dims}
    ds = ds.chunk(sizes, name_prefix=_task_prefix(where))
    texts = {n: c for n, c in ds.coords.items() if c.dtype.kind in "TO"}
    ds = ds.assign_coords(
        {n: (c.dims, np.array(c.values.tolist()), c.attrs) for n, c in texts.items()}
    )
    for variable in ds.variables.values():
        # else plain to_zarr of another cut would be refused
        for key in ("chunks", "shards", "preferred_chunks"):
            variable.encoding.pop(key, None)
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


def checked_axis(
    group: Any, meta: Mapping[str, Any], where: str, *, mending: bool = False
) -> RegularAxis:
    """Return the time axis of a store that agrees with what it says about itself.

    Files of times that are gone are no fault when `mending`.

    Raises
    ------
    StoreError
        It is damaged, or another program has changed it.
    """
    arrays = dict(group.arrays())
    check_arrays(arrays, meta, where)
    letters = meta.get("satellites", [])
    if letters and "satellite" in arrays:
        labels = [str(s) for s in arrays["satellite"][:][: len(letters)]]
        if labels != letters:
            raise StoreError(
                f"{where} holds satellites {labels}, its attributes say {letters}; "
                f"{ANEW}"
            )
    return check_time(arrays, meta, where, mending=mending)


def _task_prefix(where: str) -> str:
    # one name for a store, whatever links lead to it
    place = where.rstrip("/") if is_url(where) else os.path.realpath(where)
    digest = hashlib.blake2b(place.encode(), digest_size=8)
    return f"store-{digest.hexdigest()}-"


def reads_from(ds: xr.Dataset, where: str) -> bool:
    """Whether a lazy Dataset still has to read from the store at an address."""
    graph: Any = ds.__dask_graph__()  # type: ignore[no-untyped-call]
    prefix = _task_prefix(where)
    names = () if graph is None else getattr(graph, "layers", graph)
    return any(str(n).removeprefix("original-").startswith(prefix) for n in names)


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
    return _meta_of(group, where), where


def _meta_of(group: Any, where: str) -> dict[str, Any]:
    meta: dict[str, Any] = group.attrs.asdict()[META]
    if meta.get("pending"):
        warnings.warn(
            f"an ingest into {where} was interrupted or is at work; run it again to "
            "complete the store",
            GraceWarning,
            stacklevel=4,
        )
    return meta


def open_root(
    store: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[zarr.Group, str]:
    """Open the root group of a complete store; see `read_meta`."""
    where = os.fspath(store)
    if is_url(where):
        check_place(where)
    with reached(where), readable(where):
        group = _root(where, storage_options)
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
    with readable(where):
        check_meta(meta, where)
    return group, where


def _root(where: str, options: Mapping[str, Any] | None) -> zarr.Group:
    import zarr
    from zarr.errors import GroupNotFoundError

    try:
        return zarr.open_group(
            where,
            mode="r",
            zarr_format=3,
            use_consolidated=False,
            storage_options=at_once(where, options),
        )
    except (FileNotFoundError, NotADirectoryError, GroupNotFoundError) as error:
        if os.path.isfile(where):
            raise StoreError(
                f"{where} is a file, expected the folder of a Zarr store; make one "
                "with `gracelstm ingest` or ds.grace.to_zarr"
            ) from error
        raise StoreError(f"no Zarr store at {where}; {_missing(where)}") from error


def _missing(where: str) -> str:
    """What to do about a store that is not there."""
    if not is_url(where) and Target.at(where).begun():
        return (
            "a run that writes it was interrupted or is at work; run the same again "
            "to complete it"
        )
    if os.path.isfile(os.path.join(where, ".zgroup")):
        return "what is there is Zarr of version 2, expected version 3; write it again"
    return "make one with `gracelstm ingest` or ds.grace.to_zarr"


def _complete_part(group: Any, where: str, meta: Mapping[str, Any]) -> xr.Dataset:
    """Open what is complete of a store, which may be growing just now."""
    indexers: dict[Any, Any] = {
        "time": slice(0, axis_in(meta).size),
        "satellite": slice(0, len(meta.get("satellites", SATELLITES))),
    }
    said = meta.get("written", {})

    def opened(leave_out: Sequence[str]) -> xr.Dataset:
        ds = guarded(_dataset(group, leave_out), group, where, said)
        return ds.isel(indexers, missing_dims="ignore")

    if not meta.get("pending") or "variables" not in meta:
        return opened(["time"])
    # one by one, because the arrays may differ in length
    lengths = {
        name
        for name, array in group.arrays()
        if {"time", "satellite"} & set(array.metadata.dimension_names or ())
    }
    pieces = [
        opened(["time", *(lengths - {name})])
        for name in sorted(lengths & {"satellite", *meta["variables"]})
    ]
    return xr.merge(pieces, join="exact", compat="equals", combine_attrs="override")[
        list(meta["variables"])
    ].assign_attrs(pieces[0].attrs)


def _dataset(group: zarr.Group, leave_out: Sequence[str]) -> xr.Dataset:
    stored = ZarrStore(group, mode="r")
    ds = xr.open_dataset(stored, drop_variables=list(leave_out))
    # Zarr lists arrays in the order in which storage answers, another every time
    return xr.Dataset(
        {name: ds.data_vars[name] for name in sorted(map(str, ds.data_vars))},
        {name: ds.coords[name] for name in sorted(map(str, ds.coords))},
        ds.attrs,
    )
