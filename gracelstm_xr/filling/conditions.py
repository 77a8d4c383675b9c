"""What tells how well a missing sample is known: gap, firings, what methods say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gracelstm_xr.core.gaps import edge_distance
from gracelstm_xr.filling.activity import activity
from gracelstm_xr.physics.frames import Frame

__all__ = [
    "CHECKED",
    "COVARIATES",
    "DISTANCES",
    "FARTHEST",
    "Conditions",
    "Covariate",
    "Grid",
    "along_orbit",
    "nearness",
]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Distances from an observation count up to this [s]; every fill sees as far.
FARTHEST = 172_800.0
#: Time from a firing up to which a sample is fully affected, and beyond which not at
#: all [s]: errors next to simulated firings fall by a constant factor per second in
#: between, as the response of the ACC1B low-pass to a firing does.
FIRING = (5.0, 40.0)
#: Distances from the nearest observation that are told apart [s].
DISTANCES = (
    *(1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 120.0, 300.0, 1000.0, 3000.0),
    *(10_000.0, 30_000.0, FARTHEST),
)


#: Length up to which methods check each other in a gap [s].
CHECKED = 2000.0


@dataclass(frozen=True)
class Covariate:
    """Something beside gap and firing that errors depend on.

    Attributes
    ----------
    nodes : tuple of float
        Values that are told apart, increasing.
    width : float
        Width of the kernel by which nodes borrow from each other, in nodes.
    ratios : bool
        Interpolated in the logarithm.
    power : bool
        Errors go with a power of it, also beyond what was seen.
    """

    nodes: tuple[float, ...]
    width: float
    ratios: bool = False
    power: bool = False

    def place(self, values: Array) -> Array:
        """Where values stand among the nodes, by their number; NaN where unknown."""
        nodes = np.array(self.nodes)
        number = np.arange(len(nodes), dtype=np.float64)
        if self.ratios:
            values, nodes = np.log(np.maximum(values, nodes[0])), np.log(nodes)
        return np.asarray(np.interp(values, nodes, number))


#: How far two methods are apart [m s-2].
APART = Covariate(
    tuple(x * 1e-9 for x in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)),
    0.7,
    ratios=True,
)
#: Covariates by name, in the order in which their factors on sigma are taken off:
#: how lively the series is around the gap [m s-2], latitude along the orbit [deg],
#: on-time of the own thrusters as the accelerometer sees it [ms s-1], and how far other
#: methods are from the best informed [m s-2].
COVARIATES = {
    "activity": Covariate(
        tuple(10 ** (0.5 * k) for k in range(-26, -9)), 0.7, ratios=True, power=True
    ),
    "latitude": Covariate(tuple(11.25 * k for k in range(9)), 1.07),
    "thrust": Covariate((0.01, 0.1, 0.3, 1.0, 3.0, 6.0, 12.0, 25.0), 0.7, ratios=True),
    "polynomial": APART,
    "alone": APART,
}


@dataclass(frozen=True)
class Conditions:
    """Conditions of samples on one axis.

    Attributes
    ----------
    length : ndarray, shape (m,)
        Length of the gap [s]; each side counts up to `FARTHEST`, so that a gap without
        end has twice that length.
    distance : ndarray, shape (m,)
        To the nearest observation [s], at most `FARTHEST`.
    firing : ndarray, shape (m,)
        1 next to a firing of either satellite, 0 far from it.
    activity : ndarray, shape (m,), or None
        See `gracelstm_xr.filling.activity.activity` [m s-2]; NaN where unknown.
    latitude : ndarray, shape (m,), or None
        Angle from the equator along the orbit [deg], 0 to 90; NaN where the orbit is
        unknown, None without one.
    thrust : ndarray, shape (m,), or None
        On-time of the own thrusters, convolved with the response of the ACC1B low-pass
        [ms s-1]; None without thruster data.
    polynomial, alone : ndarray, shape (m,), or None
        Distance from the bridge to a polynomial through the edges, and to the bridge
        without the twin [m s-2]; NaN in gaps longer than `CHECKED`, None where one of
        the two is not to be had.
    """

    length: Array
    distance: Array
    firing: Array
    activity: Array | None = None
    latitude: Array | None = None
    thrust: Array | None = None
    polynomial: Array | None = None
    alone: Array | None = None

    @classmethod
    def of(
        cls, frame: Frame, missing: BoolArray, index: IntArray, axis: int
    ) -> Conditions:
        """Conditions at positions of a frame.

        Parameters
        ----------
        frame : Frame
            n samples with context.
        missing : ndarray of bool, shape (n,)
            Gaps of the axis.
        index : ndarray of int64, shape (m,)
            Positions in gaps, increasing.
        axis : int
        """
        step = float(frame.t[1] - frame.t[0]) if len(frame) > 1 else 1.0
        before, after = edge_distance(missing, index)
        left = np.minimum(before * step, FARTHEST)
        right = np.minimum(after * step, FARTHEST)
        length = np.maximum(left + right - step, step)
        firing = np.zeros(len(index))
        if frame.firing is not None:
            firing = nearness(frame.firing[index])
        latitude = along_orbit(frame.latitude_argument, index)
        distance = np.minimum(left, right)
        lively = activity(frame.t, frame.own[:, axis], ~missing, index)
        return cls(length, distance, firing, lively, latitude, frame.thrust_at(index))

    def checked(
        self,
        found: Mapping[str, Array],
        axis: int,
        witnesses: Mapping[str, tuple[str, str]],
    ) -> Conditions:
        """Same with the distances between estimates.

        Parameters
        ----------
        found : mapping of str to ndarray, shape (m, 3)
            Estimates by method, or their errors.
        axis : int
        witnesses : mapping of str to tuple of str
            Two methods by covariate.
        """
        apart = {
            name: np.abs(found[one][:, axis] - found[other][:, axis])
            for name, (one, other) in witnesses.items()
            if one in found and other in found
        }
        short = self.length <= CHECKED
        return replace(
            self, **{n: np.where(short, x, np.nan) for n, x in apart.items()}
        )

    def take(self, rows: BoolArray | IntArray) -> Conditions:
        """Some of the samples."""
        beside = {name: values[rows] for name, values in self.covariates().items()}
        return Conditions(
            self.length[rows], self.distance[rows], self.firing[rows], **beside
        )

    def covariates(self) -> dict[str, Array]:
        """Those of `COVARIATES` that are known, by name."""
        found = {name: getattr(self, name) for name in COVARIATES}
        return {name: values for name, values in found.items() if values is not None}


def along_orbit(
    argument: Array | None, index: IntArray | slice = slice(None)
) -> Array | None:
    """Angle from the equator [deg] for an argument of latitude [rad]."""
    if argument is None:
        return None
    return np.rad2deg(np.arcsin(np.abs(np.sin(argument[index]))))


def nearness(seconds: Array) -> Array:
    """1 up to 5 s from a firing, falling to 0 at 40 s."""
    away = np.nan_to_num(seconds, nan=np.inf, posinf=1e9)
    near, far = FIRING
    return np.asarray(np.clip((far - away) / (far - near), 0.0, 1.0))


@dataclass(frozen=True)
class Grid:
    """Nodes in gap length and distance that tables stand on.

    Attributes
    ----------
    lengths : ndarray, shape (l,)
        Gap lengths tried [s], increasing.
    distances : ndarray, shape (d,)
        Distances from the nearest observation [s], increasing.
    """

    lengths: Array
    distances: Array

    def at(self, table: Array, found: Conditions) -> Array:
        """Interpolate a table in the logarithms of both, linearly in the firing.

        Parameters
        ----------
        table : ndarray, shape (2, l, d, ...)
            Far from firings, and next to one.
        found : Conditions

        Returns
        -------
        ndarray, shape (m, ...)
        """
        rows, up = _between(self.lengths, found.length)
        columns, out = _between(self.distances, found.distance)
        tail = (1,) * (table.ndim - 3)
        total: Array = np.zeros((len(found.length), *table.shape[3:]))
        for regime, part in ((0, 1 - found.firing), (1, found.firing)):
            for row, a in ((rows, 1 - up), (rows + 1, up)):
                for column, b in ((columns, 1 - out), (columns + 1, out)):
                    r = np.minimum(row, len(self.lengths) - 1)
                    c = np.minimum(column, len(self.distances) - 1)
                    share = (part * a * b).reshape(-1, *tail)
                    total += share * table[regime, r, c]
        return total

    def beside(self, table: Array, found: Conditions, name: str) -> Array:
        """Interpolate a table in the logarithm of the length and in a covariate.

        Parameters
        ----------
        table : ndarray, shape (l, p)
            Over the nodes of the covariate.
        found : Conditions
        name : str
            Of the covariate.

        Returns
        -------
        ndarray, shape (m,)
            NaN where the covariate is unknown.
        """
        values = found.covariates().get(name)
        if values is None:
            return np.full(len(found.length), np.nan)
        rows, up = _between(self.lengths, found.length)
        next_ = np.minimum(rows + 1, len(self.lengths) - 1)
        place = COVARIATES[name].place(values)
        known = np.isfinite(place)
        low = np.where(known, place, 0.0).astype(np.int64)
        high = np.minimum(low + 1, table.shape[1] - 1)
        out = np.where(known, place, 0.0) - low
        here = (1 - up) * table[rows, low] + up * table[next_, low]
        there = (1 - up) * table[rows, high] + up * table[next_, high]
        return np.where(known, (1 - out) * here + out * there, np.nan)

    def nearest(self, distance: Array) -> IntArray:
        """Node of distance closest in ratio."""
        nodes = np.log(self.distances)
        x = np.log(np.maximum(distance, self.distances[0]))
        return np.asarray(np.searchsorted((nodes[1:] + nodes[:-1]) / 2, x))


def _between(nodes: Array, values: Array) -> tuple[IntArray, Array]:
    """Node below a value and how far it is to the next, in logarithms."""
    if len(nodes) == 1:
        return np.zeros(len(values), dtype=np.int64), np.zeros(len(values))
    x = np.log(np.clip(values, nodes[0], nodes[-1]))
    place = np.interp(x, np.log(nodes), np.arange(len(nodes), dtype=np.float64))
    below = np.minimum(place.astype(np.int64), len(nodes) - 2)
    return below, place - below
