"""How good filled data are: every method on the same hidden gaps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.baselines.registry import METHODS, reads_donor, reads_series_only
from gracelstm_xr.baselines.screen import screened, tell_of
from gracelstm_xr.baselines.start import CONTEXT
from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.core.labels import durations, span_seconds
from gracelstm_xr.core.time import gps_label
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.evaluate.controls import Control, control_tables
from gracelstm_xr.evaluate.parts import Part, claim_parts
from gracelstm_xr.evaluate.scores import DISTURBED, tables
from gracelstm_xr.evaluate.spectra import observation_noise, spectra
from gracelstm_xr.evaluate.tasks import planned, worked
from gracelstm_xr.evaluate.verdict import verdict
from gracelstm_xr.filling.hidden import GAP_LENGTHS
from gracelstm_xr.filling.model import FittedModel, model_of
from gracelstm_xr.filling.present import as_fitted

#: Variables of the data model that are no product to compare with.
OWN = (
    *("lin_accl", "lin_accl_filled", "lin_accl_filled_sigma"),
    *("lin_accl_forecast", "lin_accl_forecast_sigma", "lin_accl_transplant_sigma"),
)


def evaluate(
    ds: xr.Dataset,
    model: FittedModel | str | os.PathLike[str],
    *,
    lengths: Any = GAP_LENGTHS,
    count: int = 10,
    seed: int = 0,
    span: tuple[Any, Any] | None = None,
    allow_training: bool = False,
    products: Mapping[str, xr.Dataset] | None = None,
    controls: bool = True,
    clean: bool = True,
    keep: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Score every method on gaps hidden in a span no part of the fit has seen.

    Needs no truth: contiguous spans of observations are hidden, filled, and compared
    with what was hidden. Runs on the Dask scheduler in force, with the same numbers on
    any.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model; must cover the span.
    model : FittedModel or path-like
        Of `gracelstm_xr.lstm.fit`, or the file it was saved in.
    lengths : sequence of durations
        Gap lengths, in seconds or as ``"60s"``; those above half of the span are left
        out. ``inf`` hides all the recipient observed, the context of the span included.
    count : int
        Gaps per length and satellite, where there is room; up to four times as many
        where the span holds them side by side, and below 200 s.
    seed : int
        Decides the positions, the same for every method, and the bootstrap.
    span : pair of dates or times, optional
        Start and stop to score on, see `core.labels`: a stop that names a day includes
        it. Default the model's test span.
    allow_training : bool, default False
        Score also where the model was trained or tuned; the result then says so.
    products : mapping of str to Dataset, optional
        Series made elsewhere to score beside the methods, for example
        ``{"act1b": gx.open_archive("archive", products=["ACT1B"])}``: ``lin_accl`` on
        the time axis of ``ds``. Variables of ``ds`` named ``lin_accl_<name>`` are
        taken as well. Less their mean difference from the visible observations.
    controls : bool, default True
        Make the controls of `gracelstm_xr.evaluate.controls`.
    clean : bool, default True
        Samples that no accelerometer measures count as missing, and a warning tells
        how many (`gracelstm_xr.preprocess.outliers.impossible`); after
        ``ds.grace.clean()`` only what that has marked. False keeps them.
    keep : path-like, optional
        Folder in which finished parts are kept; an interrupted evaluation that is
        started again takes them from there. It may hold nothing else.
    progress : bool, default False
        Show a bar on standard error.

    Returns
    -------
    xarray.Dataset
        ``rms``, ``mae``, ``p95`` [m s-2] over ``(method, satellite, axis,
        gap_length)``. Methods are the baselines, ``tracked`` (what the network
        starts from), ``lstm``, and ``fill``: what ``ds.grace.fill`` would put there;
        ``track`` says what a method sees. ``coverage`` over ``(level, satellite,
        axis, gap_length)``: part of the errors of ``fill`` within its 68 % and 95 %
        sigma. ``gap_count``. Further the tables of
        `gracelstm_xr.evaluate.scores.tables` (skill, intervals, regimes, errors
        after a gravity solver's parameters), of
        `gracelstm_xr.evaluate.spectra.spectra` and of
        `gracelstm_xr.evaluate.controls.control_tables`. The attribute ``verdict``
        says in a few sentences, one a line, what they mean.

    Raises
    ------
    GraceError
        When the span touches training data or lies outside ``ds``.
    NotEnoughDataError
        When no gap can be hidden in the span.
    """
    model = model_of(model)
    ds = as_fitted(ds, model)
    folder = None if keep is None else Path(keep)
    if folder is not None:
        claim_parts(folder)
    lengths = durations(lengths, name="lengths", infinite=True)
    chosen = model.split.test if span is None else span_seconds(span)
    seen = _check_span(ds, model, chosen, allow=allow_training)
    satellites = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    others = _products(ds, products or {})
    ds = screened(ds, clean=clean)
    pairs = [r.pair for n, r in model.recipients.items() if n in satellites]
    both = [name for pair in pairs for name in (pair.recipient, pair.donor)]
    tell_of(ds, both, (chosen[0] - CONTEXT, chosen[1] + CONTEXT))
    work = [
        one
        for name in model.recipients
        if name in satellites
        for one in planned(
            ds, model, name, chosen,
            lengths=lengths, count=count, seed=seed, products=others, controls=controls,
        )
    ]  # fmt: skip
    parts, checked = worked(work, keep=folder, progress=progress)
    if not parts:
        raise NotEnoughDataError(
            "found no observations to hide in the evaluation span, expected some "
            "outside the training data: pass span=(start, stop)"
        )
    result = _assembled(parts, checked, seed)
    tracks = _tracks(model, [str(m) for m in result["method"].values], list(others))
    result = result.assign_coords(track=("method", tracks))
    result.attrs = {
        "title": "error of filled accelerations in hidden gaps",
        "source": str(ds.attrs.get("source", "data of unstated origin")),
        "model": repr(model),
        "evaluation_start": gps_label(chosen[0]),
        "evaluation_stop": gps_label(chosen[1]),
        "evaluation_data": seen or "not seen by the fit",
        "seed": seed,
        "verdict": "\n".join(verdict(result)),
    }
    return result


