"""The reading benchmark on small sizes: it runs, and its ratios are numbers."""

from __future__ import annotations

import numpy as np
import pytest
from bench_reading import measure


@pytest.mark.benchmark
def test_reading_ratios() -> None:
    """Nothing is asserted on time: a busy machine would decide."""
    ratios = measure(count=2000, days=2)
    for ratio in ratios:
        print(ratio)
    goals = ["G1", "G1", "G3", "G4", "G5", "G6", "G10"]
    assert [ratio.name.split()[0] for ratio in ratios] == goals
    assert all(np.isfinite(ratio.value) and ratio.value > 0 for ratio in ratios)
