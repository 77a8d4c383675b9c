"""Detectors of doubtful accelerations on arrays. Numpy only.

Statistics are medians over stretches that stand at absolute multiples of their length
in GPS time, so that the result does not depend on where the data are cut.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.core.gaps import runs
from gracelstm_xr.signal.lowpass import HALF_WINDOW

#: Largest plausible acceleration [m s-2]: twice the range of the accelerometer.
LIMIT = 1e-4
#: Departure of an outlier in robust standard deviations, and the smallest [m s-2]: a
#: storm stays within it or moves the local spread along.
OUTLIER, SMALLEST_OUTLIER = 25.0, 2e-7
#: Shortest run of equal values [s].
STUCK = 10.0
#: Departure that only an orbit thruster gives [m s-2]: a quarter of 40 mN on 487 kg;
#: and how long it lasts [s].
BURN, BURN_LENGTH = 2e-5, 10.0
#: Stretch of the level that a firing of some minutes departs from [s].
BURN_CELL = 1200.0
#: Bits of `impossible`, the last for the first axis, and what they say.
BEYOND, FAR, STILL = 1, 2, 4
IMPOSSIBLE = {
    f"beyond {LIMIT:g} m s-2": BEYOND,
    "far from their neighbours": FAR,
    **{f"stuck on {axis}": STILL << k for k, axis in enumerate("xyz")},
}
#: Smallest spike sought [m s-2]: beyond what 35 mHz data hold above 100 mHz (5e-15 in
#: the real sample of 2003-09-14, 2e-12 in a simulated storm of ap 400), and below the
#: noise of the instrument (2.5e-11).
SMALLEST_SPIKE = 1e-11
#: Longest sampling at which a spike differs from a firing seen through the filter [s].
SPIKE_STEP = 2.0
#: Two spikes this close are the two edges of one [s].
SPIKE_WIDTH = 10.0
#: Stretches of the robust statistics of spikes and of the local level [s].
SPIKE_CELL, LEVEL_CELL = 600.0, 300.0
#: What `impossible` depends on to either side [s]: the stretches of both levels and of
#: the spread, half the filter window, and a firing.
IMPOSSIBLE_HALO = 3 * BURN_CELL + 5 * LEVEL_CELL + 2 * HALF_WINDOW + STUCK
#: Stretches whose medians are compared for a step, and for its robust spread [s].
SHIFT_CELL, SPREAD_CELL = 30.0, 600.0
#: Median absolute deviation of a normal variable, inverted.
MAD = 1.4826
#: Fewest samples of a median.
FEWEST_OF_MEDIAN = 20


def impossible(t: Array, values: Array) -> npt.NDArray[np.uint8]:
    """What no accelerometer measures, as bits of `IMPOSSIBLE`.

    Beyond `LIMIT`: infinities and fill values. Far from the neighbours: the outliers
    of `clean`, departures of more than `BURN` from the level of an hour, and half the
    filter window around either where it lasts `BURN_LENGTH`. Stuck: ten seconds and
    more of one value, zero included, on one axis; the other axes are none the worse.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    values : ndarray, shape (n, k)
        Accelerations [m s-2], at most three axes; NaN where missing.

    Returns
    -------
    ndarray of uint8, shape (n,)
        Depends on what lies within `IMPOSSIBLE_HALO` seconds and on nothing else.
    """
    step = t[1] - t[0] if len(t) > 1 else np.inf
    beyond: BoolArray = np.asarray((np.abs(values) > LIMIT).any(axis=1))
    code: npt.NDArray[np.uint8] = beyond.astype(np.uint8)
    rest = np.where(beyond[:, None], np.nan, values)
    for k in range(values.shape[1]):
        shortest = max(int(STUCK / step), 3)
        stuck = stuck_values(rest[:, [k]], shortest, zeros=True)
        code[stuck] |= STILL << k
        rest[stuck, k] = np.nan
    away = np.zeros(len(t), dtype=bool)
    for cell, sigma, least in (
        (BURN_CELL, 0.0, BURN),
        (LEVEL_CELL, OUTLIER, SMALLEST_OUTLIER),
    ):
        if _varies(t, rest, cell, least):
            level, spread = local_level(t, rest, cell)
            limit = np.maximum(sigma * spread, least)
            away |= (np.abs(rest - level) > limit).any(axis=1)
            rest[away] = np.nan
    pushed = [(a, b) for a, b in runs(away) if (b - a) * step >= BURN_LENGTH]
    away |= near(t, [(t[a], t[b - 1]) for a, b in pushed], HALF_WINDOW)
    code[away & ~np.isnan(values).all(axis=1)] |= FAR
    return code


def _varies(t: Array, values: Array, length: float, least: float) -> bool:
    """Whether any sample may depart from its level by more than ``least``.

    The level lies between the extremes of five stretches: nearly always this says no.
    """
    cells = _cells(t, values, length)
    low, high = np.fmin.reduce(cells, axis=1), np.fmax.reduce(cells, axis=1)
    pad = ((2, 2), (0, 0))
    low, high = (np.pad(x, pad, constant_values=np.nan) for x in (low, high))
    n = len(cells)
    bottom = np.fmin.reduce([low[i : i + n] for i in range(5)])
    top = np.fmax.reduce([high[i : i + n] for i in range(5)])
    return bool((top - bottom > least).any())


def stuck_values(values: Array, shortest: int, *, zeros: bool = False) -> BoolArray:
    """Where an axis repeats one value at least ``shortest`` times.

    Band-limited data of 16 digits never do; zeros are what files hold for an axis that
    is not provided.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    shortest : int
        Samples in a run, at least 2.
    zeros : bool, default False
        Count runs of zeros as well.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    result = np.zeros(len(values), dtype=bool)
    for series in values.T:
        same = series[1:] == series[:-1]
        if not zeros:
            same &= series[1:] != 0
        if same.any():
            for a, b in runs(same):
                if b - a + 1 >= shortest:
                    result[a : b + 1] = True
    return result


