"""`hindcast`: errors of all methods by lead time, on data no fit has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.screen import screened, tell_of
from gracelstm_xr.baselines.start import CONTEXT, SINGLE
from gracelstm_xr.compute.threads import one_blas_thread
from gracelstm_xr.core.conventions import FILL_METHODS
from gracelstm_xr.core.labels import durations, instant, span_seconds
from gracelstm_xr.core.time import EPOCH
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.filling.hindcasts import hindcasts, judged, loaded_inputs, placed
from gracelstm_xr.filling.lessons import ORDER, Sample
from gracelstm_xr.filling.onestep import one_step_rms
from gracelstm_xr.filling.outlook import Outcome
from gracelstm_xr.filling.present import as_fitted
from gracelstm_xr.physics.earth import REVOLUTION

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.filling.model import FittedModel

__all__ = ["LEADS", "hindcast"]

Array = npt.NDArray[np.float64]

#: Default lead times [s]: 1, 10, 60 min, one revolution and the step of the paper.
LEADS = (10.0, 60.0, 600.0, 3600.0, REVOLUTION)
#: Steps whose lead time differs by less than this part count for a lead time.
NEAR = 0.1
#: Names in the table; the others keep theirs.
NAMES = {"hold": "persistence"}
#: Share of a normal distribution within one and two sigma.
COVERAGE = {"coverage_68": 1.0, "coverage_95": 1.96}


def hindcast(
    ds: xr.Dataset,
    model: FittedModel,
    *,
    leads: Any = LEADS,
    count: int = 48,
    origins: Any = None,
    span: str | tuple[Any, Any] = "test",
    one_step: bool = True,
    clean: bool = True,
    seed: int = 0,
) -> xr.Dataset:
    """Errors of forecasts made in the past, by method and lead time.

    Every forecast knows what was known at its origin and nothing later: orbits are
    propagated, attitude is nominal, thrusters do not fire. All methods start from the
    same origins.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with two days and more before the span.
    model : FittedModel
    leads : sequence of durations
        Lead times [s].
    count : int
        Origins per satellite, at random times.
    origins : sequence of datetime-like, optional
        Take these instead.
    span : {"test", "validation"} or pair of datetime-like
        Where origins and forecasts lie; training data are no use for judging.
    one_step : bool
        Also the protocol of Darbeheshti & Moradi (2023): at every working step of the
        last day (or less) of the span, one step ahead from the true history.
    clean : bool, default True
        Samples that no accelerometer measures count as missing, and a warning tells
        how many (`gracelstm_xr.preprocess.outliers.impossible`); after
        ``ds.grace.clean()`` only what that has marked. False keeps them.
    seed : int
        Of the origins.

    Returns
    -------
    xarray.Dataset
        ``error`` (method, satellite, origin, lead, axis) [m s-2] at the lead times;
        ``rms`` and ``rms_calm`` (no firing within 30 s) over (method, satellite, axis,
        lead) from the steps within a tenth of a lead time; ``coverage_68`` and
        ``coverage_95`` of the forecast's sigma; ``best``, the family of the method
        that ``forecast`` takes; ``rms_one_step`` over (method, satellite, axis).
        Methods are ``persistence``, ``linear``, ``ar``, ``harmonic``,
        ``previous_orbit``, ``tracked_single``, ``seasonal``, ``lstm_single`` and
        ``forecast``, what `forecast` returns.

    Raises
    ------
    GraceError
        When no satellite of ``ds`` can be forecast by the model, or a lead is not
        positive.
    NotEnoughDataError
        When no origin has data before and after it.
    """
    import xarray as xr

    ds = as_fitted(ds, model)
    leads = durations(leads, name="leads")
    whole = _span(model, span)
    step = model.settings.step
    reach = step * np.ceil((1 + NEAR) * max(leads) / step)
    known = {n: r for n, r in model.recipients.items() if r.forecast is not None}
    names = [n for n in map(str, np.atleast_1d(ds["satellite"].values)) if n in known]
    if not names:
        raise GraceError(
            f"found satellites {', '.join(map(str, ds['satellite'].values))}, of which "
            "the model has hindcasts of none, expected one fitted with GNV1B on a "
            "span of days: fit again"
        )
    ds = screened(ds, clean=clean)
    tell_of(ds, names, (whole[0] - CONTEXT, whole[1]))
    parts = []
    for name in names:
        recipient = model.recipients[name]
        samples: list[Sample] = []
        with one_blas_thread():
            for part, times in placed(whole, count, reach, seed, _seconds(origins)):
                t, arrays = loaded_inputs(ds, recipient, part)
                samples += hindcasts(t, arrays, recipient, model, times, reach)
            if not samples:
                raise NotEnoughDataError(
                    f"found no origin for satellite {name} with a day of data before "
                    f"and {reach:g} s after it, expected some in the span: open more "
                    "data or ask for shorter leads"
                )
            table = _table(samples, recipient.forecast, np.array(leads, float), step)
            if one_step:
                found = one_step_rms(ds, model, recipient, whole)
                table["rms_one_step"] = (("method", "axis"), _rows(table, found))
        parts.append(table)
    result = xr.concat(parts, dim="satellite", join="outer")
    return _described(result.assign_coords(satellite=names), model)


def _span(model: FittedModel, span: str | tuple[Any, Any]) -> tuple[float, float]:
    if isinstance(span, str):
        if span not in ("test", "validation"):
            raise GraceError(
                f"found span={span!r}, expected test, validation or two times: "
                "choose one"
            )
        return model.split.test if span == "test" else model.split.validation
    return span_seconds(span)


def _seconds(times: Any) -> Any:
    """GPS seconds of datetime-like values; None stays None."""
    if times is None:
        return None
    labels = np.array([instant(x, name="origins") for x in times])
    return (labels - EPOCH) / np.timedelta64(1, "s")


def _table(samples: list[Sample], made: Any, leads: Array, step: float) -> xr.Dataset:
    """Errors of one satellite."""
    import xarray as xr

    results = [judged(s, made) for s in samples]
    names = [n for n in (*ORDER, "forecast") if n in results[0][0]]
    lead = samples[0].ahead.t - samples[0].origin
    at = np.clip(np.rint(leads / step).astype(int) - 1, 0, len(lead) - 1)
    near = np.abs(lead[None] / leads[:, None] - 1) <= NEAR
    near[np.arange(len(leads)), at] = True
    errors = np.stack([[e[n] for e, _ in results] for n in names])
    calm = np.stack([s.calm for s in samples])[None, :, :, None]
    data: dict[str, Any] = {
        "error": (("method", "origin", "lead", "axis"), errors[:, :, at]),
        "rms": (("method", "axis", "lead"), _rms(errors, near)),
        "rms_calm": (
            ("method", "axis", "lead"),
            _rms(np.where(calm, errors, np.nan), near),
        ),
    }
    outcomes = [best for _, best in results]
    for name, width in COVERAGE.items():
        data[name] = (("axis", "lead"), _coverage(errors[-1], outcomes, near, width))
    codes = np.stack([best.method for best in outcomes])[0, at]
    data["best"] = (("axis", "lead"), codes.T)
    return xr.Dataset(
        data,
        coords={
            "method": [NAMES.get(n, n) for n in names],
            "lead": leads,
            "axis": ["x", "y", "z"],
            "origin": np.arange(len(samples)),
            "origin_time": ("origin", _labels([s.origin for s in samples])),
        },
    )


def _labels(seconds: Sequence[float]) -> npt.NDArray[np.datetime64]:
    milli = np.rint(np.asarray(seconds) * 1e3).astype("timedelta64[ms]")
    return np.asarray(EPOCH + milli.astype("timedelta64[ns]"))


def _rms(errors: Array, near: npt.NDArray[np.bool_]) -> Array:
    """RMS over origins and near steps, (method, axis, lead)."""
    columns = []
    for row in near:
        part = errors[:, :, row]
        known = np.isfinite(part)
        total = np.where(known, part, 0.0) ** 2
        count = known.sum(axis=(1, 2))
        mean = total.sum(axis=(1, 2)) / np.maximum(count, 1)
        columns.append(np.where(count > 0, np.sqrt(mean), np.nan))
    return np.stack(columns, axis=2)


def _coverage(
    error: Array, outcomes: list[Outcome], near: npt.NDArray[np.bool_], width: float
) -> Array:
    """Share of errors within ``width`` sigma, (axis, lead)."""
    sigma = np.stack([best.sigma for best in outcomes])
    columns = []
    for row in near:
        known = np.isfinite(error[:, row]) & np.isfinite(sigma[:, row])
        inside = np.abs(np.where(known, error[:, row], np.inf)) <= width * sigma[:, row]
        count = known.sum(axis=(0, 1))
        share = (inside & known).sum(axis=(0, 1)) / np.maximum(count, 1)
        columns.append(np.where(count > 0, share, np.nan))
    return np.stack(columns, axis=1)


def _rows(table: xr.Dataset, found: dict[str, Array]) -> Array:
    back = {v: k for k, v in NAMES.items()}
    none = np.full(3, np.nan)
    names = [str(n) for n in table["method"].values]
    return np.stack([found.get(back.get(n, n), none) for n in names])


def _described(table: xr.Dataset, model: FittedModel) -> xr.Dataset:
    text = "of forecasts made in the past"
    notes = {
        "error": ("m s-2", f"error {text}, forecast minus observation"),
        "rms": ("m s-2", f"RMS error {text}"),
        "rms_calm": ("m s-2", f"RMS error {text}, no thruster firing within 30 s"),
        "rms_one_step": ("m s-2", "RMS error one working step ahead, true history"),
        "coverage_68": ("1", "share of errors within 1 sigma"),
        "coverage_95": ("1", "share of errors within 1.96 sigma"),
        "best": ("", "family of the method that serves"),
        "lead": ("s", "time since the last observation"),
        "origin_time": ("", "GPS time of the last observation"),
    }
    for name, (units, label) in notes.items():
        if name in table.variables:
            known = {"long_name": label} | ({"units": units} if units else {})
            table[name].attrs = known
    table["best"].attrs |= {
        "flag_values": np.array(list(FILL_METHODS.values()), dtype=np.uint8),
        "flag_meanings": " ".join(FILL_METHODS),
    }
    table.attrs = {
        "title": "hindcasts",
        "source": model.info.get("data", "data of unstated origin"),
        "network": "LSTM" if SINGLE in model.networks else "none",
    }
    return table
