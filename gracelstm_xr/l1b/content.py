"""The decompressed content of what a caller names: a file, or a member of a tarball."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO

from gracelstm_xr.l1b.source import (
    GZIP_MAGIC,
    Source,
    as_stream,
    decompress,
    open_raw,
    read_all,
    split_chain,
)
from gracelstm_xr.l1b.tarball import read_members


@contextlib.contextmanager
def open_stream(source: Source) -> Iterator[IO[bytes]]:
    """Open the decompressed content of `source` as a stream.

    Parameters
    ----------
    source
        Path, fsspec URL, or ``tar://member::archive`` (the archive may be a
        URL too; the member may sit in a folder and may itself be gzip).

    Raises
    ------
    FileNotFoundError
        The file, or the member of the archive, does not exist.
    L1BFormatError
        Corrupt gzip data, not a tar file, a folder, an empty chain.
    """
    if split_chain(source) is None:
        with open_raw(source) as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield raw
                return
    # only the end of the stream tells whether what stands before it is sound
    yield as_stream(load(source))


def load(source: Source) -> bytes:
    """Return the whole decompressed content of `source`.

    A member of a GRACE-FO tarball is checked against the tarball's
    ``checksum`` member. Errors as for `open_stream`.
    """
    chain = split_chain(source)
    if chain is not None:
        member, archive = chain
        return decompress(read_members(archive, [member])[member], source)
    with open_raw(source) as raw:
        return read_all(raw, source)
