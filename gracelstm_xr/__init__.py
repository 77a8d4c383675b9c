"""GRACE and GRACE-FO accelerometer data in xarray, gaps filled with an LSTM.

Importing the package registers ``Dataset.grace`` and nothing else: every
function below is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gracelstm_xr import accessor as _accessor  # noqa: F401  registers ds.grace

if TYPE_CHECKING:
    from gracelstm_xr import tutorial
    from gracelstm_xr.archive import open_archive
    from gracelstm_xr.ingestion import ingest
    from gracelstm_xr.lstm import fit_baseline, load_model
    from gracelstm_xr.manifest import read_manifest
    from gracelstm_xr.simulate import simulate_archive
    from gracelstm_xr.store import open_store

    __version__: str

__all__ = [
    "__version__",
    "fit_baseline",
    "ingest",
    "load_model",
    "open_archive",
    "open_store",
    "read_manifest",
    "simulate_archive",
    "tutorial",
]

_HOMES = {
    "fit_baseline": "gracelstm_xr.lstm",
    "ingest": "gracelstm_xr.ingestion",
    "load_model": "gracelstm_xr.lstm",
    "open_archive": "gracelstm_xr.archive",
    "open_store": "gracelstm_xr.store",
    "read_manifest": "gracelstm_xr.manifest",
    "simulate_archive": "gracelstm_xr.simulate",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "tutorial":
        return import_module("gracelstm_xr.tutorial")
    if name == "__version__":
        from importlib.metadata import version

        return version("gracelstm-xr")
    raise AttributeError(f"module 'gracelstm_xr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
