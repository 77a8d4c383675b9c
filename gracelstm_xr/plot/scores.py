"""Figures of a fitted model and of its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import AnyArray, Array
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.spectra import finish_spectrum
from gracelstm_xr.plot.style import (
    COLOURS,
    NANO,
    UNIT,
    explain,
    label_y,
    length_places,
    length_ticks,
    method_style,
    new_axes,
    origin,
    plain_log,
    satellites_of,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gracelstm_xr.filling.model import FittedModel

#: Colour and marker of each axis.
AXES = {"x": ("blue", "o"), "y": ("vermillion", "s"), "z": ("black", "^")}
#: What the tables of errors are called.
METRICS = {
    "rms": "RMS error",
    "mae": "mean absolute error",
    "p95": "error not exceeded in 95 %",
    "rms_solver": "RMS error after bias and scale",
}
#: What is drawn unless methods are named, the most telling first; series made
#: elsewhere come after the network, and more than `MOST` would hide each other.
TELLING = (
    *("fill", "lstm", "ridge", "transplant", "tracked", "previous_orbit"),
    *("linear", "harmonic", "lstm_single", "bridge", "polynomial", "ar", "cubic"),
    *("tracked_single", "bridge_single", "hold"),
)
MOST = 7
#: Lines of the losses, and the colour of each track.
LOSSES = {"loss": ("-", "o", "training"), "val_loss": ("--", "s", "validation")}
TRACKS = ("blue", "vermillion", "black", "orange")


def training(
    model: FittedModel | xr.Dataset, *, ax: Axes | None = None, **style: Any
) -> Axes:
    """Draw training and validation loss against the epoch.

    Parameters
    ----------
    model : FittedModel or xarray.Dataset
        A fitted model, or its ``history``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    **style
        Passed to ``Axes.semilogy``.

    Returns
    -------
    matplotlib Axes
        Loss of the normalised residual, without unit; a colour per track. The title
        says what the training data were.

    Raises
    ------
    GraceError
        There is no history: the model has no network.
    """
    if isinstance(model, xr.Dataset):
        history, data = model, origin(model)
    else:
        history, data = model.history, origin(model.info.get("data", ""))
    present = [name for name in LOSSES if name in history]
    if not present:
        raise GraceError(
            "no 'loss' found in the history; expected a model that ds.grace.fit() "
            "trained, one baseline has no training curve"
        )
    ax = new_axes(ax, size=(7, 4))
    lines = {name: _histories(history[name]) for name in present}
    shown = [label for label, _ in lines[present[0]]]
    for name in present:
        line, marker, label = LOSSES[name]
        for i, (track, values) in enumerate(lines[name]):
            colour = (
                TRACKS[i % len(TRACKS)] if len(shown) > 1 else TRACKS[name != "loss"]
            )
            options = {
                "color": COLOURS[colour],
                "marker": marker,
                "ls": line,
                "ms": 4,
                "label": f"{label}, {track}" if track else label,
                **style,
            }
            ax.semilogy(history["epoch"].values, values, **options)
    plain_log(ax)
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("Huber loss, normalised residual [1]")
    ax.set_title(f"Training of the network, {data}", loc="left")
    ax.grid(alpha=0.3, which="both")
    explain(ax)
    return ax


def _histories(losses: xr.DataArray) -> list[tuple[str, AnyArray]]:
    """Label and values of every series over the epoch."""
    others = [d for d in losses.dims if d != "epoch"]
    if not others:
        return [("", losses.values)]
    table = losses.stack(series=others).transpose("series", "epoch")
    names = table["series"].values
    return [
        (" ".join(map(str, name)), row)
        for name, row in zip(names, table.values, strict=True)
        if np.isfinite(row).any()
    ]


def one_score(
    score: xr.Dataset, name: str, axis: str, satellite: str | None
) -> tuple[xr.DataArray, str]:
    """One table of a score for one axis and satellite, and the letter.

    Raises
    ------
    GraceError
        No such table, axis or satellite.
    """
    if name not in score:
        raise GraceError(
            f"variables {sorted(map(str, score.data_vars))} found, {name!r} expected; "
            "draw what ds.grace.evaluate returned"
        )
    table = score[name]
    letters = satellites_of(score)
    letter = letters[0] if satellite is None else satellite
    for dim, label, labels in (
        ("satellite", letter, letters),
        ("axis", axis, [str(a) for a in np.atleast_1d(score["axis"].values)]),
    ):
        if label not in labels:
            raise GraceError(f"{dim} {label!r} wanted; the score has {labels}")
        if dim in table.dims:
            table = table.isel({dim: labels.index(label)})
    return table, letter


def _plain(table: xr.DataArray, dims: set[str]) -> tuple[xr.DataArray, str]:
    """Take the first entry along other dimensions, and say which."""
    told = ""
    for dim in [d for d in table.dims if d not in dims]:
        table = table.isel({dim: 0})
        if dim in table.coords:
            told += f", {dim} {table[dim].item()}"
    return table, told


def evaluation(
    score: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    metric: str = "rms",
    methods: Sequence[str] | None = None,
    legend: bool = True,
    **style: Any,
) -> Axes:
    """Draw the error of every method, or its skill, against the gap length.

    Parameters
    ----------
    score : xarray.Dataset
        ``rms(method, satellite, axis, gap_length)`` [m s-2], from ``evaluate``. The
        interval from ``rms_low`` to ``rms_high`` is a bar, of ``fill`` a band, and
        ``observation_noise`` a line, where the score has them. Of a further dimension
        the first entry is drawn, and named in the title: select another with
        ``score.sel`` first.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame.
    satellite : str, optional
        Letter; the first one by default.
    metric : str, optional
        A table of the score over method and gap length: ``"rms"``, ``"mae"``,
        ``"p95"``, ``"rms_solver"``, ``"skill"``.
    methods : sequence of str, optional
        Methods to draw; by default the seven that tell most.
    legend : bool, optional
        Whether to name the methods.
    **style
        Passed to ``Axes.plot``.

    Returns
    -------
    matplotlib Axes
        Error [nm s-2] against gap length, both logarithmic; skill [1] on a linear
        axis down to -1. What was scored with the whole series hidden (length infinity)
        stands at the right end, "all".

    Raises
    ------
    GraceError
        The Dataset holds no such metric or method.
    """
    table, letter = one_score(score, metric, axis, satellite)
    table, told = _plain(table, {"method", "gap_length"})
    ax = new_axes(ax, size=(8, 4.6))
    ax.set_xscale("log")
    ratio = table.attrs.get("units") == "1"
    ax.set_yscale("linear" if ratio else "log")
    _draw_methods(
        ax, score, metric, axis, letter, chosen_methods(table, methods), style
    )
    if ratio:
        ax.set_ylim(max(ax.get_ylim()[0], -1.05), min(ax.get_ylim()[1], 1.05))
        ax.axhline(0.0, color="black", lw=0.8)
    elif "observation_noise" in score and not ratio:
        floor, _ = one_score(score, "observation_noise", axis, letter)
        level = NANO * float(_plain(floor, set())[0])
        ax.axhline(
            level, color="black", ls=":", lw=1.2, label="noise of an observation"
        )
    length_ticks(ax, score["gap_length"].values)
    if ratio:
        what = f"{metric} over {table.attrs.get('reference', 'the reference')}"
        label_y(ax, f"{axis} {what}", "1")
    else:
        plain_log(ax)
        label_y(ax, f"{axis} {METRICS.get(metric, metric)}", UNIT)
    ax.set_title(f"{_heading(letter, score)}, axis {axis}{told}", loc="left")
    ax.grid(alpha=0.3, which="both")
    if legend:
        explain(ax)
    return ax


def _heading(letter: str, score: xr.Dataset) -> str:
    """Satellite, origin of the data, and the days scored where the score has them."""
    ends = (str(score.attrs.get(f"evaluation_{end}", "")) for end in ("start", "stop"))
    days = " to ".join(dict.fromkeys(end[:10] for end in ends if end))
    return title(letter, score) + (f", {days}" if days else "")


def chosen_methods(table: xr.DataArray, methods: Sequence[str] | None) -> list[str]:
    """Methods to draw, in the order of the score; at most `MOST` unless named.

    Raises
    ------
    GraceError
        One is not in the score.
    """
    present = [str(n) for n in table["method"].values]
    unknown = sorted(set(methods or ()) - set(present))
    if unknown:
        raise GraceError(f"methods {unknown} wanted; the score has {present}")
    if methods is None:
        others = [n for n in present if n not in TELLING]
        rank = [*TELLING[:2], *others, *TELLING[2:]]
        some = [n for n in rank if n in present and _has_any(table, n)]
        methods = some[:MOST]
    return [n for n in present if n in methods]


def _has_any(table: xr.DataArray, method: str) -> bool:
    return bool(np.isfinite(table.sel({"method": method})).any())


def _draw_methods(
    ax: Axes, score: xr.Dataset, metric: str, axis: str, letter: str,
    names: list[str], style: Mapping[str, Any],
) -> None:  # fmt: skip
    """A line per method, and its interval where the score has one."""
    place = length_places(score["gap_length"].values)
    tables = [
        _plain(one_score(score, name, axis, letter)[0], {"method", "gap_length"})[0]
        for name in (metric, f"{metric}_low", f"{metric}_high")
        if name in score
    ]
    scale = 1.0 if tables[0].attrs.get("units") == "1" else NANO
    for name in names:
        look = {**method_style(name, names), **style}
        values, *interval = (
            scale * t.sel({"method": name}).transpose("gap_length").values
            for t in tables
        )
        if not np.isfinite(values).any():
            continue
        ax.plot(place, values, label=name, **look)
        if len(interval) == 2:
            _draw_interval(ax, place, interval, look, band=name == "fill")


def _draw_interval(
    ax: Axes,
    place: Array,
    interval: list[Array],
    look: Mapping[str, Any],
    *,
    band: bool,
) -> None:
    """From low to high: a band of the fill, thin bars of the others."""
    low, high = interval
    if band:
        ax.fill_between(place, low, high, color=look["color"], alpha=0.2, lw=0)
    else:
        ax.vlines(place, low, high, color=look["color"], alpha=0.6, lw=1.0)


def evaluation_figure(
    score: xr.Dataset, *, satellite: str | None = None, **options: Any
) -> Figure:
    """Draw `evaluation` for every axis side by side.

    Parameters
    ----------
    score : xarray.Dataset
        From ``evaluate``.
    satellite : str, optional
        Letter; the first one by default.
    **options
        Passed to `evaluation`.

    Returns
    -------
    matplotlib Figure
        One panel per axis with a common scale.
    """
    import matplotlib.pyplot as plt

    names = [str(n) for n in np.atleast_1d(score["axis"].values)]
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.6 * len(names) + 1.4, 4.2), sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for i, (name, ax) in enumerate(zip(names, axes[0], strict=True)):
        last = i == len(names) - 1
        evaluation(score, ax=ax, axis=name, satellite=satellite, legend=last, **options)
        ax.set_ylabel(ax.get_ylabel().removeprefix(f"{name} ") if i == 0 else "")
        if i == 0:
            figure.suptitle(ax.get_title(loc="left").rpartition(", axis")[0])
        ax.set_title(f"axis {name}", loc="left")
    return figure


def coverage(
    score: xr.Dataset,
    *,
    ax: Axes | None = None,
    satellite: str | None = None,
    **style: Any,
) -> Axes:
    """Draw how many errors lie within sigma, expected and found, by gap length.

    Parameters
    ----------
    score : xarray.Dataset
        ``coverage(level, satellite, axis, gap_length)``, from ``evaluate``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    satellite : str, optional
        Letter; the first one by default.
    **style
        Passed to ``Axes.plot``.

    Returns
    -------
    matplotlib Axes
        Share of the errors [%] against gap length, with its 95 % interval where the
        score has it; a colour per axis, a line style per level, and a thin line and a
        tick at what is expected.

    Raises
    ------
    GraceError
        The Dataset holds no ``coverage``.
    """
    names = [str(a) for a in np.atleast_1d(score["axis"].values)]
    _, letter = one_score(score, "coverage", names[0], satellite)
    place = length_places(score["gap_length"].values)
    ax = new_axes(ax, size=(8, 4.2))
    ax.set_xscale("log")  # before anything is drawn: one length alone has no range
    lines = ["-", "--", ":", "-."]
    told = ""
    levels = score["coverage"]["level"].values
    for i, level in enumerate(levels.tolist()):
        ax.axhline(100 * level, color="black", lw=0.8, ls=lines[i % 4])
        for name in names:
            table, _ = one_score(score, "coverage", name, satellite)
            table, told = _plain(table.isel(level=i), {"gap_length"})
            colour, marker = AXES.get(name, ("green", "v"))
            if "coverage_low" in score:
                ends = (
                    100 * one_score(score, f"coverage_{end}", name, satellite)[0]
                    for end in ("low", "high")
                )
                low, high = (_plain(e.isel(level=i), {"gap_length"})[0] for e in ends)
                ax.vlines(place, low, high, color=COLOURS[colour], alpha=0.5, lw=1.0)
            options = {"color": COLOURS[colour], "marker": marker, "ms": 5, "lw": 1.3}
            ax.semilogx(
                place, 100 * table.values, ls=lines[i % 4],
                label=f"{name}, {100 * level:g} %", **{**options, **style},
            )  # fmt: skip
    ax.set_ylim(0, 103)
    ax.set_yticks([0, 25, 50, *(100 * levels)])
    length_ticks(ax, score["gap_length"].values)
    ax.set_ylabel("errors within sigma [%]")
    ax.set_title(f"{_heading(letter, score)}{told}", loc="left")
    ax.grid(alpha=0.3)
    explain(ax, title="found\n(lines: expected)")
    return ax


def error_spectrum(
    score: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    methods: Sequence[str] | None = None,
    **style: Any,
) -> Axes:
    """Draw the amplitude spectral density of every method's error.

    Parameters
    ----------
    score : xarray.Dataset
        From ``evaluate``, with ``error_asd(method, satellite, axis, frequency)``
        [m s-2 Hz-1/2].
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame.
    satellite : str, optional
        Letter; the first one by default.
    methods : sequence of str, optional
        Methods to draw; by default the seven that tell most.
    **style
        Passed to ``Axes.loglog``.

    Returns
    -------
    matplotlib Axes
        ASD [nm s-2 Hz-1/2] against frequency [Hz], with the noise of the instruments
        as in `spectrum`.

    Raises
    ------
    GraceError
        The Dataset holds no ``error_asd``.
    """
    asd, letter = one_score(score, "error_asd", axis, satellite)
    names = chosen_methods(asd, methods)
    ax = new_axes(ax, size=(9, 4.8))
    for name in names:
        options = {**method_style(name, names), "marker": None, **style}
        values = asd.sel({"method": name}).transpose("frequency").values
        if not np.isfinite(values).any():
            continue
        ax.loglog(asd["frequency"].values, values * NANO, label=name, **options)
    finish_spectrum(ax, axis, f"{axis} amplitude spectral density of the error")
    ax.set_title(f"{_heading(letter, score)}, axis {axis}", loc="left")
    return ax
