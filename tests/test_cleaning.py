"""Filter, resampling and marks, against known signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.cleaning import clean, crn_filter, resample, upsample


def gain(frequency: float) -> float:
    response = crn_filter(0.5)
    n = np.arange(len(response)) - len(response) // 2
    return float(np.sum(response * np.cos(2 * np.pi * frequency * n * 0.5)) * 0.5)


def test_low_pass_is_a_box_convolved_seven_times() -> None:
    # 1407 samples of 0.1 s: seven boxes of 201, shifted to 11 bands of 1 / 140.7 s
    box, window = np.ones(201), np.ones(1)
    for _ in range(7):
        window = np.convolve(window, box)
    n = np.arange(len(window)) - len(window) // 2
    bands = np.cos(2 * np.pi * np.outer(n, np.arange(-5, 6)) / 1407).sum(axis=1)
    expected = (window * bands)[np.abs(n) <= 700]
    found = crn_filter(0.1)
    middle = len(found) // 2
    np.testing.assert_allclose(
        found[middle - 700 : middle + 701] * 0.1, expected / expected.sum(), atol=1e-9
    )


def test_low_pass_passes_the_band_and_stops_above() -> None:
    assert gain(0.0) == pytest.approx(1.0, abs=1e-12)
    assert gain(0.01) == pytest.approx(1.0, abs=3e-3)
    # half way down at the edge of the last band, 5.5 / 140.7 s
    assert gain(5.5 / 140.7) == pytest.approx(0.5, abs=0.02)
    assert max(abs(gain(f)) for f in np.arange(0.09, 0.45, 0.007)) < 1e-3


def test_low_pass_is_as_long_as_its_window_and_symmetric() -> None:
    response = crn_filter(1.0)
    assert len(response) == 141
    np.testing.assert_allclose(response, response[::-1], atol=1e-15)
    late = crn_filter(1.0, delay=0.5)
    n = np.arange(len(late)) - len(late) // 2
    assert np.sum(late * n) == pytest.approx(0.5, abs=1e-6)


def test_upsample_keeps_the_nodes_and_the_band() -> None:
    t = np.arange(0.0, 20_000.0, 10.0)
    fine = np.arange(0.0, t[-1] + 1)

    def signal(x: np.ndarray) -> np.ndarray:
        parts = [
            np.sin(2 * np.pi * f * x + k) for k, f in enumerate((2e-4, 0.01, 0.03))
        ]
        return np.stack([sum(parts), parts[2], parts[1]], axis=1)

    found = upsample(signal(t), 10)
    np.testing.assert_array_equal(found[::10], signal(t))
    inner = slice(200, -200)
    error = np.abs(found - signal(fine))[inner]
    assert error.max() < 1e-3 * 2.5
    assert np.sqrt((error**2).mean()) < 1e-3


def test_upsample_goes_on_straight_at_the_ends() -> None:
    line = np.arange(30.0)[:, None] * 3
    np.testing.assert_allclose(upsample(line, 5)[:, 0], np.arange(146) * 0.6, atol=0.02)


def test_upsample_of_a_single_node() -> None:
    assert upsample(np.ones((1, 3)), 10).tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.usefixtures("no_compute")
def test_resample_and_clean_are_lazy(twin_lazy: xr.Dataset) -> None:
    coarse = resample(twin_lazy, "30s")
    assert coarse.sizes["time"] == 5 * 2880
    assert coarse["lin_accl"].chunks is not None
    fine = resample(resample(twin_lazy, 10.0), "1s")
    assert fine["lin_accl"].chunks is not None
    assert clean(twin_lazy)["acc_cleanflg"].chunks is not None


def test_round_trip_over_ten_seconds_loses_a_tenth_of_a_nanometre(
    truth: xr.Dataset,
) -> None:
    ds = truth[["lin_accl"]].isel(time=slice(0, 86_400)).load()
    # an undisturbed copy of the truth: what the files hold is float64
    back = resample(resample(ds, "10s"), "1s").compute()
    n = back.sizes["time"]
    error = (back["lin_accl"] - ds["lin_accl"].isel(time=slice(0, n))).values
    assert n == 86_391
    # what is left is content of firings and noise between 45 and 60 mHz, which the
    # low-pass does not quite stop
    rms = np.sqrt(np.mean(error[:, 100:-100] ** 2, axis=(0, 1)))
    assert rms[0] < 3e-11
    assert rms.max() < 1.5e-10
    np.testing.assert_array_equal(
        back["lin_accl"].values[:, ::10], ds["lin_accl"].values[:, ::10]
    )


def test_resampling_never_crosses_a_gap(twin: xr.Dataset) -> None:
    part = twin[["lin_accl"]].isel(time=slice(34_000, 40_000))
    down = resample(part, "10s")
    up = resample(down, "1s").compute()["lin_accl"].sel(satellite="B", axis="x")
    known = np.isfinite(part["lin_accl"].sel(satellite="B", axis="x").values)
    filled = np.isfinite(up.values)
    assert not (filled & ~known[: len(filled)]).any()
    lost = known[: len(filled)] & ~filled
    assert lost.sum() < 20
    wide = resample(part, "60s").compute()["lin_accl"].sel(satellite="B", axis="x")
    times = np.arange(0, 6000, 60)
    near = np.array([not known[max(t - 150, 0) : t + 151].all() for t in times])
    assert np.isnan(wide.values[near]).all()
    inner = ~near & (times >= 150) & (times < 5850)
    assert np.isfinite(wide.values[inner]).all()


@pytest.mark.parametrize("step", ["60s", "0.5s"])
def test_resampling_does_not_depend_on_chunks(twin_lazy: xr.Dataset, step: str) -> None:
    ds = twin_lazy[["lin_accl"]].isel(time=slice(0, 3 * 86_400)).sel(satellite=["B"])
    daily = resample(ds, step)["lin_accl"].values
    whole = resample(ds.load(), step)["lin_accl"].values
    np.testing.assert_allclose(daily, whole, rtol=1e-12)


def test_low_pass_before_a_coarse_step(make_grid: Any) -> None:
    ds = make_grid(size=6000, satellites="A", noise=0.0)
    t = np.arange(6000.0)
    fast = 1e-8 * np.sin(2 * np.pi * 0.03 * t)
    ds["lin_accl"][0, :, 0] = 5e-6 + fast
    found = resample(ds, "60s")["lin_accl"].values[0, 10:-10, 0]
    np.testing.assert_allclose(found, 5e-6, atol=1e-11)


def test_steps_that_do_not_divide(make_grid: Any) -> None:
    ds = resample(make_grid(size=600), "10s")
    with pytest.raises(ValueError, match="multiple"):
        resample(ds, "15s")
    with pytest.raises(ValueError, match="multiple"):
        resample(ds, "3s")


def test_a_spike_is_marked_and_firings_survive(twin: xr.Dataset) -> None:
    ds = twin[["lin_accl", "thruster_on_time"]].isel(time=slice(0, 86_400)).copy()
    before = clean(ds)["acc_cleanflg"].values
    spoilt = ds.copy(deep=True)
    positions = np.array([5_000, 40_000, 70_001])
    spoilt["lin_accl"][0, positions, 1] += 3e-9
    spoilt["lin_accl"][0, 60_000] = 2e-4
    flag = clean(spoilt)["acc_cleanflg"].values
    assert (flag[0, positions] & 2 == 2).all()
    assert flag[0, 60_000] & 1 == 1
    fired = (ds["thruster_on_time"].values > 0).any(axis=2)
    near = np.stack([np.convolve(f, np.ones(61), "same") > 0 for f in fired])
    assert near.mean() > 0.05
    assert before[near].sum() == 0
    assert (before != 0).mean() < 1e-4
    elsewhere = np.ones(86_400, dtype=bool)
    for p in [*positions, 60_000]:
        elsewhere[p - 4 : p + 5] = False
    np.testing.assert_array_equal(flag[0, elsewhere], before[0, elsewhere])


def test_a_storm_survives(make_grid: Any) -> None:
    ds = make_grid(size=20_000, satellites="A", noise=2e-11)
    t = np.arange(20_000.0)
    ds["lin_accl"][0, :, 0] += 3e-7 * np.exp(-(((t - 9000) / 300) ** 2))
    assert (clean(ds)["acc_cleanflg"].values == 0).all()


def test_marks_near_a_gap_and_deletes_nothing(make_grid: Any) -> None:
    ds = make_grid(size=2000, gaps={"B": [(500, 600)]})
    found = clean(ds, widen=70.0)
    flag = found["acc_cleanflg"].sel(satellite="B").values
    expected = np.zeros(2000, dtype=bool)
    expected[430:500] = expected[600:670] = True
    np.testing.assert_array_equal(flag & 4 == 4, expected)
    xr.testing.assert_identical(found["lin_accl"], ds["lin_accl"])
    assert found["acc_cleanflg"].attrs["flag_meanings"] == "implausible spike near_gap"


def test_marks_do_not_depend_on_chunks(twin_lazy: xr.Dataset) -> None:
    ds = twin_lazy[["lin_accl"]].isel(time=slice(0, 3 * 86_400)).load()
    spikes = np.random.default_rng(0).integers(0, 3 * 86_400, 50)
    ds["lin_accl"][:, spikes] += 2e-9
    whole = clean(ds, widen=70.0)["acc_cleanflg"].values
    cut = clean(ds.chunk(time=100_000), widen=70.0)["acc_cleanflg"].values
    np.testing.assert_array_equal(whole, cut)
    assert (whole[0, spikes] & 2 == 2).mean() > 0.8
