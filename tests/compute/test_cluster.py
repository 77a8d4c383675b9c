"""Ingest on real schedulers and workers over TCP, some of which die."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import DAYS, fill_folder, tree
from clusters import ENVIRONMENT, Cluster, local_cluster, wait_until

import gracelstm_xr as gx

pytestmark = pytest.mark.distributed

#: Runs the command with shards of one day, and looks for workers every second.
COMMAND = """
import sys
import gracelstm_xr.compute.cluster
gracelstm_xr.compute.cluster.PATIENCE = 1.0
gracelstm_xr.compute.cluster.ANSWER = "3s"
from gracelstm_xr.store.ingest import ingest
ingest.__kwdefaults__["shard_days"] = 1
from gracelstm_xr.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with contextlib.closing(Cluster(folder)) as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def _clock() -> Iterator[None]:
    """History stamps are the only bytes that depend on the time of a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_folder(tmp_path_factory.mktemp("files"), DAYS, "AB", ("ACC1B",))


@pytest.fixture(scope="module")
def local(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store of the files, written by threads here."""
    place = tmp_path_factory.mktemp("local") / "local.zarr"
    gx.ingest(files, place, shard_days=1)
    return place


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments), "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    said, told = process.communicate(timeout=400)
    return process.returncode, said, told


def shards_done(store: Path) -> int:
    return len(
        list(store.with_name(f".{store.name}.part").glob("manifest/2*/zarr.json"))
    )


#: Tells a scheduler one thing after the other, while it is killed.
TELLING = """
import os, signal, sys, time
from gracelstm_xr.compute import cluster
with cluster.client(scheduler=sys.argv[1]) as session:
    for n in range(20_000):
        session.submit(len, (n,))
        if n == 2_000:
            os.kill(int(sys.argv[2]), signal.SIGKILL)
        if session.status != "running":
            break
    time.sleep(1)
    print(session.status)
"""


