"""Cost of an archive: memory, workers, days, as ratios and slopes of one run.

``python tests/benchmarks/bench_archive.py [SECONDS [DAYS]]`` makes Level-1B files of
both satellites (ACC1B, GNV1B, SCA1B, THR1B), ingests them in fresh processes, and
prints the ratios beside their goals and the numbers that the documentation projects
to whole missions from. Values are made up; file formats and sizes are those of GRACE.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from archives import columns
from bench_reading import START, Ratio, day

from gracelstm_xr import l1b

PRODUCTS = ("ACC1B", "GNV1B", "SCA1B", "THR1B")

#: What a fresh process does: ingest, and report its own time and memory.
CHILD = """
import json, resource, sys, threading, time
import dask
import gracelstm_xr as gx
from gracelstm_xr.compute import cluster
source, store, how, workers, days = sys.argv[1:]
import distributed, zarr, pandas, pyarrow.csv  # the imports are not what is measured

def size():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

def main():
    before, top = size(), [0.0]
    stop = threading.Event()
    def watch():
        while not stop.wait(0.01):
            top[0] = max(top[0], size())
    threading.Thread(target=watch, daemon=True).start()
    local = {"scheduler": how, "num_workers": int(workers)} if how != "cluster" else {}
    count = int(workers) if how == "cluster" else None
    with dask.config.set(**local), cluster.client(workers=count):
        begin = time.perf_counter()
        done = gx.ingest(source, store, shard_days=int(days))
        wall = time.perf_counter() - begin
    stop.set()
    print(json.dumps({"wall": wall, "memory": max(top[0], size()), "before": before,
                      "read": done.read, "files": done.files, "days": done.days}))

if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True)
class Run:
    """One ingest in a fresh process: seconds, megabytes, bytes read, days."""

    wall: float
    memory: float
    before: float
    read: int
    files: int
    days: int


def make_files(folder: Path, count: int, days: int, first: int = 0) -> Path:
    """Write `days` days of `count` records per product and satellite."""
    folder.mkdir(exist_ok=True)
    for number in range(first, first + days):
        date = str(np.datetime64(START) + number)
        for satellite in "AB":
            for product in PRODUCTS:
                step = {"SCA1B": 5, "THR1B": 240}.get(product, 1)
                found = (
                    day(satellite, count, date)
                    if product == "ACC1B"
                    else columns(product, date, range(0, count, step))
                )
                name = f"{product}_{date}_{satellite}_02.dat"
                options: dict[str, Any] = {"satellite": satellite, "release": "02"}
                data = l1b.encode(product, found, format="binary", name=name, **options)
                (folder / name).write_bytes(data)
    return folder


def ingest(
    source: Path, store: Path, how: str, workers: int, shard_days: int = 10
) -> Run:
    """Ingest in a fresh process."""
    script = store.parent / "child.py"
    script.write_text(CHILD)
    arguments = [str(source), str(store), how, str(workers), str(shard_days)]
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        check=True,
        text=True,
    )
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def memory(folder: Path, few: Path, many: Path) -> tuple[list[Ratio], Run, Run]:
    """Memory of the main process, with few and with many days, on two threads.

    In shards of five days, so that ten days keep both threads busy as a hundred do.
    """
    small = ingest(few, folder / "few.zarr", "threads", 2, 5)
    large = ingest(many, folder / "many.zarr", "threads", 2, 5)
    name = f"memory, {large.days} days / {small.days} days"
    return (
        [
            Ratio(name, large.memory / small.memory, 1.1, False),
            Ratio("memory with many days [GB]", large.memory / 1e3, 1.5, False),
        ],
        small,
        large,
    )


def workers(folder: Path, source: Path) -> tuple[list[Ratio], dict[str, Run]]:
    """Two processes against one, and the ways to work without a cluster."""
    runs = {
        f"{how} {count}": ingest(source, folder / f"{how}{count}.zarr", how, count)
        for how, count in (
            ("cluster", 1),
            ("cluster", 2),
            ("threads", 1),
            ("threads", 2),
            ("processes", 2),
        )
    }
    speed = runs["cluster 1"].wall / runs["cluster 2"].wall
    return [Ratio("2 worker processes / 1", speed, 1.6, True)], runs


def days(folder: Path, few: Path, many: Path) -> tuple[list[Ratio], Run, Run]:
    """Cost of a day, with few and with many days of short files."""
    small = ingest(few, folder / "days_few.zarr", "threads", 2)
    large = ingest(many, folder / "days_many.zarr", "threads", 2)
    per_day = (large.wall / large.days) / (small.wall / small.days)
    name = f"cost of a short day, {large.days} days / {small.days} days"
    return [Ratio(name, per_day, 1.25, False)], small, large


def measure(
    count: int = 86_400, many: int = 100, short: int = 1000
) -> tuple[list[Ratio], list[str]]:
    """Every ratio, and lines with the numbers behind them."""
    few = max(many // 10, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = make_files(folder / "few", count, few)
        large = make_files(folder / "many", count, many)
        ratios, one, two = memory(folder, small, large)
        more, runs = workers(folder, make_files(folder / "some", count, 4 * few))
        brief = make_files(folder / "brief", min(count, 60), max(short // 100, 1))
        long = make_files(folder / "long", min(count, 60), short)
        last, three, four = days(folder, brief, long)
        stored = sum(
            p.stat().st_size for p in (folder / "many.zarr").rglob("*") if p.is_file()
        )
    lines = [
        f"whole days: {two.wall / two.days:.3f} s a day on 2 threads, "
        f"{two.read / two.wall / 1e6:.0f} MB/s; a day is {two.files / two.days:.0f} "
        f"files, {two.read / two.days / 1e6:.1f} MB, {stored / many / 1e6:.1f} stored",
        f"memory: {one.memory:.0f} MB with {one.days} days, {two.memory:.0f} MB with "
        f"{two.days}; {two.before:.0f} MB before",
        *(f"{k:<12} {r.wall:6.1f} s, {r.memory:5.0f} MB" for k, r in runs.items()),
        f"short days: {1e3 * three.wall / three.days:.1f} ms a day of {three.days}, "
        f"{1e3 * four.wall / four.days:.1f} ms of {four.days}",
    ]
    return [*ratios, *more, *last], lines


if __name__ == "__main__":
    found, said = measure(*map(int, sys.argv[1:4]))
    for item in [*found, *said]:
        print(item)
