"""Examples in docstrings run, and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import gracelstm_xr as gx


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder()
    found = []
    for info in pkgutil.walk_packages(gx.__path__, "gracelstm_xr."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            found += finder.find(module, module.__name__)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("test", examples(), ids=lambda test: test.name)
def test_examples_run(
    test: doctest.DocTest,
    make_grid: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `gx`, and with `ds`: an hour of A and B, a minute of B missing."""
    monkeypatch.chdir(tmp_path)
    test.globs = {"gx": gx, "ds": make_grid(size=3600, gaps={"B": [(600, 660)]})}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    told: list[str] = []
    assert runner.run(test, out=told.append).failed == 0, "".join(told)


def test_there_are_examples() -> None:
    names = {test.name.rpartition(".")[2] for test in examples()}
    assert {"clean", "fill", "find_gaps", "fit_baseline", "to_zarr"} <= names
