"""Covariates of one recipient, from inputs made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.compute.blocks import gps_seconds
from gracelstm_xr.physics.frames import (
    Frame,
    Pair,
    build_frame,
    frame_inputs,
    thin_frame,
)
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.physics.sun import sun_position
from gracelstm_xr.signal.lowpass import crn_filter

T = np.arange(0.0, 2000.0) + 600_000_000.0


def smooth(t: np.ndarray) -> np.ndarray:
    x = t - T[0]
    return 1e-8 * np.stack(
        [np.sin(x / 40), np.cos(x / 55), np.sin(x / 90 + 1)], axis=-1
    )


def test_donor_is_shifted_freed_of_its_mean_and_turned() -> None:
    offset = (1e-6, -2e-5, 3e-7)
    inputs = {
        "own.lin_accl": np.zeros((2000, 3)),
        "donor.lin_accl": smooth(T) + np.array(offset),
    }
    frame = build_frame(T, inputs, Pair("B", "A", offset, lag=-28.83))
    expected = smooth(T - 28.83) * np.array([-1.0, -1.0, 1.0])
    assert frame.donor is not None
    inner = slice(40, -10)
    np.testing.assert_allclose(frame.donor[inner], expected[inner], atol=2e-13)
    assert np.isnan(frame.donor[:28]).all()
    np.testing.assert_array_equal(frame.lag, -28.83)
    assert frame.latitude_argument is None


def test_a_hole_in_the_donor_is_no_wider_than_the_interpolation() -> None:
    values = smooth(T)
    values[500:600] = np.nan
    inputs = {"own.lin_accl": np.zeros((2000, 3)), "donor.lin_accl": values}
    frame = build_frame(T, inputs, Pair("B", "A", lag=10.0))
    assert frame.donor is not None
    missing = np.flatnonzero(np.isnan(frame.donor[:, 0]))
    missing = missing[(missing > 20) & (missing < 1900)]
    assert missing.min() >= 488
    assert missing.max() <= 592
    assert set(range(490, 590)) <= set(missing)


def test_attitude_of_both_turns_the_donor() -> None:
    own, twin = np.zeros((2000, 4)), np.zeros((2000, 4))
    # recipient as the inertial frame, donor turned by 30 degrees about z
    own[:, 0] = 1.0
    twin[:, 0], twin[:, 3] = np.cos(np.pi / 12), np.sin(np.pi / 12)
    twin[::2] *= -1
    inputs = {
        "own.lin_accl": np.zeros((2000, 3)),
        "donor.lin_accl": np.tile([1e-8, 0.0, 2e-8], (2000, 1)),
        "own.quaternion": own,
        "donor.quaternion": twin,
    }
    donor = build_frame(T, inputs, Pair("B", "A", lag=0.0)).donor
    assert donor is not None
    expected = [1e-8 * np.cos(np.pi / 6), 1e-8 * np.sin(np.pi / 6), 2e-8]
    np.testing.assert_allclose(donor[5:-5], np.tile(expected, (1990, 1)), atol=1e-20)


def test_a_firing_is_spread_by_the_low_pass() -> None:
    fired = np.zeros((2000, 14))
    fired[1000, [2, 8]] = 80.0
    inputs = {"own.lin_accl": np.zeros((2000, 3)), "own.thruster_on_time": fired}
    thrust = build_frame(T, inputs, Pair("A")).own_thrust
    assert thrust is not None
    np.testing.assert_allclose(thrust.sum(axis=0), [0, 0, 80.0, 0, 0, 0], atol=1e-9)
    centre = (thrust[:, 2] * np.arange(2000)).sum() / 80.0
    assert centre == pytest.approx(1000.5, abs=1e-3)
    assert np.abs(thrust[1072:]).max() < 1e-9
    assert np.abs(thrust[:929]).max() < 1e-9


def test_simulated_geometry(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(20_000, 32_000))
    pair = Pair("B", "A")
    arrays = {k: v.values for k, v in frame_inputs(part, pair).items()}
    origin = (part["time"].values[0] - np.datetime64("2000-01-01T12")) / (
        np.timedelta64(1, "s")
    )
    t = origin + np.arange(12_000.0)
    frame = build_frame(t, arrays, pair)
    assert frame.lag is not None
    assert frame.shadow is not None
    assert frame.sun is not None
    # B leads from 2006 on: A comes here later
    assert (frame.lag > 20).all()
    assert frame.shadow.min() >= 0
    assert frame.shadow.max() == 1
    np.testing.assert_allclose(
        np.linalg.norm(frame.sun, axis=1), frame.shadow, atol=1e-12
    )
    turns = np.unwrap(frame.latitude_argument)
    assert 2 * np.pi * 11_999 / (turns[-1] - turns[0]) == pytest.approx(5640, abs=40)


def test_donor_resembles_the_recipient(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(60_000, 80_000))
    mean = part["lin_accl"].sel(satellite="A").mean("time").values.tolist()
    pair = Pair("B", "A", (mean[0], mean[1], mean[2]))
    arrays = {k: v.values for k, v in frame_inputs(part, pair).items()}
    origin = (part["time"].values[0] - np.datetime64("2000-01-01T12")) / (
        np.timedelta64(1, "s")
    )
    frame = build_frame(origin + np.arange(20_000.0), arrays, pair)
    assert frame.donor is not None
    good = np.isfinite(frame.donor).all(1) & np.isfinite(frame.own).all(1)
    for k in (0, 2):
        r = np.corrcoef(frame.donor[good, k], frame.own[good, k])[0, 1]
        assert r > 0.8


def test_every_stands_on_absolute_multiples() -> None:
    for shift in range(10):
        t = T + shift
        thin, places = Frame(t, own=smooth(t)).every(10.0)
        assert (thin.t % 10 == 0).all()
        np.testing.assert_array_equal(thin.t, t[places])
        assert thin.t[0] - t[0] < 10
        np.testing.assert_array_equal(thin.own, smooth(thin.t))


def test_hide_take_join() -> None:
    frame = Frame(T, own=smooth(T), lag=np.zeros(2000))
    hidden = np.zeros(2000, dtype=bool)
    hidden[5:9] = True
    masked = frame.hide(hidden)
    assert np.isnan(masked.own[5:9]).all()
    assert np.isfinite(masked.own[~hidden]).all()
    assert np.isfinite(frame.own).all()
    joined = Frame.join([frame.take(slice(0, 7)), frame.take(slice(7, None))])
    np.testing.assert_array_equal(joined.own, frame.own)
    np.testing.assert_array_equal(joined.t, T)
    other = Frame(T, own=smooth(T))
    assert Frame.join([frame, other]).lag is None


def test_inputs_are_what_the_dataset_has(make_grid: Any) -> None:
    ds = make_grid(size=100, orbit=True)
    found = frame_inputs(ds, Pair("B", "A"))
    assert set(found) == {
        "own.lin_accl", "own.position", "donor.lin_accl", "donor.position",
    }  # fmt: skip
    assert found["own.lin_accl"].dims == ("time", "axis")
    assert set(frame_inputs(ds, Pair("A"))) == {"own.lin_accl", "own.position"}


def test_keep_is_the_middle_of_the_whole(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(20_000, 60_000))
    pair = Pair("B", "A", lag=27.0)
    arrays = {k: v.values for k, v in frame_inputs(part, pair).items()}
    t = 252_417_600.0 + 20_000.0 + np.arange(40_000.0)
    whole = build_frame(t, arrays, pair)
    keep = slice(13_000, 26_000)
    inner = build_frame(t, arrays, pair, keep=keep)
    for name, values in whole.take(keep).arrays().items():
        np.testing.assert_array_equal(inner.arrays()[name], values, err_msg=name)


def test_firings_by_direct_convolution() -> None:
    rng = np.random.default_rng(2)
    fired = np.zeros((2000, 14))
    fired[rng.integers(0, 2000, 60), rng.integers(0, 12, 60)] = 70.0
    fired[50] = np.nan
    inputs = {"own.lin_accl": np.zeros((2000, 3)), "own.thruster_on_time": fired}
    found = build_frame(T, inputs, Pair("A")).own_thrust
    pairs = np.nan_to_num((fired[:, :6] + fired[:, 6:12]) / 2)
    kernel = crn_filter(1.0, delay=0.5)
    expected = np.stack([np.convolve(p, kernel, mode="same") for p in pairs.T], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_sun_is_on_the_right_side(twin: xr.Dataset) -> None:
    """x of the recipient points at its twin, so backward for the one that leads."""
    part = twin.isel(time=slice(30_000, 36_000)).drop_vars("quaternion")
    t = 252_417_600.0 + 30_000.0 + np.arange(6000.0)
    for recipient, donor, sign in (("A", "B", 1.0), ("B", "A", -1.0)):
        pair = Pair(recipient, donor)
        arrays = {k: v.values for k, v in frame_inputs(part, pair).items()}
        frame = build_frame(t, arrays, pair)
        own = StateNodes.from_grid(t, arrays["own.position"], arrays["own.velocity"])
        _, velocity = own.at(t)
        sun = sun_position(t)
        ahead = (velocity * sun).sum(1) / np.linalg.norm(velocity, axis=1)
        ahead /= np.linalg.norm(sun, axis=1)
        assert frame.sun is not None
        lit = frame.shadow == 1
        assert np.nanmax(np.abs(frame.sun[lit, 0] - sign * ahead[lit])) < 0.03


def test_chosen_samples_are_the_same(twin: Any) -> None:
    """At the working step, or anywhere, a covariate has the bits of the whole."""
    ds = twin.isel(time=slice(30_000, 50_000))
    pair = Pair("B", "A")
    inputs = {k: v.values for k, v in frame_inputs(ds, pair).items()}
    t = gps_seconds(ds, slice(None))
    whole = build_frame(t, inputs, pair).arrays()
    some = np.array([0, 7, 8, 9_999, 10_000, 19_999])
    chosen = build_frame(t, inputs, pair, keep=some).arrays()
    thin = thin_frame(t, inputs, pair, keep=slice(5, None), step=10.0).arrays()
    assert len(whole) == 10
    for name, values in whole.items():
        np.testing.assert_array_equal(chosen[name], values[some])
        np.testing.assert_array_equal(thin[name], values[10::10])
