"""Level-1B files as other software reads them: the published layout, by hand.

The parsers here use nothing of the package: 81-byte header records, `struct`, and the
columns of a line, as in the description of the format.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr import l1b
from gracelstm_xr.errors import GraceError, GraceWarning
from gracelstm_xr.export.l1b import to_l1b

DAY = 86_400
#: 2008-01-01T00:00:00 GPS is 2921.5 days past 2000-01-01T12:00:00.
START = 252_417_600
#: The labels that every legacy header starts with, in the order of the JPL sample.
LABELS = [
    "PRODUCER AGENCY",
    "PRODUCER INSTITUTION",
    "FILE TYPE ipACC1BF",
    "FILE FORMAT 0=BINARY 1=ASCII",
    "NUMBER OF HEADER RECORDS",
    "SOFTWARE VERSION",
    "SOFTWARE LINK TIME",
    "REFERENCE DOCUMENTATION",
    "SATELLITE NAME",
    "SENSOR NAME",
    "TIME EPOCH (GPS TIME)",
    "TIME FIRST OBS(SEC PAST EPOCH)",
    "TIME LAST OBS(SEC PAST EPOCH)",
    "NUMBER OF DATA RECORDS",
    "PRODUCT CREATE START TIME(UTC)",
    "PRODUCT CREATE END TIME(UTC)",
    "FILESIZE (BYTES)",
    "FILENAME",
    "PROCESS LEVEL (1A OR 1B)",
]
RECORD = struct.Struct(">ic9dB")


def legacy_parts(data: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Labels and values of the header records, and the body."""
    records: list[tuple[str, str]] = []
    for position in range(0, len(data), 81):
        record = data[position : position + 81]
        assert record[80:] == b"\n"
        text = record[:80].decode("ascii")
        if text.startswith("END OF HEADER"):
            assert text == "END OF HEADER".ljust(80)
            return records, data[position + 81 :]
        assert text[30:32] == ": "
        assert text[79] == " "
        records.append((text[:30].rstrip(), text[32:].rstrip()))
    raise AssertionError("no end of header")


def binary_rows(body: bytes) -> list[tuple[Any, ...]]:
    assert len(body) % 78 == 0
    rows = list(RECORD.iter_unpack(body))
    return [(t, s.decode(), *rest) for t, s, *rest in rows]


def text_rows(body: bytes) -> list[tuple[Any, ...]]:
    rows = []
    for line in body.decode("ascii").splitlines():
        numbers, flag = line.rsplit("  ", 1)
        t, letter, *values = numbers.split(" ")
        assert len(values) == 9
        assert len(flag) == 8
        rows.append((int(t), letter, *map(float, values), int(flag, 2)))
    return rows


def text_parts(data: bytes) -> tuple[list[str], bytes]:
    head, body = data.split(b"# End of YAML header\n")
    lines = head.decode("ascii").splitlines()
    assert lines[0] == "header:"
    return lines, body


def wanted_rows(ds: xr.Dataset, letter: str) -> list[tuple[Any, ...]]:
    """What has to stand in a file, from the Dataset alone."""
    part = ds.sel(satellite=letter)
    values = part["lin_accl_filled"].values
    made = (part["lin_accl_fill_method"].values % 5 > 0).any(axis=1)
    seconds = (part["time"].values - np.datetime64("2000-01-01T12:00:00")).astype(
        "timedelta64[s]"
    )
    rows = []
    for i in np.flatnonzero(np.isfinite(values).all(axis=1)):
        others = np.concatenate([part["ang_accl"].values[i], part["acl_res"].values[i]])
        flag = int(part["acc_qualflg"].values[i]) | (2 if made[i] else 0)
        numbers = [*values[i], *np.nan_to_num(others)]
        rows.append((int(seconds[i].astype(int)), letter, *map(float, numbers), flag))
    return rows


@pytest.fixture(scope="module")
def filled(make_grid: Any) -> xr.Dataset:
    gaps = {"A": [(100, 160)], "B": [(1000, 1500), (3000, 3001)]}
    ds = make_grid(size=3600, gaps=gaps, filled=True)
    ds["acc_qualflg"][:, ::7] |= np.uint8(0b00100000)
    line = "2026-01-02T00:00:00Z gracelstm_xr: gaps filled by <FittedModel: fills B>"
    ds.attrs |= {"source": "simulated Level-1B files", "product_version": "02"}
    ds.attrs["history"] += "\n" + line
    return ds


