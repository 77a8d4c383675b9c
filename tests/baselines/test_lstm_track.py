"""The start of a network: the same bits wherever time is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gracelstm_xr.baselines.start import CONTEXT, SINGLE, TWIN, Track
from gracelstm_xr.baselines.startfit import TrackFit
from gracelstm_xr.physics.frames import Frame

DAYS = 12
N = DAYS * 8640
START = 43_200.0 * 14_001
T = START + 10.0 * np.arange(N)
HIDDEN = slice(50_000, 51_200)


def made() -> Frame:
    """Two satellites in the same signal, each with a wandering bias."""
    rng = np.random.default_rng(5)
    angle = 2 * np.pi * (T - T[0]) / 5640.0
    kernel = np.hanning(60) / np.hanning(60).sum()

    def smooth(scale: float) -> np.ndarray:
        return scale * np.stack(
            [np.convolve(c, kernel, "same") for c in rng.normal(size=(3, N))], axis=1
        )

    def wander() -> np.ndarray:
        knots = np.arange(0, N + 4320, 4320)
        walk = np.cumsum(2e-9 * rng.normal(size=(len(knots), 3)), axis=0)
        return np.stack([np.interp(np.arange(N), knots, c) for c in walk.T], axis=1)

    signal = smooth(1e-7) + 2e-8 * np.cos(angle)[:, None]
    own = 0.9 * signal + wander() + smooth(2e-9) + np.array([5e-7, -1e-5, 8e-7])
    return Frame(
        T,
        own=own,
        donor=signal + wander() + smooth(2e-9),
        lag=np.full(N, 25.0),
        latitude_argument=angle % (2 * np.pi),
        own_thrust=np.abs(rng.normal(size=(N, 6))),
    )


@pytest.fixture(scope="module")
def frame() -> Frame:
    return made()


def learnt(frame: Frame, name: str, days: int) -> Track:
    fit = TrackFit(name, step=10.0)
    for low in range(0, 4 * 8640, days * 8640):
        part = frame.take(slice(low, low + days * 8640))
        fit.add(part, np.ones(len(part), dtype=bool))
    return fit.finish()


@pytest.fixture(scope="module")
def tracks(frame: Frame) -> dict[str, Track]:
    return {name: learnt(frame, name, 4) for name in (TWIN, SINGLE)}


def visible_of(frame: Frame) -> np.ndarray:
    visible = np.ones((len(frame), 3), dtype=bool)
    visible[HIDDEN] = False
    visible[52_000:52_030, 1] = False
    return visible


@pytest.mark.parametrize("days", [1, 2])
def test_cut_of_stretches_changes_nothing(
    frame: Frame, tracks: dict[str, Track], days: int
) -> None:
    for name, track in tracks.items():
        other = learnt(frame, name, days)
        np.testing.assert_array_equal(track.regression.mean, other.regression.mean)
        np.testing.assert_array_equal(
            track.regression.penalty, other.regression.penalty
        )
        np.testing.assert_array_equal(track.slow.level, other.slow.level)
        np.testing.assert_array_equal(track.slow.drift.power, other.slow.drift.power)
        np.testing.assert_array_equal(track.slow.drift.noise, other.slow.drift.noise)
        np.testing.assert_array_equal(
            track.repeating.revolution, other.repeating.revolution
        )
        np.testing.assert_allclose(track.donor_scale, other.donor_scale, rtol=1e-12)


@pytest.mark.parametrize("shift", [0, 1, 1000, 4321])
@pytest.mark.parametrize("name", [TWIN, SINGLE])
def test_start_does_not_depend_on_where_time_is_cut(
    frame: Frame, tracks: dict[str, Track], name: str, shift: int
) -> None:
    track = tracks[name]
    seen, visible = track.view(frame), visible_of(frame)
    within = (float(T[HIDDEN][0]), float(T[HIDDEN][-1]))
    whole = track.start(seen, visible, errors=True)
    pad = round(CONTEXT / 10.0) + shift
    low, high = max(HIDDEN.start - pad, 0), min(HIDDEN.stop + pad, N)
    assert (low, high) != (0, N)
    cut, back = slice(low, high), slice(HIDDEN.start - low, HIDDEN.stop - low)
    part = track.start(seen.take(cut), visible[cut], within=within, errors=True)
    for one, other in (
        (part.smooth, whole.smooth),
        (part.slow, whole.slow),
        (part.sigma, whole.sigma),
    ):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one[back], other[HIDDEN])


def test_the_gap_is_filled(frame: Frame, tracks: dict[str, Track]) -> None:
    error = {}
    for name, track in tracks.items():
        start = track.start(track.view(frame), visible_of(frame))
        left = (start.smooth + start.slow - frame.own)[HIDDEN]
        error[name] = np.sqrt(np.mean(left**2, axis=0))
    assert (error[TWIN] < 4e-9).all()
    assert (error[TWIN] < 0.5 * error[SINGLE]).all()


def test_single_sees_nothing_of_the_donor(
    frame: Frame, tracks: dict[str, Track]
) -> None:
    wild = replace(frame, donor=frame.donor + 1.0, donor_thrust=np.ones((N, 6)))
    track = tracks[SINGLE]
    a, b = (track.start(track.view(f), visible_of(frame)) for f in (frame, wild))
    np.testing.assert_array_equal(a.smooth + a.slow, b.smooth + b.slow)


def test_without_any_data_the_training_speaks(
    frame: Frame, tracks: dict[str, Track]
) -> None:
    none = np.zeros((N, 3), dtype=bool)
    for track in tracks.values():
        start = track.start(track.view(frame), none, errors=True)
        assert start.sigma is not None
        level = start.slow / 1e-9 - track.slow.level
        # what is taken back of the twin's wandering bias remains
        np.testing.assert_allclose(level, 0, atol=1e-5 if track.name == SINGLE else 20)
        for theta in start.coefficients.values():
            np.testing.assert_array_equal(theta, track.regression.mean)


def test_no_training_data_give_a_track_that_says_nothing() -> None:
    fit = TrackFit(SINGLE, step=10.0)
    fit.add(Frame(T[:600], own=np.full((600, 3), np.nan)), np.ones(600, dtype=bool))
    track = fit.finish()
    assert np.isfinite(track.residual_scale).all()
    assert (track.residual_scale > 0).all()
