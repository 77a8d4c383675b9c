"""The table of gaps in ``lin_accl``."""

from __future__ import annotations

import itertools
from typing import Any

import dask
import numpy as np
import xarray as xr

from gracelstm_xr.arrays import BoolArray
from gracelstm_xr.compute.blocks import as_dask
from gracelstm_xr.core.conventions import require_series
from gracelstm_xr.core.gaps import (
    axis_pattern,
    is_missing,
    runs,
    tell_of_step,
    usable,
)
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.labels import duration


def find_gaps(ds: xr.Dataset, *, min_length: Any = "1s") -> xr.Dataset:
    """Table of the gaps in ``lin_accl``.

    Samples that `usable` leaves out after cleaning count as missing.

    A sample belongs to a gap when all three axes are missing or any axis is
    missing that the satellite observes elsewhere in its block of data; an axis
    that is never observed (a file with x only) is left out of the question.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl`` on a regular axis. Computes that variable,
        one time chunk at a time.
    min_length : str, number or timedelta, default "1s"
        Shortest gap listed, as a duration ("10s", "2h") or in seconds.

    Returns
    -------
    xarray.Dataset
        Dimension ``gap``; variables ``start`` (first missing epoch), ``stop`` (first
        epoch observed again), ``length`` [s], ``satellite``; sorted by satellite and
        start. A satellite without any observation is one gap.

    Raises
    ------
    GraceError
        When the Dataset holds no ``lin_accl``.

    Examples
    --------
    >>> gaps = ds.grace.gaps(min_length="10s")
    >>> gaps["satellite"].values, gaps["length"].values
    (array(['B'], dtype='<U1'), array([60.]))
    """
    require_series(ds, empty=True)
    shortest = duration(min_length, name="min_length", zero=True)
    axis = axis_of(ds)
    step = axis.step / np.timedelta64(1, "s")
    accl = usable(ds)
    if "satellite" not in accl.dims:
        accl = accl.expand_dims("satellite")
    rows: list[tuple[Any, int, int]] = []
    for name in accl["satellite"].values:
        missing = missing_samples(accl.sel(satellite=name))
        tell_of_step(missing, float(step), f" of satellite {name}")
        rows += [(name, int(a), int(b)) for a, b in runs(missing)]
    keep = [row for row in rows if (row[2] - row[1]) * step >= shortest]
    first = np.array([row[1] for row in keep], dtype=np.int64)
    past = np.array([row[2] for row in keep], dtype=np.int64)
    epoch = {"long_name": "GPS time", "units_metadata": "leap_seconds: none"}
    return xr.Dataset(
        {
            "start": ("gap", axis.start + first * axis.step, epoch),
            "stop": ("gap", axis.start + past * axis.step, epoch),
            "length": (
                "gap",
                (past - first) * step,
                {"units": "s", "long_name": "length of the gap"},
            ),
            "satellite": (
                "gap",
                np.array([row[0] for row in keep], dtype="<U1"),
                {"long_name": "satellite"},
            ),
        },
        attrs={"minimum_length": f"{shortest:g} s", "sampling": f"{step:g} s"},
    )


def missing_samples(accl: xr.DataArray) -> BoolArray:
    """Where ``accl`` (time, axis) of one satellite is missing.

    Returns
    -------
    ndarray of bool, shape (time,)
        True where any axis is missing that is observed somewhere in the series;
        all True when nothing is observed.
    """
    source = as_dask(accl.transpose("time", "axis"))
    # a byte per sample, made chunk by chunk: a long series is never held whole
    edges = np.cumsum((0, *source.chunks[0])).tolist()
    call = dask.delayed(axis_pattern, pure=False)
    tasks = [call(source[a:b]) for a, b in itertools.pairwise(edges)]
    pattern = np.concatenate([np.zeros(0, np.uint8), *dask.compute(*tasks)])
    return is_missing(pattern, np.bitwise_or.reduce(pattern, initial=0))
