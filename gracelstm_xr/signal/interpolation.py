"""Interpolation between nodes at absolute times.

Nodes stand at whole multiples of a step in GPS seconds and a value depends on its
neighbours alone, so that the result is the same to the last bit however time is cut.
"""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array, IntArray


def step_of(t: Array) -> float:
    """Sampling interval of regular times [s], to the nanosecond on any stretch."""
    return round(float(t[-1] - t[0]) / (len(t) - 1), 9)


def nodes_around(t: Array, step: float, *, margin: int = 0) -> Array:
    """Multiples of ``step`` around ``t``, and ``margin`` more on either side [s]."""
    first, last = np.floor(t[0] / step), np.floor(t[-1] / step) + 1
    return np.asarray(step * np.arange(first - margin, last + margin + 1))


def _place(t: Array, nodes: Array) -> tuple[IntArray, Array]:
    """Node before ``t`` and how far ``t`` is on the way to the next, 0 to 1."""
    step = nodes[1] - nodes[0]
    number = np.floor(t / step)
    index = (number - np.rint(nodes[0] / step)).astype(np.int64)
    return index, (t - step * number) / step


def _column(weight: Array, values: Array) -> Array:
    return weight if values.ndim == 1 else weight[:, None]


def linear(t: Array, nodes: Array, values: Array) -> Array:
    """Linear interpolation, shape of ``t`` and of one value."""
    i, s = _place(t, nodes)
    slope = np.diff(values, axis=0)
    return np.asarray(values[i] + _column(s, values) * slope[i])


def cubic(t: Array, nodes: Array, values: Array) -> Array:
    """Cubic through four nodes; linear where one of the outer two is NaN.

    ``nodes`` must have a margin of one.
    """
    i, s = _place(t, nodes)
    s = _column(s, values)
    a, b, c, d = (values[i + k] for k in (-1, 0, 1, 2))
    smooth = (
        a * (-s * (s - 1) * (s - 2) / 6)
        + b * ((s + 1) * (s - 1) * (s - 2) / 2)
        - c * ((s + 1) * s * (s - 2) / 2)
        + d * ((s + 1) * s * (s - 1) / 6)
    )
    return np.where(np.isfinite(smooth), smooth, b + s * (c - b))


def hermite(
    t: Array, nodes: Array, values: Array, rates: Array, *, period: float = 0.0
) -> Array:
    """Cubic from values and rates of change at the nodes.

    Parameters
    ----------
    t, nodes : ndarray
        GPS seconds.
    values, rates : ndarray, shape (n,) or (n, k)
        At the nodes; rates per second.
    period : float
        Of values that are angles; the result is between 0 and it.
    """
    i, s = _place(t, nodes)
    h = nodes[1] - nodes[0]
    rise = np.diff(values, axis=0)
    if period:
        rise -= period * np.rint(rise / period)
    before, after = h * rates[:-1], h * rates[1:]
    bend, twist = 3 * rise - 2 * before - after, before + after - 2 * rise
    s = _column(s, values)
    result = values[i] + s * (before[i] + s * (bend[i] + s * twist[i]))
    return np.asarray(result % period if period else result)


def lagrange(values: Array, t: Array, query: Array, *, fill: float = np.nan) -> Array:
    """Four-point Lagrange interpolation of a series on a regular grid.

    For content below 35 mHz sampled at 1 s the error is below 1e-4 of the signal.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    t : ndarray, shape (n,)
        Regular GPS seconds of ``values``.
    query : ndarray, shape (m,)
        GPS seconds wanted.
    fill : float
        Value outside the grid.

    Returns
    -------
    ndarray, shape (m, k)
        NaN where one of the four points is NaN.
    """
    if len(t) < 4:
        return np.full((len(query), values.shape[1]), fill)
    step = step_of(t)
    x = (query - t[0]) / step
    inside = (x >= 1) & (x < len(t) - 2)
    base = np.where(inside, x, 1.0).astype(np.int64)
    s = query - t[base]
    # rounding depends on where the grid starts: what counts is the sample before
    base += (s >= step).astype(np.int64) - (s < 0)
    inside &= (base >= 1) & (base < len(t) - 2)
    base = np.where(inside, base, 1)
    s = ((query - t[base]) / step)[:, None]
    result = (
        np.take(values, base - 1, axis=0) * (-s * (s - 1) * (s - 2) / 6)
        + np.take(values, base, axis=0) * ((s + 1) * (s - 1) * (s - 2) / 2)
        - np.take(values, base + 1, axis=0) * ((s + 1) * s * (s - 2) / 2)
        + np.take(values, base + 2, axis=0) * ((s + 1) * s * (s - 1) / 6)
    )
    result[~inside] = fill
    return result
