"""``gracelstm demo``: files in, filled series out, on a simulated twin archive."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.cli.commands import say
from gracelstm_xr.errors import GraceError
from gracelstm_xr.evaluation.report import write_report
from gracelstm_xr.evaluation.text import score_table

__all__ = ["demo"]

#: Size of the demonstration: about ten minutes on two cores.
MISSION = "grace"
START = "2008-01-01"
DAYS = 12
#: Gap lengths of the printed table [s]; all are in the report.
SHOWN = (60.0, 300.0, 1800.0, 10_800.0)


def demo(arguments: Namespace) -> None:
    """``gracelstm demo``."""
    import gracelstm_xr as gx

    folder = Path(arguments.out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GraceError(f"{folder} is not empty; choose another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    progress = not arguments.quiet
    days = arguments.days or DAYS
    say(f"1/6 simulate {days} days of Level-1B files of both satellites")
    archive = gx.simulate_archive(
        folder / "archive",
        mission=MISSION,
        start=START,
        days=days,
        seed=arguments.seed,
        progress=progress,
    )
    say("2/6 read them into a Zarr store")
    store = folder / "grace.zarr"
    simulated = gx.open_archive(str(archive))
    simulated.attrs["title"] = f"Simulated {MISSION.upper()} twin archive"
    simulated.grace.to_zarr(store, progress=progress)
    ds = gx.open_store(store)
    say(repr(ds.grace))
    say("3/6 train the network on the residuals of the baselines")
    model = ds.grace.fit(
        seed=arguments.seed,
        progress=progress,
        **({"epochs": arguments.epochs} if arguments.epochs else {}),
    )
    model.save(folder / "model.gracelstm")
    say("4/6 fill every gap and write netCDF")
    ds.grace.fill(model).grace.to_netcdf(folder / "filled.nc", progress=progress)
    say("5/6 hide observed spans it was not trained on, fill them, score every method")
    score = ds.grace.evaluate(model, seed=arguments.seed, progress=progress)
    write_report(score, model, folder / "report")
    say("6/6 draw")
    with xr.open_dataset(folder / "filled.nc") as filled:
        _draw(filled, folder)
    say("")
    say("Simulated data; errors against hidden observations:")
    shown = [x for x in SHOWN if x in score["gap_length"].values]
    say(score_table(score.sel(gap_length=shown)))
    say(f"everything is in {folder}")


def _draw(ds: xr.Dataset, folder: Path) -> None:
    """Write the figures of the filled series."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from gracelstm_xr.gaps import find_gaps

    table = find_gaps(ds, min_length="10s")
    worst = (
        table.isel(gap=int(np.argmax(table["length"].values)))
        if table.sizes["gap"]
        else None
    )
    letter = str(
        ds["satellite"].values[-1] if worst is None else worst["satellite"].item()
    )
    day = str(ds["time"].values[0] if worst is None else worst["start"].values)[:10]
    figures: dict[str, Any] = {
        "series.png": ds.grace.plot.overview(satellite=letter, start=day, stop=day),
        "gaps.png": ds.grace.plot.gaps().figure,
        "spectrum.png": ds.grace.plot.spectrum(satellite=letter).figure,
    }
    if "position" in ds:
        track = ds.grace.plot.ground_track(satellite=letter, start=day, stop=day)
        figures["ground_track.png"] = track.figure
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=120)
        plt.close(figure)
