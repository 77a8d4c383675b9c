"""Parts that the figures share: colours, Axes, titles, ticks, legends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.missions import SATELLITES, missions_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
#: Colour maps: of amounts, and of signed values with a neutral middle.
SEQUENTIAL, DIVERGING = "cividis", "RdBu_r"
#: From m s-2 to nm s-2, and how both units are written.
NANO = 1e9
UNIT = "nm s$^{-2}$"
ASD_UNIT = "nm s$^{-2}$ Hz$^{-1/2}$"

#: Colour, marker and line of each method; the network and the fill stand out.
METHODS = {
    "lstm": ("vermillion", "o", "-"),
    "fill": ("black", "*", "-"),
    "lstm_single": ("vermillion", "d", "--"),
    "transplant": ("blue", "s", "-"),
    "tracked": ("green", "P", "-"),
    "tracked_single": ("green", "X", ":"),
    "ridge": ("green", "D", "--"),
    "harmonic": ("purple", "^", "-"),
    "previous_orbit": ("orange", "v", "-"),
    "linear": ("sky", "x", "-"),
    "ar": ("sky", "p", "--"),
    "cubic": ("grey", "+", "-"),
    "polynomial": ("grey", "1", "--"),
    "hold": ("grey", ".", ":"),
}
#: Looks of methods that are not in the table, by order of appearance.
OTHERS = (("purple", "h", "--"), ("orange", "d", "--"), ("black", "2", ":"))
_LENGTHS: dict[float, str] = {
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3600: "1 h",
    10_800: "3 h",
    43_200: "12 h",
    86_400: "1 d",
    604_800: "7 d",
}


def new_axes(
    ax: Axes | None,
    *,
    size: tuple[float, float] = (10, 4),
    layout: Literal["constrained", "compressed"] = "constrained",
) -> Axes:
    """Return `ax`, or the Axes of a new figure of `size` [inch]."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout=layout)[1]


def origin(*sources: Any) -> str:
    """Whether data are simulated or real, as far as attributes or texts tell.

    Parameters
    ----------
    *sources : xarray objects, mappings or str
        Their attributes are searched.

    Returns
    -------
    str
        "simulated data", "real data" (Level-1B files that do not say simulated) or
        "data of unstated origin".
    """
    text = ""
    for source in sources:
        attrs = getattr(source, "attrs", source)
        parts = attrs.values() if hasattr(attrs, "values") else [attrs]
        text += " ".join(map(str, parts)).lower() + " "
    if "simulat" in text:
        return "simulated data"
    return "real data" if "level-1b" in text else "data of unstated origin"


def title(letters: str, *sources: Any) -> str:
    """Title of a figure: mission, satellites (letters in a row), and `origin`."""
    letters = letters.replace("?", "")
    missions = missions_of(letters or SATELLITES[0])
    name = " ".join([" and ".join(missions), ", ".join(letters)]).strip()
    return f"{name}, {origin(*sources)}"


def day_number(times: Any) -> Any:
    """Times as matplotlib counts them [days]."""
    from matplotlib import dates

    number: Any = dates.date2num  # without annotations in matplotlib
    return number(times)


def time_axis(ax: Axes) -> None:
    """Label the time axis with short dates."""
    import matplotlib.dates as mdates

    # matplotlib's date classes carry no annotations
    dates: Any = mdates
    locator = dates.AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    ax.set_xlabel("GPS time")


def _inches(ax: Axes) -> tuple[float, float]:
    """Width and height of a panel, before its layout."""
    figure: Any = ax.figure  # the annotations leave out that a subfigure has a box
    box = ax.get_position()
    size = figure.bbox.size / figure.dpi
    return float(box.width * size[0]), float(box.height * size[1])


def label_y(ax: Axes, what: str, unit: str) -> None:
    """Label the y axis, on two lines where the panel is low."""
    low = 0.085 * (len(what) + 10) > _inches(ax)[1]
    ax.set_ylabel(f"{what}{chr(10) if low else ' '}[{unit}]")


