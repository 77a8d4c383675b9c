"""A trained network as bytes that any process can predict with."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.lstm.backend import import_keras
from gracelstm_xr.lstm.channels import Windows
from gracelstm_xr.lstm.kerasfile import load_network
from gracelstm_xr.lstm.settings import PREDICTION_BATCH

Array32 = npt.NDArray[np.float32]
#: Windows (w, step, channel) to outputs (w, step, 3), safe to call from threads.
Forward = Callable[[Array32], Array32]

#: Networks of this process by digest: built once, whatever the number of tasks.
_networks: dict[str, tuple[Forward, Forward]] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class TrainedNetwork:
    """The network of one track: an ensemble of one or more members.

    Attributes
    ----------
    members : tuple of bytes
        Each the content of a ``.keras`` file.
    gain : tuple of float
        Factor on the output per axis, 0 to 1, from the validation span.
    """

    members: tuple[bytes, ...] = field(repr=False)
    gain: tuple[float, float, float]

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of every member."""
        return tuple(hashlib.sha256(member).hexdigest() for member in self.members)

    def predict(self, windows: Windows | Array32) -> Array32:
        """Mean residual [standard deviations] of windows (w, step, channel).

        The same windows give the same bits on any thread and in any process of one
        machine; in other company a window's last digits may differ.
        """
        each = zip(self.digests, self.members, strict=True)
        networks = [_network(digest, weights) for digest, weights in each]
        full = len(windows) >= PREDICTION_BATCH
        result = np.empty((len(windows), windows.shape[1], 3), dtype=np.float32)
        for low in range(0, len(windows), PREDICTION_BATCH):
            batch = windows[low : low + PREDICTION_BATCH]
            total = np.zeros((len(batch), *result.shape[1:]))
            for few, many in networks:
                total += many(_padded(batch))[: len(batch)] if full else few(batch)
            result[low : low + len(batch)] = total / len(networks) * self.gain
        return result


def _padded(windows: Array32) -> Array32:
    """Windows as a batch of `PREDICTION_BATCH`, so that one compilation serves."""
    missing = PREDICTION_BATCH - len(windows)
    return np.pad(windows, ((0, missing), (0, 0), (0, 0))) if missing else windows


def _network(digest: str, weights: bytes) -> tuple[Forward, Forward]:
    """Functions for few and for many windows, built once per process."""
    network = _networks.get(digest)
    if network is None:
        with _lock:
            network = _networks.get(digest)
            if network is None:
                network = _networks[digest] = _forwards(load_network(weights))
    return network


def _forwards(network: Any) -> tuple[Forward, Forward]:
    """Forward passes of a network for few windows, and for a full batch."""
    keras = import_keras()

    if keras.backend.backend() == "tensorflow":
        return _tensorflow_forwards(network)
    network.compile(jit_compile="auto")
    turn = threading.Lock()

    def forward(windows: Array32) -> Array32:
        with turn:  # Keras keeps the state of a call on the model
            predicted = network.predict_on_batch(_padded(windows))
        return np.asarray(predicted[: len(windows)], dtype=np.float32)

    return forward, forward


def _tensorflow_forwards(network: Any) -> tuple[Forward, Forward]:
    """Traced once; then called without a lock, as TensorFlow allows.

    Compiling takes 3 to 4 s and then doubles the speed, which pays from many windows.
    """
    import tensorflow as tf

    def call(windows: Any) -> Any:
        return network(windows, training=False)

    shape = network.inputs[0].shape
    few = _traced(tf, call, (None, *shape[1:]))
    if tf.config.list_physical_devices("GPU"):
        return few, few  # cuDNN's kernels are faster than what XLA would make
    many: list[Forward] = []
    turn = threading.Lock()

    def compiled(windows: Array32) -> Array32:
        with turn:
            if not many:
                many.append(_traced(tf, call, windows.shape, jit_compile=True))
        return many[0](windows)

    return few, compiled


def _traced(
    tf: Any, call: Any, shape: tuple[int | None, ...], **options: bool
) -> Forward:
    spec = tf.TensorSpec(shape, tf.float32)
    function = tf.function(call, input_signature=[spec], **options)
    traced = function.get_concrete_function()

    def forward(windows: Array32) -> Array32:
        return np.asarray(traced(tf.constant(windows)).numpy(), dtype=np.float32)

    return forward
