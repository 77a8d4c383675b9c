"""Random streams that belong to a date, so that a day never depends on the call.

Every stream is named. Its numbers for one day come from a generator seeded with
(seed, name, day), whichever days a call simulates, and smooth processes are
B-splines over such numbers: a window that crosses midnight sees the same process
from both sides.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np

from gracelstm_xr.arrays import Array

SECONDS = 86400
#: Keeps the seed of days before 2000 positive, for processes that look back.
DAY_OFFSET = 1_000_000
#: Knot spacings of the flicker noise [s]; each divides a day.
FLICKER_STEPS = (
    4, 8, 16, 32, 64, 128, 240, 480, 960, 1920, 4320, 8640, 17280, 43200, 86400,
)  # fmt: skip
#: Variance of a cubic B-spline process over unit white knots, mean over phase.
SPLINE_VARIANCE = 151.0 / 315.0


class Streams:
    """Named random streams of one seed.

    Parameters
    ----------
    seed : int
        Root seed of the simulation.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generator(self, name: str, day: int | None = None) -> np.random.Generator:
        """Generator of a stream, of one day or of the whole mission."""
        key = [self.seed, zlib.crc32(name.encode())]
        if day is not None:
            key.append(day + DAY_OFFSET)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

    def knots(self, name: str, first: int, count: int, per_day: int, k: int) -> Array:
        """Unit normal numbers at absolute positions ``first .. first + count``.

        Parameters
        ----------
        name : str
            Name of the stream.
        first, count : int
            Absolute position since 2000-01-01 and number of positions.
        per_day : int
            Positions per day.
        k : int
            Components per position.

        Returns
        -------
        ndarray, shape (count, k)
        """
        begin, end = first // per_day, (first + count - 1) // per_day
        blocks = [
            self.generator(name, day).standard_normal((per_day, k))
            for day in range(begin, end + 1)
        ]
        offset = first - begin * per_day
        values: Array = np.concatenate(blocks)[offset : offset + count]
        return values

    def white(self, name: str, day: int, first: int, count: int, k: int = 1) -> Array:
        """Unit white noise at 1 Hz from second ``first`` of ``day``.

        Returns
        -------
        ndarray, shape (count, k)
        """
        return self.knots(name, day * SECONDS + first, count, SECONDS, k)

    def smooth(self, name: str, day: int, t: Array, step: int, k: int = 1) -> Array:
        """Cubic B-spline noise of unit variance with knots every ``step`` seconds.

        Parameters
        ----------
        name : str
            Name of the stream.
        day : int
            Days since 2000-01-01.
        t : ndarray, shape (n,)
            Seconds of that day; may lie outside it.
        step : int
            Knot spacing [s]; must divide 86400.
        k : int, optional
            Independent components.

        Returns
        -------
        ndarray, shape (n, k)
        """
        from scipy.interpolate import BSpline

        origin = day * (SECONDS // step)
        low = int(np.floor(t.min() / step)) - 2
        count = int(np.ceil(t.max() / step)) + 3 - low
        values = self.knots(name, origin + low, count, SECONDS // step, k)
        places = step * (low + np.arange(-2, count + 2, dtype=np.float64))
        result: Array = BSpline(places, values, 3)(t) / np.sqrt(SPLINE_VARIANCE)
        return result

    def flicker(self, name: str, day: int, t: Array, k: int = 1) -> Array:
        """Noise with one-sided density 1/f [1/Hz] between 0.01 mHz and 50 mHz.

        Returns
        -------
        ndarray, shape (n, k)
            Unit: 1, so that the density at 1 Hz would be 1 per Hz.
        """
        total = np.zeros((len(t), k))
        for step, weight in zip(FLICKER_STEPS, flicker_weights(), strict=True):
            if weight > 0:
                total += weight * self.smooth(f"{name}/{step}", day, t, step, k)
        return total


def _spline_density(step: int, f: Array) -> Array:
    """One-sided density of the unit-variance B-spline noise [1/Hz]."""
    density: Array = 2 * step * np.sinc(f * step) ** 8 / SPLINE_VARIANCE
    return density


@functools.cache
def flicker_weights() -> tuple[float, ...]:
    """Amplitudes of the B-spline processes that add up to a density of 1/f."""
    from scipy.optimize import nnls

    f = np.geomspace(1e-5, 0.05, 400)
    columns = [_spline_density(step, f) * f for step in FLICKER_STEPS]
    squares, _ = nnls(np.stack(columns, axis=1), np.ones(len(f)))
    return tuple(float(w) for w in np.sqrt(squares))