def explain(ax: Axes, **options: Any) -> None:
    """Explain lines beside the panel, or inside where the figure leaves no room."""
    if ax.figure.get_layout_engine() is None:
        where: dict[str, Any] = {"loc": "best"}
    else:
        where = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5), "frameon": False}
    ax.legend(**{"fontsize": "small", **where, **options})


def explain_above(ax: Axes) -> None:
    """Explain lines above a wide panel, where they hide no data."""
    wide = _inches(ax)[0] > 7.5
    if not wide:
        # the title one line up, to make room
        ax.set_title(ax.get_title(loc="left"), loc="left", fontsize="medium", pad=20)
    ax.legend(
        loc="lower right" if wide else "lower left",
        bbox_to_anchor=(1 if wide else 0, 1),
        borderaxespad=0.2,
        columnspacing=1.2,
        fontsize="small",
        ncols=5,
        frameon=False,
    )


def method_style(name: str, names: list[str]) -> dict[str, Any]:
    """Line options of a method among `names`."""
    if name in METHODS:
        colour, marker, line = METHODS[name]
    else:
        unknown = [n for n in names if n not in METHODS]
        colour, marker, line = OTHERS[unknown.index(name) % len(OTHERS)]
    stands_out = name in ("lstm", "fill")
    return {
        "color": COLOURS[colour],
        "marker": marker,
        "ls": line,
        "ms": 8 if name == "fill" else 6,
        "lw": 2.2 if stands_out else 1.1,
        "zorder": 3 if stands_out else 2,
    }


def symmetric_limit(values: npt.NDArray[Any], percentile: float = 98.0) -> float:
    """Half range of a diverging colour scale, 1 where there are no values."""
    finite = np.abs(values[np.isfinite(values)])
    limit = float(np.percentile(finite, percentile)) if len(finite) else 0.0
    return limit or float(finite.max(initial=0.0)) or 1.0


def plain_log(ax: Axes, *, which: str = "y") -> None:
    """Label a logarithmic axis with plain numbers, at 1, 2 and 5 if it is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = ax.yaxis if which == "y" else ax.xaxis
    low, high = ax.get_ylim() if which == "y" else ax.get_xlim()
    decades = np.log10(high / low) if low > 0 else 1.0
    subs = (1.0, 2.0, 5.0) if decades < 3 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axis.set_minor_formatter(NullFormatter())


def length_ticks(ax: Axes, lengths: npt.NDArray[Any]) -> None:
    """Label a logarithmic axis of gap lengths [s] in natural units.

    Infinity, the whole series hidden, stands at `length_places` as "all".
    """
    ax.set_xlabel("gap length")
    finite = lengths[np.isfinite(lengths)]
    low, high = finite.min(initial=np.inf), finite.max(initial=0.0)
    ticks: dict[float, str] = {
        s: t for s, t in _LENGTHS.items() if low * 0.9 <= s <= high * 1.1
    }
    if len(ticks) < 2:
        ticks = {float(s): f"{s:g} s" for s in finite}
    if len(finite) < len(lengths):
        ticks[length_places(lengths).max()] = "all"
    # the ends stay, what comes too close to the one before goes
    names = sorted(ticks)
    apart = 0.45 / _inches(ax)[0] * np.log(names[-1] / names[0]) * 1.1
    kept = names[:1]
    for value in names[1:-1]:
        if min(np.log(value / kept[-1]), np.log(names[-1] / value)) > apart:
            kept.append(value)
    kept += names[1:][-1:]
    ax.set_xticks(kept, [ticks[value] for value in kept])
    ax.set_xticks([], minor=True)


def length_places(lengths: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Where gap lengths stand: infinity a factor 3 right of the longest."""
    end = 3 * lengths[np.isfinite(lengths)].max(initial=1.0)
    return np.where(np.isfinite(lengths), lengths, end)


def satellites_of(ds: xr.Dataset) -> list[str]:
    """Letters of the satellites of a Dataset; "?" where it names none."""
    if "satellite" not in ds.coords:
        return ["?"]
    return [str(s) for s in np.atleast_1d(ds["satellite"].values)]
