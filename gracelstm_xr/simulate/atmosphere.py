"""Upper atmosphere: density, temperature and wind along the orbit.

NRLMSIS 2.1 (through pymsis, with indices passed in, so nothing is downloaded)
gives the smooth part. On top lies structure of 80-2500 km along the track, strong
at the auroral ovals, which the two satellites cross at slightly different times.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.simulate import geometry
from gracelstm_xr.simulate.config import STORMS, Scenario
from gracelstm_xr.simulate.rng import Streams

#: Yearly mean F10.7 from 2000 on, rounded; later years repeat a mean cycle.
YEARLY_FLUX = (
    180, 181, 179, 128, 106, 92, 80, 73, 69, 71, 80, 113, 120, 123, 146, 118, 89, 77,
    70, 70, 74, 82, 132, 158, 185, 160, 140, 115, 95, 85,
)  # fmt: skip
#: Dipole axis: geographic latitude and longitude [rad].
DIPOLE = np.deg2rad((80.2, -72.5))
#: Knot spacing of the structure [s of flight] and share of its amplitude.
SCALES = ((10, 0.20), (20, 0.45), (40, 0.60), (80, 0.45), (160, 0.35), (320, 0.30))
#: Lifetime of a structure over the time it takes to cross one knot spacing.
LIFETIME = 22.0
#: Step of the smooth model [s].
MODEL_STEP = 30.0
BOLTZMANN = 1.380649e-23
#: Molecular masses [kg] of N2, O2, O, He, H, Ar, N in the order of pymsis.
MASSES = 1.66053907e-27 * np.array(
    [28.0134, 31.999, 15.999, 4.0026, 1.008, 39.95, 14.007]
)


class Air(NamedTuple):
    """State of the atmosphere around a satellite.

    Attributes
    ----------
    density : ndarray, shape (n,)
        Mass density [kg m-3].
    speed : ndarray, shape (n,)
        Most probable thermal speed of the molecules [m s-1].
    wind : ndarray, shape (n, 3)
        Velocity of the air in the frame of date [m s-1], rotation included.
    """

    density: Array
    speed: Array
    wind: Array


def solar_flux(scenario: Scenario, day: int, t: Array) -> tuple[Array, Array]:
    """F10.7 and its 81-day mean [1e-22 W m-2 Hz-1], without daily steps.

    Parameters
    ----------
    scenario : Scenario
        Gives a constant, or None for the solar cycle of the date.
    day : int
        Days since 2000-01-01.
    t : ndarray, shape (n,)
        Seconds of that day.
    """
    if scenario.solar_flux is not None:
        constant = np.full(len(t), scenario.solar_flux)
        return constant, constant
    days = day + t / 86400.0
    table = np.array(YEARLY_FLUX, dtype=np.float64)
    # past the table the cycle of its last 11 years repeats
    years = days / 365.25 - 0.5
    turns = np.maximum(np.ceil((years - len(table) + 1) / 11.0), 0.0)
    mean = np.interp(years - 11.0 * turns, np.arange(len(table)), table)
    phase = Streams(scenario.seed).generator("rotation").uniform(0, 2 * np.pi)
    active = 0.15 * (mean - 64.0) * np.sin(2 * np.pi * days / 27.0 + phase)
    return mean + active, mean


def ap_index(scenario: Scenario, day: int, t: Array) -> Array:
    """Geomagnetic ap, without its 3 h steps.

    Parameters
    ----------
    scenario : Scenario
        Names the level of activity, or gives a constant.
    day : int
        Days since 2000-01-01.
    t : ndarray, shape (n,)
        Seconds of that day, within one day of it.
    """
    if not isinstance(scenario.storm, str):
        return np.full(len(t), scenario.storm)
    usual, chance, peak = STORMS[scenario.storm]
    streams = Streams(scenario.seed)
    ap: Array = usual * np.exp(0.5 * streams.smooth("ap", day, t, 10800)[:, 0])
    for earlier in range(day - 6, day + 2):
        draw = streams.generator("storm", earlier).uniform(size=3)
        if draw[0] >= chance:
            continue
        age = t - 86400.0 * (earlier - day + draw[1])
        rise = np.clip(age / 10800.0, 0, 1)
        ap = ap + peak * (0.7 + 0.6 * draw[2]) * rise * np.exp(
            -np.maximum(age, 0) / 45000
        )
    return np.minimum(ap, 400.0)


def air(
    scenario: Scenario, day: int, t: Array, position: Array, satellite: int, sun: Array
) -> Air:
    """Density, thermal speed and wind at one satellite.

    Parameters
    ----------
    scenario : Scenario
        Solar and geomagnetic options.
    day : int
        Days since 2000-01-01.
    t : ndarray, shape (n,)
        Seconds of that day.
    position, sun : ndarray, shape (n, 3)
        Satellite and Sun in the frame of date [m].
    satellite : int
        Index of the satellite.
    """
    density, speed = _msis(scenario, day, t, position)
    up = position / np.linalg.norm(position, axis=1, keepdims=True)
    ap = ap_index(scenario, day, t)
    zone, inside, axis = _auroral_zone(day, t, up, sun, ap)
    texture = _texture(scenario, day, t, satellite)
    strength = 0.025 + 0.070 * np.log1p(ap / 15.0)
    density = density * np.exp(strength * zone * texture[:, 0])
    wind = _wind(up, sun, ap, inside, zone, texture[:, 1:], axis)
    spin = geometry.EARTH_ROTATION * np.stack(
        [-position[:, 1], position[:, 0], np.zeros(len(t))], axis=-1
    )
    return Air(density, speed, spin + wind)


def _msis(
    scenario: Scenario, day: int, t: Array, position: Array
) -> tuple[Array, Array]:
    """Smooth density [kg m-3] and thermal speed [m s-1], splined from 30 s steps."""
    import pymsis
    from scipy.interpolate import CubicSpline

    every = max(1, round(MODEL_STEP / (t[1] - t[0])))
    pick = np.unique(np.append(np.arange(0, len(t), every), len(t) - 1))
    tc, fixed = t[pick], position[pick]
    fixed, _ = geometry.to_earth_fixed(day, tc, fixed, fixed)
    latitude, longitude, height = _geodetic(fixed)
    flux, mean = solar_flux(scenario, day, tc)
    epoch = np.datetime64(dt.date(2000, 1, 1) + dt.timedelta(days=day), "ms")
    out = pymsis.calculate(
        epoch + np.round(1000 * tc).astype("timedelta64[ms]"),
        longitude,
        latitude,
        height,
        flux,
        mean,
        _ap_history(scenario, day, tc),
        version=2.1,
        geomagnetic_activity=-1,
    ).astype(np.float64)
    number = np.nan_to_num(out[:, 1:8])
    mass = (number * MASSES).sum(1) / number.sum(1)
    speed = np.sqrt(2 * BOLTZMANN * out[:, 10] / mass)
    table = CubicSpline(tc, np.stack([np.log(out[:, 0]), speed], axis=1))(t)
    return np.exp(table[:, 0]), table[:, 1]


def _ap_history(scenario: Scenario, day: int, t: Array) -> Array:
    """The seven ap values of NRLMSIS in storm mode, shape (n, 7)."""

    def at(hours: float) -> Array:
        return ap_index(scenario, day, t - 3600.0 * hours)

    columns = [
        np.mean([at(h) for h in (-9.0, -3.0, 3.0, 9.0)], axis=0),
        *(at(h) for h in (0.0, 3.0, 6.0, 9.0)),
        np.mean([at(h) for h in (13.0, 18.0, 23.0, 28.0, 33.0)], axis=0),
        np.mean([at(h) for h in (37.0, 47.0, 57.0)], axis=0),
    ]
    return np.stack(columns, axis=1)


def _geodetic(position: Array) -> tuple[Array, Array, Array]:
    """Geodetic latitude and longitude [deg] and height [km] (WGS 84)."""
    x, y, z = position.T
    e2 = 6.69437999014e-3
    p = np.hypot(x, y)
    latitude = np.arctan2(z, p * (1 - e2))
    for _ in range(3):
        n = geometry.EARTH_RADIUS / np.sqrt(1 - e2 * np.sin(latitude) ** 2)
        height = p * np.cos(latitude) + z * np.sin(latitude)
        height -= n * (1 - e2 * np.sin(latitude) ** 2)
        latitude = np.arctan2(z, p * (1 - e2 * n / (n + height)))
    return np.rad2deg(latitude), np.rad2deg(np.arctan2(y, x)), height / 1000.0


def _auroral_zone(
    day: int, t: Array, up: Array, sun: Array, ap: Array
) -> tuple[Array, Array, Array]:
    """Strength of structure, polar cap weight, and the dipole axis (n, 3).

    The oval lies at 66 (midnight) to 76 degrees (noon) of dipole latitude and
    moves toward the equator by some degrees in a storm.
    """
    angle = geometry.earth_angle(day, t) + DIPOLE[1]
    c, s = np.cos(DIPOLE[0]), np.sin(DIPOLE[0])
    axis = np.stack([c * np.cos(angle), c * np.sin(angle), np.full(len(t), s)], -1)
    latitude = np.rad2deg(np.arcsin((up * axis).sum(1)))
    sunward = sun - (sun * axis).sum(1, keepdims=True) * axis
    across = up - (up * axis).sum(1, keepdims=True) * axis
    noon = (sunward * across).sum(1) / (
        np.linalg.norm(sunward, axis=1) * np.linalg.norm(across, axis=1) + 1e-9
    )
    centre = 71.0 + 5.0 * noon - 3.2 * np.log1p(ap / 15.0)
    away = np.abs(latitude) - centre
    width = np.where(away > 0, 4.5, 5.5)
    oval = np.exp(-0.5 * (away / width) ** 2)
    inside = 1.0 / (1.0 + np.exp(-np.clip(away / 2.5, -50, 50)))
    return 0.12 + 0.88 * oval + 0.35 * inside * (1 - oval), inside, axis


def _texture(scenario: Scenario, day: int, t: Array, satellite: int) -> Array:
    """Unit-variance structure: density, wind along and across, shape (n, 3).

    Each scale is one process of the place, passed half a lag earlier or later, and
    one of the satellite; their shares follow from the lifetime of the scale.
    """
    streams = Streams(scenario.seed)
    lag = geometry.lag(scenario, day, t)
    ahead = 0.5 if satellite == geometry.leader(scenario, day) else -0.5
    place = t + ahead * lag
    total = np.zeros((len(t), 3))
    for step, weight in SCALES:
        same = float(np.exp(-lag.mean() / (LIFETIME * step)))
        shared = streams.smooth(f"texture/{step}", day, place, step, 3)
        own = streams.smooth(f"texture/{step}/{satellite}", day, t, step, 3)
        total += weight * (np.sqrt(same) * shared + np.sqrt(1 - same) * own)
    norm = np.sqrt(sum(weight**2 for _, weight in SCALES))
    result: Array = total / norm
    return result


def _wind(
    up: Array,
    sun: Array,
    ap: Array,
    inside: Array,
    zone: Array,
    texture: Array,
    axis: Array,
) -> Array:
    """Horizontal wind over the rotating Earth [m s-1], shape (n, 3).

    Away from the Sun over the polar caps, back along the ovals, a weak tide
    elsewhere, and gusts.
    """
    toward = sun / np.linalg.norm(sun, axis=1, keepdims=True)
    away = -(toward - (toward * up).sum(1, keepdims=True) * up)
    level = np.log1p(ap / 10.0)
    cap = inside * (90.0 + 150.0 * level)
    back = zone * (1 - inside) * (20.0 + 110.0 * level)
    steady = (cap - back + 60.0)[:, None] * away
    east = np.cross(axis, up)
    east /= np.linalg.norm(east, axis=1, keepdims=True) + 1e-9
    north = np.cross(up, east)
    gust = (zone * (15.0 + 45.0 * level))[:, None]
    result: Array = steady + gust * (texture[:, :1] * east + texture[:, 1:] * north)
    return result
