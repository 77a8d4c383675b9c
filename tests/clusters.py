"""A Dask cluster of separate processes over TCP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    **os.environ,
    "SOURCE_DATE_EPOCH": "1700000000",
    "OPENBLAS_NUM_THREADS": "1",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s",
    "DASK_DISTRIBUTED__WORKER__PRELOAD": str(
        Path(__file__).with_name("slow_shards.py")
    ),
}


def local_cluster(workers: int = 2, **options: Any) -> Any:
    """Worker processes of one thread; without an address they would take port 8787."""
    from distributed import LocalCluster

    return LocalCluster(
        workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", **options
    )


class Cluster:
    """Processes of ``dask scheduler`` and ``dask worker``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start(
            "scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1",
            "--scheduler-file", str(self.file),
        )  # fmt: skip
        # the file is there before what it says is
        wait_until(lambda: self.file.exists() and self._told())

    @property
    def address(self) -> str:
        found = self._told()
        assert found
        return found[1]

    def _told(self) -> re.Match[str] | None:
        return re.search(r'"address": "(tcp://[^"]+)"', self.file.read_text())

    def worker(self) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", "--no-nanny", "--nthreads", "1", "--no-dashboard",
            "--local-directory", str(self.folder),
            "--scheduler-file", str(self.file),
        )  # fmt: skip

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{len(self.processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
                cwd=self.folder,
            )
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def wait_until(met: Any, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
