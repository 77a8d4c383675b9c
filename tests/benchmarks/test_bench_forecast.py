"""The benchmark of the forecast on a tiny size: its tables, and who is better."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bench_forecast import RIVALS, one_step, ratios, rows

from gracelstm_xr.filling.hindcast import hindcast
from gracelstm_xr.filling.model import FittedModel


@pytest.mark.benchmark
@pytest.mark.lstm
def test_table_of_forecasts(twin: xr.Dataset, model: FittedModel) -> None:
    table = hindcast(twin, model, leads=[60.0, 1200.0], count=6)
    lines = list(rows(table))
    assert lines[0] == "| method | 1 min | 20 min |"
    assert set(RIVALS) < set(table["method"].values.tolist())
    assert all(row.count("|") == 4 for row in lines)
    assert len(list(one_step(table))) == 2 + table.sizes["method"]
    share = ratios(table).isel(satellite=0)
    assert np.isfinite(share).all()
    # simulated: along the orbit the drag comes again, y is noise and firings
    late = share.sel(lead=1200.0)
    assert (late.sel(axis="x") < 1).all()
    # with the forecast itself as only rival all is even
    rms = table["rms"]
    itself = rms.sel({"method": ["forecast"] * len(RIVALS)})
    itself = itself.assign_coords(method=list(RIVALS))
    even = xr.concat([itself, rms.sel({"method": ["forecast"]})], dim="method")
    assert (ratios(even.to_dataset(name="rms")) == 1).all()
