"""Masks of missing samples, and artificial gaps."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import BoolArray, IntArray
from gracelstm_xr.errors import GraceWarning

if TYPE_CHECKING:
    import xarray as xr

#: Share of equal distances from which samples count as regular, and the fewest that
#: tell.
REGULAR, ENOUGH = 0.9, 10


def runs(mask: BoolArray) -> IntArray:
    """First and one-past-last position of every run of True.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray of int64, shape (run, 2)
    """
    padded = np.zeros(len(mask) + 2, dtype=np.int8)
    padded[1:-1] = mask
    change = np.flatnonzero(np.diff(padded))
    return change.reshape(-1, 2).astype(np.int64)


def edge_distance(
    missing: BoolArray, index: IntArray | None = None
) -> tuple[IntArray, IntArray]:
    """Steps from every missing sample to the nearest observed one.

    Parameters
    ----------
    missing : ndarray of bool, shape (n,)
    index : ndarray of int64, shape (m,), optional
        Positions wanted; default all.

    Returns
    -------
    before, after : ndarray of int64, shape (m,)
        Steps back and ahead to an observation; 0 where observed, ``n + 1`` where
        there is none on that side.
    """
    n = len(missing)
    at = np.arange(n) if index is None else index
    before, after = np.zeros((2, len(at)), dtype=np.int64)
    gaps, inside = runs(missing), missing[at]
    at = at[inside]
    first, past = gaps[np.searchsorted(gaps[:, 0], at, side="right") - 1].T
    before[inside] = np.where(first == 0, n + 1, at - first + 1)
    after[inside] = np.where(past == n, n + 1, past - at)
    return before, after


def usable(ds: xr.Dataset) -> xr.DataArray:
    """Observed accelerations: ``lin_accl`` without the samples cleaning condemned.

    The one rule for marked samples. After ``ds.grace.clean()`` a sample with one of the
    reasons in the attribute ``treated_as_missing`` of ``acc_cleanflg`` is missing for
    everything that reads observations through this function: gaps, covariates, fitting,
    filling, evaluation, transplant and resampling. ``lin_accl`` itself keeps its
    values, and without ``acc_cleanflg`` every finite sample is an observation. Marks
    without that attribute, of another origin, all count.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``.

    Returns
    -------
    xarray.DataArray
        Lazy where ``ds`` is; all axes of a condemned sample are NaN [m s-2].
    """
    accl = ds["lin_accl"]
    if "acc_cleanflg" not in ds:
        return accl
    flag = ds["acc_cleanflg"]
    condemned = int(flag.attrs.get("treated_as_missing", 255))
    return accl.where((flag & condemned) == 0) if condemned else accl


def axis_pattern(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Which axes are observed, as bits.

    Parameters
    ----------
    values : ndarray, shape (n, axis)
        At most eight axes.

    Returns
    -------
    ndarray of uint8, shape (n,)
        Bit k is set where axis k is finite.
    """
    pattern = np.zeros(len(values), dtype=np.uint8)
    for k in range(values.shape[1]):
        pattern |= np.isfinite(values[:, k]).astype(np.uint8) << k
    return pattern


def is_missing(
    pattern: npt.NDArray[np.integer[Any]], ever: np.integer[Any] | int
) -> BoolArray:
    """Which patterns of `axis_pattern` count as missing.

    Parameters
    ----------
    pattern : ndarray of int
    ever : int
        All patterns of the series, or-ed: the axes it observes somewhere.

    Returns
    -------
    ndarray of bool
        True where an axis is absent that is observed elsewhere; everywhere when
        nothing is.
    """
    if not ever:
        return np.ones(pattern.shape, dtype=bool)
    return np.asarray((pattern & pattern.dtype.type(ever)) != ever)


def tell_of_step(missing: BoolArray, step: float, whose: str = "") -> None:
    """Warn when samples come regularly, but farther apart than those of the axis.

    Parameters
    ----------
    missing : ndarray of bool, shape (n,)
    step : float
        Of the axis [s].
    whose : str
        Says of which satellite the samples are.
    """
    # a median of two steps or more needs gaps between half of the samples; where
    # there are fewer the positions, eight bytes each, are not made
    if 3 * np.count_nonzero(missing) < len(missing):
        return
    apart = np.diff(np.flatnonzero(~missing))
    if len(apart) < ENOUGH or (every := int(np.median(apart))) < 2:
        return
    if np.mean(apart == every) > REGULAR:
        warnings.warn(
            f"found samples{whose} every {every * step:g} s on an axis of {step:g} s: "
            f"these are no gaps; take every {every}th sample, as in "
            f"ds.isel(time=slice(first, None, {every}))",
            GraceWarning,
            stacklevel=3,
        )


def place_gaps(
    allowed: BoolArray,
    length: int,
    *,
    count: int,
    margin: int,
    rng: np.random.Generator,
) -> IntArray:
    """Random contiguous gaps of one length inside observed data.

    Parameters
    ----------
    allowed : ndarray of bool, shape (n,)
        Samples that may be hidden.
    length : int
        Gap length [samples].
    count : int
        Gaps wanted; fewer are returned where there is no room.
    margin : int
        Fewest samples between two gaps, left visible.
    rng : numpy.random.Generator
        Decides the positions.

    Returns
    -------
    ndarray of int64, shape (gap, 2)
        First and one-past-last sample of each gap, in order.
    """
    blocked = np.concatenate([[0], np.cumsum(~allowed)])
    starts = np.flatnonzero(blocked[length:] - blocked[:-length] == 0)
    chosen: list[int] = []
    for start in rng.permutation(starts):
        if len(chosen) == count:
            break
        if all(abs(int(start) - other) >= length + margin for other in chosen):
            chosen.append(int(start))
    first = np.sort(np.array(chosen, dtype=np.int64))
    return np.stack([first, first + length], axis=1)


def log_uniform_gaps(
    n: int,
    *,
    shortest: int,
    longest: int,
    fraction: float,
    rng: np.random.Generator,
) -> BoolArray:
    """Mask of random gaps with log-uniform length, for training.

    Parameters
    ----------
    n : int
        Length of the series [samples].
    shortest, longest : int
        Range of gap lengths [samples].
    fraction : float
        Part of the samples to hide, between 0 and 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of bool, shape (n,)
        True where hidden. Hidden and visible stretches alternate, so gaps never
        touch.
    """
    hidden = np.zeros(n, dtype=bool)
    longest = max(min(longest, n // 2), shortest)
    position = 0
    while position < n:
        length = int(np.exp(rng.uniform(np.log(shortest), np.log(longest + 1))))
        visible = rng.exponential(length * (1 - fraction) / fraction)
        position += max(int(visible), 1)
        hidden[position : position + length] = True
        position += length
    return hidden
