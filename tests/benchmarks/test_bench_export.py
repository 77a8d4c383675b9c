"""The benchmark of the export on three days: memory is asserted, rates are not."""

from __future__ import annotations

import pytest
from bench_export import DAY, HEADER, KINDS, measure


@pytest.mark.benchmark
def test_rates_and_memory_of_the_export() -> None:
    rows = measure(days=3)
    print(HEADER, *rows, sep="\n")
    assert tuple(row.kind for row in rows) == KINDS
    assert all(row.seconds > 0 and row.growth < 100 for row in rows)
    netcdf, files = rows
    assert netcdf.bytes_out < 0.7 * netcdf.bytes_in
    # 78 bytes per record, and no more than 100 header records per file
    records = 2 * 3 * DAY * 78
    assert records < files.bytes_out <= records + 6 * 100 * 81
