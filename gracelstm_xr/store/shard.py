"""One shard of a store, from files to bytes: the task of an ingest.

Everything here runs inside a worker. A task reads the files of its days one by one,
puts them over what the store has already, writes whole shards, and last the record
that says so. Running it twice, or once more after it was killed anywhere, ends in the
same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr import l1b
from gracelstm_xr.archive.cache import stored
from gracelstm_xr.archive.catalogue import Entry
from gracelstm_xr.archive.gridding import empty_block, place, spots_of
from gracelstm_xr.archive.identity import check_identity
from gracelstm_xr.archive.scan import FileCounts, count_file
from gracelstm_xr.archive.selection import FAMILIES, family_of
from gracelstm_xr.compute.cluster import fair_share
from gracelstm_xr.core.packing import read_part, write_part
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.timecode import time_codes
from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.l1b.source import decompress, split_chain
from gracelstm_xr.store.agree import undamaged
from gracelstm_xr.store.guard import UNKNOWN, at_work, doubt
from gracelstm_xr.store.manifest import (
    Gaps,
    ShardRecord,
    SourceFile,
    shard_name,
    write_record,
)

if TYPE_CHECKING:
    from gracelstm_xr.store.location import Target

Values = dict[tuple[str, str], npt.NDArray[Any]]


@dataclass(frozen=True)
class Slot:
    """One family of products of one satellite on one day, to be read.

    Attributes
    ----------
    family, satellite, day
        Which; the day as ``YYYY-MM-DD``.
    first, size
        Epochs of the day: position in the shard, and number.
    start
        First epoch [ns past 2000-01-01T12:00:00 GPS].
    candidates
        Files that may give it, best first.
    before
        What the store has read of it already.
    whole
        Whether that was the whole day, not one cut by a limit in time.
    """

    family: str
    satellite: str
    day: str
    first: int
    size: int
    start: int
    candidates: tuple[Entry, ...]
    before: tuple[SourceFile, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class Base:
    """A store that holds the values so far: the same, or the one it replaces.

    Attributes
    ----------
    target
        The store.
    axis
        Its time axis.
    satellites
        Its satellites, in order.
    """

    target: Target
    axis: RegularAxis
    satellites: tuple[str, ...]


@dataclass(frozen=True)
class Shard:
    """What a task has to do.

    Attributes
    ----------
    first
        Position of the first epoch on the axis of the store.
    axis
        Epochs of the shard.
    satellites
        Of the store, in order.
    variables
        Of the store.
    slots
        Files to read.
    kept
        Records of the files whose values stay.
    base
        Where values that stay come from; None in a new store.
    copy
        Whether they have to be copied, because `base` is another store.
    fresh
        Whether the shard is written even if no file has changed.
    strict
        Whether a file that cannot be read is an error.
    """

    first: int
    axis: RegularAxis
    satellites: tuple[str, ...]
    variables: tuple[str, ...]
    slots: tuple[Slot, ...] = ()
    kept: tuple[SourceFile, ...] = ()
    base: Base | None = None
    copy: bool = False
    fresh: bool = True
    strict: bool = False

    @property
    def name(self) -> str:
        """Name of the shard in the manifest."""
        return shard_name(self.axis.start_ns)

    @property
    def days(self) -> int:
        """Days of which files are read."""
        return len({slot.day for slot in self.slots})


@dataclass
class ShardResult:
    """What a task has done: its record, and sizes for the progress line."""

    record: ShardRecord
    days: int = 0
    files: int = 0
    read: int = 0
    changed: int = 0


def write_shard(target: Target, shard: Shard, *, run: str) -> ShardResult:
    """Read the files of a shard, write its arrays, then its record.

    Parameters
    ----------
    target : Target
        The store under construction.
    shard : Shard
        What to do.
    run : str
        The run that this task belongs to, as `at_work` checks it.

    Returns
    -------
    ShardResult
        Small; arrays stay here.

    Raises
    ------
    L1BFormatError, FileNotFoundError, OSError
        A file cannot be read and ``shard.strict`` is set.
    StoreError
        The store cannot be written, for example on a full disk, or another run has
        taken it over.
    """
    result = ShardResult(ShardRecord(shard.name, shard.axis.size))
    rows = [*shard.kept]
    gaps: dict[str, Gaps] = {}
    for copies, slots in _batches(shard):
        values: Values = {}
        for satellite, family in copies:
            _load(values, shard, family, satellite)
        tried = [
            row for slot in slots for row in _read_slot(values, shard, slot, result)
        ]
        rows += tried
        gaps |= {s: gaps_in(v) for (n, s), v in values.items() if n == "lin_accl"}
        before = [f for slot in slots for f in slot.before]
        group = at_work(target, run)
        with target.writing(f"the shard of {shard.name}"), fair_share():
            if values and not shard.copy:
                doubt(
                    group, shard.name, [f for f in before if f.used and f not in tried]
                )
            _write(group, shard, values)
    rows.sort(key=_order)
    group = at_work(target, run)
    gaps = _all_gaps(group, shard, gaps)
    result.record = ShardRecord(shard.name, shard.axis.size, gaps, tuple(rows))
    result.days = shard.days
    with target.writing(f"the shard of {shard.name}"):
        if shard.fresh:
            times = time_codes(shard.axis, slice(0, shard.axis.size))
            group["time"][_span(shard)] = times
        write_record(group, result.record)
    return result


def _batches(shard: Shard) -> list[tuple[list[tuple[str, str]], list[Slot]]]:
    """What is in memory together: a family of a satellite, to be copied and read.

    All at once where files come out of tarballs, which are read from their start.
    """
    copies = sorted({_place(f) for f in shard.kept}) if shard.copy else []
    if any(e.in_tarball for slot in shard.slots for e in slot.candidates):
        return [(copies, list(shard.slots))]
    slots: dict[tuple[str, str], list[Slot]] = {place: [] for place in copies}
    for slot in shard.slots:
        slots.setdefault((slot.satellite, slot.family), []).append(slot)
    return [([p] if p in copies else [], group) for p, group in sorted(slots.items())]


def _write(group: Any, shard: Shard, values: Values) -> None:
    while values:  # arrays go as soon as they are written
        (name, satellite), values_ = values.popitem()
        row = shard.satellites.index(satellite)
        write_part(group[name], (slice(row, row + 1), _span(shard)), values_[None])


def _order(file: SourceFile) -> tuple[str, ...]:
    return file.day, file.satellite, file.product, file.name, file.source


def _span(shard: Shard) -> slice:
    return slice(shard.first, shard.first + shard.axis.size)


def _place(file: SourceFile) -> tuple[str, str]:
    """Satellite and family of a file."""
    return file.satellite, family_of(file.product)


def _read_slot(
    values: Values, shard: Shard, slot: Slot, result: ShardResult
) -> list[SourceFile]:
    """Put the best readable file of a day over the values; return what was tried."""
    recorded = {f.name: f for f in slot.before}
    rows: list[SourceFile] = []
    for entry in slot.candidates:
        row, file = _read(entry, _siblings(shard, entry), strict=shard.strict)
        rows.append(row)
        result.files += 1
        result.read += row.size
        if file is None:
            continue
        old = recorded.get(row.name)
        same = old is not None and old.used and old.sha256 == row.sha256
        result.changed += not same
        if not same or not slot.whole or shard.copy:
            _put(values, shard, slot, file)
        return rows
    # a good day is not thrown away because its file has become unreadable since
    tried = {r.name for r in rows}
    used = [f for f in slot.before if f.used]
    if used and shard.copy:
        _load(values, shard, slot.family, slot.satellite)
    rest = [f for f in slot.before if not f.used and f.name not in tried]
    return [*rows, *used, *rest]


def _siblings(shard: Shard, entry: Entry) -> tuple[str, ...]:
    """Members that this shard needs of the same tarball, to be taken in one pass."""
    if not entry.in_tarball:
        return ()
    others = (e for s in shard.slots for e in s.candidates if e.in_tarball)
    chains = (split_chain(e.source) for e in others if e.archive == entry.archive)
    return tuple(dict.fromkeys(chain[0] for chain in chains if chain is not None))


def _read(
    entry: Entry, siblings: tuple[str, ...], *, strict: bool
) -> tuple[SourceFile, l1b.L1BFile | None]:
    """Read one file; None, with the reason in the record, when it cannot be."""
    name, file, data = entry.name, None, b""
    stat = (entry.size, entry.mtime_ns)
    try:
        data = stored(entry.source, siblings=siblings)
        content = decompress(data, entry.source)
        file = l1b.read_bytes(content, entry.source, quiet=True)
        check_identity(file, name, entry.source)
        counts = count_file(file, name.date, entry.source)
    except FileNotFoundError as error:
        if strict and not entry.in_tarball:
            raise
        counts = FileCounts(absent=entry.in_tarball, problem=str(error))
        stat = stat if entry.in_tarball else UNKNOWN
    except (L1BFormatError, OSError) as error:
        if strict:
            raise
        file, counts = None, FileCounts(problem=_one_line(error, entry))
        # a disk or a right that fails may be mended without a change of the file
        stat = UNKNOWN if isinstance(error, OSError) else stat
    row = SourceFile(
        name=str(name),
        source=entry.source,
        product=name.product,
        satellite=name.satellite,
        day=name.date.isoformat(),
        release=name.release,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest() if data else "",
        stat=stat,
        counts=counts,
    )
    return row, file


def _one_line(error: Exception, entry: Entry) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{entry.source}: {error.strerror}"
    return str(error)


def _load(values: Values, shard: Shard, family: str, satellite: str) -> None:
    """Have the arrays of a family: what the store has, else empty."""
    for name in FAMILIES[family][1]:
        if name not in shard.variables or (name, satellite) in values:
            continue
        series = empty_block(name, shard.axis.size)
        base = shard.base
        if base is not None and satellite in base.satellites:
            group = base.target.group()
            if name in group:
                shift = shard.axis.start_ns - base.axis.start_ns
                low = shift // shard.axis.step_ns
                first, stop = max(low, 0), min(low + shard.axis.size, base.axis.size)
                if stop > first:
                    row = base.satellites.index(satellite)
                    where = (row, slice(first, stop))
                    with undamaged(f"{base.target.final}/{name}"):
                        stored_part = read_part(group[name], where)
                    series[first - low : stop - low] = stored_part
        values[name, satellite] = series


def _put(values: Values, shard: Shard, slot: Slot, file: l1b.L1BFile) -> None:
    _load(values, shard, slot.family, slot.satellite)
    spots = spots_of(file, start=slot.start, size=slot.size)
    for name in FAMILIES[slot.family][1]:
        if name not in shard.variables:
            continue
        day = values[name, slot.satellite][slot.first : slot.first + slot.size]
        day[:] = np.nan if day.dtype.kind == "f" else 0
        if name in file.columns:
            place(day, file, name, spots, start=slot.start)


def _all_gaps(group: Any, shard: Shard, counted: dict[str, Gaps]) -> dict[str, Gaps]:
    """Missing accelerations of every satellite in this shard, in order."""
    if "lin_accl" not in shard.variables:
        return {}
    gaps = {}
    for row, satellite in enumerate(shard.satellites):
        if satellite not in counted:
            with undamaged("lin_accl"):
                accl = read_part(group["lin_accl"], (row, _span(shard)))
            counted[satellite] = gaps_in(accl)
        gaps[satellite] = counted[satellite]
    return gaps


def gaps_in(accelerations: npt.NDArray[Any]) -> Gaps:
    """Count the missing spans of a series, shape (n, 3); NaN is missing."""
    seen = np.isfinite(accelerations).any(axis=-1)
    edges = np.diff(np.concatenate([[1], seen.astype(np.int8)]))
    if not seen.size:
        return Gaps(0, 0, False, False)
    return Gaps(
        int(seen.sum()), int((edges == -1).sum()), not bool(seen[0]), not bool(seen[-1])
    )
