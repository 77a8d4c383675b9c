"""From frames to the channels, masks and batches a network sees.

Windows are start positions into one array of channels; they are cut when a batch
is made and never held together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.baselines.start import Start, Track
from gracelstm_xr.physics.frames import FEATURES, Frame

Array32 = npt.NDArray[np.float32]

#: How far before and after the lag the donor is also shown [s].
DONOR_REACH = 30.0


@dataclass(frozen=True)
class Channels:
    """What the network sees of one frame, at the working step.

    Attributes
    ----------
    static : ndarray of float32, shape (n, f)
        Covariates, order one, 0 where missing.
    residual : ndarray of float32, shape (n, 3)
        Series minus the ridge baseline, in residual standard deviations; 0 where
        unknown.
    visible : ndarray of float32, shape (n, 3)
        1 where the residual may be shown.
    """

    static: Array32
    residual: Array32
    visible: Array32


def channel_names(frame: Frame, features: tuple[str, ...] = FEATURES) -> list[str]:
    """Names of the static channels a frame allows, in order.

    Parameters
    ----------
    frame : Frame
    features : tuple of str
        Groups wanted, of `gracelstm_xr.physics.frames.FEATURES`, and variables of the
        user.
    """
    return [name for names, _ in _groups(frame, features) for name in names]


def static_channels(
    frame: Frame,
    donor_scale: Array,
    features: tuple[str, ...] = FEATURES,
    samples: slice = slice(None),
) -> Array32:
    """Covariates of a part of a frame as channels, shape (n, f); see `channel_names`.

    The twin is also shown some steps earlier and later, which may lie beside the part.
    """
    first, past, _ = samples.indices(len(frame))
    beside = _shift(frame)
    low = max(first - beside, 0)
    near = frame.take(slice(low, past + beside))
    columns = [make(near, donor_scale) for _, make in _groups(near, features)]
    none = np.zeros((len(near), 0))
    channels = np.concatenate([none, *columns], axis=1, dtype=np.float32)
    channels[~np.isfinite(channels)] = 0.0
    return np.ascontiguousarray(channels[first - low : past - low])


def _shift(frame: Frame) -> int:
    """Steps by which the twin is also shown."""
    return max(round(DONOR_REACH / float(frame.t[1] - frame.t[0])), 1)


def _groups(
    frame: Frame, features: tuple[str, ...]
) -> list[tuple[list[str], Callable[[Frame, Array], Array]]]:
    """Names and columns of what is wanted and there."""
    axes = ("x", "y", "z")
    groups: list[tuple[list[str], Callable[[Frame, Array], Array]]] = []
    if "donor" in features and frame.donor is not None:
        parts = ("", "_before", "_after", "_detail")
        names = [f"donor{detail}_{axis}" for detail in parts for axis in axes]
        groups.append(([*names, "donor_known", "leads"], _donor))
    if "orbit" in features and frame.latitude_argument is not None:
        names = [f"{f}_{k}u" for k in (1, 2) for f in ("sin", "cos")]
        groups.append((names, _orbit))
    if "sun" in features and frame.sun is not None and frame.shadow is not None:
        groups.append((["shadow", *(f"sun_{axis}" for axis in axes)], _sun))
    for role in ("own", "donor"):
        fired = getattr(frame, f"{role}_thrust")
        if "thrusters" in features and fired is not None:
            names = [f"{role}_thrust_{pair}" for pair in range(1, 7)]
            groups.append((names, _own_thrust if role == "own" else _donor_thrust))
    if "time" in features:
        groups.append((["sin_day", "cos_day"], _time))
    if frame.extras is not None:
        groups.append(([name for name in features if name not in FEATURES], _extras))
    return groups


def _donor(frame: Frame, scale: Array) -> Array:
    if frame.donor is None:
        return np.zeros((len(frame), 0))
    donor = frame.donor / scale
    shift = _shift(frame)
    before, after = _moved(donor, shift), _moved(donor, -shift)
    # the fast part is small beside the swing of a revolution: show it enlarged
    detail = 10 * (donor - (before + after) / 2)
    present = np.isfinite(donor[:, :1]).astype(np.float64)
    leads = np.zeros(len(frame)) if frame.lag is None else np.sign(frame.lag)
    return np.concatenate([donor, before, after, detail, present, leads[:, None]], 1)


def _orbit(frame: Frame, _: Array) -> Array:
    u = np.asarray(frame.latitude_argument)
    return np.stack([f(k * u) for k in (1, 2) for f in (np.sin, np.cos)], axis=1)


def _sun(frame: Frame, _: Array) -> Array:
    return np.concatenate(
        [np.asarray(frame.shadow)[:, None], np.asarray(frame.sun)], axis=1
    )


def _own_thrust(frame: Frame, _: Array) -> Array:
    return np.asarray(frame.own_thrust) / 5


def _donor_thrust(frame: Frame, _: Array) -> Array:
    return np.asarray(frame.donor_thrust) / 5


def _time(frame: Frame, _: Array) -> Array:
    day = 2 * np.pi * (frame.t % 86_400.0) / 86_400.0
    return np.stack([np.sin(day), np.cos(day)], axis=1)


def _extras(frame: Frame, _: Array) -> Array:
    return np.asarray(np.clip(np.asarray(frame.extras), -20, 20))


def _moved(values: Array, shift: int) -> Array:
    """Values ``shift`` steps earlier (later when negative), edges repeated."""
    index = np.clip(np.arange(len(values)) - shift, 0, len(values) - 1)
    return values[index]


def make_channels(
    static: Array32, own: Array, baseline: Array, visible: BoolArray, scale: Array
) -> Channels:
    """Channels of one masking of a frame.

    Parameters
    ----------
    static : ndarray, shape (n, f)
        Of `static_channels`.
    own, baseline : ndarray, shape (n, 3)
        Series and its ridge estimate [m s-2].
    visible : ndarray of bool, shape (n, 3)
        Samples that may be shown.
    scale : ndarray, shape (3,)
        Standard deviation of the residual [m s-2].
    """
    residual = (own - baseline) / scale
    observed = np.isfinite(residual)
    # an outlier shown at full size would rule the window
    clipped = np.clip(np.where(observed, residual, 0.0), -20, 20)
    return Channels(
        static, clipped.astype(np.float32), (visible & observed).astype(np.float32)
    )


def track_channels(
    track: Track,
    thin: Frame,
    start: Start,
    visible: BoolArray,
    samples: slice = slice(None),
) -> Channels:
    """What a track's network sees of a part of a frame.

    Parameters
    ----------
    track : Track
    thin : Frame
        Of ``track.view``, at the working step.
    start : Start
        Of ``track.start``.
    visible : ndarray of bool, shape (n, 3)
        Samples that may be shown.
    samples : slice
        Steps wanted.
    """
    static = static_channels(thin, track.donor_scale, track.features, samples)
    baseline = start.smooth[samples] + start.slow[samples]
    return make_channels(
        static, thin.own[samples], baseline, visible[samples], track.residual_scale
    )


def window_batch(channels: Channels, starts: IntArray, window: int) -> Array32:
    """Cut windows and put the visible residual and its mask in front.

    Parameters
    ----------
    channels : Channels
    starts : ndarray of int64, shape (w,)
        First step of each window; may reach past either end, where all channels
        are 0.
    window : int
        Steps per window.

    Returns
    -------
    ndarray of float32, shape (w, window, 6 + f)
    """
    n = len(channels.static)
    batch = np.zeros((len(starts), window, 6 + channels.static.shape[1]), np.float32)
    # slice by slice: a third of the time of one gather
    for row, start in zip(batch, starts.tolist(), strict=True):
        low = max(start, 0)
        past = max(min(start + window, n), low)
        inside = row[low - start : past - start]
        visible = channels.visible[low:past]
        np.multiply(channels.residual[low:past], visible, out=inside[:, :3])
        inside[:, 3:6] = visible
        inside[:, 6:] = channels.static[low:past]
    return batch


@dataclass(frozen=True)
class Windows:
    """Windows of one frame, cut as they are asked for.

    Attributes
    ----------
    channels : Channels
    starts : ndarray of int64, shape (w,)
        See `window_batch`.
    window : int
        Steps per window.
    """

    channels: Channels
    starts: IntArray
    window: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Windows, steps and channels."""
        return len(self.starts), self.window, 6 + self.channels.static.shape[1]

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.starts)

    def __getitem__(self, batch: slice) -> Array32:
        """Cut some of them, shape (w, window, 6 + f)."""
        return window_batch(self.channels, self.starts[batch], self.window)


def window_starts(wanted: BoolArray, first: int, window: int, stride: int) -> IntArray:
    """Starts of the windows that cover the wanted steps.

    Parameters
    ----------
    wanted : ndarray of bool, shape (n,)
    first : int
        Absolute number of the first step; windows start at multiples of ``stride``
        in that count, so that a cut of time elsewhere gives the same windows.
    window, stride : int
        Steps per window and between windows.

    Returns
    -------
    ndarray of int64
        Relative to the first step; may be negative.
    """
    low = -(-(first - window + 1) // stride) * stride
    starts = np.arange(low, first + len(wanted), stride) - first
    counts = np.concatenate([[0], np.cumsum(wanted)])
    a = np.clip(starts, 0, len(wanted))
    b = np.clip(starts + window, 0, len(wanted))
    return starts[counts[b] > counts[a]]
