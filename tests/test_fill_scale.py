"""Filling long archives: the same bits however it runs, and only where gaps are."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from test_cluster import Cluster, wait_until

import gracelstm_xr as gx
from gracelstm_xr.lstm import FittedModel, fill
from gracelstm_xr.lstm import surroundings as around
from gracelstm_xr.lstm.track import CONTEXT

pytestmark = pytest.mark.lstm
NAMES = ["lin_accl_filled", "lin_accl_filled_sigma", "lin_accl_fill_method"]


@pytest.fixture(scope="module")
def store(twin_lazy: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five days, in shards of a day."""
    place = tmp_path_factory.mktemp("store") / "twin.zarr"
    twin_lazy.load().grace.to_zarr(place, shard_days=1)
    return place


@pytest.fixture(scope="module")
def expected(store: Path, model: FittedModel) -> xr.Dataset:
    found = fill(gx.open_store(store), model)[NAMES].sel(satellite="B")
    return found.compute(scheduler="synchronous")


def same_bits(found: xr.Dataset, expected: xr.Dataset) -> None:
    for name in NAMES:
        assert found[name].values.tobytes() == expected[name].values.tobytes(), name


@pytest.mark.parametrize("chunks", [50_000, 86_400, 130_000, 3 * 86_400, -1])
def test_the_same_bits_on_any_chunks_and_threads(
    store: Path, model: FittedModel, expected: xr.Dataset, chunks: int
) -> None:
    ds = gx.open_store(store).chunk(time=chunks)
    lazy = fill(ds, model)[NAMES]
    # written shard by shard without a task that serves two of them
    assert lazy["lin_accl_filled"].chunksizes["time"] == ds.chunksizes["time"]
    found = lazy.sel(satellite="B").compute(scheduler="threads", num_workers=4)
    same_bits(found, expected)


def test_the_same_bits_in_memory(
    store: Path, model: FittedModel, expected: xr.Dataset
) -> None:
    ds = gx.open_store(store).load()
    # arrays in another order of memory
    accl = np.asfortranarray(ds["lin_accl"].values)
    ds = ds.assign(lin_accl=(ds["lin_accl"].dims, accl, ds["lin_accl"].attrs))
    same_bits(fill(ds, model)[NAMES].sel(satellite="B").compute(), expected)


SCRIPT = """
import sys
import gracelstm_xr as gx
ds = gx.open_store(sys.argv[1])
found = ds.grace.fill(gx.load_model(sys.argv[2]))[sys.argv[4:]].sel(satellite="B")
print(found.lin_accl_filled.data.name)
found.drop_attrs().drop_encoding().drop_vars("time").to_netcdf(sys.argv[3])
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_same_bits_with_other_threads_of_blas_and_tensorflow(
    store: Path, model: FittedModel, expected: xr.Dataset, tmp_path: Path, threads: str
) -> None:
    path = model.save(tmp_path / "m.gracelstm")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads)}
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT, store, path, tmp_path / "o.nc", *NAMES],
        env=environment, check=True, timeout=300, capture_output=True, text=True,
    ).stdout  # fmt: skip
    with xr.open_dataset(tmp_path / "o.nc") as found:
        same_bits(found, expected)
    lazy = fill(gx.open_store(store), model)["lin_accl_filled"].sel(satellite="B")
    assert said.strip() == lazy.data.name


def test_names_follow_from_what_goes_in(store: Path, model: FittedModel) -> None:
    def name(ds: xr.Dataset, *args: Any, **options: Any) -> str:
        return str(fill(ds, *args, **options)["lin_accl_filled"].data.name)

    ds = gx.open_store(store)
    first = name(ds, model)
    assert name(gx.open_store(store), model) == first
    others = {
        name(ds.isel(time=slice(0, 86_400)), model),
        name(ds.isel(time=slice(86_400, 172_800)), model),
        name(ds.chunk(time=100_000), model),
        name(ds, model, method="linear"),
        name(ds, method="linear"),
        name(ds, method="hold"),
    }
    assert len(others | {first}) == 7
    assert name(ds, method="linear") == name(gx.open_store(store), method="linear")
    # series in memory are known by their content
    one, two = ds.isel(time=slice(0, 3000)).load(), ds.isel(time=slice(0, 3000)).load()
    assert name(one, model) == name(two, model)
    two["lin_accl"][1, 1500, 0] = 0.0
    assert name(one, model) != name(two, model)


class Count:
    """Calls of a function, with what they were about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        original = getattr(owner, name)
        self.sizes: list[int] = []

        def counted(*args: Any, **options: Any) -> Any:
            found = original(*args, **options)
            self.sizes.append(len(found))
            return found

        monkeypatch.setattr(owner, name, counted)


