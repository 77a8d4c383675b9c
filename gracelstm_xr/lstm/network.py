"""The masked sequence-to-sequence network, in backend-neutral Keras."""

from __future__ import annotations

from typing import Any

from gracelstm_xr.lstm.settings import Settings

__all__ = ["build_network", "compile_network"]


def build_network(features: int, settings: Settings) -> Any:
    """Bidirectional LSTM from windows of features to residuals of three axes.

    Parameters
    ----------
    features : int
        Channels per step.
    settings : Settings

    Returns
    -------
    keras.Model
        Input ``(window, step, feature)``, output ``(window, step, axis)`` in residual
        standard deviations. A linear path runs beside the recurrent one. The layers
        keep the conditions of the cuDNN kernel.
    """
    import keras

    inputs = keras.Input((None, features), name="window")
    x = inputs
    for number, units in enumerate(settings.units, start=1):
        layer = keras.layers.LSTM(units, return_sequences=True)
        x = keras.layers.Bidirectional(layer, name=f"lstm_{number}")(x)
        x = keras.layers.Dropout(settings.dropout, name=f"dropout_{number}")(x)
    # zeros: training starts from the regression, not from noise on top of it
    recurrent = keras.layers.Dense(3, kernel_initializer="zeros", name="recurrent_out")(
        x
    )
    linear = keras.layers.Dense(
        3, use_bias=False, kernel_initializer="zeros", name="linear_out"
    )(inputs)
    outputs = keras.layers.Add(name="residual")([recurrent, linear])
    return keras.Model(inputs, outputs, name="masked_bilstm")


def compile_network(network: Any, settings: Settings, *, steps: int) -> None:
    """Attach loss and schedule.

    Parameters
    ----------
    network : keras.Model
        Of `build_network`.
    settings : Settings
    steps : int
        Batches of the whole training.
    """
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 10,
        decay_steps=max(steps - steps // 20, 1),
        alpha=0.01,
        warmup_target=settings.learning_rate,
        warmup_steps=steps // 20,
    )
    network.compile(
        optimizer=keras.optimizers.AdamW(
            schedule, weight_decay=settings.weight_decay, clipnorm=1.0
        ),
        loss=_masked_huber(settings.huber),
        # measured: compiling these recurrent layers with XLA trains 4-10 x slower
        jit_compile=False,
    )


def _masked_huber(delta: float) -> Any:
    """Huber loss over hidden samples; targets carry their weights as channels 3-5."""
    from keras import ops

    def loss(y_true: Any, y_pred: Any) -> Any:
        target, weight = y_true[..., :3], y_true[..., 3:]
        error = ops.abs(target - y_pred)
        small = ops.minimum(error, delta)
        value = weight * small * (error - small / 2)
        return ops.sum(value) / ops.maximum(ops.sum(weight), 1.0)

    return loss
