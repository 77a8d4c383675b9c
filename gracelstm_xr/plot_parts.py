"""Parts that the figures share: colours, thinning, shading, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.gaps import runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BINS",
    "COLOURS",
    "NANO",
    "density",
    "draw_fill",
    "length_ticks",
    "named_origin",
    "new_axes",
    "one_series",
    "plain_log",
    "requirement",
    "shade",
    "thin",
    "time_axis",
    "title",
]

#: Okabe and Ito (2008), black first.
COLOURS = {
    "black": "#000000",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "grey": "#7F7F7F",
}
#: Bins across a figure: about one per pixel of a wide screen.
BINS = 2000
#: From m s-2 to nm s-2.
NANO = 1e9

Array = npt.NDArray[Any]
_LENGTHS = {
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3600: "1 h",
    10_800: "3 h",
    43_200: "12 h",
    86_400: "1 d",
    604_800: "7 d",
}


def new_axes(ax: Axes | None, *, size: tuple[float, float] = (10, 4)) -> Axes:
    """Return `ax`, or the Axes of a new figure of `size` [inch]."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def one_series(
    ds: xr.Dataset, satellite: str | None, axis: str | None, start: Any, stop: Any
) -> tuple[xr.Dataset, str]:
    """Load the accelerations (and orbit) of one satellite, and its letter.

    Raises
    ------
    GraceError
        No ``lin_accl``, or no such satellite, axis or span.
    """
    if "lin_accl" not in ds:
        raise GraceError("no variable 'lin_accl' found; open ACC1B data")
    names = [
        n for n in ds.data_vars if str(n).startswith("lin_accl") or n == "position"
    ]
    part = ds[names]
    if "satellite" in part.dims:
        letters = [str(s) for s in part["satellite"].values]
        letter = letters[0] if satellite is None else satellite
        if letter not in letters:
            raise GraceError(f"satellite {letter!r} wanted; the Dataset has {letters}")
        part = part.sel(satellite=letter)
    else:
        letter = str(part["satellite"].item()) if "satellite" in part.coords else "?"
    if axis is not None:
        if axis not in part["axis"].values:
            raise GraceError(f"axis {axis!r} wanted; expected one of 'x', 'y', 'z'")
        part = part.drop_vars("position", errors="ignore").sel(axis=axis)
    if start is not None or stop is not None:
        part = part.sel(time=slice(start, stop))
    if part.sizes["time"] == 0:
        raise GraceError(f"no data between {start} and {stop}; choose another span")
    return part.compute(), letter


def thin(times: Array, values: Array) -> tuple[Array, Array]:
    """Keep the smallest and largest value of each of about 2000 bins, in order.

    Parameters
    ----------
    times, values : ndarray, shape (n,)

    Returns
    -------
    times, values : ndarray
        The input when it is short; a bin without values gives one NaN, so that
        lines still break at gaps.
    """
    width = len(values) // BINS
    if width < 4:
        return times, values
    whole = len(values) // width * width
    bins = values[:whole].reshape(-1, width)
    empty = ~np.isfinite(bins).any(axis=1)
    low = np.argmin(np.where(np.isfinite(bins), bins, np.inf), axis=1)
    high = np.argmax(np.where(np.isfinite(bins), bins, -np.inf), axis=1)
    # an empty bin keeps its first sample, a NaN, twice
    offset = np.arange(len(bins)) * width
    picked = np.sort(np.stack([low, high], axis=1), axis=1) + offset[:, None]
    picked[empty] = offset[empty, None]
    keep = np.concatenate([picked.ravel(), np.arange(whole, len(values))])
    return times[keep], values[keep]


def shade(ax: Axes, times: Array, missing: npt.NDArray[np.bool_]) -> None:
    """Shade every run of `missing` samples."""
    for first, past in runs(missing):
        ax.axvspan(
            times[first],
            times[min(past, len(times) - 1)],
            color=COLOURS["grey"],
            alpha=0.22,
            lw=0,
            label="gap" if first == np.flatnonzero(missing)[0] else None,
        )


