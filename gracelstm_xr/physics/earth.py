"""The Earth and its frames: numpy kernels that know no names.

Times are GPS seconds past 2000-01-01T12:00:00 (float64), positions m and
velocities m s-1 in the Earth-fixed frame of GNV1B unless a function says
inertial. *Inertial* here means the mean-of-date frame: the Earth-fixed one turned
about its pole by the Greenwich angle. Against the celestial frame of the star cameras
it lacks precession, which `to_celestial` applies, and nutation, polar motion and the
frame bias, which are neglected: less than 0.006 degree together.
"""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array

#: Earth rotation rate [rad s-1] (IERS Conventions 2010).
EARTH_ROTATION = 7.2921151467e-5
#: Equatorial radius [m] and flattening (WGS 84).
EARTH_RADIUS = 6_378_137.0
FLATTENING = 1 / 298.257223563
#: Gravitational constant times mass [m3 s-2] and dynamic flattening of the Earth.
GM_EARTH = 3.986004415e14
J2 = 1.0826359e-3
#: GPS time minus UT1 [s] at the start of every year from 2000 (IERS C04 series).
GPS_MINUS_UT1 = np.array([
    12.645, 12.907, 13.116, 13.289, 13.390, 13.504, 13.661, 13.962, 14.273, 14.593,
    14.886, 15.141, 15.419, 15.723, 16.097, 16.460, 16.918, 17.409, 17.784, 18.036,
    18.177, 18.175, 18.111, 18.020, 17.991, 17.954, 17.926,
])  # fmt: skip
YEAR = 365.25 * 86400.0
#: Nominal revolution of the satellites [s].
REVOLUTION = 5640.0


def greenwich_angle(t: Array) -> Array:
    """Greenwich mean sidereal angle [rad] at GPS seconds ``t``.

    The IAU 1982 expression. UT1 follows from GPS time by a table of one value a year,
    within 0.1 s (0.0004 degree) from 2000 to 2026.
    """
    years = np.arange(len(GPS_MINUS_UT1)) * YEAR - 43_200.0
    behind = np.interp(t, years, GPS_MINUS_UT1)
    days = (t - behind) / 86400.0
    degrees = 280.46061837 + 360.98564736629 * days + 0.000387933 * (days / 36525) ** 2
    result: Array = np.deg2rad(degrees) % (2 * np.pi)
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
    c, s = np.cos(angle), np.sin(angle)
    moving = velocity.copy()
    moving[:, 0] -= EARTH_ROTATION * position[:, 1]
    moving[:, 1] += EARTH_ROTATION * position[:, 0]
    return _rotate_z(position, c, s), _rotate_z(moving, c, s)


def _rotate_z(vector: Array, c: Array, s: Array) -> Array:
    x, y, z = vector.T
    return np.stack([c * x - s * y, s * x + c * y, z], axis=-1)


def precession(t: Array) -> Array:
    """Matrices from the celestial frame (J2000) to the mean-of-date frame.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds past 2000-01-01T12:00:00.

    Returns
    -------
    ndarray, shape (n, 3, 3)

    Notes
    -----
    Lieske (1977), as in the IAU 1976 system.
    """
    century = (t + 51.184) / (86400.0 * 36525.0)
    arc = np.deg2rad(1 / 3600)
    zeta = arc * century * (2306.2181 + 0.30188 * century)
    z = arc * century * (2306.2181 + 1.09468 * century)
    theta = arc * century * (2004.3109 - 0.42665 * century)
    (a, b, c), (p, q, r) = np.cos([zeta, z, theta]), np.sin([zeta, z, theta])
    rows = [
        a * b * c - p * q, -p * b * c - a * q, -r * b,
        a * q * c + p * b, -p * q * c + a * b, -r * q,
        a * r, -p * r, c,
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


def to_celestial(t: Array, vector: Array) -> Array:
    """Vectors of the inertial frame in the celestial frame of SCA1B, shape (n, 3)."""
    return np.asarray(np.einsum("nji,nj->ni", precession(t), vector))


def gravity(position: Array) -> Array:
    """Acceleration by the Earth with its flattening [m s-2].

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Inertial [m].
    """
    x, y, z = position.T
    square = x * x + y * y + z * z
    pull = GM_EARTH / (square * np.sqrt(square))
    bulge = 1.5 * J2 * EARTH_RADIUS**2 / square
    polar = 5 * z * z / square
    flat = -pull * (1 + bulge * (1 - polar))
    return np.stack(
        [flat * x, flat * y, -pull * (1 + bulge * (3 - polar)) * z], axis=-1
    )


def cross(a: Array, b: Array) -> Array:
    """Cross product of rows; ``numpy.cross`` takes five times as long."""
    (x, y, z), (u, v, w) = a.T, b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)


def argument_of_latitude(position: Array, velocity: Array) -> Array:
    """Angle from the ascending node along the orbit [rad], in [0, 2 pi).

    Parameters
    ----------
    position, velocity : ndarray, shape (n, 3)
        Inertial state [m], [m s-1].
    """
    h = cross(position, velocity)
    # toward the node, and square to it in the orbit; both as long as each other
    x, y, z = position.T
    length = np.sqrt((h * h).sum(axis=1))
    along = h[:, 0] * y - h[:, 1] * x
    ahead = z * (h[:, 0] ** 2 + h[:, 1] ** 2) - h[:, 2] * (h[:, 0] * x + h[:, 1] * y)
    angle: Array = np.arctan2(ahead / length, along) % (2 * np.pi)
    return angle


def geodetic(position: Array) -> tuple[Array, Array, Array]:
    """Latitude, longitude and height over the WGS 84 ellipsoid.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Earth-fixed [m]; in the inertial frame the longitude is a right ascension.

    Returns
    -------
    latitude, longitude : ndarray, shape (n,)
        Geodetic [rad], longitude in (-pi, pi].
    height : ndarray, shape (n,)
        [m].

    Notes
    -----
    Bowring (1985); below 1e-9 degree and 1e-6 m at satellite heights.
    """
    x, y, z = position.T
    a, b = EARTH_RADIUS, EARTH_RADIUS * (1 - FLATTENING)
    e2 = FLATTENING * (2 - FLATTENING)
    rho = np.hypot(x, y)
    r = np.hypot(rho, z)
    up = b * z * (1 + e2 / (1 - e2) * b / r)
    out = a * rho
    length = np.hypot(up, out)
    sine, cosine = up / length, out / length
    north = z + e2 / (1 - e2) * b * sine**3
    out = rho - e2 * a * cosine**3
    length = np.hypot(north, out)
    sine, cosine = north / length, out / length
    height = rho * cosine + z * sine - a * np.sqrt(1 - e2 * sine**2)
    return np.arctan2(north, out), np.arctan2(y, x), height
