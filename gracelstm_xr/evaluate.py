"""How good filled data are: every method on the same hidden gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.axis import gps_label
from gracelstm_xr.benchmark import GAP_LENGTHS, GapErrors, score_table
from gracelstm_xr.blocks import gps_axis
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.lstm.fitting import score_span
from gracelstm_xr.lstm.recipient import Calibration
from gracelstm_xr.timebase import EPOCH

if TYPE_CHECKING:
    from gracelstm_xr.lstm.model import FittedModel

__all__ = ["evaluate"]

Array = npt.NDArray[np.float64]
#: Parts of a normal distribution within one and two sigma.
LEVELS = {0.68: 0.994, 0.95: 1.960}


def evaluate(
    ds: xr.Dataset,
    model: FittedModel,
    *,
    lengths: Sequence[float] = GAP_LENGTHS,
    count: int = 10,
    seed: int = 0,
    span: tuple[str, str] | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Score every method on gaps hidden in a span no part of the fit has seen.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model; must cover the span.
    model : FittedModel
        Of `gracelstm_xr.lstm.fit`.
    lengths : sequence of float
        Gap lengths [s]; those above a quarter of the span are left out.
    count : int
        Gaps per length and satellite, where there is room.
    seed : int
        Decides the positions, the same for every method.
    span : pair of str, optional
        Start and stop (exclusive) to score on; default the model's test span.
        Must not touch the spans the model was trained or tuned on.
    progress : bool, default False
        Show a bar on standard error.

    Returns
    -------
    xarray.Dataset
        ``rms``, ``mae``, ``p95`` [m s-2] over ``(method, satellite, axis,
        gap_length)``. Methods are the baselines, ``tracked`` (what the network
        starts from), ``lstm``, and ``fill``: what ``ds.grace.fill`` would put there.
        ``coverage`` over ``(level, satellite, axis, gap_length)``: part of the errors
        of ``fill`` within its 68 % and 95 % sigma. ``gap_count``.

    Raises
    ------
    GraceError
        When the span touches training data or lies outside ``ds``.
    NotEnoughDataError
        When no gap can be hidden in the span.
    """
    from gracelstm_xr.progress import Bar

    chosen = model.split.test if span is None else _seconds(span)
    _check_span(ds, model, chosen)
    satellites = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    tables: dict[str, GapErrors] = {}
    sigma: dict[str, Array] = {}
    known = [name for name in model.recipients if name in satellites]
    with Bar("evaluation", len(known), unit="satellite", enabled=progress) as bar:
        for name in known:
            recipient = model.recipients[name]
            errors = score_span(
                ds, model, recipient, chosen, lengths=lengths, count=count, seed=seed
            )
            if len(errors.t) and recipient.calibration is not None:
                tables[name], sigma[name] = _with_fill(errors, recipient.calibration)
            bar.update()
    if not tables:
        raise NotEnoughDataError(
            "found no observations to hide in the evaluation span, expected some "
            "outside the training data: pass span=(start, stop)"
        )
    result = score_table(tables)
    result["coverage"] = _coverage(tables, sigma, result["gap_length"].values)
    result.attrs = {
        "title": "error of filled accelerations in hidden gaps",
        "source": str(ds.attrs.get("source", "data of unstated origin")),
        "model": repr(model),
        "evaluation_start": gps_label(chosen[0]),
        "evaluation_stop": gps_label(chosen[1]),
        "seed": seed,
    }
    return result


def _with_fill(errors: GapErrors, calibration: Calibration) -> tuple[GapErrors, Array]:
    """Add the errors of the method `fill` would choose, and its sigma."""
    shape = (len(errors.t), 3)
    chosen, sigma = np.full(shape, np.nan), np.full(shape, np.nan)
    for length in np.unique(errors.length):
        here = errors.length == length
        row = calibration.nearest(float(length))
        for k in range(3):
            method = str(calibration.choice[row, k])
            chosen[here, k] = errors.errors[method][here, k]
            sigma[here, k] = calibration.sigma_at(row, k, errors.distance[here])
    errors.errors["fill"] = chosen
    return errors, sigma


def _coverage(
    tables: dict[str, GapErrors], sigma: dict[str, Array], lengths: Array
) -> xr.DataArray:
    values = np.full((len(LEVELS), len(tables), 3, len(lengths)), np.nan)
    for s, (name, errors) in enumerate(tables.items()):
        ratio = np.abs(errors.errors["fill"]) / sigma[name]
        for x, length in enumerate(lengths):
            part = ratio[errors.length == length]
            for level, bound in enumerate(LEVELS.values()):
                inside = np.where(np.isfinite(part), part <= bound, np.nan)
                known = np.isfinite(part).any(axis=0)
                values[level, s, known, x] = np.nanmean(inside[:, known], axis=0)
    return xr.DataArray(
        values,
        dims=("level", "satellite", "axis", "gap_length"),
        coords={"level": list(LEVELS)},
        attrs={"units": "1", "long_name": "part of the errors within sigma"},
    )


def _check_span(ds: xr.Dataset, model: FittedModel, span: tuple[float, float]) -> None:
    asked = f"{gps_label(span[0])} to {gps_label(span[1])}"
    seen = {"training": model.split.train, "validation": model.split.validation}
    for what, (start, stop) in seen.items():
        if span[0] < stop and start < span[1]:
            raise GraceError(
                f"found an evaluation span {asked} that touches the {what} span "
                f"{gps_label(start)} to {gps_label(stop)}, expected data the fit has "
                "not seen: choose another span"
            )
    first, step, size = gps_axis(ds)
    last = first + size * step
    if span[0] >= last or span[1] <= first:
        raise GraceError(
            f"found data from {gps_label(first)} to {gps_label(last)}, expected the "
            f"evaluation span {asked} within: open more days or pass "
            "span=(start, stop)"
        )


def _seconds(span: tuple[str, str]) -> tuple[float, float]:
    a, b = (
        float((np.datetime64(x, "ns") - EPOCH) / np.timedelta64(1, "s")) for x in span
    )
    if a >= b:
        raise ValueError(f"found span {span!r}, expected start before stop: swap them")
    return a, b
