"""One writer at a time for a store: on disk, and on object stores.

On disk the operating system holds the lock and lets go of it when the process ends,
however it ends. Object stores know no locks: there a small object is created, which
only one can do, and its owner touches it while at work. One that has not been touched
for a while belonged to a writer that is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gracelstm_xr.errors import StoreError

__all__ = ["local_lock", "remote_lock"]

#: Seconds between two touches of a remote lock, and after which it is abandoned.
BEAT = 20.0
ABANDONED = 120.0


@contextlib.contextmanager
def local_lock(store: Path) -> Iterator[None]:
    """Be the only writer of a store on disk for the length of a ``with`` block.

    Parameters
    ----------
    store : Path
        Final name of the store; the lock is a hidden file beside it.

    Raises
    ------
    StoreError
        Another process writes to the store.
    """
    from filelock import FileLock, Timeout

    path = store.with_name(f".{store.name}.lock")
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"{store} is being written by another process; wait for it to end, or "
            "choose another name"
        ) from error
    try:
        yield
    finally:
        # unlinked while held: whoever waits on the old file finds that it is gone
        path.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def remote_lock(url: str, options: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Be the only writer of a store behind a URL for the length of a ``with`` block.

    Parameters
    ----------
    url : str
        Address of the store for fsspec; the lock is an object beside it.
    options : mapping, optional
        fsspec storage options.

    Raises
    ------
    StoreError
        Another process writes to the store, or has taken the lock over meanwhile.
    """
    lock = _Beacon(url, options)
    lock.acquire()
    stop = threading.Event()
    thread = threading.Thread(target=lock.beat, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        lock.release()
    if lock.lost:
        raise StoreError(
            f"another process took over the lock of {url} while this one was at work; "
            "run the same again to check every shard"
        )


class _Beacon:
    """A lock object with an owner and a time."""

    def __init__(self, url: str, options: Mapping[str, Any] | None) -> None:
        import fsspec

        self.url = url.rstrip("/")
        self.fs, path = fsspec.core.url_to_fs(self.url, **dict(options or {}))
        self.path = f"{path}.lock"
        self.owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "id": uuid.uuid4().hex,
        }
        self.lost = False

    def acquire(self) -> None:
        """Create the object; replace one that nobody touches any more."""
        for _ in range(2):
            if self._create():
                return
            holder = self._holder()
            if holder is not None and not _abandoned(holder):
                raise StoreError(
                    f"{self.url} is being written by process {holder.get('pid')} on "
                    f"{holder.get('host')}; wait for it to end (a lock untouched for "
                    f"{ABANDONED:.0f} s is given up), or choose another name"
                )
            self._remove()
        raise StoreError(
            f"{self.url} is being written by another process that started at the same "
            "time; wait for it to end"
        )

    def beat(self, stop: threading.Event) -> None:
        """Touch the object until told to stop."""
        while not stop.wait(BEAT):
            # a network that is away for a moment is no reason to stop writing
            with contextlib.suppress(OSError):
                if not self._mine():
                    self.lost = True
                    return
                self.fs.pipe_file(self.path, self._content())

    def release(self) -> None:
        """Remove the object if it is still ours."""
        if self._mine():
            self._remove()

    def _create(self) -> bool:
        try:
            self.fs.pipe_file(self.path, self._content(), mode="create")
        except FileExistsError:
            return False
        return self._mine()

    def _content(self) -> bytes:
        return json.dumps({**self.owner, "time": time.time()}).encode()

    def _holder(self) -> dict[str, Any] | None:
        self.fs.invalidate_cache()
        try:
            found = json.loads(self.fs.cat_file(self.path))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _mine(self) -> bool:
        holder = self._holder()
        return holder is not None and holder.get("id") == self.owner["id"]

    def _remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self.path)


def _abandoned(holder: Mapping[str, Any]) -> bool:
    """Whether the owner is silent for long, or known to be dead."""
    if time.time() - float(holder.get("time", 0)) > ABANDONED:
        return True
    pid = int(holder.get("pid", 0))
    if holder.get("host") != socket.gethostname() or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
