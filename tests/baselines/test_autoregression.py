"""The autoregressive fill against its definition, by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov, toeplitz

from gracelstm_xr.baselines.autoregression import (
    AutoRegression,
    burg,
    conditional_mean,
    precision_bands,
)
from gracelstm_xr.physics.frames import Frame

PHI = np.array([1.6, -0.9, 0.25])


def simulated(n: int, *, seed: int = 0, phi: np.ndarray = PHI) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=n + 500)
    x = np.zeros(n + 500)
    for i in range(len(phi), len(x)):
        x[i] = phi @ x[i - len(phi) : i][::-1] + e[i]
    return x[500:]


def covariance(n: int, phi: np.ndarray = PHI) -> np.ndarray:
    """Of n samples of the stationary process, from its state-space form."""
    p = len(phi)
    companion = np.vstack([phi, np.eye(p)[:-1]])
    noise = np.zeros((p, p))
    noise[0, 0] = 1.0
    state = solve_discrete_lyapunov(companion, noise)
    lags, power = [], np.eye(p)
    for _ in range(n):
        lags.append((power @ state)[0, 0])
        power = companion @ power
    return toeplitz(lags)


@pytest.mark.parametrize("n", [6, 7, 40])
def test_precision_is_the_inverse_covariance(n: int) -> None:
    bands = precision_bands(PHI, n)
    full = np.zeros((n, n))
    for j, band in enumerate(bands):
        full += np.diag(band[: n - j], j) + (np.diag(band[: n - j], -j) if j else 0)
    np.testing.assert_allclose(full, np.linalg.inv(covariance(n)), atol=1e-9)


@pytest.mark.parametrize(
    "gaps",
    [
        [(40, 60)],
        [(0, 10), (95, 100)],
        [(30, 50), (51, 52), (53, 70)],
        [(0, 99)],
        [(1, 100)],
    ],
)
def test_conditional_mean_is_that_of_the_gaussian_process(
    gaps: list[tuple[int, int]],
) -> None:
    n = 100
    x = simulated(n)
    seen = np.ones(n, dtype=bool)
    for first, past in gaps:
        seen[first:past] = False
    values = np.where(seen, x, 1e9)
    found = conditional_mean(values, seen, PHI)
    # brute force: mean of what is seen within a revolution, here everything
    mean = x[seen].mean()
    c = covariance(n)
    part = np.linalg.solve(c[np.ix_(seen, seen)], x[seen] - mean)
    np.testing.assert_allclose(
        found[~seen], mean + c[np.ix_(~seen, seen)] @ part, atol=1e-9
    )
    np.testing.assert_array_equal(found[seen], x[seen])


def test_forward_and_backward_prediction_at_the_ends() -> None:
    x = simulated(400)
    x -= x.mean()
    seen = np.ones(400, dtype=bool)
    seen[390:] = False
    found = conditional_mean(x, seen, PHI)
    mean = x[seen].mean()
    last = list(x[:390] - mean)
    for _ in range(10):
        last.append(PHI @ np.array(last[-3:])[::-1])
    np.testing.assert_allclose(found[390:] - mean, last[390:], atol=1e-10)
    back = conditional_mean(x[::-1], seen[::-1], PHI)
    np.testing.assert_allclose(back[::-1], found, atol=1e-12)


def test_one_unseen_sample_of_order_one() -> None:
    x = simulated(1200, phi=np.array([0.5]))
    seen = np.arange(len(x)) != 600
    made = conditional_mean(x, seen, np.array([0.5]))
    mean = x[36:1165][seen[36:1165]].mean()
    sides = x[[599, 601]] - mean
    assert made[600] == pytest.approx(mean + 0.5 * sides.sum() / 1.25, abs=1e-3)


def test_a_process_without_noise_is_bridged_by_a_line() -> None:
    x = np.linspace(0.0, 1.0, 200)
    seen = np.ones(200, dtype=bool)
    seen[90:110] = False
    singular = np.array([2.0, -1.0])
    made = conditional_mean(x, seen, singular)
    np.testing.assert_allclose(made, x, atol=1e-9)
    waves = np.sin(np.arange(2000) / 30)
    seen = np.ones(2000, dtype=bool)
    seen[900:960] = False
    phi = burg([waves], highest=48)
    assert np.isfinite(conditional_mean(waves, seen, phi)).all()


def test_burg_finds_the_process() -> None:
    x = simulated(40_000)
    found = burg([x[:15_000], x[15_100:]], highest=12)
    assert 3 <= len(found) <= 12
    np.testing.assert_allclose(found[:3], PHI, atol=0.05)
    roots = np.roots(np.concatenate([[1.0], -found]))
    assert (np.abs(roots) < 1).all()


def test_burg_agrees_with_statsmodels() -> None:
    linear_model = pytest.importorskip("statsmodels.regression.linear_model")
    x = simulated(3000, seed=4)
    x -= x.mean()
    found = burg([x], highest=3)
    exact, _ = linear_model.burg(x, order=len(found), demean=False)
    np.testing.assert_allclose(found, exact, rtol=1e-10)


def test_no_data_no_process() -> None:
    assert len(burg([], highest=5)) == 0
    assert len(burg([np.zeros(100)], highest=5)) == 0
    assert len(burg([np.ones(8)], highest=5)) == 0


N = 6000
T = 600_000_000.0 + 10.0 * np.arange(N)


def slow(t: np.ndarray) -> np.ndarray:
    angle = 2 * np.pi * (t - T[0]) / 300.0
    return 1e-8 * np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle)], axis=1)


def test_a_native_gap_in_a_narrow_band() -> None:
    """One line of 300 s or 150 s is nearly predictable; nodes are 10 s apart."""
    t = T[0] + np.arange(10 * N // 4, dtype=float)
    frame = Frame(t, own=slow(t) - 2e-6)
    noise = 1e-11 * np.random.default_rng(0).normal(size=(N, 3))
    training = Frame(T, own=slow(T) - 2e-6 + noise)
    method = AutoRegression.fit([(training, np.ones(N, dtype=bool))])
    visible = np.ones((len(t), 3), dtype=bool)
    visible[7003:7120] = False
    hidden = Frame(t, own=np.where(visible, frame.own, 1e3))
    index = np.arange(7003, 7120)
    found = method.estimate(hidden, visible, index)
    np.testing.assert_allclose(found, frame.own[index], atol=2e-10)
    # a part of the gap, and a piece of the series, give the same numbers
    part = method.estimate(hidden, visible, index[20:40])
    np.testing.assert_array_equal(part, found[20:40])
    piece = slice(810, 13_300)
    cut = method.estimate(hidden.take(piece), visible[piece], index - 810)
    np.testing.assert_array_equal(cut, found)


def test_an_axis_without_training_data_has_no_estimate() -> None:
    own = slow(T)
    own[:, 1] = np.nan
    method = AutoRegression.fit([(Frame(T, own=own), np.ones(N, dtype=bool))])
    visible = np.isfinite(own)
    visible[100:120] = False
    found = method.estimate(Frame(T, own=own), visible, np.arange(100, 120))
    assert np.isnan(found[:, 1]).all()
    assert np.isfinite(found[:, [0, 2]]).all()


def test_short_stretches_between_many_gaps_still_give_a_process() -> None:
    x = simulated(9_000, seed=5, phi=np.array([0.9]))
    own = np.full((len(x), 3), np.nan)
    own[:, 0] = 1e-8 * x
    own[::60] = np.nan
    frame = Frame(10.0 * np.arange(len(x)), own)
    fitted = AutoRegression.fit([(frame, np.ones(len(x), dtype=bool))])
    assert fitted.coefficients[0][0] == pytest.approx(0.9, abs=0.05)
    assert len(fitted.coefficients[1]) == 0
    visible = np.isfinite(own)
    index = np.flatnonzero(~visible[:, 0])[1:]
    error = fitted.estimate(frame, visible, index)[:, 0] - 1e-8 * x[index]
    # mean of both neighbours' conditional expectation: 1 / (1 + 0.81) of the variance
    assert np.var(error) / 1e-16 == pytest.approx(1 / 1.81, rel=0.3)
