"""Figures: functions of a Dataset that draw on given or new Axes and return them.

Colours are the Okabe-Ito set, told apart by colour-blind readers; estimates also
differ by marker or line style. Long series are thinned for display keeping the
extremes of every bin, so that no spike is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot_parts import (
    BINS,
    COLOURS,
    NANO,
    density,
    draw_fill,
    named_origin,
    new_axes,
    one_series,
    requirement,
    shade,
    thin,
    time_axis,
    title,
)
from gracelstm_xr.plot_scores import evaluation, evaluation_figure, training
from gracelstm_xr.timebase import axis_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "evaluation",
    "evaluation_figure",
    "gaps",
    "ground_track",
    "overview",
    "series",
    "spectrum",
    "training",
]


def series(
    ds: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    start: Any = None,
    stop: Any = None,
    sigma: float = 2.0,
    legend: bool = True,
    **style: Any,
) -> Axes:
    """Draw one axis of one satellite against time, its gaps shaded.

    Filled samples and their band are drawn where ``lin_accl_filled`` is present.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame.
    satellite : str, optional
        Letter; the first one by default.
    start, stop : str or datetime64, optional
        Part of the series to draw, GPS time.
    sigma : float, optional
        Half width of the band, in 1-sigma errors.
    legend : bool, optional
        Whether to explain the lines.
    **style
        Passed to ``Axes.plot`` for the observed series.

    Returns
    -------
    matplotlib Axes
        Acceleration minus the mean of the observed samples [nm s-2].

    Raises
    ------
    GraceError
        No ``lin_accl``, or no such satellite, axis or span.
    """
    part, letter = one_series(ds, satellite, axis, start, stop)
    ax = new_axes(ax)
    times = part["time"].values
    values = part["lin_accl"].values
    mean = float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
    options = {"color": COLOURS["blue"], "lw": 0.9, "label": "observed", **style}
    ax.plot(*thin(times, (values - mean) * NANO), **options)
    shade(ax, times, ~np.isfinite(values))
    if "lin_accl_filled" in part:
        draw_fill(ax, part, times, values, mean, sigma)
    ax.set_ylabel(f"{axis} acceleration - mean\n[nm s$^{{-2}}$]")
    ax.set_title(title(ds, letter), loc="left")
    time_axis(ax)
    ax.margins(x=0.01)
    if legend:
        # above the panel, where it hides no data
        ax.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            fontsize="small",
            ncols=4,
            frameon=False,
        )
    return ax


def overview(
    ds: xr.Dataset,
    *,
    satellite: str | None = None,
    start: Any = None,
    stop: Any = None,
    **options: Any,
) -> Figure:
    """Draw the three axes of one satellite under each other.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``.
    satellite : str, optional
        Letter; the first one by default.
    start, stop : str or datetime64, optional
        Part of the series to draw, GPS time.
    **options
        Passed to `series`.

    Returns
    -------
    matplotlib Figure
        One panel per axis, sharing time.
    """
    import matplotlib.pyplot as plt

    names = [str(n) for n in ds["axis"].values]
    figure, axes = plt.subplots(
        len(names), 1, figsize=(10, 2.4 * len(names)), sharex=True, squeeze=False
    )
    for i, (name, ax) in enumerate(zip(names, axes[:, 0], strict=True)):
        series(
            ds,
            ax=ax,
            axis=name,
            satellite=satellite,
            start=start,
            stop=stop,
            legend=i == 0,
            **options,
        )
        if i > 0:
            ax.set_title("", loc="left")
        if i < len(names) - 1:
            ax.set_xlabel("")
    figure.align_ylabels()
    figure.tight_layout()
    return figure


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
    from matplotlib import dates

    from gracelstm_xr.gaps import find_gaps

    number: Any = dates.date2num  # without annotations in matplotlib

    table = find_gaps(ds, min_length=min_length)
    axis = axis_of(ds)
    letters = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    ax = new_axes(ax, size=(10, 1.2 + 0.6 * len(letters)))
    first, last = number([axis.start, axis.stop])
    thinnest = (last - first) / 800
    options = {"color": COLOURS["vermillion"], "lw": 0, **style}
    labels = []
    for row, letter in enumerate(letters):
        ax.broken_barh(
            [(first, last - first)], (row - 0.35, 0.7), color=COLOURS["sky"], lw=0
        )
        own = table.isel(gap=table["satellite"].values == letter)
        left = number(own["start"].values)
        width = np.maximum(number(own["stop"].values) - left, thinnest)
        ax.broken_barh(
            list(zip(left, width, strict=True)), (row - 0.35, 0.7), **options
        )
        missing = float(own["length"].sum()) / max(axis.size * axis.step_ns / 1e9, 1e-9)
        labels.append(f"{letter}  {own.sizes['gap']} gaps, {100 * missing:.2g} %")
    ax.set_yticks(range(len(letters)), labels)
    ax.set_ylim(len(letters) - 0.4, -0.6)
    ax.set_xlim(first, last)
    ax.xaxis_date()
    time_axis(ax)
    ax.set_title(f"Data (blue) and gaps (red){named_origin(ds)}")
    return ax


def spectrum(
    ds: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    variables: Sequence[str] = ("lin_accl", "lin_accl_filled"),
    start: Any = None,
    stop: Any = None,
    **style: Any,
) -> Axes:
    """Draw amplitude spectral densities against the accelerometer requirement.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame.
    satellite : str, optional
        Letter; the first one by default.
    variables : sequence of str, optional
        Series to draw, as far as present; each from its longest unbroken stretch.
    start, stop : str or datetime64, optional
        Part of the series to use, GPS time.
    **style
        Passed to ``Axes.loglog``.

    Returns
    -------
    matplotlib Axes
        ASD [m s-2 Hz-1/2] against frequency [Hz]; the requirement of Kim (2000).

    Raises
    ------
    GraceError
        No stretch of 256 samples without a gap.
    """
    part, letter = one_series(ds, satellite, axis, start, stop)
    ax = new_axes(ax)
    step = axis_of(part).step_ns / 1e9
    looks = {"lin_accl": ("blue", "-"), "lin_accl_filled": ("vermillion", "--")}
    for name in (n for n in variables if n in part):
        colour, line = looks.get(name, ("green", "-."))
        options = {"color": COLOURS[colour], "ls": line, "lw": 1.2, **style}
        f, asd = density(part[name].values, step)
        label = "observed" if name == "lin_accl" else name.removeprefix("lin_accl_")
        ax.loglog(f, asd, label=label, **options)
    f = np.geomspace(1e-4, 0.5 / step, 200)
    ax.loglog(f, requirement(f, axis), color="black", lw=1, ls=":", label="Kim (2000)")
    ax.axvline(1 / 5640, color=COLOURS["grey"], lw=0.7)
    ax.annotate(
        " 1 per revolution",
        (1 / 5640, 0.02),
        xycoords=("data", "axes fraction"),
        fontsize="small",
        color=COLOURS["grey"],
    )
    ax.set_xlabel("frequency [Hz]")
    ax.set_ylabel(f"{axis} amplitude spectral density\n[m s$^{{-2}}$ Hz$^{{-1/2}}$]")
    ax.set_title(title(ds, letter))
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return ax


def ground_track(
    ds: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    variable: str = "lin_accl",
    start: Any = None,
    stop: Any = None,
    **style: Any,
) -> Axes:
    """Draw sub-satellite points coloured by an acceleration.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``position``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame that gives the colour.
    satellite : str, optional
        Letter; the first one by default.
    variable : str, optional
        Acceleration that gives the colour.
    start, stop : str or datetime64, optional
        Part of the series to draw, GPS time.
    **style
        Passed to ``Axes.scatter``.

    Returns
    -------
    matplotlib Axes
        Geocentric latitude against longitude [degree].

    Raises
    ------
    GraceError
        No ``position``: GNV1B was not read.
    """
    if "position" not in ds:
        raise GraceError(
            "no 'position' found; read GNV1B too: "
            "open_archive(..., products=['ACC1B', 'GNV1B'])"
        )
    part, letter = one_series(ds, satellite, axis, start, stop)
    where, _ = one_series(ds[["lin_accl", "position"]], satellite, None, start, stop)
    ax = new_axes(ax, size=(9, 4.8))
    x, y, z = where["position"].transpose("axis", "time").values
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(part[variable].values))
    known = known[:: max(len(known) // (10 * BINS), 1)]
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))[known]
    longitude = np.degrees(np.arctan2(y, x))[known]
    values = part[variable].values[known] * NANO
    values = values - values.mean() if len(values) else values
    limit = float(np.percentile(np.abs(values), 98)) if len(values) else 1.0
    options = {"s": 4, "cmap": "cividis", "vmin": -limit, "vmax": limit, **style}
    points = ax.scatter(longitude, latitude, c=values, **options)
    bar = ax.figure.colorbar(points, ax=ax, extend="both", pad=0.02)
    bar.set_label(f"{axis} acceleration - mean [nm s$^{{-2}}$]")
    ax.set(xlim=(-180, 180), ylim=(-90, 90), aspect="equal")
    ax.set_xticks(range(-180, 181, 60))
    ax.set_yticks(range(-90, 91, 30))
    ax.set_xlabel("longitude [degree east]")
    ax.set_ylabel("latitude [degree north]")
    ax.set_title(title(ds, letter))
    ax.grid(alpha=0.3)
    return ax
