"""The manifest of a store: which source files every shard was made of.

It is part of the store: a Zarr group ``manifest`` with one group per shard, named by
its first day, whose attributes are the records. A task writes the record of its shard
after its arrays, in one piece. A shard without a record is therefore unfinished, and
the next run writes it again.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gracelstm_xr.archive.scan import FileCounts
from gracelstm_xr.errors import StoreError
from gracelstm_xr.files import MANIFEST
from gracelstm_xr.store.read import open_root

if TYPE_CHECKING:
    import pandas as pd
    import zarr

#: What reading a damaged record raises: JSON that is none, or not what was written.
DAMAGE = (ValueError, TypeError, LookupError, AttributeError)
_COUNTS = {f.name for f in dataclasses.fields(FileCounts)}


@dataclass(frozen=True)
class SourceFile:
    """One file that was read, or that could not be.

    Attributes
    ----------
    name
        Official name.
    source
        Path, URL, or ``tar://member::archive``.
    product, satellite, day, release
        Parts of the name; `day` as ``YYYY-MM-DD``.
    size
        Bytes of the file or member as stored; 0 when it could not be read at all.
    sha256
        Checksum of those bytes, hexadecimal; empty when they could not be read.
    stat
        Size and modification time [ns] of the file or tarball, by which a change is
        noticed.
    counts
        Records, what is wrong with them, and why the file could not be used.
    """

    name: str
    source: str
    product: str
    satellite: str
    day: str
    release: str
    size: int
    sha256: str
    stat: tuple[int, int]
    counts: FileCounts = field(default_factory=FileCounts)

    @property
    def used(self) -> bool:
        """Whether its values are in the store."""
        return not self.counts.problem

    def to_dict(self) -> dict[str, Any]:
        """Return plain types; counts that are zero are left out."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        counts = dataclasses.asdict(plain.pop("counts"))
        plain["stat"] = list(self.stat)
        return plain | {k: v for k, v in counts.items() if v}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> SourceFile:
        """Undo `to_dict`."""
        counts = FileCounts(**{k: v for k, v in plain.items() if k in _COUNTS})
        rest = {k: v for k, v in plain.items() if k not in _COUNTS}
        size, mtime = rest.pop("stat")
        return cls(**rest, stat=(size, mtime), counts=counts)


@dataclass(frozen=True)
class Gaps:
    """Missing accelerations of one satellite in one shard.

    Attributes
    ----------
    observed
        Epochs with a linear acceleration.
    runs
        Contiguous spans without.
    at_start, at_end
        Whether one begins with the shard or lasts to its end.
    """

    observed: int
    runs: int
    at_start: bool
    at_end: bool


@dataclass(frozen=True)
class ShardRecord:
    """What one shard is made of.

    Attributes
    ----------
    name
        From `shard_name`.
    size
        Epochs.
    gaps
        By satellite.
    files
        Sorted by day, satellite and product, in the order they were tried.
    token
        Stands for the values of a Dataset that was not made of files.
    """

    name: str
    size: int
    gaps: Mapping[str, Gaps] = field(default_factory=dict)
    files: tuple[SourceFile, ...] = ()
    token: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return {
            "size": self.size,
            "token": self.token,
            "gaps": {k: list(dataclasses.astuple(g)) for k, g in self.gaps.items()},
            "files": [f.to_dict() for f in self.files],
        }

    @classmethod
    def from_dict(cls, name: str, plain: Mapping[str, Any]) -> ShardRecord:
        """Undo `to_dict`."""
        return cls(
            name,
            int(plain["size"]),
            {k: Gaps(*g) for k, g in plain["gaps"].items()},
            tuple(SourceFile.from_dict(f) for f in plain["files"]),
            str(plain["token"]),
        )


def shard_name(start_ns: int) -> str:
    """Name of the shard that begins at a time [ns past 1970, GPS]."""
    import numpy as np

    time = np.datetime64(start_ns, "ns")
    midnight = time == time.astype("datetime64[D]")
    text = str(time.astype("datetime64[D]" if midnight else "datetime64[ns]"))
    return text.replace(":", "")


