"""What a training needs to go on after an interruption, on disk.

A folder holds ``checkpoint.json``, which says of what data and settings it is, day
frames, and one file of plain arrays per track and member, replaced after each epoch.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.errors import GraceError
from gracelstm_xr.files import remove_leftovers, writing

FORMAT = "gracelstm_xr checkpoint 1"
NAME = "checkpoint.json"
Arrays = list[npt.NDArray[Any]]


@dataclass
class State:
    """Where the training of one network stands after an epoch.

    Attributes
    ----------
    rows : list of dict
        One per epoch done: ``loss``, ``val_loss``, ``learning_rate``, ``seconds``.
    variables, optimiser, best : list of ndarray
        Of the network and its optimiser, and the weights of the best epoch.
    done : bool
        Nothing is left to do.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    variables: Arrays = field(default_factory=list)
    optimiser: Arrays = field(default_factory=list)
    best: Arrays = field(default_factory=list)
    done: bool = False

    @property
    def best_epoch(self) -> int:
        """Number of the epoch with the smallest loss on held-out gaps, from 0.

        The last one where no gap could be held out.
        """
        losses = np.array([row["val_loss"] for row in self.rows])
        if np.isnan(losses).all():
            return len(losses) - 1
        return int(np.nanargmin(losses))


def claim(folder: Path, facts: Mapping[str, Any]) -> None:
    """Take a folder for a training, or go on with the same one.

    Parameters
    ----------
    folder : pathlib.Path
        Made when it is not there.
    facts : mapping of str to plain values
        What the result depends on, by kind.

    Raises
    ------
    GraceError
        When the folder holds something else, or a training that differs.
    """
    path = folder / NAME
    text = {"format": FORMAT, **json.loads(json.dumps(facts))}
    if not path.exists():
        remove_leftovers(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise GraceError(
                f"found {str(folder)!r} that is no checkpoint, expected an empty or "
                "new folder: choose another"
            )
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, json.dumps(text, indent=1).encode())
        return
    try:
        written = json.loads(path.read_text())
    except ValueError:
        written = {}
    if written.get("format") != FORMAT:
        raise GraceError(
            f"found {str(path)!r} that cannot be read as a checkpoint, expected one of "
            "this version: remove the folder or choose another"
        )
    for kind in text:
        if written.get(kind) != text[kind]:
            raise GraceError(
                f"found a checkpoint of other {kind} in {str(folder)!r}"
                f"{_difference(written.get(kind), text[kind])}, expected the same: fit "
                "as before, remove the folder, or choose another"
            )


def _difference(written: Any, given: Any) -> str:
    if not (isinstance(written, dict) and isinstance(given, dict)):
        return ""
    names = [k for k in given if written.get(k) != given[k]]
    if not names:
        return ""
    return f" ({names[0]}: {written.get(names[0])!r} there, {given[names[0]]!r} here)"


def write_state(path: Path, state: State) -> None:
    """Replace the file of one network; a reader finds the old or the new whole."""
    import io

    arrays = {
        f"{kind}-{number:04d}": values
        for kind in ("variables", "optimiser", "best")
        for number, values in enumerate(getattr(state, kind))
    }
    text = json.dumps({"rows": state.rows, "done": state.done})
    packed = io.BytesIO()
    np.savez(packed, text=np.array(text), **arrays)
    _replace(path, packed.getvalue())


def read_state(path: Path) -> State:
    """State of one network; a new one when there is no file.

    Raises
    ------
    GraceError
        When the file is damaged.
    """
    if not path.exists():
        return State()
    try:
        with np.load(path, allow_pickle=False) as arrays:
            text = json.loads(str(arrays["text"]))
            parts = {
                kind: [arrays[k] for k in sorted(arrays.files) if k.startswith(kind)]
                for kind in ("variables", "optimiser", "best")
            }
            return State(text["rows"], **parts, done=bool(text["done"]))
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise GraceError(
            f"found {str(path)!r} that cannot be read ({error}), expected the state of "
            "a training: remove the file to train this network again"
        ) from error


def _replace(path: Path, content: bytes) -> None:
    with writing(path, replace=True) as work:
        work.write_bytes(content)