def draw_fill(
    ax: Axes, part: xr.Dataset, times: Array, values: Array, mean: float, sigma: float
) -> None:
    """Draw the estimates in the gaps and their band."""
    gap = ~np.isfinite(values)
    filled = np.where(gap, part["lin_accl_filled"].values, np.nan)
    if not np.isfinite(filled).any():
        return
    level = (filled - mean) * NANO
    ax.plot(*thin(times, level), color=COLOURS["vermillion"], lw=1.1, label="filled")
    if "lin_accl_filled_sigma" not in part:
        return
    half = sigma * part["lin_accl_filled_sigma"].values * NANO
    stride = max(len(times) // (2 * BINS), 1)
    ax.fill_between(
        times[::stride],
        (level - half)[::stride],
        (level + half)[::stride],
        color=COLOURS["vermillion"],
        alpha=0.25,
        lw=0,
        label=f"$\\pm${sigma:g} sigma",
    )


def named_origin(ds: xr.Dataset) -> str:
    """Say that data are simulated, where any attribute tells."""
    text = " ".join(map(str, ds.attrs.values())).lower()
    return ", simulated data" if "simulat" in text else ""


def title(ds: xr.Dataset, letter: str) -> str:
    """Title of a figure of one satellite."""
    mission = "GRACE-FO" if letter in "CD" else "GRACE"
    name = f"{mission} {letter}" if letter in "ABCD" else mission
    return name + named_origin(ds)


def time_axis(ax: Axes) -> None:
    """Label the time axis with short dates."""
    import matplotlib.dates as mdates

    # matplotlib's date classes carry no annotations
    dates: Any = mdates
    locator = dates.AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    ax.set_xlabel("GPS time")


def density(values: Array, step: float) -> tuple[Array, Array]:
    """Amplitude spectral density of the longest stretch without a gap.

    Parameters
    ----------
    values : ndarray, shape (n,)
    step : float
        Sampling interval [s].

    Returns
    -------
    f, density : ndarray
        Frequency [Hz] and ASD [unit of `values` per root Hz] by Welch's method.

    Raises
    ------
    NotEnoughDataError
        No stretch of 256 samples.
    """
    from scipy.signal import welch

    stretches = runs(np.isfinite(values))
    longest = max(stretches, key=lambda r: r[1] - r[0], default=(0, 0))
    n = int(longest[1] - longest[0])
    if n < 256:
        raise NotEnoughDataError(
            f"the longest stretch without a gap has {n} samples; 256 are needed"
        )
    piece = values[longest[0] : longest[1]]
    length = max(256, min(n, max(n // 4, round(16_384 / step))))
    # the annotations of scipy leave detrend="linear" out
    estimate: Any = welch
    f, power = estimate(
        piece - piece.mean(), fs=1 / step, nperseg=length, detrend="linear"
    )
    return f[1:], np.sqrt(power[1:])


def requirement(f: Array, axis: str) -> Array:
    """Accelerometer noise requirement of Kim (2000) as ASD [m s-2 Hz-1/2]."""
    if axis == "y":
        return np.sqrt((1 + 0.1 / f) * 1e-18)
    return np.sqrt((1 + 0.005 / f) * 1e-20)


def plain_log(ax: Axes) -> None:
    """Label a logarithmic y axis with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def length_ticks(ax: Axes, lengths: Array) -> None:
    """Label a logarithmic axis of gap lengths [s] in natural units."""
    low, high = float(np.min(lengths)), float(np.max(lengths))
    ticks = {s: t for s, t in _LENGTHS.items() if low * 0.9 <= s <= high * 1.1}
    if len(ticks) >= 2:
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.set_xticks([], minor=True)
    else:
        ax.set_xlabel("gap length [s]")
