"""Figures of a fitted model and of its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot_parts import (
    COLOURS,
    NANO,
    length_ticks,
    named_origin,
    new_axes,
    plain_log,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gracelstm_xr.lstm import FittedModel

__all__ = ["evaluation", "evaluation_figure", "training"]

#: Colour and marker of each method; the network stands out.
METHODS = {
    "lstm": ("vermillion", "o"),
    "transplant": ("blue", "s"),
    "fill": ("black", "*"),
    "tracked": ("green", "P"),
    "ridge": ("green", "D"),
    "harmonic": ("purple", "^"),
    "previous_orbit": ("orange", "v"),
    "linear": ("sky", "x"),
    "cubic": ("grey", "+"),
    "polynomial": ("grey", "1"),
    "ar": ("sky", "v"),
    "hold": ("grey", "."),
}


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
        Loss of the normalised residual, without unit.
    """
    history = model if isinstance(model, xr.Dataset) else model.history
    ax = new_axes(ax, size=(7, 4))
    looks = {
        "loss": ("blue", "o", "training"),
        "val_loss": ("vermillion", "s", "validation"),
    }
    epochs = np.asarray(history["epoch"].values)
    for name, (colour, marker, label) in looks.items():
        if name in history:
            options = {"color": COLOURS[colour], "marker": marker, "ms": 4, **style}
            ax.semilogy(epochs, history[name].values, label=label, **options)
    plain_log(ax)
    ax.set_xlabel("epoch")
    ax.set_ylabel("Huber loss of the normalised residual")
    ax.set_title("Training of the network")
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    return ax


def evaluation(
    score: xr.Dataset,
    *,
    ax: Axes | None = None,
    axis: str = "x",
    satellite: str | None = None,
    legend: bool = True,
    **style: Any,
) -> Axes:
    """Draw the RMS error of every method against the gap length.

    Parameters
    ----------
    score : xarray.Dataset
        ``rms(method, satellite, axis, gap_length)`` [m s-2], from ``evaluate``.
    ax : matplotlib Axes, optional
        Drawn on a new figure when left out.
    axis : {"x", "y", "z"}, optional
        Axis of the science reference frame.
    satellite : str, optional
        Letter; the first one by default.
    legend : bool, optional
        Whether to name the methods.
    **style
        Passed to ``Axes.loglog``.

    Returns
    -------
    matplotlib Axes
        Error [nm s-2] against gap length [s], both logarithmic.

    Raises
    ------
    GraceError
        The Dataset holds no ``rms``.
    """
    if "rms" not in score:
        raise GraceError(
            f"variables {sorted(map(str, score.data_vars))} found, 'rms' expected; "
            "draw what ds.grace.evaluate returned"
        )
    letters = np.atleast_1d(score["satellite"].values)
    letter = str(letters[0]) if satellite is None else satellite
    rms = score["rms"].sel(axis=axis)
    rms = rms.sel(satellite=letter) if "satellite" in rms.dims else rms
    ax = new_axes(ax, size=(7, 5))
    for name in map(str, score["method"].values):
        colour, marker = METHODS.get(name, ("grey", "*"))
        own = name == "lstm"
        options = {
            "color": COLOURS[colour],
            "marker": marker,
            "ls": "--" if name == "ridge" else "-",
            "ms": 7 if own else 5,
            "lw": 2.4 if own else 1.1,
            "zorder": 3 if own else 2,
            **style,
        }
        values = rms.sel({"method": name}).values * NANO
        ax.loglog(score["gap_length"].values, values, label=name, **options)
    plain_log(ax)
    length_ticks(ax, score["gap_length"].values)
    ax.set_xlabel("gap length")
    ax.set_ylabel(f"{axis} RMS error [nm s$^{{-2}}$]")
    ax.set_title(f"Satellite {letter}, axis {axis}{named_origin(score)}")
    ax.grid(alpha=0.3, which="both")
    if legend:
        ax.legend(fontsize="small", ncols=2)
    return ax


def evaluation_figure(score: xr.Dataset, *, satellite: str | None = None) -> Figure:
    """Draw `evaluation` for every axis side by side.

    Parameters
    ----------
    score : xarray.Dataset
        From ``evaluate``.
    satellite : str, optional
        Letter; the first one by default.

    Returns
    -------
    matplotlib Figure
        One panel per axis with a common scale.
    """
    import matplotlib.pyplot as plt

    names = [str(n) for n in score["axis"].values]
    figure, axes = plt.subplots(
        1, len(names), figsize=(4.4 * len(names), 4.6), sharey=True, squeeze=False
    )
    for i, (name, ax) in enumerate(zip(names, axes[0], strict=True)):
        evaluation(score, ax=ax, axis=name, satellite=satellite, legend=i == 0)
        ax.set_ylabel("RMS error [nm s$^{-2}$]" if i == 0 else "")
    figure.tight_layout()
    return figure
