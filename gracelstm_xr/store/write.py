"""Zarr v3 stores of the data model: written in parallel, opened in constant time.

Layout. The root group is the Dataset. Arrays are cut into chunks of one GPS day and
one satellite, gathered in shards of several days; a shard is what one task writes,
so tasks never touch each other's bytes. Chunks that hold only the fill value (NaN,
or 0 for flags) are not written; ``grace_store`` tells which files there are, so that a
lost one does not read as missing data. Compression is Blosc with Zstandard and
bitshuffle; every chunk ends with a checksum (CRC-32C).

Time. ``time`` is an ordinary int64 array of seconds, so that any Zarr reader
understands the store; it shrinks to 0.1 % of its bytes. `open_store` reads three
chunks of it, to see that they agree, and rebuilds the axis from start, step and size
kept in the root attribute ``grace_store``, where a plain ``xarray.open_zarr`` builds
an index of 8 bytes and more per step.

Completeness. A local store is written beside its final name and renamed at the end;
``grace_store`` also says whether the store is complete, for object stores, which
cannot rename. `open_store` refuses an incomplete one. What an interrupted run has
finished is used by the next one that writes the same.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.archive.dataset import files_of
from gracelstm_xr.compute import cluster
from gracelstm_xr.compute.blocks import cut, piece_at
from gracelstm_xr.compute.cluster import fair_share
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.packing import quantisation_step, write_part
from gracelstm_xr.core.remote import unbroken
from gracelstm_xr.core.time import DAY_NS, RegularAxis
from gracelstm_xr.core.timecode import time_codes
from gracelstm_xr.errors import StoreError
from gracelstm_xr.files import MANIFEST
from gracelstm_xr.store.finish import finish
from gracelstm_xr.store.guard import at_work
from gracelstm_xr.store.ingest import SHARD_DAYS, ingest_selection
from gracelstm_xr.store.layout import create
from gracelstm_xr.store.location import META, Target
from gracelstm_xr.store.manifest import (
    ShardRecord,
    read_records,
    shard_name,
    write_record,
)
from gracelstm_xr.store.read import reads_from
from gracelstm_xr.store.shard import gaps_in

KINDS = "fiub"


def to_zarr(
    ds: xr.Dataset,
    store: str | os.PathLike[str],
    *,
    mode: str = "w-",
    shard_days: int = SHARD_DAYS,
    quantise: str | float | None = None,
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
    mode : {"w-", "w", "a"}, optional
        ``"w-"`` refuses to replace an existing store, ``"w"`` replaces one that this
        program wrote and that `ds` is not read from. ``"a"`` brings a store up to date
        with the files of an archive, see `gracelstm_xr.ingest`.
    shard_days : int, optional
        Days written by one task; memory grows with it.
    quantise : str or float, optional
        Keep accelerations as multiples of this step [m s-2], for example ``"1e-13"``,
        in a third of the space. The error is half a step at most.
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
        The store exists and `mode` is ``"w-"``, another process writes to it, a
        variable cannot be stored, `ds` is an archive none of whose files has a
        record, or not an archive and `mode` is ``"a"``.
    GraceError
        The time axis is not regular.

    Notes
    -----
    A Dataset as `open_archive` returned it is ingested file by file, with a manifest
    of the files in the store. Any other is computed shard by shard; writing the same
    Dataset again after an interruption goes on with the shards that are missing, if
    Dask names its arrays alike, as it does for whatever is read from files.

    Examples
    --------
    >>> ds.grace.to_zarr("grace.zarr")
    >>> gx.open_store("grace.zarr")["lin_accl"].dims
    ('satellite', 'time', 'axis')
    """
    if mode not in ("w-", "w", "a"):
        raise StoreError(f"mode is {mode!r}; expected 'w-', 'w' or 'a'")
    if shard_days < 1:
        raise StoreError(f"shard_days is {shard_days}; expected 1 or more")
    files = files_of(ds)
    if files is not None and compute:
        ingest_selection(
            files.selection,
            store,
            mode=mode,
            strict=files.strict,
            shard_days=shard_days,
            quantise=quantise,
            progress=progress,
            storage_options=storage_options,
            attrs=ds.attrs,
        )
        return None
    if mode == "a":
        raise StoreError(
            "mode is 'a', but the Dataset is not an archive as open_archive returned "
            "it; use mode='w-' or 'w', or gracelstm_xr.ingest for Level-1B files"
        )
    target = Target.at(store, options=storage_options)
    if reads_from(ds, target.final):
        raise StoreError(
            f"the Dataset is read from {target.final}, which can only be replaced once "
            "it is removed; write to another name"
        )
    step = None if quantise is None else quantisation_step(quantise)
    job = _Job(_checked(ds), target, shard_days, step, replace=mode == "w")
    with unbroken(target.final), target.lock():
        target.check(mode=mode)
        if not compute:
            return job.delayed()
        job.write(progress=progress)
    return None


