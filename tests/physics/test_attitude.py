"""Attitude: nominal frames, rotations and interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from orbits import integrated

from gracelstm_xr.physics import attitude, earth
from gracelstm_xr.physics.attitude import (
    Attitude,
    nominal_attitude,
    nominal_frame,
    rotate,
)

EPOCH = 600_000_000.0
T = np.arange(0.0, 6000.0, 30.0)


def test_rotating_is_the_matrix() -> None:
    rng = np.random.default_rng(0)
    q, v = 3 * rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    matrix = attitude.quaternion_matrix(q)
    np.testing.assert_allclose(
        rotate(q, v), np.einsum("nij,nj->ni", matrix, v), atol=1e-13
    )
    np.testing.assert_allclose(
        rotate(q, v, back=True), np.einsum("nji,nj->ni", matrix, v), atol=1e-13
    )


def test_x_points_at_the_twin() -> None:
    path = integrated()
    position, velocity = path(T)
    twin, _ = path(T + 28.8)
    frames = nominal_frame(position, velocity, np.ones(len(T)), twin=twin)
    line = (twin - position) / np.linalg.norm(twin - position, axis=1, keepdims=True)
    np.testing.assert_allclose(frames[:, 0], line, atol=1e-12)
    np.testing.assert_allclose(
        frames @ frames.transpose(0, 2, 1),
        np.tile(np.eye(3), (len(T), 1, 1)),
        atol=1e-12,
    )
    np.testing.assert_allclose(np.linalg.det(frames), 1.0)
    # half of 220 km over the radius of the orbit
    down = -position / np.linalg.norm(position, axis=1, keepdims=True)
    tilt = np.rad2deg(np.arccos((frames[:, 2] * down).sum(axis=1)))
    np.testing.assert_allclose(tilt, np.rad2deg(28.8 * 1.11e-3 / 2), rtol=0.06)


@pytest.mark.parametrize("offset", [[0.0, 0.0, 0.0], [300.0, 0.0, 0.0], [0, 1e3, 1e3]])
def test_a_twin_passing_by_does_not_turn_the_frame(offset: list[float]) -> None:
    position, velocity = integrated()(T)
    radial = position / np.linalg.norm(position, axis=1, keepdims=True)
    twin = position + np.linalg.norm(offset) * radial
    frames = nominal_frame(position, velocity, np.ones(len(T)), twin=twin)
    np.testing.assert_allclose(frames[:, 2], -radial, atol=1e-12)


def test_nominal_attitude_is_in_the_celestial_frame() -> None:
    path = integrated()
    position, velocity = path(T)
    twin, _ = path(T - 28.8)
    found = nominal_attitude(EPOCH + T, (position, velocity), twin)
    x = rotate(found.quaternion, np.tile([1.0, 0, 0], (len(T), 1)), back=True)
    line = (twin - position) / np.linalg.norm(twin - position, axis=1, keepdims=True)
    np.testing.assert_allclose(x, earth.to_celestial(EPOCH + T, line), atol=1e-12)


def test_precession_is_a_rotation_of_the_known_size() -> None:
    day = np.array([0.0, 365.25 * 86_400 * 20])
    matrix = earth.precession(day)
    np.testing.assert_allclose(matrix[0], np.eye(3), atol=1e-7)
    np.testing.assert_allclose(matrix[1] @ matrix[1].T, np.eye(3), atol=1e-14)
    # general precession: 50.29 arc seconds a year about the pole of the ecliptic
    angle = np.rad2deg(np.arccos((np.trace(matrix[1]) - 1) / 2)) * 3600
    assert angle == pytest.approx(20 * 50.29, rel=2e-3)


def test_signs_and_jumps() -> None:
    """q and -q are one attitude; a turn is not a motion."""
    t = np.arange(0.0, 60.0, 5.0)
    angle = 1e-3 * t
    q = np.stack([np.cos(angle / 2), 0 * t, 0 * t, np.sin(angle / 2)], axis=1)
    q[6:] = q[6:] @ np.array(
        [[0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0, -1, 0, 0.0]]
    )
    q[::2] *= -1
    query = np.arange(0.0, 55.0, 0.5)
    found = Attitude(t, q).at(query)
    vector = rotate(found, np.tile([1.0, 0, 0], (len(query), 1)))
    turned = query > 27.5
    expected = np.cos(1e-3 * query)
    np.testing.assert_allclose(vector[query <= 25, 0], expected[query <= 25], atol=1e-6)
    np.testing.assert_allclose(np.abs(vector[turned, 0]), expected[turned], atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vector, axis=1), 1.0)


def test_holes_beyond_a_minute_stay() -> None:
    t = np.array([0.0, 5.0, 65.0, 130.0, 135.0])
    found = Attitude(t, np.tile([1.0, 0, 0, 0], (5, 1))).at(
        np.array([-1.0, 30.0, 100.0, 131.0, 136.0, np.nan])
    )
    np.testing.assert_array_equal(
        np.isfinite(found[:, 0]), [False, True, False, True, False, False]
    )
    assert np.isnan(Attitude.from_grid(t, None).at(t)).all()
