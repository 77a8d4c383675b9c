"""One day of one satellite on the regular axis: the tasks behind an archive.

Everything here runs inside a worker: plain functions of small picklable records,
importable by name, that read only the file of their day.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gracelstm_xr import l1b
from gracelstm_xr.archive.cache import parsed
from gracelstm_xr.archive.identity import check_identity
from gracelstm_xr.core.datamodel import LABELS, VARIABLES
from gracelstm_xr.errors import GraceWarning, L1BFormatError

SECOND = 1_000_000_000
#: Positions on the axis, and the records that belong there.
Spots = tuple[slice, slice] | tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

Errors = Literal["raise", "warn", "ignore"]


@dataclass(frozen=True)
class Block:
    """What a task needs to know of one satellite and day.

    Attributes
    ----------
    start
        First epoch [ns past 2000-01-01T12:00:00 GPS].
    size
        Number of epochs, one per second.
    candidates
        Sources, the best first; empty where there is no file.
    siblings
        Other wanted members of the same tarball.
    errors
        What a damaged file does: "raise", or leave the block empty and "warn", or
        "ignore" it, and be silent about records that are cut or missing, too.
    """

    start: int
    size: int
    candidates: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()
    errors: Errors = "raise"


def load_block(block: Block, variable: str) -> npt.NDArray[Any]:
    """Return one variable of one satellite and day.

    Parameters
    ----------
    block : Block
        Where to read.
    variable : str
        Name in the data model.

    Returns
    -------
    ndarray
        Shape (1, size) or (1, size, components); NaN (0 for flags) where the file
        has no record.

    Raises
    ------
    L1BFormatError, FileNotFoundError
        The file is damaged or gone, and ``block.errors`` is "raise".
    """
    file = load_file(block)
    if file is None or variable not in file.columns:
        return empty_block(variable, block.size)[None]
    return grid(file, variable, start=block.start, size=block.size)[None]


def load_file(block: Block) -> l1b.L1BFile | None:
    """Return the best file of the block that exists, None where there is none."""
    for source in block.candidates:
        try:
            quiet = block.errors == "ignore"
            file = parsed(source, siblings=block.siblings, quiet=quiet)
            check_identity(file, l1b.parse_name(source), source)
            return file
        except FileNotFoundError:
            # The members of official tarballs are predicted, a file on disk is not
            if not source.startswith("tar://") and block.errors == "raise":
                raise
        except L1BFormatError as error:
            if block.errors == "raise":
                raise
            if block.errors == "warn":
                warnings.warn(f"left out: {error}", GraceWarning, stacklevel=2)
    return None


def empty_block(variable: str, size: int) -> npt.NDArray[Any]:
    """Return the values of a day without a file: NaN, flags 0."""
    item = VARIABLES[variable]
    dtype = np.dtype(item.dtype)
    shape = (size, *(len(LABELS[d]) for d in item.dims[2:]))
    return np.full(shape, np.nan if dtype.kind == "f" else 0, dtype)


def grid(
    file: l1b.L1BFile, variable: str, *, start: int, size: int
) -> npt.NDArray[Any]:
    """Place the records of a file on an axis of whole seconds.

    Parameters
    ----------
    file : L1BFile
        Parsed file.
    variable : str
        Name in the data model.
    start : int
        First epoch [ns past 2000-01-01T12:00:00 GPS].
    size : int
        Number of epochs.

    Returns
    -------
    ndarray
        Shape (size,) or (size, components). Records outside are left out; of records
        with one time tag the first in the file counts. Thruster firings, tagged to
        the microsecond, are added up in the second they fall in, and seconds without
        a firing are 0.
    """
    out = empty_block(variable, size)
    place(out, file, variable, spots_of(file, start=start, size=size), start=start)
    return out


def spots_of(file: l1b.L1BFile, *, start: int, size: int) -> Spots:
    """Where the records of a file belong: positions on the axis, and in the file.

    Parameters as for `grid`. Slices where the records follow each other evenly, as
    they do in nearly every file: numpy then copies instead of gathering.
    """
    offset = file.time_ns - start
    count = len(offset)
    if count > 1:
        step = int(offset[1] - offset[0])
        even = step > 0 and step % SECOND == 0 and int(offset[0]) % SECOND == 0
        if even and bool((np.diff(offset) == step).all()):
            first, stride = int(offset[0]) // SECOND, step // SECOND
            low = max(0, -(first // stride))
            high = max(low, min(count, -((first - size) // stride)))
            begin, end = first + low * stride, first + high * stride
            return slice(begin, end, stride), slice(low, high)
    inside = np.flatnonzero((offset >= 0) & (offset < size * SECOND))
    inside = inside[offset[inside] % SECOND == 0]
    # The last assignment to a position stays: backwards, that is the first record
    backwards = inside[::-1]
    return offset[backwards] // SECOND, backwards


def place(
    out: npt.NDArray[Any],
    file: l1b.L1BFile,
    variable: str,
    spots: Spots,
    *,
    start: int,
) -> None:
    """Put the records of a file where they belong in `out`, see `grid`."""
    values = file.columns[variable]
    if variable == "thruster_on_time":
        out[:] = 0
        offset = file.time_ns - start
        inside = np.flatnonzero((offset >= 0) & (offset < len(out) * SECOND))
        inside = _first_of_equal_rows(offset, values, inside)
        np.add.at(out, offset[inside] // SECOND, values[inside])
        if file.report.truncated or (file.report.announced or 0) > file.report.records:
            # the records are cut: behind the last one nobody knows of firings
            last = int(offset.max()) // SECOND if len(offset) else -1
            out[min(max(last + 1, 0), len(out)) :] = np.nan
        return
    out[spots[0]] = values[spots[1]]


def _first_of_equal_rows(
    offset: npt.NDArray[np.int64],
    values: npt.NDArray[Any],
    inside: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Drop repeated thruster records: same time tag and same on-times."""
    rows = np.column_stack([offset[inside], values[inside].astype("int64")])
    _, first = np.unique(rows, axis=0, return_index=True)
    return inside[np.sort(first)]
