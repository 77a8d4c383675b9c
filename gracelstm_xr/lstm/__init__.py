"""The LSTM: settings, training, filling, and the model file.

Keras is imported when a network is built or run, not before.
"""

from gracelstm_xr.lstm.backtest import hindcast
from gracelstm_xr.lstm.fitting import fit
from gracelstm_xr.lstm.forecasting import data_ends, forecast
from gracelstm_xr.lstm.inference import fill
from gracelstm_xr.lstm.model import FittedModel, load_model
from gracelstm_xr.lstm.plain import fit_baseline
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.lstm.windows import windows

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
