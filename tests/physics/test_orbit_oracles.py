"""Sun, frames, geodetic coordinates and shadow against independent libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from orbits import integrated

from gracelstm_xr.physics import earth
from gracelstm_xr.physics.sun import beta_prime, shadow_factor, sun_position

pytest.importorskip("astropy")
pytestmark = pytest.mark.filterwarnings("ignore")

DEGREE = np.pi / 180
#: 140 epochs over both missions, at all times of the day [GPS s].
EPOCHS = 72e6 + np.arange(140) * 5_371_333.0


@pytest.fixture(scope="module")
def times() -> Any:
    from astropy import units
    from astropy.time import Time
    from astropy.utils import iers

    # the tables that come with astropy; nothing is fetched
    with iers.conf.set_temp("auto_download", False):
        iers.conf.auto_max_age = None
        # GPS time is TAI less 19 s
        yield Time("2000-01-01T12:00:19", scale="tai") + EPOCHS * units.s


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=1, keepdims=True)


def between(a: np.ndarray, b: np.ndarray) -> float:
    """Largest angle between rows [degree]."""
    half = np.linalg.norm(unit(a) - unit(b), axis=1) / 2
    return float(np.rad2deg(2 * np.arcsin(half)).max())


def earth_fixed() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    position = 6.86e6 * unit(rng.normal(size=(len(EPOCHS), 3)))
    return position, rng.normal(size=(len(EPOCHS), 3)) * 4e3


def test_sun(times: Any) -> None:
    from astropy.coordinates import get_sun

    expected = get_sun(times).cartesian.xyz.to_value("m").T
    found = earth.to_celestial(EPOCHS, sun_position(EPOCHS))
    assert between(found, expected) < 0.012
    ratio = np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert np.abs(ratio - 1).max() < 2e-4


def test_sidereal_angle(times: Any) -> None:
    expected = times.sidereal_time("mean", "greenwich").rad
    away = earth.greenwich_angle(EPOCHS) - expected
    away = (away + np.pi) % (2 * np.pi) - np.pi
    assert np.rad2deg(np.abs(away)).max() < 4e-4


def test_inertial_states(times: Any) -> None:
    """What nutation, polar motion and frame bias cost: below 0.006 degree."""
    from astropy import units
    from astropy.coordinates import (
        GCRS,
        ITRS,
        CartesianDifferential,
        CartesianRepresentation,
    )

    position, velocity = earth_fixed()
    motion = CartesianDifferential(*(velocity.T * units.m / units.s))
    place = CartesianRepresentation(*(position.T * units.m), differentials=motion)
    sky = ITRS(place, obstime=times).transform_to(GCRS(obstime=times))
    inertial = earth.to_inertial(EPOCHS, position, velocity)
    found = [earth.to_celestial(EPOCHS, vector) for vector in inertial]
    assert between(found[0], sky.cartesian.xyz.to_value("m").T) < 0.006
    expected = sky.velocity.d_xyz.to_value("m/s").T
    assert np.abs(found[1] - expected).max() < 1.0


def test_geodetic_coordinates() -> None:
    from astropy import units
    from astropy.coordinates import EarthLocation

    position, _ = earth_fixed()
    position[0] = [0.0, 0.0, 6.86e6]
    longitude, latitude, height = EarthLocation(*(position.T * units.m)).to_geodetic()
    found = earth.geodetic(position)
    assert np.abs(np.rad2deg(found[0]) - latitude.deg).max() < 1e-9
    east = np.rad2deg(found[1]) - longitude.deg
    assert np.abs((east[1:] + 180) % 360 - 180).max() < 1e-9
    assert np.abs(found[2] - height.to_value("m")).max() < 1e-5


def test_beta_prime(times: Any) -> None:
    """The normal from the Earth-fixed orbit in astropy's frames, its own Sun."""
    from astropy import units
    from astropy.coordinates import (
        GCRS,
        ITRS,
        CartesianDifferential,
        CartesianRepresentation,
        get_sun,
    )

    position, velocity = earth_fixed()
    motion = CartesianDifferential(*(velocity.T * units.m / units.s))
    place = CartesianRepresentation(*(position.T * units.m), differentials=motion)
    sky = ITRS(place, obstime=times).transform_to(GCRS(obstime=times))
    normal = unit(
        np.cross(
            sky.cartesian.xyz.to_value("m").T, sky.velocity.d_xyz.to_value("m/s").T
        )
    )
    sun = unit(get_sun(times).cartesian.xyz.to_value("m").T)
    expected = np.rad2deg(np.arcsin((normal * sun).sum(axis=1)))
    inertial = earth.to_inertial(EPOCHS, position, velocity)
    found = np.rad2deg(beta_prime(*inertial, sun_position(EPOCHS)))
    # the normal of a slow random orbit magnifies the errors of the frames
    assert np.abs(found - expected).max() < 0.03


def hidden_part(position: np.ndarray, sun: np.ndarray, rays: int) -> float:
    """Share of the solar disc behind the WGS 84 ellipsoid, by rays drawn at random."""
    rng = np.random.default_rng(3)
    axis = (sun - position) / np.linalg.norm(sun - position)
    side = np.cross(axis, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    r = 6.96e8 * np.sqrt(rng.uniform(size=rays))
    angle = rng.uniform(0, 2 * np.pi, rays)
    offset = np.outer(r * np.cos(angle), side)
    offset += np.outer(r * np.sin(angle), np.cross(axis, side))
    ray = unit(sun + offset - position)
    a, b = 6_378_137.0, 6_356_752.314245
    shape = 1 / np.array([a, a, b]) ** 2
    p = (ray * ray * shape).sum(axis=1)
    q = (ray * position * shape).sum(axis=1)
    c = (position * position * shape).sum() - 1
    return float(((q * q - p * c >= 0) & (q < 0)).mean())


def test_shadow_by_rays() -> None:
    """Penumbra of the flattened Earth, at all latitudes, to 1 s of orbit."""
    at = integrated()
    t = np.arange(0.0, 20_000.0)
    position, _ = at(t)
    sun = np.tile([[1.2e11, 5e10, 6e10]], (len(t), 1))
    found = shadow_factor(position, sun)
    assert found.min() == 0.0
    assert found.max() == 1.0
    partial = np.flatnonzero((found > 0) & (found < 1))
    assert len(partial) > 40
    # where a transition starts and ends, and in it
    chosen = np.concatenate([partial[::4], partial[:1] - 2, partial[-1:] + 2])
    expected = [1 - hidden_part(position[i], sun[i], 4000) for i in chosen]
    rate = np.abs(np.gradient(found))[chosen]
    assert (np.abs(found[chosen] - expected) < 0.5 * rate + 0.03).all()


def test_shadow_of_a_missing_position_is_missing() -> None:
    sun = np.array([[1.496e11, 0.0, 0.0]])
    assert np.isnan(shadow_factor(np.full((1, 3), np.nan), sun)).all()
