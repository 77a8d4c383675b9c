"""What repeats with the revolution, against a process made to do so."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.baselines.repeating import BIN, CONTEXT, TURNS, Repeating

STEP, PERIOD = 10.0, 5640.0
N = 6 * 8640
T = 86_400.0 * 3000 + STEP * np.arange(N)
#: Not quite regular, as on an orbit that is not quite round.
ANGLE = (2 * np.pi * (T - T[0]) / PERIOD + 0.01 * np.sin(T / 3000.0)) % (2 * np.pi)


@pytest.fixture(scope="module")
def residual() -> np.ndarray:
    """A pattern of the argument of latitude that changes slowly, and white noise."""
    rng = np.random.default_rng(3)
    turns = np.unwrap(ANGLE) / (2 * np.pi)
    total = 3e-10 * rng.normal(size=(N, 3))
    for k in (1, 3, 7):
        slow = rng.uniform(0, 2 * np.pi, 3)
        fade = np.cos(2 * np.pi * turns[:, None] / 15.4 + slow)
        total += 3e-9 * fade * np.cos(k * ANGLE + k)[:, None]
    total[:, 2] = 3e-10 * rng.normal(size=N)
    return total


@pytest.fixture(scope="module")
def fitted(residual: np.ndarray) -> Repeating:
    return Repeating.fit([(T, residual, ANGLE)], revolution=PERIOD)


def test_covariance_is_found(fitted: Repeating) -> None:
    # three waves of amplitude 3, slowly fading in and out with 15.4 revolutions
    lag = np.arange(2 * TURNS + 1)
    expected = 3 * 4.5 / 2 * np.cos(2 * np.pi * lag / 15.4)
    np.testing.assert_allclose(fitted.covariance[:, 0], expected, atol=2.0)
    assert (np.abs(fitted.covariance[1:, 2]) < 0.02).all()


def test_gap_is_filled_from_other_revolutions(
    fitted: Repeating, residual: np.ndarray
) -> None:
    visible = np.ones((N, 3), dtype=bool)
    hidden = slice(20_000, 21_500)
    visible[hidden] = False
    wild = residual.copy()
    wild[hidden] = 1.0
    found, variance = fitted.estimate(T, wild, visible, ANGLE, errors=True)
    error = np.sqrt(np.mean((found - residual)[hidden] ** 2, axis=0))
    size = np.sqrt(np.mean(residual[hidden] ** 2, axis=0))
    assert (error[:2] < 0.2 * size[:2]).all()
    # white noise has no echo
    assert np.abs(found[hidden, 2]).max() < 1e-10
    assert (variance > 0).all()
    np.testing.assert_array_equal(
        found, fitted.estimate(T, np.where(visible, wild, np.nan), visible, ANGLE)[0]
    )


def test_own_value_has_no_say(fitted: Repeating, residual: np.ndarray) -> None:
    visible = np.ones((N, 3), dtype=bool)
    other = residual.copy()
    other[30_000:30_006] += 1e-6
    a, _ = fitted.estimate(T, residual, visible, ANGLE)
    b, _ = fitted.estimate(T, other, visible, ANGLE)
    np.testing.assert_array_equal(a[30_000:30_006], b[30_000:30_006])


@pytest.mark.parametrize("shift", [0, 1, 7, 564])
def test_does_not_depend_on_where_time_is_cut(
    fitted: Repeating, residual: np.ndarray, shift: int
) -> None:
    visible = np.ones((N, 3), dtype=bool)
    visible[25_000:25_400] = False
    visible[24_400:24_500, 1] = False
    pad = round(CONTEXT / STEP) + shift
    cut = slice(25_000 - pad, 25_400 + pad + 2 * shift)
    whole = fitted.estimate(T, residual, visible, ANGLE, errors=True)
    within = (float(T[25_000]), float(T[25_399]))
    for span in (None, within):
        part = fitted.estimate(
            T[cut], residual[cut], visible[cut], ANGLE[cut], within=span, errors=True
        )
        for one, other in zip(part, whole, strict=True):
            np.testing.assert_array_equal(one[pad : pad + 400], other[25_000:25_400])


def test_without_orbit_or_data_nothing_repeats(residual: np.ndarray) -> None:
    fitted = Repeating.fit([(T, residual, None)], revolution=PERIOD)
    assert not fitted.covariance.any()
    found, _ = fitted.estimate(T, residual, np.ones((N, 3), bool), ANGLE)
    assert not found.any()
    short = Repeating.fit([(T[:200], residual[:200], ANGLE[:200])], revolution=PERIOD)
    assert not short.covariance.any()


def test_missing_angles_are_left_out(fitted: Repeating, residual: np.ndarray) -> None:
    angle = ANGLE.copy()
    angle[20_000:22_000] = np.nan
    found, _ = fitted.estimate(T, residual, np.ones((N, 3), bool), angle)
    assert np.isfinite(found).all()
    inside = slice(20_000 + round(BIN / STEP), 22_000 - round(BIN / STEP))
    assert not found[inside].any()
