"""The local regression recovers what made the data."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.baselines.moments import design
from gracelstm_xr.baselines.regression import NODE_SPACING, LocalRegression
from gracelstm_xr.physics.frames import Frame

DAYS = 3
N = DAYS * 8640
START = 43_200.0 * 14_000
T = START + 10.0 * np.arange(N)
ANGLE = 2 * np.pi * (T - START) / 5640.0
TERMS = ("harmonics", "donor")


def donor(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(N, 3))
    kernel = np.hanning(40) / np.hanning(40).sum()
    return 5e-8 * np.stack([np.convolve(c, kernel, "same") for c in noise.T], axis=1)


SCALE = np.array([[0.9, 0.0, 0.1], [0.0, 1.1, 0.0], [0.0, 0.05, 0.8]])


def made(*, drift: float = 0.0, noise: float = 0.0) -> Frame:
    d = donor()
    own = d @ SCALE.T + np.array([5e-7, -1e-5, 8e-7])
    own[:, 0] += 2e-8 * np.cos(ANGLE) - 1e-8 * np.sin(2 * ANGLE)
    own += drift * ((T - START) / 86_400.0)[:, None]
    own += noise * np.random.default_rng(9).normal(size=own.shape)
    return Frame(T, own=own, donor=d, latitude_argument=ANGLE % (2 * np.pi))


def training() -> np.ndarray:
    return np.ones(N, dtype=bool)


@pytest.mark.parametrize("change", [0.0, 600.0])
def test_known_coefficients_come_back(change: float) -> None:
    frame = made(drift=3e-9)
    fitted = LocalRegression.fit([(frame, training())], TERMS, change=change)
    found = fitted.coefficients(frame, np.ones((N, 3), bool))
    inner = [v for k, v in found.items() if T[0] < k < T[-1]]
    assert len(inner) == 2 * DAYS - 1
    for theta in inner:
        np.testing.assert_allclose(theta[22:25].T / 10, SCALE, atol=2e-3)
        assert theta[2, 0] == pytest.approx(20.0, abs=0.05)
        assert theta[13, 0] == pytest.approx(-10.0, abs=0.05)
        # the drift is 3 nm s-2 a day, nodes count in half days; changes leave it out
        np.testing.assert_allclose(theta[1], 0.0 if change else 1.5, atol=0.1)


def test_prediction_is_the_series() -> None:
    frame = made(drift=3e-9)
    fitted = LocalRegression.fit([(frame, training())], TERMS)
    visible = np.ones((N, 3), dtype=bool)
    visible[9000:10_000] = False
    found = fitted.estimate(frame, visible, np.arange(9000, 10_000))
    np.testing.assert_allclose(found, frame.own[9000:10_000], atol=1e-10)


@pytest.mark.parametrize("change", [0.0, 600.0])
def test_hidden_samples_have_no_say(change: float) -> None:
    frame = made(noise=1e-9)
    fitted = LocalRegression.fit([(frame, training())], TERMS, change=change)
    visible = np.ones((N, 3), dtype=bool)
    visible[8000:9500] = False
    visible[20_000:20_050, 1] = False
    wild = frame.own.copy()
    wild[~visible] = 1e3
    index = np.arange(7900, 9600)
    honest = fitted.estimate(frame, visible, index)
    altered = fitted.estimate(Frame(**(frame.arrays() | {"own": wild})), visible, index)
    np.testing.assert_array_equal(honest, altered)


def test_hidden_training_samples_have_no_say() -> None:
    frame = made(noise=1e-9)
    part = training()
    part[N // 2 :] = False
    wild = frame.own.copy()
    wild[N // 2 :] = 1e3
    for change in (0.0, 600.0):
        a = LocalRegression.fit([(frame, part)], TERMS, change=change)
        other = Frame(**(frame.arrays() | {"own": wild}))
        b = LocalRegression.fit([(other, part)], TERMS, change=change)
        np.testing.assert_array_equal(a.mean, b.mean)
        np.testing.assert_array_equal(a.penalty, b.penalty)


def test_changes_are_deaf_to_a_wandering_bias() -> None:
    clean = made(noise=1e-10)
    slow = 8e-9 * np.sin(2 * np.pi * (T - START) / 40_000.0)[:, None]
    wandering = Frame(**(clean.arrays() | {"own": clean.own + slow}))
    visible = np.ones((N, 3), dtype=bool)
    fitted = LocalRegression.fit([(clean, training())], TERMS, change=600.0)
    a = fitted.coefficients(clean, visible)
    b = fitted.coefficients(wandering, visible)
    for node in a:
        np.testing.assert_allclose(a[node][22:25], b[node][22:25], atol=0.05)


def test_result_does_not_depend_on_where_time_is_cut() -> None:
    frame = made(noise=1e-9)
    fitted = LocalRegression.fit([(frame, training())], ("harmonics",))
    visible = np.ones((N, 3), dtype=bool)
    index = np.arange(12_000, 12_100)
    whole = fitted.estimate(frame, visible, index)
    # a node's window reaches 18 h, a node 12 h: 30 h either side are enough
    cut = slice(12_000 - 10_900, 12_100 + 10_900)
    part = fitted.estimate(frame.take(cut), visible[cut], np.arange(10_900, 11_000))
    np.testing.assert_array_equal(whole, part)


def test_without_data_the_prior_speaks() -> None:
    frame = made()
    fitted = LocalRegression.fit([(frame, training())], TERMS)
    found = fitted.coefficients(frame, np.zeros((N, 3), dtype=bool))
    for theta in found.values():
        np.testing.assert_array_equal(theta, fitted.mean)


def test_nodes_stand_at_midnight_and_noon() -> None:
    fitted = LocalRegression.fit([(made(), training())], ("harmonics",))
    found = fitted.coefficients(made(), np.ones((N, 3), bool))
    assert all(node % NODE_SPACING == 0 for node in found)
    assert min(found) <= T[0]
    assert max(found) >= T[-1]


def test_terms_a_frame_cannot_supply_are_left_out() -> None:
    frame = made()
    assert design(frame, ("donor", "own_thrust", "radiation")).shape == (N, 3)
    assert design(frame, ("own_thrust",)).shape == (N, 0)
    x = design(frame, ("harmonics",))
    np.testing.assert_allclose(x[:, 0], np.cos(ANGLE), atol=1e-9)
    np.testing.assert_allclose(x[:, 19], np.sin(10 * ANGLE), atol=1e-8)
