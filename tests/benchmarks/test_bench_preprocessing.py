"""The benchmark of preparing data on one day: it runs, and its ratios are numbers."""

from __future__ import annotations

import numpy as np
import pytest
from bench_preprocessing import measure


@pytest.mark.benchmark
def test_preprocessing_ratios() -> None:
    """Nothing is asserted on time: a busy machine would decide."""
    ratios, lines = measure(days=1)
    for line in [*ratios, *lines]:
        print(line)
    assert len(ratios) == 3
    assert all(np.isfinite(ratio.value) and ratio.value > 0 for ratio in ratios)
