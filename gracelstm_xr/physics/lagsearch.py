"""Lag between the satellites from their accelerations alone, without orbits.

The x axes of satellites that face each other feel the same force with opposite sign
at the same place of the orbit. The lag is where the twin, scaled, explains the series
best.

Over less than a revolution the bias is a straight line, and the misfit of a transplant
with scale, bias and drift is what is made smallest. Over a longer time the biases
wander, slow forces differ between two satellites flying back to front, and there are
hundreds of firings: there changes over half a minute are compared, by Tukey's biweight,
which gives up on changes that disturb one satellite only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.signal.interpolation import lagrange

#: Units of the changes.
NANO = 1e-9
#: Largest lag searched [s]; the twins fly 21-35 s apart.
LONGEST_LAG = 90.0
#: Most samples that are compared, and their longest spacing [s].
MOST, LONGEST_STEP = 20_000, 10.0
#: Time over which changes are taken [s].
CHANGE = 30.0
#: Spacing of the trial lags of the first and of the second search [s].
COARSE, FINE = 3.0, 0.5
#: Half width of the second search [s].
WIDTH = 5.0
#: Fewest changes that both satellites observed.
FEWEST_CHANGES = 20
#: Cut of Tukey's biweight [standard deviations].
CUT = 4.685
#: Rounds of reweighting.
ROUNDS = 8
#: Parts of the series left out in turn for the uncertainty.
PARTS = 10


class FoundLag(NamedTuple):
    """Lag found by correlation.

    Attributes
    ----------
    seconds : float
        Lag such that ``donor(t + lag)`` matches ``own(t)`` [s].
    sigma : float
        1-sigma, from leaving out tenths of the series [s].
    """

    seconds: float
    sigma: float


class _Pairs(NamedTuple):
    """What is compared at every trial lag, shape (lag, n) each [nm s-2].

    ``valid`` is 1 where both were observed, else 0.
    """

    donor: Array
    own: Array
    valid: Array


def cross_correlation_lag(own: Array, donor: Array, step: float) -> FoundLag | None:
    """Constant lag between two satellites without orbits.

    Parameters
    ----------
    own, donor : ndarray, shape (n, 3)
        Raw series [m s-2]; NaN where missing. Only x is used.
    step : float
        Sampling interval [s].

    Returns
    -------
    FoundLag or None
        None without enough common data, or where no lag up to 90 s makes the two
        series opposite.
    """
    reach = COARSE * np.floor(min(LONGEST_LAG, len(own) * step / 4) / COARSE)
    first = _search(own, donor, step, np.arange(-reach, reach + 0.1, COARSE))
    if first is None:
        return None
    around = np.arange(first.seconds - WIDTH, first.seconds + WIDTH + 0.1, FINE)
    return _search(own, donor, step, around, common=True)


def _search(
    own: Array, donor: Array, step: float, lags: Array, *, common: bool = False
) -> FoundLag | None:
    short = len(own) * step <= REVOLUTION
    pairs = _pairs(own[:, 0], donor[:, :1], step, lags, short=short)
    if common:
        every = np.broadcast_to(pairs.valid.min(axis=0), pairs.valid.shape)
        pairs = pairs._replace(valid=every)
    enough = pairs.valid.sum(axis=1) >= FEWEST_CHANGES
    if enough.sum() < 5:
        return None
    parts = _gain(pairs, robust=not short)[:, enough]
    total = parts.sum(axis=0)
    if not (total < 0).any():
        return None
    others = [_minimum(lags[enough], total - day) for day in parts]
    sigma = float(np.sqrt((len(others) - 1) * np.var(others)))
    return FoundLag(_minimum(lags[enough], total), sigma)


def _pairs(
    own: Array, donor: Array, step: float, lags: Array, *, short: bool
) -> _Pairs:
    ratio = -(-len(own) // MOST)
    ratio = max(min(ratio, int(LONGEST_STEP / step)), 1)
    t = np.asarray(step * np.arange(len(own)), dtype=np.float64)
    when = [t[::ratio] + lag for lag in lags.tolist()]
    x = np.stack([lagrange(donor, t, query)[:, 0] for query in when]) / NANO
    y = np.broadcast_to(own[::ratio] / NANO, x.shape)
    if not short:
        apart = max(round(CHANGE / (ratio * step)), 1)
        x, y = x[:, apart:] - x[:, :-apart], y[:, apart:] - y[:, :-apart]
    valid = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(valid, x, 0.0), np.where(valid, y, 0.0)
    if short:
        for row, seen in enumerate(valid):
            x[row, seen] = _detrended(x[row, seen], t[::ratio][seen])
            y[row, seen] = _detrended(y[row, seen], t[::ratio][seen])
    return _Pairs(x, y, valid.astype(np.float64))


def _gain(pairs: _Pairs, *, robust: bool) -> Array:
    """What a scaled donor explains, per part of the series and lag.

    Loss with it minus loss without it, the lower the better; zero where the scale is
    not negative.
    """
    _, y, valid = pairs
    if robust:
        weight = valid
        for _ in range(ROUNDS):
            scale, left = _line(pairs, weight)
            spread = _spread(left, valid)
            inner = np.clip(1 - (left / (CUT * spread)) ** 2, 0, None)
            weight = valid * inner**2
        level = y - np.median(y[valid > 0])
        bare = np.clip(1 - (level / (CUT * spread)) ** 2, 0, None)
        gain = bare**3 - inner**3
    else:
        scale, left = _line(pairs, valid)
        gain = left**2 - y**2
    gain = valid * gain * (scale < 0)[:, None]
    # of short series the share explained: which samples both have depends on the lag,
    # and a lag must not win because they are livelier ones
    size = valid.sum(axis=1) if robust else (valid * y**2).sum(axis=1)
    gain /= np.maximum(size, 1)[:, None]
    edges = np.linspace(0, y.shape[1], PARTS + 1).astype(np.int64)
    return np.stack([gain[:, a:b].sum(axis=1) for a, b in pairwise(edges)])


def _line(pairs: _Pairs, weight: Array) -> tuple[Array, Array]:
    """Scale of the weighted regression of own on the donor per lag; what it leaves."""
    total = np.maximum(weight.sum(axis=1), 1e-12)
    weighted = weight * pairs.donor
    x, y = weighted.sum(axis=1) / total, (weight * pairs.own).sum(axis=1) / total
    xx = (weighted * pairs.donor).sum(axis=1) / total - x**2
    xy = (weighted * pairs.own).sum(axis=1) / total - x * y
    scale = xy / np.where(xx > 0, xx, np.inf)
    mean = y - scale * x
    return scale, pairs.own - mean[:, None] - scale[:, None] * pairs.donor


def _detrended(values: Array, t: Array) -> Array:
    """Values minus their straight line; the trend is bias and drift, not signal."""
    if len(values) < 3:
        return np.zeros_like(values)
    line = np.polynomial.Polynomial.fit(t, values, 1)
    return np.asarray(values - line(t))


def _spread(left: Array, valid: Array) -> float:
    """Smallest robust standard deviation of all lags; the same for all of them."""
    sizes = [
        np.median(np.abs(row[seen > 0]))
        for row, seen in zip(left, valid, strict=True)
        if seen.sum() >= FEWEST_CHANGES
    ]
    return max(float(min(sizes)) / 0.6745, 1e-9)


def _minimum(lags: Array, misfit: Array) -> float:
    """Minimum of the parabola through the five points around the smallest."""
    best = int(np.argmin(misfit))
    if not 1 < best < len(lags) - 2:
        return float(lags[best])
    around = slice(best - 2, best + 3)
    bend, slope, _ = np.polyfit(lags[around] - lags[best], misfit[around], 2)
    if bend <= 0:
        return float(lags[best])
    apart = lags[1] - lags[0]
    return float(lags[best] + np.clip(-slope / (2 * bend), -apart, apart))
