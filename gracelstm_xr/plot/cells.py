"""Accelerations averaged over cells of an orbit or of the Earth, block by block.

Samples are gathered in slots of 15 seconds, a slot in the cell of its middle; the
smallest and largest sample of every cell are kept beside the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.physics.earth import REVOLUTION, argument_of_latitude, to_inertial
from gracelstm_xr.plot.blocks import Thinned, by_block

#: Length of a slot [s], size of a cell [degree].
SLOT, CELL = 15.0, 2
#: Orbit fixes farther apart are not interpolated; of closer ones, the first of every
#: 30 s is used [s].
LONGEST, CLOSEST = 300.0, 30.0


@dataclass
class Cells:
    """Sums over a grid of cells.

    Attributes
    ----------
    x, y : ndarray
        Edges of the columns and rows.
    count, total : ndarray, shape (row, column)
        Samples and their sum [m s-2].
    low, high : ndarray, shape (row, column)
        Smallest and largest sample [m s-2]; infinite where there is none.
    """

    x: AnyArray
    y: AnyArray
    count: AnyArray
    total: AnyArray
    low: AnyArray
    high: AnyArray

    @classmethod
    def empty(cls, x: AnyArray, y: AnyArray) -> Cells:
        """No samples yet."""
        shape = (len(y) - 1, len(x) - 1)
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        return cls(x, y, np.zeros(shape), np.zeros(shape), low, high)

    @property
    def mean(self) -> AnyArray:
        """Mean of every cell, NaN without samples."""
        return np.where(self.count > 0, self.total / np.maximum(self.count, 1), np.nan)

    @property
    def overall(self) -> float:
        """Mean of all samples."""
        return float(self.total.sum() / max(self.count.sum(), 1))

    def column_level(self) -> AnyArray:
        """Level of every column: its mean, as if all of its rows were known.

        What a row has more than its column on average is taken off first, so that a
        column known in part is not mistaken for one of another level.
        """
        filled = self.count > 0
        values = np.where(filled, self.mean, 0.0)
        rows, columns = (np.maximum(filled.sum(axis=k), 1) for k in (1, 0))
        level = values.sum(axis=0) / columns
        complete = filled & (columns > 0.9 * columns.max())
        profile = np.where(complete, values - level, 0.0).sum(axis=1)
        profile /= np.maximum(complete.sum(axis=1), 1)
        profile = np.where(rows > 0, profile, 0.0)
        rest = np.where(filled, values - profile[:, None], 0.0)
        return np.asarray(rest.sum(axis=0) / columns)

    def add(
        self, sums: tuple[AnyArray, AnyArray, AnyArray, AnyArray, AnyArray]
    ) -> None:
        """Take in what `_slot_block` found in one block."""
        cell, count, total, low, high = sums
        row, column = np.divmod(cell, self.count.shape[1])
        self.count[row, column] += count
        self.total[row, column] += total
        self.low[row, column] = np.minimum(self.low[row, column], low)
        self.high[row, column] = np.maximum(self.high[row, column], high)


def turn_cells(
    values: Mapping[str, xr.DataArray], ds: xr.Dataset, *, columns: int
) -> Cells:
    """Sums over cells of time (positions on the axis) and argument of latitude.

    Parameters
    ----------
    values : mapping of str to DataArray
        ``value`` (time) and ``position`` (time, axis); ``truth`` is subtracted, and
        samples where ``seen`` is finite are left out.
    ds : xarray.Dataset
        One satellite; gives the time axis.
    columns : int
        Most columns.
    """
    axis = axis_of(ds)
    slot = max(round(SLOT * 1e9 / axis.step_ns), 1)
    width = max(REVOLUTION * 1e9 / axis.step_ns, axis.size / columns)
    # whole slots, so that no slot lies in two columns
    width = max(round(width / slot), 1) * slot
    x = np.arange(-(-axis.size // width) + 1) * width
    grid = Cells.empty(x, np.arange(0, 361, CELL))
    for sums in _by_slot(_turn_block, values, ds, slot, width // slot, len(x) - 1):
        grid.add(sums)
    return grid


def track_cells(values: Mapping[str, xr.DataArray], ds: xr.Dataset) -> Cells:
    """Sums over cells of longitude and latitude; parameters as of `turn_cells`."""
    axis = axis_of(ds)
    slot = max(round(SLOT * 1e9 / axis.step_ns), 1)
    grid = Cells.empty(np.arange(-180, 181, CELL), np.arange(-90, 91, CELL))
    for sums in _by_slot(_track_block, values, ds, slot):
        grid.add(sums)
    return grid


def along_track(
    values: Mapping[str, xr.DataArray], ds: xr.Dataset, *, points: int
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Longitude, latitude [degree] and the sample farthest from the mean, per bin.

    Parameters
    ----------
    values, ds
        As of `turn_cells`; a few days.
    points : int
        About how many.
    """
    width = max(axis_of(ds).size // points, 1)
    blocks = _by_slot(_point_block, values, ds, width)
    place, low, high, counts = (
        np.concatenate(column) for column in zip(*blocks, strict=True)
    )
    shown = (counts > 0) & np.isfinite(place[:, 0])
    low, high, place = low[shown], high[shown], place[shown]
    middle = (low + high).mean() / 2 if len(low) else 0.0
    chosen = np.where(high - middle >= middle - low, high, low)
    return place[:, 0], place[:, 1], chosen


def _by_slot(
    function: Callable[..., Any],
    values: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    *args: int,
) -> list[Any]:
    """Reduce every block with `function`, which cuts it in slots."""
    return by_block(function, values, ds, gps_axis(ds), *args, context=_fixes)


def _fixes(
    first: int, arrays: Mapping[str, AnyArray], times: tuple[float, float, int], *_: int
) -> tuple[AnyArray, AnyArray]:
    """GPS seconds and positions of the fixes of a block, the first of every 30 s."""
    position = arrays["position"]
    # all three at once would take most of the time
    present = np.flatnonzero(np.isfinite(position[:, 0]))
    t = times[0] + times[1] * (first + present)
    kept = _firsts(t)
    fixes = position[present[kept]]
    complete = np.isfinite(fixes).all(axis=1)
    return t[kept][complete], fixes[complete]


def _firsts(t: AnyArray) -> AnyArray:
    """The first of increasing times in every 30 s."""
    return np.asarray(np.diff(np.floor(t / CLOSEST), prepend=-np.inf) > 0)


def _slots(
    first: int,
    arrays: Mapping[str, AnyArray],
    near: list[tuple[AnyArray, AnyArray] | None],
    times: tuple[float, float, int],
    width: int,
) -> tuple[int, Thinned, AnyArray, AnyArray, AnyArray]:
    """First slot, samples, and GPS second, position and velocity of their middles."""
    start, lead = divmod(first, width)
    value = arrays["value"]
    if "truth" in arrays:
        value = value - arrays["truth"]
    if "seen" in arrays:
        value = np.where(np.isfinite(arrays["seen"]), np.nan, value)
    thinned = Thinned.of(value, width, lead=lead)
    gps, step, size = times
    slots = start + np.arange(len(thinned.low))
    wanted = gps + step * np.minimum((slots + 0.5) * width - 0.5, size - 1)
    nodes, fixes = (
        np.concatenate(column) for column in zip(*filter(None, near), strict=True)
    )
    # a block may begin within 30 s
    kept = _firsts(nodes)
    return start, thinned, wanted, *between_fixes(wanted, nodes[kept], fixes[kept])


def _turn_block(
    first: int, arrays: Mapping[str, AnyArray], near: list[Any],
    times: tuple[float, float, int], width: int, slots: int, columns: int,
) -> Any:  # fmt: skip
    """Sums over cells of argument of latitude and of `slots` slots each."""
    start, thinned, t, place, motion = _slots(first, arrays, near, times, width)
    angle = np.degrees(argument_of_latitude(*to_inertial(t, place, motion)))
    row = np.where(np.isfinite(angle), angle, -CELL) // CELL
    column = (start + np.arange(len(row))) // slots
    return _summed(row, row * columns + column, thinned)


def _track_block(
    first: int, arrays: Mapping[str, AnyArray], near: list[Any],
    times: tuple[float, float, int], width: int,
) -> Any:  # fmt: skip
    """Sums over cells of longitude and latitude."""
    _, thinned, _, place, _ = _slots(first, arrays, near, times, width)
    longitude, latitude = _below(place)
    placed = np.isfinite(longitude)
    row = np.where(placed, np.minimum((latitude + 90) // CELL, 180 // CELL - 1), -1)
    column = np.minimum((longitude + 180) // CELL, 360 // CELL - 1)
    return _summed(row, row * (360 // CELL) + np.where(placed, column, 0), thinned)


def _point_block(
    first: int, arrays: Mapping[str, AnyArray], near: list[Any],
    times: tuple[float, float, int], width: int,
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:  # fmt: skip
    """Longitude and latitude, extremes and number of samples of every slot."""
    _, thinned, _, place, _ = _slots(first, arrays, near, times, width)
    return np.stack(_below(place), axis=1), thinned.low, thinned.high, thinned.known


def _below(place: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Longitude and geocentric latitude [degree] of positions."""
    x, y, z = place.T
    longitude = np.degrees(np.arctan2(y, x))
    return longitude, np.degrees(np.arctan2(z, np.hypot(x, y)))


def _summed(row: AnyArray, cell: AnyArray, thinned: Thinned) -> Any:
    """Cells that occur, and the number, sum and extremes of their samples."""
    placed = (row >= 0) & (thinned.known > 0)
    cells, index = np.unique(cell[placed].astype(np.int64), return_inverse=True)
    sums = Cells.empty(np.arange(len(cells) + 1), np.arange(2))
    np.add.at(sums.count[0], index, thinned.known[placed])
    np.add.at(sums.total[0], index, thinned.sums[placed])
    np.minimum.at(sums.low[0], index, thinned.low[placed])
    np.maximum.at(sums.high[0], index, thinned.high[placed])
    return cells, sums.count[0], sums.total[0], sums.low[0], sums.high[0]


def between_fixes(
    wanted: AnyArray, nodes: AnyArray, fixes: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """Direction and motion of the satellite between sparse positions.

    Parameters
    ----------
    wanted, nodes : ndarray, shape (m,), (n,)
        GPS seconds wanted, and those of the fixes, not decreasing.
    fixes : ndarray, shape (n, 3)
        Earth-fixed positions [m].

    Returns
    -------
    position, velocity : ndarray, shape (m, 3)
        Earth-fixed, on the chord between two fixes: directions are right to 0.005
        degree for fixes a minute apart, 0.1 degree for five; NaN between fixes that
        are farther apart.
    """
    place, motion = np.full((2, len(wanted), 3), np.nan)
    if len(nodes) < 2:
        return place, motion
    # a little beyond the ends too: a day file ends seconds after its last fix
    index = np.clip(np.searchsorted(nodes, wanted, "right") - 1, 0, len(nodes) - 2)
    length = nodes[index + 1] - nodes[index]
    share = (wanted - nodes[index]) / length
    near = (length <= LONGEST) & (share > -1) & (share < 2)
    index, share = index[near], share[near, None]
    rise = fixes[index + 1] - fixes[index]
    place[near] = fixes[index] + share * rise
    motion[near] = rise / length[near, None]
    return place, motion
