"""SIGTERM and SIGHUP end a command as Ctrl-C does: batch systems send them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gracelstm_xr.compute.interrupts import ASKING


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end.

    Attributes
    ----------
    signal : signal.Signals
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` in the main thread at the first signal; a second ends at once.

    What the caller's parent ignores, as ``nohup`` does, stays ignored. Outside the
    main thread nothing is changed.
    """

    def stop(number: int, _: FrameType | None) -> None:
        for asking in handled:
            signal.signal(asking, signal.SIG_DFL)
        raise Stopped(number)

    handled = [n for n in ASKING if signal.getsignal(n) is not signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        handled = []
    before = {number: signal.signal(number, stop) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
