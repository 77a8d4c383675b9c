"""Write a Dataset as CF-1.11 netCDF-4, day by day on any Dask scheduler."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.compute import cluster
from gracelstm_xr.compute.blocks import cut
from gracelstm_xr.compute.interrupts import interrupts_held
from gracelstm_xr.core.conventions import (
    CONVENTIONS,
    append_history,
    attributes_now,
    coverage_attributes,
    global_attributes,
    read_by,
    utc_now,
)
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.timecode import time_codes
from gracelstm_xr.errors import GraceError
from gracelstm_xr.export.extent import SOURCES, Extent
from gracelstm_xr.export.ncfile import Encoding, attribute, create, day_length, encoded
from gracelstm_xr.files import check_output, stamp, writing

KINDS = "fiubUMm"
#: What a file of that name may be to be replaced.
KIND = ("netCDF file",)
#: ACDD attributes that a product of this package can state without being told.
_ACDD = {
    "naming_authority": "gracelstm_xr",
    "license": "as the Level-1B files the data come from",
    "project": "GRACE, GRACE-FO",
    "acknowledgement": "GRACE and GRACE-FO are missions of NASA, DLR and GFZ.",
}
_SERIES = {
    "cdm_data_type": "Trajectory",
    "comment": "All times are GPS time; vectors are in the frame of the satellite.",
}


def to_netcdf(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    compression: int = 2,
    attrs: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Write `ds` as one netCDF-4 file following CF-1.11 and ACDD-1.3.

    Every variable of a day is computed and compressed by a Dask task of its own, on as
    many threads or workers as there are, and written by this process; memory does not
    grow with the series.
    Numbers are stored bit for bit, with time as the last dimension, as CF recommends.
    The file appears under its name only when complete.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular time axis, or any Dataset without time, such as the
        result of ``evaluate``.
    path : str or PathLike
        The file.
    compression : int, optional
        Deflate level, 0 (none) to 9.
    attrs : mapping, optional
        Global attributes that override those of `ds`; ACDD asks for
        ``creator_name``, ``creator_email``, ``creator_url``, ``institution`` and the
        same of the publisher, which nobody but the caller knows.
    overwrite : bool, optional
        Replace a file that is there. One that this program did not write, or that `ds`
        is read from, is never replaced.
    progress : bool, optional
        Show progress on standard error.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    GraceError
        The time axis is not regular, a variable has a type netCDF cannot hold, or the
        file is there or cannot be written; nothing is left behind then.
    """
    final = Path(path).absolute()
    if final.is_dir():
        raise GraceError(f"{final} is a folder; expected the name of a file")
    if not 0 <= compression <= 9:
        raise GraceError(f"compression is {compression}; expected 0 to 9")
    check_output(path, overwrite=overwrite, kinds=KIND, sources=read_by(ds))
    ds = _prepared(ds)
    axis = axis_of(ds) if "time" in ds.dims else None
    facts = {**_globals(ds, axis), **(attrs or {})}
    with _writing(final):
        final.parent.mkdir(parents=True, exist_ok=True)
    with interrupts_held():
        _load_libraries()
    with writing(final, replace=overwrite) as work:
        with interrupts_held(), _writing(final):
            encodings = create(work, ds, axis, level=compression, attrs=facts)
        extent = _fill(work, final, ds, axis, encodings, progress=progress)
        if axis is not None:
            with _writing(final):
                _finish(work, {**extent.attributes(), **(attrs or {})})
    return final


def _load_libraries() -> None:
    """Import all that the export needs before there is a file."""
    for name in ("dask.array", "h5py", "netCDF4", "numcodecs"):
        importlib.import_module(name)
    # xarray looks for what makes chunks when it is first asked for some
    xr.Variable("x", np.zeros(1)).chunk()


