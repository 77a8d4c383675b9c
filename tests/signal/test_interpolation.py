"""Interpolation between nodes at absolute times, and the running mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gracelstm_xr.physics.localmean import DAYS, local_mean, local_sums
from gracelstm_xr.signal.interpolation import (
    cubic,
    hermite,
    lagrange,
    linear,
    nodes_around,
)

T = 600_000_003.0 + np.arange(400.0)
DAY = 86_400


def polynomial(t: np.ndarray, degree: int) -> np.ndarray:
    return sum(((t - T[0]) / 100.0) ** k for k in range(degree + 1))


def test_nodes_stand_at_multiples() -> None:
    assert nodes_around(T, 30.0)[[0, -1]].tolist() == [600_000_000.0, 600_000_420.0]
    assert nodes_around(T, 30.0, margin=1)[0] == 599_999_970.0


def test_orders_of_the_rules() -> None:
    nodes = nodes_around(T, 10.0, margin=1)
    np.testing.assert_allclose(
        linear(T, nodes, polynomial(nodes, 1)), polynomial(T, 1), rtol=1e-12
    )
    np.testing.assert_allclose(
        cubic(T, nodes, polynomial(nodes, 3)), polynomial(T, 3), rtol=1e-12
    )
    x = (nodes - T[0]) / 100.0
    rates = (1 + 2 * x + 3 * x**2) / 100.0
    np.testing.assert_allclose(
        hermite(T, nodes, polynomial(nodes, 3), rates), polynomial(T, 3), rtol=1e-12
    )
    series = polynomial(T, 3)[:, None]
    query = T[2:-3] + 0.37
    np.testing.assert_allclose(
        lagrange(series, T, query)[:, 0], polynomial(query, 3), rtol=1e-11
    )


def test_an_angle_passes_its_period() -> None:
    nodes = nodes_around(T, 10.0)
    rate = 2 * np.pi / 97.0
    found = hermite(
        T,
        nodes,
        rate * nodes % (2 * np.pi),
        np.full(len(nodes), rate),
        period=2 * np.pi,
    )
    away = (found - rate * T + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(away).max() < 1e-6
    assert found.min() >= 0


def test_lines_beside_a_missing_node() -> None:
    nodes = nodes_around(T, 10.0, margin=1)
    values = polynomial(nodes, 1)
    values[10] = np.nan
    found = cubic(T, nodes, values)
    missing = (nodes[9] <= T) & (nodes[11] > T)
    np.testing.assert_allclose(found[~missing], polynomial(T, 1)[~missing], rtol=1e-12)
    assert np.isnan(found[missing]).all()


@pytest.mark.parametrize("step", [1.0, 5.0, 0.1, 7.3])
def test_last_bit_does_not_depend_on_the_start(step: float) -> None:
    t = 600_000_000.0 + step * np.arange(2000)
    values = np.random.default_rng(0).normal(size=(2000, 2))
    query = t[500:1500] + 28.8 * step * np.sin(t[500:1500] / 900)
    for a, b in ((0, 2000), (137, 1999), (402, 1603)):
        np.testing.assert_array_equal(
            lagrange(values, t, query), lagrange(values[a:b], t[a:b], query)
        )


def test_few_samples_are_too_few() -> None:
    assert np.isnan(lagrange(np.ones((3, 1)), T[:3], T[:3])).all()


def accelerations(ds: Any) -> Any:
    return ds["lin_accl"].sel(satellite="A").transpose("time", "axis")


def mean_of(ds: Any, block: slice, t: np.ndarray) -> np.ndarray:
    import dask

    (sums,) = dask.compute(local_sums(accelerations(ds), ds)(block))
    return local_mean(t, sums)


def test_running_mean_by_hand(make_grid: Any) -> None:
    """Noon of day 8 of 16: the mean of the eleven days around it."""
    ds = make_grid(start="2008-01-01", size=16 * 1440).isel(axis=slice(0, 3))
    ds = ds.assign_coords(time=ds["time"].values[0] + np.arange(16 * 1440) * 60 * 10**9)
    ds["lin_accl"][:, 5000:5100] = np.nan
    ds["lin_accl"][:, 6000, 0] = 5.0
    day = 7
    start = float((np.datetime64("2008-01-08T12") - np.datetime64("2000-01-01T12"))
                  / np.timedelta64(1, "s"))  # fmt: skip
    found = mean_of(ds, slice(0, 16 * 1440), np.array([start, start + 43_200.0]))
    part = accelerations(ds).values
    part[6000, 0] = np.nan
    expected = [
        np.nanmean(part[(d - DAYS) * 1440 : (d + DAYS + 1) * 1440], axis=0)
        for d in (day, day + 1)
    ]
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    np.testing.assert_allclose(found[1], np.mean(expected, axis=0), rtol=1e-9)


def test_running_mean_is_exact(make_grid: Any) -> None:
    ds = make_grid(size=3 * DAY)
    t = 252_417_600.0 + np.arange(DAY, dtype=float)
    block = slice(DAY, 2 * DAY)
    whole = mean_of(ds, block, t)
    for chunks in (DAY, 100_000, 40_000):
        np.testing.assert_array_equal(mean_of(ds.chunk(time=chunks), block, t), whole)


def test_running_mean_of_nothing(make_grid: Any) -> None:
    ds = make_grid(size=1000)
    ds["lin_accl"][:] = np.nan
    assert np.isnan(mean_of(ds, slice(0, 1000), 252_417_600.0 + np.arange(9.0))).all()
