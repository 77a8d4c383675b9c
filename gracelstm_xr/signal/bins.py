"""Means over absolute intervals, and their values between the middles."""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray

#: Time about a stretch in which values are right or next to right, too [s].
MARGIN = 1800.0


def bin_means(
    t: Array, values: Array, use: BoolArray, width: float
) -> tuple[IntArray, Array, Array]:
    """Means over intervals at whole multiples of their width.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    values : ndarray, shape (n, k)
    use : ndarray of bool, shape (n, k)
        Values that are not finite are left out, too.
    width : float
        [s]

    Returns
    -------
    number : ndarray of int64, shape (b,)
        GPS seconds of the start of every bin, divided by its width.
    mean, share : ndarray, shape (b, k)
        0 where a bin is empty; part of the bin that is used.
    """
    where = np.floor(t / width).astype(np.int64)
    first, size = int(where[0]), int(where[-1] - where[0]) + 1
    where = where - first
    step = float(t[1] - t[0]) if len(t) > 1 else width
    total, count = np.zeros((size, values.shape[1])), np.zeros((size, values.shape[1]))
    for k in range(values.shape[1]):
        chosen = use[:, k] & np.isfinite(values[:, k])
        count[:, k] = np.bincount(where[chosen], minlength=size)
        total[:, k] = np.bincount(where[chosen], values[chosen, k], minlength=size)
    share = count / max(width / step, 1.0)
    return first + np.arange(size), total / np.maximum(count, 1.0), share


def between(low: int, size: int, t: Array, width: float) -> tuple[IntArray, Array]:
    """Bin whose middle lies before ``t``, from ``low``, and the way to the next.

    Counted absolutely: the same last bits whatever the first bin.
    """
    place = np.clip(t / width - 0.5, low, low + size - 1.0)
    base = np.floor(place)
    return base.astype(np.int64) - low, (place - base)[:, None]


def near(t: Array, within: tuple[float, float] | None) -> slice:
    """Samples of a stretch of GPS seconds and `MARGIN` about it; all without one."""
    if within is None:
        return slice(0, len(t))
    low, past = np.searchsorted(t, [within[0] - MARGIN, within[1] + MARGIN])
    return slice(int(low), int(past))


def line(low: int, values: Array, t: Array, width: float) -> Array:
    """Values of bins ``low``, ... at ``t``, linear between their middles."""
    base, s = between(low, len(values), t, width)
    after = values[np.minimum(base + 1, len(values) - 1)]
    return np.asarray(values[base] * (1 - s) + after * s)


def curve(low: int, values: Array, t: Array, width: float) -> Array:
    """Values of bins ``low``, ... at ``t``: cubic through four neighbours."""
    base, s = between(low, len(values), t, width)
    last = len(values) - 1
    a, b, c, d = (values[np.clip(base + k, 0, last)] for k in (-1, 0, 1, 2))
    # Catmull and Rom: slopes from the neighbours on either side
    cubic = s * (3 * (b - c) + d - a) + (2 * a - 5 * b + 4 * c - d)
    return np.asarray(b + 0.5 * s * (s * cubic + (c - a)))
