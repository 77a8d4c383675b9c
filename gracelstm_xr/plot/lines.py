"""Series against time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.core.gaps import runs, usable
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.plot.blocks import Thinned, one_satellite, one_series, thin
from gracelstm_xr.plot.style import (
    COLOURS,
    NANO,
    UNIT,
    day_number,
    explain_above,
    label_y,
    new_axes,
    time_axis,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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

    Estimates and their band are drawn where ``lin_accl_filled`` is present, samples
    that ``ds.grace.clean()`` condemned in grey. Long series are reduced to the extremes
    of 2000 bins; a bin of which less than half is missing gets a mark at the foot of
    the panel instead of shading.

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
    one, letter = one_satellite(ds, satellite, start=start, stop=stop)
    inputs = {
        "observed": one_series(one.assign(lin_accl=usable(one)), "lin_accl", axis)
    }
    if "acc_cleanflg" in one:
        inputs["raw"] = one_series(one, "lin_accl", axis)
    for name in ("lin_accl_filled", "lin_accl_filled_sigma"):
        if name in one:
            inputs[name.removeprefix("lin_accl_")] = one_series(one, name, axis)
    thinned = thin(_parts, inputs, one, sigma)
    times, level = axis_of(one), thinned["observed"]
    if not level.known.any():
        level = thinned.get("filled", level)
    mean = level.mean
    ax = new_axes(ax)
    look = {"color": COLOURS["blue"], "lw": 0.9, "label": "observed", **style}
    if "marked" in thinned and thinned["marked"].known.any():
        grey = {"color": COLOURS["grey"], "lw": 0.8}
        draw_line(ax, times, thinned["marked"], mean, label="marked", **grey)
    draw_line(ax, times, thinned["observed"], mean, **look)
    _shade(ax, times, thinned["observed"])
    if "filled" in thinned and thinned["filled"].known.any():
        fill = {"color": COLOURS["vermillion"], "lw": 1.0}
        draw_line(ax, times, thinned["filled"], mean, label="filled", zorder=3, **fill)
        if "upper" in thinned:
            label = f"$\\pm${sigma:g} sigma"
            draw_band(ax, times, thinned["lower"], thinned["upper"], mean, label=label)
    label_y(ax, f"{axis} acceleration $-$ mean", UNIT)
    ax.set_title(title(letter, ds), loc="left")
    time_axis(ax)
    ax.set_xlim(*day_number([times.start, times.stop]))
    if legend:
        explain_above(ax)
    return ax


def _parts(arrays: Mapping[str, AnyArray], sigma: float) -> dict[str, AnyArray]:
    """What `series` draws, of one block."""
    observed = arrays["observed"]
    gap = ~np.isfinite(observed)
    lines = {"observed": observed}
    if "raw" in arrays:
        lines["marked"] = np.where(gap, arrays["raw"], np.nan)
    if "filled" in arrays:
        lines["filled"] = np.where(gap, arrays["filled"], np.nan)
    if "filled" in arrays and "filled_sigma" in arrays:
        half = sigma * arrays["filled_sigma"]
        lines["lower"] = lines["filled"] - half
        lines["upper"] = lines["filled"] + half
    return lines


def stamps(times: RegularAxis, positions: AnyArray) -> npt.NDArray[np.datetime64]:
    """GPS times of positions, which may lie between samples."""
    past = np.rint(np.asarray(positions) * times.step_ns).astype(np.int64)
    epochs: npt.NDArray[np.datetime64] = times.start + past.astype("timedelta64[ns]")
    return epochs


def draw_line(
    ax: Axes, times: RegularAxis, thinned: Thinned, mean: float, **style: Any
) -> None:
    """Draw a thinned series minus `mean`, in nm s-2."""
    positions, values = thinned.line()
    at, shown = stamps(times, positions), (values - mean) * NANO
    ax.plot(at, shown, **style)
    # a line of one sample has no length
    shown_at = np.isfinite(np.concatenate([[np.nan], shown, [np.nan]]))
    alone = shown_at[1:-1] & ~shown_at[:-2] & ~shown_at[2:]
    if alone.any():
        look = {"color": style.get("color"), "zorder": style.get("zorder", 2)}
        ax.plot(at[alone], shown[alone], ls="", marker=".", ms=3, **look)


def draw_band(
    ax: Axes,
    times: RegularAxis,
    lower: Thinned,
    upper: Thinned,
    mean: float,
    *,
    label: str,
) -> None:
    """Draw what lies between two thinned series, in nm s-2."""
    positions, low, _ = lower.band()
    _, _, high = upper.band()
    ax.fill_between(
        stamps(times, positions),
        (low - mean) * NANO,
        (high - mean) * NANO,
        color=COLOURS["vermillion"],
        alpha=0.35,
        lw=0,
        zorder=2.5,
        label=label,
    )


def _shade(ax: Axes, times: RegularAxis, observed: Thinned) -> None:
    """Shade bins that are missing, and mark those that are in part."""
    share = observed.missing / observed.width
    foot = ax.get_xaxis_transform()
    colour = COLOURS["grey"]
    # in part: a firm mark; wholly: a pale column that leaves the estimate readable
    label: str | None = "gap"
    for where, height, alpha in ((share >= 0.5, 1.0, 0.16), (share > 0, 0.025, 1.0)):
        edges = day_number(
            stamps(times, np.minimum(runs(where) * observed.width, times.size))
        )
        bars = [(a, b - a) for a, b in edges.tolist()]
        if bars:
            ax.broken_barh(
                bars, (0, height), transform=foot, color=colour, alpha=alpha, lw=0,
                zorder=1, label=label,
            )  # fmt: skip
            label = None


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

    names = [str(n) for n in np.atleast_1d(ds["axis"].values)]
    span = {"satellite": satellite, "start": start, "stop": stop}
    figure, axes = plt.subplots(
        len(names), 1, figsize=(10, 2.4 * len(names)), sharex=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for i, (name, ax) in enumerate(zip(names, axes[:, 0], strict=True)):
        series(ds, ax=ax, axis=name, legend=i == 0, **span, **options)
        if i > 0:
            ax.set_title("", loc="left")
        if i < len(names) - 1:
            ax.set_xlabel("")
    figure.align_ylabels()
    return figure
