"""Two folders swap their names in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

_HERE = -100  # AT_FDCWD: relative names are relative to the working folder
_SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


def exchange(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    """Swap two names of one file system, so that neither is ever missing.

    Parameters
    ----------
    a, b : str or PathLike
        Both exist.

    Returns
    -------
    bool
        False, and nothing has happened, where system or file system cannot do it
        (Windows, NFS).

    Raises
    ------
    OSError
        It can, but not with these names.
    """
    status = _swap(os.fsencode(a), os.fsencode(b))
    if status is None or status in _CANNOT:
        return False
    if status:
        raise OSError(status, os.strerror(status), os.fspath(b))
    return True


def _swap(a: bytes, b: bytes) -> int | None:
    """Error number of the system call, 0 for success; None where there is none."""
    if sys.platform == "win32":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(a, b, _SWAP)
        else:
            failed = library.renameat2(_HERE, a, _HERE, b, _SWAP)
    except AttributeError:  # a C library from before 2018
        return None
    return ctypes.get_errno() if failed else 0
