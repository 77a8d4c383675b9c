"""Channels and windows, against loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gracelstm_xr.lstm.channels import (
    Channels,
    channel_names,
    make_channels,
    static_channels,
    window_batch,
    window_starts,
)
from gracelstm_xr.physics.frames import Frame

RNG = np.random.default_rng(0)


def channels(n: int, features: int = 4) -> Channels:
    return Channels(
        RNG.normal(size=(n, features)).astype("f4"),
        RNG.normal(size=(n, 3)).astype("f4"),
        (RNG.random((n, 3)) > 0.5).astype("f4"),
    )


@given(
    st.integers(1, 30),
    st.integers(1, 12),
    st.lists(st.integers(-15, 40), min_size=1, max_size=5),
)
def test_windows_are_what_a_loop_cuts(n: int, window: int, starts: list[int]) -> None:
    made = channels(n)
    found = window_batch(made, np.array(starts), window)
    assert found.shape == (len(starts), window, 10)
    assert found.dtype == np.float32
    for w, start in enumerate(starts):
        for i in range(window):
            at = start + i
            if 0 <= at < n:
                row = [
                    *(made.residual[at] * made.visible[at]),
                    *made.visible[at],
                    *made.static[at],
                ]
            else:
                row = [0.0] * 10
            assert found[w, i].tolist() == row


@given(
    st.lists(st.booleans(), min_size=1, max_size=80),
    st.integers(0, 10_000),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_every_wanted_step_is_covered(
    wanted: list[bool], first: int, window: int, stride: int
) -> None:
    stride = min(stride, window)
    mask = np.array(wanted)
    starts = window_starts(mask, first, window, stride)
    covered = np.zeros(len(mask), dtype=int)
    for start in starts:
        part = slice(max(start, 0), start + window)
        assert mask[part].any()
        covered[part] += 1
    assert (covered[mask] >= 1).all()
    assert ((starts + first) % stride == 0).all()


@given(
    st.lists(st.booleans(), min_size=30, max_size=80),
    st.integers(0, 1000),
    st.integers(0, 25),
)
def test_starts_do_not_depend_on_where_the_array_starts(
    wanted: list[bool], first: int, cut: int
) -> None:
    mask = np.array(wanted)
    mask[:cut] = False
    whole = window_starts(mask, first, 12, 4) + first
    part = window_starts(mask[cut:], first + cut, 12, 4) + first + cut
    np.testing.assert_array_equal(whole, part)


def full_frame(n: int = 400) -> Frame:
    t = 86_400.0 * 3000 + 10.0 * np.arange(n)
    wave = np.sin(np.arange(n)[:, None] / [10, 20, 30])
    return Frame(
        t,
        own=1e-8 * wave,
        donor=2e-8 * wave,
        lag=np.full(n, -28.0),
        latitude_argument=np.linspace(0, 5, n),
        shadow=np.ones(n),
        sun=wave,
        own_thrust=np.ones((n, 6)),
        donor_thrust=np.zeros((n, 6)),
    )


def test_every_channel_has_a_name() -> None:
    frame = full_frame()
    for drop in ((), ("donor", "donor_thrust", "lag"), ("latitude_argument", "sun")):
        some = Frame(**{k: v for k, v in frame.arrays().items() if k not in drop})
        made = static_channels(some, np.full(3, 2e-8))
        assert made.shape == (400, len(channel_names(some)))
        assert np.isfinite(made).all()


def test_channels_hold_what_their_names_say() -> None:
    frame = full_frame()
    names = channel_names(frame)
    made = static_channels(frame, np.full(3, 2e-8))
    column = {name: made[:, i] for i, name in enumerate(names)}
    wave = np.sin(np.arange(400) / 10)
    np.testing.assert_allclose(column["donor_x"], wave, atol=1e-6)
    np.testing.assert_allclose(column["donor_before_x"][3:], wave[:-3], atol=1e-6)
    np.testing.assert_allclose(column["donor_after_x"][:-3], wave[3:], atol=1e-6)
    np.testing.assert_allclose(
        column["donor_detail_x"][3:-3],
        10 * (wave[3:-3] - (wave[:-6] + wave[6:]) / 2),
        atol=1e-5,
    )
    u = np.linspace(0, 5, 400)
    np.testing.assert_allclose(column["sin_2u"], np.sin(2 * u), atol=1e-6)
    np.testing.assert_allclose(column["own_thrust_3"], 0.2, atol=1e-6)
    assert (column["leads"] == -1).all()
    assert column["sin_day"][0] == 0
    assert column["cos_day"][0] == 1


def test_a_missing_donor_is_zero_and_said_to_be() -> None:
    frame = full_frame()
    assert frame.donor is not None
    frame.donor[100:150] = np.nan
    made = static_channels(frame, np.full(3, 2e-8))
    names = channel_names(frame)
    known = made[:, names.index("donor_known")]
    np.testing.assert_array_equal(known[100:150], 0)
    np.testing.assert_array_equal(known[150:], 1)
    np.testing.assert_array_equal(made[100:150, names.index("donor_y")], 0)


def test_residuals_are_scaled_clipped_and_masked() -> None:
    own = np.array([[2e-9, 1e-6, np.nan], [0.0, 0.0, 0.0]])
    visible = np.array([[True, True, True], [False, True, True]])
    made = make_channels(
        np.zeros((2, 1), "f4"), own, np.zeros((2, 3)), visible, np.full(3, 1e-9)
    )
    assert made.residual.tolist() == [[2.0, 20.0, 0.0], [0.0, 0.0, 0.0]]
    assert made.visible.tolist() == [[1, 1, 0], [0, 1, 1]]
