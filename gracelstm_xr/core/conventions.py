"""The only home of attributes, units, flags, encodings and epochs.

CF-1.11 for variables, ACDD-1.3 for the file. Everything that ends in a written file
is spelled here once; tests check written files against this module.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Hashable, Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from gracelstm_xr.core.datamodel import LABELS, VARIABLES
from gracelstm_xr.core.packing import packing, quantisation_step
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.errors import GraceError
from gracelstm_xr.l1b import Field, Flags, Header
from gracelstm_xr.missions import mission_of

if TYPE_CHECKING:
    import xarray as xr

CONVENTIONS = "CF-1.11, ACDD-1.3"
#: Global attributes that count what is in all files of an archive, see `count_records`.
COUNTS = (
    "records",
    "duplicate_epochs",
    "out_of_order_epochs",
    "overlap_records",
    "truncated_files",
    "missing_records",
    "flagged_records",
    "foreign_records",
    "mismatched_files",
    "absent_files",
    "unreadable_files",
)
TIME_UNITS = "microseconds since 2000-01-01T12:00:00"
"""Spelled with the Level-1B epoch; int64 microseconds hold every time tag exactly."""

FILL_METHODS: dict[str, int] = {
    "observed": 0,
    "lstm": 1,
    "transplant": 2,
    "interpolation": 3,
    "harmonic": 4,
    "none": 5,
}
"""Values of ``lin_accl_fill_method`` and ``lin_accl_forecast_method``."""

_COORDINATES: dict[str, dict[str, Any]] = {
    "time": {
        "standard_name": "time",
        "long_name": "GPS time",
        "axis": "T",
        "units_metadata": "leap_seconds: none",
        "time_scale": "GPS",
    },
    "satellite": {
        "long_name": "satellite: A and B are GRACE, C and D are GRACE-FO",
    },
    "axis": {
        "long_name": "axis of the science reference frame (x roll, y pitch, z yaw)",
    },
    "quaternion_component": {"long_name": "component of the quaternion, q0 scalar"},
    "thruster": {
        "long_name": "thruster: twelve attitude thrusters on two branches, "
        "two orbit thrusters",
    },
    "thruster_pair": {"long_name": "pair of attitude thrusters"},
}


def attributes_of(name: str) -> dict[str, Any]:
    """Return the CF attributes of a data-model variable or coordinate.

    Parameters
    ----------
    name : str
        Name, for example ``"lin_accl"`` or ``"time"``.

    Returns
    -------
    dict
        A new dict; flags of the accelerometer family get the meanings of GRACE,
        which the archive replaces by those of the files where they differ.

    Raises
    ------
    GraceError
        The data model has no such name.
    """
    if name in _COORDINATES:
        return deepcopy(_COORDINATES[name])
    if name not in VARIABLES:
        raise GraceError(
            f"{name!r} is not in the data model; known are "
            f"{', '.join([*VARIABLES, *_COORDINATES])}"
        )
    item = VARIABLES[name]
    attrs: dict[str, Any] = {"long_name": item.long_name}
    if item.units:
        attrs["units"] = item.units
    if item.flag:
        attrs["ancillary_variables"] = f"{item.flag}_qualflg"
    attrs["coverage_content_type"] = item.content
    attrs.update(item.extra)
    if name in ("lin_accl_fill_method", "lin_accl_forecast_method"):
        attrs["flag_values"] = np.array(list(FILL_METHODS.values()), item.dtype)
        attrs["flag_meanings"] = " ".join(FILL_METHODS)
    return attrs


def labels_of(dim: str) -> tuple[str, ...]:
    """Return the labels along `dim`: axis, quaternion_component or thruster."""
    return LABELS[dim]


def flag_attributes(flags: Flags, dtype: Any) -> dict[str, Any]:
    """Return ``flag_masks`` and ``flag_meanings`` of bit flags.

    Parameters
    ----------
    flags : tuple of (int, str)
        Mask and one-word meaning, as ``gracelstm_xr.l1b`` gives them.
    dtype : dtype
        Type of the variable; CF wants the masks in the same type.

    Returns
    -------
    dict
        Empty where nothing is known.
    """
    if not flags:
        return {}
    return {
        "flag_masks": np.array([mask for mask, _ in flags], dtype=dtype),
        "flag_meanings": " ".join(text for _, text in flags),
    }


def field_attributes(
    item: Field, *, flags: Flags = (), flag_name: str = ""
) -> dict[str, Any]:
    """Return the CF attributes of a field of a Level-1B file.

    Parameters
    ----------
    item : Field
        The field.
    flags : tuple of (int, str), optional
        Meanings where it is a bit field.
    flag_name : str, optional
        Name of the quality flag of the same file, for ``ancillary_variables``.
    """
    attrs: dict[str, Any] = {"long_name": item.long_name or item.name}
    if item.kind == "flag":
        attrs["standard_name"] = "status_flag"
        attrs["coverage_content_type"] = "qualityInformation"
        attrs.update(flag_attributes(flags, item.memory_dtype))
        return attrs
    # A count or identifier with a time unit would be decoded as a duration
    if item.units and item.kind != "time":
        attrs["units"] = item.units
    if item.kind == "value":
        attrs["coverage_content_type"] = "physicalMeasurement"
        if flag_name:
            attrs["ancillary_variables"] = flag_name
    return attrs


def header_attributes(header: Header) -> dict[str, Any]:
    """Return the header of a file as global attributes (lists become lines)."""
    attrs: dict[str, Any] = {"Conventions": CONVENTIONS}
    for name, value in header.attributes.items():
        if name == "Conventions":
            continue
        attrs[name] = "\n".join(value) if isinstance(value, list) else value
    attrs.setdefault("processing_level", f"1{header.product[-1]}")
    attrs["product"] = header.product
    return attrs


def global_attributes(
    *, title: str, source: str, satellites: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the ACDD global attributes of a combined dataset.

    Parameters
    ----------
    title : str
        One line on the content.
    source : str
        What it was made from.
    satellites : iterable of str
        Letters, to name the platforms.
    """
    return {
        "Conventions": CONVENTIONS,
        "title": title,
        "summary": (
            f"{title}: accelerations, orbits, attitude and thruster firings on a "
            "regular axis of GPS time; epochs without data are NaN."
        ),
        "keywords": "GRACE, GRACE-FO, accelerometer, non-gravitational acceleration",
        "source": source,
        "platform": _platform(satellites),
        "instrument": "ACC (SuperSTAR accelerometer), GPS receiver, star cameras",
        "processing_level": "1B",
        "standard_name_vocabulary": "CF Standard Name Table v93",
        "references": (
            "GRACE Level 1B Data Product User Handbook, JPL D-22027; "
            "GRACE Algorithm Theoretical Basis Document, JPL D-27672"
        ),
        "time_scale": "GPS",
    }


