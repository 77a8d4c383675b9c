"""Orbit geometry from GNV1B and SCA1B: numpy kernels that know no names.

Times are GPS seconds past 2000-01-01T12:00:00 (float64), positions m and
velocities m s-1 in the Earth-fixed frame of GNV1B unless a function says
inertial. *Inertial* here means the true-of-date frame obtained by rotating about
the pole by the Greenwich angle: enough for lags, angles and shadows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "EARTH_RADIUS",
    "EARTH_ROTATION",
    "StateNodes",
    "argument_of_latitude",
    "greenwich_angle",
    "lag_to_twin",
    "nominal_frame",
    "quaternion_matrix",
    "shadow_factor",
    "solve_lag",
    "sun_position",
    "to_inertial",
]

Array = npt.NDArray[np.float64]

#: Earth rotation rate [rad s-1] (IERS Conventions 2010).
EARTH_ROTATION = 7.2921151467e-5
#: Equatorial radius [m] (WGS 84).
EARTH_RADIUS = 6_378_137.0
SUN_RADIUS = 6.96e8
ASTRONOMICAL_UNIT = 1.495978707e11
GM_EARTH = 3.986004415e14
#: Longest distance between two orbit epochs that is still interpolated [s].
MAX_NODE_STEP = 600.0
#: Longest extension of an orbit past its first or last epoch [s].
MAX_EXTENSION = 60.0


def greenwich_angle(t: Array) -> Array:
    """Greenwich mean sidereal angle [rad] at GPS seconds ``t``.

    The linear term of the IAU 1982 expression; UT1 is taken as GPS time minus
    15 s, which is within 3 s (0.01 degree) over both missions.
    """
    days = (t - 15.0) / 86400.0
    result: Array = np.deg2rad(280.46061837 + 360.98564736629 * days) % (2 * np.pi)
    return result


def to_inertial(t: Array, position: Array, velocity: Array) -> tuple[Array, Array]:
    """Rotate Earth-fixed states to the inertial frame.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds past 2000-01-01T12:00:00.
    position, velocity : ndarray, shape (n, 3)
        Earth-fixed state [m], [m s-1].

    Returns
    -------
    position, velocity : ndarray, shape (n, 3)
        Inertial state [m], [m s-1].
    """
    angle = greenwich_angle(t)
    moving = velocity + np.stack(
        [
            -EARTH_ROTATION * position[:, 1],
            EARTH_ROTATION * position[:, 0],
            np.zeros(len(position)),
        ],
        axis=-1,
    )
    return _rotate_z(position, angle), _rotate_z(moving, angle)


def _rotate_z(vector: Array, angle: Array) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    x, y = vector[:, 0], vector[:, 1]
    return np.stack([c * x - s * y, s * x + c * y, vector[:, 2]], axis=-1)


class StateNodes(NamedTuple):
    """Inertial states at strictly increasing epochs, to be interpolated.

    Attributes
    ----------
    t : ndarray, shape (n,)
        GPS seconds.
    position, velocity : ndarray, shape (n, 3)
        Inertial state [m], [m s-1].
    """

    t: Array
    position: Array
    velocity: Array

    @classmethod
    def from_grid(cls, t: Array, position: Array, velocity: Array) -> StateNodes:
        """Nodes from Earth-fixed states on a grid where most epochs may be NaN."""
        good = np.isfinite(position).all(axis=1) & np.isfinite(velocity).all(axis=1)
        return cls(t[good], *to_inertial(t[good], position[good], velocity[good]))

    def at(self, t: Array) -> tuple[Array, Array]:
        """Position [m] and velocity [m s-1] at ``t`` by quintic Hermite steps.

        The third pair of conditions is the two-body acceleration at the nodes,
        so that 60 s epochs interpolate to millimetres. NaN outside the nodes and
        across holes longer than 600 s.
        """
        shape = (len(t), 3)
        if len(self.t) < 2:
            return np.full(shape, np.nan), np.full(shape, np.nan)
        i = np.clip(np.searchsorted(self.t, t, side="right") - 1, 0, len(self.t) - 2)
        h = (self.t[i + 1] - self.t[i])[:, None]
        s = (t - self.t[i])[:, None] / h
        p0, p1 = self.position[i], self.position[i + 1]
        v0, v1 = self.velocity[i] * h, self.velocity[i + 1] * h
        a0, a1 = _gravity(p0) * h**2, _gravity(p1) * h**2
        c3 = 10 * (p1 - p0) - 6 * v0 - 4 * v1 - 1.5 * a0 + 0.5 * a1
        c4 = -15 * (p1 - p0) + 8 * v0 + 7 * v1 + 1.5 * a0 - a1
        c5 = 6 * (p1 - p0) - 3 * v0 - 3 * v1 - 0.5 * a0 + 0.5 * a1
        position = p0 + s * (v0 + s * (a0 / 2 + s * (c3 + s * (c4 + s * c5))))
        slope = v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)))
        velocity = slope / h
        beyond = t - np.clip(t, self.t[0], self.t[-1])
        self._extend(position, velocity, beyond)
        hole = (h[:, 0] > MAX_NODE_STEP) | (np.abs(beyond) > MAX_EXTENSION)
        position[hole] = np.nan
        velocity[hole] = np.nan
        return position, velocity

    def _extend(self, position: Array, velocity: Array, beyond: Array) -> None:
        """Replace, in place, the states past either end by a Taylor expansion."""
        for node, where in ((0, beyond < 0), (-1, beyond > 0)):
            dt = beyond[where][:, None]
            p, v = self.position[node], self.velocity[node]
            a = _gravity(p[None])[0]
            jerk = -GM_EARTH / np.linalg.norm(p) ** 3 * (v - 3 * (p @ v) / (p @ p) * p)
            position[where] = p + dt * (v + dt * (a / 2 + dt * jerk / 6))
            velocity[where] = v + dt * (a + dt * jerk / 2)


def _gravity(position: Array) -> Array:
    radius = np.linalg.norm(position, axis=1, keepdims=True)
    result: Array = -GM_EARTH * position / radius**3
    return result


def argument_of_latitude(position: Array, velocity: Array) -> Array:
    """Angle from the ascending node along the orbit [rad], in [0, 2 pi).

    Parameters
    ----------
    position, velocity : ndarray, shape (n, 3)
        Inertial state [m], [m s-1].
    """
    h = np.cross(position, velocity)
    node = np.stack([-h[:, 1], h[:, 0], np.zeros(len(h))], axis=-1)
    node /= np.linalg.norm(node, axis=1, keepdims=True)
    ahead = np.cross(h / np.linalg.norm(h, axis=1, keepdims=True), node)
    angle = np.arctan2((position * ahead).sum(1), (position * node).sum(1))
    result: Array = angle % (2 * np.pi)
    return result


def solve_lag(own: StateNodes, twin: StateNodes, t: Array, *, guess: float) -> Array:
    """Newton iteration for the lag to the twin from a starting value [s].

    See `lag_to_twin`.
    """
    position, _ = own.at(t)
    dt = np.full(len(t), guess)
    for _ in range(8):
        other, velocity = twin.at(t + dt)
        miss = position - other
        slope = (miss * _gravity(other)).sum(1) - (velocity * velocity).sum(1)
        step = -(miss * velocity).sum(1) / slope
        # a swap changes the lag slowly, so a wild step means no orbit there
        dt = dt + np.clip(step, -60.0, 60.0)
        if np.nanmax(np.abs(step), initial=0.0) < 1e-6:
            break
    return dt


def lag_to_twin(own: StateNodes, twin: StateNodes, t: Array) -> Array:
    """Lag at which the twin is closest to where this satellite is now.

    Minimises ``|r_own(t) - r_twin(t + lag)|`` in the inertial frame by Newton's
    method; negative when the twin leads (it was here before).

    Parameters
    ----------
    own, twin : StateNodes
        Orbits of this satellite and of its twin.
    t : ndarray, shape (n,)
        GPS seconds.

    Returns
    -------
    ndarray, shape (n,)
        Lag [s], NaN where either orbit is missing. Converges below 1e-5 s.

    Notes
    -----
    The iteration is the one of the GROOPS transplant program (Mayer-Guerr et
    al. 2021, doi:10.1016/j.cageo.2021.104864).
    """
    here, _ = own.at(t)
    there, velocity = twin.at(t)
    offset = ((there - here) * velocity).sum(1) / (velocity * velocity).sum(1)
    if not np.isfinite(offset).any():
        return np.full(len(t), np.nan)
    return solve_lag(own, twin, t, guess=-float(np.nanmedian(offset)))


def quaternion_matrix(quaternion: Array) -> Array:
    """Rotation matrices from inertial to SRF components.

    Parameters
    ----------
    quaternion : ndarray, shape (n, 4)
        SCA1B quaternions, scalar first; need not be normalised.

    Returns
    -------
    ndarray, shape (n, 3, 3)
        Rows are the SRF axes in the inertial frame (ATBD v1.2).
    """
    q = quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
    q0, q1, q2, q3 = q.T
    rows = [
        q0**2 + q1**2 - q2**2 - q3**2, 2 * (q1 * q2 + q0 * q3), 2 * (q1 * q3 - q0 * q2),
        2 * (q1 * q2 - q0 * q3), q0**2 - q1**2 + q2**2 - q3**2, 2 * (q2 * q3 + q0 * q1),
        2 * (q1 * q3 + q0 * q2), 2 * (q2 * q3 - q0 * q1), q0**2 - q1**2 - q2**2 + q3**2,
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


def nominal_frame(position: Array, velocity: Array, facing: Array) -> Array:
    """Matrices from inertial to nominal SRF: z down, x toward the twin.

    Parameters
    ----------
    position, velocity : ndarray, shape (n, 3)
        Inertial state [m], [m s-1].
    facing : ndarray, shape (n,)
        +1 flies with x forward (twin ahead), -1 backward (twin behind).

    Returns
    -------
    ndarray, shape (n, 3, 3)
        Rows are the nominal axes in the inertial frame.
    """
    z = -position / np.linalg.norm(position, axis=1, keepdims=True)
    y = np.cross(z, velocity)
    y *= facing[:, None] / np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], axis=1)


def sun_position(t: Array) -> Array:
    """Geocentric Sun [m] in the inertial frame, good to 0.01 degree.

    Low-precision series of the Astronomical Almanac.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds past 2000-01-01T12:00:00.

    Returns
    -------
    ndarray, shape (n, 3)
    """
    days = (t + 51.184) / 86400.0
    mean = np.deg2rad(280.460 + 0.9856474 * days)
    g = np.deg2rad(357.528 + 0.9856003 * days)
    longitude = mean + np.deg2rad(1.915) * np.sin(g) + np.deg2rad(0.020) * np.sin(2 * g)
    obliquity = np.deg2rad(23.439 - 4e-7 * days)
    distance = 1.00014 - 0.01671 * np.cos(g) - 0.00014 * np.cos(2 * g)
    unit = np.stack(
        [
            np.cos(longitude),
            np.cos(obliquity) * np.sin(longitude),
            np.sin(obliquity) * np.sin(longitude),
        ],
        axis=-1,
    )
    result: Array = ASTRONOMICAL_UNIT * distance[:, None] * unit
    return result


def shadow_factor(position: Array, sun: Array) -> Array:
    """Visible fraction of the solar disc seen from the satellite.

    Conical shadow of a spherical Earth with penumbra (Montenbruck and Gill 2000,
    section 3.4.2).

    Parameters
    ----------
    position, sun : ndarray, shape (n, 3)
        Inertial positions of satellite and Sun [m].

    Returns
    -------
    ndarray, shape (n,)
        1 in sunlight, 0 in the umbra.
    """
    to_sun = sun - position
    distance = np.linalg.norm(to_sun, axis=1)
    radius = np.linalg.norm(position, axis=1)
    a = np.arcsin(np.clip(SUN_RADIUS / distance, 0, 1))
    b = np.arcsin(np.clip(EARTH_RADIUS / radius, 0, 1))
    cosine = -(position * to_sun).sum(1) / (radius * distance)
    # never exactly behind the centre, where the next line would divide by zero
    c = np.maximum(np.arccos(np.clip(cosine, -1, 1)), 1e-12)
    x = np.clip((c**2 + a**2 - b**2) / (2 * c), -a, a)
    y = np.sqrt(np.clip(a**2 - x**2, 0, None))
    overlap = (
        a**2 * np.arccos(np.clip(x / a, -1, 1))
        + b**2 * np.arccos(np.clip((c - x) / b, -1, 1))
        - c * y
    )
    partial = 1 - overlap / (np.pi * a**2)
    return np.where(c >= a + b, 1.0, np.where(c <= b - a, 0.0, partial))
