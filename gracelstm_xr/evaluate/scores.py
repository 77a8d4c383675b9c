"""Numbers from errors: tables by method, axis and gap length, with their spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.baselines import base  # noqa: F401  registers the methods
from gracelstm_xr.baselines.registry import METHODS
from gracelstm_xr.evaluate.bootstrap import blocks_of, bootstrap, interval, ratio_of
from gracelstm_xr.evaluate.coverage import sigma_tables
from gracelstm_xr.evaluate.parts import Part
from gracelstm_xr.filling.benchmark import FILL, GapErrors, score_table
from gracelstm_xr.filling.choice import COMPLETE
from gracelstm_xr.filling.conditions import along_orbit

#: What skill is measured against: the first that the data allow.
REFERENCES = ("transplant", "harmonic", "linear")
#: A sample is disturbed where the activity exceeds this many times its median.
DISTURBED = 2.0
#: Limits of the latitude bands [degree].
BANDS = ((0, 30), (30, 60), (60, 90))
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
        axis, gap_length)``, and ``share``, the part of the hidden samples that a
        method has an estimate for; ``ratio`` of ``fill`` to ``best_baseline`` with its
        interval, as `paired` has them, and the errors it is made of,
        ``fill_rms_compared`` and ``baseline_rms_compared`` [m s-2], on the samples
        that both have; ``gap_count``, and what
        `gracelstm_xr.evaluate.coverage.sigma_tables` gives;
        ``regime_rms`` and ``regime_count`` over ``regime`` as well.
    """
    result = score_table({name: part.errors for name, part in parts.items()})
    lengths = result["gap_length"].values
    methods = [str(m) for m in result["method"].values]
    shape = (len(methods), len(parts), 3, len(lengths))
    names = ("rms_low", "rms_high", "rms_solver", "skill", "skill_low", "skill_high")
    made = {name: np.full(shape, np.nan) for name in names}
    share = np.zeros(shape)
    compared = np.full((2, *shape[1:]), np.nan)
    best = np.full(shape[1:], "", dtype="<U16")
    ratio = {name: np.full(shape[1:], np.nan) for name in ("", "_low", "_high")}
    reference = next((m for m in REFERENCES if m in methods), methods[0])
    first = methods.index(reference)
    for s, part in enumerate(parts.values()):
        for x, length in enumerate(lengths):
            here = part.errors.length == length
            if not here.any():
                continue
            errors = part.errors.take(here)
            squares, counts = _blocks(errors, methods)
            draws = bootstrap(squares, counts, seed)
            share[:, s, :, x] = counts.sum(axis=0) / len(errors.t)
            against = [paired(errors, m, methods[first], seed) for m in methods]
            skill, low, high = (1 - np.array(v) for v in zip(*against, strict=True))
            cells = (
                *interval(draws),
                _solved(part, methods, here),
                *(skill, high, low),
            )
            for name, cell in zip(names, cells, strict=True):
                made[name][:, s, :, x] = cell
            best[s, :, x], rms, *found = _against_best(errors, methods, seed)
            compared[:, s, :, x] = rms
            for end, cell in zip(ratio, found, strict=True):
                ratio[end][s, :, x] = cell
    _attach(result, made, best, ratio, reference)
    result["share"] = (
        DIMS, share, {"units": "1", "long_name": "hidden samples with an estimate"},
    )  # fmt: skip
    for name, values in zip(("fill", "baseline"), compared, strict=True):
        text = f"RMS error of the {name} where fill and the best baseline have one"
        attrs = {"units": "m s-2", "long_name": text}
        result[f"{name}_rms_compared"] = (DIMS[1:], values, attrs)
    result.update(sigma_tables(parts, lengths, seed))
    return result.merge(_regime_tables(parts, methods, lengths))


def _against_best(
    errors: GapErrors, methods: list[str], seed: int
) -> tuple[npt.NDArray[np.str_], Array, Array, Array, Array]:
    """Best baseline by axis, RMS of ``fill`` and of it, and their ratio.

    All of it on samples that both have. A baseline competes where it has an estimate
    for nearly all that ``fill`` has one for, or where none has.
    """
    best = np.full(3, "", dtype="<U16")
    rms, found = np.full((2, 3), np.nan), np.full((3, 3), np.nan)
    names = [m for m in methods if m in METHODS and m in errors.errors]
    if FILL not in errors.errors or not names:
        return best, rms, *found
    filled = np.isfinite(errors.errors[FILL]).sum(axis=0)
    each = np.array([_both_rms(errors, FILL, name) for name in names])
    known = np.array([_both(errors, FILL, name).sum(axis=0) for name in names])
    for k in range(3):
        if not known[:, k].any():
            continue
        enough = known[:, k] >= COMPLETE * filled[k]
        usable = np.flatnonzero(enough if enough.any() else known[:, k] > 0)
        first = usable[np.argmax(each[usable, 0, k] / each[usable, 1, k])]
        best[k], rms[:, k] = names[first], each[first, :, k]
        found[:, k] = np.array(paired(errors, FILL, names[first], seed))[:, k]
    return best, rms, *found


def _both(errors: GapErrors, method: str, other: str) -> npt.NDArray[np.bool_]:
    """Where both methods have an estimate, shape (m, 3)."""
    one, two = errors.errors[method], errors.errors[other]
    return np.asarray(np.isfinite(one) & np.isfinite(two))


