"""Orbit geometry from GNV1B and SCA1B: the numpy kernels under one name.

They know no variable names. Times are GPS seconds past 2000-01-01T12:00:00; see
`gracelstm_xr.physics.earth` for the frames; `gracelstm_xr.physics.geometry` puts them
together.
"""

from gracelstm_xr.physics.attitude import (
    Attitude,
    nominal_attitude,
    nominal_frame,
    quaternion_matrix,
    rotate,
)
from gracelstm_xr.physics.earth import (
    EARTH_RADIUS,
    EARTH_ROTATION,
    FLATTENING,
    argument_of_latitude,
    geodetic,
    gravity,
    greenwich_angle,
    precession,
    to_celestial,
    to_inertial,
)
from gracelstm_xr.physics.lag import LONGEST_LAG, lag_to_twin
from gracelstm_xr.physics.states import REACH, StateNodes
from gracelstm_xr.physics.sun import beta_prime, shadow_factor, sun_position

__all__ = [
    "EARTH_RADIUS",
    "EARTH_ROTATION",
    "FLATTENING",
    "LONGEST_LAG",
    "REACH",
    "Attitude",
    "StateNodes",
    "argument_of_latitude",
    "beta_prime",
    "geodetic",
    "gravity",
    "greenwich_angle",
    "lag_to_twin",
    "nominal_attitude",
    "nominal_frame",
    "precession",
    "quaternion_matrix",
    "rotate",
    "shadow_factor",
    "sun_position",
    "to_celestial",
    "to_inertial",
]
