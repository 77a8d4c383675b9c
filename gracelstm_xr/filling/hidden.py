"""Where the gap benchmark hides observations: rounds of gaps from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gracelstm_xr.core.gaps import place_gaps, runs
from gracelstm_xr.physics.earth import REVOLUTION

__all__ = ["EVERYTHING", "GAP_LENGTHS", "hidden_rounds", "stretches", "thinned"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Default gap lengths [s]: 10 s to a day, one revolution among them.
GAP_LENGTHS = (
    *(10.0, 20.0, 30.0, 60.0, 100.0, 300.0, 900.0, 1800.0, REVOLUTION),
    *(10_800.0, 21_600.0, 43_200.0, 86_400.0),
)
#: The length that hides all a recipient ever observed.
EVERYTHING = float("inf")
#: Part of the scored span that the gaps of one round may hide together.
HIDDEN_PART = 0.25
#: A gap of a length that exceeds this part of the span is not asked for.
LONGEST_PART = 0.5
#: Visible time left beside a hidden gap: three times its length, at most this [s].
MARGIN = 600.0
#: Time left visible at the ends of every observed stretch [s].
EDGE = 60.0
#: Up to this many times the wanted number of gaps are taken where there is room, and
#: below this length [s] always: short gaps are cheap.
MORE, SHORT = 4, 200.0
#: Gap length from which a round takes only some of the gaps [s].
LONG = 1000.0
#: From this length on [s] errors are kept every `THIN` seconds: ACC1B is low-passed
#: at 35 mHz, samples 10 s apart (Nyquist 50 mHz) say the same.
THIN_FROM, THIN = 5_000.0, 10.0
#: From `THIN_FROM` on a gap may lie over missing stretches up to this [s].
HOLE = 600.0
#: Longest stretch loaded at the native rate to score gaps on [s], or twice the
#: longest gap.
STRETCH = 3 * 86_400.0


def stretches(
    span: tuple[float, float],
    *,
    lengths: Sequence[float] = GAP_LENGTHS,
    most: int | None = None,
) -> list[tuple[float, float]]:
    """Parts of a span that are loaded and scored one at a time.

    Parameters
    ----------
    span : tuple of float
        GPS seconds.
    lengths : sequence of float
        Gap lengths to be hidden [s]; a stretch holds two of the longest.
    most : int, optional
        With 2, take stretches at the ends of the span only; the whole span by
        default.

    Returns
    -------
    list of tuple of float
        In time order, apart from each other or touching.
    """
    duration = span[1] - span[0]
    longest = max((x for x in lengths if 2 * x <= duration), default=0.0)
    size = max(STRETCH, 2 * longest)
    number = max(round(duration / size), 1)
    if number == 1:
        return [span]
    if most is not None and number > most:
        return [(span[0], span[0] + size), (span[1] - size, span[1])][:most]
    cuts = [span[0] + round(k * duration / number) for k in range(number)]
    return list(zip(cuts, [*cuts[1:], span[1]], strict=True))


def hidden_rounds(
    t: Array,
    observed: BoolArray,
    span: tuple[float, float],
    *,
    lengths: Sequence[float] = GAP_LENGTHS,
    count: int = 10,
    seed: int = 0,
) -> Iterator[IntArray]:
    """Gap positions, shape (gap, 2), sorted, round by round.

    Several lengths share a round, long gaps first, so that few fits serve many gaps
    and most data stay visible. A gap that would hide more than a quarter of the span
    has a round of its own, so that a span of three days gives ten gaps of one day.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    observed : ndarray of bool, shape (n,)
    span : tuple of float
        First and one-past-last GPS second that may be hidden.
    lengths : sequence of float
        Gap lengths [s]; those above half of the span are left out. `EVERYTHING`
        gives one round that hides all of ``t``.
    count : int
        Gaps per length; up to four times as many where the span has room for them
        side by side, and below 200 s; fewer where it has none.
    seed : int
    """
    if len(t) < 2:
        return
    step = float(t[1] - t[0])
    allowed = _allowed(t, observed, span, step)
    closed = _allowed(t, _closed(observed, round(HOLE / step)), span, step)
    free = allowed.sum() * step
    budget = HIDDEN_PART * free
    longest = LONGEST_PART * (span[1] - span[0])
    usable = sorted((x for x in set(lengths) if x <= longest), reverse=True)
    # errors differ from gap to gap: a firing, a pole, a storm
    left = dict.fromkeys(usable, MORE * count)
    for x in usable:
        if x >= SHORT:
            room = int(free // (x + 2 * _margin(x)))
            left[x] = min(max(room, count), MORE * count)
    rng = np.random.default_rng([seed, 7])
    if EVERYTHING in lengths and allowed.any():
        yield np.array([[0, len(t)]], dtype=np.int64)
    # the context around the span need not be searched
    low, past = np.searchsorted(t, span)
    inside = slice(int(low), int(past))
    while True:
        placed = _one_round(allowed[inside], closed[inside], left, budget, step, rng)
        if len(placed) == 0:
            return
        yield low + placed[np.argsort(placed[:, 0])]


def thinned(t: Array, gap: IntArray) -> IntArray:
    """Positions of a gap whose errors are kept: all, or whole multiples of `THIN`."""
    index = np.arange(gap[0], gap[1])
    step = float(t[1] - t[0])
    if len(index) * step < THIN_FROM or step >= THIN:
        return index
    # a tolerance: steps of a tenth of a second are not exact in binary
    return np.asarray(index[(t[index] + step / 4) % THIN < step / 2])


def _allowed(
    t: Array, observed: BoolArray, span: tuple[float, float], step: float
) -> BoolArray:
    """Samples that may be hidden: a gap always has observations on either side."""
    allowed = observed & (t >= span[0]) & (t < span[1])
    edge = round(EDGE / step)
    for a, b in runs(allowed):
        allowed[a : a + edge] = False
        allowed[max(b - edge, a) : b] = False
    return np.asarray(allowed)


def _closed(observed: BoolArray, most: int) -> BoolArray:
    """Observed stretches with missing ones of up to ``most`` samples between."""
    result = observed.copy()
    for a, b in runs(~observed):
        if b - a <= most and a > 0 and b < len(observed):
            result[a:b] = True
    return result


def _margin(length: float) -> float:
    """Visible time left beside a hidden gap of some length [s]."""
    return min(MARGIN, max(EDGE, 3 * length))


def _one_round(
    allowed: BoolArray,
    closed: BoolArray,
    left: dict[float, int],
    budget: float,
    step: float,
    rng: np.random.Generator,
) -> IntArray:
    """Gaps of one round; ``left`` is counted down, what has no room waits."""
    free, room, used = allowed.copy(), closed.copy(), 0.0
    chosen: list[IntArray] = []
    for length, wanted in left.items():
        size = max(round(length / step), 1)
        margin = max(round(_margin(length) / step), 1)
        alone = length > budget
        # long gaps crowd out the rest: take a quarter of them at a time
        share = wanted if length < LONG else -(-wanted // 4)
        share = min(share, 1 if alone else int((budget - used) // length))
        if share <= 0:
            continue
        place = room if length >= THIN_FROM else free
        spots = place_gaps(place, size, count=share, margin=margin, rng=rng)
        for first, past in spots:
            free[max(first - margin, 0) : past + margin] = False
            room[max(first - margin, 0) : past + margin] = False
        used += len(spots) * length
        left[length] = wanted - len(spots)
        chosen.append(spots)
        if alone and len(spots):
            break
    return np.concatenate(chosen) if chosen else np.zeros((0, 2), np.int64)