def spikes(t: Array, values: Array, threshold: float) -> BoolArray:
    """Samples, or groups of a few, that stand out at frequencies the filter stops.

    The sixth difference of seven neighbours keeps what lies above 100 mHz, where
    ACC1B has nothing. A sample is a spike where it exceeds ``threshold`` robust
    standard deviations within 15 min and `SMALLEST_SPIKE`, and the sample is also away
    from the median of its neighbours, their slope removed, by half as much: that tells
    it from them. What lies within 10 s between two spikes counts as well.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    values : ndarray, shape (n, k)
        Accelerations [m s-2]; NaN where missing.
    threshold : float
        Robust standard deviations.

    Returns
    -------
    ndarray of bool, shape (n,)
        Nothing within three samples of a gap, or where the sampling is coarser than
        2 s: there a firing looks the same.
    """
    n, step = len(values), t[1] - t[0] if len(t) > 1 else np.inf
    result = np.zeros(n, dtype=bool)
    if step > SPIKE_STEP or n < 7:
        return result
    inner = values[3:-3]
    sharp = np.full(values.shape, np.nan)
    sharp[3:-3] = (
        inner
        - (
            (values[:-6] + values[6:])
            - 6 * (values[1:-5] + values[5:-1])
            + 15 * (values[2:-4] + values[4:-2])
        )
        / 20
    )
    size = np.abs(sharp)
    spread = _middle(_cells(t, size, SPIKE_CELL)[:, ::2], 1)
    limit = np.maximum(threshold * MAD * spread, SMALLEST_SPIKE)
    limit = np.where(np.isnan(limit), np.inf, limit)
    cell = _cell_of(t, SPIKE_CELL)
    for k in range(values.shape[1]):
        candidates = np.flatnonzero(size[:, k] > limit[cell, k])
        if len(candidates):
            away = _from_neighbours(values[:, k], candidates)
            result[candidates[away >= 0.5 * size[candidates, k]]] = True
    marked = np.flatnonzero(result)
    for a, b in itertools.pairwise(marked.tolist()):
        if (b - a) * step <= SPIKE_WIDTH:
            result[a:b] = True
    return result


def _from_neighbours(series: Array, candidates: npt.NDArray[np.int64]) -> Array:
    """Distance of samples from a line through three neighbours on either side.

    Slope and level are medians, so that a bad neighbour does not move the line.
    """
    reach = np.array([1, 2, 3])
    after, before = (
        series[candidates[:, None] + reach],
        series[candidates[:, None] - reach],
    )
    slope = np.median((after - before) / (2 * reach), axis=1, keepdims=True)
    sides = np.concatenate([before + slope * reach, after - slope * reach], axis=1)
    return np.asarray(np.abs(series[candidates] - np.median(sides, axis=1)))


