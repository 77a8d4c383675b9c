"""Quantised storage: error, NaN, refusals, size, and that others decode it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from gracelstm_xr.core.conventions import zarr_encoding
from gracelstm_xr.core.packing import MISSING, pack, packing, quantisation_step
from gracelstm_xr.errors import GraceError

DAY = 86_400
STEP = 1e-13


@given(st.lists(st.floats(-2.1e-4, 2.1e-4) | st.just(np.nan), min_size=1))
def test_error_is_half_a_step_and_nan_survives(values: list[float]) -> None:
    packed = pack(values, STEP)
    assert packed.dtype == np.int32
    given_values = np.array(values)
    missing = np.isnan(given_values)
    np.testing.assert_array_equal(packed == MISSING, missing)
    error = np.abs(packed * STEP - given_values)[~missing]
    # half a step, and the rounding of doubles at 2e-4
    assert error.max(initial=0) <= STEP / 2 + 1e-19


def test_packing_again_changes_nothing() -> None:
    values = 3e-5 * np.random.default_rng(1).standard_normal(10_000)
    once = pack(values, STEP)
    np.testing.assert_array_equal(pack(once * STEP, STEP), once)


def test_what_does_not_fit_is_refused() -> None:
    # 2147483647 steps fit, half a step more than one further does not
    assert pack([2147483647e-13, -2147483647e-13], STEP).tolist() == [
        2147483647,
        -2147483647,
    ]
    with pytest.raises(GraceError, match=r"lin_accl reaches 0\.001 m s-2.*larger step"):
        pack([0.0, -1e-3], STEP, name="lin_accl")
    with pytest.raises(GraceError, match="reaches inf"):
        pack([np.inf], STEP)
    for wrong in ("fine", 0, -1e-13, 1.0, np.nan, None):
        with pytest.raises(GraceError, match="expected a positive step in m s-2"):
            quantisation_step(wrong)  # type: ignore[arg-type]


def test_only_accelerations_along_time_are_packed(make_grid: Any) -> None:
    ds = make_grid(size=60, filled=True, orbit=True)
    packed = {n for n, v in ds.data_vars.items() if packing(v, STEP)}
    assert packed == {
        "lin_accl",
        "acl_res",
        "lin_accl_filled",
        "lin_accl_filled_sigma",
    }
    assert not any(packing(v, None) for v in ds.data_vars.values())
    assert not packing(ds.lin_accl.mean("time", keep_attrs=True), STEP)


@pytest.fixture(scope="module")
def stored(make_grid: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three days, simulated, written by xarray with the quantised encoding."""
    ds = make_grid(size=3 * DAY, gaps={"B": [(100, 200), (DAY, 3 * DAY)]})[["lin_accl"]]
    path = tmp_path_factory.mktemp("packed") / "a.zarr"
    encoding = zarr_encoding(
        dict(ds.data_vars),
        chunks={"satellite": 1, "time": DAY},
        shards={"satellite": 1, "time": 2 * DAY},
        quantise="1e-13",
    )
    template = ds.drop_vars(["time", "satellite", "axis"])
    template.chunk(satellite=1, time=2 * DAY).to_zarr(
        path, encoding=encoding, consolidated=False, write_empty_chunks=False
    )
    return ds, path


def test_xarray_decodes_it(stored: Any) -> None:
    ds, path = stored
    back = xr.open_zarr(path, consolidated=False)
    assert back.lin_accl.dtype == "float64"
    values, expected = back.lin_accl.values, ds.lin_accl.values
    np.testing.assert_array_equal(np.isnan(values), np.isnan(expected))
    assert np.nanmax(np.abs(values - expected)) <= STEP / 2 + 1e-19


def test_what_is_stored(stored: Any) -> None:
    ds, path = stored
    array = zarr.open_array(path / "lin_accl", mode="r")
    assert array.dtype == np.int32
    assert array.fill_value == array.attrs["_FillValue"] == MISSING
    assert array.attrs["scale_factor"] == 1e-13
    # what the engine writes by itself is what xarray writes
    np.testing.assert_array_equal(array[:], pack(ds.lin_accl, STEP))
    files = {
        p.relative_to(path / "lin_accl" / "c").as_posix(): p for p in files_of(path)
    }
    assert sorted(files) == ["0/0/0", "0/1/0", "1/0/0"]
    floats = 8 * 3 * DAY
    assert files["0/0/0"].stat().st_size < 0.25 * 2 * floats
    # the second day of B is empty, so that its shard holds one chunk
    assert files["1/0/0"].stat().st_size < 0.25 * floats


def files_of(path: Path) -> list[Path]:
    return [p for p in (path / "lin_accl" / "c").rglob("*") if p.is_file()]


def test_tensorstore_decodes_it(stored: Any) -> None:
    ts = pytest.importorskip("tensorstore")
    ds, path = stored
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": str(path / "lin_accl")},
    }
    array = ts.open(spec, open=True).result()
    attributes = array.spec().to_json()["metadata"]["attributes"]
    counts = array[1, :300].read().result()
    values = np.where(
        counts == attributes["_FillValue"], np.nan, counts * attributes["scale_factor"]
    )
    expected = ds.lin_accl.values[1, :300]
    np.testing.assert_array_equal(np.isnan(values), np.isnan(expected))
    np.testing.assert_allclose(values, expected, rtol=0, atol=STEP / 2 + 1e-19)
