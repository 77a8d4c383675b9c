"""``gracelstm info``: what a path is."""

from __future__ import annotations

import tarfile
import zipfile
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gracelstm_xr.cli.commands import say
from gracelstm_xr.cli.words import UsageError, in_shell
from gracelstm_xr.core.remote import is_url
from gracelstm_xr.errors import GraceError, L1BFormatError, number_of
from gracelstm_xr.l1b import FileName, members, parse_name, read
from gracelstm_xr.l1b.source import check_regular

_ARCHIVES = (".tar", ".tgz", ".tar.gz")
_HDF5, _NETCDF3 = b"\x89HDF\r\n\x1a\n", b"CDF"


def info(arguments: Namespace) -> int:
    """``gracelstm info``; 1 when a store that was to be checked has faults."""
    say(in_shell(about(arguments.path)))
    return _check(arguments.path) if arguments.check else 0


def _check(path: str) -> int:
    from gracelstm_xr.store.check import faults_in

    if not is_url(path) and not (Path(path) / "zarr.json").is_file():
        raise UsageError(
            f"{path} is no Zarr store, which --check expects; leave it out"
        )
    files, faults = faults_in(path)
    for fault in faults:
        say(f"fault:      {fault}")
    told = number_of(len(faults), "fault") if faults else "no faults"
    say(f"checked:    {number_of(files, 'file')}, {told}")
    return 1 if faults else 0


def about(path: str) -> str:
    """Return a few lines on a Level-1B file, tarball, folder, store, netCDF or model.

    Parameters
    ----------
    path : str
        Local path, fsspec URL of a store or a Level-1B file, or
        ``tar://member::archive``.

    Returns
    -------
    str
        One fact per line.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    GraceError
        It is none of these.
    """
    if path.startswith("tar://"):
        return _level1b(path)
    if is_url(path):
        return _level1b(path) if parse_name(path) else _store(path)
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(2, "no such file or folder", path)
    if place.is_dir():
        if (place / "zarr.json").is_file():
            return _store(path)
        damaged: list[str] = []
        table = _names(_walk(place, damaged), f"folder {path}")
        return "\n".join([table, *(f"left out: {line}" for line in damaged)])
    check_regular(path)
    with place.open("rb") as stream:
        head = stream.read(8)
    if head == _HDF5 or head.startswith(_NETCDF3):
        return _netcdf(path)
    if zipfile.is_zipfile(place):
        from gracelstm_xr.filling.model import load_model

        return f"model file {path}\n{load_model(path).summary()}"
    if place.name.endswith(_ARCHIVES) or tarfile.is_tarfile(place):
        return _names(members(path), f"archive {path}")
    return _level1b(path)


def _store(path: str) -> str:
    from gracelstm_xr.core.summary import describe
    from gracelstm_xr.store.read import open_store

    return f"Zarr store {path}\n{describe(open_store(path))}"


def _netcdf(path: str) -> str:
    import xarray as xr

    from gracelstm_xr.core.summary import describe

    with xr.open_dataset(path) as ds:
        title = ds.attrs.get("title", "without a title")
        return f"netCDF file {path}: {title}\n{describe(ds)}"


def _level1b(path: str) -> str:
    """Read the whole file: what its header announces may not be there."""
    file = read(path)
    header, report = file.header, file.report
    records = f"{report.records}"
    if header.records not in (None, report.records):
        records += f" of {header.records} announced"
    if report.duplicates or report.out_of_order:
        records += (
            f", {report.duplicates} repeat a time, {report.out_of_order} step back"
        )
    lines = [
        f"Level-1B file {path}",
        f"product:          {header.product}, {header.format}",
        f"release:          {header.release}",
        f"satellite:        {header.satellite}",
        f"records:          {records}",
    ]
    if header.start is not None and header.stop is not None:
        span = f"{_gps(header.start)} to {_gps(header.stop)} GPS"
        lines.append(f"time:             {span}")
    keys = ("title", "institution", "date_created", "software_version")
    told = [k for k in keys if header.attributes.get(k)]
    lines += [f"{k + ':':<17} {_short(header.attributes[k])}" for k in told]
    return "\n".join(lines)


def _gps(seconds: int) -> str:
    from gracelstm_xr.core.time import gps_to_datetime64

    return str(gps_to_datetime64(seconds))[:19]


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 66 else text[:63] + "..."


def _walk(folder: Path, damaged: list[str]) -> Iterable[str]:
    """Names of Level-1B files in a folder and in its tarballs; what is damaged, too."""
    for path in sorted(folder.rglob("*")):
        if any(p.suffix == ".zarr" for p in path.relative_to(folder).parents):
            continue
        if path.name.endswith(_ARCHIVES):
            try:
                yield from members(path)
            except L1BFormatError as error:
                damaged.append(str(error))
        elif path.is_file():
            yield path.name


def _names(names: Iterable[str], title: str) -> str:
    """Table of products found by name."""
    groups: dict[tuple[str, str], list[FileName]] = {}
    others = 0
    for name in names:
        parsed = parse_name(name)
        if parsed is None:
            others += 1
        else:
            groups.setdefault((parsed.product, parsed.release), []).append(parsed)
    if not groups:
        raise GraceError(
            f"{title} holds no Level-1B file names among "
            f"{number_of(others, 'file')}; expected "
            "names such as ACC1B_2008-01-01_A_02.dat"
        )
    lines = [title, f"{'product':<9}{'release':<9}{'satellites':<12}{'days':>6}  span"]
    for (product, release), files in sorted(groups.items()):
        letters = "".join(sorted({f.satellite for f in files}))
        days = sorted({f.date for f in files})
        lines.append(
            f"{product:<9}{release:<9}{letters:<12}{len(days):>6}  "
            f"{days[0]} to {days[-1]}"
        )
    if others:
        lines.append(f"and {number_of(others, 'other file')}")
    return "\n".join(lines)
