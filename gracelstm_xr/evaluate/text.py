"""Scores as a table for the terminal."""

from __future__ import annotations

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import Array
from gracelstm_xr.core.labels import length_label
from gracelstm_xr.filling.choice import COMPLETE


def score_table(score: xr.Dataset, *, columns: int = 3) -> str:
    """Return RMS errors as text: a row per method, x y z under each gap length.

    Parameters
    ----------
    score : xarray.Dataset
        ``rms(method, satellite, axis, gap_length)`` [m s-2].
    columns : int, optional
        Gap lengths side by side; further ones follow below.

    Returns
    -------
    str
        Errors in nm s-2; the best of each column carries a star. Where the score has
        ``share``, methods without an estimate for a tenth of the samples or more, which
        are the harder ones, stand in parentheses and out of the competition.
    """
    rms = score["rms"].transpose("satellite", "gap_length", "method", "axis")
    share = score.get("share", xr.ones_like(rms)).transpose(*rms.dims)
    methods = [str(m) for m in score["method"].values]
    lengths = score["gap_length"].values
    wide = max(map(len, methods)) + 2
    lines: list[str] = []
    for i, letter in enumerate(score["satellite"].values):
        lines.append(f"RMS error on satellite {letter}, axes x y z [nm s-2]; * = best")
        values = rms.values[i] * 1e9
        known = np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))
        for first in range(0, len(known), columns):
            part = known[first : first + columns]
            heads = "".join(f"{length_label(float(lengths[j])):>23}" for j in part)
            lines.append(f"{'gap':<{wide}}{heads}")
            cells = [_cells(values[j], share.values[i, j]) for j in part]
            lines += [
                f"{name:<{wide}}" + "".join(column[m] for column in cells)
                for m, name in enumerate(methods)
            ]
    return "\n".join(lines)


def _cells(values: Array, share: Array) -> list[str]:
    """One column of (method, axis) errors, the smallest of each axis starred."""
    whole = np.isfinite(values) & (share >= COMPLETE)
    best = np.where(whole, values, np.inf).argmin(axis=0)
    rows = []
    for m, row in enumerate(values):
        texts = [
            _number(v) + ("*" if best[a] == m and whole[m, a] else " ")
            if whole[m, a] or not np.isfinite(v)
            else f"({_number(v)})"
            for a, v in enumerate(row)
        ]
        rows.append("  " + "".join(f"{text:>7}" for text in texts))
    return rows


def _number(value: float) -> str:
    """Write an error in four characters."""
    if not np.isfinite(value):
        return "-"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"
