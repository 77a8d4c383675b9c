"""What filling costs: G8, G9, and a long archive with few gaps.

``python tests/benchmarks/bench_fill.py [DAYS]`` prints ratios from one run; only these
count, machines differ. All data are simulated: some days of both GRACE satellites,
repeated. The network has the default size and hardly any training, which costs the
same.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr import open_archive
from gracelstm_xr.core.index import axis_of, regular_coords
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.filling.fill import fill
from gracelstm_xr.filling.fit import fit
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.simulate import simulate_archive

DAY = 86_400
FILLED = "lin_accl_filled"


def archive(folder: Path, days: int) -> xr.Dataset:
    """Some simulated days without gaps, in memory."""
    simulate_archive(folder, days=days, gaps=None, layout="files", seed=1)
    return open_archive(folder).load()


def repeated(ds: xr.Dataset, days: int) -> xr.Dataset:
    """The same days again and again, lazily, in chunks of a day."""
    axis = axis_of(ds)
    times = -(-days * DAY // axis.size)
    longer = RegularAxis(axis.start, axis.step, days * DAY)
    lazy = ds.drop_vars("time").chunk(time=DAY)
    tiled = xr.concat([lazy] * times, dim="time", data_vars="minimal")
    return tiled.isel(time=slice(0, longer.size)).assign_coords(regular_coords(longer))


def with_gaps(ds: xr.Dataset, every: int, first: int, past: int) -> xr.Dataset:
    """Recipient B missing from second ``first`` to ``past`` of every n-th day."""
    second = np.arange(ds.sizes["time"])
    hidden = (second // DAY % every == 0) & (second % DAY >= first)
    hidden &= second % DAY < past
    gap = xr.DataArray(hidden, dims="time").chunk(time=DAY)
    gone = gap & (ds["satellite"] == "B")
    accl = ds["lin_accl"].where(~gone).transpose(*ds["lin_accl"].dims)
    return ds.assign(lin_accl=accl)


def small_model(ds: xr.Dataset) -> FittedModel:
    """Network of the default size after one short epoch."""
    return fit(ds, recipient="B", epochs=1, windows_per_epoch=64, seed=0)


def seconds(work: Callable[[], Any], *, times: int = 3) -> float:
    """Shortest of some runs [s]."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def series_against_windows(model: FittedModel, *, days: int = 4) -> dict[str, float]:
    """G8: a whole series at once, one window per step, and the bare function.

    The bare function is handed the same windows, cut beforehand.
    """
    import tensorflow as tf

    from gracelstm_xr.lstm.channels import (
        Channels,
        Windows,
        window_batch,
        window_starts,
    )
    from gracelstm_xr.lstm.kerasfile import load_network
    from gracelstm_xr.lstm.predict import predict_steps
    from gracelstm_xr.lstm.settings import PREDICTION_BATCH as BATCH

    network = load_network(model.networks["twin"].members[0])
    window, size = model.settings.window, days * DAY // 10
    count = network.inputs[0].shape[-1] - 6
    rng = np.random.default_rng(0)
    static = rng.normal(size=(size, count)).astype(np.float32)
    none = np.zeros((size, 3), dtype=np.float32)
    channels = Channels(static, none, none)
    wanted = np.ones(size, dtype=bool)

    def series() -> None:
        predict_steps(channels, wanted, 0, "twin", model.predict, window)

    bare = tf.function(lambda x: network(x, training=False), jit_compile=True)
    starts = window_starts(wanted, 0, window, window // 2)
    cut = Windows(channels, np.resize(starts, -(-len(starts) // BATCH) * BATCH), window)
    batches = [cut[i : i + BATCH] for i in range(0, len(cut), BATCH)]
    some = window_batch(channels, np.arange(4 * BATCH), window)

    def alone() -> None:
        model.predict("twin", some)

    def function() -> None:
        for batch in batches:
            bare(tf.constant(batch)).numpy()

    for work in (series, alone, function):
        work()
    # by turns: the machine's speed changes while it is measured
    took, whole = np.transpose(
        [[seconds(work, times=1) for work in (series, function)] for _ in range(31)]
    )
    each = seconds(alone) / len(some)
    return {
        "times per-window": each * size / float(np.median(took)),
        "of the bare function": float(np.median(whole / took)),
    }


def through_dask(ds: xr.Dataset, model: FittedModel) -> dict[str, float]:
    """G9: a fill through xarray and Dask against the same calls in a loop."""
    from gracelstm_xr.baselines.start import CONTEXT
    from gracelstm_xr.compute.blocks import gps_seconds
    from gracelstm_xr.filling.fill import _fill_days
    from gracelstm_xr.filling.surroundings import halo_of
    from gracelstm_xr.physics.frames import frame_inputs

    context = CONTEXT + model.settings.window * model.settings.step
    pad = round(halo_of(context))
    pair = model.recipients["B"].pair
    inputs = {k: v.values for k, v in frame_inputs(ds, pair).items()}
    t = gps_seconds(ds, slice(None))
    size = len(t)

    def bare() -> None:
        for low in range(0, size, 4 * DAY):
            past = min(low + 4 * DAY, size)
            a, b = max(low - pad, 0), min(past + pad, size)
            arrays = {k: v[a:b] for k, v in inputs.items()}
            days = [slice(s - a, s + DAY - a) for s in range(low, past, DAY)]
            _fill_days(t[a:b], arrays, days, model, "B", None, context)

    lazy = fill(ds.chunk(time=DAY), model)[FILLED].sel(satellite="B")
    bare()
    took = seconds(bare, times=2)
    return {
        f"{n} threads": took
        / seconds(lambda n=n: lazy.compute(scheduler="threads", num_workers=n), times=2)
        for n in (1, 2)
    }


def counted(
    ds: xr.Dataset, model: FittedModel, *, method: str | None = None
) -> dict[str, float]:
    """Fill B: days that were filled, windows predicted, and seconds it took."""
    from gracelstm_xr.filling import recipient
    from gracelstm_xr.lstm import trained

    kinds = {"days": recipient.Recipient, "windows": trained.TrainedNetwork}
    kept = recipient.Recipient.fill, trained.TrainedNetwork.predict
    found: dict[str, list[int]] = {kind: [] for kind in kinds}

    def filled(self: Any, *args: Any, **options: Any) -> Any:
        found["days"].append(1)
        return kept[0](self, *args, **options)

    def predicted(self: Any, windows: Any) -> Any:
        found["windows"].append(len(windows))
        return kept[1](self, windows)

    recipient.Recipient.fill = filled  # type: ignore[method-assign]
    trained.TrainedNetwork.predict = predicted  # type: ignore[method-assign]
    try:
        lazy = fill(ds, model, method=method)[FILLED].sel(satellite="B")
        begun = time.perf_counter()
        lazy.sum().compute(scheduler="threads", num_workers=2)
        spent = time.perf_counter() - begun
    finally:
        recipient.Recipient.fill = kept[0]  # type: ignore[method-assign]
        trained.TrainedNetwork.predict = kept[1]  # type: ignore[method-assign]
    return {"seconds": spent, **{kind: sum(n) for kind, n in found.items()}}


def few_gaps(ds: xr.Dataset, model: FittedModel, days: int) -> dict[str, float]:
    """An archive with one percent missing against the same nearly all missing."""
    whole = repeated(ds, days)
    cases = {
        "1 % missing": with_gaps(whole, 4, 36_000, 39_600),
        "23 h a day missing": with_gaps(whole, 1, 0, DAY - 3600),
        "none missing": whole,
    }
    found = {}
    for name, case in cases.items():
        for kind, value in counted(case, model).items():
            found[f"{name}, {kind} per day"] = value / days
    return found


def main(days: int = 24) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        ds = archive(Path(folder) / "archive", 4)
        model = small_model(with_gaps(ds, 2, 36_000, 39_600))
        for title, table in {
            "G8, a series at once": series_against_windows(model),
            "G9, through xarray and Dask": through_dask(
                with_gaps(repeated(ds, 16), 1, 30_000, 52_000).load(), model
            ),
            f"{days} days": few_gaps(ds, model, days),
        }.items():
            print(title)
            for name, value in table.items():
                print(f"  {name:32s} {value:8.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
