"""Labels and types that a user may change: put in order, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_array_equal

import gracelstm_xr as gx
from gracelstm_xr.cli import main
from gracelstm_xr.core.components import as_data_model
from gracelstm_xr.errors import GraceError

#: What the Dataset is turned by, dimension by dimension.
TURNED = {
    "axis": [2, 0, 1],
    "quaternion_component": [3, 0, 1, 2],
    "thruster": list(range(13, -1, -1)),
    "satellite": [1, 0],
}


@pytest.fixture(scope="module")
def gappy(twin: xr.Dataset) -> xr.Dataset:
    return twin.isel(time=slice(0, 6 * 3600))


@pytest.mark.parametrize("dim", TURNED)
def test_order_of_labels_does_not_matter(gappy: xr.Dataset, dim: str) -> None:
    """Geometry of components in another order was wrong without a word."""
    turned = gappy.isel({dim: TURNED[dim]})
    one = gappy.grace.features(recipient="B").compute()
    xr.testing.assert_allclose(turned.grace.features(recipient="B").compute(), one)
    name = "lin_accl_filled"
    filled = gappy.grace.fill(method="ridge")[name].compute()
    other = turned.grace.fill(method="ridge")[name].compute()
    assert_array_equal(other.reindex_like(filled), filled)
    assert turned[dim].values.tolist() != gappy[dim].values.tolist()


def test_the_right_order_is_the_same_object(make_grid: Any) -> None:
    ds = make_grid()
    assert as_data_model(ds) is ds


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axis": ["X", "Y", "Z"]}, "found axis X, Y, Z, expected x, y, z"),
        ({"axis": [0, 1, 2]}, "found axis 0, 1, 2, expected x, y, z"),
        ({"axis": ["x", "x", "z"]}, "found axis x, x, z, expected x, y, z"),
        ({"satellite": ["A", "A"]}, "found satellite A, A, expected letters"),
        ({"satellite": [1, 2]}, "found satellite 1, 2, expected letters"),
    ],
)
@pytest.mark.parametrize("verb", ["fill", "fit", "gaps", "clean", "features"])
def test_other_labels_are_refused(
    make_grid: Any, change: dict[str, Any], words: str, verb: str
) -> None:
    ds = make_grid(size=600).assign_coords(change)
    options = {"fill": {"method": "linear"}}.get(verb, {})
    with pytest.raises(GraceError, match=words) as error:
        getattr(ds.grace, verb)(**options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("verb", ["fill", "fit", "transplant", "features", "calibrate"])
def test_some_axes_only(make_grid: Any, verb: str) -> None:
    """What looks at one axis goes on; what needs all three says so."""
    part = make_grid(size=600, gaps={"B": [(100, 200)]}).sel(axis=["x", "z"])
    assert part.grace.gaps().sizes["gap"] == 1
    options = {"fill": {"method": "linear"}}.get(verb, {})
    with pytest.raises(GraceError, match="found axis x, z, expected x, y, z"):
        getattr(part.grace, verb)(**options)
    with pytest.raises(GraceError, match="found axis x, z, expected x, y, z"):
        gx.fit_baseline(part, method="linear")


@pytest.mark.parametrize("dtype", ["complex128", "object", "str"])
def test_what_is_no_real_number_is_refused(make_grid: Any, dtype: str) -> None:
    ds = make_grid(size=600)
    ds["lin_accl"] = ds["lin_accl"].astype(dtype)
    with pytest.raises(GraceError, match="expected float64: convert it with"):
        ds.grace.fill(method="linear")


def test_integers_are_numbers(make_grid: Any) -> None:
    ds = make_grid(size=600)
    nano = (ds["lin_accl"] * 1e9).round().assign_attrs(units="nm s-2")
    whole = ds.assign(lin_accl=nano.astype("int32").assign_attrs(nano.attrs))
    marks = whole.grace.clean()
    assert marks["lin_accl"].dtype == np.float64
    np.testing.assert_allclose(marks["lin_accl"], nano * 1e-9, rtol=1e-12)


def test_labels_as_bytes(make_grid: Any) -> None:
    ds = make_grid(size=600)
    coords = {name: ds[name].values.astype("S") for name in ("satellite", "axis")}
    back = as_data_model(ds.assign_coords(coords))
    assert_array_equal(back["satellite"], ds["satellite"])
    assert_array_equal(back["axis"], ds["axis"])


def test_the_command_line_reads_units_and_order(
    make_grid: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A netCDF file in nm s-2 was exported as 1e9 times too much."""
    ds = make_grid(size=3600)
    nano = (ds["lin_accl"] * 1e9).assign_attrs(
        {**ds["lin_accl"].attrs, "units": "nm s-2"}
    )
    turned = ds.assign(lin_accl=nano).isel(axis=[2, 0, 1]).drop_encoding()
    turned.to_netcdf(tmp_path / "nano.nc")
    out = tmp_path / "days"
    command = ["export", str(tmp_path / "nano.nc"), str(out), "--format", "l1b"]
    assert main([*command, "--product", "ACC1B"]) == 0, capsys.readouterr()
    back = gx.open_archive(out)["lin_accl"].isel(time=slice(0, 3600))
    np.testing.assert_allclose(back, ds["lin_accl"], rtol=1e-12)
