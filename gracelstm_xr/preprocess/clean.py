"""Marks for doubtful accelerations: one bit per reason, nothing deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.compute.blocks import map_time_blocks, per_satellite, stack_satellites
from gracelstm_xr.core import conventions
from gracelstm_xr.core.gaps import edge_distance, runs
from gracelstm_xr.errors import GraceError
from gracelstm_xr.preprocess import outliers
from gracelstm_xr.signal.lowpass import HALF_WINDOW

#: Bits of ``acc_cleanflg``.
REASONS: dict[str, int] = {
    "implausible": 1,
    "spike": 2,
    "near_gap": 4,
    "outlier": 8,
    "flagged": 16,
    "stuck": 32,
    "manoeuvre": 64,
    "level_shift": 128,
}
#: Reasons that by default leave a sample an observation: most samples of real files
#: have a raw sample filled somewhere in their filter window.
NOT_MISSING = ("near_gap",)
#: Robust standard deviations of a step.
SHIFT_SIGMA = 12.0
#: Longest firing that is followed [s]; context of a block [s].
LONGEST_BURN, CONTEXT = 3600.0, 5400.0


@dataclass(frozen=True)
class _Limits:
    """Parameters of `clean`, in SI units."""

    limit: float
    spike: float
    outlier: float
    stuck: float
    shift: float
    long_firing: float
    widen: float | None


def clean(
    ds: xr.Dataset,
    *,
    limit: float = outliers.LIMIT,
    spike: float = 12.0,
    outlier: float = outliers.OUTLIER,
    stuck: float = outliers.STUCK,
    shift: float = 2e-7,
    long_firing: float = 1000.0,
    widen: float | None = None,
    keep: Iterable[str] = NOT_MISSING,
) -> xr.Dataset:
    """Mark doubtful accelerations in ``acc_cleanflg``; lazy, nothing is deleted.

    =============  =====================================================================
    reason         a sample
    =============  =====================================================================
    `implausible`  beyond ``limit`` or infinite on an axis
    `spike`        standing out at frequencies that the 35 mHz low-pass stops
                   (`gracelstm_xr.preprocess.outliers.spikes`); thruster firings do not
    `near_gap`     within 70 s, half the window of the Level-1B filter, of a hole in the
                   raw data, as the quality bits of ACC1B say; within ``widen`` of a gap
    `outlier`      away from the local median by more than ``outlier`` robust standard
                   deviations within 7.5 min and by more than 2e-7 m s-2
    `flagged`      with a quality bit about anything but the clock and filled raw
                   samples: proof-mass voltage, large residual
    `stuck`        in a run of equal values of at least ``stuck`` seconds, zero excepted
    `manoeuvre`    within 70 s of an orbit thruster's firing, of an attitude thruster's
                   firing longer than ``long_firing``, or of 10 s with more than
                   2e-5 m s-2 along x
    `level_shift`  within 100 s of a step of the level by more than ``shift``
                   (`gracelstm_xr.preprocess.outliers.level_shifts`)
    =============  =====================================================================

    Medians stand at absolute times: the result does not depend on chunks.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``; ``acc_qualflg`` and ``thruster_on_time`` are used
        where they are.
    limit : float
        Largest plausible acceleration [m s-2].
    spike, outlier : float
        Robust standard deviations.
    stuck : float
        Shortest run of equal values [s], three samples at least.
    shift : float
        Smallest step of the level [m s-2].
    long_firing : float
        On-time of an attitude thruster that makes a manoeuvre [ms].
    widen : float, optional
        Also mark as `near_gap` so many seconds on either side of every gap. By default
        70 s where there are no quality bits, and none where there are.
    keep : iterable of str
        Reasons that do not make a sample missing. The others do, for all that reads
        observations (`gracelstm_xr.gaps.usable`): a later ``fill`` estimates them.

    Returns
    -------
    xarray.Dataset
        ``ds`` with ``acc_cleanflg`` (uint8), its bits in ``flag_masks`` and
        ``flag_meanings``, the bits that make a sample missing in
        ``treated_as_missing``, and all parameters as JSON in ``parameters``. Missing
        samples have no mark.

    Raises
    ------
    GraceError
        Without ``lin_accl`` or any epoch, for an unknown reason in ``keep``, or a
        negative parameter.

    Examples
    --------
    >>> marks = ds.grace.clean().grace.marks()
    >>> int(marks["samples"].sum())
    0
    """
    conventions.require_series(ds)
    limits = _Limits(limit, spike, outlier, stuck, shift, long_firing, widen)
    kept = _check(ds, limits, keep)
    parts = [_marks(one, limits) for _, one in per_satellite(ds)]
    dims, flag = stack_satellites(ds, parts)["flag"]
    missing = sum(bit for reason, bit in REASONS.items() if reason not in kept)
    told = {**asdict(limits), "keep": sorted(kept)}
    attrs = conventions.attributes_of("acc_cleanflg") | {
        "flag_masks": np.array(list(REASONS.values()), dtype=np.uint8),
        "flag_meanings": " ".join(REASONS),
        "treated_as_missing": np.uint8(missing),
        "parameters": json.dumps(told),
    }
    result = ds.assign(acc_cleanflg=(dims, flag, attrs))
    text = ", ".join(f"{k}={v}" for k, v in told.items())
    return result.assign_attrs(
        conventions.append_history(ds.attrs, f"doubtful samples marked: {text}")
    )


def _check(ds: xr.Dataset, limits: _Limits, keep: Iterable[str]) -> set[str]:
    """Reasons to keep, after a look at all parameters."""
    kept = {keep} if isinstance(keep, str) else set(keep)
    if unknown := sorted(kept - set(REASONS)):
        raise GraceError(
            f"found reason {unknown[0]!r} in keep, expected some of "
            f"{', '.join(REASONS)}: correct the name"
        )
    for name, value in asdict(limits).items():
        if value is not None and not value >= 0:
            raise GraceError(f"found {name}={value}, expected a number of at least 0")
    return kept


def _marks(one: xr.Dataset, limits: _Limits) -> dict[str, Any]:
    """Lazy marks of one satellite."""
    inputs = {"values": one["lin_accl"].transpose("time", "axis")}
    bits: tuple[int, int] | None = None
    if "acc_qualflg" in one:
        inputs["quality"] = one["acc_qualflg"]
        bits = quality_bits(one["acc_qualflg"].attrs)
    if "thruster_on_time" in one:
        fired = one["thruster_on_time"].transpose("time", "thruster")
        inputs["orbit"], inputs["attitude"] = fired[:, 12:14], fired[:, :12]
    return map_time_blocks(
        _clean_block,
        inputs,
        one,
        limits,
        bits,
        halo=CONTEXT + (limits.widen or 0.0) + limits.stuck,
        outputs={"flag": ((), np.uint8)},
    )


def quality_bits(attrs: Mapping[str, Any]) -> tuple[int, int]:
    """Bits of ``acc_qualflg`` that make a sample doubtful.

    Parameters
    ----------
    attrs : mapping
        Attributes with ``flag_masks`` and ``flag_meanings``: those of the GRACE
        products, or what the header of a GRACE-FO file says.

    Returns
    -------
    suspect, hole : int
        Masks. ``hole``: a raw sample within the filter window, 70 s, was filled (bits
        5 to 7 in ACC1B of both missions). ``suspect``: anything else but an
        extrapolated clock and unused bits (bits 0 and 2).
    """
    words = str(attrs.get("flag_meanings", "")).split()
    masks = np.atleast_1d(attrs.get("flag_masks", [])).tolist()
    suspect = hole = 0
    for mask, text in zip(masks, words, strict=False):
        if re.search(r"clock|clk", text, re.IGNORECASE):
            continue
        if re.search(r"fill|gap|interpolated", text, re.IGNORECASE):
            hole |= int(mask)
        elif not re.search(r"unused|undefined|not_defined|spare", text, re.IGNORECASE):
            suspect |= int(mask)
    return suspect, hole


def _clean_block(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    limits: _Limits,
    bits: tuple[int, int] | None,
) -> dict[str, npt.NDArray[np.uint8]]:
    given = np.asarray(arrays["values"], dtype=np.float64)
    values = given.copy()
    step = t[1] - t[0] if len(t) > 1 else 1.0
    there = _any(~np.isnan(values))
    marks: dict[str, BoolArray] = {
        "implausible": _any(np.abs(values) > limits.limit),
        "stuck": outliers.stuck_values(values, max(int(limits.stuck / step), 3)),
    }
    values[marks["implausible"] | marks["stuck"]] = np.nan
    marks["spike"] = outliers.spikes(t, values, limits.spike)
    values[marks["spike"]] = np.nan
    level, spread = outliers.local_level(t, values)
    away = np.abs(given - level)
    marks["outlier"] = _any(
        away > np.maximum(limits.outlier * spread, outliers.SMALLEST_OUTLIER)
    )
    marks["manoeuvre"] = _manoeuvres(t, away[:, 0], arrays, limits)
    steps = outliers.level_shifts(t, values, limits.shift, SHIFT_SIGMA)
    reach = HALF_WINDOW + outliers.SHIFT_CELL
    marks["level_shift"] = outliers.near(t, [(s, s) for s in steps], reach)
    widen, suspect, hole = limits.widen, *(bits or (0, 0))
    if bits is not None:
        marks["flagged"] = (arrays["quality"] & suspect) != 0
        marks["near_gap"] = (arrays["quality"] & hole) != 0
    if widen is None:
        widen = 0.0 if hole else HALF_WINDOW
    if widen:
        before, after = edge_distance(there)
        close = np.minimum(before, after) * step <= widen
        marks["near_gap"] = close | marks.get("near_gap", np.zeros(len(t), bool))
    flag = np.zeros(len(t), dtype=np.uint8)
    for reason, mask in marks.items():
        flag[mask & there] |= REASONS[reason]
    return {"flag": flag[keep]}


def _any(masks: BoolArray) -> BoolArray:
    """True where any column is: several times faster than ``any`` on three columns."""
    return np.asarray(np.logical_or.reduce(list(masks.T)), dtype=bool)


def _manoeuvres(
    t: Array, away: Array, arrays: Mapping[str, npt.NDArray[Any]], limits: _Limits
) -> BoolArray:
    """Around firings of orbit thrusters, long other firings, and pushes along x."""
    spans: list[tuple[float, float]] = []
    if "orbit" in arrays:
        longest = np.zeros(len(t))
        for name, least in (("orbit", 0.0), ("attitude", limits.long_firing)):
            for on_time in np.asarray(arrays[name]).T:
                longest = np.fmax(longest, np.where(on_time > least, on_time, 0.0))
        ends = t + np.minimum(longest / 1000.0, LONGEST_BURN)
        spans += [(t[i], ends[i]) for i in np.flatnonzero(longest)]
    step = t[1] - t[0] if len(t) > 1 else 1.0
    for a, b in runs(away > outliers.BURN):
        if (b - a) * step >= outliers.BURN_LENGTH:
            spans.append((t[a], t[b - 1]))
    return outliers.near(t, spans, HALF_WINDOW)


def count_marks(ds: xr.Dataset) -> xr.Dataset:
    """Count what `clean` marked; lazy.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``acc_cleanflg``.

    Returns
    -------
    xarray.Dataset
        Over ``satellite`` (where ``ds`` has it) and ``reason``: ``samples`` marked,
        ``events`` (stretches of them without a break); ``observed`` samples of the
        satellite; and ``treated_as_missing`` by reason. A sample may have several
        reasons.

    Raises
    ------
    GraceError
        When the data were not cleaned.
    """
    import dask.array as da

    conventions.require("acc_cleanflg", ds.variables, remedy="call ds.grace.clean()")
    flag = ds["acc_cleanflg"].transpose(..., "time")
    masks = np.array(flag.attrs["flag_masks"], dtype=np.uint8)
    bits = (da.asarray(flag.data)[..., None] & masks) != 0
    begun = bits[..., 1:, :] & ~bits[..., :-1, :]
    seen = ds["lin_accl"].notnull().any("axis").sum("time")
    dims = (*flag.dims[:-1], "reason")
    condemned = int(flag.attrs.get("treated_as_missing", 0))
    attrs = {"units": "1"}
    return xr.Dataset(
        {
            "samples": (dims, bits.sum(axis=-2), attrs | {"long_name": "samples"}),
            "events": (
                dims,
                begun.sum(axis=-2) + bits[..., 0, :],
                attrs | {"long_name": "stretches of marked samples"},
            ),
            "observed": seen.drop_attrs().assign_attrs(
                attrs | {"long_name": "observed samples"}
            ),
            "treated_as_missing": ("reason", (masks & condemned) != 0),
        },
        coords={"reason": str(flag.attrs["flag_meanings"]).split()},
    )
