"""What an ingest has to do: the files found against the manifest of the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gracelstm_xr.archive.catalogue import Catalogue, Entry, preference
from gracelstm_xr.archive.scan import FileCounts
from gracelstm_xr.archive.selection import FAMILIES, Selection, family_of
from gracelstm_xr.core.time import EPOCH_NS, RegularAxis, day_slices
from gracelstm_xr.l1b import parse_name
from gracelstm_xr.store.guard import UNKNOWN
from gracelstm_xr.store.manifest import ShardRecord, SourceFile, shard_name
from gracelstm_xr.store.shard import Base, Shard, Slot

Key = tuple[str, str, str]
#: Variables and satellites of which files of the store are gone, by shard.
Lost = Mapping[str, Collection[tuple[str, str]]]


@dataclass(frozen=True)
class Layout:
    """Shape of a store.

    Attributes
    ----------
    axis
        Time axis.
    satellites
        Letters, in the order of the arrays.
    variables
        Names of the arrays on the time axis.
    shard
        Steps in a shard.
    quantise
        Step of packed accelerations [m s-2]; None stores them as they are.
    """

    axis: RegularAxis
    satellites: tuple[str, ...]
    variables: tuple[str, ...]
    shard: int
    quantise: float | None = None

    def parts(self) -> Iterator[tuple[int, RegularAxis]]:
        """Yield position and epochs of every shard."""
        for first in range(0, self.axis.size, self.shard):
            stop = min(first + self.shard, self.axis.size)
            yield first, self.axis.cut(slice(first, stop))

    def holds(self, other: Layout) -> bool:
        """Whether `other` can grow to this one without moving a byte of it."""
        return (
            self.axis.start == other.axis.start
            and self.axis.size >= other.axis.size
            and self.satellites[: len(other.satellites)] == other.satellites
        )


def union_axis(a: RegularAxis, b: RegularAxis) -> RegularAxis:
    """Return the axis from the earlier start to the later end of two."""
    return RegularAxis.between(min(a.start, b.start), max(a.stop, b.stop))


def plan(
    selection: Selection,
    layout: Layout,
    *,
    done: Mapping[str, ShardRecord],
    lost: Lost | None = None,
    before: Iterable[SourceFile] = (),
    base: Base | None = None,
    copy: bool = False,
    releases: Sequence[str] | None = None,
    strict: bool = False,
) -> list[Shard]:
    """List the shards that have to be written.

    Parameters
    ----------
    selection : Selection
        Files found.
    layout : Layout
        Of the store under construction.
    done : mapping of str to ShardRecord
        Its finished shards, by name.
    lost : mapping, optional
        What has to be written again because files of the store are gone.
    before : iterable of SourceFile
        Files of another store whose values are taken over, see `copy`.
    base : Base, optional
        Where values that stay come from.
    copy : bool, optional
        Whether `base` is another store than the one under construction.
    releases : sequence of str, optional
        In order of preference; the newest first by default.
    strict : bool, optional
        Whether a file that cannot be read is an error.

    Returns
    -------
    list of Shard
        In order of time; empty when the store holds every file as it is now.
    """
    recorded = _by_key(f for record in done.values() for f in record.files)
    old = _by_key(before)
    index = _Index(selection, releases)
    result = []
    for first, axis in layout.parts():
        name = shard_name(axis.start_ns)
        record, gone = done.get(name), (lost or {}).get(name, ())
        fresh = record is None or record.size != axis.size or bool(gone)
        source = recorded if record is not None else old
        held = layout.axis if base is None or record is not None else base.axis
        if record is not None:
            held = axis.cut(slice(0, record.size))
        slots, kept = index.slots(axis, layout.satellites, source, held, gone)
        if fresh or slots:
            shard = Shard(
                first,
                axis,
                layout.satellites,
                layout.variables,
                slots,
                kept,
                base,
                copy=copy and record is None,
                fresh=fresh,
                strict=strict,
            )
            result.append(shard)
    return result


def _by_key(files: Iterable[SourceFile]) -> dict[Key, tuple[SourceFile, ...]]:
    files_of: dict[Key, list[SourceFile]] = {}
    for file in files:
        key = (family_of(file.product), file.satellite, file.day)
        files_of.setdefault(key, []).append(file)
    return {key: tuple(rows) for key, rows in files_of.items()}


def _without_values(file: SourceFile) -> SourceFile:
    """Return the record of a file whose values the store has lost."""
    if not file.used:
        return file
    counts = FileCounts(problem=f"{file.name}: its values are gone from the store")
    return replace(file, stat=UNKNOWN, counts=counts)


class _Index:
    """The candidates of a selection by family, satellite and day."""

    def __init__(self, selection: Selection, releases: Sequence[str] | None) -> None:
        self.catalogue: Catalogue = selection.catalogue
        self.axis = selection.axis
        self.satellites = selection.satellites
        self.families = selection.families
        self.releases = releases

    def slots(
        self,
        axis: RegularAxis,
        satellites: Sequence[str],
        recorded: Mapping[Key, tuple[SourceFile, ...]],
        held: RegularAxis,
        lost: Collection[tuple[str, str]] = (),
    ) -> tuple[tuple[Slot, ...], tuple[SourceFile, ...]]:
        """Return what has to be read for a shard, and the files that stay.

        Days that the values of `recorded` do not cover, because they lie across an end
        of `held`, are read again, and so are families that have `lost` a file. What
        cannot be read again is no longer said to be in the store.
        """
        slots: list[Slot] = []
        kept: list[SourceFile] = []
        for day_steps in day_slices(axis):
            begin = axis.start + day_steps.start * axis.step
            end = axis.start + day_steps.stop * axis.step
            covered = held.start <= begin and end <= held.stop
            day = begin.astype("datetime64[D]").item()
            for satellite in satellites:
                for family in FAMILIES:
                    before = recorded.get((family, satellite, day.isoformat()), ())
                    variables = FAMILIES[family][1]
                    gone = any((name, satellite) in lost for name in variables)
                    before = tuple(map(_without_values, before)) if gone else before
                    complete = covered and not gone
                    entries = self._to_read(family, satellite, day, before, complete)
                    if not entries:
                        kept += before
                        continue
                    start = int(begin.astype("int64")) - EPOCH_NS
                    size = int(day_steps.stop - day_steps.start)
                    slots.append(
                        Slot(
                            family,
                            satellite,
                            day.isoformat(),
                            int(day_steps.start),
                            size,
                            start,
                            entries,
                            before,
                            complete,
                        )
                    )
        return tuple(slots), tuple(kept)

    def _to_read(
        self,
        family: str,
        satellite: str,
        day: dt.date,
        before: Sequence[SourceFile],
        complete: bool,
    ) -> tuple[Entry, ...]:
        """Candidates that may change a day; none when it is up to date."""
        if family not in self.families or satellite not in self.satellites:
            return ()
        products = self.families[family][0]
        candidates = self.catalogue.candidates(products, satellite, day)
        better = self._better(candidates, before, products)
        return better if not complete or _news(better, before) else ()

    def _better(
        self,
        candidates: Sequence[Entry],
        before: Sequence[SourceFile],
        products: Sequence[str],
    ) -> tuple[Entry, ...]:
        """Candidates down to the one that the store has, which may be elsewhere now."""
        used = next((f for f in before if f.used), None)
        if used is None:
            return tuple(candidates)
        name = parse_name(used.name)
        if name is None or name.product not in products:
            # of another product than those asked for: name both to have it replaced
            return ()
        mark = preference(Entry(name, used.source), products, self.releases)
        better = []
        for entry in candidates:
            same = str(entry.name) == used.name
            if same or preference(entry, products, self.releases) < mark:
                better.append(entry)
            if same:
                break
        return tuple(better)


def _news(candidates: Sequence[Entry], before: Sequence[SourceFile]) -> bool:
    """Whether one of the candidates is new, or not what it was when it was read."""
    seen = {(f.name, f.stat): f.used for f in before}
    for entry in candidates:
        used = seen.get((str(entry.name), (entry.size, entry.mtime_ns)))
        if used is None:
            return True
        if used:
            return False
    return False
