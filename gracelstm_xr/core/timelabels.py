"""What a user's time labels mean on a regular axis, as pandas would say.

A pandas index of decades cannot be held, so the positions are worked out from start,
step and size. What is not plainly a time gets no position here: an ordinary index of
a few times then refuses it, in the words users know.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from gracelstm_xr.core.time import DAY_NS, RegularAxis

# Units of date strings as pandas.Period names them, fine to coarse, in ns
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "D": DAY_NS,
}
_NANOSECONDS = np.dtype("datetime64[ns]")
_WITH_ZONE = tuple(_UNITS)[:-1]
# pandas sorts a missing time behind all others
_LAST = np.datetime64(np.iinfo(np.int64).max, "ns")


def positions_of_label(
    axis: RegularAxis, label: Any, *, method: Any = None, tolerance: Any = None
) -> Any:
    """Positions that a label of ``.sel`` means, None if only pandas can tell why not.

    Parameters
    ----------
    axis : RegularAxis
        The axis.
    label : Any
        Date string, partial date string, datetime of any kind, time of day, slice,
        list, array, mask, DataArray or Variable.
    method, tolerance : Any
        As in ``Dataset.sel``.

    Returns
    -------
    int, slice, ndarray, or None
        None also where a label is not on the axis.
    """
    if method is not None and not isinstance(method, str):
        return None
    if isinstance(label, slice):
        return _of_slice(axis, label) if method is tolerance is None else None
    if isinstance(label, tuple) or hasattr(label, "keys"):
        return None
    is_labelled = isinstance(label, xr.DataArray | xr.Variable)
    values = label.values if is_labelled else label
    array = np.asarray(values)
    if array.dtype.kind == "b" and array.ndim:
        return array
    if array.ndim == 0 and method is None:
        return _of_one(axis, array[()] if array.dtype.kind in "mM" else array.item())
    if method is None and tolerance is not None:
        return None
    return _of_many(axis, values, method, tolerance)


def _of_many(axis: RegularAxis, values: Any, method: str | None, tolerance: Any) -> Any:
    times = _instants(values)
    if times is None:
        return None
    try:
        if np.size(tolerance) not in (1, times.size):
            return None
        positions = axis.positions(times, method=method, tolerance=tolerance)
    except (ValueError, TypeError):
        return None
    return None if np.any(positions < 0) else positions[()]


def carries_zone(label: Any) -> bool:
    """Whether a label of `positions_of_label` names a time zone."""
    if isinstance(label, slice):
        return carries_zone(label.start) or carries_zone(label.stop)
    if isinstance(label, dt.time):
        return label.tzinfo is not None
    try:
        index = pd.DatetimeIndex(np.ravel(np.asarray(label, dtype=object)))
    except (ValueError, TypeError):
        return False
    return index.tz is not None


def _instants(values: Any) -> npt.NDArray[np.datetime64] | None:
    """Times without zone in ns, the shape of `values`; None if they are not."""
    if isinstance(values, list) and any(isinstance(v, list) for v in values):
        return None
    array = np.asarray(values)
    try:
        if array.dtype.kind not in "MOU" or getattr(values, "tz", None) is not None:
            return np.empty(array.shape, _NANOSECONDS) if array.size == 0 else None
        index = pd.DatetimeIndex(array.ravel())
        if index.tz is not None:
            return None
        return index.as_unit("ns").to_numpy().reshape(array.shape)
    except (ValueError, TypeError):
        return None


def _of_one(axis: RegularAxis, label: Any) -> Any:
    """Position of one label, or the slice of a partial date string."""
    if isinstance(label, str):
        return _of_text(axis, label)
    if isinstance(label, dt.time):
        return _of_time_of_day(axis, label)
    if isinstance(label, np.datetime64 | dt.datetime):
        return _of_many(axis, label, None, None)
    return None


def _of_text(axis: RegularAxis, label: str) -> Any:
    period = _period(label)
    if period is None:
        return None
    # As pandas: a string coarser than the times themselves means a range
    unit = _UNITS.get(str(period.freqstr))
    first, last = _nanoseconds(period.start_time), _nanoseconds(period.end_time)
    if first is None or last is None:
        return None
    if unit is None or _is_finer_than(axis, unit):
        bounds = axis.bounds(first, last)
        return None if bounds.start == bounds.stop else bounds
    position = int(axis.positions(first))
    return None if position < 0 else position


def _period(label: str) -> Any:
    """Span of a date string; None if it is no date, or names a time zone."""
    try:
        period: Any = pd.Period(label)
        if period is pd.NaT:
            return None
        # Period drops a zone without a word
        if period.freqstr in _WITH_ZONE and pd.Timestamp(label).tzinfo is not None:
            return None
    except (ValueError, TypeError):
        return None
    return period


def _is_finer_than(axis: RegularAxis, unit: int) -> bool:
    """Whether some times are no multiple of `unit` [ns]."""
    step = axis.step_ns if axis.size > 1 else 0
    return bool(axis.start_ns % unit or step % unit)


def _of_time_of_day(axis: RegularAxis, label: dt.time) -> Any:
    """Positions of a time of day on every day."""
    if label.tzinfo is not None:
        return None
    days = np.arange(axis.start.astype("M8[D]"), axis.stop.astype("M8[D]") + 1)
    since = pd.Timedelta(label.isoformat()).to_timedelta64()
    positions = axis.positions(days.astype(_NANOSECONDS) + since)
    return positions[positions >= 0]


def _of_slice(axis: RegularAxis, label: slice) -> slice | None:
    """Positions of a slice of times, both ends included, in either direction."""
    step = label.step
    if step is not None and not isinstance(step, int | np.integer):
        return None
    backwards = step is not None and step < 0
    low, high = (label.stop, label.start) if backwards else (label.start, label.stop)
    first, last = _edge(low, 0), _edge(high, 1)
    if (low is not None and first is None) or (high is not None and last is None):
        return None
    bounds = axis.bounds(first, last)
    if not backwards:
        return slice(bounds.start, bounds.stop, step)
    # None is the only way to say "down to the first" in a slice of positions
    stop = bounds.start - 1 if bounds.start > 0 else None
    if bounds.start == bounds.stop:
        return slice(0, 0, step)
    return slice(bounds.stop - 1, stop, step)


def _edge(label: Any, side: int) -> np.datetime64 | None:
    """First (side 0) or last (side 1) instant that a slice bound means."""
    value = label.values if isinstance(label, xr.DataArray | xr.Variable) else label
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, str):
        period = _period(value)
        if period is None:
            return None
        return _nanoseconds(period.end_time if side else period.start_time)
    if not isinstance(value, np.datetime64 | dt.date):
        return None
    stamp: Any = pd.Timestamp(value)
    return _LAST if stamp is pd.NaT else _nanoseconds(stamp)


def _nanoseconds(stamp: pd.Timestamp) -> np.datetime64 | None:
    """`stamp` in ns; None with a time zone or out of the range of int64."""
    if stamp.tzinfo is not None:
        return None
    try:
        return stamp.as_unit("ns").to_datetime64()
    except ValueError:
        return None
