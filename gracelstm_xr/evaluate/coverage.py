"""Is sigma honest: parts of the errors within it, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.evaluate.bootstrap import blocks_of, interval, ratio_of, resampled
from gracelstm_xr.evaluate.parts import Part
from gracelstm_xr.filling.benchmark import FILL, GapErrors
from gracelstm_xr.filling.sigma import LEVELS, UNIT, binned, fair_scale

#: Distance from an observation up to which an error counts as beside it [s].
BESIDE = 10.0
#: Multiple of sigma such an error should not exceed.
EDGE = 3.0
#: Dimensions behind the level, and names of the tables with what they hold.
DIMS = ("satellite", "axis", "gap_length")
TEXTS = {
    "coverage": "part of the errors within sigma",
    "coverage_low": "part of the errors within sigma, lower end of the 95 % interval",
    "coverage_high": "part of the errors within sigma, upper end of the 95 % interval",
    "edge_coverage": "part of the errors beside an observation within 3 sigma",
    "sigma_factor": "what sigma needs to be multiplied by to hold 68 % and 95 % best",
    "lstm_share": "part of the samples fill leaves to LSTM",
}


def sigma_tables(
    parts: Mapping[str, Part], lengths: Array, seed: int
) -> dict[str, xr.DataArray]:
    """Tables of how many errors of ``fill`` lie within its sigma.

    Parameters
    ----------
    parts : mapping of str to Part
        By satellite.
    lengths : ndarray
        Gap lengths [s].
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to xarray.DataArray
        ``coverage`` with its 95 % interval over ``(level, satellite, axis,
        gap_length)``; ``edge_coverage``, ``sigma_factor`` and ``lstm_share`` over the
        last three.
    """
    shape = (len(parts), 3, len(lengths))
    tables = {
        name: np.full(
            (len(LEVELS), *shape) if name.startswith("coverage") else shape, np.nan
        )
        for name in TEXTS
    }
    for s, errors_of in enumerate(parts.values()):
        errors = errors_of.errors
        if FILL not in errors.errors or errors.sigma is None or errors.code is None:
            continue
        for x, length in enumerate(lengths):
            here = errors.length == length
            if here.any():
                for name, cell in _cells(errors.take(here), seed).items():
                    tables[name][..., s, :, x] = cell
    return {
        name: xr.DataArray(
            values,
            dims=("level", *DIMS) if values.ndim == 4 else DIMS,
            coords={"level": list(LEVELS)} if values.ndim == 4 else None,
            attrs={"units": "1", "long_name": TEXTS[name]},
        )
        for name, values in tables.items()
    }


def _cells(errors: GapErrors, seed: int) -> dict[str, Array]:
    """Values of one satellite and gap length, the axis last."""
    sigma, code = np.asarray(errors.sigma), np.asarray(errors.code)
    size = np.abs(errors.errors[FILL]) / sigma
    scored = np.isfinite(errors.errors[FILL])
    draws, within = [], []
    block = blocks_of(errors)
    for bound in LEVELS.values():
        inside, counted = _per_block(size, bound, block)
        within.append(ratio_of(inside.sum(axis=0), counted.sum(axis=0)))
        draws.append(resampled(inside, counted, seed))
    low, high = interval(np.stack(draws, axis=1))
    beside = np.where((errors.distance <= BESIDE)[:, None], size, np.nan)
    edge, counted = _per_block(beside, EDGE, block)
    return {
        "coverage": np.array(within),
        "coverage_low": low,
        "coverage_high": high,
        "edge_coverage": ratio_of(edge.sum(axis=0), counted.sum(axis=0)),
        "sigma_factor": np.array([_needed(size[:, k]) for k in range(3)]),
        "lstm_share": ratio_of(((code == 1) & scored).sum(axis=0), scored.sum(axis=0)),
    }


def _per_block(size: Array, bound: float, block: IntArray) -> tuple[Array, Array]:
    """Errors in units of sigma within a bound, and all known, shape (block, 3)."""
    finite = np.isfinite(size)
    return _sums(finite & (size <= bound), block), _sums(finite, block)


def _sums(flags: BoolArray, block: IntArray) -> Array:
    counts = [np.bincount(block, flags[:, k]) for k in range(3)]
    return np.stack(counts, axis=1)


def _needed(size: Array) -> float:
    """Factor on sigma that makes the larger miss of both coverages smallest."""
    finite = size[np.isfinite(size)]
    if not len(finite):
        return np.nan
    return float(fair_scale(binned(finite * UNIT, np.ones(len(finite)))) / UNIT)
