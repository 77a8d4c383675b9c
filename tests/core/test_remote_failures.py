"""What may go wrong with a store behind a URL, done for real on loopback."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest
import xarray as xr
from archives import write_file
from clusters import local_cluster
from s3server import S3Server, child

import gracelstm_xr as gx
from gracelstm_xr.cli import main
from gracelstm_xr.errors import StoreError
from gracelstm_xr.store import lock

DAYS = [f"2008-01-{day:02d}" for day in range(1, 4)]
URL = "s3://bucket/grace.zarr"
PATH = "bucket/grace.zarr"
OPTIONS = {"products": "ACC1B", "shard_days": 1}


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """History stamps are the only bytes that depend on the time of a run."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr(lock, "SETTLE", 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, day in enumerate(DAYS[:2]):
        write_file(tmp_path / "in", "ACC1B", day, "A", value=100.0 * number)
    return tmp_path / "in"


def kill_at(s3: S3Server, number: int) -> None:
    """Have the owner of the lock killed when it writes its n-th object."""
    count = [0]
    guard = threading.Lock()

    def shoot(_: str) -> None:
        with guard:
            count[0] += 1
            if count[0] == number:
                owner = json.loads(s3.files("bucket")["grace.zarr.lock"])
                os.kill(owner["pid"], signal.SIGKILL)

    s3.on_put = shoot


def run(s3: S3Server, *args: Any, **options: Any) -> int:
    process = child(s3, *args, **options)
    process.start()
    process.join(60)
    status: int = process.exitcode
    return status


def killed_again_and_again(s3: S3Server, folder: Path, points: list[int]) -> int:
    """Number of runs that were killed before one was complete."""
    killed = 0
    for number in points:
        kill_at(s3, number)
        status = run(s3, folder, URL, **OPTIONS)
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
    s3.on_put = None
    return killed


@pytest.mark.slow
def test_killed_runs_are_completed_to_the_same_objects(
    s3: S3Server, folder: Path
) -> None:
    """New store, then growth by a day; killed at places spread over both."""
    fs = fsspec.filesystem("s3")
    with s3.watch() as asked:
        gx.ingest(folder, URL, **OPTIONS)
    written = [path for method, path, _ in asked if method == "PUT"]
    # the record of one shard is written, that of the other is not
    last = max(i for i, path in enumerate(written) if "/manifest/2008" in path) + 1
    whole = s3.files(PATH)
    fs.rm(PATH, recursive=True)
    points = [2, 4, random.Random(1).randrange(8, last)]
    assert killed_again_and_again(s3, folder, points) == 3
    fs.rm(PATH, recursive=True)
    assert killed_again_and_again(s3, folder, [last]) == 1
    with pytest.raises(StoreError, match="incomplete"):
        gx.open_store(URL)
    done = gx.ingest(folder, URL, **OPTIONS)
    # what was finished is not done again
    assert done.shards < 2
    assert s3.files(PATH) == whole
    before = gx.open_store(URL).load()
    write_file(folder, "ACC1B", DAYS[2], "A", value=300.0)
    gx.ingest(folder, URL, **OPTIONS)
    grown = s3.files(PATH)
    fs.rm(PATH, recursive=True)
    for name, data in whole.items():
        fs.pipe_file(f"{PATH}/{name}", data)
    # the lock, the room for the new day, and its arrays
    assert killed_again_and_again(s3, folder, [3, 9]) == 2
    with pytest.warns(UserWarning, match="run it again to complete"):
        during = gx.open_store(URL).load()
    xr.testing.assert_identical(during, before)
    gx.ingest(folder, URL, **OPTIONS)
    assert s3.files(PATH) == grown


def test_killed_while_replacing(s3: S3Server, folder: Path, tmp_path: Path) -> None:
    """Whatever is left of the old store is never taken for data of the new one."""
    write_file(tmp_path / "other", "ACC1B", DAYS[1], "A", value=7.0)
    gx.ingest(tmp_path / "other", URL, **OPTIONS)
    whole = s3.files(PATH)
    gx.ingest(folder, URL, **OPTIONS, mode="w")
    # the lock, and the note in the root that the store is not complete
    kill_at(s3, 3)
    assert run(s3, tmp_path / "other", URL, **OPTIONS, mode="w") == -signal.SIGKILL
    s3.on_put = None
    with pytest.raises(StoreError, match="incomplete"):
        gx.open_store(URL)
    gx.ingest(tmp_path / "other", URL, **OPTIONS)
    assert s3.files(PATH) == whole


