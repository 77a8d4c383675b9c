"""Covariates as a user sees them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics import earth
from gracelstm_xr.physics.features import features, satellite_pairs
from gracelstm_xr.physics.geometry import FLAGS
from gracelstm_xr.physics.sun import shadow_factor, sun_position
from gracelstm_xr.simulate import geometry
from gracelstm_xr.simulate.config import day_number, make_scenario
from gracelstm_xr.simulate.day import states

DAY = 86_400
UNITS = {
    "argument_of_latitude": "rad",
    "latitude": "degrees_north",
    "longitude": "degrees_east",
    "height": "m",
    "beta_prime": "degree",
    "local_solar_time": "h",
    "shadow_factor": "1",
    "sun_direction": "1",
    "twin_lag": "s",
    "lin_accl_donor": "m s-2",
    "thruster_response": "ms s-1",
    "donor_thruster_response": "ms s-1",
    "geometry_qualflg": None,
}
STANDARD_NAMES = {
    "latitude": "latitude",
    "longitude": "longitude",
    "height": "height_above_reference_ellipsoid",
    "geometry_qualflg": "status_flag",
}
ANGLES = ("argument_of_latitude", "latitude", "longitude", "height", "beta_prime",
          "local_solar_time", "shadow_factor")  # fmt: skip


def without(ds: xr.Dataset, name: str, where: Any) -> xr.Dataset:
    """Copy with records of ``name`` missing where the function of axes says so."""
    result = ds.copy()
    names = ("position", "velocity") if name == "position" else (name,)
    for one in names:
        result[one] = ds[one].where(~where)
    return result


def flagged(found: xr.Dataset, name: str) -> np.ndarray:
    return (found["geometry_qualflg"].values & FLAGS[name]) > 0


@pytest.fixture(scope="module")
def day(twin: xr.Dataset) -> xr.Dataset:
    return twin.isel(time=slice(0, DAY))


@pytest.fixture(scope="module")
def full(day: xr.Dataset) -> xr.Dataset:
    return features(day).compute()


@pytest.fixture(scope="module")
def second(day: xr.Dataset) -> xr.DataArray:
    return xr.DataArray(np.arange(DAY), dims="time")


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
    assert {k: v.attrs.get("units") for k, v in found.data_vars.items()} == UNITS
    assert all(v.attrs["long_name"] and v.attrs["source"] for v in found.values())
    names = {k: v.attrs.get("standard_name") for k, v in found.data_vars.items()}
    assert {k: v for k, v in names.items() if v} == STANDARD_NAMES
    assert found["twin_lag"].dims == ("satellite", "time")
    assert found["sun_direction"].dims == ("satellite", "time", "axis")
    assert found["thruster_response"].sizes["thruster_pair"] == 6
    assert found.sizes["time"] == twin_lazy.sizes["time"]
    assert found["satellite"].values.tolist() == ["A", "B"]
    flag = found["geometry_qualflg"]
    assert flag.dtype == np.uint8
    assert flag.attrs["flag_masks"].tolist() == [1, 2, 4, 8, 16, 32, 64, 128]
    assert len(flag.attrs["flag_meanings"].split()) == 8
    assert "comment" not in found.attrs


def test_accessor(day: xr.Dataset, full: xr.Dataset) -> None:
    found = day.isel(time=slice(0, 600)).grace.features(recipient="B")
    assert set(found.data_vars) == set(full.data_vars)


def test_nothing_stands_in_on_a_whole_day(full: xr.Dataset) -> None:
    """Only the last seconds, after the last records of the day."""
    assert not full["geometry_qualflg"].values[:, 60 : DAY - 60].any()
    for name in ANGLES:
        assert np.isfinite(full[name]).all()


@pytest.mark.parametrize("satellite", ["A", "B"])
def test_geometry_is_the_simulated_one(full: xr.Dataset, satellite: str) -> None:
    """Every second of half a day against the true orbit and attitude, directly."""
    k = "AB".index(satellite)
    found = full.sel(satellite=satellite)
    scenario = make_scenario(days=5, seed=3)
    number = day_number(dt.date(2008, 1, 1))
    t = np.arange(40_000.0)
    sky = states(scenario, number, t)
    gps = geometry.gps_seconds(number, t)
    position, velocity = sky.position[k], sky.velocity[k]
    part = {name: v.values[:40_000] for name, v in found.data_vars.items()}
    # UT1 of the simulator is UTC, within a second of the real one
    turn = geometry.earth_angle(number, t)
    latitude, ascension, height = earth.geodetic(position)
    np.testing.assert_allclose(part["latitude"], np.rad2deg(latitude), atol=1e-6)
    np.testing.assert_allclose(part["height"], height, atol=0.05)
    east = part["longitude"] - np.rad2deg(ascension - turn)
    near = np.abs(part["latitude"]) < 88
    assert np.abs((east + 180) % 360 - 180)[near].max() < 1e-5
    sun = sun_position(gps)
    normal = np.cross(position, velocity)
    node = np.cross([0.0, 0.0, 1.0], normal)
    node /= np.linalg.norm(node, axis=1, keepdims=True)
    r = np.linalg.norm(position, axis=1)
    side = np.sign(position[:, 2]) * np.arccos(
        np.clip((position * node).sum(1) / r, -1, 1)
    )
    angle = part["argument_of_latitude"] - side
    assert np.abs((angle + np.pi) % (2 * np.pi) - np.pi).max() < 1.5e-4
    lit = shadow_factor(position, sun)
    assert np.abs(part["shadow_factor"] - lit).max() < 0.01
    up = np.einsum(
        "nij,nj->ni", sky.attitude[k], sun / np.linalg.norm(sun, axis=1)[:, None]
    )
    assert np.abs(part["sun_direction"] - up).max() < 4e-4
    hours = (np.rad2deg(ascension) - np.rad2deg(np.arctan2(sun[:, 1], sun[:, 0]))) / 15
    away = (part["local_solar_time"] - 12 - hours + 12) % 24 - 12
    assert np.abs(away)[near].max() < 1e-3


def test_lag_is_the_simulated_one(full: xr.Dataset) -> None:
    scenario = make_scenario(days=5, seed=3)
    number = day_number(dt.date(2008, 1, 1))
    expected = geometry.lag(scenario, number, np.arange(86_400.0))
    assert geometry.leader(scenario, number) == 1
    lag = full["twin_lag"].sel(satellite="B").values
    np.testing.assert_allclose(lag[100:-100], expected[100:-100], atol=1e-3)


def test_donor_is_rotated_by_both_attitudes(day: xr.Dataset, full: xr.Dataset) -> None:
    """A vector fixed in space, seen by both, is the same after the transplant."""
    scenario = make_scenario(days=5, seed=3)
    number = day_number(dt.date(2008, 1, 1))
    t = np.arange(1000.0, 9000.0)
    lag = geometry.lag(scenario, number, t)
    own = states(scenario, number, t).attitude[1]
    donor = states(scenario, number, t + lag).attitude[0]
    mean = np.nanmean(day["lin_accl"].sel(satellite="A").values, axis=0)
    series = day["lin_accl"].sel(satellite="A").values - mean
    shifted = np.stack(
        [np.interp(t + lag, np.arange(DAY), column) for column in series.T], axis=1
    )
    expected = np.einsum("nij,nkj,nk->ni", own, donor, shifted)
    found = full["lin_accl_donor"].sel(satellite="B").values[1000:9000]
    # linear interpolation here costs some of the signal; the mean is of five days there
    error = (found - expected) - np.nanmean(found - expected, axis=0)
    assert np.nanstd(error, axis=0).max() < 0.02 * np.nanstd(expected, axis=0).max()


CHUNKS = [
    (DAY,) * 3,
    (50_000, 100_000, 109_200),
    (7 * 3600,) * 10 + (7200,),
    (3 * DAY,),
]


@pytest.fixture(scope="module")
def holey(twin_lazy: xr.Dataset) -> xr.Dataset:
    """Three days with holes in every product, also at midnight and at the ends."""
    ds = twin_lazy.isel(time=slice(0, 3 * DAY)).load()
    second = xr.DataArray(np.arange(3 * DAY), dims="time")
    a = ds["satellite"] == "A"
    hole = (second > DAY - 2000) & (second < DAY + 3000) & a
    hole |= (second < 1500) & ~a
    hole |= (second > 2 * DAY + 30_000) & (second < 2 * DAY + 60_000) & a
    ds = without(ds, "position", hole | ((second > 3 * DAY - 4000) & a))
    turned = (second > DAY - 700) & (second < DAY + 100)
    return without(ds, "quaternion", turned | ((second < 400) & a))


@pytest.fixture(scope="module")
def whole(holey: xr.Dataset) -> xr.Dataset:
    return features(holey).compute()


@pytest.mark.parametrize("chunks", CHUNKS, ids=["days", "uneven", "7 h", "one"])
def test_the_same_to_the_last_bit_on_any_chunks(
    holey: xr.Dataset, whole: xr.Dataset, chunks: tuple[int, ...]
) -> None:
    found = features(holey.chunk(time=chunks, satellite=1)).compute()
    for name, variable in found.data_vars.items():
        np.testing.assert_array_equal(variable.values, whole[name].values, err_msg=name)


def test_holes_leave_no_hole(whole: xr.Dataset) -> None:
    for name in (*ANGLES, "twin_lag", "sun_direction"):
        some = np.isfinite(whole[name].values)
        if name == "twin_lag":
            some[:, 2 * DAY + 30_000 : 2 * DAY + 60_000] = True
        assert some.all(), name
    # 8.3 h are longer than two reaches: the middle is the twin's
    middle = slice(2 * DAY + 42_000, 2 * DAY + 48_000)
    assert flagged(whole, "orbit_from_twin")[0, middle].all()
    assert flagged(whole, "lag_missing")[:, middle].all()
    for k, start in ((0, DAY), (1, 1000)):
        assert flagged(whole, "orbit_propagated")[k, start]
        assert flagged(whole, "twin_orbit_propagated")[1 - k, start]
    assert flagged(whole, "attitude_nominal")[:, DAY].all()
    assert flagged(whole, "twin_attitude_nominal")[:, DAY].all()
    assert not whole["geometry_qualflg"].values[:, 40_000:60_000].any()


def test_hole_of_an_hour(day: xr.Dataset, full: xr.Dataset, second: Any) -> None:
    hole = (second > 30_000) & (second < 33_600) & (day["satellite"] == "A")
    found = features(without(day, "position", hole)).compute()
    part = slice(30_030, 33_570)
    assert flagged(found, "orbit_propagated")[0, part].all()
    for name, limit in (("twin_lag", 0.05), ("height", 150.0), ("latitude", 2e-3)):
        away = (found[name] - full[name]).values[0, part]
        assert 0 < np.abs(away).max() < limit, name
    np.testing.assert_array_equal(found["height"].values[1], full["height"].values[1])


def test_orbit_of_one_satellite_only(
    day: xr.Dataset, full: xr.Dataset, second: Any
) -> None:
    gone = (day["satellite"] == "A") & (second >= 0)
    found = features(without(day, "position", gone)).compute()
    assert flagged(found, "orbit_from_twin")[0].all()
    assert flagged(found, "lag_missing").all()
    assert not flagged(found, "orbit_from_twin")[1, :-60].any()
    assert np.isnan(found["twin_lag"]).all()
    # the twin is 27 s of 5640 away
    away = (
        found["argument_of_latitude"].values[0] - full["argument_of_latitude"].values[0]
    )
    away = np.abs((away + np.pi) % (2 * np.pi) - np.pi)
    assert np.rad2deg(away).max() < 2.0
    known = features(without(day, "position", gone), lag=-27.1).compute()
    away = (
        known["argument_of_latitude"].values[0] - full["argument_of_latitude"].values[0]
    )
    away = np.abs((away + np.pi) % (2 * np.pi) - np.pi)
    assert np.rad2deg(away).max() < 0.1
    assert flagged(known, "lag_constant").all()
    assert (known["twin_lag"].values == np.array([[-27.1], [27.1]])).all()


def test_nominal_frame_without_attitude(day: xr.Dataset, full: xr.Dataset) -> None:
    found = features(day.drop_vars("quaternion")).compute()
    assert flagged(found, "attitude_nominal").all()
    assert flagged(found, "twin_attitude_nominal").all()
    assert "SCA1B" in found["sun_direction"].attrs["comment"]
    assert "SCA1B" not in found["sun_direction"].attrs["source"]
    assert full["sun_direction"].attrs["source"] == "SCA1B, GNV1B"
    away = np.linalg.norm(
        (found["sun_direction"] - full["sun_direction"]).values, axis=2
    )
    assert np.rad2deg(away.max()) < 1.0
    donor = (found["lin_accl_donor"] - full["lin_accl_donor"]).values
    assert np.nanstd(donor) < 0.03 * float(full["lin_accl_donor"].std())


def test_only_what_the_products_allow(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(0, 2000))
    bare = features(part[["lin_accl", "thruster_on_time"]], recipient="B")
    assert set(bare.data_vars) == {"thruster_response"}
    assert "argument_of_latitude (needs GNV1B)" in bare.attrs["comment"]
    pointed = features(part[["lin_accl", "quaternion"]])
    assert set(pointed.data_vars) == {"sun_direction", "geometry_qualflg"}
    assert np.isfinite(pointed["sun_direction"].values[:, 10:1990]).all()
    only = features(part[["position", "velocity"]])
    assert set(only.data_vars) == {*ANGLES, "twin_lag", "sun_direction",
                                   "geometry_qualflg"}  # fmt: skip
    assert np.isfinite(only["twin_lag"]).all()
    shifted = features(part[["lin_accl"]], recipient="B", lag=-27.0)
    assert set(shifted.data_vars) == {"twin_lag", "lin_accl_donor", "geometry_qualflg"}
    assert (shifted["twin_lag"] == 27.0).all()
    with pytest.raises(GraceError, match="expected some of"):
        features(part[["acc_qualflg"]])


def test_one_satellite(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(0, 2000))
    alone = features(part.sel(satellite=["B"]))
    assert "twin_lag" not in alone
    assert "lin_accl_donor" not in alone
    assert "twin_lag (needs GNV1B of both)" in alone.attrs["comment"]
    single = features(part.sel(satellite="B"))
    xr.testing.assert_equal(single.compute(), alone.compute())
    both = features(part, recipient="B")
    for name in ANGLES:
        np.testing.assert_array_equal(alone[name].values, both[name].values)
    gone = features(part.where(part["satellite"] == "B"), recipient="B")
    np.testing.assert_array_equal(gone["height"].values, both["height"].values)
    assert np.isnan(gone["lin_accl_donor"]).all()


def test_no_record_at_all_is_nan(twin: xr.Dataset) -> None:
    part = twin.isel(time=slice(0, 2000))[["position", "velocity"]] * np.nan
    found = features(part).compute()
    assert flagged(found, "orbit_missing").all()
    for name in (*ANGLES, "twin_lag", "sun_direction"):
        assert np.isnan(found[name]).all()
