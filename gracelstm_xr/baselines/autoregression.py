"""Fill gaps by an autoregressive process, from both sides at once.

The process is fitted by Burg's recursion at the working step, its order chosen by
Akaike's criterion on the training samples. A gap is given the mean of the stationary
Gaussian process conditional on the samples around it: the forward and the backward
prediction blended as the process itself demands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.baselines.registry import Method, register
from gracelstm_xr.core.gaps import runs
from gracelstm_xr.physics.frames import Frame
from gracelstm_xr.signal.filters import upsample

#: Highest order tried.
HIGHEST = 48
#: Longest stretch of training data with one mean [steps]: a day of 10 s.
LONGEST = 8640
#: Visible samples on either side of a gap whose mean the process returns to
#: [steps]: a revolution of 10 s.
AROUND = 564
#: Steps on either side of a gap that shape the interpolation to the native rate.
STEPS_ASIDE = 8


@dataclass(frozen=True)
class AutoRegression:
    """One autoregressive process per axis, at the working step.

    Attributes
    ----------
    coefficients : tuple of ndarray
        Per axis, of the samples 1, 2, ... steps back; empty for an axis without
        training data.
    step : float
        Sampling interval [s].
    """

    coefficients: tuple[Array, Array, Array]
    step: float

    @classmethod
    def fit(cls, frames: list[tuple[Frame, BoolArray]]) -> AutoRegression:
        """Fit to the training samples of frames at the working step.

        Parameters
        ----------
        frames : list of (Frame, ndarray of bool)
            Frames at the working step and which samples are for training, shape (n,).
        """
        step = float(frames[0][0].t[1] - frames[0][0].t[0])
        x, y, z = (_fit_axis(frames, k) for k in range(3))
        return cls((x, y, z), step)

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """See `gracelstm_xr.baselines.registry.Baseline.estimate`."""
        thin, places = frame.every(self.step)
        result = np.full((len(index), 3), np.nan)
        if len(index) == 0 or len(thin) == 0:
            return result
        ratio, first = places.step or 1, places.start or 0
        low = max((int(index[0]) - first) // ratio - STEPS_ASIDE, 0)
        past = (int(index[-1]) - first) // ratio + STEPS_ASIDE + 2
        wanted = slice(low, min(past, len(thin)))
        seen = visible[places] & np.isfinite(thin.own)
        position = np.clip(index - first - low * ratio, 0, None)
        for k, phi in enumerate(self.coefficients):
            if len(phi) == 0 or not seen[:, k].any():
                continue
            nodes = conditional_mean(thin.own[:, k], seen[:, k], phi, wanted=wanted)
            fine = upsample(nodes[wanted, None], ratio, reach=STEPS_ASIDE)
            result[:, k] = fine[np.minimum(position, len(fine) - 1), 0]
        return result


def _fit_axis(frames: list[tuple[Frame, BoolArray]], axis: int) -> Array:
    segments = []
    for frame, training in frames:
        values = frame.own[:, axis]
        for first, past in runs(np.asarray(training & np.isfinite(values))):
            for low in range(first, past, LONGEST):
                segment = values[low : min(low + LONGEST, past)]
                segments.append(segment - segment.mean())
    # short stretches between many gaps allow a lower order only
    longest = max(map(len, segments), default=0)
    phi = burg(segments, highest=min(HIGHEST, (longest - 1) // 2))
    if len(phi) == 0 and longest > 2:
        return np.zeros(1)  # no memory, as of a constant: the mean is the estimate
    return phi


def burg(segments: list[Array], *, highest: int) -> Array:
    """Coefficients of a stationary autoregressive process, by Burg's recursion.

    Parameters
    ----------
    segments : list of ndarray
        Stretches without gaps, mean removed.
    highest : int
        Highest order tried; the one with the lowest AIC is taken.

    Returns
    -------
    ndarray, shape (order,)
        Of the samples 1, 2, ... steps back; always a stationary process. Empty
        without data.

    Notes
    -----
    Burg (1975); reflection coefficients are shared by all segments.
    """
    usable = [s for s in segments if len(s) > 2 * highest]
    count = sum(len(s) for s in usable)
    power = sum(float(s @ s) for s in usable) / max(count, 1)
    best: Array = np.zeros(0)
    if power == 0:
        return best
    forward, backward = [s[1:] for s in usable], [s[:-1] for s in usable]
    phi: Array = np.zeros(0)
    lowest = count * np.log(power)
    for order in range(1, highest + 1):
        pairs = list(zip(forward, backward, strict=True))
        above = sum(2 * float(f @ b) for f, b in pairs)
        below = sum(float(f @ f + b @ b) for f, b in pairs)
        k = above / below if below > 0 else 0.0
        phi = np.concatenate([phi - k * phi[::-1], [k]])
        power *= 1 - k * k
        if power <= 0:
            break
        criterion = count * np.log(power) + 2 * order
        if criterion < lowest:
            lowest, best = criterion, phi
        forward = [(f - k * b)[1:] for f, b in pairs]
        backward = [(b - k * f)[:-1] for f, b in pairs]
    return best


def precision_bands(phi: Array, n: int) -> Array:
    """Inverse covariance of ``n`` samples of a stationary AR process, as bands.

    Parameters
    ----------
    phi : ndarray, shape (p,)
    n : int
        At least ``2 p``.

    Returns
    -------
    ndarray, shape (p + 1, n)
        Row j holds the elements (i, i + j), 0 past the end; innovations of variance 1.

    Notes
    -----
    Siddiqui (1958): sums of products of the coefficients, cut off near both ends.
    """
    p = len(phi)
    a = np.concatenate([[1.0], -phi])
    bands = np.zeros((p + 1, n))
    for j in range(p + 1):
        sums = np.cumsum(a[: p + 1 - j] * a[j:])
        # element (i, i + j) has min(i, n - 1 - i - j, p - j) + 1 terms
        i = np.arange(n - j)
        bands[j, : n - j] = sums[np.minimum(np.minimum(i, n - 1 - i - j), p - j)]
    return bands


def conditional_mean(
    values: Array, seen: BoolArray, phi: Array, *, wanted: slice | None = None
) -> Array:
    """Series with the unseen samples replaced by their conditional mean.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Only those seen are read.
    seen : ndarray of bool, shape (n,)
    phi : ndarray, shape (p,)
        Stationary coefficients.
    wanted : slice, optional
        Gaps outside of it are left NaN.

    Returns
    -------
    ndarray, shape (n,)
        The process varies about the mean of the samples seen within a revolution.
    """
    p, n = len(phi), len(values)
    result = np.where(seen, values, np.nan)
    low, past = (0, n) if wanted is None else wanted.indices(n)[:2]
    for first, last in _clusters(seen, p):
        if last <= low or first >= past:
            continue
        around = slice(max(first - AROUND, 0), min(last + AROUND, n))
        near = result[around][seen[around]]
        if len(near) == 0:
            continue
        stretch = slice(max(first - p, 0), min(last + p, n))
        mean = near.mean()
        solved = mean + _solve(result[stretch] - mean, seen[stretch], phi)
        result[stretch] = np.where(seen[stretch], result[stretch], solved)
    return result


def _clusters(seen: BoolArray, p: int) -> list[tuple[int, int]]:
    """Gaps, those with fewer than ``p`` samples between them taken together."""
    clusters: list[tuple[int, int]] = []
    for first, past in runs(~seen).tolist():
        if clusters and first - clusters[-1][1] < p:
            clusters[-1] = (clusters[-1][0], past)
        else:
            clusters.append((first, past))
    return clusters


def _solve(values: Array, seen: BoolArray, phi: Array) -> Array:
    """Conditional mean of the unseen samples of one cluster, zero-mean process.

    A line between the seen ones where the process has no noise that could be told
    from rounding: its covariance cannot be inverted.
    """
    from scipy.linalg import LinAlgError, solveh_banded

    p = len(phi)
    extra = max(2 * p - len(values), 0)
    # samples past the end are unseen too: they do not change the others' mean
    x = np.concatenate([np.where(seen, values, 0.0), np.zeros(extra)])
    open_ = np.flatnonzero(np.concatenate([~seen, np.ones(extra, dtype=bool)]))
    bands = precision_bands(phi, len(x))
    right = bands[0] * x
    for j in range(1, p + 1):
        right[:-j] += bands[j, :-j] * x[j:]
        right[j:] += bands[j, :-j] * x[:-j]
    compact = np.zeros((min(p, len(open_) - 1) + 1, len(open_)))
    for j in range(len(compact)):
        apart = open_[j:] - open_[: len(open_) - j]
        near = apart <= p
        rows = open_[: len(open_) - j][near]
        compact[j, : len(open_) - j][near] = bands[apart[near], rows]
    try:
        x[open_] = solveh_banded(compact, -right[open_], lower=True)
    except LinAlgError:
        place = np.arange(len(values))
        return np.interp(place, place[seen], values[seen])
    return x[: len(values)]


register(
    Method(
        "ar",
        family="interpolation",
        rank=50,
        kind=AutoRegression,
        fit=AutoRegression.fit,
    )
)
