"""What the overlap of donor and recipient says: factors, bias, drift and errors.

Factors of the terms come first, from second moments of every day: about straight lines
in ten-minute bins, and of the changes from bin to bin. Bias, drift and errors follow
from the bins of what the terms leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.carry import Carried
from gracelstm_xr.baselines.drift import BIN, Drift
from gracelstm_xr.baselines.moments import NANO
from gracelstm_xr.core.gaps import runs
from gracelstm_xr.physics.earth import REVOLUTION

__all__ = [
    "Factors",
    "Prior",
    "Solution",
    "bin_table",
    "day_moments",
    "factors",
    "solve",
]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Bins per day.
BINS = round(86_400.0 / BIN)
#: Independent samples are this many times fewer than samples.
CORRELATION = 6.0
#: Coefficients of a day are fitted to so many days to either side [days].
REACH = 10
#: Days of data that the coefficients of the whole span are worth to those of one day.
PULL = 3.0
#: So many days in a row without both are far from the overlap, and so are so many
#: beside them [days]: there the bias takes up what changes with the factors.
FAR, BESIDE = 4, 2
#: Error of a single firing as a share of its acceleration, squared, at most.
FIRING_SCATTER = 0.05


@dataclass(frozen=True)
class Prior:
    """What is assumed before any overlap.

    Attributes
    ----------
    scale, scale_sigma : ndarray, shape (3, terms)
        Factor of every term of `Carried.terms` and its error.
    scale_sigma_far : ndarray, shape (3, terms)
        The same on days that are far from the overlap.
    level, level_sigma : ndarray, shape (3,)
        Recipient's bias [m s-2] and its error.
    """

    scale: Array
    scale_sigma: Array
    scale_sigma_far: Array
    level: Array
    level_sigma: Array


@dataclass(frozen=True)
class Factors:
    """Factors of the terms over the whole span.

    Attributes
    ----------
    day : ndarray, shape (d,)
        GPS seconds of the middle of every day.
    value : ndarray, shape (d, 3, terms)
        Factors at those times, linear between.
    """

    day: Array
    value: Array

    def parts(self, carried: Carried) -> tuple[Array, Array]:
        """What comes from the donor, and from all else [m s-2], shape (n, 3) each."""
        donor, rest = np.zeros((2, len(carried.t), 3))
        low, high = np.searchsorted(self.day, (carried.t[0], carried.t[-1]))
        near = slice(max(int(low) - 1, 0), int(high) + 1)
        days = self.day[near]
        for one, value in zip(np.eye(len(days)), self.value[near], strict=True):
            weight = np.interp(carried.t, days, one)
            for k in range(3):
                terms = zip(value[k], carried.terms(k), strict=True)
                factor, series = next(terms)
                donor[:, k] += weight * (factor * series)
                total = np.zeros(len(carried.t))
                for factor, series in terms:
                    total += factor * series
                rest[:, k] += weight * total
        return NANO * donor, NANO * rest


@dataclass(frozen=True)
class Solution:
    """Fit of the whole span.

    Attributes
    ----------
    factors : Factors
        Of the terms.
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

    factors: Factors
    bin: Array
    bias: Array
    variance: Array
    curve: Any
    power: Array
    overlap: Array
    noise: Array
    factor: Array

    def bias_at(self, t: Array) -> Array:
        """Bias at ``t`` [m s-2], shape (n, 3)."""
        inside = np.clip(t, self.bin[0], self.bin[-1])
        return np.asarray(NANO * self.curve(inside), dtype=np.float64)

    def sigma_at(self, carried: Carried) -> Array:
        """Error of every transplanted sample [m s-2], shape (n, 3)."""
        both = np.concatenate([self.variance, self.power], axis=1)
        at = np.stack([np.interp(carried.t, self.bin, c) for c in both.T], axis=1)
        constant, share, own, donor = self.noise.T
        total = at[:, :3] + constant + share * at[:, 3:]
        total += own * (carried.fired / NANO) ** 2
        total += donor * (carried.donor_fired / NANO) ** 2
        return np.asarray(NANO * np.sqrt(self.factor * total), dtype=np.float64)


