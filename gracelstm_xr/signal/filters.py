"""Change of sampling on arrays: low-pass, interpolation, attitude. Numpy only.

Every function sums its terms in a fixed order, sample by sample, so that a sample does
not depend on what else is in the array.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array

#: Band of the Level-1B accelerations that resampling keeps [Hz].
PASS_BAND = 0.035
#: Attenuation of what would alias into the pass band [dB].
ATTENUATION = 80.0
#: Part of the new Nyquist frequency that is kept where it is below `PASS_BAND`.
KEPT = 0.8


def _kaiser(x: Array, shape: float) -> Array:
    """Kaiser window on -1 to 1."""
    return np.asarray(np.i0(shape * np.sqrt(np.clip(1 - x**2, 0, None))))


def anti_alias(step: float, ratio: int) -> Array:
    """Taps of the low-pass before every ``ratio``-th sample is taken.

    A Kaiser-windowed sinc. It passes what the new sampling can hold of the 35 mHz band,
    up to 0.8 of the new Nyquist frequency, and stops by 80 dB what would alias into
    that band.

    Parameters
    ----------
    step : float
        Sampling interval of the data [s].
    ratio : int
        Old samples per new one, at least 2.

    Returns
    -------
    ndarray, shape (2 m + 1,)
        Symmetric, unit sum. ``m * step`` is 22 s for 1 s to 5 s, 84 s to 10 s and
        377 s to 30 s.
    """
    rate = 1.0 / (step * ratio)
    pass_edge = min(PASS_BAND, KEPT * rate / 2)
    stop_edge = rate - pass_edge
    width = 2 * np.pi * (stop_edge - pass_edge) * step
    half = int(np.ceil((ATTENUATION - 8) / (2.285 * width) / 2))
    n = np.arange(-half, half + 1)
    shape = 0.1102 * (ATTENUATION - 8.7)
    taps = np.sinc(n / ratio) * _kaiser(n / (half + 1), shape)
    result: Array = taps / taps.sum()
    return result


def low_pass(
    values: Array, taps: Array, first: int, ratio: int, *, missing: float
) -> Array:
    """Filtered values at every ``ratio``-th sample.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Samples; NaN where missing, and missing outside.
    taps : ndarray, shape (2 m + 1,)
        Symmetric, unit sum.
    first : int
        Position of the first value wanted.
    ratio : int
        Distance of two values wanted.
    missing : float
        Largest share of the absolute weights that may lie on missing samples; the
        rest is then scaled to unit sum.

    Returns
    -------
    ndarray, shape (ceil((n - first) / ratio), k)
        NaN where more is missing, or the sample itself.
    """
    half = len(taps) // 2
    absent = np.isnan(values)
    padded = np.pad(np.where(absent, 0.0, values), ((half, half), (0, 0)))
    total = _weighted(padded, taps, first, ratio, len(values))
    hole = np.pad(absent.astype(np.float64), ((half, half), (0, 0)), constant_values=1)
    starts = np.arange(first, len(values), ratio)
    own = hole[starts + half]
    total[own == 1] = np.nan
    passed = np.concatenate([[0.0], np.cumsum(hole.any(axis=1))])
    spoilt = passed[starts + len(taps)] > passed[starts]
    some = np.flatnonzero(spoilt & (own == 0).any(axis=1))
    lost, kept = np.zeros((2, len(some), values.shape[1]))
    for k, tap in enumerate(taps):
        here = hole[starts[some] + k]
        lost += abs(tap) * here
        kept += tap * (1 - here)
    limit = missing * np.abs(taps).sum()
    scaled = np.where(lost == 0, total[some], total[some] / kept)
    total[some] = np.where(lost <= limit, scaled, np.nan)
    return total


def _weighted(padded: Array, taps: Array, first: int, ratio: int, size: int) -> Array:
    """Sum of weighted samples, folded because the taps are symmetric."""
    half, count = len(taps) // 2, -(-(size - first) // ratio)
    used = padded[first:]
    used = np.pad(used, ((0, -len(used) % ratio), (0, 0)))
    # one array per phase: the samples of a tap then lie side by side in memory
    phases = used.reshape(-1, ratio, padded.shape[1]).transpose(1, 0, 2).copy()

    def at(shift: int) -> Array:
        row, phase = divmod(half + shift, ratio)
        return phases[phase, row : row + count]

    result: Array = taps[half] * at(0)
    for k in range(1, half + 1):
        result += taps[half + k] * (at(-k) + at(k))
    return result


def upsample(values: Array, ratio: int, *, reach: int = 8, shape: float = 6.0) -> Array:
    """Band-limited interpolation between regular nodes.

    A Kaiser-windowed sinc; beyond its ends the series is mirrored about its end
    values, so that slopes go on.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Finite samples.
    ratio : int
        New samples per old one.
    reach : int
        Nodes used on either side.
    shape : float
        Shape of the Kaiser window: higher rejects images better and needs more reach.

    Returns
    -------
    ndarray, shape ((n - 1) * ratio + 1, k)
        The old samples exactly, and ``ratio - 1`` new ones between two of them.
    """
    if ratio == 1 or len(values) < 2:
        return values.copy()
    pad = ((reach, reach), (0, 0))
    padded = np.pad(values, pad, mode="reflect", reflect_type="odd")
    offsets = np.arange(-reach + 1, reach + 1)
    result = np.empty(((len(values) - 1) * ratio + 1, values.shape[1]))
    result[::ratio] = values
    for phase in range(1, ratio):
        x = offsets - phase / ratio
        weights = np.sinc(x) * _kaiser(x / reach, shape)
        weights /= weights.sum()
        total = np.zeros((len(values) - 1, values.shape[1]))
        for offset, weight in zip(offsets, weights, strict=True):
            first = reach + offset
            total += weight * padded[first : first + len(values) - 1]
        result[phase::ratio] = total
    return result


def between_nodes(values: Array, ratio: int, *, points: int = 8) -> Array:
    """Lagrange interpolation of a smooth series between regular nodes.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Finite samples, at least 2, such as an orbit: the error of eight points every
        30 s is below 1e-6 m.
    ratio : int
        New samples per old one.
    points : int
        Nodes of a polynomial, those nearest to the interval.

    Returns
    -------
    ndarray, shape ((n - 1) * ratio + 1, k)
        The old samples exactly.
    """
    n = len(values)
    points = min(points, n)
    start = np.clip(np.arange(n - 1) - (points // 2 - 1), 0, n - points)
    offset = np.arange(n - 1) - start
    nodes = np.arange(points)
    result = np.empty(((n - 1) * ratio + 1, values.shape[1]))
    result[::ratio] = values
    for phase in range(1, ratio):
        x = offset + phase / ratio
        total = np.zeros((n - 1, values.shape[1]))
        for i in nodes:
            others = nodes[nodes != i]
            weight = np.prod((x[:, None] - others) / (i - others), axis=1)
            total += weight[:, None] * values[start + i]
        result[phase::ratio] = total
    return result


def between_attitudes(quaternions: Array, ratio: int) -> Array:
    """Rotation at constant rate between neighbouring quaternions.

    Parameters
    ----------
    quaternions : ndarray, shape (n, 4)
        Unit quaternions of either sign; NaN where missing.
    ratio : int
        New samples per old one.

    Returns
    -------
    ndarray, shape ((n - 1) * ratio + 1, 4)
        Unit quaternions, each in the sign of the node before it; NaN beside a missing
        node.
    """
    left, right = quaternions[:-1], quaternions[1:]
    cosine = np.sum(left * right, axis=1, keepdims=True)
    right = np.where(cosine < 0, -right, right)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    result = np.empty(((len(quaternions) - 1) * ratio + 1, 4))
    result[::ratio] = quaternions
    for phase in range(1, ratio):
        s = phase / ratio
        # sinc keeps the weights finite where the attitude stands still
        sinc = np.sinc(angle / np.pi)
        first = (1 - s) * np.sinc((1 - s) * angle / np.pi) / sinc
        second = s * np.sinc(s * angle / np.pi) / sinc
        turned = first * left + second * right
        norm = np.sqrt(np.sum(turned**2, axis=1, keepdims=True))
        result[phase::ratio] = turned / norm
    return result


def sign_changes(quaternions: Array, *, reach: int) -> npt.NDArray[np.int8]:
    """Where a quaternion has the opposite sign of the last one before it.

    Parameters
    ----------
    quaternions : ndarray, shape (n, 4)
        NaN where missing.
    reach : int
        How many samples back to look; longer holes start anew.

    Returns
    -------
    ndarray of int8, shape (n,)
        -1 at a change of sign and 1 elsewhere; the product up to a sample makes the
        series continuous.
    """
    n = len(quaternions)
    finite = np.isfinite(quaternions).all(axis=1)
    last = np.maximum.accumulate(np.where(finite, np.arange(n), -1))
    before = np.concatenate([[-1], last[:-1]])
    compared = finite & (before >= 0) & (np.arange(n) - before <= reach)
    dot = np.sum(quaternions * quaternions[np.maximum(before, 0)], axis=1)
    return np.where(compared & (dot < 0), -1, 1).astype(np.int8)


def reduce_intervals(
    values: npt.NDArray[np.generic], first: int, ratio: int, *, how: str
) -> npt.NDArray[np.generic]:
    """Combine the ``ratio`` samples around every ``ratio``-th one.

    Parameters
    ----------
    values : ndarray, shape (n, ...)
        Samples.
    first, ratio : int
        First sample wanted and distance of two.
    how : {"or", "sum", "largest"}
        Bits of any sample; sum, NaN where one is NaN; largest, NaN where all are.

    Returns
    -------
    ndarray, shape (ceil((n - first) / ratio), ...)
        Same type. A sample belongs to one interval: ``ratio // 2`` before its centre
        to ``ratio - 1 - ratio // 2`` after it; outside counts as nothing.
    """
    combine = {"or": np.bitwise_or, "sum": np.add, "largest": np.fmax}[how]
    empty = np.nan if how == "largest" and values.dtype.kind == "f" else 0
    pad = [(ratio, ratio), *((0, 0),) * (values.ndim - 1)]
    padded = np.pad(values, pad, constant_values=empty)
    starts = ratio + np.arange(first, len(values), ratio) - ratio // 2
    result = padded[starts]
    for k in range(1, ratio):
        result = combine(result, padded[starts + k])
    return np.asarray(result)