@pytest.mark.parametrize("letter", ["A", "B"])
def test_binary_by_struct(filled: xr.Dataset, tmp_path: Path, letter: str) -> None:
    path = to_l1b(filled, tmp_path)["AB".index(letter)]
    assert path.name == f"ACT1B_2008-01-01_{letter}_02.dat"
    records, body = legacy_parts(path.read_bytes())
    assert binary_rows(body) == wanted_rows(filled, letter)
    assert [label for label, _ in records[:19]] == LABELS
    said = dict(records[:19])
    assert said["FILE FORMAT 0=BINARY 1=ASCII"] == "0"
    assert said["FILE TYPE ipACC1BF"] == "8"
    assert int(said["NUMBER OF HEADER RECORDS"]) == len(records)
    assert int(said["NUMBER OF DATA RECORDS"]) == 3600
    assert int(said["FILESIZE (BYTES)"]) == path.stat().st_size
    assert said["FILENAME"] == path.name
    assert said["SATELLITE NAME"] == f"GRACE {letter}"
    first = said["TIME FIRST OBS(SEC PAST EPOCH)"]
    assert first == f"{START}.000000 (2008-01-01 00:00:00.00)"
    last = said["TIME LAST OBS(SEC PAST EPOCH)"]
    assert last == f"{START + 3599}.000000 (2008-01-01 00:59:59.00)"
    assert said["PRODUCT CREATE END TIME(UTC)"].endswith(" by gracelstm_xr")


def test_ascii_by_columns(filled: xr.Dataset, tmp_path: Path) -> None:
    path = to_l1b(filled, tmp_path, format="ascii")[1]
    records, body = legacy_parts(path.read_bytes())
    assert dict(records[:19])["FILE FORMAT 0=BINARY 1=ASCII"] == "1"
    assert int(dict(records[:19])["FILESIZE (BYTES)"]) == path.stat().st_size
    for found, wanted in zip(text_rows(body), wanted_rows(filled, "B"), strict=True):
        assert found[:2] == wanted[:2]
        assert found[-1] == wanted[-1]
        np.testing.assert_allclose(found[2:-1], wanted[2:-1], rtol=1e-15)


def test_text_by_columns(filled: xr.Dataset, tmp_path: Path) -> None:
    late = filled.assign_coords(satellite=["C", "D"])
    path = to_l1b(late, tmp_path)[1]
    assert path.name == "ACT1B_2008-01-01_D_02.txt"
    lines, body = text_parts(path.read_bytes())
    assert text_rows(body) == wanted_rows(late, "D")
    # readers cut the number out of these very columns
    assert lines[1:3] == ["  dimensions:", "    num_records: 3600"]
    names = [line.strip(" -:") for line in lines if line.startswith("    - ")]
    axes = [f"{kind}_{a}" for kind in ("lin_accl", "ang_accl") for a in "xyz"]
    rest = [f"acl_{a}_res" for a in "xyz"]
    assert names == ["gps_time", "GRACEFO_id", *axes, *rest, "qualflg"]
    assert "          - bit 1 = synthetic_sample" in lines
    sections = [line for line in lines if line[:2] == "  " and line[2] != " "]
    assert sections == [
        "  dimensions:",
        "  global_attributes:",
        "  non-standard_attributes:",
        "  variables:",
    ]


def test_header_names_epochs_model_and_origin(
    filled: xr.Dataset, tmp_path: Path
) -> None:
    records, _ = legacy_parts(to_l1b(filled, tmp_path)[1].read_bytes())
    text = " ".join(value for label, value in records if label == "HISTORY")
    assert "3600 of 3600 epochs written, 3099 observed" in text
    assert "501 synthetic epochs, flag bit 1 set: 501 lstm" in text
    assert f"lstm GPS {START + 1000} to {START + 1499}" in text
    assert f"lstm GPS {START + 3000} to {START + 3000}" in text
    assert "gaps filled by <FittedModel: fills B>" in text
    assert "made from: simulated Level-1B files" in text