def local_level(
    t: Array, values: Array, length: float = LEVEL_CELL
) -> tuple[Array, Array]:
    """Local level of every sample, and the robust spread about it.

    The level is the median within 7.5 min of nodes every 5 min, linear in between; the
    spread that of the departures from it in the same stretches.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    values : ndarray, shape (n, k)
        Accelerations [m s-2]; NaN where missing.
    length : float
        Distance of the nodes [s]; medians are within one and a half of it.

    Returns
    -------
    level, spread : ndarray, shape (n, k)
        [m s-2]; NaN where fewer than 20 samples are near. The spread is the larger of
        the two nodes beside the sample.
    """
    cells = _cells(t, values, length)
    some = slice(None, None, max(cells.shape[1] // 60, 1))
    nodes = _middle(cells[:, some], 1)
    cell, _ = _whole(t, length)
    x = t / cell - 0.5
    first = np.floor(t[0] / cell)
    low = np.clip(np.floor(x) - first, 0, len(nodes) - 1).astype(np.int64)
    high = np.clip(np.floor(x) - first + 1, 0, len(nodes) - 1).astype(np.int64)
    fraction = (x - np.floor(x))[:, None]
    level = nodes[low] * (1 - fraction) + nodes[high] * fraction
    away = _cells(t, np.abs(values - level), length)
    spread = MAD * _middle(away[:, some], 1)
    return level, np.maximum(spread[low], spread[high])


def level_shifts(
    t: Array, values: Array, smallest: float, threshold: float
) -> list[float]:
    """Epochs at which the level of an axis jumps and stays.

    Medians of 30 s are compared over two minutes on either side of a stretch of 90 s
    that the filter smears: the jump has to exceed ``smallest`` and ``threshold``
    robust standard deviations of such differences within 25 min, both as a plain
    difference and after extrapolating the slopes of the two sides, and half of it has
    to be there still after ten minutes.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    values : ndarray, shape (n, k)
        Accelerations [m s-2]; NaN where missing.
    smallest : float
        [m s-2]
    threshold : float
        Robust standard deviations.

    Returns
    -------
    list of float
        GPS seconds, to 30 s.
    """
    step = t[1] - t[0] if len(t) > 1 else SHIFT_CELL
    cell, _ = _whole(t, max(SHIFT_CELL, 3 * step))
    level = _median(_cells(t, values, cell), fewest=3)
    padded = np.pad(level, ((28, 28), (0, 0)), constant_values=np.nan)

    def mean(low: int, high: int) -> Array:
        rows = [padded[28 + i : 28 + i + len(level)] for i in range(low, high + 1)]
        total = rows[0].copy()
        for row in rows[1:]:
            total += row
        return total / len(rows)

    plain = mean(2, 4) - mean(-4, -2)
    slopes = (mean(4, 4) - mean(2, 2)) / 2 + (mean(-2, -2) - mean(-4, -4)) / 2
    straight = plain - 3 * slopes
    stays = mean(20, 28) - mean(-28, -20)
    centres = (np.floor(t[0] / cell) + np.arange(len(level)) + 0.5) * cell
    usual = _middle(_cells(centres, np.abs(plain), 20 * cell), 2)
    group = _cell_of(centres, 20 * cell)
    limit = np.maximum(smallest, threshold * MAD * usual[group])
    jump = np.minimum(np.abs(plain), np.abs(straight))
    there = (jump > limit) & (stays * plain > 0) & (np.abs(stays) > np.abs(plain) / 2)
    # several cells see one step: it is where the level changes fastest
    sharp = np.abs(mean(1, 1) - mean(-1, -1))
    score = np.where(there, np.fmax(sharp, 1e-3 * jump), 0.0)
    wide = np.pad(score, ((6, 6), (0, 0)))
    highest = np.max([wide[i : i + len(score)] for i in range(13)], axis=0)
    peak = (there & (score == highest)).any(axis=1)
    return [float(c) for c in centres[peak]]


def near(t: Array, spans: list[tuple[float, float]], reach: float) -> BoolArray:
    """Samples within ``reach`` seconds of any of the spans [GPS s]."""
    result = np.zeros(len(t), dtype=bool)
    for first, last in spans:
        a, b = np.searchsorted(t, [first - reach, last + reach])
        result[a : b + int(b < len(t) and t[b] == last + reach)] = True
    return result


def _whole(t: Array, length: float) -> tuple[float, int]:
    """Length of a stretch as whole samples: seconds and samples."""
    step = t[1] - t[0] if len(t) > 1 else length
    per = max(round(length / step), 1)
    return per * step, per


def _cell_of(t: Array, length: float) -> npt.NDArray[np.int64]:
    """Number of the stretch of every sample, from the first one here."""
    length, _ = _whole(t, length)
    return np.asarray(np.floor(t / length) - np.floor(t[0] / length), dtype=np.int64)


def _cells(t: Array, values: Array, length: float) -> Array:
    """Samples by stretch of absolute time, shape (cell, sample, k), padded with NaN."""
    length, per = _whole(t, length)
    before = int((t[0] / length - np.floor(t[0] / length)) * per + 1e-6) % per
    after = -(before + len(values)) % per
    padded = np.pad(values, ((before, after), (0, 0)), constant_values=np.nan)
    return padded.reshape(-1, per, values.shape[1])


def _with_neighbours(cells: Array, reach: int) -> Array:
    """Every stretch together with ``reach`` on either side."""
    pad = ((reach, reach), (0, 0), (0, 0))
    padded = np.pad(cells, pad, constant_values=np.nan)
    n = len(cells)
    return np.concatenate([padded[i : i + n] for i in range(2 * reach + 1)], axis=1)


def _middle(cells: Array, reach: int) -> Array:
    """Median of every stretch with its neighbours, shape (cell, k)."""
    return _median(_with_neighbours(cells, reach))


def _median(samples: Array, *, fewest: int = FEWEST_OF_MEDIAN) -> Array:
    """Median over axis 1 of what is finite; NaN of fewer than ``fewest``."""
    ordered = np.sort(samples, axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    enough = count >= min(fewest, samples.shape[1])
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None] // 2, axis=1)
    high = np.take_along_axis(ordered, (count // 2)[:, None], axis=1)
    middle = (low + high)[:, 0] / 2
    return np.where(enough & (count > 0), middle, np.nan)
