"""How lively a series is around a time, from what is observed there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.physics.frames import whole_steps
from gracelstm_xr.signal.bins import bin_means, line

__all__ = ["activity"]

#: Changes of the slope are taken over twice this time [s]: longer than a firing and
#: the low-pass of ACC1B, shorter than what an orbit repeats; at samples so far apart.
APART, STRIDE = 300.0, 10.0
#: Width of the means, and the time over which those around count about alike [s].
BIN, ALIKE = 300.0, 600.0
#: Means in an hour, as which they count from the next but one on; and so many hours
#: count on either side: every fill sees two days.
PER_HOUR, HOURS = 12, 46


def activity(t: Array, own: Array, visible: BoolArray, index: IntArray) -> Array:
    """Mean size of the changes of slope in the observations around samples.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    own : ndarray, shape (n,)
        Series of one axis [m s-2].
    visible : ndarray of bool, shape (n,)
        Samples that may be used.
    index : ndarray of int64, shape (m,)
        Positions wanted.

    Returns
    -------
    ndarray, shape (m,)
        Mean of ``abs(x(t - 300 s) - 2 x(t) + x(t + 300 s))`` [m s-2], with weights
        that fall with the square of the time from the sample; NaN without any
        observations in two days.
    """
    thin = whole_steps(t, STRIDE)
    clock = t[thin]
    if len(index) == 0 or len(clock) < 3:
        return np.full(len(index), np.nan)
    bends = _bends(clock, own[thin], visible[thin])
    number, mean, share = bin_means(clock, *bends, BIN)
    low, high = np.floor(t[index[[0, -1]]] / BIN - 0.5).astype(np.int64)
    bins = np.stack([mean[:, 0] * share[:, 0], share[:, 0]])
    first, (total, weight) = _weighted(number, bins, int(low), int(high) + 1)
    value = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
    return np.asarray(line(first, value[:, None], t[index], BIN)[:, 0])


def _weighted(number: IntArray, bins: Array, low: int, last: int) -> tuple[int, Array]:
    """First bin, and sums of ``bins`` weighted by how near they are, up to the last."""
    hours = np.arange(low // PER_HOUR, last // PER_HOUR + 1)
    size = len(hours) + 2 * HOURS
    flat = np.zeros((2, size * PER_HOUR))
    place = number - (hours[0] - HOURS) * PER_HOUR
    inside = (place >= 0) & (place < flat.shape[1])
    flat[:, place[inside]] = bins[:, inside]
    each = flat.reshape(2, size, PER_HOUR)
    hourly = each.sum(axis=2)
    total = np.zeros((2, len(hours), PER_HOUR))
    within = np.arange(PER_HOUR)
    far = np.arange(-HOURS, HOURS + 1)
    far = far[np.abs(far) > 1]
    near = np.arange(-PER_HOUR, 2 * PER_HOUR)
    # one bin after the other: the last bits must not depend on how many there are
    away = PER_HOUR * far[:, None] + 0.5 * (PER_HOUR - 1) - within
    for k, weight in zip(far, _weight(away), strict=True):
        total += hourly[:, HOURS + k :][:, : len(hours), None] * weight
    for k, weight in zip(near, _weight(near[:, None] - within), strict=True):
        hour = HOURS + k // PER_HOUR
        total += each[:, hour : hour + len(hours), k % PER_HOUR, None] * weight
    return int(hours[0]) * PER_HOUR, total.reshape(2, -1)


def _weight(bins: npt.NDArray[Any]) -> Array:
    return np.asarray(1 / (1 + (bins * (BIN / ALIKE)) ** 2))


def _bends(t: Array, own: Array, visible: BoolArray) -> tuple[Array, BoolArray]:
    """Size of the change of slope at every sample, and where it is known; (n, 1)."""
    apart = max(round(APART / float(t[1] - t[0])), 1)
    size, known = np.zeros(len(t)), np.zeros(len(t), dtype=bool)
    if len(t) > 2 * apart:
        middle = slice(apart, -apart)
        known[middle] = visible[: -2 * apart] & visible[middle] & visible[2 * apart :]
        bend = own[: -2 * apart] - 2 * own[middle] + own[2 * apart :]
        size[middle] = np.where(known[middle], np.abs(bend), 0.0)
    return size[:, None], known[:, None]
