"""Wrong input: one clear line each; and how sources are opened."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest

import gracelstm_xr as gx
from gracelstm_xr import l1b
from gracelstm_xr.errors import GraceWarning, L1BFormatError

T = 116769600
NAME = "ACC1B_2003-09-14_A_02.dat"


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "not a Level-1B file"),
        (bytes(range(256)) * 9, "not a Level-1B file"),
        (b"PRODUCER AGENCY               : NASA", "the header has no end"),
        (b"header:\n  dimensions:\n", "the header has no end"),
    ],
)
def test_not_a_level_1b_file(tmp_path, content, message):
    path = tmp_path / NAME
    path.write_bytes(content)
    for reader in (l1b.read, l1b.read_header):
        with pytest.raises(L1BFormatError, match=message) as error:
            reader(path)
        assert str(path) in one_line(error)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        l1b.read(tmp_path / NAME)
    with pytest.raises(L1BFormatError, match="is a folder"):
        l1b.read(tmp_path)


def test_header_only(acc_case):
    data = acc_case([T, T + 1]).dat()[: 7 * 81]
    with pytest.warns(GraceWarning, match="0 of 2 announced records found"):
        found = l1b.read_bytes(data, NAME)
    assert found.columns["lin_accl"].shape == (0, 3)
    with pytest.raises(L1BFormatError, match="0 of 2 announced"):
        l1b.read_bytes(data, NAME, strict=True)


def test_truncated_record(acc_case):
    data = acc_case([T, T + 1, T + 2]).dat()[:-30]
    with pytest.warns(GraceWarning) as caught:
        found = l1b.read_bytes(data, NAME)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "2 of 3 announced records found" in text
    assert "no complete record in the last 48 bytes" in text
    assert found.columns["gps_time"].tolist() == [T, T + 1]
    assert found.report.truncated == 1
    with pytest.raises(L1BFormatError, match="download the file again") as error:
        l1b.read_bytes(data, NAME, strict=True)
    one_line(error)


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_truncated_variable_record(cut):
    from test_l1b_layouts import CASES

    for code in ("TNK1B", "MAS1B", "GPS1B", "IHK1B"):
        case = next(c for c in CASES if c.code == code)
        with pytest.warns(GraceWarning, match="no complete record"):
            found = l1b.read_bytes(case.dat()[:-cut], f"{case.stem}.dat")
        assert found.report.records < len(case.binary)


@pytest.mark.parametrize("kind", ["dat", "asc"])
def test_wrong_record_count(acc_case, kind):
    case = acc_case([T, T + 1])
    data = case.dat() if kind == "dat" else case.asc()
    label = b"NUMBER OF DATA RECORDS        : "
    data = data.replace(label + b"2", label + b"9")
    with pytest.warns(GraceWarning, match="2 of 9 announced"):
        found = l1b.read_bytes(data, f"{case.stem}.{kind}")
    assert (found.report.records, found.report.announced) == (2, 9)


def test_the_size_counts_where_no_record_count_can_be_read(acc_case, tmp_path):
    label = b"NUMBER OF DATA RECORDS        : "
    data = acc_case([T, T + 1]).dat().replace(label + b"2", label + b"x")
    line = f"{'FILESIZE (BYTES)':<30}: {len(data) + 81:<48}\n".encode()
    data = data.replace(b"END OF HEADER", line + b"END OF HEADER", 1)
    name = "ACC1B_2003-09-14_A_02.dat"
    assert l1b.read_bytes(data, name).report.mismatches == ()
    record = (len(data) - data.index(b"END OF HEADER") - 81) // 2
    with pytest.warns(GraceWarning, match=f"{len(data)} bytes and no number of rec"):
        found = l1b.read_bytes(data[:-record], name)
    assert (found.report.records, found.report.announced) == (1, None)
    (tmp_path / name).write_bytes(data[:-record])
    done = gx.ingest(tmp_path, tmp_path / "a.zarr", products=["ACC1B"])
    assert done.counts["mismatched_files"] == 1
    assert f"{len(data) - record} bytes found" in done.problems[0]


def test_unknown_product(acc_case):
    with pytest.raises(L1BFormatError, match="unknown product 'ZZZ1B'") as error:
        l1b.read_bytes(acc_case([T]).dat(), "ZZZ1B_2003-09-14_A_02.dat")
    one_line(error)


def test_nameless_file_takes_the_name_in_its_header(acc_case):
    data = acc_case([T]).dat()
    with pytest.raises(L1BFormatError, match="neither the file name nor the header"):
        l1b.read_bytes(data, "download")
    line = f"{'FILENAME':<30}: {'old/ACC1B_2003-09-14_A_00.dat':<48}\n".encode()
    named = data.replace(b"END OF HEADER", line + b"END OF HEADER", 1)
    found = l1b.read_bytes(named, "download")
    assert (found.product.code, found.header.release) == ("ACC1B", "00")


def test_name_that_contradicts_the_header(acc_case):
    with pytest.raises(L1BFormatError, match=r"named GNV1B, but .* FILE TYPE 8"):
        l1b.read_bytes(acc_case([T]).dat(), "GNV1B_2003-09-14_A_02.dat")


def test_gzip_by_content_not_by_suffix(tmp_path, acc_case):
    case = acc_case([T])
    hidden = tmp_path / NAME
    hidden.write_bytes(gzip.compress(case.dat()))
    plain = tmp_path / f"{NAME}.gz"
    plain.write_bytes(case.dat())
    for path in (hidden, plain):
        assert l1b.read(path, strict=True).columns["gps_time"].tolist() == [T]
        assert l1b.read_header(path).records == 1


def test_corrupt_gzip(tmp_path, acc_case):
    data = gzip.compress(acc_case([T + i for i in range(100)]).dat())
    for damaged in (data[:-20], data[:300] + b"\0\0\0\0" + data[304:], data[:12]):
        path = tmp_path / f"{NAME}.gz"
        path.write_bytes(damaged)
        with pytest.raises(L1BFormatError, match="corrupt gzip") as error:
            l1b.read(path)
        one_line(error)


def test_fsspec_url(acc_case):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe(f"/l1b/{NAME}", acc_case([T]).dat())
    found = l1b.read(f"memory://l1b/{NAME}", strict=True)
    assert found.columns["gps_time"].tolist() == [T]
    with pytest.raises(FileNotFoundError):
        l1b.read("memory://l1b/ACC1B_2003-09-15_A_02.dat")


def test_header_access_does_not_read_the_body(tmp_path, acc_case, monkeypatch):
    path = tmp_path / NAME
    path.write_bytes(acc_case([T + i for i in range(10_000)]).dat())
    served = []
    real = io.BufferedReader.read

    class Counting(io.BufferedReader):
        def read(self, size=-1):
            data = real(self, size)
            served.append(len(data))
            return data

    monkeypatch.setattr(
        "builtins.open", lambda file, mode: Counting(io.FileIO(file, mode))
    )
    assert l1b.read_header(path).records == 10_000
    assert sum(served) < 10_000


def test_names():
    name = l1b.parse_name("a/GA-OG-1B-ACCDAT+JPL-ACC1B_2008-01-01_A_02.dat.gz")
    assert name is not None
    assert str(name) == "ACC1B_2008-01-01_A_02.dat"
    assert (name.satellite, name.release, name.date.isoformat()) == (
        "A",
        "02",
        "2008-01-01",
    )
    inner = l1b.parse_name("tar://x/AC01B_2019-01-01_D_04.txt::s3://b/a.tgz")
    assert inner is not None
    assert inner.product == "AC01B"
    for other in ("notes.txt", "ACC1B_2008-13-01_A_02.dat", "ACC1B.dat", 5, None):
        assert l1b.parse_name(other) is None


def test_missing_optional_values_are_nan_and_time_is_not_float():
    gps = l1b.PRODUCTS["GPS1B"]
    assert gps["CA_SNR"].memory_dtype == np.float32
    assert l1b.PRODUCTS["AHK1B"]["status"].memory_dtype == np.uint8
    with pytest.raises(KeyError, match="GPS1B has no field 'nothing'"):
        gps["nothing"]