def test_only_gaps_cost_anything(
    store: Path, model: FittedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No covariate and no window where nothing is missing."""
    from gracelstm_xr.lstm import prediction

    ds = gx.open_store(store)
    whole = ds["lin_accl"].load().copy(deep=True)
    whole = whole.fillna(whole.mean("time"))
    thin = Count(monkeypatch, around, "thin_frame")
    native = Count(monkeypatch, around, "build_frame")
    windows = Count(monkeypatch, prediction, "window_batch")
    nothing = ds.assign(lin_accl=whole.chunk(time=86_400))
    fill(nothing, model)["lin_accl_filled"].compute(scheduler="synchronous")
    assert thin.sizes == native.sizes == windows.sizes == []
    # ten minutes in the first of five days
    gap = whole.copy(deep=True)
    gap[1, 30_000:30_600] = np.nan
    ds = ds.assign(lin_accl=gap.chunk(time=86_400))
    fill(ds, model, method="lstm")["lin_accl_filled"].compute(scheduler="synchronous")
    context = CONTEXT + model.settings.window * model.settings.step
    assert thin.sizes == [8640] * min(1 + int(np.ceil(context / 86_400)), 5)
    assert sum(native.sizes) == 600 + 2 * 900
    # 76 steps of 10 s with windows of 36 every 18 steps
    assert sum(windows.sizes) in (6, 7)


RUN = """
import sys
import gracelstm_xr as gx
ds = gx.open_store(sys.argv[1])
ds.grace.fill(gx.load_model(sys.argv[2])).grace.to_zarr(sys.argv[3], shard_days=1)
"""


def test_an_interrupted_fill_goes_on(
    store: Path, model: FittedModel, tmp_path: Path
) -> None:
    """Interrupted after some shards; a new process computes only those missing."""
    import signal
    import time

    path = model.save(tmp_path / "m.gracelstm")
    out = tmp_path / "out.zarr"
    command = [sys.executable, "-c", RUN, store, path, out]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    folder = out.with_name(f".{out.name}.part")
    end = time.monotonic() + 200
    while len(list(folder.glob("manifest/2*/zarr.json"))) < 3:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    records = {p: p.stat().st_mtime_ns for p in folder.glob("manifest/2*/zarr.json")}
    assert 3 <= len(records) < 10
    before = {p.relative_to(folder): p.stat().st_mtime_ns for p in shards(folder)}
    subprocess.run(command, check=True, timeout=300)
    after = {p.relative_to(out): p.stat().st_mtime_ns for p in shards(out)}
    kept = [p for p in before if after.get(p) == before[p]]
    # the last record may have been written in part
    assert len(kept) >= len(records) - 1
    fill(gx.open_store(store), model).grace.to_zarr(tmp_path / "b.zarr", shard_days=1)
    for name in shards(out):
        other = tmp_path / "b.zarr" / name.relative_to(out)
        assert name.read_bytes() == other.read_bytes()


def shards(store: Path) -> list[Path]:
    return [p for p in store.glob("lin_accl_filled*/c/**/*") if p.is_file()]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with contextlib.closing(Cluster(folder)) as found:
        yield found


def count_networks() -> None:
    """On a worker: count the networks that arrive there."""
    from gracelstm_xr.lstm import trained

    def arrived(self: Any, state: dict[str, Any]) -> None:
        trained.arrivals += 1  # type: ignore[attr-defined]
        self.__dict__.update(state)

    trained.arrivals = 0  # type: ignore[attr-defined]
    trained.TrainedNetwork.__setstate__ = arrived  # type: ignore[attr-defined]


def counted() -> tuple[int, int]:
    from gracelstm_xr.lstm import trained

    return trained.arrivals, len(trained._networks)  # type: ignore[attr-defined]


def finished(dask_scheduler: Any) -> list[str]:
    """Addresses of the workers that hold days filled with the network."""
    return [
        worker.address
        for key, task in dask_scheduler.tasks.items()
        if str(key).startswith("fill_days") and task.state == "memory"
        for worker in task.who_has
    ]


@pytest.mark.distributed
def test_weights_travel_once_and_a_worker_dies(
    cluster: Cluster, store: Path, model: FittedModel, expected: xr.Dataset
) -> None:
    import pickle

    import cloudpickle
    from distributed import Client

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ds = gx.open_store(store).sel(satellite=["A", "B"])
    lazy = fill(ds, model)[NAMES].sel(satellite="B")
    weights = sum(len(m) for n in model.networks.values() for m in n.members)
    graph = pickle.dumps(lazy.__dask_graph__())
    assert weights < len(graph) < 2 * weights + 400_000
    workers = [cluster.worker(), cluster.worker()]
    with Client(cluster.address) as client:
        client.wait_for_workers(2)
        client.run(count_networks)
        future = client.compute(lazy)
        wait_until(lambda: client.run_on_scheduler(finished), 200)
        lost = client.run_on_scheduler(finished)[0]
        alive = client.run(counted)
        pids = client.run(os.getpid)
        next(w for w in workers if w.pid == pids[lost]).kill()
        same_bits(future.result(), expected)
        assert client.run(counted).keys() == pids.keys() - {lost}
    for arrivals, built in (alive[lost], *alive.values()):
        assert arrivals <= len(model.networks)
        assert built <= len(model.networks)
    assert alive[lost][1] >= 1


MEMORY = """
import re
import sys
import gracelstm_xr as gx
import dask
dask.config.set(num_workers=2)
ds = gx.open_store(sys.argv[1])
filled = ds.grace.fill(gx.load_model(sys.argv[2]))
if sys.argv[3].endswith(".nc"):
    filled.grace.to_netcdf(sys.argv[3])
else:
    filled.grace.to_zarr(sys.argv[3], shard_days=4)
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_memory_does_not_grow_with_length(
    store: Path, model: FittedModel, tmp_path: Path, suffix: str
) -> None:
    """Of 20 and 80 days of 10 s: four times the data, the same memory."""
    from gracelstm_xr.timebase import RegularAxis, regular_coords

    path = model.save(tmp_path / "m.gracelstm")
    part = gx.open_store(store).isel(time=slice(0, None, 10)).load()
    accl = part["lin_accl"].fillna(part["lin_accl"].mean("time"))
    accl[1, 20_000:20_360] = np.nan
    part = part.assign(lin_accl=accl).drop_vars("time").chunk(time=8640)
    peaks, sizes = [], []
    for times in (4, 16):
        ds = xr.concat([part] * times, dim="time")
        step = np.timedelta64(10 * 10**9, "ns")
        axis = RegularAxis(np.datetime64("2008-01-01", "ns"), step, ds.sizes["time"])
        ds = ds.assign_coords(regular_coords(axis))
        place = tmp_path / f"in{times}.zarr"
        ds.grace.to_zarr(place, shard_days=4)
        said = subprocess.run(
            [sys.executable, "-c", MEMORY, place, path, tmp_path / f"{times}.{suffix}"],
            check=True, timeout=500, capture_output=True, text=True,
        ).stdout  # fmt: skip
        peaks.append(int(said.split()[-1]) / 1024)
        sizes.append(ds.nbytes / 2**20)
    assert sizes[1] - sizes[0] > 200  # [MiB]
    assert peaks[1] - peaks[0] < 80
