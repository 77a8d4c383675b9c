"""The Level-1B low-pass against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from gracelstm_xr.signal.lowpass import HALF_WINDOW, WINDOW, crn_filter


def gain(frequency: float) -> float:
    response = crn_filter(0.5)
    n = np.arange(len(response)) - len(response) // 2
    return float(np.sum(response * np.cos(2 * np.pi * frequency * n * 0.5)) * 0.5)


def test_low_pass_is_a_box_convolved_seven_times() -> None:
    # 1407 samples of 0.1 s: seven boxes of 201, shifted to 11 bands of 1 / 140.7 s
    box, window = np.ones(201), np.ones(1)
    for _ in range(7):
        window = np.convolve(window, box)
    n = np.arange(len(window)) - len(window) // 2
    bands = np.cos(2 * np.pi * np.outer(n, np.arange(-5, 6)) / 1407).sum(axis=1)
    expected = (window * bands)[np.abs(n) <= 700]
    found = crn_filter(0.1)
    middle = len(found) // 2
    np.testing.assert_allclose(
        found[middle - 700 : middle + 701] * 0.1, expected / expected.sum(), atol=1e-9
    )


def test_low_pass_passes_the_band_and_stops_above() -> None:
    assert gain(0.0) == pytest.approx(1.0, abs=1e-12)
    assert gain(0.01) == pytest.approx(1.0, abs=3e-3)
    # half way down at the edge of the last band, 5.5 / 140.7 s
    assert gain(5.5 / 140.7) == pytest.approx(0.5, abs=0.02)
    assert max(abs(gain(f)) for f in np.arange(0.09, 0.45, 0.007)) < 1e-3


def test_low_pass_is_as_long_as_its_window_and_symmetric() -> None:
    response = crn_filter(1.0)
    assert len(response) == 2 * HALF_WINDOW + 1 == int(WINDOW) + 1
    np.testing.assert_allclose(response, response[::-1], atol=1e-15)
    late = crn_filter(1.0, delay=0.5)
    n = np.arange(len(late)) - len(late) // 2
    assert np.sum(late * n) == pytest.approx(0.5, abs=1e-6)
