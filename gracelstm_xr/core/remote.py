"""What lies behind a URL: clear errors, and by what a change is noticed.

The libraries under fsspec raise errors of their own, which are no OSError. They are
looked up among the imported modules, so that none is imported for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from gracelstm_xr.errors import StoreError

#: Base classes of errors that are no OSError, by module.
_ERRORS = {
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "aiohttp": ("ClientError",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "gcsfs.retry": ("HttpError",),
    "azure.core.exceptions": ("AzureError",),
}
#: Protocols whose first part of a path is a bucket.
_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"}
#: What file systems call the version or the time of a file, the surest first.
_VERSIONS = (
    "ETag",
    "etag",
    "md5Hash",
    "crc32c",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "modified",
    "created",
)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether `path` names something for fsspec rather than a local path."""
    text = os.fspath(path)
    return "://" in text or "::" in text


def storage(
    url: str | os.PathLike[str], options: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return fsspec options by which a store is looked at as it is now.

    File systems remember what they have listed, also when others have written since.

    Parameters
    ----------
    url : str or PathLike
        Address of a store; a local path has no options.
    options : mapping, optional
        Options of the user.
    """
    text = os.fspath(url)
    if "://" not in text or "::" in text:
        return dict(options) if options else None
    return {"use_listings_cache": False, **(options or {})}


def at_once(
    url: str | os.PathLike[str], options: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return options as `storage` has them, for reading objects in one request each.

    s3fs asks for the size of every object first, to fetch large ones in pieces at once;
    the objects of a store are small, or read in ranges.
    """
    chosen = storage(url, options)
    if os.fspath(url).startswith(("s3://", "s3a://")):
        return {"max_concurrency": 1, **(chosen or {})}
    return chosen


def files_at(url: str, options: Mapping[str, Any] | None = None) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, as `storage` has it, and the path."""
    import fsspec

    fs, path = fsspec.core.url_to_fs(url, **(storage(url, options) or {}))
    return fs, path.rstrip("/")


def network_errors() -> tuple[type[Exception], ...]:
    """Errors of the libraries under fsspec, of those that are imported."""
    classes = []
    for module, names in _ERRORS.items():
        home = sys.modules.get(module)
        classes += [getattr(home, n) for n in names if hasattr(home, n)]
    return tuple(classes)


def stamp(info: Mapping[str, Any]) -> int:
    """Return a number that changes when a remote file does; 0 when nothing tells.

    Parameters
    ----------
    info : mapping
        What ``info`` or ``find(detail=True)`` of an fsspec file system says.
    """
    for key in _VERSIONS:
        if info.get(key):
            text = f"{key} {info[key]}".encode()
            digest = hashlib.blake2b(text, digest_size=7).digest()
            return int.from_bytes(digest, "big")
    return 0


@contextlib.contextmanager
def reached(url: str) -> Iterator[None]:
    """Say in one line why a URL cannot be reached; local paths pass untouched.

    Raises
    ------
    StoreError
        A package is missing, the bucket does not exist, access is denied, or nobody
        answers.
    """
    if not is_url(url):
        yield
        return
    try:
        yield
    except ImportError as error:
        raise StoreError(f"{url}: {_missing(url, error)}") from error
    except FileNotFoundError as error:
        raise StoreError(
            f"{url}: {_text(error)}; expected a bucket that exists, make it first"
        ) from error
    except PermissionError as error:
        raise StoreError(
            f"{url}: access denied ({_text(error)}); check the credentials and what "
            "they allow"
        ) from error
    except (OSError,) + network_errors() as error:  # noqa: RUF005
        raise StoreError(
            f"{url}: {_text(error)}; check the address, the endpoint and the "
            "credentials"
        ) from error


@contextlib.contextmanager
def unbroken(url: str) -> Iterator[None]:
    """Say in one line that a connection was lost in the middle of the work.

    Raises
    ------
    StoreError
        A library under fsspec has given up.
    """
    try:
        yield
    except network_errors() as error:
        raise StoreError(
            f"{url}: {_text(error)}; what is finished is kept: run the same again"
        ) from error


def check_place(url: str) -> None:
    """Refuse a URL that is a whole bucket, or whose protocol nobody knows.

    Raises
    ------
    StoreError
        No store can be written there.
    """
    from fsspec import available_protocols

    protocol, _, path = url.rpartition("::")[2].partition("://")
    if protocol not in available_protocols():
        raise StoreError(
            f"{url}: unknown protocol {protocol!r}; expected for example s3://, gs://, "
            "abfs:// or a local folder"
        )
    if protocol in _BUCKETS and "/" not in path.strip("/"):
        raise StoreError(
            f"{url} is a whole bucket; expected a place in it, for example "
            f"{url.rstrip('/')}/grace.zarr"
        )


def _missing(url: str, error: ImportError) -> str:
    if url.rpartition("::")[2].startswith(("s3://", "s3a://")):
        return "the package s3fs is needed; pip install s3fs"
    return _text(error)


def _text(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__
