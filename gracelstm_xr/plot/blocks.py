"""Blockwise reductions for display: a long series is never held whole.

Every reduction is cut by positions on the time axis and not by chunks, so that a
figure does not depend on chunking; the extremes of every bin are kept, so that no
spike is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.compute.blocks import as_dask, time_blocks
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.labels import time_slice
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.style import satellites_of

#: Bins across a figure: about one per pixel of a wide screen.
BINS = 2000


def one_satellite(
    ds: xr.Dataset,
    satellite: str | None,
    *,
    start: Any = None,
    stop: Any = None,
    needs: str = "lin_accl",
    product: str = "ACC1B",
) -> tuple[xr.Dataset, str]:
    """Cut one satellite and a span out of a Dataset, lazily; and its letter.

    Raises
    ------
    GraceError
        No variable `needs`, no such satellite, or nothing in the span.
    """
    if needs not in ds:
        names = ", ".join(map(str, ds.data_vars)) or "no variables"
        raise GraceError(
            f"no variable {needs!r} found among {names}; "
            f"open the archive with {product}"
        )
    letters = satellites_of(ds)
    letter = letters[0] if satellite is None else satellite
    if letter not in letters:
        raise GraceError(f"satellite {letter!r} wanted; the Dataset has {letters}")
    one = ds.isel(satellite=letters.index(letter)) if "satellite" in ds.dims else ds
    if start is not None or stop is not None:
        one = one.sel(time=time_slice(start, stop))
    if one.sizes["time"] == 0:
        raise GraceError(f"no data between {start} and {stop}; choose another span")
    return one, letter


def one_series(ds: xr.Dataset, name: str, axis: str) -> xr.DataArray:
    """One axis of a variable of one satellite.

    Raises
    ------
    GraceError
        No such variable or axis.
    """
    if name not in ds:
        names = [str(n) for n, v in ds.data_vars.items() if "axis" in v.dims]
        raise GraceError(f"no variable {name!r} found; expected one of {names}")
    axes = [str(a) for a in np.atleast_1d(ds["axis"].values)]
    if axis not in axes:
        raise GraceError(f"axis {axis!r} wanted; expected one of {axes}")
    series = ds[name]
    return series.isel(axis=axes.index(axis)) if "axis" in series.dims else series


def by_block(
    function: Callable[..., Any],
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    *args: Any,
    context: Callable[..., Any] | None = None,
) -> list[Any]:
    """Reduce every time block with Dask; returns the reductions in order of time.

    Parameters
    ----------
    function : callable
        Called as ``function(first, arrays, *args)`` with the position of the first
        sample and the loaded inputs of a block.
    inputs : mapping of str to DataArray
        With time first.
    ds : xarray.Dataset
        Gives the axis and the blocks.
    *args
        Further arguments.
    context : callable, optional
        ``context(first, arrays, *args)`` gives what the blocks beside need of one;
        ``function`` then gets the three of the block before, itself and the block
        after (None at the ends) after ``arrays``. Overlapping reads would cost more
        than twice the time.
    """
    import dask

    sources = {name: as_dask(array) for name, array in inputs.items()}
    call, load = (dask.delayed(f, pure=False) for f in (function, dict))
    blocks = time_blocks(ds)
    loaded = [
        load({name: source[block] for name, source in sources.items()})
        for block in blocks
    ]
    if context is None:
        pairs = zip(blocks, loaded, strict=True)
        return list(dask.compute(*(call(b.start, x, *args) for b, x in pairs)))
    near = dask.delayed(context, pure=False)
    told = [near(b.start, x, *args) for b, x in zip(blocks, loaded, strict=True)]
    beside = zip([None, *told[:-1]], told, [*told[1:], None], strict=True)
    triples = zip(blocks, loaded, beside, strict=True)
    return list(
        dask.compute(*(call(b.start, x, list(n), *args) for b, x, n in triples))
    )


@dataclass
class Thinned:
    """Extremes of a series in bins of equal width.

    Attributes
    ----------
    width : int
        Samples of a bin.
    size : int
        Samples of the series.
    low, high : ndarray, shape (bin,)
        Smallest and largest value; infinite where there is none.
    low_at, high_at : ndarray of int64, shape (bin,)
        Where they stand; the first sample of a bin without values.
    known : ndarray of int64, shape (bin,)
        Samples with a value.
    sums : ndarray, shape (bin,)
        Their sum.
    """

    width: int
    size: int
    low: AnyArray
    high: AnyArray
    low_at: AnyArray
    high_at: AnyArray
    known: AnyArray
    sums: AnyArray

    @classmethod
    def empty(cls, size: int, width: int) -> Thinned:
        """No values yet."""
        bins = -(-size // width)
        at = np.arange(bins) * width
        low, high = np.full(bins, np.inf), np.full(bins, -np.inf)
        none = np.zeros(bins, np.int64)
        return cls(width, size, low, high, at, at.copy(), none, np.zeros(bins))

    @property
    def mean(self) -> float:
        """Mean of the values, 0 without any."""
        return float(self.sums.sum() / max(self.known.sum(), 1))

    @property
    def missing(self) -> AnyArray:
        """Samples without a value in each bin."""
        samples = np.full(len(self.known), self.width)
        samples[-1] = self.size - self.width * (len(samples) - 1)
        return samples - self.known

    @classmethod
    def of(cls, values: AnyArray, width: int, *, lead: int = 0) -> Thinned:
        """Thin values that begin at position `lead`."""
        size = lead + len(values)
        thinned = cls.empty(size, width)
        if lead or size % width:
            padded = np.full(len(thinned.low) * width, np.nan)
            padded[lead:size] = values
            values = padded
        table = values.reshape(-1, width)
        finite = np.isfinite(table)
        # nearly every block of a real series is whole, and needs no copies
        complete = bool(finite.all())
        thinned.known = finite.sum(axis=1)
        thinned.sums = (table if complete else np.where(finite, table, 0.0)).sum(axis=1)
        bins = np.arange(len(table))
        for pick, none, level, at in (
            (np.argmin, np.inf, thinned.low, thinned.low_at),
            (np.argmax, -np.inf, thinned.high, thinned.high_at),
        ):
            masked = table if complete else np.where(finite, table, none)
            place = pick(masked, axis=1)
            level[:] = masked[bins, place]
            at += np.where(thinned.known > 0, place, 0)
        return thinned

    def merge(self, other: Thinned, start: int) -> None:
        """Take in the bins of a later stretch that begins in bin `start`."""
        here = slice(start, start + len(other.low))
        self.known[here] += other.known
        self.sums[here] += other.sums
        for mine, theirs, at, there, sign in (
            (self.low, other.low, self.low_at, other.low_at, 1.0),
            (self.high, other.high, self.high_at, other.high_at, -1.0),
        ):
            # strictly: of equal values the first stays, on any chunking
            better = sign * theirs < sign * mine[here]
            mine[here][better] = theirs[better]
            at[here][better] = there[better]

    def line(self) -> tuple[AnyArray, AnyArray]:
        """Positions and values of a line through both extremes of every bin.

        A bin without values gives one NaN, so that lines break at gaps.
        """
        empty = self.known == 0
        order = np.sort(np.stack([self.low_at, self.high_at], axis=1), axis=1)
        pair = np.stack([self.low, self.high], axis=1)
        pair[self.low_at > self.high_at] = pair[self.low_at > self.high_at][:, ::-1]
        pair[empty] = np.nan
        wanted = np.ones(order.shape, dtype=bool)
        wanted[:, 1] = order[:, 1] > order[:, 0]
        return order[wanted], pair[wanted]

    def band(self) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Middle positions, smallest and largest values; NaN where there are none."""
        middle = np.arange(len(self.low)) * self.width + (self.width - 1) / 2
        none = self.known == 0
        low, high = (np.where(none, np.nan, v) for v in (self.low, self.high))
        return np.minimum(middle, self.size - 1), low, high


