"""From errors on held-out gaps to the choice of method and a 1-sigma."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.base import (
    needs_donor,
    reads_donor,
    reads_series_only,
)
from gracelstm_xr.compute.progress import track
from gracelstm_xr.filling.benchmark import FILL, GapErrors
from gracelstm_xr.filling.choice import COMPLETE, LEAST, Held, Sums, choose
from gracelstm_xr.filling.conditions import (
    COVARIATES,
    DISTANCES,
    FARTHEST,
    Conditions,
    Grid,
    along_orbit,
    nearness,
)
from gracelstm_xr.filling.pools import Calibration, Pool, witnesses_of
from gracelstm_xr.filling.sigma import (
    Spread,
    corrections,
    factor_at,
    factor_table,
    sigma_table,
    widening,
)

__all__ = ["PER_GAP", "calibrate"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Sigma over length and distance on one axis, and its factors by covariate.
Scale = tuple[Array, dict[str, Array]]

#: Parts the gaps are divided into: sigma is corrected by gaps of one part, with
#: choice and tables made from the others.
FOLDS = 4
#: Samples of a gap that are enough.
PER_GAP = 400
#: A method whose RMS error is always this many times that of the best is left out.
FAR = 2.5
#: Mean share at some length below which a method is not worth computing.
MATTERS = 0.05
#: Time over which errors without any data of the recipient are judged together [s]:
#: a gravity solver estimates a line of the bias over it anew.
ARC = 21_600.0


def calibrate(errors: GapErrors, *, label: str = "") -> Calibration | None:
    """Choose methods per axis, gap length, distance and regime; calibrate sigma.

    Parameters
    ----------
    errors : GapErrors
        On validation spans only; `PER_GAP` samples of a gap are enough.
    label : str
        Of a bar on standard error that counts pools of methods; none by default.

    Returns
    -------
    Calibration or None
        None when no gap could be hidden.
    """
    names = [name for name in errors.errors if name != FILL]
    if len(errors.t) == 0 or not names:
        return None
    length = capped(errors.length)
    grid = Grid(np.unique(length), np.array(DISTANCES))
    found = [_conditions(errors, length, k) for k in range(3)]
    pools = []
    groups = _groups(names)
    for group in track(groups, label, unit="pool", enabled=bool(label)):
        rows = _informed(errors, group)
        part, known = errors.take(rows), [f.take(rows) for f in found]
        pools.append(_pool(part, group, length[rows], known, grid))
    spreads = {}
    for name in names:
        made = [
            _scale(errors.errors[name][:, k], errors.gap, length, found[k], grid)
            for k in range(3)
        ]
        spreads[name] = _spread(made, grid)
    return Calibration(tuple(pools), spreads)


def _informed(errors: GapErrors, names: Sequence[str]) -> BoolArray:
    """Samples that say which of ``names`` is best.

    Where the twin has a hole its methods have no estimate; the next pool serves there,
    and the first must not learn to do without the twin. Where none has an estimate
    there is nothing to learn.
    """
    transplants = [errors.errors[name] for name in names if needs_donor(name)]
    for asked in (transplants, [errors.errors[name] for name in names]):
        if asked:
            known = np.isfinite(np.concatenate(asked, axis=1)).any(axis=1)
            if known.any():
                return np.asarray(known)
    return np.ones(len(errors.t), dtype=bool)


def capped(length: Array) -> Array:
    """Gap lengths [s], endless ones as `Conditions` has them."""
    return np.minimum(length, 2 * FARTHEST)


def _conditions(errors: GapErrors, length: Array, axis: int) -> Conditions:
    firing = np.zeros(len(errors.t))
    if errors.firing is not None:
        firing = nearness(errors.firing)
    latitude = along_orbit(errors.latitude_argument)
    distance = np.minimum(errors.distance, FARTHEST)
    lively = None if errors.activity is None else errors.activity[:, axis]
    return Conditions(length, distance, firing, lively, latitude, errors.thrust)


def _groups(names: Sequence[str]) -> list[list[str]]:
    """Methods with the twin, those without, and those of the series alone."""
    groups = [list(names)]
    twin: set[str] = set()
    if any(needs_donor(name) for name in names):
        twin = {name for name in names if reads_donor(name)}
        twin |= {n.removesuffix("_single") for n in names if "_single" in n}
    for keep in (
        [n for n in names if n not in twin],
        [n for n in names if reads_series_only(n)],
        [n for n in names if n == "hold"],
    ):
        if keep and keep != groups[-1]:
            groups.append(keep)
    return groups


def _pool(
    errors: GapErrors,
    group: Sequence[str],
    length: Array,
    found: Sequence[Conditions],
    grid: Grid,
) -> Pool:
    every = np.stack([errors.errors[name] for name in group], axis=2)
    arc = _arcs(errors)
    judged = _judged(every, arc, errors)
    near = _contenders(judged, length, found[0].firing > 0.5)
    names = [name for name, use in zip(group, near, strict=True) if use]
    every, judged = every[..., near], judged[..., near]
    shares = np.zeros((2, len(grid.lengths), len(grid.distances), 3, len(names)))
    fresh = _fresh(errors.t, length)
    first = np.unique(errors.gap, return_index=True)[1]
    wider = widening(length[first], fresh[first], grid.lengths)
    witnesses = witnesses_of(group)
    checked = [f.checked(errors.errors, k, witnesses) for k, f in enumerate(found)]
    helds = [
        Held(every[:, k], judged[:, k], arc, length, checked[k], fresh)
        for k in range(3)
    ]
    kept = _shortlist([choose(Sums(held, grid)) for held in helds])
    scales = []
    for k, held in enumerate(helds):
        shares[:, :, :, k, kept], scale = _axis(held.keep(kept), grid, wider)
        scales.append(scale)
    used = shares.max(axis=(0, 1, 2, 3)) > 0
    methods = tuple(name for name, use in zip(names, used, strict=True) if use)
    return Pool(methods, witnesses, grid, shares[..., used], _spread(scales, grid))


def _arcs(errors: GapErrors) -> IntArray:
    """Number of every sample's gap; a gap without end counts as one per `ARC`."""
    endless = np.isinf(errors.length)
    arc = np.where(endless, np.floor(errors.t / ARC), -1.0).astype(np.int64)
    both = np.stack([errors.gap, arc], axis=1)
    return np.asarray(np.unique(both, axis=0, return_inverse=True)[1].ravel())


