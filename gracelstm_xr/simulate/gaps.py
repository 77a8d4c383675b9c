"""Where records are absent, and the flags around holes in the raw data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import BoolArray
from gracelstm_xr.simulate.config import Scenario
from gracelstm_xr.simulate.instrument import HALF_WINDOW
from gracelstm_xr.simulate.rng import Streams

#: Gaps per day of the first and of the second satellite.
RATES = (0.35, 2.0)
#: Shortest and longest default gap [s].
SHORTEST, LONGEST = 5.0, 10800.0
#: Short holes per day that the processing filled, and their longest length [s].
FILLED, FILLED_LENGTH = 8, 12
#: Bits of acc_qualflg: filled samples more than 15 s, 5 to 15 s, less than 5 s from
#: the centre of the filter.
BITS = ((5, 16, HALF_WINDOW), (6, 5, 15), (7, 0, 4))


def _day_gaps(scenario: Scenario, day: int, satellite: int) -> list[tuple[int, int]]:
    """Default gaps that begin on a day: seconds of the day, stop excluded."""
    draw = Streams(scenario.seed).generator(f"gaps/{satellite}", day)
    count = int(draw.poisson(RATES[satellite]))
    start = draw.integers(0, 86400, count)
    length = np.exp(draw.uniform(np.log(SHORTEST), np.log(LONGEST), count))
    return [(int(a), int(a + round(n))) for a, n in zip(start, length, strict=True)]


def gap_mask(scenario: Scenario, day: int, satellite: int) -> BoolArray:
    """Seconds without record, from 70 s before to 70 s after the day.

    Returns
    -------
    ndarray of bool, shape (86540,)
    """
    absent = np.zeros(86400 + 2 * HALF_WINDOW, dtype=bool)
    if scenario.gaps == "default":
        spans = [
            (86400 * offset + a, 86400 * offset + b)
            for offset in (-1, 0, 1)
            for a, b in _day_gaps(scenario, day + offset, satellite)
        ]
    else:
        midnight = 86400 * day - 43200
        letter = scenario.satellites[satellite]
        spans = [
            (a - midnight, b - midnight) for s, a, b in scenario.spans if s == letter
        ]
    for a, b in spans:
        absent[max(0, a + HALF_WINDOW) : max(0, b + HALF_WINDOW)] = True
    return absent


def quality_flags(
    scenario: Scenario, day: int, satellite: int
) -> npt.NDArray[np.uint8]:
    """``acc_qualflg`` of every second of a day, shape (86400,).

    Bits 5 to 7 tell how near to the filter centre raw samples were missing: at the
    edges of gaps, and around short holes that were filled.
    """
    hole = gap_mask(scenario, day, satellite)
    if scenario.gaps != "none":
        draw = Streams(scenario.seed).generator(f"holes/{satellite}", day)
        for _ in range(FILLED):
            start = int(draw.integers(HALF_WINDOW, 86400 + HALF_WINDOW))
            hole[start : start + int(draw.integers(1, FILLED_LENGTH + 1))] = True
    total = np.concatenate([[0], np.cumsum(hole)])
    centre = HALF_WINDOW + np.arange(86400)

    flags = np.zeros(86400, dtype=np.uint8)
    for bit, near, far in BITS:
        inner = near - 1
        count = total[centre + far + 1] - total[centre - far]
        if near:
            count = count - (total[centre + inner + 1] - total[centre - inner])
        flags[count > 0] |= 1 << bit
    return flags
