"""Empty stores: groups, attributes and arrays without values, made and enlarged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.core.conventions import attributes_now, zarr_encoding
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.timecode import time_attributes
from gracelstm_xr.store.location import LAYOUT, META

if TYPE_CHECKING:
    import zarr

    from gracelstm_xr.store.location import Target

#: Room for labels, so that one chunk holds them however many there will be.
MOST_SATELLITES = 8


def create(
    target: Target,
    ds: xr.Dataset,
    axis: RegularAxis,
    *,
    chunk: int,
    shard: int,
    quantise: float | None,
    meta: Mapping[str, Any],
) -> None:
    """Write an empty store with the variables, labels and attributes of `ds`.

    Parameters
    ----------
    target : Target
        Where.
    ds : xarray.Dataset
        Data model; values on the time axis are not looked at.
    axis : RegularAxis
        Time axis of the store.
    chunk, shard : int
        Steps in a chunk and in a shard.
    quantise : float or None
        Step of packed accelerations [m s-2].
    meta : mapping
        Further content of the ``grace_store`` attribute.
    """
    template = _blank(ds, axis.size, shard)
    template.attrs = {
        **plain_attributes(attributes_now(ds, axis)),
        META: {
            "layout": LAYOUT,
            "complete": False,
            "shard": shard,
            "chunk": chunk,
            "quantise": quantise,
            "time": axis_meta(axis),
            "satellites": [str(s) for s in np.atleast_1d(ds["satellite"].values)]
            if "satellite" in ds.coords
            else [],
            "made": sorted(str(n) for n, v in ds.data_vars.items() if "time" in v.dims),
            **meta,
        },
    }
    encoding = _encoding(template, chunk, shard, quantise)
    if "satellite" in template.dims:
        encoding["satellite"]["chunks"] = (MOST_SATELLITES,)
    target.write_dataset(template, encoding=encoding)
    _create_time(target.group(), axis, shard)


def enlarge(
    target: Target,
    ds: xr.Dataset,
    axis: RegularAxis,
    *,
    chunk: int,
    shard: int,
    quantise: float | None,
) -> None:
    """Make room in a store for the time axis, satellites and variables of `ds`.

    What is there stays where it is: the axis only grows at its end, and satellites
    are only added behind those there are. A run that was killed in the middle of this
    is taken up by the next one.
    """
    group = target.group()
    meta: dict[str, Any] = group.attrs.asdict()[META]
    written = set(meta["made"])
    names = [n for n in ds.data_vars if n not in written]
    _remove_half_made(group, ds[names], written)
    letters = ds["satellite"].values.astype(np.dtypes.StringDType())
    wanted = {"time": axis.size, "satellite": letters.size}
    for _, array in group.arrays():
        dims = array.metadata.dimension_names or ()
        shape = tuple(
            wanted.get(str(d), n) for d, n in zip(dims, array.shape, strict=True)
        )
        if shape != array.shape:
            array.resize(shape)
    if letters.size > len(meta["satellites"]):
        group["satellite"][:] = letters
    if names:
        new = _blank(ds[names], axis.size, shard)
        new.attrs = group.attrs.asdict()
        there = set(group.array_keys())
        encoding = {
            name: entry
            for name, entry in _encoding(new, chunk, shard, quantise).items()
            if name not in there
        }
        target.write_dataset(new, encoding=encoding, append=True)
        group = target.group()
    group.attrs.update({META: {**meta, "made": sorted({*written, *map(str, names)})}})


def with_arrays(group: zarr.Group, attrs: Mapping[str, Any]) -> zarr.Group:
    """Return a root that holds what its arrays say about themselves, read once.

    Every look at an array would ask for it again, which costs a request in a bucket.
    """
    import zarr
    from zarr.core.group import AsyncGroup, ConsolidatedMetadata, GroupMetadata

    arrays: dict[str, Any] = {name: a.metadata for name, a in group.arrays()}
    copy = ConsolidatedMetadata(metadata=arrays)
    metadata = GroupMetadata(attributes=dict(attrs), consolidated_metadata=copy)
    return zarr.Group(AsyncGroup(metadata=metadata, store_path=group.store_path))


def _remove_half_made(group: Any, new: xr.Dataset, written: Collection[str]) -> None:
    """Remove what a killed run has made of `new`: values of it there are none yet."""
    arrays = dict(group.arrays())
    kept = {
        d for n in written if n in arrays for d in arrays[n].metadata.dimension_names
    }
    for name in {*map(str, new.data_vars), *map(str, new.coords)} - {"satellite"}:
        if name in arrays and name not in kept:
            del group[name]


def time_arrays(group: Any) -> list[str]:
    """Names of the arrays of a store that lie on its time axis, without the axis."""
    return [
        name
        for name, array in group.arrays()
        if "time" in (array.metadata.dimension_names or ()) and name != "time"
    ]


def axis_meta(axis: RegularAxis) -> dict[str, Any]:
    """Return an axis in plain types."""
    return {"start": str(axis.start), "step_ns": axis.step_ns, "size": axis.size}


def plain_attributes(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes as JSON can hold them."""
    plain = {}
    for key, value in attrs.items():
        is_numpy = isinstance(value, np.ndarray | np.generic)
        plain[key] = value.tolist() if is_numpy else value
    return plain


def _blank(ds: xr.Dataset, size: int, shard: int) -> xr.Dataset:
    """Replace what lies on the time axis by lazy zeros of another length."""
    import dask.array as da

    variables: dict[Any, Any] = {}
    for name, variable in ds.data_vars.items():
        if "time" not in variable.dims:
            variables[name] = variable
            continue
        lengths = zip(variable.dims, variable.shape, strict=True)
        shape = tuple(size if d == "time" else n for d, n in lengths)
        chunks = tuple(shard if d == "time" else -1 for d in variable.dims)
        zeros = da.zeros(shape, dtype=variable.dtype, chunks=chunks)
        variables[name] = (variable.dims, zeros, plain_attributes(variable.attrs))
    coords = {n: c for n, c in ds.coords.items() if "time" not in c.dims}
    # fixed-width text has no Zarr v3 specification, variable-width has
    texts = {
        n: c.astype(np.dtypes.StringDType())
        for n, c in coords.items()
        if c.dtype.kind == "U"
    }
    return xr.Dataset(variables, coords={**coords, **texts}, attrs=ds.attrs)


def _encoding(
    ds: xr.Dataset, chunk: int, shard: int, quantise: float | None
) -> dict[Any, dict[str, Any]]:
    """Of the arrays on the time axis: chunks in shards; checksums in all."""
    long = {n: v for n, v in ds.data_vars.items() if "time" in v.dims}
    others = {n: v for n, v in ds.variables.items() if n not in long}
    checked = {
        name: {"compressors": encoding["compressors"]}
        for name, encoding in zarr_encoding(others).items()
    }
    return checked | zarr_encoding(
        long,
        chunks={"satellite": 1, "time": chunk},
        shards={"satellite": 1, "time": shard},
        quantise=quantise,
    )


def _create_time(group: Any, axis: RegularAxis, shard: int) -> None:
    from zarr.codecs import BloscCodec, Crc32cCodec

    codec = BloscCodec(typesize=8, cname="zstd", clevel=5, shuffle="bitshuffle")
    group.create_array(
        "time",
        shape=(axis.size,),
        dtype="int64",
        chunks=(shard,),
        compressors=[codec, Crc32cCodec()],
        fill_value=0,
        dimension_names=["time"],
        attributes=time_attributes(axis),
    )
