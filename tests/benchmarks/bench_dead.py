"""A recipient whose instrument is dead: errors by days since its last sample.

    python tests/benchmarks/bench_dead.py [--alive 20] [--dead 10] [--seeds 1]
        [--missions grace grace-fo] [--network] [--begin]

Archives of both missions are simulated; the second satellite is dead for the last days
(with ``--begin`` the first). RMS of x y z in nm s-2 after a straight line every 6 h is
taken out, as a gravity solver estimates the bias, raw in brackets, and the share of the
raw errors of all axes within one and two sigma.

Methods: a plain transplant (lag, half a turn, scale, bias, drift) fitted to the five
days beside the dead ones; ``ds.grace.transplant()``; ``ds.grace.fill(model)``. Without
``--network`` the fit has one too small to be used, and takes a minute.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

Array = npt.NDArray[np.float64]

STARTS = {"grace": "2007-03-01", "grace-fo": "2022-06-01"}
DAY = 86_400
#: Between the samples that are compared [s], and time that a line is fitted to [s].
STEP, ARC = 10, 21_600
#: Days of the plain transplant beside the dead ones.
PLAIN = 5
#: Bounds of the stretches in the table, days since the last sample.
SINCE = (0, 1, 3, 7, 10, 20, 30)
#: A network too small to be used.
NONE = {"epochs": 1, "windows_per_epoch": 64, "units": 4, "hindcasts": 0}


def without_lines(errors: Array) -> Array:
    """Errors (n, 3) every `STEP` seconds without a straight line per `ARC`."""
    result = np.full(errors.shape, np.nan)
    size = ARC // STEP
    for first in range(0, len(errors), size):
        part = errors[first : first + size]
        clock = np.arange(len(part)) / size
        for k in range(3):
            known = np.isfinite(part[:, k])
            if known.sum() > size // 10:
                line = np.polynomial.Polynomial.fit(clock[known], part[known, k], 1)
                result[first : first + size, k] = part[:, k] - line(clock)
    return result


def rms(errors: Array) -> Array:
    """Root of the mean square per axis [nm s-2]."""
    return np.asarray(1e9 * np.sqrt(np.nanmean(errors**2, axis=0)))


def estimates(ds: xr.Dataset, dead: slice, *, network: bool) -> Iterator[xr.Dataset]:
    """Plain transplant, transplant and fill of the second satellite, lazy."""
    letter = str(ds["satellite"].values[-1])
    days = ds.sizes["time"] // DAY
    past = dead.stop // DAY
    near = slice(max(dead.start // DAY - PLAIN, 0), min(past + PLAIN, days))
    beside = ds.isel(time=slice(near.start * DAY, near.stop * DAY))
    both = ["lin_accl_transplant", "lin_accl_transplant_sigma"]
    plain = {"thrusters": False, "attitude": False, "place": False}
    yield beside.grace.transplant(recipient=letter, **plain)[both]
    yield ds.grace.transplant(recipient=letter)[both]
    model = ds.grace.fit(recipient=letter, **({} if network else NONE))
    filled = ds.grace.fill(model)[["lin_accl_filled", "lin_accl_filled_sigma"]]
    yield filled.sel(satellite=letter)


def one_archive(
    mission: str, seed: int, alive: int, dead: int, *, network: bool, begin: bool
) -> list[str]:
    """Rows of the table."""
    from gracelstm_xr import open_archive
    from gracelstm_xr.simulate import simulate_archive

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        simulate_archive(
            folder, mission=mission, start=STARTS[mission], days=alive + dead,
            seed=seed, gaps=None, layout="files",
        )  # fmt: skip
        ds = open_archive(folder)
        second = xr.DataArray(np.arange(2) == 1, dims="satellite")
        where = slice(0, dead * DAY) if begin else slice(alive * DAY, None)
        where = slice(*where.indices(ds.sizes["time"]))
        inside = np.zeros(ds.sizes["time"], dtype=bool)
        inside[where] = True
        hidden = xr.DataArray(inside, dims="time").chunk(time=DAY) & second
        truth = (
            ds["lin_accl"]
            .isel(satellite=-1, time=where)
            .isel(time=slice(None, None, STEP))
        )
        truth = truth.transpose("time", "axis").load()
        seen = ds.assign(lin_accl=ds["lin_accl"].where(~hidden))
        names = ("plain transplant", "transplant()", "fill(model)")
        made = estimates(seen, where, network=network)
        for name, series in zip(names, made, strict=True):
            one = series.sel(time=truth["time"]).transpose("time", "axis").compute()
            values = [one[v].values for v in one.data_vars]
            rows.append(f"| {mission} {seed} | {name} {row(values, truth, begin)}")
            print(rows[-1], flush=True)
    return rows


def row(values: list[Array], truth: xr.DataArray, begin: bool) -> str:
    """One row: a cell per stretch of days since (until) the last (first) sample."""
    wrong = values[0] - truth.values
    clean = without_lines(wrong)
    if begin:
        wrong, clean, values = wrong[::-1], clean[::-1], [v[::-1] for v in values]
    cells = []
    for first, last in itertools.pairwise(SINCE):
        part = slice(first * DAY // STEP, last * DAY // STEP)
        if len(wrong[part]) == 0:
            break
        cell = " ".join(f"{v:.2f}" for v in rms(clean[part]))
        cell += " (" + " ".join(f"{v:.1f}" for v in rms(wrong[part])) + ")"
        share = [np.abs(wrong[part]) <= n * values[1][part] for n in (1, 2)]
        cell += " " + " ".join(f"{100 * s.mean():.0f}" for s in share) + " %"
        cells.append(cell)
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the rows, archive by archive."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--alive", type=int, default=20)
    parser.add_argument("--dead", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--missions", nargs="+", default=[*STARTS], choices=STARTS)
    parser.add_argument("--network", action="store_true")
    parser.add_argument("--begin", action="store_true")
    given = parser.parse_args()
    for mission in given.missions:
        for seed in range(given.seeds):
            one_archive(
                mission, seed, given.alive, given.dead,
                network=given.network, begin=given.begin,
            )  # fmt: skip


if __name__ == "__main__":
    main()
