"""Satellites, components and numbers of the data model: put in order, or refused."""

from __future__ import annotations

import xarray as xr

from gracelstm_xr.core.datamodel import LABELS, VARIABLES
from gracelstm_xr.core.units import in_si
from gracelstm_xr.errors import GraceError


def as_data_model(ds: xr.Dataset) -> xr.Dataset:
    """Dataset with the units, labels, order of components and types that verbs expect.

    Parameters
    ----------
    ds : xarray.Dataset
        A dimension without labels is taken to be in the order of the data model.

    Returns
    -------
    xarray.Dataset
        ``ds`` itself where it is so already.

    Raises
    ------
    GraceError
        When a unit, label or type is another one; the line says what is expected.
    """
    return _in_order(_real(in_si(ds)))


def require_axes(ds: xr.Dataset) -> None:
    """Raise where axes of the accelerometer were left out, which verbs need together.

    Parameters
    ----------
    ds : xarray.Dataset
        Of `as_data_model`.
    """
    if 0 < ds.sizes.get("axis", 0) < len(LABELS["axis"]):
        raise GraceError(
            f"found axis {_listed(ds, 'axis')}, expected {', '.join(LABELS['axis'])}: "
            "select axes of the result instead"
        )


def _real(ds: xr.Dataset) -> xr.Dataset:
    """Integers as floats; what is no real number is refused."""
    converted = {}
    for name in ds.data_vars:
        if name not in VARIABLES or not VARIABLES[str(name)].dtype.startswith("float"):
            continue
        dtype = ds[name].dtype
        if dtype.kind in "iu":
            converted[name] = ds[name].astype("float64")
        elif dtype.kind != "f":
            raise GraceError(
                f"found {name} of type {dtype}, expected float64: convert it with "
                f"ds[{name!r}].astype(float)"
            )
    return ds.assign(converted) if converted else ds


def _in_order(ds: xr.Dataset) -> xr.Dataset:
    """Components in the order of the data model; every satellite once."""
    for dim in (d for d in ("satellite", *LABELS) if d in ds.dims and d in ds.coords):
        if ds[dim].dtype.kind == "S":
            ds = ds.assign_coords({dim: ds[dim].astype(str)})
        found = ds[dim].values.tolist()
        expected = LABELS.get(dim) or sorted(set(map(str, found)))
        if len(set(found)) != len(found) or not set(found) <= set(expected):
            words = ", ".join(expected) if dim in LABELS else "letters, each once"
            raise GraceError(
                f"found {dim} {_listed(ds, dim)}, expected {words}: correct them, as "
                f"in ds.assign_coords({dim}=[...])"
            )
        if dim in LABELS:
            ordered = sorted(found, key=expected.index)
            if ordered != found:
                ds = ds.isel({dim: [found.index(label) for label in ordered]})
    return ds


def _listed(ds: xr.Dataset, dim: str) -> str:
    """Labels along a dimension, or their number where it has none."""
    if dim not in ds.coords:
        return f"of length {ds.sizes[dim]}"
    return ", ".join(map(str, ds[dim].values.tolist()))
