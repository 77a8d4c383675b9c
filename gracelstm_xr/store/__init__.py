"""Zarr v3 stores of the data model: written in parallel, opened in constant time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gracelstm_xr.lazy import hand_on

if TYPE_CHECKING:
    from gracelstm_xr.store.manifest import read_manifest
    from gracelstm_xr.store.read import open_store
    from gracelstm_xr.store.write import to_zarr

__all__ = [
    "open_store",
    "read_manifest",
    "to_zarr",
]

__getattr__, __dir__ = hand_on(
    __name__,
    {
        "read_manifest": "gracelstm_xr.store.manifest",
        "open_store": "gracelstm_xr.store.read",
        "to_zarr": "gracelstm_xr.store.write",
    },
)
