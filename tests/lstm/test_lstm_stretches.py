"""Which parts of an archive are visited, and frames of days on disk."""

from __future__ import annotations

import functools
import itertools
import operator
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from gracelstm_xr.filling.fit import load_frame
from gracelstm_xr.filling.prepare import Plan
from gracelstm_xr.lstm.dayframes import DayFrames
from gracelstm_xr.lstm.sampling import PER_EPOCH
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.lstm.stretches import days_of, evenly, joined, stretches, turns
from gracelstm_xr.physics.frames import HALO, Frame, Pair, build_frame, frame_inputs

DAY = 86_400.0
MIDNIGHT = 43_200.0  # GPS seconds count from noon


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 30), st.integers(0, 99))
def test_everything_has_its_turn(count: int, most: int, epochs: int, seed: int) -> None:
    found = turns(count, most=most, epochs=epochs, seed=[seed])
    assert len(found) == epochs
    for epoch in found:
        # read at most once per epoch, and as many as there may be
        assert len(set(epoch)) == len(epoch) == min(most, count)
        assert all(0 <= i < count for i in epoch)
    seen = np.bincount(np.concatenate(found), minlength=count)
    # nothing comes a second time long before the rest came once
    assert seen.max() - seen.min() <= 2 if count > most else seen.min() == epochs
    rounds = epochs * min(most, count) // count
    assert seen.min() >= rounds - 1
    assert turns(count, most=most, epochs=epochs, seed=[seed]) == found


def test_the_first_round_repeats_nothing() -> None:
    found = turns(37, most=8, epochs=4, seed=[1])
    assert len(set(functools.reduce(operator.iadd, found, []))) == 32


@given(st.integers(0, 5 * 86_400), st.integers(600, 40 * 86_400))
def test_stretches_cover_a_span_and_stand_at_absolute_times(
    start: int, length: int
) -> None:
    span = (3000 * DAY + start, 3000 * DAY + start + length)
    found = stretches(span, 100_000.0)
    assert found[0].core[0] == span[0]
    assert found[-1].core[1] == span[1]
    for one, two in itertools.pairwise(found):
        assert one.core[1] == two.core[0]
        assert (one.core[1] - MIDNIGHT) % (4 * DAY) == 0
    for one in found:
        assert 0 < one.core[1] - one.core[0] <= 4 * DAY
        # context never leaves the span: it would be of another part of the split
        assert span[0] <= one.wide[0] <= one.core[0]
        assert one.core[1] <= one.wide[1] <= span[1]
    assert joined(s.core for s in found) == [span]


def test_days_are_numbered_from_gps_midnight() -> None:
    # 2008-01-01 is 2921 days after 2000-01-02
    first = 2921 * DAY + MIDNIGHT
    assert days_of([(first, first + DAY)]) == {2921}
    assert days_of([(first - 1, first + DAY + 1)]) == {2920, 2921, 2922}


def test_an_epoch_does_not_grow_with_the_archive() -> None:
    settings = Settings(epochs=3)
    for days in (20, 400, 4000):
        split = Split.of(MIDNIGHT, MIDNIGHT + days * DAY, settings)
        plan = Plan.of(split)
        assert len(plan.sample) <= 8
        assert len(plan.validation) <= 4
        # three epochs of stretches of 4 days with context, and the sample
        assert len(plan.days(settings)) <= (3 * PER_EPOCH + 12) * 12
        spans = [*(s.wide for s in plan.training), *(s.wide for s in plan.validation)]
        assert max(b for _, b in spans) <= split.validation[1]
        assert max(s.wide[1] for s in plan.training) <= split.train[1]


def test_evenly_keeps_both_ends() -> None:
    assert evenly(range(100), 5) == [0, 25, 50, 74, 99]
    assert evenly([3, 4], 5) == [3, 4]


@pytest.fixture(scope="module")
def pair(twin: xr.Dataset) -> Pair:
    return Pair("B", "A", (1.2e-6, -2.85e-5, 5.3e-7))


def test_frames_come_back(twin: xr.Dataset, pair: Pair, tmp_path: Path) -> None:
    frames = DayFrames(tmp_path / "days", 10.0)
    both = [pair, Pair("A", "B", (5.5e-7, -9.4e-6, 8.2e-7))]
    frames.build(twin, both, {2921, 2922})
    names = sorted(p.name for p in frames.folder.iterdir())
    assert names == [f"{s}-00{d}.npz" for s in "AB" for d in (2921, 2922)]
    first = 2921 * DAY + MIDNIGHT
    found = frames.load("B", (first + 3605.0, first + 1.5 * DAY))
    assert found is not None
    assert found.t[0] == first + 3610.0
    assert found.t[-1] == first + 1.5 * DAY - 10.0
    # against a frame of the whole at once, 1 Hz
    inputs = {k: v.values for k, v in frame_inputs(twin, pair).items()}
    t = first + np.arange(2 * 86_400.0)
    whole = build_frame(t, inputs, pair).take(slice(3610, 129_600, 10))
    assert set(found.arrays()) == set(whole.arrays())
    for name, values in whole.arrays().items():
        got = found.arrays()[name]
        if name in ("t", "own", "donor"):
            np.testing.assert_allclose(got, values, rtol=0, atol=1e-18, err_msg=name)
        else:
            np.testing.assert_allclose(got, values, rtol=1e-6, atol=2e-6, err_msg=name)
    assert frames.load("B", (first + 3 * DAY, first + 4 * DAY)) is None


def test_frames_are_the_same_on_any_chunks(
    twin: xr.Dataset, pair: Pair, tmp_path: Path
) -> None:
    contents = []
    for number, chunks in enumerate((-1, 86_400, 30_001)):
        frames = DayFrames(tmp_path / str(number), 10.0)
        with dask.config.set(scheduler=("threads", "sync", "threads")[number]):
            frames.build(twin.chunk(time=chunks), [pair], {2921, 2922})
        contents.append([p.read_bytes() for p in sorted(frames.folder.iterdir())])
    assert contents[0] == contents[1] == contents[2]


def test_frames_there_are_not_made_again(
    twin_lazy: xr.Dataset, pair: Pair, tmp_path: Path
) -> None:
    frames = DayFrames(tmp_path, 10.0)
    frames.build(twin_lazy, [pair], {2921})
    stamp = (tmp_path / "B-002921.npz").stat().st_mtime_ns
    with dask.config.set(scheduler=_refuse):
        frames.build(twin_lazy, [pair], {2921})
    assert (tmp_path / "B-002921.npz").stat().st_mtime_ns == stamp
    # a file that a killed process left half-written has another name
    assert all(p.suffix == ".npz" for p in tmp_path.iterdir())


def _refuse(graph: dict[object, object], *_: object, **__: object) -> list[object]:
    assert not graph, "Dask computed something"
    return []


def test_a_loaded_stretch_is_that_of_the_whole(twin: xr.Dataset, pair: Pair) -> None:
    first = 2921 * DAY + MIDNIGHT
    found = load_frame(twin, pair, (first + 80_000.0, first + 90_000.0))
    inputs = {k: v.values for k, v in frame_inputs(twin, pair).items()}
    whole: Frame = build_frame(first + np.arange(2 * 86_400.0), inputs, pair)
    low = round(found.t[0] - first)
    for name, values in found.arrays().items():
        expected = whole.arrays()[name][low : low + len(found)]
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-18)
    assert HALO > 0
