"""Maps along the orbit and over the Earth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.core.gaps import usable
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.blocks import BINS, one_satellite, one_series
from gracelstm_xr.plot.cells import Cells, along_track, track_cells, turn_cells
from gracelstm_xr.plot.lines import stamps
from gracelstm_xr.plot.style import (
    DIVERGING,
    NANO,
    UNIT,
    new_axes,
    symmetric_limit,
    time_axis,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Longest span drawn as a track; longer ones are drawn as cells [s].
TRACK = 3 * 86_400.0
#: A sample this many half ranges of the colour scale off its cell's mean is marked.
SPIKE = 2.0


def latitude_time(
    ds: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    variable: str = "lin_accl",
    truth: xr.Dataset | xr.DataArray | None = None,
    start: Any = None,
    stop: Any = None,
    columns: int = 600,
    **style: Any,
) -> Axes:
    """Draw an acceleration over argument of latitude and time.

    A column is one revolution, or more where there are many. The colour is the mean
    over a cell of 2 degrees, minus the level of its column, so that a drifting bias
    does not hide the rest; cells that hold a sample far outside the colour scale are
    circled.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``position`` and `variable`.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame that gives the colour.
    satellite : str, optional
        Letter; the first one by default.
    variable : str, optional
        Acceleration [m s-2] that gives the colour.
    truth : xarray.Dataset or DataArray, optional
        ``lin_accl`` without gaps on the same time axis: the colour is `variable` minus
        this, the error, with nothing removed; of a filled series in its gaps only.
    start, stop : str or datetime64, optional
        Part of the series to draw, GPS time.
    columns : int, optional
        Most columns.
    **style
        Passed to ``Axes.pcolormesh``.

    Returns
    -------
    matplotlib Axes
        Argument of latitude [degree] against time; 0 and 180 at the equator going
        north and south, 90 and 270 at the poles.

    Raises
    ------
    GraceError
        No ``position`` (GNV1B was not read), or no such variable, satellite or axis.
    """
    one, letter, values = _values(ds, satellite, variable, truth, axis, start, stop)
    times = axis_of(one)
    grid = turn_cells(values, one, columns=columns)
    mean = grid.mean
    removed = grid.column_level() if truth is None else np.zeros(mean.shape[1])
    shown = (mean - removed) * NANO
    ax = new_axes(ax)
    limit = symmetric_limit(shown)
    edges = stamps(times, np.minimum(grid.x, times.size))
    options = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit, **style}
    mesh = ax.pcolormesh(edges, grid.y, np.ma.masked_invalid(shown), **options)
    _circle(ax, grid, limit, stamps(times, (grid.x[:-1] + grid.x[1:]) / 2))
    ax.set_ylim(0, 360)
    ax.set_yticks(range(0, 361, 45))
    ax.set_ylabel("argument of latitude [degree]")
    time_axis(ax)
    what = "error" if truth is not None else "acceleration $-$ its column"
    _finish(ax, mesh, f"{axis} {what} [{UNIT}]", title(letter, ds))
    return ax


def ground_track(
    ds: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    variable: str = "lin_accl",
    truth: xr.Dataset | xr.DataArray | None = None,
    start: Any = None,
    stop: Any = None,
    **style: Any,
) -> Axes:
    """Draw sub-satellite points coloured by an acceleration or an error.

    Up to three days are drawn as a track, each point the largest deviation of its
    stretch; longer spans as means over cells of 2 degrees, where cells that hold a
    sample far outside the colour scale are circled.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``position`` and `variable`.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame that gives the colour.
    satellite : str, optional
        Letter; the first one by default.
    variable : str, optional
        Acceleration [m s-2] that gives the colour.
    truth : xarray.Dataset or DataArray, optional
        ``lin_accl`` without gaps on the same time axis: the colour is `variable` minus
        this, the error; of a filled series in its gaps only.
    start, stop : str or datetime64, optional
        Part of the series to draw, GPS time.
    **style
        Passed to ``Axes.scatter`` or ``Axes.pcolormesh``.

    Returns
    -------
    matplotlib Axes
        Geocentric latitude against longitude [degree].

    Raises
    ------
    GraceError
        No ``position`` (GNV1B was not read), or no such variable, satellite or axis.
    """
    one, letter, values = _values(ds, satellite, variable, truth, axis, start, stop)
    times = axis_of(one)
    aspect = "auto" if ax is not None else "equal"
    ax = new_axes(ax, size=(9, 4.4), layout="compressed")
    options: dict[str, Any] = {"cmap": DIVERGING}
    drawn: Any
    if times.size * times.step_ns / 1e9 <= TRACK:
        longitude, latitude, shown = along_track(values, one, points=10 * BINS)
        shown = (shown - (shown.mean() if truth is None and len(shown) else 0)) * NANO
        limit = symmetric_limit(shown)
        options |= {"s": 5, "lw": 0, "vmin": -limit, "vmax": limit, **style}
        drawn = ax.scatter(longitude, latitude, c=shown, **options)
    else:
        grid = track_cells(values, one)
        shown = (grid.mean - (grid.overall if truth is None else 0.0)) * NANO
        limit = symmetric_limit(shown)
        options |= {"vmin": -limit, "vmax": limit, **style}
        drawn = ax.pcolormesh(grid.x, grid.y, np.ma.masked_invalid(shown), **options)
        _circle(ax, grid, limit, (grid.x[:-1] + grid.x[1:]) / 2)
    ax.set(xlim=(-180, 180), ylim=(-90, 90), aspect=aspect)
    ax.set_xticks(range(-180, 181, 60))
    ax.set_yticks(range(-90, 91, 30))
    ax.set_xlabel("longitude [degree east]")
    ax.set_ylabel("latitude [degree north]")
    what = "error" if truth is not None else "acceleration $-$ mean"
    span = f"{str(times.start)[:16]} to {str(times.stop)[:16]} GPS time"
    _finish(ax, drawn, f"{axis} {what} [{UNIT}]", f"{title(letter, ds)}\n{span}")
    return ax


def _values(
    ds: xr.Dataset,
    satellite: str | None,
    variable: str,
    truth: xr.Dataset | xr.DataArray | None,
    axis: str,
    start: Any,
    stop: Any,
) -> tuple[xr.Dataset, str, dict[str, xr.DataArray]]:
    """The satellite's part, its letter, and what `gracelstm_xr.plot.cells` reads."""
    one, letter = one_satellite(
        ds, satellite, start=start, stop=stop, needs="position", product="GNV1B"
    )
    if variable == "lin_accl" and variable in one:
        one = one.assign(lin_accl=usable(one))
    values = {
        "value": one_series(one, variable, axis),
        "position": one["position"].transpose("time", "axis"),
    }
    if truth is None:
        return one, letter, values
    exact = truth["lin_accl"] if isinstance(truth, xr.Dataset) else truth
    here = axis_of(one)
    alone, _ = one_satellite(
        exact.to_dataset(name="lin_accl"),
        letter,
        start=here.start,
        stop=here.stop,
    )
    there = axis_of(alone)
    if not there.same_times(here):
        raise GraceError(
            f"truth from {there.start} to {there.stop} (exclusive) found, expected the "
            f"times of the series, {here.start} to {here.stop} (exclusive): cut both "
            "to the same span"
        )
    values["truth"] = one_series(alone, "lin_accl", axis)
    if variable == "lin_accl_filled" and "lin_accl" in one:
        values["seen"] = one_series(one.assign(lin_accl=usable(one)), "lin_accl", axis)
    return one, letter, values


def _circle(ax: Axes, grid: Cells, limit: float, middle: Any) -> None:
    """Circle the cells with a sample far outside the colour scale, and say so."""
    off = np.fmax(grid.high - grid.mean, grid.mean - grid.low) * NANO
    row, column = np.nonzero(off > SPIKE * limit)
    if not len(row):
        return
    ax.scatter(
        middle[column],
        (grid.y[:-1] + grid.y[1:])[row] / 2,
        s=14,
        facecolor="none",
        edgecolor="black",
        lw=0.6,
        zorder=4,
        label=f"sample over {SPIKE * limit:.3g} {UNIT} off its cell",
    )
    ax.legend(
        loc="lower right", bbox_to_anchor=(1, 1), fontsize="small", frameon=False,
        borderaxespad=0.2, handletextpad=0.1,
    )  # fmt: skip


def _finish(ax: Axes, drawn: Any, label: str, heading: str) -> None:
    ax.set_facecolor("0.75")  # nothing known: neither end nor middle of the colours
    bar = ax.figure.colorbar(drawn, ax=ax, extend="both", pad=0.02)
    bar.set_label(label)
    ax.set_title(heading, loc="left", fontsize="medium")
