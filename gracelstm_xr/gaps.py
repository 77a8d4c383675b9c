"""Masks, gap tables and artificial gaps: names handed on from their rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gracelstm_xr.lazy import hand_on

if TYPE_CHECKING:
    from gracelstm_xr.core.gaps import (
        edge_distance,
        log_uniform_gaps,
        place_gaps,
        runs,
        usable,
    )
    from gracelstm_xr.preprocess.gaps import find_gaps

__all__ = [
    "edge_distance",
    "find_gaps",
    "log_uniform_gaps",
    "place_gaps",
    "runs",
    "usable",
]

__getattr__, __dir__ = hand_on(
    __name__,
    {
        "edge_distance": "gracelstm_xr.core.gaps",
        "log_uniform_gaps": "gracelstm_xr.core.gaps",
        "place_gaps": "gracelstm_xr.core.gaps",
        "runs": "gracelstm_xr.core.gaps",
        "usable": "gracelstm_xr.core.gaps",
        "find_gaps": "gracelstm_xr.preprocess.gaps",
    },
)
