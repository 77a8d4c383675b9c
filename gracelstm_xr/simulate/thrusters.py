"""Attitude thrusters: when the pairs fire, what THR1B records, what is felt."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.simulate import geometry
from gracelstm_xr.simulate.config import Scenario
from gracelstm_xr.simulate.instrument import HALF_WINDOW, crn_response
from gracelstm_xr.simulate.rng import Streams

#: Per pair: firings per day, on-time of the first of a train [ms], kind.
#: Order as the columns of THR1B: yaw-, pitch+, yaw+, pitch-, roll-, roll+.
RATES = (85, 35, 85, 35, 55, 55)
ON_TIMES = (52, 52, 52, 52, 190, 190)
#: Filtered peak of a usual firing on x, y, z [m s-2], before a random factor.
PEAKS: Array = 1e-9 * np.array(
    [
        [2.0, 17, 4],
        [3.0, 4, 16],
        [2.0, 17, 4],
        [3.0, 4, 16],
        [2.0, 15, 10],
        [2.0, 15, 10],
    ]
)
#: Scatter of single firings about the response of their pair.
SCATTER = 0.06
#: Later firings of a train last longer: the controller pushes harder.
GROWTH = 1.05
#: Twangs per day; mean filtered peak on x, y, z [m s-2].
TWANGS, TWANG_PEAK = 90, np.array([0.08e-9, 0.3e-9, 0.8e-9])


class Firings(NamedTuple):
    """Thruster firings of one satellite and day, in order of time.

    Attributes
    ----------
    time : ndarray, shape (n,)
        Microseconds of the day.
    pair : ndarray, shape (n,)
        0 to 5.
    on_time : ndarray, shape (n,)
        Duration [ms].
    velocity : ndarray, shape (n, 3)
        Velocity change felt by the accelerometer, SRF [m s-1].
    """

    time: IntArray
    pair: IntArray
    on_time: IntArray
    velocity: Array


def pair_response(scenario: Scenario, satellite: int) -> Array:
    """Linear acceleration of each pair while it fires [m s-2], shape (6, 3).

    Caused by misalignment: the two forces of a pair do not cancel exactly.
    """
    draw = Streams(scenario.seed).generator(f"response/{satellite}")
    factor = draw.uniform(0.5, 1.5, (6, 3)) * draw.choice([-1.0, 1.0], (6, 3))
    velocity = PEAKS / float(crn_response(np.zeros(1))[0])
    result: Array = factor * velocity / (1e-3 * np.array(ON_TIMES)[:, None])
    return result


def _count_before(scenario: Scenario, satellite: int, day: int) -> IntArray:
    """Firings of each pair since 2000-01-01, up to the start of ``day``."""
    draw = Streams(scenario.seed).generator(f"quota/{satellite}", day)
    wander = draw.uniform(-0.2, 0.2, 6)
    return np.round(np.array(RATES) * (day + wander)).astype(np.int64)


@functools.lru_cache(maxsize=12)
def firings(scenario: Scenario, day: int, satellite: int) -> Firings:
    """All firings of a day.

    The number and total on-time of each pair are fixed by the date, so that the
    counters of THR1B continue from one day to the next.
    """
    quota = _count_before(scenario, satellite, day + 1)
    quota = quota - _count_before(scenario, satellite, day)
    draw = Streams(scenario.seed).generator(f"firings/{satellite}", day)
    times, pairs, on_times = [], [], []
    for pair in range(6):
        start, duration = _trains(scenario, draw, day, pair, int(quota[pair]))
        times.append(start)
        pairs.append(np.full(len(start), pair))
        on_times.append(duration)
    time = np.concatenate(times)
    order = np.argsort(time, kind="stable")
    pair_of = np.concatenate(pairs)[order]
    on_time = np.concatenate(on_times)[order]
    response = pair_response(scenario, satellite)[pair_of]
    scatter = 1 + SCATTER * draw.standard_normal((len(order), 3))
    velocity = response * scatter * (1e-3 * on_time[:, None])
    return Firings(time[order], pair_of, on_time, velocity)


def _trains(
    scenario: Scenario, draw: np.random.Generator, day: int, pair: int, quota: int
) -> tuple[IntArray, IntArray]:
    """Times [us] and on-times [ms] of one pair: trains of a few firings each."""
    rate = geometry.nodal_rate(scenario)
    base = (rate * 86400.0 * day) % (2 * np.pi)
    starts, durations = [], []
    left = quota
    while left > 0:
        size = min(left, 1 + int(draw.poisson(3.5)))
        begin = draw.uniform(0, 86400)
        # magnetic torquers are weak about one axis at each latitude
        chance = 0.5 + 0.5 * np.cos(2 * (base + rate * begin) + pair)
        if draw.uniform() > 0.15 + 0.85 * chance:
            continue
        steps = np.cumsum(draw.lognormal(2.6, 0.8, size))
        times = begin + steps - steps[0]
        # a train past midnight is moved back into its day
        times -= max(0.0, times[-1] - 86399.0)
        if times[0] < 0:
            continue
        first = ON_TIMES[pair] * draw.lognormal(0.0, 0.12)
        starts.append(times)
        durations.append(first * GROWTH ** np.arange(size))
        left -= size
    if not starts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    time = np.floor(1e6 * np.concatenate(starts)).astype(np.int64)
    return time, _spread(np.concatenate(durations), ON_TIMES[pair] * quota)


def _spread(durations: Array, total: int) -> IntArray:
    """Whole milliseconds in the given proportions that add up to ``total``."""
    edges = np.concatenate([[0.0], np.cumsum(durations)])
    counts = np.round(edges * total / edges[-1]).astype(np.int64)
    spread: IntArray = np.diff(counts)
    return spread


def counters(scenario: Scenario, day: int, satellite: int) -> dict[str, IntArray]:
    """Columns of THR1B for one day.

    Returns
    -------
    dict of ndarray
        ``thrust_count``, ``thruster_on_time`` [ms] and ``thruster_accum_dur``
        [ms], each of shape (n, 14), one row per firing.
    """
    f = firings(scenario, day, satellite)
    n = len(f.time)
    fired = np.zeros((n, 14), dtype=np.int64)
    rows = np.arange(n)
    for column in (f.pair, f.pair + 6):
        fired[rows, column] = 1
    before = np.zeros(14, dtype=np.int64)
    before[:12] = np.tile(_count_before(scenario, satellite, day), 2)
    count = before + np.cumsum(fired, axis=0)
    on_time = fired * f.on_time[:, None]
    spent = before.copy()
    spent[:12] *= np.tile(np.array(ON_TIMES), 2)
    total = spent + np.cumsum(on_time, axis=0)
    if scenario.mission == "grace":
        count[:, 12:] = 1
        total[:, 12:] = 100_000
    else:
        # GRACE-FO fills only the total of attitude and of orbit control
        total = np.concatenate(
            [total[:, :6].sum(1, keepdims=True), np.zeros((n, 13), np.int64)], axis=1
        )
        total[:, 12] = 100_000
    return {
        "thrust_count": count % 2**32,
        "thruster_on_time": on_time,
        "thruster_accum_dur": total % 2**32,
    }


def firings_acceleration(scenario: Scenario, day: int, satellite: int) -> Array:
    """Filtered acceleration of all firings at 1 Hz [m s-2], shape (86400, 3)."""
    total = np.zeros((86400, 3))
    for offset in (-1, 0, 1):
        f = firings(scenario, day + offset, satellite)
        middle = 1e-6 * f.time + 0.5e-3 * f.on_time + 86400.0 * offset
        _add_responses(total, middle, f.velocity)
    return total


def twangs(scenario: Scenario, day: int, satellite: int) -> Array:
    """Filtered acceleration of unrecorded twangs at 1 Hz, shape (86400, 3)."""
    total = np.zeros((86400, 3))
    streams = Streams(scenario.seed)
    peak = TWANG_PEAK / float(crn_response(np.zeros(1))[0])
    for offset in (-1, 0, 1):
        draw = streams.generator(f"twangs/{satellite}", day + offset)
        time = draw.uniform(0, 86400, TWANGS) + 86400.0 * offset
        size = draw.exponential(1.0, (TWANGS, 3)) * draw.choice(
            [-1.0, 1.0], (TWANGS, 3)
        )
        _add_responses(total, time, size * peak)
    return total


def _add_responses(total: Array, time: Array, velocity: Array) -> None:
    """Add, in place, the filtered response of velocity steps at ``time``."""
    reach = HALF_WINDOW + 1
    near = (time > -reach) & (time < len(total) + reach)
    span = np.arange(-reach, reach + 1)
    seconds = np.floor(time[near]).astype(np.int64)[:, None] + span
    values = crn_response(seconds - time[near][:, None])
    inside = (seconds >= 0) & (seconds < len(total))
    for axis in range(3):
        felt = values * velocity[near][:, axis : axis + 1]
        total[:, axis] += np.bincount(
            seconds[inside], felt[inside], minlength=len(total)
        )
