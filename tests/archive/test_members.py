"""Members that are not as the name of their tarball says, files named otherwise."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import xarray as xr
from archives import content, put, write_tarball

import gracelstm_xr as gx
from gracelstm_xr.archive.dataset import open_archive
from gracelstm_xr.errors import L1BFormatError

DAY = "2008-01-01"
NAME = f"ACC1B_{DAY}_A_02.dat"
TARBALL = f"grace_1B_{DAY}_02.tar.gz"
GOOD = content("ACC1B", DAY, "A")


@pytest.mark.parametrize("tarball", [TARBALL, "mine.tgz"])
@pytest.mark.parametrize(
    "member",
    [
        (f"{NAME}.gz", gzip.compress(GOOD[1])),
        (f"folder/{NAME}.gz", gzip.compress(GOOD[1])),
        content("ACC1B", DAY, "A", extension="asc"),
    ],
    ids=["gz", "folder", "asc"],
)
def test_members_in_another_form(
    tmp_path: Path, tarball: str, member: tuple[str, bytes]
) -> None:
    (tmp_path / NAME).write_bytes(GOOD[1])
    expected = open_archive(tmp_path / NAME).load()
    path = write_tarball(tmp_path, tarball, [member])
    found = open_archive(path, satellites="A").load()
    xr.testing.assert_equal(found[["lin_accl"]], expected[["lin_accl"]])


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (content("ACC1B", DAY, "A", release="01"), f"but ACC1B_{DAY}_A_01.dat"),
        (content("ACC1B", "2008-01-02", "A"), "but ACC1B_2008-01-02_A_02.dat"),
        (("acc.bin", GOOD[1]), "none with the name of a Level-1B file; it holds acc"),
    ],
    ids=["release", "day", "name"],
)
def test_members_of_another_day_or_release(
    tmp_path: Path, member: tuple[str, bytes], message: str
) -> None:
    path = write_tarball(tmp_path / "in", TARBALL, [member])
    with pytest.raises(L1BFormatError, match=message):
        open_archive(path, products="ACC1B", satellites="A").load()
    with pytest.raises(gx.errors.StoreError, match=message):
        put(tmp_path / "in", tmp_path / "s.zarr", satellites="A", products="ACC1B")


@pytest.mark.parametrize(
    "name",
    [
        "GA-OG-1B-ACC_MDC-2.asc",
        "acc1b_2008-01-01_a_02.dat",
        "ACC1B_2008-01-01_A_02 (1).dat",
        "ACC1B_2008-001_A_02.dat",
        "ACC1B_2008-01-01_A_02.ASC",
    ],
)
def test_a_named_file_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(GOOD[1])
    assert int(open_archive(path).lin_accl.count()) == 180
    path.write_bytes(b"text")
    with pytest.raises(L1BFormatError, match="not a Level-1B file"):
        open_archive(path)


@pytest.mark.parametrize(
    ("beginning", "words"),
    [
        (b"<!DOCTYPE html><html>login</html>", "a web page.*: log in and download"),
        (b"\xfd7zXZ\0", "packed by xz: unpack it with unxz"),
        (b"BZh91AY", "packed by bzip2"),
        (b"\x1f\x9d\x90", r"packed by compress"),
        (b"PK\x03\x04", "a zip file: unpack it"),
    ],
)
def test_other_files_are_called_by_their_kind(
    tmp_path: Path, beginning: bytes, words: str
) -> None:
    for name in (TARBALL, "mine.tgz", NAME, "page.tar.xz"):
        path = tmp_path / name
        path.write_bytes(beginning + bytes(600))
        with pytest.raises(L1BFormatError, match=words):
            open_archive(path).load()


def test_names_that_are_nearly_right_are_told(tmp_path: Path) -> None:
    for name in ("ACC1B_2008-01-01_A_02.dat.xz", "grace_1B_2008-01-01_02.zip", "notes"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(gx.errors.ArchiveError) as caught:
        open_archive(tmp_path)
    assert str(caught.value).endswith(
        "; not taken: ACC1B_2008-01-01_A_02.dat.xz, grace_1B_2008-01-01_02.zip"
    )


def test_behind_a_cut_nobody_knows_of_firings(tmp_path: Path) -> None:
    name, data = content("THR1B", DAY, "A", range(20))
    (tmp_path / name).write_bytes(data[:-100])
    with pytest.warns(gx.errors.GraceWarning, match="of 20 announced records"):
        ds = open_archive(tmp_path, products="THR1B").load()
    on_time = ds.thruster_on_time.sel(satellite="A").isel(thruster=0)
    assert int(on_time.count()) == 19
    assert on_time[:19].min() > 0
