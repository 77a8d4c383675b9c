"""The official JPL samples: binary against ASCII, and written back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gracelstm_xr import l1b

SAMPLE = Path(__file__).parents[2] / ".." / "shared" / "data" / "jpl_sample"
FILES = sorted(SAMPLE.glob("*.dat"))
WRITERS = {"ACC1B", "GNV1B", "SCA1B", "THR1B", "KBR1B"}

pytestmark = pytest.mark.skipif(
    not FILES, reason="JPL sample files are not beside the checkout"
)


@pytest.fixture(params=FILES, ids=lambda p: p.stem)
def pair(request) -> tuple[Path, Path]:
    binary = request.param
    return binary, SAMPLE / "asc" / f"{binary.stem}.asc"


def test_every_binary_equals_its_official_ascii(pair):
    binary, text = (l1b.read(p, strict=True) for p in pair)
    assert binary.report.records == binary.report.announced > 0
    assert binary.columns.keys() == text.columns.keys()
    assert set(binary.columns) == {f.name for f in binary.product.fields}
    for name, values in binary.columns.items():
        assert values.dtype == text.columns[name].dtype
        np.testing.assert_array_equal(values, text.columns[name], err_msg=name)


def test_every_token_of_the_ascii_file_is_in_the_arrays(pair):
    """Independent of the reader: split the lines and compare token by token."""
    found = l1b.read(pair[0], strict=True)
    fixed, optional = found.product.text_fields, found.product.optional
    body = pair[1].read_bytes().split(b"END OF HEADER")[1].split(b"\n", 1)[1]
    for row, line in enumerate(body.decode().splitlines()):
        tokens = line.split()
        flag = int(found.columns.get("prod_flag", np.zeros(row + 1, int))[row])
        fields = [*fixed, *(f for f in optional if flag >> f.bit & 1)]
        values = [
            (f, v)
            for f in fields
            for v in np.atleast_1d(found.columns[f.name][row]).tolist()
        ]
        assert len(tokens) == len(values)
        for token, (field, value) in zip(tokens, values, strict=True):
            if field.kind == "flag":
                assert int(token, 2) == value
            elif isinstance(value, bytes):
                assert token.encode() == value
            elif field.dtype == "f4":
                assert np.float32(float(token)) == np.float32(value)
            else:
                assert float(token) == value


def test_announced_times_and_sizes_are_those_of_the_file(pair):
    for path in pair:
        found = l1b.read(path)
        assert found.header.file_size == path.stat().st_size
        if found.product.code not in ("TIM1B",):
            assert found.time_ns.min() // 10**9 == found.header.start


def test_written_back_byte_for_byte(pair):
    if pair[0].name[:5] not in WRITERS:
        pytest.skip("no writer is promised for this product")
    for path in pair:
        found = l1b.read(path, strict=True)
        raw = l1b.encode(
            found.product,
            found.columns,
            format=found.header.format,
            satellite=found.satellite,
            header=found.header,
            name=str(found.header.attributes["file_name"]),
        )
        # Not only the data section: the header is the same too.
        assert raw == path.read_bytes()
