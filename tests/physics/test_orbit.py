"""Frames, Sun and angles of the orbit against textbook formulas."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.physics import attitude, earth
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.physics.sun import shadow_factor, sun_position

GM = 3.986004415e14
RADIUS = 6.86e6
RATE = np.sqrt(GM / RADIUS**3)
NODE, TILT = np.deg2rad(40.0), np.deg2rad(89.0)


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
    found = sun_position(t)
    length = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(length / 1.495978707e11, distance, rtol=2e-4)
    angle = np.linalg.norm(found / length[:, None] - expected, axis=1)
    assert np.rad2deg(angle).max() < 0.015


def test_greenwich_angle_of_the_textbook_example() -> None:
    # Meeus, Astronomical Algorithms, example 12.a: 1987-04-10 0 h UT
    ut = (np.datetime64("1987-04-10") - np.datetime64("2000-01-01T12")).astype(
        "timedelta64[s]"
    )
    # before the table starts its first value holds: GPS time minus UT1 in 2000
    found = earth.greenwich_angle(np.array([ut.astype(float) + 12.645]))
    assert np.rad2deg(found[0]) == pytest.approx(197.693195, abs=1e-4)


def test_a_fixed_point_moves_east_in_the_inertial_frame() -> None:
    t = np.array([0.0, 1.0])
    fixed = np.tile([7e6, 0.0, 1e6], (2, 1))
    position, velocity = earth.to_inertial(t, fixed, np.zeros((2, 3)))
    np.testing.assert_allclose(
        np.linalg.norm(velocity, axis=1), 7e6 * earth.EARTH_ROTATION
    )
    np.testing.assert_allclose(position[1] - position[0], velocity[0], atol=0.03)


def test_grid_with_holes_gives_the_same_nodes() -> None:
    t = np.arange(0.0, 100.0)
    position, velocity = (
        np.random.default_rng(0).normal(size=(100, 3)) + mean for mean in (4e6, 4.4e3)
    )
    sparse = np.where((t % 10 == 0)[:, None], position, np.nan)
    found = StateNodes.from_grid(t, sparse, velocity)
    np.testing.assert_array_equal(found.t, t[::10])
    expected, _ = earth.to_inertial(t[::10], position[::10], velocity[::10])
    np.testing.assert_array_equal(found.position, expected)


def test_argument_of_latitude_of_a_circular_orbit() -> None:
    t = np.arange(0.0, 12000.0, 13.0)
    found = earth.argument_of_latitude(*kepler(t))
    wrapped = (found - RATE * t + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(wrapped).max() < 1e-9
    assert found.min() >= 0
    assert found.max() < 2 * np.pi


def test_quaternions_rotate_as_scipy_does() -> None:
    from scipy.spatial.transform import Rotation

    q = np.random.default_rng(1).normal(size=(20, 4))
    expected = Rotation.from_quat(q[:, [1, 2, 3, 0]]).as_matrix().transpose(0, 2, 1)
    np.testing.assert_allclose(attitude.quaternion_matrix(q), expected, atol=1e-14)


@pytest.mark.parametrize("facing", [1.0, -1.0])
def test_nominal_axes(facing: float) -> None:
    position, velocity = kepler(np.arange(0.0, 6000.0, 100.0))
    axes = attitude.nominal_frame(position, velocity, np.full(60, facing))
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
    lit = shadow_factor(position, np.repeat(sun, len(angle), 0))
    assert lit[0] == 1.0
    assert lit[-1] == 0.0
    assert (np.diff(lit) <= 1e-12).all()
    # half the disc is hidden where the line to the Sun's centre grazes the Earth
    half = np.interp(-0.5, -lit, angle)
    assert half == pytest.approx(np.pi - np.arcsin(6378137.0 / r), abs=2e-4)
    # the penumbra is as wide as the Sun, 0.53 degrees
    width = angle[np.argmax(lit <= 0.01)] - angle[np.argmax(lit < 0.99)]
    assert 0.45 < np.rad2deg(width) < 0.54
