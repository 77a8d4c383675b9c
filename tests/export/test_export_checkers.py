"""NetCDF files of every kind of Dataset before the public checkers and readers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.core.conventions import append_history, attributes_of
from gracelstm_xr.export.netcdf import to_netcdf

pytestmark = pytest.mark.slow

#: What ACDD asks for and only the user knows.
MAKER = {
    f"{who}_{what}": text
    for who in ("creator", "publisher")
    for what, text in (
        ("name", "A. N. Other"),
        ("email", "a@example.org"),
        ("url", "https://example.org"),
    )
} | {"institution": "An institute"}


def observed(make_grid: Any) -> xr.Dataset:
    return make_grid(size=7200, gaps={"B": [(10, 20)]}, orbit=True)


def filled(make_grid: Any) -> xr.Dataset:
    return make_grid(size=7200, gaps={"B": [(10, 900)]}, filled=True)


def forecast(make_grid: Any) -> xr.Dataset:
    ds = make_grid(size=600)
    names = ("lin_accl_forecast", "lin_accl_forecast_sigma")
    made = dict.fromkeys(names, (ds["lin_accl"].dims, ds["lin_accl"].values))
    found = ds[["lin_accl"]].assign(made).drop_vars("lin_accl")
    for name in names:
        found[name].attrs = attributes_of(name)
    found.attrs = append_history(ds.attrs, "forecast of 600 s")
    return found


def transplant(make_grid: Any) -> xr.Dataset:
    from gracelstm_xr.baselines.transplant import transplant as move

    ds = make_grid(size=7200, gaps={"B": [(3000, 5000)]})
    return move(ds.chunk(time=3600), donor="A", recipient="B")


def features(make_grid: Any) -> xr.Dataset:
    from gracelstm_xr.physics.features import features as covariates

    ds = make_grid(size=7200)
    seconds = np.arange(7200.0)
    half = (_place(seconds + 0.5), _place(seconds - 0.5))
    for name, values in (
        ("position", _place(seconds)),
        ("velocity", half[0] - half[1]),
    ):
        ds[name] = (ds["lin_accl"].dims, values, attributes_of(name))
    found: xr.Dataset = covariates(ds.chunk(time=3600))
    return found


def _place(seconds: np.ndarray) -> np.ndarray:
    """Circular polar orbits of the twins seen from the turning Earth [m]."""
    t = seconds + 27.0 * np.arange(2)[:, None]
    angle, node = 2 * np.pi * t / 5640.0, -2 * np.pi * t / 86164.0
    flat = np.cos(angle)
    parts = (flat * np.cos(node), flat * np.sin(node), np.sin(angle))
    return 6.858e6 * np.stack(parts, axis=-1)


def scores(make_grid: Any) -> xr.Dataset:
    """As `evaluate` gives it: no time, labels of several kinds, times as data."""
    rms = np.linspace(1e-10, 1e-8, 24).reshape(2, 3, 4)
    rms[0, 0, 0] = np.nan
    start = np.array(["2008-01-01T12:00:00.5", "NaT"], "M8[ns]")
    return xr.Dataset(
        {
            "rms": (
                ("method", "axis", "gap_length"),
                rms,
                {"units": "m s-2", "long_name": "error of filled accelerations"},
            ),
            "gaps_scored": (
                ("method",),
                np.array([3, 4]),
                {"units": "1", "long_name": "number of gaps"},
            ),
            "passed": (
                ("method",),
                np.array([True, False]),
                {"long_name": "verdict", "units": "1"},
            ),
            "first": (("method",), start, {"long_name": "first gap"}),
        },
        coords={
            "method": ("method", np.array(["lstm", "cubic"], object)),
            "axis": ("axis", ["x", "y", "z"], attributes_of("axis")),
            "gap_length": (
                "gap_length",
                [10.0, 60.0, 600.0, 3600.0],
                {"units": "s", "long_name": "length of the gap"},
            ),
        },
        attrs={"title": "error in hidden gaps", "source": "simulated", "seed": 0},
    )


KINDS = {f.__name__: f for f in (observed, filled, forecast, transplant, features)}
KINDS["scores"] = scores


@pytest.fixture(scope="module", params=sorted(KINDS))
def made(
    request: pytest.FixtureRequest,
    make_grid: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, xr.Dataset, Path]:
    kind = str(request.param)
    ds = KINDS[kind](make_grid)
    path = tmp_path_factory.mktemp("nc") / f"{kind}.nc"
    return kind, ds, to_netcdf(ds, path, attrs=MAKER)


def findings(path: Path, suite: str) -> str:
    """What the command ``compliance-checker -t SUITE PATH`` says."""
    from compliance_checker.runner import CheckSuite, ComplianceChecker

    CheckSuite.load_all_available_checkers()
    report = path.with_suffix(".txt")
    _, failed = ComplianceChecker.run_checker(
        str(path), [suite], 0, "normal", output_filename=str(report)
    )
    assert not failed
    said = report.read_text()
    assert suite in said
    return said


def test_cf(made: tuple[str, xr.Dataset, Path]) -> None:
    """No error; names of dimensions are the data model's own."""
    report = findings(made[2], "cf:1.11")
    assert "Errors" not in report
    for line in report.splitlines():
        if line.startswith("* "):
            assert "shares the same name" in line


