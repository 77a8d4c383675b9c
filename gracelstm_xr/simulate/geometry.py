"""Orbit of the twin: near-circular, J2, in closed form, so any date is direct.

Frames: *of date* has its z axis along the pole of date and its x axis at the mean
equinox of date; the Earth-fixed frame turns about the same pole; the inertial
frame of the attitude quaternions is the mean one of J2000.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.simulate.config import Scenario
from gracelstm_xr.simulate.rng import Streams

GM = 3.986004415e14
EARTH_RADIUS = 6378137.0
EARTH_ROTATION = 7.2921151467e-5
#: Sidereal turns per day beyond one (IAU 1982).
SIDEREAL_EXCESS = 0.00273790935080556
J2 = 1.0826359e-3
INCLINATION = np.deg2rad(89.0)
#: Frozen-like eccentricity: perigee moves little.
ECCENTRICITY = 0.0012
#: First day with GRACE-B ahead, 2005-12-10, as days since 2000-01-01.
EXCHANGE_DAY = 2170
#: (first GPS day, GPS minus UTC [s])
LEAP_SECONDS = (
    (dt.date(2017, 1, 1), 18),
    (dt.date(2015, 7, 1), 17),
    (dt.date(2012, 7, 1), 16),
    (dt.date(2009, 1, 1), 15),
    (dt.date(2006, 1, 1), 14),
    (dt.date(1999, 1, 1), 13),
)


def gps_seconds(day: int, t: Array) -> Array:
    """GPS seconds past 2000-01-01T12:00:00 at second ``t`` of ``day``."""
    return day * 86400.0 - 43200.0 + t


def _rates(scenario: Scenario) -> tuple[float, float, float, float]:
    """Semi-major axis [m]; rates of anomaly, perigee and node [rad s-1]."""
    a = EARTH_RADIUS + 1000.0 * scenario.altitude
    n = np.sqrt(GM / a**3)
    s = 1.5 * J2 * (EARTH_RADIUS / (a * (1 - ECCENTRICITY**2))) ** 2 * n
    cosine = np.cos(INCLINATION)
    anomaly = n + 0.5 * s * (3 * cosine**2 - 1)
    return a, anomaly, -0.5 * s * (1 - 5 * cosine**2), -s * cosine


def nodal_rate(scenario: Scenario) -> float:
    """Mean rate of the argument of latitude [rad s-1]."""
    _, anomaly, perigee, _ = _rates(scenario)
    return anomaly + perigee


def leader(scenario: Scenario, day: int) -> int:
    """Index of the satellite that flies ahead.

    The first one, but GRACE after the exchange of December 2005, which here
    happens between two days.
    """
    exchanged = scenario.mission == "grace" and day >= EXCHANGE_DAY
    return 1 if exchanged else 0


def lag(scenario: Scenario, day: int, t: Array) -> Array:
    """Time by which one satellite follows the other [s], positive.

    The distance given in the scenario, breathing by 1 % over months.
    """
    a, *_ = _rates(scenario)
    mean = 1000.0 * scenario.separation / (a * nodal_rate(scenario))
    months = 2 * np.pi * (day + t / 86400.0) / 97.0
    result: Array = mean * (1 + 0.01 * np.sin(months + _phase(scenario, 3)))
    return result


def _phase(scenario: Scenario, index: int) -> float:
    phases = Streams(scenario.seed).generator("orbit").uniform(0, 2 * np.pi, 4)
    return float(phases[index])


def orbit(
    scenario: Scenario, day: int, t: Array, satellite: int
) -> tuple[Array, Array]:
    """Position [m] and velocity [m s-1] in the frame of date.

    Parameters
    ----------
    scenario : Scenario
        Orbit options.
    day : int
        Days since 2000-01-01.
    t : ndarray, shape (n,)
        Seconds of that day.
    satellite : int
        Index in ``scenario.satellites``.

    Returns
    -------
    position, velocity : ndarray, shape (n, 3)

    Notes
    -----
    Secular and short-period J2 terms as in SGP4 (Hoots and Roehrich 1980). Both
    satellites pass the same places, half a lag before and after the time tag.
    """
    h = 0.5
    # fourth-order differences of a closed form: exact to 1e-8 m/s
    ends = [
        position(scenario, day, t + w * h, satellite) for w in (-2.0, -1.0, 1.0, 2.0)
    ]
    velocity = (ends[0] - ends[3] + 8 * (ends[2] - ends[1])) / (12 * h)
    return position(scenario, day, t, satellite), velocity


def position(scenario: Scenario, day: int, t: Array, satellite: int) -> Array:
    """Position in the frame of date [m], shape (n, 3). See `orbit`."""
    sign = 0.5 if satellite == leader(scenario, day) else -0.5
    a, anomaly_rate, perigee_rate, node_rate = _rates(scenario)
    s = t + sign * lag(scenario, day, t)
    base = day * 86400.0
    start = (_phase(scenario, 0) + anomaly_rate * base) % (2 * np.pi)
    perigee = np.pi / 2 + 0.3 * np.sin(2 * np.pi * (day + s / 86400.0) / 93.0)
    # the frozen perigee librates instead of turning: move its rate to the anomaly
    start += (perigee_rate * base) % (2 * np.pi)
    anomaly = start + (anomaly_rate + perigee_rate) * s
    mean_u = anomaly + np.pi / 2
    m = mean_u - perigee
    e = ECCENTRICITY
    f = m + 2 * e * np.sin(m) + 1.25 * e**2 * np.sin(2 * m)
    u = perigee + f
    radius = a * (1 - e**2) / (1 + e * np.cos(f))
    node = _phase(scenario, 1) + (node_rate * base) % (2 * np.pi) + node_rate * s
    return _with_j2(radius, u, node, a)


def _with_j2(radius: Array, u: Array, node: Array, a: float) -> Array:
    """Add the short-period J2 terms and turn into Cartesian coordinates."""
    k = J2 * (EARTH_RADIUS / a) ** 2
    c, s = np.cos(INCLINATION), np.sin(INCLINATION)
    cos2u, sin2u = np.cos(2 * u), np.sin(2 * u)
    r = radius * (1 - 0.75 * k * (3 * c**2 - 1)) + 0.25 * k * a * s**2 * cos2u
    u = u - 0.125 * k * (7 * c**2 - 1) * sin2u
    node = node + 0.75 * k * c * sin2u
    i = INCLINATION + 0.75 * k * c * s * cos2u
    x = np.cos(node) * np.cos(u) - np.sin(node) * np.sin(u) * np.cos(i)
    y = np.sin(node) * np.cos(u) + np.cos(node) * np.sin(u) * np.cos(i)
    return np.stack([r * x, r * y, r * np.sin(u) * np.sin(i)], axis=-1)


def earth_angle(day: int, t: Array) -> Array:
    """Greenwich mean sidereal time [rad] (IAU 1982, UT1 taken as UTC)."""
    date = dt.date(2000, 1, 1) + dt.timedelta(days=day)
    leap = next((n for first, n in LEAP_SECONDS if date >= first), 13)
    days = day - 0.5 + (t - leap) / 86400.0
    century = days / 36525.0
    turns = (day - 0.5) * SIDEREAL_EXCESS % 1 + (t - leap) / 86400 * (
        1 + SIDEREAL_EXCESS
    )
    degrees = 280.46061837 + 180.0 + 360.0 * turns + 0.000387933 * century**2
    result: Array = np.deg2rad(degrees) % (2 * np.pi)
    return result


def to_earth_fixed(
    day: int, t: Array, position: Array, velocity: Array
) -> tuple[Array, Array]:
    """State relative to the turning Earth from the state of date."""
    angle = earth_angle(day, t)
    spin = np.stack(
        [-EARTH_ROTATION * position[:, 1], EARTH_ROTATION * position[:, 0], 0 * t], -1
    )
    return _turn(position, angle), _turn(velocity - spin, angle)


def _turn(vector: Array, angle: Array) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    x, y = vector[:, 0], vector[:, 1]
    return np.stack([c * x + s * y, c * y - s * x, vector[:, 2]], axis=-1)


def precession(day: int) -> Array:
    """Matrix from J2000 to the mean frame of date (Lieske 1977), shape (3, 3)."""
    t = (day - 0.5) / 36525.0
    zeta, z, theta = np.deg2rad(
        np.array(
            [
                2306.2181 * t + 0.30188 * t**2,
                2306.2181 * t + 1.09468 * t**2,
                2004.3109 * t - 0.42665 * t**2,
            ]
        )
        / 3600.0
    )
    matrix: Array = _rz(-z) @ _ry(theta) @ _rz(-zeta)
    return matrix


def _rz(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def _ry(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
