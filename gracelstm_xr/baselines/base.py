"""Methods a network must beat: one interface, `estimate`, shared by all.

Every method takes a frame, which of its samples may be used, and the positions
wanted. Estimates are m s-2 in the recipient's SRF, NaN where a method has nothing
to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.autoregression import AutoRegression
from gracelstm_xr.baselines.interpolate import INTERPOLATIONS, Interpolation
from gracelstm_xr.baselines.regression import LocalRegression
from gracelstm_xr.core.conventions import FILL_METHODS
from gracelstm_xr.physics.frames import Frame

__all__ = [
    "BASELINES",
    "METHOD_CODES",
    "NEEDS",
    "Baseline",
    "PreviousOrbit",
    "default_baselines",
]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Value of ``lin_accl_fill_method`` by name of the method.
METHOD_CODES = {
    name: FILL_METHODS[family]
    for family, names in {
        "lstm": ("lstm", "lstm_single"),
        "transplant": ("transplant", "ridge", "tracked"),
        "interpolation": (
            *("hold", "linear", "cubic", "polynomial", "ar"),
            *("bridge", "bridge_single"),
        ),
        "harmonic": ("harmonic", "previous_orbit", "tracked_single"),
        "none": ("none",),
    }.items()
    for name in names
}
#: Names of the baselines, simplest first.
BASELINES = (
    "hold",
    "linear",
    "cubic",
    "polynomial",
    "ar",
    "previous_orbit",
    "harmonic",
    "transplant",
    "ridge",
)
#: Terms of the three methods that are regressions.
REGRESSIONS: dict[str, tuple[str, ...]] = {
    "harmonic": ("harmonics",),
    "transplant": ("donor", "own_thrust", "donor_thrust"),
    "ridge": (
        "harmonics",
        "radiation",
        "donor",
        "own_thrust",
        "donor_thrust",
    ),
}


class Baseline(Protocol):
    """What a gap-filling method offers."""

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """Estimate the series at ``index`` from the visible samples.

        Parameters
        ----------
        frame : Frame
            Series and covariates, n samples.
        visible : ndarray of bool, shape (n, 3)
            Samples of the own series that may be used.
        index : ndarray of int64, shape (m,)
            Positions wanted.

        Returns
        -------
        ndarray, shape (m, 3)
            Estimate [m s-2], NaN where the method has none.
        """
        ...


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
        """See `Baseline.estimate`."""
        result = np.full((len(index), 3), np.nan)
        if frame.latitude_argument is None:
            return result
        known = np.isfinite(frame.latitude_argument)
        if known.sum() < 2:
            return result
        angle = np.unwrap(frame.latitude_argument[known])
        t = frame.t[known]
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
            found = _linear_at(own, grid, when)
            take = np.isnan(value) & np.isfinite(found)
            value[take] = found[take]
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


#: What a method cannot do without, by name of the method: an attribute of a frame.
NEEDS = {
    "previous_orbit": "latitude_argument",
    "harmonic": "latitude_argument",
    "transplant": "donor",
}


def default_baselines(
    frames: list[tuple[Frame, BoolArray]], *, names: Sequence[str] = BASELINES
) -> dict[str, Baseline]:
    """Baselines the data allow, fitted on training samples.

    Parameters
    ----------
    frames : list of (Frame, ndarray of bool)
        Frames of one recipient at the working step, each with its training samples,
        shape (n,).
    names : sequence of str
        Some of `BASELINES`.

    Returns
    -------
    dict of str to Baseline
        In the order of ``names``; ``transplant`` is absent without a donor and
        ``harmonic``, ``previous_orbit`` without an orbit.
    """
    known = frames[0][0].arrays()
    return {
        name: _fitted(name, frames)
        for name in names
        if name not in NEEDS or NEEDS[name] in known
    }


def _fitted(name: str, frames: list[tuple[Frame, BoolArray]]) -> Baseline:
    if name in INTERPOLATIONS:
        return Interpolation(name)
    if name == "ar":
        return AutoRegression.fit(frames)
    if name == "previous_orbit":
        return PreviousOrbit()
    return LocalRegression.fit(frames, REGRESSIONS[name])
