"""A bridge leads from the observations beside a gap into it, and never farther off."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.baselines.bridge import EDGE_REACH, NO_BRIDGE, Bridge, neighbours

STEP = 10.0
#: Memory of the made residual [s]: an exponential covariance.
MEMORY = 80.0


def series(size: int, seed: int = 0, step: float = STEP) -> np.ndarray:
    """First-order process of unit variance, smoothed as ACC1B is, shape (size, 3)."""
    rng = np.random.default_rng(seed)
    keep = np.exp(-step / MEMORY)
    made = np.zeros((size + 500, 3))
    for i in range(1, len(made)):
        kick = rng.standard_normal(3) * np.sqrt(1 - keep**2)
        made[i] = keep * made[i - 1] + kick
    return made[500:] * 1e-9


def hidden(size: int, first: int, past: int) -> np.ndarray:
    visible = np.ones((size, 3), dtype=bool)
    visible[first:past] = False
    return visible


@pytest.fixture(scope="module")
def bridge() -> Bridge:
    return Bridge.fit(series(20_000), STEP)


def test_covariance_is_that_of_the_series(bridge: Bridge) -> None:
    lag = np.array([0.0, 20.0, 50.0, 100.0, 200.0])
    # the Parzen taper takes a little away at longer lags
    expected = 1e-18 * np.exp(-lag / MEMORY)
    for axis in range(3):
        found = bridge.covariance(lag, axis)
        found[0] += bridge.noise[axis]
        np.testing.assert_allclose(found, expected, atol=0.17e-18)
    assert bridge.covariance(np.array([600.0, 1200.0, 5000.0]), 0).tolist() == [0] * 3


def test_halves_the_error_near_the_edges_and_spoils_nothing(bridge: Bridge) -> None:
    errors, plain = [], []
    for seed in range(1, 30):
        left = series(200, seed)
        visible = hidden(200, 80, 110)
        wanted = ~visible[:, 0]
        t = STEP * np.arange(200)
        found = bridge.estimate(t, np.where(visible, left, np.nan), visible, wanted)
        errors.append((found - left)[80:110])
        plain.append(left[80:110])
        assert not found[~wanted].any()
    error, start = (np.sqrt(np.mean(np.square(v), (0, 2))) for v in (errors, plain))
    assert error[[0, -1]].max() < 0.62 * start[[0, -1]].min()
    assert (error < 1.05 * start).all()


def test_ends_where_nothing_is_known(bridge: Bridge) -> None:
    left, visible = series(400, 3), hidden(400, 100, 300)
    t = STEP * np.arange(400)
    found = bridge.estimate(t, left, visible, np.ones(400, dtype=bool))
    reach = round(EDGE_REACH / STEP)
    assert found[100].all()
    assert not found[100 + reach : 300 - reach].any()
    # the last of it ends without a step
    assert np.abs(found[100 + reach - 1]).max() < 0.01e-9
    assert not NO_BRIDGE.estimate(t, left, visible, np.ones(400, dtype=bool)).any()


def test_only_its_neighbours_matter(bridge: Bridge) -> None:
    left, visible = series(400, 4), hidden(400, 150, 180)
    wanted = np.zeros(400, dtype=bool)
    wanted[155:160] = True
    used = neighbours(visible, wanted, STEP)
    assert used.any()
    assert not used[150:180].any()
    t = STEP * np.arange(400)
    expected = bridge.estimate(t, left, visible, wanted)
    other = np.where(used[:, None], left, 7.0)
    np.testing.assert_array_equal(bridge.estimate(t, other, visible, wanted), expected)


@pytest.mark.parametrize("size", [40, 90, 180, 400])
@pytest.mark.parametrize("gap", [20, 45, 60, 61, 90])
def test_learnt_from_little_it_stays_with_the_observations(size: int, gap: int) -> None:
    """A short series has a short covariance, whose lines come again soon after."""
    for seed in range(5):
        bridge = Bridge.fit(series(size, seed), STEP)
        left, visible = series(300, seed + 50), hidden(300, 100, 100 + gap)
        t = STEP * np.arange(300)
        found = bridge.estimate(t, left, visible, ~visible[:, 0])
        assert np.abs(found).max() < 2 * np.abs(left).max()
