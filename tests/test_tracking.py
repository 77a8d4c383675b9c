"""Kriging of the slow residual."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.tracking import SlowResidual

STEP = 10.0
N = 6 * 8640
T = 86_400.0 * 3000 + STEP * np.arange(N)


def wandering(seed: int, tau: float = 30_000.0) -> np.ndarray:
    """Ornstein-Uhlenbeck process of 3 nm s-2 under white noise of 1 nm s-2."""
    rng = np.random.default_rng(seed)
    decay = np.exp(-STEP / tau)
    kick = 3e-9 * np.sqrt(1 - decay**2) * rng.normal(size=(N, 3))
    slow = np.empty((N, 3))
    slow[0] = 3e-9 * rng.normal(size=3)
    for i in range(1, N):
        slow[i] = decay * slow[i - 1] + kick[i]
    return slow


@pytest.fixture(scope="module")
def slow() -> np.ndarray:
    return wandering(1)


@pytest.fixture(scope="module")
def noisy(slow: np.ndarray) -> np.ndarray:
    return slow + 1e-9 * np.random.default_rng(2).normal(size=slow.shape)


@pytest.fixture(scope="module")
def fitted(noisy: np.ndarray) -> SlowResidual:
    return SlowResidual.fit(T, noisy)


def test_covariance_is_found(fitted: SlowResidual) -> None:
    assert (fitted.power >= 0).all()
    assert (fitted.noise > 0).all()
    spread = np.sqrt(fitted.power.sum(axis=0))
    assert ((spread > 1e-9) & (spread < 6e-9)).all()
    # the mean of 60 samples of 1 nm s-2, and what moves within ten minutes
    assert (np.sqrt(fitted.noise) < 1e-9).all()


def test_gaps_are_bridged_better_than_by_nothing(
    fitted: SlowResidual, slow: np.ndarray, noisy: np.ndarray
) -> None:
    visible = np.ones((N, 3), dtype=bool)
    gaps = [(i, i + 540) for i in range(4000, N - 4000, 3000)]
    for a, b in gaps:
        visible[a:b] = False
    found = fitted.estimate(T, noisy, visible)
    hidden = ~visible[:, 0]
    error = np.sqrt(np.mean((found - slow)[hidden] ** 2, axis=0))
    size = np.sqrt(np.mean(slow[hidden] ** 2, axis=0))
    assert (error < 0.5 * size).all()


def test_follows_the_visible(
    fitted: SlowResidual, slow: np.ndarray, noisy: np.ndarray
) -> None:
    found = fitted.estimate(T, noisy, np.ones((N, 3), dtype=bool))
    assert np.sqrt(np.mean((found - slow) ** 2)) < 5e-10


def test_hidden_values_have_no_say(fitted: SlowResidual, noisy: np.ndarray) -> None:
    visible = np.ones((N, 3), dtype=bool)
    visible[8000:8700] = False
    wild = noisy.copy()
    wild[8000:8350] = 1.0
    wild[8350:8700] = np.nan
    np.testing.assert_array_equal(
        fitted.estimate(T, noisy, visible), fitted.estimate(T, wild, visible)
    )


def test_far_from_data_it_is_zero(fitted: SlowResidual, noisy: np.ndarray) -> None:
    visible = np.ones((N, 3), dtype=bool)
    visible[8640 : 5 * 8640] = False
    found = fitted.estimate(T, noisy, visible)
    assert np.abs(found[3 * 8640]).max() < 1e-13
    nothing = fitted.estimate(T, noisy, np.zeros((N, 3), dtype=bool))
    assert (nothing == 0).all()


def test_does_not_depend_on_where_time_is_cut(
    fitted: SlowResidual, noisy: np.ndarray
) -> None:
    from gracelstm_xr.tracking import CONTEXT

    visible = np.ones((N, 3), dtype=bool)
    visible[20_000:20_400] = False
    whole = fitted.estimate(T, noisy, visible)[20_000:20_400]
    pad = round(CONTEXT / STEP)
    cut = slice(20_000 - pad, 20_400 + pad)
    part = fitted.estimate(T[cut], noisy[cut], visible[cut])[pad:-pad]
    np.testing.assert_allclose(part, whole, rtol=1e-6, atol=1e-14)


def test_too_little_data_gives_no_power() -> None:
    residual = np.full((600, 3), np.nan)
    residual[:100] = 1e-9
    fitted = SlowResidual.fit(T[:600], residual)
    assert (fitted.power == 0).all()
    found = fitted.estimate(T[:600], residual, np.isfinite(residual))
    assert (found == 0).all()
