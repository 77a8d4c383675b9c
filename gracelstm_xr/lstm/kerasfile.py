"""Networks as the content of ``.keras`` files, and what such a file may hold.

Keras builds the classes a file names. Before it sees a file, the names are checked
here against a list of layers that compute and nothing else, so that reading a model
never runs code that came with it, whatever the version of Keras.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from gracelstm_xr.errors import ModelFileError
from gracelstm_xr.files import scratch
from gracelstm_xr.lstm.backend import import_keras

_LAYERS = """
Activation Add AdditiveAttention Attention Average AveragePooling1D
BatchNormalization Bidirectional Concatenate Conv1D Conv1DTranspose Cropping1D Dense
DepthwiseConv1D Dot Dropout EinsumDense ELU Flatten GaussianDropout GaussianNoise
GlobalAveragePooling1D GlobalMaxPooling1D GroupNormalization GRU GRUCell Identity
InputLayer LayerNormalization LeakyReLU LSTM LSTMCell Masking Maximum MaxPooling1D
Minimum MultiHeadAttention Multiply Normalization Permute PReLU ReLU RepeatVector
Rescaling Reshape RMSNormalization RNN SeparableConv1D SimpleRNN SimpleRNNCell
Softmax SpatialDropout1D StackedRNNCells Subtract TimeDistributed UnitNormalization
UpSampling1D ZeroPadding1D
"""
#: Layers a model file may hold.
LAYERS = frozenset(_LAYERS.split())
#: Other classes of Keras, by the module a file names them in; None for any.
OTHERS: dict[str, frozenset[str] | None] = {
    "keras": frozenset({"DTypePolicy", "Sequential", "Functional"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.models.sequential": frozenset({"Sequential"}),
    "keras.initializers": None,
    "keras.regularizers": None,
    "keras.constraints": None,
}
#: Marks of Keras that name no class.
MARKS = frozenset({"__keras_tensor__", "__tuple__"})
#: Files inside a ``.keras`` file.
MEMBERS = frozenset({"config.json", "metadata.json", "model.weights.h5"})
#: Most bytes of a file, unpacked: 60 million weights.
LARGEST = 1 << 28
#: Most units of a layer.
MOST_UNITS = 16_384


def network_bytes(network: Any) -> bytes:
    """Content of the ``.keras`` file of a Keras model.

    The same network gives the same bytes on any day and in any process; how it was
    compiled is left out.

    Raises
    ------
    ModelFileError
        When it holds a layer that is not one of `LAYERS`.
    """
    with scratch("gracelstm-network") as folder:
        path = folder / "network.keras"
        network.save(path, include_optimizer=False)
        packed = io.BytesIO()
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w") as new:
            for name in sorted(old.namelist()):
                content = old.read(name)
                if name.endswith(".json"):
                    content = json.dumps(_lasting(json.loads(content))).encode()
                new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    check_network(packed.getvalue(), "the network")
    return packed.getvalue()


def _lasting(config: dict[str, Any]) -> dict[str, Any]:
    """Configuration without date, compilation and memory addresses."""
    config.pop("compile_config", None)
    if "date_saved" in config:
        config["date_saved"] = "1980-01-01@00:00:00"
    numbers: dict[int, int] = {}
    for entry in _dicts(config):
        if "shared_object_id" in entry:
            number = entry["shared_object_id"]
            entry["shared_object_id"] = numbers.setdefault(number, len(numbers) + 1)
    return config


def load_network(content: bytes) -> Any:
    """Keras model from the content of a ``.keras`` file.

    Raises
    ------
    ModelFileError
        When the content is not what `check_network` allows.
    """
    check_network(content, "the network")
    keras = import_keras()

    with scratch("gracelstm-network") as folder:
        path = folder / "network.keras"
        path.write_bytes(content)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def check_network(content: bytes, what: str) -> None:
    """Refuse a ``.keras`` file that Keras should not be shown.

    Parameters
    ----------
    content : bytes
    what : str
        Beginning of the message.

    Raises
    ------
    ModelFileError
        For another kind of file, members that do not belong there or are too large,
        classes other than those listed above, or weights that are not plain arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            names = file.namelist()
            if set(names) != MEMBERS or len(names) != len(MEMBERS):
                raise ModelFileError(
                    f"{what} holds {', '.join(sorted(names)) or 'nothing'}, expected "
                    f"{', '.join(sorted(MEMBERS))}: fit and save the model again"
                )
            check_sizes(file, what)
            config = json.loads(file.read("config.json"))
            weights = file.read("model.weights.h5")
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, zlib.error) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            f"{what} cannot be read as a .keras file ({error}): fit and save again"
        ) from error
    _check_config(config, what)
    _check_weights(weights, what)


