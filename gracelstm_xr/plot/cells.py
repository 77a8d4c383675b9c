"""Accelerations averaged over cells of an orbit or of the Earth, block by block.

Samples are gathered in slots of ten seconds, a slot in the cell of its middle; the
smallest and largest sample of every cell are kept beside the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.blocks import gps_axis
from gracelstm_xr.earth import argument_of_latitude, to_inertial
from gracelstm_xr.plot.blocks import Thinned, by_block
from gracelstm_xr.timebase import axis_of

__all__ = ["Cells", "along_track", "between_fixes", "track_cells", "turn_cells"]

Array = npt.NDArray[Any]

#: Length of a slot and of a revolution [s], size of a cell [degree].
SLOT, REVOLUTION, CELL = 10.0, 5640.0, 2
#: Between two orbit fixes nothing is interpolated that is farther apart [s]; fixes
#: closer than the second are thinned.
LONGEST, CLOSEST = 300.0, 30.0
HALO = 3 * LONGEST


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

    x: Array
    y: Array
    count: Array
    total: Array
    low: Array
    high: Array

    @classmethod
    def empty(cls, x: Array, y: Array) -> Cells:
        """No samples yet."""
        shape = (len(y) - 1, len(x) - 1)
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        return cls(x, y, np.zeros(shape), np.zeros(shape), low, high)

    @property
    def mean(self) -> Array:
        """Mean of every cell, NaN without samples."""
        return np.where(self.count > 0, self.total / np.maximum(self.count, 1), np.nan)

    @property
    def overall(self) -> float:
        """Mean of all samples."""
        return float(self.total.sum() / max(self.count.sum(), 1))

    def column_mean(self) -> Array:
        """Mean over the rows of every column that are known."""
        known = self.count > 0
        sums = np.where(known, self.mean, 0.0).sum(axis=0)
        return np.asarray(sums / np.maximum(known.sum(axis=0), 1))

    def add(self, cell: Array, found: Thinned) -> None:
        """Take in slots; `cell` is the flat cell of each, -1 for none."""
        good = (cell >= 0) & (found.known > 0)
        cell = cell[good]
        np.add.at(self.count.reshape(-1), cell, found.known[good])
        np.add.at(self.total.reshape(-1), cell, found.sums[good])
        np.minimum.at(self.low.reshape(-1), cell, found.low[good])
        np.maximum.at(self.high.reshape(-1), cell, found.high[good])


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
    for first, angle, found in _slots(values, ds, slot, "turn"):
        at = (first + np.arange(len(angle))) * slot // width
        row = np.where(np.isfinite(angle), angle, 0) // CELL
        cell = row.astype(np.int64) * (len(x) - 1) + at
        grid.add(np.where(np.isfinite(angle), cell, -1), found)
    return grid


def track_cells(values: Mapping[str, xr.DataArray], ds: xr.Dataset) -> Cells:
    """Sums over cells of longitude and latitude; parameters as of `turn_cells`."""
    axis = axis_of(ds)
    slot = max(round(SLOT * 1e9 / axis.step_ns), 1)
    grid = Cells.empty(np.arange(-180, 181, CELL), np.arange(-90, 91, CELL))
    columns, rows = len(grid.x) - 1, len(grid.y) - 1
    for _, place, found in _slots(values, ds, slot, "track"):
        good = np.isfinite(place[:, 0])
        longitude, latitude = np.where(good[:, None], place, 0.0).T
        column = np.minimum((longitude + 180) // CELL, columns - 1).astype(np.int64)
        row = np.minimum((latitude + 90) // CELL, rows - 1).astype(np.int64)
        grid.add(np.where(good, row * columns + column, -1), found)
    return grid


def along_track(
    values: Mapping[str, xr.DataArray], ds: xr.Dataset, *, points: int
) -> tuple[Array, Array, Array]:
    """Longitude, latitude [degree] and the sample farthest from the mean, per bin.

    Parameters
    ----------
    values, ds
        As of `turn_cells`; a few days.
    points : int
        About how many.
    """
    width = max(axis_of(ds).size // points, 1)
    found = _slots(values, ds, width, "track")
    place = np.concatenate([p for _, p, _ in found])
    low, high, known = (
        np.concatenate([getattr(t, name) for *_, t in found])
        for name in ("low", "high", "known")
    )
    good = (known > 0) & np.isfinite(place[:, 0])
    low, high, place = low[good], high[good], place[good]
    middle = (low + high).mean() / 2 if len(low) else 0.0
    chosen = np.where(high - middle >= middle - low, high, low)
    return place[:, 0], place[:, 1], chosen


def _slots(
    values: Mapping[str, xr.DataArray], ds: xr.Dataset, width: int, kind: str
) -> list[tuple[int, Array, Thinned]]:
    """First slot, place of every slot's middle, and its samples, block by block."""
    first, step, size = gps_axis(ds)
    halo = int(np.ceil(HALO / step)) + width
    return by_block(
        _slot_block, values, ds, (first, step, size), width, kind, halo=halo
    )


def _slot_block(
    first: int, arrays: Mapping[str, Array], keep: slice,
    times: tuple[float, float, int], width: int, kind: str,
) -> tuple[int, Array, Thinned]:  # fmt: skip
    start, lead = divmod(first + keep.start, width)
    value = arrays["value"][keep]
    if "truth" in arrays:
        value = value - arrays["truth"][keep]
    if "seen" in arrays:
        value = np.where(np.isfinite(arrays["seen"][keep]), np.nan, value)
    found = Thinned.of(value, width, lead=lead)
    gps, step, size = times
    slots = start + np.arange(len(found.low))
    middle = np.minimum((slots + 0.5) * width - 0.5, size - 1)
    t = gps + step * (first + np.arange(len(arrays["position"])))
    wanted = gps + step * middle
    place, motion = between_fixes(wanted, t, arrays["position"])
    if kind == "turn":
        angle = np.degrees(argument_of_latitude(*to_inertial(wanted, place, motion)))
        return start, angle, found
    x, y, z = place.T
    longitude = np.degrees(np.arctan2(y, x))
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return start, np.stack([longitude, latitude], axis=1), found


def between_fixes(wanted: Array, t: Array, position: Array) -> tuple[Array, Array]:
    """Direction and motion of the satellite from positions that may be sparse.

    Parameters
    ----------
    wanted : ndarray, shape (m,)
        GPS seconds.
    t, position : ndarray, shape (n,), (n, 3)
        GPS seconds and Earth-fixed position [m], NaN where there is no fix.

    Returns
    -------
    position, velocity : ndarray, shape (m, 3)
        Earth-fixed, on the chord between two fixes: directions are right to 0.001
        degree for fixes a minute apart, 0.05 degree for five; NaN between fixes that
        are farther apart.
    """
    good = np.flatnonzero(np.isfinite(position).all(axis=1))
    # the first fix of every 30 s of GPS time, whatever the block
    slot = np.floor(t[good] / CLOSEST)
    good = good[np.diff(slot, prepend=-np.inf) > 0]
    fixes, nodes = position[good], t[good]
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
