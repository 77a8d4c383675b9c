"""GPS seconds, datetime64 and the regular axis: numpy and pandas only.

Level-1B time tags count seconds of GPS time since 2000-01-01 12:00:00 GPS; GPS time
has no leap seconds, so the whole count fits a plain ``datetime64[ns]``.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gracelstm_xr.errors import GraceError

EPOCH = np.datetime64("2000-01-01T12:00:00", "ns")
ONE_SECOND = np.timedelta64(1_000_000_000, "ns")
#: A day [s], and in the steps of datetime64[ns].
DAY, DAY_NS = 86_400.0, 86_400_000_000_000
ONE_DAY = np.timedelta64(DAY_NS, "ns")

#: The epoch of GPS seconds [ns past 1970].
EPOCH_NS = int(EPOCH.astype("int64"))
_NAT = np.iinfo(np.int64).min
# Labels farther than this from the start (126 years) are outside any axis; the clip
# keeps the int64 difference from overflowing.
_FAR = 4_000_000_000_000_000_000


def gps_to_datetime64(seconds: npt.ArrayLike, nanoseconds: npt.ArrayLike = 0) -> Any:
    """Convert GPS seconds past 2000-01-01 12:00:00 GPS to datetime64.

    Parameters
    ----------
    seconds : array_like of int
        Whole GPS seconds past the epoch [s]. Floats must be whole numbers: float64
        resolves only 1e-7 s at today's counts, so fractions go into `nanoseconds`.
    nanoseconds : array_like of int, optional
        Fraction of the second [ns].

    Returns
    -------
    numpy.datetime64 or ndarray of datetime64[ns]
        GPS time, the shape of the broadcast input.

    Raises
    ------
    GraceError
        Fractional `seconds`.
    """
    given = np.asarray(seconds)
    seconds_ = given.astype("int64")
    if given.dtype.kind == "f" and not np.array_equal(seconds_, given):
        raise GraceError(
            "fractional GPS seconds found, whole seconds expected: "
            "pass the fraction as nanoseconds="
        )
    nanos = seconds_ * 1_000_000_000 + np.asarray(nanoseconds, dtype="int64")
    return EPOCH + nanos.astype("timedelta64[ns]")


def datetime64_to_gps(time: Any) -> tuple[Any, Any]:
    """Convert GPS times to whole GPS seconds and the fraction, without loss.

    Parameters
    ----------
    time : datetime64, datetime, str, or array of them
        GPS time.

    Returns
    -------
    seconds : int64 scalar or ndarray
        Whole seconds past 2000-01-01 12:00:00 GPS [s], rounded down.
    nanoseconds : int64 scalar or ndarray
        The rest, 0 to 999 999 999 [ns].
    """
    nanos = (to_datetime64(time) - EPOCH).astype("int64")
    seconds, rest = np.divmod(nanos, 1_000_000_000)
    return seconds, rest


def gps_label(seconds: float) -> str:
    """Write GPS seconds past 2000-01-01T12:00:00 as a date and time, to the second."""
    return str((EPOCH + np.timedelta64(round(seconds * 1e9), "ns")).astype("M8[s]"))


def to_datetime64(value: Any) -> Any:
    """Return `value` (str, date, datetime, Timestamp, datetime64, arrays) in ns.

    Parameters
    ----------
    value : Any
        One time or an array of times, on the GPS scale.

    Returns
    -------
    numpy.datetime64 or ndarray of datetime64[ns]

    Raises
    ------
    GraceError
        The value is not a time, or carries a time zone (GPS time has none).
    """
    try:
        if isinstance(value, str | dt.date | pd.Timestamp):
            stamp = pd.Timestamp(value)
            if stamp.tzinfo is not None:
                raise ValueError("it carries a time zone")
            return stamp.as_unit("ns").to_datetime64()
        array = np.asarray(value)
        if array.dtype != "M8[ns]":
            flat = pd.DatetimeIndex(array.ravel())
            if flat.tz is not None:
                raise ValueError("it carries a time zone")
            # numpy would overflow without a word where pandas raises
            array = flat.as_unit("ns").to_numpy().reshape(array.shape)
        return array[()]
    except (ValueError, TypeError) as error:
        raise GraceError(
            f"{value!r} is not a GPS time ({error}); expected e.g. '2008-05-01' "
            "or numpy.datetime64"
        ) from error


@dataclass(frozen=True)
class RegularAxis:
    """A time axis as start, step and size: constant cost at any length.

    Parameters
    ----------
    start : datetime64
        First time, GPS.
    step : timedelta64
        Distance of two neighbours, positive.
    size : int
        Number of times.

    Raises
    ------
    GraceError
        A step that is not positive or a negative size.
    """

    start: np.datetime64
    step: np.timedelta64
    size: int

    def __post_init__(self) -> None:
        start = np.datetime64(to_datetime64(self.start), "ns")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "step", np.timedelta64(self.step, "ns"))
        object.__setattr__(self, "size", int(self.size))
        if self.step_ns <= 0 or self.size < 0:
            raise GraceError(
                f"step {self.step} and size {self.size} found; a regular axis needs "
                "a positive step and a size of at least 0"
            )

    @classmethod
    def between(
        cls, start: Any, stop: Any, *, step: np.timedelta64 = ONE_SECOND
    ) -> RegularAxis:
        """Build the axis from `start` (included) to `stop` (excluded).

        Parameters
        ----------
        start, stop : str, date, datetime, datetime64
            GPS times.
        step : timedelta64, default 1 s
            Distance of two neighbours.
        """
        first, last = to_datetime64(start), to_datetime64(stop)
        size = -(-int((last - first).astype("int64")) // int(step.astype("m8[ns]")))
        return cls(first, step, max(size, 0))

    @property
    def start_ns(self) -> int:
        """Start as int64 nanoseconds past 1970 [ns]."""
        return int(self.start.astype("int64"))

    @property
    def step_ns(self) -> int:
        """Step [ns]."""
        return int(self.step.astype("int64"))

    @property
    def stop(self) -> np.datetime64:
        """First time after the axis (exclusive end)."""
        return self.start + self.size * self.step

    def values(self, key: slice = slice(None)) -> npt.NDArray[np.datetime64]:
        """Times at the positions of `key`, datetime64[ns]."""
        positions = np.arange(*key.indices(self.size), dtype="int64")
        return self.at(positions)

    def at(self, positions: Any) -> npt.NDArray[np.datetime64]:
        """Times at integer `positions` (not checked against the size)."""
        nanos = np.asarray(positions, dtype="int64") * self.step_ns
        return np.asarray((nanos + self.start_ns).astype("datetime64[ns]"))

    def cut(self, key: slice) -> RegularAxis:
        """Return the axis of the positions in `key` (positive stride only)."""
        first, last, stride = key.indices(self.size)
        size = len(range(first, last, stride))
        step = self.step * stride if size > 1 else self.step  # else may overflow
        return RegularAxis(self.start + first * self.step, step, size)

    def same_times(self, other: RegularAxis) -> bool:
        """Whether both hold the same times (the step of one time does not count)."""
        if self.size != other.size or self.size == 0:
            return self.size == other.size
        return self.start == other.start and (self.size == 1 or self.step == other.step)

    def index_of(self, time: Any) -> int:
        """Return the position of `time`.

        Raises
        ------
        KeyError
            The time is not on the axis.
        """
        position = int(self.positions(to_datetime64(time)))
        if position < 0:
            raise KeyError(
                f"{time} is not on the axis {self.start} to {self.stop} "
                f"in steps of {self.step}"
            )
        return position

    def positions(
        self, labels: Any, *, method: str | None = None, tolerance: Any = None
    ) -> npt.NDArray[np.int64]:
        """Positions of `labels` (any shape), -1 where none fits.

        Parameters
        ----------
        labels : array of datetime64
            Wanted times.
        method : {None, "nearest", "pad", "ffill", "backfill", "bfill"}
            None wants exact times; the others as in ``pandas.Index.get_indexer``
            (a tie of "nearest" goes to the later time).
        tolerance : timedelta64, str, optional
            Largest distance of a match.

        Returns
        -------
        ndarray of int64
            The shape of `labels`.
        """
        given = np.asarray(labels).astype("datetime64[ns]").astype("int64")
        if self.size == 0:
            return np.full(given.shape, -1, dtype="int64")
        low, high = self.start_ns - _FAR, self.start_ns + _FAR
        quotient, rest = np.divmod(
            np.clip(given, low, high) - self.start_ns, self.step_ns
        )
        position = _apply_method(quotient, rest, self.step_ns, self.size, method)
        bad = (position < 0) | (position >= self.size) | (given == _NAT)
        if method is None:
            bad |= rest != 0
        elif tolerance is not None:
            limit = np.asarray(pd.to_timedelta(tolerance)).astype("m8[ns]")
            distance = np.abs((position - quotient) * self.step_ns - rest)
            bad |= distance > limit.astype("int64")
        return np.where(bad, -1, position)

    def positions_of(
        self, other: RegularAxis, method: str | None = None, tolerance: Any = None
    ) -> npt.NDArray[np.int64]:
        """Positions of all times of `other`, as `positions` gives them."""
        shift, rest = divmod(other.start_ns - self.start_ns, self.step_ns)
        if method is not None or rest or other.step_ns != self.step_ns:
            return self.positions(other.values(), method=method, tolerance=tolerance)
        # One array of the result's length only: the axes may be decades long
        positions = np.arange(shift, shift + other.size, dtype="int64")
        positions[: max(0, -shift)] = -1
        positions[max(0, self.size - shift) :] = -1
        return positions

    def bounds(self, first: Any, last: Any) -> slice:
        """Positions of the times in [first, last], both ends included or None."""
        start, stop = 0, self.size
        if first is not None:
            offset = int(to_datetime64(first).astype("int64")) - self.start_ns
            start = min(max(-(-offset // self.step_ns), 0), self.size)
        if last is not None:
            offset = int(to_datetime64(last).astype("int64")) - self.start_ns
            stop = min(max(offset // self.step_ns + 1, 0), self.size)
        return slice(start, max(start, stop))


def _apply_method(
    quotient: npt.NDArray[np.int64],
    rest: npt.NDArray[np.int64],
    step: int,
    size: int,
    method: str | None,
) -> npt.NDArray[np.int64]:
    """Turn floor positions into the positions that `method` wants."""
    if method is None:
        return quotient
    if method == "nearest":
        return np.clip(quotient + (2 * rest >= step), 0, size - 1)
    if method in ("pad", "ffill"):
        return np.minimum(quotient, size - 1)
    if method in ("backfill", "bfill"):
        return np.maximum(quotient + (rest > 0), 0)
    raise GraceError(
        f"method {method!r} found; expected 'nearest', 'pad', 'ffill', 'backfill' "
        "or 'bfill'"
    )


def day_slices(axis: RegularAxis) -> list[slice]:
    """Positions of every GPS day on `axis`, in order.

    Parameters
    ----------
    axis : RegularAxis
        Any regular axis; the first and last day may be partial.

    Returns
    -------
    list of slice
        One non-empty slice of positions per GPS calendar day.
    """
    if axis.size == 0:
        return []
    day_ns = int(ONE_DAY.astype("int64"))
    first = axis.start_ns // day_ns
    last = (axis.start_ns + (axis.size - 1) * axis.step_ns) // day_ns
    midnights = np.arange(first, last + 2, dtype="int64") * day_ns - axis.start_ns
    edges = np.clip(-(-midnights // axis.step_ns), 0, axis.size).tolist()
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]


def axis_from_times(times: Any, name: Hashable = "time") -> RegularAxis:
    """Describe equally spaced `times`; one time gets a step of 1 s.

    Raises
    ------
    GraceError
        The times are not equally spaced and ascending.
    """
    nanos = np.atleast_1d(times).astype("datetime64[ns]").astype("int64")
    if nanos.size == 0:
        return RegularAxis(EPOCH, ONE_SECOND, 0)
    steps = np.diff(nanos)
    step = int(steps[0]) if steps.size else int(ONE_SECOND.astype("int64"))
    if step <= 0 or np.any(steps != step):
        raise GraceError(
            f"coordinate {name!r} is not regular: steps of {steps.min() / 1e9:g} to "
            f"{steps.max() / 1e9:g} s found, one positive step expected; "
            "open the files with open_archive, or reindex"
        )
    first = np.datetime64(int(nanos[0]), "ns")
    return RegularAxis(first, np.timedelta64(step, "ns"), nanos.size)


def join_axes(a: RegularAxis, b: RegularAxis, *, how: str) -> RegularAxis | None:
    """Inner or outer join of two axes; None where the result is not regular."""
    if a.size == 0 or b.size == 0:
        shorter, longer = (a, b) if a.size == 0 else (b, a)
        return shorter if how == "inner" else longer
    if a.step_ns != b.step_ns or (b.start_ns - a.start_ns) % a.step_ns:
        return None
    ends = (a.start_ns + a.size * a.step_ns, b.start_ns + b.size * b.step_ns)
    if how == "inner":
        start, stop = max(a.start_ns, b.start_ns), min(ends)
    elif min(ends) >= max(a.start_ns, b.start_ns):
        start, stop = min(a.start_ns, b.start_ns), max(ends)
    else:
        return None
    size = max((stop - start) // a.step_ns, 0)
    return RegularAxis(np.datetime64(start, "ns"), a.step, size)


def chain_axes(axes: Sequence[RegularAxis]) -> RegularAxis | None:
    """Axis of axes that follow each other without a break, else None."""
    filled = [axis for axis in axes if axis.size] or list(axes[:1])
    pairs = itertools.pairwise(filled)
    if not filled or any(a.step != b.step or a.stop != b.start for a, b in pairs):
        return None
    return RegularAxis(filled[0].start, filled[0].step, sum(a.size for a in filled))
