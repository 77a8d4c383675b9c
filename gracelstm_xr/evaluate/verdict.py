"""What a score means, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from gracelstm_xr.core.labels import length_label

#: Sigma is honest when coverage may be, by its interval, as near to its level.
HONEST = 0.05
#: Tables of a score that a finding takes its numbers from.
NUMBERS = (
    *("ratio", "ratio_low", "ratio_high", "sigma_factor"),
    *("fill_rms_compared", "baseline_rms_compared"),
)


@dataclass(frozen=True)
class Finding:
    """Result for one satellite, axis and gap length.

    Attributes
    ----------
    satellite, axis : str
    length : float
        [s]
    rms, baseline_rms : float
        Of ``fill`` and of the best baseline on the samples that both have [m s-2].
    baseline : str
        Name of the best baseline.
    ratio, low, high : float
        Of the two errors, with its 95 % interval.
    within : tuple of float
        Parts of the errors within the 68 % and the 95 % sigma.
    sure : tuple of pair of float
        Their 95 % intervals.
    factor : float
        What sigma would have to be multiplied by to hold both best.
    """

    satellite: str
    axis: str
    length: float
    rms: float
    baseline_rms: float
    baseline: str
    ratio: float
    low: float
    high: float
    within: tuple[float, float]
    sure: tuple[tuple[float, float], tuple[float, float]]
    factor: float

    @property
    def outcome(self) -> str:
        """``better``, ``worse``, or ``no different`` from the best baseline."""
        if self.high < 1:
            return "better"
        return "worse" if self.low > 1 else "no different"

    @property
    def sigma(self) -> str:
        """What gaps surely say of sigma.

        ``honest``, ``too small``, ``too large``, ``too simple`` where the errors have
        longer or shorter tails than one number can hold, or ``unknown``.
        """
        if not np.isfinite(self.within).all():
            return "unknown"
        pairs = list(zip(self.sure, (0.68, 0.95), strict=True))
        small = any(high < level - HONEST for (_, high), level in pairs)
        large = any(low > level + HONEST for (low, _), level in pairs)
        if small and large:
            return "too simple"
        return "too small" if small else "too large" if large else "honest"

    @property
    def advice(self) -> str:
        """What to do with gaps like these."""
        told = []
        if self.outcome == "worse":
            told.append(f'use fill(method="{self.baseline}")')
        if self.sigma in ("too small", "too large") and np.isfinite(self.factor):
            told.append(f"multiply sigma by {self.factor:.2g}")
        return "; ".join(told) or "use fill() as it is"


def findings(score: xr.Dataset, satellite: str) -> list[Finding]:
    """Results of one satellite by gap length and axis, in this order.

    Parameters
    ----------
    score : xarray.Dataset
        From ``evaluate``.
    satellite : str
    """
    if "fill" not in score["method"].values or "ratio" not in score:
        return []
    mine = score.sel(satellite=satellite)
    rows = []
    for length in score["gap_length"].values:
        for axis in score["axis"].values:
            at = {"gap_length": length, "axis": axis}
            baseline = str(mine["best_baseline"].sel(at).item())
            if not baseline:
                continue
            cover, low, high = (
                mine[f"coverage{end}"].sel(at).values for end in ("", "_low", "_high")
            )
            sure = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
            numbers = {name: float(mine[name].sel(at)) for name in NUMBERS}
            rows.append(
                Finding(
                    satellite, str(axis), float(length),
                    numbers["fill_rms_compared"], numbers["baseline_rms_compared"],
                    baseline,
                    numbers["ratio"], numbers["ratio_low"], numbers["ratio_high"],
                    (float(cover[0]), float(cover[1])), (sure[0], sure[1]),
                    numbers["sigma_factor"],
                )
            )  # fmt: skip
    return rows


def verdict(score: xr.Dataset) -> list[str]:
    """A few sentences per satellite: who wins, by how much, is sigma honest.

    Parameters
    ----------
    score : xarray.Dataset
        From ``evaluate``.
    """
    told = []
    for letter in map(str, score["satellite"].values):
        rows = findings(score, letter)
        if not rows:
            told.append(f"Satellite {letter}: no method of fill() to judge.")
            continue
        told += list(_of_axes(letter, rows))
        told.append(_of_sigma(letter, rows))
    told += list(_of_controls(score))
    return told


def _of_axes(letter: str, rows: list[Finding]) -> Iterator[str]:
    for axis in sorted({f.axis for f in rows}):
        mine = [f for f in rows if f.axis == axis]
        parts = []
        for outcome in ("better", "no different", "worse"):
            here = [f for f in mine if f.outcome == outcome]
            if not here:
                continue
            where = _where(f.length for f in here)
            ratio = np.exp(np.mean(np.log([f.ratio for f in here])))
            names = ", ".join(dict.fromkeys(f.baseline for f in here))
            if outcome == "better":
                words = f"better than the best baseline ({names}) by {_percent(ratio)}"
            elif outcome == "worse":
                words = f"worse than the best baseline ({names}) by {_percent(ratio)}"
            else:
                words = f"no different from the best baseline ({names})"
            parts.append(f"{words} {where}")
        yield f"Satellite {letter}, axis {axis}: fill() is {'; '.join(parts)}."


def _of_sigma(letter: str, rows: list[Finding]) -> str:
    judged = [f for f in rows if f.sigma != "unknown"]
    honest = [f for f in judged if f.sigma == "honest"]
    text = (
        f"Satellite {letter}: sigma holds 68 % and 95 % to 5 points, as far as these "
        f"gaps can tell, in {len(honest)} of {len(judged)} cases"
    )
    for state in ("too small", "too large", "too simple"):
        lengths = dict.fromkeys(f.length for f in judged if f.sigma == state)
        if lengths:
            text += f"; {state} on some axis {_where(lengths)}"
    return text + "."


def _of_controls(score: xr.Dataset) -> Iterator[str]:
    if "control_passed" not in score:
        return
    for letter in map(str, score["satellite"].values):
        passed = score["control_passed"].sel(satellite=letter)
        failed = [str(t) for t in passed["test"].values[passed.values == 0]]
        skipped = [str(t) for t in passed["test"].values[passed.values == -1]]
        done = int((passed.values == 1).sum())
        text = f"Satellite {letter}: {done} of {passed.size} controls passed"
        if failed:
            text += f"; failed: {', '.join(failed)}"
        if skipped:
            text += f"; not tested: {', '.join(skipped)}"
        yield text + "."


def _where(lengths: Iterable[float]) -> str:
    """Gap lengths as part of a sentence."""
    bounds = list(lengths)
    finite = [length_label(x) for x in bounds if np.isfinite(x)]
    parts = [f"in gaps of {', '.join(finite)}"] if finite else []
    if len(finite) < len(bounds):
        parts.append("with all data hidden")
    return " and ".join(parts)


def _percent(ratio: float) -> str:
    return f"{100 * abs(1 - ratio):.0f} %"
