"""What there is to work with: variables that hold values, and those a model knows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.compute.days import midnight
from gracelstm_xr.core.datamodel import LABELS, VARIABLES
from gracelstm_xr.core.time import DAY, gps_label
from gracelstm_xr.errors import GraceError, GraceWarning
from gracelstm_xr.filling.extras import check_extras
from gracelstm_xr.lstm.stretches import evenly
from gracelstm_xr.physics.frames import INPUTS, Pair, frame_inputs

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.filling.model import FittedModel

__all__ = ["as_fitted", "covariates_of", "living_span", "with_values"]

#: Days that are looked at before the whole series.
LOOKS = 5


def covariates_of(ds: xr.Dataset) -> list[str]:
    """Names of the variables beside ``lin_accl`` that a fill can make use of."""
    return [name for name in INPUTS if name != "lin_accl" and name in ds.variables]


def with_values(ds: xr.Dataset) -> xr.Dataset:
    """Dataset without covariates that hold no value at all, and a warning of it.

    A product that was asked for and is nowhere in the files leaves a variable that is
    NaN throughout; a fit must not take it for an orbit.
    """
    day = max(int(DAY // gps_axis(ds)[1]), 1)
    empty = [name for name in covariates_of(ds) if not _has_values(ds[name], day)]
    if not empty:
        return ds
    warnings.warn(
        f"found no value of {', '.join(empty)} in these data: fitted without, as if "
        "their products had not been opened",
        GraceWarning,
        stacklevel=3,
    )
    return ds.drop_vars(empty)


def _has_values(array: xr.DataArray, day: int) -> bool:
    """Whether any sample is there; some days of so many samples are looked at first."""
    looks = evenly(range(0, array.sizes["time"], day), LOOKS)
    parts = [array.isel(time=slice(low, low + day)) for low in looks]
    return any(bool(np.isfinite(part).any()) for part in (*parts, array))


def living_span(ds: xr.Dataset, satellites: Sequence[str]) -> tuple[float, float]:
    """GPS seconds of the days in which recipients observe, and a warning of others.

    Where an instrument is dead at an end of the data there is nothing to learn from,
    and no gap to try a method on.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model; read day by day from both ends until there is an observation.
    satellites : sequence of str
        The recipients.

    Returns
    -------
    tuple of float
        From the last of their first days to the first of their last ones; a satellite
        that lived less than a third as long as another does not count. The whole span
        where they did not live together.
    """
    first, step, size = gps_axis(ds)
    whole = (first, first + size * step)
    lives = {s: life for s in satellites if (life := _life(ds, s)) is not None}
    longest = max((stop - start for start, stop in lives.values()), default=0.0)
    long = {s: x for s, x in lives.items() if x[1] - x[0] >= longest / 3}
    start = max((x[0] for x in long.values()), default=whole[0])
    stop = min((x[1] for x in long.values()), default=whole[1])
    if start >= stop or (start, stop) == whole:
        return whole
    dead = [s for s, x in long.items() if x != whole]
    warnings.warn(
        f"found no observation of satellite {', '.join(dead)} outside "
        f"{gps_label(start)} to {gps_label(stop)}: fitted on this span",
        GraceWarning,
        stacklevel=3,
    )
    return start, stop


def _life(ds: xr.Dataset, satellite: str) -> tuple[float, float] | None:
    """Start of the first and end of the last GPS day with an observation [s]."""
    first, step, size = gps_axis(ds)
    series = frame_inputs(ds, Pair(satellite))["own.lin_accl"]
    stop = first + size * step
    midnights = np.arange(midnight(first), stop, DAY)

    def observes(start: float) -> bool:
        low, high = (round((x - first) / step) for x in (start, start + DAY))
        return bool(np.isfinite(series[max(low, 0) : max(high, 0)]).any())

    one = next((x for x in midnights if observes(x)), None)
    if one is None:
        return None
    last = next(x for x in midnights[::-1] if observes(x))
    return max(float(one), first), min(float(last) + DAY, stop)


def as_fitted(ds: xr.Dataset, model: FittedModel) -> xr.Dataset:
    """Dataset with the covariates a model was fitted with, no more and no fewer.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model.
    model : FittedModel

    Returns
    -------
    xarray.Dataset
        Lazy. Covariates the model does not know are left out, those the data lack are
        NaN, with a warning: their part of the estimate is then missing.

    Raises
    ------
    GraceError
        When the samples are too far apart for the model, its step is no multiple of
        theirs, or a variable of the user that it was fitted with is not there.
    """
    _check_step(ds, model)
    check_extras(ds, model.settings.features)
    if "inputs" not in model.info:  # made before this was kept
        return ds
    wanted = model.info["inputs"].split()
    beyond = [name for name in covariates_of(ds) if name not in wanted]
    missing = [name for name in wanted if name not in ds.variables]
    if missing:
        warnings.warn(
            f"found no {', '.join(missing)}, which the model was fitted with: taken "
            "as missing throughout; open their products for the errors it promises",
            GraceWarning,
            stacklevel=3,
        )
    return ds.drop_vars(beyond).assign({name: _nothing(ds, name) for name in missing})


def _check_step(ds: xr.Dataset, model: FittedModel) -> None:
    _, step, _ = gps_axis(ds)
    ratio = model.settings.step / step
    if ratio < 1 or abs(ratio - round(ratio)) > 1e-9:
        raise GraceError(
            f"found samples {step:g} s apart, expected a whole part of the model's "
            f"{model.settings.step:g} s: resample the data, or fit a model on such data"
        )
    fitted = float(model.info.get("data_step", step))
    if fitted != step:
        warnings.warn(
            f"found samples {step:g} s apart, the model was fitted on samples "
            f"{fitted:g} s apart: its sigma is that of those",
            GraceWarning,
            stacklevel=4,
        )


def _nothing(ds: xr.Dataset, name: str) -> xr.DataArray:
    """NaN in the shape and chunks of a variable of the data model."""
    import dask.array as da
    import xarray as xr

    dims = [d for d in VARIABLES[name].dims if d in ds.dims or d in LABELS]
    sizes = [ds.sizes.get(d, len(LABELS.get(d, ()))) for d in dims]
    chunks = [ds.chunksizes.get(d, size) for d, size in zip(dims, sizes, strict=True)]
    return xr.DataArray(da.full(sizes, np.nan, chunks=tuple(chunks)), dims=dims)
