"""The LSTM: settings, channels, network, training, windows.

Keras is imported when a network is built or run, not before. What a user calls, `fit`
and `fill` among it, is handed on from `gracelstm_xr.filling`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gracelstm_xr.lazy import hand_on

if TYPE_CHECKING:
    from gracelstm_xr.filling.fill import fill
    from gracelstm_xr.filling.fit import fit
    from gracelstm_xr.filling.fitbaseline import fit_baseline
    from gracelstm_xr.filling.forecast import data_ends, forecast
    from gracelstm_xr.filling.hindcast import hindcast
    from gracelstm_xr.filling.model import FittedModel, load_model
    from gracelstm_xr.lstm.settings import Settings, Split
    from gracelstm_xr.lstm.windowing import windows

__all__ = [
    "FittedModel",
    "Settings",
    "Split",
    "data_ends",
    "fill",
    "fit",
    "fit_baseline",
    "forecast",
    "hindcast",
    "load_model",
    "windows",
]

__getattr__, __dir__ = hand_on(
    __name__,
    {
        "fill": "gracelstm_xr.filling.fill",
        "fit": "gracelstm_xr.filling.fit",
        "fit_baseline": "gracelstm_xr.filling.fitbaseline",
        "data_ends": "gracelstm_xr.filling.forecast",
        "forecast": "gracelstm_xr.filling.forecast",
        "hindcast": "gracelstm_xr.filling.hindcast",
        "FittedModel": "gracelstm_xr.filling.model",
        "load_model": "gracelstm_xr.filling.model",
        "Settings": "gracelstm_xr.lstm.settings",
        "Split": "gracelstm_xr.lstm.settings",
        "windows": "gracelstm_xr.lstm.windowing",
    },
)
