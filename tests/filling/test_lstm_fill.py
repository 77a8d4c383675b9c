"""Gaps filled: lazily, honestly, and the same however time is cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from datasets import SMALL_FIT

from gracelstm_xr.errors import GraceError
from gracelstm_xr.filling.fill import fill
from gracelstm_xr.filling.fit import fit, score_span
from gracelstm_xr.filling.learn import calibrate
from gracelstm_xr.filling.model import FittedModel

pytestmark = pytest.mark.lstm
NAMES = ("lin_accl_filled", "lin_accl_filled_sigma", "lin_accl_fill_method")


@pytest.fixture(scope="module")
def filled(model: FittedModel, twin: xr.Dataset) -> xr.Dataset:
    return fill(twin, model)[[*NAMES, "lin_accl"]].compute()


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(model: FittedModel, twin_lazy: xr.Dataset) -> None:
    found = fill(twin_lazy, model)
    assert set(NAMES) <= set(found.data_vars)
    assert set(twin_lazy.data_vars) <= set(found.data_vars)
    for name in NAMES:
        assert found[name].dims == ("satellite", "time", "axis")
        assert found[name].chunks is not None
    assert found["lin_accl_fill_method"].dtype == np.uint8
    assert found["lin_accl_filled"].attrs["units"] == "m s-2"
    assert "lstm" in found["lin_accl_fill_method"].attrs["flag_meanings"]
    assert found.attrs["history"].startswith(twin_lazy.attrs.get("history", ""))
    assert "gaps filled" in found.attrs["history"]


def test_a_network_that_adds_nothing_is_not_named(
    model: FittedModel, twin: xr.Dataset
) -> None:
    """Its estimate is that of its start, which takes part instead."""
    networks = {t: replace(n, gain=(0.0, 0.0, 0.0)) for t, n in model.networks.items()}
    idle = replace(model, networks=networks)
    recipient = replace(model.recipients["B"], calibration=None)
    errors = score_span(
        twin, idle, recipient, model.split.validation,
        lengths=(1800.0, 5640.0), count=2, most=100,
        methods={"tracked", "lstm", "tracked_single", "lstm_single"},
    )  # fmt: skip
    np.testing.assert_array_equal(errors.errors["lstm"], errors.errors["tracked"])
    calibration = calibrate(errors)
    assert calibration is not None
    assert calibration.methods <= {"tracked", "tracked_single"}


def test_observations_stay_bit_for_bit(filled: xr.Dataset) -> None:
    own = filled["lin_accl"].values
    seen = np.isfinite(own)
    assert filled["lin_accl_filled"].values[seen].tobytes() == own[seen].tobytes()
    method = filled["lin_accl_fill_method"].values
    sigma = filled["lin_accl_filled_sigma"].values
    assert (method[seen] == 0).all()
    assert np.isnan(sigma[seen]).all()
    b = ~seen[1]
    assert b.sum() == 3 * (300 + 1800 + 2700 + 40 + 600)
    # both ends of the span, a midnight, and where the donor has its own gap
    assert np.isfinite(filled["lin_accl_filled"].values[1]).all()
    assert (sigma[1][b] > 0).all()
    assert np.isin(method[1][b], [1, 2, 3, 4]).all()


def test_the_estimate_is_good(filled: xr.Dataset, truth: xr.Dataset) -> None:
    exact = truth["lin_accl"].sel(satellite="B").isel(time=slice(0, 172_800)).values
    found = filled["lin_accl_filled"].values[1]
    gap = ~np.isfinite(filled["lin_accl"].values[1])[:, 0]
    assert np.isfinite(exact).all()
    error = found - exact
    sigma = filled["lin_accl_filled_sigma"].values[1]
    # the two gaps that lie between data and where the donor is known
    inner = gap.copy()
    inner[:300] = inner[-600:] = inner[36_500:37_000] = False
    assert inner.sum() > 3500
    rms = np.sqrt(np.mean(error[inner] ** 2, axis=0))
    spread = exact.std(axis=0)
    assert (rms < np.array([0.1, 0.6, 0.2]) * spread).all()
    ratio = np.abs(error[inner]) / sigma[inner]
    assert np.mean(ratio < 2) > 0.7


def test_edges_are_continuous(filled: xr.Dataset, truth: xr.Dataset) -> None:
    exact = truth["lin_accl"].sel(satellite="B").isel(time=slice(0, 172_800)).values
    error = filled["lin_accl_filled"].values[1] - exact
    sigma = filled["lin_accl_filled_sigma"].values[1]
    # the observation has no error: the error next to it is the step
    edges = [300, 36_000, 37_799, 85_200, 87_899, 97_200, 97_239, 172_200]
    edges = [e if np.isfinite(sigma[e]).all() else e - 1 for e in edges]
    step = np.abs(error[edges])
    assert np.isfinite(sigma[edges]).all()
    assert np.mean(step < 3 * sigma[edges]) > 0.8
    assert (step < 2e-10).all()
    inner = np.abs(error[86_000:87_000])
    assert (np.median(step, axis=0) < 0.2 * np.median(inner, axis=0)).all()


def test_a_satellite_the_model_does_not_know(filled: xr.Dataset) -> None:
    own = filled["lin_accl"].values[0]
    np.testing.assert_array_equal(filled["lin_accl_filled"].values[0], own)
    missing = np.isnan(own)
    assert missing.any()
    method = filled["lin_accl_fill_method"].values[0]
    np.testing.assert_array_equal(method, np.where(missing, 5, 0))
    assert np.isnan(filled["lin_accl_filled_sigma"].values[0]).all()


def test_a_method_by_name(model: FittedModel, twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(34_000, 40_000))
    found = fill(part, model, method="linear")
    values = found["lin_accl_filled"].sel(satellite="B").values
    own = part["lin_accl"].sel(satellite="B").values
    line = np.linspace(own[1999], own[3800], 1802)[1:-1]
    np.testing.assert_allclose(values[2000:3800], line, rtol=0, atol=1e-18)
    with pytest.raises(GraceError, match="spline"):
        fill(part, model, method="spline")


def test_without_the_donor_or_any_known_satellite(
    model: FittedModel, twin: xr.Dataset
) -> None:
    part = twin.isel(time=slice(0, 1000))
    with pytest.raises(GraceError, match="'A'"):
        fill(part.sel(satellite=["B"]), model)
    with pytest.raises(GraceError, match="expected one of B"):
        fill(part.sel(satellite=["A"]), model)


def rms_in_gap(
    found: xr.Dataset, truth: xr.Dataset, gap: slice
) -> tuple[np.ndarray, np.ndarray]:
    exact = truth["lin_accl"].sel(satellite="B").isel(time=gap).values
    values = found["lin_accl_filled"].sel(satellite="B").values[gap]
    line = np.sqrt(np.mean((exact - exact.mean(axis=0)) ** 2, axis=0))
    return np.sqrt(np.mean((values - exact) ** 2, axis=0)), line


def test_one_satellite_alone(twin: xr.Dataset, truth: xr.Dataset) -> None:
    alone = twin.sel(satellite=["B"])
    own = fit(alone, **SMALL_FIT | {"hindcasts": 0})
    assert own.recipients["B"].pair.donor is None
    assert "transplant" not in own.recipients["B"].baselines
    found = fill(alone, own).compute()
    values = found["lin_accl_filled"].values
    assert np.isfinite(values).all()
    methods = found["lin_accl_fill_method"].values[0]
    gap = slice(85_200, 87_900)
    # no twin, no transplant
    assert np.isin(methods[gap], [1, 3, 4]).all()
    rms, spread = rms_in_gap(found, truth, gap)
    assert (rms < spread).all()


def test_twins_without_orbits(twin: xr.Dataset, truth: xr.Dataset) -> None:
    bare = twin[["lin_accl", "thruster_on_time"]]
    own = fit(bare, recipient="B", **SMALL_FIT)
    recipient = own.recipients["B"]
    assert recipient.pair.lag == pytest.approx(27.17, abs=1.0)
    assert "harmonic" not in recipient.baselines
    found = fill(bare, own).compute()
    assert np.isfinite(found["lin_accl_filled"].sel(satellite="B").values).all()
    rms, spread = rms_in_gap(found, truth, slice(85_200, 87_900))
    assert rms[0] < 0.3 * spread[0]
    assert rms[2] < 0.5 * spread[2]


def test_one_axis_only(twin: xr.Dataset) -> None:
    part = twin.sel(satellite=["B"]).isel(time=slice(0, None, 10)).copy(deep=True)
    part["lin_accl"][:, :, 1:] = np.nan
    own = fit(part, **SMALL_FIT)
    assert own.recipients["B"].observed_axes == (True, False, False)
    found = fill(part, own).compute()
    assert np.isfinite(found["lin_accl_filled"].values[..., 0]).all()
    assert np.isnan(found["lin_accl_filled"].values[..., 1:]).all()
    assert (found["lin_accl_fill_method"].values[..., 1:] == 5).all()


def test_nothing_to_fill(model: FittedModel, twin: xr.Dataset) -> None:
    part: Any = twin.isel(time=slice(20_000, 22_000))
    found = fill(part, model).compute()
    xr.testing.assert_equal(
        found["lin_accl_filled"].drop_attrs(), part["lin_accl"].drop_attrs()
    )
    assert (found["lin_accl_fill_method"] == 0).all()
