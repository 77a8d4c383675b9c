"""What no accelerometer measures is missing for all that learns, fills or scores.

The one place: every verb that reads a stretch with its context screens its Dataset
first, and everything below sees gaps.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.compute.blocks import (
    DEFAULT_BLOCK,
    gps_axis,
    gps_seconds,
    map_time_blocks,
    per_satellite,
    stack_satellites,
)
from gracelstm_xr.core.components import require_axes
from gracelstm_xr.core.gaps import tell_of_step
from gracelstm_xr.errors import GraceWarning, number_of
from gracelstm_xr.preprocess.outliers import (
    IMPOSSIBLE,
    IMPOSSIBLE_HALO,
    STILL,
    impossible,
)

#: Variable of a lazily screened Dataset: bits of
#: `gracelstm_xr.preprocess.outliers.IMPOSSIBLE` per satellite and sample.
MARKS = "impossible"
#: Name of the marks among the inputs of work on one satellite.
OWN_MARKS = "own.marks"


def screened(ds: xr.Dataset, *, clean: bool = True) -> xr.Dataset:
    """Dataset whose impossible accelerations are missing.

    Of data in memory a warning tells at once what is left out. Other data stay lazy
    and carry their marks as `MARKS`, for the work that reads them to tell. Samples that
    come regularly, but farther apart than those of the axis, are told of likewise.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model.
    clean : bool, default True
        False leaves everything as it is.

    Returns
    -------
    xarray.Dataset
        ``ds`` itself where nothing is impossible, and after ``ds.grace.clean()``,
        which has decided what counts. Values do not depend on chunks.
    """
    require_axes(ds)
    if not clean or "acc_cleanflg" in ds or "lin_accl" not in ds:
        return ds
    accl = ds["lin_accl"]
    if accl.sizes["time"] < 2:
        return ds
    if accl.chunks is None:
        if isinstance(accl.variable._data, np.ndarray):
            return _screened_now(ds)
        accl = accl.chunk({"time": DEFAULT_BLOCK})
        ds = ds.assign(lin_accl=accl)
    parts = [
        map_time_blocks(
            _block,
            {"values": one["lin_accl"].transpose("time", "axis")},
            one,
            letter,
            halo=IMPOSSIBLE_HALO,
            outputs={
                "values": ((one.sizes["axis"],), accl.dtype),
                "marks": ((), np.uint8),
            },
        )
        for letter, one in per_satellite(ds)
    ]
    arrays = stack_satellites(ds, parts)
    dims, values = arrays["values"]
    own = xr.DataArray(values, dims=(*dims, "axis")).transpose(*accl.dims)
    same = own.data.rechunk(accl.chunks)
    result = ds.assign(lin_accl=(accl.dims, same, accl.attrs, accl.encoding))
    return result.assign({MARKS: arrays["marks"]})


def _screened_now(ds: xr.Dataset) -> xr.Dataset:
    """Screen data in memory and tell."""
    values: Array | None = None
    turned = ds["lin_accl"].transpose(..., "time", "axis")
    t = gps_seconds(ds, slice(None))
    for number, (letter, one) in enumerate(per_satellite(ds)):
        own = one["lin_accl"].transpose("time", "axis").values
        _tell_of_step(letter, t, own)
        marks = impossible(t, np.asarray(own, dtype=np.float64))
        if not marks.any():
            continue
        if values is None:
            values = turned.values.copy()
        series = values[number] if values.ndim == 3 else values
        series[_left_out(marks, series.shape[1])] = np.nan
        tell(letter, counts_of(marks))
    if values is None:
        return ds
    kept = turned.copy(data=values).transpose(*ds["lin_accl"].dims)
    return ds.assign(lin_accl=kept)


def _block(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice, letter: str
) -> dict[str, npt.NDArray[Any]]:
    own = np.asarray(arrays["values"])
    _tell_of_step(letter, t, own)
    marks = impossible(t, own.astype(np.float64, copy=False))[keep]
    values = own[keep]
    if marks.any():
        values = np.where(_left_out(marks, own.shape[1]), np.nan, values)
    return {"values": values, "marks": marks}


def _tell_of_step(letter: str, t: Array, own: npt.NDArray[Any]) -> None:
    missing = ~np.isfinite(own).any(axis=1)
    whose = f" of satellite {letter}" if letter else ""
    tell_of_step(missing, float(np.diff(t[:2]).sum()), whose)


def _left_out(marks: npt.NDArray[np.uint8], axes: int) -> npt.NDArray[np.bool_]:
    """Axes of every sample that are left out: the stuck ones, else all."""
    result = np.stack([(marks & (STILL << k)) != 0 for k in range(axes)], axis=1)
    result |= ((marks & (STILL - 1)) != 0)[:, None]
    return result


def marks_of(ds: xr.Dataset, satellite: str | None) -> xr.DataArray | None:
    """Marks of one satellite of a lazily screened Dataset; None where there are none.

    Parameters
    ----------
    ds : xarray.Dataset
        From `screened`.
    satellite : str or None
    """
    if satellite is None or MARKS not in ds:
        return None
    marks = ds[MARKS]
    return marks.sel(satellite=satellite) if "satellite" in marks.dims else marks


def counts_of(marks: npt.NDArray[np.uint8]) -> IntArray:
    """Samples with any mark, then samples by bit of `IMPOSSIBLE`."""
    values = np.bincount(marks, minlength=256)
    number = np.arange(256)
    kinds = [int(values[(number & bit) != 0].sum()) for bit in IMPOSSIBLE.values()]
    return np.array([values[1:].sum(), *kinds], dtype=np.int64)


def tell(satellite: str, counts: IntArray, where: str = "") -> None:
    """Warn of what was left out, if anything was.

    Parameters
    ----------
    satellite : str
        Letter.
    counts : ndarray of int64
        Of `counts_of`.
    where : str
        Says of which time the counts are.
    """
    if not counts[0]:
        return
    kinds = ", ".join(
        f"{count} {kind}"
        for kind, count in zip(IMPOSSIBLE, counts[1:].tolist(), strict=True)
        if count
    )
    warnings.warn(
        f"found {number_of(counts[0], 'impossible sample')} of satellite "
        f"{satellite}{where} ({kinds}), which count as missing: look with "
        "ds.grace.clean(), or pass clean=False to keep them",
        GraceWarning,
        stacklevel=2,
    )


def counted(ds: xr.Dataset, satellite: str | None) -> Any:
    """Counts of `counts_of` over a whole lazily screened Dataset, as a Dask array.

    None where there are no marks.
    """
    marks = marks_of(ds, satellite)
    if marks is None:
        return None
    width = len(IMPOSSIBLE) + 1
    each = marks.data.map_blocks(
        _row, dtype=np.int64, new_axis=1, chunks=((1,) * marks.data.npartitions, width)
    )
    return each.sum(axis=0)


def _row(marks: npt.NDArray[np.uint8]) -> IntArray:
    return counts_of(marks)[None]


def tell_of(
    ds: xr.Dataset, satellites: Iterable[str | None], span: tuple[float, float]
) -> None:
    """Count and tell what a lazily screened Dataset leaves out of a span; computes.

    Parameters
    ----------
    ds : xarray.Dataset
        From `screened`.
    satellites : iterable of str or None
        None is passed over.
    span : tuple of float
        GPS seconds.
    """
    first, step, size = gps_axis(ds)
    low, past = (min(max(round((x - first) / step), 0), size) for x in span)
    stretch = ds.isel(time=slice(low, past))
    for name in dict.fromkeys(satellites):
        counts = counted(stretch, name)
        if counts is not None:
            tell(str(name), counts.compute())
