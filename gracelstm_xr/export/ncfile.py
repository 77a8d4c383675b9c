"""A netCDF-4 file without its series: what xarray writes of a Dataset before them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.core.conventions import netcdf_encoding
from gracelstm_xr.core.time import DAY_NS, RegularAxis
from gracelstm_xr.core.timecode import time_attributes

Encoding = dict[str, Any]
_PLACE = ["latitude", "longitude"]
_LIKE_DATA = ("flag_values", "flag_masks", "valid_range", "valid_min", "valid_max")


def create(
    path: Path,
    ds: xr.Dataset,
    axis: RegularAxis | None,
    *,
    level: int,
    attrs: Mapping[str, Any],
) -> dict[Any, Encoding]:
    """Make the file with everything but the series and what is lazy.

    Parameters
    ----------
    path : pathlib.Path
        New file.
    ds : xarray.Dataset
        What it will hold.
    axis : RegularAxis or None
        Of its time dimension.
    level : int
        Deflate level.
    attrs : mapping
        Global attributes.

    Returns
    -------
    dict of str to dict
        Encodings of the variables that are still without values; times are among
        them.
    """
    import dask.array as da
    from xarray.backends import NetCDF4DataStore

    encodings = netcdf_encoding(ds.variables, complevel=level)
    variables: dict[Any, xr.Variable] = {}
    left: dict[Any, Encoding] = {}
    for name, variable in ds.variables.items():
        attributes, dtype = _attributes(ds, name), variable.dtype
        if name in ds.coords:
            encodings[name]["_FillValue"] = None
        if name == "time" and axis is not None:
            attributes, dtype = time_attributes(axis), np.dtype("int64")
            for key in ("units", "calendar", "dtype"):
                del encodings[name][key]
        if "time" in variable.dims and axis is not None:
            encodings[name] |= _layout(variable, axis)
        if "time" in variable.dims or variable.chunks is not None:
            values = da.empty(variable.shape, dtype=dtype, chunks=-1)
            left[name] = encodings[name]
        else:
            values = variable.values
        variables[name] = xr.Variable(variable.dims, values, attributes)
    coords = {name: variables.pop(name) for name in ds.coords}
    outline = xr.Dataset(
        variables,
        coords=xr.Coordinates(coords, indexes={}),
        attrs={str(k): attribute(v) for k, v in attrs.items()},
    )
    store = NetCDF4DataStore.open(path, mode="w")  # type: ignore[no-untyped-call]
    try:
        # no more than that: what is lazy gets its place in the file and no values
        outline.dump_to_store(store, encoding=encodings)
    finally:
        store.close()
    return left


def _layout(variable: xr.Variable, axis: RegularAxis) -> Encoding:
    """Chunks of a day and a satellite, or of the whole of a shorter series."""
    if not axis.size:
        return {}
    lengths = {"satellite": 1, "time": day_length(axis)}
    sizes = zip(variable.dims, variable.shape, strict=True)
    chunks = tuple(lengths.get(str(d), n) for d, n in sizes)
    return {"chunksizes": chunks}


def day_length(axis: RegularAxis) -> int:
    """Samples in a day, or in a shorter series."""
    return min(max(DAY_NS // axis.step_ns, 1), max(axis.size, 1))


def encoded(variable: xr.Variable, encoding: Encoding) -> bytes | npt.NDArray[Any]:
    """Return values as they stand in the file, compressed if they are a whole chunk.

    HDF5 would compress in one thread for all.
    """
    from numcodecs import Shuffle, Zlib

    bare = xr.Variable(variable.dims, variable.values, encoding=encoding)
    values = np.ascontiguousarray(xr.conventions.encode_cf_variable(bare).values)
    if not encoding.get("zlib") or values.shape != encoding.get("chunksizes"):
        return values
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    shuffled = Shuffle(native.itemsize).encode(native)
    return bytes(Zlib(encoding["complevel"]).encode(shuffled))


def _attributes(ds: xr.Dataset, name: Any) -> dict[str, Any]:
    """Attributes of a variable, naming only what is in the file."""
    variable = ds.variables[name]
    attrs = {
        str(k): _typed(k, attribute(v), variable.dtype)
        for k, v in variable.attrs.items()
        if k not in ("_FillValue", "coordinates")
    }
    others = str(attrs.pop("ancillary_variables", "")).split()
    if present := [n for n in others if n in ds.variables]:
        attrs["ancillary_variables"] = " ".join(present)
    if variable.dtype.kind == "M":
        attrs["units_metadata"] = "leap_seconds: none"
    labels = [
        n for n, c in ds.coords.items() if n not in ds.dims or c.dtype.kind == "U"
    ]
    if set(_PLACE) <= set(ds.data_vars):
        labels += _PLACE  # CF 5: where the samples of a trajectory were taken
    here = [n for n in labels if set(ds[n].dims) <= set(variable.dims)]
    if here and name not in labels and name not in ds.coords:
        attrs["coordinates"] = " ".join(map(str, here))
    return attrs


def _typed(key: Any, value: Any, dtype: np.dtype[Any]) -> Any:
    """Attribute value; CF wants flags and ranges in the type of their variable."""
    return np.asarray(value).astype(dtype) if key in _LIKE_DATA else value


def attribute(value: Any) -> Any:
    """Return `value` as netCDF can hold it."""
    if isinstance(value, bool | np.bool_):
        return np.int8(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {v}" for k, v in value.items())
    if isinstance(value, list | tuple) and any(isinstance(v, str) for v in value):
        return "\n".join(map(str, value))
    return "" if value is None else value
