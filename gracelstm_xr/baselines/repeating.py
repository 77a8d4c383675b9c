"""What a residual repeats from one revolution to the next.

Density, albedo and infrared of the Earth vary with place and local time, both of which
a satellite meets again at the same argument of latitude: with little change after one
revolution, a little less after two, and after some fifteen the Earth is back. Here the
residual is a Gaussian process over revolutions at every argument of latitude, whose
covariance is learnt; its mean given the visible ones among the eight revolutions on
either side is the estimate. A sample's own value has no say in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.signal.bins import between, bin_means, line, near

#: Averaging interval [s].
BIN = 60.0
#: Revolutions looked at on either side.
TURNS = 8
#: Longest revolution [s], and the time before and after a sample that counts [s].
LONGEST = 5800.0
CONTEXT = TURNS * LONGEST + 3 * BIN
#: Frequencies per revolution and memories in revolutions offered to the covariance.
FREQUENCIES, MEMORIES = np.arange(33) / 64.0, (2.0, 8.0, 40.0, 400.0)
#: Smallest part of the variance that no other revolution shares.
FLOOR = 0.02
#: Fewest pairs of bins that say anything about a covariance.
FEWEST_PAIRS = 500
NANO = 1e-9
#: Numbers of the other revolutions.
OTHERS = np.array([*range(-TURNS, 0), *range(1, TURNS + 1)])


@dataclass(frozen=True)
class Repeating:
    """Covariance over revolutions, per axis.

    Attributes
    ----------
    covariance : ndarray, shape (2 * 8 + 1, 3)
        Between values so many revolutions apart [nm2 s-4].
    noise : ndarray, shape (3,)
        Variance that no other revolution shares [nm2 s-4].
    revolution : float
        [s]
    """

    covariance: Array
    noise: Array
    revolution: float

    @classmethod
    def nothing(cls) -> Repeating:
        """Repeats nothing."""
        return cls(np.zeros((2 * TURNS + 1, 3)), np.ones(3), LONGEST)

    @classmethod
    def fit(
        cls,
        series: Iterable[tuple[Array, Array, Array | None]],
        *,
        revolution: float,
    ) -> Repeating:
        """Learn the covariance from residuals of training spans.

        Parameters
        ----------
        series : iterable of (t, residual, angle)
            GPS seconds (n,), residual (n, 3) [m s-2] or NaN, and argument of latitude
            (n,) [rad]; without the last nothing repeats.
        revolution : float
            [s]
        """
        lags = 2 * TURNS + 1
        total, pairs = np.zeros((lags, 3)), np.zeros((lags, 3))
        for t, residual, angle in series:
            if angle is None:
                continue
            low, mean, at = _binned(t, residual, np.isfinite(residual), angle)
            for lag in range(lags):
                other = _at_turn(low, mean, at, lag, revolution)
                product = mean * other
                total[lag] += np.nansum(product, axis=0)
                pairs[lag] += np.isfinite(product).sum(axis=0)
        covariance, noise = np.zeros((lags, 3)), np.ones(3)
        for k in range(3):
            if pairs[0, k] >= FEWEST_PAIRS:
                mean_of = total[:, k] / np.maximum(pairs[:, k], 1.0)
                covariance[:, k], noise[k] = _modelled(mean_of, pairs[:, k])
        return cls(covariance, noise, revolution)

    def estimate(
        self,
        t: Array,
        residual: Array,
        visible: BoolArray,
        angle: Array | None,
        *,
        within: tuple[float, float] | None = None,
        errors: bool = False,
    ) -> tuple[Array, Array]:
        """Mean of the residual at every sample given the other revolutions.

        Parameters
        ----------
        t : ndarray, shape (n,)
            Regular GPS seconds.
        residual : ndarray, shape (n, 3)
            [m s-2]
        visible : ndarray of bool, shape (n, 3)
        angle : ndarray, shape (n,), or None
            Argument of latitude [rad].
        within : tuple of float, optional
            Stretch of GPS seconds wanted; elsewhere the result means nothing.
        errors : bool, default False
            Give the variance too; else it is 0.

        Returns
        -------
        mean, variance : ndarray, shape (n, 3)
            [m s-2] and its square; the variance is that of a minute's residual about
            the mean.
        """
        result, about = np.zeros((2, *residual.shape))
        if angle is None or not self.covariance.any():
            return result, about
        low, mean, at = _binned(t, residual, visible, angle)
        first, last = (t[0], t[-1]) if within is None else within
        a = max(int(np.floor(first / BIN)) - 1 - low, 0)
        b = min(int(np.floor(last / BIN)) + 2 - low, len(mean))
        if b <= a:
            return result, about
        wanted = slice(a, b)
        others = np.stack(
            [
                _at_turn(low, mean, at, turn, self.revolution, wanted)
                for turn in OTHERS.tolist()
            ]
        )
        value, variance = np.zeros((b - a, 3)), np.zeros((b - a, 3))
        for k in np.flatnonzero(self.covariance.any(axis=0)):
            value[:, k], variance[:, k] = self._mean(others[:, :, k].T, int(k))
        samples = near(t, within)
        result[samples] = NANO * line(low + a, value, t[samples], BIN)
        if errors:
            about[samples] = NANO**2 * line(low + a, variance, t[samples], BIN)
        return result, about

    def _mean(self, values: Array, axis: int) -> tuple[Array, Array]:
        """Kriging of rows (n, turns); those with the same gaps share their weights."""
        covariance = self.covariance[:, axis]
        apart = np.abs(OTHERS[:, None] - OTHERS)
        full = covariance[apart] + self.noise[axis] * np.eye(len(OTHERS))
        observed = np.isfinite(values)
        code = observed @ (1 << np.arange(len(OTHERS)))
        _, first, place = np.unique(code, return_index=True, return_inverse=True)
        seen = observed[first]
        matrix = np.where(seen[:, :, None] & seen[:, None, :], full, 0.0)
        diagonal = np.arange(len(OTHERS))
        matrix[:, diagonal, diagonal] += ~seen
        right = np.where(seen, covariance[np.abs(OTHERS)], 0.0)
        weight = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
        total = covariance[0] + self.noise[axis]
        variance = np.maximum(total - (weight * right).sum(axis=1), 0.0)
        rows = np.where(observed, values, 0.0)
        mean = np.zeros(len(rows))
        # column after column: bits do not depend on the number of rows
        for column, share in zip(rows.T, weight[place].T, strict=True):
            mean += column * share
        return mean, variance[place]


def _binned(
    t: Array, residual: Array, visible: BoolArray, angle: Array
) -> tuple[int, Array, Array]:
    """First bin, means [nm s-2] or NaN, and argument of latitude in the middle."""
    number, mean, share = bin_means(t, residual / NANO, visible, BIN)
    step = float(t[1] - t[0]) if len(t) > 1 else BIN
    index = np.clip(np.rint(((number + 0.5) * BIN - t[0]) / step), 0, len(t) - 1)
    at = angle[index.astype(np.int64)]
    return int(number[0]), np.where(share >= 0.5, mean, np.nan), at


def _at_turn(
    low: int,
    mean: Array,
    at: Array,
    turn: int,
    revolution: float,
    wanted: slice = slice(None),
) -> Array:
    """Means of the bins ``wanted`` so many revolutions on, NaN where not known."""
    here = (low + np.arange(len(mean))[wanted] + 0.5) * BIN
    there: Array = np.asarray(here + turn * revolution, dtype=np.float64)
    if turn:
        # the argument of latitude is all but linear in time: two steps are enough
        for _ in range(2):
            wrong = _angle_at(low, at, there) - at[wanted]
            wrong = (wrong + np.pi) % (2 * np.pi) - np.pi
            moved = there - wrong * (revolution / (2 * np.pi))
            there = np.asarray(np.where(np.isfinite(moved), moved, -np.inf))
    # a neighbour without influence must not spoil a sample: 0 x NaN
    base, s = between(low, len(mean), there, BIN)
    after = mean[np.minimum(base + 1, len(mean) - 1)]
    value = np.where(s > 0, mean[base] * (1 - s) + after * s, mean[base])
    place = there / BIN - 0.5
    inside = (place >= low) & (place <= low + len(mean) - 1)
    return np.where(inside[:, None], value, np.nan)


def _angle_at(low: int, at: Array, t: Array) -> Array:
    """Argument of latitude between bins; NaN where not known."""
    base, s = between(low, len(at), t, BIN)
    before, after = at[base], at[np.minimum(base + 1, len(at) - 1)]
    change = (after - before + np.pi) % (2 * np.pi) - np.pi
    return np.asarray(before + change * s[:, 0])


def _modelled(covariance: Array, pairs: Array) -> tuple[Array, float]:
    """Nearest sum of fading cosines with powers that are not negative, and noise."""
    from scipy.optimize import nnls

    lag = np.arange(len(covariance), dtype=np.float64)
    shapes = [
        np.exp(-lag / memory) * np.cos(2 * np.pi * frequency * lag)
        for memory in MEMORIES
        for frequency in FREQUENCIES
    ]
    basis = np.stack([*shapes, (lag == 0).astype(np.float64)], axis=1)
    weight = np.where(pairs >= FEWEST_PAIRS, 1 / np.sqrt(1 + lag / 8), 0.0)
    weight[0] = 10.0
    variance = float(covariance[0])
    if variance <= 0:
        return np.zeros(len(lag)), 1.0
    power, _ = nnls(basis * weight[:, None], covariance / variance * weight)
    noise = variance * max(float(power[-1]), FLOOR)
    return np.asarray(variance * (basis[:, :-1] @ power[:-1])), noise
