"""Everything a fit knows about filling one satellite, on numpy frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.base import METHOD_CODES, Baseline
from gracelstm_xr.baselines.start import CONTEXT, Track
from gracelstm_xr.filling.conditions import Conditions
from gracelstm_xr.filling.estimates import JOINED, LEARNT, STARTED, track_estimates
from gracelstm_xr.filling.outlook import ForecastCalibration
from gracelstm_xr.filling.pools import Calibration
from gracelstm_xr.lstm.predict import Predictor
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.physics.frames import Frame, Pair

__all__ = ["CONTEXT", "Calibration", "Filled", "Predictor", "Recipient"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
#: Rows in gaps, and their conditions, by axis.
Known = dict[int, tuple[IntArray, Conditions]]

NONE = METHOD_CODES["none"]
#: Up to this distance from an edge [s] a bridge counts as interpolation: what it adds
#: to its start is then most of what it knows.
BRIDGED = 60.0


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

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of all estimates to be had: of baselines, then of every track."""
        tracks = [name for t in self.tracks for name in self.names(t).values()]
        return (*self.baselines, *tracks)

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
        """Fill the gaps in ``keep``, by the methods that held-out gaps favour.

        Where those have no estimate simpler ones serve. A ``method`` asked for by name
        serves alone.
        """
        visible = np.isfinite(frame.own)
        blank = Filled.untouched(frame.own.copy())
        missing = ~visible & np.array(self.observed_axes)
        inside = np.zeros(len(frame), dtype=bool)
        inside[keep] = True
        index = np.flatnonzero(missing.any(axis=1) & inside)
        if len(index) == 0 or self.calibration is None:
            return blank.take(keep)
        known = self._conditions(frame, missing, index)
        found: dict[str, Array] = {}
        open_ = np.arange(len(index))
        for names in self._turns(known, method):
            rows = index[open_]
            made = self.estimates(
                frame, visible, rows, predict, settings, methods=names - set(found)
            )
            for name, values in made.items():
                found[name] = np.full((len(index), 3), np.nan)
                found[name][open_] = values
            own = np.where(visible[index], frame.own[index], np.nan)
            put = self._put(own, known, found, method)
            empty = np.isnan(put.values) & np.array(self.observed_axes)
            open_ = np.flatnonzero(empty.any(axis=1))
            if len(open_) == 0:
                break
        blank.values[index] = put.values
        blank.sigma[index] = put.sigma
        blank.method[index] = put.method
        return blank.take(keep)

    def _conditions(self, frame: Frame, missing: BoolArray, index: IntArray) -> Known:
        """By observed axis, which of the positions are in its gaps, and conditions."""
        known = {}
        for k in map(int, np.flatnonzero(self.observed_axes)):
            rows = np.flatnonzero(missing[index, k])
            if len(rows):
                at = Conditions.of(frame, missing[:, k], index[rows], k)
                known[k] = rows, at
        return known

    def _turns(self, known: Known, method: str | None) -> list[set[str]]:
        """Methods to compute first, and those for what they leave open."""
        if method is not None or self.calibration is None:
            return [{method} if method is not None else set()]
        pools = self.calibration.pools
        first: set[str] = set()
        for k, (_, conditions) in known.items():
            first |= pools[0].wanted(conditions, k)
        return [first, *({*pool.methods, *pool.witnessing} for pool in pools[1:])]

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
            Estimates at ``index``, of all methods or of those that matter here.
        method : str, optional
            Use this one alone.

        Returns
        -------
        Filled
            At ``index``: the observation where there is one.
        """
        missing = ~visible & np.array(self.observed_axes)
        known = self._conditions(frame, missing, index)
        own = np.where(visible[index], frame.own[index], np.nan)
        return self._put(own, known, found, method)

    def _put(
        self, own: Array, known: Known, found: Mapping[str, Array], method: str | None
    ) -> Filled:
        """`combine`, with the observations and the conditions of its positions."""
        blank = Filled.untouched(own)
        if self.calibration is None:
            return blank
        for k, (rows, conditions) in known.items():
            part = {name: values[rows] for name, values in found.items()}
            if method is None:
                made = self._blended(part, conditions, k)
            else:
                made = self._alone(part, conditions, k, method)
            blank.values[rows, k], blank.sigma[rows, k], blank.method[rows, k] = made
        return blank

    def _blended(
        self, found: Mapping[str, Array], conditions: Conditions, axis: int
    ) -> tuple[Array, Array, IntArray]:
        """Values, sigma and code of one axis; the best informed pool serves."""
        n = len(conditions.length)
        values, sigma = np.full(n, np.nan), np.full(n, np.nan)
        code = np.full(n, METHOD_CODES["none"])
        pools = self.calibration.pools if self.calibration is not None else ()
        for pool in pools:
            left = np.flatnonzero(np.isnan(values))
            if len(left) == 0:
                break
            rest = conditions.take(left)
            part = {name: v[left] for name, v in found.items()}
            mixed, first = pool.blend(part, rest, axis)
            good = np.isfinite(mixed)
            values[left] = mixed
            sigma[left[good]] = pool.sigma(part, rest, axis)[good]
            codes = np.array([self._codes(m, rest.distance) for m in pool.methods])
            code[left[good]] = codes[first, np.arange(len(left))][good]
        return values, sigma, code

    def _alone(
        self, found: Mapping[str, Array], conditions: Conditions, axis: int, name: str
    ) -> tuple[Array, Array, IntArray]:
        """Values, sigma and code of one axis by one method."""
        n = len(conditions.length)
        values = found[name][:, axis] if name in found else np.full(n, np.nan)
        sigma = np.full(n, np.nan)
        if self.calibration is not None and name in self.calibration.spreads:
            sigma = self.calibration.spreads[name].at(conditions, axis)
        known = np.isfinite(values)
        code = np.where(known, self._codes(name, conditions.distance), NONE)
        return values, np.where(known, sigma, np.nan), code

    def _codes(self, name: str, distance: Array) -> IntArray:
        """Flag values of a method; far from the edges a bridge is its start."""
        start = name.replace(JOINED, STARTED)
        near = distance <= BRIDGED
        return np.where(near, self.code(name), self.code(start)).astype(np.int64)
