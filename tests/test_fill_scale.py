"""Filling long archives: the same bits however it runs, and only where gaps are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr.lstm import FittedModel, fill

pytestmark = pytest.mark.lstm
NAMES = ["lin_accl_filled", "lin_accl_filled_sigma", "lin_accl_fill_method"]


@pytest.fixture(scope="module")
def store(twin_lazy: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five days, in shards of a day."""
    place = tmp_path_factory.mktemp("store") / "twin.zarr"
    twin_lazy.load().grace.to_zarr(place, shard_days=1)
    return place


@pytest.fixture(scope="module")
def expected(store: Path, model: FittedModel) -> xr.Dataset:
    found = fill(gx.open_store(store), model)[NAMES].sel(satellite="B")
    return found.compute(scheduler="synchronous")


def same_bits(found: xr.Dataset, expected: xr.Dataset) -> None:
    for name in NAMES:
        assert found[name].values.tobytes() == expected[name].values.tobytes(), name


@pytest.mark.parametrize("chunks", [50_000, 86_400, 130_000, 3 * 86_400, -1])
def test_the_same_bits_on_any_chunks_and_threads(
    store: Path, model: FittedModel, expected: xr.Dataset, chunks: int
) -> None:
    ds = gx.open_store(store).chunk(time=chunks)
    lazy = fill(ds, model)[NAMES]
    # written shard by shard without a task that serves two of them
    assert lazy["lin_accl_filled"].chunksizes["time"] == ds.chunksizes["time"]
    found = lazy.sel(satellite="B").compute(scheduler="threads", num_workers=4)
    same_bits(found, expected)


def test_the_same_bits_in_memory(
    store: Path, model: FittedModel, expected: xr.Dataset
) -> None:
    ds = gx.open_store(store).load()
    # arrays in another order of memory
    accl = np.asfortranarray(ds["lin_accl"].values)
    ds = ds.assign(lin_accl=(ds["lin_accl"].dims, accl, ds["lin_accl"].attrs))
    same_bits(fill(ds, model)[NAMES].sel(satellite="B").compute(), expected)


SCRIPT = """
import sys
import gracelstm_xr as gx
ds = gx.open_store(sys.argv[1])
found = ds.grace.fill(gx.load_model(sys.argv[2]))[sys.argv[4:]].sel(satellite="B")
print(found.lin_accl_filled.data.name)
found.drop_attrs().drop_encoding().drop_vars("time").to_netcdf(sys.argv[3])
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_same_bits_with_other_threads_of_blas_and_tensorflow(
    store: Path, model: FittedModel, expected: xr.Dataset, tmp_path: Path, threads: str
) -> None:
    path = model.save(tmp_path / "m.gracelstm")
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads)}
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT, store, path, tmp_path / "o.nc", *NAMES],
        env=environment, check=True, timeout=300, capture_output=True, text=True,
    ).stdout  # fmt: skip
    with xr.open_dataset(tmp_path / "o.nc") as found:
        same_bits(found, expected)
    lazy = fill(gx.open_store(store), model)["lin_accl_filled"].sel(satellite="B")
    assert said.strip() == lazy.data.name


def test_names_follow_from_what_goes_in(store: Path, model: FittedModel) -> None:
    def name(ds: xr.Dataset, *args: Any, **options: Any) -> str:
        return str(fill(ds, *args, **options)["lin_accl_filled"].data.name)

    ds = gx.open_store(store)
    first = name(ds, model)
    assert name(gx.open_store(store), model) == first
    others = {
        name(ds.isel(time=slice(0, 86_400)), model),
        name(ds.isel(time=slice(86_400, 172_800)), model),
        name(ds.chunk(time=100_000), model),
        name(ds, model, method="linear"),
        name(ds, method="linear"),
        name(ds, method="hold"),
    }
    assert len(others | {first}) == 7
    assert name(ds, method="linear") == name(gx.open_store(store), method="linear")
    # series in memory are known by their content
    one, two = ds.isel(time=slice(0, 3000)).load(), ds.isel(time=slice(0, 3000)).load()
    assert name(one, model) == name(two, model)
    two["lin_accl"][1, 1500, 0] = 0.0
    assert name(one, model) != name(two, model)
