"""`forecast`: go on past the end of the data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.baselines.screen import OWN_MARKS, counts_of, marks_of, screened, tell
from gracelstm_xr.baselines.start import CONTEXT, SINGLE
from gracelstm_xr.compute.blocks import (
    as_dask,
    gps_axis,
    seconds_of,
    shared_node,
    token_of,
)
from gracelstm_xr.compute.threads import one_blas_thread
from gracelstm_xr.core import conventions
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.core.index import axis_of, regular_coords
from gracelstm_xr.core.labels import duration, instant
from gracelstm_xr.core.time import RegularAxis, gps_label
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.filling.ahead import (
    Ahead,
    facing,
    look_ahead,
    origin_frame,
    process_term,
)
from gracelstm_xr.filling.hindcasts import hindcasts
from gracelstm_xr.filling.lessons import learn
from gracelstm_xr.filling.model import FittedModel, model_of
from gracelstm_xr.filling.outlook import CODES, ForecastCalibration, Outcome
from gracelstm_xr.filling.present import as_fitted
from gracelstm_xr.physics.frames import alone_without_twin, frame_inputs

if TYPE_CHECKING:
    from gracelstm_xr.filling.recipient import Recipient

__all__ = ["OUTPUTS", "data_ends", "forecast"]

Array = npt.NDArray[np.float64]

#: Least time of data that a forecast starts from [s].
SHORTEST = 86_400.0
#: Longest horizon [s].
LONGEST = 86_400.0
#: Where a model has no calibration: past forecasts it is learnt from on the spot, and
#: the time they are spread over [s].
HINDCASTS, OVER = 12, 86_400.0
#: Steps beyond the horizon: the last three of a forecast lack what lies behind them.
SPARE = 6
#: Observed steps whose values shape the interpolation after the last one.
JOINT = 8
OUTPUTS = ("lin_accl_forecast", "lin_accl_forecast_sigma", "lin_accl_forecast_method")


def forecast(
    ds: xr.Dataset,
    model: FittedModel | str | os.PathLike[str],
    *,
    horizon: Any = "90min",
    start: Any = None,
    clean: bool = True,
) -> xr.Dataset:
    """Forecast the series past the end of the data; lazy.

    Every satellite is forecast from itself alone. What the network starts from goes
    on along the orbit, which is propagated where GNV1B ends, with nominal attitude and
    no thruster firing; to it come what that left of the observations one, two and
    three revolutions earlier, what an autoregressive process carries on from the last
    minutes, and the network. By lead time and axis the best of these and of the simple
    methods serves, as hindcasts on the validation span of the fit have shown; sigma
    comes from the same. A model fitted without hindcasts makes them on the last day.

    Lead times count from the last observation of a satellite. A gap at the end is
    bridged, and part of the result with ``start``; where the twin goes on meanwhile
    `fill` knows more about it.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with at least a day of ``lin_accl``, and orbits, at its end. Only
        the last 57 h are read.
    model : FittedModel or path-like
        Of `gracelstm_xr.lstm.fit`, or the file it was saved in.
    horizon : str, number or timedelta
        How far past the end of ``ds`` to go, as a duration or in seconds; up to a day.
        Hindcasts reach three revolutions: sigma beyond is extrapolated.
    start : datetime-like, optional
        First time of the result, within the last day of ``ds``; default one sample
        after its end. Observations from there on are part of the result.
    clean : bool, default True
        Samples that no accelerometer measures count as missing, and a warning tells
        how many (`gracelstm_xr.preprocess.outliers.impossible`); after
        ``ds.grace.clean()`` only what that has marked. False keeps them.

    Returns
    -------
    xarray.Dataset
        ``lin_accl_forecast`` and ``lin_accl_forecast_sigma`` (1-sigma, NaN where
        observed) [m s-2] and ``lin_accl_forecast_method`` (CF flags) over
        ``(satellite, time, axis)``. The same to the last bit on any chunking.

    Raises
    ------
    GraceError
        When the model knows no satellite of ``ds``, or no orbit; when ``ds`` has none;
        when ``horizon`` or ``start`` is out of range.
    NotEnoughDataError
        When ``ds`` is shorter than a day.
    """
    model = model_of(model)
    ds = screened(ds, clean=clean)
    seconds = duration(horizon, name="horizon")
    names = _satellites(ds, model, seconds)
    ds = as_fitted(ds, model)
    axis = axis_of(ds)
    step = float(axis.step / np.timedelta64(1, "s"))
    size = max(round(seconds / step), 1)
    early = _early(axis, start)
    future = RegularAxis(axis.stop - early * axis.step, axis.step, early + size)
    parts = [_one(ds, model, name, early, size) for name in names]
    result = xr.concat(parts, dim="satellite").assign_coords(satellite=names)
    result = result.assign_coords(regular_coords(future))
    for name in OUTPUTS:
        result[name].attrs = conventions.attributes_of(name)
    result.attrs = conventions.append_history(
        ds.attrs, f"forecast of {seconds:g} s by gracelstm_xr: {model!r}"
    )
    return result.assign_coords(axis=ds["axis"])


def _satellites(ds: xr.Dataset, model: FittedModel, seconds: float) -> list[str]:
    """Satellites that can be forecast, after the checks that need no data."""
    found = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    known = [name for name in found if name in model.recipients]
    if not 0 < seconds <= LONGEST:
        raise GraceError(
            f"found a horizon of {seconds:g} s, expected more than 0 and at most "
            f"{LONGEST:g}: say how far to go, for example 90min"
        )
    if not known:
        raise GraceError(
            f"found satellites {', '.join(found)}, expected one of "
            f"{', '.join(model.recipients)}: fit a model on this satellite"
        )
    chosen = [n for n in known if "harmonic" in model.recipients[n].baselines]
    if not chosen or not all(model.recipients[n].tracks for n in chosen):
        raise GraceError(
            f"found a model without an orbit for satellites {', '.join(known)}, "
            "expected one fitted with GNV1B by ds.grace.fit(): open the archive with "
            "GNV1B and fit again"
        )
    if not {"position", "velocity"} <= set(ds.variables):
        raise GraceError(
            "found no position and velocity, expected orbits to go on along: open the "
            "archive with GNV1B"
        )
    axis = axis_of(ds)
    span = axis.size * float(axis.step / np.timedelta64(1, "s"))
    if span < SHORTEST:
        raise NotEnoughDataError(
            f"found {span:g} s of data, expected at least {SHORTEST:g} s before a "
            "forecast: open a day or more"
        )
    return chosen


def data_ends(
    ds: xr.Dataset, model: FittedModel, *, clean: bool = True
) -> dict[str, np.datetime64]:
    """Time of the last observation of every satellite; reads the last day.

    Parameters
    ----------
    ds : xarray.Dataset
    model : FittedModel
    clean : bool, default True
        As in `forecast`.

    Returns
    -------
    dict of str to datetime64

    Raises
    ------
    NotEnoughDataError
        When a satellite of the model has no observation on the last day.
    """
    axis = axis_of(ds)
    size = round(SHORTEST / float(axis.step / np.timedelta64(1, "s")))
    low = max(axis.size - size, 0)
    own = usable(screened(ds, clean=clean)).isel(time=slice(low, None))
    result = {}
    for name in map(str, np.atleast_1d(ds["satellite"].values)):
        if name not in model.recipients:
            continue
        axes = np.array(model.recipients[name].observed_axes)
        values = own.sel(satellite=name).transpose("time", "axis").values
        known = np.flatnonzero(np.isfinite(values[:, axes]).all(axis=1))
        if len(known) == 0:
            raise NotEnoughDataError(
                f"found no observation of satellite {name} on the last day, expected "
                "some to start from: cut the data where they end"
            )
        result[name] = axis.start + (low + int(known[-1])) * axis.step
    return result


def _early(axis: RegularAxis, start: Any) -> int:
    """Samples of the result before the end of the data."""
    if start is None:
        return 0
    early = round((axis.stop - instant(start, name="start")) / axis.step)
    if not 0 <= early * float(axis.step / np.timedelta64(1, "s")) <= SHORTEST:
        raise GraceError(
            f"found start={start}, expected a time within the last day of the data, "
            f"which end at {np.datetime_as_string(axis.stop, 's')}: choose a later one "
            "or cut the data"
        )
    return early


def _one(
    ds: xr.Dataset, model: FittedModel, name: str, early: int, size: int
) -> xr.Dataset:
    """Lazy variables of one satellite."""
    import dask
    import dask.array as da

    first, step, count = gps_axis(ds)
    recipient = model.recipients[name]
    behind = CONTEXT + early * step
    if recipient.forecast is None:
        behind += OVER + size * step
    low = max(count - round(behind / step), 0)
    inputs = frame_inputs(ds, alone_without_twin(ds, recipient.pair))
    if (marks := marks_of(ds, name)) is not None:
        inputs[OWN_MARKS] = marks
    sources = {
        key: as_dask(array.isel(time=slice(low, None))) for key, array in inputs.items()
    }
    token = token_of(_block, sources, ds, model, name, early, size)
    task = dask.delayed(_block)(
        (first, step, low, count),
        sources,
        shared_node(model),
        name,
        early,
        size,
        dask_key_name=f"forecast-{token}",
    )
    kinds = dict.fromkeys(OUTPUTS[:2], np.float64) | {OUTPUTS[2]: np.uint8}
    return xr.Dataset(
        {
            key: (
                ("time", "axis"),
                da.from_delayed(task[key], (early + size, 3), dtype=kind),
            )
            for key, kind in kinds.items()
        }
    )


def _block(
    times: tuple[float, float, int, int],
    arrays: Mapping[str, npt.NDArray[Any]],
    model: FittedModel,
    name: str,
    early: int,
    size: int,
) -> dict[str, npt.NDArray[Any]]:
    """Forecast of one satellite, observations where there are some."""
    t = seconds_of(*times)
    arrays = dict(arrays)
    if (marks := arrays.pop(OWN_MARKS, None)) is not None:
        tell(name, counts_of(marks), f" since {gps_label(t[0])}")
    recipient = model.recipients[name]
    native = float(t[1] - t[0])
    wanted = t[-1] + native * np.arange(1 - early, size + 1)
    own = np.asarray(arrays["own.lin_accl"], dtype=np.float64)
    complete = np.isfinite(own[:, np.array(recipient.observed_axes)]).all(axis=1)
    values, sigma = np.full((2, len(wanted), 3), np.nan)
    code = np.full((len(wanted), 3), CODES["none"], dtype=np.uint8)
    known = np.flatnonzero(complete)
    if len(known) > 1 and t[known[-1]] - t[0] >= SHORTEST - 2 * native:
        last = int(known[-1])
        with one_blas_thread():
            made = _extend(t, arrays, model, recipient, last, wanted[wanted > t[last]])
        after = wanted > t[last]
        values[after], sigma[after], code[after] = made.values, made.sigma, made.method
    seen = np.full((len(wanted), 3), np.nan)
    seen[:early] = own[len(own) - early :]
    observed = np.isfinite(seen)
    values[observed], code[observed] = seen[observed], 0
    sigma[observed] = np.nan
    dead = ~np.array(recipient.observed_axes)
    values[:, dead], sigma[:, dead], code[:, dead] = np.nan, np.nan, CODES["none"]
    return dict(zip(OUTPUTS, (values, sigma, code), strict=True))


def _extend(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    model: FittedModel,
    recipient: Recipient,
    last: int,
    wanted: Array,
) -> Outcome:
    """Forecast at the times ``wanted`` after the sample ``last``."""
    step = model.settings.step
    steps = int(np.ceil((wanted[-1] - t[last]) / step)) + SPARE
    pair = facing(t, arrays, recipient.pair)
    frame, cut = origin_frame(t, arrays, pair, last, steps, step)
    predict = model.predict if SINGLE in model.networks else None
    ahead = look_ahead(frame, cut, recipient, predict, model.settings)
    made = recipient.forecast
    if made is None:
        made = _learnt_here(t, arrays, model, recipient, last, steps * step)
    lead = ahead.t - t[last]
    found = ahead.methods if made is None else _found(ahead, made, lead)
    if made is None:
        best = found["tracked_single"]
        none = np.full(best.shape, np.nan)
        outcome = Outcome(best, none, np.full(best.shape, CODES["harmonic"], np.uint8))
    else:
        outcome = made.chosen(lead, found, ahead.activity)
    behind = frame.take(slice(max(cut - JOINT, 0), cut))
    values = _between(behind.t, behind.own, ahead.t, outcome.values, wanted)
    later = wanted - t[last]
    sigma = outcome.sigma[:0] if made is None else made.sigma_at(later, ahead.activity)
    if made is None:
        sigma = np.full(values.shape, np.nan)
    nearest = np.clip(np.rint(later / step).astype(np.int64) - 1, 0, len(lead) - 1)
    return Outcome(values, sigma, outcome.method[nearest])


def _found(ahead: Ahead, made: ForecastCalibration, lead: Array) -> dict[str, Array]:
    process = process_term(ahead.left, len(lead), made.autoregression)
    return made.estimates(lead, ahead.methods, {"process": process, **ahead.terms})


def _learnt_here(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    model: FittedModel,
    recipient: Recipient,
    last: int,
    reach: float,
) -> ForecastCalibration | None:
    """Calibration from hindcasts on the last day before the end."""
    known = slice(0, last + 1)
    past = {key: values[known] for key, values in arrays.items()}
    # not at equal fractions of a revolution
    back = OVER * (np.arange(HINDCASTS)[::-1] + 0.37) / HINDCASTS
    origins = t[last] - reach - back
    samples = hindcasts(t[known], past, recipient, model, origins, reach)
    return learn(samples, model.settings.step)


def _between(t: Array, own: Array, later: Array, values: Array, wanted: Array) -> Array:
    """Forecast steps and the observed ones before them at any time, by a spline."""
    from scipy.interpolate import CubicSpline

    result = np.full((len(wanted), 3), np.nan)
    nodes = np.concatenate([t, later])
    for k in range(3):
        y = np.concatenate([own[:, k], values[:, k]])
        good = np.isfinite(y)
        if good[len(t) :].any() and good.sum() > 1:
            result[:, k] = CubicSpline(nodes[good], y[good])(wanted)
    return result
