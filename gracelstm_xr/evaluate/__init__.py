"""How good filled data are: hidden gaps, errors, controls, a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gracelstm_xr.lazy import hand_on

if TYPE_CHECKING:
    from gracelstm_xr.evaluate.evaluation import evaluate
    from gracelstm_xr.evaluate.report import write_report

__all__ = [
    "evaluate",
    "write_report",
]

__getattr__, __dir__ = hand_on(
    __name__,
    {
        "evaluate": "gracelstm_xr.evaluate.evaluation",
        "write_report": "gracelstm_xr.evaluate.report",
    },
)
