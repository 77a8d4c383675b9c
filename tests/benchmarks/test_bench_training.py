"""The training benchmark in small: memory does not grow, the loop keeps up."""

from __future__ import annotations

from typing import Any

import pytest
from bench_training import measure_growth, measure_speed

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.lstm]
SMALL: dict[str, Any] = {
    "epochs": 2,
    "windows_per_epoch": 64,
    "units": 8,
    "window": 36,
    "patience": None,
    "seed": 1,
}


def test_memory_does_not_grow_with_the_archive() -> None:
    short, long = measure_growth([48, 288], SMALL)
    # the series of the 240 days more take 299 MB
    assert long - short < 100


def test_no_slower_than_windows_in_memory() -> None:
    # one of several rounds: the cores are shared with other tests, and the goal of
    # 0.95 is measured alone
    assert measure_speed(256, rounds=3, step=10, units=16)[-1] > 0.7
