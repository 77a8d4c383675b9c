"""Lazy functions of time that need some context on either side of a block.

Dask's ``map_blocks`` does not see neighbours and ``map_overlap`` wants arrays of one
shape; the functions here take several variables, give several outputs, and their
result does not depend on how time is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import getitem
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.core.index import EPOCH, axis_of
from gracelstm_xr.version import __version__

__all__ = [
    "Output",
    "as_dask",
    "collected",
    "gps_axis",
    "gps_seconds",
    "iterate_time_blocks",
    "map_time_blocks",
    "per_satellite",
    "seconds_of",
    "shared_node",
    "stack_satellites",
    "time_blocks",
    "token_of",
]

#: Shape after time and type of one output of a blockwise function.
Output = tuple[tuple[int, ...], npt.DTypeLike]
#: Shortest block [s]: below it the context costs more than the block.
SHORTEST_BLOCK = 86_400
#: Block length [s] of data that are not chunked.
DEFAULT_BLOCK = 5 * 86_400


def gps_axis(ds: xr.Dataset | xr.DataArray) -> tuple[float, float, int]:
    """First GPS second, step [s] and size of the time axis."""
    axis = axis_of(ds)
    first = (axis.start - EPOCH) / np.timedelta64(1, "s")
    return float(first), float(axis.step / np.timedelta64(1, "s")), axis.size


def gps_seconds(ds: xr.Dataset | xr.DataArray, part: slice) -> npt.NDArray[np.float64]:
    """GPS seconds past 2000-01-01T12:00:00 of the samples in ``part``."""
    first, step, size = gps_axis(ds)
    start, stop, _ = part.indices(size)
    return seconds_of(first, step, start, stop)


def seconds_of(
    first: float, step: float, start: int, stop: int
) -> npt.NDArray[np.float64]:
    """Seconds of the samples from number ``start`` to before ``stop`` of an axis.

    From whole numbers: a sample has the same second in every block it falls in.
    """
    return np.asarray(first + step * np.arange(start, stop), dtype=np.float64)


def per_satellite(ds: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """Letter and Dataset of every satellite; a single file has one, and no dimension.

    A Dataset without any coordinate ``satellite`` has the letter "".
    """
    letters = (
        np.atleast_1d(ds["satellite"].values) if "satellite" in ds.coords else [""]
    )
    if "satellite" not in ds.dims:
        return [(str(letters[0]), ds)]
    return [(str(s), ds.isel(satellite=i)) for i, s in enumerate(letters)]


def stack_satellites(
    ds: xr.Dataset, parts: list[dict[str, Any]]
) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Join what `map_time_blocks` gave for every satellite of `per_satellite`.

    Returns
    -------
    dict of str to (dims, dask array)
        Dimensions ``satellite``, where ``ds`` has it, and ``time``; those that follow
        are the caller's.
    """
    import dask.array as da

    if "satellite" not in ds.dims:
        return {name: (("time",), array) for name, array in parts[0].items()}
    return {
        name: (("satellite", "time"), da.stack([part[name] for part in parts]))
        for name in parts[0]
    }


def time_blocks(ds: xr.Dataset, *, name: str = "lin_accl") -> list[slice]:
    """Cut the time axis at chunk borders into blocks of at least a day.

    The borders are those of ``name``, or of the first variable along time where
    there is no such.
    """
    axis = axis_of(ds)
    step = axis.step / np.timedelta64(1, "s")
    if name not in ds:
        name = next(str(n) for n, v in ds.data_vars.items() if "time" in v.dims)
    dims = ds[name].dims
    chunks = ds[name].chunks
    if chunks is None:
        length = max(round(DEFAULT_BLOCK / step), 1)
        edges = list(range(0, axis.size, length))
    else:
        borders = np.cumsum((0, *chunks[dims.index("time")]))[:-1]
        edges = [0]
        for border in borders[1:].tolist():
            if (border - edges[-1]) * step >= SHORTEST_BLOCK:
                edges.append(border)
    stops = [*edges[1:], axis.size]
    return [slice(a, b) for a, b in zip(edges, stops, strict=True)]


def map_time_blocks(
    function: Callable[..., Mapping[str, npt.NDArray[Any]]],
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    *args: Any,
    halo: float,
    outputs: Mapping[str, Output],
    length: Callable[[slice], int] | None = None,
    local: Callable[[slice], Any] | None = None,
    piece: float | None = None,
) -> dict[str, Any]:
    """Apply ``function`` to overlapping stretches of time, lazily.

    Parameters
    ----------
    function : callable
        Called as ``function(t, arrays, keep, *args)`` with GPS seconds, the loaded
        inputs including context, and the slice of samples wanted; returns one array
        per output for ``keep``. Must be importable.
    inputs : mapping of str to DataArray
        Variables with time as first dimension, on the axis of ``ds``.
    ds : xarray.Dataset
        Gives axis and blocks.
    *args
        Further arguments; dask objects among them are computed once.
    halo : float
        Context before and after each block [s].
    outputs : mapping of str to (shape, dtype)
        Shape after the time dimension and type of each output.
    length : callable, optional
        Samples that ``function`` returns for a block of the axis of ``ds``; by
        default as many as the block has.
    local : callable, optional
        Gives a last argument for a block of the axis of ``ds``; dask objects in it
        are computed for that block alone.
    piece : float, optional
        Most seconds that ``function`` is called with at a time, besides the context;
        bounds the memory of functions that hold many arrays. Not with ``length``.

    Returns
    -------
    dict of str to dask array
        With time first.
    """
    import dask
    from dask.base import tokenize

    sources = {name: as_dask(array) for name, array in inputs.items()}
    call = dask.delayed(_call)
    first, step, _ = gps_axis(ds)
    token = token_of(function, sources, ds, args, halo, outputs, piece)
    cut = None if piece is None else (round(piece / step), int(np.ceil(halo / step)))
    # one graph node each, so that a model travels to a process once
    shared = [shared_node(arg) for arg in args]
    tasks: list[Any] = []
    counts = []
    for block, wide, keep in _stretches(ds, halo):
        arrays = {name: source[wide] for name, source in sources.items()}
        own = [] if local is None else [local(block)]
        times = (first, step, wide.start, wide.stop)
        key = f"{named(function)}-{tokenize(token, own)}-{len(tasks)}"
        tasks.append(
            call(function, times, arrays, keep, cut, *shared, *own, dask_key_name=key)
        )
        counts.append(length(block) if length else block.stop - block.start)
    return collected(tasks, counts, outputs)


