"""Slowly varying mean of an acceleration, the same to the last bit on any chunking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.blocks import as_dask, gps_axis, time_blocks
from gracelstm_xr.core.time import DAY

#: Sum in quanta, and number of samples, of every column, by day.
Sums = dict[int, list[tuple[int, int]]]

#: Days to either side that a mean is taken over.
DAYS = 5
#: Unit in which values are summed, and the largest value that counts [m s-2].
QUANTUM, LARGEST = 2.0**-50, 1e-3


def local_sums(array: xr.DataArray, ds: xr.Dataset) -> Callable[[slice], Any]:
    """Sums per GPS day, lazily, for every block the days near it.

    Parameters
    ----------
    array : xarray.DataArray
        Accelerations (time, axis) on the axis of ``ds`` [m s-2].
    ds : xarray.Dataset
        Gives axis and blocks.

    Returns
    -------
    callable
        Takes a block of the axis, gives a list of delayed sums for `local_mean`: for
        ``local`` of `gracelstm_xr.compute.blocks.map_time_blocks`.
    """
    import dask

    source = as_dask(array)
    sums = dask.delayed(_day_sums, pure=False)
    first, step, _ = gps_axis(ds)
    blocks = time_blocks(ds)
    parts = [sums(first + step * b.start, step, source[b]) for b in blocks]

    def near(block: slice) -> list[Any]:
        margin = (DAYS + 2) * DAY / step
        return [
            sums_of_block
            for sums_of_block, b in zip(parts, blocks, strict=True)
            if b.stop > block.start - margin and b.start < block.stop + margin
        ]

    return near


def local_mean(t: Array, sums: list[Sums]) -> Array:
    """Mean of each column over `DAYS` days to either side, linear between noons.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds.
    sums : list
        Of `local_sums` for the block.

    Returns
    -------
    ndarray, shape (n, k)
        NaN where nothing is observed within those days.
    """
    first, last = np.floor(t[0] / DAY), np.floor(t[-1] / DAY) + 1
    # GPS seconds count from a noon, so that noons are whole multiples of a day
    days = np.arange(int(first), int(last) + 1)
    nodes = np.array([_mean_around(int(day), sums) for day in days])
    place = t / DAY - first
    i = np.floor(place).astype(np.int64)
    s = ((t - DAY * days[i]) / DAY)[:, None]
    before, after = nodes[i], nodes[i + 1]
    before = np.where(np.isnan(before), after, before)
    after = np.where(np.isnan(after), before, after)
    return np.asarray(before + s * (after - before))


def _mean_around(day: int, sums: list[Sums]) -> list[float]:
    """Mean over the days around one, per column."""
    near = [
        one[d] for one in sums for d in range(day - DAYS, day + DAYS + 1) if d in one
    ]
    means = []
    for column in zip(*near, strict=True):
        total, count = (sum(values) for values in zip(*column, strict=True))
        means.append(total * QUANTUM / count if count else np.nan)
    return means or [np.nan] * 3


def _day_sums(start: float, step: float, values: npt.NDArray[Any]) -> Sums:
    """Sums of the days from noon -12 h to noon +12 h.

    As whole multiples of 2^-50 m s-2 (9e-16), which no order of summing changes.
    """
    counts_in = np.abs(values) <= LARGEST
    quanta = np.rint(np.where(counts_in, values, 0.0) / QUANTUM).astype(np.int64)
    day = np.floor((start + step * np.arange(len(values))) / DAY + 0.5).astype(np.int64)
    edges = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
    totals = np.add.reduceat(quanta, edges, axis=0).tolist()
    counts = np.add.reduceat(counts_in.astype(np.int64), edges, axis=0).tolist()
    return {
        d: list(zip(total, count, strict=True))
        for d, total, count in zip(day[edges].tolist(), totals, counts, strict=True)
    }
