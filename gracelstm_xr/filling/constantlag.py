"""The lag of a pair for days whose orbits do not give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.carry import day_lag
from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.compute.days import day_results
from gracelstm_xr.lstm.stretches import days_of, evenly
from gracelstm_xr.physics.frames import Pair, frame_inputs
from gracelstm_xr.physics.lagsearch import cross_correlation_lag

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["constant_lag", "lags_of_days", "matched_lag", "series_of_both"]

#: Days whose orbits are asked, evenly spread over the training span.
DAYS = 5
#: Length of the series that are compared where no orbit tells [s].
SPAN = 2 * 86_400.0

Array = npt.NDArray[np.float64]


def lags_of_days(ds: xr.Dataset, pair: Pair, span: tuple[float, float]) -> list[Any]:
    """Lag [s] on some days of a span from the orbits of both, as tasks.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model.
    pair : Pair
    span : tuple of float
        GPS seconds.

    Returns
    -------
    list of dask.delayed.Delayed
        Each a list of lags, NaN where an orbit has no record; empty without orbits.
    """
    if not {"position", "velocity"} <= set(ds.variables):
        return []
    inputs = {
        key: array
        for key, array in frame_inputs(ds, pair).items()
        if key.endswith((".position", ".velocity"))
    }
    days = set(evenly(sorted(days_of([span])), DAYS))
    return day_results(_lag_of_day, inputs, ds, halo=0.0, only=days)


def _lag_of_day(t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice) -> float:
    return day_lag(t[keep], arrays, t)


def series_of_both(
    ds: xr.Dataset, pair: Pair, span: tuple[float, float]
) -> tuple[Any, Any]:
    """First days of a span of recipient and donor, lazy, shape (n, 3) [m s-2]."""
    first, step, _ = gps_axis(ds)
    low = max(round((span[0] - first) / step), 0)
    past = low + int(min(span[1] - span[0], SPAN) // step)
    inputs = frame_inputs(ds, pair)
    own, donor = (inputs[f"{role}.lin_accl"][low:past] for role in ("own", "donor"))
    return own.data, donor.data


def constant_lag(lags: Sequence[Sequence[float]]) -> float | None:
    """Median lag [s] over days with orbits; None where no orbit tells.

    Parameters
    ----------
    lags : sequence of sequence of float
        Of `lags_of_days`, computed.
    """
    known = [lag for days in lags for lag in days if np.isfinite(lag)]
    return float(np.median(known)) if known else None


def matched_lag(own: Array, donor: Array, step: float) -> float | None:
    """Lag [s] where the series agree best; None where they do not tell.

    Parameters
    ----------
    own, donor : ndarray, shape (n, 3)
        Of `series_of_both`, computed.
    step : float
        Of the series [s].
    """
    match = cross_correlation_lag(np.asarray(own), np.asarray(donor), step)
    return None if match is None else match.seconds
