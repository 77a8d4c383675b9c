"""Members of Level-1B tarballs: list, read in one pass, verify, write.

GRACE-FO daily archives are flat and hold a ``checksum`` member with one line
``<md5>  <name>`` per other member; GRACE archives may have a leading folder.

A tarball is read to its end before anything of it is believed, because gzip has its
checksum there. A process does so once for each file; a damaged one stays damaged.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.files import check_output, writing
from gracelstm_xr.l1b.model import parse_name
from gracelstm_xr.l1b.source import (
    LARGEST,
    CorruptGzipError,
    Source,
    as_stream,
    gzip_errors,
    inflated,
    open_raw,
    too_large,
)
from gracelstm_xr.l1b.tarstream import Member, NotTarError, TarError, walk
from gracelstm_xr.missions import GRACE_FO, mission_of

CHECKSUM = "checksum"
_LINE = re.compile(r"^([0-9a-fA-F]{32})\s+\*?(\S+)\s*$")


@dataclass
class _Verdict:
    """What this process knows of one tarball as it is on disk.

    Attributes
    ----------
    names
        Members in stored order, once it was read to its end; None before.
    damage
        Why it is not to be trusted; empty for a sound one.
    checksums
        MD5 by name from its ``checksum`` member; None when it was not looked for.
    """

    names: tuple[str, ...] | None = None
    damage: str = ""
    checksums: dict[str, str] | None = None


@functools.lru_cache(maxsize=512)
def _remembered(path: str, size: int, mtime: int) -> _Verdict:
    return _Verdict()


def _verdict(archive: Source) -> _Verdict:
    """What is known of a tarball; nothing of one that is not on this machine."""
    try:
        status = os.stat(archive)
    except (OSError, ValueError):
        return _Verdict()
    path = os.path.abspath(os.fspath(archive))
    return _remembered(path, status.st_size, status.st_mtime_ns)


@contextlib.contextmanager
def _tar(archive: Source, verdict: _Verdict) -> Iterator[Iterator[Member]]:
    """Walk through the regular members of a tarball, compressed or not."""
    if verdict.damage:
        raise L1BFormatError(verdict.damage)
    try:
        with open_raw(archive) as raw, gzip_errors(archive):
            yield _noted(inflated(raw), verdict)
    except TarError as error:
        verdict.damage = _said(archive, error)
        raise L1BFormatError(verdict.damage) from error
    except CorruptGzipError as error:
        verdict.damage = str(error)
        raise


def _said(archive: Source, error: TarError) -> str:
    name = os.fspath(archive)
    if isinstance(error, NotTarError):
        return (
            f"{name}: not a tar archive ({error}); expected a .tar.gz or .tgz of "
            "Level-1B files"
        )
    return f"{name}: damaged tar archive ({error}); download it again"


def _noted(stream: IO[bytes], verdict: _Verdict) -> Iterator[Member]:
    """Pass on the members; note their names when the end was sound."""
    names = []
    for member in walk(stream):
        names.append(member.name)
        yield member
    verdict.names = tuple(names)


def _read(archive: Source, member: Member) -> bytes:
    if member.size > LARGEST:
        raise too_large(f"{os.fspath(archive)}: {member.name}")
    return member.read()


def _base(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def members(archive: Source) -> tuple[str, ...]:
    """Names of the regular members of a tarball, in stored order.

    Parameters
    ----------
    archive
        Path or fsspec URL of a tar file, gzip-compressed or not.

    Returns
    -------
    tuple of str
        Names as stored, with a leading folder where there is one.

    Raises
    ------
    FileNotFoundError, L1BFormatError
        No such archive; not a tar archive or damaged.
    """
    verdict = _verdict(archive)
    if verdict.names is None:
        with _tar(archive, verdict) as tar:
            for _ in tar:
                pass
    return verdict.names or ()


def _missing(
    archive: Source, wanted: Sequence[str], seen: Sequence[str]
) -> FileNotFoundError:
    holds = ", ".join(sorted(seen)[:6]) + (", ..." if len(seen) > 6 else "")
    names = ", ".join(wanted)
    return FileNotFoundError(
        f"{os.fspath(archive)}: no member {names}; the archive holds "
        f"{holds or 'no files'}"
    )


def read_members(
    archive: Source,
    wanted: Iterable[str],
    *,
    verify: bool | None = None,
    absent_ok: bool = False,
) -> dict[str, bytes]:
    """Read members of a tarball in one pass.

    The pass goes to the end of the archive, where gzip tells whether all of it is
    sound; later ones in the same process stop when all is found.

    Parameters
    ----------
    archive
        Path or fsspec URL of a tar file, gzip-compressed or not.
    wanted
        Member names, as stored or without their leading folder.
    verify
        Compare with the ``checksum`` member. None (default) does so for
        GRACE-FO members, whose archives have one. True demands a ``checksum``
        member; False skips.
    absent_ok
        Leave out members that are not there instead of raising.

    Returns
    -------
    dict
        Stored bytes by wanted name (a gzip member stays compressed).

    Raises
    ------
    FileNotFoundError
        No such archive, or a wanted member is not in it.
    L1BFormatError
        Damaged archive, wherever the damage is; a member that differs from its
        checksum or is too large to be a Level-1B file.
    """
    names = list(dict.fromkeys(wanted))
    check = any(_has_checksum(n) for n in names) if verify is None else verify
    verdict = _verdict(archive)
    sound = verdict.names is not None
    content: dict[str, bytes] = {}
    with _tar(archive, verdict) as tar:
        for member in tar:
            base = _base(member.name)
            if base == CHECKSUM and verdict.checksums is None:
                verdict.checksums = _parse_checksums(_read(archive, member))
                continue
            keys = {member.name, base}.intersection(names).difference(content)
            if keys:
                content |= dict.fromkeys(keys, _read(archive, member))
            if sound and len(content) == len(names):
                break
    if len(content) < len(names) and not absent_ok:
        absent = [n for n in names if n not in content]
        raise _missing(archive, absent, verdict.names or ())
    if check:
        if verify and not verdict.checksums:
            raise L1BFormatError(f"{os.fspath(archive)}: no {CHECKSUM} member")
        for name, data in content.items():
            _compare(archive, name, data, verdict.checksums or {})
    return {name: content[name] for name in names if name in content}


def _has_checksum(member: str) -> bool:
    name = parse_name(member)
    return name is not None and mission_of(name.satellite) is GRACE_FO


def _parse_checksums(data: bytes) -> dict[str, str]:
    lines = data.decode("ascii", "replace").splitlines()
    pairs = (match.groups() for line in lines if (match := _LINE.match(line)))
    return {_base(name): digest.lower() for digest, name in pairs}


def _compare(
    archive: Source, name: str, data: bytes, checksums: Mapping[str, str]
) -> None:
    expected = checksums.get(_base(name))
    if expected is None:
        return
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if digest != expected:
        raise L1BFormatError(
            f"{os.fspath(archive)}: wrong checksum of {name}: MD5 is {digest}, "
            f"the checksum member says {expected}; download the archive again"
        )


def verify_checksums(archive: Source) -> tuple[str, ...]:
    """Compare every member with the ``checksum`` member, in one pass.

    Returns
    -------
    tuple of str
        Names of the members that were verified; empty for an archive without
        a ``checksum`` member (GRACE).

    Raises
    ------
    L1BFormatError
        A member differs, or one that is listed is missing.
    """
    digests: dict[str, str] = {}
    checksums: dict[str, str] = {}
    with _tar(archive, _verdict(archive)) as tar:
        for member in tar:
            data = _read(archive, member)
            if _base(member.name) == CHECKSUM:
                checksums = _parse_checksums(data)
                continue
            digests[_base(member.name)] = hashlib.md5(
                data, usedforsecurity=False
            ).hexdigest()
    missing = sorted(set(checksums) - set(digests))
    wrong = [n for n, digest in checksums.items() if digests.get(n, digest) != digest]
    if missing or wrong:
        parts = [f"wrong checksum of {', '.join(wrong)}"] if wrong else []
        parts += [f"missing {', '.join(missing)}"] if missing else []
        raise L1BFormatError(
            f"{os.fspath(archive)}: {'; '.join(parts)}; download the archive again"
        )
    return tuple(checksums)


def write_archive(
    path: Source,
    members: Mapping[str, bytes],
    *,
    checksum: bool,
    overwrite: bool = False,
) -> Path:
    """Write a tarball whose bytes depend on its content only.

    Owner, mode and times are fixed, gzip carries no time and no name; the
    file appears under its final name only when complete.

    Parameters
    ----------
    path
        Local path; compressed when it ends in ``.gz`` or ``.tgz``.
    members
        Content by member name, stored in this order.
    checksum
        Put a GRACE-FO ``checksum`` member (MD5 of every other) first, so that
        readers that stop early still verify.
    overwrite
        Replace a tarball that this program wrote.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    GraceError
        There is a file of that name that is not to be replaced.
    """
    target = Path(path)
    check_output(target, overwrite=overwrite)
    content = dict(members)
    if checksum:
        lines = (
            f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {name}\n"
            for name, data in members.items()
        )
        content = {CHECKSUM: "".join(lines).encode("ascii"), **content}
    with writing(target, replace=overwrite) as work, work.open("wb") as raw:
        if target.name.endswith((".gz", ".tgz")):
            with gzip.GzipFile("", "wb", 3, raw, mtime=0) as zipped:
                _write_tar(zipped, content)
        else:
            _write_tar(raw, content)
    return target


def _write_tar(stream: IO[bytes] | gzip.GzipFile, content: Mapping[str, bytes]) -> None:
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o644
            tar.addfile(info, as_stream(data))
