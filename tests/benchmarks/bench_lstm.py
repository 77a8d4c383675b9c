"""The network beside all baselines, on simulated archives: the tables of the docs.

    python tests/benchmarks/bench_lstm.py OUT [--workers 2] [--archives DIR] [--single]
    python tests/benchmarks/bench_lstm.py OUT --seconds

Both missions, quiet and active, three seeds: simulate 20 days (or open the store
DIR/mission-regime-seed.zarr), ``fit()`` with its defaults, hide gaps in the test span,
fill them by every method. Every archive is done in a process of its own and kept in
OUT as JSON, so that a second call does only what is missing; the Markdown tables are
printed at the end, from whatever is there. With ``--single`` the second satellite is
alone, without its twin; with ``--seconds`` the same models fill gaps of 10 s to 5 min
at other positions. Everything is simulated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.baselines.base import BASELINES

#: Start of the archive by mission: fixed, so that the table can be made again.
STARTS = {"grace": "2008-01-01", "grace-fo": "2019-05-01"}
#: Gap lengths of the tables [s]: 1 min to a day, 5640 s is one revolution.
LENGTHS = (60.0, 300.0, 600.0, 1800.0, 5640.0, 10_800.0, 43_200.0, 86_400.0)
#: Gap lengths [s], gaps of each and seed of their positions with ``--seconds``.
SECONDS, MANY, OTHER = (10.0, 20.0, 30.0, 60.0, 300.0), 30, 5
#: What the averages are taken over, by their name [s].
RANGES = {
    "1-5 min": (60.0, 300.0),
    "10 min-3 h": (600.0, 10_800.0),
    "12 h-1 d": (43_200.0, 86_400.0),
}
#: Methods that are judged: the network, what it starts from, and what fill() puts.
JUDGED = ("tracked", "bridge", "lstm", "tracked_single", "lstm_single", "fill")
#: What a single satellite without its twin has to beat.
RIVALS = ("harmonic", "previous_orbit")
#: Variables that say how many threads a process may use.
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
REGIMES = ("all", "no firing", "firing")


def names(options: argparse.Namespace) -> list[str]:
    """Archives asked for, as mission-regime-seed."""
    return [
        f"{mission}-{regime}-{seed}"
        for mission in options.missions
        for regime in options.regimes
        for seed in options.seeds
    ]


def opened(name: str, options: argparse.Namespace) -> xr.Dataset:
    """The store of that name, simulated into OUT where there is none."""
    import gracelstm_xr as gx

    mission, regime, seed = name.rsplit("-", 2)
    folder = Path(options.archives or options.out / "archives")
    store = folder / f"{name}.zarr"
    if not store.exists():
        if options.archives is not None:
            raise SystemExit(f"found no {store}; expected the archive there")
        raw = options.out / "raw" / name
        gx.simulate_archive(
            raw, mission=mission, start=STARTS[mission], days=options.days,
            seed=int(seed), storm=regime, gaps=None, layout="files", truth=False,
        )  # fmt: skip
        gx.open_archive(str(raw)).grace.to_zarr(store)
    ds = gx.open_store(str(store))
    first = ds["time"].values[0]
    ds = ds.sel(
        time=slice(first, first + np.timedelta64(options.days * 86_400 - 1, "s"))
    )
    return ds.isel(satellite=[1]) if options.single else ds


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Hyperparameters of ``--fit name=value``, values as JSON."""
    pairs = (text.partition("=") for text in options.fit)
    return {name: json.loads(value) for name, _, value in pairs}


def result_of(name: str, options: argparse.Namespace) -> Path:
    """File of the result of one archive."""
    return options.out / f"{name}{'.seconds' if options.seconds else ''}.json"


def one(name: str, options: argparse.Namespace) -> None:
    """Fit and score one archive; write the result last."""
    import gracelstm_xr as gx

    ds = opened(name, options)
    model_file = options.out / f"{name}.gracelstm"
    timing_file = options.out / f"{name}.fit.json"
    if model_file.exists() and timing_file.exists():
        model = gx.load_model(model_file)
    else:
        started = time.monotonic()
        model = ds.grace.fit(**settings(options))
        seconds = time.monotonic() - started
        model.save(model_file)
        timing_file.write_text(json.dumps({"fit_seconds": seconds}))
    started = time.monotonic()
    asked = {"lengths": LENGTHS, "count": options.count, "seed": options.seed}
    if options.seconds:
        asked = {"lengths": SECONDS, "count": MANY, "seed": OTHER}
    path = result_of(name, options)
    score = ds.grace.evaluate(
        model, **asked, controls=False, keep=options.out / "parts" / path.stem
    )
    result = {
        **json.loads(timing_file.read_text()),
        "evaluate_seconds": time.monotonic() - started,
        "days": options.days,
        "single": options.single,
        "model": repr(model),
        "score": told(score),
    }
    work = path.with_name(f".{path.name}")
    work.write_text(json.dumps(result))
    work.replace(path)


