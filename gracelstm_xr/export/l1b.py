"""Export to netCDF and to Level-1B files that gravity software reads."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.compute import cluster
from gracelstm_xr.compute.blocks import cut, piece_at
from gracelstm_xr.core.conventions import read_by, require_series, utc_now
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import RegularAxis, day_slices
from gracelstm_xr.errors import GraceError, GraceWarning, number_of
from gracelstm_xr.export.l1bday import SUFFIX, SYNTHETIC_BIT, Day, DayReport, write_day
from gracelstm_xr.files import check_output, check_sources, interrupted, resumable
from gracelstm_xr.missions import mission_of
from gracelstm_xr.version import __version__

ACC_PRODUCTS = ("ACC1B", "ACT1B", "ACH1B", "ACU1B", "AC01B", "AC11B")
SOURCES = ("lin_accl_filled", "lin_accl", "lin_accl_transplant")
_COMPANIONS = (
    "lin_accl_fill_method",
    "ang_accl",
    "acl_res",
    "acc_qualflg",
    "acc_cleanflg",
)
_MAKER = ("producer_agency", "institution", "file_name", "software_version")
#: Days named one by one in a warning.
MOST_DAYS = 5


def to_l1b(
    ds: xr.Dataset,
    directory: str | os.PathLike[str],
    *,
    format: str | None = None,
    product: str | None = None,
    release: str | None = None,
    skip_existing: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> list[Path]:
    """Write one accelerometer file per satellite and GPS day.

    ``lin_accl_filled`` is written where it is present, else ``lin_accl``, else
    ``lin_accl_transplant``, all of whose epochs are estimates; seconds without a value
    stay absent, and a day without any gives no file. Observed samples keep their bits
    in the formats binary and text (ascii has 16 digits, as the official converter).
    Epochs with an estimate have bit 1 of the quality flag set and are listed in the
    header with their method and the model; their residual columns, and angular
    accelerations nobody measured, are 0. Days are written in parallel, each file
    appears under its name only when complete.

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
    skip_existing : bool, optional
        Leave files that are there as they are, to go on after an interrupt. Without
        it, the same call again after an interrupt writes all days anew.
    overwrite : bool, optional
        Replace files of an earlier export. Files that this program did not write, that
        it simulated, or that `ds` is read from are never replaced.
    progress : bool, optional
        Show progress on standard error.

    Returns
    -------
    list of pathlib.Path
        The files, in order of day and satellite.

    Raises
    ------
    GraceError
        No acceleration to write, a sampling finer than 1 s, an unknown format,
        product or satellite, or a file that is there or cannot be written.

    Warns
    -----
    GraceWarning
        Something is not in the files: whole days, epochs with only some of x, y and
        z, gaps that no method filled.
    """
    source = _source(ds)
    chosen = product or ("ACC1B" if source == "lin_accl" else "ACT1B")
    _check(chosen, format, release)
    axis = axis_of(ds)
    if axis.step_ns % 1_000_000_000 or axis.start_ns % 1_000_000_000:
        raise GraceError(
            f"times from {axis.start} in steps of {axis.step_ns / 1e9:g} s found; "
            "Level-1B accelerations stand at whole seconds: resample first"
        )
    if "satellite" not in ds.dims:
        ds = ds.expand_dims("satellite")
    folder = Path(directory)
    days = _days(ds, folder, source, axis, format=format, product=chosen, given=release)
    outputs = [folder / day.name for _, _, day in days]
    asked = {"export": [path.name for path in outputs], "of": source}
    check_sources(outputs, read_by(ds))
    again = overwrite or interrupted(folder, asked)
    for path in () if skip_existing else outputs:
        check_output(path, overwrite=again, kinds=("Level-1B file",))
    there = {p.name: str(p) for p in outputs if skip_existing and p.is_file()}
    tasks = _tasks(ds, source, axis, [d for d in days if d[2].name not in there])
    _make(folder)
    with resumable(folder, asked, outputs):
        reports: list[DayReport] = cluster.run(
            tasks, label="l1b", unit="file", progress=progress
        )
    _tell(reports, source)
    written = there | {Path(r.path).name: r.path for r in reports if r.path}
    if not written:
        raise GraceError(
            f"no epoch of {source} has all of x, y and z; nothing was written"
        )
    return [Path(written[day.name]) for _, _, day in days if day.name in written]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GraceError(
            f"{folder}: {error.strerror}; expected a folder, or the name of a new one"
        ) from error


def _check(product: str, format: str | None, release: str | None) -> None:
    if product not in ACC_PRODUCTS:
        raise GraceError(
            f"product is {product!r}; expected one of {', '.join(ACC_PRODUCTS)}"
        )
    if format is not None and format not in SUFFIX:
        raise GraceError(f"format is {format!r}; expected one of {', '.join(SUFFIX)}")
    if release is not None and not re.fullmatch(r"\d\d", release):
        raise GraceError(f"release is {release!r}; expected two digits, e.g. '02'")


def _source(ds: xr.Dataset) -> str:
    for name in SOURCES:
        if name in ds:
            if "axis" not in ds[name].dims or ds.sizes["axis"] != 3:
                raise GraceError(
                    f"{name} has {ds[name].sizes.get('axis', 0)} axes; a Level-1B "
                    "file needs x, y and z"
                )
            require_series(ds, name)
            return name
    raise GraceError(
        "none of 'lin_accl_filled', 'lin_accl' and 'lin_accl_transplant' found; open "
        "ACC1B data first"
    )


def _release(ds: xr.Dataset) -> str | None:
    """Release of the source, where there is one."""
    text = str(ds.attrs.get("product_version", ""))
    return text if re.fullmatch(r"\d\d", text) else None


def _days(
    ds: xr.Dataset,
    folder: Path,
    source: str,
    axis: RegularAxis,
    *,
    format: str | None,
    product: str,
    given: str | None,
) -> list[tuple[int, int, Day]]:
    """Number of the day, of the satellite, and what its file is made of."""
    created = f"{utc_now():%Y-%m-%d %H:%M:%S}"
    flags = _flags(ds)
    marks = ds["acc_cleanflg"].attrs if "acc_cleanflg" in ds else {}
    attributes = _provenance(ds)
    days = []
    for i, span in enumerate(day_slices(axis)):
        day_axis = axis.cut(span)
        date = day_axis.start.astype("datetime64[D]")
        for j, letter in enumerate(map(str, ds["satellite"].values)):
            mission = mission_of(letter)
            form = format or mission.format
            release = given or _release(ds) or mission.release
            day = Day(
                folder=str(folder),
                name=f"{product}_{date}_{letter}_{release}.{SUFFIX[form]}",
                source=source,
                product=product,
                satellite=letter,
                format=form,
                release=release,
                axis=day_axis,
                flags=flags,
                condemning=int(marks.get("treated_as_missing", 255)),
                attributes=attributes,
                created=created,
            )
            days.append((i, j, day))
    return days


def _flags(ds: xr.Dataset) -> tuple[tuple[int, str], ...]:
    """Mask and meaning of the quality bits, as the source files define them."""
    attrs = ds["acc_qualflg"].attrs if "acc_qualflg" in ds else {}
    masks = np.atleast_1d(attrs.get("flag_masks", [])).tolist()
    meanings = str(attrs.get("flag_meanings", "")).split()
    if len(masks) != len(meanings):
        return ()
    return tuple((int(m), text) for m, text in zip(masks, meanings, strict=True))


def _provenance(ds: xr.Dataset) -> dict[str, Any]:
    """Header attributes of the source that stay true."""
    kept = ("title", "summary", "source", "references", "institution", "history")
    history = {k: ds.attrs[k] for k in kept if k in ds.attrs}
    if isinstance(history.get("history"), str):
        history["history"] = history["history"].splitlines()
    if "producer_agency" in ds.attrs:  # a file was opened: not its maker's work now
        maker = [str(ds.attrs[k]) for k in _MAKER if k in ds.attrs]
        history["source"] = " ".join(maker)
        history.pop("institution", None)
    history["software_version"] = f"gracelstm_xr {__version__}"
    return history


def _tasks(
    ds: xr.Dataset,
    source: str,
    axis: RegularAxis,
    days: Sequence[tuple[int, int, Day]],
) -> list[Any]:
    """One Delayed per file."""
    import dask

    names = [n for n in (source, *_COMPANIONS) if n in ds]
    ds = ds[names].transpose("satellite", "time", ..., missing_dims="ignore")
    lengths = tuple(s.stop - s.start for s in day_slices(axis))
    pieces = cut(ds, names, {"satellite": 1, "time": lengths})
    write = dask.delayed(_write, pure=False)
    tasks = []
    for i, j, day in days:
        parts = {n: piece_at(pieces[n], ds[n].dims, time=i, satellite=j) for n in names}
        tasks.append(write(day, parts))
    return tasks


def _write(day: Day, parts: dict[str, Any]) -> DayReport:
    return write_day(day, {name: np.asarray(block)[0] for name, block in parts.items()})


def _tell(reports: Sequence[DayReport], source: str) -> None:
    """Warn of everything that is not in the files, per satellite."""
    for letter in dict.fromkeys(r.satellite for r in reports):
        mine = [r for r in reports if r.satellite == letter]
        empty = [r.day for r in mine if r.path is None]
        written = [r for r in mine if r.path is not None]
        said = []
        if empty:
            more = ", ..." if len(empty) > MOST_DAYS else ""
            said.append(
                f"no complete epoch on {len(empty)} of {number_of(len(mine), 'day')}, "
                f"which have no file ({', '.join(empty[:MOST_DAYS])}{more})"
            )
        if partial := sum(r.partial for r in mine):
            said.append(
                f"{number_of(partial, 'epoch')} with only some of x, y and z left out, "
                "as Level-1B records hold all three"
            )
        absent = sum(r.absent for r in written)
        if absent and source != "lin_accl":
            said.append(f"{number_of(absent, 'epoch')} without an estimate left absent")
        if marked := sum(r.marked for r in mine):
            said.append(
                f"{number_of(marked, 'observed epoch')} with flag bit {SYNTHETIC_BIT} "
                "from their source, the headers tell them from synthetic ones"
            )
        if doubted := sum(r.doubted for r in written):
            said.append(
                f"{number_of(doubted, 'epoch')} that cleaning doubts written as "
                "measured"
            )
        if said:
            warnings.warn(f"{letter}: {'; '.join(said)}", GraceWarning, stacklevel=3)
