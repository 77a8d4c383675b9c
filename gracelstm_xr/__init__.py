"""GRACE and GRACE-FO accelerometer data in xarray, gaps filled with an LSTM.

Importing the package registers ``Dataset.grace`` and nothing else: every
function below is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gracelstm_xr import accessor as _accessor  # noqa: F401  registers ds.grace
from gracelstm_xr.lazy import hand_on

if TYPE_CHECKING:
    from gracelstm_xr import simulate, tutorial
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.filling.fitbaseline import fit_baseline
    from gracelstm_xr.filling.model import load_model
    from gracelstm_xr.simulate import simulate_archive
    from gracelstm_xr.store.ingest import ingest
    from gracelstm_xr.store.manifest import read_manifest
    from gracelstm_xr.store.read import open_store

    __version__: str

__all__ = [
    "__version__",
    "fit_baseline",
    "ingest",
    "load_model",
    "open_archive",
    "open_store",
    "read_manifest",
    "simulate",
    "simulate_archive",
    "tutorial",
]

__getattr__, __dir__ = hand_on(
    __name__,
    {
        "__version__": "gracelstm_xr.version",
        "fit_baseline": "gracelstm_xr.filling.fitbaseline",
        "ingest": "gracelstm_xr.store.ingest",
        "load_model": "gracelstm_xr.filling.model",
        "open_archive": "gracelstm_xr.archive.dataset",
        "open_store": "gracelstm_xr.store.read",
        "read_manifest": "gracelstm_xr.store.manifest",
        "simulate": "gracelstm_xr.simulate",
        "simulate_archive": "gracelstm_xr.simulate.api",
        "tutorial": "gracelstm_xr.tutorial",
    },
)
