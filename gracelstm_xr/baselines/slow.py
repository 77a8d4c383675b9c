"""Carry the slow part of a regression's residual across gaps.

The bias of the accelerometers follows temperature: it wanders by some nm s-2 over
hours and by ten times as much over days, which no daily bias and drift can follow.
Here the residual, averaged over ten minutes, is a level plus the Gaussian processes of
`gracelstm_xr.baselines.drift`, whose powers are learnt from training spans; their
mean given the visible samples carries the bias through a gap, and their variance says
how well.

The twin's slow part, too, is partly signal and partly the wandering of its own bias,
which the regression carries over in full: how much of it helps in a gap of half a day
is learnt, and the rest is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.baselines.drift import BIN, Drift
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.signal.bins import bin_means, curve, line, near

#: Windows serve stretches of so many seconds at whole multiples of it.
CORE = 43_200.0
#: They see so much on either side [s]: a longer memory is cut.
MEMORY = 86_400.0
#: Time on either side of a multiple of `CORE` over which its windows are blended [s]:
#: where one has lost sight of the data, a quick change would pass for a signal.
BLEND = 21_600.0
#: Width of the bell that smooths the twin's series, and how far it reaches [bins].
BELL, TAIL = 6.0, 18
#: Time before and after a sample that its estimate depends on [s].
CONTEXT = CORE + BLEND + MEMORY + (2 + TAIL) * BIN
#: Fewest hidden stretches that say anything about the twin's slow part.
FEWEST_STRETCHES = 8
NANO = 1e-9


@dataclass(frozen=True)
class SlowResidual:
    """Statistics of the slow residual, per axis.

    Attributes
    ----------
    drift : Drift
        Powers of the processes [nm2 s-4].
    level, spread : ndarray, shape (3,)
        Mean over the training spans and its 1-sigma before any data [nm s-2].
    twin : ndarray, shape (3,)
        Part of the twin's slow series that the residual follows, from 0 to -1, where
        none of it is of use and the regression has taken all.
    """

    drift: Drift
    level: Array
    spread: Array
    twin: Array

    @classmethod
    def fit(
        cls,
        number: IntArray,
        mean: Array,
        share: Array,
        *,
        revolution: float,
        donor: Array | None = None,
    ) -> SlowResidual:
        """Learn from the bins of training spans.

        Parameters
        ----------
        number : ndarray of int64, shape (n,)
            Numbers of the bins, increasing; see `gracelstm_xr.signal.bins`.
        mean : ndarray, shape (n, 3)
            [nm s-2]
        share : ndarray, shape (n, 3)
            Part of a bin that holds data.
        revolution : float
            [s]
        donor : ndarray, shape (n, 3), optional
            Means of the twin's series [nm s-2], NaN where it has none.
        """
        place = number - number[0] if len(number) else number
        size = int(place[-1]) + 1 if len(number) else 0
        binned, shares = np.zeros((size, 3)), np.zeros((size, 3))
        binned[place], shares[place] = mean, share
        total = shares.sum(axis=0)
        level = (shares * binned).sum(axis=0) / np.maximum(total, 1e-9)
        apart = np.where(shares > 0, binned - level, 0.0) ** 2
        spread = np.sqrt((shares * apart).sum(axis=0) / np.maximum(total, 1e-9))
        drift = Drift.fit(binned, shares, revolution=revolution)
        # the level goes on wandering after the training spans
        model = cls(drift, level, 3 * spread + 10.0, np.zeros(3))
        if donor is None or not len(number):
            return model
        twin = np.full((size, 3), np.nan)
        twin[place] = donor
        slow = _bell(twin)
        gain = model._gain(int(number[0]), binned, shares, slow)
        taken = (shares * gain * slow).sum(axis=0) / np.maximum(total, 1e-9)
        return replace(model, twin=gain, level=level - taken)

    def _gain(self, start: int, mean: Array, share: Array, twin: Array) -> Array:
        """Part of the twin's slow series that makes hidden half days best."""
        core, reach = round(CORE / BIN), round(MEMORY / BIN)
        nodes = np.arange(start // core, (start + len(mean)) // core + 1)
        index = _windows(nodes, core, reach) - start
        data, seen = _side_by_side(index, mean, share)
        slow, _ = _side_by_side(index, twin, share)
        hidden = slice(reach, reach + core)
        scored = seen[hidden].copy()
        seen[hidden] = 0.0
        wrong = []
        for values, level in ((data, self.level), (slow, np.zeros(3))):
            smooth, _ = self.drift.smooth(
                values, seen, level=np.tile(level, len(nodes)),
                spread=np.tile(self.spread, len(nodes)), errors=False,
            )  # fmt: skip
            left = np.where(scored > 0.5, (smooth - values)[hidden], 0.0)
            wrong.append(left.reshape(core, len(nodes), 3))
        return _shrunk((wrong[0] * wrong[1]).sum(0), (wrong[1] ** 2).sum(0))

    @classmethod
    def unknown(cls) -> SlowResidual:
        """Statistics before any data."""
        drift = Drift.fit(np.zeros((0, 3)), np.zeros((0, 3)), revolution=REVOLUTION)
        return cls(drift, np.zeros(3), np.full(3, 10.0), np.zeros(3))

    def estimate(
        self,
        t: Array,
        residual: Array,
        visible: BoolArray,
        *,
        donor: Array | None = None,
        within: tuple[float, float] | None = None,
        errors: bool = False,
    ) -> tuple[Array, Array]:
        """Slow residual at every sample given the visible ones.

        Parameters
        ----------
        t : ndarray, shape (n,)
            Regular GPS seconds.
        residual : ndarray, shape (n, 3)
            [m s-2]
        visible : ndarray of bool, shape (n, 3)
        donor : ndarray, shape (n, 3), optional
            Twin's series [m s-2].
        within : tuple of float, optional
            Stretch of GPS seconds wanted; elsewhere the result means nothing.
        errors : bool, default False
            Work out the 1-sigma too; else it is 0.

        Returns
        -------
        slow, sigma : ndarray, shape (n, 3)
            [m s-2]; farther than `MEMORY` from any visible sample the mean and spread
            of the training spans.
        """
        number, mean, share = bin_means(t, residual / NANO, visible, BIN)
        first, last = (t[0], t[-1]) if within is None else within
        low = max(int(number[0]), int(np.floor(first / BIN)) - 2)
        past = min(int(number[-1]), int(np.floor(last / BIN)) + 2) + 1
        if donor is not None and self.twin.any():
            twin = self.twin * _twin_bins(t, donor)
            mean = mean - twin
        value, variance = self._blended(
            int(number[0]), mean, share, low, past, errors=errors
        )
        if donor is not None and self.twin.any():
            value = value + twin[low - int(number[0]) : past - int(number[0])]
        slow, sigma = np.zeros((2, *residual.shape))
        samples = near(t, within)
        slow[samples] = curve(low, value, t[samples], BIN) * NANO
        if errors:
            sigma[samples] = line(low, np.sqrt(variance), t[samples], BIN) * NANO
        return slow, sigma

    def _blended(
        self,
        start: int,
        mean: Array,
        share: Array,
        low: int,
        past: int,
        *,
        errors: bool,
    ) -> tuple[Array, Array]:
        """Mean and variance of bins ``low`` to ``past`` from windows side by side."""
        core, reach, blend = (round(x / BIN) for x in (CORE, MEMORY, BLEND))
        nodes = np.arange((low - blend) // core, (past - 1 + blend) // core + 1)
        index = _windows(nodes, core, reach) - start
        data, seen = _side_by_side(index, mean, share)
        level, spread = (np.tile(v, len(nodes)) for v in (self.level, self.spread))
        smoothed = self.drift.smooth(
            data, seen, level=level, spread=spread, errors=errors
        )
        offset = np.arange(-reach, core + reach)
        weight = np.clip(_ramp(offset, core, blend), 0.0, 1.0)
        result = np.zeros((2, past - low, 3))
        # node after node, so that a bin sums the same two in the same order
        for i, node in enumerate(nodes.tolist()):
            at = node * core + offset
            inside = (weight > 0) & (at >= low) & (at < past)
            for total, values in zip(result, smoothed, strict=True):
                mine = values[inside, 3 * i : 3 * i + 3]
                total[at[inside] - low] += weight[inside, None] * mine
        return result[0], result[1]


def _windows(nodes: IntArray, core: int, reach: int) -> IntArray:
    """Numbers of the bins of every window, shape (window, bin)."""
    return np.asarray(nodes[:, None] * core + np.arange(-reach, core + reach))


def _side_by_side(index: IntArray, mean: Array, share: Array) -> tuple[Array, Array]:
    """Bins of the windows ``index``: bin after bin, then window and axis."""
    inside = (index >= 0) & (index < len(mean))
    index = np.where(inside, index, 0)
    size = index.shape[1]
    data = mean[index].transpose(1, 0, 2).reshape(size, -1)
    seen = np.where(inside[:, :, None], share[index], 0.0)
    return data, seen.transpose(1, 0, 2).reshape(size, -1)


def _twin_bins(t: Array, donor: Array) -> Array:
    """Slow part of the twin's series in every bin [nm s-2]."""
    _, mean, share = bin_means(t, donor / NANO, np.isfinite(donor), BIN)
    return _bell(np.where(share > 0, mean, np.nan))


def _bell(values: Array) -> Array:
    """Bins (b, k) smoothed by a bell over those that exist; 0 without any."""
    observed = np.isfinite(values)
    padded = np.pad(np.where(observed, values, 0.0), ((TAIL, TAIL), (0, 0)))
    exists = np.pad(observed.astype(np.float64), ((TAIL, TAIL), (0, 0)))
    total, weight = np.zeros(values.shape), np.zeros(values.shape)
    # shift after shift: bits do not depend on the number of bins
    for k, height in enumerate(np.exp(-0.5 * (np.arange(-TAIL, TAIL + 1) / BELL) ** 2)):
        total += height * padded[k : k + len(values)]
        weight += height * exists[k : k + len(values)]
    return np.asarray(total / np.maximum(weight, 1e-9))


def _shrunk(product: Array, square: Array) -> Array:
    """Slope from sums per stretch (stretch, axis), less where stretches disagree."""
    used = square > 0
    count = used.sum(axis=0)
    energy = np.maximum(square.sum(axis=0), 1e-12)
    slope = product.sum(axis=0) / energy
    scatter = ((product - slope * square) ** 2).sum(axis=0) / energy**2
    # three times the variance: what is not certain had better be left alone
    sure = 1 - 3 * scatter / np.maximum(slope**2, 1e-12)
    # no more can be taken back than the regression took
    return np.where(
        count >= FEWEST_STRETCHES, np.clip(slope * np.maximum(sure, 0), -1, 0), 0.0
    )


def _ramp(offset: IntArray, core: int, blend: int) -> Array:
    """Weight of a window: 1 in its core, linear across its ends."""
    middle = offset + 0.5
    rise, fall = middle + blend, core + blend - middle
    return np.asarray(np.minimum(rise, fall) / (2 * blend))
