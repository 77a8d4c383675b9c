"""What each command does: read arguments, call the API, say what came out."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from gracelstm_xr.cli.config import read_config
from gracelstm_xr.cli.told import fill_table, gap_table, open_series
from gracelstm_xr.cli.words import UsageError
from gracelstm_xr.core.labels import duration, time_slice
from gracelstm_xr.core.remote import is_url
from gracelstm_xr.errors import GraceError, GraceWarning, StoreError, number_of, visible
from gracelstm_xr.evaluate.text import score_table
from gracelstm_xr.files import (
    PROGRAM,
    check_output,
    check_sources,
    write_text,
    writing,
)
from gracelstm_xr.missions import mission_of


def say(text: str) -> None:
    """Write lines to standard output."""
    sys.stdout.write(visible(text) + "\n")
    sys.stdout.flush()


#: Days of a simulated archive that are compared with real data.
ANCHOR_DAYS = 10
#: Files that `ingest` names one by one; the manifest has all.
MOST_WARNINGS = 20


def simulate(arguments: Namespace) -> None:
    """``gracelstm simulate``."""
    from gracelstm_xr.simulate import (
        anchors,
        anchors_table,
        open_truth,
        simulate_archive,
    )

    folder = simulate_archive(
        arguments.out,
        mission=arguments.mission,
        start=arguments.start,
        days=arguments.days,
        seed=arguments.seed,
        storm=arguments.storm,
        solar_flux=arguments.solar_flux,
        altitude=arguments.altitude,
        separation=arguments.separation,
        overwrite=arguments.overwrite,
        progress=not arguments.quiet,
    )
    say(f"{number_of(arguments.days, 'simulated day')} in {folder}")
    say("How close the first days are to what is known of real data:")
    first = open_truth(folder).isel(time=slice(0, ANCHOR_DAYS * 86_400))
    say(anchors_table(anchors(first)))


def ingest(arguments: Namespace) -> int:
    """``gracelstm ingest``; 1 when a file could not be read."""
    from gracelstm_xr.compute import cluster
    from gracelstm_xr.core.summary import ingested
    from gracelstm_xr.store.ingest import ingest as put

    options: dict[str, Any] = {
        "start": arguments.start,
        "stop": arguments.stop,
        "strict": arguments.strict,
        "quantise": arguments.quantise,
        "mode": "w" if arguments.overwrite else "a",
        "progress": not arguments.quiet,
    }
    for name in ("products", "releases"):
        text = getattr(arguments, name)
        if text:
            options[name] = [part.strip() for part in text.split(",")]
    for name in ("satellites", "shard_days"):
        if (value := getattr(arguments, name)) is not None:
            options[name] = value
    with cluster.client(scheduler=arguments.scheduler, workers=arguments.workers):
        done = put(arguments.sources, arguments.store, **options)
    for problem in done.problems[:MOST_WARNINGS]:
        warnings.warn(problem, GraceWarning, stacklevel=2)
    say(ingested(done))
    return 1 if done.counts["unreadable_files"] else 0


def gaps(arguments: Namespace) -> None:
    """``gracelstm gaps``."""
    from gracelstm_xr.preprocess.gaps import find_gaps

    if arguments.csv:
        _check_file(arguments.csv)
        _check_free(arguments, arguments.csv, "table of gaps")
    with contextlib.ExitStack() as opened:
        table = find_gaps(open_series(arguments.store, opened)).to_dataframe()
    every = table[["satellite", "start", "stop", "length"]]
    shortest = duration(arguments.min_length, name="--min-length", zero=True)
    rows = every[every["length"] >= shortest]
    if arguments.csv:
        write_text(arguments.csv, rows.to_csv(index=False), replace=arguments.overwrite)
    shown = gap_table(rows)
    say(f"no gaps of {arguments.min_length} or longer" if rows.empty else shown)
    hidden = every[every["length"] < shortest]
    if len(hidden):
        say(
            f"not listed: {len(hidden)} shorter than {arguments.min_length}, "
            f"{hidden['length'].sum():g} s together; --min-length 1s lists all"
        )


def fit(arguments: Namespace) -> None:
    """``gracelstm fit``."""
    from gracelstm_xr import lstm
    from gracelstm_xr.compute import cluster

    _check_file(arguments.model)
    _check_free(arguments, arguments.model, "model")
    options = read_config(arguments.config) if arguments.config else {}
    for name in ("recipient", "epochs", "gaps_per_length", "seed", "checkpoint"):
        if (value := getattr(arguments, name)) is not None:
            options[name] = value
    if not arguments.clean:
        options["clean"] = False
    arguments.resumes = "checkpoint" in options
    # before anything is read: the file may hold any name
    others = {"recipient", "donor", "checkpoint", "clean"}
    lstm.Settings.from_keywords({k: v for k, v in options.items() if k not in others})
    ds = _cut(_open(arguments.store), arguments)
    with cluster.client(scheduler=arguments.scheduler, workers=arguments.workers):
        model = lstm.fit(ds, progress=not arguments.quiet, **options)
    model.save(arguments.model, overwrite=arguments.overwrite)
    say(score_table(model.scores))
    say(model.summary())
    say(f"model in {arguments.model}")


def fill(arguments: Namespace) -> None:
    """``gracelstm fill``."""
    from gracelstm_xr import lstm
    from gracelstm_xr.compute import cluster

    if (arguments.model is None) == (arguments.method is None):
        raise UsageError(
            "found neither or both of a model file and --method; expected one of them: "
            "gracelstm fill STORE MODEL OUT, or gracelstm fill STORE OUT --method ridge"
        )
    write = _writer(arguments)
    model = None if arguments.model is None else lstm.load_model(arguments.model)
    ds = _cut(_open(arguments.store), arguments)
    with cluster.client(scheduler=arguments.scheduler, workers=arguments.workers):
        filled = lstm.fill(ds, model, method=arguments.method, clean=arguments.clean)
        write(filled, progress=not arguments.quiet)
        with contextlib.ExitStack() as opened:
            say(fill_table(open_series(arguments.out, opened)))
    say(f"filled series in {arguments.out}")


def clean(arguments: Namespace) -> None:
    """``gracelstm clean``."""
    from gracelstm_xr.preprocess.clean import clean as mark
    from gracelstm_xr.preprocess.clean import count_marks

    cleaned = _written(arguments, mark)
    table = count_marks(cleaned)[["samples", "events"]].to_dataframe()
    say(table[table["samples"] > 0].to_string() if table["samples"].any() else "clean")
    say(f"marks in {arguments.out}, beside the accelerations as they were")


def resample(arguments: Namespace) -> None:
    """``gracelstm resample``."""
    from gracelstm_xr.preprocess.resample import resample as change

    step = duration(arguments.step, name="--step")
    _written(arguments, partial(change, step=step))
    say(f"series every {step:g} s in {arguments.out}")


def transplant(arguments: Namespace) -> None:
    """``gracelstm transplant``."""
    from gracelstm_xr.baselines.transplant import transplant as carry

    options = {"donor": arguments.donor, "recipient": arguments.recipient}
    _written(arguments, partial(carry, clean=arguments.clean, **options))
    say(f"transplanted series in {arguments.out}")


def _written(
    arguments: Namespace, change: Callable[[xr.Dataset], xr.Dataset]
) -> xr.Dataset:
    """Result of a function of a store, written to the output."""
    from gracelstm_xr.compute import cluster

    write = _writer(arguments)
    result = change(_cut(_open(arguments.store), arguments))
    with cluster.client(scheduler=arguments.scheduler, workers=arguments.workers):
        write(result, progress=not arguments.quiet)
    return result


def plot(arguments: Namespace) -> None:
    """``gracelstm plot``."""
    import matplotlib as mpl

    mpl.use("agg")
    from gracelstm_xr import plot as figures
    from gracelstm_xr.physics.features import satellite_pairs

    if not arguments.out.endswith(".png"):
        raise UsageError(f"{arguments.out}: expected the name of a figure in .png")
    _check_file(arguments.out)
    _check_free(arguments, arguments.out, "figure")
    with contextlib.ExitStack() as opened:
        ds = _cut(open_series(arguments.store, opened), arguments)
        if arguments.satellite:
            satellite_pairs(ds, recipient=arguments.satellite)
            ds = ds.sel(satellite=[arguments.satellite])
        drawn = getattr(figures, arguments.kind.replace("-", "_"))(ds)
    figure = getattr(drawn, "figure", drawn)
    with writing(arguments.out, replace=arguments.overwrite) as work:
        about = {"Software": PROGRAM}
        figure.savefig(work, format="png", dpi=150, metadata=about)
    say(f"{arguments.kind} in {arguments.out}")


def forecast(arguments: Namespace) -> None:
    """``gracelstm forecast``."""
    from gracelstm_xr import lstm
    from gracelstm_xr.core.index import axis_of

    write = _writer(arguments)
    model = lstm.load_model(arguments.model)
    ds = _open(arguments.store)
    horizon = duration(arguments.horizon, name="--horizon")
    clean = arguments.clean
    ahead = lstm.forecast(ds, model, horizon=horizon, clean=clean)
    ends = lstm.data_ends(ds, model, clean=clean)
    if (start := _bridged(ends, axis_of(ds))) is not None:
        ahead = lstm.forecast(ds, model, horizon=horizon, start=start, clean=clean)
    write(ahead, progress=not arguments.quiet)
    say(f"forecast of {arguments.horizon} in {arguments.out}")


def _bridged(ends: dict[str, Any], axis: Any) -> Any:
    """First time to forecast where a satellite has a gap at the end, else None."""
    last = axis.stop - axis.step
    for name, end in ends.items():
        if end < last:
            seconds = (last - end).astype("timedelta64[s]").astype(int)
            say(
                f"satellite {name} has no data after {str(end)[:19]} (GPS): its "
                f"forecast starts there and bridges {seconds} s"
            )
    first = min(ends.values()) + axis.step
    return None if first > last else first


def export(arguments: Namespace) -> None:
    """``gracelstm export``."""
    folder = _check_folder(arguments.out)
    check_sources([folder], [arguments.store])
    l1b = {
        "format": arguments.layout,
        "product": arguments.product,
        "release": arguments.release,
        "skip_existing": arguments.skip_existing,
    }
    if arguments.format == "netcdf" and (given := [k for k, v in l1b.items() if v]):
        name = {"format": "layout"}.get(given[0], given[0]).replace("_", "-")
        raise UsageError(f"--{name} is for --format l1b; leave it out for netcdf")
    arguments.resumes = arguments.format == "l1b"
    with contextlib.ExitStack() as opened:
        ds = _cut(open_series(arguments.store, opened, days=2), arguments)
        written = _exported(ds, folder, arguments, l1b)
    say(f"{number_of(len(written), 'file')} in {folder}")


def _exported(
    ds: xr.Dataset, folder: Path, arguments: Namespace, l1b: dict[str, Any]
) -> list[Path]:
    """Files of the format asked for."""
    from gracelstm_xr.compute import cluster
    from gracelstm_xr.export.l1b import to_l1b
    from gracelstm_xr.export.netcdf import to_netcdf

    progress = not arguments.quiet
    with (
        cluster.client(scheduler=arguments.scheduler, workers=arguments.workers),
        _new_folder(folder),
    ):
        if arguments.format == "netcdf":
            path = folder / _netcdf_name(ds)
            again = arguments.overwrite
            return [to_netcdf(ds, path, overwrite=again, progress=progress)]
        again = arguments.overwrite
        return to_l1b(ds, folder, progress=progress, overwrite=again, **l1b)


def _open(store: str) -> xr.Dataset:
    from gracelstm_xr.store.read import open_store

    return open_store(store)


def _cut(ds: xr.Dataset, arguments: Namespace) -> xr.Dataset:
    """Return the span asked for; dates are included whole."""
    if arguments.start is None and arguments.stop is None:
        return ds
    span = ds.sel(time=time_slice(arguments.start, arguments.stop))
    if span.sizes["time"] == 0:
        times = [str(t)[:19] for t in ds["time"].isel(time=[0, -1]).values]
        raise GraceError(
            f"no data from {arguments.start} to {arguments.stop}; the store spans "
            f"{times[0]} to {times[1]}"
        )
    return span


def _writer(arguments: Namespace) -> Callable[..., Any]:
    """Choose the writer by the suffix of the output, before anything is computed."""
    from gracelstm_xr.export.netcdf import to_netcdf
    from gracelstm_xr.store.location import Target
    from gracelstm_xr.store.write import to_zarr

    out, overwrite = arguments.out, arguments.overwrite
    if out.endswith(".nc"):
        _check_file(out)
        _check_free(arguments, out, "netCDF file")
        return partial(to_netcdf, path=out, overwrite=overwrite)
    if out.rstrip("/").endswith(".zarr"):
        mode = "w" if overwrite else "w-"
        if is_url(out) and out.rstrip("/") == arguments.store.rstrip("/"):
            raise StoreError(f"{out} is being read; choose another name")
        check_sources([out], _sources(arguments))
        Target.at(out).check(mode=mode)
        return partial(to_zarr, store=out, mode=mode)
    raise UsageError(f"{out} has no known suffix; expected a name in .nc or .zarr")


def _check_free(arguments: Namespace, path: str, kind: str) -> None:
    """Refuse, before anything is computed, to replace what may not be replaced."""
    sources = [place for place in _sources(arguments) if place != path]
    check_output(path, overwrite=arguments.overwrite, kinds=(kind,), sources=sources)


def _sources(arguments: Namespace) -> list[str]:
    """What a command reads."""
    places = (arguments.store, getattr(arguments, "model", None))
    return [place for place in places if place is not None]


def _check_file(path: str) -> None:
    """Refuse, before anything is computed, what cannot be written as a file."""
    _check_local(path)
    place = Path(path).absolute()
    if place.is_dir():
        raise GraceError(f"{path} is a folder; expected the name of a file")
    parent = place.parent
    if parent.exists() and not parent.is_dir():
        raise GraceError(f"{parent} is a file; expected a folder to write into")
    if not parent.is_dir():
        raise GraceError(f"folder {parent} does not exist; make it first")
    _check_access(parent)


def _check_folder(path: str) -> Path:
    """Refuse, before anything is computed, what cannot be written as a folder."""
    _check_local(path)
    folder = Path(path).absolute()
    here = next(p for p in (folder, *folder.parents) if p.exists())
    if not here.is_dir():
        raise GraceError(f"{here} is a file; expected the name of a folder")
    _check_access(here)
    return Path(path)


def _check_local(path: str) -> None:
    if is_url(path):
        raise GraceError(
            f"{path} is a URL; expected a local path, only Zarr stores (.zarr) can be "
            "written to URLs"
        )


def _check_access(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise GraceError(
            f"folder {folder} may not be written to; choose another or change its "
            "permissions"
        )


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Remove `folder` after an error if it was made inside and is empty."""
    with contextlib.ExitStack() as undo:
        if not folder.exists():
            undo.callback(_remove_empty, folder)
        yield
        undo.pop_all()


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _netcdf_name(ds: xr.Dataset) -> str:
    first, last = (str(t)[:10] for t in ds["time"].isel(time=[0, -1]).values)
    mission = mission_of(str(ds["satellite"].values[-1]))
    return f"{mission.prefix}_{first}_{last}.nc"
