"""Track the slow part of a regression's residual across gaps.

The bias of the accelerometers follows temperature: it wanders by some nm s-2 over
hours, which a daily bias and drift cannot follow. Here the residual, averaged over
ten minutes, is a stationary Gaussian process whose covariance is learnt from training
spans; its mean given the visible samples carries the bias through a gap (kriging).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CONTEXT", "SlowResidual"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Averaging interval [s].
BIN = 600.0
#: Windows are centred at multiples of this time [s] and reach so far [s].
SPACING, HALF_WIDTH = 21_600.0, 32_400.0
#: Time before and after a sample that its estimate depends on [s].
CONTEXT = SPACING + HALF_WIDTH + 2 * BIN
#: Correlation lengths offered to the covariance [s].
SCALES = np.array([1800.0, 5400.0, 16_200.0, 48_600.0])
#: Longest lag the covariance is fitted to, in bins.
LONGEST_LAG = 72


@dataclass(frozen=True)
class SlowResidual:
    """Covariance of the slow residual, per axis.

    Attributes
    ----------
    power : ndarray, shape (scale, 3)
        Variance per correlation length [(m s-2)^2].
    noise : ndarray, shape (3,)
        Variance of a full bin's mean that no neighbour shares [(m s-2)^2].
    """

    power: Array
    noise: Array

    @classmethod
    def fit(cls, t: Array, residual: Array) -> SlowResidual:
        """Fit the covariance to a residual series.

        Parameters
        ----------
        t : ndarray, shape (n,)
            Regular GPS seconds.
        residual : ndarray, shape (n, 3)
            Training residual [m s-2]; NaN where unknown.
        """
        _, mean, count = _bins(t, residual, np.isfinite(residual))
        full = count > 0.5 * count.max(initial=0.0)
        power, noise = np.zeros((len(SCALES), 3)), np.zeros(3)
        for k in range(3):
            series = np.where(full[:, k], mean[:, k], np.nan)
            power[:, k], noise[k] = _covariance(series)
        return cls(power, noise)

    def estimate(
        self,
        t: Array,
        residual: Array,
        visible: BoolArray,
        *,
        within: tuple[float, float] | None = None,
    ) -> Array:
        """Mean of the slow residual at every sample given the visible ones.

        Parameters
        ----------
        t : ndarray, shape (n,)
            Regular GPS seconds.
        residual : ndarray, shape (n, 3)
            [m s-2]
        visible : ndarray of bool, shape (n, 3)
        within : tuple of float, optional
            Stretch of GPS seconds wanted; elsewhere the result is 0.

        Returns
        -------
        ndarray, shape (n, 3)
            [m s-2]; goes to 0 far from any visible sample.
        """
        centre, mean, count = _bins(t, residual, visible & np.isfinite(residual))
        largest = max(BIN / (t[1] - t[0]), 1.0) if len(t) > 1 else 1.0
        slow = np.zeros((len(centre), 3))
        first, last = (
            within if within is not None else (float(centre[0]), float(centre[-1]))
        )
        # two bins more on either side, for the spline between them
        low = int(np.floor(max(first - 2 * BIN, centre[0]) / SPACING))
        high = int(np.floor(min(last + 2 * BIN, centre[-1]) / SPACING)) + 1
        for node in SPACING * np.arange(low, high + 1):
            part = np.abs(centre - node) <= HALF_WIDTH
            weight = np.clip(1 - np.abs(centre[part] - node) / SPACING, 0, None)
            if not weight.any():
                continue
            for k in range(3):
                value = self._posterior(
                    centre[part], mean[part, k], count[part, k] / largest, k
                )
                slow[part, k] += weight * value
        return _spline(centre, slow, t)

    def _posterior(self, x: Array, mean: Array, share: Array, k: int) -> Array:
        """Kriging mean at all bins of a window from those that hold data."""
        known = share > 0
        if not known.any() or not self.power[:, k].any():
            return np.zeros(len(x))
        covariance = _matern(np.abs(x[:, None] - x[None, known])) @ self.power[:, k]
        own = covariance[known] + np.diag(self.noise[k] / share[known])
        own += 1e-9 * np.trace(own) / len(own) * np.eye(len(own))
        return np.asarray(covariance @ np.linalg.solve(own, mean[known]))


def _bins(t: Array, values: Array, use: BoolArray) -> tuple[Array, Array, Array]:
    """Mean and number of used samples per absolute interval of ten minutes."""
    number = np.floor(t / BIN).astype(np.int64)
    first = number[0]
    size = int(number[-1] - first) + 1
    total, count = np.zeros((size, 3)), np.zeros((size, 3))
    for k in range(3):
        chosen = use[:, k]
        where = number[chosen] - first
        count[:, k] = np.bincount(where, minlength=size)
        total[:, k] = np.bincount(where, values[chosen, k], minlength=size)
    centre = (first + np.arange(size) + 0.5) * BIN
    return centre, total / np.maximum(count, 1), count


def _matern(distance: Array) -> Array:
    """Matern 3/2 correlation for every scale, shape (..., scale)."""
    x = np.sqrt(3) * distance[..., None] / SCALES
    result: Array = (1 + x) * np.exp(-x)
    return result


def _covariance(series: Array) -> tuple[Array, float]:
    """Non-negative powers per scale, and noise, from empirical covariances."""
    from scipy.optimize import nnls

    good = np.isfinite(series)
    if good.sum() < 4:
        return np.zeros(len(SCALES)), 1.0
    centred = np.where(good, series - series[good].mean(), 0.0)
    lags, values, weights = [], [], []
    for lag in range(min(LONGEST_LAG, len(series) - 1) + 1):
        n = len(series) - lag
        pairs = float((good[:n] & good[lag:]).sum())
        if pairs >= 4:
            lags.append(lag)
            values.append(float(centred[:n] @ centred[lag:]) / pairs)
            weights.append(np.sqrt(pairs) / (1 + lag / 6))
    shape = _matern(np.array(lags) * BIN)
    nugget = (np.array(lags) == 0).astype(np.float64)[:, None]
    design = np.concatenate([shape, nugget], axis=1) * np.array(weights)[:, None]
    scale = values[0] if values[0] > 0 else 1.0
    found, _ = nnls(design, np.array(weights) * np.array(values) / scale)
    # a nugget of zero would make the kriging trust every bin without limit
    return scale * found[:-1], scale * max(float(found[-1]), 1e-3)


def _spline(centre: Array, values: Array, t: Array) -> Array:
    from scipy.interpolate import CubicSpline

    if len(centre) < 3:
        return np.stack([np.interp(t, centre, v) for v in values.T], axis=1)
    inside = np.clip(t, centre[0], centre[-1])
    return np.asarray(CubicSpline(centre, values)(inside))