def day_moments(carried: Carried, start: float) -> dict[str, Array]:
    """Second moments of one day.

    Parameters
    ----------
    carried : Carried
        Samples of the day.
    start : float
        GPS second of its midnight.

    Returns
    -------
    dict of str to ndarray
        Of own series and terms (q): ``fast`` (3, q, q) about straight lines in bins,
        ``slow`` (3, q, q) of the changes between bins, and ``count`` (3,), samples.
    """
    place = _Bins.of(carried.t, start)
    fast, slow, number = [], [], []
    for k in range(3):
        series = np.stack([carried.own[:, k] / NANO, *carried.terms(k)], axis=1)
        count, mean, left = _about_lines(place.table(series), place.clock)
        enough = count > 0.5 * place.width
        both = (enough[1:] & enough[:-1])[:, None]
        change = np.where(both, np.diff(mean, axis=0), 0.0)
        fast.append(np.einsum("bni,bnj->ij", left, left))
        slow.append(np.einsum("bi,bj->ij", change, change))
        number.append(count.sum())
    return {"fast": np.stack(fast), "slow": np.stack(slow), "count": np.array(number)}


def bin_table(carried: Carried, start: float, factors: Factors) -> dict[str, Array]:
    """What the terms leave of one day, in its bins.

    Parameters
    ----------
    carried, start
        As in `day_moments`.
    factors : Factors

    Returns
    -------
    dict of str to ndarray
        ``count`` and ``mean`` (b, 3) of what is left, and its ``square`` (b, 3), the
        variance about a line; ``power`` (b, 3) the same of the donor; ``fired``
        (b, 3, 2) mean square of the firings of recipient and donor. All in nm s-2.
    """
    place = _Bins.of(carried.t, start)
    donor, rest = factors.parts(carried)
    left = (carried.own - donor - rest) / NANO
    squares = (np.stack([carried.fired, carried.donor_fired], axis=2) / NANO) ** 2
    rows: dict[str, list[Array]] = {n: [] for n in ("count", "mean", "square", "power")}
    fired = []
    for k in range(3):
        table = place.table(left[:, k, None])
        count, mean, about = _about_lines(table, place.clock)
        of_donor, _, alone = _about_lines(
            place.table(carried.donor[:, k, None] / NANO), place.clock
        )
        rows["count"].append(count)
        rows["mean"].append(mean[:, 0])
        rows["square"].append((about[..., 0] ** 2).sum(1) / np.maximum(count, 1))
        rows["power"].append((alone[..., 0] ** 2).sum(1) / np.maximum(of_donor, 1))
        each = np.where(np.isfinite(table), place.table(squares[:, k]), 0.0)
        fired.append(each.sum(1) / np.maximum(count, 1)[:, None])
    return {
        **{name: np.stack(columns, axis=1) for name, columns in rows.items()},
        "fired": np.stack(fired, axis=1),
        "width": np.full(1, float(place.width)),
        "revolution": np.full(1, carried.revolution),
    }


@dataclass(frozen=True)
class _Bins:
    """Where the samples of a day stand in its bins.

    Attributes
    ----------
    number, place : ndarray of int64, shape (n,)
        Bin, and place in it.
    width : int
        Samples of the fullest bin.
    clock : ndarray, shape (b, width)
        Time from the middle of the bin in units of it.
    """

    number: IntArray
    place: IntArray
    width: int
    clock: Array

    @classmethod
    def of(cls, t: Array, start: float) -> _Bins:
        number = np.floor((t - start) / BIN).astype(np.int64)
        width = int(np.bincount(number, minlength=BINS).max(initial=1))
        place = np.arange(len(number)) - np.searchsorted(number, number)
        clock = np.zeros((BINS, width))
        clock[number, place] = (t - start) / BIN - number - 0.5
        return cls(number, place, width, clock)

    def table(self, series: Array) -> Array:
        """Series (n, q) by bin and place, NaN where there is no sample."""
        full = np.full((BINS, self.width, series.shape[1]), np.nan)
        full[self.number, self.place] = series
        return full


def _about_lines(full: Array, clock: Array) -> tuple[Array, Array, Array]:
    """Complete rows per bin, value of the line in their middle, and what it leaves.

    Of a table (b, n, q); shapes (b,), (b, q) and (b, n, q).
    """
    use: BoolArray = np.asarray(np.isfinite(full).all(axis=2))
    weight = use.astype(np.float64)
    count = weight.sum(1)
    safe = np.maximum(count, 1)
    values = np.where(use[..., None], full, 0.0)
    mean = values.sum(1) / safe[:, None]
    middle = (weight * clock).sum(1) / safe
    x = weight * (clock - middle[:, None])
    spread = np.maximum((x**2).sum(1), 1e-12)
    slope = (x[..., None] * values).sum(1) / spread[:, None]
    left = values - mean[:, None] - x[..., None] * slope[:, None]
    return count, mean, np.where(use[..., None], left, 0.0)


