"""A netCDF-4 file without its series: dimensions, variables, attributes, layout."""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.core.time import DAY_NS, RegularAxis
from gracelstm_xr.core.timecode import time_attributes, time_codes

__all__ = ["Layout", "attribute", "create", "packed"]

Array = npt.NDArray[Any]
#: Days of the time variable encoded at once.
TIMES_AT_ONCE = 30
_EPOCH = np.datetime64("2000-01-01T12:00:00", "ns")
_PLACE = ["latitude", "longitude"]
_LIKE_DATA = ("flag_values", "flag_masks", "valid_range", "valid_min", "valid_max")


@dataclasses.dataclass(frozen=True)
class Layout:
    """How one variable stands in the file.

    Parameters
    ----------
    dtype
        Type in the file.
    chunks
        Shape of a chunk, empty where the variable is not chunked.
    fill
        Value of what lies past the end of the series in the last chunk.
    level
        Deflate level, 0 for none.
    """

    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    fill: Any
    level: int

    @property
    def shuffle(self) -> bool:
        """Whether bytes of the same weight are put together before deflating."""
        return self.level > 0 and self.dtype.itemsize > 1


def create(
    path: Path,
    ds: xr.Dataset,
    axis: RegularAxis | None,
    *,
    level: int,
    attrs: Mapping[str, Any],
) -> dict[Any, Layout]:
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
    dict of str to Layout
        Of the variables that are still without values.
    """
    import netCDF4

    left: dict[Any, Layout] = {}
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts({str(k): attribute(v) for k, v in attrs.items()})
        for name, size in ds.sizes.items():
            file.createDimension(str(name), size)
        for name, variable in ds.variables.items():
            if name == "time" and axis is not None:
                _add_time(file, axis, level)
            elif variable.dtype.kind == "U":
                _add_labels(file, ds, name)
            else:
                layout = _layout(variable, axis, level)
                made = _add(file, ds, name, layout)
                if "time" in variable.dims or variable.chunks is not None:
                    left[name] = layout
                else:
                    made[...] = encoded(np.asarray(variable.values), layout.dtype)
    return left


def _layout(variable: xr.Variable, axis: RegularAxis | None, level: int) -> Layout:
    kinds = {"b": "i1", "M": "i8", "m": "f8"}
    dtype = np.dtype(kinds.get(variable.dtype.kind, variable.dtype))
    dtype = dtype.newbyteorder("=")
    fill = dtype.type(np.nan) if dtype.kind == "f" else dtype.type(0)
    if axis is None or "time" not in variable.dims or not axis.size:
        return Layout(dtype, (), fill, 0)
    lengths = {"satellite": 1, "time": _day(axis)}
    sizes = zip(variable.dims, variable.shape, strict=True)
    return Layout(dtype, tuple(lengths.get(str(d), n) for d, n in sizes), fill, level)


def _day(axis: RegularAxis) -> int:
    """Samples in a chunk: a day, or the whole of a shorter series."""
    return min(max(DAY_NS // axis.step_ns, 1), max(axis.size, 1))


def _add(file: Any, ds: xr.Dataset, name: Any, layout: Layout) -> Any:
    options: dict[str, Any] = {}
    if layout.chunks:
        options["chunksizes"] = layout.chunks
    if layout.level:
        options |= {"compression": "zlib", "complevel": layout.level}
        options["shuffle"] = layout.shuffle
    if name not in ds.coords:
        if layout.dtype.kind == "f":
            options["fill_value"] = layout.fill
        elif ds.variables[name].dtype.kind == "M":
            options["fill_value"] = np.iinfo("i8").min  # what NaT is in memory
    made = file.createVariable(
        str(name), layout.dtype, ds.variables[name].dims, **options
    )
    attributes = _attributes(ds, name)
    made.setncatts({k: _typed(k, v, layout.dtype) for k, v in attributes.items()})
    made.set_auto_maskandscale(False)
    return made


def _add_time(file: Any, axis: RegularAxis, level: int) -> None:
    options: dict[str, Any] = {"chunksizes": [_day(axis)]} if axis.size else {}
    if level and axis.size:
        options |= {"compression": "zlib", "complevel": level, "shuffle": True}
    made = file.createVariable("time", "i8", ("time",), **options)
    made.setncatts(time_attributes(axis))
    made.set_auto_maskandscale(False)
    step = TIMES_AT_ONCE * _day(axis)
    for first in range(0, axis.size, step):
        span = slice(first, min(first + step, axis.size))
        made[span] = time_codes(axis, span)


def _add_labels(file: Any, ds: xr.Dataset, name: Any) -> None:
    """Write text as characters: CF 6.1 knows no labels of type string."""
    variable = ds.variables[name]
    flat = np.char.encode(np.atleast_1d(np.asarray(variable.values)), "utf-8")
    width = max(flat.dtype.itemsize, 1)
    if f"string{width}" not in file.dimensions:
        file.createDimension(f"string{width}", width)
    made = file.createVariable(str(name), "S1", (*variable.dims, f"string{width}"))
    made.setncatts({**_attributes(ds, name), "_Encoding": "utf-8"})
    made.set_auto_chartostring(False)
    letters = flat.astype(f"S{width}").view("S1")
    made[...] = letters.reshape(*variable.shape, width)


def _attributes(ds: xr.Dataset, name: Any) -> dict[str, Any]:
    """Attributes of a variable, naming only what is in the file."""
    variable = ds.variables[name]
    found = {
        str(k): attribute(v) for k, v in variable.attrs.items() if k != "_FillValue"
    }
    others = str(found.pop("ancillary_variables", "")).split()
    if present := [n for n in others if n in ds.variables]:
        found["ancillary_variables"] = " ".join(present)
    kind = variable.dtype.kind
    if kind == "M":
        found |= {"units": f"nanoseconds since {_EPOCH!s:.19}", "calendar": "standard"}
        found |= {"units_metadata": "leap_seconds: none"}
    elif kind == "m":
        found["units"] = "s"
    elif kind == "b":
        found["dtype"] = "bool"  # xarray reads it back as one
    labels = [
        n for n, c in ds.coords.items() if n not in ds.dims or c.dtype.kind == "U"
    ]
    if set(_PLACE) <= set(ds.data_vars):
        labels += _PLACE  # CF 5: where the samples of a trajectory were taken
    here = [n for n in labels if set(ds[n].dims) <= set(variable.dims)]
    if here and name not in labels and name not in ds.coords:
        found["coordinates"] = " ".join(map(str, here))
    return found


def _typed(key: str, value: Any, dtype: np.dtype[Any]) -> Any:
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


def encoded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return values as they stand in the file."""
    if values.dtype.kind == "M":
        codes = (values.astype("M8[ns]") - _EPOCH).astype("int64")
        # the difference to NaT is NaT already
        return np.asarray(codes, dtype=dtype)
    if values.dtype.kind == "m":
        seconds = values.astype("m8[ns]") / np.timedelta64(1, "s")
        return np.asarray(seconds, dtype=dtype)
    return np.ascontiguousarray(values, dtype=dtype)


