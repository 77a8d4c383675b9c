"""Hyperparameters from a file, for ``gracelstm fit --config``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from gracelstm_xr.errors import GraceError

KINDS = (".toml", ".yaml", ".yml", ".json")


def read_config(path: str) -> dict[str, Any]:
    """Read names and values from a TOML, YAML or JSON file.

    Parameters
    ----------
    path : str
        The suffix decides how it is read.

    Returns
    -------
    dict of str to object

    Raises
    ------
    GraceError
        When the file has another suffix, cannot be read as what its suffix says, or
        holds something else than names with values.
    """
    kind = Path(path).suffix.lower()
    if kind not in KINDS:
        raise GraceError(
            f"found {path!r}, expected a file in {', '.join(KINDS)}: rename it"
        )
    try:
        options = _parsed(Path(path).read_text(encoding="utf-8"), kind)
    except (ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise GraceError(
            f"found {path!r} that cannot be read as {kind[1:]} ({text}), expected "
            "lines of names and values: correct the file"
        ) from error
    if not isinstance(options, dict) or not all(isinstance(k, str) for k in options):
        raise GraceError(
            f"found {type(options).__name__} in {path!r}, expected names and values, "
            "for example epochs and 30: correct the file"
        )
    return options


def _parsed(text: str, kind: str) -> Any:
    if kind == ".toml":
        return tomllib.loads(text)
    if kind == ".json":
        return json.loads(text)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
