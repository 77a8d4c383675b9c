"""Spectra of the errors in long gaps, beside the noise of the instruments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import Array
from gracelstm_xr.evaluate.parts import Part
from gracelstm_xr.filling.benchmark import GapErrors
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.signal.noise import design_noise, ranging_noise

#: Shortest gap whose errors are transformed [s].
LONG_GAP = 10_800.0
#: Length of a segment [s]; segments overlap by half under a Hann window.
SEGMENT = LONG_GAP
#: Limits of the bands [Hz]; cpr is once per revolution.
BANDS = {
    "below 1 cpr": (0.0, 1 / REVOLUTION),
    "1 cpr to 1 mHz": (1 / REVOLUTION, 1e-3),
    "1 to 10 mHz": (1e-3, 1e-2),
    "above 10 mHz": (1e-2, np.inf),
}
#: Pass band of the ACC1B low-pass [Hz].
PASS = 0.035
AXES = "xyz"


def spectra(parts: Mapping[str, Part], methods: list[str]) -> xr.Dataset:
    """Amplitude spectral density, coherence and band RMS of long gaps.

    Parameters
    ----------
    parts : mapping of str to Part
        By satellite.
    methods : list of str

    Returns
    -------
    xarray.Dataset
        ``error_asd`` [m s-2 Hz-1/2] and ``coherence`` (squared, of estimate and
        truth) over ``(method, satellite, axis, frequency)``, ``signal_asd``,
        ``kim_asd``, ``kbr_asd``: from segments of 3 h in gaps of 3 h and more.
        ``band_rms`` [m s-2] over ``(method, satellite, axis, band)``: from whole
        gaps of 6 h and more; the squares of the bands add up to that of all.
        Empty without such gaps.
    """
    sums = {name: _sums(part.errors, methods) for name, part in parts.items()}
    present = {
        name: spectrum for name, spectrum in sums.items() if spectrum is not None
    }
    if not present:
        return xr.Dataset()
    frequency = next(iter(present.values()))[0]
    shape = (len(methods), len(parts), 3, len(frequency))
    asd, coherence = np.full(shape, np.nan), np.full(shape, np.nan)
    signal = np.full(shape[1:], np.nan)
    for s, name in enumerate(parts):
        if name not in present:
            continue
        _, error, truth, estimate, cross = present[name]
        asd[:, s] = np.sqrt(error)
        signal[s] = np.sqrt(truth)
        with np.errstate(invalid="ignore", divide="ignore"):
            coherence[:, s] = np.abs(cross) ** 2 / (truth * estimate)
    dims = ("method", "satellite", "axis", "frequency")
    unit = "m s-2 Hz-1/2"
    return xr.Dataset(
        {
            "error_asd": (dims, asd, _says(unit, "ASD of the error in long gaps")),
            "coherence": (
                dims, coherence, _says("1", "squared coherence of estimate and truth"),
            ),
            "signal_asd": (dims[1:], signal, _says(unit, "ASD of what was hidden")),
            "kim_asd": (
                ("axis", "frequency"),
                np.stack([design_noise(frequency, a) for a in AXES]),
                _says(unit, "design noise of the accelerometer, Kim (2000)"),
            ),
            "kbr_asd": (
                "frequency",
                ranging_noise(frequency),
                _says(unit, "ranging noise of 1.5 um Hz-1/2 as acceleration"),
            ),
            "band_rms": (
                ("method", "satellite", "axis", "band"),
                _all_bands(parts, methods),
                _says("m s-2", "RMS error in a band of frequencies, gaps from 6 h"),
            ),
        },
        coords={
            "frequency": ("frequency", frequency, _says("Hz", "frequency")),
            "band": list(BANDS),
            "method": methods,
            "satellite": list(parts),
            "axis": list(AXES),
        },
    )  # fmt: skip


def _says(units: str, text: str) -> dict[str, str]:
    return {"units": units, "long_name": text}


def observation_noise() -> xr.DataArray:
    """RMS of the design noise in the pass band of ACC1B, below 35 mHz [m s-2].

    An estimate that knows nothing of an observation's noise comes no closer to it than
    this in the long run; next to the edges of a gap, or on quiet days, it may.
    Counted from a tenth of a revolution's frequency: below it the noise is bias.
    """
    f = np.geomspace(0.1 / REVOLUTION, PASS, 4000)
    noise = [np.sqrt(np.trapezoid(design_noise(f, a) ** 2, f)) for a in AXES]
    return xr.DataArray(
        noise,
        dims="axis",
        coords={"axis": list(AXES)},
        attrs=_says("m s-2", "RMS of the accelerometer's design noise below 35 mHz"),
    )


def _pieces(errors: GapErrors, shortest: float) -> Iterator[npt.NDArray[np.int64]]:
    """Positions of gaps that are long and complete, in order of time."""
    long = (errors.length >= shortest) & np.isfinite(errors.length)
    for gap in np.unique(errors.gap[long]):
        rows = np.flatnonzero(errors.gap == gap)
        if len(rows) > 2 and np.ptp(np.diff(errors.t[rows])) < 1e-6:
            yield rows


def _sums(
    errors: GapErrors, methods: list[str]
) -> tuple[Array, Array, Array, Array, npt.NDArray[np.complex128]] | None:
    """Mean densities of error, truth, estimate and the cross density."""
    if errors.truth is None:
        return None
    total: list[list[npt.NDArray[Any]]] = []
    frequency = np.zeros(0)
    for rows in _pieces(errors, LONG_GAP):
        step = errors.t[rows[1]] - errors.t[rows[0]]
        size = round(SEGMENT / step)
        for first in range(0, len(rows) - size + 1, size // 2):
            chosen = rows[first : first + size]
            frequency = np.fft.rfftfreq(size, step)[1:]
            truth = _transform(errors.truth[chosen], step)
            bad = np.full(truth.shape, np.nan)
            error = np.stack(
                [
                    _transform(errors.errors[m][chosen], step)
                    if m in errors.errors
                    else bad
                    for m in methods
                ]
            )
            filled = error + truth
            total.append(
                [np.abs(error) ** 2, np.abs(truth) ** 2, np.abs(filled) ** 2,
                 filled * truth.conj()]
            )  # fmt: skip
    if not total:
        return None
    means = [np.mean([row[i] for row in total], axis=0) for i in range(4)]
    return frequency, means[0], means[1], means[2], means[3]


def _transform(values: Array, step: float) -> npt.NDArray[np.complex128]:
    """Windowed transform, shape (axis, frequency); its square is a density.

    NaN on an axis with any sample missing, where a method has no estimate.
    """
    from scipy.signal import detrend, get_window

    window = get_window("hann", len(values))
    scale = np.sqrt(2 * step / (window**2).sum())
    known = np.isfinite(values).all(axis=0)
    smooth = detrend(np.where(known, values, 0.0), axis=0) * window[:, None]
    lines = np.where(known, np.fft.rfft(smooth, axis=0)[1:], np.nan)
    return np.asarray(scale * lines.T)


def band_rms(values: Array, step: float) -> Array:
    """RMS in each of `BANDS`, shape (band, axis); their squares add up to the whole.

    Parameters
    ----------
    values : ndarray, shape (n, axis)
        Errors at a regular step.
    step : float
        [s]
    """
    size = len(values)
    frequency = np.fft.rfftfreq(size, step)
    power = np.abs(np.fft.rfft(values, axis=0)) ** 2 / size**2
    double = np.full(len(frequency), 2.0)
    double[0] = 1.0
    if size % 2 == 0:
        double[-1] = 1.0
    power = power * double[:, None]
    inside = [(frequency >= a) & (frequency < b) for a, b in BANDS.values()]
    squares: Array = np.array([power[mask].sum(axis=0) for mask in inside])
    return np.sqrt(squares)


def _all_bands(parts: Mapping[str, Part], methods: list[str]) -> Array:
    """Band RMS over all gaps of 6 h and more, (method, satellite, axis, band)."""
    result = np.full((len(methods), len(parts), 3, len(BANDS)), np.nan)
    for s, part in enumerate(parts.values()):
        errors = part.errors
        pieces = list(_pieces(errors, 2 * LONG_GAP))
        for m, name in enumerate(methods):
            if name not in errors.errors or not pieces:
                continue
            squares = [
                band_rms(
                    errors.errors[name][rows], errors.t[rows[1]] - errors.t[rows[0]]
                )
                ** 2
                for rows in pieces
            ]
            weights = np.array([len(rows) for rows in pieces], dtype=np.float64)
            mean = np.average(squares, axis=0, weights=weights)
            result[m, s] = np.sqrt(mean).T
    return result
