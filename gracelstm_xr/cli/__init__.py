"""The ``gracelstm`` command: the public API from the shell."""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from gracelstm_xr.cli.parser import build_parser
from gracelstm_xr.cli.signals import Stopped, stoppable
from gracelstm_xr.cli.words import UsageError, in_shell
from gracelstm_xr.core.remote import network_errors
from gracelstm_xr.errors import GraceError, GraceWarning, visible

__all__ = ["main"]

#: What bad input, full disks and missing files raise; anything else is a bug.
EXPECTED = (ValueError, TypeError, LookupError, OSError, RuntimeError, ImportError)

#: What an interrupt leaves, for commands that go on when run again, and for the rest.
GO_ON = "what is finished is kept, run the same again to go on"
NOTHING_LEFT = "nothing half-written was left behind"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        0, 1 when the command failed, 130 when it was interrupted, 143 when SIGTERM
        and 129 when SIGHUP ended it. Wrong usage exits with 2.
    """
    arguments = build_parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.simplefilter("always", GraceWarning)
        warnings.showwarning = _show_warning
        with stoppable():
            return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        status = arguments.run(arguments)
    except KeyboardInterrupt as stop:
        # what storage had begun is dropped as the process ends, which asyncio would log
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        # Zarr waits 0.2 s for its thread at exit, then raises: on a busy machine
        if (zarr := sys.modules.get("zarr.core.sync")) is not None:
            atexit.unregister(zarr.cleanup_resources)
        number = stop.signal if isinstance(stop, Stopped) else signal.SIGINT
        what = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
        kept = getattr(arguments, "resumes", False)
        _tell(f"gracelstm: {what}; {GO_ON if kept else NOTHING_LEFT}")
        return 128 + number
    except BrokenPipeError:
        # the reader of a pipe has seen enough; keep Python from flushing into it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EXPECTED + network_errors() as error:
        if arguments.debug:
            raise
        _tell(f"gracelstm: error: {_where(error, arguments)}{_one_line(error)}")
        return 2 if isinstance(error, UsageError) else 1
    return status or 0


def _where(error: BaseException, arguments: argparse.Namespace) -> str:
    """What was being read, for errors of other libraries, which do not say it."""
    own = GraceError | OSError | UsageError
    says_where = isinstance(error, own) or hasattr(arguments, "sources")
    store = getattr(arguments, "store", None) or getattr(arguments, "path", None)
    return "" if says_where or not store else f"while reading {store}: "


def _one_line(error: BaseException) -> str:
    """Message of `error` without line breaks; KeyError shows its text unquoted."""
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}"
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    text = " ".join(str(message).split())
    return in_shell(text) or type(error).__name__


def _show_warning(
    message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    if issubclass(category, GraceWarning):
        _tell(f"gracelstm: warning: {in_shell(' '.join(str(message).split()))}")


def _tell(text: str) -> None:
    sys.stderr.write(visible(text) + "\n")
