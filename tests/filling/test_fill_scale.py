"""Filling long archives: the same bits however it runs, and only where gaps are."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from clusters import Cluster

import gracelstm_xr as gx
from gracelstm_xr.compute import days
from gracelstm_xr.filling.fill import fill
from gracelstm_xr.filling.forecast import forecast
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.filling.recipient import Recipient
from gracelstm_xr.store.manifest import read_records

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


@pytest.mark.parametrize("chunks", [50_000, 130_000])
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


def test_the_same_bits_with_other_threads_of_blas_and_tensorflow(
    store: Path, model: FittedModel, expected: xr.Dataset, tmp_path: Path
) -> None:
    path = model.save(tmp_path / "m.gracelstm")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, "3")}
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
    two["lin_accl"][1, 1500, 0] += 1e-12
    assert name(one, model) != name(two, model)


def test_the_model_travels_once(store: Path, model: FittedModel) -> None:
    """One node of the graph holds the weights, and all other tasks are small."""
    ds = gx.open_store(store).chunk(time=86_400)
    weights = sum(len(m) for n in model.networks.values() for m in n.members)
    for made in (fill(ds, model)[NAMES], forecast(ds, model, horizon="90min")):
        (lazy,) = dask.optimize(made)
        tasks = dict(lazy.__dask_graph__()).values()
        sizes = sorted(len(pickle.dumps(task)) for task in tasks)
        assert len(sizes) > 50
        assert sizes[-1] > weights
        assert sizes[-2] < 10_000


@pytest.mark.slow
@pytest.mark.distributed
def test_the_same_bits_on_workers_of_which_one_dies(
    store: Path,
    model: FittedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from distributed import Client

    def count_loads() -> None:
        from gracelstm_xr.lstm import trained

        keep, trained.loads = trained.load_network, []

        def counted(content: bytes) -> Any:
            trained.loads.append(content)
            return keep(content)

        trained.load_network = counted

    def loads() -> list[bytes]:
        from gracelstm_xr.lstm import trained

        return trained.loads

    def arm(marker: str) -> None:
        """Let whichever process is the first to fill or to forecast die there."""
        from gracelstm_xr.filling import forecast as forecasting
        from gracelstm_xr.filling.recipient import Recipient

        def armed(keep: Any) -> Any:
            def at_work(*args: Any, **options: Any) -> Any:
                with contextlib.suppress(FileExistsError):
                    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
                    os.kill(os.getpid(), signal.SIGKILL)
                return keep(*args, **options)

            return at_work

        Recipient.fill = armed(Recipient.fill)
        forecasting._extend = armed(forecasting._extend)

    monkeypatch.setattr(days, "GROUP", 1)  # a task per day
    ds = gx.open_store(store).chunk(time=86_400)
    span = slice(0, 3 * 86_400)
    # by name: the best of all methods may do without a network
    lazy = fill(ds, model, method="lstm")[NAMES].sel(satellite="B").isel(time=span)
    ahead = forecast(ds, model, horizon="20min")
    here, near = (each.compute(scheduler="synchronous") for each in (lazy, ahead))
    with (
        contextlib.closing(Cluster(tmp_path)) as cluster,
        Client(cluster.address) as client,
    ):
        workers = [cluster.worker(), cluster.worker()]
        client.wait_for_workers(2, timeout=60)
        client.run(count_loads)
        same_bits(lazy.compute(), here)
        xr.testing.assert_identical(ahead.compute(), near)
        # every network at most once per process, whatever the number of tasks
        for found in client.run(loads).values():
            assert 1 <= len(found) == len(set(found)) <= len(model.networks)
        assert all(worker.poll() is None for worker in workers)
        for work, wanted in ((lazy, here), (ahead, near)):
            before = [worker.poll() for worker in workers].count(None)
            client.run(arm, str(tmp_path / f"{work.sizes['time']} steps"))
            xr.testing.assert_equal(work.compute(), wanted)
            after = [worker.poll() for worker in workers]
            assert before == 2
            assert after.count(None) == 1
            assert set(after) == {None, -signal.SIGKILL}
            workers.append(cluster.worker())
            client.wait_for_workers(2, timeout=60)


KILLED = """
import os, signal, sys
import dask
import gracelstm_xr as gx
from gracelstm_xr.store import write as store
from gracelstm_xr.compute import days
source, model, out, end, *names = sys.argv[1:]
# a job in the background of a shell ignores Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)
keep, count = store.write_record, 0
def written(group, record):
    global count
    keep(group, record)
    count += record.name.endswith("-B")
    if count == 2:
        os.kill(os.getpid(), int(end))
store.write_record, days.GROUP = written, 1
ds = gx.open_store(source).grace.fill(gx.load_model(model))[names]
with dask.config.set(scheduler="synchronous"):
    ds.grace.to_zarr(out, shard_days=1)
"""


@pytest.mark.slow
def test_a_killed_fill_goes_on(
    store: Path,
    model: FittedModel,
    expected: xr.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed, then interrupted: days that are written are not filled again."""
    path, out = model.save(tmp_path / "m.gracelstm"), tmp_path / "out.zarr"
    done: list[str] = []
    for end in (signal.SIGKILL, signal.SIGINT):
        dead = subprocess.run(
            [sys.executable, "-c", KILLED, store, path, out, str(int(end)), *NAMES],
            timeout=300, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert dead.returncode == -end
        assert not out.exists()
        part = zarr.open_group(out.with_name(".out.zarr.part"), mode="r")
        before = len(done)
        done = [name for name in read_records(part) if name.endswith("-B")]
        assert len(done) == before + 2
    keep, count = Recipient.fill, 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return keep(*args, **options)

    monkeypatch.setattr(Recipient, "fill", counted)
    monkeypatch.setattr(days, "GROUP", 1)
    fill(gx.open_store(store), model)[NAMES].grace.to_zarr(out, shard_days=1)
    # four of the five days have gaps
    assert count == 4 - sum(not name.startswith("2008-01-05") for name in done)
    same_bits(gx.open_store(out).sel(satellite="B").load(), expected)