def write_record(group: zarr.Group, record: ShardRecord) -> None:
    """Put the record of a finished shard into the store, in one piece."""
    place = group.require_group(f"{MANIFEST}/{record.name}")
    place.attrs.put(record.to_dict())


def read_record(group: zarr.Group, name: str) -> ShardRecord | None:
    """Return the record of one shard, None while it is unfinished.

    Raises
    ------
    StoreError
        The record is damaged.
    """
    place = f"{MANIFEST}/{name}"
    try:
        return _record(name, group[place]) if place in group else None
    except DAMAGE as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise StoreError(
            f"{group.store}: the record {place} is damaged ({words}); remove the "
            "folder of that name and ingest the files of its days again"
        ) from error


def _record(name: str, place: Any) -> ShardRecord | None:
    plain = place.attrs.asdict()
    # empty: killed between making the group and filling it
    return ShardRecord.from_dict(name, plain) if plain else None


def read_records(group: zarr.Group) -> dict[str, ShardRecord]:
    """Return the records of all finished shards of a store, by name.

    Raises
    ------
    StoreError
        A record is damaged.
    """
    try:
        if MANIFEST not in group:
            return {}
        # all at once, which is many times faster over a network
        places: Any = group[MANIFEST].groups()  # type: ignore[union-attr]
        records = {name: _record(name, place) for name, place in sorted(places)}
    except DAMAGE as error:
        for name in _listed(group):
            read_record(group, name)
        raise StoreError(f"{group.store}: the manifest is damaged ({error})") from error
    return {name: record for name, record in records.items() if record is not None}


def _listed(group: zarr.Group) -> list[str]:
    """Names under the manifest, whatever is in them."""
    from zarr.core.sync import sync

    async def names() -> list[str]:
        return [name async for name in group.store.list_dir(MANIFEST)]

    return sorted(n for n in sync(names()) if n and n != "zarr.json")


def observed(records: Iterable[ShardRecord]) -> dict[str, int]:
    """Seconds with all three axes, by satellite, over shards."""
    seen: dict[str, int] = {}
    for record in records:
        for satellite, gaps in record.gaps.items():
            seen[satellite] = seen.get(satellite, 0) + gaps.observed
    return seen


def gap_count(records: Iterable[ShardRecord], satellite: str) -> int:
    """Count the spans without accelerations; one across two shards counts once."""
    total, open_end = 0, False
    for record in sorted(records, key=lambda r: r.name):
        gaps = record.gaps.get(satellite, Gaps(0, 1, True, True))
        total += gaps.runs - int(open_end and gaps.at_start)
        open_end = gaps.at_end
    return total


def read_manifest(
    store: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """List the source files of a store.

    Parameters
    ----------
    store : str or PathLike
        Folder or fsspec URL.
    storage_options : mapping, optional
        Passed to fsspec for a URL.

    Returns
    -------
    pandas.DataFrame
        One row per file that was tried: ``name``, ``source``, ``product``,
        ``satellite``, ``day``, ``release``, ``size`` [bytes], ``sha256``, ``used``,
        the counts ``records``, ``duplicates``, ``out_of_order``, ``outside`` (their
        day), ``truncated`` (records cut short), ``missing`` (announced records),
        ``flagged``, the texts ``problem`` and ``note``, and ``absent`` for members
        that a tarball was expected to hold. Empty for a store that was not made of
        files.

    Raises
    ------
    StoreError
        Nothing is there, or it is not a complete store of this package.
    """
    import pandas as pd

    records = read_records(open_root(store, storage_options=storage_options)[0])
    names = [f.name for f in dataclasses.fields(SourceFile)][:-2]
    columns = [*names, "used", *(f.name for f in dataclasses.fields(FileCounts))]
    rows = [
        {n: getattr(f, n) for n in [*names, "used"]} | dataclasses.asdict(f.counts)
        for record in records.values()
        for f in record.files
    ]
    return pd.DataFrame(rows, columns=columns)
