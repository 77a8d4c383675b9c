"""Numbers from errors: tables by method, axis and gap length, with their spread."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.baselines import BASELINES
from gracelstm_xr.benchmark import FILL, GapErrors, score_table
from gracelstm_xr.evaluation.parts import REVOLUTION, Part
from gracelstm_xr.evaluation.regimes import regimes

__all__ = ["LEVELS", "REFERENCES", "blocks_of", "bootstrap", "tables"]

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Parts of a normal distribution within these multiples of sigma.
LEVELS = {0.68: 0.994, 0.95: 1.960}
#: What skill is measured against: the first that the data allow.
REFERENCES = ("transplant", "harmonic", "linear")
#: Distance from an observation up to which an error counts as beside it [s].
BESIDE = 10.0
#: Resamples of the bootstrap, and the percentiles of its interval.
RESAMPLES, INTERVAL = 500, (2.5, 97.5)
DIMS = ("method", "satellite", "axis", "gap_length")


def tables(parts: Mapping[str, Part], seed: int) -> xr.Dataset:
    """All tables of an evaluation but spectra and controls.

    Parameters
    ----------
    parts : mapping of str to Part
        By satellite.
    seed : int
        Of the bootstrap.

    Returns
    -------
    xarray.Dataset
        ``rms``, ``mae``, ``p95``, ``rms_low``, ``rms_high``, ``rms_solver``
        [m s-2], ``skill``, ``skill_low``, ``skill_high`` over ``(method, satellite,
        axis, gap_length)``; ``ratio`` of ``fill`` to ``best_baseline`` with its
        interval, ``coverage``, ``edge_coverage``, ``sigma_factor``,
        ``lstm_share`` and ``gap_count``;
        ``regime_rms`` and ``regime_count`` over ``regime`` as well.
    """
    result = score_table({name: part.errors for name, part in parts.items()})
    lengths = result["gap_length"].values
    methods = [str(m) for m in result["method"].values]
    shape = (len(methods), len(parts), 3, len(lengths))
    names = ("rms_low", "rms_high", "rms_solver", "skill", "skill_low", "skill_high")
    made = {name: np.full(shape, np.nan) for name in names}
    best = np.full(shape[1:], "", dtype="<U16")
    ratio = {name: np.full(shape[1:], np.nan) for name in ("", "_low", "_high")}
    reference = next((m for m in REFERENCES if m in methods), methods[0])
    base = methods.index(reference)
    for s, part in enumerate(parts.values()):
        for x, length in enumerate(lengths):
            here = part.errors.length == length
            if not here.any():
                continue
            squares, counts = _blocks(part.errors, methods, here)
            draws = bootstrap(squares, counts, seed)
            values = np.sqrt(_ratio(squares.sum(axis=0), counts.sum(axis=0)))
            skill = 1 - _ratio(values, values[base])
            cells = (
                *_interval(draws),
                _solved(part, methods, here),
                skill,
                *_interval(1 - _ratio(draws, draws[:, base : base + 1])),
            )
            for name, cell in zip(names, cells, strict=True):
                made[name][:, s, :, x] = cell
            best[s, :, x], *found = _against_best(methods, values, draws)
            for end, cell in zip(ratio, found, strict=True):
                ratio[end][s, :, x] = cell
    _attach(result, made, best, ratio, reference)
    result.update(_sigma_tables(parts, lengths))
    return result.merge(_regime_tables(parts, methods, lengths))


def _against_best(
    methods: list[str], values: Array, draws: Array
) -> tuple[npt.NDArray[np.str_], Array, Array, Array]:
    """Best baseline by axis, and the ratio of ``fill`` to it with its interval."""
    best = np.full(3, "", dtype="<U16")
    found = np.full((3, 3), np.nan)
    baselines = [i for i, m in enumerate(methods) if m in BASELINES]
    if FILL not in methods or not baselines:
        return best, found[0], found[1], found[2]
    f = methods.index(FILL)
    for k in range(3):
        known = [b for b in baselines if np.isfinite(values[b, k])]
        if not known or not np.isfinite(values[f, k]):
            continue
        b = known[int(np.argmin(values[known, k]))]
        best[k] = methods[b]
        found[0, k] = _ratio(values[f, k], values[b, k])
        found[1:, k] = _interval(_ratio(draws[:, f, k], draws[:, b, k]))
    return best, found[0], found[1], found[2]


def _attach(
    result: xr.Dataset,
    made: dict[str, Array],
    best: npt.NDArray[np.str_],
    ratio: dict[str, Array],
    reference: str,
) -> None:
    """Put the arrays of `tables` into the Dataset with their attributes."""
    texts = {
        "rms_low": "RMS error, lower end of the 95 % interval",
        "rms_high": "RMS error, upper end of the 95 % interval",
        "rms_solver": "RMS error less what a gravity solver's bias and scale absorb",
        "skill": f"1 - RMS / RMS of {reference}",
        "skill_low": "skill, lower end of the 95 % interval",
        "skill_high": "skill, upper end of the 95 % interval",
    }
    for name, values in made.items():
        unit = "m s-2" if name.startswith("rms") else "1"
        attrs = {"units": unit, "long_name": texts[name]}
        if name.startswith("skill"):
            attrs["reference"] = reference
        result[name] = (DIMS, values, attrs)
    text = "RMS of fill over that of the best baseline"
    for end, values in ratio.items():
        note = {"": "", "_low": ", lower end of the 95 % interval"}.get(
            end, ", upper end of the 95 % interval"
        )
        result[f"ratio{end}"] = (
            DIMS[1:], values, {"units": "1", "long_name": text + note},
        )  # fmt: skip
    result["best_baseline"] = (
        DIMS[1:], best, {"long_name": "baseline with the smallest RMS error"},
    )  # fmt: skip


def _ratio(above: Array, below: Array) -> Array:
    """Quotient, NaN where the lower part is zero or unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient = np.asarray(above) / np.asarray(below)
    return np.where(np.isfinite(quotient), quotient, np.nan)


