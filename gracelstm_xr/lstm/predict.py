"""Run a network over a series: overlapping windows, averaged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.lstm.channels import Channels, Windows, window_starts

#: Name of a track and windows (w, step, channel) to residuals (w, step, 3).
Predictor = Callable[[str, Windows | npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def predict_steps(
    channels: Channels,
    needed: BoolArray,
    first: int,
    track: str,
    predict: Predictor,
    window: int,
) -> Array:
    """Residuals at the needed steps, 0 elsewhere.

    Every step is seen by two windows, half a window apart, whose outputs are averaged
    with less weight toward their ends, where they lack context.

    Parameters
    ----------
    channels : Channels
        n steps.
    needed : ndarray of bool, shape (n,)
    first : int
        Absolute number of the first step, see `window_starts`.
    track : str
        Passed to ``predict``.
    predict : callable
    window : int
        Steps per window.

    Returns
    -------
    ndarray, shape (n, 3)
        [standard deviations of the residual]
    """
    stride = max(window // 2, 1)
    starts = window_starts(needed, first, window, stride)
    inside = np.arange(window)
    ramp = 1 - np.abs(inside - (window - 1) / 2) / (window / 2 + 1)
    # windows reach past either end
    n = len(needed)
    total, weight = np.zeros((n + 2 * window, 3)), np.zeros(n + 2 * window)
    if len(starts):
        output = predict(track, Windows(channels, starts, window))
        turn = (first + starts) // stride % -(-window // stride)
        for mine in (turn == k for k in np.unique(turn)):  # which do not overlap
            at = starts[mine, None] + window + inside
            total[at] += ramp[:, None] * output[mine]
            weight[at] += ramp
    total, weight = total[window:-window], weight[window:-window]
    result: Array = total / np.where(weight > 0, weight, 1.0)[:, None]
    return result
