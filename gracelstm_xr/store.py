"""Zarr v3 stores of the data model: written in parallel, opened in constant time.

Layout. The root group is the Dataset. Arrays are cut into chunks of one GPS day and
one satellite, gathered in shards of several days; a shard is what one task writes,
so tasks never touch each other's bytes. Chunks that hold only the fill value (NaN,
or 0 for flags) are not written. Compression is Blosc with Zstandard and bitshuffle.

Time. ``time`` is an ordinary int64 array of seconds, so that any Zarr reader
understands the store; it shrinks to 0.1 % of its bytes. `open_store` never reads
it: it rebuilds the axis from start, step and size kept in the root attribute
``grace_store``, where a plain ``xarray.open_zarr`` builds an index of 8 bytes and
more per step.

Completeness. A local store is written beside its final name and renamed at the end;
``grace_store`` also says whether the store is complete, for object stores, which
cannot rename. `open_store` refuses an incomplete one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.errors import StoreError
from gracelstm_xr.scan import COUNTS, FileCounts, LazyCounts, totals
from gracelstm_xr.storeread import LAYOUT, META, open_store, read_meta
from gracelstm_xr.timebase import RegularAxis, axis_of
from gracelstm_xr.timecode import time_attributes, time_codes

if TYPE_CHECKING:
    import zarr

__all__ = ["META", "SHARD_DAYS", "open_store", "read_meta", "to_zarr"]

#: Days in a shard: 10 days of every GRACE variable of one satellite take 0.2 GB.
SHARD_DAYS = 10

#: Unreadable files that a store names; the rest is only counted.
MOST_PROBLEMS = 100

DAY_NS = 86_400_000_000_000
KINDS = "fiub"


def to_zarr(
    ds: xr.Dataset,
    store: str | os.PathLike[str],
    *,
    mode: str = "w-",
    shard_days: int = SHARD_DAYS,
    progress: bool = False,
    compute: bool = True,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Write `ds` as a Zarr store, shard by shard, on the scheduler in force.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular time axis; lazy or in memory.
    store : str or PathLike
        Folder or fsspec URL.
    mode : {"w-", "w"}, optional
        ``"w-"`` refuses to replace an existing store, ``"w"`` replaces it, even
        when `ds` is being read from it.
    shard_days : int, optional
        Days written by one task; memory grows with it.
    progress : bool, optional
        Show progress on standard error.
    compute : bool, optional
        False prepares the store and returns a Delayed that writes and completes it.
    storage_options : mapping, optional
        Passed to fsspec for a URL.

    Returns
    -------
    None or dask.delayed.Delayed
        The Delayed when `compute` is False.

    Raises
    ------
    StoreError
        The store exists and `mode` is ``"w-"``, a variable cannot be stored, or `ds`
        is an archive none of whose files has a record.
    GraceError
        The time axis is not regular.

    Notes
    -----
    The files behind a Dataset from `open_archive` are counted while they are read:
    records, duplicates, steps back in time, truncated and unreadable files are
    attributes of the store, under the names of `gracelstm_xr.archive.count_records`.
    """
    import dask

    from gracelstm_xr import cluster
    from gracelstm_xr.target import Target

    if mode not in ("w-", "w"):
        raise StoreError(f"mode is {mode!r}; expected 'w-' or 'w'")
    if shard_days < 1:
        raise StoreError(f"shard_days is {shard_days}; expected 1 or more")
    counts = ds.encoding.get(COUNTS)
    ds = _checked(ds)
    axis = axis_of(ds)
    chunk, shard = _grid(axis, shard_days)
    target = Target.prepare(store, mode=mode, options=storage_options)
    result = None
    with contextlib.ExitStack() as undo:
        undo.callback(target.discard)
        _write_template(ds, axis, target, chunk=chunk, shard=shard)
        tasks = _tasks(ds, axis, target, shard, counts)
        if compute:
            written = cluster.run(tasks, label="zarr", unit="shard", progress=progress)
            _complete(target, written)
        else:
            result = dask.delayed(_complete)(target, tasks)
        undo.pop_all()
    return result


def _checked(ds: xr.Dataset) -> xr.Dataset:
    """Return `ds` in the order of the data model, refusing what cannot be stored."""
    if "time" not in ds.dims:
        raise StoreError(
            f"dimensions {sorted(map(str, ds.dims))} found, 'time' expected; open "
            "the files with open_archive"
        )
    if ds.sizes["time"] == 0:
        raise StoreError("the Dataset has no time steps; choose a span with data")
    if "satellite" in ds.coords and "satellite" not in ds.dims:
        ds = ds.expand_dims("satellite")
    for name, variable in ds.data_vars.items():
        if "time" in variable.dims and variable.dtype.kind not in KINDS:
            raise StoreError(
                f"variable {name!r} has type {variable.dtype}; numbers and flags "
                f"expected; leave it out with ds.drop_vars({name!r})"
            )
    extra = [n for n, c in ds.coords.items() if "time" in c.dims and n != "time"]
    ds = ds.reset_coords(extra).drop_encoding()
    return ds.transpose("satellite", "time", ..., missing_dims="ignore")