def _platform(satellites: Iterable[str]) -> str:
    return ", ".join(f"{mission_of(s).name} {s}" for s in sorted(satellites))


def attributes_now(ds: xr.Dataset, axis: RegularAxis) -> dict[Any, Any]:
    """Return the global attributes of a Dataset, true of what it holds now.

    xarray keeps attributes through ``sel`` and ``isel``. Platforms and time coverage
    are those of the part; the counts of records and faults, which are of all files,
    are left out of it.

    Parameters
    ----------
    ds : xarray.Dataset
    axis : RegularAxis
        Its time axis.
    """
    present = coverage_attributes(axis.start, axis.stop, axis.step)
    if "satellite" in ds.coords:
        present["platform"] = _platform(np.atleast_1d(ds["satellite"].values).tolist())
    complete = all(ds.attrs.get(name, text) == text for name, text in present.items())
    attrs = {k: v for k, v in ds.attrs.items() if complete or k not in COUNTS}
    return attrs | {name: text for name, text in present.items() if name in attrs}


def coverage_attributes(
    start: np.datetime64, stop: np.datetime64, step: np.timedelta64
) -> dict[str, str]:
    """Return the ACDD time coverage; `stop` is exclusive, the end is the last epoch.

    The stamps are GPS time, as the axis; they carry no ``Z``.
    """
    seconds = step / np.timedelta64(1, "s")
    last = max(start, stop - step)
    length = (stop - start) / np.timedelta64(1, "s")
    return {
        "time_coverage_start": str(np.datetime_as_string(start, unit="s")),
        "time_coverage_end": str(np.datetime_as_string(last, unit="s")),
        "time_coverage_duration": f"PT{length:.0f}S",
        "time_coverage_resolution": f"PT{seconds:g}S",
    }


