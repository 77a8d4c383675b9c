"""Figures: functions ``f(obj, *, ax=None, ...)`` that draw on Axes and return them.

Colours are the Okabe-Ito set, told apart by colour-blind readers; estimates also
differ by marker or line style. A long series is reduced to the extremes of about 2000
bins, block by block, so that neither memory nor spikes are lost. Titles say the
satellite and whether the data are simulated or real; times are GPS time.
"""

from gracelstm_xr.plot.estimates import forecast, transplant_residual
from gracelstm_xr.plot.lines import overview, series
from gracelstm_xr.plot.maps import ground_track, latitude_time
from gracelstm_xr.plot.missing import calendar, gaps
from gracelstm_xr.plot.scores import (
    coverage,
    error_spectrum,
    evaluation,
    evaluation_figure,
    training,
)
from gracelstm_xr.plot.spectra import spectrum
from gracelstm_xr.plot.style import COLOURS

__all__ = [
    "COLOURS",
    "calendar",
    "coverage",
    "error_spectrum",
    "evaluation",
    "evaluation_figure",
    "forecast",
    "gaps",
    "ground_track",
    "latitude_time",
    "overview",
    "series",
    "spectrum",
    "training",
    "transplant_residual",
]
