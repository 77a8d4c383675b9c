"""What a fill sees around a day: covariates only where they are wanted.

A fill depends on days of context, but nearly all of it at the working step alone, and
on nothing where there is no gap. Covariates are built GPS day by GPS day at that step,
once for all the days of a task, and at the native rate only around gaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from gracelstm_xr.core.gaps import runs
from gracelstm_xr.core.time import DAY
from gracelstm_xr.physics.frames import (
    HALO,
    Frame,
    Pair,
    build_frame,
    loaded,
    thin_frame,
    whole_steps,
)

__all__ = ["NEAR", "Surroundings", "halo_of"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Around the edges of a gap covariates are there at the native rate [s].
NEAR = 900.0
#: Samples farther apart than this are built apart [s]: less than their context.
APART = 2 * HALO


def halo_of(context: float) -> float:
    """Time to load before and after a day for that much context [s].

    Whole days, and what their covariates depend on.
    """
    return float(np.ceil(context / DAY) * DAY + HALO)


class Surroundings:
    """Frames of single days from one loaded stretch.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    inputs : mapping of str to array
        Of `gracelstm_xr.physics.frames.frame_inputs`, loaded.
    pair : Pair
    step : float
        Working step [s].
    context : float
        Time before and after a day that its result depends on [s]; `halo_of` it is
        loaded.
    """

    def __init__(
        self,
        t: Array,
        inputs: Mapping[str, npt.ArrayLike],
        pair: Pair,
        *,
        step: float,
        context: float,
    ) -> None:
        self.t, self.pair, self.step = t, pair, step
        self.inputs = {k: np.ascontiguousarray(v) for k, v in inputs.items()}
        self.own = loaded({"own": self.inputs["own.lin_accl"]})["own"]
        self.native = float(t[1] - t[0]) if len(t) > 1 else step
        self.days = int(np.ceil(context / DAY))
        number = np.floor((t - DAY / 2) / DAY)
        edges = np.flatnonzero(np.diff(number)) + 1
        self.borders: list[int] = [0, *edges.tolist(), len(t)]
        self._thin: dict[int, Frame] = {}

    def around(self, day: slice, missing: BoolArray) -> tuple[Frame, slice]:
        """Frame of one day and its context.

        Parameters
        ----------
        day : slice
            A GPS day, or the part of it that there is.
        missing : ndarray of bool, shape (n, 3)
            Samples to be filled, of the whole stretch.

        Returns
        -------
        Frame, slice
            ``own`` everywhere; covariates at whole multiples of the working step, and
            at all missing samples of the day and `NEAR` the edges of its gaps; NaN
            elsewhere. And where the day stands in it.
        """
        here = int(np.searchsorted(self.borders, day.start, side="right")) - 1
        first = max(here - self.days, 0)
        past = min(here + self.days + 1, len(self.borders) - 1)
        whole = slice(self.borders[first], self.borders[past])
        arrays = self._empty(whole)
        for k in range(first, past):
            _scatter(arrays, self._thin_day(k), self._steps(k) - whole.start)
        for index in self._clusters(day, missing, whole):
            _scatter(arrays, self._native(index), index - whole.start)
        arrays |= {"t": self.t[whole], "own": self.own[whole]}
        keep = slice(day.start - whole.start, day.stop - whole.start)
        return Frame(**arrays), keep

    def _empty(self, whole: slice) -> dict[str, Array]:
        """Covariates the variables allow: a product may be missing for days."""
        names: dict[str, tuple[int, ...]] = {}
        orbits = [_has_orbit(self.inputs, role) for role in ("own", "donor")]
        if any(orbits):
            names |= {"latitude_argument": (), "shadow": (), "sun": (3,)}
        if "own.thruster_on_time" in self.inputs:
            names["own_thrust"] = (6,)
        if self.pair.extras:
            names["extras"] = (len(self.pair.extras),)
        if all(orbits) or self.pair.lag is not None:
            names["lag"] = ()
            if self.pair.donor is not None and "donor.lin_accl" in self.inputs:
                names["donor"] = (3,)
            if self.pair.donor is not None and "donor.thruster_on_time" in self.inputs:
                names["donor_thrust"] = (6,)
        size = whole.stop - whole.start
        return {name: np.full((size, *shape), np.nan) for name, shape in names.items()}

    def _steps(self, k: int) -> IntArray:
        """Samples of the working step in the ``k``-th day of the stretch."""
        part = slice(self.borders[k], self.borders[k + 1])
        return np.arange(part.start, part.stop)[whole_steps(self.t[part], self.step)]

    def _thin_day(self, k: int) -> Frame:
        """Covariates of one day at the working step, always from the same samples."""
        if k not in self._thin:
            low, high = self._padded(self.borders[k], self.borders[k + 1])
            keep = slice(self.borders[k] - low, self.borders[k + 1] - low)
            self._thin[k] = thin_frame(
                self.t[low:high], self._part(low, high), self.pair,
                keep=keep, step=self.step,
            )  # fmt: skip
        return self._thin[k]

    def _native(self, index: IntArray) -> Frame:
        low, high = self._padded(int(index[0]), int(index[-1]) + 1)
        return build_frame(
            self.t[low:high], self._part(low, high), self.pair, keep=index - low
        )

    def _padded(self, low: int, high: int) -> tuple[int, int]:
        pad = int(np.ceil(HALO / self.native))
        return max(low - pad, 0), min(high + pad, len(self.t))

    def _part(self, low: int, high: int) -> dict[str, npt.NDArray[np.generic]]:
        return {name: array[low:high] for name, array in self.inputs.items()}

    def _clusters(
        self, day: slice, missing: BoolArray, whole: slice
    ) -> Iterator[IntArray]:
        """Samples wanted at the native rate, those near each other together."""
        reach = round(NEAR / self.native)
        wanted = np.zeros(len(self.t), dtype=bool)
        wanted[day] = missing[day].any(axis=1)
        for first, past in _touching(np.asarray(missing.any(axis=1)), day):
            for edge in (first, past):
                wanted[max(edge - reach, 0) : edge + reach] = True
        wanted[: whole.start] = wanted[whole.stop :] = False
        index = np.flatnonzero(wanted)
        if len(index):
            far = np.flatnonzero(np.diff(index) * self.native > APART) + 1
            yield from np.split(index, far)


def _touching(missing: BoolArray, day: slice) -> Iterator[tuple[int, int]]:
    """Gaps that reach into a day."""
    for first, past in runs(missing).tolist():
        if first < day.stop and past > day.start:
            yield first, past


def _has_orbit(inputs: Mapping[str, object], role: str) -> bool:
    return f"{role}.position" in inputs and f"{role}.velocity" in inputs


def _scatter(arrays: dict[str, Array], frame: Frame, index: IntArray) -> None:
    for name, values in frame.arrays().items():
        if name in arrays:
            arrays[name][index] = values
