"""What a model says of the data it was made from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr.core.provenance import data_origin


def test_of_files_and_of_a_store(twin_archive: Path, tmp_path: Path) -> None:
    files = gx.open_archive(twin_archive, start="2008-01-01", stop="2008-01-02")
    origin = data_origin(files)
    assert origin["files"] == "16"
    assert "simulated" in origin["data"]
    gx.ingest(twin_archive, tmp_path / "a.zarr", start="2008-01-01", stop="2008-01-02")
    store = gx.open_store(tmp_path / "a.zarr")
    table = gx.read_manifest(tmp_path / "a.zarr")
    text = "\n".join(sorted(table["name"] + " " + table["sha256"]))
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert data_origin(store)["manifest_sha256"] == expected
    part = store.isel(time=slice(0, 1000))[["lin_accl"]]
    assert data_origin(part) == data_origin(store)
    (tmp_path / "a.zarr").rename(tmp_path / "b.zarr")
    again = gx.open_store(tmp_path / "b.zarr")
    assert data_origin(again)["manifest_sha256"] == expected
    assert data_origin(store)["manifest_sha256"] == expected  # it is gone


def test_of_anything_else() -> None:
    assert data_origin(xr.Dataset()) == {"data": "data of unstated origin"}
