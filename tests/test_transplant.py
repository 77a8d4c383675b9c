"""One satellite's accelerations carried to the other."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.transplant import PARTS, cross_correlation_lag, transplant


@pytest.mark.parametrize("lag", [27.3, -28.8, 0.0])
@pytest.mark.parametrize("step", [1.0, 10.0])
def test_lag_by_cross_correlation(lag: float, step: float) -> None:
    t = np.arange(0.0, 40_000.0, step)
    rng = np.random.default_rng(0)
    phases = rng.uniform(0, 2 * np.pi, 40)
    frequencies = rng.uniform(2e-4, 8e-3, 40)

    def force(x: np.ndarray) -> np.ndarray:
        return 1e-8 * np.sin(2 * np.pi * np.outer(x, frequencies) + phases).sum(axis=1)

    own, donor = np.zeros((len(t), 3)), np.zeros((len(t), 3))
    own[:, 0] = force(t) + 5e-7 + 1e-13 * t + 1e-10 * rng.normal(size=len(t))
    donor[:, 0] = -force(t - lag) - 1e-6 + 1e-10 * rng.normal(size=len(t))
    own[1000:1100] = np.nan
    donor[:50] = np.nan
    found = cross_correlation_lag(own, donor, step)
    assert found == pytest.approx(lag, abs=0.1 if step == 1.0 else 0.5)


def test_no_lag_without_common_data() -> None:
    own, donor = np.full((1000, 3), np.nan), np.full((1000, 3), np.nan)
    own[:300], donor[600:] = 1.0, 1.0
    assert cross_correlation_lag(own, donor, 1.0) is None


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(twin_lazy: xr.Dataset) -> None:
    found = transplant(twin_lazy)
    assert set(found.data_vars) == set(PARTS)
    assert str(found["satellite"].values) == "B"
    assert found["lin_accl_transplant"].attrs["units"] == "m s-2"
    assert found["lin_accl_transplant"].sizes == {"time": 5 * 86_400, "axis": 3}


@pytest.fixture(scope="module")
def both(twin: xr.Dataset) -> dict[str, xr.Dataset]:
    return {
        "B": transplant(twin, donor="A").compute(),
        "A": transplant(twin, recipient="A").compute(),
    }


@pytest.mark.parametrize("recipient", ["A", "B"])
def test_components_add_up(both: dict[str, xr.Dataset], recipient: str) -> None:
    found = both[recipient]
    total = (
        found["transplant_donor"]
        + found["transplant_thruster"]
        + found["transplant_bias"]
    )
    np.testing.assert_allclose(
        total.values, found["lin_accl_transplant"].values, rtol=0, atol=1e-18
    )


@pytest.mark.parametrize("recipient", ["A", "B"])
def test_resembles_the_truth_in_gaps(
    both: dict[str, xr.Dataset], truth: xr.Dataset, twin: xr.Dataset, recipient: str
) -> None:
    found = both[recipient]
    exact = truth["lin_accl"].sel(satellite=recipient).isel(time=slice(0, 172_800))
    error = (found["lin_accl_transplant"] - exact.load()).values
    gap = np.isnan(twin["lin_accl"].sel(satellite=recipient, axis="x").values)
    inside = gap & np.isfinite(error).all(axis=1)
    assert inside.sum() > 500
    rms = np.sqrt(np.mean(error[inside] ** 2, axis=0))
    spread = np.nanstd(exact.values, axis=0)
    # y is noisy, and its winds are not those of the twin
    assert (rms < np.array([0.15, 1.0, 0.35]) * spread).all()
    sigma = found["lin_accl_transplant_sigma"].values
    assert (sigma > 0).all()
    good = np.isfinite(error).all(axis=1) & ~gap
    overall = np.sqrt(np.mean(error[good] ** 2, axis=0))
    np.testing.assert_allclose(np.sqrt((sigma**2).mean(axis=0)), overall, rtol=0.3)


def test_does_not_depend_on_chunks(twin_lazy: xr.Dataset) -> None:
    ds = twin_lazy.drop_vars("quaternion")
    daily = transplant(ds)["lin_accl_transplant"].values
    whole = transplant(ds.load())["lin_accl_transplant"].values
    np.testing.assert_allclose(daily, whole, rtol=0, atol=1e-15)
    assert np.isfinite(whole).mean() > 0.99


def test_without_donor_or_orbit(twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="donor"):
        transplant(twin.sel(satellite=["B"]))
    with pytest.raises(GraceError, match="GNV1B"):
        transplant(twin.drop_vars(["position", "velocity"]))
