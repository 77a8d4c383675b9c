"""Datasets in words, from metadata alone: nothing is computed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from gracelstm_xr.core.conventions import attributes_now
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import DAY_NS
from gracelstm_xr.errors import GraceError
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
        f"time:       {first} to {end} GPS ({days:.6g} days)",
        f"sampling:   {axis.step_ns / 1e9:g} s, {axis.size} epochs",
    ]


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
        "duplicate_epochs": "epochs repeated",
        "out_of_order_epochs": "steps back in time",
        "overlap_records": "records outside their day",
        "missing_records": "announced records missing",
        "truncated_files": "files cut short",
        "foreign_records": "records of another satellite",
        "mismatched_files": "files that are not what their header says",
        "absent_files": "files absent from their tarball",
        "unreadable_files": "files unreadable",
    }
    told = [f"{ds.attrs[n]} {text}" for n, text in words.items() if ds.attrs.get(n)]
    faults = ", ".join(told) or "no fault"
    return [f"files:      {ds.attrs['records']} records, {faults}"]


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
        work = f"{done.files} files read ({done.read / 1e6:.4g} MB), {done.changed} new"
        lines = [f"{done.store}: {work}, {done.shards} shards written"]
    else:
        lines = [f"{done.store} is up to date, nothing to do"]
    gaps = ", ".join(f"{s} {n}" for s, n in done.gaps.items())
    lines += [
        f"days:       {done.days} with data",
        f"records:    {counts['records']}",
        f"gaps:       {gaps}",
        f"duplicates: {counts['duplicate_epochs']} epochs repeated, "
        f"{counts['out_of_order_epochs']} steps back in time, "
        f"{counts['overlap_records']} records outside their day",
        f"flagged:    {counts['flagged_records']} records",
        f"cut short:  {counts['truncated_files']} files, "
        f"{counts['missing_records']} announced records missing",
        f"absent:     {counts['absent_files']} members absent from their tarballs",
    ]
    failed = counts["unreadable_files"]
    words = "could not be read; the manifest says why" if failed else "unreadable"
    lines.append(f"failed:     {failed} files {words}")
    return "\n".join(lines)
