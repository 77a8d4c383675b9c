"""Response of the attitude thrusters by regression: the numpy kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.days import thinned
from gracelstm_xr.physics.firings import allowed, filtered_on_time

#: Context that a day of the estimate depends on [s]: filter window and prediction
#: error filter.
HALO = 400.0
#: Sampling of the estimate [s]; ACC1B holds nothing above 50 mHz.
STEP = 10.0
#: Order of the prediction error filter that makes the background white.
ORDER = 8
#: Innovations this many times their median size are no noise.
OUTLIER = 20.0
#: Spread of a response before any data [m s-2]: a pair of 10 mN at 475 kg whose
#: forces do not cancel at all.
FREE = 4e-5


class Response(NamedTuple):
    """Response of the six pairs of one satellite.

    Attributes
    ----------
    value, sigma : ndarray, shape (6, 3)
        Uncalibrated acceleration while the pair fires, and its error [m s-2].
    """

    value: Array
    sigma: Array


def day_sums(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice
) -> dict[str, Array]:
    """Normal equations of the responses from one day, per hour.

    The background is made white by a prediction error filter of the day itself, so
    that the slow signal and the drifting bias do not matter.

    Parameters
    ----------
    t, arrays, keep
        See `gracelstm_xr.compute.days.day_results`; ``lin_accl`` (of
        `gracelstm_xr.gaps.usable`) and ``thruster_on_time``.

    Returns
    -------
    dict of str to ndarray
        ``gram`` (24, 3, 6, 6) and ``moment`` (24, 3, 6).
    """
    gram, moment = np.zeros((24, 3, 6, 6)), np.zeros((24, 3, 6))
    index = thinned(t, STEP)
    share = 1e-3 * filtered_on_time(t, arrays["thruster_on_time"])[index]
    values = allowed(arrays)[index]
    inner = (t[index] >= t[keep.start]) & (t[index] <= t[keep.stop - 1])
    hour = np.floor(t[index] / 3600.0).astype(np.int64) % 24
    for k in range(3):
        rows, target, use = _white(share, values[:, k])
        for h in np.unique(hour[use & inner]):
            some = use & inner & (hour == h)
            x, y = rows[some], target[some]
            gram[h, k], moment[h, k] = x.T @ x, x.T @ y
    return {"gram": gram, "moment": moment}


def _white(share: Array, values: Array) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Rows and target with white background of unit variance, and which to use."""
    rows = np.diff(share, axis=0, prepend=share[:1])
    target = np.diff(values, prepend=np.nan)
    finite = np.isfinite(target)
    none = np.zeros(len(target), dtype=bool)
    if finite.sum() < 20 * ORDER:
        return rows, target, none
    x, y = rows[finite], target[finite]
    left = target - rows @ np.linalg.solve(x.T @ x + 1e-9 * np.eye(6), x.T @ y)
    past = np.stack([np.roll(left, i) for i in range(1, ORDER + 1)], axis=1)
    past[:ORDER] = np.nan
    full = np.isfinite(left) & np.isfinite(past).all(axis=1)
    if full.sum() < 10 * ORDER:
        return rows, target, none
    ar, *_ = np.linalg.lstsq(past[full], left[full], rcond=None)
    innovation = left[full] - past[full] @ ar
    sigma = float(np.median(np.abs(innovation))) / 0.6745
    if sigma == 0.0:
        return rows, target, none
    use = none
    use[full] = np.abs(innovation) < OUTLIER * sigma
    taps = np.concatenate([[1.0], -ar]) / sigma
    n = len(target)
    rows = np.stack([np.convolve(c, taps)[:n] for c in rows.T], axis=1)
    return rows, np.convolve(np.where(finite, target, 0.0), taps)[:n], use


def solve(days: list[list[dict[str, Array]]]) -> Response:
    """Responses and their errors from the sums of all days.

    Parameters
    ----------
    days : list of list of dict
        Results of `day_sums`, in order of time.

    Returns
    -------
    Response
        With errors from the scatter of the hours about the common solution, which
        includes that of single firings (White 1980).
    """
    sums = [day for group in days for day in group]
    gram = np.concatenate([day["gram"] for day in sums])
    moment = np.concatenate([day["moment"] for day in sums])
    value, sigma = np.zeros((6, 3)), np.full((6, 3), FREE)
    for k in range(3):
        normal = gram[:, k].sum(0) + np.eye(6) / FREE**2
        cofactor = np.linalg.inv(normal)
        value[:, k] = cofactor @ moment[:, k].sum(0)
        score = moment[:, k] - gram[:, k] @ value[:, k]
        spread = score.T @ score + np.eye(6) / FREE**2
        hours = int((np.abs(gram[:, k]).max(axis=(1, 2)) > 0).sum())
        if hours > 6:
            # seven unknowns' worth of freedom is lost to the fit
            spread = spread * hours / (hours - 6)
            sigma[:, k] = np.sqrt(np.diag(cofactor @ spread @ cofactor))
        else:
            sigma[:, k] = np.sqrt(np.diag(cofactor))
    return Response(value, sigma)