def network_name(content: bytes) -> str:
    """Name of the model in a ``.keras`` file that has been checked."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        config = json.loads(file.read("config.json"))
    return str(config["config"].get("name", config.get("class_name", "network")))


def check_sizes(file: zipfile.ZipFile, what: str) -> None:
    """Refuse a zip that would unpack to more than `LARGEST` bytes."""
    size = sum(member.file_size for member in file.infolist())
    if size > LARGEST:
        raise ModelFileError(
            f"{what} unpacks to {size} bytes, expected at most {LARGEST}: it is not a "
            "file of model.save()"
        )


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects inside of one, itself first."""
    stack = [value]
    while stack:
        entry = stack.pop()
        if isinstance(entry, dict):
            yield entry
            stack += reversed(entry.values())
        elif isinstance(entry, list):
            stack += reversed(entry)


def _check_config(config: Any, what: str) -> None:
    if not isinstance(config, dict) or "class_name" not in config:
        raise ModelFileError(f"{what} has no configuration: fit and save again")
    for entry in _dicts(config):
        name, module = entry.get("class_name"), entry.get("module")
        if (name is not None or module is not None) and not _allowed(name, module):
            raise ModelFileError(
                f"{what} names the class {module}.{name}, expected layers of Keras "
                "that compute and nothing else (gracelstm_xr.lstm.kerasfile.LAYERS): "
                "build it from these"
            )
        if entry.get("registered_name") not in (None, name):
            raise ModelFileError(
                f"{what} names the custom class {entry['registered_name']!r}, expected "
                "layers of Keras: build it from these"
            )
        units = entry.get("units", 0)
        if not isinstance(units, int) or not 0 <= units <= MOST_UNITS:
            raise ModelFileError(
                f"{what} has a layer of {units!r} units, expected at most {MOST_UNITS}"
                ": build it smaller"
            )


def _allowed(name: Any, module: Any) -> bool:
    if module is None:
        return name in MARKS
    if module == "keras.layers":
        return name in LAYERS
    if module not in OTHERS or not isinstance(name, str):
        return False
    names = OTHERS[module]
    return name.isidentifier() if names is None else name in names


def _check_weights(content: bytes, what: str) -> None:
    """Hard links to arrays that fit into memory, and nothing outside the file."""
    import h5py

    total = 0
    try:
        with h5py.File(io.BytesIO(content)) as file:
            stack = [file]
            while stack:
                group = stack.pop()
                for name in group:
                    hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
                    member = group[name] if hard else None
                    if isinstance(member, h5py.Group):
                        stack.append(member)
                    elif not isinstance(member, h5py.Dataset) or member.external:
                        raise ModelFileError(
                            f"{what} has weights that are links ({name}), expected "
                            "arrays: fit and save again"
                        )
                    else:
                        total += member.size * member.dtype.itemsize
                        _check_array(member, total, what)
    except (OSError, KeyError, RuntimeError) as error:
        raise ModelFileError(
            f"{what} has weights that cannot be read ({error}): fit and save again"
        ) from error


def _check_array(weights: Any, total: int, what: str) -> None:
    import numpy as np

    if weights.dtype.kind not in "fiub" or weights.is_virtual or total > LARGEST:
        raise ModelFileError(
            f"{what} has weights of type {weights.dtype}, {total} bytes in all, "
            f"expected numbers of at most {LARGEST} bytes: fit and save again"
        )
    if not np.isfinite(weights[()]).all():
        raise ModelFileError(
            f"{what} has weights that are not finite ({weights.name}): fit again "
            "with a lower learning rate"
        )
