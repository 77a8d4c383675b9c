"""Signals that ask to end are not lost where Python cannot pass them on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ASKING", "interrupts_held"]

#: Signals that ask a program to end; SIGHUP is not known everywhere.
ASKING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hand on at the end of the block the first signal that came in it.

    For imports, and for files that are opened and closed. Python only prints an
    exception that a signal raises while it frees an object, as it does for the lock
    of every module that is imported, and the program goes on: an export would run to
    its end in spite of Ctrl-C. Signals that end the process without Python's help are
    left alone, and so is every thread but the main one.
    """
    came: list[tuple[int, FrameType | None]] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in ASKING:
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
    try:
        for number in handlers:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            number, frame = came[0]
            handlers[number](number, frame)
