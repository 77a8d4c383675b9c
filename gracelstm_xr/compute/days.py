"""Work that is cut at GPS midnights, whatever the chunks of the data.

Every GPS day is computed from the same samples by the same operations, in whatever
task it falls, so that results agree to the last bit for all chunkings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.compute.blocks import (
    Output,
    collected,
    each,
    gps_axis,
    joined,
    scheduled,
    together,
)
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import day_slices

#: A function of one day: seconds, loaded inputs with context, the slice that is the
#: day, and further arguments.
DayFunction = Callable[..., Any]
#: Days in one task: long enough to spare the scheduler, short enough for memory.
GROUP = 4


def midnight(t: float) -> float:
    """GPS second of the midnight at or before ``t``; GPS seconds count from noon."""
    return float(np.floor((t - 43_200.0) / 86_400.0) * 86_400.0 + 43_200.0)


def day_number(t: float) -> int:
    """GPS days from 2000-01-02 to the day of GPS second ``t``."""
    return int(np.floor((t - 43_200.0) / 86_400.0))


def thinned(t: Array, step: float) -> IntArray:
    """Positions of the first sample in every whole multiple of ``step`` seconds."""
    if len(t) < 2:
        return np.arange(len(t))
    number = np.floor(t / step)
    return np.flatnonzero(number != np.floor((t - (t[1] - t[0])) / step))


def day_results(
    function: DayFunction,
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    *args: Any,
    halo: float,
    only: Collection[int] | None = None,
) -> list[Any]:
    """Call ``function`` once per GPS day, lazily.

    Parameters
    ----------
    function : callable
        Called as ``function(t, arrays, keep, *args)`` with GPS seconds, the loaded
        inputs of the day and ``halo`` around it, and where the day stands in them.
        Must be importable.
    inputs : mapping of str to DataArray
        Variables with time as first dimension, on the axis of ``ds``.
    ds : xarray.Dataset
        Gives the axis.
    *args
        Further arguments; Dask objects among them are computed once.
    halo : float
        Context before and after each day [s].
    only : collection of int, optional
        Numbers of the days wanted, see `day_number`; all by default.

    Returns
    -------
    list of dask.delayed.Delayed
        Each is the list of results of some consecutive days; in order of time.
    """
    return scheduled(each, function, inputs, ds, args, _groups(ds, only), halo=halo)


def day_blocks(
    function: DayFunction,
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    *args: Any,
    halo: float,
    outputs: Mapping[str, Output],
) -> dict[str, Any]:
    """Series that ``function`` makes day by day, as lazy arrays.

    Parameters
    ----------
    function, inputs, ds, *args, halo
        As in `day_results`; ``function`` returns one array per output for the day.
    outputs : mapping of str to (shape, dtype)
        Shape after the time dimension and type of each output.

    Returns
    -------
    dict of str to dask array
        With time first.
    """
    return _blocks(joined, function, inputs, ds, args, halo, outputs)


def group_blocks(
    function: DayFunction,
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    *args: Any,
    halo: float,
    outputs: Mapping[str, Output],
) -> dict[str, Any]:
    """Series that ``function`` makes of several days at once, as lazy arrays.

    Parameters
    ----------
    function : callable
        Called as ``function(t, arrays, days, *args)`` with the slices of some
        consecutive days in a stretch with ``halo`` around them; returns one array per
        output for all these days. What it makes of a day must not depend on the
        others: which days come together follows the chunks.
    inputs, ds, *args, halo, outputs
        As in `day_blocks`.

    Returns
    -------
    dict of str to dask array
        With time first.
    """
    return _blocks(together, function, inputs, ds, args, halo, outputs)


def _blocks(
    how: DayFunction,
    function: DayFunction,
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    args: tuple[Any, ...],
    halo: float,
    outputs: Mapping[str, Output],
) -> dict[str, Any]:
    groups = _groups(ds)
    tasks = scheduled(how, function, inputs, ds, args, groups, halo=halo)
    counts = [group[-1].stop - group[0].start for group in groups]
    series = collected(tasks, counts, outputs)
    chunks = time_chunks(ds)
    if chunks is None:
        return series
    # in tasks: a shuffle between workers would be made anew when one is lost
    return {k: v.rechunk({0: chunks}, method="tasks") for k, v in series.items()}


def time_chunks(ds: xr.Dataset) -> tuple[int, ...] | None:
    """Chunks along time of ``lin_accl``, or of the first variable that has some."""
    names = ["lin_accl"] if "lin_accl" in ds else list(ds.data_vars)
    for name in names:
        if (chunks := ds[name].chunksizes.get("time")) is not None:
            return tuple(chunks)
    return None


def _groups(ds: xr.Dataset, only: Collection[int] | None = None) -> list[list[slice]]:
    """Consecutive days, at most `GROUP` together, if possible those of a chunk."""
    first, step, _ = gps_axis(ds)
    days = [
        day
        for day in day_slices(axis_of(ds))
        if only is None or day_number(first + step * day.start) in only
    ]
    borders = np.cumsum((0, *(time_chunks(ds) or ()))).tolist()
    end_of_chunk = dict(itertools.pairwise(borders))
    groups: list[list[slice]] = []
    for day in days:
        group = groups[-1] if groups else []
        if (
            not group
            or len(group) == GROUP
            or group[-1].stop != day.start
            # a chunk begins that would be cut
            or end_of_chunk.get(day.start, 0) - group[0].start
            > GROUP * max(int(d.stop) - int(d.start) for d in group)
        ):
            groups.append([])
        groups[-1].append(day)
    return groups
