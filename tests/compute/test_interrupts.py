"""Signals that come where Python would lose them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gracelstm_xr.compute.interrupts import interrupts_held


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    """A shell that starts tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Freed:
    """Is interrupted while it is freed, as the lock of a module may be."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_is_handed_on_at_the_end() -> None:
    reached = []

    def interrupted() -> None:
        with interrupts_held():
            freed = Freed()
            del freed
            reached.append(1)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_the_block_does_not_hide_it() -> None:
    def fails() -> None:
        with interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("some")

    with pytest.raises(KeyboardInterrupt) as caught:
        fails()
    assert isinstance(caught.value.__context__, ValueError)


def test_what_ends_without_python_and_other_threads_are_left_alone() -> None:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts_held():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, ignored)

    def inside() -> bool:
        with interrupts_held():
            return signal.getsignal(signal.SIGINT) is signal.default_int_handler

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result()
