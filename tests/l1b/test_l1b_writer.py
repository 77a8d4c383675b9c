"""Writing: the inverse of reading, true headers, the same bytes every time."""

from __future__ import annotations

import datetime as dt
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from l1b_cases import acc_record

from gracelstm_xr import l1b
from gracelstm_xr.errors import L1BFormatError

T = 116769600
FORMATS = {"binary": "dat", "ascii": "asc", "text": "txt"}


def columns_of(code: str, n: int, draw, satellite: str = "A") -> dict[str, np.ndarray]:
    """Draw every column of a product within the range of its type."""
    found: dict[str, np.ndarray] = {}
    for f in l1b.product_of(code, satellite).fields:
        dtype = np.dtype(f.dtype)
        if dtype.kind == "S":
            letter = {"time_ref": b"G", "coord_ref": b"E"}.get(
                f.name, satellite.encode()
            )
            found[f.name] = np.full(n, letter)
        elif dtype.kind == "f":
            reals = st.floats(width=8 * dtype.itemsize, allow_nan=False)
            found[f.name] = draw(hnp.arrays(dtype, (n, *f.shape), elements=reals))
        elif f.name == "time_frac":
            found[f.name] = draw(hnp.arrays("i4", n, elements=st.integers(0, 999_999)))
        else:
            found[f.name] = draw(hnp.arrays(dtype, (n, *f.shape)))
    return found


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("code", "satellite"),
    [
        *(("ACC1B", "A"), ("ACT1B", "D"), ("ACH1B", "D"), ("GNV1B", "C")),
        *(("SCA1B", "B"), ("THR1B", "C"), ("KBR1B", "X"), ("KBR1B", "Y")),
        *(("MAG1B", "A"), ("CLK1B", "C"), ("VKB1B", "D")),
    ],
)
@given(data=st.data())
@settings(deadline=None, max_examples=15)
def test_read_is_the_inverse_of_write(code, satellite, format, data):
    n = data.draw(st.integers(1, 5))
    columns = columns_of(code, n, data.draw, satellite)
    raw = l1b.encode(code, columns, format=format, satellite=satellite)
    name = f"{code}_2003-09-14_{satellite}_02.{FORMATS[format]}"
    found = l1b.read_bytes(raw, name, strict=True)
    assert found.header.format == format
    for field, values in columns.items():
        got = found.columns[field]
        if format == "ascii" and values.dtype == np.float64:
            # 16 digits, like JPL: what a reader of that text must get.
            values = np.array([float(f"{v:.16g}") for v in values.ravel()])
            values = values.reshape(got.shape)
        if format == "binary" and got.dtype != values.dtype:
            values = values.astype(got.dtype)
        assert got.tobytes() == values.astype(got.dtype).tobytes(), field


def small(n: int = 3) -> dict[str, np.ndarray]:
    return {
        "gps_time": np.arange(T, T + n),
        "lin_accl": np.tile([0.5, -0.25, 0.125], (n, 1)),
        "ang_accl": np.tile([1.5, 2.5, 3.5], (n, 1)),
        "acl_res": np.tile([-1.0, 0.0, 1e-5], (n, 1)),
    }


def test_binary_bytes_are_those_of_the_layout():
    raw = l1b.encode("ACC1B", small(2), format="binary", satellite="A")
    assert raw.endswith(acc_record(T) + acc_record(T + 1))


def test_ascii_lines_are_those_of_the_layout():
    raw = l1b.encode("ACC1B", small(1), format="ascii", satellite="A")
    line = f"{T} A 0.5 -0.25 0.125 1.5 2.5 3.5 -1 0 1e-05  00000000\n"
    assert raw.endswith(line.encode())


def test_text_adds_a_digit_only_where_sixteen_lose_something():
    columns = small(1)
    columns["lin_accl"] = np.array([[0.1 + 0.2, 0.1, 1e300]])
    text = l1b.encode("ACC1B", columns, format="text", satellite="C").decode()
    assert f"{T} C 0.30000000000000004 0.1 1e+300 1.5" in text
    ascii = l1b.encode("ACC1B", columns, format="ascii", satellite="C").decode()
    assert f"{T} C 0.3 0.1 1e+300 1.5" in ascii


@pytest.mark.parametrize("format", ["binary", "ascii"])
def test_legacy_header_is_complete_and_true(format):
    columns = small(3)
    name = f"ACC1B_2003-09-14_A_02.{FORMATS[format]}"
    attributes = {
        "institution": "Institute",
        "history": [
            "INPUT FILE NAME : ACC1A<-ACC1A_2003-09-14_A_00.dat",
            "filled " * 20,
        ],
    }
    raw = l1b.encode(
        "ACC1B", columns, format=format, satellite="A", header=attributes, name=name
    )
    end = raw.index(b"\nEND OF HEADER") + 1 + 81
    records = [raw[i : i + 81] for i in range(0, end, 81)]
    assert all(r.endswith(b"\n") and b"\n" not in r[:-1] for r in records)
    pairs = [(r[:30].strip().decode(), r[32:80].strip().decode()) for r in records[:-1]]
    value = dict(pairs)
    labels = [label for label, _ in pairs]
    assert labels[:5] == [
        "PRODUCER AGENCY",
        "PRODUCER INSTITUTION",
        "FILE TYPE ipACC1BF",
        "FILE FORMAT 0=BINARY 1=ASCII",
        "NUMBER OF HEADER RECORDS",
    ]
    assert labels[16:19] == [
        "FILESIZE (BYTES)",
        "FILENAME",
        "PROCESS LEVEL (1A OR 1B)",
    ]
    assert value["FILE TYPE ipACC1BF"] == "8"
    assert value["FILE FORMAT 0=BINARY 1=ASCII"] == str(int(format == "ascii"))
    assert int(value["NUMBER OF HEADER RECORDS"]) == len(records) - 1
    assert int(value["NUMBER OF DATA RECORDS"]) == 3
    assert int(value["FILESIZE (BYTES)"]) == len(raw)
    assert value["FILENAME"] == name
    assert value["PRODUCER INSTITUTION"] == "Institute"
    assert value["SATELLITE NAME"] == "GRACE A"
    assert value["TIME FIRST OBS(SEC PAST EPOCH)"] == (
        "116769600.000000 (2003-09-14 00:00:00.00)"
    )
    assert value["TIME LAST OBS(SEC PAST EPOCH)"] == (
        "116769602.000000 (2003-09-14 00:00:02.00)"
    )
    assert value["PRODUCT CREATE START TIME(UTC)"] == "not recorded"
    assert labels[19] == "INPUT FILE NAME"
    assert labels[20:] == ["HISTORY"] * 4  # 20 words, 6 to a line of 47 characters


