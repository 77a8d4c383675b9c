"""The ACC1B low-pass, band-limited resampling, and marking of bad samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["crn_filter", "upsample"]

Array = npt.NDArray[np.float64]

#: Parameters of the Level-1B filter: order, window [s], cut-off [Hz] (ATBD v1.2).
CRN_ORDER = 7
CRN_WINDOW = 140.7
CRN_CUTOFF = 0.035


def crn_filter(step: float = 1.0, *, delay: float = 0.0) -> Array:
    """Impulse response of the ACC1B low-pass, sampled every ``step`` seconds.

    The seventh-order self-convolved rectangular window with a 140.7 s span and a
    35 mHz pass band (GRACE Level-1B ATBD v1.2, section on the CRN filter).

    Parameters
    ----------
    step : float
        Sampling interval [s].
    delay : float
        Shift of the response to later times [s]; 0.5 places an impulse in the middle
        of the second that carries its time tag.

    Returns
    -------
    ndarray, shape (2 m + 1,)
        Response [s-1], centred, unit sum times ``1 / step``.
    """
    rate = 10.0
    n = round(CRN_WINDOW * rate)
    half = (n - 1) // 2
    band = round(CRN_CUTOFF * CRN_WINDOW)
    k = np.arange(-half, half + 1)
    spectrum = np.zeros(len(k))
    for m in range(-band, band + 1):
        top, bottom = np.sin(np.pi * (k - m) / CRN_ORDER), np.sin(np.pi * (k - m) / n)
        ratio = np.where(k == m, n / CRN_ORDER, top / np.where(k == m, 1.0, bottom))
        spectrum += ratio**CRN_ORDER
    reach = int(CRN_WINDOW / 2 / step)
    times = np.arange(-reach, reach + 1) * step - delay
    response = np.cos(2 * np.pi * np.outer(times * rate / n, k)) @ spectrum
    response[np.abs(times) > CRN_WINDOW / 2] = 0.0
    result: Array = response / (response.sum() * step)
    return result


def upsample(values: Array, ratio: int, *, reach: int = 8) -> Array:
    """Band-limited interpolation between regular nodes.

    A Kaiser-windowed sinc; the series is continued by its end values.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Finite samples.
    ratio : int
        New samples per old one.
    reach : int
        Nodes used on either side.

    Returns
    -------
    ndarray, shape ((n - 1) * ratio + 1, k)
        The old samples exactly, and ``ratio - 1`` new ones between two of them.
    """
    if ratio == 1 or len(values) < 2:
        return values.copy()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    offsets = np.arange(-reach + 1, reach + 1)
    result = np.empty(((len(values) - 1) * ratio + 1, values.shape[1]))
    result[::ratio] = values
    for phase in range(1, ratio):
        s = phase / ratio
        x = offsets - s
        window = np.i0(6.0 * np.sqrt(np.clip(1 - (x / reach) ** 2, 0, None)))
        weights = np.sinc(x) * window
        weights /= weights.sum()
        total = np.zeros((len(values) - 1, values.shape[1]))
        for offset, weight in zip(offsets, weights, strict=True):
            first = reach + offset
            total += weight * padded[first : first + len(values) - 1]
        result[phase::ratio] = total
    return result
