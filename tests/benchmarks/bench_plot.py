"""Figures of a year of 1 Hz twin data: seconds and peak memory of each.

``python tests/benchmarks/bench_plot.py [DAYS]`` writes a store of closed formulas
and noise (made for this, not a simulation of the mission) and draws every figure in a
process of its own. Seconds count from the opening of the store to the written PNG,
after the imports; memory is the peak resident size of the process, imports included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

DAY = 86_400
#: Position on the axis of a one-sample spike and of a one-second gap of A.
SPIKE, HOLE = 7 * DAY + 12_345, 8 * DAY + 54_321
HEIGHT = 2e-6
FIGURES = {
    "series": lambda plot: plot.series(),
    "gaps": lambda plot: plot.gaps(),
    "calendar": lambda plot: plot.calendar(),
    "latitude_time": lambda plot: plot.latitude_time(),
    "ground_track": lambda plot: plot.ground_track(),
    "spectrum": lambda plot: plot.spectrum(),
}


def twin_data(days: int, *, chunk_days: int = 10) -> xr.Dataset:
    """Two satellites at 1 Hz, made block by block: signal, noise, gaps, orbit.

    Satellite A has one spike of 2e-6 m s-2 and, a day later, one second missing; B
    misses an hour in every ten days.
    """
    import dask.array as da

    from gracelstm_xr.core.index import regular_coords
    from gracelstm_xr.core.time import RegularAxis

    size = days * DAY
    chunks = ((1, 1), _chunks(size, chunk_days * DAY), (3,))
    make: dict[str, Any] = {
        "dtype": np.float64,
        "chunks": chunks,
        "meta": np.zeros((0,) * 3),
    }
    dims = ("satellite", "time", "axis")
    axis = RegularAxis(
        np.datetime64("2008-01-01", "ns"), np.timedelta64(10**9, "ns"), size
    )
    ds = xr.Dataset(
        {
            "lin_accl": (dims, da.map_blocks(_accelerations, **make)),
            "position": (dims, da.map_blocks(_positions, **make)),
        },
        coords={"satellite": ["A", "B"], "axis": list("xyz")},
        attrs={"source": "simulated: closed formulas for a benchmark"},
    )
    return ds.assign_coords(regular_coords(axis))


def _chunks(size: int, width: int) -> tuple[int, ...]:
    edges = [*range(0, size, width), size]
    return tuple(np.diff(edges).tolist())


def _accelerations(block_info: Any = None) -> np.ndarray:
    (satellite, _), (first, last), _ = block_info[None]["array-location"]
    t = np.arange(first, last)
    rng = np.random.default_rng([satellite, first])
    phase = 2 * np.pi * t / 5640
    values = np.empty((1, len(t), 3))
    for k, swing in enumerate((8e-8, 2e-8, 1e-8)):
        values[0, :, k] = swing * np.sin((k + 1) * phase + satellite)
    values += 1e-9 * rng.standard_normal(values.shape, dtype=np.float32)
    # as coarse as the digits of the official files, so that it compresses as they do
    values = np.round(values, 14)
    if satellite == 0:
        values[0, t == SPIKE] += HEIGHT
        values[0, t == HOLE] = np.nan
    else:
        values[0, t % (10 * DAY) < 3600] = np.nan
    return values


def _positions(block_info: Any = None) -> np.ndarray:
    """A fix every 5 s, as in GNV1B of GRACE."""
    (satellite, _), (first, last), _ = block_info[None]["array-location"]
    t = np.arange(first, last)
    u = 2 * np.pi * (t + 27.0 * satellite) / 5640
    turn = 2 * np.pi * t / 86_164
    values = 6.86e6 * np.stack(
        [np.cos(u) * np.cos(turn), -np.cos(u) * np.sin(turn), np.sin(u)], axis=-1
    )
    values[t % 5 != 0] = np.nan
    return values[None]


def measure(store: str, name: str) -> dict[str, float]:
    """Seconds and peak memory [MB] of one figure, in a fresh process."""
    command = [sys.executable, __file__, "--one", store, name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(store: str, name: str) -> dict[str, float]:
    """Draw one figure of a store."""
    import matplotlib as mpl

    mpl.use("Agg")
    import dask
    import distributed  # dask looks for a client
    import matplotlib.pyplot as plt
    import zarr

    import gracelstm_xr as gx

    plt.subplots()  # fonts
    assert dask.delayed(int)(1).compute()
    assert distributed
    assert zarr
    begun, busy = time.perf_counter(), time.process_time()
    ds = gx.open_store(store)
    figure = FIGURES[name](ds.grace.plot).figure
    figure.savefig(Path(store).parent / f"{name}.png")
    return {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - busy,
        "peak_mb": peak_memory(),
    }


def peak_memory() -> float:
    """Largest resident size of this process so far [MB]; 0 where it is not told.

    Not that of ``getrusage``, which a process takes over from its parent.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return max(
        [int(x.split()[1]) / 1024 for x in lines if x.startswith("VmHWM")] or [0]
    )


def table(results: dict[str, dict[str, float]]) -> str:
    """Markdown table."""
    lines = [
        "| figure | seconds | CPU seconds | peak memory [MB] |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {r['seconds']:.1f} | {r['cpu_seconds']:.1f} | {r['peak_mb']:.0f} |"
        for name, r in results.items()
    ]
    return "\n".join(lines)


def main(days: int) -> None:
    """Write the store, draw every figure, print the table."""
    with tempfile.TemporaryDirectory() as folder:
        store = os.environ.get("BENCH_PLOT_STORE", str(Path(folder) / "year.zarr"))
        if not Path(store).exists():
            twin_data(days).grace.to_zarr(store)
        print(f"{days} days of 1 Hz data of two satellites, closed formulas and noise")
        print(table({name: measure(store, name) for name in FIGURES}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*sys.argv[2:4])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 366)
