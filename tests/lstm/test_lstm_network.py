"""The network, its losses and schedules, and networks of users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from datasets import make_grid

from gracelstm_xr.errors import GraceError
from gracelstm_xr.filling.fit import fit
from gracelstm_xr.lstm.kerasfile import load_network, network_bytes
from gracelstm_xr.lstm.network import build_network, compile_network, make_network
from gracelstm_xr.lstm.settings import Settings

pytestmark = pytest.mark.lstm

SETTINGS = Settings(units=(4, 3), epochs=2)
OPTIONS: dict[str, Any] = {
    "recipient": "B",
    "epochs": 1,
    "windows_per_epoch": 32,
    "window": 24,
    "embargo": 600.0,
    "gaps_per_length": 2,
    "hindcasts": 8,
}


def test_a_seed_decides_the_weights_and_the_dropped() -> None:
    import keras

    made = []
    for noise in (1, 2):
        keras.utils.set_random_seed(noise)
        network = build_network(7, SETTINGS)
        compile_network(network, SETTINGS, steps=4)
        x = np.random.default_rng(0).normal(size=(8, 20, 7)).astype("f4")
        y = np.ones((8, 20, 6), "f4")
        first = [w.copy() for w in network.get_weights()]
        loss = [network.train_on_batch(x, y) for _ in range(3)]
        made.append((first, loss, network.get_weights(), network_bytes(network)))
    (a, loss_a, c, bytes_a), (b, loss_b, d, bytes_b) = made
    for one, two in (*zip(a, b, strict=True), *zip(c, d, strict=True)):
        np.testing.assert_array_equal(one, two)
    assert loss_a == loss_b
    assert bytes_a == bytes_b
    other = build_network(7, replace(SETTINGS, seed=1)).get_weights()
    assert not np.array_equal(a[0], other[0])
    # forward and backward start from different weights
    names = [w.path for w in build_network(7, SETTINGS).trainable_variables]
    kernels = [w for n, w in zip(names, a, strict=True) if n.endswith("cell/kernel")]
    assert not np.array_equal(kernels[0], kernels[1])


def test_layers_keep_the_conditions_of_cudnn() -> None:
    for layer in build_network(7, SETTINGS).layers:
        for side in ("forward_layer", "backward_layer"):
            if (lstm := getattr(layer, side, None)) is not None:
                assert lstm.activation.__name__ == "tanh"
                assert lstm.recurrent_activation.__name__ == "sigmoid"
                assert lstm.recurrent_dropout == 0
                assert lstm.use_bias
                assert not lstm.unroll


@pytest.mark.parametrize("loss", ["huber", "mse", "mae"])
def test_losses_against_a_loop(loss: str) -> None:
    from gracelstm_xr.lstm.network import _masked_loss

    rng = np.random.default_rng(0)
    target, output = rng.normal(size=(2, 3, 5, 3)) * 2
    weight = rng.random((3, 5, 3)) * (rng.random((3, 5, 3)) > 0.5)
    total = 0.0
    for t, o, w in zip(target.flat, output.flat, weight.flat, strict=True):
        e = abs(t - o)
        value = {
            "mae": e,
            "mse": e**2 / 2,
            "huber": e**2 / 2 if e < 1.5 else 1.5 * (e - 0.75),
        }[loss]
        total += w * value
    true = np.concatenate([target, weight], axis=-1).astype("f4")
    found = _masked_loss(Settings(loss=loss))(true, output.astype("f4"))
    assert float(found) == pytest.approx(total / max(weight.sum(), 1.0), rel=1e-5)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("optimiser", ["adamw", "adam", "nadam", "rmsprop", "sgd"])
def test_schedules_and_optimisers(schedule: str, optimiser: str) -> None:
    settings = replace(SETTINGS, schedule=schedule, optimiser=optimiser)
    network = build_network(4, settings)
    compile_network(network, settings, steps=100)
    rates = []
    for step in (1, 5, 50, 100):
        network.optimizer.iterations.assign(step)
        rates.append(float(network.optimizer.learning_rate))
    if schedule == "constant":
        assert rates == pytest.approx([5e-3] * 4)
    else:
        assert rates[1] > rates[2] > rates[3]
        assert rates[3] == pytest.approx(5e-5, rel=0.01)
        assert max(rates) <= 5e-3 * 1.0001


@pytest.fixture(scope="module", autouse=True)
def quick() -> Any:
    """Fits end with the networks."""
    from gracelstm_xr.filling import fit as fitting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_calibrated", lambda ds, model, progress: model)
        yield


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return make_grid(size=40_000, orbit=True)


def small(channels: int) -> Any:
    import keras

    inputs = keras.Input((None, channels))
    x = keras.layers.GRU(3, return_sequences=True)(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def test_an_own_network_is_trained(ds: xr.Dataset) -> None:
    model = fit(ds, network=small, **OPTIONS)
    again = fit(ds, network=small, **OPTIONS)
    for track in ("twin", "single"):
        network = load_network(model.networks[track].members[0])
        assert "GRU" in {type(layer).__name__ for layer in network.layers}
        other = load_network(again.networks[track].members[0])
        for a, b in zip(network.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_own_model_serves_a_satellite_alone(ds: xr.Dataset) -> None:
    alone = ds.sel(satellite=["B"])
    given = small(6 + 2)  # no velocities, no argument of latitude
    before = [w.copy() for w in given.get_weights()]
    model = fit(alone, network=given, **OPTIONS)
    # the user's object is left as it was
    for a, b in zip(before, given.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert list(model.networks) == ["single"]
    with pytest.raises(GraceError, match=r"function of the number of channels"):
        fit(ds, network=given, **OPTIONS)


def wrong_input(channels: int) -> Any:
    import keras

    inputs = keras.Input((24, channels))
    return keras.Model(inputs, keras.layers.Dense(3)(inputs))


def wrong_output(channels: int) -> Any:
    import keras

    inputs = keras.Input((None, channels))
    return keras.Model(inputs, keras.layers.GRU(3)(inputs))


def wrong_axes(channels: int) -> Any:
    import keras

    inputs = keras.Input((None, channels))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs))


def with_code(channels: int) -> Any:
    import keras

    inputs = keras.Input((None, channels))
    x = keras.layers.Lambda(lambda v: v * 2)(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def no_model(channels: int) -> Any:
    return channels


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (wrong_input, r"input \(None, 24, 9\), expected \(None, None, 9\)"),
        (wrong_output, "three axes"),
        (wrong_axes, "three axes"),
        (with_code, "Lambda"),
        (no_model, "type int, expected a keras.Model"),
    ],
)
def test_networks_that_do_not_fit(network: Any, match: str) -> None:
    with pytest.raises(GraceError, match=match) as error:
        make_network(9, SETTINGS, network)
    assert "\n" not in str(error.value)


def test_features_choose_channels(ds: xr.Dataset) -> None:
    model = fit(ds, features=["donor", "time"], **OPTIONS)
    names = model.info["channels"].split()
    assert names == [
        *(f"donor{p}_{k}" for p in ("", "_before", "_after", "_detail") for k in "xyz"),
        *("donor_known", "leads", "sin_day", "cos_day"),
    ]
    network = load_network(model.networks["twin"].members[0])
    assert network.input_shape == (None, None, 6 + len(names))
    single = load_network(model.networks["single"].members[0])
    assert single.input_shape == (None, None, 6 + 2)