def _judged(every: Array, arc: IntArray, errors: GapErrors) -> Array:
    """Errors (m, 3, method) by which methods are compared.

    Of gaps without end what a line per `ARC` leaves: no method can know how the bias
    wanders when the recipient shows nothing, and whoever uses the series estimates it.
    """
    judged = every.copy()
    endless = np.isinf(errors.length)
    for number in np.unique(arc[endless]):
        rows = np.flatnonzero(arc == number)
        clock = (errors.t[rows] - errors.t[rows[0]]) / ARC
        part = every[rows].reshape(len(rows), -1)
        for column, error in enumerate(part.T):
            known = np.isfinite(error)
            if known.sum() > 2:
                line = np.polynomial.polynomial.polyfit(clock[known], error[known], 1)
                part[:, column] -= line[0] + line[1] * clock
        judged[rows] = part.reshape(len(rows), *every.shape[1:])
    return judged


def _spread(scales: Sequence[Scale], grid: Grid) -> Spread:
    """Of all axes, from that of each."""
    tables, factors = zip(*scales, strict=True)
    return Spread(
        grid,
        np.stack(tables, axis=-1),
        {name: np.stack([f[name] for f in factors], axis=-1) for name in COVARIATES},
    )


def _contenders(every: Array, length: Array, firing: BoolArray) -> BoolArray:
    """Methods that come near the best one somewhere.

    For some length and axis, next to firings or away from them.
    """
    near = np.zeros(every.shape[2], dtype=bool)
    for wanted, regime in itertools.product(np.unique(length), (False, True)):
        part = every[(length == wanted) & (firing == regime)]
        if len(part) == 0:
            continue
        known = np.isfinite(part)
        square = np.where(known, part, 0.0) ** 2
        mean = square.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        mean = np.where(known.mean(axis=0) >= COMPLETE, mean, np.inf)
        best = mean.min(axis=1, keepdims=True)
        near |= (np.isfinite(mean) & (mean <= FAR**2 * best)).any(axis=0)
    return near