def told(score: xr.Dataset) -> dict[str, Any]:
    """The parts of a score that the tables need, as plain values."""
    wanted = [
        "rms",
        "regime_rms",
        "regime_count",
        "coverage",
        "gap_count",
        "lstm_share",
    ]
    return score[[*wanted, "observation_noise"]].to_dict()


def everything(options: argparse.Namespace) -> None:
    """All archives that have no result yet, each in its own process."""
    open_ = [n for n in names(options) if not result_of(n, options).exists()]
    environment = dict(os.environ)
    if options.workers > 1:
        # processes side by side share the cores fairly only with one thread each
        environment |= dict.fromkeys(THREADS, "1")
    passed = [a for a in sys.argv[1:] if a != "--tables"]

    def start(name: str) -> None:
        begun = time.monotonic()
        command = [sys.executable, __file__, *passed, "--one", name]
        with (options.out / f"{name}.log").open("w") as log:
            code = subprocess.run(
                command, env=environment, stdout=log, stderr=log, check=False
            ).returncode
        text = "done" if code == 0 else f"failed ({code}), see {log.name}"
        print(f"{name}: {text}, {time.monotonic() - begun:.0f} s", file=sys.stderr)

    with ThreadPoolExecutor(options.workers) as pool:
        list(pool.map(start, open_))


def pooled(scores: Sequence[xr.Dataset]) -> xr.Dataset:
    """Mean squares over archives and satellites, as RMS; coverage as its mean."""
    flat = []
    for i, score in enumerate(scores):
        satellites = list(range(score.sizes["satellite"]))
        flat.append(score.assign_coords(satellite=[f"{i}-{s}" for s in satellites]))
    joined = xr.concat(flat, dim="satellite", join="outer", data_vars="all")
    square = np.sqrt((joined[["rms", "regime_rms"]] ** 2).mean("satellite"))
    square["coverage"] = joined["coverage"].mean("satellite")
    square["lstm_share"] = joined["lstm_share"].mean("satellite")
    square["gap_count"] = joined["gap_count"].sum("satellite")
    square["observation_noise"] = scores[0]["observation_noise"]
    return square


def errors_of(table: xr.Dataset, regime: str) -> xr.DataArray:
    """RMS (method, axis, gap_length) of a regime [nm s-2]."""
    values = table["rms"] if regime == "all" else table["regime_rms"].sel(regime=regime)
    return values.transpose("method", "axis", "gap_length") * 1e9


def best_of(errors: xr.DataArray) -> tuple[xr.DataArray, np.ndarray]:
    """Smallest error of all baselines, and whose it is."""
    others = [m for m in errors["method"].values if m in BASELINES]
    part = errors.sel({"method": others})
    filled = np.where(np.isfinite(part.values), part.values, np.inf)
    return part.min("method"), np.array(others)[filled.argmin(axis=0)]


def rows(table: xr.Dataset, regime: str, single: bool) -> Iterator[str]:
    """Markdown table of one group: a row per length and axis."""
    errors = errors_of(table, regime)
    best, who = best_of(errors)
    judged = [m for m in JUDGED if m in errors["method"].values]
    if not single:
        judged = [m for m in judged if not m.endswith("_single")]
    known = table["observation_noise"] * 1e9
    yield (
        "| gap | gaps | axis | best baseline | "
        + " | ".join(judged)
        + (" | fill / best | fill / noise | 68 % | 95 % | by LSTM |")
    )
    yield "|---" * (9 + len(judged)) + "|"
    for x, length in enumerate(errors["gap_length"].values):
        for k, axis in enumerate("xyz"):
            cell = errors.isel(axis=k, gap_length=x)
            fill = float(cell.sel({"method": "fill"}))
            cover = table["coverage"].isel(axis=k, gap_length=x).values
            share = float(table["lstm_share"].isel(axis=k, gap_length=x))
            columns = [
                duration(float(length)),
                str(int(table["gap_count"].values[x])),
                axis,
                f"{float(best.values[k, x]):.2f} {who[k, x]}",
                *(f"{float(cell.sel({'method': m})):.2f}" for m in judged),
                f"{fill / float(best.values[k, x]):.2f}",
                f"{fill / float(known[k]):.1f}",
                *(f"{100 * c:.0f}" for c in cover),
                f"{100 * share:.0f} %",
            ]
            yield "| " + " | ".join(columns) + " |"


