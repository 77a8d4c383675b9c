"""The masked sequence-to-sequence network, in backend-neutral Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gracelstm_xr.errors import GraceError
from gracelstm_xr.lstm.backend import import_keras
from gracelstm_xr.lstm.kerasfile import load_network, network_bytes
from gracelstm_xr.lstm.settings import Settings

#: Channels per step to an own Keras model.
Builder = Callable[[int], Any]


def build_network(features: int, settings: Settings) -> Any:
    """Bidirectional LSTM from windows of features to residuals of three axes.

    Parameters
    ----------
    features : int
        Channels per step.
    settings : Settings
        ``seed`` decides the weights, whatever was drawn before in this process.

    Returns
    -------
    keras.Model
        Input ``(window, step, feature)``, output ``(window, step, axis)`` in residual
        standard deviations. A linear path runs beside the recurrent one. The layers
        keep the conditions of the cuDNN kernel.
    """
    keras = import_keras()

    inputs = keras.Input((None, features), name="window")
    x = inputs
    for number, units in enumerate(settings.units, start=1):
        # one seed for each side: Keras derives one from the other by chance
        sides = [_lstm(units, [settings.seed, number, side]) for side in (0, 1)]
        x = keras.layers.Bidirectional(
            sides[0], backward_layer=sides[1], name=f"lstm_{number}"
        )(x)
        x = keras.layers.Dropout(
            settings.dropout,
            seed=_seed([settings.seed, number, 2]),
            name=f"dropout_{number}",
        )(x)
    # zeros: training starts from the regression, not from noise on top of it
    recurrent = keras.layers.Dense(3, kernel_initializer="zeros", name="recurrent_out")(
        x
    )
    linear = keras.layers.Dense(
        3, use_bias=False, kernel_initializer="zeros", name="linear_out"
    )(inputs)
    outputs = keras.layers.Add(name="residual")([recurrent, linear])
    return keras.Model(inputs, outputs, name="masked_bilstm")


def _lstm(units: int, key: list[int]) -> Any:
    keras = import_keras()

    return keras.layers.LSTM(
        units,
        return_sequences=True,
        go_backwards=bool(key[-1]),
        # named: Keras counts the nameless of a process, and a file holds the names
        name=f"lstm_{key[1]}_{('ahead', 'back')[key[2]]}",
        kernel_initializer=keras.initializers.GlorotUniform(seed=_seed([*key, 0])),
        # of no use without dropout, but it goes into the file
        seed=_seed([*key, 2]),
        recurrent_initializer=keras.initializers.Orthogonal(seed=_seed([*key, 1])),
    )


def _seed(key: list[int]) -> int:
    import numpy as np

    return int(np.random.default_rng(key).integers(2**31))


def make_network(
    features: int, settings: Settings, network: Any | Builder | None
) -> Any:
    """Build the network of one member: the usual one, or the user's own.

    Parameters
    ----------
    features : int
        Channels per step.
    settings : Settings
    network : keras.Model or callable, optional
        An own model, whose layers are made anew with new weights, or a function of
        the number of channels that returns one.

    Raises
    ------
    GraceError
        When it does not map ``(None, None, channels)`` to ``(None, None, 3)``, or a
        model file could not hold it.
    """
    keras = import_keras()

    if network is None:
        return build_network(features, settings)
    # an own model draws its weights from Keras' global seed
    keras.utils.set_random_seed(settings.seed)
    if isinstance(network, keras.Model):
        _check_shapes(network, features)
        built = keras.models.clone_model(network)
    else:
        built = network(features)
        if not isinstance(built, keras.Model):
            raise GraceError(
                f"found a network of type {type(built).__name__}, expected a "
                "keras.Model or a function of the number of channels that returns "
                "one: return it"
            )
    _check_shapes(built, features)
    _check_loads(built)
    return built


def describe_network(network: Any | Builder | None) -> str:
    """Say which own network it is, to tell one checkpoint from another."""
    import hashlib

    if network is None:
        return "LSTM"
    if hasattr(network, "to_json"):
        return hashlib.sha256(network.to_json().encode()).hexdigest()
    kind = network if hasattr(network, "__qualname__") else type(network)
    return f"{kind.__module__}.{kind.__qualname__}"


def _check_shapes(network: Any, features: int) -> None:
    wanted, given = (None, None, features), network.input_shape
    free = isinstance(given, tuple) and len(given) == 3 and given[1] is None
    if not free or given[2] != features:
        raise GraceError(
            f"found a network with input {given}, expected {wanted}: windows of any "
            f"length with {features} channels; pass a function of the number of "
            "channels, since each track has its own"
        )
    out = network.output_shape
    if not (isinstance(out, tuple) and len(out) == 3 and out[1:] == (None, 3)):
        raise GraceError(
            f"found a network with output {out}, expected (None, None, 3): three axes "
            "at every step; return sequences and end in Dense(3)"
        )


def _check_loads(network: Any) -> None:
    """A model file executes nothing: refuse what would need it before training."""
    try:
        load_network(network_bytes(network))
    except (TypeError, ValueError) as error:
        text = " ".join(str(error).split())[:200]
        raise GraceError(
            f"found a network that a model file cannot hold ({text}), expected layers "
            "of Keras that compute, no Lambda and no class of your own: replace it"
        ) from error


def compile_network(network: Any, settings: Settings, *, steps: int) -> None:
    """Attach loss, optimiser and schedule.

    Parameters
    ----------
    network : keras.Model
        Of `make_network`.
    settings : Settings
    steps : int
        Batches of the whole training.
    """
    keras = import_keras()

    network.compile(
        optimizer=_optimiser(settings, _schedule(settings, steps)),
        loss=_masked_loss(settings),
        # measured: compiling these recurrent layers with XLA trains 4-10 x slower;
        # JAX without it does not train at all
        jit_compile=keras.backend.backend() == "jax",
    )


def _schedule(settings: Settings, steps: int) -> Any:
    keras = import_keras()

    warmup = steps // 20
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "linear":
        return keras.optimizers.schedules.PolynomialDecay(
            settings.learning_rate,
            decay_steps=max(steps, 1),
            end_learning_rate=settings.learning_rate / 100,
        )
    return keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 10,
        decay_steps=max(steps - warmup, 1),
        alpha=0.01,
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )


def _optimiser(settings: Settings, schedule: Any) -> Any:
    from keras import optimizers

    # a name of its own: Keras counts the nameless, and a file holds the name
    options: dict[str, Any] = {"clipnorm": 1.0, "name": "optimiser"}
    kinds = {
        "adamw": optimizers.AdamW,
        "adam": optimizers.Adam,
        "nadam": optimizers.Nadam,
        "rmsprop": optimizers.RMSprop,
        "sgd": optimizers.SGD,
    }
    if settings.optimiser == "adamw":
        options["weight_decay"] = settings.weight_decay
    return kinds[settings.optimiser](schedule, **options)


def _masked_loss(settings: Settings) -> Any:
    """Loss over hidden samples; targets carry their weights as channels 3-5."""
    from keras import ops

    def loss(y_true: Any, y_pred: Any) -> Any:
        target, weight = y_true[..., :3], y_true[..., 3:]
        error = ops.abs(target - y_pred)
        if settings.loss == "mae":
            value = error
        elif settings.loss == "mse":
            value = error * error / 2
        else:
            small = ops.minimum(error, settings.huber)
            value = small * (error - small / 2)
        return ops.sum(weight * value) / ops.maximum(ops.sum(weight), 1.0)

    return loss
