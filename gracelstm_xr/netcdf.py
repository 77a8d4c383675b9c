"""Write a Dataset as CF-1.11 netCDF-4, a few days at a time."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.conventions import CONVENTIONS
from gracelstm_xr.errors import GraceError
from gracelstm_xr.progress import Bar
from gracelstm_xr.target import beside
from gracelstm_xr.timebase import RegularAxis, axis_of
from gracelstm_xr.timecode import time_attributes, time_codes

__all__ = ["to_netcdf"]

SLAB_DAYS = 2
DAY_NS = 86_400_000_000_000
KINDS = "fiubU"
#: ACDD attributes that a product of this package can state without being told.
_ACDD = {
    "naming_authority": "gracelstm_xr",
    "id": "grace-accelerometer-series",
    "cdm_data_type": "Trajectory",
    "license": "as the Level-1B files the data come from",
    "institution": "not stated",
    "creator_name": "not stated",
    "project": "GRACE, GRACE-FO",
    "acknowledgement": "GRACE and GRACE-FO are missions of NASA, DLR and GFZ.",
    "comment": "All times are GPS time; vectors are in the frame of the satellite.",
    "geospatial_lat_min": -90.0,
    "geospatial_lat_max": 90.0,
    "geospatial_lat_units": "degrees_north",
    "geospatial_lon_min": -180.0,
    "geospatial_lon_max": 180.0,
    "geospatial_lon_units": "degrees_east",
    "geospatial_bounds": "POLYGON ((-90 -180, -90 180, 90 180, 90 -180, -90 -180))",
    "geospatial_bounds_crs": "EPSG:4326",
}


def to_netcdf(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    compression: int = 2,
    attrs: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Path:
    """Write `ds` as one netCDF-4 file following CF-1.11 and ACDD-1.3.

    Lazy data are computed two days at a time (or one Dask chunk, where that is
    longer), so that memory does not grow with the series. The file appears under
    its name only when complete.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular time axis.
    path : str or PathLike
        The file; replaced when it exists.
    compression : int, optional
        Deflate level, 0 (none) to 9.
    attrs : mapping, optional
        Global attributes that override those of `ds`, e.g. ``creator_name``.
    progress : bool, optional
        Show progress on standard error.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    GraceError
        The time axis is not regular, or a variable has a type netCDF cannot hold.
    """
    import netCDF4

    final = Path(path).absolute()
    if final.is_dir():
        raise GraceError(f"{final} is a folder; expected the name of a file")
    if not 0 <= compression <= 9:
        raise GraceError(f"compression is {compression}; expected 0 to 9")
    ds = _ordered(ds)
    axis = axis_of(ds)
    final.parent.mkdir(parents=True, exist_ok=True)
    work = beside(final)
    try:
        with netCDF4.Dataset(work, "w", format="NETCDF4") as file:
            _define(
                file, ds, axis, compression, {**_globals(ds, axis), **(attrs or {})}
            )
            _write_fixed(file, ds)
            _write_slabs(file, ds, axis, progress=progress)
        work.replace(final)
    finally:
        work.unlink(missing_ok=True)
    return final


def _ordered(ds: xr.Dataset) -> xr.Dataset:
    """Dimensions in the order of the data model, types checked."""
    for name, variable in ds.variables.items():
        if name != "time" and variable.dtype.kind not in KINDS:
            raise GraceError(
                f"variable {name!r} has type {variable.dtype}; numbers, flags and "
                f"text expected; leave it out with ds.drop_vars({name!r})"
            )
    return ds.transpose("satellite", "time", ..., missing_dims="ignore")


def _globals(ds: xr.Dataset, axis: RegularAxis) -> dict[str, Any]:
    from gracelstm_xr.conventions import (
        append_history,
        coverage_attributes,
        global_attributes,
    )

    letters = (
        map(str, np.atleast_1d(ds["satellite"].values)) if "satellite" in ds else ()
    )
    defaults = global_attributes(
        title="GRACE accelerometer data", source="Level-1B", satellites=letters
    )
    attrs = append_history({**defaults, **ds.attrs}, "written as netCDF")
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        **_ACDD,
        **attrs,
        **coverage_attributes(axis.start, axis.stop, axis.step),
        "Conventions": CONVENTIONS,
        "date_modified": now,
        "date_created": attrs.get("date_created", now),
    }


def _define(
    file: Any,
    ds: xr.Dataset,
    axis: RegularAxis,
    compression: int,
    attrs: Mapping[str, Any],
) -> None:
    """Make dimensions, variables and attributes, without data."""
    file.setncatts({str(k): _attribute(v) for k, v in attrs.items()})
    for name, size in ds.sizes.items():
        file.createDimension(str(name), size)
    day = min(max(DAY_NS // axis.step_ns, 1), max(axis.size, 1))
    for name, variable in ds.variables.items():
        options: dict[str, Any] = {}
        attributes = _variable_attributes(ds, name)
        dims, dtype = variable.dims, np.dtype(_TYPES.get(variable.dtype.kind, "f8"))
        if name == "time":
            dtype, attributes = np.dtype("int64"), time_attributes(axis)
        elif variable.dtype.kind == "U":
            # CF wants labels as characters; text is no coordinate variable there
            dtype, width = np.dtype("S1"), variable.dtype.itemsize // 4
            if f"string{width}" not in file.dimensions:
                file.createDimension(f"string{width}", width)
            dims = (*dims, f"string{width}")
        elif variable.dtype.kind in "fiu":
            dtype = variable.dtype
        if dtype.kind == "f" and name not in ds.coords:
            options["fill_value"] = dtype.type(np.nan)
        if "time" in dims and axis.size:
            lengths = {"satellite": 1, "time": day}
            options["chunksizes"] = [
                lengths.get(str(d), n) for d, n in variable.sizes.items()
            ]
            if compression:
                options |= {"compression": "zlib", "complevel": compression}
                options["shuffle"] = True
        made = file.createVariable(str(name), dtype, dims, **options)
        made.setncatts({k: _typed(k, v, dtype) for k, v in attributes.items()})
        made.set_auto_maskandscale(False)
        made.set_auto_chartostring(False)


_TYPES = {"b": "int8"}
_LIKE_DATA = ("flag_values", "flag_masks", "valid_range", "valid_min", "valid_max")


def _typed(key: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """Attribute value; CF wants flags and ranges in the type of their variable."""
    return np.asarray(value).astype(dtype) if key in _LIKE_DATA else value


def _variable_attributes(ds: xr.Dataset, name: Any) -> dict[str, Any]:
    """Attributes of a variable, naming only what is in the file."""
    variable = ds.variables[name]
    found = {
        str(k): _attribute(v) for k, v in variable.attrs.items() if k != "_FillValue"
    }
    others = str(found.pop("ancillary_variables", "")).split()
    if present := [n for n in others if n in ds.variables]:
        found["ancillary_variables"] = " ".join(present)
    if variable.dtype.kind == "U":
        found["_Encoding"] = "utf-8"
    labels = [
        str(n)
        for n, c in ds.coords.items()
        if (n not in ds.dims or c.dtype.kind == "U")
        and set(c.dims) <= set(variable.dims)
    ]
    if labels and name not in ds.coords:
        found["coordinates"] = " ".join(labels)
    return found


def _attribute(value: Any) -> Any:
    """Return `value` as netCDF can hold it."""
    if isinstance(value, bool | np.bool_):
        return np.int8(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {v}" for k, v in value.items())
    if isinstance(value, list | tuple) and any(isinstance(v, str) for v in value):
        return "\n".join(map(str, value))
    if value is None:
        return ""
    return value


def _write_fixed(file: Any, ds: xr.Dataset) -> None:
    """Write what does not depend on time, in one go."""
    for name, variable in ds.variables.items():
        if "time" not in variable.dims:
            values = np.asarray(variable.values)
            if values.dtype.kind == "U":
                # numpy lays a text array out as one character after the other
                width = values.dtype.itemsize // 4
                flat = np.char.encode(np.atleast_1d(values), "utf-8")
                values = flat.astype(f"S{width}").view("S1")
                values = values.reshape(*ds[name].shape, width)
            file[str(name)][...] = values


def _write_slabs(
    file: Any, ds: xr.Dataset, axis: RegularAxis, *, progress: bool
) -> None:
    """Compute and write one span of time after the other."""
    on_time = [n for n, v in ds.variables.items() if "time" in v.dims and n != "time"]
    slabs = list(_slabs(ds, axis))
    with Bar("netcdf", len(slabs), unit="slab", enabled=progress) as bar:
        for span in slabs:
            part = ds[on_time].drop_vars("time", errors="ignore").isel(time=span)
            part = part.compute()
            for name in on_time:
                variable = part[name]
                key = tuple(span if d == "time" else slice(None) for d in variable.dims)
                file[str(name)][key] = variable.values
            file["time"][span] = time_codes(axis, span)
            bar.update()


def _slabs(ds: xr.Dataset, axis: RegularAxis) -> Iterator[slice]:
    """Spans of whole Dask chunks, of two days at least."""
    day = max(DAY_NS // axis.step_ns, 1)
    longest = [
        max(v.chunksizes["time"])
        for v in ds.data_vars.values()
        if "time" in v.chunksizes
    ]
    step = SLAB_DAYS * day
    if longest:
        chunk = max(longest)
        step = chunk * max(1, -(-step // chunk))
    for first in range(0, axis.size, step):
        yield slice(first, min(first + step, axis.size))