def append_history(
    attrs: Mapping[Any, Any], text: str, *, when: dt.datetime | None = None
) -> dict[Any, Any]:
    """Return `attrs` with one line added to the end of ``history``.

    Parameters
    ----------
    attrs : mapping
        Attributes; not changed.
    text : str
        What was done, one line.
    when : datetime, optional
        UTC time of the line; by default now, or the time in the environment variable
        SOURCE_DATE_EPOCH [s past 1970], which makes results reproducible to the byte.
    """
    moment = when or utc_now()
    line = f"{moment:%Y-%m-%dT%H:%M:%SZ} gracelstm_xr: {text}"
    before = attrs.get("history", "")
    lines = list(before) if isinstance(before, list | tuple) else [str(before)]
    return {**attrs, "history": "\n".join([*filter(None, lines), line])}


def read_by(ds: xr.Dataset) -> set[str]:
    """Return what a Dataset says it is read from.

    Parameters
    ----------
    ds : xarray.Dataset

    Returns
    -------
    set of str
        Paths of a store, a netCDF file, or the files or tarballs of an archive.
    """
    places = {ds.encoding.get("source")}
    places |= {variable.encoding.get("source") for variable in ds.variables.values()}
    entries = getattr(ds.encoding.get("catalogue"), "entries", ())
    places |= {entry.archive or entry.source for entry in entries}
    return {place for place in places if isinstance(place, str) and place}


