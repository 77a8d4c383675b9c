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
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gracelstm_xr.core.remote import files_at, network_errors, reached
from gracelstm_xr.errors import StoreError
from gracelstm_xr.process import ended, machine, started

#: Seconds between two touches of a remote lock, and after which it is abandoned.
BEAT = 20.0
ABANDONED = 120.0
#: Seconds in which all who take over an abandoned lock at the same time have done so.
SETTLE = 2.0


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
    with reached(url):
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
        self.url = url.rstrip("/")
        self.fs, path = files_at(self.url, options)
        self.path = f"{path}.lock"
        self.owner = {**_this_process(), "id": uuid.uuid4().hex}
        self.lost = False

    def acquire(self) -> None:
        """Create the object; take over one that nobody touches any more."""
        if self._create():
            return
        holder = self._holder() or {}
        if self._given_up(holder) and self._take_over():
            return
        holder = self._holder() or holder
        raise StoreError(
            f"{self.url} is being written by process {holder.get('pid')} on "
            f"{holder.get('host')}; wait for it to end (a lock untouched for "
            f"{ABANDONED:.0f} s is given up), or choose another name"
        )

    def _given_up(self, holder: Mapping[str, Any]) -> bool:
        """Whether the owner is known to be dead, or silent for long."""
        if _dead(holder):
            return True
        if time.time() - float(holder.get("time", 0)) <= ABANDONED:
            return False
        # clocks differ between machines: see whether it is really silent
        time.sleep(1.5 * BEAT)
        return self._holder() in (None, dict(holder))

    def _take_over(self) -> bool:
        """Overwrite the object; of several who do so the last has it."""
        self.fs.pipe_file(self.path, self._content())
        time.sleep(SETTLE)
        return self._mine()

    def beat(self, stop: threading.Event) -> None:
        """Touch the object until told to stop."""
        while not stop.wait(BEAT):
            # a network that is away for a moment is no reason to stop writing
            with contextlib.suppress(OSError, *network_errors()):
                if not self._mine():
                    self.lost = True
                    return
                self.fs.pipe_file(self.path, self._content())

    def release(self) -> None:
        """Remove the object if it is still ours."""
        with contextlib.suppress(OSError, *network_errors()):
            if self._mine():
                self.fs.rm_file(self.path)

    def _create(self) -> bool:
        try:
            self.fs.pipe_file(self.path, self._content(), mode="create")
        except FileExistsError:
            return False
        return self._mine()

    def _content(self) -> bytes:
        return json.dumps({**self.owner, "time": time.time()}).encode()

    def _holder(self) -> dict[str, Any] | None:
        try:
            holder = json.loads(self.fs.cat_file(self.path))
        except (FileNotFoundError, ValueError):
            return None
        return holder if isinstance(holder, dict) else None

    def _mine(self) -> bool:
        holder = self._holder()
        return holder is not None and holder.get("id") == self.owner["id"]


def _this_process() -> dict[str, Any]:
    """What tells this process from all others, as far as the system says."""
    pid = os.getpid()
    return {**machine(), "pid": pid, "start": started(pid)}


def _dead(holder: Mapping[str, Any]) -> bool:
    """Whether the owner ran on this machine and does no longer."""
    here = machine()
    if any(holder.get(name) != here[name] for name in here):
        return False
    return ended(int(holder.get("pid", 0)), int(holder.get("start", 0)))
