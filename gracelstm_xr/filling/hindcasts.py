"""Forecasts of the past: how good a forecast is, by lead time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.start import CONTEXT, SINGLE
from gracelstm_xr.compute.blocks import gps_axis, gps_seconds
from gracelstm_xr.compute.progress import track
from gracelstm_xr.filling.ahead import (
    facing,
    look_ahead,
    orbits_ahead,
    origin_frame,
    process_term,
    single_track,
)
from gracelstm_xr.filling.hidden import stretches
from gracelstm_xr.filling.lessons import LEADS, Sample, learn
from gracelstm_xr.filling.outlook import ForecastCalibration, Outcome
from gracelstm_xr.physics.frames import (
    alone_without_twin,
    build_frame,
    frame_inputs,
    whole_steps,
)

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.filling.model import FittedModel
    from gracelstm_xr.filling.recipient import Recipient

__all__ = [
    "forecast_calibration",
    "hindcasts",
    "judged",
    "loaded_inputs",
    "of_twin_only",
    "origins_of",
    "placed",
]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Fewest seconds of data before an origin.
FEWEST = 86_400.0
#: Time from a firing within which a sample is not calm [s].
FIRING = 30.0


def origins_of(span: tuple[float, float], count: int, reach: float, seed: int) -> Array:
    """Times to forecast from: one at random in each of ``count`` equal parts.

    Parameters
    ----------
    span : tuple of float
        GPS seconds; forecasts stay inside.
    count : int
    reach : float
        Length of a forecast [s].
    seed : int

    Returns
    -------
    ndarray
        GPS seconds, increasing; evenly spaced ones might all meet the same latitude.
    """
    rng = np.random.default_rng([seed, 11])
    room = max(span[1] - reach - span[0], 0.0)
    return np.asarray(span[0] + room * (np.arange(count) + rng.random(count)) / count)


def hindcasts(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    recipient: Recipient,
    model: FittedModel,
    origins: Array,
    reach: float,
    *,
    label: str = "",
) -> list[Sample]:
    """Forecast from each origin with what was known then.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    arrays : mapping of str to ndarray
        Inputs of `build_frame`, loaded.
    recipient : Recipient
    model : FittedModel
        Settings and network.
    origins : ndarray
        GPS seconds.
    reach : float
        Length of a forecast [s].
    label : str
        Of a bar on standard error that counts forecasts; none by default.

    Returns
    -------
    list of Sample
        Of origins with a day of data before them.
    """
    settings = model.settings
    step, native = settings.step, float(t[1] - t[0])
    ratio, steps = max(round(step / native), 1), max(round(reach / step), 1)
    own = np.asarray(arrays["own.lin_accl"], dtype=np.float64)
    calm = _calm(t, arrays)
    # origins stand on whole steps, so that one frame serves behind all of them
    whole = whole_steps(t, step)
    complete = np.zeros(len(t), dtype=bool)
    complete[whole] = _complete(own[whole], recipient)
    known = np.flatnonzero(complete)
    if not len(known):
        return []
    pair = facing(t, arrays, recipient.pair)
    alone = {k: v for k, v in arrays.items() if not of_twin_only(k)}
    behind = build_frame(t, alone, pair, keep=np.arange(len(t))[whole])
    predict = model.predict if SINGLE in model.networks else None
    now = np.searchsorted(t, origins, side="right")
    before = np.searchsorted(known, now) - 1
    last = known[before]
    usable = (before >= 0) & (t[last] - t[0] >= FEWEST)
    usable &= last + ratio * steps < len(t)
    now, last = now[usable], last[usable]
    orbits = orbits_ahead(t, arrays, last, now - 1, reach + step)
    result: list[Sample] = []
    starts = list(zip(now.tolist(), last.tolist(), orbits, strict=True))
    for end, final, orbit in track(starts, label, unit="forecast", enabled=bool(label)):
        past = {name: values[:end] for name, values in arrays.items()}
        frame, cut = origin_frame(
            t[:end], past, pair, final, steps, step, past=behind, orbits=orbit
        )
        ahead = look_ahead(frame, cut, recipient, predict, settings)
        at = final + ratio * np.arange(1, steps + 1)
        result.append(Sample(float(t[final]), ahead, own[at], calm[at]))
    return result


def _complete(own: Array, recipient: Recipient) -> BoolArray:
    axes = np.array(recipient.observed_axes)
    return np.asarray(np.isfinite(own[:, axes]).all(axis=1))


def _calm(t: Array, arrays: Mapping[str, npt.NDArray[Any]]) -> BoolArray:
    """No firing within 30 s."""
    if "own.thruster_on_time" not in arrays:
        return np.ones(len(t), dtype=bool)
    fired = t[(arrays["own.thruster_on_time"][:, :12] > 0).any(axis=1)]
    before = np.searchsorted(fired, t - FIRING)
    return np.asarray(np.searchsorted(fired, t + FIRING, side="right") == before)


def loaded_inputs(
    ds: xr.Dataset, recipient: Recipient, span: tuple[float, float]
) -> tuple[Array, dict[str, npt.NDArray[Any]]]:
    """Seconds and inputs of a span with the context of a forecast before it."""
    import dask

    first, step, size = gps_axis(ds)
    low = int(np.ceil((span[0] - CONTEXT - first) / step))
    high = int(np.floor((span[1] - first) / step)) + 1
    part = slice(max(low, 0), min(max(high, 0), size))
    inputs = frame_inputs(ds, alone_without_twin(ds, recipient.pair))
    wanted = {k: v for k, v in inputs.items() if not of_twin_only(k)}
    (arrays,) = dask.compute({k: v.isel(time=part).data for k, v in wanted.items()})
    return gps_seconds(ds, part), arrays


def of_twin_only(name: str) -> bool:
    """Inputs a forecast does without: of the twin it wants the orbit only."""
    return name.startswith("donor.") and name.split(".")[1] not in (
        "position",
        "velocity",
    )


def placed(
    span: tuple[float, float],
    count: int,
    reach: float,
    seed: int,
    chosen: Array | None = None,
) -> list[tuple[tuple[float, float], Array]]:
    """Stretches of a span that are loaded one at a time, each with its origins.

    Parameters
    ----------
    span : tuple of float
        GPS seconds.
    count, reach, seed
        Of `origins_of`, on at most two stretches.
    chosen : ndarray, optional
        These origins instead [GPS s]; each is a stretch.
    """
    if chosen is not None:
        return [((x, x + reach), np.array([x])) for x in chosen.tolist()]
    parts = stretches(span, lengths=(reach,), most=2)
    share = -(-count // len(parts))
    return [(p, origins_of(p, share, reach, seed + i)) for i, p in enumerate(parts)]


def forecast_calibration(
    ds: xr.Dataset, model: FittedModel, recipient: Recipient, *, label: str = ""
) -> ForecastCalibration | None:
    """Learn from hindcasts on the validation span how to forecast.

    Parameters
    ----------
    ds : xarray.Dataset
    model : FittedModel
        Settings, split and network.
    recipient : Recipient
        Of the model.
    label : str
        Of bars on standard error that count forecasts; none by default.

    Returns
    -------
    ForecastCalibration or None
        None where the span is too short or the satellite has no orbit.
    """
    span, settings = model.split.validation, model.settings
    if (
        settings.hindcasts == 0
        or single_track(recipient) is None
        or "harmonic" not in recipient.baselines
    ):
        return None
    reach = min(LEADS[-1], (span[1] - span[0]) / 3)
    samples: list[Sample] = []
    for part, origins in placed(span, settings.hindcasts, reach, settings.seed):
        t, arrays = loaded_inputs(ds, recipient, part)
        samples += hindcasts(t, arrays, recipient, model, origins, reach, label=label)
    return learn(samples, settings.step)


def judged(
    sample: Sample, made: ForecastCalibration
) -> tuple[dict[str, Array], Outcome]:
    """Errors of all methods, ``forecast`` (their best) among them, and that itself."""
    a = sample.ahead
    lead = a.t - sample.origin
    terms = {"process": process_term(a.left, len(a.t), made.autoregression), **a.terms}
    found = made.estimates(lead, a.methods, terms)
    best = made.chosen(lead, found, a.activity)
    errors = {name: value - sample.truth for name, value in found.items()}
    return {**errors, "forecast": best.values - sample.truth}, best
