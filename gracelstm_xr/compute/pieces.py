"""Lazy arrays cut into independent pieces, for writers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

__all__ = ["cut", "piece_at"]


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
    whole = HighLevelGraph.merge(*(array.__dask_graph__() for array in wanted))
    keys = [key for array in wanted for key in flatten(array.__dask_keys__())]
    best = optimize(whole, keys)
    found = {}
    for name, array in zip(listed, wanted, strict=True):
        again = da.Array(best, array.name, array.chunks, dtype=array.dtype)
        found[name] = np.asarray(again.to_delayed(optimize_graph=False), dtype=object)
    return found


def piece_at(pieces: npt.NDArray[Any], dims: tuple[Any, ...], **place: int) -> Any:
    """Return one piece by its number along dimensions; 0 along the others."""
    return pieces[tuple(place.get(str(d), 0) for d in dims)]
