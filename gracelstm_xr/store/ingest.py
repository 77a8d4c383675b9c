"""Level-1B files into a Zarr store: resumable, idempotent, on any scheduler."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gracelstm_xr.archive.catalogue import Sources
from gracelstm_xr.archive.provenance import archive_attributes, origin
from gracelstm_xr.archive.scan import FileCounts, totals, unlisted
from gracelstm_xr.archive.selection import FAMILIES, Selection, family_of, select
from gracelstm_xr.compute import cluster
from gracelstm_xr.core.conventions import append_history
from gracelstm_xr.core.packing import quantisation_step
from gracelstm_xr.core.remote import unbroken
from gracelstm_xr.core.time import DAY_NS
from gracelstm_xr.errors import GraceWarning, L1BFormatError, StoreError, number_of
from gracelstm_xr.files import MANIFEST
from gracelstm_xr.store.finish import finish
from gracelstm_xr.store.layout import axis_meta, plain_attributes
from gracelstm_xr.store.location import META, Target
from gracelstm_xr.store.manifest import ShardRecord, SourceFile, gap_count, shard_name
from gracelstm_xr.store.plan import plan
from gracelstm_xr.store.shard import Shard, ShardResult, write_shard
from gracelstm_xr.store.site import Site, find_site

#: Days in a shard: 10 days of every GRACE variable of one satellite take 0.2 GB.
SHARD_DAYS = 10
#: Unreadable files that a store names in its attributes; the manifest has all.
MOST_PROBLEMS = 100


@dataclass(frozen=True)
class Ingested:
    """What an ingest did, and what the store holds now.

    Attributes
    ----------
    store
        Folder or URL.
    shards
        Shards written in this run; 0 when there was nothing to do.
    files
        Files read in this run.
    changed
        Of these, files that were new or not as they were.
    read
        Bytes read in this run.
    days
        Days with data in the store.
    gaps
        Contiguous spans without accelerations, by satellite.
    counts
        Totals over the files of the store, as `count_records` names them.
    problems
        One line for each file that cannot be used or is cut short.
    """

    store: str
    shards: int
    files: int
    changed: int
    read: int
    days: int
    gaps: Mapping[str, int]
    counts: Mapping[str, int]
    problems: tuple[str, ...]


def ingest(
    sources: Sources,
    store: str | os.PathLike[str],
    *,
    products: str | Sequence[str] = ("ACC1B", "GNV1B", "SCA1B", "THR1B"),
    satellites: str | Iterable[str] | None = None,
    start: Any = None,
    stop: Any = None,
    releases: str | Iterable[str] | None = None,
    mode: str = "a",
    strict: bool = False,
    shard_days: int = SHARD_DAYS,
    quantise: str | float | None = None,
    progress: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Ingested:
    """Put Level-1B files into a Zarr store, or bring a store up to date.

    The store keeps a manifest of the files it was made of. What it holds already is
    not read again: a second run over the same files does nothing, a file that has
    changed replaces its day, new days, products and satellites are added, and a run
    that was interrupted is completed to the same bytes. Of several files for a day
    the preferred one counts, whichever came first.

    Parameters
    ----------
    sources : str, PathLike or iterable of them
        As for `open_archive`.
    store : str or PathLike
        Folder or fsspec URL.
    products, satellites, start, stop, releases
        As for `open_archive`. A product in the store that is not named stays.
    mode : {"a", "w-", "w"}, optional
        ``"a"`` makes a store or brings one up to date, ``"w-"`` refuses one that
        exists, ``"w"`` replaces it.
    strict : bool, optional
        Stop at a file that cannot be read, instead of leaving its day as it was and
        naming it in the manifest.
    shard_days : int, optional
        Days written by one task, in a new store.
    quantise : str or float, optional
        In a new store, keep accelerations as multiples of this step [m s-2], for
        example ``"1e-13"``, in a third of the space. The error is half a step at most.
    progress : bool, optional
        Show progress on standard error.
    storage_options : mapping, optional
        Passed to fsspec for a URL.

    Returns
    -------
    Ingested
        What was done, and what the store holds now.

    Raises
    ------
    ArchiveError
        As `open_archive`.
    StoreError
        The store exists (``"w-"``), is not a store of files, is being written by
        another process, or no file has a record, or writing failed.
    L1BFormatError, OSError
        A file cannot be read and `strict` is set.
    """
    order = [releases] if isinstance(releases, str) else releases
    order = None if order is None else list(order)
    selection = select(
        sources,
        products=products,
        satellites=satellites,
        start=start,
        stop=stop,
        releases=order,
    )
    return ingest_selection(
        selection,
        store,
        mode=mode,
        releases=order,
        strict=strict,
        shard_days=shard_days,
        quantise=quantise,
        progress=progress,
        storage_options=storage_options,
    )


def ingest_selection(
    selection: Selection,
    store: str | os.PathLike[str],
    *,
    mode: str = "a",
    releases: Sequence[str] | None = None,
    strict: bool = False,
    shard_days: int = SHARD_DAYS,
    quantise: str | float | None = None,
    progress: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    attrs: Mapping[Any, Any] | None = None,
) -> Ingested:
    """Do what `ingest` does, with files already found; `attrs` are added."""
    if mode not in ("a", "w-", "w"):
        raise StoreError(f"mode is {mode!r}; expected 'a', 'w-' or 'w'")
    if shard_days < 1:
        raise StoreError(f"shard_days is {shard_days}; expected 1 or more")
    if strict and selection.catalogue.problems:
        raise L1BFormatError(selection.catalogue.problems[0])
    step = None if quantise is None else quantisation_step(quantise)
    target = Target.at(store, options=storage_options)
    with unbroken(target.final), target.lock():
        if mode != "a" or not target.is_store():
            target.check(mode="w-" if mode == "a" else mode)
        site = find_site(
            target,
            selection,
            mode=mode,
            shard=_steps(shard_days),
            quantise=step,
            releases=releases,
        )
        if site.lost:
            warnings.warn(
                f"{target.final}: files of {number_of(len(site.lost), 'shard')} are "
                f"gone (of {min(site.lost)}, for one); they are written again from the "
                "sources",
                GraceWarning,
                stacklevel=3,
            )
        shards = plan(
            selection,
            site.layout,
            done=site.records,
            lost=site.lost,
            before=site.before,
            base=site.base,
            copy=site.copy,
            releases=releases,
            strict=strict,
        )
        if not shards and not site.pending:
            return _summary(site, selection, site.records, [])
        with contextlib.ExitStack() as undo:
            undo.callback(site.give_up)
            run = uuid.uuid4().hex
            with target.writing("the empty arrays"):
                site.open(selection, run=run)
            results = _write(site, shards, run=run, progress=progress)
            records = {**site.records, **{r.record.name: r.record for r in results}}
            with target.writing("what the store says about itself"):
                records = _complete(site, selection, records, attrs or {})
            undo.pop_all()
        return _summary(site, selection, records, results)


def _steps(days: int) -> int:
    return days * (DAY_NS // 1_000_000_000)


def _write(
    site: Site, shards: Sequence[Shard], *, run: str, progress: bool
) -> list[ShardResult]:
    """Write shards on the scheduler in force, and show files, days and megabytes."""
    import dask

    # partial, because Dask would look into every field of an argument
    tasks = [
        dask.delayed(partial(write_shard, site.target, shard, run=run), pure=False)(
            dask_key_name=cluster.task_name("ingest", run, number)
        )
        for number, shard in enumerate(shards)
    ]
    days = sum(shard.days for shard in shards)
    meter = _Meter()
    return cluster.run(
        tasks,
        label="ingest",
        unit="day" if days else "shard",
        total=days or len(shards),
        note=meter if days else None,
        progress=progress,
    )


class _Meter:
    """Files and megabytes so far, for the progress line."""

    def __init__(self) -> None:
        self.files = self.read = 0
        self.begun = time.monotonic()

    def __call__(self, result: ShardResult) -> tuple[int, str]:
        """Days in a result, and the words behind the bar."""
        self.files += result.files
        self.read += result.read
        rate = self.read / 1e6 / max(time.monotonic() - self.begun, 1e-9)
        return result.days, f"{number_of(self.files, 'file')}, {rate:.3g} MB/s"


def _complete(
    site: Site,
    selection: Selection,
    records: Mapping[str, ShardRecord],
    attrs: Mapping[Any, Any],
) -> dict[str, ShardRecord]:
    """Write what the store says about itself, and give it its name."""
    names = {shard_name(axis.start_ns) for _, axis in site.layout.parts()}
    kept = {n: r for n, r in sorted(records.items()) if n in names}
    group = site.target.group()
    files = [f for r in kept.values() for f in r.files]
    seen = [*unlisted(selection.catalogue), *(f.counts for f in files)]
    counts = totals(seen)
    problems = _problems(seen)
    if not counts["records"] and not site.finished:
        site.target.discard()
        first = (problems or ["no such member"])[0].removeprefix("left out: ")
        raise StoreError(
            f"no record in any of {number_of(len(files), 'file')}, nothing was "
            f"written; the first: {first}"
        )
    for name in records.keys() - names:
        del group[f"{MANIFEST}/{name}"]
    old = group.attrs.asdict()
    meta: dict[str, Any] = old[META]
    made_by = sorted({*meta.get("made_by", ()), origin(selection.catalogue)})
    used = [f for f in files if f.used]
    letters = site.layout.satellites
    said = archive_attributes(
        letters,
        site.layout.axis,
        products=(f.product for f in used),
        releases=(f.release for f in used),
        files=[f"{f.name} {f.sha256}" for f in used],
        made_by=" and ".join(text.strip() for text in made_by if text),
    )
    history = {"history": old.get("history", "")}
    text = f"Level-1B files ingested, {len(used)} in the store"
    new = {**plain_attributes(attrs), **said, **counts, **history}
    finish(
        site.target,
        kept.values(),
        shard=site.layout.shard,
        replace=site.replace,
        attrs=append_history(new, text),
        said={
            "time": axis_meta(site.layout.axis),
            "satellites": list(letters),
            "variables": list(site.layout.variables),
            "unseen": _unseen(used),
            "made_by": made_by,
            "problems": problems[:MOST_PROBLEMS],
        },
    )
    return kept


def _unseen(used: Iterable[SourceFile]) -> list[str]:
    """Variables of products that no file of the store is of."""
    seen = {family_of(file.product) for file in used}
    return [n for f, (_, names) in FAMILIES.items() if f not in seen for n in names]


def _problems(counts: Sequence[FileCounts]) -> list[str]:
    """What is wrong, once where it is the same for all members of a tarball."""
    left = [f"left out: {c.problem}" for c in counts if c.problem and not c.absent]
    return list(dict.fromkeys(left + [c.note for c in counts if c.note]))


def _summary(
    site: Site,
    selection: Selection,
    records: Mapping[str, ShardRecord],
    results: Sequence[ShardResult],
) -> Ingested:
    files = [f for r in records.values() for f in r.files]
    seen = [*unlisted(selection.catalogue), *(f.counts for f in files)]
    return Ingested(
        store=site.target.final,
        shards=len(results),
        files=sum(r.files for r in results),
        changed=sum(r.changed for r in results),
        read=sum(r.read for r in results),
        days=len({f.day for f in files if f.used}),
        gaps={s: gap_count(records.values(), s) for s in site.layout.satellites},
        counts=totals(seen),
        problems=tuple(_problems(seen)),
    )
