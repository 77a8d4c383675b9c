"""How lively a series is around a gap: by definition, and on any chunking."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.filling.activity import activity

DAY = 86_400.0


def series(step: float, *, days: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    t = 7e8 + step * np.arange(round(days * DAY / step))
    return t, 1e-10 * np.cumsum(np.random.default_rng(2).standard_normal(len(t)))


def test_a_parabola_has_the_same_activity_everywhere() -> None:
    t, _ = series(30.0)
    own = 3e-16 * (t - t[0]) ** 2
    visible = np.ones(len(t), dtype=bool)
    visible[5000:5200] = False
    index = np.arange(5000, 5200)
    # x(t - 300) - 2 x(t) + x(t + 300) of c t^2 is 2 c 300^2
    expected = 2 * 3e-16 * 300.0**2
    np.testing.assert_allclose(activity(t, own, visible, index), expected, rtol=1e-4)


def test_it_is_larger_beside_the_storm_than_a_day_away() -> None:
    t, own = series(30.0)
    storm = np.abs(t - t[0] - 3 * DAY) < 3 * 3600
    own = np.where(storm, 20.0, 1.0) * np.diff(own, prepend=0.0)
    visible = np.ones(len(t), dtype=bool)
    at = [round(d * DAY / 30.0) for d in (2.0, 2.9, 3.0)]
    calm, beside, within = (
        float(activity(t, own, visible, np.array([k]))[0]) for k in at
    )
    assert 2 * calm < beside
    assert 2 * calm < within


@pytest.mark.parametrize("step", [1.0, 5.0, 30.0])
def test_the_last_bit_does_not_depend_on_where_a_block_begins(step: float) -> None:
    t, own = series(step)
    visible = np.random.default_rng(3).random(len(t)) > 0.1
    hole = np.arange(round(3 * DAY / step), round(3 * DAY / step) + round(9_000 / step))
    visible[hole] = False
    whole = activity(t, own, visible, hole)
    first = int(np.searchsorted(t, t[hole[0]] - 2 * DAY))
    inside = slice(first, hole[-1] + round(2 * DAY / step))
    part = activity(t[inside], own[inside], visible[inside], hole - first)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(part, whole)
    half = hole[len(hole) // 2 :]
    np.testing.assert_array_equal(
        activity(t, own, visible, half), whole[len(hole) // 2 :]
    )


def test_nothing_is_known_far_from_observations_and_of_a_few_samples() -> None:
    t, own = series(30.0)
    visible = t - t[0] < DAY
    index = np.array([round(5 * DAY / 30.0)])
    assert np.isnan(activity(t, own, visible, index)).all()
    few = np.arange(5)
    shown = np.ones(5, dtype=bool)
    assert np.isnan(activity(t[0] + 1.0 + few, own[:5], shown, few)).all()
    assert np.isnan(activity(t[:1], own[:1], shown[:1], few[:1])).all()
