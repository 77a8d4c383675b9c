"""Fixtures shared by all tests; heavy libraries are imported inside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., Any]:
    """Factory of small Datasets in the data model, see ``datasets.make_grid``."""
    from datasets import make_grid

    return make_grid


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of sample files that may stand next to the checkout."""
    folder = Path(__file__).parents[1] / ".." / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared sample files next to the checkout")
    return folder.resolve()


@pytest.fixture
def no_compute() -> Iterator[None]:
    """Fail when Dask computes anything."""
    import dask

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("Dask computed something")

    with dask.config.set(scheduler=refuse):
        yield
