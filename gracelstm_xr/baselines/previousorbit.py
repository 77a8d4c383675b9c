"""Fill a gap by what was observed one revolution before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.baselines.registry import Method, register
from gracelstm_xr.physics.frames import Frame


@dataclass(frozen=True)
class PreviousOrbit:
    """Value at the same argument of latitude in the nearest other revolutions.

    Attributes
    ----------
    revolutions : int
        How many revolutions to look back and ahead; the nearest observed one on
        either side counts, weighted by closeness.
    """

    revolutions: int = 8

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """See `gracelstm_xr.baselines.registry.Baseline.estimate`."""
        result = np.full((len(index), 3), np.nan)
        if frame.latitude_argument is None:
            return result
        finite = np.isfinite(frame.latitude_argument)
        if finite.sum() < 2:
            return result
        angle = np.unwrap(frame.latitude_argument[finite])
        t = frame.t[finite]
        own = np.where(visible, frame.own, np.nan)
        here = np.interp(frame.t[index], t, angle, left=np.nan, right=np.nan)
        sides = [self._side(frame.t, own, t, angle, here, sign) for sign in (-1, 1)]
        weights = np.stack([1.0 / away for _, away in sides])
        values = np.stack([value for value, _ in sides])
        weights = np.where(np.isfinite(values), weights, 0.0)
        total = weights.sum(axis=0)
        mixed = (weights * np.nan_to_num(values)).sum(axis=0)
        result[:] = np.where(total > 0, mixed / np.where(total > 0, total, 1), np.nan)
        return result

    def _side(
        self, grid: Array, own: Array, t: Array, angle: Array, here: Array, sign: int
    ) -> tuple[Array, Array]:
        """Nearest observed value on one side, and how many revolutions away."""
        value = np.full((len(here), 3), np.nan)
        away = np.full((len(here), 3), np.inf)
        for turn in range(1, self.revolutions + 1):
            when = np.interp(
                here + sign * turn * 2 * np.pi, angle, t, left=np.nan, right=np.nan
            )
            shifted = _linear_at(own, grid, when)
            take = np.isnan(value) & np.isfinite(shifted)
            value[take] = shifted[take]
            away[take] = turn
            if np.isfinite(value).all():
                break
        return value, away


def _linear_at(values: Array, grid: Array, when: Array) -> Array:
    """Linear interpolation on a regular grid, NaN next to a NaN or outside."""
    x = (when - grid[0]) / (grid[1] - grid[0])
    inside = np.isfinite(x) & (x >= 0) & (x < len(grid) - 1)
    base = np.floor(np.where(inside, x, 0)).astype(np.int64)
    s = (np.where(inside, x, 0.0) - base)[:, None]
    result: Array = values[base] * (1 - s) + values[base + 1] * s
    result[~inside] = np.nan
    return result


register(
    Method(
        "previous_orbit",
        family="harmonic",
        rank=60,
        kind=PreviousOrbit,
        fit=lambda frames: PreviousOrbit(),
        reads=frozenset({"orbit"}),
        needs="latitude_argument",
    )
)
