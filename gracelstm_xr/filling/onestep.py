"""One step ahead from the true history, at every step: the protocol of the paper.

Darbeheshti & Moradi (2023) forecast 10 s ahead from observations throughout. It says
little of how a gap is filled or a series goes on; it is here for comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.autoregression import AROUND, AutoRegression
from gracelstm_xr.baselines.start import SINGLE
from gracelstm_xr.filling.ahead import facing, look_ahead, origin_frame, single_track
from gracelstm_xr.filling.hindcasts import loaded_inputs, of_twin_only
from gracelstm_xr.lstm.channels import make_channels, static_channels, window_batch
from gracelstm_xr.physics.frames import Frame, build_frame, whole_steps

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.baselines.start import Track
    from gracelstm_xr.filling.ahead import Ahead
    from gracelstm_xr.filling.model import FittedModel
    from gracelstm_xr.filling.recipient import Recipient

__all__ = ["one_step_rms"]

Array = npt.NDArray[np.float64]

#: Steps that share a start, which knows nothing of them.
GROUP = 180
#: Longest stretch judged [s].
SPAN = 86_400.0


def one_step_rms(
    ds: xr.Dataset, model: FittedModel, recipient: Recipient, span: tuple[float, float]
) -> dict[str, Array]:
    """RMS error one working step ahead, by method.

    What the network starts from is 30 min old at most and knows of no firing since;
    the last minutes of the series are known to all methods.

    Parameters
    ----------
    ds : xarray.Dataset
    model : FittedModel
    recipient : Recipient
        With a forecast calibration.
    span : tuple of float
        GPS seconds; its last day counts.

    Returns
    -------
    dict of str to ndarray, shape (3,)
        [m s-2]; NaN without data, empty without calibration.
    """
    made, track = recipient.forecast, single_track(recipient)
    errors: dict[str, list[Array]] = {}
    if made is None or track is None:
        return {}
    for frame, near, ahead in _groups(ds, model, recipient, span):
        first = int(np.searchsorted(frame.t, ahead.t[0]))
        part = slice(first, first + GROUP)
        own = frame.own[max(first - AROUND, 0) : part.stop]
        before, earlier = own[-GROUP - 1 : -1], own[-GROUP - 2 : -2]
        methods = ahead.methods | {"hold": before, "linear": 2 * before - earlier}
        process = recipient.baselines.get("ar")
        if isinstance(process, AutoRegression):
            # the process varies about the mean of the last revolution
            mean = np.nanmean(own[:-GROUP], axis=0)
            methods["ar"] = mean + _one_ahead(own - mean, process)
        here = frame.own[part] - methods["tracked_single"]
        left = np.concatenate([ahead.left, here])
        terms = {"process": _one_ahead(left, made.autoregression), **ahead.terms}
        if SINGLE in model.networks:
            terms["network"] = _network(near, left, track, model)
        lead = np.full(GROUP, model.settings.step)
        found = made.estimates(lead, methods, terms)
        found["forecast"] = made.chosen(lead, found).values
        for name, value in found.items():
            errors.setdefault(name, []).append(value - frame.own[part])
    return {name: _rms(np.concatenate(e)) for name, e in errors.items()}


def _groups(
    ds: xr.Dataset, model: FittedModel, recipient: Recipient, span: tuple[float, float]
) -> Iterator[tuple[Frame, Frame, Ahead]]:
    """The whole frame, the one known before a group of steps, and its outlook."""
    step, start = model.settings.step, max(span[0], span[1] - SPAN)
    t, arrays = loaded_inputs(ds, recipient, (start, span[1]))
    pair = facing(t, arrays, recipient.pair)
    alone = {k: v for k, v in arrays.items() if not of_twin_only(k)}
    whole = np.arange(len(t))[whole_steps(t, step)]
    frame = build_frame(t, alone, pair, keep=whole)
    axes = np.array(recipient.observed_axes)
    low = max(int(np.searchsorted(frame.t, start)), round(SPAN / step))
    for first in range(low, len(frame) - GROUP, GROUP):
        if not np.isfinite(frame.own[first - 2 : first, axes]).all():
            continue
        last = int(whole[first - 1])
        known = slice(0, last + 1)
        past = {key: values[known] for key, values in arrays.items()}
        near, cut = origin_frame(t[known], past, pair, last, GROUP, step, past=frame)
        yield frame, near, look_ahead(near, cut, recipient, None, model.settings)


def _one_ahead(values: Array, process: AutoRegression) -> Array:
    """One-step means of the last group of samples, each from those before it."""
    filled = np.nan_to_num(values)
    at = np.arange(len(values) - GROUP, len(values))
    total = np.zeros((GROUP, 3))
    for k, coefficients in enumerate(process.coefficients):
        for back, phi in enumerate(coefficients, start=1):
            total[:, k] += phi * filled[np.maximum(at - back, 0), k]
    return total


def _network(near: Frame, left: Array, track: Track, model: FittedModel) -> Array:
    """Network's residual one step ahead [m s-2] of the last group of samples.

    Three quarters of a window lie before the step; the rest of it is hidden.
    """
    window = model.settings.window
    behind = 3 * window // 4
    frame = track.view(near.take(slice(len(near) - len(left), None)))
    static = static_channels(frame, track.donor_scale, track.features)
    none, seen = np.zeros_like(left), np.isfinite(left)
    channels = make_channels(static, left, none, seen, track.residual_scale)
    starts = np.arange(len(left) - GROUP, len(left)) - behind
    result = np.zeros((GROUP, 3))
    batch = window_batch(channels, starts, window)
    # residual and mask come first
    batch[:, behind:, :6] = 0.0
    result[:] = model.predict(track.name, batch)[:, behind]
    return np.asarray(result * track.residual_scale)


def _rms(error: Array) -> Array:
    good = np.isfinite(error)
    total = (np.where(good, error, 0.0) ** 2).sum(axis=0)
    count = good.sum(axis=0)
    return np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), np.nan)
