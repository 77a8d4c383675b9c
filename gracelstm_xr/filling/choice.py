"""Choose among methods by what they did in held-out gaps.

At every node of gap length and distance, per axis, next to firings and away from
them: the best method, and where it helps a share of a second one. Gaps are the
independent draws: methods are compared pairwise in the same gaps, a share is shrunk by
its own uncertainty, and nodes borrow from neighbouring ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gracelstm_xr.filling.conditions import Conditions, Grid

__all__ = ["COMPLETE", "LEAST", "Held", "Sums", "choose"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Widths of the kernels that borrow from other lengths and distances [log].
LENGTH_WIDTH, DISTANCE_WIDTH = 0.5, 0.4
#: Width of the kernel in length that decides between equals [log].
WIDE = 1.2
#: Weights below this count as none.
LEAST = 1e-3
#: Part of a length's samples that a method must have an estimate for.
COMPLETE = 0.9
#: A method with a mean square this many times that of the best is left out.
HOPELESS = 25.0
#: Fewest gaps next to firings that decide for themselves.
FEWEST_GAPS = 6
#: Standard errors by which methods must differ to be told apart, and a blend be
#: better than its first method.
SURE = 2.0
#: Values that differ by less than this part are equal.
EQUAL = 1e-9


@dataclass(frozen=True)
class Held:
    """Errors of methods on one axis in held-out gaps.

    Attributes
    ----------
    errors : ndarray, shape (m, method)
        [m s-2]; NaN where there was no estimate.
    judged : ndarray, shape (m, method)
        Errors by which methods are compared [m s-2]: without what nobody can know.
    gap : ndarray of int64, shape (m,)
        Number of the gap.
    length : ndarray, shape (m,)
        Length tried [s], one of the grid's.
    found : Conditions
    fresh : ndarray, shape (m,)
        Part of the gaps of this length that count as independent: gaps that overlap
        in time do not.
    """

    errors: Array
    judged: Array
    gap: IntArray
    length: Array
    found: Conditions
    fresh: Array

    def take(self, rows: BoolArray) -> Held:
        """Some of the samples."""
        return Held(
            self.errors[rows],
            self.judged[rows],
            self.gap[rows],
            self.length[rows],
            self.found.take(rows),
            self.fresh[rows],
        )

    def keep(self, methods: BoolArray) -> Held:
        """Some of the methods."""
        return replace(
            self, errors=self.errors[:, methods], judged=self.judged[:, methods]
        )


def choose(sums: Sums, *, without: BoolArray | None = None) -> Array:
    """Shares of the methods at the nodes of a grid.

    Parameters
    ----------
    sums : Sums
        Of errors in held-out gaps.
    without : ndarray of bool, shape (gap,), optional
        Gaps to leave out.

    Returns
    -------
    ndarray, shape (2, l, d, method)
        Far from firings and next to one; sums to 1, or to 0 where no method has an
        estimate.
    """
    lengths, distances = sums.grid.lengths, sums.grid.distances
    away = np.log(sums.length / lengths[:, None])
    near, wide = _kernel(away, LENGTH_WIDTH), _kernel(away, WIDE)
    if without is not None:
        near[:, without] = wide[:, without] = 0.0
    number = sums.complete.shape[1]
    shares = np.zeros((2, len(lengths), len(distances), number))
    for column in range(len(distances)):
        for regime in (0, 1):
            usable = sums.worthwhile(column, regime)
            enough = sums.enough(column, regime, wide)
            for rows, regimes in ((enough, (regime,)), (~enough, (0, 1))):
                if rows.any():
                    moments = sums.around(column, regimes)
                    shares[regime, rows, column] = _best(
                        moments, near[rows], wide[rows], usable[rows]
                    )
    return _completed(shares, sums.grid)


def _completed(shares: Array, grid: Grid) -> Array:
    """Nodes without samples: as in shorter gaps there, or as nearer to the edge.

    Gaps without end have samples far from any edge only.
    """
    known = shares.sum(axis=-1) > 0
    for row in range(len(grid.lengths)):
        for column, distance in enumerate(grid.distances):
            empty = ~known[:, row, column]
            inside = row > 0 and 2 * distance <= grid.lengths[row]
            for regime in np.flatnonzero(empty):
                if inside and known[regime, row - 1, column]:
                    shares[regime, row, column] = shares[regime, row - 1, column]
                elif column > 0 and known[regime, row, column - 1]:
                    shares[regime, row, column] = shares[regime, row, column - 1]
                else:
                    continue
                known[regime, row, column] = True
    return shares


class Sums:
    """Second moments of the errors per gap, bin of distance and regime.

    Parameters
    ----------
    held : Held
    grid : Grid
    """

    def __init__(self, held: Held, grid: Grid) -> None:
        gaps, place = np.unique(held.gap, return_inverse=True)
        first = np.unique(place, return_index=True)[1]
        self.length = held.length[first]
        self.fresh = held.fresh[first]
        self.row = np.searchsorted(grid.lengths, self.length)
        self.grid = grid
        finite = np.isfinite(held.judged)
        self.complete: BoolArray = np.array(
            [
                finite[held.length == x].mean(axis=0) >= COMPLETE
                if (held.length == x).any()
                else np.zeros(held.judged.shape[1], dtype=bool)
                for x in grid.lengths
            ]
        )
        column = grid.nearest(held.found.distance)
        regime = (held.found.firing > 0.5).astype(np.int64)
        usable = self.complete[self.row[place]]
        rows = np.flatnonzero((finite | ~usable).all(axis=1) & usable.any(axis=1))
        shape = (len(gaps), len(grid.distances), 2)
        cell = np.ravel_multi_index((place, column, regime), shape)[rows]
        self.count = np.bincount(cell, minlength=np.prod(shape)).reshape(shape)
        self.gram = self._products(held.judged, rows, cell)
        self.scale = self._scale()
        self._sums: dict[tuple[int, tuple[int, ...]], Moments] = {}

    def _products(self, errors: Array, rows: IntArray, cell: IntArray) -> Array:
        """Sums of products of errors; 0 without samples, NaN for methods not in use."""
        number = errors.shape[1]
        rows, cell = rows[np.argsort(cell, kind="stable")], np.sort(cell)
        first = np.flatnonzero(np.diff(cell, prepend=-1))
        sums = np.zeros((self.count.size, number, number))
        for a in range(number):
            for b in range(a, number) if len(rows) else ():
                product = errors[rows, a] * errors[rows, b]
                sums[cell[first], a, b] = np.add.reduceat(product, first)
                sums[cell[first], b, a] = sums[cell[first], a, b]
        gram = sums.reshape(*self.count.shape, number, number)
        usable = self.complete[self.row]
        both = usable[:, :, None] & usable[:, None, :]
        gram[(self.count > 0)[..., None, None] & ~both[:, None, None]] = np.nan
        return gram

    @cached_property
    def _powers(self) -> Array:
        """Sums of squares by length, distance, regime and method."""
        power = np.nan_to_num(np.einsum("gdrmm->gdrm", self.gram))
        size = len(self.grid.lengths)
        return np.stack([power[self.row == row].sum(axis=0) for row in range(size)])

    def worthwhile(self, column: int, regime: int) -> BoolArray:
        """Methods with an estimate, and not far worse than the best, by length."""
        powers = self._powers[:, column]
        seen = powers[:, regime].any(axis=1, keepdims=True)
        powers = np.where(seen, powers[:, regime], powers.sum(axis=1))
        best = np.where(self.complete, powers, np.inf).min(axis=1, keepdims=True)
        close = (powers <= HOPELESS * best) | (best <= 0)
        return np.asarray(self.complete & close)

    def _scale(self) -> Array:
        """Mean square of the best method in gaps of the same length, per gap."""
        result = np.ones(len(self.length))
        for row in np.unique(self.row):
            same = self.row == row
            powers = self._powers[row].sum(axis=(0, 1))
            powers = powers[self.complete[row]] / max(self.count[same].sum(), 1)
            result[same] = powers[powers > 0].min(initial=np.inf)
        return np.where(np.isfinite(result), result, 1.0)

    def enough(self, column: int, regime: int, near: Array) -> BoolArray:
        """Lengths around which enough gaps have samples of a regime at a distance."""
        seen = (self.count[:, column, regime] > 0) & (near > 0.1)
        return np.asarray(seen.sum(axis=1) >= FEWEST_GAPS)

    def around(self, column: int, regimes: tuple[int, ...]) -> Moments:
        """Mean second moments per gap around a distance."""
        if (column, regimes) not in self._sums:
            distances = np.log(self.grid.distances)
            beside = slice(max(column - 1, 0), column + 2)
            kernel = _kernel(distances[beside] - distances[column], DISTANCE_WIDTH)
            gram = self.gram[:, beside][:, :, regimes]
            size = kernel @ self.count[:, beside][:, :, regimes].sum(axis=2).T
            total = np.einsum("d,gdrab->gab", kernel, gram)
            total[size == 0] = np.nan
            scale = np.where(size > 0, size, 1.0) * self.scale
            self._sums[column, regimes] = Moments(
                total / scale[:, None, None],
                np.asarray(self.count[:, column][:, regimes].any(axis=1)),
                self.fresh,
            )
        return self._sums[column, regimes]


class Moments(NamedTuple):
    """Mean products (gap, a, b) of the errors of two methods around a distance.

    And whether a gap has samples at it, and the part of it that is independent.
    """

    gram: Array
    here: BoolArray
    fresh: Array


def _best(moments: Moments, near: Array, wide: Array, usable: BoolArray) -> Array:
    """Shares (row, method) of the best method and a partner.

    Among methods that the gaps around a node cannot tell from the best one, the one
    that is best over a wider range of lengths is taken. ``near`` and ``wide`` are
    weights (row, gap); a node without samples at its own distance has no shares.
    """
    power = np.einsum("gaa->ga", moments.gram)
    lacking = usable.astype(np.float64) @ np.isnan(power).T
    known = (wide > LEAST) & (lacking == 0)
    speaks = (known & moments.here).any(axis=1) & usable.any(axis=1)
    shares = np.zeros(usable.shape)
    if not speaks.any():
        return shares
    known, usable = known[speaks], usable[speaks]
    near, wide = (np.where(known, x[speaks], 0.0) for x in (near, wide))
    near = np.where(near.sum(axis=1, keepdims=True) < 0.5, wide, near)
    gram, power = np.nan_to_num(moments.gram), np.nan_to_num(power)
    mean = np.where(usable, near @ power / near.sum(axis=1)[:, None], np.inf)
    broad = np.where(usable, wide @ power / wide.sum(axis=1)[:, None], np.inf)
    first = power.T[_least(mean)]
    worse, error = _paired(power - first[..., None], near, moments.fresh)
    base = _least(np.where(worse <= SURE * error, broad, np.inf))
    share, gain = _partners(gram, power, near, known, moments.fresh, base)
    gain = np.where(usable, gain, 0.0)
    most = gain.max(axis=1)
    partner = _least(-gain)
    row = np.arange(len(base))
    part = np.where(most > 0, share[row, partner], 0.0)
    result = np.zeros(usable.shape)
    result[row, partner] = part
    result[row, base] = 1 - part
    shares[speaks] = result
    return shares


def _partners(
    gram: Array,
    power: Array,
    weight: Array,
    known: BoolArray,
    fresh: Array,
    base: IntArray,
) -> tuple[Array, Array]:
    """Share of every method beside ``base``, and how much it surely gains (or 0)."""
    across = power.T[base][..., None] - gram.swapaxes(0, 1)[base]
    square = across + power - gram.swapaxes(0, 1)[base]
    up, down = _weighted(across, weight), _weighted(square, weight)
    of_use = (up > 0) & (down > 0) & (known.sum(axis=1) > 1)[:, None]
    up, down = np.where(of_use, up, 1.0), np.where(of_use, down, 1.0)
    share = np.minimum(up / down, 1.0)
    # one gap left out at a time; gaps that overlap count as fewer
    part = weight[..., None]
    left = up[:, None] - part * across
    left /= np.maximum(down[:, None] - part * square, 1e-12 * down[:, None])
    spread = _weighted((left - share[:, None]) ** 2, known / fresh)
    share = share * np.maximum(0.0, 1 - spread / share**2)
    gains = 2 * share[:, None] * across - share[:, None] ** 2 * square
    mean, error = _paired(gains, weight, fresh)
    return share, np.where(of_use & (mean > SURE * error), mean, 0.0)


def _least(values: Array) -> IntArray:
    """Column of the least value per row: the first of those equal but for rounding."""
    least = values.min(axis=1, keepdims=True)
    return np.asarray((values <= least + EQUAL * np.abs(least)).argmax(axis=1))


def _weighted(values: Array, weight: Array) -> Array:
    """Sums over gaps, shape (row, k), of values (row, gap, k)."""
    return np.asarray((weight[:, None] @ values)[:, 0])


def _paired(values: Array, weight: Array, fresh: Array) -> tuple[Array, Array]:
    """Mean over gaps and its standard error, (row, k) each, of values (row, gap, k)."""
    total = weight.sum(axis=1, keepdims=True)
    mean = _weighted(values, weight) / total
    spread = _weighted((values - mean[:, None]) ** 2, weight**2 / fresh)
    return mean, np.asarray(np.sqrt(spread) / total)


def _kernel(x: Array, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * (x / width) ** 2))
