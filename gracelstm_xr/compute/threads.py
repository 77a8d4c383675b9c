"""One thread per BLAS call, for results that do not depend on the machine's load.

A product of matrices summed by two threads rounds differently than by one. The limit
belongs to the process: the first thread to enter sets it, the last to leave lifts it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside: list[Any] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let NumPy's and SciPy's linear algebra use one thread in this process."""
    with _lock:
        # None marks those who entered under a limit that was set already
        _inside.append(None if _inside else _limited())
    try:
        yield
    finally:
        with _lock:
            limit = _inside.pop()  # the limit stands first, so it leaves last
            if limit is not None:
                _free()
                limit.restore_original_limits()
                _free()


def _limited() -> Any:
    from threadpoolctl import threadpool_limits

    _free()
    return threadpool_limits(1, user_api="blas")


def _free() -> None:
    """Let this thread set limits.

    From version 3.8 threadpoolctl heeds the first thread alone that sets one, and any
    other, without a word, once it has died or let go.
    """
    import threadpoolctl

    let_go = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    if let_go is not None:
        let_go(force=True)
