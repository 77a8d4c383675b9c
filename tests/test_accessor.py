"""The accessor is thin, stateless, and knows its Dataset without computing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import gracelstm_xr.accessor as accessor
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr

GraceAccessor = accessor.GraceAccessor
LSTMAccessor, PlotAccessor = accessor.LSTMAccessor, accessor.PlotAccessor
METHODS = [
    (cls, name)
    for cls in (GraceAccessor, LSTMAccessor, PlotAccessor)
    for name, value in vars(cls).items()
    if isinstance(value, accessor.Verb)
]


@pytest.mark.parametrize(("cls", "name"), METHODS)
def test_every_method_is_documented_and_annotated(cls: type, name: str) -> None:
    method = getattr(cls, name)
    text = inspect.getdoc(method) or ""
    assert "Returns\n-------" in text
    signature = inspect.signature(method)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in list(signature.parameters.values())[1:]:
        assert parameter.annotation is not inspect.Parameter.empty
        assert parameter.name in text


def test_verbs_are_the_functions_with_their_own_signatures(make_grid: Any) -> None:
    from gracelstm_xr.filling.fit import fit

    ds = make_grid(size=100)
    assert ds.grace.fit.__func__ is fit
    assert ds.grace.fit.__self__ is ds
    shown = inspect.signature(ds.grace.fit).parameters
    assert {"recipient", "checkpoint", "epochs", "seed", "units"} <= set(shown)
    assert "ds" not in shown
    assert "history" in inspect.signature(ds.grace.plot.forecast).parameters


def test_reprs_say_what_is_offered(make_grid: Any) -> None:
    ds = make_grid(size=100)
    for part, cls in ((ds.grace.lstm, LSTMAccessor), (ds.grace.plot, PlotAccessor)):
        lines = repr(part).splitlines()
        names = [n for n, v in vars(cls).items() if isinstance(v, accessor.Verb)]
        assert [line.split()[0] for line in lines[1:]] == names
        assert all(len(line.split()) > 2 for line in lines[1:])


def test_contract_methods_are_there() -> None:
    wanted = "to_zarr gaps features transplant fit fill evaluate to_netcdf to_l1b"
    for name in wanted.split():
        assert callable(getattr(GraceAccessor, name))
    figures = "series gaps spectrum training evaluation ground_track"
    for name in figures.split():
        assert callable(getattr(GraceAccessor.plot, name))
    for name in ("fit", "fill"):
        assert callable(getattr(GraceAccessor.lstm, name))


def test_nested_read_on_the_class_is_the_class() -> None:
    assert GraceAccessor.lstm is LSTMAccessor
    assert xr.Dataset.grace.plot is PlotAccessor


def test_accessor_holds_the_dataset_and_nothing_else(make_grid: Any) -> None:
    ds = make_grid(size=100)
    assert vars(ds.grace) == {"_ds": ds}
    assert vars(ds.grace.plot) == {"_ds": ds}


@pytest.mark.usefixtures("no_compute")
def test_repr_tells_metadata_without_computing(make_grid: Any) -> None:
    text = repr(make_grid(size=7200, satellites="CD").chunk(time=3600).grace)
    assert "C, D (GRACE-FO)" in text
    assert "2008-01-01T00:00:00 to 2008-01-01T01:59:59 GPS" in text
    assert "1 s, 7200 epochs" in text
    assert "not counted" in text


def test_repr_of_a_store_tells_the_gaps(
    make_grid: Any, tmp_path: Path, no_compute: Callable[..., Any]
) -> None:
    import dask

    with dask.config.set(scheduler="sync"):
        to_zarr(make_grid(size=1000, gaps={"B": [(0, 250)]}), tmp_path / "a.zarr")
    ds = open_store(tmp_path / "a.zarr")
    assert "missing:    A 0 %, B 25 %" in repr(ds.grace)
    # a part is not what was counted
    assert "not counted" in repr(ds.isel(time=slice(0, 500)).grace)


def test_repr_survives_foreign_datasets() -> None:
    assert "time: none" in repr(xr.Dataset({"a": ("x", [1, 2])}).grace)


def test_html_says_the_same_and_escapes(make_grid: Any) -> None:
    ds = make_grid(size=100).assign(**{"<b>": ("x", [1])})
    page = ds.grace._repr_html_()
    assert "<td style='text-align:left'>A, B (GRACE)</td>" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    verbs = ds.grace.lstm._repr_html_()
    for name in ("fit", "fill"):
        assert f"<th style='text-align:left'>{name}</th>" in verbs
