"""The members of a tar stream, strictly in order, and its end told from damage.

A tar file has no checksum but those of its member headers. Python's own reader takes a
header that is broken for the end of the archive; here it is an error, and so is an end
without the two blocks of zeros that mark it, or anything but zeros behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from gracelstm_xr.l1b.source import beginning

BLOCK = 512
#: Member header extensions are a name or two; no more is read into memory.
_EXTENSION = 1 << 20
#: Bytes passed over at a time.
_STEP = 1 << 18
#: Size announced by one member [bytes]; no medium holds a larger one.
_LARGEST = 1 << 50
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_RECORD = re.compile(rb"(\d{1,7}) ([^=\n]+)=")


class TarError(Exception):
    """The stream is a damaged tar archive."""


class NotTarError(TarError):
    """The stream does not begin as a tar archive does."""


@dataclass
class Member:
    """A regular file in a tar stream, to be read before the next one.

    Attributes
    ----------
    name
        As stored, with its folder.
    size
        Announced length [bytes].
    """

    name: str
    size: int
    _stream: IO[bytes] = field(repr=False)
    _left: int = 0

    def read(self) -> bytes:
        """Return its content; only once.

        Raises
        ------
        TarError
            The stream ends before it.
        """
        data = _exactly(self._stream, self._left)
        if len(data) < self._left:
            raise TarError(f"{self.name} ends early")
        self._left = 0
        return data

    def pass_over(self) -> None:
        """Go to the header behind it."""
        left = self._left + -self.size % BLOCK
        while left:
            data = self._stream.read(min(left, _STEP))
            if not data:
                raise TarError(f"{self.name} ends early")
            left -= len(data)
        self._left = 0


def walk(stream: IO[bytes]) -> Iterator[Member]:
    """Yield the regular members of a tar stream, then check its end.

    Parameters
    ----------
    stream
        Decompressed bytes from the start of the archive.

    Raises
    ------
    TarError
        A header is broken, a member is cut, the end mark is missing, something
        stands behind it, or the archive uses sparse files.
    """
    extended: dict[str, bytes] = {}
    first = True
    while any(head := _block(stream, first=first)):
        if first and not _sound(head):
            raise NotTarError(beginning(head))
        if not _sound(head):
            raise TarError("a member header is broken")
        first = False
        size = _number(head[124:136])
        kind = head[156:157]
        if kind in b"xgLK":
            extended |= _extension(stream, kind, size)
            continue
        if kind == b"S" or any(key.startswith("GNU.sparse") for key in extended):
            raise TarError("it holds a sparse file, which no Level-1B archive does")
        name = _name(head, extended)
        size = _length(extended["size"]) if "size" in extended else size
        extended = {}
        regular = kind in b"0\0007" and not name.endswith("/")
        # links, folders and devices have no content, whatever their size says
        member = Member(name, size, stream, size) if kind not in b"123456" else None
        if member is not None:
            if regular:
                yield member
            member.pass_over()
    _check_end(stream)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    """So many bytes, fewer only at the end of the stream."""
    data = stream.read(size)
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _block(stream: IO[bytes], *, first: bool) -> bytes:
    block = _exactly(stream, BLOCK)
    if first and not block:
        raise NotTarError("it is empty")
    if first and len(block) < BLOCK:
        raise NotTarError(beginning(block))
    if not block:
        raise TarError("it ends without an end mark")
    if len(block) < BLOCK:
        raise TarError("it ends within a member header")
    return block


def _sound(head: bytes) -> bool:
    """Whether a member header is what was written; old writers added signed bytes."""
    written = _OCTAL.fullmatch(head[148:156])
    plain = sum(head[:148]) + 8 * 32 + sum(head[156:])
    signed = plain - 256 * sum(byte > 127 for byte in head[:148] + head[156:])
    return written is not None and int(written[1] or b"0", 8) in (plain, signed)


def _number(text: bytes) -> int:
    """Octal digits, or for large numbers binary ones behind a set bit."""
    if text[0] == 0x80:
        return _bounded(int.from_bytes(text[1:], "big"))
    match = _OCTAL.fullmatch(text)
    if match is None:
        raise TarError("a number in a member header is broken")
    return _bounded(int(match[1] or b"0", 8))


def _length(digits: bytes) -> int:
    if not re.fullmatch(rb"\d{1,19}", digits):
        raise TarError(f"a member announces a size of {digits[:20]!r}")
    return _bounded(int(digits))


def _bounded(value: int) -> int:
    if not 0 <= value <= _LARGEST:
        raise TarError(f"a member announces {value} bytes")
    return value


def _name(head: bytes, extended: dict[str, bytes]) -> str:
    if "path" in extended:
        return extended["path"].decode("utf-8", "replace")
    name = head[:100].split(b"\0", 1)[0]
    if head[257:263] == b"ustar\0":
        prefix = head[345:500].split(b"\0", 1)[0]
        name = prefix + b"/" + name if prefix else name
    return name.decode("utf-8", "replace")


def _extension(stream: IO[bytes], kind: bytes, size: int) -> dict[str, bytes]:
    """What stands before a header: a long name, or records ``length key=value``."""
    if size > _EXTENSION:
        raise TarError(f"an extended header announces {size} bytes")
    extension = Member("an extended header", size, stream, size)
    data = extension.read()
    extension.pass_over()
    if kind == b"L":
        return {"path": data.split(b"\0", 1)[0]}
    if kind in b"Kg":  # names of links, and what holds for all members
        return {}
    records: dict[str, bytes] = {}
    at = 0
    while at < len(data) and data[at]:
        match = _RECORD.match(data, at)
        stop = at + int(match[1]) if match else at
        if match is None or not match.end() < stop <= len(data):
            raise TarError("an extended header is broken")
        key = match[2].decode("utf-8", "replace")
        records[key] = data[match.end() : stop - 1]
        at = stop
    return records


def _check_end(stream: IO[bytes]) -> None:
    """After the first block of zeros: a second one, and nothing but zeros."""
    while block := stream.read(_STEP):
        if any(block):
            raise TarError("there is something behind its end mark")