@contextlib.contextmanager
def _writing(final: Path) -> Iterator[None]:
    """Say in one line that a file cannot be written, and why."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        # what HDF5 passes on of the system, among addresses and sizes
        quoted = re.search(r"error message = '([^']*)'", str(error))
        text = quoted[1] if quoted else " ".join((reason or str(error)).split())
        raise GraceError(
            f"{final}: {text} while writing it; nothing was left behind: check the "
            "space and the permissions there, or choose another folder"
        ) from error


def _prepared(ds: xr.Dataset) -> xr.Dataset:
    """Dimensions in the order of the file, types checked."""
    texts = {}
    for name, variable in ds.variables.items():
        if name == "time" and "time" in ds.dims:
            continue
        kind = variable.dtype.kind
        if kind in "OT" and "time" not in variable.dims:
            values = np.asarray(variable.values)
            if all(isinstance(v, str) for v in values.ravel().tolist()):
                texts[name] = values.astype(str)
                continue
        if kind not in KINDS or (kind == "U" and "time" in variable.dims):
            raise GraceError(
                f"variable {name!r} has type {variable.dtype}; numbers, flags and "
                f"labels expected; leave it out with ds.drop_vars({name!r})"
            )
    for name, values in texts.items():
        new = (ds[name].dims, values, ds[name].attrs)
        ds = (
            ds.assign_coords({name: new})
            if name in ds.coords
            else ds.assign({name: new})
        )
    # CF 2.4: what is neither time nor place stands before them
    return ds.transpose("satellite", ..., "time", missing_dims="ignore")


def _globals(ds: xr.Dataset, axis: RegularAxis | None) -> dict[str, Any]:
    letters: tuple[str, ...] = ()
    if "satellite" in ds:
        letters = tuple(map(str, np.atleast_1d(ds["satellite"].values)))
    title = "GRACE accelerometer data"
    defaults = global_attributes(title=title, source="Level-1B", satellites=letters)
    said = ds.attrs if axis is None else attributes_now(ds, axis)
    attrs = append_history({**defaults, **said}, "written as netCDF")
    now = f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
    entries = {**_ACDD, **attrs, "date_modified": now}
    entries |= {"date_created": attrs.get("date_created", now)}
    if axis is None:
        entries["summary"] = ds.attrs.get("summary", f"{entries['title']}.")
        entries.setdefault("id", _identifier("result", letters, str(entries["title"])))
    else:
        cover = coverage_attributes(axis.start, axis.stop, axis.step)
        span = f"{cover['time_coverage_start']}_{cover['time_coverage_end']}"
        entries = {**_SERIES, **entries, **cover}
        entries.setdefault("id", _identifier("series", letters, span))
    return {**entries, "Conventions": CONVENTIONS}


def _identifier(kind: str, letters: tuple[str, ...], what: str) -> str:
    """Return a name without blanks, which ACDD does not want in it."""
    parts = filter(None, ("grace", kind, "".join(letters), what))
    return re.sub(r"\s+", "_", "-".join(parts))


Chunk = tuple[Any, tuple[int, ...], bytes | npt.NDArray[Any], Extent]


def _fill(
    work: Path,
    final: Path,
    ds: xr.Dataset,
    axis: RegularAxis | None,
    encodings: Mapping[Any, Encoding],
    *,
    progress: bool,
) -> Extent:
    """Compute and write what `create` has left out, as one graph."""
    import h5py

    total, lock = Extent(), threading.Lock()
    tasks = _tasks(ds, axis, encodings)
    with _opened(h5py, work, final) as file:

        def sink(chunk: Chunk) -> None:
            name, start, data, extent = chunk
            with lock, _writing(final):
                if isinstance(data, bytes):
                    file[str(name)].id.write_direct_chunk(start, data)
                else:
                    ends = zip(start, data.shape, strict=True)
                    file[str(name)][tuple(slice(a, a + n) for a, n in ends)] = data
                total.merge(extent)

        stamp(file)
        cluster.stream(tasks, sink, label="netcdf", unit="chunk", progress=progress)
    return total


@contextlib.contextmanager
def _opened(h5py: Any, work: Path, final: Path) -> Iterator[Any]:
    """Open for writing chunks; closing may be what finds the disk full."""
    with _writing(final):
        file = h5py.File(work, "r+")
    try:
        yield file
    except BaseException:
        with contextlib.suppress(OSError, RuntimeError):
            file.close()
        raise
    with _writing(final):
        file.close()


def _tasks(
    ds: xr.Dataset, axis: RegularAxis | None, encodings: Mapping[Any, Encoding]
) -> list[Any]:
    """One Delayed per chunk of the file, and one per lazy variable without time."""
    import dask

    pack, times = dask.delayed(_pack, pure=False), dask.delayed(_times, pure=False)
    day = 1 if axis is None else day_length(axis)
    days = range(0, 0 if axis is None else axis.size, day)
    tasks = [times(axis, slice(first, first + day)) for first in days]
    names = [n for n in encodings if n != "time" and ds[n].size]
    pieces = cut(ds, names, {"satellite": 1, "time": day} if days else {})
    for name, array in pieces.items():
        encoding, dims = encodings[name], ds[name].dims
        sizes = encoding.get("chunksizes", ds[name].shape)
        for place, piece in np.ndenumerate(array):
            start = tuple(i * n for i, n in zip(place, sizes, strict=True))
            tasks.append(pack(name, start, piece, dims, encoding))
    return tasks


def _times(axis: RegularAxis, span: slice) -> Chunk:
    return "time", (span.start,), time_codes(axis, span), Extent()


def _pack(
    name: Any,
    start: tuple[int, ...],
    values: Any,
    dims: tuple[Any, ...],
    encoding: Encoding,
) -> Chunk:
    """One chunk as it stands in the file, and where the satellite was."""
    variable, extent = xr.Variable(dims, np.asarray(values)), Extent()
    if name in SOURCES:
        last = variable.transpose(..., "axis", missing_dims="ignore")
        extent.add({name: last.values})
    return name, start, encoded(variable, encoding), extent


def _finish(work: Path, attrs: Mapping[str, Any]) -> None:
    """Add the attributes that are known only after the data."""
    import netCDF4

    with netCDF4.Dataset(work, "a") as file:
        file.setncatts({str(k): attribute(v) for k, v in attrs.items()})
