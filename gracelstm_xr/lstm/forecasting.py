"""`forecast`: go on past the end of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr import conventions
from gracelstm_xr.blocks import gps_seconds
from gracelstm_xr.errors import GraceError
from gracelstm_xr.frames import Frame, build_frame, frame_inputs
from gracelstm_xr.lstm.recipient import Recipient
from gracelstm_xr.lstm.track import CONTEXT
from gracelstm_xr.regression import LocalRegression
from gracelstm_xr.timebase import RegularAxis, axis_of, regular_coords
from gracelstm_xr.tracking import SlowResidual

if TYPE_CHECKING:
    from gracelstm_xr.lstm.model import FittedModel

__all__ = ["forecast"]

Array = npt.NDArray[np.float64]
#: Past forecasts that sigma is taken from, and the time between them [s].
HINDCASTS, APART = 12, 7_200.0


def forecast(
    ds: xr.Dataset, model: FittedModel, *, horizon: str | float = "90min"
) -> xr.Dataset:
    """Forecast the series past the end of the data; lazy.

    The model's harmonic regression goes on along the orbit, with the tracked bias
    fading out; the network, which needs data on both sides, takes no part. Sigma is
    the RMS error of the same forecast made at twelve earlier times.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with at least a day of ``lin_accl`` and orbits at its end.
    model : FittedModel
        Of `gracelstm_xr.lstm.fit`.
    horizon : str or float
        How far to go, as a duration or in seconds.

    Returns
    -------
    xarray.Dataset
        ``lin_accl_forecast`` and ``lin_accl_forecast_sigma`` [m s-2] over
        ``(satellite, time, axis)``; time starts one sample after the data end.

    Raises
    ------
    GraceError
        When the model has no harmonic regression for any satellite of ``ds``.
    """
    import pandas as pd

    reach = pd.Timedelta(horizon) if isinstance(horizon, str) else None
    seconds = float(horizon) if reach is None else reach.total_seconds()
    names = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    chosen = [
        n
        for n in names
        if n in model.recipients and "harmonic" in model.recipients[n].baselines
    ]
    if not chosen:
        raise GraceError(
            f"found no orbit-based model for satellites {', '.join(names)}, expected a "
            "model fitted with GNV1B: open the archive with GNV1B and fit again"
        )
    axis = axis_of(ds)
    size = max(round(seconds / float(axis.step / np.timedelta64(1, "s"))), 1)
    future = RegularAxis(axis.stop, axis.step, size)
    parts = [_one(ds, model.recipients[n], size) for n in chosen]
    result = xr.concat(parts, dim="satellite").assign_coords(satellite=chosen)
    result = result.assign_coords(regular_coords(future))
    for name in result.data_vars:
        result[name].attrs = conventions.attributes_of(str(name))
    result.attrs = conventions.append_history(
        ds.attrs, f"forecast of {seconds:g} s by gracelstm_xr: {model!r}"
    )
    return result.assign_coords(axis=ds["axis"])


def _one(ds: xr.Dataset, recipient: Recipient, size: int) -> xr.Dataset:
    import dask
    import dask.array as da

    axis = axis_of(ds)
    step = float(axis.step / np.timedelta64(1, "s"))
    past = round((CONTEXT + HINDCASTS * APART + size * step) / step)
    wide = slice(max(axis.size - past, 0), axis.size)
    inputs = frame_inputs(ds, recipient.pair)
    arrays = {name: array.isel(time=wide).data for name, array in inputs.items()}
    task = dask.delayed(_block, pure=False)(
        gps_seconds(ds, wide), arrays, dask.delayed(recipient, pure=False), size
    )
    names = ("lin_accl_forecast", "lin_accl_forecast_sigma")
    made = {n: da.from_delayed(task[n], (size, 3), dtype=np.float64) for n in names}
    return xr.Dataset({n: (("time", "axis"), values) for n, values in made.items()})


def _block(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], recipient: Recipient, size: int
) -> dict[str, Array]:
    frame, _ = build_frame(t, arrays, recipient.pair).every(10.0)
    native = float(t[1] - t[0])
    wanted = t[-1] + native * np.arange(1, size + 1)
    value = _extend(frame, recipient, len(frame), wanted)
    value[:, ~np.array(recipient.observed_axes)] = np.nan
    errors = []
    step = float(frame.t[1] - frame.t[0])
    steps = max(round(size * native / step), 1)
    for number in range(1, HINDCASTS + 1):
        cut = len(frame) - steps - round((number - 1) * APART / step)
        if cut < round(86_400 / step):
            break
        target = frame.t[cut : cut + steps]
        guess = _extend(frame, recipient, cut, target)
        errors.append(guess - frame.own[cut : cut + steps])
    sigma = _sigma(errors, steps)
    lead = np.clip(wanted - t[-1], 0, None)
    leads = step * np.arange(1, steps + 1)
    spread = np.stack([np.interp(lead, leads, s) for s in sigma.T], axis=1)
    return {"lin_accl_forecast": value, "lin_accl_forecast_sigma": spread}


def _extend(frame: Frame, recipient: Recipient, cut: int, wanted: Array) -> Array:
    """Forecast at ``wanted`` from the samples before ``cut``."""
    known = frame.take(slice(0, cut))
    visible = np.isfinite(known.own)
    regression = recipient.baselines["harmonic"]
    if not isinstance(regression, LocalRegression) or known.latitude_argument is None:
        return np.full((len(wanted), 3), np.nan)
    coefficients = regression.coefficients(known, visible)
    # nodes ahead have no data of their own: the last one behind goes on
    last = max(node for node in coefficients if node <= known.t[-1])
    smooth = regression.predict(known, coefficients)
    slow = SlowResidual.fit(known.t, known.own - smooth)
    step = known.t[1] - known.t[0]
    ahead = np.arange(known.t[0], wanted[-1] + step, step)
    padded = np.full((len(ahead), 3), np.nan)
    padded[: len(known)] = known.own - smooth
    track = slow.estimate(ahead, padded, np.isfinite(padded))
    future = Frame(
        t=wanted,
        own=np.full((len(wanted), 3), np.nan),
        latitude_argument=_continued(known.t, known.latitude_argument, wanted),
    )
    theta = coefficients[last]
    base: Array = regression.at_node(future, last, theta)
    drift = np.stack([np.interp(wanted, ahead, column) for column in track.T], axis=1)
    return np.asarray(base + drift)


def _continued(t: Array, angle: Array, wanted: Array) -> Array:
    """Argument of latitude past the end, as one revolution before plus a turn."""
    good = np.isfinite(angle)
    turns = np.unwrap(angle[good])
    rate = np.polyfit(t[good][-3000:] - t[-1], turns[-3000:], 1)[0]
    period = 2 * np.pi / rate
    count = np.ceil((wanted - t[good][-1]) / period)
    earlier = np.interp(wanted - count * period, t[good], turns)
    return np.asarray(earlier + 2 * np.pi * count)


def _sigma(errors: list[Array], steps: int) -> Array:
    """RMS of past errors by lead time, smoothed, never falling."""
    if not errors:
        return np.full((steps, 3), np.nan)
    squares = np.stack(errors) ** 2
    good = np.isfinite(squares)
    total = np.where(good, squares, 0.0).sum(axis=0)
    count = good.sum(axis=0)
    # average over all shorter leads: few hindcasts make single leads noisy
    running = np.cumsum(total, axis=0) / np.maximum(np.cumsum(count, axis=0), 1)
    rms = np.sqrt(running)
    return np.asarray(np.maximum.accumulate(rms, axis=0))
