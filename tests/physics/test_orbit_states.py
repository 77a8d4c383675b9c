"""Orbits between and beyond their epochs, against integrated ones."""

from __future__ import annotations

import numpy as np
import pytest
from orbits import bumpy, flattened, integrated

from gracelstm_xr.physics.states import PROPAGATED, StateNodes

EPOCH = 600_000_000.0


def nodes(t: np.ndarray, rate=flattened) -> StateNodes:
    return StateNodes(EPOCH + t, *integrated(rate)(t))


def error(found: StateNodes, t: np.ndarray, rate=flattened) -> np.ndarray:
    position, _ = found.at(EPOCH + t)
    return np.linalg.norm(position - integrated(rate)(t)[0], axis=1)


def test_epochs_every_minute_interpolate_to_millimetres() -> None:
    query = np.arange(0.0, 11_900.0, 7.3)
    found = nodes(np.arange(0.0, 12_000.0, 60.0))
    position, velocity = found.at(EPOCH + query)
    exact, speed = integrated(flattened)(query)
    assert np.abs(position - exact).max() < 1e-3
    assert np.abs(velocity - speed).max() < 1e-4


def test_epochs_every_minute_in_a_field_of_higher_degree() -> None:
    query = np.arange(0.0, 11_900.0, 7.3)
    assert (
        error(nodes(np.arange(0.0, 12_000.0, 60.0), bumpy), query, bumpy).max() < 0.02
    )


def test_nothing_outside_the_epochs_and_in_holes() -> None:
    found = nodes(np.array([0.0, 60.0, 120.0, 900.0, 960.0]))
    position, velocity = found.at(EPOCH + np.array([-1.0, 30.0, 500.0, 930.0, 961.0]))
    np.testing.assert_array_equal(
        np.isfinite(position[:, 0]), [False, True, False, True, False]
    )
    np.testing.assert_array_equal(np.isnan(position), np.isnan(velocity))


def test_filling_leaves_an_orbit_without_holes_as_it_is() -> None:
    found = nodes(np.arange(0.0, 6000.0, 60.0))
    assert found.filled(EPOCH + 100.0, EPOCH + 5800.0).t.tolist() == found.t.tolist()
    assert not found.propagated_at(found.t).any()


@pytest.mark.parametrize(
    ("hole", "limit"), [(600.0, 10.0), (3600.0, 150.0), (21_600.0, 2000.0)]
)
def test_holes_are_closed(hole: float, limit: float) -> None:
    t = np.arange(0.0, 48_000.0, 60.0)
    worst = []
    for start in (8000.0, 11_330.0, 13_050.0):
        inside = (t > start) & (t < start + hole)
        found = nodes(t[~inside], bumpy).filled(EPOCH, EPOCH + 47_000.0)
        wanted = np.arange(start, start + hole, 47.0)
        worst.append(error(found, wanted, bumpy).max())
        assert found.propagated_at(EPOCH + wanted[5:-5]).all()
        assert not found.propagated_at(EPOCH + np.array([7000.0, 40_000.0])).any()
    assert max(worst) < limit
    # it is a real test only if the hole could not be interpolated
    assert max(worst) > 1e-2


@pytest.mark.parametrize(("reach", "limit"), [(600.0, 30.0), (10_700.0, 2000.0)])
def test_ends_go_on(reach: float, limit: float) -> None:
    t = np.arange(12_000.0, 30_000.0, 60.0)
    found = nodes(t, bumpy).filled(EPOCH, EPOCH + 45_000.0)
    for wanted in (t[-1] + np.arange(0, reach, 31.0), t[0] - np.arange(0, reach, 31.0)):
        assert error(found, wanted, bumpy).max() < limit


def test_no_further_than_three_hours() -> None:
    t = np.concatenate([np.arange(12_000.0, 13_000.0, 60.0), [45_000.0, 45_060.0]])
    found = nodes(t).filled(EPOCH, EPOCH + 49_000.0)
    last = 12_960.0
    steps = PROPAGATED + np.array([-61, 61])
    wanted = np.array(
        [*(12_000 - steps[::-1]), *(last + steps), *(45_000 - steps[::-1]), 45_030.0]
    )
    position, _ = found.at(EPOCH + wanted)
    np.testing.assert_array_equal(
        np.isfinite(position[:, 0]), [False, True, True, False, False, True, True]
    )


def test_filling_does_not_depend_on_the_stretch() -> None:
    t = np.arange(0.0, 40_000.0, 60.0)
    full = nodes(t[(t < 9000) | (t > 17_000)])
    part = StateNodes(
        full.t[100:-200], full.position[100:-200], full.velocity[100:-200]
    )
    wanted = EPOCH + np.arange(9000.0, 17_000.0, 13.0)
    for one, two in zip(
        full.filled(EPOCH, EPOCH + 39_000).at(wanted),
        part.filled(wanted[0], wanted[-1]).at(wanted),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


def test_a_single_epoch_is_an_orbit() -> None:
    found = nodes(np.array([6000.0])).filled(EPOCH + 5000.0, EPOCH + 7000.0)
    assert error(found, np.arange(5100.0, 6900.0, 70.0)).max() < 0.5
    empty = StateNodes(np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3)))
    assert len(empty.filled(0.0, 1e4).t) == 0
    assert np.isnan(empty.at(np.arange(3.0))[0]).all()


def test_several_orbits_go_on_as_each_alone() -> None:
    t = np.arange(0.0, 20_000.0, 60.0)
    t = t[(t < 7000) | (t > 7500)]
    whole = nodes(t)
    known = EPOCH + np.array([-1.0, 6010.0, 7200.0, 15_000.0])
    until = known + 10_000.0
    first, *others = whole.continued(known - 3000.0, known, until)
    assert len(first.t) == 0
    for orbit, end, last in zip(others, known[1:], until[1:], strict=True):
        part = t[(EPOCH + t <= end) & (EPOCH + t >= end - 3000.0)]
        alone = nodes(part).filled(end - 3000.0, last, beyond=1e5)
        query = np.arange(end - 2900.0, last, 7.3)
        for mine, other in zip(orbit.at(query), alone.at(query), strict=True):
            np.testing.assert_array_equal(mine, other)
        assert orbit.propagated is not None
        np.testing.assert_array_equal(orbit.propagated, orbit.t > EPOCH + part[-1])
        assert orbit.t[-1] >= last
