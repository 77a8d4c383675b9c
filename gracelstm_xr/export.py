"""Export to netCDF and to Level-1B files that gravity software reads."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.netcdf import to_netcdf
from gracelstm_xr.timebase import (
    RegularAxis,
    axis_of,
    datetime64_to_gps,
    day_slices,
)

__all__ = ["SYNTHETIC_BIT", "to_l1b", "to_netcdf"]

#: Bit of ``acc_qualflg`` set on synthetic epochs; unused in official ACC1B files.
SYNTHETIC_BIT = 1
ACC_PRODUCTS = ("ACC1B", "ACT1B", "ACH1B", "ACU1B", "AC01B", "AC11B")
_SUFFIX = {"binary": "dat", "ascii": "asc", "text": "txt"}

Array = npt.NDArray[Any]


def to_l1b(
    ds: xr.Dataset,
    directory: str | os.PathLike[str],
    *,
    format: str | None = None,
    product: str | None = None,
    release: str | None = None,
    progress: bool = False,
) -> list[Path]:
    """Write one accelerometer file per satellite and GPS day.

    ``lin_accl_filled`` is written where it is present, else ``lin_accl``, else
    ``lin_accl_transplant``, all of whose epochs are estimates; seconds without a value
    stay absent, and a day without any gives no file. Observed samples keep their bits
    in the formats binary and text (ascii has 16 digits, as the official converter).
    Epochs with an estimate have bit 1 of the quality flag set and are listed in the
    header with their method; their residual columns, and angular accelerations nobody
    measured, are 0.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular axis of whole seconds.
    directory : str or PathLike
        Folder for the files; made when it is not there.
    format : {"binary", "ascii", "text"}, optional
        By default binary for GRACE A and B, text for GRACE-FO C and D.
    product : str, optional
        Product code; ``"ACT1B"`` for filled and transplanted series, ``"ACC1B"``
        otherwise.
    release : str, optional
        Two digits; by default that of the source files, where it is one, else
        ``"02"`` for GRACE and ``"04"`` for GRACE-FO.
    progress : bool, optional
        Show progress on standard error.

    Returns
    -------
    list of pathlib.Path
        The files, in order of day and satellite.

    Raises
    ------
    GraceError
        No acceleration to write, a sampling finer than 1 s, or an unknown format,
        product or satellite.
    """
    import dask

    from gracelstm_xr import cluster

    source = _source(ds)
    chosen = product or ("ACC1B" if source == "lin_accl" else "ACT1B")
    if chosen not in ACC_PRODUCTS:
        raise GraceError(
            f"product is {chosen!r}; expected one of {', '.join(ACC_PRODUCTS)}"
        )
    if format is not None and format not in _SUFFIX:
        raise GraceError(f"format is {format!r}; expected one of {', '.join(_SUFFIX)}")
    axis = axis_of(ds)
    if axis.step_ns % 1_000_000_000 or axis.start_ns % 1_000_000_000:
        raise GraceError(
            f"times from {axis.start} in steps of {axis.step_ns / 1e9:g} s found; "
            "Level-1B accelerations stand at whole seconds: resample first"
        )
    if "satellite" not in ds.dims:
        ds = ds.expand_dims("satellite")
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    names = [n for n in (source, *_COMPANIONS) if n in ds]
    write = dask.delayed(_write_day, pure=False)
    tasks = []
    for span in day_slices(axis):
        for letter in ds["satellite"].values.tolist():
            day = ds[names].drop_vars("time").isel(time=span).sel(satellite=letter)
            columns = {str(n): _whole(day[n]) for n in names}
            job = _Job(
                str(folder),
                source,
                chosen,
                str(letter),
                format,
                release or _release(ds),
                axis.cut(span),
                _provenance(ds),
            )
            tasks.append(write(job, columns))
    written = cluster.run(tasks, label="l1b", unit="file", progress=progress)
    paths = [Path(p) for p in written if p is not None]
    if not paths:
        raise GraceError(
            f"no epoch of {source} has all of x, y and z; nothing was written"
        )
    return paths


_COMPANIONS = ("lin_accl_fill_method", "ang_accl", "acl_res", "acc_qualflg")


@dataclasses.dataclass(frozen=True)
class _Job:
    """What one day file is made of, besides its columns."""

    folder: str
    source: str
    product: str
    satellite: str
    format: str | None
    release: str | None
    axis: RegularAxis
    provenance: dict[str, Any]


def _source(ds: xr.Dataset) -> str:
    for name in ("lin_accl_filled", "lin_accl", "lin_accl_transplant"):
        if name in ds:
            if "axis" not in ds[name].dims or ds.sizes["axis"] != 3:
                raise GraceError(
                    f"{name} has {ds[name].sizes.get('axis', 0)} axes; a Level-1B "
                    "file needs x, y and z"
                )
            return name
    raise GraceError(
        "none of 'lin_accl_filled', 'lin_accl' and 'lin_accl_transplant' found; open "
        "ACC1B data first"
    )


def _release(ds: xr.Dataset) -> str | None:
    """Release of the source, where there is one."""
    text = str(ds.attrs.get("product_version", ""))
    return text if re.fullmatch(r"\d\d", text) else None


def _whole(variable: xr.DataArray) -> Any:
    """One object per day that Dask computes inside the task: an array or Delayed."""
    data = variable.transpose("time", ...).data
    if hasattr(data, "rechunk"):
        return data.rechunk(-1).to_delayed().ravel()[0]
    return np.asarray(data)


def _provenance(ds: xr.Dataset) -> dict[str, Any]:
    """Header attributes of the source that stay true."""
    kept = ("title", "summary", "source", "references", "institution", "history")
    found = {k: ds.attrs[k] for k in kept if k in ds.attrs}
    if isinstance(found.get("history"), str):
        found["history"] = found["history"].splitlines()
    return found


def _write_day(job: _Job, columns: Mapping[str, Array]) -> str | None:
    """Write one file; return its path, None when the day is empty."""
    from gracelstm_xr import l1b

    values = columns[job.source]
    present: Array = np.asarray(np.isfinite(values).all(axis=-1))
    if not present.any():
        return None
    times = job.axis.values()[present]
    seconds = cast(Array, datetime64_to_gps(times)[0])
    methods = columns.get("lin_accl_fill_method")
    whole = _code("transplant") if job.source == "lin_accl_transplant" else 0
    made = np.full(values.shape[0], whole, dtype="int8")
    if methods is not None:
        # the axes of one epoch are filled together; the largest code says how
        made = np.where(methods == _code("none"), 0, methods).max(axis=-1)
    made = made[present]
    flags = columns.get("acc_qualflg", np.zeros(len(present), "uint8"))[present]
    flags = flags.astype("uint8") | np.where(
        made > 0, np.uint8(1 << SYNTHETIC_BIT), np.uint8(0)
    )
    data = {
        "gps_time": seconds.astype("int32"),
        "lin_accl": values[present],
        "ang_accl": _or_zero(columns.get("ang_accl"), present),
        "acl_res": _or_zero(columns.get("acl_res"), present),
        "acc_qualflg": flags,
    }
    layout = _layout(l1b.product_of(job.product, job.satellite))
    form = job.format or ("text" if l1b.is_grace_fo(job.satellite) else "binary")
    release = job.release or ("04" if l1b.is_grace_fo(job.satellite) else "02")
    day = str(job.axis.start.astype("datetime64[D]"))
    name = f"{job.product}_{day}_{job.satellite}_{release}.{_SUFFIX[form]}"
    header = _header(job, made, seconds)
    path = l1b.write(
        Path(job.folder) / name,
        layout,
        data,
        format=form,
        satellite=job.satellite,
        release=release,
        header=header,
    )
    return str(path)


def _or_zero(values: Array | None, present: Array) -> Array:
    if values is None:
        return np.zeros((int(present.sum()), 3))
    return np.nan_to_num(values[present], nan=0.0)


def _layout(product: Any) -> Any:
    """Return `product` with the synthetic bit named among its flags."""
    others = [
        f for f in product.flags.get("acc_qualflg", ()) if f[0] != 1 << SYNTHETIC_BIT
    ]
    named = sorted([*others, (1 << SYNTHETIC_BIT, "synthetic_sample")])
    flags = {**product.flags, "acc_qualflg": tuple(named)}
    return dataclasses.replace(product, flags=flags)


def _header(job: _Job, made: Array, seconds: Array) -> dict[str, Any]:
    """Provenance plus one line per span of synthetic epochs."""
    attributes = dict(job.provenance)
    history = list(attributes.get("history", []))
    history.append(f"{job.source} written by gracelstm_xr")
    spans = _spans(made, seconds)
    if spans:
        history.append(f"{int((made > 0).sum())} synthetic epochs, flag bit 1 set:")
        history += [f"{m} GPS {a} to {b}" for m, a, b in spans]
    else:
        history.append("no synthetic epochs")
    attributes["history"] = history
    return attributes


def _spans(made: Array, seconds: Array) -> list[tuple[str, int, int]]:
    """Method, first and last GPS second of every run of one method."""
    if not len(made):
        return []
    breaks = (np.diff(made) != 0) | (np.diff(seconds) > 1)
    edges = np.flatnonzero(np.concatenate([[True], breaks, [True]]))
    names = _names()
    return [
        (names[int(made[a])], int(seconds[a]), int(seconds[b - 1]))
        for a, b in itertools.pairwise(edges)
        if made[a] > 0
    ]


def _names() -> dict[int, str]:
    from gracelstm_xr.conventions import FILL_METHODS

    return {code: name for name, code in FILL_METHODS.items()}


def _code(method: str) -> int:
    from gracelstm_xr.conventions import FILL_METHODS

    return int(FILL_METHODS[method])
