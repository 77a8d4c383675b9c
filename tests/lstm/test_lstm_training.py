"""Batches without leaks, and fits that repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from datasets import SMALL_FIT

from gracelstm_xr.baselines.start import Track
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.filling import fit as fitting
from gracelstm_xr.filling.fit import fit, load_frame
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.lstm.dayframes import DayFrames
from gracelstm_xr.lstm.kerasfile import load_network
from gracelstm_xr.lstm.sampling import Epoch, Source, hide_end, hide_gaps
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.lstm.stretches import Stretch
from gracelstm_xr.lstm.training import Job, Member, combine, sure_gain, train_member
from gracelstm_xr.physics.frames import Frame

pytestmark = pytest.mark.lstm


@pytest.fixture(scope="module")
def thin(model: FittedModel, twin: xr.Dataset) -> tuple[Frame, Track]:
    recipient = model.recipients["B"]
    frame = load_frame(twin, recipient.pair, model.split.train)
    frame = frame.every(10.0)[0]
    keep = (frame.t >= model.split.train[0]) & (frame.t < model.split.train[1])
    track = recipient.tracks[0]
    return track.view(frame.take(np.flatnonzero(keep))), track


@pytest.fixture(scope="module")
def job(
    model: FittedModel, twin: xr.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Job:
    """Training of the twin track on the two days."""
    folder = tmp_path_factory.mktemp("job")
    recipient = model.recipients["B"]
    frames = DayFrames(folder / "days", 10.0)
    frames.build(twin, [recipient.pair], {2920, 2921, 2922})
    spans = (model.split.train, model.split.validation)
    training, validation = ([Stretch(span, span)] for span in spans)
    tracks = {"B": recipient.tracks[0]}
    return Job(folder, tracks, training, validation, model.settings)


class Whole:
    """Day frames that are one frame in memory."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def load(self, name: str, span: tuple[float, float]) -> Frame:
        return self.frame


def span_of(frame: Frame) -> tuple[float, float]:
    return float(frame.t[0]), float(frame.t[-1]) + 10.0


def source(
    thin: tuple[Frame, Track], settings: Settings, windows: int = 64, **change: Any
) -> Source:
    frame, track = thin
    span = span_of(frame)
    return Source(
        Whole(frame),  # type: ignore[arg-type]
        {"B": track},
        [Stretch(span, span)],
        replace(settings, **change),
        plan=[[0]] * 4,
        stream=1,
        windows=windows,
    )


def test_hidden_samples_never_reach_the_inputs(
    thin: tuple[Frame, Track], model: FittedModel
) -> None:
    frame, track = thin
    for hide in (hide_gaps, hide_end):
        args = (span_of(frame), track, model.settings)
        masked = hide(frame, *args, np.random.default_rng(1))
        hidden = np.asarray((masked.weight > 0).any(axis=1))
        assert 30 < hidden.sum() < 0.6 * len(frame)
        own = frame.own.copy()
        own[hidden] += 1e-6
        other = Frame(**(frame.arrays() | {"own": own}))
        twin = hide(other, *args, np.random.default_rng(1))
        np.testing.assert_array_equal(masked.weight, twin.weight)
        shown = masked.channels.visible
        np.testing.assert_array_equal(shown, twin.channels.visible)
        np.testing.assert_array_equal(
            masked.channels.residual * shown, twin.channels.residual * shown
        )
        np.testing.assert_array_equal(masked.channels.static, twin.channels.static)
        # the target is what changed
        assert (masked.channels.residual != twin.channels.residual)[hidden].any()


def test_no_sample_is_both_shown_and_scored(
    thin: tuple[Frame, Track], model: FittedModel
) -> None:
    unknown = ~np.isfinite(thin[0].own)
    for number in range(3):
        for masked in source(thin, model.settings).epoch(number).masked:
            assert not (masked.channels.visible * masked.weight).any()
            assert not masked.weight[unknown].any()
            assert not masked.channels.visible[unknown].any()


