"""Tarballs with flipped bits, cut or broken: said, and never a value from them."""

from __future__ import annotations

import gzip
import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from archives import content, put, write_tarball

import gracelstm_xr as gx
from gracelstm_xr import l1b
from gracelstm_xr.archive.dataset import open_archive
from gracelstm_xr.archive.scan import count_records
from gracelstm_xr.cli.info import about
from gracelstm_xr.errors import GraceError, GraceWarning, L1BFormatError

FIRST, SECOND = "2008-01-01", "2008-01-02"
PRODUCTS = ("ACC1B", "GNV1B", "SCA1B", "THR1B")


def members(day: str, satellites: str = "AB") -> list[tuple[str, bytes]]:
    return [
        content(product, day, satellite, range(20), value=5)
        for product in PRODUCTS
        for satellite in satellites
    ]


def official(folder: Path, day: str, satellites: str = "AB") -> Path:
    name = f"grace_1B_{day}_02.tar.gz"
    return write_tarball(folder, name, members(day, satellites))


def flipped(data: bytes, bit: int) -> bytes:
    spoilt = bytearray(data)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def outcomes(folder: Path, count: int, *, seed: int) -> Counter[str]:
    """Flip bits of a tarball one at a time, and read it by every door."""
    path = official(folder, FIRST, "A")
    content_of = dict(members(FIRST, "A"))
    names = list(content_of)
    chain = f"tar://{names[0]}::{path}"
    data = path.read_bytes()
    stop = f"{FIRST}T00:01:00"
    expected = open_archive(path, satellites="A", stop=stop).load()
    one = xr.open_dataset(chain, engine="grace_l1b").load()
    found: Counter[str] = Counter()
    for number, bit in enumerate(
        np.random.default_rng(seed).integers(8 * len(data), size=count).tolist()
    ):
        path.write_bytes(flipped(data, bit))
        os.utime(path, ns=(number, number))
        said = [refused(lambda: l1b.read_members(path, names)) == content_of]
        said.append(refused(lambda: l1b.members(path)) == tuple(names))
        single = refused(lambda: xr.open_dataset(chain, engine="grace_l1b").load())
        said.append(one.identical(single))
        ds = open_archive(folder, satellites="A", stop=stop, errors="ignore")
        if count_records(ds)["unreadable_files"]:
            found["said"] += not any(said)
            values = [v for v in ds.load().data_vars.values() if v.dtype.kind == "f"]
            found["values"] += any(bool(v.notnull().any()) for v in values)
        else:
            found["harmless"] += all(said) and ds.load().identical(expected)
    return found


def refused(call: object) -> object:
    """What a call returns; None where it refuses the file."""
    try:
        return call()  # type: ignore[operator]
    except GraceError:
        return None


@pytest.mark.parametrize(
    "count", [40, pytest.param(3000, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_bits_flipped_in_a_tarball(tmp_path: Path, count: int) -> None:
    """All is said but bits that mean nothing, such as the time in gzip's header."""
    found = outcomes(tmp_path, count, seed=count)
    print(f"\nbits of a tarball: {count} inputs ({dict(found)})")
    assert found["said"] + found["harmless"] == count
    assert found["values"] == 0
    assert found["said"] > 0.75 * count


@pytest.mark.parametrize("kind", ["flip", "cut", "header"])
def test_the_days_of_sound_tarballs_remain(tmp_path: Path, kind: str) -> None:
    bad, good = (official(tmp_path / "in", day) for day in (FIRST, SECOND))
    alone = open_archive(good).load()
    data = bad.read_bytes()
    if kind == "header":
        plain = bytearray(gzip.decompress(data))
        second = plain.find(b"ACC1B_2008-01-01_B", 512)
        while second % 512:
            second = plain.find(b"ACC1B_2008-01-01_B", second + 1)
        plain[second] ^= 1
        bad.write_bytes(gzip.compress(plain))
    else:
        bad.write_bytes(data[:-9] if kind == "cut" else flipped(data, 4 * len(data)))
    with pytest.raises(L1BFormatError, match=r"corrupt gzip|member header is broken"):
        open_archive(tmp_path / "in").load()
    ds = open_archive(tmp_path / "in", errors="warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        ds = ds.load()
    assert len({str(w.message) for w in caught}) == 1
    assert int(ds.lin_accl.sel(time=FIRST).count()) == 0
    assert int(ds.thruster_on_time.sel(time=FIRST).count()) == 0
    xr.testing.assert_equal(ds.sel(time=SECOND), alone)
    done = put(tmp_path / "in", tmp_path / "s.zarr")
    assert done.counts["unreadable_files"] == 8
    assert done.counts["absent_files"] == 0
    assert len(done.problems) == 1
    assert bad.name in done.problems[0]
    xr.testing.assert_equal(gx.open_store(tmp_path / "s.zarr").load(), ds)
    assert bad.name in about(str(tmp_path / "in"))


def test_a_damaged_tarball_that_has_to_be_listed(tmp_path: Path) -> None:
    write_tarball(tmp_path / "in", "mine.tgz", members(FIRST))
    bad = write_tarball(tmp_path / "in", "other.tgz", members(SECOND))
    bad.write_bytes(bad.read_bytes()[:-9])
    with pytest.raises(L1BFormatError, match=r"other\.tgz: corrupt gzip"):
        open_archive(tmp_path / "in")
    with pytest.raises(L1BFormatError, match=r"other\.tgz: corrupt gzip"):
        open_archive(bad, errors="ignore")
    with pytest.warns(GraceWarning, match=r"left out: .*other\.tgz: corrupt gzip"):
        ds = open_archive(tmp_path / "in", errors="warn")
    assert ds.sizes["time"] == 86400
    assert count_records(ds)["unreadable_files"] == 1
    for _ in range(2):
        done = put(tmp_path / "in", tmp_path / "s.zarr")
        assert done.counts["unreadable_files"] == 1
        assert "other.tgz" in done.problems[0]
    with pytest.raises(L1BFormatError, match=r"other\.tgz: corrupt gzip"):
        put(tmp_path / "in", tmp_path / "t.zarr", strict=True)


def test_a_pipe_is_no_data_file(tmp_path: Path) -> None:
    for name in ("ACC1B_2008-01-01_A_02.dat", "grace_1B_2008-01-02_02.tar.gz"):
        os.mkfifo(tmp_path / name)
        for call in (about, l1b.members, lambda p: open_archive(p).load()):
            with pytest.raises(L1BFormatError, match=f"{name} is a named pipe"):
                call(str(tmp_path / name))
    with pytest.raises(GraceError, match="is a named pipe"):
        put(tmp_path, tmp_path / "s.zarr")
