"""A model file that is damaged or means harm: one line, and nothing runs."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_lstm_model import one_line

from gracelstm_xr.errors import ModelFileError
from gracelstm_xr.filling.model import FittedModel, load_model
from gracelstm_xr.filling.sigma import LATER
from gracelstm_xr.lstm.kerasfile import LARGEST, check_network, load_network

pytestmark = pytest.mark.lstm


@pytest.fixture(scope="module")
def members(
    model: FittedModel, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    path = model.save(tmp_path_factory.mktemp("model") / "m.gracelstm")
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def written(path: Path, members: dict[str, bytes], *, small: bool = False) -> Path:
    """A file of these members whose checksums are right."""
    members = dict(members)
    text = json.loads(members.pop("model.json"))
    sums = {n: hashlib.sha256(c).hexdigest() for n, c in members.items()}
    text["sha256"] = sums
    networks = text.get("networks", {})
    for track, said in networks.items() if isinstance(networks, dict) else ():
        if isinstance(said, dict) and isinstance(said.get("sha256"), list):
            said["sha256"] = [sums[f"{track}-0.keras"] for _ in said["sha256"]]
    pack = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", pack) as file:
        file.writestr("model.json", json.dumps(text))
        for name, content in members.items():
            file.writestr(name, content)
    return path


def changed_text(members: dict[str, bytes], text: Any) -> dict[str, bytes]:
    return members | {"model.json": json.dumps(text).encode()}


def packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every key of a JSON object is, arrays' first entries among them."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield (*path, key)
            yield from places(part, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def at(text: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        text = text[key]
    return text


def checked(text: Any) -> list[tuple[Any, ...]]:
    """Every place but the contents of tables, which are for people."""
    return [
        p
        for p in places(text)
        if p[0] not in ("sha256", "info") and (p[0] not in ("history", "scores"))
    ]


#: Parts of a model that may be None.
OPTIONAL = ("donor", "lag", "calibration", "forecast", "patience")


def refused(path: Path, why: object) -> None:
    try:
        one_line(path, "expected")
    except pytest.fail.Exception:
        pytest.fail(f"{why} was taken")


def test_a_whole_file_is_taken(members: dict[str, bytes], tmp_path: Path) -> None:
    load_model(written(tmp_path / "x.gracelstm", members))


def test_any_key_missing(members: dict[str, bytes], tmp_path: Path) -> None:
    text = json.loads(members["model.json"])
    every = checked(text)
    assert len(every) > 200
    # networks, recipients, baselines: one entry less is another model
    entries = {
        ("networks", "single"), ("networks", "twin"), ("recipients", "B"),
        *(("recipients", "B", "baselines", n)
          for n in text["recipients"]["B"]["baselines"]),
    }  # fmt: skip
    for place in [p for p in every if p not in entries and p[-1] not in LATER]:
        broken = copy.deepcopy(text)
        del at(broken, place[:-1])[place[-1]]
        path = written(tmp_path / "x.gracelstm", changed_text(members, broken))
        refused(path, place)


def test_any_key_of_another_type(members: dict[str, bytes], tmp_path: Path) -> None:
    text = json.loads(members["model.json"])
    kinds: list[Any] = [{}, [], None, "no"]
    for place in checked(text):
        if place[-1] in OPTIONAL:
            continue
        # one kind per key, in turn
        kinds = [*kinds[1:], kinds[0]]
        other = next(x for x in kinds if type(x) is not type(at(text, place)))
        broken = copy.deepcopy(text)
        at(broken, place[:-1])[place[-1]] = other
        path = written(tmp_path / "x.gracelstm", changed_text(members, broken))
        refused(path, (place, other))


@pytest.mark.parametrize("what", ["missing", "shape", "nan", "dtype", "object"])
def test_any_array(members: dict[str, bytes], tmp_path: Path, what: str) -> None:
    with np.load(io.BytesIO(members["arrays.npz"])) as file:
        arrays = {name: file[name] for name in file.files}
    assert len(arrays) > 20
    for name, array in arrays.items():
        other: Any = array
        if what == "shape":
            other = array[None]
        elif what == "dtype":
            other = array.astype("U9" if array.dtype.kind == "f" else object)
        elif what == "object":
            other = np.array([print, 1], dtype=object)
        elif what == "nan" and array.dtype.kind == "f" and np.isfinite(array).all():
            other = np.full_like(array, np.nan)
        if what == "nan" and (other is array or array.size == 0):
            continue
        left = {n: a for n, a in arrays.items() if n != name}
        if what != "missing":
            left[name] = other
        broken = members | {"arrays.npz": packed(left)}
        one_line(written(tmp_path / "x.gracelstm", broken), "expected")


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_file_of_an_older_format(
    members: dict[str, bytes], tmp_path: Path, version: int
) -> None:
    text = json.loads(members["model.json"]) | {"format_version": version}
    path = written(tmp_path / "x.gracelstm", changed_text(members, text))
    one_line(path, f"format version {version}, expected 5: fit again")


def test_names_that_lead_elsewhere(members: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    for name in ("../../outside.keras", "/outside.keras", "a/../../b.keras"):
        bad = {**members, name: b"harm"}
        one_line(written(folder / "x.gracelstm", bad), "expected")
        assert [p.name for p in tmp_path.rglob("*.keras")] == []
        text = json.loads(members["model.json"])
        track = name.removesuffix(".keras")
        text["networks"][track] = text["networks"]["twin"]
        moved = {**members, f"{track}-0.keras": members["twin-0.keras"]}
        # a name is a key of the zip, never a path
        load_model(written(folder / "x.gracelstm", changed_text(moved, text)))
        assert [p.name for p in tmp_path.rglob("*.keras")] == []


def test_bombs(members: dict[str, bytes], tmp_path: Path) -> None:
    zeros = bytes(LARGEST + 1)
    big = {**members, "twin-0.keras": zeros}
    one_line(written(tmp_path / "x.gracelstm", big, small=True), "unpacks to")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", zeros)
    one_line(
        written(tmp_path / "y.gracelstm", {**members, "arrays.npz": inner.getvalue()}),
        "unpacks to",
    )
    one_line(
        written(
            tmp_path / "z.gracelstm",
            {**members, "twin-0.keras": network(members, weights=zeros)},
        ),
        "unpacks to",
    )


def network(
    members: dict[str, bytes],
    *,
    config: Callable[[dict[str, Any]], None] | None = None,
    weights: bytes | None = None,
    extra: str | None = None,
) -> bytes:
    """The twin's network with one thing changed."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(members["twin-0.keras"])) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json" and config is not None:
                text = json.loads(content)
                config(text)
                content = json.dumps(text).encode()
            if name == "model.weights.h5" and weights is not None:
                content = weights
            new.writestr(name, content)
        if extra is not None:
            new.writestr(extra, b"harm")
    return buffer.getvalue()


