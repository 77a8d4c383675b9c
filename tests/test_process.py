"""A process is told by its machine, its number and its start; names tell it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gracelstm_xr import files
from gracelstm_xr.process import ended, machine_digest, started


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_a_number_that_is_used_again() -> None:
    """The number is alive, but of a process that started at another time."""
    pid = os.getpid()
    assert started(pid) > 0
    assert not ended(pid, started(pid))
    assert not ended(pid)
    assert ended(pid, started(pid) - 1)
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert ended(child.pid)  # not yet asked for its status
    child.wait()
    assert ended(child.pid)
    assert not ended(0)
    assert not ended(10**30)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_leftovers_by_start_and_machine(tmp_path: Path) -> None:
    pid, now = os.getppid(), started(os.getppid())
    here, elsewhere = machine_digest(), "0" * 8
    gone = tmp_path / f".a.nc.{here}-{pid}-{now - 1}-01234567-0.part"
    kept = [
        tmp_path / f".a.nc.{here}-{pid}-{now}-01234567-0.part",
        tmp_path / f".a.nc.{elsewhere}-{pid}-{now - 1}-01234567-0.part",
        tmp_path / f".a.nc.{here}-{pid}-01234567-0.part",  # of an earlier version
    ]
    for path in (gone, *kept):
        path.write_text("half")
    files.remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_what_went_wrong_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be removed does not hide the error before it."""

    def busy(path: Path) -> None:
        raise OSError(f"{path} is busy")

    def fail() -> None:
        with files.writing(tmp_path / "a") as work:
            work.mkdir()
            raise ValueError("the real one")

    monkeypatch.setattr(shutil, "rmtree", busy)
    with pytest.raises(ValueError, match="the real one"):
        fail()
