"""The Sun: where it is, how high over the orbit, how much of it is seen."""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.earth import EARTH_RADIUS, FLATTENING, cross

SUN_RADIUS = 6.96e8
ASTRONOMICAL_UNIT = 1.495978707e11
#: Flux of sunlight at that distance [W m-2].
SOLAR_CONSTANT = 1361.0


def sun_position(t: Array) -> Array:
    """Geocentric apparent Sun [m] in the inertial frame, good to 0.01 degree.

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


def beta_prime(position: Array, velocity: Array, sun: Array) -> Array:
    """Elevation of the Sun over the orbit plane [rad].

    Parameters
    ----------
    position, velocity : ndarray, shape (n, 3)
        Inertial state [m], [m s-1].
    sun : ndarray, shape (n, 3)
        Inertial, any length.

    Returns
    -------
    ndarray, shape (n,)
        Positive when the Sun stands on the side of position x velocity.
    """
    normal = cross(position, velocity)
    up = (normal * sun).sum(axis=1)
    square = (normal * normal).sum(axis=1) * (sun * sun).sum(axis=1)
    result: Array = np.arcsin(up / np.sqrt(square))
    return result


def shadow_factor(position: Array, sun: Array) -> Array:
    """Visible fraction of the solar disc seen from the satellite.

    Conical shadow with penumbra (Montenbruck and Gill 2000, section 3.4.2) of an
    Earth flattened as WGS 84: space is stretched along the pole until the Earth is
    a sphere (Adhya et al. 2004). The flattening moves a shadow edge by up to 8 s; the
    atmosphere, which moves and blurs it by about as much, is left out.

    Parameters
    ----------
    position, sun : ndarray, shape (n, 3)
        Inertial positions of satellite and Sun [m].

    Returns
    -------
    ndarray, shape (n,)
        1 in sunlight, 0 in the umbra; NaN where a position is missing.
    """
    x, y, z = position.T
    z = z / (1 - FLATTENING)
    u, v, w = sun.T
    w = w / (1 - FLATTENING)
    product = x * u + y * v + z * w
    square = x * x + y * y + z * z
    far = u * u + v * v + w * w
    aside = square - product * product / far
    # beyond 1.03 radii from the axis not even the penumbra of a Moon's orbit reaches
    near = (product < 0) & (aside < (1.03 * EARTH_RADIUS) ** 2)
    result = np.where(np.isfinite(product), 1.0, np.nan)
    radius = np.sqrt(square[near])
    distance = np.sqrt(far[near] - 2 * product[near] + square[near])
    cosine = -(product[near] - square[near]) / (radius * distance)
    result[near] = _visible(radius, distance, cosine)
    return result


def _visible(radius: Array, distance: Array, cosine: Array) -> Array:
    """Overlap of the discs of Sun and Earth, seen at an angle apart."""
    a = np.arcsin(SUN_RADIUS / distance)
    b = np.arcsin(np.clip(EARTH_RADIUS / radius, 0, 1))
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
