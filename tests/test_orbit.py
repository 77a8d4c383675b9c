"""Orbit geometry against textbook formulas and one day of real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gracelstm_xr import l1b, orbit
from gracelstm_xr.orbit import StateNodes

GM = 3.986004415e14
RADIUS = 6.86e6
RATE = np.sqrt(GM / RADIUS**3)
NODE, TILT = np.deg2rad(40.0), np.deg2rad(89.0)
SAMPLE = Path("jpl_sample")


def kepler(t: np.ndarray, phase: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Circular two-body orbit; the argument of latitude is RATE * t + phase."""
    u = RATE * t + phase
    p = np.array([np.cos(NODE), np.sin(NODE), 0.0])
    q = np.array(
        [
            -np.sin(NODE) * np.cos(TILT),
            np.cos(NODE) * np.cos(TILT),
            np.sin(TILT),
        ]
    )
    c, s = np.cos(u)[:, None], np.sin(u)[:, None]
    return RADIUS * (c * p + s * q), RADIUS * RATE * (c * q - s * p)


def nodes(t: np.ndarray, phase: float = 0.0) -> StateNodes:
    return StateNodes(t, *kepler(t, phase))


def test_sun_agrees_with_the_series_of_meeus() -> None:
    t = np.arange(0.0, 20 * 365.25 * 86400, 8.3e6)
    century = (t + 51.184) / 86400 / 36525
    mean = 280.46646 + 36000.76983 * century + 0.0003032 * century**2
    m = np.deg2rad(357.52911 + 35999.05029 * century - 0.0001537 * century**2)
    centre = (
        (1.914602 - 0.004817 * century) * np.sin(m)
        + (0.019993 - 0.000101 * century) * np.sin(2 * m)
        + 0.000289 * np.sin(3 * m)
    )
    longitude = np.deg2rad(mean + centre)
    e = 0.016708634 - 0.000042037 * century
    distance = 1.000001018 * (1 - e**2) / (1 + e * np.cos(m + np.deg2rad(centre)))
    tilt = np.deg2rad(23.439291 - 0.0130042 * century)
    expected = np.stack(
        [
            np.cos(longitude),
            np.cos(tilt) * np.sin(longitude),
            np.sin(tilt) * np.sin(longitude),
        ],
        axis=1,
    )
    found = orbit.sun_position(t)
    length = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(length / 1.495978707e11, distance, rtol=2e-4)
    angle = np.linalg.norm(found / length[:, None] - expected, axis=1)
    assert np.rad2deg(angle).max() < 0.015


def test_greenwich_angle_of_the_textbook_example() -> None:
    # Meeus, Astronomical Algorithms, example 12.a: 1987-04-10 0 h UT
    ut = (np.datetime64("1987-04-10") - np.datetime64("2000-01-01T12")).astype(
        "timedelta64[s]"
    )
    found = orbit.greenwich_angle(np.array([ut.astype(float) + 15.0]))
    assert np.rad2deg(found[0]) == pytest.approx(197.693195, abs=1e-4)


def test_a_fixed_point_moves_east_in_the_inertial_frame() -> None:
    t = np.array([0.0, 1.0])
    fixed = np.tile([7e6, 0.0, 1e6], (2, 1))
    position, velocity = orbit.to_inertial(t, fixed, np.zeros((2, 3)))
    np.testing.assert_allclose(
        np.linalg.norm(velocity, axis=1), 7e6 * orbit.EARTH_ROTATION
    )
    np.testing.assert_allclose(position[1] - position[0], velocity[0], atol=0.03)


def test_nodes_every_minute_interpolate_to_millimetres() -> None:
    t = np.arange(0.0, 6000.0, 60.0)
    query = np.arange(0.0, 5900.0, 7.3)
    position, velocity = nodes(t).at(query)
    exact, speed = kepler(query)
    assert np.abs(position - exact).max() < 2e-3
    assert np.abs(velocity - speed).max() < 1e-4


def test_nodes_extend_a_minute_and_no_further() -> None:
    t = np.arange(0.0, 600.0, 60.0)
    position, _ = nodes(t).at(np.array([-59.0, -61.0, 599.0, 601.0]))
    exact, _ = kepler(np.array([-59.0, -61.0, 599.0, 601.0]))
    # the next term of the expansion: 60^4 / 24 * 8.5 m s-2 * RATE^2
    assert np.abs(position[[0, 2]] - exact[[0, 2]]).max() < 6.0
    assert np.isnan(position[[1, 3]]).all()


def test_holes_beyond_ten_minutes_are_not_bridged() -> None:
    t = np.array([0.0, 60.0, 120.0, 900.0, 960.0])
    position, _ = nodes(t).at(np.array([30.0, 500.0, 930.0]))
    assert np.isfinite(position[[0, 2]]).all()
    assert np.isnan(position[1]).all()


def test_grid_with_holes_gives_the_same_nodes() -> None:
    t = np.arange(0.0, 100.0)
    fixed = np.random.default_rng(0).normal(size=(100, 3)) + 7e6
    sparse = np.where((t % 10 == 0)[:, None], fixed, np.nan)
    found = StateNodes.from_grid(t, sparse, fixed)
    np.testing.assert_array_equal(found.t, t[::10])
    expected, _ = orbit.to_inertial(t[::10], fixed[::10], fixed[::10])
    np.testing.assert_array_equal(found.position, expected)


