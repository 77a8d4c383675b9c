"""Series without noise, of one value, or a twin of zeros: every method still fills."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.baselines.base import default_baselines
from gracelstm_xr.baselines.start import SINGLE, TWIN
from gracelstm_xr.baselines.startfit import TrackFit
from gracelstm_xr.physics.frames import Frame

N = 3 * 8640
T = 43_200.0 * 14_001 + 10.0 * np.arange(N)
ANGLE = 2 * np.pi * (T - T[0]) / 5640.0
GAP = slice(12_000, 12_500)
INDEX = np.arange(GAP.start, GAP.stop)

#: What stands on the x axis of the recipient, the other two being ordinary [m s-2].
QUIET = {
    "constant": np.full(N, 1e-6),
    "zero": np.zeros(N),
    "tiny": np.full(N, 1e-300),
    "sine": 1e-6 + 4e-8 * np.sin(ANGLE),
    "ramp": 1e-6 + 1e-13 * (T - T[0]),
    "step": np.where(np.arange(N) < 6000, 1e-6, 2e-6),
    "two values": 1e-6 + 1e-12 * (np.arange(N) % 2),
}


def ordinary(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(scale=2e-10, size=(N, 3))
    return noise + 4e-8 * np.sin(ANGLE)[:, None] + np.array([5e-7, -1e-5, 8e-7])


def frame_of(x: np.ndarray, donor: np.ndarray) -> Frame:
    own = ordinary(1)
    own[:, 0] = x
    return Frame(
        T,
        own=own,
        donor=donor,
        lag=np.full(N, 25.0),
        latitude_argument=ANGLE % (2 * np.pi),
        shadow=np.ones(N),
        sun=np.zeros((N, 3)),
        own_thrust=np.zeros((N, 6)),
        donor_thrust=np.zeros((N, 6)),
        firing=np.full(N, np.inf),
    )


CASES = {name: frame_of(x, ordinary(2)) for name, x in QUIET.items()} | {
    "donor of zeros": frame_of(ordinary(1)[:, 0], np.zeros((N, 3))),
    "donor of the same": frame_of(ordinary(1)[:, 0], ordinary(1)),
    "all of one value": Frame(
        T, own=np.full((N, 3), 1e-6), donor=np.full((N, 3), 1e-6), lag=np.full(N, 25.0),
        latitude_argument=ANGLE % (2 * np.pi),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_method_has_an_estimate(case: str) -> None:
    frame = CASES[case]
    visible = np.ones((N, 3), dtype=bool)
    visible[GAP] = False
    methods = default_baselines([(frame, visible.all(axis=1))])
    for name, method in methods.items():
        found = method.estimate(frame, visible, INDEX)
        assert np.isfinite(found).all(), name
        off = np.abs(found - frame.own[GAP]).max(axis=0)
        assert (off < 2e-6).all(), (name, off)


@pytest.mark.parametrize("name", [TWIN, SINGLE])
@pytest.mark.parametrize("case", CASES)
def test_every_network_has_a_start(case: str, name: str) -> None:
    frame = CASES[case]
    fit = TrackFit(name, step=10.0)
    fit.add(frame, np.ones(N, dtype=bool))
    track = fit.finish()
    visible = np.ones((N, 3), dtype=bool)
    visible[GAP] = False
    start = track.start(track.view(frame), visible, errors=True)
    found = start.smooth + start.slow
    assert np.isfinite(found).all()
    assert np.isfinite(start.sigma).all()
    assert (np.abs(found - frame.own)[GAP].max(axis=0) < 2e-6).all()
