"""The work of an evaluation, one part per round of hidden gaps."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.errors import GraceError
from gracelstm_xr.evaluate.solver import ARC, absorbed
from gracelstm_xr.files import kind_of, remove_leftovers, writing
from gracelstm_xr.filling.benchmark import GapErrors, join_errors, score_round
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.physics.frames import Frame

if TYPE_CHECKING:
    from gracelstm_xr.filling.model import FittedModel


#: Shortest gap a solver's parameters are fitted to [s]: a spline with nodes every 6 h
#: cannot follow shorter ones.
SOLVED_FROM = 300.0
#: A part in its folder: its name, a digest of what it depends on, and what it is.
_NAME = re.compile(r"[0-9a-f]{32}\.npz")
KIND = "part of an evaluation"
#: Sampling of the arc a solver sees [s].
SOLVER_STEP = 10.0


@dataclass(frozen=True)
class Part:
    """Errors in one round of gaps, and what belongs to them.

    Attributes
    ----------
    errors : GapErrors
    activity : ndarray, shape (m,)
        RMS of the observed x axis about its mean over the revolution around each
        sample [m s-2].
    solved : dict of str to ndarray, shape (gap, 3)
        By method: mean square of the error in each gap, in the order of the gap
        numbers, after a solver's parameters are removed [m2 s-4]; NaN for short gaps.
    """

    errors: GapErrors
    activity: Array
    solved: dict[str, Array]


def score_part(
    frame: Frame,
    span: tuple[float, float],
    hidden: IntArray,
    model: FittedModel,
    satellite: str,
    *,
    products: Mapping[str, Array] | None = None,
) -> Part:
    """Hide the gaps of one round, fill them by every method, take the errors.

    Parameters
    ----------
    frame : Frame
        Stretch with the context of a fill.
    span, hidden
        As for `gracelstm_xr.filling.benchmark.score_round`.
    model : FittedModel
    satellite : str
        A recipient of the model.
    products : mapping of str to ndarray, shape (n, 3), optional
        Series made elsewhere to score beside the methods [m s-2], on the samples of
        ``frame``; their mean difference from the visible observations is removed.
    """
    recipient = model.recipients[satellite]
    methods = None if model.only is None else set(recipient.baselines)
    errors = score_round(
        frame, span, hidden, recipient, model.predict, model.settings, methods=methods
    )
    place = np.rint((errors.t - frame.t[0]) / (frame.t[1] - frame.t[0])).astype(int)
    mask = np.zeros(len(frame), dtype=bool)
    for first, past in hidden:
        mask[first:past] = True
    for name, series in (products or {}).items():
        errors.errors[name] = _product_error(frame, series, mask)[place]
    return Part(errors, _activity(frame)[place], _solved(frame, errors))


def _product_error(frame: Frame, series: Array, hidden: npt.NDArray[np.bool_]) -> Array:
    """Product minus observation, less the mean of it where observations show."""
    apart = series - frame.own
    shown = np.where(hidden[:, None], np.nan, apart)
    finite = np.isfinite(shown)
    total = np.where(finite, shown, 0.0).sum(axis=0)
    # with nothing to compare with, its own bias stands
    offset = total / np.maximum(finite.sum(axis=0), 1)
    return np.asarray(apart - offset)


def _activity(frame: Frame) -> Array:
    """RMS of x about its mean over the revolution around each sample [m s-2]."""
    half = max(round(REVOLUTION / 2 / (frame.t[1] - frame.t[0])), 1)
    x = frame.own[:, 0]
    if not np.isfinite(x).any():
        return np.full(len(x), np.nan)
    x = x - np.nanmean(x)
    return np.sqrt(_running_mean((x - _running_mean(x, half)) ** 2, half))


def _running_mean(values: Array, half: int) -> Array:
    """Mean of the finite values up to ``half`` samples away, NaN without any."""
    finite = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(finite)])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    number = count[high] - count[low]
    mean = (total[high] - total[low]) / np.maximum(number, 1)
    return np.where(number > 0, mean, np.nan)


def _solved(frame: Frame, errors: GapErrors) -> dict[str, Array]:
    """Mean square per gap and axis after a solver's parameters."""
    names = list(errors.errors)
    gaps = np.unique(errors.gap)
    result = {name: np.full((len(gaps), 3), np.nan) for name in names}
    thin = frame.every(SOLVER_STEP)[0]
    for row, gap in enumerate(gaps):
        mine = np.flatnonzero(errors.gap == gap)
        length = errors.length[mine[0]]
        if not SOLVED_FROM <= length < np.inf:
            continue
        t = errors.t[mine]
        low, high = np.searchsorted(thin.t, [t[0] - ARC, t[-1] + ARC])
        for k in range(3):
            signal = thin.own[low:high, k]
            observed = np.isfinite(signal)
            arc = thin.t[low:high][observed]
            _, here, there = np.intersect1d(t, arc, return_indices=True)
            if len(here) == 0:
                continue
            stack = np.stack([errors.errors[n][mine[here], k] for n in names], axis=1)
            left = absorbed(arc, signal[observed], there, stack)
            for j, name in enumerate(names):
                result[name][row, k] = np.mean(left[:, j] ** 2)
    return result


def join_parts(parts: Sequence[Part]) -> Part:
    """One part from several, gap numbers made distinct; empty ones left out."""
    parts = [part for part in parts if len(part.errors.t)]
    errors = join_errors([part.errors for part in parts])
    if not parts:
        return Part(errors, np.zeros(0), {})
    return Part(
        errors,
        np.concatenate([part.activity for part in parts]),
        {
            name: np.concatenate([part.solved[name] for part in parts])
            for name in errors.errors
        },
    )


def save_part(part: Part, path: Path) -> None:
    """Write a part under a temporary name, then rename it: never half there."""
    arrays: dict[str, Any] = {f"table.{k}": v for k, v in part.errors.arrays().items()}
    arrays |= {f"error.{k}": v for k, v in part.errors.errors.items()}
    arrays |= {f"solved.{k}": v for k, v in part.solved.items()}
    packed = io.BytesIO()
    np.savez(packed, activity=part.activity, **arrays)
    with writing(path, replace=True) as work:
        work.write_bytes(packed.getvalue())


def claim_parts(folder: Path) -> None:
    """Refuse a folder for parts in which there is anything else.

    Raises
    ------
    GraceError
        It names the first file that is not a part.
    """
    remove_leftovers(folder)
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if not (_NAME.fullmatch(path.name) and kind_of(path) == KIND):
            raise GraceError(
                f"{folder} would hold the parts of an evaluation, but {path.name} in "
                "it is none of them; move it away or choose another folder"
            )


def remove_parts(folder: Path) -> None:
    """Remove the parts in a folder, and the folder when nothing else is in it."""
    for path in sorted(folder.glob("*.npz")):
        if _NAME.fullmatch(path.name) and kind_of(path) == KIND:
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def load_part(path: Path) -> Part | None:
    """Read a part; None where there is none, or a damaged one."""
    try:
        # numpy leaves a file open that it cannot read
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            groups: dict[str, dict[str, Any]] = {"table": {}, "error": {}, "solved": {}}
            for name in file.files:
                kind, _, rest = name.partition(".")
                if kind in groups:
                    groups[kind][rest] = file[name]
            activity = file["activity"]
    except (FileNotFoundError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    errors = GapErrors(errors=groups["error"], **groups["table"])
    return replace(Part(errors, activity, {}), solved=groups["solved"])
