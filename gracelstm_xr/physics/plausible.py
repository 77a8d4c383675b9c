"""Which orbits, attitudes and firings a GRACE satellite can have.

Records beyond are missing wherever geometry or thrust is made of them, and a warning
says so: one of them would reach every covariate for hours around it.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.errors import GraceWarning

#: Distance from the centre of the Earth [m] and speed over ground [m s-1]: the
#: missions fly at 300 to 510 km.
RADIUS, SPEED = (6.4e6, 8.0e6), (6.0e3, 9.0e3)
#: Departure of the norm of a quaternion from 1.
NORM = 0.01
#: Longest on-time of an attitude thruster within a sample [ms].
ON_TIME = 60_000.0


def plausible_orbit(position: Array, velocity: Array) -> BoolArray:
    """Where a record holds an orbit of the missions.

    Parameters
    ----------
    position, velocity : ndarray, shape (n, 3)
        Earth-fixed [m], [m s-1]; NaN where there is no record.
    """
    radius, speed = _size(position), _size(velocity)
    good = (radius >= RADIUS[0]) & (radius <= RADIUS[1])
    good &= (speed >= SPEED[0]) & (speed <= SPEED[1])
    _tell(
        ~good & ~np.isnan(radius) & ~np.isnan(speed),
        "orbits (position, velocity)",
        f"{RADIUS[0] / 1e3:g} to {RADIUS[1] / 1e3:g} km from the centre of the Earth "
        f"at {SPEED[0] / 1e3:g} to {SPEED[1] / 1e3:g} km s-1",
    )
    return np.asarray(good)


def plausible_attitude(quaternion: Array) -> BoolArray:
    """Where a record (n, 4) holds a rotation; NaN where there is none."""
    size = _size(quaternion)
    good = np.abs(size - 1) <= NORM
    _tell(~good & ~np.isnan(size), "attitudes (quaternion)", "a norm of 1")
    return np.asarray(good)


def plausible_on_time(on_time: npt.NDArray[Any]) -> BoolArray:
    """Where values are on-times of attitude thrusters [ms]; NaN where unknown."""
    good = (on_time >= 0) & (on_time <= ON_TIME)
    _tell(
        ~good & ~np.isnan(on_time),
        "on-times of attitude thrusters (thruster_on_time)",
        f"0 to {ON_TIME:g} ms in a sample",
    )
    return np.asarray(good)


def _size(vector: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.sqrt((vector * vector).sum(axis=1)))


def _tell(wrong: BoolArray, what: str, expected: str) -> None:
    if wrong.any():
        warnings.warn(
            f"found impossible {what}, expected {expected}: these records count as "
            "missing; look for them in the Dataset or its files",
            GraceWarning,
            stacklevel=3,
        )
