"""Non-gravitational forces on a box of flat plates.

Plates and optical properties are those of the GRACE macro model (Bettadpur 2012,
GRACE Product Specification Document).
"""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.plates import SPEED_OF_LIGHT
from gracelstm_xr.physics.sun import ASTRONOMICAL_UNIT, SOLAR_CONSTANT
from gracelstm_xr.simulate import geometry

#: Columns: area [m2]; outward normal in the SRF; visible specular and diffuse
#: reflectivity; infrared specular and diffuse reflectivity.
PLATES: Array = np.array(
    [
        [0.9551567, 1, 0, 0, 0.40, 0.26, 0.23, 0.15],
        [0.9551567, -1, 0, 0, 0.40, 0.26, 0.23, 0.15],
        [3.1554792, 0, 0.766044, -0.642787, 0.05, 0.30, 0.03, 0.16],
        [0.2282913, 0, -0.766044, 0.642787, 0.68, 0.20, 0.19, 0.06],
        [3.1554792, 0, -0.766044, -0.642787, 0.05, 0.30, 0.03, 0.16],
        [0.2282913, 0, 0.766044, 0.642787, 0.68, 0.20, 0.19, 0.06],
        [6.0711120, 0, 0, 1, 0.68, 0.20, 0.19, 0.06],
        [2.1673620, 0, 0, -1, 0.05, 0.30, 0.03, 0.16],
    ]
)
#: Share of the molecules that leave with the temperature of the wall [K].
ACCOMMODATION, WALL = 0.93, 300.0
GAS_CONSTANT_OVER_O = 8.314462618 / 0.015999
#: Rings of the Earth's visible disc: radius as a share of the horizon, elements.
RINGS = ((0.0, 1), (0.45, 6), (0.85, 12))


def drag(flow: Array, density: Array, speed: Array, mass: float) -> Array:
    """Free-molecular drag and lift of all plates.

    Parameters
    ----------
    flow : ndarray, shape (n, 3)
        Velocity of the satellite relative to the air, in the SRF [m s-1].
    density, speed : ndarray, shape (n,)
        Mass density [kg m-3], most probable speed of the molecules [m s-1].
    mass : float
        Mass of the satellite [kg].

    Returns
    -------
    ndarray, shape (n, 3)
        Acceleration in the SRF [m s-2].

    Notes
    -----
    Sentman (1961) in the form of Doornbos (2012, eq. 3.56): momentum of arrival
    in a drifting Maxwellian gas, diffuse re-emission.
    """
    from scipy.special import erf

    v = np.linalg.norm(flow, axis=1)
    along = flow / v[:, None]
    s = v / speed
    # re-emission speed over inflow speed
    ratio = np.sqrt(
        0.5 * (1 + ACCOMMODATION * (4 * GAS_CONSTANT_OVER_O * WALL / v**2 - 1))
    )
    total = np.zeros_like(flow)
    for plate in PLATES:
        normal = plate[1:4]
        gamma = along @ normal
        z = 1 + erf(gamma * s)
        p = np.exp(-((gamma * s) ** 2)) / s
        arrive = p / np.sqrt(np.pi) + gamma * z
        leave = z / (2 * s**2) + 0.5 * ratio * (gamma * np.sqrt(np.pi) * z + p)
        total += plate[0] * (arrive[:, None] * along + leave[:, None] * normal)
    result: Array = -(0.5 * density * v**2 / mass)[:, None] * total
    return result


def _pressure(toward: Array, flux: Array, mass: float, infrared: bool) -> Array:
    """Acceleration of light that comes from ``toward`` (SRF units), flux [W m-2]."""
    total = np.zeros_like(toward)
    for plate in PLATES:
        specular, diffuse = plate[6:8] if infrared else plate[4:6]
        normal = plate[1:4]
        cosine = np.maximum(toward @ normal, 0.0)
        force = (1 - specular) * toward
        force = force + (2 * specular * cosine + 2 / 3 * diffuse)[..., None] * normal
        total += (plate[0] * cosine)[..., None] * force
    result: Array = -total * (flux / (SPEED_OF_LIGHT * mass))[..., None]
    return result


