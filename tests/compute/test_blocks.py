"""Functions with context over lazy stretches of time."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from gracelstm_xr.compute.blocks import (
    gps_seconds,
    iterate_time_blocks,
    map_time_blocks,
    time_blocks,
)

DAY = 86_400


def running_mean(
    t: np.ndarray, arrays: dict[str, np.ndarray], keep: slice, half: int
) -> dict[str, np.ndarray]:
    values = arrays["x"]
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    total = sum(padded[i : i + len(values)] for i in range(2 * half + 1))
    return {"mean": (total / (2 * half + 1))[keep], "t": t[keep]}


def run(ds: Any) -> dict[str, Any]:
    x = ds["lin_accl"].sel(satellite="B").transpose("time", "axis")
    outputs = {"mean": ((3,), np.float64), "t": ((), np.float64)}
    return map_time_blocks(running_mean, {"x": x}, ds, 30, halo=30.0, outputs=outputs)


def test_gps_seconds(make_grid: Any) -> None:
    ds = make_grid(start="2000-01-02", size=100)
    np.testing.assert_array_equal(
        gps_seconds(ds, slice(10, 13)), 43_200.0 + np.arange(10, 13)
    )


def test_blocks_are_at_least_a_day_and_cover_all(make_grid: Any) -> None:
    ds = make_grid(size=3 * DAY + 500)
    hourly = time_blocks(ds.chunk(time=3600))
    lengths = [b.stop - b.start for b in hourly]
    assert lengths[:3] == [DAY, DAY, DAY]
    assert hourly[0].start == 0
    assert hourly[-1].stop == 3 * DAY + 500
    assert all(a.stop == b.start for a, b in itertools.pairwise(hourly))
    assert time_blocks(ds) == [slice(0, 3 * DAY + 500)]


def test_result_does_not_depend_on_the_cut(make_grid: Any) -> None:
    ds = make_grid(size=2 * DAY)
    whole = {k: v.compute() for k, v in run(ds).items()}
    cut = {k: v.compute() for k, v in run(ds.chunk(time=50_000)).items()}
    np.testing.assert_array_equal(whole["mean"], cut["mean"])
    np.testing.assert_array_equal(whole["t"], gps_seconds(ds, slice(None)))
    values = ds["lin_accl"].values[1, 1000:1061].mean(axis=0)
    np.testing.assert_allclose(whole["mean"][1030], values, rtol=1e-12)


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(make_grid: Any) -> None:
    made = run(make_grid(size=1000).chunk(time=300))
    assert made["mean"].shape == (1000, 3)
    assert made["mean"].dtype == np.float64


def test_eager_stretches_are_the_same(make_grid: Any) -> None:
    ds = make_grid(size=2 * DAY).chunk(time=DAY)
    x = ds["lin_accl"].sel(satellite="B").transpose("time", "axis")
    parts = []
    for block, t, arrays, keep in iterate_time_blocks({"x": x}, ds, halo=30.0):
        assert len(t) == len(arrays["x"])
        np.testing.assert_array_equal(t[keep], gps_seconds(ds, block))
        parts.append(running_mean(t, arrays, keep, 30)["mean"])
    np.testing.assert_array_equal(np.concatenate(parts), run(ds)["mean"].compute())