def blocks_of(errors: GapErrors) -> IntArray:
    """Number of the bootstrap block of every sample.

    Gaps, or revolutions where gaps are longer than two: hidden days of one span
    overlap, and what they share is one block.
    """
    turn = np.floor(errors.t / REVOLUTION).astype(np.int64)
    long = errors.length > 2 * REVOLUTION
    label = np.where(long, turn, -1 - errors.gap)
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _blocks(
    errors: GapErrors, methods: list[str], here: npt.NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Sum of squares and number of errors, shape (block, method, axis) each."""
    part = errors.take(here)
    block = blocks_of(part)
    number = int(block.max()) + 1
    squares = np.zeros((number, len(methods), 3))
    counts = np.zeros((number, len(methods), 3))
    for m, name in enumerate(methods):
        if name not in part.errors:
            continue
        error = part.errors[name]
        good = np.isfinite(error)
        for k in range(3):
            square = np.where(good[:, k], error[:, k], 0.0) ** 2
            squares[:, m, k] = np.bincount(block, square, minlength=number)
            counts[:, m, k] = np.bincount(block, good[:, k], minlength=number)
    return squares, counts


def bootstrap(squares: Array, counts: Array, seed: int) -> Array:
    """RMS of resampled blocks, the same blocks for all methods and axes.

    Parameters
    ----------
    squares, counts : ndarray, shape (block, method, axis)
        Sum of squared errors and their number.
    seed : int

    Returns
    -------
    ndarray, shape (resample, method, axis)
    """
    rng = np.random.default_rng([seed, 11])
    number = len(squares)
    weights = rng.multinomial(number, np.full(number, 1 / number), size=RESAMPLES)
    above = np.tensordot(weights, squares, axes=1)
    below = np.tensordot(weights, counts, axes=1)
    return np.sqrt(_ratio(above, below))


def _interval(draws: Array) -> tuple[Array, Array]:
    known = np.isfinite(draws).any(axis=0)
    low, high = np.nanpercentile(np.where(known, draws, 0.0), INTERVAL, axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _solved(part: Part, methods: list[str], here: npt.NDArray[np.bool_]) -> Array:
    """RMS over the gaps of one length after a solver's parameters, (method, axis)."""
    gaps = np.unique(part.errors.gap)
    wanted = np.isin(gaps, part.errors.gap[here])
    result = np.full((len(methods), 3), np.nan)
    for m, name in enumerate(methods):
        if name in part.solved:
            squares = part.solved[name][wanted]
            good = np.isfinite(squares)
            total = np.where(good, squares, 0.0).sum(axis=0)
            result[m] = np.sqrt(_ratio(total, good.sum(axis=0)))
    return result


def _sigma_tables(parts: Mapping[str, Part], lengths: Array) -> dict[str, xr.DataArray]:
    """How many errors lie within sigma, all and beside observations."""
    shape = (len(parts), 3, len(lengths))
    within = np.full((len(LEVELS), *shape), np.nan)
    edges, share, factor = (np.full(shape, np.nan) for _ in range(3))
    for s, part in enumerate(parts.values()):
        errors = part.errors
        if FILL not in errors.errors or errors.sigma is None or errors.code is None:
            continue
        ratio = np.abs(errors.errors[FILL]) / errors.sigma
        beside = errors.distance <= BESIDE
        for x, length in enumerate(lengths):
            here = errors.length == length
            for level, bound in enumerate(LEVELS.values()):
                within[level, s, :, x] = _part_below(ratio[here], bound)
            edges[s, :, x] = _part_below(ratio[here & beside], 3.0)
            factor[s, :, x] = _needed(ratio[here])
            known = np.isfinite(errors.errors[FILL][here])
            network = (errors.code[here] == 1) & known
            share[s, :, x] = _ratio(network.sum(axis=0), known.sum(axis=0))
    dims = DIMS[1:]
    return {
        "coverage": xr.DataArray(
            within,
            dims=("level", *dims),
            coords={"level": list(LEVELS)},
            attrs={"units": "1", "long_name": "part of the errors within sigma"},
        ),
        "edge_coverage": xr.DataArray(
            edges,
            dims=dims,
            attrs={
                "units": "1",
                "long_name": "part of the errors beside an observation within 3 sigma",
            },
        ),
        "sigma_factor": xr.DataArray(
            factor,
            dims=dims,
            attrs={
                "units": "1",
                "long_name": "what sigma needs to be multiplied by to hold 68 %",
            },
        ),
        "lstm_share": xr.DataArray(
            share,
            dims=dims,
            attrs={
                "units": "1",
                "long_name": "part of the samples fill leaves to LSTM",
            },
        ),
    }


def _needed(ratio: Array) -> Array:
    """Factor on sigma that makes 68 % of the errors stay within it, by axis."""
    result = np.full(3, np.nan)
    for k in range(3):
        good = ratio[np.isfinite(ratio[:, k]), k]
        if len(good):
            result[k] = np.percentile(good, 68) / LEVELS[0.68]
    return result


def _part_below(ratio: Array, bound: float) -> Array:
    good = np.isfinite(ratio)
    return _ratio((good & (ratio <= bound)).sum(axis=0), good.sum(axis=0))


def _regime_tables(
    parts: Mapping[str, Part], methods: list[str], lengths: Array
) -> xr.Dataset:
    """RMS by regime."""
    masks = {name: regimes(part) for name, part in parts.items()}
    names = list(dict.fromkeys(n for found in masks.values() for n in found))
    shape = (len(names), len(methods), len(parts), 3, len(lengths))
    rms = np.full(shape, np.nan)
    count = np.zeros((len(names), len(parts), len(lengths)), dtype=np.int64)
    for s, (satellite, part) in enumerate(parts.items()):
        for x, length in enumerate(lengths):
            here = part.errors.length == length
            for r, name in enumerate(names):
                chosen = part.errors.take(here & masks[satellite][name])
                count[r, s, x] = len(chosen.t)
                for m, method in enumerate(methods):
                    if method in chosen.errors and len(chosen.t):
                        rms[r, m, s, :, x] = chosen.rms(method, float(length))
    return xr.Dataset(
        {
            "regime_rms": (
                ("regime", *DIMS),
                rms,
                {"units": "m s-2", "long_name": "RMS error by regime"},
            ),
            "regime_count": (
                ("regime", "satellite", "gap_length"),
                count,
                {"units": "1", "long_name": "hidden samples by regime"},
            ),
        },
        coords={"regime": names},
    )
