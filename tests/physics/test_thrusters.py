"""Thruster response: estimated from data, checked against the simulator."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics import firings, thrusters
from gracelstm_xr.signal.lowpass import crn_filter
from gracelstm_xr.simulate.config import Scenario
from gracelstm_xr.simulate.thrusters import pair_response


@pytest.fixture(scope="module")
def found(twin_lazy: xr.Dataset) -> xr.Dataset:
    return thrusters.response(twin_lazy).compute()


@pytest.fixture(scope="module")
def expected(truth: xr.Dataset) -> np.ndarray:
    """Response in raw units, as the simulator drew it, shape (2, 6, 3)."""
    scenario = Scenario.from_json(json.dumps(json.loads(truth.attrs["simulation"])))
    drawn = np.stack([pair_response(scenario, k) for k in (0, 1)])
    return np.asarray(drawn / truth["scale"].values[:, None, :])


def test_pairs_are_k_and_k_plus_six() -> None:
    on_time = np.zeros((5, 14))
    on_time[1, [2, 8]] = 80.0
    on_time[2, [12, 13]] = 900.0
    on_time[3] = np.nan
    on_time[4, 5] = 60.0
    pairs = firings.pair_on_time(on_time)
    np.testing.assert_array_equal(pairs[1], [0, 0, 80, 0, 0, 0])
    assert not pairs[[0, 2, 3]].any()
    np.testing.assert_array_equal(pairs[4], [0, 0, 0, 0, 0, 30])


def test_filtered_on_time_is_a_convolution() -> None:
    rng = np.random.default_rng(0)
    on_time = np.zeros((600, 14))
    when = rng.integers(0, 600, 20)
    for k, second in enumerate(when):
        on_time[second, [k % 6, k % 6 + 6]] += 50.0 + k
    t = 1000.0 + np.arange(600.0)
    found = firings.filtered_on_time(t, on_time)
    kernel = crn_filter(1.0, delay=0.5)
    brute = np.stack(
        [np.convolve(on_time[:, k], kernel, mode="same") for k in range(6)], axis=1
    )
    np.testing.assert_allclose(found, brute, atol=1e-12)


def test_firing_acceleration_of_one_pair() -> None:
    on_time = np.zeros((400, 14))
    on_time[200, [1, 7]] = 100.0
    value = np.zeros((6, 3))
    value[1] = [1e-6, -2e-6, 4e-6]
    felt = firings.firing_acceleration(np.arange(400.0), on_time, value)
    # 0.1 s of firing: the velocity change does not depend on the filter
    np.testing.assert_allclose(felt.sum(axis=0), [1e-7, -2e-7, 4e-7], rtol=1e-6)


def test_agrees_with_the_simulator(found: xr.Dataset, expected: np.ndarray) -> None:
    value, sigma = found["thruster_accl"].values, found["thruster_accl_sigma"].values
    assert value.shape == (2, 6, 3)
    z = (value - expected) / sigma
    assert np.abs(z).max() < 4.0
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.5
    # a few per cent of the mean response of the axis, and the right sign
    size = np.abs(expected).mean(axis=(0, 1))
    assert (np.abs(value - expected) < 0.05 * size).all()
    assert (np.sign(value) == np.sign(expected)).all()


def test_attributes_and_labels(found: xr.Dataset) -> None:
    assert found["thruster_accl"].attrs["units"] == "m s-2"
    assert found["thruster_pair"].values.tolist() == list(firings.PAIRS)
    assert found["axis"].values.tolist() == ["x", "y", "z"]


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(twin_lazy: xr.Dataset) -> None:
    one = twin_lazy.grace.thruster_response("B")
    assert one["thruster_accl"].dims == ("thruster_pair", "axis")
    assert str(one["satellite"].values) == "B"
    assert thrusters.remove_firings(twin_lazy)["lin_accl"].shape == (2, 432_000, 3)


@pytest.mark.parametrize("chunk", [40_001, 200_000])
def test_does_not_depend_on_chunks(
    twin_lazy: xr.Dataset, found: xr.Dataset, chunk: int
) -> None:
    other = thrusters.response(twin_lazy.chunk({"time": chunk})).compute()
    xr.testing.assert_identical(other, found)


def test_removal_and_restoration(
    twin_lazy: xr.Dataset, truth: xr.Dataset, found: xr.Dataset
) -> None:
    ds = twin_lazy.isel(time=slice(0, 90_000))
    freed = thrusters.remove_firings(ds, found)
    again = thrusters.restore_firings(freed, found)
    np.testing.assert_allclose(
        again["lin_accl"].values, ds["lin_accl"].values, rtol=0, atol=1e-18
    )
    taken = (ds["lin_accl"] - freed["lin_accl"]).values
    exact = (truth["thruster"] / truth["scale"]).transpose("satellite", "time", "axis")
    exact_values = exact.isel(time=slice(0, 90_000)).values
    good = np.isfinite(taken)
    left = np.sqrt(np.mean((taken - exact_values)[good] ** 2))
    # single firings scatter by 6 %, and the second they start in is all that is known
    assert left < 0.12 * np.sqrt(np.mean(exact_values[good] ** 2))
    assert freed["lin_accl"].attrs == ds["lin_accl"].attrs


def test_a_pair_that_never_fired(make_grid: Any) -> None:
    ds = make_grid(size=86_400)
    fired = np.zeros((2, 86_400, 14), dtype=np.float32)
    fired[:, 1000::700, 0] = fired[:, 1000::700, 6] = 60.0
    ds["thruster_on_time"] = (("satellite", "time", "thruster"), fired)
    found = thrusters.response(ds).compute()
    np.testing.assert_array_equal(found["thruster_accl"].values[:, 1:], 0.0)
    assert (found["thruster_accl_sigma"].values[:, 1:] > 3e-5).all()
    assert (found["thruster_accl_sigma"].values[:, 0] < 1e-6).all()


def test_marked_samples_are_left_out(twin: xr.Dataset) -> None:
    """Samples spoilt and marked do not count; unmarked ones would."""
    flags = np.zeros((2, twin.sizes["time"]), dtype=np.uint8)
    flags[:, 20_000:60_000] = 1
    wild = twin["lin_accl"].values.copy()
    wild[:, 20_000:60_000] += 1e-8 * np.random.default_rng(0).normal(size=(40_000, 3))
    marked = twin.assign(acc_cleanflg=(("satellite", "time"), flags))
    spoilt = marked.assign(lin_accl=(twin["lin_accl"].dims, wild))
    a = thrusters.response(marked, "A").compute()
    b = thrusters.response(spoilt, "A").compute()
    xr.testing.assert_identical(a, b)


def test_errors(twin_lazy: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="THR1B"):
        thrusters.response(twin_lazy.drop_vars("thruster_on_time"))
    with pytest.raises(GraceError, match="'C'"):
        thrusters.response(twin_lazy, "C")