def test_argument_of_latitude_of_a_circular_orbit() -> None:
    t = np.arange(0.0, 12000.0, 13.0)
    found = orbit.argument_of_latitude(*kepler(t))
    wrapped = (found - RATE * t + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(wrapped).max() < 1e-9
    assert found.min() >= 0
    assert found.max() < 2 * np.pi


@pytest.mark.parametrize("lag", [28.8, -28.8, 35.0])
def test_lag_of_a_twin_on_the_same_orbit(lag: float) -> None:
    t = np.arange(0.0, 6000.0, 60.0)
    # the twin is `lag` behind: it comes here at t + lag
    twin = nodes(t, phase=-RATE * lag)
    query = np.arange(60.0, 5800.0, 10.0)
    found = orbit.lag_to_twin(nodes(t), twin, query)
    np.testing.assert_allclose(found, lag, atol=1e-5)


def test_lag_without_an_orbit_is_nan() -> None:
    t = np.arange(0.0, 600.0, 60.0)
    far = t + 1e6
    found = orbit.lag_to_twin(nodes(t), nodes(far), t)
    assert np.isnan(found).all()


def test_quaternions_rotate_as_scipy_does() -> None:
    from scipy.spatial.transform import Rotation

    q = np.random.default_rng(1).normal(size=(20, 4))
    expected = Rotation.from_quat(q[:, [1, 2, 3, 0]]).as_matrix().transpose(0, 2, 1)
    np.testing.assert_allclose(orbit.quaternion_matrix(q), expected, atol=1e-14)


@pytest.mark.parametrize("facing", [1.0, -1.0])
def test_nominal_axes(facing: float) -> None:
    position, velocity = kepler(np.arange(0.0, 6000.0, 100.0))
    axes = orbit.nominal_frame(position, velocity, np.full(60, facing))
    np.testing.assert_allclose(
        axes @ axes.transpose(0, 2, 1), np.tile(np.eye(3), (60, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(axes), 1.0)
    np.testing.assert_allclose(axes[:, 2], -position / RADIUS, atol=1e-12)
    along = (axes[:, 0] * velocity).sum(1) / np.linalg.norm(velocity, axis=1)
    np.testing.assert_allclose(along, facing, atol=1e-12)


def test_shadow_of_a_spherical_earth() -> None:
    sun = np.array([[1.496e11, 0.0, 0.0]])
    r = 6.86e6
    angle = np.linspace(0, np.pi, 20001)
    position = np.stack([r * np.cos(angle), r * np.sin(angle), 0 * angle], axis=1)
    lit = orbit.shadow_factor(position, np.repeat(sun, len(angle), 0))
    assert lit[0] == 1.0
    assert lit[-1] == 0.0
    assert (np.diff(lit) <= 1e-12).all()
    # half the disc is hidden where the line to the Sun's centre grazes the Earth
    half = np.interp(-0.5, -lit, angle)
    assert half == pytest.approx(np.pi - np.arcsin(6378137.0 / r), abs=2e-4)
    # the penumbra is as wide as the Sun, 0.53 degrees
    width = angle[np.argmax(lit <= 0.01)] - angle[np.argmax(lit < 0.99)]
    assert 0.45 < np.rad2deg(width) < 0.54


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> dict[str, dict[str, np.ndarray]]:
    folder = shared_data / SAMPLE
    if not folder.is_dir():
        pytest.skip("no real sample files next to the checkout")
    names = ("GNV1B_2003-09-14_A_00", "GNV1B_2003-09-14_B_00", "SCA1B_2003-09-14_A_00")
    return {n[:5] + n[-4]: l1b.read(folder / f"{n}.dat").columns for n in names}


def real_nodes(columns: dict[str, np.ndarray]) -> StateNodes:
    t = columns["gps_time"].astype(float)
    return StateNodes.from_grid(t, columns["position"], columns["velocity"])


def test_real_satellite_a_leads_by_28_8_seconds(
    sample: dict[str, dict[str, np.ndarray]],
) -> None:
    a, b = real_nodes(sample["GNV1BA"]), real_nodes(sample["GNV1BB"])
    t = a.t[10:-10:20]
    lag = orbit.lag_to_twin(b, a, t)
    assert np.mean(lag) == pytest.approx(-28.8, abs=0.3)
    back = orbit.lag_to_twin(a, b, t)
    assert np.abs(lag + back).max() < 0.1


def test_real_attitude_points_down_and_to_the_twin(
    sample: dict[str, dict[str, np.ndarray]],
) -> None:
    a, b = real_nodes(sample["GNV1BA"]), real_nodes(sample["GNV1BB"])
    columns = sample["SCA1BA"]
    some = slice(None)
    t = columns["gps_time"][some].astype(float)
    axes = orbit.quaternion_matrix(columns["quaternion"][some])
    here, velocity = a.at(t)
    twin, _ = b.at(t)
    down = -here / np.linalg.norm(here, axis=1, keepdims=True)
    toward = (twin - here) / np.linalg.norm(twin - here, axis=1, keepdims=True)
    # z is down but for the pitch to the twin, x points at it within the deadband
    assert np.rad2deg(np.arccos((axes[:, 2] * down).sum(1))).max() < 2.0
    assert np.rad2deg(np.arccos((axes[:, 0] * toward).sum(1))).max() < 0.5
    nominal = orbit.nominal_frame(here, velocity, -np.ones(len(t)))
    assert np.abs(axes - nominal).max() < 0.05
