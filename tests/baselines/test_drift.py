"""The smoother of the bias against dense kriging."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.baselines.drift import BIN, CYCLES, LEAST, SCALES, USUAL, Drift

N = 260
LEVEL, SPREAD = np.array([90.0, 0.0, -20.0]), np.array([100.0, 50.0, 300.0])
NOISE = np.array([0.1, 0.5, 0.2])


def covariance(apart: np.ndarray, axis: int, revolution: float) -> np.ndarray:
    """Sum of the processes, from their definition."""
    total = np.zeros(apart.shape)
    for scale, power in zip(SCALES, USUAL[:, axis], strict=False):
        x = np.sqrt(3) * apart / scale
        total += power * (1 + x) * np.exp(-x)
    for (cycles, memory), power in zip(CYCLES, USUAL[len(SCALES) :, axis], strict=True):
        phase = 2 * np.pi * cycles * apart / revolution
        total += power * np.exp(-apart / memory) * np.cos(phase)
    return total


@pytest.fixture(scope="module")
def bins() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    share = (rng.random((N, 3)) > 0.3) * rng.choice([1.0, 0.4], (N, 3))
    share[100:160] = 0.0
    return LEVEL + 5 * rng.normal(size=(N, 3)), share


def test_equals_dense_kriging(bins: tuple[np.ndarray, np.ndarray]) -> None:
    mean, share = bins
    drift = Drift(USUAL.copy(), NOISE, 5700.0)
    found, variance = drift.smooth(mean, share, level=LEVEL, spread=SPREAD)
    t = BIN * np.arange(N)
    for k in range(3):
        prior = covariance(np.abs(t[:, None] - t), k, 5700.0) + SPREAD[k] ** 2
        seen = share[:, k] > 0
        own = prior[np.ix_(seen, seen)] + np.diag(NOISE[k] / share[seen, k])
        gain = np.linalg.solve(own, prior[seen]).T
        expected = LEVEL[k] + gain @ (mean[seen, k] - LEVEL[k])
        left = np.diag(prior) - (gain * prior[:, seen]).sum(axis=1)
        np.testing.assert_allclose(found[:, k], expected, atol=1e-6)
        np.testing.assert_allclose(variance[:, k], left, atol=1e-5)


def test_sets_side_by_side_are_independent(
    bins: tuple[np.ndarray, np.ndarray],
) -> None:
    mean, share = bins
    drift = Drift(USUAL.copy(), NOISE)
    alone = drift.smooth(mean, share, level=LEVEL, spread=SPREAD)
    both = drift.smooth(
        np.tile(mean, (1, 2)),
        np.concatenate([share, 0 * share], axis=1),
        level=np.tile(LEVEL, 2),
        spread=np.tile(SPREAD, 2),
    )
    np.testing.assert_allclose(both[0][:, :3], alone[0], atol=1e-9)
    # without data: the prior
    np.testing.assert_allclose(both[0][:, 3:], np.tile(LEVEL, (N, 1)), atol=1e-9)
    expected = USUAL.sum(axis=0) + SPREAD**2
    np.testing.assert_allclose(both[1][:, 3:], np.tile(expected, (N, 1)), rtol=1e-9)


def test_error_grows_with_distance() -> None:
    share = np.zeros((600, 3))
    share[:150] = 1.0
    drift = Drift(USUAL.copy(), NOISE)
    _, variance = drift.smooth(0 * share, share, level=0 * LEVEL, spread=SPREAD)
    daily = variance[150:].reshape(-1, 150, 3).mean(axis=1)
    assert (np.diff(daily, axis=0) > 0).all()
    assert (daily[0] > 5 * variance[:140].mean(axis=0)).all()


def test_powers_are_found() -> None:
    """A known cycle of the revolution in white noise."""
    rng = np.random.default_rng(1)
    t = BIN * np.arange(1440)
    wave = 3.0 * np.sqrt(2) * np.cos(2 * np.pi * t / 5650.0 + 0.3)
    mean = wave[:, None] + 0.5 * rng.normal(size=(1440, 3))
    drift = Drift.fit(mean, np.ones((1440, 3)), revolution=5650.0)
    cycles = drift.power[len(SCALES) : len(SCALES) + 2].sum(axis=0)
    np.testing.assert_allclose(cycles, 9.0, rtol=0.25)
    assert (drift.noise < 0.4).all()


def test_too_few_data_leave_the_usual_powers() -> None:
    share = np.zeros((300, 3))
    share[:10] = 1.0
    drift = Drift.fit(np.zeros((300, 3)), share)
    expected = USUAL.copy()
    expected[len(SCALES) - 1] = np.maximum(expected[len(SCALES) - 1], LEAST)
    np.testing.assert_array_equal(drift.power, expected)
