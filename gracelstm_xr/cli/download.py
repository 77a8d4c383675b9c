"""``gracelstm download``: daily tarballs from a data centre into a folder."""

from __future__ import annotations

from argparse import Namespace

from gracelstm_xr.archive.download import connect, fetch, tarballs
from gracelstm_xr.cli.commands import _check_folder, _new_folder, say
from gracelstm_xr.compute.progress import Bar
from gracelstm_xr.errors import ArchiveError


def download(arguments: Namespace) -> None:
    """``gracelstm download``."""
    folder = _check_folder(arguments.out)
    wanted = tarballs(
        arguments.mission,
        arguments.start,
        arguments.stop,
        release=arguments.release,
        centre=arguments.centre,
        url=arguments.url,
    )
    there = [t for t in wanted if (folder / t.name).exists()]
    absent = []
    total, shown = len(wanted) - len(there), not arguments.quiet
    with (
        _new_folder(folder),
        connect() as session,
        Bar("download", total, unit="day", enabled=shown) as bar,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for tarball in wanted:
            if tarball in there:
                continue
            size = 0

            def received(count: int) -> None:
                nonlocal size
                size += count
                bar.update(0, note=f"{size / 1e6:.0f} MB")

            if not fetch(session, tarball, folder, received):
                absent.append(tarball)
            bar.update()
        if len(absent) == len(wanted):
            raise ArchiveError(
                f"none of {len(wanted)} tarballs found, the first at {wanted[0].url}; "
                "check --mission, --start, --stop and --release"
            )
    fetched = total - len(absent)
    say(f"tarballs in {folder}: {fetched} fetched, {len(there)} there before")
    if absent:
        say("the server has none of " + ", ".join(str(t.date) for t in absent))
