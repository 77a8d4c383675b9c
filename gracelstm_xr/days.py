"""Work that is cut at GPS midnights, whatever the chunks of the data.

Every GPS day is computed from the same samples by the same operations, in whatever
task it falls, so that results agree to the last bit for all chunkings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.blocks import Output, gps_axis
from gracelstm_xr.timebase import axis_of, day_slices

__all__ = ["day_blocks", "day_number", "day_results", "midnight", "thinned"]

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
    return [task for _, task in _tasks(function, inputs, ds, args, halo, only)]


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
    import dask
    import dask.array as da

    join = dask.delayed(_join, pure=False)
    pieces: dict[str, list[Any]] = {name: [] for name in outputs}
    for size, task in _tasks(function, inputs, ds, args, halo):
        for name, (shape, dtype) in outputs.items():
            whole = da.from_delayed(join(task, name), (size, *shape), dtype=dtype)
            pieces[name].append(whole)
    return {name: da.concatenate(parts) for name, parts in pieces.items()}


def _tasks(
    function: DayFunction,
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    args: tuple[Any, ...],
    halo: float,
    only: Collection[int] | None = None,
) -> list[tuple[int, Any]]:
    """Samples and task of every group of days."""
    import dask

    axis = axis_of(ds)
    first, step, size = gps_axis(ds)
    pad = int(np.ceil(halo / step))
    spans = [
        s
        for s in day_slices(axis)
        if only is None or day_number(first + step * s.start) in only
    ]
    sources = {name: _as_dask(array) for name, array in inputs.items()}
    shared = [dask.delayed(a, pure=False) if _heavy(a) else a for a in args]
    call = dask.delayed(_run, pure=False)
    found = []
    for group in _groups(spans):
        low = max(group[0].start - pad, 0)
        high = min(group[-1].stop + pad, size)
        arrays = {name: source[low:high] for name, source in sources.items()}
        days = [(s.start - low, s.stop - low) for s in group]
        task = call(
            function, first + step * low, step, arrays, days, pad, high - low, shared
        )
        found.append((group[-1].stop - group[0].start, task))
    return found


def _groups(spans: list[slice]) -> Iterator[list[slice]]:
    """Consecutive days, at most `GROUP` together."""
    group: list[slice] = []
    for span in spans:
        if group and (len(group) == GROUP or group[-1].stop != span.start):
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _run(
    function: DayFunction,
    start: float,
    step: float,
    arrays: Mapping[str, npt.NDArray[Any]],
    days: list[tuple[int, int]],
    pad: int,
    size: int,
    shared: list[Any],
) -> list[Any]:
    """Results of the days of one task, each from its own stretch."""
    results = []
    for begin, end in days:
        low, high = max(begin - pad, 0), min(end + pad, size)
        # from whole numbers, so that a second is the same number in every task
        t = start + step * np.arange(low, high)
        part = {name: np.asarray(array[low:high]) for name, array in arrays.items()}
        results.append(function(t, part, slice(begin - low, end - low), *shared))
    return results


def _join(results: list[Mapping[str, Array]], name: str) -> Array:
    return np.concatenate([result[name] for result in results])


def _heavy(arg: Any) -> bool:
    from dask.base import is_dask_collection

    plain = isinstance(arg, int | float | str | bool | tuple | type(None))
    return not plain and not is_dask_collection(arg)


def _as_dask(array: xr.DataArray) -> Any:
    if array.chunks is None:
        # name=False: hashing a long series costs more than reading it
        return array.chunk({"time": GROUP * 86_400}, name_prefix="grace-").data
    return array.data