def layer(text: dict[str, Any], name: str) -> dict[str, Any]:
    return next(x for x in text["config"]["layers"] if x["name"] == name)


def as_lambda(text: dict[str, Any]) -> None:
    import base64
    import marshal

    code = compile("lambda x: __import__('os').system('touch ran')", "x", "eval")
    found = layer(text, "dropout_1")
    found["class_name"] = "Lambda"
    found["config"] = {
        "name": "dropout_1",
        "function": {
            "class_name": "__lambda__",
            "config": {
                "code": base64.b64encode(marshal.dumps(code)).decode(),
                "defaults": None,
                "closure": None,
            },
        },
    }


def as_module(text: dict[str, Any]) -> None:
    found = layer(text, "dropout_1")
    found.update(module="os", class_name="system", registered_name=None)
    found["config"] = "touch ran"


def as_initialiser(text: dict[str, Any]) -> None:
    # the way of CVE-2025-1550: a class inside the configuration of a layer
    layer(text, "recurrent_out")["config"]["kernel_initializer"] = {
        "module": "subprocess", "class_name": "Popen", "registered_name": None,
        "config": {"args": ["touch", "ran"]},
    }  # fmt: skip


def as_custom(text: dict[str, Any]) -> None:
    layer(text, "dropout_1").update(
        module=None, class_name="Mine", registered_name="Custom>Mine"
    )


