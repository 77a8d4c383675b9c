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
import re
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from gracelstm_xr.core.time import EPOCH, to_datetime64
from gracelstm_xr.errors import GraceError

_DURATION = "seconds, or a text such as '60s', '90min' or '1d'"
_INSTANT = "e.g. 2008-05-01 or 2008-05-01T12:00:00, GPS time"
_NANOSECOND = np.timedelta64(1, "ns")
#: A date in text begins with its year, alone or followed by more than digits, or is a
#: basic date of eight digits.
_TEXT = re.compile(r"\s*\d{4}(\d{4}(\D|$)|\D|$)")
#: Units that lengths are told in.
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))
#: Durations that are meant: from a nanosecond to a hundred years [s].
_SHORTEST, _LONGEST = 1e-9, 3.2e9


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
        raise GraceError(
            f"{name}: {value!r} is not a duration; expected {_DURATION}"
        ) from None
    inside = _SHORTEST <= seconds <= _LONGEST
    if not (inside or (zero and seconds == 0) or (infinite and seconds == math.inf)):
        sign = "zero or more" if zero else "a positive duration"
        raise GraceError(f"{name} {value!r} found; expected {sign}: {_DURATION}")
    return seconds


def length_label(seconds: float) -> str:
    """Gap length in its natural unit; infinity is a recipient without any data."""
    if not math.isfinite(seconds):
        return "all data"
    for size, unit in _UNITS:
        if seconds >= size and abs(seconds / size * 10 % 1) < 1e-9:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


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
    return _limit(value, name, last=False)


begin = instant
"""First time of a span."""


def end(value: Any, *, name: str = "stop") -> np.datetime64:
    """First time after a span whose stop is `value` [ns]; see the module."""
    return _limit(value, name, last=True)


def _limit(value: Any, name: str, *, last: bool) -> np.datetime64:
    """Begin of the period a label means, or what comes after it."""
    wrong = f"{name}: {value!r} is not a date"
    if value is None or isinstance(value, Real | np.bool_):
        raise GraceError(f"{wrong}; expected {_INSTANT}")
    try:
        period = _period(value)
        if period is not None:
            value = (period + 1 if last else period).start_time
        time = to_datetime64(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise GraceError(f"{wrong}; expected {_INSTANT}") from error
    if np.ndim(time) or np.isnat(time):
        raise GraceError(f"{wrong}; expected {_INSTANT}")
    return np.datetime64(time)


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


def span_seconds(span: tuple[Any, Any]) -> tuple[float, float]:
    """First and one-past-last GPS second of a span of two labels.

    Raises
    ------
    GraceError
        One of them is no instant, or the first does not come before the other.
    """
    first, past = begin(span[0], name="span start"), end(span[1], name="span stop")
    a, b = (float((x - EPOCH) / np.timedelta64(1, "s")) for x in (first, past))
    if a >= b:
        raise GraceError(f"found span {span!r}, expected start before stop: swap them")
    return a, b


def _period(value: Any) -> pd.Period | None:
    """The days, months or years a label without time of day means, else None.

    Raises
    ------
    ValueError
        A text that does not begin with a year, or whose number is none.
    """
    if isinstance(value, pd.Period):
        return value
    if isinstance(value, str):
        if not _TEXT.match(value):
            raise ValueError("not written as year, month, day")
        period: Any = pd.Period(value.strip())
        days = period.end_time - period.start_time > pd.Timedelta("23h")
        return period if days else None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return pd.Period(value, "D")
    if isinstance(value, np.datetime64) and not np.isnat(value):
        unit = np.datetime_data(value.dtype)[0]
        return pd.Period(pd.Timestamp(value), unit) if unit in "YMD" else None
    return None
