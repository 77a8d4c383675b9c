"""Arguments of every command."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["build_parser"]

Parser = argparse.ArgumentParser


def build_parser() -> Parser:
    """Return the parser; each command sets ``run`` to its function."""
    parser = argparse.ArgumentParser(
        prog="gracelstm",
        description="GRACE and GRACE-FO accelerometer data: read, fill gaps, export.",
    )
    parser.add_argument("--version", action=_Version)
    parser.add_argument(
        "--debug", action="store_true", help="show where an error comes from"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_demo, _simulate, _ingest, _info, _gaps):
        add(commands)
    for add in (_fit, _fill, _forecast, _evaluate, _export):
        add(commands)
    return parser


class _Version(argparse.Action):
    """Print the version; reading it costs a look at the installed package."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version")

    def __call__(self, parser: Parser, *_: Any) -> None:
        from gracelstm_xr import __version__

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


def _later(module: str, name: str) -> Callable[[argparse.Namespace], None]:
    """Import the function of a command only when it runs."""

    def run(arguments: argparse.Namespace) -> None:
        home = importlib.import_module(f"gracelstm_xr.cli.{module}")
        getattr(home, name)(arguments)

    return run


def _span(parser: Parser) -> None:
    parser.add_argument("--start", metavar="D", help="first GPS date or time")
    parser.add_argument("--stop", metavar="D", help="last GPS date or time")


def _cluster(parser: Parser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--workers", type=int, metavar="N", help="worker processes to start here"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler to use, tcp://..."
    )


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
    parser.add_argument("--days", type=int, metavar="N", help="days to simulate")
    parser.add_argument("--epochs", type=int, metavar="N", help="training epochs")
    parser.add_argument("--seed", type=int, default=0, metavar="S")


def _simulate(commands: Any) -> None:
    parser = _command(commands, "simulate", "Write a simulated twin archive.")
    parser.add_argument("out", metavar="OUT", help="folder for the tarballs")
    parser.add_argument("--mission", choices=("grace", "grace-fo"), default="grace")
    parser.add_argument("--start", default="2008-01-01", metavar="D")
    parser.add_argument("--days", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")


def _ingest(commands: Any) -> None:
    parser = _command(commands, "ingest", "Put Level-1B files into a Zarr store.")
    parser.add_argument(
        "sources", nargs="+", metavar="SRC", help="files, folders, globs, tarballs"
    )
    parser.add_argument("store", metavar="STORE", help="folder or URL to write")
    parser.add_argument("--products", metavar="P,P", help="e.g. ACC1B,GNV1B")
    parser.add_argument("--satellites", metavar="AB", help="letters, e.g. AB")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing store"
    )
    parser.add_argument(
        "--scan",
        action="store_true",
        help="read every file once more to count duplicates and damage",
    )
    _span(parser)
    _cluster(parser)


def _info(commands: Any) -> None:
    parser = _command(
        commands, "info", "Say what a file, folder or store is.", module="info"
    )
    parser.add_argument("path", metavar="PATH")


def _gaps(commands: Any) -> None:
    parser = _command(commands, "gaps", "List the gaps of a store.")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument("--min-length", default="60s", metavar="60s")
    parser.add_argument("--csv", metavar="FILE", help="also write the list here")


def _fit(commands: Any) -> None:
    parser = _command(commands, "fit", "Train a model on a store.")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--recipient", metavar="B", help="satellite to fill")
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    _span(parser)
    _cluster(parser)


def _fill(commands: Any) -> None:
    parser = _command(commands, "fill", "Fill the gaps of a store.")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("out", metavar="OUT.nc|OUT.zarr")
    _span(parser)
    _cluster(parser)


def _forecast(commands: Any) -> None:
    parser = _command(commands, "forecast", "Extrapolate past the end of a store.")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("out", metavar="OUT.nc|OUT.zarr")
    parser.add_argument("--horizon", default="90min", metavar="90min")


def _evaluate(commands: Any) -> None:
    parser = _command(commands, "evaluate", "Score a model beside the baselines.")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("report", metavar="REPORT_DIR")
    parser.add_argument("--seed", type=int, default=0, metavar="S")


def _export(commands: Any) -> None:
    parser = _command(commands, "export", "Write netCDF or Level-1B files.")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument("out", metavar="OUT_DIR")
    parser.add_argument("--format", choices=("netcdf", "l1b"), required=True)
    _span(parser)
    _cluster(parser)
