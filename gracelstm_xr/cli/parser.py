"""Arguments of every command."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from gracelstm_xr.missions import MISSIONS

Parser = argparse.ArgumentParser


def build_parser() -> Parser:
    """Return the parser; each command sets ``run`` to its function."""
    parser = argparse.ArgumentParser(
        prog="gracelstm",
        description="GRACE and GRACE-FO accelerometer data: read, fill gaps, export.",
    )
    parser.add_argument("-V", "--version", action=_Version)
    parser.add_argument(
        "--debug", action="store_true", help="show where an error comes from"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_demo, _simulate, _download, _ingest, _info, _gaps, _plot):
        add(commands)
    for add in (_clean, _resample, _transplant):
        add(commands)
    for add in (_fit, _fill, _forecast, _evaluate, _export):
        add(commands)
    for command in commands.choices.values():
        _complete_paths(command)
    return parser


def _complete_paths(parser: Parser) -> None:
    """Tell shtab, which writes completions for shells, what is a path."""
    for action in parser._actions:
        if not action.option_strings or action.metavar in ("FILE", "DIR"):
            action.complete = {  # type: ignore[attr-defined]
                "bash": "_shtab_compgen_files",
                "zsh": "_files",
                "tcsh": "f",
            }


class _Version(argparse.Action):
    """Print the version; reading it costs a look at the installed package."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version")

    def __call__(self, parser: Parser, *_: Any) -> None:
        from gracelstm_xr.version import __version__

        parser.exit(message=f"gracelstm {__version__}\n")


def _command(
    commands: Any, name: str, text: str, *, module: str = "commands"
) -> Parser:
    parser: Parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=_later(module, name))
    parser.add_argument(
        "--quiet", action="store_true", help="show no progress on standard error"
    )
    return parser


def _later(module: str, name: str) -> Callable[[argparse.Namespace], int | None]:
    """Import the function of a command only when it runs."""

    def run(arguments: argparse.Namespace) -> int | None:
        home = importlib.import_module(f"gracelstm_xr.cli.{module}")
        status: int | None = getattr(home, name)(arguments)
        return status

    return run


def _span(parser: Parser) -> None:
    parser.add_argument(
        "--start", type=_date, metavar="D", help="first GPS date or time"
    )
    parser.add_argument(
        "--stop",
        type=_date,
        metavar="D",
        help="last GPS date, or the time to stop before",
    )


def _cluster(parser: Parser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--workers", type=_positive, metavar="N", help="worker processes to start here"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler to use, tcp://..."
    )


def _seed(parser: Parser) -> None:
    parser.add_argument(
        "--seed",
        type=_natural,
        default=0,
        metavar="S",
        help="the same seed gives the same result (default 0)",
    )


def _epochs(parser: Parser) -> None:
    parser.add_argument(
        "--epochs",
        type=_positive,
        metavar="N",
        help="most passes over the training data",
    )


def _overwrite(
    parser: Parser, text: str = "replace what an earlier run has written there"
) -> None:
    parser.add_argument("--overwrite", action="store_true", help=text)


def _no_clean(parser: Parser) -> None:
    parser.add_argument(
        "--no-clean",
        dest="clean",
        action="store_false",
        help="keep samples that no accelerometer measures",
    )


def _natural(text: str) -> int:
    """Whole number of 0 or more; argparse turns the error into wrong usage."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} found, expected 0, 1, 2, ...")
    return int(text)


def _positive(text: str) -> int:
    """Whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} found, expected 1, 2, 3, ...")
    return int(text)


def _date(text: str) -> str:
    """A date or time, as it was given."""
    from gracelstm_xr.core.labels import instant

    return _label(text, partial(instant, name="date"))


def _duration(text: str) -> str:
    """A length of time, as it was given."""
    from gracelstm_xr.core.labels import duration

    return _label(text, partial(duration, zero=True, infinite=True))


def _label(text: str, check: Callable[[str], Any]) -> str:
    try:
        check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _demo(commands: Any) -> None:
    parser = _command(
        commands,
        "demo",
        "The main job from end to end on generated Level-1B files.",
        module="demo",
    )
    parser.add_argument(
        "--out", default="demo", metavar="DIR", help="folder for everything made"
    )
    parser.add_argument(
        "--days", type=_positive, metavar="N", help="days to simulate (default 12)"
    )
    _overwrite(parser)
    _epochs(parser)
    _seed(parser)