def test_an_open_end_hides_all_that_follows(
    model: FittedModel, thin: tuple[Frame, Track]
) -> None:
    frame, settings = thin[0], model.settings
    single = model.recipients["B"].tracks[1]
    made = source((single.view(frame), single), settings, open_ends=0.5).epoch(0)
    ends = made.masked[1]
    cut = int(np.flatnonzero((ends.weight > 0).any(axis=1))[0])
    assert not ends.channels.visible[cut:].any()
    assert ends.channels.visible[:cut].any()
    x, y = ends.starts, settings.window
    assert ((x <= cut - y // 8) & (x + y > cut + y // 8 - 1)).all()
    assert 0.3 < (made.owner == 1).mean() < 0.7
    # the start has not seen what follows either
    own = frame.own.copy()
    own[cut:] += 5e-8
    other = single.view(Frame(**(frame.arrays() | {"own": own})))
    again = source((other, single), settings, open_ends=0.5).epoch(0).masked[1]
    np.testing.assert_array_equal(
        again.channels.residual[:cut], ends.channels.residual[:cut]
    )


def test_one_seed_one_sequence_of_batches(
    thin: tuple[Frame, Track], model: FittedModel
) -> None:
    a, b = source(thin, model.settings), source(thin, model.settings)
    for number in (1, 0):
        one, two = a.epoch(number), b.epoch(number)
        assert one.batches == 2
        for k in range(2):
            for x, y in zip(one.batch(k), two.batch(k), strict=True):
                np.testing.assert_array_equal(x, y)
    other = source(thin, model.settings, seed=99)
    assert not np.array_equal(a.epoch(0).starts, other.epoch(0).starts)
    assert not np.array_equal(a.epoch(0).starts, a.epoch(1).starts)


def test_a_batch_is_what_its_positions_say(
    thin: tuple[Frame, Track], model: FittedModel
) -> None:
    epoch: Epoch = source(thin, model.settings, windows=50).epoch(0)
    assert epoch.batches == 2
    x, y = epoch.batch(1)
    assert x.shape[:2] == (18, 36)
    assert y.shape == (18, 36, 6)
    for row in range(18):
        masked = epoch.masked[epoch.owner[32 + row]]
        part = slice(epoch.starts[32 + row], epoch.starts[32 + row] + 36)
        shown = masked.channels.visible[part]
        np.testing.assert_array_equal(
            x[row, :, :3], masked.channels.residual[part] * shown
        )
        np.testing.assert_array_equal(x[row, :, 3:6], shown)
        np.testing.assert_array_equal(x[row, :, 6:], masked.channels.static[part])
        np.testing.assert_array_equal(y[row, :, :3], masked.channels.residual[part])
        np.testing.assert_array_equal(y[row, :, 3:], masked.weight[part])
        assert (y[row, :, 3:] > 0).any()


def test_long_gaps_do_not_rule_the_loss(
    thin: tuple[Frame, Track], model: FittedModel
) -> None:
    weight = source(thin, model.settings).epoch(0).masked[0].weight
    longest = round(model.settings.longest_gap / 10)
    positive = weight[weight > 0]
    assert positive.max() <= 1 / np.sqrt(2) + 1e-6
    assert positive.min() >= 1 / np.sqrt(longest + 1)


def weights(content: bytes) -> list[np.ndarray]:
    return load_network(content).get_weights()


def assert_same_networks(a: FittedModel, b: FittedModel) -> None:
    """Same to the last bit: weights, starts, baselines, scores."""
    assert list(a.networks) == list(b.networks)
    for track, network in a.networks.items():
        assert network.gain == b.networks[track].gain
        for one, two in zip(network.members, b.networks[track].members, strict=True):
            for x, y in zip(weights(one), weights(two), strict=True):
                np.testing.assert_array_equal(x, y)
    xr.testing.assert_identical(
        a.history.drop_vars("seconds"), b.history.drop_vars("seconds")
    )


def starts(model: FittedModel) -> Mapping[str, np.ndarray]:
    """All numbers learnt from training data without a network."""
    found = {}
    for name, recipient in model.recipients.items():
        found[f"{name} offset"] = np.array(recipient.pair.donor_offset)
        for track in recipient.tracks:
            key = f"{name} {track.name}"
            found[f"{key} residual"] = track.residual_scale
            found[f"{key} donor"] = track.donor_scale
            found[f"{key} mean"] = track.regression.mean
            found[f"{key} penalty"] = track.regression.penalty
            found[f"{key} power"] = track.slow.drift.power
        found[f"{name} ridge"] = recipient.baselines["ridge"].mean  # type: ignore[attr-defined]
    return found


def assert_same_starts(a: FittedModel, b: FittedModel) -> None:
    one, two = starts(a), starts(b)
    assert list(one) == list(two)
    for key, values in one.items():
        np.testing.assert_array_equal(values, two[key], err_msg=key)


def test_training_learns_and_repeats(job: Job) -> None:
    longer = replace(job.settings, epochs=6, windows_per_epoch=128, patience=None)
    found = []
    for k in range(2):
        mine = replace(job, settings=longer)
        found.append(train_member(mine, 0))
        (job.folder / "twin-0.npz").rename(job.folder / f"done-{k}.npz")
    for a, b in zip(weights(found[0].network), weights(found[1].network), strict=True):
        np.testing.assert_array_equal(a, b)
    network, history = combine(replace(job, settings=longer), found[:1])
    assert history.sizes == {"member": 1, "epoch": 6}
    loss = history["val_loss"].isel(member=0)
    assert float(loss.min()) < float(loss[0])
    assert all(0 <= g <= 1 for g in network.gain)
    assert max(network.gain) > 0.1


def test_a_network_of_no_sure_use_is_switched_off() -> None:
    rng = np.random.default_rng(5)
    target, output = rng.standard_normal((2, 4000, 3))
    # x: half of it right; y: nothing; z: right, but in one block only
    output[:, 0] = target[:, 0] + rng.standard_normal(4000)
    block = np.arange(4000) // 100
    output[:, 2] = np.where(block == 7, target[:, 2], output[:, 2])
    product, square = output * target, output**2
    gain = sure_gain(product, square, block)
    assert gain[0] == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(gain[1:], 0.0)
    # too few independent windows to say anything
    np.testing.assert_array_equal(sure_gain(product, square, block // 6), 0.0)
    np.testing.assert_array_equal(sure_gain(product[:0], square[:0], block[:0]), 0.0)


def test_the_best_epoch_is_kept(job: Job) -> None:
    # a rate that large spoils what the first epochs learnt
    wild = replace(
        job.settings, epochs=8, patience=2, learning_rate=1.0, schedule="constant"
    )
    made = train_member(replace(job, settings=wild), 3)
    losses = [row["val_loss"] for row in made.rows]
    best = int(np.argmin(losses))
    assert len(losses) == min(best + 3, 8) < 8
    short = train_member(replace(job, settings=replace(wild, patience=1)), 4)
    assert len(short.rows) < 8
    assert loss_of(made, job) == pytest.approx(losses[best], rel=1e-5)


def test_the_last_epoch_is_kept_where_the_rate_has_fallen(job: Job) -> None:
    falling = replace(
        job.settings, epochs=4, patience=4, learning_rate=0.03, schedule="linear"
    )
    made = train_member(replace(job, settings=falling), 16)
    losses = [row["val_loss"] for row in made.rows]
    assert len(losses) == 4
    assert loss_of(made, job) == pytest.approx(losses[-1], rel=1e-5)
    assert min(losses) < losses[-1]


def test_callbacks_see_every_epoch(job: Job, tmp_path: Path) -> None:
    """What they log is the history, and a network is the same with and without."""
    import keras

    def logs(track: str, member: int) -> list[keras.callbacks.Callback]:
        return [keras.callbacks.CSVLogger(str(tmp_path / f"{track}-{member}.csv"))]

    logged = train_member(replace(job, callbacks=logs), 20)
    (job.folder / "twin-20.npz").unlink()
    plain = train_member(job, 20)
    for a, b in zip(weights(logged.network), weights(plain.network), strict=True):
        np.testing.assert_array_equal(a, b)
    table = pd.read_csv(tmp_path / "twin-20.csv")
    assert table["epoch"].tolist() == [0, 1]
    for name in ("loss", "val_loss", "learning_rate", "seconds"):
        assert table[name].tolist() == pytest.approx([r[name] for r in logged.rows])


def test_a_callback_ends_the_training(job: Job) -> None:
    import keras

    class Enough(keras.callbacks.Callback):  # type: ignore[misc]
        batches = 0

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            Enough.batches += 1

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.model.stop_training = True

    made = train_member(replace(job, callbacks=[Enough()]), 21)
    assert len(made.rows) == 1
    assert Enough.batches == job.settings.batches


@pytest.mark.parametrize("wrong", [["csv"], "csv", 3])
def test_what_is_no_callback(make_grid: Any, wrong: Any) -> None:
    with pytest.raises(GraceError, match="for callbacks, expected a list"):
        fit(make_grid(size=1000), callbacks=wrong)


def loss_of(member: Member, job: Job) -> float:
    """On the gaps held out for the choice of the epoch."""
    from gracelstm_xr.lstm.network import compile_network

    network, held = load_network(member.network), job.held()
    compile_network(network, job.settings, steps=1)
    losses = [network.test_on_batch(*held.batch(k)) for k in range(held.batches)]
    return float(losses[-1])


def test_one_seed_is_one_model_on_any_chunks(
    model: FittedModel, twin: xr.Dataset
) -> None:
    again = fit(twin.chunk(time=50_001, satellite=1), recipient="B", **SMALL_FIT)
    assert_same_starts(again, model)
    assert_same_networks(again, model)
    xr.testing.assert_identical(again.scores, model.scores)


def test_a_model_knows_nothing_of_later_data(
    model: FittedModel, twin: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other validation and test samples give the same starts, scales and weights."""
    # held-out gaps decide nothing of these, and take longer than the training
    monkeypatch.setattr(fitting, "_calibrated", lambda ds, model, progress: model)
    past = round(model.split.validation[0] - model.split.train[0])
    values = twin["lin_accl"].values.copy()
    rng = np.random.default_rng(0)
    values[:, past:] += 1e-8 * rng.normal(size=values[:, past:].shape)
    spoilt = twin.assign(lin_accl=(twin["lin_accl"].dims, values))
    options = SMALL_FIT | {"patience": None}
    clean = fit(twin, recipient="B", **options)
    other = fit(spoilt, recipient="B", **options)
    assert_same_starts(clean, other)
    for track, network in clean.networks.items():
        a, b = network.members[0], other.networks[track].members[0]
        for x, y in zip(weights(a), weights(b), strict=True):
            np.testing.assert_array_equal(x, y)
    assert not np.array_equal(
        clean.history["val_loss"].values, other.history["val_loss"].values
    )


def test_what_a_fit_says_of_itself(model: FittedModel) -> None:
    text = repr(model)
    assert "B from A" in text
    assert "simulated" in text
    assert model.config["epochs"] == 2
    assert model.settings.units == (8,)
    assert model.history.sizes == {"track": 2, "member": 1, "epoch": 2}
    assert model.history["track"].values.tolist() == ["twin", "single"]
    for name in ("loss", "val_loss", "learning_rate", "seconds"):
        assert np.isfinite(model.history[name]).all()
    assert (model.history["seconds"] > 0).all()
    assert {"hold", "ridge", "tracked", "lstm"} <= set(model.scores["method"].values)
    rms = model.scores["rms"].loc[:, "B", "x", 900.0]
    assert float(rms.loc["tracked"]) < float(rms.loc["linear"])


def test_too_little_data(make_grid: Any) -> None:
    ds = make_grid(size=20_000, gaps={"A": [(0, 20_000)], "B": [(0, 20_000)]})
    with pytest.raises(NotEnoughDataError, match="60 samples"):
        fit(ds, epochs=1)


def test_an_unknown_satellite_or_setting(make_grid: Any) -> None:
    ds = make_grid(size=1000)
    with pytest.raises(ValueError, match="'C'"):
        fit(ds, recipient="C")
    with pytest.raises(TypeError, match="unit"):
        fit(ds, unit=3)
    with pytest.raises(ValueError, match="whole number"):
        fit(ds, epochs="3")


def test_nothing_is_left_behind(
    model: FittedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_grid: Any
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(NotEnoughDataError):
        fit(make_grid(size=20_000, gaps={"A": [(0, 20_000)]}), recipient="A")
    assert list(tmp_path.iterdir()) == []