def averages(groups: dict[str, xr.Dataset], regime: str) -> Iterator[str]:
    """Markdown table of ratios to the best baseline, averaged as the goals ask."""
    yield "| gaps | lstm | fill | fill x | fill y | fill z | worst axis and length |"
    yield "|---|---|---|---|---|---|---|"
    for name, (low, high) in RANGES.items():
        found: dict[str, list[np.ndarray]] = {"lstm": [], "fill": []}
        for table in groups.values():
            errors = errors_of(table, regime)
            lengths = errors["gap_length"].values
            errors = errors.isel(gap_length=(lengths >= low) & (lengths <= high))
            if errors.sizes["gap_length"] == 0:
                continue
            best = best_of(errors)[0].values
            for method, list_ in found.items():
                list_.append(errors.sel({"method": method}).values / best)
        if not found["fill"]:
            continue
        ratio = {k: np.stack(v) for k, v in found.items()}  # (group, axis, length)
        axes = np.nanmean(ratio["fill"], axis=(0, 2))
        yield (
            f"| {name} | {np.nanmean(ratio['lstm']):.2f} | "
            f"{np.nanmean(ratio['fill']):.2f} | "
            + " | ".join(f"{v:.2f}" for v in axes)
            + f" | {np.nanmax(ratio['fill']):.2f} |"
        )


def covered(groups: dict[str, xr.Dataset]) -> Iterator[str]:
    """Markdown table of the coverage of sigma by length, mean of axes and groups."""
    lengths = next(iter(groups.values()))["gap_length"].values
    yield "| within | " + " | ".join(duration(float(x)) for x in lengths) + " |"
    yield "|---" * (len(lengths) + 1) + "|"
    found = xr.concat([t["coverage"] for t in groups.values()], dim="group")
    for level in found["level"].values:
        part = found.sel(level=level).mean(("group", "axis")).values
        cells = " | ".join(f"{100 * c:.0f} %" for c in part)
        yield f"| {100 * level:.0f} % sigma | {cells} |"


def alone(groups: dict[str, xr.Dataset]) -> Iterator[str]:
    """Markdown table: the single track over the better of its two rivals."""
    lengths = next(iter(groups.values()))["gap_length"].values
    yield "| archives, axis | " + " | ".join(duration(float(x)) for x in lengths) + " |"
    yield "|---" * (len(lengths) + 1) + "|"
    for name, table in groups.items():
        errors = errors_of(table, "all")
        best = errors.sel({"method": list(RIVALS)}).min("method")
        ratio = (errors.sel({"method": "lstm_single"}) / best).values
        for k, axis in enumerate("xyz"):
            cells = " | ".join(f"{v:.2f}" for v in ratio[k])
            yield f"| {name}, {axis} | {cells} |"


def against(groups: dict[str, xr.Dataset]) -> Iterator[str]:
    """Ratios to the two methods a single satellite has to beat."""
    yield "| gap | axis | " + " | ".join(f"fill / {r}" for r in RIVALS) + " |"
    yield "|---|---|---|---|"
    lengths = next(iter(groups.values()))["gap_length"].values
    for x, length in enumerate(lengths):
        for k, axis in enumerate("xyz"):
            cells = []
            for rival in RIVALS:
                ratio = [
                    float(e.sel({"method": "fill"})) / float(e.sel({"method": rival}))
                    for e in (
                        errors_of(t, "all").isel(axis=k, gap_length=x)
                        for t in groups.values()
                    )
                ]
                cells.append(f"{np.nanmean(ratio):.2f}")
            yield f"| {duration(float(length))} | {axis} | " + " | ".join(cells) + " |"


