"""Level-1B files as lazy Datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gracelstm_xr.lazy import hand_on

if TYPE_CHECKING:
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.archive.engine import GraceL1BBackend

__all__ = [
    "GraceL1BBackend",
    "open_archive",
]

__getattr__, __dir__ = hand_on(
    __name__,
    {
        "open_archive": "gracelstm_xr.archive.dataset",
        "GraceL1BBackend": "gracelstm_xr.archive.engine",
    },
)
