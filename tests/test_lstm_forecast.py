"""Going on past the end of the data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.lstm import FittedModel, forecast

pytestmark = pytest.mark.lstm
CUT = 150_000


@pytest.fixture(scope="module")
def ahead(model: FittedModel, twin: xr.Dataset) -> xr.Dataset:
    return forecast(twin.isel(time=slice(0, CUT)), model, horizon="90min").compute()


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(model: FittedModel, twin_lazy: xr.Dataset) -> None:
    found = forecast(twin_lazy, model, horizon=3600.0)
    assert found["lin_accl_forecast"].chunks is not None
    assert found["lin_accl_forecast"].attrs["units"] == "m s-2"
    assert found["satellite"].values.tolist() == ["B"]
    assert "forecast" in found.attrs["history"]


def test_time_goes_on(ahead: xr.Dataset, twin: xr.Dataset) -> None:
    expected = twin["time"].values[CUT : CUT + 5400]
    np.testing.assert_array_equal(ahead["time"].values, expected)
    assert ahead["lin_accl_forecast"].dims == ("satellite", "time", "axis")
    assert np.isfinite(ahead["lin_accl_forecast"]).all()


def test_sigma_grows(ahead: xr.Dataset) -> None:
    sigma = ahead["lin_accl_forecast_sigma"].values[0]
    assert (sigma > 0).all()
    assert (np.diff(sigma, axis=0) >= 0).all()
    assert (sigma[-1] > sigma[0]).all()


def test_beats_the_last_value_after_half_an_hour(
    model: FittedModel, twin: xr.Dataset, truth: xr.Dataset
) -> None:
    exact = truth["lin_accl"].sel(satellite="B").isel(time=slice(0, 172_800)).values
    errors, held, sigmas = [], [], []
    for cut in range(120_000, 170_000, 9000):
        found = forecast(twin.isel(time=slice(0, cut)), model, horizon=1800.0)
        at = slice(cut + 1500, cut + 1800)
        errors.append(found["lin_accl_forecast"].values[0, 1500:] - exact[at])
        held.append(exact[cut - 1] - exact[at])
        sigmas.append(found["lin_accl_forecast_sigma"].values[0, 1500:])
    rms = np.sqrt(np.mean(np.concatenate(errors) ** 2, axis=0))
    hold = np.sqrt(np.mean(np.concatenate(held) ** 2, axis=0))
    assert (rms[[0, 2]] < 0.7 * hold[[0, 2]]).all()
    assert rms[1] < hold[1]
    sigma = np.sqrt(np.mean(np.concatenate(sigmas) ** 2, axis=0))
    assert ((sigma > rms / 3) & (sigma < 3 * rms)).all()


def test_without_an_orbit_in_the_model(model: FittedModel, twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="GNV1B"):
        forecast(twin.sel(satellite=["A"]), model)
