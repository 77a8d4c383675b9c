"""How good a transplant is: simple, with thrusters and attitude, remove-restore.

``python tests/benchmarks/bench_transplant.py [DAYS [SEEDS]]`` prints the tables of
docs/explanation/transplant.md; all data are simulated. Spans of 10 min to 3 h of the
second satellite are hidden, transplanted, and compared with what it would have
observed.
"""

from __future__ import annotations

import sys
import tempfile
import time

import numpy as np
import xarray as xr

from gracelstm_xr import open_archive
from gracelstm_xr.baselines.transplant import transplant
from gracelstm_xr.simulate import atmosphere, open_truth, simulate_archive
from gracelstm_xr.simulate.config import Scenario, day_number

MISSIONS = {"grace": "2008-01-01", "grace-fo": "2019-05-01"}
LEVELS = {"quiet": 70.0, "active": 110.0, "storm": 150.0}
#: Hidden spans [s].
LENGTHS = (600, 1800, 3600, 10_800)
NAMES = ["lin_accl", "position", "velocity", "quaternion", "thruster_on_time"]


def activity(scenario: Scenario, factor: float) -> dict[str, xr.DataArray]:
    """F10.7 and ap of the simulation, times a factor."""
    first = day_number(scenario.start)
    day = np.repeat(np.arange(first - 4, first + scenario.days + 2), 8)
    hours = np.tile(np.arange(0.0, 86_400.0, 10_800.0), len(day) // 8)
    pairs = zip(day.tolist(), hours.reshape(-1, 1), strict=True)
    values = [
        (
            atmosphere.solar_flux(scenario, d, h)[0][0],
            atmosphere.ap_index(scenario, d, h)[0],
        )
        for d, h in pairs
    ]
    stamps = np.datetime64("2000-01-01", "ns") + np.array(
        1e9 * (86_400.0 * day + hours), dtype="timedelta64[ns]"
    )
    coords = {"time": stamps}
    series = [xr.DataArray(v, dims="time", coords=coords) for v in np.array(values).T]
    return {
        "f107": (series[0] * factor).clip(60.0, 400.0),
        "ap": (series[1] * factor).clip(0.0, 400.0),
    }


def options(scenario: Scenario) -> dict[str, dict[str, object]]:
    """Ways to transplant."""
    restore = {"force_model": "remove-restore"}
    return {
        "simple": {"thrusters": False, "attitude": False, "place": False},
        "full": {},
        "remove-restore": {**restore, **activity(scenario, 1.0)},
        "F10.7, ap +30 %": {**restore, **activity(scenario, 1.3)},
        "F10.7, ap -30 %": {**restore, **activity(scenario, 0.7)},
    }


def one_case(mission: str, level: str, seed: int, days: int) -> xr.Dataset:
    """Errors of every method over the hidden spans of one archive."""
    with tempfile.TemporaryDirectory() as folder:
        simulate_archive(
            folder, mission=mission, start=MISSIONS[mission], days=days, seed=seed,
            storm=level, solar_flux=LEVELS[level], gaps=None, layout="files",
        )  # fmt: skip
        ds = open_archive(folder)[NAMES].load()
        truth = open_truth(folder).load()
    scenario = Scenario.from_json(truth.attrs["simulation"])
    rng = np.random.default_rng(seed)
    out = np.zeros(ds.sizes["time"], dtype=bool)
    while out.mean() < 0.12:
        length = int(rng.choice(LENGTHS))
        first = int(rng.integers(1000, ds.sizes["time"] - length - 1000))
        out[first : first + length] = True
    values = ds["lin_accl"].values.copy()
    values[1, out] = np.nan
    ds = ds.assign(lin_accl=(ds["lin_accl"].dims, values))
    fired = ds["thruster_on_time"].values[1, :, :12].any(axis=1)
    near = np.convolve(fired, np.ones(61), mode="same") > 0
    found = []
    for how in options(scenario).values():
        begun = time.process_time()
        made = transplant(ds, **how).compute(scheduler="sync")  # type: ignore[arg-type]
        spent = (time.process_time() - begun) / days
        wrong = made["lin_accl_transplant"].values - truth["lin_accl"].values[1]
        covered = np.abs(wrong) < made["lin_accl_transplant_sigma"].values
        found.append(_scores(wrong, covered, out, near, spent))
    return xr.concat(found, dim="method").assign_coords(method=[*options(scenario)])


def _scores(
    wrong: np.ndarray,
    covered: np.ndarray,
    out: np.ndarray,
    near: np.ndarray,
    spent: float,
) -> xr.Dataset:
    parts = {"all": out, "firing": out & near, "rest": out & ~near}
    good = np.isfinite(wrong).all(axis=1)
    square = np.stack([np.mean(wrong[m & good] ** 2, axis=0) for m in parts.values()])
    share = np.stack([covered[m & good].mean(axis=0) for m in parts.values()])
    return xr.Dataset(
        {
            "square": (("part", "axis"), square),
            "coverage": (("part", "axis"), share),
            "seconds": ((), spent),
        },
        coords={"part": list(parts), "axis": list("xyz")},
    )


def measure(days: int, seeds: int, missions: list[str] | None = None) -> xr.Dataset:
    """Mean squares and coverages by mission, level and method, over the seeds."""
    rows = []
    for mission in missions or list(MISSIONS):
        levels = []
        for level in LEVELS:
            cases = [one_case(mission, level, 10 + s, days) for s in range(seeds)]
            levels.append(xr.concat(cases, dim="seed").mean("seed"))
            print(f"  {mission} {level} done", file=sys.stderr, flush=True)
        rows.append(xr.concat(levels, dim="level").assign_coords(level=[*LEVELS]))
    return xr.concat(rows, dim="mission").assign_coords(
        mission=missions or list(MISSIONS)
    )


def table(scores: xr.Dataset) -> str:
    """Markdown table: RMS x y z in nm s-2, and share within sigma."""
    lines = [
        "| mission, days | method | all | firing | rest | within sigma |",
        "|---|---|---|---|---|---|",
    ]
    for mission in scores["mission"].values:
        for level in scores["level"].values:
            for method in scores["method"].values:
                # the keyword method of sel means something else
                one = scores.sel({"mission": mission, "level": level, "method": method})
                cells = [
                    " ".join(
                        f"{1e9 * v:.2f}" for v in np.sqrt(one["square"].sel(part=p))
                    )
                    for p in ("all", "firing", "rest")
                ]
                share = " ".join(f"{v:.2f}" for v in one["coverage"].sel(part="all"))
                lines.append(
                    f"| {mission}, {level} | {method} | {' | '.join(cells)} | {share} |"
                )
    spent = scores["seconds"].mean(("mission", "level"))
    pairs = zip(spent["method"].values, spent.values, strict=True)
    said = ", ".join(f"{method} {seconds:.2f}" for method, seconds in pairs)
    lines += ["", f"CPU seconds per day: {said}"]
    return "\n".join(lines)


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:3]]
    print(table(measure(*(arguments + [3, 3][len(arguments) :]))))