def _grid(axis: RegularAxis, shard_days: int) -> tuple[int, int]:
    """Steps in a chunk (a day at most) and in a shard (a multiple of it)."""
    day = max(DAY_NS // axis.step_ns, 1)
    chunk = min(day, axis.size)
    return chunk, chunk * min(shard_days, -(-axis.size // chunk))


def _write_template(
    ds: xr.Dataset, axis: RegularAxis, target: Any, *, chunk: int, shard: int
) -> None:
    """Write groups, attributes and empty arrays; nothing is computed."""
    from gracelstm_xr.conventions import zarr_encoding

    on_time = {n: v for n, v in ds.data_vars.items() if "time" in v.dims}
    encoding = zarr_encoding(
        on_time,
        chunks={"satellite": 1, "time": chunk},
        shards={"satellite": 1, "time": shard},
    )
    template = ds.drop_vars("time").chunk({"time": shard})
    # fixed-width text has no Zarr v3 specification, variable-width has
    texts = {n: c for n, c in template.coords.items() if c.dtype.kind == "U"}
    template = template.assign_coords(
        {n: c.astype(np.dtypes.StringDType()) for n, c in texts.items()}
    )
    template.attrs = {**_plain(ds.attrs), META: _meta(axis, shard)}
    target.write_dataset(template, encoding=encoding)
    _create_time(target.group(), axis, shard)


def _meta(axis: RegularAxis, shard: int) -> dict[str, Any]:
    return {
        "layout": LAYOUT,
        "complete": False,
        "shard": shard,
        "time": {
            "start": str(axis.start),
            "step_ns": axis.step_ns,
            "size": axis.size,
        },
    }


def _plain(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes as JSON can hold them."""
    plain = {}
    for key, value in attrs.items():
        is_numpy = isinstance(value, np.ndarray | np.generic)
        plain[key] = value.tolist() if is_numpy else value
    return plain


def _create_time(group: zarr.Group, axis: RegularAxis, shard: int) -> None:
    from zarr.codecs import BloscCodec

    codec = BloscCodec(typesize=8, cname="zstd", clevel=5, shuffle="bitshuffle")
    group.create_array(
        "time",
        shape=(axis.size,),
        dtype="int64",
        chunks=(shard,),
        compressors=[codec],
        fill_value=0,
        dimension_names=["time"],
        attributes=time_attributes(axis),
    )


def _tasks(
    ds: xr.Dataset,
    axis: RegularAxis,
    target: Any,
    shard: int,
    counts: LazyCounts | None,
) -> list[Any]:
    """One Delayed per satellite and shard, writing every variable of it."""
    import dask

    # a part of an archive is not made of the files that were counted for the whole
    known = counts is not None and counts.axis == axis
    files = counts.tasks() if counts is not None and known else None

    write = dask.delayed(_write_shard, pure=False)
    names = [n for n, v in ds.data_vars.items() if "time" in v.dims]
    blocks = {}
    for name in names:
        sizes = {"satellite": 1, "time": shard}
        variable = ds[name].variable.chunk(
            {d: sizes.get(str(d), -1) for d in ds[name].dims}
        )
        blocks[name] = variable.data.to_delayed()
    satellites = ds["satellite"].values.tolist() if "satellite" in ds.dims else [None]
    tasks = []
    for i, start in enumerate(range(0, axis.size, shard)):
        span = slice(start, min(start + shard, axis.size))
        for j, satellite in enumerate(satellites):
            parts, places = {}, {}
            for name in names:
                dims = ds[name].dims
                if "satellite" not in dims and j > 0:
                    continue
                key = tuple({"time": i, "satellite": j}.get(str(d), 0) for d in dims)
                where = {"time": span, "satellite": slice(j, j + 1)}
                parts[name] = blocks[name][key]
                places[name] = tuple(where.get(str(d), slice(None)) for d in dims)
            times = time_codes(axis, span) if j == 0 else None
            done = files(span, satellite) if files and satellite else []
            tasks.append(write(target, parts, places, (span, times), satellite, done))
    return tasks


def _write_shard(
    target: Any,
    parts: dict[str, np.ndarray[Any, Any]],
    places: dict[str, tuple[slice, ...]],
    times: tuple[slice, np.ndarray[Any, Any] | None],
    satellite: str | None,
    counts: list[list[FileCounts]],
) -> tuple[str | None, int, list[FileCounts]]:
    """Write one shard; return its satellite, seconds seen, and what its files had."""
    group = target.group()
    for name, values in parts.items():
        group[name][places[name]] = values
    if times[1] is not None:
        group["time"][times[0]] = times[1]
    accl = parts.get("lin_accl")
    seen = 0 if accl is None else int(np.isfinite(accl).any(axis=-1).sum())
    return satellite, seen, [file for files in counts for file in files]


def _complete(
    target: Any, written: list[tuple[str | None, int, list[FileCounts]]]
) -> None:
    """Say that every shard is written, and give the store its name."""
    observed: dict[str, int] = {}
    for satellite, seen, _ in written:
        if satellite is not None:
            observed[satellite] = observed.get(satellite, 0) + seen
    files = [file for *_, found in written for file in found]
    problems = [f"left out: {f.problem}" for f in files if f.problem and not f.absent]
    problems += [f.note for f in files if f.note]
    group = target.group()
    if files:
        counts = totals(files)
        if not counts["records"]:
            found = (problems or ["no such member"])[0].removeprefix("left out: ")
            raise StoreError(
                f"no record in any of {len(files)} files, nothing was written; the "
                f"first: {found}"
            )
        group.attrs.update(counts)
    meta = {**dict(group.attrs[META]), "problems": problems[:MOST_PROBLEMS]}
    group.attrs[META] = {**meta, "complete": True, "observed": observed}
    target.publish()
