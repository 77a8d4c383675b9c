"""What the overlap of donor and recipient says: scale, bias, drift and errors.

Everything is fitted to a table of ten-minute bins: means, and second moments about a
straight line in each bin. The means carry scale and bias, the moments scale and noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.carry import Carried
from gracelstm_xr.baselines.drift import BIN, REVOLUTION, Drift

__all__ = ["Prior", "Solution", "bin_table", "solve"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NANO = 1e-9
#: Bins per day.
BINS = round(86_400.0 / BIN)
#: Independent samples are this many times fewer than samples.
CORRELATION = 6.0
#: Coefficients of a day are fitted to so many days to either side [days].
REACH = 10
#: Days of data that the coefficients of the whole span are worth to those of one day.
PULL = 3.0
#: Error of a single firing as a share of its acceleration, squared, at most.
FIRING_SCATTER = 0.05


@dataclass(frozen=True)
class Prior:
    """What is assumed before any overlap.

    Attributes
    ----------
    scale, scale_sigma : ndarray, shape (3, terms)
        Factor of the donor and of each component of the force model.
    level, level_sigma : ndarray, shape (3,)
        Recipient's bias [m s-2] and its error.
    """

    scale: Array
    scale_sigma: Array
    level: Array
    level_sigma: Array


@dataclass(frozen=True)
class Solution:
    """Fit of the whole span.

    Attributes
    ----------
    day : ndarray, shape (d,)
        GPS seconds of the middle of every day.
    scale : ndarray, shape (d, 3, terms)
        Factors at those times, linear between.
    bin : ndarray, shape (b,)
        GPS seconds of the middle of every bin.
    bias, variance : ndarray, shape (b, 3)
        Bias [nm s-2] and its variance.
    curve : object
        Cubic spline through the bias.
    power : ndarray, shape (b, 3)
        Variance of the donor in every bin [nm2 s-4].
    overlap : ndarray, shape (3,)
        Samples both satellites have, at 10 s or the step of the data.
    noise : ndarray, shape (3, 4)
        Variance of a sample about the bias: constant [nm2 s-4], and as share of the
        donor's variance, and of the squared firings of recipient and donor.
    factor : ndarray, shape (3,)
        Factor of the variance with which 68 % of the samples of spans held out of
        the fit lie within sigma.
    """

    day: Array
    scale: Array
    bin: Array
    bias: Array
    variance: Array
    curve: Any
    power: Array
    overlap: Array
    noise: Array
    factor: Array

    def scale_at(self, t: Array) -> Array:
        """Factors at ``t``, shape (n, 3, terms)."""
        flat = self.scale.reshape(len(self.day), -1)
        at = np.stack([np.interp(t, self.day, column) for column in flat.T], axis=1)
        return np.asarray(at.reshape(len(t), *self.scale.shape[1:]))

    def bias_at(self, t: Array) -> Array:
        """Bias at ``t`` [m s-2], shape (n, 3)."""
        inside = np.clip(t, self.bin[0], self.bin[-1])
        return np.asarray(NANO * self.curve(inside), dtype=np.float64)

    def sigma_at(self, found: Carried) -> Array:
        """Error of every transplanted sample [m s-2], shape (n, 3)."""
        both = np.concatenate([self.variance, self.power], axis=1)
        at = np.stack([np.interp(found.t, self.bin, c) for c in both.T], axis=1)
        constant, share, own, donor = self.noise.T
        total = at[:, :3] + constant + share * at[:, 3:]
        total += own * (found.fired / NANO) ** 2
        total += donor * (found.donor_fired / NANO) ** 2
        return np.asarray(NANO * np.sqrt(self.factor * total), dtype=np.float64)


def bin_table(found: Carried, start: float) -> dict[str, Array]:
    """Means and second moments of one day in its bins.

    Parameters
    ----------
    found : Carried
        Samples of the day.
    start : float
        GPS second of its midnight.

    Returns
    -------
    dict of str to ndarray
        ``count`` (b, 3); ``mean`` (b, 3, 1 + terms) of own series and terms;
        ``moment`` (b, 3, 1 + terms, 1 + terms) about straight lines, summed;
        ``power`` (b, 3) variance of the donor about its line; ``fired`` (b, 3, 2)
        mean square of the firings of recipient and donor. All in nm s-2.
    """
    series = np.concatenate([found.own[:, :, None], found.terms], axis=2) / NANO
    number = np.floor((found.t - start) / BIN).astype(np.int64)
    width = int(np.bincount(number, minlength=BINS).max(initial=1))
    place = np.arange(len(number)) - np.searchsorted(number, number)
    full = np.full((BINS, width, *series.shape[1:]), np.nan)
    full[number, place] = series
    clock = np.zeros((BINS, width))
    clock[number, place] = (found.t - start) / BIN - number - 0.5
    use: BoolArray = np.asarray(np.isfinite(full).all(axis=3))
    count, mean, left = _about_lines(full, use, clock)
    moment = np.einsum("bnki,bnkj->bkij", left, left)
    donor = np.isfinite(full[..., 1])
    number_of, _, alone = _about_lines(full[..., 1:2], donor, clock)
    power = (alone[..., 0] ** 2).sum(1) / np.maximum(number_of, 1)
    squares = np.zeros((BINS, width, 3, 2))
    squares[number, place] = (
        np.stack([found.fired, found.donor_fired], axis=2) / NANO
    ) ** 2
    fired = (squares * use[..., None]).sum(1) / np.maximum(count, 1)[..., None]
    return {
        "count": count, "mean": mean, "moment": moment, "power": power,
        "fired": fired, "width": np.full(1, float(width)),
        "revolution": np.full(1, found.revolution),
    }  # fmt: skip


def _about_lines(
    full: Array, use: BoolArray, clock: Array
) -> tuple[Array, Array, Array]:
    """Samples per bin, value of the line in the middle of the data, what it leaves."""
    weight = use.astype(np.float64)
    count = weight.sum(1)
    safe = np.maximum(count, 1)
    values = np.where(use[..., None], full, 0.0)
    mean = values.sum(1) / safe[..., None]
    middle = (weight * clock[:, :, None]).sum(1) / safe
    x = weight * (clock[:, :, None] - middle[:, None])
    spread = np.maximum((x**2).sum(1), 1e-12)
    slope = (x[..., None] * values).sum(1) / spread[..., None]
    left = values - mean[:, None] - x[..., None] * slope[:, None]
    return count, mean, np.where(use[..., None], left, 0.0)


def solve(days: list[list[dict[str, Array]]], first: float, prior: Prior) -> Solution:
    """Fit scale, bias, drift and errors to the bins of all days.

    Parameters
    ----------
    days : list of list of dict
        Results of `bin_table`, in order of time, one per GPS day.
    first : float
        GPS second of the first midnight.
    prior : Prior

    Returns
    -------
    Solution
    """
    from scipy.interpolate import CubicSpline

    table = [day for group in days for day in group]
    bins = {name: np.concatenate([day[name] for day in table]) for name in table[0]}
    middle: Array = first + 86_400.0 * np.arange(0.5, len(table)).astype(np.float64)
    when: Array = first + BIN * np.arange(0.5, len(table) * BINS).astype(np.float64)
    scale = _scales(bins, middle, prior)
    each = np.repeat(scale, BINS, axis=0)
    count, width = bins["count"], float(bins["width"].max())
    share = count / width
    mean = bins["mean"][:, :, 0] - (bins["mean"][:, :, 1:] * each).sum(2)
    turn = bins["revolution"]
    turn = turn[np.isfinite(turn)]
    revolution = float(np.median(turn)) if len(turn) else REVOLUTION
    drift = Drift.fit(mean, share, revolution=revolution)
    level, spread = _level(mean, count, prior)
    hidden = _blocks(when)
    both = np.concatenate([share, np.where(hidden[:, None], 0.0, share)], axis=1)
    smoothed, squared = drift.smooth(
        np.tile(mean, (1, 2)), both, level=np.tile(level, 2), spread=np.tile(spread, 2)
    )
    bias, variance = smoothed[:, :3], squared[:, :3] + drift.noise
    noise = _noise(bins, each)
    check = hidden[:, None] & (share > 0.5)
    wrong, expected = mean - smoothed[:, 3:], squared[:, 3:] + drift.noise
    factor = _coverage_factor(check, wrong, expected, *_fast(bins, each, noise))
    return Solution(
        day=middle,
        scale=scale,
        bin=when,
        bias=bias,
        variance=variance,
        curve=CubicSpline(when, bias),
        power=bins["power"],
        overlap=count.sum(0),
        noise=noise,
        factor=factor,
    )


def _level(mean: Array, count: Array, prior: Prior) -> tuple[Array, Array]:
    """Expectation of the bias and its spread [nm s-2]."""
    total = count.sum(0)
    seen = total > 0
    average = (mean * count).sum(0) / np.maximum(total, 1)
    # data fix the level; a wider spread would only cost digits
    level = np.where(seen, average, prior.level / NANO)
    return level, np.where(seen, 300.0, prior.level_sigma / NANO)


def _scales(bins: Mapping[str, Array], middle: Array, prior: Prior) -> Array:
    """Factors per day from the bins within `REACH` days, drawn to those of all."""
    moment = bins["moment"].reshape(len(middle), BINS, *bins["moment"].shape[1:])
    daily = moment.sum(1)
    slow = _slow_moment(bins, len(middle))
    count = bins["count"].reshape(len(middle), BINS, 3).sum(1)
    terms = prior.scale.shape[1]
    result = np.zeros((len(middle), 3, terms))
    for k in range(3):
        overall = _solve_scale(
            daily[:, k].sum(0), slow[:, k].sum(0), count[:, k].sum(), prior, k
        )
        pull = PULL * 8640.0 / max(count[:, k].sum(), 8640.0)
        for i, now in enumerate(middle):
            near = np.abs(middle - now) <= (REACH + 0.5) * 86_400.0
            if near.all() or not count[near, k].any():
                result[i, k] = overall
                continue
            result[i, k] = _solve_scale(
                daily[near, k].sum(0) + pull * daily[:, k].sum(0),
                slow[near, k].sum(0) + pull * slow[:, k].sum(0),
                count[near, k].sum() + pull * count[:, k].sum(),
                prior,
                k,
            )
    return result


def _slow_moment(bins: Mapping[str, Array], days: int) -> Array:
    """Second moments of the changes between neighbouring bins, per day."""
    good = bins["count"] > 0.5 * bins["width"].max()
    change = np.diff(bins["mean"], axis=0, prepend=np.nan * bins["mean"][:1])
    both = good & np.roll(good, 1, axis=0)
    both[0] = False
    change = np.where(both[..., None], change, 0.0)
    moment = np.einsum("bki,bkj->bkij", change, change)
    size = moment.shape[-1]
    shape = (days, BINS, 3, size, size)
    return np.asarray(moment.reshape(shape).sum(axis=1), dtype=np.float64)


def _solve_scale(fast: Array, slow: Array, count: float, prior: Prior, k: int) -> Array:
    """Factors from both moments, each weighted by what it leaves unexplained."""
    mean: Array = prior.scale[k]
    sigma = prior.scale_sigma[k]
    if count < 1:
        return mean
    number = (max(count, 1.0), max(count / 60.0, 1.0))
    theta = mean
    for _ in range(3):
        change = np.concatenate([[1.0], -theta])
        left = np.diag(1 / sigma**2)
        right = mean / sigma**2
        for moment, n, apart in (
            (fast, number[0], CORRELATION),
            (slow, number[1], 2.0),
        ):
            variance = apart * max(float(change @ moment @ change) / n, 1e-6)
            left = left + moment[1:, 1:] / variance
            right = right + moment[1:, 0] / variance
        theta = np.linalg.solve(left, right)
    return np.asarray(theta, dtype=np.float64)


def _blocks(when: Array) -> BoolArray:
    """Bins that are hidden to try the errors: spans of 30 min, 1 h and 3 h.

    At absolute times, three in every ten hours.
    """
    turn = np.floor(when / BIN).astype(np.int64) % 60
    return np.asarray((turn < 3) | ((turn >= 15) & (turn < 21)) | (turn >= 42))


def _squares(bins: Mapping[str, Array], each: Array) -> Array:
    """Mean square of what the scaled donor leaves about the line of each bin."""
    change = np.concatenate([np.ones((*each.shape[:2], 1)), -each], axis=2)
    total = np.einsum("bki,bkij,bkj->bk", change, bins["moment"], change)
    return np.asarray(np.maximum(total, 0.0) / np.maximum(bins["count"], 1))


def _rows(bins: Mapping[str, Array]) -> Array:
    """What the variance of single samples may follow, shape (b, 3, 4)."""
    power = bins["power"]
    both = np.moveaxis(bins["fired"], 2, 0)
    return np.asarray(np.stack([np.ones_like(power), power, *both], axis=2))


def _fast(bins: Mapping[str, Array], each: Array, noise: Array) -> tuple[Array, Array]:
    """Variance of single samples per bin, found and expected."""
    return _squares(bins, each), np.einsum("bkf,kf->bk", _rows(bins), noise)


def _noise(bins: Mapping[str, Array], each: Array) -> Array:
    """How the variance of single samples follows donor and firings."""
    from scipy.optimize import nnls

    squares, every = _squares(bins, each), _rows(bins)
    result = np.zeros((3, 4))
    for k in range(3):
        use = bins["count"][:, k] > 0.5 * bins["width"].max()
        if use.sum() < 12:
            result[k] = (1.0, 0.05, 0.0, 0.0)
            continue
        target, rows = squares[use, k], every[use, k]
        expected = np.maximum(target, 1e-4)
        for _ in range(4):
            # the scatter of a variance is proportional to it
            found, _ = nnls(rows / expected[:, None], target / expected)
            expected = np.maximum(rows @ found, 1e-4)
        result[k] = found
    result[:, 2:] = np.minimum(result[:, 2:], FIRING_SCATTER)
    return result


def _coverage_factor(
    check: BoolArray,
    wrong: Array,
    expected: Array,
    fast: Array,
    expected_fast: Array,
) -> Array:
    """Factor of the variance that makes 68 % of held-out samples lie within sigma.

    In a bin the errors are taken as normal about the error of its mean.
    """
    from scipy.special import ndtr

    result = np.ones(3)
    for k in range(3):
        use = check[:, k]
        if use.sum() < 24:
            continue
        middle, spread = wrong[use, k], np.sqrt(np.maximum(fast[use, k], 1e-8))
        total = np.sqrt(expected[use, k] + expected_fast[use, k])
        low, high = -3.0, 3.0
        for _ in range(40):
            trial = 0.5 * (low + high)
            sigma = np.exp(trial) * total
            inside = ndtr((sigma - middle) / spread) - ndtr((-sigma - middle) / spread)
            low, high = (trial, high) if inside.mean() < 0.683 else (low, trial)
        result[k] = np.exp(2 * trial)
    return result
