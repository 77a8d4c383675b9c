"""Training: peak memory over the length of the archive, and speed beside keras.fit.

``python tests/benchmarks/bench_training.py [--speed | DAYS...]`` prints both, or the
speed alone; the data are formulas. Memory is the peak of a process of its own above
what imports and one batch of the network take. The speed is that of our loop over that
of ``keras.Model.fit`` on the same windows held in memory, same model and batches (goal
G7: 0.95), and once more with what ``keras.Model.fit`` does not do: gaps are hidden anew
for the next epoch, and its start is worked out, while the network trains.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

REVOLUTION = 5640.0
LAG = 27.0
BLOCK = 4 * 86_400
#: Every stretch of a year is visited in this many epochs.
OPTIONS = {"epochs": 8, "windows_per_epoch": 256, "patience": None, "seed": 1}


def archive(days: int, *, step: int = 1) -> xr.Dataset:
    """Lazy twin with orbits every ``step`` s, block by block from formulas."""
    import dask.array as da

    from gracelstm_xr.core.conventions import attributes_of
    from gracelstm_xr.core.index import regular_coords
    from gracelstm_xr.core.time import RegularAxis

    size, each = 86_400 * days // step, np.timedelta64(step * 10**9, "ns")
    axis = RegularAxis(np.datetime64("2008-01-01", "ns"), each, size)
    seconds = step * da.arange(size, chunks=BLOCK // step, dtype=np.float64)
    dims = ("satellite", "time", "axis")
    chunks = ((1,), seconds.chunks[0], (3,))
    shape = {"chunks": chunks, "dtype": np.float64, "new_axis": [0, 2]}
    makers = {"lin_accl": _series, "position": _place, "velocity": _speed}
    found: dict[str, Any] = {}
    for name, make in makers.items():
        parts = [da.map_blocks(make, seconds, k, **shape) for k in range(2)]
        found[name] = (dims, da.concatenate(parts, axis=0), attributes_of(name))
    coords = {"satellite": ["A", "B"], "axis": ["x", "y", "z"]}
    ds = xr.Dataset(found, coords=coords).assign_coords(regular_coords(axis))
    return ds.assign_attrs(source="formulas")


def _series(t: np.ndarray, which: int) -> np.ndarray:
    here = t + which * LAG
    phase = 2 * np.pi * here / REVOLUTION
    slow = 1e-8 * np.sin(2 * np.pi * here / 40_000.0)
    sign = (1.0, -1.0)[which]
    made = np.stack(
        [
            sign * (4e-8 * np.sin(phase) + slow),
            sign * 2e-8 * np.cos(2 * phase),
            1e-8 * np.sin(phase + 1) + slow,
        ],
        axis=-1,
    )
    noise = np.random.default_rng([which, int(t[0])]).standard_normal(made.shape)
    return (made + 1e-6 + 1e-10 * noise)[None]


def _angles(t: np.ndarray, which: int) -> tuple[np.ndarray, np.ndarray]:
    here = t + which * LAG
    return 2 * np.pi * here / REVOLUTION, -2 * np.pi * here / 86_164.0


def _place(t: np.ndarray, which: int) -> np.ndarray:
    angle, node = _angles(t, which)
    across = np.cos(angle)
    parts = [across * np.cos(node), across * np.sin(node), np.sin(angle)]
    return 6.858e6 * np.stack(parts, axis=-1)[None]


def _speed(t: np.ndarray, which: int) -> np.ndarray:
    return _place(t + 0.5, which) - _place(t - 0.5, which)


def peak(days: int, options: dict[str, Any]) -> tuple[float, float, float]:
    """Peak memory [MB] above imports and time [s]; for a child.

    Memory when the networks are trained, and after held-out gaps were scored, too.
    """
    import keras

    import gracelstm_xr.lstm as lstm
    from gracelstm_xr.filling import fit as fitting
    from gracelstm_xr.lstm.network import build_network, compile_network

    settings = lstm.Settings()
    network = build_network(40, settings)
    compile_network(network, settings, steps=10)
    size = (settings.batch_size, settings.window)
    network.train_on_batch(np.zeros((*size, 40), "f4"), np.zeros((*size, 6), "f4"))
    del network
    keras.utils.clear_session()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, trained = time.perf_counter(), 0
    calibrated = fitting._calibrated

    def note(*args: Any, **keywords: Any) -> Any:
        nonlocal trained
        trained = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        spent = time.perf_counter() - begun
        print(
            f"networks of {days} days: {(trained - before) / 1e3:.0f} MB, "
            f"{spent:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        return calibrated(*args, **keywords)

    fitting._calibrated = note
    lstm.fit(archive(days), **options)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = time.perf_counter() - begun
    return (trained - before) / 1e3, (after - before) / 1e3, spent


def measure_memory(days: list[int], options: dict[str, Any]) -> dict[int, float]:
    """Peaks [MB] by days, each in a process of its own."""
    found = {}
    for count in days:
        text = json.dumps([count, options])
        made = subprocess.run(
            [sys.executable, __file__, "--child", text],
            check=True,
            stdout=subprocess.PIPE,
        )
        trained, whole, seconds = json.loads(made.stdout.splitlines()[-1])
        found[count] = whole
        print(
            f"{count:>5} days: {trained:6.0f} MB above imports to train, "
            f"{whole:6.0f} MB for all of fit, {seconds:.0f} s",
            flush=True,
        )
    return found


def measure_speed(
    windows: int = 2048,
    rounds: int = 9,
    *,
    days: int = 10,
    step: int = 1,
    **change: Any,
) -> dict[str, list[float]]:
    """Windows per second over those of keras.fit in memory, sorted.

    Of our loop alone, and with the masking of the next epoch; that costs the same for
    any number of windows (2048 is the default of `fit`) and more for more days, up to
    46.
    """
    from gracelstm_xr.lstm.network import build_network, compile_network

    with tempfile.TemporaryDirectory() as folder:
        ds = archive(days, step=step)
        job = _job(ds, Path(folder), windows, rounds + 1, change)
        source, settings = job.source(0), job.settings
        epoch = source.epoch(0)
        batches = [epoch.batch(k) for k in range(epoch.batches)]
        x, y = (np.concatenate([b[i] for b in batches]) for i in (0, 1))
        network = build_network(x.shape[2], settings)
        compile_network(network, settings, steps=10_000)
        network.train_on_batch(*batches[0])
        size = settings.batch_size
        network.fit(x[:size], y[:size], batch_size=size, verbose=0)
        found: dict[str, list[float]] = {"alone": [], "with masking": []}

        def ours() -> None:
            for k in range(epoch.batches):
                network.train_on_batch(*epoch.batch(k))

        def masking(number: int) -> None:
            coming = pool.submit(source.epoch, number)
            ours()
            coming.result()

        with ThreadPoolExecutor(1) as pool:
            for number in range(1, rounds + 1):
                took = []
                for work in (
                    lambda: network.fit(x, y, batch_size=size, verbose=0),
                    ours,
                    partial(masking, number),
                ):
                    begun = time.perf_counter()
                    work()
                    took.append(time.perf_counter() - begun)
                for ratios, spent in zip(found.values(), took[1:], strict=True):
                    ratios.append(took[0] / spent)
    return {name: sorted(ratios) for name, ratios in found.items()}


def _job(
    ds: xr.Dataset, folder: Path, windows: int, epochs: int, change: dict[str, Any]
) -> Any:
    """What `fit` hands to the training of the twin track."""
    from gracelstm_xr.filling import fit as fitting

    kept: list[Any] = []

    class Enough(Exception):
        pass

    def stop(jobs: list[Any], **_: Any) -> None:
        kept.extend(jobs)
        raise Enough

    original, fitting.train_all = fitting.train_all, stop
    options = {"windows_per_epoch": windows, "epochs": epochs, **change}
    try:
        fitting.fit(ds, checkpoint=folder, **options)
    except Enough:
        pass
    finally:
        fitting.train_all = original
    return kept[0]


def main(arguments: list[str]) -> None:
    """Print speed and memory, or what a child of this file was asked for."""
    if arguments[:1] == ["--child"]:
        print(json.dumps(peak(*json.loads(arguments[1]))))
    else:
        # first: a child's peak begins at what its parent held when it was born
        days = [int(a) for a in arguments if a != "--speed"] or [30, 90, 365]
        measure_memory([] if "--speed" in arguments else days, OPTIONS)
        for count in (10, 20):
            for name, ratios in measure_speed(days=count).items():
                print(
                    f"training on {count} days, {name}: {np.median(ratios):.2f} x the "
                    f"windows per second of keras.fit ({ratios[0]:.2f} to "
                    f"{ratios[-1]:.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
