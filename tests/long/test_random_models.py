"""Model files damaged at random: the same model, or one line."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import Watch, damaged, flipped, other_json, short_and_long

from gracelstm_xr.filling.model import FittedModel, load_model

pytestmark = pytest.mark.lstm


@pytest.fixture(scope="module")
def content(model: FittedModel, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("model")
    return model.save(folder / "m.gracelstm").read_bytes()


def all_of(model: FittedModel) -> tuple[str, dict[str, bytes], list[Any]]:
    """Everything that a model holds."""
    text, arrays = model._packed()
    members = [n.members for n in model.networks.values()]
    plain = json.dumps(text, sort_keys=True, default=str)
    return plain, {k: np.asarray(v).tobytes() for k, v in arrays.items()}, members


@short_and_long
def test_flipped_bits_of_a_model(content: bytes, tmp_path: Path, long: bool) -> None:
    path = tmp_path / "m.gracelstm"
    path.write_bytes(content)
    truth = all_of(load_model(path))
    watch = Watch("bits of a model", 20, 1_000, long=long)
    for number, rng in watch.inputs():
        bit = rng.randrange(8 * len(content))
        path.write_bytes(flipped(content, bit))
        loaded = watch.read(number, load_model, path)
        if loaded is not None and all_of(loaded) != truth:
            watch.note(number, "another model", f"bit {bit}")
    assert watch.counts["refused"] > 0.9 * watch.total


@short_and_long
def test_models(content: bytes, tmp_path: Path, long: bool) -> None:
    path = tmp_path / "m.gracelstm"
    watch = Watch("models", 20, 1_500, long=long)
    for number, rng in watch.inputs():
        path.write_bytes(spoilt(content, rng))
        watch.read(number, load_model, path)


def spoilt(content: bytes, rng: random.Random) -> bytes:
    """A damaged file, or one whose checksums are those of damaged members."""
    if rng.random() < 0.2:
        return damaged(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    name = rng.choice([*members, "model.json", "model.json"])
    change = rng.choice((damaged, other_json)) if name == "model.json" else damaged
    members[name] = change(members[name], rng)
    if name != "model.json":
        text = json.loads(members["model.json"])
        text["sha256"] = {
            n: hashlib.sha256(c).hexdigest()
            for n, c in members.items()
            if n != "model.json"
        }
        for track, said in text["networks"].items():
            said["sha256"] = [
                text["sha256"][f"{track}-{k}.keras"] for k in range(len(said["sha256"]))
            ]
        members["model.json"] = json.dumps(text).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for member, data in members.items():
            file.writestr(member, data)
    return buffer.getvalue()
