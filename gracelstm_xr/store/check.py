"""A store read to its end: which of its files are gone or damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gracelstm_xr.core.remote import reached
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.timecode import time_codes
from gracelstm_xr.errors import StoreError
from gracelstm_xr.store.agree import FROM_SOURCES, axis_in, undamaged
from gracelstm_xr.store.location import META
from gracelstm_xr.store.manifest import read_records, shard_name
from gracelstm_xr.store.read import checked_axis, open_root
from gracelstm_xr.store.stored import listed, lost_files


def faults_in(
    store: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[int, list[str]]:
    """Read every file of a store and list what is gone or damaged.

    Parameters
    ----------
    store : str or PathLike
        Folder or fsspec URL.
    storage_options : mapping, optional
        Passed to fsspec for a URL.

    Returns
    -------
    files : int
        Files of arrays that were read.
    faults : list of str
        One line for each file, with what to do.

    Raises
    ------
    StoreError
        It cannot even be opened, see `open_store`.
    """
    group, where = open_root(store, storage_options=storage_options)
    meta: Any = group.attrs.asdict()[META]
    with reached(where):
        axis = checked_axis(group, meta, where, mending=True)
        lost = lost_files(group, meta.get("written", {}))
        faults = [f"{name}/{file} is gone; {FROM_SOURCES}" for name, file, _ in lost]
        files = 0
        for name, array in sorted(group.arrays()):
            for file in sorted(listed(group, name)):
                files += 1
                faults += _faults_of(array, file, axis)
        faults += _unrecorded(group, meta, where)
        faults += _other_copy(group)
    return files, faults


def _faults_of(array: Any, file: str, axis: RegularAxis) -> Iterator[str]:
    """Read one file of an array."""
    place = f"{array.path}/{file}"
    shards = array.shards or array.chunks
    numbers = [int(n) for n in file.split("/")[1:]]
    try:
        with undamaged(place):
            region = tuple(
                slice(n * length, min((n + 1) * length, size))
                for n, length, size in zip(numbers, shards, array.shape, strict=True)
            )
            values = array[region]
    except StoreError:
        yield f"{place} is damaged; {FROM_SOURCES}"
        return
    if array.path == "time":
        expected = time_codes(axis, region[0])
        if not np.array_equal(values[: expected.size], expected):
            yield f"{place} holds other times than the store says; {FROM_SOURCES}"


def _unrecorded(group: Any, meta: Mapping[str, Any], where: str) -> Iterator[str]:
    """Shards of a store of files that have no record in its manifest."""
    if not meta.get("made_by"):
        return
    try:
        records = read_records(group)
    except StoreError as error:
        yield str(error)
        return
    axis, shard = axis_in(meta), int(meta["shard"])
    for first in range(0, axis.size, shard):
        name = shard_name(axis.start_ns + first * axis.step_ns)
        if name not in records:
            yield (
                f"manifest/{name} is gone from {where}; ingest the source files again "
                "to have it written anew"
            )


def _other_copy(group: Any) -> Iterator[str]:
    """Arrays whose metadata are not those in the copy that the root has of them."""
    import zarr

    root = zarr.open_group(group.store_path, mode="r", zarr_format=3)
    if root.metadata.consolidated_metadata is None:
        return
    copy = root.metadata.consolidated_metadata.metadata
    for name, array in sorted(group.arrays()):
        if name not in copy or _as_text(copy[name]) != _as_text(array.metadata):
            yield (
                f"zarr.json holds other metadata of {name} than {name}/zarr.json; "
                "other programs read these: renew them with zarr.consolidate_metadata"
            )


def _as_text(metadata: Any) -> str:
    return json.dumps(metadata.to_dict(), sort_keys=True)
