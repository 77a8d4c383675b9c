"""Lazy functions of time that need some context on either side of a block.

Dask's ``map_blocks`` does not see neighbours and ``map_overlap`` wants arrays of one
shape; the functions here take several variables, give several outputs, and their
result does not depend on how time is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import getitem
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import Array
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import EPOCH
from gracelstm_xr.version import __version__

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


def gps_seconds(
    ds: xr.Dataset | xr.DataArray, samples: slice
) -> npt.NDArray[np.float64]:
    """GPS seconds past 2000-01-01T12:00:00 of some samples of the axis."""
    first, step, size = gps_axis(ds)
    start, stop, _ = samples.indices(size)
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
        name: (("satellite", "time"), da.stack([one[name] for one in parts]))
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
    _, step, _ = gps_axis(ds)
    blocks = time_blocks(ds)
    most = None if piece is None else round(piece / step)
    tasks = scheduled(
        joined,
        function,
        inputs,
        ds,
        args,
        [_pieces(block, most) for block in blocks],
        halo=halo,
        token=(outputs, piece),
        local=local,
    )
    counts = [length(b) if length else b.stop - b.start for b in blocks]
    return collected(tasks, counts, outputs)


def _pieces(block: slice, most: int | None) -> list[slice]:
    """Cut a block into pieces of at most so many samples."""
    if most is None:
        return [block]
    starts = range(block.start, block.stop, most)
    return [slice(start, min(start + most, block.stop)) for start in starts]


def scheduled(
    how: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    args: tuple[Any, ...],
    groups: Iterable[list[slice]],
    *,
    halo: float,
    token: Any = None,
    local: Callable[[slice], Any] | None = None,
) -> list[Any]:
    """One task for each group of consecutive spans, with context around the group.

    Parameters
    ----------
    how : callable
        `each`, `joined` or `together`.
    function, inputs, ds, args, halo, local
        As for `map_time_blocks`.
    groups : iterable of list of slice
        Spans of the axis of ``ds`` that one task is about.
    token : object, optional
        What the result depends on besides.

    Returns
    -------
    list of dask.delayed.Delayed
        One for each group.
    """
    import dask
    from dask.base import tokenize

    first, step, size = gps_axis(ds)
    pad = int(np.ceil(halo / step))
    sources = {name: as_dask(array) for name, array in inputs.items()}
    # one graph node each, so that a model travels to a process once
    shared = [shared_node(arg) for arg in args]
    call = dask.delayed(_call)
    common = token_of(function, sources, ds, how.__name__, args, halo, token)
    tasks = []
    for spans in groups:
        start, stop = spans[0].start, spans[-1].stop
        low, high = max(start - pad, 0), min(stop + pad, size)
        arrays = {name: source[low:high] for name, source in sources.items()}
        inner = [slice(s.start - low, s.stop - low) for s in spans]
        own = [] if local is None else [local(slice(start, stop))]
        mark = tokenize(common, own) if own else common
        tasks.append(
            call(
                how,
                function,
                (first, step, low, high),
                arrays,
                inner,
                pad,
                [*shared, *own],
                dask_key_name=f"{function.__name__.strip('_')}-{mark}-{start}-{stop}",
            )
        )
    return tasks


def _call(
    how: Callable[..., Any],
    function: Callable[..., Any],
    times: tuple[float, float, int, int],
    arrays: Mapping[str, npt.NDArray[Any]],
    spans: list[slice],
    pad: int,
    args: list[Any],
) -> Any:
    """Make the times where they are needed: a graph of years would not hold them."""
    return how(function, seconds_of(*times), arrays, spans, pad, args)


def each(
    function: Callable[..., Any],
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    spans: list[slice],
    pad: int,
    args: list[Any],
) -> list[Any]:
    """Results of the spans of one task, each from its own stretch."""
    results = []
    for span in spans:
        low, high = max(span.start - pad, 0), min(span.stop + pad, len(t))
        stretch = {name: np.asarray(array[low:high]) for name, array in arrays.items()}
        keep = slice(span.start - low, span.stop - low)
        results.append(function(t[low:high], stretch, keep, *args))
    return results


def joined(function: Callable[..., Any], *task: Any) -> dict[str, Any]:
    """Results of the spans of one task, one after the other."""
    results = each(function, *task)
    if len(results) == 1:
        return dict(results[0])
    return {n: np.concatenate([r[n] for r in results]) for n in results[0]}


def together(
    function: Callable[..., Any],
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    spans: list[slice],
    pad: int,
    args: list[Any],
) -> Any:
    """Result of one call for all spans of a task."""
    return function(t, arrays, spans, *args)


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
    arrays = {}
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
        arrays[name] = da.Array(graph, key, chunks, dtype=dtype)
    return arrays


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

    _, step, size = gps_axis(ds)
    pad = int(np.ceil(halo / step))
    for block in time_blocks(ds):
        wide = slice(max(block.start - pad, 0), min(block.stop + pad, size))
        lazy = {name: array.isel(time=wide).data for name, array in inputs.items()}
        (arrays,) = dask.compute(lazy)
        keep = slice(block.start - wide.start, block.stop - wide.start)
        yield block, gps_seconds(ds, wide), arrays, keep


def cut(
    ds: xr.Dataset, names: Iterable[Any], lengths: Mapping[str, int | tuple[int, ...]]
) -> dict[Any, npt.NDArray[Any]]:
    """Cut variables along some dimensions; whatever they share is computed once.

    Parameters
    ----------
    ds : xarray.Dataset
        In memory, on disk or on Dask; nothing is computed here.
    names : iterable of str
        Variables to cut.
    lengths : mapping of dimension to int or tuple of int
        Length of the pieces, or of each piece; other dimensions are not cut.

    Returns
    -------
    dict of str to ndarray of dask.delayed.Delayed
        One array of pieces per variable, with its dimensions. Compute all pieces in
        one call: a model fitted within the graph is then fitted once.
    """
    import dask.array as da
    from dask.array.optimization import optimize
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph

    wanted: list[Any] = []
    listed = list(names)
    for name in listed:
        variable = ds.variables[name]
        chunks = {d: lengths.get(str(d), -1) for d in variable.dims}
        if variable.chunks is None:
            # name=False: hashing a long series costs more than writing it
            wanted.append(variable.chunk(chunks, name=False).data)  # type: ignore[arg-type]
        else:
            wanted.append(variable.chunk(chunks).data)
    # as one graph: dask.optimize would take every array on its own, and then the
    # tasks they share are computed once for each
    merged = HighLevelGraph.merge(*(array.__dask_graph__() for array in wanted))
    keys = [key for array in wanted for key in flatten(array.__dask_keys__())]
    best = optimize(merged, keys)
    pieces = {}
    for name, array in zip(listed, wanted, strict=True):
        again = da.Array(best, array.name, array.chunks, dtype=array.dtype)
        pieces[name] = np.asarray(again.to_delayed(optimize_graph=False), dtype=object)
    return pieces


def piece_at(pieces: npt.NDArray[Any], dims: tuple[Any, ...], **place: int) -> Any:
    """Return one piece by its number along dimensions; 0 along the others."""
    return pieces[tuple(place.get(str(d), 0) for d in dims)]
