"""The time index of one file: parsed on first use, ordinary from then on."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from xarray.core.indexing import IndexSelResult
from xarray.indexes import Index, PandasIndex


class AlignsWithPandas(type):
    """Index classes that xarray may align with an ordinary pandas index.

    xarray matches the indexes of two objects by (coordinate, index class) in a dict
    and refuses to align two classes on one coordinate. Hashing and comparing as
    PandasIndex lets a selection of an archive be combined with a user's own series.
    """

    def __hash__(cls) -> int:
        return hash(PandasIndex)

    def __eq__(cls, other: object) -> bool:
        return other is PandasIndex or type(other) is AlignsWithPandas


class TimeVariable(xr.Variable):
    """A lazy time coordinate that ``Dataset.chunk`` leaves alone.

    xarray does not cut the variables of ordinary indexes into Dask chunks; those of
    other indexes it does, after which every Dataset with two chunkings along time
    would be called inconsistent.
    """

    def chunk(self, *_: Any, **__: Any) -> Any:
        """Return a shallow copy, as the variable of an ordinary index does."""
        return self.copy(deep=False)


def plain_index(times: Any, name: Hashable, dim: Hashable) -> PandasIndex:
    """Return an ordinary index of `times`."""
    index = pd.DatetimeIndex(np.asarray(times), name=name)
    return PandasIndex(index, dim, coord_dtype=np.dtype("datetime64[ns]"))


def as_pandas(index: Any) -> PandasIndex:
    """Return `index` as an ordinary index, itself if it is one."""
    if isinstance(index, PandasIndex):
        return index
    return plain_index(index.index, index.index.name, index.dim)


class LazyTimeIndex(Index, metaclass=AlignsWithPandas):
    """An index over the times of one file, parsed on first use only.

    Parameters
    ----------
    variable : xarray.Variable
        One-dimensional, lazily backed times.
    name : Hashable, default "time"
        Coordinate name.
    """

    def __init__(self, variable: xr.Variable, name: Hashable = "time") -> None:
        self.variable = TimeVariable(
            variable.dims, variable._data, variable.attrs, variable.encoding
        )
        self.name = name
        self._parsed: PandasIndex | None = None

    @property
    def dim(self) -> Hashable:
        """Name of the dimension."""
        return self.variable.dims[0]

    @property
    def ordinary(self) -> PandasIndex:
        """The ordinary index; the first call parses the file."""
        if self._parsed is None:
            self._parsed = plain_index(self.variable.values, self.name, self.dim)
        return self._parsed

    @property
    def index(self) -> pd.DatetimeIndex:
        """All times as a pandas index."""
        return cast(pd.DatetimeIndex, self.ordinary.index)

    @property
    def coord_dtype(self) -> np.dtype[Any]:
        """Type of the coordinate, read by the ordinary index when it joins."""
        dtype: np.dtype[Any] = self.variable.dtype
        return dtype

    def create_variables(
        self, variables: Mapping[Any, xr.Variable] | None = None
    ) -> dict[Any, xr.Variable]:
        """Return the lazy variable (attributes and encoding as in `variables`)."""
        created = self.variable.copy(deep=False)
        source = (variables or {}).get(self.name)
        if source is not None:
            created.attrs = dict(source.attrs)
            created.encoding = dict(source.encoding)
        return {self.name: created}

    def to_pandas_index(self) -> pd.Index:
        """Parse the file and return ``pandas.DatetimeIndex``."""
        return self.index

    def isel(self, indexers: Mapping[Any, Any]) -> Index | None:
        """Select by position; a slice stays lazy."""
        key = indexers[self.dim]
        if isinstance(key, slice):
            return type(self)(self.variable.isel({self.dim: key}), self.name)
        return self.ordinary.isel(indexers)

    def sel(
        self, labels: dict[Any, Any], method: Any = None, tolerance: Any = None
    ) -> IndexSelResult:
        """Select by times, as the ordinary index does."""
        return self.ordinary.sel(labels, method, tolerance)

    def join(self, other: Any, how: str = "inner") -> Any:
        """Join with another index, see `xarray.Index.join`."""
        return as_pandas(self).join(as_pandas(other), how=how)

    def reindex_like(
        self, other: Any, method: Any = None, tolerance: Any = None
    ) -> dict[Hashable, Any]:
        """Positions of the labels of `other` in this index, -1 where absent."""
        return self.ordinary.reindex_like(as_pandas(other), method, tolerance)

    def equals(
        self, other: Index, *, exclude: frozenset[Hashable] | None = None
    ) -> bool:
        """Whether both hold the same times on the same dimension."""
        if self is other:
            return True
        if not isinstance(other, LazyTimeIndex) or self.dim != other.dim:
            return False
        return self.variable.sizes == other.variable.sizes and self.index.equals(
            other.index
        )

    @classmethod
    def concat(
        cls,
        indexes: Sequence[Any],
        dim: Hashable,
        positions: Iterable[Iterable[int]] | None = None,
    ) -> Any:
        """Concatenate to an ordinary index."""
        return PandasIndex.concat([as_pandas(i) for i in indexes], dim, positions)

    def roll(self, shifts: Mapping[Any, int]) -> Any:
        """Roll the labels."""
        return self.ordinary.roll(shifts)

    def rename(
        self, name_dict: Mapping[Any, Hashable], dims_dict: Mapping[Any, Hashable]
    ) -> LazyTimeIndex:
        """Rename coordinate and dimension."""
        dims = [dims_dict.get(d, d) for d in self.variable.dims]
        variable = self.variable._replace(dims=dims)
        return type(self)(variable, name_dict.get(self.name, self.name))

    def __repr__(self) -> str:
        state = "not parsed" if self._parsed is None else "parsed"
        return f"LazyTimeIndex(size {self.variable.size}, {state})"

    def _repr_inline_(self, max_width: int) -> str:
        return repr(self)[:max_width]