def named(function: Callable[..., Any]) -> str:
    """Name of a function as the beginning of a Dask key."""
    return function.__name__.strip("_")


def token_of(
    function: Callable[..., Any],
    sources: Mapping[str, Any],
    ds: xr.Dataset,
    *others: Any,
) -> str:
    """Token for Dask keys of a function of lazy arrays.

    The same in every process for the same inputs, so that what an interrupted run has
    written is known to be what the next one would write.

    Parameters
    ----------
    function : callable
        Importable.
    sources : mapping of str to dask array
        Known by their names.
    ds : xarray.Dataset
        Gives the axis and its blocks.
    *others
        Whatever else the result depends on.
    """
    from dask.base import tokenize

    names = {key: (array.name, array.chunks) for key, array in sources.items()}
    what = f"{function.__module__}.{function.__qualname__} {__version__}"
    blocks = [(b.start, b.stop) for b in time_blocks(ds)]
    return str(tokenize(what, names, str(axis_of(ds)), blocks, others))


def collected(
    tasks: list[Any], counts: list[int], outputs: Mapping[str, Output]
) -> dict[str, Any]:
    """One array per output from delayed dicts of consecutive blocks.

    As one layer each: an array per block and output would take minutes for years.
    """
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    merged = HighLevelGraph.merge(*(task.__dask_graph__() for task in tasks))
    layers = {task.__dask_layers__()[0] for task in tasks}
    token = tokenize([task.key for task in tasks], counts)
    found = {}
    for name, (shape, dtype) in outputs.items():
        key = f"{name}-{token}"
        zeros = (0,) * len(shape)
        layer = {
            (key, i, *zeros): (getitem, task.key, name) for i, task in enumerate(tasks)
        }
        graph = HighLevelGraph(
            {**merged.layers, key: layer}, {**merged.dependencies, key: layers}
        )
        chunks = (tuple(counts), *((size,) for size in shape))
        found[name] = da.Array(graph, key, chunks, dtype=dtype)
    return found


def _call(
    function: Callable[..., Any],
    times: tuple[float, float, int, int],
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    cut: tuple[int, int] | None,
    *args: Any,
) -> Any:
    """Make the times where they are needed: a graph of years would not hold them."""
    t = seconds_of(*times)
    if cut is None or keep.stop - keep.start <= cut[0]:
        return function(t, arrays, keep, *args)
    size, pad = cut
    parts = []
    for start in range(keep.start, keep.stop, size):
        stop = min(start + size, keep.stop)
        wide = slice(max(start - pad, 0), min(stop + pad, len(t)))
        some = {name: array[wide] for name, array in arrays.items()}
        inner = slice(start - wide.start, stop - wide.start)
        parts.append(function(t[wide], some, inner, *args))
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def _stretches(ds: xr.Dataset, halo: float) -> Iterator[tuple[slice, slice, slice]]:
    """Block, block with context, and the first within the second."""
    axis = axis_of(ds)
    pad = int(np.ceil(halo / (axis.step / np.timedelta64(1, "s"))))
    for block in time_blocks(ds):
        wide = slice(max(block.start - pad, 0), min(block.stop + pad, axis.size))
        keep = slice(block.start - wide.start, block.stop - wide.start)
        yield block, wide, keep


def shared_node(arg: Any) -> Any:
    """Argument of many tasks as one node of the graph, sent to a process once."""
    import dask
    from dask.base import is_dask_collection, tokenize

    plain = isinstance(arg, int | float | str | bool | tuple | type(None))
    if plain or is_dask_collection(arg):
        return arg
    name = f"{type(arg).__name__.lower()}-{tokenize(arg)}"
    return dask.delayed(arg, name=name, traverse=False)


def as_dask(array: xr.DataArray) -> Any:
    """Dask array of a variable with time first, chunked if it is not yet."""
    if array.chunks is None:
        return array.chunk({"time": DEFAULT_BLOCK}, name_prefix="grace-").data
    return array.data


def iterate_time_blocks(
    inputs: Mapping[str, xr.DataArray], ds: xr.Dataset, *, halo: float
) -> Iterator[
    tuple[slice, npt.NDArray[np.float64], dict[str, npt.NDArray[Any]], slice]
]:
    """Load the same stretches one after the other, for eager work in flat memory.

    Yields
    ------
    block : slice
        Samples of the axis this step is about.
    t : ndarray
        GPS seconds of the stretch with its context.
    arrays : dict of str to ndarray
        Loaded inputs of the stretch.
    keep : slice
        Where the block stands in the stretch.
    """
    import dask

    for block, wide, keep in _stretches(ds, halo):
        lazy = {name: array.isel(time=wide).data for name, array in inputs.items()}
        (arrays,) = dask.compute(lazy)
        yield block, gps_seconds(ds, wide), arrays, keep
