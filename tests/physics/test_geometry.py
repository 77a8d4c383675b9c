"""What is computed at nodes and interpolated, against evaluation at every second."""

from __future__ import annotations

import numpy as np
import pytest
from orbits import flattened, integrated

from gracelstm_xr.physics import attitude, earth
from gracelstm_xr.physics.frames import Pair
from gracelstm_xr.physics.geometry import FLAGS, Geometry, build_geometry
from gracelstm_xr.physics.lag import lag_to_twin
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.physics.sun import beta_prime, shadow_factor, sun_position

EPOCH = 600_000_000.0
T = np.arange(30_000.0)
KEEP = slice(12_000, 24_000)


def turned_back(
    t: np.ndarray, position: np.ndarray, velocity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Earth-fixed states; the other way than `earth.to_inertial`."""
    c, s = np.cos(earth.greenwich_angle(t)), np.sin(earth.greenwich_angle(t))
    turn = np.stack([c, s, 0 * t, -s, c, 0 * t, 0 * t, 0 * t, 0 * t + 1], 1)
    turn = turn.reshape(-1, 3, 3)
    spin = np.cross([0.0, 0.0, 7.2921151467e-5], position)
    return (
        np.einsum("nij,nj->ni", turn, position),
        np.einsum("nij,nj->ni", turn, velocity - spin),
    )


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    path = integrated(flattened)
    found = {}
    for role, lag in (("own", 0.0), ("donor", 28.8)):
        position, velocity = turned_back(EPOCH + T, *path(T - lag))
        every = (T % 5 == 0)[:, None]
        found[f"{role}.position"] = np.where(every, position, np.nan)
        found[f"{role}.velocity"] = np.where(every, velocity, np.nan)
    return found


@pytest.fixture(scope="module")
def made(data: dict[str, np.ndarray]) -> Geometry:
    return build_geometry(EPOCH + T, data, Pair("A", "B"), KEEP)


@pytest.fixture(scope="module")
def exact() -> tuple[np.ndarray, np.ndarray]:
    return integrated(flattened)(T[KEEP])


def test_angles_of_the_orbit(
    made: Geometry, exact: tuple[np.ndarray, np.ndarray]
) -> None:
    t, (position, velocity) = EPOCH + T[KEEP], exact
    away = made.latitude_argument - earth.argument_of_latitude(position, velocity)
    assert np.abs((away + np.pi) % (2 * np.pi) - np.pi).max() < 1e-9
    latitude, ascension, height = earth.geodetic(position)
    assert np.abs(made.height - height).max() < 1e-3
    # 1e-8 degree are 1 mm
    assert np.abs(made.latitude - np.rad2deg(latitude)).max() < 2e-8
    east = made.longitude - np.rad2deg(ascension - earth.greenwich_angle(t))
    wide = np.abs((east + 180) % 360 - 180) * np.cos(latitude)
    assert wide.max() < 2e-8
    assert made.longitude.min() >= -180
    assert made.longitude.max() <= 180
    beta = np.rad2deg(beta_prime(position, velocity, sun_position(t)))
    assert np.abs(made.beta_prime - beta).max() < 1e-6


def test_sun(made: Geometry, exact: tuple[np.ndarray, np.ndarray]) -> None:
    t, (position, _) = EPOCH + T[KEEP], exact
    sun = sun_position(t)
    assert np.abs(made.shadow - shadow_factor(position, sun)).max() < 1e-5
    hours = np.arctan2(position[:, 1], position[:, 0])
    hours = 12 + 12 / np.pi * (hours - np.arctan2(sun[:, 1], sun[:, 0]))
    away = (made.local_solar_time - hours + 12) % 24 - 12
    rho = np.hypot(position[:, 0], position[:, 1])
    assert (np.abs(away) * rho / 6.86e6).max() < 1e-8


def test_lag_and_nominal_attitude(
    made: Geometry, exact: tuple[np.ndarray, np.ndarray]
) -> None:
    assert np.abs(made.lag - 28.8).max() < 1e-5
    t = EPOCH + T[KEEP]
    twin, _ = integrated(flattened)(T[KEEP] - 28.8)
    frames = attitude.nominal_frame(*exact, -np.ones(len(t)), twin=twin)
    frames = frames @ earth.precession(t)
    assert made.own_attitude is not None
    for k, axis in enumerate(np.eye(3)):
        found = attitude.rotate(
            made.own_attitude, np.tile(axis, (len(t), 1)), back=True
        )
        # less than the noise of the star cameras, 2.5e-5 rad
        assert np.abs(found - frames[:, k]).max() < 5e-6
    assert (
        made.flags == FLAGS["attitude_nominal"] + FLAGS["twin_attitude_nominal"]
    ).all()


def test_lag_at_nodes_is_the_lag_at_every_second(data: dict[str, np.ndarray]) -> None:
    """Of two orbits of unlike shape, where it breathes by 0.5 s a revolution."""
    path = integrated(flattened, semiaxis=6.859e6)
    position, velocity = turned_back(EPOCH + T, *path(T - 30.0))
    other = {**data, "donor.position": position, "donor.velocity": velocity}
    made = build_geometry(EPOCH + T, other, Pair("A", "B"), KEEP)
    nodes = [
        StateNodes.from_grid(EPOCH + T, other[f"{r}.position"], other[f"{r}.velocity"])
        for r in ("own", "donor")
    ]
    direct = lag_to_twin(*nodes, EPOCH + T[KEEP])
    assert np.ptp(direct) > 0.3
    assert np.abs(made.lag - direct).max() < 1e-6
