"""One simulated day of both satellites: the whole chain from orbit to raw data."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.sun import shadow_factor, sun_position
from gracelstm_xr.simulate import (
    atmosphere,
    attitude,
    forces,
    geometry,
    instrument,
    thrusters,
)
from gracelstm_xr.simulate.config import Scenario, day_number
from gracelstm_xr.simulate.gaps import gap_mask, quality_flags
from gracelstm_xr.simulate.rng import Streams

#: Parts of the acceleration, in the order of `Day.components`.
COMPONENTS = (
    "drag",
    "solar_radiation",
    "earth_radiation",
    "thruster",
    "twang",
    "noise",
)
#: Step of the force models [s], margin on either side of the day [s].
STEP, MARGIN = 5, 100


class States(NamedTuple):
    """Orbits and attitudes of both satellites.

    Attributes
    ----------
    t : ndarray, shape (n,)
        Seconds of the day.
    position, velocity : ndarray, shape (2, n, 3)
        In the frame of date [m], [m s-1].
    attitude : ndarray, shape (2, n, 3, 3)
        Rows are the SRF axes in the frame of date.
    """

    t: Array
    position: Array
    velocity: Array
    attitude: Array


class Day(NamedTuple):
    """Everything the archive and the truth hold of one GPS day at 1 Hz.

    Attributes
    ----------
    date : datetime.date
        GPS day.
    lin_accl : ndarray, shape (2, 86400, 3)
        Raw acceleration without gaps [m s-2].
    lin_accl_residual : ndarray, shape (2, 86400, 3)
        Filtered minus unfiltered [m s-2].
    components : ndarray, shape (6, 2, 86400, 3)
        Filtered parts of the true acceleration [m s-2], see `COMPONENTS`.
    bias : ndarray, shape (2, 86400, 3)
        Calibration bias [m s-2]: true = scale * raw + bias.
    observed : ndarray of bool, shape (2, 86400)
        False where the archive has no ACC1B record.
    flags : ndarray of uint8, shape (2, 86400)
        ``acc_qualflg``.
    """

    date: dt.date
    lin_accl: Array
    lin_accl_residual: Array
    components: Array
    bias: Array
    observed: npt.NDArray[np.bool_]
    flags: npt.NDArray[np.uint8]


def states(scenario: Scenario, day: int, t: Array) -> States:
    """Orbits and attitudes of both satellites at seconds ``t`` of ``day``."""
    both = [geometry.orbit(scenario, day, t, satellite) for satellite in (0, 1)]
    position = np.stack([p for p, _ in both])
    turned = [
        attitude.matrices(
            position[k], position[1 - k], attitude.wobble(scenario, day, t, k)
        )
        for k in (0, 1)
    ]
    return States(t, position, np.stack([v for _, v in both]), np.stack(turned))


def simulate_day(scenario: Scenario, date: dt.date) -> Day:
    """Simulate both satellites on one GPS day.

    Depends on the scenario without its ``start`` and ``days``, and on the date:
    every call that covers the day gives the same numbers.
    """
    day = day_number(date)
    t = np.arange(-MARGIN, 86400 + MARGIN + STEP, STEP, dtype=np.float64)
    sky = states(scenario, day, t)
    parts = [_satellite(scenario, day, sky, k) for k in (0, 1)]
    raw, residual, components, bias = (np.stack(p) for p in zip(*parts, strict=True))
    inner = slice(instrument.HALF_WINDOW, -instrument.HALF_WINDOW)
    return Day(
        date=date,
        lin_accl=raw,
        lin_accl_residual=residual,
        components=components.transpose(1, 0, 2, 3),
        bias=bias,
        observed=np.stack([~gap_mask(scenario, day, k)[inner] for k in (0, 1)]),
        flags=np.stack([quality_flags(scenario, day, k) for k in (0, 1)]),
    )


def _satellite(
    scenario: Scenario, day: int, sky: States, k: int
) -> tuple[Array, Array, Array, Array]:
    """Raw data, residual, components (6, 86400, 3) and bias of one satellite."""
    half = instrument.HALF_WINDOW
    fine = np.arange(-half, 86400 + half, dtype=np.float64)
    smooth = _surface_forces(scenario, day, sky, k, fine)
    noise = instrument.noise(scenario, day, -half, len(fine), k)
    unfiltered = np.stack([*smooth, noise], axis=1)
    filtered = instrument.low_pass(unfiltered).transpose(1, 0, 2)
    fired = thrusters.firings_acceleration(scenario, day, k)
    twanged = thrusters.twangs(scenario, day, k)
    components = np.stack([*filtered[:3], fired, twanged, filtered[3]])
    bias = instrument.bias(scenario, day, fine[half:-half], k)
    scale = instrument.scale(scenario, k)
    raw = (components.sum(0) - bias) / scale
    residual = (filtered.sum(0) - unfiltered[half:-half].sum(1) + fired) / scale
    # 1e-16 m/s2 is far below the noise and keeps text files short
    return np.round(raw, 16), np.round(residual, 16), components, bias


def _surface_forces(
    scenario: Scenario, day: int, sky: States, k: int, fine: Array
) -> tuple[Array, Array, Array]:
    """Drag, solar and Earth radiation at 1 Hz before the filter, each (n, 3)."""
    from scipy.interpolate import CubicSpline

    t, position, turn = sky.t, sky.position[k], sky.attitude[k]
    mass = scenario.constants.mass
    sun = sun_position(geometry.gps_seconds(day, t))
    air = atmosphere.air(scenario, day, t, position, k, sun)
    flow = np.einsum("nij,nj->ni", turn, sky.velocity[k] - air.wind)
    drag = forces.drag(flow, air.density, air.speed, mass)
    to_sun = sun - position
    distance = np.linalg.norm(to_sun, axis=1)
    toward = np.einsum("nij,nj->ni", turn, to_sun / distance[:, None])
    solar = forces.solar_radiation(toward, distance, mass)
    every = slice(None, None, 4)
    angle = geometry.earth_angle(day, t[every])
    earth = forces.earth_radiation(
        position[every], sun[every], turn[every], angle, mass
    )
    fast = CubicSpline(t, np.concatenate([drag, solar, position], axis=1))(fine)
    # the shadow edge passes in seconds, so it is evaluated at 1 Hz
    lit = shadow_factor(fast[:, 6:], sun_position(geometry.gps_seconds(day, fine)))
    slow = CubicSpline(t[every], earth)(fine)
    return fast[:, :3], fast[:, 3:6] * lit[:, None], slow


def camera_noise(scenario: Scenario, day: int, count: int, satellite: int) -> Array:
    """Unit-variance star camera errors of one day, shape (count, 3)."""
    draw = Streams(scenario.seed).generator(f"camera/{satellite}", day)
    return draw.standard_normal((count, 3))
