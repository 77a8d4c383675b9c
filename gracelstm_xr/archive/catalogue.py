"""Which Level-1B files there are: folders, globs, URLs and tarballs.

Finding files opens none of them. Members of tarballs with an official name are
predicted from that name; other tarballs are listed once.
"""

from __future__ import annotations

import calendar
import datetime as dt
import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gracelstm_xr import l1b
from gracelstm_xr.archive.cache import normalised
from gracelstm_xr.core.remote import files_at, reached, stamp
from gracelstm_xr.errors import ArchiveError, L1BFormatError
from gracelstm_xr.missions import GRACE, GRACE_FO, Mission

Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

ACCELERATIONS = tuple(
    code
    for code, product in l1b.PRODUCTS.items()
    if product.fields == l1b.PRODUCTS["ACC1B"].fields
)
"""Products that may give ``lin_accl``."""

_DAILY = re.compile(r"grace_1B_(?P<date>\d{4}-\d\d-\d\d)_(?P<release>\d\d)\.tar\.gz$")
_MONTHLY = re.compile(r"grace_1B_(?P<date>\d{4}-\d\d)_(?P<release>\d\d)\.tar\.gz$")
_GRACE_FO = re.compile(
    r"gracefo_1B_(?P<date>\d{4}-\d\d-\d\d)_RL(?P<release>\d\d)\.ascii"
    r"\.(?P<kind>noLRI|LRI|ACX2?)\.tgz$"
)
_TARBALL = re.compile(r"\.(tar\.gz|tgz|tar)$")
# What may be meant to be one of them
_NEARLY = re.compile(r"[a-z0-9]{3}1[ab][^a-z]|grace(fo)?_?1|\.t(ar|gz)", re.I)
# Days of a monthly tarball that one pass takes out together
_MONTHLY_WINDOW = 8
# What the official archives hold; ACT1B came with RL03, the AC* variants with ACX
_REPROCESSED = {"SCA1B", "KBR1B", "ACT1B"}
_ALTERNATIVE = {"AC01B", "AC11B", "ACH1B", "ACU1B"}


@dataclass(frozen=True)
class Entry:
    """One Level-1B file, or a member of a tarball.

    Attributes
    ----------
    name
        Parts of the file name.
    source
        Absolute path, URL, or ``tar://member::archive``.
    size, mtime_ns
        Of the file or of the tarball; a remote one has a number for its version in
        place of a time.
    predicted
        The member was derived from the name of its tarball and may be absent.
    """

    name: l1b.FileName
    source: str
    size: int = 0
    mtime_ns: int = 0
    predicted: bool = False

    @property
    def archive(self) -> str:
        """The tarball, empty for a plain file."""
        return self.source.partition("::")[2] if self.in_tarball else ""

    @property
    def in_tarball(self) -> bool:
        """Whether the file is a member of a tarball."""
        return self.source.startswith("tar://")


@dataclass(frozen=True)
class Catalogue:
    """Files of the wanted products, the best candidate of each day first.

    Attributes
    ----------
    entries
        Sorted by product as in `products`, then release, format and place.
    products
        Wanted products, in order of precedence.
    problems
        One line for each tarball that is damaged and had to be listed.
    """

    entries: tuple[Entry, ...]
    products: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def satellites(self) -> tuple[str, ...]:
        """Letters found, sorted."""
        return tuple(sorted({e.name.satellite for e in self.entries}))

    @property
    def releases(self) -> tuple[str, ...]:
        """Releases found, sorted."""
        return tuple(sorted({e.name.release for e in self.entries}))

    @property
    def days(self) -> tuple[dt.date, ...]:
        """Days with at least one file, sorted."""
        return tuple(sorted({e.name.date for e in self.entries}))

    def candidates(
        self, products: Sequence[str], satellite: str, day: dt.date
    ) -> tuple[Entry, ...]:
        """Files that may give one day of one satellite, best first."""
        return tuple(
            entry
            for product in products
            for entry in self._index.get((product, satellite, day), ())
        )

    def slots(self) -> Iterator[tuple[Entry, ...]]:
        """Yield the candidates of every day, family and satellite that has any.

        In order of days, so that a tarball is finished before the next one.
        """
        slots: dict[tuple[str, str, dt.date], list[Entry]] = {}
        for entry in self.entries:
            name = entry.name
            family = "acc" if name.product in ACCELERATIONS else name.product
            slots.setdefault((family, name.satellite, name.date), []).append(entry)
        for key in sorted(slots, key=lambda k: (k[2], k[0], k[1])):
            yield tuple(slots[key])

    def siblings(self, entry: Entry) -> tuple[str, ...]:
        """Members to take out of the tarball of `entry` in the same pass.

        Those of its day; of a monthly tarball those of some days around it.
        """
        if not entry.in_tarball:
            return ()
        return tuple(self._bundles[_bundle(entry)])

    @cached_property
    def _bundles(self) -> dict[tuple[str, int], list[str]]:
        bundles: dict[tuple[str, int], list[str]] = {}
        for entry in self.entries:
            if entry.in_tarball:
                member = entry.source.removeprefix("tar://").partition("::")[0]
                bundles.setdefault(_bundle(entry), []).append(member)
        return bundles

    @cached_property
    def _index(self) -> dict[tuple[str, str, dt.date], list[Entry]]:
        index: dict[tuple[str, str, dt.date], list[Entry]] = {}
        for entry in self.entries:
            name = entry.name
            index.setdefault((name.product, name.satellite, name.date), []).append(
                entry
            )
        return index


