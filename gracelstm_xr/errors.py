"""Errors and warnings a user may want to catch, all in one place."""

from __future__ import annotations

__all__ = [
    "ArchiveError",
    "GraceError",
    "GraceWarning",
    "L1BFormatError",
    "ModelFileError",
    "NotEnoughDataError",
    "StoreError",
]


class GraceError(ValueError):
    """Base of every error this package raises about data or files."""


class L1BFormatError(GraceError):
    """A Level-1B file is not what its header, name or size says."""


class ArchiveError(GraceError):
    """A set of Level-1B files cannot be combined into one Dataset."""


class StoreError(GraceError):
    """A Zarr store cannot be opened or written as a GRACE archive."""


class ModelFileError(GraceError):
    """A model file is missing, damaged, or of another kind."""


class NotEnoughDataError(GraceError):
    """Too few observations to fit or to score."""


class GraceWarning(UserWarning):
    """Data were read, but something about them should be known."""
