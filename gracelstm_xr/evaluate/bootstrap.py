"""How far a number from some gaps may be off: the block bootstrap."""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.filling.benchmark import GapErrors
from gracelstm_xr.physics.earth import REVOLUTION

#: Resamples of the bootstrap, and the percentiles of its interval.
RESAMPLES, INTERVAL = 500, (2.5, 97.5)


def ratio_of(above: Array, below: Array) -> Array:
    """Quotient, NaN where the lower part is zero or unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient = np.asarray(above) / np.asarray(below)
    return np.where(np.isfinite(quotient), quotient, np.nan)


def blocks_of(errors: GapErrors) -> IntArray:
    """Number of the bootstrap block of every sample.

    Gaps, or revolutions where gaps are longer than two: hidden days of one span
    overlap, and what they share is one block.
    """
    turn = np.floor(errors.t / REVOLUTION).astype(np.int64)
    long = errors.length > 2 * REVOLUTION
    label = np.where(long, turn, -1 - errors.gap)
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def resampled(above: Array, below: Array, seed: int) -> Array:
    """Quotients of sums over resampled blocks.

    Parameters
    ----------
    above, below : ndarray, shape (block, ...)
        The same blocks are drawn for all that follows the first dimension.
    seed : int

    Returns
    -------
    ndarray, shape (resample, ...)
    """
    rng = np.random.default_rng([seed, 11])
    number = len(above)
    weights = rng.multinomial(number, np.full(number, 1 / number), size=RESAMPLES)
    return ratio_of(
        np.tensordot(weights, above, axes=1), np.tensordot(weights, below, axes=1)
    )


def bootstrap(squares: Array, counts: Array, seed: int) -> Array:
    """RMS of resampled blocks, the same blocks for all methods and axes.

    Parameters
    ----------
    squares, counts : ndarray, shape (block, method, axis)
        Sum of squared errors and their number.
    seed : int

    Returns
    -------
    ndarray, shape (resample, method, axis)
    """
    return np.sqrt(resampled(squares, counts, seed))


def interval(draws: Array) -> tuple[Array, Array]:
    """Ends of the 95 % interval of draws (resample, ...); NaN without any."""
    drawn = np.isfinite(draws).any(axis=0)
    low, high = np.nanpercentile(np.where(drawn, draws, 0.0), INTERVAL, axis=0)
    return np.where(drawn, low, np.nan), np.where(drawn, high, np.nan)
