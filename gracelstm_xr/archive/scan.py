"""Counts of what is in the files of an archive, and of what is wrong with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from gracelstm_xr import l1b
from gracelstm_xr.archive.cache import parsed
from gracelstm_xr.archive.catalogue import Catalogue, Entry
from gracelstm_xr.archive.identity import check_identity
from gracelstm_xr.core.conventions import COUNTS
from gracelstm_xr.core.time import EPOCH, ONE_DAY
from gracelstm_xr.errors import ArchiveError, L1BFormatError, number_of


@dataclass(frozen=True)
class FileCounts:
    """Counts of one file.

    Attributes
    ----------
    records
        Complete records.
    duplicates
        Records whose time tag an earlier record has.
    out_of_order
        Steps back in time.
    outside
        Records outside the GPS day of the file, left out on the grid.
    truncated
        Incomplete records.
    missing
        Records announced by the header but not there.
    flagged
        Records with a quality flag other than 0.
    problem
        Why the file cannot be read; empty for a readable one.
    note
        What a readable file lacks; empty for a whole one.
    absent
        The member is not in its tarball.
    foreign
        Records of another satellite, left out.
    mismatched
        The name of the file says other things than its header.
    """

    records: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    outside: int = 0
    truncated: int = 0
    missing: int = 0
    flagged: int = 0
    problem: str = ""
    note: str = ""
    absent: bool = False
    foreign: int = 0
    mismatched: bool = False


def scan_file(entry: Entry, *, siblings: Sequence[str] = ()) -> FileCounts:
    """Read one file and count.

    Parameters
    ----------
    entry : Entry
        From a catalogue.
    siblings : sequence of str
        Members to take along, as ``Catalogue.siblings`` gives them.

    Returns
    -------
    FileCounts
        With `problem` or `absent` set instead of an error.
    """
    try:
        file = parsed(entry.source, siblings=siblings, quiet=True)
        check_identity(file, entry.name, entry.source)
    except FileNotFoundError as error:
        return FileCounts(absent=entry.in_tarball, problem=str(error))
    except L1BFormatError as error:
        return FileCounts(problem=str(error))
    return count_file(file, entry.name.date, entry.source)


def count_file(file: l1b.L1BFile, day: dt.date, source: str) -> FileCounts:
    """Count in a parsed file.

    Parameters
    ----------
    file : L1BFile
        The file.
    day : date
        GPS day in its name.
    source : str
        Its path, for the note.
    """
    start = np.datetime64(day, "ns")
    times = EPOCH + file.time_ns.astype("timedelta64[ns]")
    outside = (times < start) | (times >= start + ONE_DAY)
    flag = next((n for n in file.columns if n.endswith("_qualflg")), "")
    report = file.report
    missing = max(0, (report.announced or 0) - report.records)
    clauses = list(report.mismatches)
    if report.foreign:
        clauses.append(
            f"{number_of(report.foreign, 'record')} of another satellite left out"
        )
    if report.truncated or report.announced not in (None, report.records):
        clauses.append(
            f"{report.records} of {report.announced} announced records found, "
            f"{report.truncated} incomplete; the complete records are kept, download "
            "the file again"
        )
    note = f"{source}: {'; '.join(clauses)}" if clauses else ""
    return FileCounts(
        records=report.records,
        duplicates=report.duplicates,
        out_of_order=report.out_of_order,
        outside=int(outside.sum()),
        truncated=report.truncated,
        missing=missing,
        flagged=int((file.columns[flag] != 0).sum()) if flag else 0,
        foreign=report.foreign,
        mismatched=bool(report.mismatches),
        note=note,
    )


def count_records(
    archive: xr.Dataset | Catalogue,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Read the files an archive is made of and return the totals, as attributes.

    Parameters
    ----------
    archive : Dataset or Catalogue
        As `open_archive` returns it (before any operation), or its catalogue.
    progress : callable, optional
        Called as ``progress(done, total)`` after each satellite, day and product.

    Returns
    -------
    dict of str to int
        ``records``, ``duplicate_epochs``, ``out_of_order_epochs``,
        ``overlap_records`` (outside their day), ``truncated_files``,
        ``missing_records``, ``flagged_records``, ``foreign_records`` (of another
        satellite), ``mismatched_files`` (not what their header says),
        ``absent_files`` (predicted members that are not there) and
        ``unreadable_files``.

    Raises
    ------
    ArchiveError
        The Dataset does not come from `open_archive`.
    """
    if isinstance(archive, xr.Dataset):
        catalogue = archive.encoding.get("catalogue")
    else:
        catalogue = archive
    if not isinstance(catalogue, Catalogue):
        raise ArchiveError(
            "the files of this Dataset are not known; pass the Dataset that "
            "open_archive returned, or a Catalogue"
        )
    counts: list[FileCounts] = []
    slots = list(catalogue.slots())
    for done, candidates in enumerate(slots, start=1):
        counts += _scan(candidates, catalogue.siblings(candidates[0]))
        if progress is not None:
            progress(done, len(slots))
    return totals([*counts, *unlisted(catalogue)])


def unlisted(catalogue: Catalogue) -> list[FileCounts]:
    """Counts of the tarballs that could not be listed, one file each."""
    return [FileCounts(problem=problem) for problem in catalogue.problems]


def _scan(candidates: Iterable[Entry], siblings: Sequence[str]) -> list[FileCounts]:
    """Count in the files of one day, up to the first that is there and readable."""
    counts: list[FileCounts] = []
    for entry in candidates:
        counts.append(scan_file(entry, siblings=siblings))
        if not counts[-1].problem:
            break
    return counts


def totals(files: Sequence[FileCounts]) -> dict[str, int]:
    """Add up the counts of many files to archive attributes."""
    counts = (
        sum(f.records for f in files),
        sum(f.duplicates for f in files),
        sum(f.out_of_order for f in files),
        sum(f.outside for f in files),
        sum(f.truncated > 0 for f in files),
        sum(f.missing for f in files),
        sum(f.flagged for f in files),
        sum(f.foreign for f in files),
        sum(f.mismatched for f in files),
        sum(f.absent for f in files),
        sum(bool(f.problem) and not f.absent for f in files),
    )
    return dict(zip(COUNTS, counts, strict=True))
