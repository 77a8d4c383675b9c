"""A trained network as bytes that any process can predict with."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.lstm.settings import PREDICTION_BATCH

__all__ = ["TrainedNetwork", "load_network", "network_bytes"]

Array32 = npt.NDArray[np.float32]

_networks: dict[str, Any] = {}
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

    def predict(self, windows: Array32) -> Array32:
        """Mean residual [standard deviations] of windows (w, step, channel).

        The batch, at most `PREDICTION_BATCH` windows, is padded to that size, so that
        a window's result does not depend on its company.
        """
        size = PREDICTION_BATCH
        padded = np.zeros((size, *windows.shape[1:]), dtype=np.float32)
        padded[: len(windows)] = windows
        total = np.zeros((len(windows), windows.shape[1], 3))
        for weights in self.members:
            network = _network(weights)
            with _lock:
                total += network.predict_on_batch(padded)[: len(windows)]
        scaled = total / len(self.members) * np.array(self.gain)
        return np.asarray(scaled, dtype=np.float32)


def network_bytes(network: Any) -> bytes:
    """A Keras model as the content of a ``.keras`` file, without the date of saving."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path, include_optimizer=False)
        return _undated(path)


def _undated(path: Path) -> bytes:
    """The same network gives the same bytes on any day."""
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                kept = json.loads(content)
                kept["date_saved"] = "1980-01-01@00:00:00"
                content = json.dumps(kept).encode()
            new.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def load_network(content: bytes) -> Any:
    """Keras model from the content of a ``.keras`` file; executes nothing from it."""
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        path.write_bytes(content)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _network(weights: bytes) -> Any:
    """The network, built once per process."""
    key = hashlib.sha256(weights).hexdigest()
    with _lock:
        if key not in _networks:
            network = load_network(weights)
            network.compile(jit_compile=False)
            _networks[key] = network
        return _networks[key]
