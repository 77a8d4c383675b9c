"""A series from overlapping windows, against a loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from gracelstm_xr.lstm.channels import Channels, Windows, window_starts
from gracelstm_xr.lstm.predict import predict_steps

Array32 = npt.NDArray[np.float32]


def channels(n: int) -> Channels:
    rng = np.random.default_rng(n)
    return Channels(
        rng.normal(size=(n, 4)).astype("f4"),
        rng.normal(size=(n, 3)).astype("f4"),
        (rng.random((n, 3)) > 0.5).astype("f4"),
    )


def output(track: str, windows: Windows | Array32) -> Array32:
    """Differs with a step's place in its window, as a network's does."""
    assert track == "twin"
    cut = windows[:]
    assert windows.shape == cut.shape
    place = np.arange(cut.shape[1], dtype=np.float32)
    return np.asarray(np.cumsum(cut[:, :, 4:7] + place[:, None], axis=1))


@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.integers(0, 1000),
    st.integers(1, 13),
)
def test_windows_are_averaged(wanted: list[bool], first: int, window: int) -> None:
    needed, made = np.array(wanted), channels(len(wanted))
    found = predict_steps(made, needed, first, "twin", output, window)
    starts = window_starts(needed, first, window, max(window // 2, 1))
    values = output("twin", Windows(made, starts, window))
    middle = (window - 1) / 2
    for i in np.flatnonzero(needed):
        parts = [
            (1 - abs(i - start - middle) / (window / 2 + 1), each[i - start])
            for start, each in zip(starts, values, strict=True)
            if 0 <= i - start < window
        ]
        weight = sum(w for w, _ in parts)
        expected = sum(w * v for w, v in parts) / weight
        np.testing.assert_allclose(found[i], expected, rtol=1e-12)


@given(st.integers(0, 1000), st.integers(2, 13), st.integers(30, 60))
def test_bits_do_not_depend_on_where_the_series_is_cut(
    first: int, window: int, cut: int
) -> None:
    """Where every window that sees a step is whole on both sides."""
    made, needed = channels(120), np.zeros(120, dtype=bool)
    needed[cut + window : -window] = True
    whole = predict_steps(made, needed, first, "twin", output, window)
    parts = (made.static, made.residual, made.visible)
    some = Channels(*(v[cut:] for v in parts))
    part = predict_steps(some, needed[cut:], first + cut, "twin", output, window)
    used = slice(cut + window, 120 - window)
    np.testing.assert_array_equal(part[window:-window], whole[used])


def test_nothing_needed_asks_for_nothing() -> None:
    def never(track: str, windows: Windows | Array32) -> Array32:
        raise AssertionError("nothing was needed")

    found = predict_steps(channels(20), np.zeros(20, dtype=bool), 0, "twin", never, 4)
    assert not found.any()
