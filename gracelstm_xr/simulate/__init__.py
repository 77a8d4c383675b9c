"""A simulated twin archive: physics in, Level-1B files and their truth out.

Everything written here says that it is simulated. A day depends on the options and
on its date only: neither ``start`` nor ``days`` changes a byte of its files.
"""

from __future__ import annotations

from gracelstm_xr.simulate.api import simulate_archive, simulate_truth
from gracelstm_xr.simulate.measure import anchors, anchors_table
from gracelstm_xr.simulate.truth import open_truth

__all__ = [
    "anchors",
    "anchors_table",
    "open_truth",
    "simulate_archive",
    "simulate_truth",
]
