"""What there is to work with is decided by the data, not by names of variables."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.errors import GraceError, GraceWarning
from gracelstm_xr.filling.fill import fill
from gracelstm_xr.filling.present import as_fitted, living_span, with_values

if TYPE_CHECKING:
    from gracelstm_xr.filling.model import FittedModel

DAY = 86_400
#: A gap of B in which A observes.
GAP = slice("2008-01-02T03:00:00", "2008-01-02T03:00:39")
COVARIATES = ["position", "velocity", "quaternion"]


@pytest.fixture(scope="module")
def alone(twin: xr.Dataset) -> xr.Dataset:
    """Without the products of orbit and attitude."""
    return twin.drop_vars(COVARIATES)


def emptied(ds: xr.Dataset, names: list[str], days: slice = slice(None)) -> xr.Dataset:
    """Variables without a record on some days, as of files that are not there."""
    ds = ds.copy()
    for name in names:
        values = ds[name].transpose("satellite", "time", ...).copy()
        values[:, days] = np.nan
        ds[name] = values.transpose(*ds[name].dims)
    return ds


@pytest.mark.parametrize("method", ["transplant", "ridge"])
def test_empty_products_are_as_absent_ones(
    twin: xr.Dataset, alone: xr.Dataset, method: str
) -> None:
    empty = fill(emptied(twin, COVARIATES), method=method)["lin_accl_filled"]
    absent = fill(alone, method=method)["lin_accl_filled"]
    part = {"satellite": "B", "time": GAP}
    np.testing.assert_array_equal(empty.sel(part), absent.sel(part))
    assert bool(np.isfinite(absent.sel(part)).all())


def test_days_without_orbits_keep_the_transplant(
    twin: xr.Dataset, truth: xr.Dataset
) -> None:
    part = {"satellite": "B", "time": GAP}
    expected = truth["lin_accl"].sel(part).values
    errors = []
    for ds in (twin, emptied(twin, COVARIATES, slice(0, DAY + 7 * 3600))):
        values = fill(ds, method="transplant")["lin_accl_filled"].sel(part).values
        errors.append(np.sqrt(np.mean((values - expected) ** 2)))
    assert errors[1] < 2 * errors[0]


def test_what_holds_nothing_is_left_out_and_said(
    twin: xr.Dataset, alone: xr.Dataset
) -> None:
    late = emptied(twin, COVARIATES, slice(0, 2 * DAY - 3600))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert with_values(late) is late
    with pytest.warns(GraceWarning, match="no value of position, velocity, quat"):
        left = with_values(emptied(twin, COVARIATES))
    assert set(left.data_vars) == set(alone.data_vars)


@pytest.mark.lstm
def test_a_model_gets_what_it_was_fitted_with(
    twin: xr.Dataset, alone: xr.Dataset, model: FittedModel
) -> None:
    assert model.info["inputs"] == "position velocity quaternion thruster_on_time"
    assert as_fitted(twin, model).identical(twin)
    with pytest.warns(GraceWarning, match="no position, velocity, quaternion, which"):
        filled = fill(alone, model)
    assert set(filled.data_vars) - set(alone.data_vars) == {
        "lin_accl_filled",
        "lin_accl_filled_sigma",
        "lin_accl_fill_method",
    }
    values = filled["lin_accl_filled"].sel(satellite="B", time=GAP)
    assert bool(np.isfinite(values).all())


@pytest.mark.lstm
def test_samples_too_far_apart_are_refused(
    twin: xr.Dataset, model: FittedModel
) -> None:
    with pytest.raises(GraceError, match="found samples 60 s apart, expected a whole"):
        fill(twin.isel(time=slice(None, None, 60)), model)
    with pytest.raises(GraceError, match="found samples 7 s apart"):
        fill(twin.isel(time=slice(None, None, 7)), model)
    with pytest.warns(GraceWarning, match="fitted on samples 1 s apart"):
        fill(twin.isel(time=slice(None, None, 5)), model)


def test_days_on_which_a_recipient_is_dead_are_not_fitted(
    twin_lazy: xr.Dataset,
) -> None:
    day = "2008-01-04"
    time = twin_lazy["time"]
    dead = (twin_lazy["satellite"] == "B") & (time >= np.datetime64(day + "T06", "ns"))
    ds = twin_lazy.assign(lin_accl=twin_lazy["lin_accl"].where(~dead))
    first, step, size = gps_axis(ds)
    with pytest.warns(GraceWarning, match=r"of satellite B outside .* to 2008-01-05"):
        assert living_span(ds, ["A", "B"]) == (first, first + 4 * DAY)
    for satellites in (["A"], []):
        assert living_span(ds, satellites) == (first, first + size * step)
    # a satellite of one day in five does not decide
    one = ds.assign(lin_accl=ds["lin_accl"].where(~dead | (time < time[DAY])))
    short = (one["satellite"] == "B") & (time >= time[DAY])
    one = one.assign(lin_accl=one["lin_accl"].where(~short))
    assert living_span(one, ["A", "B"]) == (first, first + size * step)
