"""The accelerometer and its processing: CRN low-pass, noise, bias and scale."""

from __future__ import annotations

import functools

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.preprocess.calibrate import BIAS_LATE
from gracelstm_xr.signal.lowpass import crn_gain
from gracelstm_xr.simulate import geometry
from gracelstm_xr.simulate.config import Scenario
from gracelstm_xr.simulate.rng import Streams

#: Half the filter window at 1 Hz [s].
HALF_WINDOW = 70
#: Kim (2000): white density [m2 s-4 Hz-1] and corner of the 1/f part [Hz].
WHITE = np.array([1e-20, 1e-18, 1e-20])
CORNER = np.array([0.005, 0.1, 0.005])
#: Thermal bias: knot spacing [s] and standard deviation per axis [m s-2].
THERMAL = (
    (86400, (2.0e-9, 20.0e-9, 3.5e-9)),
    (21600, (0.35e-9, 4.0e-9, 0.8e-9)),
    (4320, (0.15e-9, 1.2e-9, 0.35e-9)),
)
#: Thermal bias at one cycle per revolution, mean amplitude [m s-2].
ORBITAL = (0.20e-9, 2.0e-9, 0.5e-9)
#: Thermal control of GRACE off from 2011-04-01 on: factor of the thermal bias.
CONTROL_OFF_DAY, CONTROL_OFF_FACTOR = 4108, 4.0


def _crn(rate: float) -> Array:
    """Taps of the CRN filter for samples at ``rate`` [Hz], unit sum."""
    gain = crn_gain(rate)
    taps: Array = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(gain)).real)
    unit: Array = taps / taps.sum()
    return unit


@functools.cache
def crn_kernel() -> Array:
    """Taps of the CRN low-pass at 1 Hz, shape (141,), unit sum."""
    taps = _crn(1.0)
    taps.setflags(write=False)
    return taps


@functools.cache
def _fine_response() -> tuple[Array, Array]:
    taps = _crn(10.0)
    half = len(taps) // 2
    return 0.1 * np.arange(-half, half + 1.0), 10.0 * taps


def crn_response(age: Array) -> Array:
    """Filtered acceleration per velocity step [s-1], ``age`` seconds after it."""
    times, values = _fine_response()
    result: Array = np.interp(age, times, values, left=0.0, right=0.0)
    return result


def low_pass(values: Array) -> Array:
    """Filter 1 Hz samples along the first axis, without the 70 s at either end.

    Parameters
    ----------
    values : ndarray, shape (n + 140, ...)
        Samples at 1 Hz.

    Returns
    -------
    ndarray, shape (n, ...)
    """
    from scipy.signal import oaconvolve

    taps = crn_kernel().reshape(-1, *(1,) * (values.ndim - 1))
    result: Array = oaconvolve(values, taps, mode="valid", axes=0)
    return result


def kim_density(f: Array) -> Array:
    """Design noise density of the three axes [m2 s-4 Hz-1], shape (n, 3)."""
    result: Array = WHITE * (1 + CORNER / f[:, None])
    return result


def noise(
    scenario: Scenario, day: int, first: int, count: int, satellite: int
) -> Array:
    """Accelerometer noise at 1 Hz before the filter [m s-2], shape (count, 3).

    One-sided density of Kim (2000): x, z (1 + 0.005/f) 1e-20, y (1 + 0.1/f) 1e-18.
    """
    streams = Streams(scenario.seed)
    t = first + np.arange(count, dtype=np.float64)
    white = streams.white(f"white/{satellite}", day, first, count, 3)
    flicker = streams.flicker(f"flicker/{satellite}", day, t, 3)
    # white noise at 1 Hz spreads its variance over 0.5 Hz
    result: Array = np.sqrt(WHITE) * (np.sqrt(0.5) * white + np.sqrt(CORNER) * flicker)
    return result


def scale(scenario: Scenario, satellite: int) -> Array:
    """Calibration scale of the three axes: true = scale * raw + bias."""
    return np.array(scenario.constants.scale[satellite])


def bias(scenario: Scenario, day: int, t: Array, satellite: int) -> Array:
    """Calibration bias [m s-2], shape (n, 3): true = scale * raw + bias.

    GRACE TN-02 for GRACE (its polynomials end with the mission), constant means
    for GRACE-FO, plus a bias that follows the temperature.
    """
    if scenario.mission == "grace":
        # the polynomials of TN-02 after 2003-03-07, also for earlier dates
        epoch, table = BIAS_LATE
        days = day + 51544 + t / 86400.0 - epoch
        c = np.array(table["AB"[satellite]])
        slow = 1e-6 * (c[:, 0] + c[:, 1] * days[:, None] + c[:, 2] * days[:, None] ** 2)
    else:
        mean = -np.array(scenario.constants.raw_mean[satellite])
        slow = np.broadcast_to(mean * scale(scenario, satellite), (len(t), 3))
    result: Array = slow + _thermal(scenario, day, t, satellite)
    return result


def _thermal(scenario: Scenario, day: int, t: Array, satellite: int) -> Array:
    streams = Streams(scenario.seed)
    draw = streams.generator(f"thermal/{satellite}")
    size = np.array(ORBITAL) * draw.uniform(0.6, 1.4, 3)
    phase = draw.uniform(0, 2 * np.pi, 3)
    rate = geometry.nodal_rate(scenario)
    turns = (rate * 86400.0 * day) % (2 * np.pi) + rate * t
    total: Array = size * np.cos(turns[:, None] + phase)
    coarse = np.linspace(t[0], t[-1], max(2, int((t[-1] - t[0]) // 60) + 1))
    for step, sigma in THERMAL:
        name = f"thermal/{step}/{satellite}"
        slow = np.array(sigma) * streams.smooth(name, day, coarse, step, 3)
        total += np.stack([np.interp(t, coarse, column) for column in slow.T], axis=1)
    off = scenario.mission == "grace" and day >= CONTROL_OFF_DAY
    return CONTROL_OFF_FACTOR * total if off else total