def packed(values: Array, layout: Layout) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Turn values into the bytes of chunks, as HDF5 keeps them.

    Parameters
    ----------
    values : ndarray
        Starts at the edge of a chunk.
    layout : Layout
        Of the variable.

    Yields
    ------
    start : tuple of int
        First element of the chunk in `values`.
    data : bytes
        Shuffled and deflated.
    """
    values = encoded(values, layout.dtype)
    steps = [
        range(0, n, length)
        for n, length in zip(values.shape, layout.chunks, strict=True)
    ]
    for start in itertools.product(*steps):
        part = values[
            tuple(slice(a, a + n) for a, n in zip(start, layout.chunks, strict=True))
        ]
        if part.shape != layout.chunks:
            whole = np.full(layout.chunks, layout.fill, layout.dtype)
            whole[tuple(slice(0, n) for n in part.shape)] = part
            part = whole
        yield start, _squeezed(part, layout)


def _squeezed(part: Array, layout: Layout) -> bytes:
    if not layout.level:
        return part.tobytes()
    raw = np.ascontiguousarray(part).reshape(-1).view("u1")
    if layout.shuffle:
        raw = np.ascontiguousarray(raw.reshape(-1, layout.dtype.itemsize).T)
    return zlib.compress(raw.data, layout.level)
