"""Carry one satellite's accelerations to the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["cross_correlation_lag"]

Array = npt.NDArray[np.float64]

#: Largest lag searched [s]; the twins fly 21-35 s apart.
LONGEST_LAG = 90.0


def cross_correlation_lag(own: Array, donor: Array, step: float) -> float | None:
    """Constant lag between two satellites without orbits.

    The forces along x have opposite sign on satellites that face each other, so the
    lag is where the x series are most negatively correlated; a parabola through the
    neighbours refines it.

    Parameters
    ----------
    own, donor : ndarray, shape (n, 3)
        Raw series [m s-2]; NaN where missing.
    step : float
        Sampling interval [s].

    Returns
    -------
    float or None
        Lag [s] such that ``donor(t + lag)`` matches ``own(t)``; None without enough
        common data.
    """
    reach = round(LONGEST_LAG / step)
    a, b = _detrended(own[:, 0], step), _detrended(donor[:, 0], step)
    n = len(a)
    if n < 4 * reach:
        reach = n // 4
    score = np.full(2 * reach + 1, np.nan)
    for i, shift in enumerate(range(-reach, reach + 1)):
        x = a[max(-shift, 0) : n - max(shift, 0)]
        y = b[max(shift, 0) : n - max(-shift, 0)]
        good = np.isfinite(x) & np.isfinite(y)
        if good.sum() >= 20:
            score[i] = -np.corrcoef(x[good], y[good])[0, 1]
    if not np.isfinite(score).any():
        return None
    best = int(np.nanargmax(score))
    offset = 0.0
    if 0 < best < 2 * reach and np.isfinite(score[best - 1 : best + 2]).all():
        low, mid, high = score[best - 1 : best + 2]
        bend = low - 2 * mid + high
        offset = 0.5 * (low - high) / bend if bend < 0 else 0.0
    return float((best - reach + offset) * step)


def _detrended(values: Array, step: float) -> Array:
    """Series minus its straight line; the trend is bias drift, not signal."""
    good = np.isfinite(values)
    result = np.full(len(values), np.nan)
    if good.sum() < 3:
        return result
    t = np.arange(len(values)) * step
    line = np.polyfit(t[good], values[good], 1)
    result[good] = values[good] - np.polyval(line, t[good])
    return result
