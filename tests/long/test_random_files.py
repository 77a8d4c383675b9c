"""Level-1B files damaged at random, in memory: read, or refused in one line."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import dask
import pytest
import xarray as xr
from archives import content as made_content
from fuzzing import Watch, damaged, short_and_long

from gracelstm_xr import l1b

sys.path.append(str(Path(__file__).parents[1] / "l1b"))
from l1b_cases import VECTORS, YAML_ACC
from test_l1b_layouts import CASES

YAML_LINES = "".join(
    f"{946728000 + k} C 1e-7 -2.5e-08 3 0 0 0 0 0 0  0000000{k % 2}\n" for k in range(2)
)
YAML_NAME = "ACC1B_2030-01-01_C_04.txt"
YAML = (YAML_ACC.format(records=2, vectors=VECTORS) + YAML_LINES).encode()

Named = tuple[str, bytes]
BINARY: list[Named] = [(f"{case.stem}.dat", case.dat()) for case in CASES]
ASCII: list[Named] = [(f"{case.stem}.asc", case.asc()) for case in CASES]
WRITTEN: list[Named] = [
    made_content(product, "2030-01-01", "C", range(3), release="04", extension="txt")
    for product in ("ACT1B", "GNV1B", "SCA1B", "THR1B")
]
ORBITS: list[Named] = [
    made_content(product, "2008-01-01", "A", range(3), extension="asc")
    for product in ("ACC1B", "GNV1B")
]


def name_of(name: str, rng: random.Random) -> str:
    """The name of a file, sometimes one that says nothing or something else."""
    other = rng.choice(("file.dat", "SCA1B_2003-09-14_B_02.dat", name.lower()))
    return name if rng.random() < 0.9 else other


def fuzz(watch: Watch, seeds: list[Named], where: str) -> None:
    """Damage one part of files, and read them."""
    heads = {data: l1b.read_bytes(data, n, quiet=True).header for n, data in seeds}
    for number, rng in watch.inputs():
        name, data = rng.choice(seeds)
        at = heads[data].nbytes
        head, body = data[:at], data[at:]
        if where == "header":
            head = damaged(head, rng)
        else:
            body = damaged(body, rng)
        watch.read(number, read_quietly, head + body, name_of(name, rng))


def read_quietly(data: bytes, name: str) -> l1b.L1BFile:
    return l1b.read_bytes(data, name, quiet=True)


@short_and_long
def test_classic_headers(long: bool) -> None:
    watch = Watch("classic headers", 200, 420_000, long=long)
    fuzz(watch, [*BINARY, *ASCII], "header")


@short_and_long
def test_yaml_headers(long: bool) -> None:
    watch = Watch("YAML headers", 100, 40_000, long=long)
    fuzz(watch, [(YAML_NAME, YAML), *WRITTEN], "header")


@short_and_long
def test_binary_records(long: bool) -> None:
    fuzz(Watch("binary records", 200, 450_000, long=long), BINARY, "body")


@short_and_long
def test_lines_of_text(long: bool) -> None:
    watch = Watch("lines of text", 200, 70_000, long=long)
    fuzz(watch, [*ASCII, *ORBITS, (YAML_NAME, YAML), *WRITTEN], "body")


@short_and_long
@pytest.mark.parametrize("chunks", [None, {}], ids=["loaded", "lazy"])
def test_files_through_xarray(
    long: bool, chunks: dict[str, int] | None, tmp_path: Path
) -> None:
    """The same seeds by the engine, which makes attributes and times of a header."""
    seeds = [*BINARY, *ASCII, *ORBITS, (YAML_NAME, YAML), *WRITTEN]
    watch = Watch("files through xarray", 20, 2_500, long=long)

    def read(path: Path) -> None:
        ds = xr.open_dataset(path, engine="grace_l1b", chunks=chunks)
        with dask.config.set(scheduler="sync"):
            ds.load()

    for number, rng in watch.inputs():
        name, data = rng.choice(seeds)
        path = tmp_path / name_of(name, rng)
        path.write_bytes(damaged(data, rng))
        watch.read(number, read, path)
        path.unlink()
