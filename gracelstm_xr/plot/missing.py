"""What is missing, when: bars along time and calendars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.core.gaps import axis_pattern, is_missing, usable
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import DAY_NS
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.blocks import by_block, one_satellite
from gracelstm_xr.plot.style import (
    COLOURS,
    SEQUENTIAL,
    day_number,
    new_axes,
    satellites_of,
    time_axis,
    title,
)
from gracelstm_xr.preprocess.gaps import find_gaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Classes of the calendar: share of the day missing, up to and including.
CLASSES = {
    "none": 0.0,
    "up to 1 min": 60.0 / 86_400,
    "up to 15 min": 900.0 / 86_400,
    "up to 2 h": 7200.0 / 86_400,
    "up to 12 h": 0.5,
    "over 12 h": 1.0 - 0.5 / 86_400,
    "all of it": 1.0,
}
COMPLETE = "#E9EDF2"


def gaps(
    ds: xr.Dataset, *, ax: Axes | None = None, min_length: Any = "1s", **style: Any
) -> Axes:
    """Draw one bar per satellite along time, open where data are missing.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    min_length : str or float, optional
        Shorter gaps are not drawn.
    **style
        Passed to ``Axes.broken_barh`` for the gaps.

    Returns
    -------
    matplotlib Axes
        Gaps wider than drawn in reality where they would be thinner than a pixel.
    """
    table = find_gaps(ds, min_length=min_length)
    axis = axis_of(ds)
    letters = satellites_of(ds)
    ax = new_axes(ax, size=(10, 1.4 + 0.6 * len(letters)))
    first, last = day_number([axis.start, axis.stop])
    thinnest = (last - first) / 800
    options = {"color": COLOURS["vermillion"], "lw": 0, "zorder": 3, **style}
    labels = []
    for row, letter in enumerate(letters):
        bars, again = (row - 0.35, 0.7), row > 0
        ax.broken_barh(
            [(first, last - first)], bars, color=COLOURS["sky"], lw=0,
            label=None if again else "data",
        )  # fmt: skip
        own = table.isel(gap=table["satellite"].values == letter)
        left = day_number(own["start"].values)
        width = np.maximum(day_number(own["stop"].values) - left, thinnest)
        label = None if again else "gap"
        ax.broken_barh(
            list(zip(left, width, strict=True)), bars, label=label, **options
        )
        missing = float(own["length"].sum()) / max(axis.size * axis.step_ns / 1e9, 1e-9)
        count = own.sizes["gap"]
        noun = "gap" if count == 1 else "gaps"
        labels.append(f"{letter}  {count} {noun}, {100 * missing:.2g} %")
    ax.set_yticks(range(len(letters)), labels)
    ax.set_ylim(len(letters) - 0.4, -0.6)
    ax.set_xlim(first, last)
    ax.xaxis_date()
    time_axis(ax)
    ax.set_title(title("".join(letters), ds), loc="left")
    ax.legend(
        loc="lower right", bbox_to_anchor=(1, 1), fontsize="small", ncols=2,
        frameon=False, borderaxespad=0.2,
    )  # fmt: skip
    return ax


def missing_by_day(ds: xr.Dataset) -> xr.DataArray:
    """Share of each day's samples that are missing.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``; what `gracelstm_xr.gaps.usable` leaves out is
        missing. Computed block by block.

    Returns
    -------
    xarray.DataArray
        Over ``satellite`` and ``day`` (datetime64, GPS time), 0 to 1; of the samples
        that lie on the time axis.

    Raises
    ------
    GraceError
        No ``lin_accl``.
    """
    axis = axis_of(ds)
    midnight = axis.start.astype("datetime64[D]")
    late = int((axis.start - midnight) / np.timedelta64(1, "ns"))
    days = (late + (axis.size - 1) * axis.step_ns) // DAY_NS + 1
    rows = []
    letters = satellites_of(ds)
    for letter in letters:
        one, _ = one_satellite(ds, letter)
        accl = usable(one).transpose("time", ...)
        counts = np.zeros((days, 256), dtype=np.int64)
        for first, day_counts in by_block(
            _day_patterns, {"accl": accl}, one, late, axis.step_ns
        ):
            counts[first : first + len(day_counts)] += day_counts
        patterns = np.arange(256)
        ever = np.bitwise_or.reduce(patterns[counts.sum(axis=0) > 0], initial=0)
        missing = is_missing(patterns, ever)
        rows.append(counts[:, missing].sum(axis=1) / counts.sum(axis=1))
    return xr.DataArray(
        np.stack(rows),
        dims=("satellite", "day"),
        coords={
            "satellite": letters,
            "day": (midnight + np.arange(days)).astype("datetime64[ns]"),
        },
        attrs={"units": "1", "long_name": "share of the day missing"},
    )


def _day_patterns(
    first: int, arrays: Mapping[str, AnyArray], late: int, step: int
) -> tuple[int, npt.NDArray[np.int64]]:
    """Samples of each pattern of observed axes on each day of a block."""
    accl = arrays["accl"].reshape(len(arrays["accl"]), -1)
    day = (late + first * step) // DAY_NS
    last = (late + (first + len(accl) - 1) * step) // DAY_NS
    # first sample of every day, counted from that of the block
    edges = [-((late - d * DAY_NS) // step) - first for d in range(day + 1, last + 1)]
    pieces = np.split(axis_pattern(accl), edges)
    return day, np.stack([np.bincount(piece, minlength=256) for piece in pieces])


def calendar(
    ds: xr.Dataset,
    *,
    ax: Axes | None = None,
    satellite: str | None = None,
    rows: str | None = None,
    **style: Any,
) -> Axes:
    """Draw a calendar of the share of each day that is missing.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    satellite : str, optional
        Letter; all of them by default, one block of rows each.
    rows : {"month", "year"}, optional
        What a row is; a month by default up to 14 months, a year above.
    **style
        Passed to ``Axes.pcolormesh``.

    Returns
    -------
    matplotlib Axes
        Rows of months or years against the day; colours are classes of the time
        missing, so that a single lost second shows.

    Raises
    ------
    GraceError
        No ``lin_accl``, or no such satellite.
    """
    if rows not in (None, "month", "year"):
        raise GraceError(f"rows={rows!r} found; expected 'month' or 'year'")
    letters = satellites_of(ds) if satellite is None else [satellite]
    if satellite is not None and "satellite" in ds.dims:
        one_satellite(ds, satellite)  # a clear error where there is none such
        ds = ds.sel(satellite=[satellite])
    share = missing_by_day(ds)
    if rows is None:
        months = np.unique(share["day"].values.astype("datetime64[M]"))
        rows = "month" if len(months) <= 14 else "year"
    table, labels = _calendar_table(share, rows)
    cell = 0.2 if rows == "month" else 0.24
    ax = new_axes(ax, size=(10, max(1.5 + cell * len(table), 2.4)))
    _draw_classes(ax, table, **style)
    named = [i for i, label in enumerate(labels) if label]
    every = max(1, -(-len(named) // 40))
    ax.set_yticks(
        [i + 0.5 for i in named[::every]], [labels[i] for i in named[::every]]
    )
    ax.tick_params(axis="y", labelsize="small", length=0)
    ax.invert_yaxis()
    if rows == "month":
        ax.set_xticks(np.arange(31) + 0.5, [str(d) for d in range(1, 32)])
        ax.set_xlabel("day of the month, GPS time")
    else:
        starts = (np.arange("2000-01", "2001-01", dtype="M8[M]")).astype("M8[D]")
        first = (starts - starts[0]).astype(int)
        ax.set_xticks(first, [f"{m.item():%b}" for m in starts], ha="left")
        ax.set_xlabel("day of the year, GPS time")
    ax.tick_params(axis="x", labelsize="small")
    ax.set_title(title("".join(letters), ds), loc="left")
    return ax


def _calendar_table(share: xr.DataArray, rows: str) -> tuple[AnyArray, list[str]]:
    """Class of every cell, NaN off the axis and between blocks; label of every row."""
    days = share["day"].values.astype("datetime64[D]")
    kind = "datetime64[M]" if rows == "month" else "datetime64[Y]"
    units = np.arange(days[0].astype(kind), days[-1].astype(kind) + 1)
    if rows == "month":
        column = (days - days.astype(kind).astype("datetime64[D]")).astype(int)
    else:
        # the place of each date in a leap year: months stay under each other
        leap = np.datetime64("2000-01", "M") + (days.astype("M8[M]").astype(int) % 12)
        month = leap.astype("M8[D]") - np.datetime64("2000-01-01")
        column = (month + (days - days.astype("M8[M]").astype("M8[D]"))).astype(int)
    width = 31 if rows == "month" else 366
    row = (days.astype(kind) - units[0]).astype(int)
    blocks: list[AnyArray] = []
    labels: list[str] = []
    upper = np.array(list(CLASSES.values()))
    for s, letter in enumerate(share["satellite"].values):
        if blocks:
            blocks.append(np.full((1, width), np.nan))
            labels.append("")
        block = np.full((len(units), width), np.nan)
        block[row, column] = np.searchsorted(upper, share.values[s] - 1e-12)
        blocks.append(block)
        labels += [f"{letter}  {unit}" for unit in units]
    return np.concatenate(blocks), labels


def _draw_classes(ax: Axes, table: AnyArray, **style: Any) -> None:
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm, ListedColormap

    shades = mpl.colormaps[SEQUENTIAL](np.linspace(1, 0, len(CLASSES) - 1))
    colours = ListedColormap([COMPLETE, *shades])
    edges = np.arange(len(CLASSES) + 1) - 0.5
    small = table.shape[1] == 31
    options = {
        "cmap": colours,
        "norm": BoundaryNorm(edges, len(CLASSES)),
        "edgecolor": "white" if small else "none",
        "linewidth": 0.8 if small else 0,
        **style,
    }
    mesh = ax.pcolormesh(np.ma.masked_invalid(table), **options)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    shape = max(8.0, 0.8 * len(table))
    bar = ax.figure.colorbar(
        mesh, ax=ax, ticks=range(len(CLASSES)), pad=0.02, aspect=shape, fraction=0.1
    )
    bar.ax.set_yticklabels(list(CLASSES), fontsize="small")
    bar.minorticks_off()
    bar.set_label("missing of the day")
