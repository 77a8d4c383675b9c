"""Fit and fill on one real hour: satellite B from satellite A, x axis.

The only real accelerations of both satellites at hand are those of a published
figure: lin_accl_x of 2005-05-30, 00:00-01:00 GPS, a geomagnetic storm, digitised with
a reading noise of about 0.4 nm s-2 (Darbeheshti and Moradi 2023, arXiv:2308.08621).
There is no orbit: the lag comes from cross-correlation.

First the published table of simple methods is made again by its own protocol, at every
position a gap can take. Then gaps of 60-600 s are hidden from B; for each set of gaps
everything is fitted again without the hidden samples, and every method fills.

    python recipes/real_hour.py FILE.csv
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import gracelstm_xr  # noqa: F401  (registers ds.grace)

START = np.datetime64("2005-05-30T00:00:00", "ns")
STEP = 5.0
#: Gap lengths [s], and how many gaps are hidden at a time.
TOGETHER = {60: 8, 120: 4, 300: 2, 600: 1}
#: First and last second that may be hidden, and the stretch in between where the
#: donor's own reading is missing, behind the figure's legend.
FIRST, LAST, LEGEND = 200, 3500, (1500, 2130)
METHODS = ("linear", "cubic", "transplant", "tracked", "lstm", "best")


#: Published RMS errors of the protocol below [nm s-2], by gap length [s].
PUBLISHED = {
    30: (8.4, 3.1, 1.05, 1.8, 1.2),
    60: (12.8, 7.1, 4.3, 1.9, 1.5),
    300: (26.5, 15.5, 25.4, 2.0, 2.1),
    600: (28.2, 20.6, 40.5, 2.0, 2.3),
}
SIMPLE = ("hold", "linear", "cubic", "transplant", "+ offsets")
#: The protocol: lag [s]; time left out at both ends of the hour [s]; readings on
#: either side of a gap that must exist, and whose misfit is the offset at that edge.
#: The last two are not published: a search over many values found them to reproduce the
#: table. Untrimmed and with one reading the transplant leaves 1.8-2.0 nm s-2, and
#: offsets change by up to 0.24, hold, linear and cubic by up to 4.5, 1.3 and 4.2.
LAG, TRIM, EDGE = -21.2, 210.0, 3


def read_columns(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Seconds of the day and lin_accl_x of A and B as read [m s-2]."""
    table = pd.read_csv(path, comment="#")
    clock, *columns = table.columns
    series = {
        letter: table[next(c for c in columns if c.upper().endswith(f"_{letter}"))]
        for letter in "AB"
    }
    return table[clock].to_numpy(), {k: v.to_numpy() for k, v in series.items()}


def protocol(path: Path, length: float) -> tuple[float, ...]:
    """RMS error [nm s-2] of five methods over all positions of a gap.

    Hold, line and cubic (two readings on either side) come from the edges; for the
    transplant, scale, bias and drift are fitted to all of the hour outside the gap,
    donor readings interpolated linearly at the lag; edge offsets are the mean misfits
    of the readings on either side, taken off along a straight line.
    """
    t, series = read_columns(path)
    own = series["B"] * 1e9
    known = np.isfinite(series["A"])
    donor = np.interp(t + LAG, t[known], series["A"][known] * 1e9)
    there = np.interp(t + LAG, t, known.astype(float), left=0.0, right=0.0) == 1.0
    terms = np.stack([donor, np.ones(len(t)), t / 3600.0], axis=1)
    size = round(length / np.diff(t).mean())
    errors = []
    for first in range(EDGE, len(t) - size - EDGE):
        past = first + size
        inside = t[first] >= TRIM and t[past] <= 3600.0 - TRIM
        if inside and there[first - EDGE : past + EDGE].all():
            errors.append(gap_errors(t, own, terms, there, slice(first, past)))
    return tuple(np.sqrt(np.mean(np.stack(errors) ** 2, axis=(0, 2))))


def gap_errors(
    t: np.ndarray, own: np.ndarray, terms: np.ndarray, there: np.ndarray, gap: slice
) -> np.ndarray:
    """Errors of the five methods in one gap, shape (5, n)."""
    first, past, when = gap.start, gap.stop, t[gap]
    near = np.array([first - 2, first - 1, past, past + 1])
    cubic = np.polyval(np.polyfit(t[near] - t[first], own[near], 3), when - t[first])
    use = there.copy()
    use[gap] = False
    fitted = terms @ np.linalg.lstsq(terms[use], own[use], rcond=None)[0]
    sides = slice(first - EDGE, first), slice(past, past + EDGE)
    offsets = [(fitted - own)[side].mean() for side in sides]
    ramp = np.interp(when, [t[side].mean() for side in sides], offsets)
    line = np.interp(when, t[[first - 1, past]], own[[first - 1, past]])
    hold = np.full(len(when), own[first - 1])
    estimates = [hold, line, cubic, fitted[gap], fitted[gap] - ramp]
    return np.stack(estimates) - own[gap]


