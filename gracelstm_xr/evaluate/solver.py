"""What is left of an error after a gravity solver has re-estimated its parameters.

A solver estimates with the gravity field, per axis, a bias that varies as a cubic
spline with nodes every 6 h and a scale per day. What these can absorb does no harm.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.days import day_number

#: Distance of the spline's nodes [s], at GPS midnight and every 6 h from it.
NODES = 21_600.0
#: The arc reaches this far beyond the gap on either side [s].
ARC = 43_200.0


def design_matrix(t: Array, signal: Array) -> Array:
    """Columns of a solver's parameters for one axis.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds.
    signal : ndarray, shape (n,)
        Acceleration that the scale multiplies [m s-2].

    Returns
    -------
    ndarray, shape (n, p)
        Cubic B-splines of the bias, then the signal day by day, less its mean of the
        day (the bias holds that) and in units of its standard deviation.
    """
    from scipy.interpolate import BSpline

    # GPS seconds count from noon, two nodes after midnight
    place = t / NODES
    first, last = int(np.floor(place[0])) - 1, int(np.floor(place[-1])) + 2
    knots = np.arange(first - 2, last + 3, dtype=np.float64)
    splines = BSpline.design_matrix(place, knots, 3).toarray()
    columns = [*splines.T]
    days = np.array([day_number(x) for x in t])
    for day in np.unique(days):
        here = days == day
        signal_here = np.where(here, signal - signal[here].mean(), 0.0)
        size = np.sqrt(np.mean(signal_here[here] ** 2))
        if size > 0:
            columns.append(signal_here / size)
    return np.stack(columns, axis=1)


def absorbed(
    t: Array, signal: Array, inside: npt.NDArray[np.intp], errors: Array
) -> Array:
    """Errors in a gap less what the solver's parameters absorb.

    The error series of the arc is that of the filled series: the error of the estimate
    inside the gap, zero outside, where the observations stand. The parameters are
    fitted to all of it by least squares with equal weights.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds of the arc: the gap and twelve hours on either side.
    signal : ndarray, shape (n,)
        Observed acceleration of the axis [m s-2].
    inside : ndarray of int, shape (m,)
        Positions in the arc of the samples of the gap.
    errors : ndarray, shape (m, k)
        Errors of k methods there [m s-2]; a method with a NaN gives NaN.

    Returns
    -------
    ndarray, shape (m, k)
        Residual errors [m s-2].
    """
    matrix = design_matrix(t, signal)
    padded = np.zeros((len(t), errors.shape[1]))
    padded[inside] = np.nan_to_num(errors)
    parameters = np.linalg.lstsq(matrix, padded, rcond=1e-10)[0]
    left: Array = errors - matrix[inside] @ parameters
    left[:, ~np.isfinite(errors).all(axis=0)] = np.nan
    return left
