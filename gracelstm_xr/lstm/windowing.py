"""Windows of series and covariates as a user sees them: lazy and labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gracelstm_xr.arrays import IntArray
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.physics.features import features, satellite_pairs

if TYPE_CHECKING:
    import xarray as xr


def windows(
    ds: xr.Dataset,
    *,
    recipient: str | None = None,
    window: int = 288,
    stride: int = 72,
    step: float = 10.0,
    across_gaps: bool = False,
) -> xr.DataArray:
    """Show the series and its covariates in overlapping windows, lazily.

    For looking, and for networks of one's own: series and covariates in SI units as
    they are, without the baselines. The network of `fit` reads something else, see
    *Notes*. Nothing here is ever held whole. To leave out windows with a gap,
    ``lin_accl`` of the satellite is read once, chunk by chunk; nothing is read with
    ``across_gaps=True``.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular axis.
    recipient : str, optional
        Satellite by letter; default the first.
    window, stride : int
        Steps per window, and between the starts of two windows.
    step : float
        Time between steps [s], a multiple of the sampling of ``ds``.
    across_gaps : bool, default False
        Give windows that touch a gap, or a sample that `clean` condemned, as well.

    Returns
    -------
    xarray.DataArray
        ``(window, lag, feature)`` in SI units, ``lag`` [s] from the start of the
        window, ``start`` the GPS time of its first step; NaN in gaps.

    Raises
    ------
    GraceError
        When the data are shorter than a window.
    NotEnoughDataError
        When every window touches a gap.

    Notes
    -----
    `fit` starts from what regression, slow part and repetition make of the visible
    samples, and shows its network what these leave, in standard deviations, with 0 in
    hidden samples and a mask beside, and the covariates scaled; their names are
    ``model.info["channels"]``. They depend on what is hidden, so that no window of
    theirs can be cut beforehand.
    """
    import dask.array as da
    import xarray as xr

    pair = satellite_pairs(ds, recipient=recipient)[0]
    axis = axis_of(ds)
    ratio = max(round(step / float(axis.step / np.timedelta64(1, "s"))), 1)
    cov = features(ds, recipient=pair.recipient, donor=pair.donor)
    own = usable(ds).sel(satellite=[pair.recipient])
    columns, names = [], []
    for name, variable in {"lin_accl": own, **cov.data_vars}.items():
        series = variable.isel(satellite=0, time=slice(None, None, ratio))
        others = [d for d in series.dims if d != "time"]
        parts = (
            [series.isel({others[0]: i}) for i in range(series.sizes[others[0]])]
            if others
            else [series]
        )
        columns += [da.asarray(array.data) for array in parts]
        labels = [str(v) for v in series[others[0]].values] if others else [""]
        names += [f"{name}_{label}".rstrip("_") for label in labels]
    table = da.stack(columns, axis=-1)
    if table.shape[0] < window:
        raise GraceError(
            f"found {table.shape[0]} steps of {step:g} s, expected at least one window "
            f"of {window}: open more data or ask for a shorter window"
        )
    views = da.lib.stride_tricks.sliding_window_view(table, window, axis=0)[::stride]
    starts = np.arange(views.shape[0]) * stride
    if not across_gaps:
        series = own.isel(satellite=0).transpose("time", "axis")
        complete = _whole(series, starts * ratio, (window - 1) * ratio + 1)
        views, starts = views[complete], starts[complete]
    first = axis.start + starts * ratio * axis.step
    return xr.DataArray(
        views.transpose(0, 2, 1),
        dims=("window", "lag", "feature"),
        coords={
            "start": ("window", first, {"long_name": "GPS time of the first step"}),
            "lag": (
                "lag",
                np.arange(window) * ratio * float(axis.step / np.timedelta64(1, "s")),
                {"units": "s", "long_name": "time since the first step"},
            ),
            "feature": names,
        },
        name="windows",
        attrs={"long_name": f"series and covariates of satellite {pair.recipient}"},
    )


def _whole(series: xr.DataArray, starts: IntArray, length: int) -> IntArray:
    """Positions in ``starts`` of the stretches without a missing sample.

    Axes that were never observed do not count.
    """
    present = series.notnull().values
    observed = present[:, present.any(axis=0)]
    missing = np.concatenate([[0], np.cumsum(~observed.all(axis=1))])
    complete = np.flatnonzero(missing[starts + length] == missing[starts])
    if not observed.shape[1] or not len(complete):
        raise NotEnoughDataError(
            f"found no stretch of {length} samples without a gap, expected at least "
            "one: ask for a shorter window, fill first, or pass across_gaps=True"
        )
    return complete
