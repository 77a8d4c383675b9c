"""Members of Level-1B tarballs: list, read in one pass, verify, write.

GRACE-FO daily archives are flat and hold a ``checksum`` member with one line
``<md5>  <name>`` per other member; GRACE archives may have a leading folder.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.files import check_output, writing
from gracelstm_xr.l1b.model import parse_name
from gracelstm_xr.l1b.source import Source, as_stream, gzip_errors, inflated, open_raw
from gracelstm_xr.missions import GRACE_FO, mission_of

__all__ = ["members", "open_member", "read_members", "verify_checksums"]

CHECKSUM = "checksum"
_LINE = re.compile(r"^([0-9a-fA-F]{32})\s+\*?(\S+)\s*$")


@contextlib.contextmanager
def _tar(archive: Source) -> Iterator[tarfile.TarFile]:
    """Open a tarball, compressed or not, for one pass from its start."""
    with open_raw(archive) as raw, gzip_errors(archive):
        try:
            tar = tarfile.open(fileobj=inflated(raw), mode="r:")  # noqa: SIM115
        except tarfile.ReadError as error:
            raise L1BFormatError(
                f"{os.fspath(archive)}: not a tar archive ({error}); expected a "
                ".tar.gz or .tgz of Level-1B files"
            ) from error
        with tar:
            try:
                yield tar
            except tarfile.ReadError as error:
                raise L1BFormatError(
                    f"{os.fspath(archive)}: damaged tar archive ({error}); "
                    "download it again"
                ) from error


def _files(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Regular members in stored order, forgetting those already passed."""
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]
        if info.isfile():
            yield info


def _read(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(info)
    data = stream.read() if stream is not None else b""
    if len(data) != info.size:
        raise tarfile.ReadError(f"{info.name} ends early")
    return data


def _base(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def members(archive: Source) -> Iterator[str]:
    """Names of the regular members of a tarball, in stored order.

    Parameters
    ----------
    archive
        Path or fsspec URL of a tar file, gzip-compressed or not.

    Yields
    ------
    str
        Name as stored, with a leading folder where there is one.

    Raises
    ------
    FileNotFoundError, L1BFormatError
        No such archive; not a tar archive or damaged.
    """
    with _tar(archive) as tar:
        for info in _files(tar):
            yield info.name


@contextlib.contextmanager
def open_member(archive: Source, member: str) -> Iterator[IO[bytes]]:
    """Open one member as a decompressed stream, not verified (for headers)."""
    with _tar(archive) as tar:
        seen: list[str] = []
        for info in _files(tar):
            if member in (info.name, _base(info.name)):
                stream = tar.extractfile(info)
                if stream is not None:
                    buffered: BinaryIO = stream  # type: ignore[assignment]
                    yield inflated(buffered)
                    return
            seen.append(info.name)
        raise _missing(archive, [member], seen)


def _missing(archive: Source, wanted: list[str], seen: list[str]) -> FileNotFoundError:
    holds = ", ".join(sorted(seen)[:6]) + (", ..." if len(seen) > 6 else "")
    names = ", ".join(wanted)
    return FileNotFoundError(
        f"{os.fspath(archive)}: no member {names}; the archive holds "
        f"{holds or 'no files'}"
    )


def read_members(
    archive: Source, wanted: Iterable[str], *, verify: bool | None = None
) -> dict[str, bytes]:
    """Read members of a tarball in one pass, stopping when all are found.

    Parameters
    ----------
    archive
        Path or fsspec URL of a tar file, gzip-compressed or not.
    wanted
        Member names, as stored or without their leading folder.
    verify
        Compare with the ``checksum`` member. None (default) does so for
        GRACE-FO members, whose archives have one: where it stands behind the
        wanted members the first read goes on to it, later reads in the same
        process remember it. True demands a ``checksum`` member; False skips.

    Returns
    -------
    dict
        Stored bytes by wanted name (a gzip member stays compressed).

    Raises
    ------
    FileNotFoundError
        No such archive, or a wanted member is not in it.
    L1BFormatError
        Damaged archive, or a member differs from its checksum.
    """
    names = list(dict.fromkeys(wanted))
    check = any(_has_checksum(n) for n in names) if verify is None else verify
    known = _recall(archive) if check else None
    found: dict[str, bytes] = {}
    seen: list[str] = []
    with _tar(archive) as tar:
        for info in _files(tar):
            seen.append(info.name)
            base = _base(info.name)
            if base == CHECKSUM and check and known is None:
                known = _parse_checksums(_read(tar, info))
            for name in names:
                if name in (info.name, base) and name not in found:
                    found[name] = _read(tar, info)
            if len(found) == len(names) and (known is not None or not check):
                break
    if len(found) < len(names):
        raise _missing(archive, [n for n in names if n not in found], seen)
    if check:
        _remember(archive, known or {})
        if verify and not known:
            raise L1BFormatError(f"{os.fspath(archive)}: no {CHECKSUM} member")
        for name, data in found.items():
            _compare(archive, name, data, known or {})
    return found


def _has_checksum(member: str) -> bool:
    name = parse_name(member)
    return name is not None and mission_of(name.satellite) is GRACE_FO


def _parse_checksums(data: bytes) -> dict[str, str]:
    lines = data.decode("ascii", "replace").splitlines()
    pairs = (match.groups() for line in lines if (match := _LINE.match(line)))
    return {_base(name): digest.lower() for digest, name in pairs}


def _compare(archive: Source, name: str, data: bytes, known: Mapping[str, str]) -> None:
    expected = known.get(_base(name))
    if expected is None:
        return
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != expected:
        raise L1BFormatError(
            f"{os.fspath(archive)}: wrong checksum of {name}: MD5 is {found}, "
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
    known: dict[str, str] = {}
    with _tar(archive) as tar:
        for info in _files(tar):
            data = _read(tar, info)
            if _base(info.name) == CHECKSUM:
                known = _parse_checksums(data)
                continue
            digests[_base(info.name)] = hashlib.md5(
                data, usedforsecurity=False
            ).hexdigest()
    missing = sorted(set(known) - set(digests))
    wrong = [n for n, digest in known.items() if digests.get(n, digest) != digest]
    if missing or wrong:
        parts = [f"wrong checksum of {', '.join(wrong)}"] if wrong else []
        parts += [f"missing {', '.join(missing)}"] if missing else []
        raise L1BFormatError(
            f"{os.fspath(archive)}: {'; '.join(parts)}; download the archive again"
        )
    return tuple(known)


# Checksum tables by archive identity, so that one process looks for each once.
@functools.lru_cache(maxsize=512)
def _slot(path: str, size: int, mtime: int) -> dict[str, dict[str, str]]:
    return {}


def _identity(archive: Source) -> dict[str, dict[str, str]] | None:
    try:
        status = os.stat(archive)
    except (OSError, ValueError):
        return None
    path = os.path.abspath(os.fspath(archive))
    return _slot(path, status.st_size, status.st_mtime_ns)


def _recall(archive: Source) -> dict[str, str] | None:
    slot = _identity(archive)
    return None if slot is None else slot.get(CHECKSUM)


def _remember(archive: Source, table: dict[str, str]) -> None:
    slot = _identity(archive)
    if slot is not None:
        slot[CHECKSUM] = table


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