def _shortlist(shares: Sequence[Array]) -> BoolArray:
    """Methods that matter: every one has to be computed in every fill."""
    parts = np.stack([s.mean(axis=(0, 2)) for s in shares])
    return np.asarray(parts.max(axis=(0, 1)) >= MATTERS)


def _fresh(t: Array, length: Array) -> Array:
    """Part of the gaps of a sample's length that do not overlap."""
    result = np.ones(len(t))
    for wanted in np.unique(length):
        here = length == wanted
        result[here] = len(np.unique(t[here])) / here.sum()
    return result


def _axis(held: Held, grid: Grid, wider: Array) -> tuple[Array, Scale]:
    """Shares, sigma and its factors on one axis.

    Sigma is corrected by gaps that none of the three was made from, and is ``wider``
    where gaps were few.
    """
    sums = Sums(held, grid)
    shares = choose(sums)
    table, factors = _table(held, shares, grid)
    place = np.unique(held.gap, return_inverse=True)[1]
    fold = _folds(sums.length)
    ratio = np.full(len(held.gap), np.nan)
    for part in range(FOLDS):
        mine = fold[place] == part
        if not mine.any() or (fold[place] < 0).all():
            continue
        others = choose(sums, without=fold == part)
        scale = _table(held.take(~mine), others, grid)
        asked = held.take(mine)
        error = _blended(asked.errors, grid.at(others, asked.found))
        ratio[mine] = _relative(error, scale, asked.found, grid)
    wider = wider * corrections(ratio, held.gap, held.length, grid.lengths)
    return shares, (table * wider[:, None], factors)


def _table(held: Held, shares: Array, grid: Grid) -> Scale:
    error = _blended(held.errors, grid.at(shares, held.found))
    return _scale(error, held.gap, held.length, held.found, grid)


def _scale(
    error: Array, gap: IntArray, length: Array, found: Conditions, grid: Grid
) -> Scale:
    """Sigma over length and distance, and its factors over covariates that are known.

    Each factor is made from what sigma and the factors before it leave.
    """
    table = sigma_table(error, gap, length, found, grid)
    factors = {
        name: np.ones((len(grid.lengths), len(covariate.nodes)))
        for name, covariate in COVARIATES.items()
    }
    if not found.covariates() or not (table > 0).all():
        return table, factors
    even = error / np.exp(grid.at(np.log(table), found))
    for name in found.covariates():
        factors[name] = factor_table(np.abs(even), gap, length, found, grid, name)
        even /= factor_at(grid, {name: factors[name]}, found)
    even = error / factor_at(grid, factors, found)
    return sigma_table(even, gap, length, found, grid), factors


def _relative(error: Array, scale: Scale, found: Conditions, grid: Grid) -> Array:
    """Absolute errors in units of sigma; NaN where there is none."""
    table, factors = scale
    if not (table > 0).all():
        return np.full(len(error), np.nan)
    sigma = np.exp(grid.at(np.log(table), found)) * factor_at(grid, factors, found)
    return np.asarray(np.abs(error) / sigma)


def _blended(errors: Array, share: Array) -> Array:
    """Error of a blend: shares of methods without an estimate go to the others."""
    known = np.isfinite(errors) & (share >= LEAST)
    share = np.where(known, share, 0.0)
    total = share.sum(axis=1)
    mixed = (share * np.where(known, errors, 0.0)).sum(axis=1)
    return np.where(total > 0.5, mixed / np.where(total > 0, total, 1.0), np.nan)


def _folds(length: Array) -> IntArray:
    """Part of every gap: those of a length go to all in turn; -1 where too few."""
    fold = np.full(len(length), -1, dtype=np.int64)
    for wanted in np.unique(length):
        here = np.flatnonzero(length == wanted)
        if len(here) >= FOLDS:
            fold[here] = np.arange(len(here)) * FOLDS // len(here)
    return fold
