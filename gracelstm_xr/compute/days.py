"""Work that is cut at GPS midnights, whatever the chunks of the data.

Every GPS day is computed from the same samples by the same operations, in whatever
task it falls, so that results agree to the last bit for all chunkings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.compute.blocks import (
    Output,
    as_dask,
    collected,
    gps_axis,
    named,
    seconds_of,
    shared_node,
    token_of,
)
from gracelstm_xr.core.index import axis_of, day_slices

__all__ = [
    "day_blocks",
    "day_number",
    "day_results",
    "group_blocks",
    "midnight",
    "thinned",
]

Array = npt.NDArray[np.float64]
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


def thinned(t: Array, step: float) -> npt.NDArray[np.int64]:
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
    return [task for _, task in _tasks(_each, function, inputs, ds, args, halo, only)]


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
    return _blocks(_joined, function, inputs, ds, args, halo, outputs)


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
    return _blocks(_together, function, inputs, ds, args, halo, outputs)


def _blocks(
    how: DayFunction,
    function: DayFunction,
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    args: tuple[Any, ...],
    halo: float,
    outputs: Mapping[str, Output],
) -> dict[str, Any]:
    tasks = _tasks(how, function, inputs, ds, args, halo)
    made = collected([task for _, task in tasks], [size for size, _ in tasks], outputs)
    chunks = time_chunks(ds)
    if chunks is None:
        return made
    # in tasks: a shuffle between workers would be made anew when one is lost
    return {k: v.rechunk({0: chunks}, method="tasks") for k, v in made.items()}


def time_chunks(ds: xr.Dataset) -> tuple[int, ...] | None:
    """Chunks along time of ``lin_accl``, or of the first variable that has some."""
    names = ["lin_accl"] if "lin_accl" in ds else list(ds.data_vars)
    for name in names:
        if (chunks := ds[name].chunksizes.get("time")) is not None:
            return tuple(chunks)
    return None


def _tasks(
    how: DayFunction,
    function: DayFunction,
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    args: tuple[Any, ...],
    halo: float,
    only: Collection[int] | None = None,
) -> list[tuple[int, Any]]:
    """Samples and task of every group of days."""
    import dask

    first, step, size = gps_axis(ds)
    pad = int(np.ceil(halo / step))
    spans = [
        s
        for s in day_slices(axis_of(ds))
        if only is None or day_number(first + step * s.start) in only
    ]
    sources = {name: as_dask(array) for name, array in inputs.items()}
    shared = [shared_node(arg) for arg in args]
    call = dask.delayed(_run)
    token = token_of(function, sources, ds, how.__name__, args, halo)
    found = []
    for group in _groups(spans, np.cumsum((0, *(time_chunks(ds) or ()))).tolist()):
        low = max(group[0].start - pad, 0)
        high = min(group[-1].stop + pad, size)
        arrays = {name: source[low:high] for name, source in sources.items()}
        days = [slice(s.start - low, s.stop - low) for s in group]
        times = (first, step, low, high)
        key = f"{named(function)}-{token}-{group[0].start}-{group[-1].stop}"
        task = call(how, function, times, arrays, days, pad, shared, dask_key_name=key)
        found.append((group[-1].stop - group[0].start, task))
    return found


def _groups(spans: list[slice], borders: list[int]) -> Iterator[list[slice]]:
    """Consecutive days, at most `GROUP` together, if possible those of a chunk."""
    following = dict(itertools.pairwise(borders))
    group: list[slice] = []
    for span in spans:
        if group and (
            len(group) == GROUP
            or group[-1].stop != span.start
            # a chunk begins that would be cut
            or following.get(span.start, 0) - group[0].start > GROUP * _length(group)
        ):
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _length(group: list[slice]) -> int:
    """Samples in a whole day."""
    return max(int(s.stop) - int(s.start) for s in group)


def _run(
    how: DayFunction,
    function: DayFunction,
    times: tuple[float, float, int, int],
    arrays: Mapping[str, npt.NDArray[Any]],
    days: list[slice],
    pad: int,
    shared: list[Any],
) -> Any:
    """Make the times where they are needed: a graph of years would not hold them."""
    return how(function, seconds_of(*times), arrays, days, pad, shared)


def _each(
    function: DayFunction,
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    days: list[slice],
    pad: int,
    shared: list[Any],
) -> list[Any]:
    """Results of the days of one task, each from its own stretch."""
    results = []
    for day in days:
        low, high = max(day.start - pad, 0), min(day.stop + pad, len(t))
        part = {name: np.asarray(array[low:high]) for name, array in arrays.items()}
        keep = slice(day.start - low, day.stop - low)
        results.append(function(t[low:high], part, keep, *shared))
    return results


def _joined(function: DayFunction, *stretch: Any) -> dict[str, Any]:
    results = _each(function, *stretch)
    return {n: np.concatenate([r[n] for r in results]) for n in results[0]}


def _together(
    function: DayFunction,
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    days: list[slice],
    pad: int,
    shared: list[Any],
) -> Any:
    return function(t, arrays, days, *shared)
