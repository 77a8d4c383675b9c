"""Open what a caller names: a path or a URL, gzip or not.

Gzip is recognised by its first two bytes, never by the suffix: some monthly
RL03 archives are plain tar files although they are called ``.tar.gz``.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import BinaryIO, cast

from gracelstm_xr.errors import GraceError, L1BFormatError

Source = str | os.PathLike[str]
GZIP_MAGIC = b"\x1f\x8b"
#: Largest content of one Level-1B file [bytes]; 10 Hz for a day as text is half of it.
LARGEST = 256 << 20
#: What a gzip stream may unpack to: so many bytes, and so many times its own size.
_UNPACKED, _RATIO = 64 << 20, 50
_STEP = 1 << 20
#: How files begin that come in place of data or are packed otherwise, and the remedy.
_OTHERS = {
    b"\xfd7zXZ\0": "it is packed by xz: unpack it with unxz",
    b"BZh": "it is packed by bzip2: unpack it with bunzip2",
    b"\x1f\x9d": "it is packed by compress: unpack it with uncompress",
    b"PK\x03\x04": "it is a zip file: unpack it with unzip",
}
_PAGES = (b"<!doctype html", b"<html")


class CorruptGzipError(L1BFormatError):
    """A gzip stream is damaged; reading it again gives nothing else."""


def beginning(head: bytes) -> str:
    """Say what a file is that begins with these bytes and is not one of ours."""
    if head.lstrip().lower().startswith(_PAGES):
        return "it is a web page, sent in place of the file: log in and download again"
    for mark, words in _OTHERS.items():
        if head.startswith(mark):
            return words
    return f"it starts with {head[:16]!r}"


def split_chain(source: Source) -> tuple[str, str] | None:
    """Split ``tar://member::archive`` into (member, archive); None for the rest."""
    text = os.fspath(source)
    if not text.startswith("tar://"):
        return None
    member, separator, archive = text.removeprefix("tar://").partition("::")
    if not separator or not member or not archive:
        raise L1BFormatError(
            f"cannot read {text!r}: expected tar://MEMBER::ARCHIVE, for example "
            "tar://ACC1B_2008-01-01_A_02.dat::grace_1B_2008-01-01_02.tar.gz"
        )
    return member.lstrip("/"), archive


def _gzip_module() -> ModuleType:
    """Return isal's gzip (the ``fast`` extra) where installed, else Python's."""
    try:
        from isal import igzip
    except ImportError:
        import gzip

        return gzip
    return cast(ModuleType, igzip)


@contextlib.contextmanager
def gzip_errors(source: Source) -> Iterator[None]:
    """Turn every way a gzip stream can be damaged into one clear line."""
    # isal has an error of its own, which is neither zlib's nor an OSError
    isal = sys.modules.get("isal.isal_zlib")
    errors = (EOFError, zlib.error) if isal is None else (EOFError, isal.error)
    try:
        yield
    except errors as error:
        raise _corrupt(source, error) from error
    except OSError as error:
        # BadGzipFile is an OSError without an errno.
        if error.errno is not None or isinstance(error, FileNotFoundError):
            raise
        raise _corrupt(source, error) from error


def _corrupt(source: Source, error: Exception) -> CorruptGzipError:
    return CorruptGzipError(
        f"{os.fspath(source)}: corrupt gzip data ({error}); download the file again"
    )


@contextlib.contextmanager
def parsing(source: Source) -> Iterator[None]:
    """Turn whatever damaged content does to a parser into one line with its name."""
    try:
        yield
    except GraceError:
        raise
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split())[:120]
        raise L1BFormatError(
            f"{os.fspath(source)}: cannot be read ({type(error).__name__}: {reason}); "
            "download the file again"
        ) from error


@contextlib.contextmanager
def open_raw(source: Source) -> Iterator[BinaryIO]:
    """Open a path or an fsspec URL for reading bytes as they are stored.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    L1BFormatError
        The path is a folder, or a pipe or device, which may never end.
    """
    text = os.fspath(source)
    if "://" in text or "::" in text:
        import fsspec

        with fsspec.open(text, "rb") as stream:
            yield stream
        return
    if os.path.isdir(text):
        raise L1BFormatError(
            f"{text} is a folder; expected one Level-1B file "
            "(open_archive reads folders)"
        )
    if not os.path.exists(text):
        raise FileNotFoundError(f"no such file: {text}")
    check_regular(text)
    with open(text, "rb") as plain:
        yield plain


def check_regular(path: str) -> None:
    """Refuse pipes, sockets and devices, which may never end.

    Raises
    ------
    L1BFormatError
        The path is there and is neither a file nor a folder.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a named pipe" if stat.S_ISFIFO(mode) else "a device"
        raise L1BFormatError(
            f"{path} is {kind}; expected a file: write what it gives to one"
        )


class _Inflated(io.RawIOBase):
    """A gzip stream that is refused when it unpacks to more than data ever do."""

    def __init__(self, packed: BinaryIO) -> None:
        self.packed = packed
        self.plain = _gzip_module().open(packed, "rb")
        self.total = 0

    def read(self, size: int = -1) -> bytes:
        data = cast(bytes, self.plain.read(size))
        self.total += len(data)
        if self.total > _UNPACKED + _RATIO * self.packed.tell():
            raise EOFError(f"more than {_RATIO} times its size when unpacked")
        return data


def inflated(stream: BinaryIO) -> BinaryIO:
    """Return the decompressed view of a stream if it is gzip, else the stream.

    Read to its end it is sound: only there does gzip compare checksum and length.
    """
    magic = stream.read(2)
    stream.seek(0)
    if magic != GZIP_MAGIC:
        return stream
    return cast(BinaryIO, _Inflated(stream))


def read_all(stream: BinaryIO, source: Source) -> bytes:
    """Return all that a stream has, decompressed if it is gzip.

    Raises
    ------
    L1BFormatError
        Damaged, or more than `LARGEST` bytes.
    """
    with gzip_errors(source):
        plain = inflated(stream)
        if plain is stream:
            return read_stored(stream, source)
        blocks = []
        left = LARGEST
        while block := plain.read(_STEP):
            blocks.append(block)
            left -= len(block)
            if left < 0:
                raise too_large(source)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def read_stored(stream: BinaryIO, source: Source) -> bytes:
    """Return the bytes of a file as they are stored, no more than `LARGEST`."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size > LARGEST:
        raise too_large(source)
    return stream.read()


def too_large(source: Source) -> L1BFormatError:
    """What is said of content that no Level-1B file has."""
    return L1BFormatError(
        f"{os.fspath(source)}: more than {LARGEST >> 20} MiB of content; no Level-1B "
        "file is that large"
    )


def decompress(data: bytes, source: Source) -> bytes:
    """Inflate gzip bytes (recognised by content); others are returned as given."""
    if not data.startswith(GZIP_MAGIC):
        return data
    return read_all(as_stream(data), source)


def as_stream(data: bytes) -> BinaryIO:
    """Wrap bytes as a readable stream."""
    return io.BytesIO(data)
