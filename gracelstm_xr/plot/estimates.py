"""Forecasts and transplants beside what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.labels import duration
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.blocks import by_block, one_satellite, one_series, thin
from gracelstm_xr.plot.lines import draw_band, draw_line
from gracelstm_xr.plot.spectra import density, finish_spectrum
from gracelstm_xr.plot.style import (
    COLOURS,
    NANO,
    UNIT,
    day_number,
    explain_above,
    label_y,
    new_axes,
    satellites_of,
    time_axis,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Edges of the histogram of residuals, in sigma; what lies beyond is in the last bins.
EDGES = np.arange(-5.0, 5.01, 0.2)


def forecast(
    ahead: xr.Dataset,
    *,
    history: xr.Dataset | None = None,
    truth: xr.Dataset | xr.DataArray | None = None,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    before: Any = None,
    sigma: float = 2.0,
    **style: Any,
) -> Axes:
    """Draw a forecast and its band, after what was observed.

    Parameters
    ----------
    ahead : xarray.Dataset
        ``lin_accl_forecast`` and its sigma, from ``ds.grace.forecast``.
    history : xarray.Dataset, optional
        The data model it was made from.
    truth : xarray.Dataset or DataArray, optional
        What came after: a data model with ``lin_accl``, or that variable.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame.
    satellite : str, optional
        Letter; the first one of the forecast by default.
    before : str or float, optional
        How much history to draw, as a duration or in seconds; twice the length of
        the forecast by default.
    sigma : float, optional
        Half width of the band, in 1-sigma errors.
    **style
        Passed to ``Axes.plot`` for the forecast.

    Returns
    -------
    matplotlib Axes
        Acceleration minus the mean of the history drawn (of the forecast without
        one) [nm s-2], and the RMS error where the truth is given.

    Raises
    ------
    GraceError
        No ``lin_accl_forecast``, or no such satellite or axis.
    """
    one, letter = one_satellite(
        ahead, satellite, needs="lin_accl_forecast", product="ds.grace.forecast(model)"
    )
    inputs = {"value": one_series(one, "lin_accl_forecast", axis)}
    if "lin_accl_forecast_sigma" in one:
        inputs["sigma"] = one_series(one, "lin_accl_forecast_sigma", axis)
    times = axis_of(one)
    thinned = thin(_banded, inputs, one, sigma)
    mean, first = thinned["value"].mean, times.start
    ax = new_axes(ax)
    if history is not None:
        past = _past(history, letter, times, before)
        seen = thin(dict, {"value": one_series(past, "lin_accl", axis)}, past)["value"]
        mean = seen.mean if seen.known.any() else mean
        draw_line(
            ax,
            axis_of(past),
            seen,
            mean,
            color=COLOURS["blue"],
            lw=0.9,
            label="observed",
        )
        ax.axvline(day_number(times.start), color=COLOURS["grey"], lw=0.8, ls=":")
        first = axis_of(past).start
    told = ""
    if truth is not None:
        told = _draw_truth(ax, truth, one, letter, axis, mean)
    look = {"color": COLOURS["vermillion"], "lw": 1.4, "label": "forecast", **style}
    draw_line(ax, times, thinned["value"], mean, zorder=3, **look)
    if "upper" in thinned and thinned["upper"].known.any():
        label = f"$\\pm${sigma:g} sigma"
        draw_band(ax, times, thinned["lower"], thinned["upper"], mean, label=label)
    ax.set_xlim(*day_number([first, times.stop]))
    label_y(ax, f"{axis} acceleration $-$ mean", UNIT)
    sources = (ahead, {} if history is None else history)
    ax.set_title(f"{title(letter, *sources)}{told}", loc="left", fontsize="medium")
    time_axis(ax)
    explain_above(ax)
    return ax


def _banded(arrays: Mapping[str, AnyArray], sigma: float) -> dict[str, AnyArray]:
    lines = {"value": arrays["value"]}
    if "sigma" in arrays:
        half = sigma * arrays["sigma"]
        lines |= {"lower": arrays["value"] - half, "upper": arrays["value"] + half}
    return lines


def _past(history: xr.Dataset, letter: str, times: Any, before: Any) -> xr.Dataset:
    """The end of the history of one satellite."""
    if before is None:
        length = 2 * times.size * times.step
    else:
        seconds = duration(before, name="before")
        length = np.timedelta64(round(seconds * 1e9), "ns")
    first = times.start - length
    past, _ = one_satellite(history, letter, start=first, stop=times.start)
    return past.assign(lin_accl=usable(past))


def _draw_truth(
    ax: Axes, truth: Any, one: xr.Dataset, letter: str, axis: str, mean: float
) -> str:
    """Draw what came, and return the RMS error of the forecast in words."""
    series_of_truth = (
        truth.to_dataset(name="lin_accl") if isinstance(truth, xr.DataArray) else truth
    )
    times = axis_of(one)
    exact, _ = one_satellite(
        series_of_truth, letter, start=times.start, stop=times.stop
    )
    came = one_series(exact, "lin_accl", axis)
    line = thin(dict, {"value": came}, exact)["value"]
    look = {"color": "black", "lw": 1.0, "ls": "--"}
    draw_line(ax, axis_of(exact), line, mean, label="truth", zorder=2.8, **look)
    guess = one_series(one, "lin_accl_forecast", axis)
    error = (guess - came).values
    finite = np.isfinite(error)
    if not finite.any():
        return ""
    return f", RMS error {NANO * np.sqrt(np.mean(error[finite] ** 2)):.3g} {UNIT}"


def transplant_residual(
    ds: xr.Dataset,
    *,
    transplant: xr.Dataset | None = None,
    ax: Axes | None = None,
    axis: str = "x",
    view: str = "time",
    start: Any = None,
    stop: Any = None,
    sigma: float = 2.0,
    **style: Any,
) -> Axes:
    """Draw what a transplant leaves: the recipient minus the carried series.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with the recipient's ``lin_accl``.
    transplant : xarray.Dataset, optional
        From ``ds.grace.transplant``; made with its defaults when left out.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame.
    view : {"time", "spectrum", "histogram"}, optional
        The residual against time with its sigma band, its amplitude spectral density
        beside those of the recipient and of the instruments, or its distribution in
        units of sigma beside the normal one.
    start, stop : str or datetime64, optional
        Part to draw, GPS time.
    sigma : float, optional
        Half width of the band, in 1-sigma errors.
    **style
        Passed to ``Axes.plot``, or to ``Axes.stairs`` for the histogram.

    Returns
    -------
    matplotlib Axes
        Residual [nm s-2], ASD [nm s-2 Hz-1/2] or density [1]; the title says the RMS.

    Raises
    ------
    GraceError
        An unknown view, or no transplant in the Dataset given.
    """
    views = {"time": _residual_time, "spectrum": _residual_asd, "histogram": _histogram}
    if view not in views:
        raise GraceError(f"view={view!r} found; expected one of {list(views)}")
    carried = ds.grace.transplant() if transplant is None else transplant
    letter = satellites_of(carried)[0]
    there, _ = one_satellite(
        carried, letter, start=start, stop=stop, needs="lin_accl_transplant",
        product="ds.grace.transplant()",
    )  # fmt: skip
    times = axis_of(there)
    one, _ = one_satellite(ds, letter, start=times.start, stop=times.stop)
    if not axis_of(one).same_times(times):
        raise GraceError(
            f"transplant from {times.start} to {times.stop} (exclusive) found, "
            f"expected the times of the series from {axis_of(one).start}: cut both to "
            "one span"
        )
    inputs = {
        "observed": one_series(one.assign(lin_accl=usable(one)), "lin_accl", axis),
        "carried": one_series(there, "lin_accl_transplant", axis),
        "sigma": one_series(there, "lin_accl_transplant_sigma", axis),
    }
    ax = new_axes(ax, size=(10, 4) if view == "time" else (8, 4.6))
    rms = views[view](ax, inputs, one, axis, sigma, style)
    donor = str(carried["lin_accl_transplant"].attrs.get("donor", ""))
    name = (
        f"{title(letter, ds, carried)}, transplant{' from ' + donor if donor else ''}"
    )
    ax.set_title(f"{name}, RMS {NANO * rms:.3g} {UNIT}", loc="left", fontsize="medium")
    if view == "time":
        explain_above(ax)
    return ax


def _residual_time(
    ax: Axes, inputs: Mapping[str, Any], one: xr.Dataset, axis: str, sigma: float,
    style: Mapping[str, Any],
) -> float:  # fmt: skip
    thinned = thin(_residual, inputs, one, sigma)
    times = axis_of(one)
    look = {"color": COLOURS["blue"], "lw": 0.8, "label": "recipient $-$ transplant"}
    draw_line(ax, times, thinned["residual"], 0.0, **{**look, **style})
    # lines, not a band: over or under the dense residual it would not be seen
    for name, label in (("lower", f"$\\pm${sigma:g} sigma"), ("upper", None)):
        edge = {"color": COLOURS["vermillion"], "lw": 0.8, "label": label}
        draw_line(ax, times, thinned[name], 0.0, zorder=3, **edge)
    ax.axhline(0.0, color="black", lw=0.6)
    ax.set_xlim(*day_number([times.start, times.stop]))
    ax.set_ylabel(f"{axis} residual [{UNIT}]")
    time_axis(ax)
    return float(np.sqrt(thinned["square"].mean))


def _residual(arrays: Mapping[str, AnyArray], sigma: float) -> dict[str, AnyArray]:
    residual = arrays["observed"] - arrays["carried"]
    half = sigma * arrays["sigma"]
    return {
        "residual": residual,
        "square": residual**2,
        "lower": -half,
        "upper": half,
    }


def _residual_asd(
    ax: Axes, inputs: Mapping[str, Any], one: xr.Dataset, axis: str, sigma: float,
    style: Mapping[str, Any],
) -> float:  # fmt: skip
    residual = inputs["observed"] - inputs["carried"]
    for series, label, colour, line in (
        (inputs["observed"], "recipient", "blue", "-"),
        (residual, "recipient $-$ transplant", "vermillion", "--"),
    ):
        look = {"color": COLOURS[colour], "ls": line, "lw": 1.2, "label": label}
        f, asd = density(series, one)
        ax.loglog(f, asd * NANO, **{**look, **style})
    finish_spectrum(ax, axis, f"{axis} amplitude spectral density")
    squares = thin(_residual, inputs, one, sigma)["square"]
    return float(np.sqrt(squares.mean))


def _histogram(
    ax: Axes, inputs: Mapping[str, Any], one: xr.Dataset, axis: str, sigma: float,
    style: Mapping[str, Any],
) -> float:  # fmt: skip
    parts = by_block(_ratios, inputs, one)
    counts = np.sum([p[0] for p in parts], axis=0)
    count, squares = (sum(p[i] for p in parts) for i in (1, 2))
    look = {"color": COLOURS["blue"], "fill": True, "alpha": 0.5, "label": "found"}
    shares = counts / max(count, 1) / np.diff(EDGES)
    ax.stairs(shares, EDGES, **{**look, **style})
    x = np.linspace(EDGES[0], EDGES[-1], 201)
    normal = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    ax.plot(x, normal, color="black", ls="--", lw=1.2, label="normal, expected")
    inside = counts[np.abs(EDGES[:-1] + 0.1) < 1].sum() / max(count, 1)
    ax.set_xlim(EDGES[0], EDGES[-1])
    ax.set_ylim(bottom=0)
    ax.set_xlabel(f"{axis} residual / sigma [1]; ends hold what lies beyond")
    ax.set_ylabel("density [1]")
    ax.legend(fontsize="small", title=f"{100 * inside:.0f} % within sigma")
    return float(np.sqrt(squares / max(count, 1)))


def _ratios(first: int, arrays: Mapping[str, AnyArray]) -> tuple[AnyArray, int, float]:
    """Histogram of residual over sigma, number and squares of one block."""
    residual = arrays["observed"] - arrays["carried"]
    ratio = residual / arrays["sigma"]
    finite = np.isfinite(ratio)
    inside = np.clip(ratio[finite], EDGES[0], EDGES[-1] - 1e-9)
    counts = np.histogram(inside, EDGES)[0]
    return counts, int(finite.sum()), float((residual[finite] ** 2).sum())
