"""Scores as a table for the terminal."""

from __future__ import annotations

import numpy as np
import xarray as xr

__all__ = ["score_table"]

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def _length(seconds: float) -> str:
    """Write a gap length in its natural unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"


def score_table(score: xr.Dataset) -> str:
    """Return RMS errors as text: one block per satellite, x y z in each cell.

    Parameters
    ----------
    score : xarray.Dataset
        ``rms(method, satellite, axis, gap_length)`` [m s-2].

    Returns
    -------
    str
        Errors in nm s-2; the best of each row and axis carries a star.
    """
    rms = score["rms"].transpose("satellite", "gap_length", "method", "axis")
    methods = [str(m) for m in score["method"].values]
    lines: list[str] = []
    for i, letter in enumerate(score["satellite"].values):
        lines.append(f"RMS error on satellite {letter}, axes x y z [nm s-2]; * = best")
        lines.append(f"{'gap':>9}" + "".join(f"{m:>21}" for m in methods))
        for j, length in enumerate(score["gap_length"].values):
            values = rms.values[i, j] * 1e9
            if np.isfinite(values).any():
                lines.append(f"{_length(float(length)):>9}" + _cells(values))
    return "\n".join(lines)


def _cells(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    """One row of (method, axis) errors, the smallest of each axis starred."""
    safe = np.where(np.isfinite(values), values, np.inf)
    best = safe.argmin(axis=0)
    cells = []
    for m, row in enumerate(values):
        texts = [
            ("-" if not np.isfinite(v) else f"{v:.3g}") + ("*" if best[a] == m else "")
            for a, v in enumerate(row)
        ]
        cells.append(f"{' '.join(f'{t:>6}' for t in texts):>21}")
    return "".join(cells)