def thin(
    make: Callable[..., Mapping[str, AnyArray]],
    inputs: Mapping[str, xr.DataArray],
    ds: xr.Dataset,
    *args: Any,
) -> dict[str, Thinned]:
    """Thin series to about `BINS` bins each, block by block.

    Parameters
    ----------
    make : callable
        ``make(arrays, *args)`` gives the series of a block by name, shape (n,); every
        block the same names.
    inputs, ds
        As in `by_block`.
    *args
        Further arguments of `make`.
    """
    size = axis_of(ds).size
    width = max(size // BINS, 1)
    parts = by_block(_thin_block, inputs, ds, width, make, *args)
    thinned = {name: Thinned.empty(size, width) for name in parts[0][1]}
    for start, blocks in parts:
        for name, block in blocks.items():
            thinned[name].merge(block, start)
    return thinned


def _thin_block(
    first: int,
    arrays: Mapping[str, AnyArray],
    width: int,
    make: Callable[..., Mapping[str, AnyArray]],
    *args: Any,
) -> tuple[int, dict[str, Thinned]]:
    start, lead = divmod(first, width)
    thinned = {}
    for name, values in make(arrays, *args).items():
        block = Thinned.of(values, width, lead=lead)
        block.low_at += start * width
        block.high_at += start * width
        thinned[name] = block
    return start, thinned