def factors(days: list[list[dict[str, Array]]], first: float, prior: Prior) -> Factors:
    """Factors per day from the days within `REACH`, drawn to those of all.

    Parameters
    ----------
    days : list of list of dict
        Results of `day_moments`, in order of time, one per GPS day.
    first : float
        GPS second of the first midnight.
    prior : Prior
    """
    table = [day for group in days for day in group]
    fast, slow, count = (
        np.stack([d[n] for d in table]) for n in ("fast", "slow", "count")
    )
    middle: Array = first + 86_400.0 * np.arange(0.5, len(table)).astype(np.float64)
    result = np.zeros((len(middle), *prior.scale.shape))
    for k, mean in enumerate(prior.scale):
        every = (fast[:, k].sum(0), slow[:, k].sum(0), float(count[:, k].sum()))
        sigmas = (prior.scale_sigma[k], prior.scale_sigma_far[k])
        overall = [_solve_factors(*every, mean, sigma) for sigma in sigmas]
        pull = PULL * 8640.0 / max(every[2], 8640.0)
        for i, far in enumerate(_far(count[:, k]).astype(int).tolist()):
            near = np.abs(middle - middle[i]) <= (REACH + 0.5) * 86_400.0
            if near.all() or not count[near, k].any():
                result[i, k] = overall[far]
                continue
            result[i, k] = _solve_factors(
                fast[near, k].sum(0) + pull * every[0],
                slow[near, k].sum(0) + pull * every[1],
                float(count[near, k].sum()) + pull * every[2],
                mean,
                sigmas[far],
            )
    return Factors(middle, result)


def _far(count: Array) -> BoolArray:
    """Days that are far from the overlap, from the samples of each."""
    result = np.zeros(len(count), dtype=bool)
    for first, past in runs(count == 0):
        if past - first >= FAR:
            result[max(first - BESIDE, 0) : past + BESIDE] = True
    return result


def solve(
    days: list[list[dict[str, Array]]], first: float, prior: Prior, factors: Factors
) -> Solution:
    """Fit bias, drift and errors to the bins of all days.

    Parameters
    ----------
    days : list of list of dict
        Results of `bin_table`, in order of time, one per GPS day.
    first : float
        GPS second of the first midnight.
    prior : Prior
    factors : Factors
        Of the terms.

    Returns
    -------
    Solution
    """
    from scipy.interpolate import CubicSpline

    table = [day for group in days for day in group]
    bins = {name: np.concatenate([day[name] for day in table]) for name in table[0]}
    when: Array = first + BIN * np.arange(0.5, len(table) * BINS).astype(np.float64)
    count, mean = bins["count"], bins["mean"]
    share = count / float(bins["width"].max())
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
    noise = _noise(bins)
    check = hidden[:, None] & (share > 0.5)
    wrong, expected = mean - smoothed[:, 3:], squared[:, 3:] + drift.noise
    factor = _coverage_factor(check, wrong, expected, *_fast(bins, noise))
    return Solution(
        factors=factors,
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


def _solve_factors(
    fast: Array, slow: Array, count: float, mean: Array, sigma: Array
) -> Array:
    """Factors from both moments, each weighted by what it leaves unexplained."""
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
        theta = np.asarray(np.linalg.solve(left, right), dtype=np.float64)
    return theta


def _blocks(when: Array) -> BoolArray:
    """Bins that are hidden to try the errors: spans of 30 min, 1 h and 3 h.

    At absolute times, three in every ten hours.
    """
    turn = np.floor(when / BIN).astype(np.int64) % 60
    return np.asarray((turn < 3) | ((turn >= 15) & (turn < 21)) | (turn >= 42))


def _rows(bins: Mapping[str, Array]) -> Array:
    """What the variance of single samples may follow, shape (b, 3, 4)."""
    power = bins["power"]
    both = np.moveaxis(bins["fired"], 2, 0)
    return np.asarray(np.stack([np.ones_like(power), power, *both], axis=2))


def _fast(bins: Mapping[str, Array], noise: Array) -> tuple[Array, Array]:
    """Variance of single samples per bin, seen and expected."""
    return bins["square"], np.einsum("bkf,kf->bk", _rows(bins), noise)


def _noise(bins: Mapping[str, Array]) -> Array:
    """How the variance of single samples follows donor and firings."""
    from scipy.optimize import nnls

    squares, every = bins["square"], _rows(bins)
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
            shares, _ = nnls(rows / expected[:, None], target / expected)
            expected = np.maximum(rows @ shares, 1e-4)
        result[k] = shares
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
