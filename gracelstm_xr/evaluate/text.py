"""Scores as a table for the terminal."""

from __future__ import annotations

import numpy as np
import xarray as xr

from gracelstm_xr.evaluate.verdict import duration


def score_table(score: xr.Dataset, *, columns: int = 4) -> str:
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
        Errors in nm s-2; the best of each column carries a star.
    """
    rms = score["rms"].transpose("satellite", "gap_length", "method", "axis")
    methods = [str(m) for m in score["method"].values]
    lengths = score["gap_length"].values
    wide = max(map(len, methods)) + 2
    lines: list[str] = []
    for i, letter in enumerate(score["satellite"].values):
        lines.append(f"RMS error on satellite {letter}, axes x y z [nm s-2]; * = best")
        values = rms.values[i] * 1e9
        scored = np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))
        for first in range(0, len(scored), columns):
            chosen = scored[first : first + columns]
            heads = "".join(f"{duration(float(lengths[j])):>20}" for j in chosen)
            lines.append(f"{'gap':<{wide}}{heads}")
            cells = [_cells(values[j]) for j in chosen]
            lines += [
                f"{name:<{wide}}" + "".join(column[m] for column in cells)
                for m, name in enumerate(methods)
            ]
    return "\n".join(lines)


def _cells(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[str]:
    """One column of (method, axis) errors, the smallest of each axis starred."""
    safe = np.where(np.isfinite(values), values, np.inf)
    best = safe.argmin(axis=0)
    return [
        "  "
        + "".join(
            f"{_number(v) + ('*' if best[a] == m else ' '):>6}"
            for a, v in enumerate(row)
        )
        for m, row in enumerate(values)
    ]


def _number(value: float) -> str:
    """Write an error in four characters."""
    if not np.isfinite(value):
        return "-"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"
