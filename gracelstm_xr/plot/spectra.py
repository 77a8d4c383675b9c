"""Amplitude spectral densities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.plot.blocks import by_block, one_satellite, one_series
from gracelstm_xr.plot.style import (
    ASD_UNIT,
    COLOURS,
    NANO,
    explain,
    label_y,
    new_axes,
    plain_log,
    title,
)
from gracelstm_xr.signal.noise import design_noise, ranging_noise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Longest and shortest stretch that is transformed [s], [samples].
LONGEST, SHORTEST = 16_384.0, 256


def density(series: xr.DataArray, ds: xr.Dataset) -> tuple[AnyArray, AnyArray]:
    """Amplitude spectral density of all stretches without a gap, block by block.

    Welch's method: stretches of 16,384 s, or half as long again and again until one
    fits between the gaps, every quarter of a length, less their linear trend, under a
    Hann window.

    Parameters
    ----------
    series : xarray.DataArray
        Over time only.
    ds : xarray.Dataset
        Gives the time axis.

    Returns
    -------
    f, asd : ndarray
        Frequency [Hz] and ASD [unit of the series per root Hz].

    Raises
    ------
    NotEnoughDataError
        No stretch of 320 samples.
    """
    _, step, size = gps_axis(ds)
    length = max(min(int(LONGEST / step), size) // 4 * 4, SHORTEST)
    while True:
        parts = by_block(_periodograms, {"series": series}, ds, length, context=_head)
        count = sum(n for n, _ in parts)
        if count:
            power = sum(p for _, p in parts) / count
            f = np.fft.rfftfreq(length, step)
            # the window smears the removed mean over the first two
            return f[2:], np.sqrt(step * np.asarray(power)[2:])
        if length == SHORTEST:
            raise NotEnoughDataError(
                f"no {SHORTEST} samples without a gap found among {size}, expected a "
                f"stretch of {SHORTEST * 5 // 4}: choose another span, or fill first"
            )
        length = max(length // 8 * 4, SHORTEST)


def _head(first: int, arrays: Mapping[str, AnyArray], length: int) -> AnyArray:
    """What stretches that begin in the block before may need."""
    return arrays["series"][:length].copy()


def _periodograms(
    first: int,
    arrays: Mapping[str, AnyArray],
    near: tuple[AnyArray | None, AnyArray, AnyArray | None],
    length: int,
) -> tuple[int, AnyArray]:
    """Number and summed densities of the stretches that begin in a block."""
    from scipy.signal import detrend, periodogram

    hop, own = length // 4, arrays["series"]
    values = own if near[2] is None else np.concatenate([own, near[2]])
    if len(values) < length:
        return 0, np.zeros(length // 2 + 1)
    pieces = np.lib.stride_tricks.sliding_window_view(values, length)
    pieces = pieces[-first % hop : len(own) : hop]
    count, power = 0, np.zeros(length // 2 + 1)
    for piece in pieces:  # one at a time: all at once take 20 times the block
        if np.isfinite(piece).all():
            power += periodogram(detrend(piece), window="hann", detrend=False)[1]
            count += 1
    return count, power


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
    """Draw amplitude spectral densities beside the noise of the instruments.

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
        Series to draw, as far as present; each from its stretches without a gap, see
        `density`.
    start, stop : str or datetime64, optional
        Part of the series to use, GPS time.
    **style
        Passed to ``Axes.loglog``.

    Returns
    -------
    matplotlib Axes
        ASD [nm s-2 Hz-1/2] against frequency [Hz]; the accelerometer design of Kim
        (2000), and the ranging noise of 1.5 um Hz-1/2 as acceleration.

    Raises
    ------
    NotEnoughDataError
        No stretch of 320 samples without a gap.
    """
    one, letter = one_satellite(ds, satellite, start=start, stop=stop)
    one = one.assign(lin_accl=usable(one))
    looks = {"lin_accl": ("blue", "-"), "lin_accl_filled": ("vermillion", "--")}
    spectra = [
        (n, *density(one_series(one, n, axis), one)) for n in variables if n in one
    ]
    ax = new_axes(ax, size=(9, 4.8))
    for name, f, asd in spectra:
        colour, line = looks.get(name, ("green", "-."))
        options = {"color": COLOURS[colour], "ls": line, "lw": 1.2, **style}
        label = "observed" if name == "lin_accl" else name.removeprefix("lin_accl_")
        ax.loglog(f, asd * NANO, label=label, **options)
    finish_spectrum(ax, axis, f"{axis} amplitude spectral density")
    ax.set_title(title(letter, ds), loc="left")
    return ax


def finish_spectrum(ax: Axes, axis: str, label: str) -> None:
    """Add the noise curves over the frequencies drawn, the revolution, and labels."""
    lines = [line.get_data() for line in ax.get_lines()]
    if not lines:
        raise GraceError(
            "no spectrum found to draw, every value is NaN: score longer gaps"
        )
    f = np.concatenate([x for x, _ in lines])
    drawn = np.concatenate([y for _, y in lines])
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    f = np.geomspace(f.min(), f.max(), 200)
    design, ranging = design_noise(f, axis) * NANO, ranging_noise(f) * NANO
    # what the low-pass of ACC1B leaves above 0.05 Hz tells nothing
    low = max(min(drawn.min(initial=np.inf), design.min()), design.min() / 50) / 2
    high = max(drawn.max(initial=0.0), design.max()) * 3
    ax.loglog(f, design, color="black", lw=1.2, ls=":", label="design, Kim (2000)")
    grey = COLOURS["grey"]
    # as far as the panel: it rises by five decades
    ax.loglog(
        f, np.where((ranging > low) & (ranging < high), ranging, np.nan),
        color=grey, lw=1.4, ls="-.", label="ranging (KBR) 1.5 $\\mu$m Hz$^{-1/2}$",
    )  # fmt: skip
    ax.set_xlim(f[0], f[-1])
    ax.set_ylim(low, high)
    if f[0] < 1 / REVOLUTION:
        ax.axvline(1 / REVOLUTION, color=grey, lw=0.7)
        ax.annotate(
            " 1 per revolution", (1 / REVOLUTION, 0.02),
            xycoords=ax.get_xaxis_transform(), fontsize="small", color="0.35",
        )  # fmt: skip
    plain_log(ax)
    plain_log(ax, which="x")
    ax.set_xlabel("frequency [Hz]")
    label_y(ax, label, ASD_UNIT)
    ax.grid(alpha=0.3)
    explain(ax)
