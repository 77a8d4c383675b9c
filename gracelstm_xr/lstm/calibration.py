"""From errors on held-out gaps to the choice of method and a 1-sigma."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gracelstm_xr.benchmark import GapErrors
from gracelstm_xr.lstm.recipient import Calibration

__all__ = ["calibrate"]

Array = npt.NDArray[np.float64]

#: How much worse than the best the network may be and still be chosen.
TIE = 1.02
#: Distances to the nearest observation that sigma is tabulated at [s].
DISTANCES = (5.0, 15.0, 40.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0, 100_000.0)


def calibrate(
    errors: GapErrors, gain: tuple[float, float, float]
) -> Calibration | None:
    """Choose the best method per axis and gap length, and tabulate its error.

    The network is chosen when it is best or within two percent of it, unless it is
    switched off on that axis.

    Parameters
    ----------
    errors : GapErrors
        On validation spans only.
    gain : tuple of float
        Factors on the network's output, 0 where it is switched off.

    Returns
    -------
    Calibration or None
        None when no gap could be hidden.
    """
    lengths = np.unique(errors.length)
    if len(lengths) == 0:
        return None
    names = list(errors.errors)
    rms = np.array([[errors.rms(name, x) for name in names] for x in lengths])
    usable = np.where(np.isfinite(rms), rms, np.inf)
    best = usable.argmin(axis=1)
    if "lstm" in names:
        network = names.index("lstm")
        close = usable[:, network] <= TIE * usable.min(axis=1)
        best = np.where(close & (np.array(gain) > 0), network, best)
    choice = np.array(names)[best]
    distances = np.array(DISTANCES)
    sigma = np.empty((len(lengths), len(distances), 3))
    for k in range(3):
        for row, length in enumerate(lengths):
            error = errors.errors[str(choice[row, k])][:, k]
            sigma[row, :, k] = _by_distance(errors, error, float(length), distances)
    return Calibration(lengths, choice, distances, sigma)


def _by_distance(
    errors: GapErrors, error: Array, length: float, distances: Array
) -> Array:
    """RMS error up to each distance, never falling with distance.

    Bins with few samples borrow from gaps of similar length.
    """
    similar = np.abs(np.log(errors.length / length)) < np.log(2.2)
    good = np.isfinite(error) & similar
    overall = np.sqrt(np.mean(error[good] ** 2)) if good.any() else np.nan
    result = np.full(len(distances), np.nan)
    lower = np.concatenate([[0.0], distances[:-1]])
    for i, (a, b) in enumerate(zip(lower, distances, strict=True)):
        part = good & (errors.distance > a) & (errors.distance <= b)
        if part.sum() >= 30:
            result[i] = np.sqrt(np.mean(error[part] ** 2))
    known = np.isfinite(result)
    if not known.any():
        return np.full(len(distances), overall)
    filled = np.interp(np.log(distances), np.log(distances[known]), result[known])
    return np.maximum.accumulate(filled)
