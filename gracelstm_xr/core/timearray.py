"""The coordinate of a regular axis: an array of times that are never held."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Self

import numpy as np
import xarray as xr
from xarray.core.indexing import CoordinateTransformIndexingAdapter, ExplicitIndexer
from xarray.indexes import CoordinateTransform

from gracelstm_xr.core.lazytime import TimeVariable
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.errors import GraceWarning

#: Steps (three years at 1 Hz) whose times are not built without a word.
LONG = 100_000_000


def warn_if_long(size: int, what: str) -> None:
    """Warn that xarray is about to build an array of `size` times or positions.

    Parameters
    ----------
    size : int
        Number of steps.
    what : str
        What asks for them.
    """
    if size >= LONG:
        warnings.warn(
            f"{what} builds {size} times of 8 bytes, {size * 8e-9:.0f} GB and several "
            "times that in xarray; select a span first, as ds.sel(time='2008')",
            GraceWarning,
            stacklevel=3,
        )


class AxisTransform(CoordinateTransform):
    """Positions to times of a `RegularAxis`, generated when asked for.

    Parameters
    ----------
    axis : RegularAxis
        The axis.
    name : Hashable
        Coordinate name.
    dim : str
        Dimension name.
    """

    def __init__(self, axis: RegularAxis, name: Hashable, dim: str) -> None:
        super().__init__([name], {dim: axis.size}, dtype=np.dtype("datetime64[ns]"))
        self.axis = axis

    @property
    def name(self) -> Hashable:
        """Name of the coordinate."""
        return self.coord_names[0]

    @property
    def dim(self) -> str:
        """Name of the dimension."""
        return self.dims[0]

    def forward(self, dim_positions: dict[str, Any]) -> dict[Hashable, Any]:
        """Return the times at positions."""
        return {self.name: self.axis.at(dim_positions[self.dim])}

    def reverse(self, coord_labels: dict[Hashable, Any]) -> dict[str, Any]:
        """Return the positions of times, -1 where there is none."""
        return {self.dim: self.axis.positions(coord_labels[self.name])}

    def equals(
        self,
        other: CoordinateTransform,
        *,
        exclude: frozenset[Hashable] | None = None,
    ) -> bool:
        """Whether both make the same times."""
        return isinstance(other, AxisTransform) and self.axis.same_times(other.axis)


def _read_only(times: Any) -> Any:
    """Times that cannot be edited, as those of any index: the axis would not follow."""
    times.flags.writeable = False
    return times


class _AxisArray(CoordinateTransformIndexingAdapter):
    """Times as xarray indexes them: a slice of them is again start, step and size."""

    _transform: AxisTransform

    def __init__(self, transform: AxisTransform) -> None:
        super().__init__(transform, transform.name)

    @property
    def axis(self) -> RegularAxis:
        return self._transform.axis

    def get_duck_array(self) -> Any:
        warn_if_long(self.axis.size, "reading the whole time coordinate")
        return _read_only(self.axis.values())

    def __getitem__(self, indexer: ExplicitIndexer) -> Any:
        (key,) = indexer.tuple
        if not isinstance(key, slice):
            return super().__getitem__(indexer)
        if key.step is not None and key.step < 0:
            return _read_only(self.axis.values(key))
        transform = self._transform
        return type(self)(
            AxisTransform(self.axis.cut(key), transform.name, transform.dim)
        )

    def transpose(self, order: Any) -> Self:
        return self


class RegularTimeVariable(TimeVariable):
    """The time coordinate of a `RegularAxis`; what can be told from it is not read.

    As the variable of an ordinary index it is left alone by ``chunk`` and ``load``.
    """

    @classmethod
    def over(
        cls, transform: AxisTransform, attrs: dict[Any, Any], encoding: dict[Any, Any]
    ) -> RegularTimeVariable:
        """Build the variable of `transform`."""
        return cls((transform.dim,), _AxisArray(transform), attrs, encoding)

    @property
    def axis(self) -> RegularAxis | None:
        """The axis, None after a selection that is not regular."""
        return self._data.axis if isinstance(self._data, _AxisArray) else None

    def load(self, **_: Any) -> Self:
        """Return itself: there is nothing to load."""
        return self

    def equals(self, other: Any, *args: Any, **kwargs: Any) -> bool:
        """Whether both hold the same times on the same dimensions."""
        other = getattr(other, "variable", other)
        if not isinstance(other, xr.Variable) or self.sizes != other.sizes:
            return False
        mine, theirs = self.axis, getattr(other, "axis", None)
        if mine is not None and isinstance(theirs, RegularAxis):
            return mine.same_times(theirs)
        equal: bool = super().equals(other, *args, **kwargs)  # type: ignore[no-untyped-call]
        return equal

    def coarsen(
        self,
        windows: Mapping[Any, int],
        func: Any,
        boundary: Any = "exact",
        side: Any = "left",
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Coarsen; the mean times of whole windows follow from start and step."""
        axis, window = self.axis, windows.get(self.dims[0], 0)
        regular = func == "mean" and axis is not None and window > 0
        if not regular or axis is None or axis.size % window or axis.size == 0:
            coarse: xr.Variable = super().coarsen(  # type: ignore[no-untyped-call]
                windows, func, boundary, side, *args, **kwargs
            )
            return coarse
        first = axis.start + (window - 1) * axis.step // 2
        size = axis.size // window
        mean = RegularAxis(first, axis.step * window if size > 1 else axis.step, size)
        return xr.Variable(self.dims, mean.values(), self.attrs)

    def reduce(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Reduce; the smallest and the largest time are one of the ends."""
        axis = self.axis
        if axis is None or axis.size < 2 or func.__name__ not in ("min", "max"):
            return super().reduce(func, *args, **kwargs)
        ends = xr.Variable(self.dims, axis.at([0, axis.size - 1]), self.attrs)
        return ends.reduce(func, *args, **kwargs)