def _both_rms(errors: GapErrors, method: str, other: str) -> Array:
    """RMS [m s-2] of both methods by axis where both have an estimate, (2, 3)."""
    both = _both(errors, method, other)
    squares = [
        np.where(both, errors.errors[name], 0.0) ** 2 for name in (method, other)
    ]
    return np.sqrt(ratio_of(np.sum(squares, axis=1), both.sum(axis=0)))


def paired(
    errors: GapErrors, method: str, other: str, seed: int
) -> tuple[Array, Array, Array]:
    """RMS of a method over that of another, by axis, with its 95 % interval.

    Both are taken where both have an estimate: where the twin has a hole only some
    methods do, and these samples are the harder ones.

    Parameters
    ----------
    errors : GapErrors
        Of one gap length.
    method, other : str
    seed : int
        Of the bootstrap.

    Returns
    -------
    ratio, low, high : ndarray, shape (3,)
        NaN where no sample has both.
    """
    if method not in errors.errors or other not in errors.errors:
        return np.full(3, np.nan), np.full(3, np.nan), np.full(3, np.nan)
    both = _both(errors, method, other)
    common = {
        "one": np.where(both, errors.errors[method], np.nan),
        "two": np.where(both, errors.errors[other], np.nan),
    }
    squares, counts = _blocks(replace(errors, errors=common), list(common))
    values = np.sqrt(ratio_of(squares.sum(axis=0), counts.sum(axis=0)))
    draws = bootstrap(squares, counts, seed)
    return (
        ratio_of(values[0], values[1]),
        *interval(ratio_of(draws[:, 0], draws[:, 1])),
    )


def _attach(
    result: xr.Dataset,
    arrays: dict[str, Array],
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
    for name, values in arrays.items():
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
        DIMS[1:],
        best,
        {"long_name": "baseline with the smallest RMS error beside that of fill"},
    )  # fmt: skip


def _blocks(errors: GapErrors, methods: list[str]) -> tuple[Array, Array]:
    """Sum of squares and number of errors, shape (block, method, axis) each."""
    block = blocks_of(errors)
    number = int(block.max()) + 1
    squares = np.zeros((number, len(methods), 3))
    counts = np.zeros((number, len(methods), 3))
    for m, name in enumerate(methods):
        if name not in errors.errors:
            continue
        error = errors.errors[name]
        finite = np.isfinite(error)
        for k in range(3):
            square = np.where(finite[:, k], error[:, k], 0.0) ** 2
            squares[:, m, k] = np.bincount(block, square, minlength=number)
            counts[:, m, k] = np.bincount(block, finite[:, k], minlength=number)
    return squares, counts


def _solved(part: Part, methods: list[str], here: npt.NDArray[np.bool_]) -> Array:
    """RMS over the gaps of one length after a solver's parameters, (method, axis)."""
    gaps = np.unique(part.errors.gap)
    wanted = np.isin(gaps, part.errors.gap[here])
    result = np.full((len(methods), 3), np.nan)
    for m, name in enumerate(methods):
        if name in part.solved:
            squares = part.solved[name][wanted]
            finite = np.isfinite(squares)
            total = np.where(finite, squares, 0.0).sum(axis=0)
            result[m] = np.sqrt(ratio_of(total, finite.sum(axis=0)))
    return result


def _regime_tables(
    parts: Mapping[str, Part], methods: list[str], lengths: Array
) -> xr.Dataset:
    """RMS by regime."""
    masks = {name: regimes(part) for name, part in parts.items()}
    names = list(
        dict.fromkeys(n for regime_masks in masks.values() for n in regime_masks)
    )
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


def regimes(part: Part) -> dict[str, BoolArray]:
    """Samples of every regime that the data tell.

    Parameters
    ----------
    part : Part

    Returns
    -------
    dict of str to ndarray of bool, shape (m,)
        ``firing``: within 30 s of a firing of the recipient, or of the donor at the
        lag, and ``no firing``; ``shadow crossing``: within 70 s of penumbra, and
        ``no crossing``; ``latitude 0-30``, ``30-60``, ``60-90``: distance of the
        argument of latitude from the equator [degree], that of the satellite to a
        degree in these orbits; ``disturbed``: activity above twice its median over
        the hidden samples, and ``quiet``.
    """
    errors = part.errors
    masks: dict[str, BoolArray] = {}
    if errors.thruster is not None:
        masks |= {"firing": errors.thruster, "no firing": ~errors.thruster}
    if errors.shadow is not None:
        masks |= {"shadow crossing": errors.shadow, "no crossing": ~errors.shadow}
    angle = along_orbit(errors.latitude_argument)
    if angle is not None:
        for low, high in BANDS:
            inside = (angle >= low) & ((angle < high) | (high == 90))
            masks[f"latitude {low}-{high}"] = np.asarray(inside)
    measured = np.isfinite(part.activity)
    if measured.any():
        limit = DISTURBED * np.median(part.activity[measured])
        masks["disturbed"] = np.asarray(measured & (part.activity > limit))
        masks["quiet"] = np.asarray(measured & (part.activity <= limit))
    return masks
