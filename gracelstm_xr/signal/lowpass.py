"""The low-pass filter between the 10 Hz accelerometer data and ACC1B."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Parameters of the Level-1B filter: order, window [s], pass band [Hz] (ATBD v1.2).
ORDER = 7
WINDOW = 140.7
CUTOFF = 0.035
#: How far a sample of ACC1B sees to either side, in whole seconds [s].
HALF_WINDOW = 70.0


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


def crn_filter(step: float = 1.0, *, delay: float = 0.0) -> npt.NDArray[np.float64]:
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
    spectrum = crn_gain(rate)
    n = len(spectrum)
    k = np.arange(n) - n // 2
    reach = int(WINDOW / 2 / step)
    times = np.arange(-reach, reach + 1) * step - delay
    response = np.cos(2 * np.pi * np.outer(times * rate / n, k)) @ spectrum
    response[np.abs(times) > WINDOW / 2] = 0.0
    result: npt.NDArray[np.float64] = response / (response.sum() * step)
    return result
