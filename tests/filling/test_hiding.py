"""Where gaps of an evaluation are placed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gracelstm_xr.filling.hidden import EVERYTHING, hidden_rounds, stretches, thinned

DAY = 86_400
N = 5 * DAY
T = 1000.0 + np.arange(N)
SPAN = (1000.0 + DAY, 1000.0 + 4 * DAY)


def rounds(lengths: tuple[float, ...], observed: np.ndarray, **options: int) -> list:
    return list(hidden_rounds(T, observed, SPAN, lengths=lengths, **options))


def test_ten_gaps_of_a_day_fit_into_three_days() -> None:
    found = rounds((86_400.0, 43_200.0, 300.0), np.ones(N, dtype=bool), count=10)
    sizes = [np.diff(r, axis=1).ravel() for r in found]
    assert sum((s == DAY).sum() for s in sizes) == 10
    assert sum((s == DAY / 2).sum() for s in sizes) == 10
    # one long gap hides enough for one round
    assert all((s >= DAY / 2).sum() <= 1 for s in sizes)
    firsts = [r[np.diff(r, axis=1).ravel() == DAY, 0] for r in found]
    assert len(set(np.concatenate(firsts))) == 10
    for r in found:
        assert T[r[:, 0]].min() >= SPAN[0] + 60
        assert T[r[:, 1]].max() <= SPAN[1] - 60


@pytest.mark.parametrize(
    ("length", "expected"), [(60, 40), (1800, 40), (10_800, 21), (43_200, 10)]
)
def test_more_gaps_where_they_fit_side_by_side(length: int, expected: int) -> None:
    """Three days hold 21 gaps of three hours with ten minutes on either side."""
    found = rounds((float(length),), np.ones(N, dtype=bool), count=10)
    assert sum(len(r) for r in found) == expected


def test_lengths_above_half_the_span_are_left_out() -> None:
    found = rounds((2 * 86_400.0, 600.0), np.ones(N, dtype=bool), count=2)
    assert {int(b - a) for r in found for a, b in r} == {600}


def test_everything_is_one_round_of_all_samples() -> None:
    found = rounds((EVERYTHING, 600.0), np.ones(N, dtype=bool), count=2)
    assert found[0].tolist() == [[0, N]]
    assert all(len(r) and r[0, 1] - r[0, 0] == 600 for r in found[1:])


def test_long_gaps_may_lie_over_small_holes_and_short_ones_not() -> None:
    observed = np.ones(N, dtype=bool)
    holes = np.arange(DAY + 3000, 4 * DAY, 7200)
    for hole in holes:
        observed[hole : hole + 30] = False
    found = rounds((43_200.0, 1800.0), observed, count=4)
    sizes = np.concatenate([np.diff(r, axis=1).ravel() for r in found])
    assert (sizes == 43_200).sum() == 5
    for r in found:
        for first, past in r:
            if past - first == 1800:
                assert observed[first:past].all()
    observed[2 * DAY : 2 * DAY + 3600] = False
    for r in rounds((43_200.0,), observed, count=4):
        for first, past in r:
            assert not (first < 2 * DAY + 3600 and past > 2 * DAY)


def test_no_room_ends_the_rounds() -> None:
    assert rounds((600.0,), np.zeros(N, dtype=bool), count=3) == []


@pytest.mark.parametrize(("size", "step"), [(4999, 1.0), (5640, 10.0), (86_400, 10.0)])
def test_errors_of_long_gaps_are_kept_every_ten_seconds(size: int, step: float) -> None:
    kept = thinned(T, np.array([17, 17 + size]))
    assert (np.diff(T[kept]) == step).all()
    assert abs(len(kept) - size / step) <= 1
    if step == 10.0:
        assert (T[kept] % 10 == 0).all()
    coarse = 1000.0 + 10 * np.arange(9000)
    assert len(thinned(coarse, np.array([5, 5 + 8640]))) == 8640


def test_stretches_cover_the_span() -> None:
    day = float(DAY)
    whole = stretches((0.0, 30 * day))
    assert len(whole) == 10
    assert whole[0][0] == 0.0
    assert whole[-1][1] == 30 * day
    assert all(a[1] == b[0] for a, b in itertools.pairwise(whole))
    assert stretches((0.0, 2.7 * day)) == [(0.0, 2.7 * day)]
    ends = stretches((0.0, 30 * day), most=2)
    assert ends == [(0.0, 3 * day), (27 * day, 30 * day)]
    # a stretch holds two of the longest gaps
    weeks = stretches((0.0, 60 * day), lengths=(7 * day,))
    assert min(b - a for a, b in weeks) >= 14 * day
