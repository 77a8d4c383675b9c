"""Estimates of one track: what its network starts from, its bridge, its network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.bridge import neighbours
from gracelstm_xr.baselines.start import Start, Track
from gracelstm_xr.lstm.channels import track_channels
from gracelstm_xr.lstm.predict import Predictor, predict_steps
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.physics.frames import Frame
from gracelstm_xr.signal.filters import upsample

__all__ = ["JOINED", "LEARNT", "STARTED", "track_estimates"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Names of the estimates: the start of the network, the same joined to the
#: observations at the edges, and the network's.
STARTED, JOINED, LEARNT = "tracked", "bridge", "lstm"
#: Steps on either side of a gap whose residual shapes the interpolation to 1 s.
REACH = 8


def track_estimates(
    track: Track,
    frame: Frame,
    visible: BoolArray,
    index: IntArray,
    predict: Predictor,
    settings: Settings,
    *,
    axes: BoolArray,
    kinds: set[str],
) -> dict[str, Array]:
    """Estimates of a track at ``index``.

    Parameters
    ----------
    track : Track
    frame : Frame
        n samples with context.
    visible : ndarray of bool, shape (n, 3)
        Samples of the own series that may be used.
    index : ndarray of int64, shape (m,)
        Positions wanted, increasing.
    predict, settings
        Of the network.
    axes : ndarray of bool, shape (3,)
        Axes that are observed at all.
    kinds : set of str
        Which of `STARTED`, `JOINED` and `LEARNT`.

    Returns
    -------
    dict of str to ndarray, shape (m, 3)
        By kind [m s-2]; NaN where a covariate is missing.
    """
    frame = track.view(frame)
    thin, places = frame.every(track.regression.step)
    seen = visible[places]
    margin = settings.window * settings.step
    span = (frame.t[index[0]] - margin, frame.t[index[-1]] + margin)
    start = track.start(thin, seen, within=span)
    fine = _to_native(places)
    result: dict[str, Array] = {}
    if JOINED in kinds:
        result[JOINED] = _joined(track, start, frame, visible, index, fine)
    if not {STARTED, LEARNT} & kinds:
        return result
    # windows see no more than this of the context
    low, past = np.searchsorted(thin.t, (span[0] - margin, span[1] + margin)).tolist()
    part = slice(low, past)
    made = track_channels(track, thin, start, seen, part)
    smooth = track.regression.predict(frame.take(index), start.coefficients)
    # the start first: a network that adds nothing is not chosen before it
    for kind in (k for k in (STARTED, LEARNT) if k in kinds):
        residual = np.zeros((len(thin), 3))
        residual[part] = made.residual * made.visible
        if kind == LEARNT:
            hidden = np.asarray(~seen[part][:, axes].all(axis=1))
            needed = hidden & _near(index, places, len(frame))[part]
            first = round(float(thin.t[low]) / track.regression.step)
            guess = predict_steps(
                made, needed, first, track.name, predict, settings.window
            )
            unknown = (made.visible == 0) & needed[:, None]
            residual[part][unknown] = guess[unknown]
        nodes = residual * track.residual_scale + start.slow
        result[kind] = np.asarray(smooth + fine(nodes, index))
    return result


def _joined(
    track: Track,
    start: Start,
    frame: Frame,
    visible: BoolArray,
    index: IntArray,
    fine: Callable[[Array, IntArray], Array],
) -> Array:
    """The start plus what the observations at the edges say of its residual."""
    wanted = np.zeros(len(frame), dtype=bool)
    wanted[index] = True
    used = neighbours(visible, wanted, float(frame.t[1] - frame.t[0]))
    at = np.flatnonzero(wanted | used)
    base = np.full((len(frame), 3), np.nan)
    base[at] = track.regression.predict(frame.take(at), start.coefficients)
    base[at] += fine(start.slow, at)
    left = np.where(visible, frame.own - base, np.nan)
    base += track.bridge.estimate(frame.t, left, visible, wanted)
    return np.asarray(base[index])


def _to_native(places: slice) -> Callable[[Array, IntArray], Array]:
    """Interpolation of nodes at the working step to positions of the frame."""
    first, ratio = places.start or 0, places.step or 1

    def fine(nodes: Array, index: IntArray) -> Array:
        """Of increasing positions; nodes that none of them feels are left alone."""
        low, past = ((index[[0, -1]] - first) // ratio).tolist()
        low = min(max(low - 2 * REACH, 0), len(nodes) - 1)
        near = nodes[low : max(past + 2 * REACH, low + 1)]
        whole = upsample(near, ratio, reach=REACH)
        position = np.clip(index - first - low * ratio, 0, len(whole) - 1)
        return np.asarray(whole[position])

    return fine


def _near(index: IntArray, places: slice, n: int) -> BoolArray:
    """Working steps so near to a wanted sample that they shape it."""
    reach = REACH * (places.step or 1)
    counts = np.zeros(n + 1, dtype=np.int64)
    counts[index + 1] = 1
    counts = np.cumsum(counts)
    at = np.arange(n)[places]
    low = np.clip(at - reach, 0, n)
    high = np.clip(at + reach + 1, 0, n)
    return np.asarray(counts[high] > counts[low])
