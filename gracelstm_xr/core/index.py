"""The time coordinate: a regular-axis index and a lazily parsed one.

`RegularTimeIndex` keeps a time axis as (start, step, size), so that twenty years at
1 Hz open in milliseconds where a pandas index would take 5 GB. `LazyTimeIndex` parses
the times of one file on first use. Both are custom xarray indexes that behave as the
ordinary index does in selections, alignment, concatenation and grouping.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Self

import numpy as np
import pandas as pd
import xarray as xr
from xarray.core.indexing import IndexSelResult
from xarray.indexes import CoordinateTransformIndex, Index, PandasIndex

from gracelstm_xr.core.conventions import attributes_of, time_encoding
from gracelstm_xr.core.lazytime import (
    AlignsWithPandas,
    as_pandas,
    plain_index,
)
from gracelstm_xr.core.time import (
    RegularAxis,
    axis_from_times,
    chain_axes,
    join_axes,
)
from gracelstm_xr.core.timearray import AxisTransform, RegularTimeVariable, warn_if_long
from gracelstm_xr.core.timelabels import carries_zone, positions_of_label
from gracelstm_xr.errors import GraceError


class RegularTimeIndex(CoordinateTransformIndex, metaclass=AlignsWithPandas):
    """An xarray index over a `RegularAxis`; its coordinate is never materialised.

    Selections by slice keep the regular index; a selection by array, mask or list
    gives an ordinary pandas index of the selected times.

    Parameters
    ----------
    axis : RegularAxis
        The axis.
    name : Hashable, default "time"
        Coordinate name.
    dim : str, default "time"
        Dimension name.
    """

    transform: AxisTransform

    def __init__(
        self, axis: RegularAxis, name: Hashable = "time", dim: str = "time"
    ) -> None:
        super().__init__(AxisTransform(axis, name, dim))

    @property
    def axis(self) -> RegularAxis:
        """Start, step and size."""
        return self.transform.axis

    @property
    def name(self) -> Hashable:
        """Name of the coordinate."""
        return self.transform.coord_names[0]

    @property
    def dim(self) -> str:
        """Name of the dimension."""
        return self.transform.dims[0]

    @property
    def index(self) -> pd.DatetimeIndex:
        """All times as a pandas index (8 bytes each, built anew at every call)."""
        warn_if_long(self.axis.size, "a pandas index of the whole time axis")
        return pd.DatetimeIndex(self.axis.values(), name=self.name)

    @property
    def coord_dtype(self) -> np.dtype[Any]:
        """Always datetime64[ns]; read by the ordinary index when it joins this one."""
        return self.transform.dtype  # type: ignore[no-any-return]

    @classmethod
    def from_variables(
        cls, variables: Mapping[Any, xr.Variable], *, options: Mapping[str, Any]
    ) -> Self:
        """Build from one time variable; used by ``ds.set_xindex``.

        Raises
        ------
        GraceError
            The times are not equally spaced.
        """
        name, variable = next(iter(variables.items()))
        axis = axis_from_times(np.asarray(variable.values), name)
        return cls(axis, name, str(variable.dims[0]))

    def create_variables(
        self, variables: Mapping[Any, xr.Variable] | None = None
    ) -> dict[Any, xr.Variable]:
        """Return the lazy coordinate variable, with GPS time attributes."""
        source = (variables or {}).get(self.name)
        attrs = attributes_of("time") if source is None else source.attrs
        encoding = time_encoding() if source is None else source.encoding
        return {self.name: RegularTimeVariable.over(self.transform, attrs, encoding)}

    def to_pandas_index(self) -> pd.Index:
        """Return all times as ``pandas.DatetimeIndex``."""
        return self.index

    def isel(self, indexers: Mapping[Any, Any]) -> Index | None:
        """Select by position: slices stay regular, arrays give a pandas index."""
        key = indexers[self.dim]
        if isinstance(key, slice):
            if key.step is None or key.step > 0:
                return type(self)(self.axis.cut(key), self.name, self.dim)
            return plain_index(self.axis.values(key), self.name, self.dim)
        if isinstance(key, xr.Variable):
            if key.dims != (self.dim,):
                return None
            key = key.values
        array = np.asarray(key)
        if array.ndim != 1:
            return None
        if array.dtype.kind == "b":
            array = np.flatnonzero(array)
        positions = np.where(array < 0, array + self.axis.size, array)
        return plain_index(self.axis.at(positions), self.name, self.dim)

    def sel(
        self, labels: dict[Any, Any], method: Any = None, tolerance: Any = None
    ) -> IndexSelResult:
        """Select by times: dates, partial dates, slices, arrays, nearest."""
        label = labels[self.name]
        positions = positions_of_label(
            self.axis, label, method=method, tolerance=tolerance
        )
        if positions is None:
            self._refuse(labels, method, tolerance)
        if isinstance(positions, slice | int):
            return IndexSelResult({self.dim: positions})
        result: Any = positions
        if isinstance(label, xr.DataArray):
            result = xr.DataArray(positions, coords=label.coords, dims=label.dims)
        elif isinstance(label, xr.Variable):
            result = xr.Variable(label.dims, positions)
        return IndexSelResult({self.dim: result})

    def _refuse(self, labels: dict[Any, Any], method: Any, tolerance: Any) -> NoReturn:
        """Raise what an ordinary index of the first times raises."""
        axis = self.axis
        message = (
            f"not all values found in index {self.name!r}: {axis.start} to {axis.stop} "
            f"(exclusive) every {axis.step_ns / 1e9:g} s; try method='nearest'"
        )
        zone = carries_zone(labels[self.name])
        if zone:
            message = (
                f"found a label of {self.name!r} with a time zone, expected GPS time, "
                "which has none: give the label without, counted on GPS time (ahead of "
                "UTC by the leap seconds since 1980)"
            )
        few = plain_index(axis.values(slice(3)), self.name, self.dim)
        try:
            few.sel(labels, method, tolerance)
        except KeyError as error:
            raise KeyError(message) from error
        except TypeError as error:
            if zone:
                raise TypeError(message) from error
            raise
        raise KeyError(message)

    def join(self, other: Any, how: str = "inner") -> Any:
        """Join with another index, see `xarray.Index.join`."""
        # xarray calls this unbound, so that `self` may be an earlier, plain result
        if type(self) is type(other) is RegularTimeIndex:
            joined = join_axes(self.axis, other.axis, how=how)
            if joined is not None:
                return RegularTimeIndex(joined, self.name, self.dim)
        return as_pandas(self).join(as_pandas(other), how=how)

    def reindex_like(
        self, other: Any, method: Any = None, tolerance: Any = None
    ) -> dict[Hashable, Any]:
        """Positions of the labels of `other` in this index, -1 where absent."""
        if isinstance(other, RegularTimeIndex):
            warn_if_long(other.axis.size, "aligning or reindexing time")
            positions = self.axis.positions_of(other.axis, method, tolerance)
        else:
            labels = other.index.to_numpy()
            positions = self.axis.positions(labels, method=method, tolerance=tolerance)
        return {self.dim: positions}

    def equals(
        self, other: Index, *, exclude: frozenset[Hashable] | None = None
    ) -> bool:
        """Whether both hold the same axis on the same dimension."""
        return (
            isinstance(other, RegularTimeIndex)
            and self.dim == other.dim
            and self.axis.same_times(other.axis)
        )

    @classmethod
    def concat(
        cls,
        indexes: Sequence[Any],
        dim: Hashable,
        positions: Iterable[Iterable[int]] | None = None,
    ) -> Any:
        """Concatenate: consecutive axes stay regular, others become a pandas index."""
        if positions is None and all(isinstance(i, RegularTimeIndex) for i in indexes):
            axis = chain_axes([i.axis for i in indexes])
            if axis is not None:
                return cls(axis, indexes[0].name, str(dim))
        return PandasIndex.concat([as_pandas(i) for i in indexes], dim, positions)

    def roll(self, shifts: Mapping[Any, int]) -> Any:
        """Roll the labels; the result is no longer regular."""
        return as_pandas(self).roll(shifts)

    def rename(
        self, name_dict: Mapping[Any, Hashable], dims_dict: Mapping[Any, Hashable]
    ) -> Self:
        """Rename coordinate and dimension."""
        name = name_dict.get(self.name, self.name)
        return type(self)(self.axis, name, str(dims_dict.get(self.dim, self.dim)))

    def __repr__(self) -> str:
        axis = self.axis
        return (
            f"RegularTimeIndex({axis.start} to {axis.stop} (exclusive), "
            f"step {axis.step_ns / 1e9:g} s, size {axis.size})"
        )

    def _repr_inline_(self, max_width: int) -> str:
        return repr(self)[:max_width]


def regular_coords(axis: RegularAxis, *, name: str = "time") -> xr.Coordinates:
    """Return the lazy time coordinate of `axis`, to build a Dataset with.

    Parameters
    ----------
    axis : RegularAxis
        The axis.
    name : str, default "time"
        Coordinate and dimension name.

    Returns
    -------
    xarray.Coordinates
        One coordinate with a `RegularTimeIndex`.
    """
    return xr.Coordinates.from_xindex(RegularTimeIndex(axis, name, name))


def axis_of(obj: xr.Dataset | xr.DataArray, *, dim: str = "time") -> RegularAxis:
    """Return the regular axis of the time coordinate, whatever index it has.

    Parameters
    ----------
    obj : Dataset or DataArray
        Object with a time coordinate.
    dim : str, default "time"
        Name of the coordinate.

    Returns
    -------
    RegularAxis
        A single time gets a step of 1 s.

    Raises
    ------
    GraceError
        There is no such coordinate, or it is not equally spaced.
    """
    index = obj.xindexes.get(dim)
    if isinstance(index, RegularTimeIndex):
        return index.axis
    if dim not in obj.coords or obj[dim].dtype.kind != "M":
        raise GraceError(
            f"no datetime64 coordinate {dim!r} found among {list(obj.coords)}; "
            "expected a Dataset as open_archive and open_store give it"
        )
    return axis_from_times(obj[dim].values, dim)
