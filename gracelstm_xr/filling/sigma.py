"""A 1-sigma whose 68 % and 95 % hold as well as one number can make them.

Errors have heavy tails: next to firings, in storms. Their RMS covers too much at one
sigma and too little at two. The scale used here is the one whose larger miss of the
two coverages is smallest; tables of it over gap length and distance, next to firings
and away from them, times factors over length and a covariate each, are corrected per
length by errors they were not made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.filling.conditions import COVARIATES, Conditions, Grid

__all__ = [
    "LEVELS",
    "UNIT",
    "Spread",
    "binned",
    "corrections",
    "factor_at",
    "factor_table",
    "fair_scale",
    "sigma_table",
    "widening",
]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Parts of a normal distribution, and the multiples of sigma that hold them.
LEVELS = {0.68: 0.9945, 0.95: 1.9600}
#: Widths of the kernels that borrow from other lengths and distances [log].
LENGTH_WIDTH, DISTANCE_WIDTH = 0.6, 0.5
#: Weight of a sample in the other regime, beside one in the same.
OTHER = 0.02
#: Bins of the logarithm of an error, the bounds of the levels a whole number apart.
APART = 34
WIDTH = float(np.log(1.9600 / 0.9945)) / APART
BINS = 1200
#: What relative errors are multiplied by to be binned like errors [m s-2].
UNIT = 1e-9
#: Errors grow with this power of the activity, give or take, before gaps were seen; the
#: largest that is believed, the variance of the logarithm of one normal error, and the
#: smallest error over sigma in it.
POWER, POWER_SIGMA, MOST_POWER, SCATTER, LEAST_RATIO = 0.8, 0.3, 1.2, 1.23, 1e-2
#: Covariates that a model fitted by an earlier version may lack.
LATER = {"activity"}
#: Smallest sigma [m s-2]: a hundredth of the smallest noise of an instrument.
SMALLEST = 1e-13


@dataclass(frozen=True)
class Spread:
    """1-sigma over the nodes of a grid.

    Attributes
    ----------
    grid : Grid
    sigma : ndarray, shape (2, l, d, 3)
        Far from firings and next to one [m s-2]; positive, 0 on an axis where
        nothing is known.
    factors : dict of str to ndarray, shape (l, p, 3)
        On it, by covariate, over the nodes of each; 1 where nothing is known.

    Raises
    ------
    ValueError
        When a table has another shape than the grid or the covariates, or a factor
        is not positive.
    """

    grid: Grid
    sigma: Array
    factors: dict[str, Array]

    def __post_init__(self) -> None:
        """Check the shapes."""
        size = len(self.grid.lengths)
        wanted: dict[str, tuple[int, ...]] = {
            "sigma": (2, size, len(self.grid.distances), 3)
        }
        for name, covariate in COVARIATES.items():
            if name in self.factors or name not in LATER:
                wanted[name] = (size, len(covariate.nodes), 3)
        tables = {"sigma": self.sigma, **self.factors}
        found = {name: table.shape for name, table in tables.items()}
        if found != wanted:
            raise ValueError(f"found tables of sigma {found}, expected {wanted}")
        if not all((table > 0).all() for table in self.factors.values()):
            raise ValueError("found a factor on sigma of 0 or less, expected more")

    def at(self, found: Conditions, axis: int) -> Array:
        """1-sigma [m s-2] under given conditions; NaN where nothing is known."""
        table = self.sigma[..., axis]
        if not (table > 0).all():
            return np.full(len(found.length), np.nan)
        scale = np.exp(self.grid.at(np.log(table), found))
        factors = {name: values[..., axis] for name, values in self.factors.items()}
        return np.asarray(scale * factor_at(self.grid, factors, found))


def factor_at(grid: Grid, factors: Mapping[str, Array], found: Conditions) -> Array:
    """Product of all factors on sigma; a covariate that is unknown counts as 1.

    Parameters
    ----------
    grid : Grid
    factors : mapping of str to ndarray, shape (l, p)
        By covariate.
    found : Conditions
        Of m samples.

    Returns
    -------
    ndarray, shape (m,)
    """
    total = np.ones(len(found.length))
    for name, table in factors.items():
        factor = np.exp(grid.beside(np.log(table), found, name))
        total *= np.where(np.isfinite(factor), factor, 1.0)
    return total


def sigma_table(
    error: Array, gap: IntArray, length: Array, found: Conditions, grid: Grid
) -> Array:
    """Scale of errors at the nodes of a grid.

    Parameters
    ----------
    error : ndarray, shape (m,)
        [m s-2]; NaN where there was no estimate.
    gap : ndarray of int64, shape (m,)
        Number of the gap: every gap has the same say.
    length : ndarray, shape (m,)
        Length tried [s], one of the grid's.
    found : Conditions
    grid : Grid

    Returns
    -------
    ndarray, shape (2, l, d)
        [m s-2]; never falls with distance from an edge; 0 without errors.

    Notes
    -----
    Nodes borrow from neighbouring lengths the shape of the distribution and its growth
    with distance, not its size.
    """
    shape = (2, len(grid.lengths), len(grid.distances))
    good = np.isfinite(error)
    if not good.any():
        return np.zeros(shape)
    size, row = np.abs(error[good]), np.searchsorted(grid.lengths, length[good])
    weight = _even(gap[good], length[good])
    typical = fair_scale(_counted((len(grid.lengths),), (row,), _bin(size), weight))
    known = typical > 0
    typical[~known] = 1.0
    column = grid.nearest(found.distance[good])
    firing = found.firing[good]
    place = _bin(size / typical[row] * UNIT)
    table = np.stack(
        [
            _counted(shape[1:], (row, column), place, weight * part)
            for part in (1 - firing, firing)
        ]
    )
    table += OTHER * table[::-1]
    lengths, distances = np.log(grid.lengths), np.log(grid.distances)
    across = _kernel(lengths[:, None] - lengths, LENGTH_WIDTH)
    along = _kernel(distances[:, None] - distances, DISTANCE_WIDTH)
    smooth = np.einsum("ab,rbdn->radn", across, table)
    smooth = np.einsum("cd,radn->racn", along, smooth)
    factor = fair_scale(smooth) / UNIT
    typical[~known] = np.interp(lengths[~known], lengths[known], typical[known])
    result = factor * typical[:, None]
    seen = np.bincount(row * shape[2] + column, minlength=shape[1] * shape[2])
    for a, b in np.argwhere(seen.reshape(shape[1:]) == 0):
        # gaps without end have samples far from any edge only
        if a > 0 and 2 * grid.distances[b] <= grid.lengths[a]:
            result[:, a, b] = result[:, a - 1, b]
    return np.maximum(np.maximum.accumulate(result, axis=2), SMALLEST)


def factor_table(
    ratio: Array,
    gap: IntArray,
    length: Array,
    found: Conditions,
    grid: Grid,
    name: str,
) -> Array:
    """Factor on sigma over gap length and a covariate.

    Along-track errors are largest where the density of the air is least alike for the
    two satellites, toward the poles; what is left of a firing grows with its on-time.

    Parameters
    ----------
    ratio : ndarray, shape (m,)
        Absolute error over a sigma that does not know the covariate; NaN where unknown.
    gap, length, found, grid
        As in `sigma_table`.
    name : str
        Of the covariate, one that ``found`` has.

    Returns
    -------
    ndarray, shape (l, p)
        Over its nodes; 1 where nothing is known.
    """
    covariate = COVARIATES[name]
    number = np.arange(len(covariate.nodes), dtype=np.float64)
    shape = (len(grid.lengths), len(number))
    values = found.covariates()[name]
    place = covariate.place(values)
    good = np.isfinite(ratio) & np.isfinite(place)
    if covariate.power:
        log = np.log(np.array(covariate.nodes))
        return _powers(ratio[good], gap[good], length[good], values[good], grid, log)
    row = np.searchsorted(grid.lengths, length[good])
    column = np.rint(place[good]).astype(np.int64)
    weight = _even(gap[good], length[good])
    counts = _counted(shape, (row, column), _bin(ratio[good] * UNIT), weight)
    x = np.log(grid.lengths)
    across = _kernel(x[:, None] - x, LENGTH_WIDTH)
    along = _kernel(number[:, None] - number, covariate.width)
    smooth = np.einsum("ab,bdn->adn", across, counts)
    smooth = np.einsum("cd,adn->acn", along, smooth)
    factor = fair_scale(smooth) / UNIT
    return np.where(factor > 0, factor, 1.0)


def _powers(
    ratio: Array,
    gap: IntArray,
    length: Array,
    values: Array,
    grid: Grid,
    nodes: Array,
) -> Array:
    """Factor that follows a power of a covariate, at nodes of its logarithm.

    It goes on beyond what was seen: the storm to come is stronger than the last.
    """
    if len(ratio) == 0:
        return np.ones((len(grid.lengths), len(nodes)))
    _, first, place = np.unique(gap, return_index=True, return_inverse=True)
    count = np.bincount(place)
    x = np.log(np.maximum(values, np.exp(nodes[0])))
    y = np.log(np.maximum(ratio, LEAST_RATIO))
    mean_x = np.bincount(place, x) / count
    mean_y = np.bincount(place, y) / count
    away = np.abs(np.log(length[first] / grid.lengths[:, None]))
    weight = _kernel(away, LENGTH_WIDTH)
    # means of the nearest lengths, however far those are
    nearest = away.min(axis=1, keepdims=True)
    share = np.exp(-0.5 * (away**2 - nearest**2) / LENGTH_WIDTH**2)
    share /= share.sum(axis=1, keepdims=True)
    middle, level = share @ mean_x, share @ mean_y
    apart = mean_x - middle[:, None]
    square = (weight * apart**2).sum(axis=1)
    product = (weight * apart * (mean_y - level[:, None])).sum(axis=1)
    sure = SCATTER / POWER_SIGMA**2
    power = np.clip((product + sure * POWER) / (square + sure), 0.0, MOST_POWER)
    return np.asarray(np.exp(power[:, None] * (nodes - middle[:, None])))


def corrections(ratio: Array, gap: IntArray, length: Array, lengths: Array) -> Array:
    """Factor on sigma per gap length from errors in units of a first sigma.

    Parameters
    ----------
    ratio : ndarray, shape (m,)
        Absolute error over sigma; NaN where unknown.
    gap, length
        As in `sigma_table`.
    lengths : ndarray, shape (l,)
        Lengths wanted [s].

    Returns
    -------
    ndarray, shape (l,)
        1 where nothing is known.
    """
    good = np.isfinite(ratio)
    row = np.searchsorted(lengths, length[good])
    weight = _even(gap[good], length[good])
    counts = _counted((len(lengths),), (row,), _bin(ratio[good] * UNIT), weight)
    x = np.log(lengths)
    smooth = _kernel(x[:, None] - x, LENGTH_WIDTH) @ counts
    found = fair_scale(smooth) / UNIT
    return np.where(found > 0, found, 1.0)


def widening(length: Array, fresh: Array, lengths: Array) -> Array:
    """Factor on sigma because few gaps were seen: a new one may be unlike them.

    Parameters
    ----------
    length, fresh : ndarray, shape (gap,)
        Length of every held-out gap [s] and the part of it that counts as independent.
    lengths : ndarray, shape (l,)
        Lengths wanted [s].

    Returns
    -------
    ndarray, shape (l,)
        ``sqrt(1 + 1 / n)``, as of the prediction of one more draw from n.
    """
    away = np.log(length[None, :] / lengths[:, None])
    number = (_kernel(away, LENGTH_WIDTH) * fresh).sum(axis=1)
    return np.asarray(np.sqrt(1 + 1 / np.maximum(number, 0.5)))


def fair_scale(counts: Array) -> Array:
    """Sigma whose larger miss of the 68 % and 95 % coverages is smallest.

    Parameters
    ----------
    counts : ndarray, shape (..., BINS)
        Weights of absolute errors in bins of their logarithm, see `binned`.

    Returns
    -------
    ndarray, shape (...)
        [m s-2]; for normal errors their standard deviation; 0 without any.

    Notes
    -----
    Both coverages rise with sigma: the misses are as large as each other, with
    opposite signs, where their sum is 0.68 + 0.95.
    """
    total = counts.sum(axis=-1)
    part = np.cumsum(counts, axis=-1) / np.where(total > 0, total, 1.0)[..., None]
    # entry j: coverages by a sigma whose first bound is the upper end of bin j
    both = part[..., :-APART] + part[..., APART:]
    aim = sum(LEVELS)
    above = np.argmax(both >= aim - 1e-9, axis=-1)
    below = np.maximum(above - 1, 0)
    high = np.take_along_axis(both, above[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(both, below[..., None], axis=-1)[..., 0]
    rise = np.where(high > low, high - low, 1.0)
    place = below + np.clip((aim - low) / rise, 0.0, 1.0)
    first = next(iter(LEVELS.values()))
    sigma = SMALLEST * np.exp((place + 1) * WIDTH) / first
    return np.asarray(np.where(total > 0, sigma, 0.0))


def binned(size: Array, weight: Array) -> Array:
    """Weights of absolute errors [m s-2] in bins of their logarithm, shape (BINS,)."""
    return np.asarray(np.bincount(_bin(size), weight, minlength=BINS), np.float64)


def _counted(
    shape: tuple[int, ...], cell: tuple[IntArray, ...], place: IntArray, weight: Array
) -> Array:
    """Sums of weights per cell and bin."""
    full = (*shape, BINS)
    index = np.ravel_multi_index((*cell, place), full)
    counts = np.bincount(index, weight, minlength=int(np.prod(full)))
    return np.asarray(counts.reshape(full), dtype=np.float64)


def _bin(size: Array) -> IntArray:
    place = np.log(np.maximum(size, SMALLEST) / SMALLEST) / WIDTH
    return np.asarray(np.clip(place.astype(np.int64), 0, BINS - 1))


def _even(gap: IntArray, length: Array) -> Array:
    """Weights that give every gap, and every length, the same say."""
    _, place, count = np.unique(gap, return_inverse=True, return_counts=True)
    weight = 1.0 / count[place]
    _, place = np.unique(length, return_inverse=True)
    return np.asarray(weight / np.bincount(place, weight)[place])


def _kernel(x: Array, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * (x / width) ** 2))
