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
    "number_of",
    "visible",
]


def visible(text: str) -> str:
    r"""Return a text whose unprintable characters are spelled out, as in ``\x1b``.

    What a file says of itself reaches messages, and a terminal obeys what it is sent:
    it is steered, or turns the direction of writing. Ends of lines and tabs stay.
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
        for c in text
    )


def number_of(count: int, noun: str) -> str:
    """Return a count and what is counted, as in ``1 day`` and ``2 days``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class GraceError(ValueError):
    """Base of every error this package raises about data or files."""

    def __str__(self) -> str:
        return visible(super().__str__())


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

    def __str__(self) -> str:
        return visible(super().__str__())