def utc_now() -> dt.datetime:
    """Return the present in UTC, or the time in SOURCE_DATE_EPOCH [s past 1970]."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    if fixed.isdecimal():
        return dt.datetime.fromtimestamp(int(fixed), dt.UTC)
    return dt.datetime.now(dt.UTC)


def time_encoding() -> dict[str, Any]:
    """Return how times are written: int64 microseconds since the GPS epoch."""
    return {"units": TIME_UNITS, "calendar": "standard", "dtype": "int64"}


def netcdf_encoding(
    variables: Mapping[Hashable, Any], *, complevel: int = 4
) -> dict[Hashable, dict[str, Any]]:
    """Return the netCDF encoding of each variable.

    Parameters
    ----------
    variables : mapping of name to Variable or DataArray
        For example ``ds.variables``.
    complevel : int, default 4
        zlib level, 0 for no compression; bytes of the same weight are put together.

    Returns
    -------
    dict
        Floats get NaN as ``_FillValue``, flags and coordinates none; labels are
        characters; durations are seconds.
    """
    encodings: dict[Hashable, dict[str, Any]] = {}
    for name, variable in variables.items():
        kind = variable.dtype.kind
        entry: dict[str, Any] = {}
        if kind == "M":
            entry.update(time_encoding())
            if name not in variable.dims:
                entry["_FillValue"] = np.iinfo("int64").min  # what NaT is in memory
        if kind == "m":
            entry.update({"units": "seconds", "dtype": "float64"})
        if kind in "fm":
            # A coordinate must not have a fill value
            entry["_FillValue"] = None if name in variable.dims else np.nan
        if kind in "UOT":
            # CF 6.1: labels are characters; a one-dimensional string variable with
            # the name of its dimension would count as a coordinate, not a label
            entry["dtype"] = "S1"
        if kind in "bfiuMm" and variable.ndim and complevel:
            entry.update({"zlib": True, "complevel": complevel, "shuffle": True})
        encodings[name] = entry
    return encodings


def zarr_encoding(
    variables: Mapping[Hashable, Any],
    *,
    chunks: Mapping[str, int] | None = None,
    shards: Mapping[str, int] | None = None,
    quantise: str | float | None = None,
) -> dict[Hashable, dict[str, Any]]:
    """Return the Zarr v3 encoding of each variable.

    Parameters
    ----------
    variables : mapping of name to Variable or DataArray
        For example ``ds.variables``.
    chunks, shards : mapping of dimension to length, optional
        Inner chunk and shard lengths; dimensions left out are not cut.
    quantise : str or float, optional
        Step [m s-2] of which accelerations are stored as int32 multiples, for
        example ``"1e-13"``; by default everything is stored bit for bit.

    Returns
    -------
    dict
        Blosc (zstd, bit shuffle) for numbers, and a checksum of every chunk; NaN fills
        floats, so that chunks without data are not written.
    """
    from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

    step = None if quantise is None else quantisation_step(quantise)
    encodings: dict[Hashable, dict[str, Any]] = {}
    for name, variable in variables.items():
        kind, width = variable.dtype.kind, variable.dtype.itemsize
        entry: dict[str, Any] = {}
        if kind == "M":
            entry.update(time_encoding())
            if name not in variable.dims:
                entry["_FillValue"] = np.iinfo("int64").min  # what NaT is in memory
        if kind == "m":
            entry.update({"units": "seconds", "dtype": "float64"})
        if kind in "fm":
            entry.update({"_FillValue": np.nan, "fill_value": np.nan})
        packed = packing(variable, step)
        if packed:
            entry.update({**packed, "fill_value": packed["_FillValue"]})
            width = np.dtype(packed["dtype"]).itemsize
        if kind in "UOT":
            entry["dtype"] = (
                object  # variable length: the string type Zarr v3 specifies
            )
        if kind in "fiuM" and variable.ndim:
            # floats: 3 % more bytes than at level 5, written 2 to 5 times as fast
            codec = BloscCodec(
                typesize=width,
                cname="zstd",
                clevel=5 if packed else 2,
                shuffle="bitshuffle",
            )
            entry["compressors"] = [codec, Crc32cCodec()]
        else:
            entry["compressors"] = [ZstdCodec(), Crc32cCodec()]
        for key, wanted in (("chunks", chunks), ("shards", shards)):
            if wanted and set(wanted) & set(variable.dims):
                sizes = zip(variable.dims, variable.shape, strict=True)
                entry[key] = tuple(wanted.get(str(d), n) for d, n in sizes)
        encodings[name] = entry
    return encodings


def require(name: str, names: Iterable[Hashable], *, remedy: str) -> None:
    """Raise when a Dataset lacks the variable `name`.

    Raises
    ------
    GraceError
        One line with what is there and what to do.
    """
    present = [str(n) for n in names]
    if name not in present:
        raise GraceError(
            f"no variable {name!r} found among {', '.join(present) or 'none'}; {remedy}"
        )


def require_series(
    ds: xr.Dataset, name: str = "lin_accl", *, empty: bool = False
) -> None:
    """Raise when a Dataset lacks a series, its time or its axes, or is empty.

    Parameters
    ----------
    ds : xarray.Dataset
    name : str
        Variable of the data model.
    empty : bool, default False
        Whether a series without epochs, satellites or axes is fine.

    Raises
    ------
    GraceError
        One line with what is there and what to do.
    """
    require(name, ds.variables, remedy="open ACC1B data first")
    dims = [str(dim) for dim in ds[name].dims]
    expected = [dim for dim in VARIABLES[name].dims if dim != "satellite"]
    if lost := [dim for dim in expected if dim not in dims]:
        raise GraceError(
            f"found {name} over {', '.join(dims) or 'nothing'}, expected "
            f"{' and '.join(expected)} too: select with a list, as in "
            f"ds.isel({lost[0]}=[0])"
        )
    if other := [dim for dim in dims if dim not in VARIABLES[name].dims]:
        raise GraceError(
            f"found {name} over {', '.join(dims)}, expected "
            f"{', '.join(VARIABLES[name].dims)}: rename or select {other[0]!r}, as in "
            f"ds.rename({other[0]}='satellite')"
        )
    words = {"satellite": "satellite", "time": "epoch", "axis": "axis"}
    if not empty and (none := [w for d, w in words.items() if ds.sizes.get(d) == 0]):
        raise GraceError(
            f"found no {none[0]}, expected at least one: the selection is outside the "
            "data"
        )
