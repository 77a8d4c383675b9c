"""Daily tarballs of Level-1B files from a data centre, over HTTP.

Their addresses follow from mission, date and release, so that nothing is searched for.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gracelstm_xr import l1b
from gracelstm_xr.core.labels import time_slice
from gracelstm_xr.errors import ArchiveError, GraceError, L1BFormatError
from gracelstm_xr.files import writing
from gracelstm_xr.missions import mission_named

#: Folders with the daily tarballs, by centre.
CENTRES = {
    "gfz": "https://isdc-data.gfz.de/{mission.key}/Level-1B/JPL/INSTRUMENT/"
    "RL{release}/{date:%Y}/",
    "podaac": "https://archive.podaac.earthdata.nasa.gov/podaac-ops-cumulus-protected/"
    "{mission.collection}_RL{release}/",
}
#: Seconds to wait for a connection, and for the next bytes.
PATIENCE = (30, 120)
#: Bytes that are written at a time.
BLOCK = 1 << 20


@dataclass(frozen=True)
class Tarball:
    """A daily tarball: its date, name and address."""

    date: dt.date
    name: str
    url: str


def tarballs(
    mission: str,
    start: str,
    stop: str,
    *,
    release: str | None = None,
    centre: str = "gfz",
    url: str | None = None,
) -> list[Tarball]:
    """Tarballs that a centre should have of a span.

    Parameters
    ----------
    mission : str
        `Mission.key`.
    start, stop : str
        First and last GPS date.
    release : str, optional
        Two digits; that of the mission by default.
    centre : {"gfz", "podaac"}, optional
    url : str, optional
        Folder that has the tarballs, in place of those of the centre.

    Raises
    ------
    GraceError
        `start` is not before `stop`, or `url` is no address of HTTP.
    """
    if url is not None and not url.startswith(("http://", "https://")):
        raise GraceError(f"{url}: expected an address that begins with https://")
    row = mission_named(mission)
    release = release or row.release
    span = time_slice(start, stop)
    wanted = []
    for day in pd.date_range(pd.Timestamp(span.start).normalize(), span.stop):
        date, name = day.date(), row.tarball(day.date(), release)
        folder = url or CENTRES[centre].format(mission=row, release=release, date=date)
        wanted.append(Tarball(date, name, f"{folder.rstrip('/')}/{name}"))
    return wanted


def connect() -> Any:
    """Return a session of requests that tries again where a server is busy.

    Logins are taken from ``~/.netrc``, also where the server sends to another one.

    Raises
    ------
    GraceError
        requests is not installed.
    """
    try:
        from requests import Session
        from requests.adapters import HTTPAdapter
        from urllib3 import Retry
    except ImportError as error:
        raise GraceError(
            "found no package requests, which fetches files; pip install requests"
        ) from error
    session = Session()
    # as they are: a .tgz sent with an encoding would be unpacked on the way
    session.headers["Accept-Encoding"] = "identity"
    busy = (429, 500, 502, 503, 504)
    again = Retry(3, backoff_factor=0.2, status_forcelist=busy, raise_on_status=False)
    for protocol in ("http://", "https://"):
        session.mount(protocol, HTTPAdapter(max_retries=again))
    return session


def fetch(
    session: Any, tarball: Tarball, folder: Path, received: Callable[[int], None]
) -> bool:
    """Put a tarball into a folder, whole; False where the server has none.

    Parameters
    ----------
    session : requests.Session
    tarball : Tarball
    folder : Path
        Nothing in it is replaced.
    received : callable
        Told the bytes of every block.

    Raises
    ------
    ArchiveError
        The server does not answer, asks for a login, or breaks off.
    L1BFormatError
        What it sent is no tarball, or a damaged one.
    """
    from requests import RequestException

    try:
        with session.get(tarball.url, stream=True, timeout=PATIENCE) as answer:
            if answer.status_code == 404:
                return False
            _check(answer, tarball.url)
            with writing(folder / tarball.name) as work:
                with work.open("wb") as file:
                    for block in answer.iter_content(BLOCK):
                        file.write(block)
                        received(len(block))
                _check_whole(work, tarball.url)
    except RequestException as error:
        raise ArchiveError(
            f"{tarball.url}: the server does not answer or has broken off "
            f"({type(error).__name__}); what is finished is kept: run the same again"
        ) from error
    return True


def _check(answer: Any, url: str) -> None:
    """Refuse answers that are no file."""
    if answer.status_code in (401, 403):
        raise ArchiveError(
            f"{url}: access denied (status {answer.status_code}); put your login into "
            "~/.netrc, for PO.DAAC: machine urs.earthdata.nasa.gov login NAME "
            "password WORD"
        )
    if answer.status_code != 200:
        raise ArchiveError(
            f"{url}: status {answer.status_code} found, expected 200; run the same "
            "again later"
        )


def _check_whole(work: Path, url: str) -> None:
    """Read what was sent to its end, so that only whole tarballs get their names."""
    try:
        l1b.members(work)
    except L1BFormatError as error:
        raise L1BFormatError(str(error).replace(os.fspath(work), url)) from error
