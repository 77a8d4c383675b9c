"""The benchmark of filling in small: what holds no gap is not predicted."""

from __future__ import annotations

import pytest
import xarray as xr
from bench_fill import DAY, counted, repeated, with_gaps

from gracelstm_xr.filling.model import FittedModel


@pytest.mark.benchmark
@pytest.mark.slow
@pytest.mark.lstm
def test_only_gaps_are_predicted(
    twin: xr.Dataset, truth: xr.Dataset, model: FittedModel
) -> None:
    """Five days of which one lacks an hour: the windows of that hour, nothing else."""
    exact = truth["lin_accl"].isel(time=slice(0, 2 * DAY)).load()
    whole = repeated(twin.assign(lin_accl=exact), 5)
    # by name: the best of all methods may do without a network
    found = counted(with_gaps(whole, 5, 36_000, 39_600), model, method="lstm")
    assert found["days"] == 1
    # steps of 10 s in windows half a window apart
    stride = model.settings.window // 2
    fewest = 360 // stride
    assert fewest <= found["windows"] <= fewest + 3
    none = counted(whole, model, method="lstm")
    assert (none["days"], none["windows"]) == (0, 0)