class _Job:
    """A Dataset on its way into a store."""

    def __init__(
        self,
        ds: xr.Dataset,
        target: Target,
        shard_days: int,
        quantise: float | None,
        *,
        replace: bool,
    ) -> None:
        self.ds, self.target, self.replace = ds, target, replace
        self.axis = axis_of(ds)
        self.chunk, self.shard = _grid(self.axis, shard_days)
        self.quantise = quantise
        self.token = f"{_token(ds)}-{quantise}"
        self.run = uuid.uuid4().hex

    def write(self, *, progress: bool) -> None:
        """Write what is missing, and complete the store."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.target.discard)
            with self.target.writing("the empty arrays"):
                if not self._may_go_on():
                    self._create()
            done = self._done()
            tasks = self._tasks(done)
            try:
                written = cluster.run(
                    tasks, label="zarr", unit="shard", progress=progress
                )
                with self.target.writing("what the store says about itself"):
                    self._complete([*done.values(), *written])
            except (KeyboardInterrupt, StoreError):
                # the next run can go on
                if self.target.started() and self._done():
                    undo.pop_all()
                raise
            undo.pop_all()

    def delayed(self) -> Any:
        """Prepare the store; return a Delayed that writes and completes it."""
        import dask

        with contextlib.ExitStack() as undo:
            undo.callback(self.target.discard)
            with self.target.writing("the empty arrays"):
                self._create()
            tasks = self._tasks({})
            undo.pop_all()
        return dask.delayed(self._complete)(tasks)

    def _may_go_on(self) -> bool:
        if not self.target.started():
            return False
        group = self.target.group()
        meta: Any = group.attrs.asdict().get(META, {})
        request = {"token": self.token, "shard": self.shard}
        if meta.get("complete") or meta.get("request") != request:
            return False
        self.target.tidy()
        group.attrs.update({META: {**meta, "run": self.run}})
        return True

    def _create(self) -> None:
        self.target.discard()
        create(
            self.target,
            self.ds,
            self.axis,
            chunk=self.chunk,
            shard=self.shard,
            quantise=self.quantise,
            meta={
                "request": {"token": self.token, "shard": self.shard},
                "run": self.run,
            },
        )

    def _done(self) -> dict[str, ShardRecord]:
        return read_records(self.target.group())

    def _tasks(self, done: Mapping[str, ShardRecord]) -> list[Any]:
        """One Delayed per satellite and shard, writing every variable of it."""
        import dask

        write = dask.delayed(_write_shard, pure=False)
        names = [n for n, v in self.ds.data_vars.items() if "time" in v.dims]
        blocks = cut(self.ds, names, {"satellite": 1, "time": self.shard})
        has_satellites = "satellite" in self.ds.dims
        letters = self.ds["satellite"].values.tolist() if has_satellites else [""]
        tasks: list[Any] = []
        for i, start in enumerate(range(0, self.axis.size, self.shard)):
            span = slice(start, min(start + self.shard, self.axis.size))
            times = time_codes(self.axis, span)
            shard = shard_name(self.axis.cut(span).start_ns)
            for j, satellite in enumerate(letters):
                if f"{shard}-{satellite}" in done:
                    continue
                parts, places = {}, {}
                for name in names:
                    dims = self.ds[name].dims
                    if "satellite" not in dims and j > 0:
                        continue
                    where = {"time": span, "satellite": slice(j, j + 1)}
                    parts[name] = piece_at(blocks[name], dims, time=i, satellite=j)
                    places[name] = tuple(where.get(str(d), slice(None)) for d in dims)
                record = (f"{shard}-{satellite}", satellite, self.token, self.run)
                name = cluster.task_name("zarr", self.run, len(tasks))
                tasks.append(
                    write(
                        self.target,
                        parts,
                        places,
                        (span, times),
                        record,
                        dask_key_name=name,
                    )
                )
        return tasks

    def _complete(self, records: Sequence[ShardRecord]) -> None:
        """Say that every shard is written, and give the store its name."""
        group = self.target.group()
        if MANIFEST in group:
            del group[MANIFEST]
        finish(
            self.target,
            records,
            shard=self.shard,
            replace=self.replace,
            attrs=group.attrs.asdict(),
        )


def _token(ds: xr.Dataset) -> str:
    """Stands for the values of a Dataset; equal for lazy arrays of equal names."""
    from dask.base import tokenize

    variables = {str(n): v for n, v in ds.drop_vars("time").variables.items()}
    values = [
        (name, getattr(variable.data, "name", None) or variable.data)
        for name, variable in sorted(variables.items())
    ]
    return str(tokenize(values, str(axis_of(ds))))


def _write_shard(
    target: Target,
    parts: dict[str, np.ndarray[Any, Any]],
    places: dict[str, tuple[slice, ...]],
    times: tuple[slice, np.ndarray[Any, Any]],
    identity: tuple[str, str, str, str],
) -> ShardRecord:
    """Write one shard of one satellite, and last the record that it is done."""
    name, satellite, token, run = identity
    group = at_work(target, run)
    accl = parts.get("lin_accl")
    gaps = {} if accl is None or not satellite else {satellite: gaps_in(accl[0])}
    record = ShardRecord(name, times[0].stop - times[0].start, gaps, token=token)
    with target.writing(f"the shard of {name}"), fair_share():
        for key, values in parts.items():
            write_part(group[key], places[key], values)
        group["time"][times[0]] = times[1]
        write_record(group, record)
    return record


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