def print_protocol(path: Path) -> float:
    """Print the published table beside this one; the largest difference."""
    print("Real data, all positions of a gap: RMS error [nm s-2], (published)")
    print(f"{'gap':>6}" + "".join(f"{name:>16}" for name in SIMPLE))
    worst = 0.0
    for length, published in PUBLISHED.items():
        found = protocol(path, length)
        pairs = zip(found, published, strict=True)
        print(f"{length:4d} s" + "".join(f"{a:9.2f} ({b:4.4g})" for a, b in pairs))
        worst = max(worst, *np.abs(np.subtract(found, published)))
    print(f"largest difference {worst:.2f}\n", flush=True)
    return worst


def read_hour(path: Path) -> xr.Dataset:
    """Digitised series on a regular 5 s axis, x only; empty readings are missing."""
    clock, series = read_columns(path)
    seconds = np.arange(0.0, 3600.0, STEP)
    values = np.full((2, len(seconds), 3), np.nan)
    for i, readings in enumerate(series.values()):
        t, x = clock[np.isfinite(readings)], readings[np.isfinite(readings)]
        near = np.abs(seconds[:, None] - t[None, :]).min(axis=1) <= STEP
        values[i, near, 0] = np.interp(seconds[near], t, x)
    time = START + (seconds * 1e9).astype("timedelta64[ns]")
    return xr.Dataset(
        {"lin_accl": (("satellite", "time", "axis"), values, {"units": "m s-2"})},
        coords={"satellite": ["A", "B"], "time": time, "axis": ["x", "y", "z"]},
        attrs={"source": "real: digitised from a published figure, 2005-05-30"},
    )


def plan(length: int) -> list[tuple[int, ...]]:
    """Starts of gaps, half a length apart or closer, in sets hidden together."""
    every = range(FIRST, LAST - length + 1, min(length // 2, 100))
    starts = [s for s in every if s + length <= LEGEND[0] or s >= LEGEND[1]]
    # every n-th start of the list: far apart within a set
    sets = -(-len(starts) // TOGETHER[length])
    return [tuple(starts[k::sets]) for k in range(sets)]


def fill_errors(ds: xr.Dataset, length: int, starts: tuple[int, ...]) -> dict:
    """Hide gaps of B, fit on what is left, fill by every method: errors in nm s-2."""
    masked = ds.copy(deep=True)
    hidden = np.zeros(ds.sizes["time"], dtype=bool)
    for start in starts:
        hidden[int(start / STEP) : int((start + length) / STEP)] = True
    masked["lin_accl"].loc[{"satellite": "B"}] = (
        ds["lin_accl"].sel(satellite="B").where(~xr.DataArray(hidden, dims="time"))
    )
    # an hour is short: half of it trains, half chooses the method
    model = masked.grace.fit(
        recipient="B", train=0.5, validation=0.49, embargo=30, window=48, epochs=2,
        windows_per_epoch=512, longest_gap=600,
    )  # fmt: skip
    truth = ds["lin_accl"].sel(satellite="B", axis="x").values[hidden]
    result = {}
    for method in METHODS:
        choice = None if method == "best" else method
        filled = masked.grace.fill(model, method=choice)["lin_accl_filled"]
        value = filled.sel(satellite="B", axis="x").values[hidden]
        result[method] = 1e9 * (value - truth)
    result["lag"] = model.recipients["B"].pair.lag
    return result


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="digitised hour, CSV")
    parser.add_argument("--lengths", type=int, nargs="*", default=list(TOGETHER))
    parser.add_argument("--most", type=int, help="sets of gaps per length; default all")
    options = parser.parse_args(argv)
    if not options.file.exists():
        print(
            f"found no file {options.file}, expected the digitised hour: give its path"
        )
        return 1
    worst = print_protocol(options.file)
    ds = read_hour(options.file)
    print("Real data (digitised figure), x axis, A to B: RMS error in gaps [nm s-2]")
    print(f"{'gap':>6} {'lag [s]':>8}" + "".join(f"{m:>12}" for m in METHODS))
    table, most = {}, options.most
    for length in options.lengths:
        runs = [fill_errors(ds, length, starts) for starts in plan(length)[:most]]
        table[length] = {
            m: float(np.sqrt(np.nanmean(np.concatenate([r[m] for r in runs]) ** 2)))
            for m in METHODS
        }
        lag = np.mean([r["lag"] for r in runs])
        row = "".join(f"{table[length][m]:12.2f}" for m in METHODS)
        print(f"{length:4d} s {lag:8.2f}{row}", flush=True)
    return check(table, worst)


def check(table: dict[int, dict[str, float]], worst: float) -> int:
    """Own check: the published table is met; the twin beats interpolation if long."""
    long = [row for length, row in table.items() if length >= 300]
    bad = [row for row in long if row["best"] > min(row["linear"], row["cubic"])]
    if bad or worst > 0.2:
        print("check failed: " + ("interpolation was better" if bad else "other table"))
        return 1
    print("check passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