def as_registered(text: dict[str, Any]) -> None:
    layer(text, "dropout_1")["registered_name"] = "Custom>Mine"


def as_reader(text: dict[str, Any]) -> None:
    found = layer(text, "dropout_1")
    found["class_name"] = "TextVectorization"
    found["config"] = {"vocabulary": "/etc/passwd"}


def as_function(text: dict[str, Any]) -> None:
    layer(text, "recurrent_out")["config"]["activation"] = {
        "module": "builtins", "class_name": "function", "config": "exec",
        "registered_name": "function",
    }  # fmt: skip


def as_huge(text: dict[str, Any]) -> None:
    layer(text, "recurrent_out")["config"]["units"] = 10**9


def as_nothing(text: dict[str, Any]) -> None:
    text.clear()


@pytest.mark.parametrize(
    "change",
    [
        as_lambda, as_module, as_initialiser, as_custom, as_registered, as_reader,
        as_function, as_huge, as_nothing,
    ],
)  # fmt: skip
def test_networks_that_mean_harm(
    members: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = network(members, config=change)
    path = written(tmp_path / "x.gracelstm", {**members, "twin-0.keras": bad})
    one_line(path, "twin-0.keras")
    with pytest.raises(ModelFileError):
        load_network(bad)
    assert not (tmp_path / "ran").exists()


def test_members_of_a_network(members: dict[str, bytes]) -> None:
    for name in ("assets/x.py", "../x"):
        with pytest.raises(ModelFileError, match="holds"):
            check_network(network(members, extra=name), "it")
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = network(members, extra="model.weights.h5")
    with pytest.raises(ModelFileError, match="holds"):
        check_network(twice, "it")
    with pytest.raises(ModelFileError, match="cannot be read"):
        check_network(b"no", "it")
    with pytest.raises(ModelFileError, match="cannot be read"):
        check_network(network(members, weights=b"no"), "it")


def test_weights_that_are_links(members: dict[str, bytes], tmp_path: Path) -> None:
    import h5py

    for number in range(4):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            if number == 0:
                file["x"] = h5py.ExternalLink("/etc/passwd", "/")
            elif number == 1:
                file["x"] = h5py.SoftLink("/y")
            elif number == 2:
                # a file of a few kB that claims to be of 8 TB
                file.create_dataset("x", (10**12,), "f8", chunks=(1 << 16,))
            else:
                file["x"] = np.full(3, np.nan)
        with pytest.raises(ModelFileError, match="weights"):
            check_network(network(members, weights=buffer.getvalue()), "it")


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def test_pickles_in_the_arrays(
    members: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with np.load(io.BytesIO(members["arrays.npz"])) as file:
        arrays: dict[str, Any] = {name: file[name] for name in file.files}
    arrays[next(iter(arrays))] = np.array([Harm()], dtype=object)
    for content in (packed(arrays), pickle.dumps(Harm())):
        path = written(tmp_path / "x.gracelstm", {**members, "arrays.npz": content})
        one_line(path, "expected")
    path.write_bytes(pickle.dumps(Harm()))
    one_line(path, "cannot be read")
    assert not (tmp_path / "ran").exists()


SCRIPT = """
import sys
ran = []
sys.addaudithook(lambda event, args: ran.append(event)
                 if event in ("os.system", "subprocess.Popen", "os.exec") else None)
import gracelstm_xr as gx
for path in sys.argv[1:]:
    try:
        gx.load_model(path)
    except ValueError as error:
        print(type(error).__name__)
    else:
        print("taken")
print(ran, "keras" in sys.modules, "tensorflow" in sys.modules)
"""


def test_a_fresh_process_runs_nothing(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    """The interpreter's own audit says so, and Keras never sees the file."""
    paths = []
    for change in (as_lambda, as_module, as_initialiser):
        bad = network(members, config=change)
        paths.append(
            written(
                tmp_path / f"{change.__name__}.gracelstm",
                {**members, "twin-0.keras": bad},
            )
        )
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT, *paths],
        capture_output=True, text=True, check=True, timeout=100,
    ).stdout.split("\n")  # fmt: skip
    assert said[:4] == [*["ModelFileError"] * 3, "[] False False"]
