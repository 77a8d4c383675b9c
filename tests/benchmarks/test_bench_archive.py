"""The archive benchmark on small sizes: it runs, and its ratios are numbers."""

from __future__ import annotations

import numpy as np
import pytest
from bench_archive import measure


@pytest.mark.benchmark
def test_archive_ratios() -> None:
    """Nothing is asserted on time or memory: the sizes are too small to tell."""
    ratios, lines = measure(count=600, many=2, short=4)
    for line in [*ratios, *lines]:
        print(line)
    assert len(ratios) == 4
    assert all(np.isfinite(ratio.value) and ratio.value > 0 for ratio in ratios)