def test_long_lists_stay_within_the_limits_of_readers(
    make_grid: Any, tmp_path: Path
) -> None:
    """JPL's reader holds 100 header records; every second epoch is synthetic here."""
    gaps = {"A": [(k, k + 1) for k in range(1, 2000, 2)] + [(2100, 2200)]}
    ds = make_grid(size=3600, satellites="A", gaps=gaps, filled=True)
    ds.attrs["history"] = "\n".join(f"step {k}" for k in range(500))
    records, body = legacy_parts(to_l1b(ds, tmp_path)[0].read_bytes())
    assert len(records) == 99
    assert len(binary_rows(body)) == 3600
    text = " ".join(value for _, value in records)
    assert "1100 synthetic epochs" in text
    assert f"lstm GPS {START + 2100} to {START + 2199}" in text  # the longest is kept
    assert "and 971 shorter spans, 971 epochs" in text
    assert "more lines left out" in records[-1][1]
    lines, _ = text_parts(to_l1b(ds, tmp_path, format="text")[0].read_bytes())
    assert sum("lstm GPS" in line for line in lines) == 500


SAMPLE = "ACC1B_2003-09-14_A_00"


@pytest.mark.parametrize("how", ["engine", "archive"])
def test_real_sample_comes_back_bit_for_bit(
    shared_data: Path, tmp_path: Path, how: str
) -> None:
    """Real JPL files, binary and ASCII: every observed record is the same bytes."""
    source = shared_data / "jpl_sample" / f"{SAMPLE}.dat"
    if not source.is_file():
        pytest.skip("no JPL sample next to the checkout")
    text = shared_data / "jpl_sample" / "asc" / f"{SAMPLE}.asc"
    opened = {
        "engine": lambda: xr.open_dataset(source, engine="grace_l1b", chunks={}),
        "archive": lambda: gx.open_archive([source], products=["ACC1B"]),
    }
    ds = opened[how]()
    (path,) = to_l1b(ds, tmp_path)
    assert path.name == source.name
    records, body = legacy_parts(path.read_bytes())
    theirs, their_body = legacy_parts(source.read_bytes())
    assert body == their_body
    assert [r[0] for r in records[:19]] == [r[0] for r in theirs[:19]]
    same = {"FILE TYPE ipACC1BF", "NUMBER OF DATA RECORDS", "SATELLITE NAME"}
    same |= {label for label in LABELS if label.startswith("TIME")}
    for mine, official in zip(records[:19], theirs[:19], strict=True):
        assert mine[0] not in same or mine == official
    (path,) = to_l1b(ds, tmp_path, format="ascii")
    assert legacy_parts(path.read_bytes())[1] == legacy_parts(text.read_bytes())[1]


