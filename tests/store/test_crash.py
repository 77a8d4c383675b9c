"""Ingests that are killed, interrupted, or run out of disk, in real processes."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
import zarr
from archives import DAYS, fill_folder, tree, write_file
from clusters import wait_until
from crashing import Forks

import gracelstm_xr as gx
from gracelstm_xr.errors import GraceWarning, StoreError, number_of
from gracelstm_xr.store.manifest import read_records

#: Killed points per case, of about 200; all of them have been tried once.
POINTS = 3


@dataclass
class Case:
    """A store, or none, and an ingest into it."""

    place: Path
    sources: list[str]
    options: dict[str, Any]
    base: Path | None
    expected: dict[str, str]
    readable: list[xr.Dataset]
    events: int
    writes: int = 0
    no_exchange: bool = False

    def store(self, name: str) -> Path:
        home = self.place / name
        home.mkdir()
        if self.base is not None:
            shutil.copytree(self.base, home / "a.zarr", copy_function=shutil.copy2)
        return home / "a.zarr"

    def request(self, store: Path) -> dict[str, Any]:
        return {
            "sources": self.sources,
            "store": str(store),
            "options": self.options,
            "root": str(store.parent),
            "no_exchange": self.no_exchange,
        }


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    fill_folder(folder / "A123", DAYS[:3], "A", ("ACC1B",))
    fill_folder(folder / "B4", DAYS[2:4], "B", ("ACC1B",))
    fill_folder(folder / "T4", DAYS[3:4], "A", ("ACC1B", "THR1B"))
    fill_folder(folder / "B23", DAYS[1:3], "B", ("ACC1B",))
    return folder


#: Files of the store before (none for a new one), files added, and how.
KINDS: dict[str, tuple[str | None, list[str], dict[str, Any]]] = {
    "new": (None, ["A123"], {"shard_days": 2}),
    "grow": ("A123", ["B4", "T4"], {"shard_days": 2}),
    "rebuild": ("B23", ["A123"], {"shard_days": 2}),
    "replace": ("B23", ["A123"], {"shard_days": 2, "mode": "w"}),
    "rename": ("B23", ["A123"], {"shard_days": 2, "mode": "w"}),
}


@pytest.fixture(scope="module")
def cases(
    forks: Forks, sources: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Case]:
    """What every case ends in when nothing disturbs it."""
    found = {}
    for kind, (before, added, options) in KINDS.items():
        place = tmp_path_factory.mktemp(kind)
        base = None
        if before is not None:
            base = place / "base"
            first = [str(sources / before)]
            few = {"shard_days": options["shard_days"]}
            assert not forks("ingest", sources=first, store=str(base), options=few)[
                "status"
            ]
        paths = [str(sources / name) for name in added]
        case = Case(place, paths, options, base, {}, [], 0)
        case.no_exchange = kind == "rename"
        if base is not None:
            case.readable.append(gx.open_store(base).load())
        store = case.store("undisturbed")
        done = forks("ingest", **case.request(store))
        assert done["status"] == 0, done
        case.events, case.writes = done["events"], done["writes"]
        case.expected = tree(store)
        case.readable.append(gx.open_store(store).load())
        found[kind] = case
    return found


def points(case: Case, seed: int, number: int = POINTS) -> list[int]:
    """Some of the changes at which to die, the last ones among them."""
    chosen = random.Random(seed).sample(range(1, case.events + 1), number)
    return sorted({*chosen, case.events - 1, case.events - 3})


def look(store: Path, case: Case, *, always: bool) -> None:
    """A reader finds the store as it was or will be, or is told what to do."""
    told = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GraceWarning)
            found = gx.open_store(store).load()
    except StoreError as error:
        told = str(error)
    if told:
        assert not always
        assert re.fullmatch(r"[^\n]*(run the same again|make one with)[^\n]*", told)
    else:
        assert any(found.identical(known) for known in case.readable)


def finish(forks: Forks, store: Path, case: Case) -> dict[str, Any]:
    """The next run ends in the bytes of an undisturbed one and leaves nothing else."""
    done = forks("ingest", **case.request(store))
    assert done["status"] == 0, done
    assert tree(store) == case.expected
    assert os.listdir(store.parent) == ["a.zarr"]
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_change(forks: Forks, cases: dict[str, Case], kind: str) -> None:
    case = cases[kind]
    for point in points(case, seed=len(kind)):
        store = case.store(str(point))
        dead = forks("ingest", kill=point, **case.request(store))
        # two threads that make the same folders do it in a few changes more or less
        done = dead["status"] == 0 and point > case.events - 6
        assert done or dead["status"] == -signal.SIGKILL
        look(store, case, always=kind in ("grow", "rebuild", "replace"))
        finish(forks, store, case)
        shutil.rmtree(store.parent)


@pytest.mark.parametrize("kind", ["new", "grow", "rebuild"])
def test_killed_at_any_time_again_and_again(
    forks: Forks, cases: dict[str, Case], kind: str
) -> None:
    case = cases[kind]
    store = case.store("again")
    draw = random.Random(7)
    for _ in range(7):
        forks("ingest", after=draw.uniform(0.02, 0.5), **case.request(store))
        look(store, case, always=kind != "new")
    finish(forks, store, case)


@pytest.mark.parametrize("kind", ["new", "grow", "rebuild"])
def test_full_disk(forks: Forks, cases: dict[str, Case], kind: str) -> None:
    case = cases[kind]
    last = case.writes
    for number, once in ((2, 0), (last // 2, 0), (last * 2 // 3, 1), (last, 0)):
        store = case.store(f"full{number}")
        failed = forks("ingest", full=number, once=once, **case.request(store))
        assert failed["status"] == 1
        assert failed["error"] == "StoreError"
        assert re.fullmatch(
            rf"{store}: No space left on device while writing (the shard of [-\d]+|the "
            "empty arrays|what the store says about itself); the finished shards are "
            "kept: remove the cause and run the same again",
            failed["text"],
        )
        assert store.exists() == (case.base is not None)
        look(store, case, always=kind != "new")
        finish(forks, store, case)
        shutil.rmtree(store.parent)


def test_a_disk_that_is_really_full(
    forks: Forks, cases: dict[str, Case], tmp_path: Path
) -> None:
    case = cases["new"]
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("a file system may not be mounted here")
    try:
        store = disk / "a.zarr"
        log = tmp_path / "log"
        argv = ["ingest", *case.sources, str(store), "--quiet"]
        failed = forks("command", argv=argv, log=str(log), shard_days=2)
        assert failed["code"] == 1
        assert failed["said"].startswith(f"gracelstm: error: {store}: No space left on")
        assert failed["said"].count("\n") == 1
        assert not store.exists()
        grow = ["mount", "-o", "remount,size=50m", str(disk)]
        subprocess.run(grow, check=True)
        finish(forks, store, case)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_computed_dataset_goes_on_too(
    forks: Forks, cases: dict[str, Case], tmp_path: Path
) -> None:
    """Kills and a full disk under ds.grace.to_zarr of what is no archive."""
    base = cases["grow"].base
    assert base is not None
    (tmp_path / "u").mkdir()
    request = {"sources": str(base), "root": str(tmp_path)}
    done = forks("copy", store=str(tmp_path / "u" / "a.zarr"), **request)
    assert done["status"] == 0, done
    expected = tree(tmp_path / "u" / "a.zarr")
    draw = random.Random(3)
    for number in [*sorted(draw.sample(range(1, done["events"]), 5)), done["events"]]:
        store = tmp_path / str(number) / "a.zarr"
        dead = forks("copy", store=str(store), kill=number, **request)
        # two threads that make the same folders do it in a few changes more or less
        over = dead["status"] == 0 and number > done["events"] - 6
        assert over or dead["status"] == -signal.SIGKILL
        if store.exists():  # killed after it had its name
            assert tree(store) == expected
            continue
        with pytest.raises(StoreError, match=r"run the same again|make one with"):
            gx.open_store(store)
        assert forks("copy", store=str(store), **request)["status"] == 0
        assert tree(store) == expected
        assert os.listdir(store.parent) == ["a.zarr"]
    for number in (3, 30, done["events"] // 4):
        store = tmp_path / f"full{number}" / "a.zarr"
        failed = forks("copy", store=str(store), full=number, **request)
        assert (failed["status"], failed["error"]) == (1, "StoreError")
        assert failed["text"].startswith(f"{store}: No space left on device while")
        assert not store.exists()
        assert forks("copy", store=str(store), **request)["status"] == 0
        assert tree(store) == expected


def test_an_interrupt_keeps_what_is_finished(
    forks: Forks, cases: dict[str, Case], tmp_path: Path
) -> None:
    folder = fill_folder(tmp_path / "in", DAYS, "A", ("ACC1B",))
    store = tmp_path / "out" / "a.zarr"
    argv = ["ingest", str(folder), str(store), "--quiet"]
    request = {"argv": argv, "log": str(tmp_path / "log"), "shard_days": 1}
    stopped = forks(
        "command", root=str(store.parent), kill=150, signal=signal.SIGINT, **request
    )
    assert stopped["code"] == 130
    assert stopped["said"] == (
        "gracelstm: interrupted; what is finished is kept, run the same again to go "
        "on\n"
    )
    assert not store.exists()
    records = read_records(zarr.open_group(store.with_name(".a.zarr.part"), mode="r"))
    assert 0 < len(records) < len(DAYS)
    done = forks("command", **request)
    assert done["code"] == 0
    left = len(DAYS) - len(records)
    assert f": {number_of(left, 'file')} read " in done["said"]
    assert f"{number_of(left, 'shard')} written" in done["said"]
    again = forks("command", **request)
    assert "is up to date, nothing to do" in again["said"]


def test_two_at_once(forks: Forks, cases: dict[str, Case], tmp_path: Path) -> None:
    """The second is refused while the first is at work, and not when it is dead."""
    case = cases["new"]
    other = Forks(tmp_path / "errors.txt")
    try:
        store = case.store("both")
        argv = ["ingest", *case.sources, str(store), "--quiet"]
        request = {"argv": argv, "log": str(tmp_path / "log"), "shard_days": 2}
        # the first stops in the middle and stays, holding its lock
        halt = {"kill": 100, "signal": signal.SIGSTOP}
        forks.start("ingest", after=500, **halt, **case.request(store))
        work = store.with_name(".a.zarr.part")
        wait_until(lambda: (work / "time" / "zarr.json").exists())
        second = other("command", **request)
        assert second["code"] == 1
        assert second["said"] == (
            f"gracelstm: error: {store} is being written by another process; wait for "
            "it to end, or choose another name\n"
        )
        with pytest.raises(StoreError, match="interrupted or is at work"):
            gx.open_store(store)
        first = int(stopped_child(forks.process.pid))
        os.kill(first, signal.SIGKILL)
        assert forks.wait()["status"] == -signal.SIGKILL
        assert store.with_name(".a.zarr.lock").exists()
        finish(other, store, case)
    finally:
        other.close()


def stopped_child(parent: int) -> str:
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return path.read_text().split()[0]


def test_racing_processes_never_corrupt(
    forks: Forks, cases: dict[str, Case], tmp_path: Path
) -> None:
    case = cases["grow"]
    other = Forks(tmp_path / "errors.txt")
    try:
        for number in range(3):
            store = case.store(f"race{number}")
            for server in (forks, other):
                server.start("ingest", **case.request(store))
            ends = [server.wait() for server in (forks, other)]
            assert {end["status"] for end in ends} <= {0, 1}
            assert 0 in [end["status"] for end in ends]
            for end in ends:
                if end["status"]:
                    assert "is being written by another process" in end["text"]
            finish(forks, store, case)
    finally:
        other.close()


def test_a_file_put_back_after_a_kill(
    forks: Forks, sources: Path, tmp_path: Path
) -> None:
    """A run that dies replacing a day, and the old file again, with its old time."""
    folder = tmp_path / "in"
    shutil.copytree(sources / "A123", folder)
    good = folder / f"ACC1B_{DAYS[0]}_A_02.dat"
    shutil.copy2(good, tmp_path / "kept")
    request = {"sources": [str(folder)], "store": str(tmp_path / "out" / "a.zarr")}
    request |= {"root": str(tmp_path / "out"), "options": {"shard_days": 2}}
    assert forks("ingest", **request)["status"] == 0
    expected = tree(tmp_path / "out" / "a.zarr")
    values = gx.open_store(request["store"]).load()
    shutil.copytree(tmp_path / "out", tmp_path / "base")
    mixed = 0
    for point in range(3, 40, 4):
        write_file(folder, "ACC1B", DAYS[0], "A", value=5.0)
        dead = forks("ingest", kill=point, **request)["status"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GraceWarning)
            mixed += not gx.open_store(request["store"]).load().equals(values)
        shutil.copy2(tmp_path / "kept", good)
        done = forks("ingest", **request)
        assert done["status"] == 0, done
        found = tree(tmp_path / "out" / "a.zarr")
        differ = {k for k in found | expected if found.get(k) != expected.get(k)}
        assert differ <= {"zarr.json"}  # the history may have one line more
        if dead == 0:
            break
    assert mixed > 1
