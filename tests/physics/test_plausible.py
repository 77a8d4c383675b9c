"""Records that no satellite can have are as missing ones, and a warning says so."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceWarning
from gracelstm_xr.physics.firings import filtered_on_time
from gracelstm_xr.physics.states import StateNodes

#: Where a record of B is spoilt.
AT = 3600


def spoilt(ds: xr.Dataset, name: str, value: float) -> xr.Dataset:
    """Same with one record of B replaced."""
    values = ds[name].transpose("satellite", "time", ...).values.copy()
    values[1, AT] = value
    changed = ds[name].transpose("satellite", "time", ...).copy(data=values)
    return ds.assign({name: changed.transpose(*ds[name].dims)})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("position", 1e30, "impossible orbits"),
        ("position", 0.0, "impossible orbits"),
        ("velocity", np.inf, "impossible orbits"),
        ("quaternion", 0.0, "impossible attitudes"),
        ("quaternion", 1e30, "impossible attitudes"),
        ("thruster_on_time", 1e30, "impossible on-times"),
        ("thruster_on_time", -5.0, "impossible on-times"),
    ],
)
def test_a_record_that_cannot_be(
    twin: xr.Dataset, name: str, value: float, said: str
) -> None:
    ds = twin.isel(time=slice(0, 2 * AT)).astype(np.float64)
    with pytest.warns(GraceWarning, match=said):
        found = spoilt(ds, name, value).grace.features().compute()
    missing = spoilt(ds, name, np.nan).grace.features().compute()
    xr.testing.assert_identical(found.drop_attrs(), missing.drop_attrs())


def test_nothing_is_said_of_missing_records() -> None:
    none = np.full((100, 3), np.nan)
    assert len(StateNodes.from_grid(np.arange(100.0), none, none).t) == 0
    assert not filtered_on_time(np.arange(100.0), np.full((100, 14), np.nan)).any()


def test_days_of_the_archive_are_plausible(twin: xr.Dataset) -> None:
    """No warning, which would be an error here, and firings are felt."""
    found = twin.isel(time=slice(0, 2 * AT)).grace.features().compute()
    assert float(np.abs(found["thruster_response"]).max()) > 0
