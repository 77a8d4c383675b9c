"""Published scale and bias, by hand and there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.preprocess.calibrate import calibrate, published_bias


def seconds(date: str) -> np.ndarray:
    past = np.datetime64(date, "s") - np.datetime64("2000-01-01T12:00:00", "s")
    return np.array([past.astype(float)])


def test_bias_by_hand() -> None:
    # 2006-01-01 is MJD 53736, the reference date: c0 alone
    a, b = (published_bias(s, seconds("2006-01-01"))[0] for s in "AB")
    np.testing.assert_allclose(a, [-1.2095e-6, 29.3370e-6, -0.5606e-6], rtol=1e-12)
    np.testing.assert_allclose(b, [-0.6049e-6, 10.6860e-6, -0.7901e-6], rtol=1e-12)
    # 100 days later
    later = published_bias("B", seconds("2006-04-11"))[0, 1]
    assert later == pytest.approx(1e-6 * (10.6860 + 0.1159 - 0.0043), rel=1e-12)
    # MJD 52532 is 2002-09-15, the reference date of the first polynomial
    early = published_bias("A", seconds("2002-09-15"))[0]
    np.testing.assert_allclose(early, [-1.106e-6, 27.042e-6, -0.5486e-6], rtol=1e-12)


def test_the_bias_changes_on_2003_03_07() -> None:
    t = np.concatenate([seconds("2003-03-06T23:59:59"), seconds("2003-03-07")])
    step = np.diff(published_bias("A", t), axis=0)[0]
    # -1.2095 - 4.128e-5 x + 9.7e-9 x2 at x = -1031, minus -1.106 + 2.233e-4 y
    # + 2.5e-7 y2 at y = 173
    assert step[0] == pytest.approx(1e-6 * (-1.1566294 + 1.0598868), rel=1e-4)


def test_calibrated_means_are_small_on_the_real_day(shared_data: Any) -> None:
    from gracelstm_xr import l1b

    file = l1b.read(shared_data / "jpl_sample" / "ACC1B_2003-09-14_A_00.dat")
    raw = file.columns["lin_accl"]
    bias = published_bias("A", file.columns["gps_time"].astype(float))
    true = bias + np.array([0.9595, 0.9797, 0.9485]) * raw
    # drag, and what the quadratic in time does not know of 28 um s-2 on y
    assert (np.abs(raw.mean(axis=0)) > [1e-6, 2.8e-5, 5e-7]).all()
    assert (np.abs(true.mean(axis=0)) < [2e-8, 1e-6, 1e-7]).all()


def test_there_and_back(make_grid: Any) -> None:
    ds = make_grid(start="2003-03-06T12:00:00", gaps={"B": [(100, 200)]}, filled=True)
    ds["acl_res"] = ds["acl_res"].transpose("time", "satellite", "axis")
    made = calibrate(ds)
    for name, k in (("lin_accl", 1.0), ("lin_accl_filled_sigma", 0.0)):
        raw = ds[name].sel(satellite="B").values
        t = seconds("2003-03-06T12:00:00") + np.arange(86_400.0)
        wanted = np.array([0.9465, 0.9842, 0.9303]) * raw + k * published_bias("B", t)
        found = made[name].sel(satellite="B").values
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        assert made[name].attrs["calibration"] == "GRACE TN-02"
    assert made["acl_res"].dims == ds["acl_res"].dims
    assert "uncalibrated" not in made["lin_accl"].attrs["long_name"]
    assert "TN-02 applied" in made.attrs["history"].splitlines()[-1]
    assert '"scale"' in made.attrs["calibration"]
    back = calibrate(made, inverse=True)
    for name in ds.data_vars:
        np.testing.assert_allclose(back[name], ds[name], rtol=1e-14, atol=1e-20)
        assert back[name].attrs == ds[name].attrs, name
    assert "calibration" not in back.attrs


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(twin_lazy: xr.Dataset) -> None:
    made = twin_lazy.grace.calibrate()
    assert made["lin_accl"].chunks is not None
    assert made["lin_accl"].dims == twin_lazy["lin_accl"].dims


@pytest.mark.parametrize("chunk", [7_000, 50_000, 90_001])
def test_does_not_depend_on_chunks(make_grid: Any, chunk: int) -> None:
    ds = make_grid(size=200_000)[["lin_accl"]]
    np.testing.assert_array_equal(
        calibrate(ds)["lin_accl"], calibrate(ds.chunk(time=chunk))["lin_accl"]
    )


def test_a_single_satellite_without_dimension(make_grid: Any) -> None:
    ds = make_grid(size=500)
    alone = calibrate(ds.sel(satellite="B"))["lin_accl"]
    both = calibrate(ds)["lin_accl"].sel(satellite="B")
    assert alone.dims == ("time", "axis")
    np.testing.assert_array_equal(alone, both)


def test_refusals(make_grid: Any) -> None:
    ds = make_grid(size=100)
    with pytest.raises(GraceError, match=r"satellite 'C', expected A or B"):
        calibrate(make_grid(size=100, satellites="CD"))
    with pytest.raises(GraceError, match="already calibrated"):
        calibrate(calibrate(ds))
    with pytest.raises(GraceError, match="not calibrated"):
        calibrate(ds, inverse=True)
    with pytest.raises(GraceError, match="found no acceleration"):
        calibrate(ds[["acc_qualflg"]])
