"""Open what a caller names: a path or a URL, gzip or not.

Gzip is recognised by its first two bytes, never by the suffix: some monthly
RL03 archives are plain tar files although they are called ``.tar.gz``.
"""

from __future__ import annotations

import contextlib
import io
import os
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import BinaryIO, cast

from gracelstm_xr.errors import L1BFormatError

__all__ = ["Source", "split_chain"]

Source = str | os.PathLike[str]
GZIP_MAGIC = b"\x1f\x8b"


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
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise _corrupt(source, error) from error
    except OSError as error:
        # BadGzipFile, and isal's error: both are OSError without an errno.
        if error.errno is not None or isinstance(error, FileNotFoundError):
            raise
        raise _corrupt(source, error) from error


def _corrupt(source: Source, error: Exception) -> L1BFormatError:
    return L1BFormatError(
        f"{os.fspath(source)}: corrupt gzip data ({error}); download the file again"
    )


@contextlib.contextmanager
def open_raw(source: Source) -> Iterator[BinaryIO]:
    """Open a path or an fsspec URL for reading bytes as they are stored.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    L1BFormatError
        The path is a folder.
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
    with open(text, "rb") as plain:
        yield plain


def inflated(stream: BinaryIO) -> BinaryIO:
    """Return the decompressed view of a stream if it is gzip, else the stream."""
    magic = stream.read(2)
    stream.seek(0)
    if magic != GZIP_MAGIC:
        return stream
    return cast(BinaryIO, _gzip_module().open(stream, "rb"))


def decompress(data: bytes, source: Source) -> bytes:
    """Inflate gzip bytes (recognised by content); others are returned as given."""
    if not data.startswith(GZIP_MAGIC):
        return data
    with gzip_errors(source):
        return cast(bytes, _gzip_module().decompress(data))


def as_stream(data: bytes) -> BinaryIO:
    """Wrap bytes as a readable stream."""
    return io.BytesIO(data)
