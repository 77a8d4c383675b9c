"""Units that an attribute says are converted or refused, never ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr.core.datamodel import VARIABLES
from gracelstm_xr.core.units import in_si
from gracelstm_xr.errors import GraceError


@pytest.mark.parametrize(
    ("name", "said", "factor"),
    [
        ("lin_accl", "nm s-2", 1e9),
        ("lin_accl", "nm/s^2", 1e9),
        ("lin_accl", "um s**-2", 1e6),
        ("lin_accl", "µm/s2", 1e6),
        ("lin_accl", "m/s2", 1.0),
        ("ang_accl", "mrad s-2", 1e3),
        ("position", "km", 1e-3),
        ("velocity", "km/s", 1e-3),
        ("thruster_on_time", "s", 1e-3),
    ],
)
def test_multiples_are_converted(name: str, said: str, factor: float) -> None:
    variable = VARIABLES[name]
    values = np.arange(1.0, 7.0).reshape((1, 2, 3))
    other = xr.Dataset({name: (variable.dims, values * factor, {"units": said})})
    back = in_si(other)
    np.testing.assert_allclose(back[name], values, rtol=1e-12)
    assert back[name].attrs == {"units": variable.units}
    assert other[name].attrs == {"units": said}


def test_nothing_to_convert_is_the_same_object(make_grid: Any) -> None:
    ds = make_grid()
    assert in_si(ds) is ds
    del ds["lin_accl"].attrs["units"]
    assert in_si(ds) is ds


@pytest.mark.parametrize("said", ["mGal", "m s-1", "", "1", "furlong", "m s-2 Hz-0.5"])
def test_others_are_refused(make_grid: Any, said: str) -> None:
    ds = make_grid()
    ds["lin_accl"].attrs["units"] = said
    with pytest.raises(GraceError, match="expected 'm s-2'") as error:
        ds.grace.gaps()
    assert "\n" not in str(error.value)
    assert "fit" in repr(ds.grace.lstm)  # which needs no data


def test_exported_in_si(make_grid: Any, tmp_path: Path) -> None:
    ds = make_grid()
    nano = ds.copy()
    nano["lin_accl"] = (ds["lin_accl"] * 1e9).assign_attrs(
        {**ds["lin_accl"].attrs, "units": "nm s-2"}
    )
    nano.grace.to_l1b(tmp_path / "days", product="ACC1B")
    ds.grace.to_l1b(tmp_path / "expected", product="ACC1B")
    one, other = (gx.open_archive(tmp_path / n) for n in ("days", "expected"))
    np.testing.assert_allclose(one["lin_accl"], other["lin_accl"], rtol=1e-12)
