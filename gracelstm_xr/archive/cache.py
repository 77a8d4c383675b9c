"""Parsed Level-1B files, kept for a while in each process.

A Dataset of one file has several variables, and each is asked for on its own, often
from several threads. The file is parsed once: the first thread does it, the others
wait. What is kept is read-only: whoever hands values to a user copies them. Entries
are named by path, size and modification time, so that a changed file is read anew,
and the least recently used go first when the memory limit is reached.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from gracelstm_xr import l1b
from gracelstm_xr.core.remote import files_at, stamp
from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.l1b.source import decompress, open_raw, read_stored, split_chain

Value = TypeVar("Value")
Identity = tuple[str, int, int]


def normalised(source: str | os.PathLike[str]) -> str:
    """Return one spelling of a source: absolute paths, URLs as they are.

    Parameters
    ----------
    source : str or PathLike
        Path, ``file://`` or other URL, or ``tar://member::archive``.
    """
    text = os.fspath(source)
    chain = split_chain(text)
    if chain is not None:
        return f"tar://{chain[0]}::{normalised(chain[1])}"
    text = text.removeprefix("file://")
    if "://" in text or "::" in text:
        return text
    return os.path.abspath(os.path.expanduser(text))


def identity(source: str) -> Identity:
    """Return (name, modification time [ns], size) of a normalised source.

    Of a remote file the time is a number for its version. Absent files get zeros;
    reading one tells the user.
    """
    chain = split_chain(source)
    path = chain[1] if chain is not None else source
    if "://" in path and "::" not in path:
        return source, *_version(path)
    with contextlib.suppress(OSError, ValueError):
        status = os.stat(path)
        return source, status.st_mtime_ns, status.st_size
    return source, 0, 0


def _version(url: str) -> tuple[int, int]:
    with contextlib.suppress(FileNotFoundError):
        fs, path = files_at(url)
        info = fs.info(path)
        return stamp(info), int(info.get("size") or 0)
    return 0, 0


class LimitedCache(Generic[Value]):
    """A thread-safe least-recently-used cache limited by bytes.

    Parameters
    ----------
    limit : int
        Largest total size of the entries [bytes]; the newest entry always stays.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: OrderedDict[Any, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Any, threading.Lock] = {}
        self._total = 0

    def get(self, key: Any) -> Value | None:
        """Return the entry, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Any, value: Value, size: int) -> None:
        """Store an entry of `size` bytes and drop the oldest above the limit."""
        with self._lock:
            self._drop(key)
            self._entries[key] = (value, size)
            self._total += size
            while self._total > self.limit and len(self._entries) > 1:
                self._drop(next(iter(self._entries)))

    def pop(self, key: Any) -> Value | None:
        """Remove and return the entry, or None."""
        with self._lock:
            return self._drop(key)

    def keys(self) -> list[Any]:
        """Return the names of the entries, oldest first."""
        with self._lock:
            return list(self._entries)

    def _drop(self, key: Any) -> Value | None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._total -= entry[1]
        return entry[0]

    @contextlib.contextmanager
    def alone(self, key: Any) -> Iterator[None]:
        """Let one thread at a time make the entry of `key`."""
        with self._lock:
            lock = self._making.setdefault(key, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self._lock:
                self._making.pop(key, None)

    def get_or_make(
        self, key: Any, make: Callable[[], Value], size: Callable[[Value], int]
    ) -> Value:
        """Return the entry; make it in this thread when it is absent.

        Errors of `make` pass through and leave no entry.
        """
        value = self.get(key)
        if value is None:
            with self.alone(key):
                value = self.get(key)
                if value is None:
                    value = make()
                    self.put(key, value, size(value))
        return value


FILES: LimitedCache[l1b.L1BFile] = LimitedCache(256 << 20)
"""Parsed files: about 40 days of one binary product, or 25 of a text one."""


MEMBERS: LimitedCache[bytes] = LimitedCache(256 << 20)
"""Members that were passed on the way to another one of their tarball."""


def size_of(file: l1b.L1BFile) -> int:
    """Memory of the columns [bytes]."""
    return sum(column.nbytes for column in file.columns.values())


def parsed(
    source: str,
    *,
    strict: bool = False,
    siblings: Sequence[str] = (),
    quiet: bool = False,
) -> l1b.L1BFile:
    """Return a parsed file with read-only columns, from memory if it is there.

    Parameters
    ----------
    source : str
        As `normalised` returns it.
    strict : bool, default False
        Passed to `gracelstm_xr.l1b.read`.
    siblings : sequence of str
        Members of the same tarball that will be wanted too: they are taken out in
        the same pass, because a compressed tarball can only be read from its start.
    quiet : bool, default False
        Passed to `gracelstm_xr.l1b.read`.

    Raises
    ------
    FileNotFoundError
        No such file or member.
    L1BFormatError
        The file is damaged.
    """
    key = (*identity(source), strict)

    def make() -> l1b.L1BFile:
        if split_chain(source) is None or not siblings:
            file = l1b.read(source, strict=strict, quiet=quiet)
        else:
            content = decompress(stored(source, siblings=siblings), source)
            file = l1b.read_bytes(content, source, strict=strict, quiet=quiet)
        for values in (file.time_ns, *file.columns.values()):
            values.flags.writeable = False
        return file

    return FILES.get_or_make(key, make, size_of)


def stored(source: str, *, siblings: Sequence[str] = ()) -> bytes:
    """Return the bytes of a file or member as they are stored, gzip and all.

    Parameters
    ----------
    source : str
        As `normalised` returns it.
    siblings : sequence of str
        Members to take along, as for `parsed`.

    Raises
    ------
    FileNotFoundError
        No such file or member.
    L1BFormatError
        A folder, a damaged tarball, or a member that differs from its checksum.
    """
    chain = split_chain(source)
    if chain is not None:
        return _member(chain[1], chain[0], siblings)
    with open_raw(source) as stream:
        return read_stored(stream, source)


def _member(archive: str, member: str, siblings: Sequence[str]) -> bytes:
    """Take one member out of a tarball, and keep its siblings for later."""
    place = identity(archive)
    with MEMBERS.alone(place):
        member_bytes = MEMBERS.pop((place, member))
        if member_bytes is None:
            others = [m for m in siblings if MEMBERS.get((place, m)) is None]
            wanted = list(dict.fromkeys([member, *others]))
            content = _take(archive, member, wanted)
            member_bytes = content.pop(member, None)
            for name, data in content.items():
                MEMBERS.put((place, name), data, len(data))
    if member_bytes is None:
        _check_members(archive, member)
        raise FileNotFoundError(f"{archive}: no member {member}")
    return member_bytes


def _take(archive: str, member: str, wanted: list[str]) -> dict[str, bytes]:
    """Read the members that exist and are sound; the wanted one must be sound."""
    try:
        content = l1b.read_members(archive, wanted, absent_ok=True)
        absent = [name for name in wanted if name not in content]
        forms = _other_forms(archive, absent) if absent else {}
        if forms:
            others = l1b.read_members(archive, forms.values())
            content |= {name: others[form] for name, form in forms.items()}
        return content
    except L1BFormatError:
        if wanted == [member]:
            raise
        # A sibling may be the damaged one
        return _take(archive, member, [member])


def _other_forms(archive: str, absent: list[str]) -> dict[str, str]:
    """Members that hold the same file in another form: ``.dat.gz``, ``.asc``."""
    stored_as = {}
    for member in l1b.members(archive):
        name = l1b.parse_name(member)
        if name is not None and name.extension != "rpt":
            stored_as[replace(name, extension="")] = member
    names = {member: l1b.parse_name(member) for member in absent}
    keys = {m: replace(n, extension="") for m, n in names.items() if n is not None}
    return {m: stored_as[key] for m, key in keys.items() if key in stored_as}


def _check_members(archive: str, member: str) -> None:
    """Refuse a tarball that holds other files than its name says.

    A member that is absent is an ordinary thing, but not where the same product stands
    under another day or release, or where nothing has a name that is known.
    """
    wanted = l1b.parse_name(member)
    members = l1b.members(archive)
    names = [(m, n) for m in members if (n := l1b.parse_name(m)) is not None]
    held = ", ".join(members[:3]) or "nothing"
    if not names:
        raise L1BFormatError(
            f"{archive}: no member {member}, and none with the name of a Level-1B "
            f"file; it holds {held}"
        )
    if wanted is None:
        return
    day = wanted.date.isoformat()
    # a monthly archive is named after its month
    span = day if day in os.path.basename(archive) else day[:7]
    for other, name in names:
        same = (name.product, name.satellite) == (wanted.product, wanted.satellite)
        here = name.date.isoformat().startswith(span) and name.release == wanted.release
        if same and not here:
            raise L1BFormatError(
                f"{archive}: no member {member}, but {other}; rename the archive to "
                "one that is listed, such as data.tar.gz"
            )


def forget(source: str) -> None:
    """Drop a file from the memory of this process."""
    for key in FILES.keys():  # noqa: SIM118
        if key[0] == source:
            FILES.pop(key)