def solar_radiation(toward_sun: Array, distance: Array, mass: float) -> Array:
    """Acceleration by sunlight outside the shadow [m s-2], in the SRF.

    Parameters
    ----------
    toward_sun : ndarray, shape (n, 3)
        Unit vector to the Sun in the SRF.
    distance : ndarray, shape (n,)
        Distance of the Sun [m].
    mass : float
        Mass of the satellite [kg].
    """
    flux = SOLAR_CONSTANT * (ASTRONOMICAL_UNIT / distance) ** 2
    return _pressure(toward_sun, flux, mass, infrared=False)


def earth_radiation(
    position: Array, sun: Array, attitude: Array, angle: Array, mass: float
) -> Array:
    """Acceleration by reflected sunlight and infrared of the Earth, in the SRF.

    Parameters
    ----------
    position, sun : ndarray, shape (n, 3)
        Satellite and Sun in the frame of date [m].
    attitude : ndarray, shape (n, 3, 3)
        Rows are the SRF axes in the frame of date.
    angle : ndarray, shape (n,)
        Greenwich sidereal time [rad], for the clouds.
    mass : float
        Mass of the satellite [kg].

    Returns
    -------
    ndarray, shape (n, 3)
        Acceleration [m s-2].

    Notes
    -----
    Elements of the visible disc as in Knocke et al. (1988), with zonal albedo
    and emissivity and a fixed pattern of continents and clouds.
    """
    radius = np.linalg.norm(position, axis=1)
    up = position / radius[:, None]
    sun_unit = sun / np.linalg.norm(sun, axis=1, keepdims=True)
    side = np.cross(up, np.array([0.3, 0.2, 1.0]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    third = np.cross(up, side)
    horizon = np.arccos(geometry.EARTH_RADIUS / radius)
    edges = (0.0, 0.2, 0.65, 1.0)
    total = np.zeros_like(position)
    for ring, (share, count) in enumerate(RINGS):
        reach = horizon * share
        # spherical area of one element [m2]
        cap = np.cos(horizon * edges[ring]) - np.cos(horizon * edges[ring + 1])
        area = 2 * np.pi * geometry.EARTH_RADIUS**2 * cap / count
        for azimuth in 2 * np.pi * (np.arange(count) + 0.5 * (ring % 2)) / count:
            tangent = np.cos(azimuth) * side + np.sin(azimuth) * third
            ground = np.cos(reach)[:, None] * up + np.sin(reach)[:, None] * tangent
            total += _element(position, ground, sun_unit, attitude, angle, area, mass)
    return total


def _element(
    position: Array,
    ground: Array,
    sun_unit: Array,
    attitude: Array,
    angle: Array,
    area: Array,
    mass: float,
) -> Array:
    """Acceleration by one element of the Earth's surface."""
    to_ground = geometry.EARTH_RADIUS * ground - position
    distance = np.linalg.norm(to_ground, axis=1)
    to_ground = to_ground / distance[:, None]
    seen = np.maximum(-(to_ground * ground).sum(1), 0.0)
    geometry_factor = area * seen / (np.pi * distance**2)
    z = ground[:, 2]
    longitude = np.arctan2(ground[:, 1], ground[:, 0]) - angle
    clouds = 0.06 * np.sin(3 * longitude + 4 * z) * (1 - z**2)
    clouds += 0.05 * np.cos(2 * longitude - 7 * z) * (1 - z**2)
    albedo = 0.34 + 0.10 * z + 0.29 * (1.5 * z**2 - 0.5) + clouds
    emissivity = 0.68 - 0.07 * z - 0.18 * (1.5 * z**2 - 0.5) - clouds
    day = np.maximum((ground * sun_unit).sum(1), 0.0)
    toward = np.einsum("nij,nj->ni", attitude, to_ground)
    visible = SOLAR_CONSTANT * albedo * day * geometry_factor
    infrared = SOLAR_CONSTANT / 4 * emissivity * geometry_factor
    return _pressure(toward, visible, mass, infrared=False) + _pressure(
        toward, infrared, mass, infrared=True
    )
