"""Change of sampling: the band kept, gaps kept, a rule for every variable."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.preprocess.clean import clean
from gracelstm_xr.preprocess.resample import resample, rule_of
from gracelstm_xr.signal.filters import anti_alias

DAY = 86_400
#: Noise of the instrument between 0.1 and 35 mHz on x and z (Kim 2000) [m s-2].
INSTRUMENT = 2.5e-11


def limited(series: np.ndarray, cutoff: float) -> np.ndarray:
    """The same with nothing above ``cutoff`` [Hz]: an independent, much longer FIR."""
    from scipy.signal import firwin, oaconvolve

    taps = firwin(4001, cutoff - 5e-4, width=1e-3, fs=1.0)
    mean = series.mean(axis=0)
    result = oaconvolve(series - mean, taps[:, None], mode="same", axes=0) + mean
    return np.asarray(result)


@pytest.fixture(scope="module")
def day(truth: xr.Dataset) -> xr.Dataset:
    """A day of both satellites, simulated, without gaps."""
    return truth[["lin_accl"]].isel(time=slice(0, DAY)).load()


@pytest.mark.parametrize(
    ("step", "cutoff"), [("5s", 0.035), ("10s", 0.035), ("30s", 0.0133)]
)
def test_round_trip_of_data_in_the_band_is_below_the_instrument_noise(
    day: xr.Dataset, step: str, cutoff: float
) -> None:
    ds = day.copy(deep=True)
    for i in (0, 1):
        ds["lin_accl"].values[i] = limited(day["lin_accl"].values[i], cutoff)
    back = resample(resample(ds, step), "1s")["lin_accl"]
    first = int(
        (back["time"].values[0] - ds["time"].values[0]) / np.timedelta64(1, "s")
    )
    error = back.values - ds["lin_accl"].values[:, first : first + back.sizes["time"]]
    # the ends of the day are outside the filter, and of the longer one above
    inner = error[:, 3000:-3000]
    assert np.isfinite(inner).all()
    rms = np.sqrt(np.mean(inner**2, axis=(0, 1)))
    # the data themselves are of some nm s-2 about their daily mean
    assert ds["lin_accl"].values[0].std(axis=0).min() > 1e-9
    assert rms.max() < INSTRUMENT / 5
    assert np.abs(inner).max() < 10 * INSTRUMENT


def test_round_trip_of_what_the_instrument_delivers(day: xr.Dataset) -> None:
    # the low-pass of Level 1B lets some of each firing through between 35 and 60 mHz;
    # a 10 s series cannot hold that
    back = resample(resample(day, "10s"), "1s")["lin_accl"]
    error = (back - day["lin_accl"]).values[:, 200:-200]
    rms = np.sqrt(np.mean(error**2, axis=(0, 1)))
    assert rms[0] < 1e-10
    assert rms.max() < 4e-10


def test_tones_pass_or_stop(make_grid: Any) -> None:
    ds = make_grid(size=20_000, satellites="A", noise=0.0)
    t = np.arange(20_000.0)
    for step, ratio, passed, stopped in (
        ("10s", 10, 0.034, 0.066),
        ("30s", 30, 0.013, 0.0205),
    ):
        for f, gain in ((passed, 1.0), (stopped, 0.0)):
            ds["lin_accl"].values[0, :, 0] = 5e-6 + 1e-8 * np.sin(2 * np.pi * f * t)
            found = resample(ds, step)["lin_accl"].values[0, :, 0]
            wanted = 5e-6 + gain * 1e-8 * np.sin(2 * np.pi * f * t[::ratio])
            inner = slice(30, -30)
            error = np.abs(found[: len(wanted)] - wanted)[inner]
            assert error.max() < 2e-4 * 1e-8


@pytest.mark.parametrize("step", [10, 30])
def test_no_sample_is_made_from_too_little(twin: xr.Dataset, step: int) -> None:
    part = twin[["lin_accl"]].isel(time=slice(34_000, 40_000))
    x = part["lin_accl"].sel(satellite="B", axis="x").values
    found = resample(part, float(step), missing=1e-3)
    values = found["lin_accl"].sel(satellite="B", axis="x").values
    start, seconds = part["time"].values[0], np.timedelta64(1, "s")
    places = ((found["time"].values - start) / seconds).astype(int)
    taps = np.abs(anti_alias(1.0, step))
    half = len(taps) // 2
    padded = np.pad(np.isnan(x).astype(float), half, constant_values=1.0)
    lost = np.array([taps @ padded[p : p + len(taps)] for p in places]) / taps.sum()
    np.testing.assert_array_equal(
        np.isfinite(values), (lost <= 1e-3) & ~np.isnan(x[places])
    )
    assert np.isfinite(values).any()
    # and back: never across a gap, never outside
    back = resample(found, "1s")["lin_accl"].sel(satellite="B", axis="x")
    offset = places[0]
    filled = np.isfinite(back.values)
    assert not (filled & np.isnan(x[offset : offset + len(filled)])).any()
    full = np.convolve(np.isfinite(values), [1, 1]) == 2
    assert filled.sum() == np.isfinite(values).sum() + full.sum() * (step - 1)


def test_beside_a_gap_the_error_stays_small(day: xr.Dataset) -> None:
    whole = resample(day, "10s")["lin_accl"].values
    holed = day.copy(deep=True)
    holed["lin_accl"].values[:, 30_000:30_300] = np.nan
    found = resample(holed, "10s")["lin_accl"].values
    known = np.isfinite(found) & np.isfinite(whole)
    assert (~np.isfinite(found)).sum() > (~np.isfinite(whole)).sum()
    assert np.abs(found - whole)[known].max() < 1e-10


def test_condemned_samples_are_not_smeared(make_grid: Any) -> None:
    ds = make_grid(size=4000, satellites="A", noise=1e-14)
    good = resample(ds, "10s")["lin_accl"].values
    ds["lin_accl"].values[0, 2_000, 0] += 1e-6
    smeared = resample(ds, "10s")["lin_accl"].values
    assert np.nanmax(np.abs(smeared - good)) > 1e-8
    found = resample(clean(ds), "10s")["lin_accl"].values
    assert np.isnan(found[0, 200]).all()
    known = np.isfinite(found)
    assert np.abs(found - good)[known].max() < 1e-11


def test_every_variable_has_a_rule(twin_lazy: xr.Dataset, make_grid: Any) -> None:
    rules = {str(n): rule_of(str(n), v) for n, v in twin_lazy.data_vars.items()}
    assert rules == {
        "lin_accl": "band",
        "ang_accl": "band",
        "acl_res": "band",
        "acc_qualflg": "or",
        "position": "smooth",
        "velocity": "smooth",
        "gnv_qualflg": "or",
        "quaternion": "attitude",
        "sca_qualflg": "or",
        "thruster_on_time": "sum",
    }
    filled = make_grid(size=10, filled=True)
    for name, rule in (
        ("lin_accl_filled", "band"),
        ("lin_accl_filled_sigma", "largest"),
        ("lin_accl_fill_method", "largest"),
    ):
        assert rule_of(name, filled[name]) == rule


def test_intervals_of_flags_methods_sigma_and_on_times(make_grid: Any) -> None:
    ds = make_grid(size=300, gaps={"B": [(95, 97), (150, 160)]}, filled=True)
    on = np.zeros((2, 300, 14), dtype=np.float32)
    on[0, [94, 95, 104, 105], 2] = 50, 60, 70, 80
    ds["thruster_on_time"] = (("satellite", "time", "thruster"), on)
    ds["acc_qualflg"].values[0, [95, 104, 105]] = 1, 4, 8
    down = resample(ds, "10s")
    # second 100 stands for 95 to 104
    assert down["acc_qualflg"].values[0, 9:12].tolist() == [0, 5, 8]
    assert down["thruster_on_time"].values[0, 9:12, 2].tolist() == [50, 130, 80]
    assert down["thruster_on_time"].dtype == np.float32
    assert down["lin_accl_fill_method"].values[1, 9:12, 0].tolist() == [0, 1, 0]
    sigma = down["lin_accl_filled_sigma"].values[1, 8:18, 0]
    assert np.isfinite(sigma).tolist() == [False, False, True] + [False] * 4 + [
        True, True, False,
    ]  # fmt: skip
    up = resample(down, "1s")
    assert up["acc_qualflg"].values[0, 94:107].tolist() == [0] + 10 * [5] + 2 * [8]
    spread = up["thruster_on_time"].values[0, :, 2]
    assert spread[95:105].tolist() == [13.0] * 10
    assert spread.sum() == 260
    assert up["lin_accl_fill_method"].values[1, 94:106, 0].tolist() == [0] + 10 * [
        1
    ] + [0]
    assert down["acc_qualflg"].attrs == ds["acc_qualflg"].attrs


def test_orbits_there_and_back(make_grid: Any) -> None:
    ds = make_grid(size=6000)
    t = np.arange(6000.0)
    angle = 2 * np.pi * t / 5640
    orbit = 6.85e6 * np.stack([np.cos(angle), np.sin(angle), 0.3 * np.cos(angle)], -1)
    dims = ("satellite", "time", "axis")
    ds["position"] = (dims, np.stack([orbit, -orbit]), {"units": "m"})
    down = resample(ds, "30s")
    np.testing.assert_array_equal(down["position"], ds["position"].values[:, ::30])
    back = resample(down, "1s")["position"].values
    error = np.abs(back - ds["position"].values[:, : back.shape[1]])
    assert error[:, 120:-120].max() < 1e-6
    # orbit every 60 s on a 10 s axis: values stay where they are
    ds["position"].values[:, t % 60 != 0] = np.nan
    up = resample(resample(ds, "10s"), "1s")["position"].values[0, :, 0]
    assert np.flatnonzero(np.isfinite(up)).tolist() == list(range(0, 5991, 60))


def test_attitude_is_normalised_continuous_and_turns_evenly(make_grid: Any) -> None:
    from scipy.spatial.transform import Rotation

    ds = make_grid(size=40_000)
    t = np.arange(40_000.0)
    turn = Rotation.from_rotvec(np.outer(2 * np.pi * t / 5640, [0.0, 0.6, 0.8]))
    q = turn.as_quat()[:, [3, 0, 1, 2]]
    given = q * np.sign(np.sin(t / 777.0) + 1e-9)[:, None] * 1.0001
    given[20_000:20_300] = np.nan
    stacked = np.stack([given, -given])
    dims = ("satellite", "time", "quaternion_component")
    ds["quaternion"] = (dims, stacked, {"units": "1"})
    down = resample(ds, "10s")["quaternion"]
    fine = resample(resample(ds, "10s"), "1s")["quaternion"]
    for series, wanted in ((down.values, q[::10]), (fine.values, q[:39_991])):
        known = np.isfinite(series[0, :, 0])
        values = series[0, known]
        np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1.0, atol=1e-12)
        same = np.abs(np.sum(values * wanted[known], axis=1))
        assert np.abs(same - 1).max() < 1e-12
        assert (np.sum(values[1:] * values[:-1], axis=1) > 0.9).all()
    assert np.isnan(down.values[0, 2_000:2_030]).all()
    cut = resample(resample(ds.chunk(time=9_000), "10s"), "1s")["quaternion"]
    np.testing.assert_array_equal(cut, fine)


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(twin_lazy: xr.Dataset) -> None:
    coarse = twin_lazy.grace.resample("30s")
    assert coarse.sizes["time"] == 5 * 2880
    fine = twin_lazy.grace.resample(10.0).grace.resample("1s")
    for ds in (coarse, fine):
        assert list(ds.data_vars) == list(twin_lazy.data_vars)
        for name, variable in ds.data_vars.items():
            assert variable.chunks is not None, name
            assert variable.dims == twin_lazy[name].dims
            assert variable.dtype == twin_lazy[name].dtype


@pytest.mark.parametrize("chunk", [20_000, DAY, 100_001])
@pytest.mark.parametrize("step", ["10s", "30s", "0.5s"])
def test_does_not_depend_on_chunks(twin: xr.Dataset, step: str, chunk: int) -> None:
    names = ["lin_accl", "acc_qualflg", "position", "quaternion", "thruster_on_time"]
    ds = twin[names].sel(satellite=["B"]).isel(time=slice(7, None))
    whole, cut = resample(ds, step), resample(ds.chunk(time=chunk), step)
    assert whole["time"].equals(cut["time"])
    for name in names:
        np.testing.assert_array_equal(whole[name], cut[name], err_msg=name)


def test_new_samples_are_at_multiples_of_the_step(make_grid: Any) -> None:
    ds = make_grid(size=4000, start="2008-01-01T00:00:03")
    down = resample(ds, "30s")
    assert down["time"].values[0] == np.datetime64("2008-01-01T00:00:30")
    whole = resample(make_grid(size=4003), "30s")["acc_qualflg"]
    assert down.sizes["time"] == whole.sizes["time"] - 1
    assert resample(ds, 1.0) is ds


def test_attributes_say_what_was_done(twin: xr.Dataset) -> None:
    made = resample(twin, "30s")
    assert json.loads(made.attrs["resampling"]) == {"step_s": 30.0, "missing": 0.001}
    assert "resampled to 30 s" in made.attrs["history"].splitlines()[-1]
    if "time_coverage_resolution" in twin.attrs:
        assert made.attrs["time_coverage_resolution"] == "PT30S"
    assert made["satellite"].attrs == twin["satellite"].attrs


def test_one_satellite_one_axis_or_one_variable(make_grid: Any) -> None:
    ds = make_grid(size=3000)
    both = resample(ds, "10s")["lin_accl"]
    alone = resample(ds.sel(satellite="B"), "10s")["lin_accl"]
    assert alone.dims == ("time", "axis")
    np.testing.assert_array_equal(alone, both.sel(satellite="B"))
    x_only = ds.copy(deep=True)
    x_only["lin_accl"].values[..., 1:] = np.nan
    found = resample(x_only, "10s")["lin_accl"].values
    np.testing.assert_array_equal(found[..., 0], both.values[..., 0])
    assert np.isnan(found[..., 1:]).all()
    dead = make_grid(size=3000, gaps={"B": [(0, 3000)]})
    assert resample(dead, "10s")["lin_accl"].sel(satellite="B").isnull().all()
    flags = resample(ds[["acc_qualflg"]], "10s")
    assert flags["acc_qualflg"].dims == ("satellite", "time")


def test_refusals(make_grid: Any) -> None:
    ds = make_grid(size=600)
    for step in ("15s", "3s"):
        with pytest.raises(GraceError, match="expected a multiple or a whole fraction"):
            resample(resample(ds, "10s"), step)
    with pytest.raises(GraceError, match="step: 'fast' is not a duration"):
        resample(ds, "fast")
    with pytest.raises(GraceError, match="expected a positive duration"):
        resample(ds, "0s")
    with pytest.raises(GraceError, match=r"missing=0\.9"):
        resample(ds, "10s", missing=0.9)
    with pytest.raises(GraceError, match="found 0 samples"):
        resample(ds.isel(time=slice(0, 0)), "10s")
    with pytest.raises(GraceError, match="at least one at a multiple of 10 s"):
        resample(ds.isel(time=slice(1, 5)), "10s")
    with pytest.raises(GraceError, match="at least 2"):
        resample(ds.isel(time=slice(0, 1)), "0.5s")
    with pytest.raises(GraceError, match="not regular"):
        resample(ds.isel(time=[0, 1, 5]), "10s")
