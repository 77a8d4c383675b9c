"""Masks and gap tables against brute force."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from gracelstm_xr.core.gaps import (
    edge_distance,
    log_uniform_gaps,
    place_gaps,
    runs,
    tell_of_step,
)
from gracelstm_xr.errors import GraceError, GraceWarning
from gracelstm_xr.preprocess.gaps import find_gaps

MASKS = st.lists(st.booleans(), min_size=1, max_size=60).map(np.array)


def brute_runs(mask: np.ndarray) -> list[tuple[int, int]]:
    found, start = [], None
    for i, value in enumerate([*mask, False]):
        if value and start is None:
            start = i
        if not value and start is not None:
            found.append((start, i))
            start = None
    return found


@given(MASKS)
def test_runs(mask: np.ndarray) -> None:
    assert [tuple(r) for r in runs(mask)] == brute_runs(mask)


@given(MASKS)
def test_edge_distance(missing: np.ndarray) -> None:
    before, after = edge_distance(missing)
    n = len(missing)
    seen = np.flatnonzero(~missing)
    for i in range(n):
        back = [i - s for s in seen if s <= i]
        ahead = [s - i for s in seen if s >= i]
        assert before[i] == (min(back) if back else n + 1)
        assert after[i] == (min(ahead) if ahead else n + 1)
    some = np.arange(n)[::-2]
    np.testing.assert_array_equal(
        edge_distance(missing, some), (before[some], after[some])
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 199), st.integers(1, 40)), max_size=5),
    st.integers(1, 20),
    st.sampled_from([None, 37]),
)
def test_find_gaps(
    make_grid: Any, spans: list[tuple[int, int]], shortest: int, chunk: int | None
) -> None:
    ds = make_grid(size=200, gaps={"B": [(a, a + n) for a, n in spans]})
    if chunk:
        ds = ds.chunk(time=chunk)
    table = find_gaps(ds, min_length=float(shortest))
    missing = np.zeros(200, dtype=bool)
    for a, n in spans:
        missing[a : a + n] = True
    expected = [(a, b) for a, b in brute_runs(missing) if b - a >= shortest]
    seconds = np.timedelta64(1, "s")
    origin = ds["time"].values[0]
    found = [
        (int((a - origin) / seconds), int((b - origin) / seconds))
        for a, b in zip(table["start"].values, table["stop"].values, strict=True)
    ]
    assert found == expected
    assert table["length"].values.tolist() == [float(b - a) for a, b in expected]
    assert set(table["satellite"].values) <= {"B"}


def test_a_sample_is_missing_when_one_axis_is(make_grid: Any) -> None:
    ds = make_grid(size=100)
    ds["lin_accl"][0, 10:15, 1] = np.nan
    table = find_gaps(ds)
    assert table["length"].values.tolist() == [5.0]


def test_an_axis_never_observed_does_not_count(make_grid: Any) -> None:
    ds = make_grid(size=100, satellites="A", gaps={"A": [(3, 7)]})
    ds["lin_accl"][:, :, 1:] = np.nan
    assert find_gaps(ds)["length"].values.tolist() == [4.0]


def test_a_dead_satellite_is_one_gap(make_grid: Any) -> None:
    table = find_gaps(make_grid(size=100, gaps={"B": [(0, 100)]}), min_length="1min")
    assert table["length"].values.tolist() == [100.0]
    assert table["satellite"].values.tolist() == ["B"]


def test_without_accelerations(make_grid: Any) -> None:
    with pytest.raises(GraceError, match="lin_accl"):
        find_gaps(make_grid(size=10).drop_vars("lin_accl"))


@given(MASKS, st.integers(1, 6), st.integers(0, 5), st.integers(1, 4), st.integers(0))
def test_place_gaps(
    allowed: np.ndarray, length: int, margin: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    placed = place_gaps(allowed, length, count=count, margin=margin, rng=rng)
    assert len(placed) <= count
    for a, b in placed:
        assert b - a == length
        assert allowed[a:b].all()
    assert (placed[1:, 0] - placed[:-1, 1] >= margin).all()
    roomy = any(b - a >= length for a, b in brute_runs(allowed))
    assert (len(placed) > 0) == roomy


def test_log_uniform_gaps_have_the_range_and_share_asked_for() -> None:
    rng = np.random.default_rng(0)
    hidden = log_uniform_gaps(400_000, shortest=2, longest=360, fraction=0.3, rng=rng)
    lengths = np.diff(runs(hidden)[:-1], axis=1).ravel()
    assert lengths.min() >= 2
    assert lengths.max() <= 360
    assert hidden.mean() == pytest.approx(0.3, abs=0.05)
    # log-uniform: as many below the geometric mean as above
    assert np.mean(lengths < np.sqrt(2 * 361)) == pytest.approx(0.5, abs=0.05)


def test_log_uniform_gaps_of_one_seed_are_equal() -> None:
    made = [
        log_uniform_gaps(
            5000, shortest=2, longest=90, fraction=0.3, rng=np.random.default_rng(s)
        )
        for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).any()


@pytest.fixture
def apart(make_grid: Any) -> xr.Dataset:
    """An hour of data every 10 s on an axis of 1 s."""
    ds: xr.Dataset = make_grid(size=3600)
    every = np.arange(3600) % 10 == 4
    ds["lin_accl"] = ds["lin_accl"].where(xr.DataArray(every, dims="time"))
    return ds


def test_samples_farther_apart_than_the_axis_are_said(apart: xr.Dataset) -> None:
    ds = apart
    with pytest.warns(GraceWarning, match=r"satellite [AB] every 10 s on an axis of 1"):
        ds.grace.gaps()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ds.isel(time=slice(4, None, 10)).grace.gaps().sizes["gap"] == 0


@pytest.mark.parametrize("verb", ["fill", "transplant", "resample"])
@pytest.mark.parametrize("lazy", [False, True], ids=["memory", "lazy"])
def test_every_verb_says_it(apart: xr.Dataset, verb: str, lazy: bool) -> None:
    ds = apart.chunk(time=1800) if lazy else apart
    call: dict[str, Callable[[], xr.Dataset]] = {
        "fill": lambda: ds.grace.fill(method="linear"),
        "transplant": lambda: ds.grace.transplant(donor="A", recipient="B"),
        "resample": lambda: ds.grace.resample("10s"),
    }
    with pytest.warns(GraceWarning, match=r"every 10 s on an axis of 1 s"):
        call[verb]().compute(scheduler="sync")


def test_few_samples_tell_of_no_step() -> None:
    missing = np.ones(3600, dtype=bool)
    missing[[100, 107]] = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tell_of_step(missing, 1.0)
