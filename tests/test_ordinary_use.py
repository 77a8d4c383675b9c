"""What users of xarray do with any Dataset works, or is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from archives import DAYS, fill_folder, put, write_file

import gracelstm_xr as gx
from gracelstm_xr.errors import GraceError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ordinary")
    put(fill_folder(place / "in", DAYS[:2]), place / "a.zarr")
    return place


@pytest.fixture
def store(folder: Path) -> xr.Dataset:
    return gx.open_store(folder / "a.zarr")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_file(tmp_path, "ACC1B", "2008-01-01", "A")


@pytest.mark.filterwarnings("ignore:.*Zarr.*")
def test_other_chunks_to_zarr(store: xr.Dataset, tmp_path: Path) -> None:
    store.chunk(time=21_600).to_zarr(tmp_path / "b.zarr")
    back = xr.open_zarr(tmp_path / "b.zarr")
    np.testing.assert_array_equal(back["lin_accl"], store["lin_accl"])
    np.testing.assert_array_equal(back["time"], store["time"])


@pytest.mark.filterwarnings("ignore:.*Zarr.*")
def test_append_to_zarr(store: xr.Dataset, tmp_path: Path) -> None:
    store.isel(time=slice(0, 86_400)).to_zarr(tmp_path / "b.zarr")
    store.isel(time=slice(86_400, None)).to_zarr(tmp_path / "b.zarr", append_dim="time")
    back = xr.open_zarr(tmp_path / "b.zarr")
    np.testing.assert_array_equal(back["lin_accl"], store["lin_accl"])
    np.testing.assert_array_equal(back["time"], store["time"])


@pytest.mark.filterwarnings("ignore:.*Zarr.*")
def test_a_variable_more_in_a_plain_store(store: xr.Dataset, tmp_path: Path) -> None:
    store.to_zarr(tmp_path / "b.zarr")
    more = store[["lin_accl"]].rename(lin_accl="mine")
    more.to_zarr(tmp_path / "b.zarr", mode="a")
    back = xr.open_zarr(tmp_path / "b.zarr")
    np.testing.assert_array_equal(back["mine"], store["lin_accl"])
    np.testing.assert_array_equal(back["time"], store["time"])


def test_other_calendars(store: xr.Dataset, file: Path) -> None:
    for ds in (store, xr.open_dataset(file)):
        other = ds.isel(time=slice(0, 60)).convert_calendar("noleap")
        assert str(other["time"].values[0]).startswith("2008-01-01")
        np.testing.assert_array_equal(
            other["lin_accl"], ds["lin_accl"].isel(time=slice(0, 60))
        )


@pytest.mark.parametrize("verb", ["fill", "fit", "clean", "gaps", "transplant"])
@pytest.mark.parametrize(
    "change",
    [{"time": "t"}, {"axis": "component"}, {"satellite": "sat"}, {"lin_accl": "acc"}],
    ids=lambda change: next(iter(change)),
)
def test_other_names_are_refused(
    make_grid: Any, change: dict[str, str], verb: str
) -> None:
    ds = make_grid(size=600, gaps={"B": [(100, 200)]}).rename(change)
    options = {"fill": {"method": "linear"}, "fit": {"epochs": 1}}.get(verb, {})
    with pytest.raises(GraceError, match="found") as error:
        getattr(ds.grace, verb)(**options)
    assert "\n" not in str(error.value)


def test_times_as_numbers(file: Path) -> None:
    raw = xr.open_dataset(file, decode_times=False)
    assert raw["time"].dtype == np.int64
    decoded = xr.decode_cf(raw)
    np.testing.assert_array_equal(decoded["time"], xr.open_dataset(file)["time"])


def test_other_decoder_keywords(file: Path) -> None:
    plain = xr.open_dataset(file)
    for name in ("mask_and_scale", "concat_characters", "decode_coords"):
        xr.testing.assert_identical(xr.open_dataset(file, **{name: False}), plain)
    with pytest.raises(GraceError, match="use_cftime=True found"):
        xr.open_dataset(file, use_cftime=True)


def test_trees_and_groups(file: Path) -> None:
    plain = xr.open_dataset(file, engine="grace_l1b")
    tree = xr.open_datatree(file, engine="grace_l1b")
    xr.testing.assert_equal(tree.to_dataset(), plain)
    assert list(xr.open_groups(file, engine="grace_l1b")) == ["/"]


def test_one_satellite_without_the_dimension(make_grid: Any) -> None:
    ds = make_grid(size=3600, gaps={"A": [(600, 900)]})
    filled = ds.isel(satellite=0).grace.fill(method="linear")["lin_accl_filled"]
    assert filled.dims == ("time", "axis")
    expected = ds.grace.fill(method="linear")["lin_accl_filled"].isel(satellite=0)
    np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"axis": 0}, r"found lin_accl over satellite, time, expected time and axis"),
        ({"time": 0}, r"found lin_accl over satellite, axis, expected time and axis"),
        ({"time": slice(0, 0)}, "found no epoch, expected at least one"),
    ],
)
@pytest.mark.parametrize("verb", ["fill", "fit", "clean", "to_l1b"])
def test_parts_that_cannot_be_used(
    make_grid: Any, tmp_path: Path, part: dict[str, Any], words: str, verb: str
) -> None:
    ds = make_grid(size=600).isel(part)
    call = {
        "fill": lambda: ds.grace.fill(method="linear"),
        "fit": lambda: ds.grace.fit(epochs=1),
        "clean": ds.grace.clean,
        "to_l1b": lambda: ds.grace.to_l1b(tmp_path / "out"),
    }[verb]
    if verb == "to_l1b" and part == {"axis": 0}:
        words = "lin_accl has 0 axes"
    with pytest.raises(GraceError, match=words) as error:
        call()
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["fill", "fit", "clean", "transplant", "features"])
@pytest.mark.parametrize("dim", ["satellite", "axis", "everything"])
def test_nothing_to_work_on(make_grid: Any, dim: str, verb: str) -> None:
    empty = xr.Dataset()
    if dim != "everything":
        empty = make_grid(size=60).isel({dim: slice(0, 0)})
    options = {"fill": {"method": "linear"}, "fit": {"epochs": 1}}.get(verb, {})
    with pytest.raises(GraceError, match=r"found no|no variable|expected some of"):
        getattr(empty.grace, verb)(**options)
