"""The lag to the twin against root finding on the true orbits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from orbits import SEMIAXIS, flattened, integrated

from gracelstm_xr.archive.dataset import open_archive
from gracelstm_xr.physics.earth import greenwich_angle
from gracelstm_xr.physics.features import features
from gracelstm_xr.physics.lag import LONGEST_LAG, lag_to_twin
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.simulate import geometry, simulate_archive
from gracelstm_xr.simulate.config import day_number, make_scenario

Track = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
EPOCH = 600_000_000.0


def true_lag(here: np.ndarray, twin: Track, t: float) -> float:
    """Root of the derivative of the distance, by Brent's method."""
    from scipy.optimize import brentq

    def slope(lag: float) -> float:
        position, velocity = twin(np.array([t + lag]))
        return float((here - position[0]) @ velocity[0])

    return float(brentq(slope, -120.0, 120.0, xtol=1e-10))


def shifted(path: Track, by: float) -> Track:
    return lambda t: path(np.asarray(t) - by)


@pytest.mark.parametrize("lag", [28.8, -28.8, 35.0, 0.0, 1e-4, 500.0])
@pytest.mark.parametrize("step", [5.0, 60.0])
def test_twin_on_the_same_orbit(lag: float, step: float) -> None:
    t = np.arange(0.0, 8000.0, step)
    path = integrated(flattened)
    own = StateNodes(EPOCH + t, *path(t))
    # the twin is `lag` behind: it comes here at t + lag
    twin = StateNodes(EPOCH + t, *path(t - lag))
    found = lag_to_twin(own, twin, EPOCH + np.arange(600.0, 7000.0, 10.0))
    np.testing.assert_allclose(found, lag, atol=1e-5)


def test_no_lag_without_an_orbit_or_far_apart() -> None:
    t = np.arange(0.0, 8000.0, 60.0)
    path = integrated(flattened)
    own = StateNodes(EPOCH + t, *path(t))
    elsewhere = StateNodes(EPOCH + t + 1e6, *path(t))
    query = EPOCH + np.arange(1000.0, 6000.0, 60.0)
    assert np.isnan(lag_to_twin(own, elsewhere, query)).all()
    far = StateNodes(EPOCH + t, *path(t - LONGEST_LAG - 100.0))
    assert np.isnan(lag_to_twin(own, far, query)).all()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., xr.Dataset]:
    def make(mission: str, seed: int, start: str, days: int) -> xr.Dataset:
        folder = tmp_path_factory.mktemp("lag") / "archive"
        simulate_archive(
            folder, mission=mission, seed=seed, start=start, days=days,
            products="GNV1B", layout="files", truth=False,
        )  # fmt: skip
        return open_archive(folder, products=["GNV1B"]).load()

    return make


def simulated_path(scenario: Any, day: int, satellite: int) -> Track:
    return lambda t: geometry.orbit(scenario, day, np.asarray(t), satellite)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mission", "start", "seed"),
    [
        ("grace", "2005-03-01", 1),
        ("grace", "2008-01-01", 2),
        ("grace-fo", "2019-06-01", 3),
        ("grace-fo", "2022-01-01", 4),
    ],
)
def test_simulated_archives(
    archive: Callable[..., xr.Dataset], mission: str, start: str, seed: int
) -> None:
    ds = archive(mission, seed, start, 2)
    second = np.arange(ds.sizes["time"])
    lags = []
    for step in (5, 60):
        some = xr.DataArray(second % step == 0, dims="time")
        thinned = {name: ds[name].where(some) for name in ("position", "velocity")}
        lags.append(features(ds.assign(thinned))["twin_lag"].compute())
        assert np.isfinite(lags[-1]).all()
    scenario = make_scenario(mission=mission, start=start, days=2, seed=seed)
    for offset in (0, 1):
        date = dt.date.fromisoformat(start) + dt.timedelta(days=offset)
        day = day_number(date)
        t = np.arange(70.0, 86_330.0, 1711.0)
        for k in (0, 1):
            here, _ = geometry.orbit(scenario, day, t, k)
            twin = simulated_path(scenario, day, 1 - k)
            expected = [true_lag(p, twin, s) for p, s in zip(here, t, strict=True)]
            leads = geometry.leader(scenario, day) == k
            for found in lags:
                part = found.isel(satellite=k).values[86_400 * offset + t.astype(int)]
                np.testing.assert_allclose(part, expected, rtol=0, atol=1e-5)
                assert (np.sign(part) == (1 if leads else -1)).all()


