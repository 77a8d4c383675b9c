"""Files of a store that are gone or damaged: said, found, and written again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from archives import fill_folder, tree

from gracelstm_xr.cli import main
from gracelstm_xr.errors import GraceWarning, StoreError
from gracelstm_xr.store.ingest import Ingested, ingest
from gracelstm_xr.store.location import META
from gracelstm_xr.store.manifest import read_manifest
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.stored import files_of_arrays

DAYS = ("2008-01-01", "2008-01-02", "2008-01-03")
LOST = "lin_accl/c/1/0/0"


def put(sources: Path, store: Path) -> Ingested:
    return ingest(sources, store, products=["ACC1B", "GNV1B"], shard_days=2)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three simulated days of the first minute each, in shards of two days."""
    folder = tmp_path_factory.mktemp("lost")
    sources = fill_folder(folder / "in", DAYS)
    put(sources, folder / "a.zarr")
    return sources, folder / "a.zarr"


@pytest.fixture
def store(original: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(original[1], tmp_path / "a.zarr"))


def test_the_store_knows_its_files(store: Path) -> None:
    group = zarr.open_group(store, mode="r")
    said = {f"{n}/{f}" for n, f, _ in files_of_arrays(group.attrs[META]["written"])}
    files = {p.relative_to(store).as_posix() for p in store.rglob("*") if p.is_file()}
    assert said == {f for f in files if "/c/" in f}


def test_a_lost_file_does_not_read_as_missing(store: Path) -> None:
    (store / LOST).unlink()
    ds = open_store(store)
    (store / "time/c/0").unlink()
    with pytest.raises(StoreError, match="time/c/0 is gone"):
        open_store(store)
    for part in (
        ds["lin_accl"].sel(satellite="B"),
        ds["lin_accl"].sel(satellite="B", time="2008-01-01T12", axis="x"),
        ds["lin_accl"][:, ::-86_399],
    ):
        with pytest.raises(StoreError, match=f"{LOST} is gone; .*ingest the source"):
            part.load(scheduler="sync")
    assert np.isfinite(ds["lin_accl"].sel(satellite="A")).any()
    assert np.isfinite(ds["lin_accl"].sel(satellite="B", time="2008-01-03")).any()


def test_ingest_writes_lost_files_again(
    original: tuple[Path, Path], store: Path
) -> None:
    before = tree(store)
    for name in (LOST, "time/c/1", "position/c/0/1/0"):
        (store / name).unlink()
    with pytest.warns(GraceWarning, match=r"files of 2 shards are gone"):
        done = put(original[0], store)
    assert done.shards == 2
    after = tree(store)
    assert {k for k in before if before[k] != after.get(k)} <= {"zarr.json"}
    xr.testing.assert_identical(
        open_store(store).drop_attrs().load(), open_store(original[1]).drop_attrs()
    )
    assert put(original[0], store).shards == 0


def test_what_cannot_be_written_again_is_said(
    original: tuple[Path, Path], store: Path, tmp_path: Path
) -> None:
    """The source of one of the two days of the lost file is no longer at hand."""
    some = Path(shutil.copytree(original[0], tmp_path / "some"))
    name = f"ACC1B_{DAYS[0]}_B_02.dat"
    (some / name).rename(tmp_path / name)
    (store / LOST).unlink()
    with pytest.warns(GraceWarning, match="are gone"):
        done = put(some, store)
    assert any(f"{name}: its values are gone" in line for line in done.problems)
    table = read_manifest(store).set_index("name")
    assert list(table.index[~table["used"]]) == [name]
    accl = open_store(store)["lin_accl"].sel(satellite="B")
    assert not np.isfinite(accl.sel(time=DAYS[0])).any()
    assert np.isfinite(accl.sel(time=DAYS[1])).any()
    # and is read as soon as it is there
    (tmp_path / name).rename(some / name)
    put(some, store)
    xr.testing.assert_equal(open_store(store).load(), open_store(original[1]).load())


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [Path.unlink, shorten, flip])
def test_info_check(
    store: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--check", str(store)]) == 0
    assert "no faults" in capsys.readouterr().out
    damage(store / LOST)
    assert main(["info", "--check", str(store)]) == 1
    told = capsys.readouterr().out
    words = "gone" if damage is Path.unlink else "damaged"
    assert f"fault:      {LOST} is {words}; remove it" in told
    assert ", 1 fault\n" in told