def _assembled(
    parts: Mapping[str, Part], checked: Mapping[str, Control], seed: int
) -> xr.Dataset:
    """All tables, labelled."""
    result = tables(parts, seed)
    methods = [str(m) for m in result["method"].values]
    result = result.merge(spectra(parts, methods))
    result["observation_noise"] = observation_noise()
    if checked:
        result = result.merge(control_tables(checked, result))
    activity = [float(np.nanmedian(part.activity)) for part in parts.values()]
    result["activity"] = (
        "satellite",
        activity,
        {
            "units": "m s-2",
            "long_name": "median RMS of x about its mean over a revolution",
            "comment": f"disturbed: above {DISTURBED:g} times this",
        },
    )
    return result


def _tracks(
    model: FittedModel, methods: Sequence[str], products: Sequence[str]
) -> list[str]:
    """What each method sees: itself, its orbit, the twin, or not known."""
    some = model.recipients.values()
    twin = "twin + orbit" if any("harmonic" in r.baselines for r in some) else "twin"
    if all(r.pair.donor is None for r in some):
        twin = twin.replace("twin", "single")
    told = []
    for name in methods:
        if name in products:
            told.append("product")
        elif name.endswith("_single"):
            told.append(twin.replace("twin", "single"))
        elif reads_series_only(name):
            told.append("single")
        elif name in METHODS and not reads_donor(name):
            told.append("single + orbit")
        else:
            told.append(twin)
    return told


def _products(
    ds: xr.Dataset, given: Mapping[str, xr.Dataset]
) -> dict[str, xr.DataArray]:
    """Series to compare with, by name, checked to be on the axis of ``ds``."""
    products = {
        str(name).removeprefix("lin_accl_"): ds[name]
        for name in ds.data_vars
        if str(name).startswith("lin_accl_")
        and name not in OWN
        and set(ds[name].dims) == set(ds["lin_accl"].dims)
    }
    mine = gps_axis(ds)
    for name, other in given.items():
        if "lin_accl" not in other:
            raise GraceError(
                f"found no lin_accl in the product {name!r}, expected the data model: "
                "open it with gx.open_archive(..., products=[...])"
            )
        if gps_axis(other) != mine:
            raise GraceError(
                f"found product {name!r} from {gps_label(gps_axis(other)[0])}, "
                f"{gps_axis(other)[2]} samples, expected the time axis of the data: "
                "open both with the same start and stop"
            )
        products[name] = other["lin_accl"]
    return products


def _check_span(
    ds: xr.Dataset, model: FittedModel, span: tuple[float, float], *, allow: bool
) -> str:
    """Which data of the fit the span touches, in words; empty for none."""
    asked = f"{gps_label(span[0])} to {gps_label(span[1])}"
    spans = {"training": model.split.train, "validation": model.split.validation}
    touched = []
    for what, (start, stop) in spans.items():
        if span[0] < stop and start < span[1]:
            if not allow:
                raise GraceError(
                    f"found an evaluation span {asked} that touches the {what} span "
                    f"{gps_label(start)} to {gps_label(stop)}, expected data the fit "
                    "has not seen: choose another span, or pass allow_training=True"
                )
            touched.append(what)
    first, step, size = gps_axis(ds)
    last = first + size * step
    if span[0] >= last or span[1] <= first:
        raise GraceError(
            f"found data from {gps_label(first)} to {gps_label(last)}, expected the "
            f"evaluation span {asked} within: open more days or pass "
            "span=(start, stop)"
        )
    return f"partly {' and '.join(touched)} data of the fit" if touched else ""