def _bundle(entry: Entry) -> tuple[str, int]:
    return entry.archive, entry.name.date.toordinal() // _MONTHLY_WINDOW


def find_files(
    sources: Sources,
    *,
    products: Sequence[str],
    satellites: str | Iterable[str] | None = None,
    releases: str | Iterable[str] | None = None,
) -> Catalogue:
    """Find the Level-1B files of some products.

    Parameters
    ----------
    sources : str, PathLike or iterable of them
        Folders (searched recursively), globs, files, tarballs, fsspec URLs.
    products : sequence of str
        Product codes, in order of precedence.
    satellites : str or iterable of str, optional
        Letters, for example ``"AB"``; all by default.
    releases : str or iterable of str, optional
        Releases in order of preference, for example ``["03", "02"]``; others are
        left out. By default all, the newest first.

    Returns
    -------
    Catalogue
        For one product, satellite and day the candidates stand in this order:
        release, binary before text, plain files before members of tarballs, path.

    Raises
    ------
    ArchiveError
        A source does not exist, or no such file was found.
    L1BFormatError
        Nothing was found but tarballs that are damaged.
    """
    listed = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    letters = None if satellites is None else set(satellites)
    order = None if releases is None else _as_list(releases)
    by_source: dict[str, Entry] = {}
    seen: set[str] = set()
    problems: dict[str, L1BFormatError] = {}
    others: list[str] = []
    named = {normalised(s) for s in listed}
    for path, size, mtime in (p for s in listed for p in _expand(os.fspath(s))):
        try:
            entries = list(_entries(path, size, mtime, products))
            if not entries and path in named and not _TARBALL.search(path):
                entries = _by_content(path, size, mtime)
        except L1BFormatError as error:
            problems[path] = error
            continue
        if not entries:
            others.append(path)
        for entry in entries:
            seen.add(entry.name.product)
            if letters is not None and entry.name.satellite not in letters:
                continue
            if order is None or entry.name.release in order:
                by_source.setdefault(entry.source, entry)
    wanted = [e for e in by_source.values() if e.name.product in products]
    if not wanted and problems:
        raise next(iter(problems.values()))
    if not wanted:
        why = _nothing(listed, products, letters, order, seen)
        raise ArchiveError(why + _near_misses(others))
    wanted.sort(key=lambda e: preference(e, products, order))
    said = tuple(map(str, problems.values()))
    return Catalogue(tuple(wanted), tuple(products), said)


