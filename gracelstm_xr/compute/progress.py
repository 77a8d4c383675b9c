"""A progress bar with rate and time left, for iterators and for Dask.

The bar writes to standard error and only when asked for. On a terminal it redraws
one line; elsewhere (a log file, a CI job) it writes a line every few seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

T = TypeVar("T")

#: Seconds between two drawings on a terminal and between two lines in a log.
REDRAW_TERMINAL = 0.1
REDRAW_LOG = 10.0


def _clock(seconds: float) -> str:
    """Write a duration [s] as ``m:ss`` or ``h:mm:ss``."""
    minutes, second = divmod(round(max(seconds, 0.0)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


class Bar:
    """A counter drawn on a stream; a context manager.

    Parameters
    ----------
    label : str
        What is being counted, shown first.
    total : int
        Number of steps expected; 0 when unknown.
    unit : str, optional
        Name of one step, used in the rate.
    enabled : bool, optional
        Draw nothing when False, so that callers need no branches.
    stream : TextIO, optional
        Where to draw; standard error by default.
    """

    def __init__(
        self,
        label: str,
        total: int,
        *,
        unit: str = "step",
        enabled: bool = True,
        stream: TextIO | None = None,
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.enabled = enabled
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._terminal = bool(getattr(self._stream, "isatty", lambda: False)())
        self._started = self._drawn = time.monotonic()
        self._shown = -1
        self._note = ""

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._terminal:
            self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # a log needs its last line once
        if self.enabled and (self._terminal or self._shown != self.done):
            self._draw(note=self._note, last=True)

    def update(self, steps: int = 1, *, note: str = "") -> None:
        """Count `steps` more, and redraw when it is time.

        Parameters
        ----------
        steps : int, optional
            Steps finished since the last call.
        note : str, optional
            A few words shown after the numbers, e.g. the current loss.
        """
        self.done += steps
        self._note = note
        pause = REDRAW_TERMINAL if self._terminal else REDRAW_LOG
        if self.enabled and time.monotonic() - self._drawn >= pause:
            self._draw(note=note)

    def text(self, *, elapsed: float, note: str = "") -> str:
        """Return the line shown after `elapsed` seconds."""
        rate = self.done / elapsed if elapsed > 0 else 0.0
        speed = (
            f"{rate:.3g} {self.unit}/s"
            if rate >= 1 or rate == 0
            else f"{1 / rate:.3g} s/{self.unit}"
        )
        if self.total <= 0:
            return f"{self.label}: {self.done} {self.unit}, {speed} {note}".rstrip()
        fraction = min(self.done / self.total, 1.0)
        left = (self.total - self.done) / rate if rate else 0.0
        times = f"{_clock(elapsed)} elapsed"
        if 0 < self.done < self.total:
            times += f", {_clock(left)} left"
        bar = "#" * round(20 * fraction)
        return (
            f"{self.label}: [{bar:<20}] {100 * fraction:3.0f} % "
            f"{self.done}/{self.total} {self.unit}, {speed}, {times} {note}"
        ).rstrip()

    def _draw(self, *, note: str = "", last: bool = False) -> None:
        if not self.enabled:
            return
        now = self._drawn = time.monotonic()
        self._shown = self.done
        line = self.text(elapsed=now - self._started, note=note)
        if self._terminal:
            self._stream.write(f"\r\x1b[2K{line}" + ("\n" if last else ""))
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


def track(
    items: Iterable[T], label: str, *, total: int | None = None, **options: Any
) -> Iterator[T]:
    """Yield from `items`, counting them on a `Bar`.

    Parameters
    ----------
    items : iterable
        Anything to loop over.
    label : str
        Shown first on the line.
    total : int, optional
        Number of items; ``len(items)`` by default, 0 where it has none.
    **options
        Passed to `Bar`.

    Yields
    ------
    object
        Each item of `items`.
    """
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    with Bar(label, total, **options) as bar:
        for item in items:
            yield item
            bar.update()