def test_a_scheduler_that_dies_while_it_is_told_something_is_not_logged(
    cluster: Cluster,
) -> None:
    scheduler = str(cluster.processes[0].pid)
    done = subprocess.run(
        [sys.executable, "-c", TELLING, cluster.address, scheduler],
        capture_output=True,
        text=True,
        timeout=400,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout != "running\n"
    assert done.stderr == ""


def test_a_killed_worker_changes_no_byte(
    cluster: Cluster, files: Path, local: Path, tmp_path: Path
) -> None:
    """Without any worker the ingest says that it waits; of two workers one dies."""
    store = tmp_path / "a.zarr"
    ingest = start("ingest", files, store, "--scheduler", cluster.address)
    whole = tree(local)
    assert ingest.stderr is not None
    assert ingest.stderr.readline() == (
        f"gracelstm: warning: no worker is connected to {cluster.address}, waiting for "
        "one; start some with `dask worker` and that address\n"
    )
    first, _ = cluster.worker(), cluster.worker()
    wait_until(lambda: shards_done(store) > 0)
    first.kill()
    status, said, told = end(ingest)
    assert status == 0
    assert "Traceback" not in told
    assert "14 files read" in said
    assert tree(store) == whole
    assert not list(tmp_path.glob(".a.zarr*"))
    # the session's client is used as it is, and a lost scheduler is one line
    lost = tmp_path / "lost.zarr"
    ingest = start("ingest", files, lost, "--scheduler", cluster.address)
    wait_until(lambda: shards_done(lost) > 0)
    cluster.processes[0].kill()
    status, said, told = end(ingest)
    assert (status, said) == (1, "")
    last = told.splitlines()[-1]
    assert last == (
        f"gracelstm: error: the connection to the Dask scheduler at {cluster.address} "
        "is lost; what is finished is kept, start a scheduler and run the same again"
    )
    assert "Traceback" not in told
    assert gx.ingest(files, lost, shard_days=1).files < 14
    assert tree(lost) == whole


def test_nobody_at_the_address(files: Path, tmp_path: Path) -> None:
    address = "tcp://127.0.0.1:9"
    command = start("ingest", files, tmp_path / "a.zarr", "--scheduler", address)
    status, said, told = end(command)
    assert (status, said) == (1, "")
    assert re.fullmatch(
        rf"gracelstm: error: no Dask scheduler answers at {address} \(\w+\); start one "
        r"with `dask scheduler` and give its address\n",
        told,
    )
    assert not list(tmp_path.glob("*a.zarr*"))


def test_local_workers_and_a_bad_file(tmp_path: Path) -> None:
    """Threads here and worker processes write and report the same."""
    files = fill_folder(tmp_path / "in", DAYS[:4], "AB", ("ACC1B",))
    (files / f"ACC1B_{DAYS[2]}_B_02.dat").write_bytes(b"Dear diary\n" * 30)
    store = tmp_path / "a.zarr"
    command = start("ingest", files, store, "--workers", "2")
    gx.ingest(files, tmp_path / "local.zarr", shard_days=1)
    status, said, told = end(command)
    assert status == 1
    assert said.splitlines()[-1] == (
        "failed:     1 file could not be read; the manifest says why"
    )
    assert re.fullmatch(r"gracelstm: warning: left out: .*_B_02\.dat.*\n", told)
    assert tree(store) == tree(tmp_path / "local.zarr")


def test_the_command_is_killed_with_its_workers(
    files: Path, local: Path, tmp_path: Path
) -> None:
    store = tmp_path / "a.zarr"
    command = start("ingest", files, store, "--workers", "2")
    wait_until(lambda: shards_done(store) > 0 or store.exists())
    tasks = Path(f"/proc/{command.pid}/task")
    children = [int(c) for t in tasks.glob("*/children") for c in t.read_text().split()]
    command.kill()
    command.communicate()
    assert not store.exists()
    assert len(children) >= 2
    gx.ingest(files, store, shard_days=1)
    assert tree(store) == tree(local)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    wait_until(
        lambda: not any(Path(f"/proc/{child}/fd").exists() for child in children)
    )


def test_the_client_of_a_session(
    cluster: Cluster, files: Path, local: Path, tmp_path: Path
) -> None:
    from distributed import Client

    ds = gx.open_store(local)
    twice = ds.assign(lin_accl=ds["lin_accl"] * 2.0)
    twice.grace.to_zarr(tmp_path / "twice.zarr", shard_days=1)
    cluster.worker()
    with Client(cluster.address) as client:
        gx.ingest(files, tmp_path / "a.zarr", shard_days=1)
        twice.grace.to_zarr(tmp_path / "b.zarr", shard_days=1)
        seen = client.run_on_scheduler(
            lambda dask_scheduler: list(dask_scheduler.task_prefixes)
        )
    assert {"ingest", "zarr"} <= set(seen)
    assert tree(tmp_path / "a.zarr") == tree(local)
    assert tree(tmp_path / "b.zarr") == tree(tmp_path / "twice.zarr")


def test_beside_another_cluster_on_the_usual_port() -> None:
    import socket

    from gracelstm_xr.compute.cluster import client

    with socket.socket() as other, warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(OSError):  # taken already: as good
            other.bind(("127.0.0.1", 8787))
            other.listen()
        with client(workers=1) as session:
            port = session.scheduler_info()["services"]["dashboard"]
    assert port != 8787


def test_no_client_is_made(files: Path, tmp_path: Path) -> None:
    from distributed import default_client

    gx.ingest(files, tmp_path / "a.zarr", shard_days=2)
    ds = gx.open_store(tmp_path / "a.zarr")
    (ds * 2).grace.to_zarr(tmp_path / "b.zarr")
    with pytest.raises(ValueError, match="No clients found"):
        default_client()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_die_again_and_again(tmp_path: Path) -> None:
    import dask
    from distributed import Client

    from gracelstm_xr.compute.cluster import run
    from gracelstm_xr.errors import GraceError

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        local_cluster(1, local_directory=tmp_path, silence_logs=50) as c,
        Client(c),
    ):
        tasks = [dask.delayed(die)(dask_key_name="shard-1")]
        with pytest.raises(
            GraceError, match=r"^2 workers of tcp://\S+ died in the same"
        ):
            run(tasks)
