"""The command line: what it writes, says and returns."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gracelstm_xr import l1b
from gracelstm_xr.cli import main
from gracelstm_xr.cli.parser import build_parser
from gracelstm_xr.evaluate.text import score_table
from gracelstm_xr.export.l1b import to_l1b
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr

DAY = 86_400
GAPS = {"A": [(100, 150)], "B": [(1000, 5000), (DAY - 10, DAY)]}


@pytest.fixture(scope="module")
def grid(make_grid: Any) -> xr.Dataset:
    return make_grid(size=DAY, gaps=GAPS)


@pytest.fixture(scope="module")
def files(grid: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    to_l1b(grid, folder)
    return folder


@pytest.fixture
def store(grid: xr.Dataset, tmp_path: Path) -> Path:
    to_zarr(grid, tmp_path / "grace.zarr")
    return tmp_path / "grace.zarr"


def test_ingest_puts_files_into_a_store(
    grid: xr.Dataset, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.zarr"
    status = main(["ingest", str(files), str(out), "--products", "ACC1B"])
    assert status == 0
    back = open_store(out)
    for name in ("lin_accl", "ang_accl"):
        np.testing.assert_array_equal(back[name].values, grid[name].values)
    captured = capsys.readouterr()
    assert "2 files read" in captured.out
    assert "failed:     0 files" in captured.out
    assert "100 % 1/1 day" in captured.err
    assert "2 files, " in captured.err
    assert "MB/s" in captured.err
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert main(["ingest", str(files), str(out), "--products", "ACC1B"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{out} is up to date, nothing to do\n")
    assert captured.err == ""
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_ingest_on_worker_processes_gives_the_same(
    grid: xr.Dataset, files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.zarr"
    command = ["ingest", str(files), str(out), "--products", "ACC1B", "--workers", "1"]
    assert main([*command, "--quiet"]) == 0
    back = open_store(out)
    np.testing.assert_array_equal(back["lin_accl"].values, grid["lin_accl"].values)


def test_gaps_prints_and_writes_the_table(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "gaps.csv"
    assert main(["gaps", str(store), "--csv", str(table), "--min-length", "20s"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("not listed: 1 shorter than 20s, 10 s together")
    assert lines[1].split() == ["A", "2008-01-01T00:01:40", "2008-01-01T00:02:30", "50"]
    rows = pd.read_csv(table)
    assert list(rows.columns) == ["satellite", "start", "stop", "length"]
    assert rows["length"].tolist() == [50.0, 4000.0]
    assert main(["gaps", str(store), "--min-length", "2h"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "no gaps of 2h or longer",
        "not listed: 3 shorter than 2h, 4060 s together; --min-length 1s lists all",
    ]


def test_info_knows_every_kind_of_path(
    store: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(path: object) -> str:
        assert main(["info", str(path)]) == 0
        return capsys.readouterr().out

    assert "missing:    A 0.0579 %, B 4.64 %" in told(store)
    one = files / "ACC1B_2008-01-01_A_02.dat"
    assert "records:          86350" in told(one)
    assert "2008-01-01T00:00:00 to 2008-01-01T23:59:59 GPS" in told(one)
    assert "ACC1B    02       AB               1" in told(files)
    archive = tmp_path / "grace_1B_2008-01-01_02.tar.gz"
    contents = {p.name: p.read_bytes() for p in files.iterdir()}
    l1b.write_archive(archive, contents, checksum=False)
    assert "ACC1B    02       AB               1" in told(archive)
    assert "product:          ACC1B" in told(f"tar://{one.name}::{archive}")
    assert main(["export", str(store), str(tmp_path), "--format", "netcdf"]) == 0
    capsys.readouterr()
    assert "sampling:   1 s, 86400 epochs" in told(
        tmp_path / "grace_2008-01-01_2008-01-01.nc"
    )


def test_export_writes_both_formats(
    grid: xr.Dataset, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(store), str(out), "--format", "l1b"]) == 0
    assert "2 files in" in capsys.readouterr().out
    span = ["--start", "2008-01-01T01:00:00", "--stop", "2008-01-01T02:00:00"]
    assert main(["export", str(store), str(out), "--format", "netcdf", *span]) == 0
    names = sorted(p.name for p in out.iterdir())
    assert names == [
        "ACC1B_2008-01-01_A_02.dat",
        "ACC1B_2008-01-01_B_02.dat",
        "grace_2008-01-01_2008-01-01.nc",
    ]
    with xr.open_dataset(out / names[2]) as part:
        wanted = grid["lin_accl"].isel(time=slice(3600, 7200)).values
        values = part["lin_accl"].transpose("satellite", "time", "axis").values
        np.testing.assert_array_equal(values, wanted)


def test_export_goes_on_and_takes_names(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["export", str(store), str(out), "--format", "l1b", "--layout", "ascii"]
    command += ["--product", "ACT1B", "--release", "03"]
    assert main(command) == 0
    first, second = sorted(out.iterdir())
    assert first.name == "ACT1B_2008-01-01_A_03.asc"
    first.write_text("left as it is")
    second.unlink()
    assert main([*command, "--skip-existing"]) == 0
    assert first.read_text() == "left as it is"
    assert second.stat().st_size > DAY * 78
    assert "2 files in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["export", "STORE", "out", "--format", "l1b", "--release", "2"],
            "release is '2'; expected two digits",
        ),
        (
            ["export", "STORE", "out", "--format", "l1b", "--product", "KBR1B"],
            "product is 'KBR1B'; expected one of ACC1B",
        ),
        (["info", "nowhere"], "nowhere: no such file or folder"),
        (["gaps", "nowhere.zarr"], "no Zarr store at nowhere.zarr; make one with"),
        (["fit", "STORE", "no/such/model"], "does not exist; make it first"),
        (["fill", "STORE", "m", "out.nc"], "'m'"),
        (["export", "STORE", "out", "--format", "l1b", "--start", "2031"], "no data"),
        (["ingest", "nowhere", "new.zarr"], "no such file or folder: nowhere"),
        (
            ["ingest", ".", "n.zarr", "--satellites", "AQ"],
            "expected letters of A, B",
        ),
        (["fit", "STORE", "m.gracelstm", "--recipient", "Q"], "found satellites A, B"),
        (["ingest", "other.zarr", "STORE"], "no such file or folder"),
    ],
)
def test_errors_take_one_line_and_leave_nothing(
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    folder = store.parent
    monkeypatch.chdir(folder)
    named = [str(store) if a == "STORE" else a for a in arguments]
    assert main(named) == 1
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert lines[-1].startswith("gracelstm: error: ")
    assert message in lines[-1]
    assert "Traceback" not in captured.err
    assert [p.name for p in folder.iterdir()] == ["grace.zarr"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["export", "s", "out", "--format", "netcdf", "--layout", "text"],
            "--layout is for --format l1b",
        ),
        (["fill", "s", "m", "out.txt"], "expected a name in .nc or .zarr"),
        (["fit", "s", "m", "--overwrite", "--start", "soon"], "'soon' is not a date"),
        (["gaps", "s", "--min-length", "soon"], "'soon' is not a duration"),
        (["simulate", "out", "--days", "0"], "'0' found, expected 1, 2, 3"),
        (["ingest", "s", "n.zarr", "--workers", "0"], "'0' found, expected 1, 2, 3"),
    ],
)
def test_what_no_data_could_mend_is_wrong_usage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(str(stop.code))
    assert status == 2
    assert message in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_remedies_are_those_of_the_shell(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, coarse = store.parent / "gaps.csv", str(store.parent / "b.zarr")
    for status in (0, 1):
        assert main(["gaps", str(store), "--csv", str(table)]) == status
    assert capsys.readouterr().err.endswith("or replace it with --overwrite\n")
    assert main(["resample", str(store), coarse, "--step", "5s"]) == 0
    capsys.readouterr()
    assert main(["info", coarse]) == 0
    assert "ds.grace" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["fit", "one"], ["export", "a", "b"], ["gaps"]]
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: gracelstm")


def test_debug_shows_where_an_error_comes_from() -> None:
    with pytest.raises(FileNotFoundError):
        main(["--debug", "info", "nowhere"])


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_interrupt_ends_in_one_line_with_130(
    files: Path, tmp_path: Path, scheduler: str
) -> None:
    """A signal while the first shard is written leaves nothing and no traceback."""
    code = """
