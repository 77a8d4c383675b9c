"""Forces of air and light on the plates, against closed forms and the simulator."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics import plates
from gracelstm_xr.physics.forces import COMPONENTS, force_model
from gracelstm_xr.physics.thermosphere import weather

DAY = 86_400


@pytest.fixture(scope="module")
def day(twin_lazy: xr.Dataset) -> xr.Dataset:
    names = ["lin_accl", "position", "velocity", "quaternion"]
    return twin_lazy[names].isel(time=slice(0, DAY)).load()


@pytest.fixture(scope="module")
def model(day: xr.Dataset) -> xr.Dataset:
    # F10.7 and ap of the solar minimum, as the simulator has them within 15 %
    return force_model(day, f107=70.0, ap=9.0).compute()


def test_pressure_on_the_front_plate() -> None:
    """Light along x sees one plate: P A / m (1 + specular + 2/3 diffuse)."""
    found = plates.pressure(
        np.array([[1.0, 0.0, 0.0]]), np.array([1361.0]), 500.0, infrared=False
    )
    expected = -1361 / 299792458 * 0.9551567 / 500 * (1 + 0.40 + 2 / 3 * 0.26)
    np.testing.assert_allclose(found[0], [expected, 0, 0], rtol=1e-12, atol=1e-22)


def test_drag_in_a_cold_gas() -> None:
    """Without thermal motion only the front is hit: rho v^2 A / m (1 + re-emission)."""
    number = np.zeros((1, 9))
    number[0, 2] = 1e14
    air = plates.Air(number, np.array([1e-3]))
    found = plates.drag(np.array([[7600.0, 0.0, 0.0]]), air, 500.0)
    density = 1e14 * 15.9994 * 1.66053906660e-27
    gas = 1.380649e-23 / (15.9994 * 1.66053906660e-27)
    leaving = np.sqrt(0.5 * (1 + 0.93 * (4 * gas * 300 / 7600**2 - 1)))
    expected = -density * 7600**2 * 0.9551567 / 500 * (1 + np.sqrt(np.pi) / 2 * leaving)
    assert found[0, 0] == pytest.approx(expected, rel=1e-3)
    assert np.abs(found[0, 1:]).max() < 1e-3 * abs(expected)


def test_drag_is_opposite_from_behind() -> None:
    number = np.full((1, 9), 1e13)
    air = plates.Air(number, np.array([900.0]))
    ahead = plates.drag(np.array([[7600.0, 0.0, 0.0]]), air, 500.0)
    behind = plates.drag(np.array([[-7600.0, 0.0, 0.0]]), air, 500.0)
    np.testing.assert_allclose(ahead[0, 0], -behind[0, 0], rtol=1e-12)
    np.testing.assert_allclose(ahead[0, 2], behind[0, 2], rtol=1e-9)


def test_infrared_of_a_sphere(model: xr.Dataset, day: xr.Dataset) -> None:
    """Light of a sphere seen as a disc, nearly all of it on the nadir plate."""
    r = np.linalg.norm(day["position"].sel(satellite="A").values, axis=1)
    view = (6_378_137.0 / np.nanmean(r)) ** 2
    # mean emissivity of Knocke et al. over the sphere is 0.68; polar orbits see less
    flux = 1361.0 / 4 * 0.64 * view
    # mean cosine of the incidence on a plate below which the disc ends at 68 degrees
    edge = np.sqrt(1 - view)
    cosine = 2 / 3 * (1 - edge**3) / (1 - edge**2)
    plate = 6.0711120 * ((1 + 0.19) * cosine + 2 / 3 * 0.06)
    up = -model["infrared"].sel(satellite="A", axis="z").mean().item()
    assert up == pytest.approx(flux / 299792458 * plate / 475, rel=0.15)


def test_agrees_with_the_simulator(model: xr.Dataset, truth: xr.Dataset) -> None:
    """Other formulas, no winds, other indices: alike, not the same."""
    part = truth.isel(time=slice(0, DAY))
    limits = {"drag": (0.45, "drag"), "solar": (0.05, "solar_radiation")}
    for name, (limit, of) in limits.items():
        x = model[name].values
        exact = part[of].values
        good = np.isfinite(x).all(axis=2)
        assert good.mean() > 0.99
        for k in range(3):
            left = np.sqrt(np.mean((x - exact)[good][:, k] ** 2))
            size = np.sqrt(np.mean(exact[good][:, k] ** 2))
            assert left < limit * size, (name, k)


def test_coarse_nodes_are_enough(
    day: xr.Dataset, model: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second instead of every 10, 30 and 60 s: below 0.02 nm s-2."""
    from gracelstm_xr.physics import forces as forcemodel

    for name in ("STEP", "AIR_STEP", "EARTH_STEP"):
        monkeypatch.setattr(forcemodel, name, 1.0)
    part = slice(0, 12_000)
    fine = force_model(day.isel(time=part), f107=70.0, ap=9.0).compute()
    for name in COMPONENTS:
        left = (model[name].isel(time=part) - fine[name]).values[:, 500:-500]
        assert np.sqrt(np.nanmean(left**2)) < 2e-11, name


def test_shadow(model: xr.Dataset) -> None:
    solar = np.abs(model["solar"].sel(satellite="A").values).sum(axis=1)
    assert (solar < 1e-12).any()
    assert np.nanmax(solar) > 2e-8


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(twin_lazy: xr.Dataset) -> None:
    found = twin_lazy.grace.force_model(f107=70.0)
    assert list(found.data_vars) == list(COMPONENTS)
    assert found["drag"].shape == (2, 5 * DAY, 3)
    assert "default" in found.attrs["activity"]


@pytest.mark.parametrize("chunk", [30_001, DAY])
def test_does_not_depend_on_chunks(
    day: xr.Dataset, model: xr.Dataset, chunk: int
) -> None:
    other = force_model(day.chunk({"time": chunk}), f107=70.0, ap=9.0).compute()
    for name in COMPONENTS:
        np.testing.assert_array_equal(other[name].values, model[name].values)


def test_activity_as_series() -> None:
    time = np.arange("2008-01-01", "2008-01-04", dtype="datetime64[D]")
    series = xr.DataArray(
        [70.0, 80.0, 90.0], dims="time", coords={"time": time.astype("datetime64[ns]")}
    )
    ap = xr.DataArray([4.0, 8.0, 12.0], dims="time", coords={"time": series["time"]})
    start = (time[1] - np.datetime64("2000-01-01T12:00:00")) / np.timedelta64(1, "s")
    flux, mean, history = weather(series, ap).at(np.array([start + 43_200.0]))
    assert flux[0] == pytest.approx(85.0)
    assert mean[0] == pytest.approx(85.0)
    assert history.shape == (1, 7)
    # three hours back at 4 a day
    assert history[0, 1] - history[0, 2] == pytest.approx(0.5)


def test_errors(day: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="SCA1B"):
        force_model(day.drop_vars("quaternion"))
    with pytest.raises(GraceError, match="ap of -1"):
        force_model(day, ap=-1.0)
    with pytest.raises(GraceError, match="'time'"):
        force_model(day, f107=xr.DataArray([1.0, 2.0], dims="day"))
