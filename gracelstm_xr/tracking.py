"""Carry the slow part of a regression's residual across gaps.

The bias of the accelerometers follows temperature: it wanders by some nm s-2 over
hours and by ten times as much over days, which no daily bias and drift can follow.
Here the residual, averaged over ten minutes, is a level plus the Gaussian processes of
`gracelstm_xr.drift`, whose powers are learnt from training spans; their mean given the
visible samples carries the bias through a gap, and their variance says how well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.bins import bin_means, curve, line
from gracelstm_xr.drift import BIN, REVOLUTION, Drift

__all__ = ["CONTEXT", "SlowResidual"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Windows serve stretches of so many seconds at whole multiples of it.
CORE = 43_200.0
#: They see so much on either side [s]: a longer memory is cut.
REACH = 86_400.0
#: Time on either side of a multiple of `CORE` over which its windows are blended [s].
BLEND = 7200.0
#: Time before and after a sample that its estimate depends on [s].
CONTEXT = CORE + BLEND + REACH + 2 * BIN
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
    """

    drift: Drift
    level: Array
    spread: Array

    @classmethod
    def fit(
        cls, number: IntArray, mean: Array, share: Array, *, revolution: float
    ) -> SlowResidual:
        """Learn from the bins of training spans.

        Parameters
        ----------
        number : ndarray of int64, shape (n,)
            Numbers of the bins, increasing; see `gracelstm_xr.bins`.
        mean : ndarray, shape (n, 3)
            [nm s-2]
        share : ndarray, shape (n, 3)
            Part of a bin that holds data.
        revolution : float
            [s]
        """
        place = number - number[0] if len(number) else number
        size = int(place[-1]) + 1 if len(number) else 0
        whole, known = np.zeros((size, 3)), np.zeros((size, 3))
        whole[place], known[place] = mean, share
        total = known.sum(axis=0)
        level = (known * whole).sum(axis=0) / np.maximum(total, 1e-9)
        apart = np.where(known > 0, whole - level, 0.0) ** 2
        spread = np.sqrt((known * apart).sum(axis=0) / np.maximum(total, 1e-9))
        drift = Drift.fit(whole, known, revolution=revolution)
        # the level goes on wandering after the training spans
        return cls(drift, level, 3 * spread + 10.0)

    @classmethod
    def unknown(cls) -> SlowResidual:
        """Statistics before any data."""
        drift = Drift.fit(np.zeros((0, 3)), np.zeros((0, 3)), revolution=REVOLUTION)
        return cls(drift, np.zeros(3), np.full(3, 10.0))

    def estimate(
        self,
        t: Array,
        residual: Array,
        visible: BoolArray,
        *,
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
        within : tuple of float, optional
            Stretch of GPS seconds wanted; elsewhere the result means nothing.
        errors : bool, default False
            Work out the 1-sigma too; else it is 0.

        Returns
        -------
        slow, sigma : ndarray, shape (n, 3)
            [m s-2]; farther than `REACH` from any visible sample the mean and spread
            of the training spans.
        """
        number, mean, share = bin_means(t, residual / NANO, visible, BIN)
        first, last = (t[0], t[-1]) if within is None else within
        low = max(int(number[0]), int(np.floor(first / BIN)) - 2)
        past = min(int(number[-1]), int(np.floor(last / BIN)) + 2) + 1
        value, variance = self._blended(
            int(number[0]), mean, share, low, past, errors=errors
        )
        slow = curve(low, value, t, BIN)
        sigma = line(low, np.sqrt(variance), t, BIN) if errors else np.zeros_like(slow)
        return slow * NANO, sigma * NANO

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
        core, reach, blend = (round(x / BIN) for x in (CORE, REACH, BLEND))
        nodes = np.arange((low - blend) // core, (past - 1 + blend) // core + 1)
        offset = np.arange(-reach, core + reach)
        index = nodes[:, None] * core + offset - start
        inside = (index >= 0) & (index < len(mean))
        index = np.where(inside, index, 0)
        # windows side by side: bins, then window and axis
        data = mean[index].transpose(1, 0, 2).reshape(len(offset), -1)
        seen = np.where(inside[:, :, None], share[index], 0.0)
        seen = seen.transpose(1, 0, 2).reshape(len(offset), -1)
        level, spread = (np.tile(v, len(nodes)) for v in (self.level, self.spread))
        found = self.drift.smooth(data, seen, level=level, spread=spread, errors=errors)
        weight = np.clip(_ramp(offset, core, blend), 0.0, 1.0)
        result = np.zeros((2, past - low, 3))
        # node after node, so that a bin sums the same two in the same order
        for i, node in enumerate(nodes.tolist()):
            at = node * core + offset
            part = (weight > 0) & (at >= low) & (at < past)
            for total, values in zip(result, found, strict=True):
                mine = values[part, 3 * i : 3 * i + 3]
                total[at[part] - low] += weight[part, None] * mine
        return result[0], result[1]


def _ramp(offset: IntArray, core: int, blend: int) -> Array:
    """Weight of a window: 1 in its core, linear across its ends."""
    middle = offset + 0.5
    rise, fall = middle + blend, core + blend - middle
    return np.asarray(np.minimum(rise, fall) / (2 * blend))