@pytest.mark.slow
def test_exchange_of_places_between_two_days(
    archive: Callable[..., xr.Dataset],
) -> None:
    """The simulator exchanges A and B at the midnight of 2005-12-10."""
    ds = archive("grace", 5, "2005-12-09", 2)
    found = features(ds)["twin_lag"].compute()
    day = 86_400
    for k, sign in ((0, 1), (1, -1)):
        lag = found.isel(satellite=k).values
        assert (sign * lag[: day - 120] > 20).all()
        assert (sign * lag[day + 120 :] < -20).all()


def drifting(step: int) -> tuple[xr.Dataset, Track, Track]:
    """Half a day of two orbits 1 km apart in height; the lower one overtakes."""
    from gracelstm_xr.core.index import regular_coords
    from gracelstm_xr.core.time import EPOCH as ORIGIN
    from gracelstm_xr.core.time import RegularAxis

    size = 43_200
    lower = integrated(flattened)
    upper = shifted(integrated(flattened, semiaxis=SEMIAXIS + 1000.0), -4.5)
    t = np.arange(float(size))
    states = [_earth_fixed(EPOCH + t, *path(t)) for path in (lower, upper)]
    dims = ("satellite", "time", "axis")
    some = (t % step == 0)[:, None]
    variables = {
        name: (dims, np.stack([np.where(some, state[i], np.nan) for state in states]))
        for i, name in enumerate(("position", "velocity"))
    }
    start = ORIGIN + np.timedelta64(int(EPOCH), "s")
    axis = RegularAxis(start, np.timedelta64(10**9, "ns"), size)
    coords = {"satellite": ["A", "B"], "axis": list("xyz")}
    ds = xr.Dataset(variables, coords=coords).assign_coords(regular_coords(axis))
    return ds, lower, upper


def _earth_fixed(
    t: np.ndarray, position: np.ndarray, velocity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    c, s = np.cos(greenwich_angle(t)), np.sin(greenwich_angle(t))
    spin = 7.2921151467e-5 * np.stack([-position[:, 1], position[:, 0], 0 * t], axis=1)

    def turned(v: np.ndarray) -> np.ndarray:
        return np.stack(
            [c * v[:, 0] + s * v[:, 1], c * v[:, 1] - s * v[:, 0], v[:, 2]], 1
        )

    return turned(position), turned(velocity - spin)


@pytest.mark.parametrize("step", [5, 60])
def test_one_overtakes_the_other_inside_a_block(step: int) -> None:
    ds, lower, upper = drifting(step)
    found = features(ds).compute()
    lag = found["twin_lag"].values
    assert np.isfinite(lag).all()
    # A, the lower one, starts behind (its twin leads) and ends ahead
    assert lag[0, 0] < -3
    assert lag[0, -1] > 3
    assert np.abs(np.diff(lag)).max() < 1e-2
    t = np.arange(100.0, 43_000.0, 700.0)
    for k, (own, twin) in enumerate(((lower, upper), (upper, lower))):
        expected = [true_lag(p, twin, s) for p, s in zip(own(t)[0], t, strict=True)]
        assert np.abs(lag[k, t.astype(int)] - expected).max() < 1e-5
    assert np.abs(lag[0]).min() < 1e-3
    # the nominal frame turns round once, and is a frame all the time
    length = np.linalg.norm(found["sun_direction"].values, axis=2)
    np.testing.assert_allclose(length, 1.0, atol=1e-6)
