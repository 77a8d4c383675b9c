"""Datasets in words, from metadata alone: nothing is computed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from gracelstm_xr.core.conventions import attributes_now
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import DAY_NS
from gracelstm_xr.errors import GraceError, number_of
from gracelstm_xr.missions import missions_of

if TYPE_CHECKING:
    from gracelstm_xr.store.ingest import Ingested


def observed_fractions(ds: xr.Dataset) -> dict[str, float]:
    """Return the fraction of seconds with accelerations per satellite.

    Known for a whole opened store, which counted them when it was written; empty
    for anything else, because counting would mean computing.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model.

    Returns
    -------
    dict of str to float
        Between 0 and 1.
    """
    counts = ds.encoding.get("observed", {})
    size = ds.sizes.get("time", 0)
    if not size or counts.get("size") != size or "satellite" not in ds.coords:
        return {}
    letters = np.atleast_1d(ds["satellite"].values)
    return {str(s): counts[str(s)] / size for s in letters if str(s) in counts}


def _span(ds: xr.Dataset) -> list[str]:
    try:
        axis = axis_of(ds)
    except GraceError as error:
        return [f"time: {error}"]
    last = axis.start + max(axis.size - 1, 0) * axis.step
    first, end = (np.datetime_as_string(t, unit="s") for t in (axis.start, last))
    days = axis.size * axis.step_ns / DAY_NS
    return [
        f"time:       {first} to {end} GPS ({_days(days)})",
        f"sampling:   {axis.step_ns / 1e9:g} s, {number_of(axis.size, 'epoch')}",
    ]


def _days(days: float) -> str:
    """Return a span, of parts of a day too, in words."""
    return number_of(round(days), "day") if days == round(days) else f"{days:.6g} days"


def _counted(ds: xr.Dataset) -> list[str]:
    """What was found in the files when they were read, faults only where there are.

    Nothing of a part: the counts are of all files.
    """
    if "records" not in ds.attrs or "unreadable_files" not in ds.attrs:
        return []
    with contextlib.suppress(GraceError):
        if "records" not in attributes_now(ds, axis_of(ds)):
            return []
    words = {
        "duplicate_epochs": ("epoch", "repeated"),
        "out_of_order_epochs": ("step", "back in time"),
        "overlap_records": ("record", "outside their day"),
        "missing_records": ("announced record", "missing"),
        "truncated_files": ("file", "cut short"),
        "foreign_records": ("record", "of another satellite"),
        "mismatched_files": ("file", "not what the header says"),
        "absent_files": ("file", "absent from their tarball"),
        "unreadable_files": ("file", "unreadable"),
    }
    told = [
        f"{number_of(ds.attrs[n], noun)} {text}"
        for n, (noun, text) in words.items()
        if ds.attrs.get(n)
    ]
    faults = ", ".join(told) or "no fault"
    return [f"files:      {number_of(ds.attrs['records'], 'record')}, {faults}"]


def describe(ds: xr.Dataset) -> str:
    """Return a few lines on satellites, span, sampling, variables and gaps.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model; lazy arrays stay lazy.

    Returns
    -------
    str
        One fact per line.
    """
    lines = ["<GRACE accelerometer data>"]
    if "satellite" in ds.coords:
        letters = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
        missions = ", ".join(missions_of(letters))
        lines.append(f"satellites: {', '.join(letters)} ({missions})")
    lines += _span(ds) if "time" in ds.coords else ["time: none"]
    names = [str(n) for n in ds.data_vars]
    lines.append(f"variables:  {', '.join(names) or 'none'}")
    seen = observed_fractions(ds)
    gaps = ", ".join(f"{s} {100 * (1 - f):.3g} %" for s, f in seen.items())
    lines.append(f"missing:    {gaps or 'not counted; ds.grace.gaps() counts'}")
    lines += _counted(ds)
    if "acc_cleanflg" in names:
        lines.append("cleaned:    yes; ds.grace.marks() counts what was marked")
    methods = "lin_accl_filled" in names
    lines.append(f"filled:     {'yes' if methods else 'no'}")
    return "\n".join(lines)


def ingested(done: Ingested) -> str:
    """Return a few lines on what an ingest did and what the store holds now.

    Parameters
    ----------
    done : Ingested
        Result of `gracelstm_xr.ingest`.

    Returns
    -------
    str
        One fact per line, files that could not be read last.
    """
    counts = done.counts
    if done.shards:
        lines = [
            f"{done.store}: {number_of(done.files, 'file')} read "
            f"({done.read / 1e6:.4g} MB), {done.changed} new, "
            f"{number_of(done.shards, 'shard')} written"
        ]
    else:
        lines = [f"{done.store} is up to date, nothing to do"]
    gaps = ", ".join(f"{s} {n}" for s, n in done.gaps.items())
    told = {
        name: number_of(counts[name], noun)
        for name, noun in (
            ("duplicate_epochs", "epoch"),
            ("out_of_order_epochs", "step"),
            ("overlap_records", "record"),
            ("flagged_records", "record"),
            ("truncated_files", "file"),
            ("missing_records", "announced record"),
            ("absent_files", "member"),
            ("unreadable_files", "file"),
        )
    }
    lines += [
        f"days:       {done.days} with data",
        f"records:    {counts['records']}",
        f"gaps:       {gaps}",
        f"duplicates: {told['duplicate_epochs']} repeated, "
        f"{told['out_of_order_epochs']} back in time, "
        f"{told['overlap_records']} outside their day",
        f"flagged:    {told['flagged_records']}",
        f"cut short:  {told['truncated_files']}, {told['missing_records']} missing",
        f"absent:     {told['absent_files']} absent from their tarballs",
    ]
    why = "could not be read; the manifest says why"
    words = why if counts["unreadable_files"] else "unreadable"
    lines.append(f"failed:     {told['unreadable_files']} {words}")
    return "\n".join(lines)
