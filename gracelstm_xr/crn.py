"""The low-pass filter between the 10 Hz accelerometer data and ACC1B."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CUTOFF", "ORDER", "WINDOW", "crn_gain"]

#: Parameters of the Level-1B filter: order, window [s], pass band [Hz] (ATBD v1.2).
ORDER = 7
WINDOW = 140.7
CUTOFF = 0.035


def crn_gain(rate: float) -> npt.NDArray[np.float64]:
    """Spectrum of the filter over one window, zero frequency in the middle.

    Parameters
    ----------
    rate : float
        Sampling rate [Hz].

    Returns
    -------
    ndarray, shape (n,)
        Gain at the n frequencies ``k / n * rate``, not normalised; n is odd, the
        number of samples in the window of 140.7 s.

    Notes
    -----
    Thomas (1999) and GRACE L1B ATBD v1.2: an ideal 35 mHz pass band, smoothed by
    the 7-fold self-convolution of a rectangle, over a window of 140.7 s.
    """
    count = round(WINDOW * rate) | 1
    half = count // 2
    band = round(CUTOFF * count / rate)
    k = np.arange(-half, half + 1)
    gain = np.zeros(count)
    for m in range(-band, band + 1):
        x = np.pi * (k - m)
        with np.errstate(divide="ignore", invalid="ignore"):
            term = np.sin(x / ORDER) / np.sin(x / count)
        gain += np.where(k == m, count / ORDER, term) ** ORDER
    return gain