def test_acdd(made: tuple[str, xr.Dataset, Path]) -> None:
    """Everything recommended, but for standard names that CF does not have.

    Where there are no coordinates in the file the checker cannot compare extents, and
    where there are no positions either the file states none for the vertical.
    """
    kind, _, path = made
    report = findings(path, "acdd:1.3")
    known = {"* standard_name"}
    allowed = ["Could not find"]
    if kind not in ("observed", "features"):
        allowed.append("geospatial_vertical_")
        allowed.append("geospatial_bounds_vertical_crs")
    if kind == "scores":  # no series, so no place and no time either
        allowed += ["geospatial_", "time_coverage_", "cdm_data_type", "comment"]
        allowed.append("coverage_content_type")
    lines = [line for line in report.splitlines() if line.startswith("* ")]
    assert [
        line
        for line in lines
        if line not in known and not any(text in line for text in allowed)
    ] == []


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_numbers(made: tuple[str, xr.Dataset, Path], engine: Any) -> None:
    _, ds, path = made
    with xr.open_dataset(path, engine=engine) as back:
        assert set(back.variables) == set(ds.variables)
        for name in ds.variables:
            same = back[name].transpose(*ds[name].dims)
            np.testing.assert_array_equal(same.values, ds[name].values)
        assert dict(back.sizes) == dict(ds.sizes)


def test_ncdump(made: tuple[str, xr.Dataset, Path]) -> None:
    """The reader of the C library, on another build of it where there is one."""
    program = shutil.which("ncdump")
    if program is None:
        pytest.skip("no ncdump on the path (package netcdf-bin)")
    _, ds, path = made
    name = next(n for n, v in ds.data_vars.items() if v.dtype.kind == "f")
    text = subprocess.run(
        [program, "-p", "9,17", "-v", str(name), path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    body = text.split("\ndata:\n")[1].split("=", 1)[1].split(";")[0]
    numbers = [
        np.nan if t.strip() in ("_", "NaN") else float(t) for t in body.split(",")
    ]
    order = ds[name].transpose("satellite", ..., "time", missing_dims="ignore")
    wanted = order.values.ravel()
    np.testing.assert_array_equal(numbers, wanted)


def test_extent_is_that_of_the_positions(make_grid: Any, tmp_path: Path) -> None:
    ds = observed(make_grid)
    path = to_netcdf(ds.chunk(time=3600), tmp_path / "a.nc")
    radius = np.sqrt((ds["position"] ** 2).sum("axis", skipna=False)).values
    with xr.open_dataset(path) as back:
        # over a sphere between the two half-axes of the ellipsoid
        assert back.geospatial_vertical_min >= np.nanmin(radius) - 6378137.0 - 1
        assert back.geospatial_vertical_max <= np.nanmax(radius) - 6356752.0 + 1
        assert 85 < back.geospatial_lat_max <= 90
        assert back.geospatial_bounds_vertical_crs == "EPSG:4979"
