"""Importing the package is cheap and inert."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "matplotlib", "distributed", "dask", "scipy", "zarr")


def test_import_is_cheap_and_inert() -> None:
    """Of these, not even attributes and the parser of the command line bring any."""
    code = f"""
import sys, warnings, xarray
filters, options = list(warnings.filters), dict(xarray.core.options.OPTIONS)

def heavy():
    print(sorted(set(sys.modules) & set({HEAVY!r})))

import gracelstm_xr
print(filters == warnings.filters, options == xarray.core.options.OPTIONS)
heavy()
gracelstm_xr.__version__, dir(gracelstm_xr), gracelstm_xr.accessor.GraceAccessor.lstm
heavy()
import gracelstm_xr.cli
gracelstm_xr.cli.build_parser()
heavy()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["True True", "[]", "[]", "[]"]


def test_top_level_names_are_the_functions() -> None:
    import gracelstm_xr as gx
    from gracelstm_xr.filling.model import load_model
    from gracelstm_xr.store.read import open_store

    assert gx.open_store is open_store
    assert gx.load_model is load_model
    assert gx.tutorial.__name__ == "gracelstm_xr.tutorial"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gx.nonsense  # noqa: B018


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    import gracelstm_xr as gx

    assert gx.__version__ == version("gracelstm-xr")