import signal, sys, time, gracelstm_xr.store.ingest
import dask, numpy
# a shell that starts tests in the background has it ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
def slow(target, shard, *, run):
    print("writing", file=sys.stderr, flush=True)
    time.sleep(3)
    raise OSError("not interrupted")
gracelstm_xr.store.ingest.write_shard = slow
if sys.argv.pop(1) == "sync":
    dask.config.set(scheduler="sync")
from gracelstm_xr.cli import main
from gracelstm_xr.cli.parser import build_parser
sys.exit(main(sys.argv[1:]))
"""
    out = tmp_path / "out.zarr"
    ingest = ["ingest", str(files), str(out), "--quiet"]
    command = [sys.executable, "-c", code, scheduler, *ingest]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line == "writing\n"
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=20) == 130
    assert "Traceback" not in rest
    assert rest.splitlines()[-1].startswith("gracelstm: interrupted")
    assert list(tmp_path.iterdir()) == []


def test_score_table_stars_the_best() -> None:
    rms = np.array([[1.0, 9.0, np.nan], [2.0, 3.0, 4.0]]) * 1e-9
    score = xr.Dataset(
        {
            "rms": (
                ("method", "satellite", "axis", "gap_length"),
                rms[:, None, :, None],
            )
        },
        coords={
            "method": ["lstm", "linear"],
            "satellite": ["B"],
            "axis": list("xyz"),
            "gap_length": [5640.0],
        },
    )
    lines = score_table(score).splitlines()
    assert lines[0] == "RMS error on satellite B, axes x y z [nm s-2]; * = best"
    assert lines[1].split() == ["gap", "94", "min"]
    assert lines[2].split() == ["lstm", "1.00*", "9.00", "-"]
    assert lines[3].split() == ["linear", "2.00", "3.00*", "4.00*"]


@pytest.mark.lstm
@pytest.mark.slow
def test_fit_and_fill_from_the_shell(
    make_grid: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gaps = {"B": [(40_000, 43_000)]}
    grid = make_grid(size=2 * DAY, gaps=gaps, orbit=True)
    store, model = tmp_path / "a.zarr", tmp_path / "m.gracelstm"
    to_zarr(grid, store)
    small = tmp_path / "small.toml"
    small.write_text(
        'recipient = "B"\nunits = 8\nwindow = 36\nwindows_per_epoch = 64\n'
        "hindcasts = 8\n"
    )
    fit = ["fit", str(store), str(model), "--config", str(small), "--epochs", "1"]
    assert main([*fit, "--gaps-per-length", "2"]) == 0
    told, bars = capsys.readouterr()
    for label in ("held-out gaps", "choice and sigma"):
        assert f"{label} of satellite B (1 of 1)" in bars
    hidden = re.search(r" (\d+)/\1 round, .*\((\d+) of \2 gaps\)", bars)
    assert hidden is not None
    assert "RMS error on satellite" in told
    assert "satellite B from A\n  x: network " in told
    assert told.endswith(f"\nmodel in {model}\n")
    out = tmp_path / "out.nc"
    assert main(["fill", str(store), str(model), str(out), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "  A: nothing was missing\n  B: " in told
    with xr.open_dataset(out) as back:
        back = back.transpose("satellite", "time", ...)
        filled = back["lin_accl_filled"].values
        assert np.isfinite(filled).all()
        seen = np.isfinite(grid["lin_accl"].values)
        np.testing.assert_array_equal(filled[seen], grid["lin_accl"].values[seen])
        method = back["lin_accl_fill_method"].values
        assert (method[1, 40_000:43_000] > 0).all()
        assert not method[seen].any()
    assert main(["info", str(model)]) == 0
    assert "FittedModel" in capsys.readouterr().out
    report = tmp_path / "report"
    options = ["--count", "1", "--lengths", "60", "600", "--quiet"]
    assert main(["evaluate", str(store), str(model), str(report), *options]) == 0
    told = capsys.readouterr().out
    assert "Satellite B, axis x: fill() is" in told
    names = {"report.html", "scores.nc", "scores.json", "scores.txt"}
    assert {p.name for p in report.iterdir()} == names
    with xr.open_dataset(report / "scores.nc") as score:
        assert score["gap_length"].values.tolist() == [60.0, 600.0]
    span = ["--start", "2008-01-01", "--stop", "2008-01-01"]
    again = ["evaluate", str(store), str(model), str(report), *options, *span]
    assert main(again) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([*again, "--overwrite"]) == 1
    assert "touches the training span" in capsys.readouterr().err


def test_simulate_prints_how_close_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "archive"
    options = ["--days", "1", "--storm", "quiet", "--separation", "230", "--quiet"]
    assert main(["simulate", str(out), *options]) == 0
    assert [p.name for p in out.glob("*.gz")] == ["grace_1B_2008-01-01_02.tar.gz"]
    lines = capsys.readouterr().out.splitlines()
    lag = next(line for line in lines if line.startswith("lag [s]"))
    # 230 km at 7.6 km/s
    assert float(lag.split()[2]) == pytest.approx(230 / 7.62, abs=0.5)
    assert any("real data" in line for line in lines)


def test_bash_completes_commands_options_and_paths(tmp_path: Path) -> None:
    shtab = pytest.importorskip("shtab")
    script = tmp_path / "complete.sh"
    script.write_text(shtab.complete(build_parser(), shell="bash"))
    ask = """
    source complete.sh
    complete_after() { COMP_WORDS=(gracelstm "$@"); COMP_CWORD=$#; COMPREPLY=()
        _shtab_gracelstm; echo "${COMPREPLY[@]}"; }
    complete_after fi; complete_after ingest --shard; complete_after fit com
    """
    done = subprocess.run(
        ["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:3] == ["fit fill", "--shard-days", "complete.sh"]
