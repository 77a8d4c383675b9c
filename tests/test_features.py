"""Covariates as a user sees them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.features import features, satellite_pairs
from gracelstm_xr.simulate import geometry
from gracelstm_xr.simulate.config import day_number, make_scenario

UNITS = {
    "argument_of_latitude": "rad",
    "shadow_factor": "1",
    "sun_direction": "1",
    "twin_lag": "s",
    "lin_accl_donor": "m s-2",
    "thruster_response": "ms s-1",
    "donor_thruster_response": "ms s-1",
}


def test_pairs(twin: xr.Dataset) -> None:
    found = [(p.recipient, p.donor) for p in satellite_pairs(twin)]
    assert found == [("A", "B"), ("B", "A")]
    (alone,) = satellite_pairs(twin.sel(satellite=["B"]))
    assert (alone.recipient, alone.donor) == ("B", None)
    with pytest.raises(ValueError, match="A, B"):
        satellite_pairs(twin, recipient="C")
    with pytest.raises(ValueError, match="'D'"):
        satellite_pairs(twin, donor="D")


@pytest.mark.usefixtures("no_compute")
def test_lazy_labelled_and_with_units(twin_lazy: xr.Dataset) -> None:
    found = features(twin_lazy)
    assert {k: v.attrs["units"] for k, v in found.data_vars.items()} == UNITS
    assert all(v.attrs["long_name"] for v in found.data_vars.values())
    assert found["twin_lag"].dims == ("satellite", "time")
    assert found["sun_direction"].dims == ("satellite", "time", "axis")
    assert found["thruster_response"].sizes["thruster_pair"] == 6
    assert found.sizes["time"] == twin_lazy.sizes["time"]
    assert found["satellite"].values.tolist() == ["A", "B"]


def test_lag_is_the_simulated_one(twin: xr.Dataset) -> None:
    found = features(twin.isel(time=slice(0, 86_400)), recipient="B")
    lag = found["twin_lag"].isel(satellite=0).values
    scenario = make_scenario(days=5, seed=3)
    day = day_number(dt.date(2008, 1, 1))
    expected = geometry.lag(scenario, day, np.arange(86_400.0))
    assert geometry.leader(scenario, day) == 1
    np.testing.assert_allclose(lag[100:-100], expected[100:-100], atol=1e-3)


def test_angle_and_shadow(twin: xr.Dataset) -> None:
    found = features(twin.isel(time=slice(0, 20_000)), recipient="A").isel(satellite=0)
    angle = np.unwrap(found["argument_of_latitude"].values)
    rate = np.gradient(angle)
    np.testing.assert_allclose(rate, rate.mean(), rtol=0.02)
    # north of the equator in the first half of a revolution
    z = twin["position"].sel(satellite="A", axis="z").values[:20_000]
    known = np.isfinite(z)
    assert (np.sign(np.sin(angle))[known] == np.sign(z[known])).mean() > 0.999
    lit = found["shadow_factor"].values
    assert ((lit >= 0) & (lit <= 1)).all()


def test_does_not_depend_on_chunks(twin_lazy: xr.Dataset) -> None:
    ds = twin_lazy.isel(time=slice(0, 3 * 86_400))
    daily = features(ds, recipient="B").compute()
    whole = features(ds.load(), recipient="B").compute()
    # GPS seconds in float64 resolve 3e-8 s: so much the lag may differ
    for name, variable in daily.data_vars.items():
        scale = float(np.nanmax(np.abs(variable.values)))
        np.testing.assert_allclose(
            variable.values, whole[name].values, rtol=0, atol=1e-8 * scale
        )


def test_only_what_the_products_allow(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(0, 2000))
    bare = features(part[["lin_accl", "thruster_on_time"]], recipient="B")
    assert set(bare.data_vars) == {"thruster_response"}
    alone = features(part.sel(satellite=["B"]))
    assert "twin_lag" not in alone
    assert "lin_accl_donor" not in alone
    assert "shadow_factor" in alone
