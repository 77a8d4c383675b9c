"""Where gaps are hidden, and what is kept of the errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.filling.benchmark import (
    GapErrors,
    gap_benchmark,
    join_errors,
    join_scores,
    score_table,
)
from gracelstm_xr.filling.fit import load_frame
from gracelstm_xr.filling.learn import calibrate
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.physics.frames import Frame

pytestmark = pytest.mark.lstm
LENGTHS = (10.0, 60.0, 900.0)


@pytest.fixture(scope="module")
def frame(model: FittedModel, twin: xr.Dataset) -> Frame:
    return load_frame(twin, model.recipients["B"].pair, model.split.test)


def score(model: FittedModel, frame: Frame, seed: int, **options: object) -> GapErrors:
    return gap_benchmark(
        frame, model.split.test, model.recipients["B"], model.predict, model.settings,
        lengths=LENGTHS, count=2, seed=seed, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def errors(model: FittedModel, frame: Frame) -> GapErrors:
    return score(model, frame, 1)


def test_one_seed_one_set_of_gaps(
    model: FittedModel, frame: Frame, errors: GapErrors
) -> None:
    again = score(model, frame, 1)
    np.testing.assert_array_equal(errors.t, again.t)
    for name in errors.errors:
        np.testing.assert_array_equal(errors.errors[name], again.errors[name])
    other = score(model, frame, 2)
    assert set(other.t) != set(errors.t)


def test_a_gap_may_be_thinned(
    model: FittedModel, frame: Frame, errors: GapErrors
) -> None:
    thin = score(model, frame, 1, most=70)
    for number in np.unique(errors.gap):
        whole, part = errors.gap == number, thin.gap == number
        assert len(set(errors.length[whole]) | set(thin.length[part])) == 1
        # every k-th sample from the first, the fewest k that keeps 70 or less
        stride = -(-int(whole.sum()) // 70)
        np.testing.assert_array_equal(errors.t[whole][::stride], thin.t[part])
        for name, values in errors.errors.items():
            np.testing.assert_allclose(
                values[whole][::stride], thin.errors[name][part], rtol=0, atol=1e-16
            )
    assert len(thin.t) < len(errors.t)


def test_scores_of_satellites_are_joined(errors: GapErrors) -> None:
    long = float(errors.length.max())
    some = errors.take(errors.length < long)
    alone = score_table({"A": errors})
    joined = join_scores([alone, score_table({"B": some})])
    assert list(joined["satellite"].values) == ["A", "B"]
    xr.testing.assert_identical(joined.sel(satellite="A"), alone.sel(satellite="A"))
    last = joined.sel(satellite="B", gap_length=long)
    assert int(last["gap_count"]) == 0
    assert joined["gap_count"].dtype == np.int64
    assert last["rms"].isnull().all()


def test_gaps_stay_inside_the_span_and_the_data(
    model: FittedModel, frame: Frame, errors: GapErrors
) -> None:
    start, stop = model.split.test
    assert errors.t.min() >= start + 60
    assert errors.t.max() < stop - 60
    hidden = np.isin(frame.t, errors.t)
    assert np.isfinite(frame.own[hidden]).all()
    missing = np.flatnonzero(np.isnan(frame.own[:, 0]))
    apart = np.abs(np.flatnonzero(hidden)[:, None] - missing[None, :]).min()
    assert apart >= 60


def test_every_length_has_its_gaps(errors: GapErrors) -> None:
    for length in LENGTHS:
        here = errors.length == length
        assert len(np.unique(errors.gap[here])) == 8
        assert here.sum() == 8 * length
        # distance to the nearest observation rises to the middle of the gap
        assert errors.distance[here].max() == length / 2
        assert errors.distance[here].min() == 1
    for gap in np.unique(errors.gap):
        t = errors.t[errors.gap == gap]
        assert (np.diff(t) == 1).all()


def test_gaps_keep_a_margin(errors: GapErrors) -> None:
    # gaps of one round; rounds overlap by design, so look within consecutive numbers
    starts = {int(g): errors.t[errors.gap == g] for g in np.unique(errors.gap)}
    close = [
        abs(a.min() - b.max())
        for i, a in starts.items()
        for j, b in starts.items()
        if j == i - 1 and a.min() > b.max()
    ]
    assert min(close) > 60


def test_hidden_samples_do_not_leak(model: FittedModel, frame: Frame) -> None:
    """Errors against another truth differ by exactly the change of truth."""
    honest = score(model, frame, 1)
    shifted = score(model, frame, 1, truth=frame.own + 1e-7)
    for name in honest.errors:
        np.testing.assert_allclose(
            shifted.errors[name], honest.errors[name] - 1e-7, atol=1e-18
        )


def test_visible_neighbours_decide_the_interpolations(
    frame: Frame, errors: GapErrors
) -> None:
    position = {t: i for i, t in enumerate(frame.t)}
    gap = errors.gap[errors.length == 60.0][0]
    here = errors.gap == gap
    rows = [position[t] for t in errors.t[here]]
    left, right = frame.own[rows[0] - 1], frame.own[rows[-1] + 1]
    part = (np.arange(60) + 1)[:, None] / 61
    expected = left + (right - left) * part - frame.own[rows]
    np.testing.assert_allclose(errors.errors["linear"][here], expected, atol=1e-18)
    np.testing.assert_allclose(
        errors.errors["hold"][here], left - frame.own[rows], atol=1e-18
    )


def test_learning_methods_beat_interpolation_in_long_gaps(errors: GapErrors) -> None:
    for method in ("ridge", "tracked", "lstm", "transplant"):
        better = errors.rms(method, 900.0) < errors.rms("linear", 900.0)
        assert better[[0, 2]].all()


def test_table_is_what_the_errors_say(errors: GapErrors) -> None:
    table = score_table({"B": errors})
    assert table["gap_length"].values.tolist() == list(LENGTHS)
    assert table["gap_count"].values.tolist() == [[8, 8, 8]]
    for name in ("hold", "lstm"):
        for length in LENGTHS:
            e = errors.errors[name][errors.length == length]
            at = table.loc[{"method": name, "satellite": "B", "gap_length": length}]
            np.testing.assert_allclose(at["rms"], np.sqrt((e**2).mean(axis=0)))
            np.testing.assert_allclose(at["mae"], np.abs(e).mean(axis=0))
            np.testing.assert_allclose(at["p95"], np.percentile(np.abs(e), 95, axis=0))
            np.testing.assert_allclose(at["rms"], errors.rms(name, length))


def test_joined_tables_keep_their_gaps_apart(errors: GapErrors) -> None:
    both = join_errors([errors, errors])
    assert len(np.unique(both.gap)) == 2 * len(np.unique(errors.gap))
    assert len(both.t) == 2 * len(errors.t)
    empty = join_errors([])
    assert len(empty.t) == 0
    assert calibrate(empty) is None
