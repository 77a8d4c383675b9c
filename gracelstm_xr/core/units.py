"""Units of the data model: what an attribute says is converted or refused."""

from __future__ import annotations

import re

import xarray as xr

from gracelstm_xr.core.datamodel import VARIABLES
from gracelstm_xr.errors import GraceError

PREFIXES = {
    "": 1.0,
    "k": 1e3,
    "c": 1e-2,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
}
#: Units that may bear a prefix.
BASES = ("m", "s", "rad")


def in_si(ds: xr.Dataset) -> xr.Dataset:
    """Dataset whose variables are in the units of the data model.

    Parameters
    ----------
    ds : xarray.Dataset
        A variable without ``units`` is taken to be in those of the data model.

    Returns
    -------
    xarray.Dataset
        ``ds`` itself where nothing is to be converted.

    Raises
    ------
    GraceError
        When an attribute names a unit that is no multiple of the expected one.
    """
    converted = {}
    for name in ds.data_vars:
        expected = VARIABLES[str(name)].units if name in VARIABLES else ""
        said = ds[name].attrs.get("units", expected)
        if not expected or said == expected:
            continue
        factor = _factor(str(said), expected)
        if factor is None:
            raise GraceError(
                f"found {name} in units {said!r}, expected {expected!r} or a multiple "
                f"of it such as {'n' + expected!r}: convert the values, or correct the "
                "attribute units"
            )
        attrs = {**ds[name].attrs, "units": expected}
        values = ds[name] if factor == 1 else ds[name] * factor
        converted[name] = values.assign_attrs(attrs)
    return ds.assign(converted) if converted else ds


def _factor(said: str, expected: str) -> float | None:
    """Number of expected units in one that was said; None where they differ in kind."""
    one, other = _parsed(said), _parsed(expected)
    if one is None or other is None or one[1] != other[1]:
        return None
    return one[0] / other[0]


def _parsed(text: str) -> tuple[float, str] | None:
    """Power of ten and plain unit: ``"nm/s^2"`` is 1e-9 and ``"m s-2"``."""
    text = re.sub(r"[µμ]", "u", text)
    text = re.sub(r"\*\*|\^", "", text)
    text = re.sub(r"/\s*s(\d?)", lambda m: f" s-{m[1] or 1}", text)
    first, *rest = re.split(r"[\s.*]+", text.strip())
    for base in BASES:
        if first.endswith(base) and first.removesuffix(base) in PREFIXES:
            return PREFIXES[first.removesuffix(base)], " ".join([base, *rest])
    return None