def _as_list(values: str | Iterable[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def preference(
    entry: Entry, products: Sequence[str], releases: Sequence[str] | None
) -> tuple[Any, ...]:
    """Sort key of the files that may give one day: the best first.

    Parameters
    ----------
    entry : Entry
        A file.
    products, releases : sequence of str
        In order of preference; without `releases` the newest first. Releases that
        are not named come last.
    """
    name = entry.name
    rank = -int(name.release)
    if releases:
        named = name.release in releases
        rank = releases.index(name.release) if named else len(releases)
    text = name.extension != "dat"
    where = (products.index(name.product), name.date, name.satellite)
    return (*where, rank, text, entry.in_tarball, entry.source)


def _nothing(
    listed: Sequence[Any],
    products: Sequence[str],
    satellites: set[str] | None,
    releases: Sequence[str] | None,
    seen: set[str],
) -> str:
    places = ", ".join(str(s) for s in listed[:3]) + (
        ", ..." if len(listed) > 3 else ""
    )
    if not seen:
        return (
            f"no Level-1B files found in {places or 'an empty list'}; expected names "
            "like ACC1B_2008-01-01_A_02.dat or grace_1B_2008-01-01_02.tar.gz"
        )
    limits = [f"products {', '.join(products)}"]
    limits += [f"satellites {', '.join(sorted(satellites))}"] if satellites else []
    limits += [f"releases {', '.join(releases)}"] if releases else []
    return (
        f"none of the requested {' and '.join(limits)} found in {places}; "
        f"found products {', '.join(sorted(seen))}"
    )


def _near_misses(paths: Sequence[str]) -> str:
    """Say which of these files have names that are nearly those of Level-1B files."""
    names = sorted(os.path.basename(p) for p in paths)
    near = [n for n in names if _NEARLY.search(n) and not n.endswith((".rpt", ".nc"))]
    more = ", ..." if len(near) > 3 else ""
    return f"; not taken: {', '.join(near[:3])}{more}" if near else ""


def _expand(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield (path or URL, size, modification time) of every file of a source."""
    if source.startswith("tar://"):
        yield normalised(source), *_stat(source.partition("::")[2])
        return
    if "://" in source and not source.startswith("file://"):
        yield from _expand_remote(source)
        return
    path = normalised(source)
    if os.path.isdir(path):
        for folder, subfolders, names in os.walk(path):
            # A store beside the files holds thousands of chunks and none of ours
            subfolders[:] = sorted(n for n in subfolders if not n.endswith(".zarr"))
            for name in sorted(n for n in names if not n.startswith(".")):
                full = os.path.join(folder, name)
                yield full, *_stat(full)
    elif os.path.exists(path):
        yield path, *_stat(path)
    else:
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise ArchiveError(
                f"no such file or folder: {source}; expected a folder, a file, a "
                "tarball or a glob of Level-1B files"
            )
        for match in matches:
            yield from _expand(match)


def _expand_remote(url: str) -> Iterator[tuple[str, int, int]]:
    """Yield the files below a URL of any fsspec file system."""
    if "::" in url:
        yield url, 0, 0
        return
    with reached(url):
        fs, path = files_at(url)
        if any(c in path for c in "*?["):
            listing = fs.glob(path, detail=True)
        elif fs.isdir(path):
            listing = fs.find(path, detail=True)
        else:
            listing = {path: fs.info(path)} if fs.exists(path) else {}
    if not listing:
        raise ArchiveError(f"nothing found at {url}; check the address and access")
    for name in sorted(listing):
        # a store beside the files holds thousands of chunks and none of ours
        if ".zarr/" not in name.removeprefix(path):
            info = listing[name]
            yield fs.unstrip_protocol(name), int(info.get("size") or 0), stamp(info)


def _stat(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _entries(
    path: str, size: int, mtime: int, products: Sequence[str]
) -> Iterator[Entry]:
    """Yield what one path holds."""
    name = l1b.parse_name(path)
    if name is not None:
        if name.extension != "rpt":
            yield Entry(name, path, size, mtime)
        return
    if not _TARBALL.search(path):
        return
    try:
        names = _predicted(path, products)
    except ValueError:  # no such date in the calendar
        names = None
    predicted = names is not None
    if names is None:
        members = (n.rsplit("/", 1)[-1] for n in l1b.members(path))
        parsed = [l1b.parse_name(n) for n in members]
        names = [n for n in parsed if n is not None and n.extension != "rpt"]
    for member in names:
        yield Entry(member, f"tar://{member}::{path}", size, mtime, predicted)


def _by_content(path: str, size: int, mtime: int) -> list[Entry]:
    """A file that was named itself, under a name that says nothing."""
    if path.endswith(".rpt"):
        return []
    header = l1b.read_header(path)
    name = l1b.parse_name(str(header.attributes.get("file_name", "")))
    if name is None:
        return []
    return [Entry(replace(name, satellite=header.satellite), path, size, mtime)]


def _predicted(path: str, products: Sequence[str]) -> list[l1b.FileName] | None:
    """Members of a tarball with an official name; None for other tarballs."""
    grace_fo = _GRACE_FO.search(path)
    if grace_fo:
        held = [p for p in products if _holds(grace_fo["kind"], p)]
        days = [dt.date.fromisoformat(grace_fo["date"])]
        return _members(held, days, GRACE_FO, grace_fo["release"])
    daily = _DAILY.search(path)
    if daily:
        held = [p for p in products if p not in _ALTERNATIVE | {"ACT1B"}]
        days = [dt.date.fromisoformat(daily["date"])]
        return _members(held, days, GRACE, daily["release"])
    monthly = _MONTHLY.search(path)
    if monthly:
        held = [p for p in products if p in _REPROCESSED]
        year, month = map(int, monthly["date"].split("-"))
        last = calendar.monthrange(year, month)[1]
        days = [dt.date(year, month, d) for d in range(1, last + 1)]
        return _members(held, days, GRACE, monthly["release"])
    return None


def _holds(kind: str, product: str) -> bool:
    if kind.startswith("ACX"):
        return product in _ALTERNATIVE
    return (product == "LRI1B") == (kind == "LRI") and product not in _ALTERNATIVE


def _members(
    products: Sequence[str],
    days: Sequence[dt.date],
    mission: Mission,
    release: str,
) -> list[l1b.FileName]:
    return [
        l1b.FileName(p, d, s, release, mission.extension)
        for d in days
        for p in products
        for s in mission.satellites
    ]
