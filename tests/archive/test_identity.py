"""File name, header and records that contradict each other: said, counted, refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr
from archives import columns, content, put, write_file

from gracelstm_xr import l1b
from gracelstm_xr.archive.dataset import open_archive
from gracelstm_xr.archive.scan import count_records
from gracelstm_xr.errors import GraceWarning, L1BFormatError

DAY, NEXT = "2008-01-01", "2008-01-02"
NAME = f"ACC1B_{DAY}_A_02.dat"
RECORD = 78


def named(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return path


def letters(data: bytes, records: range, letter: bytes) -> bytes:
    """The file with the letter of some of its 60 records changed."""
    spoilt = bytearray(data)
    first = len(data) - 60 * RECORD
    for record in records:
        spoilt[first + record * RECORD + 4] = letter[0]
    return bytes(spoilt)


GOOD = content("ACC1B", DAY, "A")[1]


@pytest.mark.filterwarnings("ignore:.*the file name says:UserWarning")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (content("ACC1B", DAY, "B")[1], "named satellite A, its header and records"),
        (content("ACC1B", NEXT, "A")[1], f"named {DAY}, its records are from {NEXT}"),
        (letters(GOOD, range(60), b"B"), "all 60 records say 'B'"),
    ],
)  # fmt: skip
def test_a_file_of_another_satellite_or_day(
    tmp_path: Path, data: bytes, message: str
) -> None:
    named(tmp_path / "in", NAME, data)
    write_file(tmp_path / "in", "ACC1B", DAY, "B", value=7)
    with pytest.raises(L1BFormatError, match=message):
        open_archive(tmp_path / "in").load()
    with pytest.warns(GraceWarning, match=message):
        ds = open_archive(tmp_path / "in", errors="warn").load()
    assert ds.lin_accl.count(["time", "axis"]).values.tolist() == [0, 180]
    assert count_records(open_archive(tmp_path / "in"))["unreadable_files"] == 1
    done = put(tmp_path / "in", tmp_path / "s.zarr")
    assert done.counts["unreadable_files"] == 1
    assert message in done.problems[0]


def test_one_file_has_the_satellite_of_its_data(tmp_path: Path) -> None:
    path = named(tmp_path, NAME, content("ACC1B", DAY, "B")[1])
    with pytest.warns(GraceWarning, match="says satellite A, its header B"):
        ds = xr.open_dataset(path, engine="grace_l1b").load()
    assert ds.satellite.item() == "B"


def test_single_records_of_another_satellite_are_left_out(tmp_path: Path) -> None:
    data = letters(GOOD, range(3, 5), b"\xff")
    path = named(tmp_path / "in", NAME, data)
    with pytest.warns(GraceWarning, match="2 records of another satellite left out"):
        ds = open_archive(path).load()
    there = ds.lin_accl[0, :60, 0].notnull().values
    assert [i for i in range(60) if not there[i]] == [3, 4]
    done = put(tmp_path / "in", tmp_path / "s.zarr")
    assert done.counts["foreign_records"] == 2
    assert "2 records of another satellite left out" in done.problems[0]


def test_another_release_or_product_in_the_header(tmp_path: Path) -> None:
    data = content("ACC1B", DAY, "A", release="01")[1]
    path = named(tmp_path / "in", NAME, data)
    with pytest.warns(GraceWarning, match="says release 02, its header 01"):
        open_archive(path).load()
    done = put(tmp_path / "in", tmp_path / "s.zarr")
    assert done.counts["mismatched_files"] == 1
    assert "says release 02, its header 01" in done.problems[0]


def test_orbits_in_another_frame_are_refused(tmp_path: Path) -> None:
    path = write_file(tmp_path, "GNV1B", "2008-01-01", "A")
    values = columns("GNV1B", "2008-01-01", range(60))
    values["coord_ref"][7] = b"I"
    options = {"format": "binary", "satellite": "A", "release": "02"}
    path.write_bytes(l1b.encode("GNV1B", values, name=path.name, **options))
    write_file(tmp_path, "ACC1B", "2008-01-01", "A")
    ds = open_archive(tmp_path)
    with pytest.raises(L1BFormatError, match=r"1 of 60 records have coord_ref 'I'"):
        ds["position"].compute()
    assert count_records(ds)["unreadable_files"] == 1
