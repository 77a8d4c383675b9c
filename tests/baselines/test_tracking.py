"""The slow residual: bins, windows at absolute times, and its error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gracelstm_xr.baselines.drift import BIN
from gracelstm_xr.baselines.slow import CONTEXT, CORE, MEMORY, SlowResidual
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.signal.bins import bin_means

STEP = 10.0
DAYS = 9
N = DAYS * 8640
T = 86_400.0 * 3000 + STEP * np.arange(N)


def wandering(seed: int, tau: float = 30_000.0) -> np.ndarray:
    """Ornstein-Uhlenbeck process of 3 nm s-2 about a level, under white noise."""
    rng = np.random.default_rng(seed)
    decay = np.exp(-STEP / tau)
    kick = 3e-9 * np.sqrt(1 - decay**2) * rng.normal(size=(N, 3))
    slow = np.empty((N, 3))
    slow[0] = 3e-9 * rng.normal(size=3)
    for i in range(1, N):
        slow[i] = decay * slow[i - 1] + kick[i]
    return slow + np.array([5e-7, -1e-5, 8e-7])


@pytest.fixture(scope="module")
def slow() -> np.ndarray:
    return wandering(1)


@pytest.fixture(scope="module")
def noisy(slow: np.ndarray) -> np.ndarray:
    return slow + 1e-9 * np.random.default_rng(2).normal(size=slow.shape)


@pytest.fixture(scope="module")
def fitted(noisy: np.ndarray) -> SlowResidual:
    bins = bin_means(T, noisy / 1e-9, np.ones((N, 3), dtype=bool), BIN)
    return SlowResidual.fit(*bins, revolution=REVOLUTION)


def test_bins_are_means_of_what_may_be_used() -> None:
    values = np.arange(600.0)[:, None] * np.array([1.0, 2.0])
    use = np.ones((600, 2), dtype=bool)
    use[30:60, 1] = False
    values[5, 0] = np.nan
    number, mean, share = bin_means(T[:600] + 300.0, values, use, BIN)
    assert number[0] == (T[0] + 300.0) // BIN
    # the first bin holds 30 samples, five minutes
    first = [i for i in range(30) if i != 5]
    np.testing.assert_allclose(mean[0], [np.mean(first), 2 * np.mean(range(30))])
    np.testing.assert_allclose(share[0], [29 / 60, 0.5])
    np.testing.assert_allclose(mean[1], [59.5, 2 * np.mean(range(60, 90))])
    np.testing.assert_allclose(share[1], [1.0, 0.5])


def test_statistics_are_found(fitted: SlowResidual) -> None:
    assert (fitted.drift.power >= 0).all()
    assert (fitted.drift.noise > 0).all()
    np.testing.assert_allclose(fitted.level, [500, -10_000, 800], atol=6)
    # the mean of 60 samples of 1 nm s-2, and what moves within ten minutes
    assert (np.sqrt(fitted.drift.noise) < 1).all()


def test_gaps_are_bridged_and_the_error_is_known(
    fitted: SlowResidual, slow: np.ndarray, noisy: np.ndarray
) -> None:
    visible = np.ones((N, 3), dtype=bool)
    gaps = [(i, i + 540) for i in range(4000, N - 4000, 3000)]
    for a, b in gaps:
        visible[a:b] = False
    found, sigma = fitted.estimate(T, noisy, visible, errors=True)
    hidden = ~visible[:, 0]
    error = (found - slow)[hidden]
    assert (np.sqrt(np.mean(error**2, axis=0)) < 1.5e-9).all()
    scaled = np.sqrt(np.mean((error / sigma[hidden]) ** 2, axis=0))
    assert ((scaled > 0.6) & (scaled < 1.5)).all()
    assert (sigma[hidden].mean(axis=0) > 2 * sigma[~hidden].mean(axis=0)).all()


def test_follows_the_visible(
    fitted: SlowResidual, slow: np.ndarray, noisy: np.ndarray
) -> None:
    found, _ = fitted.estimate(T, noisy, np.ones((N, 3), dtype=bool))
    assert np.sqrt(np.mean((found - slow) ** 2)) < 5e-10


def test_no_step_where_windows_meet(fitted: SlowResidual, noisy: np.ndarray) -> None:
    visible = np.ones((N, 3), dtype=bool)
    visible[3 * 8640 : 5 * 8640] = False
    found, _ = fitted.estimate(T, noisy, visible)
    change = np.abs(np.diff(found[3 * 8640 : 5 * 8640], axis=0))
    assert change.max() < 1e-10


def test_hidden_values_have_no_say(fitted: SlowResidual, noisy: np.ndarray) -> None:
    visible = np.ones((N, 3), dtype=bool)
    visible[8000:8700] = False
    wild = noisy.copy()
    wild[8000:8350] = 1.0
    wild[8350:8700] = np.nan
    np.testing.assert_array_equal(
        fitted.estimate(T, noisy, visible)[0], fitted.estimate(T, wild, visible)[0]
    )


def test_far_from_data_it_is_the_level_of_training(
    fitted: SlowResidual, noisy: np.ndarray
) -> None:
    found, sigma = fitted.estimate(T, noisy, np.zeros((N, 3), dtype=bool), errors=True)
    np.testing.assert_allclose(found / 1e-9, np.tile(fitted.level, (N, 1)), rtol=1e-12)
    total = fitted.drift.power.sum(axis=0) + fitted.spread**2
    np.testing.assert_allclose(sigma / 1e-9, np.tile(np.sqrt(total), (N, 1)), rtol=1e-9)


@pytest.mark.parametrize("shift", [0, 1, 37, 2160])
def test_does_not_depend_on_where_time_is_cut(
    fitted: SlowResidual, noisy: np.ndarray, shift: int
) -> None:
    visible = np.ones((N, 3), dtype=bool)
    visible[38_000:38_400] = False
    visible[39_000:39_030, 1] = False
    wanted = slice(38_000, 38_400)
    within = (float(T[wanted][0]), float(T[wanted][-1]))
    whole = fitted.estimate(T, noisy, visible, errors=True)
    pad = round(CONTEXT / STEP) + shift
    cut = slice(38_000 - pad, 38_400 + pad + 3 * shift)
    for span in (None, within):
        part = fitted.estimate(
            T[cut], noisy[cut], visible[cut], within=span, errors=True
        )
        for one, other in zip(part, whole, strict=True):
            np.testing.assert_array_equal(one[pad : pad + 400], other[wanted])


def test_context_covers_core_and_reach() -> None:
    assert CONTEXT >= CORE + MEMORY
    assert (CORE % BIN, MEMORY % BIN) == (0.0, 0.0)


def test_too_little_data_give_the_usual_powers() -> None:
    residual = np.full((600, 3), np.nan)
    residual[:100] = 1e-9
    known = np.isfinite(residual)
    bins = bin_means(T[:600], residual / 1e-9, known, BIN)
    fitted = SlowResidual.fit(*bins, revolution=REVOLUTION)
    np.testing.assert_array_equal(
        fitted.drift.power, SlowResidual.unknown().drift.power
    )
    found, _ = fitted.estimate(T[:600], residual, known)
    np.testing.assert_allclose(found, 1e-9, rtol=1e-9)


def test_the_twins_own_wandering_is_taken_back(slow: np.ndarray) -> None:
    """The regression carried all of the twin's bias into the residual."""
    rng = np.random.default_rng(7)
    twin = wandering(8) - wandering(8).mean(axis=0)
    residual = slow - twin * np.array([1.0, 0.0, 1.0])
    residual += 1e-10 * rng.normal(size=residual.shape)
    everything = np.ones((N, 3), dtype=bool)
    bins = bin_means(T, residual / 1e-9, everything, BIN)
    donor = bin_means(T, twin / 1e-9, everything, BIN)[1]
    fitted = SlowResidual.fit(*bins, revolution=REVOLUTION, donor=donor)
    np.testing.assert_allclose(fitted.twin[[0, 2]], -1.0, atol=0.25)
    assert -0.25 < fitted.twin[1] <= 0
    visible = everything.copy()
    hidden = (np.arange(N) // 4320) % 3 == 1
    visible[hidden] = False
    with_twin, _ = fitted.estimate(T, residual, visible, donor=twin)
    without, _ = fitted.estimate(T, residual, visible)
    error = [
        np.sqrt(np.mean((found - residual)[hidden][:, [0, 2]] ** 2))
        for found in (with_twin, without)
    ]
    assert error[0] < 0.9 * error[1]


@pytest.mark.parametrize("shift", [0, 17])
def test_cuts_of_time_with_a_twin(
    fitted: SlowResidual, noisy: np.ndarray, shift: int
) -> None:
    fitted = replace(fitted, twin=np.array([-1.0, -0.5, 0.3]))
    visible = np.ones((N, 3), dtype=bool)
    visible[38_000:38_400] = False
    donor = wandering(9)
    donor[30_000:30_700] = np.nan
    pad = round(CONTEXT / STEP) + shift
    cut = slice(38_000 - pad, 38_400 + pad)
    whole, _ = fitted.estimate(T, noisy, visible, donor=donor)
    part, _ = fitted.estimate(T[cut], noisy[cut], visible[cut], donor=donor[cut])
    np.testing.assert_array_equal(part[pad : pad + 400], whole[38_000:38_400])