def test_real_sample_with_a_gap_keeps_the_untouched_epochs(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "jpl_sample" / f"{SAMPLE}.dat"
    if not source.is_file():
        pytest.skip("no JPL sample next to the checkout")
    ds = xr.open_dataset(source, engine="grace_l1b").load()
    gap = np.zeros(60, dtype=bool)
    gap[20:30] = True
    cut = xr.where(gap[:, None], ds["lin_accl"].mean("time").values, ds["lin_accl"])
    method = np.repeat(np.where(gap, 3, 0)[:, None], 3, axis=1).astype("uint8")
    ds["lin_accl_filled"] = (ds["lin_accl"].dims, cut.values)
    ds["lin_accl_fill_method"] = (ds["lin_accl"].dims, method)
    (path,) = to_l1b(ds, tmp_path)
    body = legacy_parts(path.read_bytes())[1]
    theirs = legacy_parts(source.read_bytes())[1]
    for k in range(60):
        same = body[78 * k : 78 * k + 78] == theirs[78 * k : 78 * k + 78]
        assert same == (not gap[k])
    assert [row[-1] & 2 for row in binary_rows(body)] == (2 * gap).tolist()


def test_nothing_is_lost_without_a_word(make_grid: Any, tmp_path: Path) -> None:
    """A day without data, a dead satellite, an axis missing, doubted samples."""
    ds = make_grid(size=3 * DAY, satellites="AB", gaps={"B": [(0, 3 * DAY)]})
    ds["lin_accl"][0, DAY : 2 * DAY] = np.nan
    ds["lin_accl"][0, 10:25, 1] = np.nan
    marks = np.zeros((2, 3 * DAY), "uint8")
    marks[0, 40:44] = 1
    marks[0, 50] = 2
    ds["acc_cleanflg"] = (("satellite", "time"), marks, {"treated_as_missing": 1})
    with pytest.warns(GraceWarning) as caught:
        paths = to_l1b(ds.chunk(time=10_000), tmp_path)
    assert [p.name for p in paths] == [
        f"ACC1B_2008-01-0{day}_A_02.dat" for day in (1, 3)
    ]
    said = [str(w.message) for w in caught]
    assert len(said) == 2
    assert "A: no complete epoch on 1 of 3 days" in said[0]
    assert "2008-01-02" in said[0]
    assert "15 epochs with only some of x, y and z left out" in said[0]
    assert "4 epochs that cleaning doubts written as measured" in said[0]
    assert "B: no complete epoch on 3 of 3 days" in said[1]
    records, body = legacy_parts(paths[0].read_bytes())
    assert len(binary_rows(body)) == DAY - 15
    text = " ".join(v for _, v in records)
    assert "15 epochs left out: only some of x, y, z known" in text
    assert "4 observed epochs that cleaning doubts" in text


def test_one_axis_without_an_estimate(filled: xr.Dataset, tmp_path: Path) -> None:
    ds = filled.copy(deep=True)
    ds["lin_accl_filled"][1, 1000:1500, 2] = np.nan
    ds["lin_accl_fill_method"][1, 1000:1500, 2] = 5
    with pytest.warns(GraceWarning, match="B: 500 epochs with only some of x, y and z"):
        path = to_l1b(ds, tmp_path)[1]
    rows = binary_rows(legacy_parts(path.read_bytes())[1])
    assert rows == wanted_rows(ds, "B")
    assert len(rows) == 3100


def test_a_bit_taken_by_the_source_is_kept_and_told(
    filled: xr.Dataset, tmp_path: Path
) -> None:
    ds = filled.copy(deep=True)
    ds["acc_qualflg"][0, :5] |= np.uint8(2)
    with pytest.warns(GraceWarning, match="A: 5 observed epochs with flag bit 1"):
        path = to_l1b(ds, tmp_path)[0]
    assert binary_rows(legacy_parts(path.read_bytes())[1]) == wanted_rows(ds, "A")


def test_flags_are_named_as_in_the_source(filled: xr.Dataset, tmp_path: Path) -> None:
    late = filled.assign_coords(satellite=["C", "D"])
    late["acc_qualflg"].attrs |= {"flag_masks": [4], "flag_meanings": "as_in_the_file"}
    lines, _ = text_parts(to_l1b(late, tmp_path)[0].read_bytes())
    assert "          - bit 2 = as_in_the_file" in lines
    assert "          - bit 5 = Not defined" in lines


def test_a_second_run_replaces_or_skips(filled: xr.Dataset, tmp_path: Path) -> None:
    paths = to_l1b(filled, tmp_path)
    before = paths[0].read_bytes()
    paths[1].write_bytes(b"old")
    (tmp_path / f".{paths[0].name}.1.2.part").write_bytes(b"of a killed run")
    assert to_l1b(filled, tmp_path, skip_existing=True) == paths
    assert paths[1].read_bytes() == b"old"
    for options in ({}, {"overwrite": True}):
        with pytest.raises(GraceError, match="was not written by"):
            to_l1b(filled.isel(satellite=[1]), tmp_path, **options)
        assert paths[1].read_bytes() == b"old"
    paths[1].unlink()
    with pytest.raises(GraceError, match="exists already; choose another name, or"):
        to_l1b(filled, tmp_path)
    assert to_l1b(filled, tmp_path, overwrite=True) == paths
    assert legacy_parts(paths[1].read_bytes())[1]
    assert legacy_parts(paths[0].read_bytes())[1] == legacy_parts(before)[1]


def test_chunking_does_not_change_a_byte(
    filled: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    found = set()
    for k, chunks in enumerate(({}, {"time": 777}, {"time": 3600, "axis": 1})):
        paths = to_l1b(filled.chunk(chunks) if k else filled, tmp_path / str(k))
        found.add(b"".join(p.read_bytes() for p in paths))
    assert len(found) == 1


def test_refusals_take_one_line(filled: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(GraceError, match="release is '2'; expected two digits"):
        to_l1b(filled, tmp_path, release="2")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(GraceError, match=r"file: .*; expected a folder"):
        to_l1b(filled, file)


def test_our_reader_agrees(filled: xr.Dataset, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = to_l1b(filled, tmp_path)[1]
        file = l1b.read(path, strict=True)
    rows = wanted_rows(filled, "B")
    np.testing.assert_array_equal(file.columns["gps_time"], [r[0] for r in rows])
    np.testing.assert_array_equal(file.columns["lin_accl"], [r[2:5] for r in rows])
    np.testing.assert_array_equal(file.columns["acc_qualflg"], [r[-1] for r in rows])