def test_two_writers_at_once(s3: S3Server, folder: Path) -> None:
    gx.ingest(folder, "s3://bucket/whole.zarr", **OPTIONS)
    processes = [child(s3, folder, URL, **OPTIONS) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    codes = sorted(process.exitcode for process in processes)
    assert codes[0] == 0
    assert set(codes) <= {0, 3}
    assert s3.files(PATH) == s3.files("bucket/whole.zarr")
    assert not fsspec.filesystem("s3").exists(f"{PATH}.lock")


@pytest.mark.parametrize("url", [URL, "memory://bucket/grace.zarr"])
def test_the_lock(s3: S3Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.1)
    fs, path = fsspec.core.url_to_fs(f"{url}.lock")
    with lock.remote_lock(url):
        first = json.loads(fs.cat_file(path))
        assert first["pid"] == os.getpid()
        with (
            pytest.raises(StoreError, match=f"written by process {os.getpid()}"),
            lock.remote_lock(url),
        ):
            pass
        time.sleep(0.5)
        assert json.loads(fs.cat_file(path))["time"] > first["time"]
    assert not fs.exists(path)
    # of a process that is gone, and of a machine that has been silent for long
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    elsewhere = {**first, "host": "elsewhere", "time": time.time() - 1000}
    for holder in ({**first, "pid": gone.pid, "time": time.time()}, elsewhere):
        fs.pipe_file(path, json.dumps(holder).encode())
        with lock.remote_lock(url):
            assert json.loads(fs.cat_file(path))["id"] != first["id"]
        assert not fs.exists(path)
    # of a machine that works, whatever its clock says
    monkeypatch.setattr(lock, "BEAT", 1.0)
    fs.pipe_file(path, json.dumps(elsewhere).encode())
    done = threading.Event()

    def beats() -> None:
        count = 0
        while not done.wait(0.1):
            count += 1
            fs.pipe_file(path, json.dumps({**elsewhere, "time": count}).encode())

    other = threading.Thread(target=beats)
    other.start()
    try:
        with pytest.raises(StoreError, match="on elsewhere"), lock.remote_lock(url):
            pass
    finally:
        done.set()
        other.join()
    # of another one that has taken over meanwhile
    fs.rm_file(path)
    monkeypatch.setattr(lock, "BEAT", 0.1)
    robbed = lock.remote_lock(url)
    robbed.__enter__()
    fs.pipe_file(path, json.dumps(elsewhere).encode())
    time.sleep(0.5)
    with pytest.raises(StoreError, match="took over"):
        robbed.__exit__(None, None, None)
    assert json.loads(fs.cat_file(path)) == elsewhere
    fs.rm_file(path)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line by which a command ends."""
    assert main([*argv, "--quiet"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("gracelstm: error: ")
    return lines[0]


def test_one_line_for_each_cause(
    s3: S3Server,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = str(folder)
    line = refused(capsys, "ingest", source, "s3://nowhere/grace.zarr")
    assert "s3://nowhere/grace.zarr: The specified bucket does not exist" in line
    line = refused(capsys, "info", "s3://nowhere/grace.zarr")
    assert "no Zarr store at s3://nowhere/grace.zarr" in line
    line = refused(capsys, "ingest", "s3://nowhere/in", URL)
    assert "nothing found at s3://nowhere/in" in line
    line = refused(capsys, "ingest", source, "s5://bucket/grace.zarr")
    assert "unknown protocol 's5'" in line
    line = refused(capsys, "info", "s5://bucket/grace.zarr")
    assert "unknown protocol 's5'" in line
    assert not fsspec.filesystem("s3").find("bucket")


@pytest.mark.parametrize("cause", ["no credentials", "refused", "no package"])
def test_one_line_when_there_is_no_way_in(
    s3: S3Server, folder: Path, cause: str
) -> None:
    """In a process of its own: file systems remember how they were set up."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    code = "import sys; from gracelstm_xr.cli import main; sys.exit("
    code += f"main(['ingest', {str(folder)!r}, {URL!r}]), main(['info', {URL!r}]))"
    code = code.replace("sys.exit(main", "sys.exit((main").replace(
        "]))", "])) != (1, 1))"
    )
    told = "endpoint URL"
    if cause == "no credentials":
        del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        environment["AWS_CONFIG_FILE"] = environment["AWS_SHARED_CREDENTIALS_FILE"] = (
            os.devnull
        )
        told = "Unable to locate credentials"
    elif cause == "refused":
        environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    else:
        code = f"import sys; sys.modules['s3fs'] = None; {code}"
        told = "pip install s3fs"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 2, lines
    for line in lines:
        assert line.startswith("gracelstm: error: ")
        assert told in line


def test_denied(s3: S3Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are checked by nobody here: the answer of S3 stands in for them."""
    import s3fs

    call = s3fs.S3FileSystem._call_s3

    async def deny(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "put_object":
            raise PermissionError("Access Denied")
        return await call(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", deny)
    with pytest.raises(StoreError, match=r"access denied \(Access Denied\)"):
        gx.ingest(folder, URL, **OPTIONS)


def test_a_connection_that_is_lost(
    s3: S3Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is finished is kept, and the next run goes on."""
    from botocore.exceptions import EndpointConnectionError
    from zarr.storage import FsspecStore

    put, count = FsspecStore.set, [0]

    async def lost(self: Any, key: str, *args: Any, **kwargs: Any) -> None:
        count[0] += "/c/" in key
        if count[0] > 8:
            raise EndpointConnectionError(endpoint_url=s3.url)
        await put(self, key, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(FsspecStore, "set", lost)
        with pytest.raises(StoreError, match="run the same again") as caught:
            gx.ingest(folder, URL, **OPTIONS)
    assert "Could not connect" in str(caught.value)
    assert gx.ingest(folder, URL, **OPTIONS).shards <= 2
    gx.ingest(folder, "s3://bucket/whole.zarr", **OPTIONS)
    assert s3.files(PATH) == s3.files("bucket/whole.zarr")


@pytest.mark.distributed
def test_worker_processes_get_the_storage_options(
    s3: S3Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    for name in s3.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = s3.options
    with (
        local_cluster() as local,
        Client(local),
    ):
        gx.ingest(folder, URL, **OPTIONS, storage_options=options)
        ds = gx.open_store(URL, storage_options=options)
        ds.grace.to_zarr("s3://bucket/copy.zarr", storage_options=options)
        copy = gx.open_store("s3://bucket/copy.zarr", storage_options=options).load()
    expected = gx.open_archive(folder, products="ACC1B").load()
    xr.testing.assert_equal(copy, expected)
