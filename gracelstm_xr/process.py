"""Which process this is, and whether another one still runs.

A process is told by its machine, its number, and when it started: numbers are used
again, and containers that share a host name each count from 1.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from hashlib import blake2b
from pathlib import Path


def machine() -> dict[str, str]:
    """Host name, and the space in which the numbers of processes count there."""
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return {"host": socket.gethostname(), "space": space}


@functools.cache
def machine_digest() -> str:
    """Eight hexadecimal digits for `machine`, for use in names of files."""
    told = "\n".join(machine().values())
    return blake2b(told.encode(), digest_size=4).hexdigest()


def started(pid: int) -> int:
    """When a process of this machine started [ticks]; 0 where that is not known."""
    return _state_and_start(pid)[1]


def ended(pid: int, start: int = 0) -> bool:
    """Whether a process of this machine has ended, as far as the system says.

    Parameters
    ----------
    pid : int
        Its number.
    start : int, optional
        What `started` said of it when it ran; 0 when that was not known.
    """
    if pid <= 0 or os.name == "nt":  # there, a signal of 0 is not a question
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OverflowError:  # no number of a process
        return False
    except OSError:  # it runs, for another user
        pass
    state, start_now = _state_and_start(pid)
    if state in ("Z", "X"):  # killed, and nobody has asked for its status yet
        return True
    return 0 < start != start_now > 0


def _state_and_start(pid: int) -> tuple[str, int]:
    """Fields 3 and 22 of ``/proc/PID/stat``; empty and 0 where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        # the name of the program, field 2, may hold blanks and brackets
        fields = stat.rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return "", 0
