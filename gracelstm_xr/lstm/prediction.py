"""Run a network over a series: overlapping windows, averaged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gracelstm_xr.lstm.sequences import Channels, window_batch, window_starts
from gracelstm_xr.lstm.settings import PREDICTION_BATCH

__all__ = ["Predictor", "predict_steps"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
#: Name of a track and windows (w, step, channel) to residuals (w, step, 3).
Predictor = Callable[[str, npt.NDArray[np.float32]], npt.NDArray[np.float32]]
#: Most windows cut at a time; a bound on memory.
MOST = 8 * PREDICTION_BATCH


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
    starts = window_starts(needed, first, window, max(window // 2, 1))
    ramp = 1 - np.abs(np.arange(window) - (window - 1) / 2) / (window / 2 + 1)
    n = len(needed)
    total, weight = np.zeros((n, 3)), np.zeros(n)
    for low in range(0, len(starts), MOST):
        chosen = starts[low : low + MOST]
        output = predict(track, window_batch(channels, chosen, window))
        for start, values in zip(chosen, output, strict=True):
            a, b = max(start, 0), min(start + window, n)
            part = ramp[a - start : b - start]
            total[a:b] += part[:, None] * values[a - start : b - start]
            weight[a:b] += part
    result: Array = total / np.where(weight > 0, weight, 1.0)[:, None]
    return result
