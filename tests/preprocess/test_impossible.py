"""What no accelerometer measures: found sample by sample, whatever the cut of time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gracelstm_xr.preprocess.outliers import IMPOSSIBLE, IMPOSSIBLE_HALO, impossible

N = 30_000
T = 3.0e8 + 17 + np.arange(N, dtype=float)
AT = 15_000
BEYOND, AWAY, *STUCK = IMPOSSIBLE.values()


def series() -> np.ndarray:
    phase = 2 * np.pi * T[:, None] / 5640
    noise = 1e-10 * np.random.default_rng(4).standard_normal((N, 3))
    return np.array([1.2e-6, -2.85e-5, 5e-7]) + 1.5e-7 * np.sin(phase) + noise


def marked(fault: Callable[[np.ndarray], None]) -> tuple[np.ndarray, np.ndarray]:
    values = series()
    fault(values)
    return values, impossible(T, values)


def test_nothing_in_clean_data() -> None:
    values = series()
    values[AT : AT + 900] = np.nan
    assert not impossible(T, values).any()


@pytest.mark.parametrize("value", [1e-3, -9999.0, 9999.999, np.inf, -np.inf])
def test_beyond_the_range(value: float) -> None:
    def fault(v: np.ndarray) -> None:
        v[AT, 1] = value

    code = marked(fault)[1]
    assert np.flatnonzero(code).tolist() == [AT]
    assert code[AT] == BEYOND


def test_zeros_on_all_axes_and_one_axis_that_is_stuck() -> None:
    def zeros(v: np.ndarray) -> None:
        v[AT : AT + 60] = 0.0

    code = marked(zeros)[1]
    assert (code[AT : AT + 60] == sum(STUCK)).all()
    assert (code != 0).sum() == 60

    def constant(v: np.ndarray) -> None:
        v[:, 1] = -2.85e-5

    assert (marked(constant)[1] == STUCK[1]).all()


def test_a_push_takes_half_the_filter_window_along() -> None:
    def push(v: np.ndarray) -> None:
        v[AT : AT + 10, 0] += 1e-6

    code = marked(push)[1]
    at = np.flatnonzero(code)
    assert (code[at] == AWAY).all()
    assert (at[0], at[-1], len(at)) == (AT - 70, AT + 79, 150)


def test_a_single_outlier_and_a_firing_of_minutes() -> None:
    def both(v: np.ndarray) -> None:
        v[AT, 2] += 5e-7
        v[20_000:20_600, 0] += 8e-5

    code = marked(both)[1]
    assert code[AT] == AWAY
    assert code[AT - 1] == code[AT + 1] == 0
    assert (code[20_000:20_600] == AWAY).all()
    assert (code[20_000 - 200 : 20_600 + 200] != 0).sum() == 740


def test_does_not_depend_on_the_cut() -> None:
    def many(v: np.ndarray) -> None:
        v[AT : AT + 10, 0] += 1e-6
        v[AT + 500 : AT + 900] = -9999.0
        v[AT + 2000 : AT + 2040, 2] = 0.0
        v[AT + 4000 : AT + 4700, 0] += 8e-5
        v[AT + 5000] = np.nan

    values, code = marked(many)
    halo = int(IMPOSSIBLE_HALO)
    for first, past in ((AT + 5, AT + 700), (AT + 4100, AT + 4200), (AT - 99, AT + 1)):
        part = slice(first - halo, past + halo)
        found = impossible(T[part], values[part])[halo:-halo]
        np.testing.assert_array_equal(found, code[first:past])


@pytest.mark.parametrize("step", [5.0, 60.0])
def test_other_sampling_and_short_series(step: float) -> None:
    every = int(step)
    values = series()[::every]
    values[100] = 1e-3
    assert np.flatnonzero(impossible(T[::every], values)).tolist() == [100]
    assert impossible(T[:1], np.zeros((1, 3))).tolist() == [0]
