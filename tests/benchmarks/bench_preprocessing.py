"""Cost of preparing data: cleaning, features and transplant against plain reading.

``python tests/benchmarks/bench_preprocessing.py [DAYS]`` simulates an archive of both
satellites, puts it into a store, and computes in fresh processes of two threads. Every
result is reduced to its sum, so that nothing but the work itself stays in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from bench_reading import Ratio

CHILD = """
import json, resource, sys, time
import dask, numpy, pandas, scipy.signal, zarr
import gracelstm_xr as gx
import gracelstm_xr.baselines.transplant, gracelstm_xr.physics.features
import gracelstm_xr.preprocess.clean

def total(ds):
    floats = [v for v in ds.data_vars.values() if v.dtype.kind in "fu"]
    return [v.sum(dtype="f8") for v in floats]

store, what = sys.argv[1:]
ds = gx.open_store(store)
begin = time.perf_counter()
with dask.config.set(scheduler="threads", num_workers=2):
    if what == "read":
        dask.compute(*total(ds))
    else:
        clean = ds.grace.clean() if "clean" in what else ds
        wanted = []
        if "clean" in what:
            wanted += total(clean[["acc_cleanflg"]])
        if "features" in what:
            wanted += total(clean.grace.features())
        if "transplant" in what:
            wanted += total(clean.grace.transplant(donor="A", recipient="B"))
        dask.compute(*wanted)
wall = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps([wall, peak]))
"""


def run(store: Path, what: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(store), what],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    wall, peak = json.loads(done.stdout.splitlines()[-1])
    return float(wall), float(peak)


def measure(days: int = 30) -> tuple[list[Ratio], list[str]]:
    """Ratios, and lines with the numbers behind them."""
    import gracelstm_xr as gx

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gx.simulate_archive(folder / "archive", days=days, seed=0)
        gx.ingest(folder / "archive", folder / "a.zarr")
        parts = ("read", "clean", "features", "transplant", "clean features transplant")
        runs: dict[str, Any] = {what: run(folder / "a.zarr", what) for what in parts}
    wall, peak = runs[parts[-1]]
    ratios = [
        Ratio(
            "all of it / reading the same from Zarr", wall / runs["read"][0], 30, False
        ),
        Ratio(f"{days} days [s] / (2 s a day)", wall / (2 * days), 1, False),
        Ratio("peak memory [GB]", peak / 1e3, 3, False),
    ]
    lines = [f"{k:<28}{w:7.1f} s {p:6.0f} MB" for k, (w, p) in runs.items()]
    return ratios, lines


if __name__ == "__main__":
    found, said = measure(*map(int, sys.argv[1:2]))
    for item in [*found, *said]:
        print(item)
