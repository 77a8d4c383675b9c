"""What attitude firings do to ACC1B: on-times of THR1B seen through its low-pass.

The twelve attitude thrusters fire in pairs, k with k + 6 in the order of THR1B. The
low-pass of ACC1B spreads a firing to about 30 s on either side.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.plausible import plausible_on_time
from gracelstm_xr.signal.interpolation import step_of
from gracelstm_xr.signal.lowpass import crn_filter

#: Pairs in the order of the THR1B columns; named by what they control.
PAIRS = ("yaw-", "pitch+", "yaw+", "pitch-", "roll-", "roll+")


def pair_on_time(on_time: npt.NDArray[Any]) -> Array:
    """On-time of the six attitude pairs [ms], 0 where THR1B has no record.

    Parameters
    ----------
    on_time : ndarray, shape (n, 14)
        On-time of every thruster within the second [ms].

    Returns
    -------
    ndarray, shape (n, 6)
        Thrusters k and k + 6 fire together: their mean.
    """
    values = np.asarray(on_time[:, :12], dtype=np.float64)
    values = np.where(plausible_on_time(values), values, np.nan)
    result: Array = np.nan_to_num((values[:, :6] + values[:, 6:]) / 2)
    return result


@functools.cache
def _kernel(step: float) -> Array:
    # 0.5: a firing is somewhere in the second that carries its time tag
    return crn_filter(step, delay=0.5)


def filtered_on_time(t: Array, on_time: npt.NDArray[Any]) -> Array:
    """On-time per pair as the low-pass of ACC1B passes it on.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    on_time : ndarray, shape (n, 14)
        On-time of every thruster within the sample [ms].

    Returns
    -------
    ndarray, shape (n, 6)
        Milliseconds of firing per second [ms s-1]; a thousandth of it is the share
        of the time that the pair fires.
    """
    result = np.zeros((len(t), 6))
    place, felt, pair = _spread(t, on_time)
    for k in range(6):
        mine = pair == k
        result[:, k] = np.bincount(place[mine], felt[mine], minlength=len(t))
    return result


def _spread(
    t: Array, on_time: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], Array, npt.NDArray[np.int64]]:
    """Every second a firing is felt in: position, on-time [ms s-1], pair.

    In order of the firings, so that a sum does not depend on where ``t`` begins.
    """
    attitude = on_time[:, :12]
    some = np.flatnonzero(((attitude > 0) | (attitude < 0)).any(axis=1))
    pairs = pair_on_time(on_time[some])
    row, pair = np.nonzero(pairs)
    kernel = _kernel(step_of(t) if len(t) > 1 else 1.0)
    reach = len(kernel) // 2
    place = some[row][:, None] + np.arange(-reach, reach + 1)
    felt = pairs[row, pair][:, None] * kernel
    inside = (place >= 0) & (place < len(t))
    whose = np.broadcast_to(pair[:, None], place.shape)
    return place[inside], felt[inside], whose[inside]


def firing_acceleration(
    t: Array, on_time: npt.NDArray[Any], value: npt.ArrayLike
) -> Array:
    """Acceleration of all firings, as ACC1B shows it [m s-2], shape (n, 3).

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    on_time : ndarray, shape (n, 14)
        On-time of every thruster within the sample [ms].
    value : array_like, shape (6, 3)
        Response per pair and axis [m s-2], see `response`.
    """
    table: Array = 1e-3 * np.asarray(value, dtype=np.float64)
    place, felt, pair = _spread(t, on_time)
    columns = [
        np.bincount(place, felt * table[pair, k], minlength=len(t)) for k in range(3)
    ]
    return np.stack(columns, axis=1)


def allowed(arrays: Mapping[str, npt.NDArray[Any]], role: str = "") -> Array:
    """Accelerations to trust [m s-2]: NaN where missing or condemned by cleaning."""
    return np.asarray(arrays[f"{role}lin_accl"], dtype=np.float64)
