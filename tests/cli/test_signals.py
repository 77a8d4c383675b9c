"""Commands that are asked to end by a signal, in real processes, with their workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gracelstm_xr as gx
from gracelstm_xr.cli import main
from gracelstm_xr.compute.interrupts import ASKING
from gracelstm_xr.filling.model import FittedModel

GO_ON = "what is finished is kept, run the same again to go on"
MAIN = "from gracelstm_xr.cli import main; raise SystemExit(main())"
NOTHING = "nothing half-written was left behind"


@pytest.fixture(scope="module")
def place(
    twin_archive: Path, model: FittedModel, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with an archive, its store and a model."""
    folder = tmp_path_factory.mktemp("signals")
    (folder / "archive").symlink_to(twin_archive)
    gx.ingest(twin_archive, folder / "grace.zarr", shard_days=1)
    model.save(folder / "b.gracelstm")
    return folder


def something_in(folder: Path, pattern: str) -> Callable[[int], bool]:
    return lambda _: any(folder.rglob(pattern)) if folder.exists() else False


def cases(place: Path, out: Path) -> dict[str, tuple[list[Any], Any, str]]:
    """Command to its arguments, what tells that it is at work, and what it says."""
    store, model = place / "grace.zarr", place / "b.gracelstm"
    return {
        "simulate": (
            [out / "made", "--days", "60", "--seed", "1"],
            something_in(out / "made", "*.tar.gz"),
            GO_ON,
        ),
        "ingest": ([place / "archive", out / "a.zarr"], something_in(out, "c"), GO_ON),
        "fit": (
            [store, out / "a.gracelstm", "--checkpoint", out / "state"],
            something_in(out / "state" / "days", "*"),
            GO_ON,
        ),
        "fill": ([store, model, out / "a.zarr"], something_in(out, "c"), NOTHING),
        "evaluate": (
            [store, model, out / "report", "--allow-training"],
            something_in(out / "report", "*"),
            GO_ON,
        ),
        "export": (
            [store, out / "days", "--format", "l1b"],
            something_in(out, "*.dat"),
            GO_ON,
        ),
    }


def stopped(
    command: str,
    arguments: list[Any],
    at_work: Callable[[int], bool],
    send: Callable[[int], None],
) -> tuple[int, list[str]]:
    """Run a command until it is at work, end it; its status and the lines it left."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 300
    while not at_work(process.pid):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    send(process.pid)
    _, told = process.communicate(timeout=300)
    end = time.monotonic() + 60
    while alive(process.pid):
        assert time.monotonic() < end, "processes are left"
        time.sleep(0.1)
    # progress is on one line, which its end leaves behind
    lines = [line for line in told.splitlines() if " elapsed" not in line]
    return process.returncode, lines


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def to_main(number: signal.Signals) -> Callable[[int], None]:
    return lambda pid: os.kill(pid, number)


def to_group(number: signal.Signals) -> Callable[[int], None]:
    return lambda pid: os.killpg(pid, number)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["simulate", "ingest", "fit", "fill", "evaluate", "export"]
)
def test_sigterm_ends_as_an_interrupt_does(
    place: Path, tmp_path: Path, command: str
) -> None:
    arguments, at_work, kept = cases(place, tmp_path)[command]
    status, lines = stopped(command, arguments, at_work, to_main(signal.SIGTERM))
    assert status == 128 + signal.SIGTERM
    assert lines == [f"gracelstm: ended by SIGTERM; {kept}"]


def children_of(number: int) -> list[int]:
    tasks = Path(f"/proc/{number}/task")
    return [int(c) for t in tasks.glob("*/children") for c in t.read_text().split()]


def is_worker(number: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()


def holds_back(number: int) -> set[signal.Signals]:
    """Signals that a process does not see."""
    text = Path(f"/proc/{number}/status").read_text()
    (mask,) = [int(x.split()[1], 16) for x in text.splitlines() if "SigBlk" in x]
    return {s for s in ASKING if mask >> (s - 1) & 1}


@pytest.mark.distributed
def test_workers_see_no_signal_to_end() -> None:
    from gracelstm_xr.compute import cluster

    with cluster.client(workers=2):
        workers = [c for c in children_of(os.getpid()) if is_worker(c)]
        assert len(workers) == 2
        assert all(holds_back(worker) == set(ASKING) for worker in workers)
    assert not holds_back(os.getpid())


@pytest.mark.slow
def test_a_second_signal_ends_at_once(place: Path, tmp_path: Path) -> None:
    """Even a command that is slow to clean up."""
    code = (
        "import signal, time\n"
        "from gracelstm_xr.cli.signals import Stopped, stoppable\n"
        "with stoppable():\n"
        "    try:\n"
        "        print('ready', flush=True); time.sleep(60)\n"
        "    except Stopped:\n"
        "        print('cleaning', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.stdout.readline() == "cleaning\n"
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize(
    ("send", "status", "what"),
    [
        (to_main(signal.SIGTERM), 143, "ended by SIGTERM"),
        (to_group(signal.SIGTERM), 143, "ended by SIGTERM"),
        (to_group(signal.SIGINT), 130, "interrupted"),
    ],
    ids=["SIGTERM", "SIGTERM to all", "Ctrl-C"],
)
def test_workers_end_quietly(
    place: Path, tmp_path: Path, send: Any, status: int, what: str
) -> None:
    arguments, at_work, kept = cases(place, tmp_path)["fill"]
    told = stopped("fill", [*arguments, "--workers", "2"], at_work, send)
    assert told == (status, [f"gracelstm: {what}; {kept}"])
    assert not (tmp_path / "a.zarr").exists()
    if status == 130:
        assert main(["fill", *map(str, arguments), "--quiet"]) == 0
        assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_a_library_call_leaves_signals_alone(tmp_path: Path) -> None:
    code = (
        "import signal, gracelstm_xr as gx\n"
        "before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]\n"
        f"gx.simulate_archive({str(tmp_path / 'a')!r}, days=1, seed=0)\n"
        "after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]\n"
        "print(before == after)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"
