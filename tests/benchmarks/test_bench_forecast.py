"""The benchmark of the forecast on a tiny size: it runs, and orders things rightly."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bench_forecast import RIVALS, judged, one_step, ratios, rows
from datasets import SMALL_FIT


@pytest.mark.benchmark
@pytest.mark.lstm
def test_table_of_forecasts(twin: xr.Dataset) -> None:
    table = judged(twin, leads=(60.0, 1200.0), count=6, **SMALL_FIT)
    lines = list(rows(table))
    assert lines[0] == "| method | 60 s | 20 min |"
    assert set(RIVALS) < set(table["method"].values.tolist())
    assert all(row.count("|") == 4 for row in lines)
    assert len(list(one_step(table))) == 2 + table.sizes["method"]
    share = ratios(table).isel(satellite=0)
    assert np.isfinite(share).all()
    # simulated: along the orbit the drag comes again, y is noise and firings
    late = share.sel(lead=1200.0)
    assert (late.sel(axis="x") < 1).all()
