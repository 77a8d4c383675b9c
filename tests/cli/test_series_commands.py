"""Commands that do what the accessor does: clean, resample, transplant, fill, plot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr import l1b
from gracelstm_xr.cli import main
from gracelstm_xr.version import __version__


@pytest.fixture(scope="module")
def store(twin_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("series") / "a.zarr"
    gx.ingest(twin_archive, path, stop="2008-01-01")
    return path


def run(*arguments: str | Path) -> int:
    return main([*map(str, arguments), "--quiet"])


def test_clean(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("clean", store, tmp_path / "a.zarr") == 0
    said = capsys.readouterr().out
    expected = gx.open_store(store).grace.clean()
    back = gx.open_store(tmp_path / "a.zarr")
    xr.testing.assert_equal(back["acc_cleanflg"], expected["acc_cleanflg"])
    count = int(expected.grace.marks()["samples"].sum())
    assert count
    assert "samples" in said


def test_resample(store: Path, tmp_path: Path) -> None:
    assert run("resample", store, tmp_path / "a.nc", "--step", "1min") == 0
    with xr.open_dataset(tmp_path / "a.nc") as back:
        expected = gx.open_store(store).grace.resample("60s")
        assert back.sizes["time"] == 1440
        np.testing.assert_array_equal(
            back["lin_accl"].transpose(*expected["lin_accl"].dims),
            expected["lin_accl"],
        )


def test_transplant(store: Path, tmp_path: Path) -> None:
    options = ("--recipient", "B", "--donor", "A")
    assert run("transplant", store, tmp_path / "a.zarr", *options) == 0
    back = gx.open_store(tmp_path / "a.zarr")["lin_accl_transplant"]
    assert float(np.isfinite(back).mean()) > 0.9


def test_fill_by_a_baseline_and_export_what_it_made(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ("--start", "2008-01-01T09:00", "--stop", "2008-01-01T11:00")
    series = gx.open_store(store)["lin_accl"].sel(time=slice(*span[1::2]))
    missing = series.isel(time=slice(7200)).isnull().sum("time")
    days, gaps = [], []
    for name in ("a.zarr", "a.nc"):
        assert run("fill", store, tmp_path / name, "--method", "linear", *span) == 0
        told = capsys.readouterr().out
        for letter, counts in zip("AB", missing.transpose(..., "axis"), strict=True):
            assert counts.all()
            by_method = f"interpolation {' '.join(map(str, counts.values))}"
            assert f"{letter}: {by_method}\n" in told
        assert run("gaps", tmp_path / name, "--min-length", "1s") == 0
        gaps.append(capsys.readouterr().out)
        assert run("plot", tmp_path / name, tmp_path / f"{name}.png") == 0
        folder = tmp_path / f"{name}.days"
        assert run("export", tmp_path / name, folder, "--format", "l1b") == 0
        days.append({path.name: l1b.read(path).columns for path in folder.iterdir()})
    assert gaps[0] == gaps[1]
    assert "2008-01-01T" in gaps[0]
    assert list(days[0]) == list(days[1]) != []
    for name, columns in days[0].items():
        assert name.startswith("ACT1B_2008-01-01")
        for column, values in columns.items():
            np.testing.assert_array_equal(values, days[1][name][column])


@pytest.mark.parametrize("kind", ["overview", "gaps", "spectrum"])
def test_plot(store: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    assert run("plot", store, path, "--kind", kind, "--satellite", "B") == 0
    size = mpl.image.imread(path).shape
    assert min(size[:2]) > 200
    assert run("plot", store, path, "--kind", kind) == 1
    assert run("plot", store, path, "--kind", kind, "--overwrite") == 0


@pytest.mark.parametrize(
    ("status", "arguments", "words"),
    [
        (2, ["fill", "S", "out.zarr"], "neither or both of a model file and --method"),
        (1, ["fill", "S", "out.zarr", "--method", "magic"], "found method 'magic'"),
        (2, ["plot", "S", "out.jpg"], "the name of a figure in .png"),
        (1, ["plot", "S", "out.png", "--satellite", "C"], "found satellites A, B"),
        (1, ["transplant", "S", "out.zarr", "--donor", "X"], "found satellites A, B"),
        (2, ["clean", "S", "out.txt"], "no known suffix"),
    ],
)
def test_wrong_use_is_one_line(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*[str(store) if a == "S" else a for a in arguments]) == status
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gracelstm_xr", "-V"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout + done.stderr == f"gracelstm {__version__}\n"
