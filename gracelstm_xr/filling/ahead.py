"""What every method says of the time after an origin, from what is known there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.autoregression import AutoRegression
from gracelstm_xr.baselines.base import PreviousOrbit
from gracelstm_xr.baselines.start import CONTEXT, SINGLE, Start, Track
from gracelstm_xr.filling.recipient import Recipient
from gracelstm_xr.lstm.channels import Channels, track_channels, window_batch
from gracelstm_xr.lstm.predict import Predictor
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.physics.frames import Frame, Pair, build_frame, loaded
from gracelstm_xr.physics.geometry import orbits_until
from gracelstm_xr.physics.states import StateNodes

__all__ = [
    "Ahead",
    "facing",
    "look_ahead",
    "orbits_ahead",
    "origin_frame",
    "process_term",
    "single_track",
]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Time behind an origin whose residual is looked at [s]: four revolutions and a bit.
BEHIND = 24_000.0
#: Length of a revolution at the longest [s].
LONGEST = 5760.0
#: Time before an origin that is built anew for each [s], and over which the attitude
#: is compared with the nominal one [s].
NEAR, FACING = 1800.0, 20_000.0
#: Half widths of the means over earlier revolutions [s]: thrusters and noise do not
#: come again, what the orbit brings does.
NARROW, WIDE = 20.0, 150.0
#: Ends of the names of inputs that give orbits.
ORBIT = ("position", "velocity")


@dataclass(frozen=True)
class Ahead:
    """Estimates at the working steps after an origin.

    Attributes
    ----------
    t : ndarray, shape (h,)
        GPS seconds.
    left : ndarray, shape (p, 3)
        Observations minus the start of the network at the steps up to the origin
        [m s-2]; NaN where unknown.
    methods : dict of str to ndarray, shape (h, 3)
        Estimates of the simple methods, ``tracked_single`` (the start) among them.
    terms : dict of str to ndarray, shape (h, 3)
        What may be added to the start: the residual one, two and three revolutions
        earlier, averaged over 40 s (``turn_1``) or 5 min (``turn_1_mean``, ...), and
        the network's residual (``network``) [m s-2]; 0 where unknown.
    activity : ndarray, shape (3,)
        RMS change from the last revolution but one to the last, averaged over 5 min
        [m s-2]; NaN where unknown.
    """

    t: Array
    left: Array
    methods: dict[str, Array]
    terms: dict[str, Array]
    activity: Array


def single_track(recipient: Recipient) -> Track | None:
    """The track that sees one satellite alone."""
    return next((t for t in recipient.tracks if t.name == SINGLE), None)


def origin_frame(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    pair: Pair,
    last: int,
    steps: int,
    step: float,
    *,
    past: Frame | None = None,
    orbits: Mapping[str, StateNodes] | None = None,
) -> tuple[Frame, int]:
    """Frame at the working step whose own series ends at an origin.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds, up to now.
    arrays : mapping of str to ndarray
        Inputs of `build_frame` known now; orbits go on by propagation, attitude is
        nominal and no thruster fires where there is no record.
    pair : Pair
        Of `facing`.
    last : int
        Position of the last observation.
    steps : int
        Steps wanted after it.
    step : float
        Working step [s]; steps are counted from the last observation.
    past : Frame, optional
        Working steps of the same data, the last observation among them, to take from
        what lies ten minutes and more before it.
    orbits : mapping of str to StateNodes, optional
        Of `orbits_ahead`, instead of those of the inputs.

    Returns
    -------
    Frame
        Without a donor.
    int
        Where the future begins in it.
    """
    native = float(t[1] - t[0])
    ratio = max(round(step / native), 1)
    first = max(last - round((CONTEXT if past is None else NEAR) / native), 0)
    size = last + 1 - first + steps * ratio
    grid = t[first] + native * np.arange(size)
    data = {
        name: _padded(values[first : first + size], size)
        for name, values in arrays.items()
        if name not in ("donor.lin_accl", "donor.thruster_on_time", "donor.quaternion")
    }
    data["own.lin_accl"][last + 1 - first :] = np.nan
    keep = np.arange((last - first) % ratio, size, ratio)
    frame = build_frame(
        grid, data, pair, keep=keep, beyond=size * native, orbits=orbits
    )
    if past is not None:
        low, high = np.searchsorted(past.t, [t[last] - CONTEXT, t[last] - NEAR / 3])
        start = int(np.searchsorted(frame.t, past.t[high]))
        frame = Frame.join(
            [past.take(slice(int(low), int(high))), frame.take(slice(start, None))]
        )
    return frame, len(frame) - steps


def orbits_ahead(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    last: IntArray,
    now: IntArray,
    reach: float,
) -> list[dict[str, StateNodes]]:
    """Orbits around several origins, for the `origin_frame` with a past of each.

    Parameters
    ----------
    t, arrays
        As in `origin_frame`, with what comes after the origins.
    last, now : ndarray of int64, shape (k,)
        Positions of the last observation and of the last epoch that is known.
    reach : float
        Time wanted after the last observation [s].

    Returns
    -------
    list of dict of str to StateNodes
        As they were known then, propagated together.
    """
    states = loaded({k: v for k, v in arrays.items() if k.endswith(ORBIT)})
    return orbits_until(t, states, t[last] - NEAR, t[now], t[last] + reach)


def _padded(values: npt.NDArray[Any], size: int) -> Array:
    result = np.full((size, *values.shape[1:]), np.nan)
    result[: len(values)] = values
    return result


def facing(t: Array, arrays: Mapping[str, npt.NDArray[Any]], pair: Pair) -> Pair:
    """Pair whose lag tells which way the satellite flies where no twin's orbit does.

    Parameters
    ----------
    t, arrays
        As in `origin_frame`.
    pair : Pair

    Returns
    -------
    Pair
        The nominal attitude after the end goes on as the star cameras were before.
    """
    if "donor.position" in arrays or "own.quaternion" not in arrays:
        return pair
    part = slice(-min(len(t), round(FACING / float(t[1] - t[0]))), None)
    alone = {k: np.asarray(v)[part] for k, v in arrays.items() if k.startswith("own.")}
    attitude = alone["own.quaternion"]
    known = np.flatnonzero(np.isfinite(attitude).all(axis=1))[::30]
    one = Pair(pair.recipient, extras=pair.extras)
    seen = build_frame(t[part], alone, one, keep=known).sun
    alone["own.quaternion"] = np.full_like(attitude, np.nan)
    guess = build_frame(t[part], alone, one, keep=known).sun
    if len(known) == 0 or seen is None or guess is None:
        return one
    backwards = np.nansum(seen[:, :2] * guess[:, :2]) < 0
    return replace(one, lag=1.0 if backwards else None)


def look_ahead(
    frame: Frame,
    cut: int,
    recipient: Recipient,
    predict: Predictor | None,
    settings: Settings,
) -> Ahead:
    """Ask every method for the steps after an origin.

    Parameters
    ----------
    frame : Frame
        Of `origin_frame`.
    cut : int
        Where its future begins.
    recipient : Recipient
        With a track of one satellite.
    predict : callable or None
        Network, None for a model without one.
    settings : Settings

    Returns
    -------
    Ahead
    """
    track = single_track(recipient)
    if track is None:
        raise ValueError("found no track of one satellite, expected one: fit again")
    frame = track.view(frame)
    visible = np.isfinite(frame.own)
    index = np.arange(cut, len(frame))
    within = (float(frame.t[cut] - BEHIND), float(frame.t[-1]))
    start = track.start(frame, visible, within=within)
    base = start.smooth + start.slow
    low = int(np.searchsorted(frame.t, within[0]))
    part = frame.take(slice(low, None))
    left = np.where(visible, frame.own - base, np.nan)[low:]
    last, before = frame.own[cut - 1], frame.own[cut - 2]
    count = np.arange(1, len(index) + 1)[:, None]
    methods = {
        "hold": np.repeat(last[None], len(index), axis=0),
        "linear": last + count * (last - before),
    }
    for name in ("ar", "harmonic", "previous_orbit"):
        if name in recipient.baselines:
            methods[name] = recipient.baselines[name].estimate(frame, visible, index)
    methods["tracked_single"] = base[index]
    terms = _turns(part, left, index - low)
    if predict is not None:
        terms["network"] = _network(
            frame, start, track, visible, cut, predict, settings
        )
    terms = {name: np.nan_to_num(value) for name, value in terms.items()}
    return Ahead(
        frame.t[cut:], left[: cut - low], methods, terms, _activity(part, cut - low)
    )


def _turns(part: Frame, left: Array, index: IntArray) -> dict[str, Array]:
    """Residual at the same argument of latitude in earlier revolutions."""
    step = float(part.t[1] - part.t[0])
    seen = np.isfinite(left)
    result: dict[str, Array] = {}
    means = {
        half: replace(part, own=_mean(left, half / step)) for half in (NARROW, WIDE)
    }
    for turn in (1, 2, 3):
        known = seen.copy()
        known[max(index[0] - round((turn - 1) * LONGEST / step), 0) :] = False
        method = PreviousOrbit(turn + 4)
        for half, name in ((NARROW, f"turn_{turn}"), (WIDE, f"turn_{turn}_mean")):
            if half == WIDE or turn == 1:
                result[name] = method.estimate(means[half], known, index)
    return result


def _activity(part: Frame, cut: int) -> Array:
    """RMS change of the smoothed series between the last two revolutions."""
    step = float(part.t[1] - part.t[0])
    smooth = replace(part, own=_mean(part.own, WIDE / step))
    first = max(cut - round(LONGEST / step), 0)
    known = np.isfinite(part.own)
    known[first:] = False
    index = np.arange(first, cut)
    change = smooth.own[index] - PreviousOrbit(2).estimate(smooth, known, index)
    good = np.isfinite(change)
    count = good.sum(axis=0)
    total = (np.where(good, change, 0.0) ** 2).sum(axis=0)
    return np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), np.nan)


def _mean(values: Array, reach: float) -> Array:
    """Mean of the known samples within ``reach`` steps; NaN without any."""
    half = max(round(reach), 0)
    known = np.isfinite(values)
    none = np.zeros((1, 3))
    total = np.concatenate([none, np.cumsum(np.where(known, values, 0.0), axis=0)])
    count = np.concatenate([none, np.cumsum(known, axis=0)])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    number = count[high] - count[low]
    result: Array = (total[high] - total[low]) / np.where(number > 0, number, np.nan)
    return result


def _network(
    frame: Frame,
    start: Start,
    track: Track,
    visible: BoolArray,
    cut: int,
    predict: Predictor,
    settings: Settings,
) -> Array:
    """Residual by the network [m s-2], fading out at the reach of its windows.

    Windows of which a quarter, a half and three quarters lie before the origin are
    averaged with less weight toward their ends.
    """
    window, ahead = settings.window, len(frame) - cut
    thin = _around(frame, start, cut, window)
    channels = track_channels(track, thin[0], thin[1], visible[thin[2]])
    made = windows_ahead(channels, cut - (thin[2].start or 0), window, track, predict)
    result = np.zeros((ahead, 3))
    reach = min(ahead, len(made))
    result[:reach] = made[:reach] * track.residual_scale
    return result


def _around(
    frame: Frame, start: Start, cut: int, window: int
) -> tuple[Frame, Start, slice]:
    """The part of a frame that windows around an origin see."""
    part = slice(max(cut - window, 0), min(cut + window, len(frame)))
    return (
        frame.take(part),
        Start(start.coefficients, start.smooth[part], start.slow[part]),
        part,
    )


def windows_ahead(
    channels: Channels, cut: int, window: int, track: Track, predict: Predictor
) -> Array:
    """Mean output after an origin of the windows that straddle it, shape (h, 3)."""
    behind = [window // 4, window // 2, 3 * window // 4]
    starts = np.array([cut - b for b in behind])
    output = predict(track.name, window_batch(channels, starts, window))
    ramp = 1 - np.abs(np.arange(window) - (window - 1) / 2) / (window / 2 + 1)
    size = window - behind[0]
    total, weight = np.zeros((size, 3)), np.zeros(size)
    for skipped, values in zip(behind, output, strict=True):
        count = window - skipped
        total[:count] += ramp[skipped:, None] * values[skipped:]
        weight[:count] += ramp[skipped:]
    # toward the reach of the last window its estimate goes to that of the start
    fade = np.clip(4 * (1 - np.arange(size) / size), 0, 1)
    return np.asarray(total / weight[:, None] * fade[:, None])


def process_term(left: Array, steps: int, process: AutoRegression) -> Array:
    """Residual as an autoregressive process goes on from the origin, (steps, 3)."""
    n = len(left)
    own = np.concatenate([left, np.full((steps, 3), np.nan)])
    frame = Frame(t=np.arange(n + steps) * np.float64(process.step), own=own)
    index = np.arange(n, n + steps)
    return np.nan_to_num(process.estimate(frame, np.isfinite(own), index))