def test_yaml_header_is_complete_and_true():
    raw = l1b.encode(
        "ACC1B",
        small(3),
        format="text",
        satellite="D",
        header={"summary": "a: b # c", "history": ['say "x": y']},
    )
    name = "ACC1B_2003-09-14_D_04.txt"
    header = l1b.read_bytes(raw, name, strict=True).header
    assert (header.records, header.start, header.stop) == (3, T, T + 2)
    assert header.attributes["platform"] == "GRACE D"
    assert header.attributes["product_version"] == "04"
    assert header.attributes["summary"] == "a: b # c"
    assert header.attributes["history"] == ['say "x": y']
    assert header.attributes["time_coverage_end"] == "2003-09-14T00:00:02.000000"
    assert header.columns == l1b.PRODUCTS["ACC1B"].columns
    assert b"GRACEFO_id" in raw
    assert header.flags["qualflg"][0] == (1, "proof_mass_voltage_off_nominal")
    assert raw[: header.nbytes].endswith(b"# End of YAML header\n")


def test_a_header_travels_from_file_to_file():
    first = l1b.encode(
        "ACC1B",
        small(3),
        format="binary",
        satellite="A",
        header={"institution": "JPL", "references": "Handbook"},
    )
    found = l1b.read_bytes(first, "ACC1B_2003-09-14_A_02.dat")
    again = l1b.encode(
        "ACC1B", found.columns, format="binary", satellite="A", header=found.header
    )
    assert again == first


def test_names_and_defaults(tmp_path):
    path = tmp_path / "ACC1B_2003-09-14_B_01.dat.gz"
    assert l1b.write(path, "ACC1B", small()) == path
    assert path.read_bytes()[4:8] == b"\0\0\0\0"  # gzip without a time
    found = l1b.read(path, strict=True)
    assert (found.satellite, found.header.release) == ("B", "01")
    assert found.columns["GRACE_id"].tolist() == [b"B"] * 3
    assert found.header.file_size == len(gzip.decompress(path.read_bytes()))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_name_is_dated_by_the_middle_record():
    columns = small(300)
    columns["gps_time"] = columns["gps_time"] - 60  # starts before midnight
    raw = l1b.encode("ACC1B", columns, format="binary", satellite="A")
    assert b"ACC1B_2003-09-14_A_02.dat" in raw
    assert dt.date(2003, 9, 14) == l1b.parse_name("ACC1B_2003-09-14_A_02.dat").date


def test_no_records_needs_a_name():
    columns = {k: v[:0] for k, v in small().items()}
    with pytest.raises(ValueError, match="state the file name"):
        l1b.encode("ACC1B", columns, format="text", satellite="C")
    name = "ACC1B_2003-09-14_C_04.txt"
    raw = l1b.encode("ACC1B", columns, format="text", satellite="C", name=name)
    assert l1b.read_bytes(raw, name, strict=True).report.records == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lin_accl": np.zeros((3, 2))}, r"lin_accl has shape \(3, 2\), expected"),
        ({"gps_time": np.array([1.5, 2, 3])}, "gps_time holds values that are no int"),
        ({"acc_qualflg": np.array([0, 256, 0])}, "acc_qualflg holds values"),
        ({"acc_qualflg": np.array([0, np.nan, 0])}, "acc_qualflg holds values"),
    ],
)
def test_columns_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        l1b.encode("ACC1B", {**small(), **change}, format="binary", satellite="A")


def test_wrong_calls(tmp_path):
    columns = small()
    with pytest.raises(ValueError, match="format 'hdf'"):
        l1b.encode("ACC1B", columns, format="hdf", satellite="A")
    del columns["acl_res"]
    with pytest.raises(ValueError, match="missing columns acl_res"):
        l1b.encode("ACC1B", columns, format="text", satellite="A")
    with pytest.raises(ValueError, match="no writer"):
        l1b.encode("GPS1B", {}, format="binary", satellite="A")
    with pytest.raises(L1BFormatError, match="unknown product"):
        l1b.encode("XYZ1B", {}, format="binary", satellite="A")
    with pytest.raises(ValueError, match="format and satellite are not in the name"):
        l1b.write(tmp_path / "out.bin", "ACC1B", small())
    assert list(tmp_path.iterdir()) == []
