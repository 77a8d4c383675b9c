"""Which parts of an archive an epoch visits.

Stretches of GPS time are cut at absolute times. An epoch visits a few of them, in
random turns, so that a longer archive makes no epoch longer and needs no more memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gracelstm_xr.compute.days import day_number

T = TypeVar("T")
Span = tuple[float, float]

#: Length of a stretch [GPS days].
DAYS = 4


@dataclass(frozen=True)
class Stretch:
    """Part of a span, with the context its start depends on.

    Attributes
    ----------
    core : tuple of float
        First and one-past-last GPS second that windows are taken from.
    wide : tuple of float
        The same with context, as far as the span goes.
    """

    core: Span
    wide: Span


def stretches(span: Span, context: float) -> list[Stretch]:
    """Cut a span at GPS midnights whose day number is a multiple of `DAYS`."""
    length = DAYS * 86_400.0
    first = int(np.floor((span[0] - 43_200.0) / length))
    last = int(np.ceil((span[1] - 43_200.0) / length))
    result = []
    for k in range(first, last):
        low = max(43_200.0 + k * length, span[0])
        high = min(43_200.0 + (k + 1) * length, span[1])
        wide = (max(low - context, span[0]), min(high + context, span[1]))
        result.append(Stretch((low, high), wide))
    return result


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many items, evenly spread, the first and last among them."""
    if len(items) <= most:
        return list(items)
    chosen = np.linspace(0, len(items) - 1, most).round().astype(int)
    return [items[i] for i in chosen]


def turns(
    count: int, *, most: int, epochs: int, seed: Sequence[int]
) -> list[list[int]]:
    """Items each epoch visits: none twice, and none again before all had their turn.

    Parameters
    ----------
    count : int
        Number of items.
    most : int
        Items per epoch.
    epochs : int
    seed : sequence of int

    Returns
    -------
    list of list of int
        Per epoch, in increasing order.
    """
    rng = np.random.default_rng(seed)
    queue: list[int] = []
    result = []
    for _ in range(epochs):
        chosen = queue[:most]
        queue = queue[most:]
        if len(chosen) < min(most, count):
            fresh = [i for i in rng.permutation(count).tolist() if i not in chosen]
            again = chosen.copy()
            wanted = min(most, count) - len(chosen)
            chosen += fresh[:wanted]
            # those that closed the last round have their turn in this one, too
            queue = fresh[wanted:] + again
        result.append(sorted(chosen))
    return result


def days_of(spans: Iterable[Span]) -> set[int]:
    """Numbers of the GPS days that the spans touch."""
    return {
        day
        for low, high in spans
        for day in range(day_number(low), day_number(high - 1e-3) + 1)
    }


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch made one."""
    result: list[Span] = []
    for low, high in sorted(spans):
        if result and low <= result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result
