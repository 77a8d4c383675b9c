"""Keras, imported when it is needed, without the notices of its back end."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from gracelstm_xr.errors import GraceError

#: What the back end's C++ libraries write on standard error as they load.
NOTICE = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d{2}:\d{2}:)"
)
_lock = threading.Lock()
_loaded: list[Any] = []


def import_keras() -> Any:
    """Keras with its back end, ready to use.

    Returns
    -------
    module

    Raises
    ------
    GraceError
        When Keras or its back end is not installed: only `fit` and `fill` with a
        network need them.
    """
    with _lock:
        if not _loaded:
            # read when TensorFlow is loaded; what the user has set stays
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
            with _without_notices():
                _loaded.append(_load())
        return _loaded[0]


def _load() -> Any:
    try:
        keras = importlib.import_module("keras")
        if keras.backend.backend() == "tensorflow":
            # what it has to say about devices is said at their first use
            importlib.import_module("tensorflow").config.list_physical_devices()
    except ImportError as error:
        raise GraceError(
            f"found no Keras with a back end here ({error}), which a network needs: "
            "pip install tensorflow, or jax or torch with keras and KERAS_BACKEND=jax "
            "or torch; everything else works without"
        ) from error
    return keras


@contextlib.contextmanager
def without_advice() -> Iterator[None]:
    """Let TensorFlow train several networks without its advice against retracing.

    Every network is traced once, which is what it warns of.
    """
    logger = logging.getLogger("tensorflow")

    def keep(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    """Standard error without the lines that begin as `NOTICE`.

    These are written by C++ code, straight to the file descriptor.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # closed
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not NOTICE.match(line):
                    os.write(2, line)
