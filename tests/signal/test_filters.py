"""Filters, interpolation and interval sums against brute force and closed formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from gracelstm_xr.signal import filters


def response(taps: np.ndarray, frequency: np.ndarray, step: float) -> np.ndarray:
    n = np.arange(len(taps)) - len(taps) // 2
    return np.cos(2 * np.pi * np.outer(frequency, n) * step) @ taps


@pytest.mark.parametrize(("ratio", "reach"), [(5, 20), (10, 84), (30, 377)])
def test_frequency_response(ratio: int, reach: int) -> None:
    taps = filters.anti_alias(1.0, ratio)
    rate = 1.0 / ratio
    edge = min(0.035, 0.4 * rate)
    passed = response(taps, np.linspace(0, edge, 400), 1.0)
    # whatever is above aliases into the pass band
    stopped = response(taps, np.linspace(rate - edge, 0.5, 4000), 1.0)
    assert np.abs(passed - 1).max() < 2e-4
    assert np.abs(stopped).max() < 2e-4
    assert taps.sum() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_array_equal(taps, taps[::-1])
    assert abs(len(taps) // 2 - reach) <= 2


def brute(
    x: np.ndarray, taps: np.ndarray, first: int, ratio: int, missing: float
) -> np.ndarray:
    half = len(taps) // 2
    rows = []
    for centre in range(first, len(x), ratio):
        place = centre + np.arange(-half, half + 1)
        value = np.array(
            [x[i] if 0 <= i < len(x) else np.nan for i in place], dtype=float
        )
        good = np.isfinite(value)
        lost = np.abs(taps[~good]).sum() / np.abs(taps).sum()
        fine = np.isfinite(x[centre]) and lost <= missing
        total = np.sum(taps[good] * value[good]) / taps[good].sum()
        rows.append(total if fine else np.nan)
    return np.array(rows)


@pytest.mark.parametrize("missing", [0.0, 1e-3, 0.1])
def test_low_pass_around_holes_is_what_the_definition_says(missing: float) -> None:
    rng = np.random.default_rng(1)
    x = 3e-5 + 1e-8 * rng.standard_normal((900, 2))
    x[300:303, 0] = np.nan
    x[500, 1] = np.nan
    x[700:760] = np.nan
    taps = filters.anti_alias(1.0, 10)
    found = filters.low_pass(x, taps, 4, 10, missing=missing)
    expected = np.stack([brute(c, taps, 4, 10, missing) for c in x.T], axis=1)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_upsample_keeps_the_nodes_and_the_band() -> None:
    t = np.arange(0.0, 20_000.0, 10.0)
    fine = np.arange(0.0, t[-1] + 1)

    def signal(x: np.ndarray) -> np.ndarray:
        parts = [
            np.sin(2 * np.pi * f * x + k) for k, f in enumerate((2e-4, 0.01, 0.03))
        ]
        return np.stack([sum(parts), parts[2], parts[1]], axis=1)

    inner = slice(200, -200)
    for options, worst in (({}, 2.5e-3), ({"reach": 12, "shape": 10.5}, 2e-5)):
        found = filters.upsample(signal(t), 10, **options)
        np.testing.assert_array_equal(found[::10], signal(t))
        assert np.abs(found - signal(fine))[inner].max() < worst


def test_upsample_goes_on_straight_at_the_ends() -> None:
    line = np.arange(30.0)[:, None] * 3
    found = filters.upsample(line, 5)[:, 0]
    np.testing.assert_allclose(found, np.arange(146) * 0.6, atol=0.02)


def test_upsample_of_a_single_node() -> None:
    assert filters.upsample(np.ones((1, 3)), 10).tolist() == [[1.0, 1.0, 1.0]]


def test_polynomials_between_nodes_are_exact_for_polynomials() -> None:
    x = np.arange(20.0)
    coefficients = np.random.default_rng(0).standard_normal(8) / 10.0 ** np.arange(8)
    found = filters.between_nodes(np.polyval(coefficients[::-1], x)[:, None], 6)[:, 0]
    fine = np.arange(19 * 6 + 1) / 6
    np.testing.assert_allclose(found, np.polyval(coefficients[::-1], fine), rtol=1e-9)


def test_an_orbit_between_nodes_every_30_s() -> None:
    fine = np.arange(0.0, 5601.0)
    angle = 2 * np.pi / 5600 * fine
    orbit = 6.85e6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    error = np.abs(filters.between_nodes(orbit[::30], 30) - orbit[: 186 * 30 + 1])
    assert error[120:-120].max() < 1e-6
    assert error.max() < 1e-4


def test_attitude_between_nodes_is_slerp() -> None:
    turns = Rotation.random(6, random_state=3)
    scalar_last = turns.as_quat()
    scalar_first = scalar_last[:, [3, 0, 1, 2]]
    found = filters.between_attitudes(scalar_first, 5)
    fine = np.arange(26) / 5
    expected = Slerp(np.arange(6), turns)(fine).as_quat()[:, [3, 0, 1, 2]]
    same = np.abs(np.sum(found * expected, axis=1))
    np.testing.assert_allclose(same, 1.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-12)
    still = np.tile(scalar_first[:1], (3, 1))
    found = filters.between_attitudes(still, 4)
    np.testing.assert_allclose(found, np.tile(still[0], (9, 1)), rtol=1e-14)


def test_sign_changes_look_past_holes_but_not_far() -> None:
    q = np.tile([1.0, 0.0, 0.0, 0.0], (12, 1))
    q[3:] *= -1
    q[5:7] = np.nan
    q[7:] *= -1
    assert filters.sign_changes(q, reach=3).tolist() == [
        1, 1, 1, -1, 1, 1, 1, -1, 1, 1, 1, 1,
    ]  # fmt: skip
    assert filters.sign_changes(q, reach=2)[7] == 1


@pytest.mark.parametrize("ratio", [4, 5])
def test_intervals_hold_every_sample_once(ratio: int) -> None:
    x = np.arange(1.0, 34.0)
    found = filters.reduce_intervals(x, 2, ratio, how="sum")
    centres = range(2, 33, ratio)
    low = [max(c - ratio // 2, 0) for c in centres]
    high = [c - ratio // 2 + ratio for c in centres]
    expected = [x[a:b].sum() for a, b in zip(low, high, strict=True)]
    assert found.tolist() == expected
    bits = (1 << (np.arange(33) % 8)).astype(np.uint8)
    flags = filters.reduce_intervals(bits, 2, ratio, how="or")
    assert flags.tolist() == [
        int(np.bitwise_or.reduce(bits[a:b])) for a, b in zip(low, high, strict=True)
    ]
    x[10:20] = np.nan
    largest = filters.reduce_intervals(x, 2, ratio, how="largest")
    wanted = [
        np.nanmax(x[a:b]) if np.isfinite(x[a:b]).any() else np.nan
        for a, b in zip(low, high, strict=True)
    ]
    np.testing.assert_array_equal(largest, wanted)
