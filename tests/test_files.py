"""What others wrote, and what a run reads, survives bit for bit; leftovers go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from gracelstm_xr import files, l1b, simulate_archive
from gracelstm_xr.cli import main
from gracelstm_xr.errors import GraceError, StoreError
from gracelstm_xr.export.l1b import to_l1b
from gracelstm_xr.export.netcdf import to_netcdf
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr


@pytest.fixture
def store(make_grid: Any, tmp_path: Path) -> Path:
    to_zarr(make_grid(size=7200, gaps={"B": [(100, 700)]}), tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


def refused(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    assert main([str(part) for part in command]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_a_table_of_gaps(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = store.with_name("gaps.csv")
    table.write_text("my own list\n")
    command = ["gaps", store, "--csv", table]
    for options in ([], ["--overwrite"]):
        assert "was not written by" in refused(capsys, *command, *options)
    assert table.read_text() == "my own list\n"
    table.unlink()
    assert main([str(part) for part in command]) == 0
    told = table.read_bytes()
    assert "or replace it with --overwrite" in refused(capsys, *command)
    assert main([*map(str, command), "--overwrite"]) == 0
    assert table.read_bytes() == told
    table.write_bytes(told + b"A,checked by hand\n")
    assert "was not written by" in refused(capsys, *command, "--overwrite")


@pytest.mark.parametrize("name", ["a.zarr", "a.zarr/", "link.zarr", "./a.zarr/x.nc"])
def test_the_source_of_a_run(
    store: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(store.parent)
    Path("link.zarr").symlink_to("a.zarr")
    before = sorted(p.name for p in store.rglob("*"))
    told = refused(capsys, "fill", store, "m", name, "--overwrite")
    assert "which is being read" in told
    told = refused(capsys, "export", store, store / "out", "--format", "l1b")
    assert "which is being read" in told
    assert sorted(p.name for p in store.rglob("*")) == before


def test_stores_of_others(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = store.with_name("other.zarr")
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(other, zarr_format=3)
    (store / "notes.txt").write_text("mine")
    ds = open_store(store)
    with pytest.raises(StoreError, match="of another kind and will not be replaced"):
        to_zarr(ds, other, mode="w")
    again = ds.copy(deep=True).load()
    with pytest.raises(StoreError, match=r"notes\.txt in it was not written by"):
        to_zarr(again, store, mode="w")
    assert (store / "notes.txt").read_text() == "mine"
    (store / "notes.txt").unlink()
    to_zarr(again, store, mode="w")
    assert xr.open_zarr(other)["a"].values[0] == 1.0


def test_netcdf_of_others(store: Path, tmp_path: Path) -> None:
    ds = open_store(store)
    path = to_netcdf(ds, tmp_path / "a.nc")
    assert files.kind_of(path) == "netCDF file"
    with pytest.raises(GraceError, match="exists already"):
        to_netcdf(ds, path)
    with xr.open_dataset(path) as mine:
        mine.to_netcdf(tmp_path / "b.nc")  # carries our attributes, but is not ours
    before = (tmp_path / "b.nc").read_bytes()
    with pytest.raises(GraceError, match="was not written by"):
        to_netcdf(ds, tmp_path / "b.nc", overwrite=True)
    assert (tmp_path / "b.nc").read_bytes() == before
    to_netcdf(ds.isel(time=slice(0, 60)), path, overwrite=True)
    with xr.open_dataset(path) as back:
        assert back.sizes["time"] == 60


def test_originals(store: Path, tmp_path: Path) -> None:
    """Official and simulated files are not replaced by an export of that name."""
    folder = tmp_path / "in"
    simulate_archive(folder, days=1, products="ACC1B", layout="files", truth=False)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    ds = open_store(store)
    for old, new in ((b"", b""), (b"gracelstm_xr", b"jpl software")):
        for name, content in before.items():
            (folder / name).write_bytes(content.replace(old, new))
        kept = {p.name: p.read_bytes() for p in folder.iterdir()}
        with pytest.raises(GraceError, match="will not be replaced"):
            to_l1b(ds, folder, overwrite=True)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == kept
    with pytest.raises(GraceError, match="will not be replaced"):
        simulate_archive(
            folder, days=1, products="ACC1B", layout="files", overwrite=True
        )
    assert l1b.parse_name(next(iter(before))) is not None


def test_a_filled_series_has_the_name_of_an_official_product(
    make_grid: Any, tmp_path: Path
) -> None:
    ds = make_grid(size=600, satellites="CD", start="2019-02-01", filled=True)
    (path, *_) = to_l1b(ds, tmp_path)
    assert path.name == "ACT1B_2019-02-01_C_04.txt"
    official = path.read_bytes().replace(b"gracelstm_xr", b"jpl software")
    path.write_bytes(official)
    with pytest.raises(GraceError, match="will not be replaced"):
        to_l1b(ds, tmp_path, overwrite=True)
    assert path.read_bytes() == official


def test_leftovers_of_the_dead(tmp_path: Path) -> None:
    code = (
        "import os, sys; from gracelstm_xr.files import writing\n"
        "with writing(sys.argv[1]) as work:\n"
        "    work.write_text('half'); os.kill(os.getpid(), 9)"
    )
    target = tmp_path / "a.txt"
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert len(os.listdir(tmp_path)) == 1
    (tmp_path / ".a.txt.part").write_text("of somebody else")
    with files.writing(tmp_path / "b.txt") as work:
        work.write_text("being written")
        files.remove_leftovers(tmp_path)
        assert work.exists()
        files.write_text(target, "whole")
    assert sorted(os.listdir(tmp_path)) == [".a.txt.part", "a.txt", "b.txt"]
    with pytest.raises(GraceError, match="appeared meanwhile"):
        files.write_text(target, "other")
    assert target.read_text() == "whole"


def test_an_array_of_the_user_in_our_store_stays(store: Path, make_grid: Any) -> None:
    zarr.open_group(store, mode="a").create_array("mine", data=np.array([1.0, 2.0]))
    with pytest.raises(GraceError, match="mine in it was not written by"):
        to_zarr(make_grid(size=60), store, mode="w")
    group = zarr.open_group(store, mode="r", use_consolidated=False)
    assert group["mine"][:].tolist() == [1.0, 2.0]


def test_parts_and_reports_of_others(tmp_path: Path) -> None:
    from gracelstm_xr.evaluate.parts import claim_parts, remove_parts
    from gracelstm_xr.evaluate.report import check_report

    parts = tmp_path / "parts"
    parts.mkdir()
    claim_parts(parts)
    (parts / "engine.npz").write_bytes(b"spare")
    with pytest.raises(GraceError, match=r"engine\.npz in it is none of them"):
        claim_parts(parts)
    remove_parts(parts)
    assert (parts / "engine.npz").read_bytes() == b"spare"
    (tmp_path / "report.html").write_text("<html>mine</html>")
    for overwrite in (False, True):
        with pytest.raises(GraceError, match=r"report\.html exists already, was not"):
            check_report(tmp_path, overwrite=overwrite)
    files.write_text(
        tmp_path / "report.html",
        f'<head><meta name="generator" content="{files.PROGRAM}"></head>',
        replace=True,
    )
    check_report(tmp_path, overwrite=True)
