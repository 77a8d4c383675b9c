"""Stores damaged at random: the same values, or one StoreError with the path."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import xarray as xr
from fuzzing import Watch, damaged, flipped, other_json, short_and_long

from gracelstm_xr.store.read import open_store

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")


class Damaged:
    """A copy of a store in which one file at a time is another."""

    def __init__(self, small_store: Path, folder: Path) -> None:
        self.store = Path(shutil.copytree(small_store, folder / "a.zarr"))
        self.files = [p for p in sorted(self.store.rglob("*")) if p.is_file()]
        self.truth = open_store(small_store).load()

    def check(self, watch: Watch, number: int, path: Path, content: bytes) -> None:
        """Read the store with one file changed, and put the file back."""
        before = path.read_bytes()
        path.write_bytes(content)
        ds = watch.read(number, self.read)
        if ds is not None and not self.same(ds):
            watch.note(number, "other values", f"{path.relative_to(self.store)}")
        path.write_bytes(before)

    def read(self) -> xr.Dataset:
        return open_store(self.store).load(scheduler="sync")

    def same(self, ds: xr.Dataset) -> bool:
        """Whether values, types and units are those that were written."""
        return ds.equals(self.truth) and all(
            ds[n].dtype == v.dtype and ds[n].attrs.get("units") == v.attrs.get("units")
            for n, v in self.truth.variables.items()
        )


@short_and_long
def test_stores(small_store: Path, tmp_path: Path, long: bool) -> None:
    """Metadata more than values, which checksums guard."""
    store = Damaged(small_store, tmp_path)
    watch = Watch("stores", 60, 4_000, long=long, named=str(store.store))
    for number, rng in watch.inputs():
        path = rng.choice(store.files)
        change = damaged
        if path.name == "zarr.json":
            change = rng.choice((damaged, other_json))
        store.check(watch, number, path, change(path.read_bytes(), rng))
    assert watch.counts["refused"] > watch.total // 3


@short_and_long
def test_flipped_bits_of_a_store(small_store: Path, tmp_path: Path, long: bool) -> None:
    store = Damaged(small_store, tmp_path)
    watch = Watch("bits of a store", 40, 3_000, long=long, named=str(store.store))
    for number, rng in watch.inputs():
        path = a_file(store.files, rng)
        content = path.read_bytes()
        bit = rng.randrange(8 * len(content))
        store.check(watch, number, path, flipped(content, bit))


def a_file(files: list[Path], rng: random.Random) -> Path:
    """A file of metadata, or one of values, as often."""
    values = rng.random() < 0.5
    return rng.choice([p for p in files if (p.name == "zarr.json") != values])
