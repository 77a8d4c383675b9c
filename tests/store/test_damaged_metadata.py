"""Metadata of stores, damaged: one StoreError with the path.

Damage at random is in tests/long/test_random_stores.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
import zarr

from gracelstm_xr.cli import main
from gracelstm_xr.errors import StoreError
from gracelstm_xr.store.location import META
from gracelstm_xr.store.read import open_store

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")


@pytest.fixture
def store(small_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_store, tmp_path / "a.zarr"))


def write_v2(store: Path) -> None:
    shutil.rmtree(store)
    zarr.create_group(store, zarr_format=2, attributes={META: {"layout": 1}})


def lose_an_array(store: Path) -> None:
    (store / "lin_accl" / "zarr.json").unlink()


def swap_arrays(store: Path) -> None:
    shutil.copy(store / "time/zarr.json", store / "acc_qualflg/zarr.json")


def rename_a_satellite(store: Path) -> None:
    zarr.open_group(store, mode="r+")["satellite"][1] = "D"


def fill_with_ones(store: Path) -> None:
    path = store / "acc_qualflg/zarr.json"
    path.write_text(path.read_text().replace('"fill_value": 0', '"fill_value": 1'))


def announce_huge_chunks(store: Path) -> None:
    path = store / "lin_accl/zarr.json"
    said = json.loads(path.read_text())
    said["chunk_grid"]["configuration"]["chunk_shape"][1] *= 1 << 42
    path.write_text(json.dumps(said))


def announce_many_labels(store: Path) -> None:
    path = store / "satellite/zarr.json"
    said = json.loads(path.read_text())
    said["shape"] = said["chunk_grid"]["configuration"]["chunk_shape"] = [1 << 40]
    path.write_text(json.dumps(said))


DAMAGES = {
    write_v2: "Zarr of version 2, expected version 3",
    lose_an_array: "no array 'lin_accl'",
    swap_arrays: "acc_qualflg",
    rename_a_satellite: r"satellites \['A', 'D'\], its attributes say \['A', 'B'\]",
    announce_huge_chunks: "lin_accl/zarr.json: chunks of",
    announce_many_labels: "satellite has 1099511627776 along",
    fill_with_ones: "acc_qualflg/zarr.json: fill 1 found, 0 was written",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_damages(store: Path, damage: Callable[[Path], None]) -> None:
    damage(store)
    with pytest.raises(StoreError, match=DAMAGES[damage]):
        open_store(store)


def test_a_store_from_before_the_forms(small_store: Path, store: Path) -> None:
    group = zarr.open_group(store, mode="r+")
    meta = dict(group.attrs[META])
    del meta["arrays"]
    group.attrs[META] = meta
    xr.testing.assert_identical(
        open_store(store).load(), open_store(small_store).load()
    )


def test_nothing_steers_the_terminal(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group = zarr.open_group(store, mode="r+")
    clear = "\x1b[2J\u202e\u061c\u05f9"
    group.attrs[META] = {**group.attrs[META], "layout": f"{clear}\r9\n"}
    assert main(["info", str(store)]) == 1
    told = capsys.readouterr().err
    assert r"has layout \x1b[2J\u202e\u061c\u05f9" in told
    assert told.count("\n") == 1
    assert not {"\x1b", "\u202e", "\u061c", "\u05f9", "\r"} & set(told)
    with pytest.raises(StoreError) as caught:
        open_store(store)
    assert "\x1b" not in str(caught.value)
    # names of variables are told on standard output
    group.attrs[META] = {**group.attrs[META], "layout": 1}
    group.create_array(f"x{clear}", shape=(1,), dtype="f8", dimension_names=["x"])
    assert main(["info", str(store)]) == 0
    assert r"x\x1b[2J\u202e" in capsys.readouterr().out