def duration(seconds: float) -> str:
    """Gap length in its natural unit."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def tables(options: argparse.Namespace) -> Iterator[str]:
    """Everything that is printed, from the results in OUT."""
    groups: dict[str, xr.Dataset] = {}
    times: list[tuple[float, float]] = []
    for mission in options.missions:
        for regime in options.regimes:
            files = [
                result_of(f"{mission}-{regime}-{s}", options) for s in options.seeds
            ]
            found = [json.loads(f.read_text()) for f in files if f.exists()]
            if found:
                scores = [xr.Dataset.from_dict(f["score"]) for f in found]
                groups[f"{mission}, {regime}, {len(found)} seeds"] = pooled(scores)
                times += [(f["fit_seconds"], f["evaluate_seconds"]) for f in found]
    if not groups:
        yield "no results yet"
        return
    what = "single satellite, no twin" if options.single else "twin"
    fit, score = (max(column) for column in zip(*times, strict=True))
    yield (
        f"Simulated, {what}, {options.days} days, gaps in the test span. RMS in nm s-2 "
        f"over seeds and satellites; longest fit {fit:.0f} s, evaluation {score:.0f} s."
    )
    for regime in REGIMES:
        if regime != "all" and any("regime_rms" not in t for t in groups.values()):
            continue
        if all(
            regime == "all" or regime in t["regime"].values for t in groups.values()
        ):
            yield f"\nRatio to the best baseline, mean, {epochs(regime)}\n"
            yield from averages(groups, regime)
    yield "\nErrors within sigma, mean\n"
    yield from covered(groups)
    if options.single:
        yield "\nRatio to harmonic and previous orbit, mean\n"
        yield from against(groups)
    else:
        yield "\n`lstm_single` over the better of harmonic and previous orbit\n"
        yield from alone(groups)
    for name, table in groups.items():
        for regime in REGIMES[:2]:
            yield f"\nSimulated {name}, {epochs(regime)}\n"
            yield from rows(table, regime, options.single)


def of_seconds(options: argparse.Namespace) -> Iterator[str]:
    """Markdown table of short gaps: over the best baseline per satellite, x y z."""
    files = [result_of(name, options) for name in names(options)]
    found = [json.loads(f.read_text())["score"] for f in files if f.exists()]
    scores = [xr.Dataset.from_dict(score) for score in found]
    yield f"Simulated, {len(scores)} archives, both satellites.\n"
    yield (
        "| gap | gaps | fill / best, geometric mean | fill / best, worst | "
        "worse, of satellites and axes | by at most [nm s-2] | 68 % | 95 % |"
    )
    yield "|---" * 8 + "|"
    for length in SECONDS if scores else ():
        fills, bests, covers, gaps = [], [], [], 0
        for score in scores:
            here = score.sel(gap_length=length)
            gaps += int(here["gap_count"].sum())
            rms = here["rms"].transpose("method", "satellite", "axis") * 1e9
            bests.append(best_of(rms)[0].values)
            fills.append(rms.sel({"method": "fill"}).values)
            covers.append(here["coverage"].transpose("level", "satellite", "axis"))
        fill, best = np.concatenate(fills), np.concatenate(bests)
        ratio = fill / best
        level = 100 * np.concatenate(covers, axis=1).mean(axis=1)
        worst = max(float((fill - best).max()), 0.0)
        cells = [
            duration(length),
            str(gaps),
            " ".join(f"{v:.2f}" for v in np.exp(np.log(ratio).mean(axis=0))),
            " ".join(f"{v:.2f}" for v in ratio.max(axis=0)),
            f"{int((ratio > 1).sum())} of {ratio.size}",
            f"{worst:.2f}",
            *(" ".join(f"{v:.0f}" for v in row) for row in level),
        ]
        yield "| " + " | ".join(cells) + " |"


def epochs(regime: str) -> str:
    """A regime in words."""
    return {"all": "all epochs", "firing": "thruster epochs"}.get(
        regime, "no thruster epochs"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Do what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the results")
    parser.add_argument("--missions", nargs="+", default=list(STARTS))
    parser.add_argument("--regimes", nargs="+", default=["quiet", "active"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--archives", type=Path, help="folder of ready stores")
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--count", type=int, default=10, help="gaps per length")
    parser.add_argument("--seed", type=int, default=0, help="of the gap positions")
    parser.add_argument("--fit", nargs="*", default=[], metavar="NAME=JSON")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--seconds", action="store_true")
    parser.add_argument("--tables", action="store_true", help="print, compute nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    options.out = options.out.absolute()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.one:
        one(options.one, options)
        return
    if not options.tables:
        everything(options)
    print("\n".join(of_seconds(options) if options.seconds else tables(options)))


if __name__ == "__main__":
    main()
