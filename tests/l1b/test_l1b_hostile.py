"""Headers and texts that announce the absurd: one line, soon, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from l1b_cases import legacy_header

from gracelstm_xr import l1b
from gracelstm_xr.errors import GraceError, L1BFormatError
from gracelstm_xr.l1b.products import product_of

LINES = ["946728000 C 1 2 3 0 0 0 0 0 0  00000000"]
NAME = "ACC1B_2030-01-01_C_04.txt"


@pytest.mark.parametrize(
    "records", ["[2]", "9" * 5000, "-3", "{a: 1}", "1e400", "ä", "0x10"]
)
def test_absurd_counts_are_no_counts(yaml_acc, records):
    data = yaml_acc(LINES, records=records)
    report = l1b.read_bytes(data, NAME, quiet=True).report
    assert report.records == 1
    assert report.announced in (None, -3, 1, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bit 0 =", "bit 99999999999 ="),
        ("bit 0 =", "bits 0-99999999999 ="),
        ("bit 0 =", "bits 9-3 ="),
        ("bit 0 =", "bit " + "9" * 5000 + " ="),
        ("1b, 2b,", "9" * 5000 + "b,"),
    ],
)
def test_absurd_bits_drop_out(yaml_acc, old, new):
    data = yaml_acc(LINES).replace(old.encode(), new.encode())
    flags = l1b.read_bytes(data, NAME).header.flags["qualflg"]
    assert all(0 < mask < 1 << 64 for mask, _ in flags)


@pytest.mark.parametrize(
    "title",
    [
        "&a [x]\n    more: [*a, *a]",
        "[" * 5000 + "]" * 5000,
        "{a: " * 300 + "}" * 300,
        "[unclosed",
        "\x00",
    ],
)
def test_headers_that_grow_are_refused(yaml_acc, title):
    data = yaml_acc(LINES).replace(b"Made-up accelerometer sample", title.encode())
    with pytest.raises(GraceError, match=NAME) as caught:
        l1b.read_bytes(data, NAME)
    assert "\n" not in str(caught.value)


def test_long_lines_of_a_legacy_header(acc_case):
    data = acc_case([116769600]).dat()
    line = f"{'TIME FIRST OBS(SEC PAST EPOCH)':<30}: {'(' * 400_000}\n".encode()
    data = data.replace(b"FILE TYPE", line + b"FILE TYPE", 1)
    assert l1b.read_bytes(data, "ACC1B_2003-09-14_A_02.dat").report.records == 1


def test_one_long_text_among_short_ones():
    """Every record would get the room of the longest: 40 GB."""
    record = np.zeros(1, product_of("IHK1B", "A").record_dtype())
    record["GRACE_id"] = b"A"
    texts = [b"short"] * 20_000 + [b"x" * 2_000_000]
    body = b"".join(record.tobytes() + text + b"\0" for text in texts)
    data = legacy_header("IHK1B", len(texts)) + body
    tracemalloc.start()
    with pytest.raises(L1BFormatError, match="a text of 2000000 characters; expected"):
        l1b.read_bytes(data, "IHK1B_2003-09-14_A_02.dat")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
