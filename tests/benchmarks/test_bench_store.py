"""The benchmark of codecs on one simulated day: sizes are asserted, speeds are not."""

from __future__ import annotations

import numpy as np
import pytest
from bench_store import HEADER, lossless_codecs, measure, quantised_codecs


@pytest.mark.benchmark
def test_sizes_under_the_codecs() -> None:
    rows, ratios = measure(days=1)
    print(HEADER, *rows, *ratios, sep="\n")
    assert [row.codec for row in rows] == [*lossless_codecs(), *quantised_codecs()]
    assert all(np.isfinite([row.ratio, row.write, row.read]).all() for row in rows)
    assert [ratio.met for ratio in ratios] == [True, True]
    ratio = {row.codec: row.ratio for row in rows}
    assert ratio["blosc zstd bitshuffle (the store)"] < ratio["Zarr default"]
