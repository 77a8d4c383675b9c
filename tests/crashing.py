"""A process that forks children which write stores and die where they are told to.

Run as a script it reads one request per line (JSON) and answers each with one line.
The heavy imports are done once, so that a child costs a tenth of a second.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

#: Whatever changes a folder; each is a point where a process may be killed.
CHANGES = {
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "shutil.rmtree",
}


class Forks:
    """The other end: starts the script, and asks it for children."""

    def __init__(self, log: Path) -> None:
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )

    def __call__(self, work: str, **request: Any) -> dict[str, Any]:
        """Run one child; `kill`, `full`, `after` and `signal` say what befalls it."""
        self.start(work, **request)
        return self.wait()

    def start(self, work: str, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"work": work, **request}) + "\n")
        self.process.stdin.flush()

    def wait(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def serve() -> None:
    import dask.array
    import distributed  # noqa: F401  the command imports it
    import pandas  # noqa: F401
    import pyarrow.csv  # noqa: F401
    import xarray  # noqa: F401
    import zarr.codecs  # noqa: F401

    import gracelstm_xr.cli.commands
    import gracelstm_xr.core.summary
    import gracelstm_xr.store.ingest
    import gracelstm_xr.store.write  # noqa: F401

    dask.array.zeros(1)
    for line in sys.stdin:
        answer = in_child(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def in_child(request: dict[str, Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        status = 99
        try:
            status = work(request, writer)
        finally:
            os._exit(status)
    os.close(writer)
    if request.get("after") is not None:
        threading.Thread(target=shoot, args=(child, request), daemon=True).start()
    with os.fdopen(reader) as stream:
        told = [json.loads(line) for line in stream]
    _, status = os.waitpid(child, 0)
    merged = {key: value for part in told for key, value in part.items()}
    return {"status": os.waitstatus_to_exitcode(status), **merged}


def shoot(child: int, request: dict[str, Any]) -> None:
    time.sleep(request["after"])
    try:
        os.kill(child, request.get("signal", signal.SIGKILL))
    except ProcessLookupError:
        return


def work(request: dict[str, Any], writer: int) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def tell(**facts: Any) -> None:
        os.write(writer, (json.dumps(facts) + "\n").encode())

    if request.get("user"):
        os.setgid(request["user"])
        os.setuid(request["user"])
    events = watch(request)
    writes = fill_disk(request.get("full", 0), once=bool(request.get("once")))
    if request.get("no_exchange"):
        from gracelstm_xr.store import location

        location._swap = lambda *_: None
    try:
        result = WORK[request["work"]](request)
    except (ValueError, OSError, RuntimeError) as error:
        tell(error=type(error).__name__, text=str(error))
        result = {"code": 1}
    tell(events=events[0], writes=writes[0], **result)
    return int(result.get("code", 0))


def watch(request: dict[str, Any]) -> list[int]:
    """Count the changes below a folder, and die at the one asked for."""
    root, last = request.get("root", "\0"), request.get("kill")
    how = request.get("signal", signal.SIGKILL)
    events = [0]
    lock = threading.Lock()

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if not isinstance(args[2], int) or not args[2] & (os.O_WRONLY | os.O_RDWR):
                return
        elif event not in CHANGES:
            return
        path = args[0]
        if isinstance(path, int) or not os.fsdecode(path).startswith(root):
            return
        with lock:
            events[0] += 1
            if events[0] == last:
                os.kill(os.getpid(), how)

    sys.addaudithook(hook)
    return events


def fill_disk(number: int, *, once: bool) -> list[int]:
    """From the n-th write of a chunk or of metadata on, the disk is full; 0 is never.

    Returns the number of writes so far.
    """
    from zarr.storage import _local

    put, writes = _local._put, [0]

    def full(path: Path, value: Any, exclusive: bool = False) -> int:
        writes[0] += 1
        if writes[0] == number or (writes[0] > number > 0 and not once):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return put(path, value, exclusive)

    _local._put = full
    return writes


def ingest(request: dict[str, Any]) -> dict[str, Any]:
    from gracelstm_xr.store.ingest import ingest as put

    done = put(request["sources"], request["store"], **request.get("options", {}))
    return {"shards": done.shards, "files": done.files, "changed": done.changed}


def copy(request: dict[str, Any]) -> dict[str, Any]:
    """Write a Dataset that has to be computed."""
    from gracelstm_xr.store.read import open_store
    from gracelstm_xr.store.write import to_zarr

    ds = open_store(request["sources"])
    ds["lin_accl"] = ds["lin_accl"] * 2.0
    to_zarr(ds, request["store"], shard_days=1, **request.get("options", {}))
    return {}


def fit(request: dict[str, Any]) -> dict[str, Any]:
    """Fit a method without a network and write the model."""
    import gracelstm_xr as gx

    ds = gx.open_store(request["store"])
    model = gx.fit_baseline(ds, method="linear", recipient="B")
    model.save(request["out"])
    return {}


def simulate(request: dict[str, Any]) -> dict[str, Any]:
    from gracelstm_xr.simulate import simulate_archive

    simulate_archive(request["out"], days=1, products="THR1B")
    return {}


def command(request: dict[str, Any]) -> dict[str, Any]:
    """Run the command line; what it says goes to a file."""
    from gracelstm_xr.cli import main

    place = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(place, 1)
    os.dup2(place, 2)
    if "shard_days" in request:
        from gracelstm_xr.store.ingest import ingest as put

        put.__kwdefaults__["shard_days"] = request["shard_days"]
    code = main(request["argv"])
    sys.stdout.flush()
    return {"code": code, "said": Path(request["log"]).read_text()}


WORK = {
    "ingest": ingest,
    "copy": copy,
    "fit": fit,
    "simulate": simulate,
    "command": command,
}

if __name__ == "__main__":
    serve()
