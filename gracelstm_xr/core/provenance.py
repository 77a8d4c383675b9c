"""What data were made of: the origin that a fitted model repeats."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import xarray as xr

#: Global attribute: SHA-256 of the Level-1B files behind a Dataset. Of files, their
#: names and sizes count; of a store, their names and contents. The same data give the
#: same digest wherever they lie.
FILES_DIGEST = "source_files_sha256"


def digest_of(files: Iterable[str]) -> str:
    """Digest of one line per file, in any order."""
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()


def data_origin(ds: xr.Dataset) -> dict[str, str]:
    """What a fitted model says of the data it was made from.

    Parameters
    ----------
    ds : xarray.Dataset

    Returns
    -------
    dict of str to str
        ``data``: the Dataset's own attribute ``source``. Of a Dataset from Level-1B
        files, directly or through a store, also ``files``, their number, and
        ``manifest_sha256``, their `FILES_DIGEST`.
    """
    origin = {"data": str(ds.attrs.get("source", "data of unstated origin"))}
    if FILES_DIGEST in ds.attrs:
        origin["files"] = str(ds.attrs["source_files"])
        origin["manifest_sha256"] = str(ds.attrs[FILES_DIGEST])
    return origin
