"""``gracelstm demo``: files in, filled series out, on a simulated twin archive."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.cli.commands import say
from gracelstm_xr.errors import GraceError, number_of
from gracelstm_xr.evaluate.report import check_report, write_report
from gracelstm_xr.evaluate.text import score_table
from gracelstm_xr.files import PROGRAM, check_output, writing

#: Size of the demonstration: ten to fifteen minutes on two cores.
MISSION = "grace"
START = "2008-01-01"
DAYS = 12
#: What is made.
STORE, MODEL, FILLED, REPORT = "grace.zarr", "model.gracelstm", "filled.nc", "report"
FIGURES = ("series.png", "gaps.png", "spectrum.png", "ground_track.png")
#: Gap lengths of the printed table [s]; all are in the report.
SHOWN = (60.0, 300.0, 1800.0, 10_800.0)


def demo(arguments: Namespace) -> None:
    """``gracelstm demo``."""
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.simulate.api import simulate_archive
    from gracelstm_xr.store.read import open_store

    folder, overwrite = Path(arguments.out), arguments.overwrite
    _check(folder, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    progress = not arguments.quiet
    days = arguments.days or DAYS
    say(f"1/6 simulate {number_of(days, 'day')} of Level-1B files of both satellites")
    archive = simulate_archive(
        folder / "archive",
        mission=MISSION,
        start=START,
        days=days,
        seed=arguments.seed,
        overwrite=overwrite,
        progress=progress,
    )
    say("2/6 read them into a Zarr store")
    store = folder / STORE
    simulated = open_archive(str(archive))
    simulated.attrs["title"] = f"Simulated {MISSION.upper()} twin archive"
    mode = "w" if overwrite else "w-"
    simulated.grace.to_zarr(store, mode=mode, progress=progress)
    ds = open_store(store)
    say(repr(ds.grace))
    say("3/6 train the network on the residuals of the baselines")
    model = ds.grace.fit(
        seed=arguments.seed,
        progress=progress,
        **({"epochs": arguments.epochs} if arguments.epochs else {}),
    )
    model.save(folder / MODEL, overwrite=overwrite)
    say("4/6 fill every gap and write netCDF")
    filled = ds.grace.fill(model)
    filled.grace.to_netcdf(folder / FILLED, overwrite=overwrite, progress=progress)
    say("5/6 hide observed spans it was not trained on, fill them, score every method")
    score = ds.grace.evaluate(model, seed=arguments.seed, progress=progress)
    write_report(score, model, folder / REPORT, overwrite=overwrite)
    say("6/6 draw")
    with xr.open_dataset(folder / FILLED) as filled:
        _draw(filled, folder)
    say("")
    say("Simulated data; errors against hidden observations:")
    shown = [x for x in SHOWN if x in score["gap_length"].values]
    say(score_table(score.sel(gap_length=shown)))
    say(f"everything is in {folder}")


def _check(folder: Path, *, overwrite: bool) -> None:
    """Refuse, before the first of many minutes, what may not be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not overwrite):
        raise GraceError(
            f"{folder} is not empty; choose another folder with --out, or --overwrite"
        )
    check_report(folder / REPORT, overwrite=overwrite)
    kinds = {STORE: "store", MODEL: "model", FILLED: "netCDF file"}
    for name, kind in (kinds | dict.fromkeys(FIGURES, "figure")).items():
        check_output(folder / name, overwrite=overwrite, kinds=(kind,))


def _draw(ds: xr.Dataset, folder: Path) -> None:
    """Write the figures of the filled series."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from gracelstm_xr.preprocess.gaps import find_gaps

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
    figures: list[Any] = [
        ds.grace.plot.overview(satellite=letter, start=day, stop=day),
        ds.grace.plot.gaps().figure,
        ds.grace.plot.spectrum(satellite=letter).figure,
    ]
    if "position" in ds:
        track = ds.grace.plot.ground_track(satellite=letter, start=day, stop=day)
        figures.append(track.figure)
    for name, figure in zip(FIGURES, figures, strict=False):
        with writing(folder / name, replace=True) as work:
            figure.savefig(work, format="png", dpi=120, metadata={"Software": PROGRAM})
        plt.close(figure)
