"""Windows as a user sees them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.lstm.windowing import windows
from gracelstm_xr.physics.features import features


@pytest.mark.usefixtures("no_compute")
def test_lazy_and_labelled(twin_lazy: xr.Dataset) -> None:
    found = windows(twin_lazy, recipient="B", window=100, stride=50, across_gaps=True)
    assert found.dims == ("window", "lag", "feature")
    # 43200 steps of 10 s; 3 own axes, 15 of geometry and donor, 12 thruster pairs
    assert found.shape == (863, 100, 30)
    assert found["lag"].values[[0, 1, -1]].tolist() == [0.0, 10.0, 990.0]
    start = found["start"].values
    assert start[0] == np.datetime64("2008-01-01T00:00:00")
    assert (np.diff(start) == np.timedelta64(500, "s")).all()
    assert found["feature"].values[:3].tolist() == [f"lin_accl_{k}" for k in "xyz"]


def test_values_are_those_of_the_series(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(30_000, 50_000))
    found = windows(
        part, recipient="B", window=60, stride=13, step=10.0, across_gaps=True
    )
    cov = features(part, recipient="B").isel(satellite=0).compute()
    own = part["lin_accl"].sel(satellite="B").values
    for w in (0, 7, found.sizes["window"] - 1):
        one = found.isel(window=w).compute()
        at = slice(130 * w, 130 * w + 600, 10)
        np.testing.assert_array_equal(one.values[:, :3], own[at])
        np.testing.assert_array_equal(
            one.sel(feature="argument_of_latitude"),
            cov["argument_of_latitude"].values[at],
        )
        np.testing.assert_array_equal(
            one.sel(feature="lin_accl_donor_y"),
            cov["lin_accl_donor"].values[at, 1],
        )
    assert 130 * (found.sizes["window"] - 1) + 600 <= 20_000
    assert 130 * found.sizes["window"] + 600 > 20_000


def test_none_crosses_a_gap_or_a_condemned_sample(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(0, 30_000)).copy(deep=True)
    own = part["lin_accl"].sel(satellite="B")
    own[:] = np.where(np.isfinite(own), own, 1e-9)
    # one second between two steps, and one that cleaning condemned
    own[12_345] = np.nan
    marked = np.zeros((2, 30_000), dtype=np.uint8)
    marked[1, 20_000] = 4
    part["acc_cleanflg"] = (("satellite", "time"), marked)
    every = windows(part, recipient="B", window=60, stride=13, across_gaps=True)
    found = windows(part.chunk(time=7000), recipient="B", window=60, stride=13)
    first = np.arange(every.sizes["window"]) * 130
    touched = np.zeros(len(first), dtype=bool)
    for bad in (12_345, 20_000):
        touched |= (first <= bad) & (bad <= first + 590)
    assert 0 < touched.sum() < 12
    np.testing.assert_array_equal(found["start"], every["start"][~touched])
    assert np.isfinite(found[..., :3]).all()
    xr.testing.assert_equal(found.compute(), every[~touched].compute())
    part["lin_accl"][:, ::100] = np.nan
    with pytest.raises(NotEnoughDataError, match="across_gaps=True"):
        windows(part, recipient="B", window=60)


def test_shorter_than_a_window(twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="at least one window"):
        windows(twin.isel(time=slice(0, 500)), window=100)
