"""Arrays as they are read: what cannot be read, or is gone, never reads as missing.

Chunks without data are not written, and read as NaN or zero. A file that was removed
would read so, too. The attributes of a store therefore tell which files there are of
every array, and whoever reads a place where there should be one looks whether it is
still there if no value came from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core.indexing import (
    ExplicitIndexer,
    IndexingSupport,
    LazilyIndexedArray,
    explicit_indexing_adapter,
)

from gracelstm_xr.errors import StoreError
from gracelstm_xr.store.agree import FROM_SOURCES, undamaged

if TYPE_CHECKING:
    from zarr.abc.store import Store

#: For every array the files of it: runs of numbers along time, such as ``"0-3 5"``, by
#: the name of the file with an asterisk in place of the number.
Written = Mapping[str, Mapping[str, str]]


def written(group: Any, shard: int) -> dict[str, dict[str, str]]:
    """Return which files there are of the arrays of a store, in short.

    Parameters
    ----------
    group : zarr.Group
        Root of the store; its files are listed.
    shard : int
        Steps of time in a file; arrays that others have cut in another way are left
        out.
    """
    files = {}
    for name, array in sorted(group.arrays()):
        position = _time_position(array)
        if position is None or (array.shards or array.chunks)[position] == shard:
            files[name] = _short(array, listed(group, name))
    return files


def listed(group: Any, name: str) -> set[str]:
    """Return the names of the files of an array below its folder."""
    from zarr.core.sync import sync

    async def names() -> list[str]:
        return [key async for key in group.store.list_prefix(f"{place}/c")]

    place = f"{group.path}/{name}".lstrip("/")
    keys = (key.removeprefix(f"{place}/") for key in sync(names()))
    return {key for key in keys if not key.endswith(".partial")}


def _short(array: Any, files: Iterable[str]) -> dict[str, str]:
    position = _time_position(array)
    numbers: dict[str, list[int]] = {}
    for file in files:
        parts = file.split("/")
        if position is not None:
            number, parts[position + 1] = int(parts[position + 1]), "*"
        else:
            number = 0
        numbers.setdefault("/".join(parts), []).append(number)
    return {name: _runs(sorted(numbers[name])) for name in sorted(numbers)}


def _time_position(array: Any) -> int | None:
    dims = array.metadata.dimension_names or ()
    return dims.index("time") if "time" in dims else None


def _runs(numbers: list[int]) -> str:
    """Write increasing numbers as runs: 0, 1, 2, 5 as ``"0-2 5"``."""
    edges = np.flatnonzero(np.diff(numbers) > 1)
    firsts = [numbers[0], *(numbers[i + 1] for i in edges)]
    lasts = [*(numbers[i] for i in edges), numbers[-1]]
    pairs = zip(firsts, lasts, strict=True)
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in pairs)


def _numbers(runs: str) -> Iterator[range]:
    for run in runs.split():
        first, _, last = run.partition("-")
        yield range(int(first), int(last or first) + 1)


def files_of_arrays(said: Written) -> Iterator[tuple[str, str, int]]:
    """Yield array, file and number along time of all files a store says there are."""
    for name, files in said.items():
        for file, runs in files.items():
            for numbers in _numbers(runs):
                for number in numbers:
                    yield name, file.replace("*", str(number)), number


def lost_files(group: Any, said: Written) -> list[tuple[str, str, int]]:
    """Return array, file and number along time of the files that are gone."""
    files = {name: listed(group, name) for name in said}
    return [row for row in files_of_arrays(said) if row[1] not in files[row[0]]]


def guarded(ds: xr.Dataset, group: Any, where: str, said: Written) -> xr.Dataset:
    """Return a lazy Dataset whose arrays raise StoreError for damage and loss.

    Parameters
    ----------
    ds : xarray.Dataset
        Opened from the store with all of every array; lazy.
    group : zarr.Group
        Root of the store.
    where : str
        Its address, for messages.
    said : mapping
        From `written`; empty for a store that does not tell.
    """
    variables: dict[Any, xr.Variable] = {}
    for name, variable in ds.variables.items():
        stored = _Stored(variable, group[str(name)], where, said.get(str(name), {}))
        lazy: Any = LazilyIndexedArray(stored)
        variables[name] = xr.Variable(
            variable.dims, lazy, variable.attrs, variable.encoding
        )
    names = set(ds.data_vars)
    return xr.Dataset(
        {n: v for n, v in variables.items() if n in names},
        {n: v for n, v in variables.items() if n not in names},
        ds.attrs,
    )


class _Stored(BackendArray):
    """A variable of a store, which is looked after when it is read."""

    def __init__(
        self, variable: xr.Variable, array: Any, where: str, said: Mapping[str, str]
    ) -> None:
        self.variable, self.array, self.where = variable, array, where
        self.shape, self.dtype = variable.shape, variable.dtype
        self.said = dict(said)

    def __getitem__(self, key: ExplicitIndexer) -> Any:
        return explicit_indexing_adapter(
            key, self.shape, IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        place = f"{self.where}/{self.array.path}"
        with undamaged(place):
            values = self.variable[key].values
        if self.said:
            self._look(key, values, place)
        return values

    def _look(self, key: tuple[Any, ...], values: Any, place: str) -> None:
        """Raise if a file is gone from which values should have come."""
        store: Store = self.array.store_path.store
        files = list(self._files(key))
        if len(files) == 1 and values.size and not _is_fill(values.flat[0]):
            return
        for file in files:
            if not _exists(store, f"{self.array.path}/{file}"):
                raise StoreError(f"{place}/{file} is gone; {FROM_SOURCES}")

    def _files(self, key: tuple[Any, ...]) -> Iterator[str]:
        """Names of the files that a selection reads, of those there should be."""
        shards = self.array.shards or self.array.chunks
        numbers = [
            _touched(index, size, shard)
            for index, size, shard in zip(key, self.shape, shards, strict=True)
        ]
        position = _time_position(self.array)
        for place in product(*numbers):
            file = self.array.metadata.encode_chunk_key(place)
            parts = file.split("/")
            number = 0
            if position is not None:
                number, parts[position + 1] = place[position], "*"
            runs = self.said.get("/".join(parts), "")
            if any(number in run for run in _numbers(runs)):
                yield file


def _touched(index: Any, size: int, shard: int) -> list[int]:
    """Numbers of the shards in which the positions of an indexer lie."""
    if isinstance(index, slice):
        positions = range(*index.indices(size))
        if not positions:
            return []
        ends = sorted((positions[0] // shard, positions[-1] // shard))
        return list(range(ends[0], ends[1] + 1))
    return sorted({int(n) // shard for n in np.unique(np.atleast_1d(index) % size)})


def _is_fill(value: Any) -> bool:
    return bool(value != value or value == 0)


def _exists(store: Store, key: str) -> bool:
    from zarr.core.sync import sync

    return bool(sync(store.exists(key)))
