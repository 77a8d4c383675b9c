"""Simple fills against signals they must reproduce."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.baselines.base import BASELINES, default_baselines
from gracelstm_xr.baselines.interpolate import Interpolation
from gracelstm_xr.baselines.previousorbit import PreviousOrbit
from gracelstm_xr.baselines.registry import METHOD_CODES
from gracelstm_xr.physics.frames import Frame

N = 3000
T = 600_000_000.0 + 10.0 * np.arange(N)
GAP = slice(1200, 1260)
INDEX = np.arange(1200, 1260)


def made(degree: int) -> Frame:
    x = (T - T[1230]) / 1000.0
    rng = np.random.default_rng(degree)
    return Frame(
        T, own=np.stack([np.polyval(c, x) for c in rng.normal(size=(3, degree + 1))], 1)
    )


def hide(frame: Frame) -> tuple[Frame, np.ndarray]:
    """Wild values where hidden: a method that looks at them fails."""
    visible = np.ones((N, 3), dtype=bool)
    visible[GAP] = False
    own = frame.own.copy()
    own[GAP] = 1e6
    return Frame(**(frame.arrays() | {"own": own})), visible


@pytest.mark.parametrize(
    ("kind", "degree"), [("hold", 0), ("linear", 1), ("cubic", 3), ("polynomial", 3)]
)
def test_interpolation_is_exact_on_its_polynomials(kind: str, degree: int) -> None:
    frame = made(degree)
    masked, visible = hide(frame)
    found = Interpolation(kind).estimate(masked, visible, INDEX)
    np.testing.assert_allclose(found, frame.own[GAP], rtol=1e-9, atol=1e-9)


def test_hold_takes_the_last_value() -> None:
    frame = made(2)
    masked, visible = hide(frame)
    found = Interpolation("hold").estimate(masked, visible, INDEX)
    np.testing.assert_array_equal(found, np.tile(frame.own[1199], (60, 1)))


def test_gaps_at_the_ends() -> None:
    frame = made(1)
    visible = np.ones((N, 3), dtype=bool)
    visible[:5] = visible[-5:] = False
    index = np.array([0, 4, N - 5, N - 1])
    hold = Interpolation("hold").estimate(frame, visible, index)
    np.testing.assert_array_equal(hold[:2], frame.own[[5, 5]])
    np.testing.assert_array_equal(hold[2:], frame.own[[N - 6, N - 6]])
    for kind in ("linear", "cubic", "polynomial"):
        assert np.isnan(Interpolation(kind).estimate(frame, visible, index)).all()


def test_cubic_falls_back_to_a_line_without_its_outer_points() -> None:
    frame = made(3)
    masked, visible = hide(frame)
    own = masked.own.copy()
    own[1198] = np.nan
    visible[1198] = False
    masked = Frame(T, own=own)
    found = Interpolation("cubic").estimate(masked, visible, INDEX)
    line = Interpolation("linear").estimate(masked, visible, INDEX)
    np.testing.assert_allclose(found, line)


def test_polynomial_takes_the_nearest_observed_samples() -> None:
    frame = made(3)
    masked, visible = hide(frame)
    visible[[1198, 1262]] = False
    masked.own[[1198, 1262]] = 1e6
    found = Interpolation("polynomial").estimate(masked, visible, INDEX)
    # 1197, 1199 and 1260, 1261 remain, and a cubic is a cubic
    np.testing.assert_allclose(found, frame.own[GAP], rtol=1e-9, atol=1e-9)
    wild = np.random.default_rng(3).normal(size=(N, 3))
    x = np.array([1197.0, 1199.0, 1260.0, 1261.0])
    exact = [
        np.polyval(np.polyfit(x - 1230, c[x.astype(int)], 3), INDEX - 1230)
        for c in wild.T
    ]
    found = Interpolation("polynomial").estimate(Frame(T, own=wild), visible, INDEX)
    np.testing.assert_allclose(found, np.stack(exact, axis=1), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", ["hold", "linear", "cubic", "polynomial"])
def test_no_data_no_estimate(kind: str) -> None:
    frame = Frame(T, own=np.full((N, 3), np.nan))
    found = Interpolation(kind).estimate(frame, np.zeros((N, 3), bool), INDEX)
    assert np.isnan(found).all()


def orbiting() -> Frame:
    angle = 2 * np.pi * (T - T[0]) / 5637.3
    own = np.stack([np.sin(angle), np.cos(2 * angle), np.sin(3 * angle + 1)], axis=1)
    return Frame(T, own=own, latitude_argument=angle % (2 * np.pi))


def test_previous_orbit_is_exact_on_what_repeats() -> None:
    frame = orbiting()
    masked, visible = hide(frame)
    found = PreviousOrbit().estimate(masked, visible, INDEX)
    # linear between samples 10 s apart: (3 * 2 pi / 5637)^2 * 10^2 / 8
    np.testing.assert_allclose(found, frame.own[GAP], atol=2e-4)


def test_previous_orbit_weighs_by_closeness() -> None:
    frame = orbiting()
    turn = np.floor((T - T[0]) / 5637.3)
    frame = Frame(**(frame.arrays() | {"own": np.tile(turn[:, None], 3)}))
    visible = np.ones((N, 3), dtype=bool)
    # revolutions 2 and 3 are hidden: revolution 2 sees 1 (1 back) and 4 (2 ahead)
    hidden = (turn == 2) | (turn == 3)
    visible[hidden] = False
    index = np.flatnonzero(turn == 2)[100:-100]
    found = PreviousOrbit().estimate(frame, visible, index)
    np.testing.assert_allclose(found, (1 * 1 + 4 * 0.5) / 1.5)


def test_previous_orbit_without_an_orbit_says_nothing() -> None:
    frame = made(1)
    found = PreviousOrbit().estimate(frame, np.ones((N, 3), bool), INDEX)
    assert np.isnan(found).all()


def test_what_the_data_allow() -> None:
    training = np.ones(N, dtype=bool)
    bare = default_baselines([(made(1), training)])
    edges = ["hold", "linear", "cubic", "polynomial", "ar"]
    assert list(bare) == [*edges, "ridge"]
    frame = orbiting()
    orbit = default_baselines([(frame, training)])
    assert list(orbit) == [*edges, "previous_orbit", "harmonic", "ridge"]
    both = Frame(**(frame.arrays() | {"donor": frame.own * 1e-8}))
    assert tuple(default_baselines([(both, training)])) == BASELINES
    assert list(default_baselines([(both, training)], names=["ar"])) == ["ar"]


def test_every_method_has_a_flag() -> None:
    assert {n: METHOD_CODES[n] for n in ("lstm", "transplant", "linear")} == {
        "lstm": 1,
        "transplant": 2,
        "linear": 3,
    }
    assert METHOD_CODES["harmonic"] == 4
    assert METHOD_CODES["none"] == 5
    assert set(BASELINES) < set(METHOD_CODES)
