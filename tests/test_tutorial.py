"""Named archives: generated on first use, kept where the user says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gracelstm_xr import tutorial
from gracelstm_xr.errors import GraceError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "deep"


def test_importing_makes_no_folder(tmp_path):
    code = "import gracelstm_xr.tutorial as t; print(t.cache_folder())"
    place = tmp_path / "cache"
    made = subprocess.run(
        [sys.executable, "-c", code],
        env={"GRACELSTM_XR_CACHE": str(place), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.strip() == str(place)
    assert not place.exists()


def test_cache_folder_of_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv("GRACELSTM_XR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert tutorial.cache_folder() == tmp_path / "gracelstm_xr"


def test_unknown_name(tmp_path):
    with pytest.raises(GraceError, match="grace-2008, grace-storm"):
        tutorial.archive_path("goce", cache_dir=tmp_path)
    assert not any(tmp_path.iterdir())


def test_generates_once(cache):
    seen: list[int] = []

    def count(done: int, total: int) -> None:
        seen.append(done)

    first = tutorial.archive_path("grace-2008", cache_dir=cache, days=1, progress=count)
    again = tutorial.archive_path("grace-2008", cache_dir=cache, days=1, progress=count)
    assert first == again
    assert seen == [0, 1]
    assert [p.name for p in cache.iterdir()] == [first.name]
    assert (first / "grace_1B_2008-01-01_02.tar.gz").is_file()


def test_interrupted_generation_leaves_nothing(tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tutorial.archive_path("grace-2008", cache_dir=tmp_path, days=1, progress=stop)
    assert not any(tmp_path.iterdir())


def test_open_dataset_and_its_truth(cache):
    ds = tutorial.open_dataset("grace-2008", cache_dir=cache, days=1)
    truth = tutorial.open_truth("grace-2008", cache_dir=cache, days=1)
    assert ds["lin_accl"].dims == ("satellite", "time", "axis")
    assert ds["lin_accl"].chunks is not None
    assert ds.attrs["title"].startswith("Simulated")
    assert ds.attrs["source"].startswith("simulated")
    part = {"time": slice(1000, 4600)}
    seen = ds["lin_accl"].isel(part).to_numpy()
    true = truth["lin_accl"].isel(part).to_numpy()
    observed = truth["observed"].isel(part).to_numpy().astype(bool)
    assert observed.any()
    assert (seen[observed] == true[observed]).all()