def _simulate(commands: Any) -> None:
    parser = _command(commands, "simulate", "Write a simulated twin archive.")
    parser.set_defaults(resumes=True)
    parser.add_argument("out", metavar="OUT", help="folder for the tarballs")
    parser.add_argument(
        "--mission",
        choices=[m.key for m in MISSIONS],
        default=MISSIONS[0].key,
        help="default grace",
    )
    parser.add_argument(
        "--start", type=_date, default="2008-01-01", metavar="D", help="first GPS date"
    )
    parser.add_argument(
        "--days", type=_positive, default=10, metavar="N", help="how many (default 10)"
    )
    parser.add_argument(
        "--storm",
        choices=("quiet", "active", "storm"),
        default="active",
        help="geomagnetic activity (default active)",
    )
    for option, unit, text in (
        ("--solar-flux", "F107", "F10.7; default the solar cycle of the date"),
        ("--altitude", "KM", "mean height; default that of the mission"),
        ("--separation", "KM", "distance of the twin; default that of the mission"),
    ):
        parser.add_argument(option, type=float, metavar=unit, help=text)
    _seed(parser)
    _overwrite(parser)


def _download(commands: Any) -> None:
    parser = _command(
        commands,
        "download",
        "Fetch the daily Level-1B tarballs of a mission from a data centre.",
        module="download",
    )
    parser.set_defaults(resumes=True)
    parser.add_argument("out", metavar="OUT", help="folder for the tarballs")
    parser.add_argument(
        "--mission", choices=[m.key for m in MISSIONS], required=True, help="whose"
    )
    for option, text in (("--start", "first GPS date"), ("--stop", "last GPS date")):
        parser.add_argument(option, type=_date, required=True, metavar="D", help=text)
    parser.add_argument(
        "--release",
        metavar="RR",
        help="two digits (default "
        + ", ".join(f"{m.release} for {m.name}" for m in MISSIONS)
        + ")",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--centre",
        choices=("gfz", "podaac"),
        default="gfz",
        help="default gfz, which asks for no login",
    )
    place.add_argument(
        "--url", metavar="URL", help="another folder that has the tarballs"
    )


def _ingest(commands: Any) -> None:
    parser = _command(
        commands,
        "ingest",
        "Put Level-1B files into a Zarr store, or bring a store up to date.",
    )
    parser.set_defaults(resumes=True)
    parser.add_argument(
        "sources", nargs="+", metavar="SRC", help="files, folders, globs, tarballs"
    )
    parser.add_argument("store", metavar="STORE", help="folder or URL to write")
    parser.add_argument(
        "--products",
        metavar="P,P",
        help="the preferred first (default ACC1B,GNV1B,SCA1B,THR1B)",
    )
    parser.add_argument(
        "--satellites", metavar="AB", help="letters (default all found)"
    )
    parser.add_argument(
        "--releases",
        metavar="R,R",
        help="releases to use, the preferred first (default all, the newest first)",
    )
    _overwrite(parser, "replace an existing store instead of bringing it up to date")
    parser.add_argument(
        "--quantise",
        metavar="STEP",
        help="store accelerations in steps, e.g. 1e-13 m s-2 (default as they are)",
    )
    parser.add_argument(
        "--shard-days",
        type=_positive,
        metavar="N",
        help="days in a file of the store and in a task (default 10); fewer for more "
        "workers on a short archive",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first unreadable file instead of leaving its day as it is",
    )
    _span(parser)
    _cluster(parser)


def _info(commands: Any) -> None:
    parser = _command(
        commands, "info", "Say what a file, folder or store is.", module="info"
    )
    parser.add_argument(
        "path",
        metavar="PATH",
        help="Level-1B file, tarball, folder, store, netCDF or model file",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="read all of a store, and list files that are gone or damaged",
    )


def _gaps(commands: Any) -> None:
    parser = _command(commands, "gaps", "List the gaps of a store.")
    parser.add_argument("store", metavar="STORE", help="Zarr store or netCDF file")
    parser.add_argument(
        "--min-length",
        type=_duration,
        default="60s",
        metavar="60s",
        help="shortest gap to list (default 60s); shorter ones are counted",
    )
    parser.add_argument("--csv", metavar="FILE", help="also write the list here")
    _overwrite(parser)


def _fit(commands: Any) -> None:
    parser = _command(commands, "fit", "Train a model on a store.")
    parser.add_argument("store", metavar="STORE", help="Zarr store to read")
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument("--recipient", metavar="B", help="satellite to fill")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="hyperparameters in a .toml, .yaml or .json file; options here go first",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="DIR",
        help="folder to keep the state in; run the same again to go on",
    )
    _epochs(parser)
    parser.add_argument(
        "--gaps-per-length",
        type=_positive,
        metavar="N",
        help="gaps of every length hidden after the training to choose methods and "
        "sigma by (default 10); fewer are quicker and choose less surely",
    )
    _seed(parser)
    parser.set_defaults(seed=None)  # else the default would override the file
    _no_clean(parser)
    _overwrite(parser)
    _span(parser)
    _cluster(parser)


