"""Batches without leaks, and fits that repeat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from datasets import SMALL_FIT

from gracelstm_xr.errors import NotEnoughDataError
from gracelstm_xr.frames import Frame
from gracelstm_xr.lstm import FittedModel, fit
from gracelstm_xr.lstm.fitting import load_frame
from gracelstm_xr.lstm.recipient import Recipient
from gracelstm_xr.lstm.training import Trainer, train_network

pytestmark = pytest.mark.lstm


@pytest.fixture(scope="module")
def thin(model: FittedModel, twin: xr.Dataset) -> tuple[Frame, Recipient]:
    recipient = model.recipients["B"]
    frame = load_frame(twin, recipient.pair, model.split.train)
    frame = frame.every(10.0)[0]
    keep = (frame.t >= model.split.train[0]) & (frame.t < model.split.train[1])
    return frame.take(np.flatnonzero(keep)), recipient


def trainer(
    thin: tuple[Frame, Recipient], model: FittedModel, **change: Any
) -> Trainer:
    return Trainer([thin], replace(model.settings, **change), stream=1, windows=64)


def test_hidden_samples_never_reach_the_inputs(
    thin: tuple[Frame, Recipient], model: FittedModel
) -> None:
    frame, recipient = thin
    made = trainer(thin, model)
    masked = made.masked[0][0]
    hidden = np.asarray((masked.weight > 0).any(axis=1))
    assert 0.1 < hidden.mean() < 0.6
    own = frame.own.copy()
    own[hidden] += 1e-6
    other = trainer((Frame(**(frame.arrays() | {"own": own})), recipient), model)
    twin = other.masked[0][0]
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
    thin: tuple[Frame, Recipient], model: FittedModel
) -> None:
    for maskings in trainer(thin, model).masked:
        for masked in maskings:
            assert not (masked.channels.visible * masked.weight).any()
            unknown = ~np.isfinite(thin[0].own)
            assert not masked.weight[unknown].any()
            assert not masked.channels.visible[unknown].any()


def test_one_seed_one_sequence_of_batches(
    thin: tuple[Frame, Recipient], model: FittedModel
) -> None:
    a, b = trainer(thin, model), trainer(thin, model)
    other = trainer(thin, model, seed=99)
    for _ in range(2):
        for number in range(a.batches):
            for x, y in zip(a.batch(number), b.batch(number), strict=True):
                np.testing.assert_array_equal(x, y)
        a.next_epoch()
        b.next_epoch()
    assert not np.array_equal(a.starts, other.starts)


def test_a_batch_is_as_large_as_asked_and_epochs_differ(
    thin: tuple[Frame, Recipient], model: FittedModel
) -> None:
    made = trainer(thin, model)
    assert made.batches == 2
    x, y = made.batch(0)
    assert x.shape[:2] == (32, 36)
    assert y.shape == (32, 36, 6)
    starts = made.starts
    made.next_epoch()
    assert not np.array_equal(starts, made.starts)
    fixed = Trainer([thin], model.settings, stream=2, windows=64, fixed=True)
    before = fixed.batch(0)[0]
    fixed.next_epoch()
    np.testing.assert_array_equal(before, fixed.batch(0)[0])


def test_long_gaps_do_not_rule_the_loss(
    thin: tuple[Frame, Recipient], model: FittedModel
) -> None:
    weight = trainer(thin, model).masked[0][0].weight
    longest = round(model.settings.longest_gap / 10)
    positive = weight[weight > 0]
    assert positive.max() <= 1 / np.sqrt(2) + 1e-6
    assert positive.min() >= 1 / np.sqrt(longest + 1)


def test_training_learns_and_repeats(
    thin: tuple[Frame, Recipient], model: FittedModel
) -> None:
    settings = replace(model.settings, epochs=6, windows_per_epoch=128)
    first = train_network([thin], [thin], settings)
    again = train_network([thin], [thin], settings)
    for a, b in zip(first[0].get_weights(), again[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    xr.testing.assert_identical(first[2], again[2])
    history = first[2]
    assert history.sizes == {"epoch": 6}
    assert float(history["val_loss"].min()) < float(history["val_loss"][0])
    assert all(0 <= g <= 1 for g in first[1])
    # something of use on the windy axis, even after so little
    assert first[1][1] > 0.2


def test_two_fits_of_one_seed_are_one_model(
    model: FittedModel, twin: xr.Dataset
) -> None:
    again = fit(twin, recipient="B", **SMALL_FIT)
    assert again.networks["twin"].gain == model.networks["twin"].gain
    xr.testing.assert_identical(again.history, model.history)
    xr.testing.assert_identical(again.scores, model.scores)
    channels = 6 + len(model.info["channels"].split())
    windows = np.random.default_rng(0).normal(size=(7, 36, channels)).astype("f4")
    np.testing.assert_array_equal(
        again.predict("twin", windows), model.predict("twin", windows)
    )


def test_a_fit_hardly_depends_on_chunks(model: FittedModel, twin: xr.Dataset) -> None:
    again = fit(twin.chunk(time=86_400), recipient="B", **SMALL_FIT)
    # the rounding of a mean and of a lag, seen through float32
    for track, network in again.networks.items():
        gain = model.networks[track].gain
        np.testing.assert_allclose(network.gain, gain, atol=1e-5)
    xr.testing.assert_allclose(again.history, model.history, rtol=1e-5)
    for name in model.scores["method"].values:
        rtol = 1e-4 if "lstm" in name else 1e-6
        np.testing.assert_allclose(
            again.scores["rms"].loc[name], model.scores["rms"].loc[name], rtol=rtol
        )


def test_what_a_fit_says_of_itself(model: FittedModel) -> None:
    text = repr(model)
    assert "B from A" in text
    assert "simulated" in text
    assert model.config["epochs"] == 2
    assert model.settings.units == (8,)
    assert model.history.sizes == {"epoch": 2}
    assert np.isfinite(model.history["loss"]).all()
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
    with pytest.raises(TypeError, match="layers"):
        fit(ds, layers=3)
