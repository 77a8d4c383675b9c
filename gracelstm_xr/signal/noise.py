"""Noise of the instruments by design, as amplitude spectral densities."""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import AnyArray


def design_noise(f: AnyArray, axis: str) -> AnyArray:
    """Accelerometer noise of the design, Kim (2000), as ASD [m s-2 Hz-1/2].

    Parameters
    ----------
    f : ndarray
        Frequency [Hz].
    axis : {"x", "y", "z"}
        y is the less sensitive one.
    """
    if axis == "y":
        return np.sqrt((1 + 0.1 / f) * 1e-18)
    return np.sqrt((1 + 0.005 / f) * 1e-20)


def ranging_noise(f: AnyArray) -> AnyArray:
    """Microwave ranging noise of 1.5 um Hz-1/2 as acceleration [m s-2 Hz-1/2]."""
    return np.asarray((2 * np.pi * f) ** 2 * 1.5e-6)