def _fill(commands: Any) -> None:
    parser = _command(commands, "fill", "Fill the gaps of a store.")
    parser.add_argument("store", metavar="STORE", help="Zarr store to read")
    parser.add_argument(
        "model", metavar="MODEL", nargs="?", help="model file; none with --method"
    )
    parser.add_argument(
        "out", metavar="OUT.nc|OUT.zarr", help="netCDF file or Zarr store"
    )
    parser.add_argument(
        "--method",
        metavar="M",
        help="baseline to fit to the data themselves, for example ridge",
    )
    _no_clean(parser)
    _overwrite(parser)
    _span(parser)
    _cluster(parser)


def _clean(commands: Any) -> None:
    _series(commands, "clean", "Mark doubtful accelerations; nothing is deleted.")


def _resample(commands: Any) -> None:
    parser = _series(commands, "resample", "Change the sampling of a store.")
    parser.add_argument(
        "--step",
        type=_duration,
        required=True,
        metavar="5s",
        help="time between samples",
    )


def _transplant(commands: Any) -> None:
    parser = _series(
        commands, "transplant", "Carry the accelerations of one satellite to the other."
    )
    parser.add_argument("--donor", metavar="A", help="satellite to take them from")
    parser.add_argument("--recipient", metavar="B", help="satellite to carry them to")
    _no_clean(parser)


def _series(commands: Any, name: str, text: str) -> Parser:
    """Command that makes a series of a store and writes it."""
    parser = _command(commands, name, text)
    parser.add_argument("store", metavar="STORE", help="Zarr store to read")
    parser.add_argument(
        "out", metavar="OUT.nc|OUT.zarr", help="netCDF file or Zarr store"
    )
    _overwrite(parser)
    _span(parser)
    _cluster(parser)
    return parser


#: Figures that a store alone gives.
FIGURES = (
    "series",
    "overview",
    "gaps",
    "calendar",
    "latitude-time",
    "ground-track",
    "spectrum",
)


def _plot(commands: Any) -> None:
    parser = _command(commands, "plot", "Draw a figure of a store.")
    parser.add_argument("store", metavar="STORE", help="Zarr store or netCDF file")
    parser.add_argument("out", metavar="OUT.png", help="figure")
    parser.add_argument(
        "--kind", choices=FIGURES, default="overview", help="default overview"
    )
    parser.add_argument("--satellite", metavar="B", help="one satellite")
    _overwrite(parser)
    _span(parser)


def _forecast(commands: Any) -> None:
    parser = _command(commands, "forecast", "Extrapolate past the end of a store.")
    parser.add_argument("store", metavar="STORE", help="Zarr store to read")
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument(
        "out", metavar="OUT.nc|OUT.zarr", help="netCDF file or Zarr store"
    )
    parser.add_argument(
        "--horizon",
        type=_duration,
        default="90min",
        metavar="90min",
        help="how far (default 90min)",
    )
    _no_clean(parser)
    _overwrite(parser)


def _evaluate(commands: Any) -> None:
    parser = _command(
        commands, "evaluate", "Score a model beside the baselines.", module="evaluation"
    )
    parser.set_defaults(resumes=True)
    parser.add_argument("store", metavar="STORE", help="Zarr store to read")
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument(
        "report", metavar="REPORT_DIR", help="folder for report.html and tables"
    )
    parser.add_argument(
        "--count",
        type=_positive,
        default=10,
        metavar="N",
        help="gaps per length (default 10); up to four times as many where they fit",
    )
    parser.add_argument(
        "--lengths",
        nargs="+",
        type=_duration,
        metavar="L",
        help="gap lengths such as 60s or 3h; inf hides all data (default 10s to 1d)",
    )
    parser.add_argument(
        "--allow-training",
        action="store_true",
        help="score also on data the model has seen; the report then says so",
    )
    _no_clean(parser)
    _overwrite(parser)
    _seed(parser)
    _span(parser)
    _cluster(parser)


def _export(commands: Any) -> None:
    parser = _command(commands, "export", "Write netCDF or Level-1B files.")
    parser.add_argument(
        "store", metavar="STORE", help="Zarr store or netCDF file, as fill writes them"
    )
    parser.add_argument("out", metavar="OUT_DIR", help="folder to write into")
    parser.add_argument(
        "--format", choices=("netcdf", "l1b"), required=True, help="what to write"
    )
    _overwrite(parser)
    group = parser.add_argument_group("Level-1B files")
    group.add_argument(
        "--layout",
        choices=("binary", "ascii", "text"),
        help="default binary for GRACE, text for GRACE-FO",
    )
    group.add_argument(
        "--product",
        metavar="CODE",
        help="code in the names (default ACT1B for filled series, else ACC1B)",
    )
    group.add_argument(
        "--release", metavar="RR", help="two digits (default those of the source)"
    )
    group.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave files that are there, to go on after an interrupt",
    )
    _span(parser)
    _cluster(parser)
