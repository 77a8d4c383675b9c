"""What a user means by a duration, a date and a span; one meaning everywhere.

A duration is a number of seconds, a text with units (``"60s"``, ``"90min"``, ``"1d"``)
or an object of numpy, pandas or datetime. A bare number, as text too, is seconds;
nothing is ever nanoseconds by accident.

An instant is a text such as ``"2008-01-05"``, ``"20080105"`` or ``"2008-01-05T12:00"``,
or an object of numpy, pandas or datetime, on the GPS scale, which has no time zone. A
bare number is refused.

A span begins with its start. A stop that names a whole day, month or year includes it;
a stop with a time of day is that instant, exclusive.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from gracelstm_xr.core.time import to_datetime64
from gracelstm_xr.errors import GraceError

__all__ = ["begin", "duration", "durations", "end", "instant", "time_slice"]

_DURATION = "seconds, or a text such as '60s', '90min' or '1d'"
_INSTANT = "a GPS date or time such as '2008-01-05' or '2008-01-05T12:00:00'"
_NANOSECOND = np.timedelta64(1, "ns")


def duration(
    value: Any, *, name: str = "duration", zero: bool = False, infinite: bool = False
) -> float:
    """Length of a duration [s].

    Parameters
    ----------
    value : number, str, timedelta64, Timedelta or timedelta
        As a user gives it; a bare number is seconds.
    name : str, optional
        Of the argument, for errors.
    zero, infinite : bool, optional
        Whether none, and without end, are durations here.

    Raises
    ------
    GraceError
        It is not a duration, or not a positive one.
    """
    try:
        seconds = _seconds(value)
    except (ValueError, TypeError, OverflowError):
        raise GraceError(f"{name} {value!r} found; expected {_DURATION}") from None
    least = seconds >= 0 if zero else seconds > 0
    if not least or (math.isinf(seconds) and not infinite):
        sign = "zero or more" if zero else "a positive duration"
        raise GraceError(f"{name} {value!r} found; expected {sign}: {_DURATION}")
    return seconds


def durations(values: Any, *, name: str = "durations", **options: bool) -> list[float]:
    """Lengths of several durations [s]; one alone, or texts between commas, will do."""
    if isinstance(values, str):
        values = values.split(",")
    elif isinstance(values, np.timedelta64) or not isinstance(values, Iterable):
        values = [values]
    lengths = [duration(value, name=name, **options) for value in values]
    if not lengths:
        raise GraceError(f"no {name} found; expected one or more: {_DURATION}")
    return lengths


def _seconds(value: Any) -> float:
    if isinstance(value, bool | np.bool_):
        raise TypeError("not a duration")
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return float(pd.Timedelta(value.strip()).total_seconds())
    if isinstance(value, np.timedelta64):
        if np.datetime_data(value.dtype)[0] in ("generic", "Y", "M"):
            raise ValueError("of no certain length")
        return float(value / np.timedelta64(1, "s"))
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, Real):
        return float(value)
    raise TypeError("not a duration")


def instant(value: Any, *, name: str = "time") -> np.datetime64:
    """Time that a label means, the beginning of a day, month or year [ns].

    Parameters
    ----------
    value : str, date, datetime, Timestamp, Period or datetime64
        As a user gives it, GPS time.
    name : str, optional
        Of the argument, for errors.

    Raises
    ------
    GraceError
        It is not a time, a bare number, or carries a time zone.
    """
    period = _period(value)
    if period is not None:
        value = period.start_time
    elif _is_number(value) or isinstance(value, list | tuple | np.ndarray):
        raise GraceError(f"{name} {value!r} found; expected {_INSTANT}")
    try:
        time = np.datetime64(to_datetime64(value))
    except GraceError as error:
        raise GraceError(f"{name}: {error}") from None
    if np.isnat(time):
        raise GraceError(f"{name} {value!r} found; expected {_INSTANT}")
    return time


begin = instant
"""First time of a span."""


def end(value: Any, *, name: str = "stop") -> np.datetime64:
    """First time after a span whose stop is `value` [ns]; see the module."""
    period = _period(value)
    return instant(value if period is None else (period + 1).start_time, name=name)


def time_slice(start: Any = None, stop: Any = None) -> slice:
    """Slice of time labels for ``sel``: a span in the meaning of this module.

    Raises
    ------
    GraceError
        A limit is not a time, or `start` is not before `stop`.
    """
    first = None if start is None else begin(start, name="start")
    after = None if stop is None else end(stop)
    if first is not None and after is not None and first >= after:
        raise GraceError(
            f"start {start!r} and stop {stop!r} found; expected start before stop"
        )
    return slice(first, None if after is None else after - _NANOSECOND)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lstrip("+-").isdigit()
    return isinstance(value, Real | np.bool_)


def _period(value: Any) -> pd.Period | None:
    """The whole days, months or years a label without time of day means, else None."""
    if isinstance(value, pd.Period):
        return value if _whole_days(value) else None
    if isinstance(value, str):
        text = value.strip()
        if text.isdigit() and len(text) not in (4, 8):  # a year, or a basic date
            return None
        try:
            period = pd.Period(text)
        except ValueError:
            return None
        # pandas reads an empty text as no time
        found: Any = period
        return period if not pd.isna(found) and _whole_days(period) else None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return pd.Period(value, "D")
    if isinstance(value, np.datetime64) and not np.isnat(value):
        unit = np.datetime_data(value.dtype)[0]
        return pd.Period(str(value)) if unit in "YMD" else None
    return None


def _whole_days(period: pd.Period) -> bool:
    return bool(period.end_time - period.start_time > pd.Timedelta("23h"))
