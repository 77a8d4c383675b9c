"""Choose among methods by what they did in held-out gaps.

At every node of gap length and distance, per axis, next to firings and away from
them: the best method, and where it helps a share of a second one. Gaps are the
independent draws: methods are compared pairwise in the same gaps, a share is shrunk by
its own uncertainty, and nodes borrow from neighbouring ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    number = sums.complete.shape[1]
    shares = np.zeros((2, len(lengths), len(distances), number))
    for row, length in enumerate(lengths):
        away = np.log(sums.length / length)
        near, wide = _kernel(away, LENGTH_WIDTH), _kernel(away, WIDE)
        if without is not None:
            near, wide = np.where(without, 0.0, near), np.where(without, 0.0, wide)
        for column in range(len(distances)):
            for regime in (0, 1):
                usable = sums.worthwhile(row, column, regime)
                seen = sums.at(column, regime, wide, usable)
                if usable.any() and len(seen[0]):
                    gram, gaps = seen
                    shares[regime, row, column, usable] = _best(
                        gram, near[gaps], wide[gaps], sums.fresh[gaps]
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
        shape = (len(gaps), len(grid.distances), 2)
        cell = np.ravel_multi_index((place, column, regime), shape)
        number = held.judged.shape[1]
        self.count = np.zeros(shape)
        self.gram = np.full((*shape, number, number), np.nan)
        order = np.argsort(cell, kind="stable")
        cuts = np.flatnonzero(np.diff(cell[order])) + 1
        for rows in np.split(order, cuts):
            at = np.unravel_index(cell[rows[0]], shape)
            usable = self.complete[self.row[at[0]]]
            e = held.judged[rows][:, usable]
            e = e[np.isfinite(e).all(axis=1)]
            if len(e):
                self.count[at] = len(e)
                where = np.flatnonzero(usable)
                self.gram[at][np.ix_(where, where)] = e.T @ e
        self.scale = self._scale()

    def worthwhile(self, row: int, column: int, regime: int) -> BoolArray:
        """Methods with an estimate, and not far worse than the best, at a node."""
        here = np.nan_to_num(self.gram[self.row == row, column])
        sums = np.einsum("gmm->m", here[:, regime])
        if not sums.any():
            sums = np.einsum("grmm->m", here)
        usable: BoolArray = self.complete[row]
        best = sums[usable].min(initial=np.inf)
        if not np.isfinite(best) or best <= 0:
            return usable
        close = np.asarray(sums <= HOPELESS * best, dtype=bool)
        return np.asarray(usable & close)

    def _scale(self) -> Array:
        """Mean square of the best method in gaps of the same length, per gap."""
        result = np.ones(len(self.length))
        for row in np.unique(self.row):
            same = self.row == row
            powers = np.einsum("gdrmm->m", np.nan_to_num(self.gram[same]))
            powers = powers[self.complete[row]] / max(self.count[same].sum(), 1)
            result[same] = powers[powers > 0].min(initial=np.inf)
        return np.where(np.isfinite(result), result, 1.0)

    def at(
        self, column: int, regime: int, near: Array, usable: BoolArray
    ) -> tuple[Array, IntArray]:
        """Mean second moments per gap around a node, and which gaps these are."""
        low, high = max(column - 1, 0), column + 2
        distances = np.log(self.grid.distances)
        kernel = _kernel((distances - distances[column])[low:high], DISTANCE_WIDTH)
        gaps = np.flatnonzero(near > LEAST)
        count = self.count[gaps, low:high]
        here = count[:, column - low]
        both = np.zeros(2)
        both[regime] = 1.0
        if ((here @ both > 0) & (near[gaps] > 0.1)).sum() < FEWEST_GAPS:
            both[:] = 1.0
        share = kernel[:, None] * both
        gram = self.gram[gaps, low:high][..., usable, :][..., usable]
        gram = np.where((count == 0)[..., None, None], 0.0, gram)
        total = np.einsum("dr,gdrab->gab", share, gram)
        size = (count * share).sum(axis=(1, 2))
        known = np.isfinite(total).all(axis=(1, 2)) & (size > 0)
        # a node without samples at its own distance has nothing to say
        if not (known & (here @ both > 0)).any():
            return total[:0], gaps[:0]
        gaps = gaps[known]
        scale = size[known] * self.scale[gaps]
        return total[known] / scale[:, None, None], gaps


def _best(gram: Array, near: Array, wide: Array, fresh: Array) -> Array:
    """Shares of the best method and a partner, from per-gap second moments.

    Among methods that the gaps around a node cannot tell from the best one, the one
    that is best over a wider range of lengths is taken.
    """
    number = gram.shape[1]
    shares = np.zeros(number)
    power = np.einsum("gaa->ga", gram)
    if near.sum() < 0.5:
        near = wide
    mean, broad = near @ power / near.sum(), wide @ power / wide.sum()
    first = int(np.argmin(mean))
    worse, error = _paired(power - power[:, [first]], near, fresh)
    base = int(np.argmin(np.where(worse <= SURE * error, broad, np.inf)))
    best, share, gain = base, 0.0, 0.0
    for other in range(number):
        if other == base:
            continue
        part, better = _share(gram, near, fresh, base, other)
        if better > gain:
            best, share, gain = other, part, better
    shares[base] = 1.0
    if gain > 0:
        shares[base], shares[best] = 1 - share, share
    return shares


def _share(
    gram: Array, weight: Array, fresh: Array, base: int, other: int
) -> tuple[float, float]:
    """Share of ``other`` beside ``base``, and how much it surely gains (or 0)."""
    across = gram[:, base, base] - gram[:, base, other]
    square = gram[:, base, base] - 2 * gram[:, base, other] + gram[:, other, other]
    up, down = float(weight @ across), float(weight @ square)
    if down <= 0 or up <= 0 or len(weight) < 2:
        return 0.0, 0.0
    share = min(up / down, 1.0)
    # one gap left out at a time; gaps that overlap count as fewer
    left = (up - weight * across) / np.maximum(down - weight * square, 1e-12 * down)
    spread = ((left - share) ** 2 / fresh).sum()
    share *= max(0.0, 1 - spread / share**2)
    gain = 2 * share * across - share**2 * square
    mean, error = _paired(gain[:, None], weight, fresh)
    return share, float(mean[0]) if mean[0] > SURE * error[0] else 0.0


def _paired(values: Array, weight: Array, fresh: Array) -> tuple[Array, Array]:
    """Mean over gaps and its standard error, shape (k,) each, of values (gap, k)."""
    total = weight.sum()
    mean = weight @ values / total
    spread = (weight**2 / fresh) @ (values - mean) ** 2
    return np.asarray(mean), np.asarray(np.sqrt(spread) / total)


def _kernel(x: Array, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * (x / width) ** 2))
