"""Importing the package is cheap and inert."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "matplotlib", "distributed", "dask", "scipy", "zarr")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_import_brings_nothing_heavy() -> None:
    """Only what xarray itself imports, of these, may be there."""
    code = f"""
import sys, xarray
before = set(sys.modules)
import gracelstm_xr
print(sorted({{m.split('.')[0] for m in set(sys.modules) - before}} & set({HEAVY!r})))
"""
    assert run(code) == "[]"


def test_reading_attributes_brings_nothing_heavy() -> None:
    code = f"""
import sys, gracelstm_xr
gracelstm_xr.__version__, dir(gracelstm_xr), gracelstm_xr.accessor.GraceAccessor.lstm
print(sorted(set(sys.modules) & set({HEAVY!r})))
"""
    assert run(code) == "[]"


def test_command_line_parser_is_light() -> None:
    code = f"""
import sys, gracelstm_xr.cli
gracelstm_xr.cli.build_parser()
print(sorted(set(sys.modules) & set({HEAVY!r})))
"""
    assert run(code) == "[]"


def test_import_leaves_options_and_warnings_alone() -> None:
    code = """
import warnings, xarray
filters, options = list(warnings.filters), dict(xarray.core.options.OPTIONS)
import gracelstm_xr
print(filters == warnings.filters, options == xarray.core.options.OPTIONS)
"""
    assert run(code) == "True True"


def test_top_level_names_are_the_functions() -> None:
    import gracelstm_xr as gx
    from gracelstm_xr.filling.model import load_model
    from gracelstm_xr.store.write import open_store

    assert gx.open_store is open_store
    assert gx.load_model is load_model
    assert gx.tutorial.__name__ == "gracelstm_xr.tutorial"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gx.nonsense  # noqa: B018


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    import gracelstm_xr as gx

    assert gx.__version__ == version("gracelstm-xr")


@pytest.mark.benchmark
def test_import_time() -> None:
    """Print the ratio to xarray alone; the goal is 1.3, the bound leaves noise."""
    code = """
import time
first = time.perf_counter()
import xarray
middle = time.perf_counter()
import gracelstm_xr
print((time.perf_counter() - first) / (middle - first))
"""
    ratio = min(float(run(code)) for _ in range(3))
    print(f"import gracelstm_xr / import xarray = {ratio:.3f}")
    assert ratio < 1.5
