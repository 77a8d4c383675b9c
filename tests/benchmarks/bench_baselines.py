"""Errors of all baselines in hidden gaps of simulated archives, as one table.

    python tests/benchmarks/bench_baselines.py [--days 10] [--seeds 1 2]

Both missions, quiet and active; the last three days are scored, the days before (less
one of embargo) trained on. RMS error of the second satellite in nm s-2, axes x y z.
Everything is simulated. The Markdown it prints is that of
docs/explanation/baselines.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import xarray as xr

from gracelstm_xr.baselines.base import BASELINES, default_baselines
from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.filling.benchmark import GapErrors, gap_benchmark, join_errors
from gracelstm_xr.filling.hidden import GAP_LENGTHS
from gracelstm_xr.filling.recipient import Recipient
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.physics.frames import Frame, Pair

DAY = 86_400.0
#: Start of the archive by mission: fixed, so that the table can be made again.
STARTS = {"grace": "2008-01-01", "grace-fo": "2019-05-01"}
Errors = dict[str, np.ndarray]


def archive(mission: str, storm: str, seed: int, days: int, folder: Path) -> xr.Dataset:
    """Simulated days without gaps, opened lazily."""
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.simulate import simulate_archive

    path = folder / f"{mission}-{storm}-{seed}"
    simulate_archive(
        path, mission=mission, start=STARTS[mission], days=days, seed=seed,
        storm=storm, gaps=None, layout="files", truth=False,
    )  # fmt: skip
    return open_archive(path)


def no_windows(track: str, windows: np.ndarray) -> NoReturn:
    """Stand in for a network that no baseline asks."""
    raise RuntimeError(f"{len(windows)} windows of {track} for a baseline")


def whole_frame(ds: xr.Dataset) -> tuple[Frame, Pair]:
    """Native frame of the second satellite over the whole span."""
    from gracelstm_xr.physics.frames import build_frame, frame_inputs

    donor, own = (str(s) for s in ds["satellite"].values)
    mean = ds["lin_accl"].sel(satellite=donor).mean("time").values
    x, y, z = (float(v) for v in mean)
    pair = Pair(own, donor, (x, y, z))
    inputs = {k: v.load().values for k, v in frame_inputs(ds, pair).items()}
    first, step, size = gps_axis(ds)
    t = np.asarray(first + step * np.arange(size))
    return build_frame(t, inputs, pair), pair


def score(
    ds: xr.Dataset,
    *,
    test_days: float = 3.0,
    lengths: Sequence[float] = GAP_LENGTHS,
    count: int = 10,
    seed: int = 0,
    methods: Sequence[str] = BASELINES,
) -> GapErrors:
    """Errors of all baselines in gaps hidden in the last days."""
    frame, pair = whole_frame(ds)
    settings = Settings()
    stop = float(frame.t[-1]) + 1.0
    start = stop - test_days * DAY
    thin = frame.every(settings.step)[0]
    training = thin.t < start - min(DAY, test_days * DAY / 3)
    recipient = Recipient(
        pair,
        default_baselines([(thin, training)], names=methods),
        (),
        (True, True, True),
    )
    return gap_benchmark(
        frame, (start, stop), recipient, no_windows, settings,
        lengths=lengths, count=count, seed=seed, methods=set(methods),
    )  # fmt: skip


def rows(errors: GapErrors) -> Iterator[str]:
    """Markdown table: methods down, gap lengths across, x y z in a cell."""
    lengths = np.unique(errors.length)
    yield "| method | " + " | ".join(f"{_name(x)}" for x in lengths) + " |"
    yield "|---" * (len(lengths) + 1) + "|"
    for name in errors.errors:
        cells = [
            " ".join(_number(v * 1e9) for v in errors.rms(name, float(x)))
            for x in lengths
        ]
        yield f"| `{name}` | " + " | ".join(cells) + " |"


def _name(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 600 else f"{seconds / 60:g} min"


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Print one table per mission and level of activity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--missions", nargs="+", default=list(STARTS))
    parser.add_argument("--storms", nargs="+", default=["quiet", "active"])
    options = parser.parse_args(argv)
    for mission in options.missions:
        for storm in options.storms:
            parts = []
            for seed in options.seeds:
                with tempfile.TemporaryDirectory() as folder:
                    ds = archive(mission, storm, seed, options.days, Path(folder))
                    parts.append(score(ds, seed=seed))
            errors = join_errors(parts)
            seeds = ", ".join(map(str, options.seeds))
            print(f"\nSimulated {mission}, {storm}, seeds {seeds}\n")
            print("\n".join(rows(errors)), flush=True)


if __name__ == "__main__":
    main()
