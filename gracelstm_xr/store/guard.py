"""What keeps a task from harm: of runs that are over, and of being killed itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gracelstm_xr.errors import StoreError
from gracelstm_xr.store.location import META
from gracelstm_xr.store.manifest import SourceFile, read_record, write_record

if TYPE_CHECKING:
    from gracelstm_xr.store.location import Target

#: In place of size and time of a file that the next run has to read again.
UNKNOWN = (0, -1)


def at_work(target: Target, run: str) -> Any:
    """Open the store for a task of a run, if that run is still the one at work.

    On a cluster a task goes on after its client was interrupted or killed. It must not
    write into a store that another run has begun or completed meanwhile.

    Parameters
    ----------
    target : Target
        The store under construction.
    run : str
        The run that the task belongs to.

    Returns
    -------
    zarr.Group
        Its root.

    Raises
    ------
    StoreError
        Another run has taken over, or this one has ended.
    """
    try:
        group = target.group()
    except FileNotFoundError:
        group = None
    meta = {} if group is None else group.attrs.asdict().get(META)
    if not isinstance(meta, dict) or meta.get("run") != run:
        raise StoreError(
            f"another run has taken over the writing of {target.final}, or this one "
            "has ended; run the same again to check every shard"
        )
    return group


def doubt(group: Any, name: str, gone: Collection[SourceFile]) -> None:
    """Say of files that are about to be replaced that their values may be gone.

    Without this a run that is killed among the arrays of a shard, and a next one that
    finds the old file back in its place, would leave values of both.

    Parameters
    ----------
    group : zarr.Group
        Root of the store.
    name : str
        Name of the shard.
    gone : collection of SourceFile
        Files in its record.
    """
    old = read_record(group, name) if gone else None
    if old is None:
        return
    files = (replace(f, sha256="", stat=UNKNOWN) if f in gone else f for f in old.files)
    write_record(group, replace(old, files=tuple(files)))
