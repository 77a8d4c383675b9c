"""Everything a fit knows about filling one satellite, on numpy frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines import METHOD_CODES, Baseline
from gracelstm_xr.frames import Frame, Pair
from gracelstm_xr.gaps import edge_distance, runs
from gracelstm_xr.lstm.outlook import ForecastCalibration
from gracelstm_xr.lstm.prediction import Predictor
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.lstm.track import CONTEXT, Track
from gracelstm_xr.lstm.trackestimates import (
    JOINED,
    LEARNT,
    STARTED,
    track_estimates,
)

__all__ = ["CONTEXT", "Calibration", "Filled", "Predictor", "Recipient"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """What held-out gaps taught about choice and error.

    Attributes
    ----------
    lengths : ndarray, shape (l,)
        Gap lengths tried [s], increasing.
    choice : ndarray of str, shape (l, 3)
        Best method per length and axis.
    distances : ndarray, shape (d,)
        Upper edges of the distance to the nearest observation [s].
    sigma : ndarray, shape (l, d, 3)
        RMS error of the chosen method [m s-2].
    """

    lengths: Array
    choice: npt.NDArray[np.str_]
    distances: Array
    sigma: Array

    def nearest(self, seconds: float) -> int:
        """Number of the tried length closest to ``seconds`` in ratio."""
        return int(np.argmin(np.abs(np.log(self.lengths / seconds))))

    def method(self, seconds: float, axis: int) -> str:
        """Method to use for a gap of ``seconds`` on one axis.

        Interpolation between the edges gets worse with length much faster than the
        rest: what won on shorter gaps is not trusted on longer ones.
        """
        row = self.nearest(seconds)
        best = str(self.choice[row, axis])
        interpolates = METHOD_CODES.get(best) == METHOD_CODES["linear"]
        if interpolates and seconds > 1.25 * self.lengths[row]:
            row = min(row + 1, len(self.lengths) - 1)
            best = str(self.choice[row, axis])
            if METHOD_CODES.get(best) == METHOD_CODES["linear"]:
                return "lstm"
        return best

    def sigma_at(self, length: int, axis: int, distance: Array) -> Array:
        """1-sigma [m s-2] at distances [s] from the nearest observation."""
        table = self.sigma[length, :, axis]
        result: Array = np.interp(
            np.log(distance), np.log(self.distances), table, right=table[-1]
        )
        return result


@dataclass(frozen=True)
class Filled:
    """Result of `Recipient.fill`, shape (n, 3) each.

    Attributes
    ----------
    values, sigma : ndarray
        [m s-2]; sigma NaN where observed.
    method : ndarray of uint8
        Flag values of ``lin_accl_fill_method``.
    """

    values: Array
    sigma: Array
    method: npt.NDArray[np.uint8]

    @classmethod
    def untouched(cls, own: Array) -> Filled:
        """Nothing filled: the observations, their gaps marked *none*."""
        code = np.where(np.isfinite(own), 0, METHOD_CODES["none"]).astype(np.uint8)
        return cls(own, np.full(own.shape, np.nan), code)

    def take(self, keep: slice) -> Filled:
        """Samples in ``keep``."""
        return Filled(self.values[keep], self.sigma[keep], self.method[keep])


@dataclass(frozen=True)
class Recipient:
    """Fitted state of one satellite.

    Attributes
    ----------
    pair : Pair
        Recipient, donor and their constants.
    baselines : dict of str to Baseline
        Fitted baselines by name.
    tracks : tuple of Track
        What the networks start from, the best informed first: with the twin where
        there is one, and alone. None for a baseline without a network.
    observed_axes : tuple of bool
        Axes that had training data; others are never filled.
    calibration : Calibration or None
        None while fitting.
    forecast : ForecastCalibration or None
        None without hindcasts.
    """

    pair: Pair
    baselines: dict[str, Baseline]
    tracks: tuple[Track, ...]
    observed_axes: tuple[bool, bool, bool]
    calibration: Calibration | None = None
    forecast: ForecastCalibration | None = None

    def with_calibration(self, calibration: Calibration) -> Recipient:
        """Same state with choice and sigma known."""
        return replace(self, calibration=calibration)

    def names(self, track: Track) -> dict[str, str]:
        """Names of a track's estimates by kind, see `track_estimates`."""
        suffix = "" if track is self.tracks[0] else f"_{track.name}"
        return {kind: f"{kind}{suffix}" for kind in (STARTED, JOINED, LEARNT)}

    def code(self, name: str) -> int:
        """Flag value of a method; without a twin nothing is a transplant."""
        code = METHOD_CODES[name]
        alone = self.pair.donor is None and code == METHOD_CODES["transplant"]
        return METHOD_CODES["harmonic"] if alone else code

    def estimates(
        self,
        frame: Frame,
        visible: BoolArray,
        index: IntArray,
        predict: Predictor,
        settings: Settings,
        *,
        methods: set[str] | None = None,
    ) -> dict[str, Array]:
        """Estimates of all (or the named) methods at ``index``, shape (m, 3)."""
        result: dict[str, Array] = {}
        for name in self.baselines:
            if methods is None or name in methods:
                result[name] = self.baselines[name].estimate(frame, visible, index)
        for track in self.tracks:
            names = self.names(track)
            kinds = {k for k, n in names.items() if methods is None or n in methods}
            if kinds:
                made = track_estimates(
                    track, frame, visible, index, predict, settings,
                    axes=np.array(self.observed_axes), kinds=kinds,
                )  # fmt: skip
                result |= {names[kind]: values for kind, values in made.items()}
        return result

    def fill(
        self,
        frame: Frame,
        keep: slice,
        predict: Predictor,
        settings: Settings,
        *,
        method: str | None = None,
    ) -> Filled:
        """Fill the gaps in ``keep``, by the method that held-out gaps favour.

        Where that method has no estimate the next simpler one serves. A ``method``
        asked for by name serves alone.
        """
        visible = np.isfinite(frame.own)
        blank = Filled.untouched(frame.own.copy())
        missing = ~visible & np.array(self.observed_axes)
        inside = np.zeros(len(frame), dtype=bool)
        inside[keep] = True
        index = np.flatnonzero(missing.any(axis=1) & inside)
        if len(index) == 0 or self.calibration is None:
            return blank.take(keep)
        names = self.wanted(frame, visible, index, method=method)
        found = self.estimates(frame, visible, index, predict, settings, methods=names)
        put = self.combine(frame, visible, index, found, method=method)
        blank.values[index] = put.values
        blank.sigma[index] = put.sigma
        blank.method[index] = put.method
        return blank.take(keep)

    def wanted(
        self,
        frame: Frame,
        visible: BoolArray,
        index: IntArray,
        *,
        method: str | None = None,
    ) -> set[str]:
        """Names of the methods `combine` may use at ``index``."""
        plan = self._plan(frame, visible, method)[index]
        fallbacks = FALLBACKS if method is None else ()
        return {str(n) for n in np.unique(plan)} | set(fallbacks)

    def combine(
        self,
        frame: Frame,
        visible: BoolArray,
        index: IntArray,
        found: Mapping[str, Array],
        *,
        method: str | None = None,
    ) -> Filled:
        """What a fill puts at ``index``, given the estimates of the methods there.

        The one place where methods are chosen: `fill` and the gap benchmark both
        call it.

        Parameters
        ----------
        frame : Frame
            With the context of a fill.
        visible : ndarray of bool, shape (n, 3)
            Observed samples; the others are gaps.
        index : ndarray of int64, shape (m,)
            Positions wanted.
        found : mapping of str to ndarray, shape (m, 3)
            Estimates at ``index``, of all methods or at least of those `wanted`.
        method : str, optional
            Use this one alone.

        Returns
        -------
        Filled
            At ``index``: the observation where there is one.
        """
        missing = ~visible & np.array(self.observed_axes)
        own = np.where(visible[index], frame.own[index], np.nan)
        blank = Filled.untouched(own)
        if self.calibration is None:
            return blank
        values, sigma, code = blank.values, blank.sigma, blank.method
        plan = self._plan(frame, visible, method)[index]
        fallbacks = FALLBACKS if method is None else ()
        step = frame.t[1] - frame.t[0]
        for k in np.flatnonzero(self.observed_axes):
            here = missing[index, k]
            for name in _preference(plan[here, k], fallbacks, found):
                estimate = found[name][:, k]
                allowed = (plan[:, k] == name) | (name in fallbacks)
                put = here & np.isnan(values[:, k]) & allowed & np.isfinite(estimate)
                values[put, k] = estimate[put]
                code[put, k] = self.code(name)
            rows = index[here]
            sigma[here, k] = self._sigma(missing[:, k], rows, int(k), step)
        sigma[np.isnan(values)] = np.nan
        return Filled(values, sigma, code)

    def _plan(
        self, frame: Frame, visible: BoolArray, method: str | None
    ) -> npt.NDArray[np.str_]:
        """Method wanted per sample and axis, from the length of its gap."""
        missing = ~visible & np.array(self.observed_axes)
        plan = np.full(missing.shape, method or "none", dtype="<U16")
        if self.calibration is None or method is not None:
            return plan
        step = frame.t[1] - frame.t[0]
        for k in range(3):
            for first, past in runs(missing[:, k]):
                seconds = (past - first) * step
                plan[first:past, k] = self.calibration.method(seconds, k)
        return plan

    def _sigma(
        self, missing: BoolArray, rows: IntArray, axis: int, step: float
    ) -> Array:
        before, after = edge_distance(missing)
        result = np.full(len(missing), np.nan)
        if self.calibration is None:
            return result[rows]
        for first, past in runs(missing):
            length = self.calibration.nearest((past - first) * step)
            distance = np.minimum(before[first:past], after[first:past]) * step
            result[first:past] = self.calibration.sigma_at(length, axis, distance)
        return result[rows]


#: Tried in this order where the wanted method has no estimate (no donor, no orbit).
FALLBACKS = ("ridge", "lstm_single", "harmonic", "linear", "hold")


def _preference(
    plan: npt.NDArray[np.str_], fallbacks: tuple[str, ...], found: Mapping[str, Array]
) -> list[str]:
    wanted = [str(name) for name in np.unique(plan) if str(name) in found]
    return wanted + [name for name in fallbacks if name in found]
