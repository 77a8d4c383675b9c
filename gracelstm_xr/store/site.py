"""Where an ingest writes: a new store, one begun before, or the finished one.

A new store is built beside its final name and renamed at the end. A finished store
grows in place, so long as nothing in it has to move: at the end of its time axis, by
variables, and by satellites behind those there are. Otherwise, for days before its
first or a satellite in between, a new store takes over the values of the old one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import xarray as xr

from gracelstm_xr.archive.dataset import label_coords, open_selection
from gracelstm_xr.archive.selection import Selection
from gracelstm_xr.errors import StoreError
from gracelstm_xr.store.agree import axis_in, check_meta, readable
from gracelstm_xr.store.layout import axis_meta, create, enlarge, time_arrays
from gracelstm_xr.store.location import META, Target
from gracelstm_xr.store.manifest import (
    ShardRecord,
    SourceFile,
    read_records,
    shard_name,
)
from gracelstm_xr.store.plan import Layout, Lost, union_axis
from gracelstm_xr.store.read import checked_axis, open_store
from gracelstm_xr.store.shard import Base
from gracelstm_xr.store.stored import lost_files

#: Steps of a chunk: one GPS day.
CHUNK = 86_400


@dataclass(frozen=True)
class Site:
    """A store under construction, and what is known about it.

    Attributes
    ----------
    target
        Where the bytes go.
    layout
        What it is going to be.
    held
        What it is now; None when it has to be made.
    records
        Its finished shards.
    base
        Where the values come from that stay.
    before
        Files of `base`, when that is another store.
    request
        By which the next run knows that it may go on.
    replace
        Whether a store of the final name may be replaced.
    pending
        Whether an interrupted run has left it to be completed.
    lost
        Variables and satellites of which files are gone, by shard.
    """

    target: Target
    layout: Layout
    held: Layout | None
    records: Mapping[str, ShardRecord]
    base: Base | None = None
    before: tuple[SourceFile, ...] = ()
    request: Mapping[str, Any] | None = None
    replace: bool = False
    pending: bool = True
    lost: Lost = field(default_factory=dict)

    @property
    def copy(self) -> bool:
        """Whether values have to be copied from another store."""
        return self.base is not None and self.base.target != self.target

    @property
    def finished(self) -> bool:
        """Whether a finished store grows in place."""
        return self.held is not None and self.request is None

    def open(self, selection: Selection, *, run: str) -> None:
        """Make the store, or make room in it; `run` tells one run from another."""
        if self.held is None:
            self.target.discard()
            ds = self._template(selection)
            create(
                self.target,
                ds,
                self.layout.axis,
                chunk=CHUNK,
                shard=self.layout.shard,
                quantise=self.layout.quantise,
                meta={"request": dict(self.request or {}), "run": run},
            )
            return
        self.target.tidy()
        group = self.target.group()
        meta: dict[str, Any] = group.attrs.asdict()[META]
        state = {"made": list(self.held.variables), **meta, "run": run}
        if meta.get("complete"):
            state["pending"] = True
        group.attrs.update({META: state})
        if self.held != self.layout:
            enlarge(
                self.target,
                self._template(selection),
                self.layout.axis,
                chunk=CHUNK,
                shard=self.layout.shard,
                quantise=self.layout.quantise,
            )

    def _template(self, selection: Selection) -> xr.Dataset:
        """Variables, labels and attributes of the store; values are not looked at."""
        parts = [open_selection(selection)]
        if self.copy:
            parts.append(open_store(self.target.final, storage_options=self._options()))
        variables = {n: v for ds_ in reversed(parts) for n, v in ds_.items()}
        letters = self.layout.satellites
        slim = {
            n: v.isel(satellite=[0] * len(letters), time=slice(0, 1)).variable
            for n, v in variables.items()
        }
        ds = xr.Dataset(slim, attrs=parts[-1].attrs)
        return ds.assign_coords(label_coords(ds.dims, letters))

    def _options(self) -> dict[str, Any] | None:
        return dict(self.target.options) if self.target.options else None

    def give_up(self) -> None:
        """After an error: keep what the next run can use, remove the rest."""
        if self.held is None:
            with contextlib.suppress(OSError, StoreError):
                if not read_records(self.target.group()):
                    self.target.discard()


def find_site(
    target: Target,
    selection: Selection,
    *,
    mode: str,
    shard: int,
    quantise: float | None = None,
    releases: Sequence[str] | None = None,
) -> Site:
    """Decide where to write; nothing is touched.

    Parameters
    ----------
    target : Target
        The store asked for.
    selection : Selection
        Files found.
    mode : {"a", "w-", "w"}
        As for `ingest`.
    shard : int
        Steps in a shard of a new store.
    quantise : float, optional
        Step of packed accelerations [m s-2] in a new store.
    releases : sequence of str, optional
        Order of preference asked for.

    Raises
    ------
    StoreError
        The store there was not made of files, or cannot grow as asked.
    """
    wanted = _layout(selection, shard, quantise)
    request = _request(selection, releases)
    if mode != "a" or not target.is_store() or _begun(target):
        return _new(target, wanted, request, replacing=mode == "w")
    held, meta = _held(target)
    if quantise not in (None, held.quantise):
        kept = "as they are" if held.quantise is None else f"in steps {held.quantise:g}"
        raise StoreError(
            f"{target.final} holds accelerations {kept}, steps of {quantise:g} m s-2 "
            "were asked for; leave that out, or make a new store"
        )
    grown = _grown(held, wanted)
    lost = _lost(target, meta, held)
    if grown.holds(held):
        place = target.in_place()
        base = Base(place, held.axis, held.satellites)
        records = read_records(place.group())
        pending = bool(meta.get("pending"))
        return Site(place, grown, held, records, base, pending=pending, lost=lost)
    if lost:
        raise StoreError(
            f"{target.final}: files of the shard {min(lost)} are gone, and days or "
            "satellites are to be put before others; first ingest without these, to "
            "have the files written again"
        )
    if target.remote:
        raise StoreError(_cannot_move(target, held, grown))
    target.check_content()
    old = target.in_place()
    records = read_records(old.group())
    request["takes over"] = _state(held, records)
    site = _new(target, grown, request, replacing=True)
    base = Base(old, held.axis, held.satellites)
    files = (f for r in records.values() for f in r.files)
    return replace(site, base=base, before=tuple(files))


def _new(
    target: Target, wanted: Layout, request: Mapping[str, Any], *, replacing: bool
) -> Site:
    """Build a new store, or go on with one of the same request."""
    site = Site(target, wanted, None, {}, request=request, replace=replacing)
    if not target.started():
        return site
    try:
        group = target.group()
        records = read_records(group)
    except StoreError:  # hidden work that is damaged is made again
        return site
    meta: dict[str, Any] = group.attrs.asdict().get(META, {})
    if meta.get("request") != dict(request):
        return site
    held = _layout_of(group, meta)
    if (held.shard, held.quantise) != (wanted.shard, wanted.quantise):
        return site
    if not wanted.holds(held) or not set(held.variables) <= set(wanted.variables):
        return site
    return Site(
        target,
        wanted,
        held,
        records,
        Base(target, held.axis, held.satellites),
        request=request,
        replace=replacing,
    )


def _layout(selection: Selection, shard: int, quantise: float | None) -> Layout:
    names = [n for _, variables in selection.families.values() for n in variables]
    letters = selection.satellites
    return Layout(selection.axis, letters, tuple(sorted(names)), shard, quantise)


def _begun(target: Target) -> bool:
    """Whether what stands under the final name of a remote store is unfinished."""
    if not target.remote:
        return False
    meta = target.final_group().attrs.asdict().get(META)
    return isinstance(meta, dict) and not meta.get("complete")


def _held(target: Target) -> tuple[Layout, dict[str, Any]]:
    """Layout of the store that is there, and what it says about itself."""
    group = target.final_group()
    meta = group.attrs.asdict().get(META)
    if not isinstance(meta, dict):
        raise StoreError(
            f"{target.final} is a Zarr store of another kind and will not be replaced; "
            "choose another name"
        )
    if not meta.get("made_by"):
        raise StoreError(
            f"{target.final} exists already and was not made from Level-1B files; "
            "choose another name or replace it with mode='w' (--overwrite)"
        )
    with readable(target.final):
        check_meta(meta, target.final)
        checked_axis(group, meta, target.final, mending=True)
        return _layout_of(group, meta), meta


def _lost(target: Target, meta: Mapping[str, Any], held: Layout) -> Lost:
    """Variables and satellites of which files are gone, by name of the shard."""
    group = target.final_group()
    lost: dict[str, set[tuple[str, str]]] = {}
    with readable(target.final):
        for name, file, number in lost_files(group, meta.get("written", {})):
            dims = group[name].metadata.dimension_names or ()
            if "time" not in dims:
                raise StoreError(
                    f"{target.final}/{name}/{file} is gone; put the file of a copy in "
                    "its place, or write the store again"
                )
            letters = list(held.satellites)
            if "satellite" in dims:
                row = int(file.split("/")[1 + dims.index("satellite")])
                letters = [letters[row]]
            start = number * held.shard * held.axis.step_ns + held.axis.start_ns
            lost.setdefault(shard_name(start), set()).update(
                (name, letter) for letter in letters
            )
    return lost


def _layout_of(group: Any, meta: Mapping[str, Any]) -> Layout:
    names = meta.get("made") or meta.get("variables") or time_arrays(group)
    return Layout(
        axis_in(meta),
        tuple(meta["satellites"]),
        tuple(sorted(names)),
        int(meta["shard"]),
        meta.get("quantise"),
    )


def _state(held: Layout, records: Mapping[str, ShardRecord]) -> dict[str, Any]:
    """Tell one state of a store from any other."""
    text = json.dumps([r.to_dict() for r in records.values()], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {**axis_meta(held.axis), "manifest": digest}


def _grown(held: Layout, wanted: Layout) -> Layout:
    """Layout that holds both."""
    return Layout(
        union_axis(held.axis, wanted.axis),
        tuple(sorted({*held.satellites, *wanted.satellites})),
        tuple(sorted({*held.variables, *wanted.variables})),
        held.shard,
        held.quantise,
    )


def _cannot_move(target: Target, held: Layout, grown: Layout) -> str:
    earlier = grown.axis.start != held.axis.start
    news = (
        f"days from {grown.axis.start}"
        if earlier
        else f"satellites {''.join(grown.satellites)}"
    )
    return (
        f"{news} found, but {target.final} begins {held.axis.start} with satellites "
        f"{''.join(held.satellites)}, and an object store can only grow at its end; "
        "ingest all files into a new store, naming with --start and --satellites what "
        "will come"
    )


def _request(selection: Selection, releases: Sequence[str] | None) -> dict[str, Any]:
    """What was asked for, so that a run never goes on with another one's work."""
    catalogue = selection.catalogue
    return {
        "products": list(catalogue.products),
        "satellites": list(selection.satellites),
        "releases": list(releases or ()),
        "start": str(selection.axis.start),
        "folders": sorted(
            {os.path.dirname(e.archive or e.source) for e in catalogue.entries}
        ),
    }
