"""`fill`: lazily put estimates into the gaps of a Dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.baselines.base import METHOD_CODES, baseline_names, reads_donor
from gracelstm_xr.baselines.screen import OWN_MARKS, counts_of, marks_of, screened, tell
from gracelstm_xr.baselines.start import CONTEXT
from gracelstm_xr.compute.blocks import Output
from gracelstm_xr.compute.days import group_blocks
from gracelstm_xr.compute.threads import one_blas_thread
from gracelstm_xr.core import conventions
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.core.time import gps_label
from gracelstm_xr.errors import GraceError
from gracelstm_xr.filling.fitbaseline import baseline_models, inputs_of
from gracelstm_xr.filling.model import FittedModel, model_of
from gracelstm_xr.filling.present import as_fitted
from gracelstm_xr.filling.recipient import Filled
from gracelstm_xr.filling.surroundings import Surroundings, halo_of
from gracelstm_xr.physics.features import satellite_pairs
from gracelstm_xr.physics.frames import Pair

__all__ = ["fill"]

Array = npt.NDArray[np.float64]

#: Variables `fill` adds, by field of `Filled`.
OUTPUTS = {
    "lin_accl_filled": "values",
    "lin_accl_filled_sigma": "sigma",
    "lin_accl_fill_method": "method",
}
KINDS: dict[str, Output] = {
    "values": ((3,), np.float64),
    "sigma": ((3,), np.float64),
    "method": ((3,), np.uint8),
}


def fill(
    ds: xr.Dataset,
    model: FittedModel | str | os.PathLike[str] | None = None,
    *,
    method: str | None = None,
    clean: bool = True,
) -> xr.Dataset:
    """Add the filled series, its sigma and the method per sample; lazy.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl`` on a regular axis.
    model : FittedModel or path-like, optional
        Of `fit`, from the same mission, or the file it was saved in. Without it the
        baseline named by ``method`` is fitted to the data themselves, in the same
        graph.
    method : str, optional
        Use this method everywhere instead of what held-out gaps favour: ``lstm``,
        ``tracked`` (what the network starts from) or one of
        `gracelstm_xr.baselines.base.BASELINES`. Gaps it cannot fill stay empty.
    clean : bool, default True
        Samples that no accelerometer measures are gaps, and a warning tells how many
        when they are computed (`gracelstm_xr.preprocess.outliers.impossible`); after
        ``ds.grace.clean()`` only what that has marked. False keeps them.

    Returns
    -------
    xarray.Dataset
        ``ds`` with ``lin_accl_filled`` [m s-2] (the observation bit for bit where
        there is a possible one that cleaning has not condemned, see
        `gracelstm_xr.gaps.usable`),
        ``lin_accl_filled_sigma`` [m s-2] (1-sigma, NaN where observed) and
        ``lin_accl_fill_method`` (CF flags). Satellites the model does not know stay as
        they are, their gaps marked *none*.

    Raises
    ------
    GraceError
        When the model knows none of the satellites, or not the method; when neither
        is given, or the data do not allow the method.

    Examples
    --------
    >>> filled = ds.grace.fill(method="linear")
    >>> series = filled[["lin_accl", "lin_accl_filled"]]
    >>> {name: int(array.isnull().sum()) for name, array in series.items()}
    {'lin_accl': 180, 'lin_accl_filled': 0}
    >>> filled["lin_accl_fill_method"].attrs["flag_meanings"]
    'observed lstm transplant interpolation harmonic none'
    """
    conventions.require_series(ds)
    satellites = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    seen = screened(ds, clean=clean)
    if model is None:
        parts = _fill_plain(seen, satellites, method)
        return _assembled(ds, parts, f"{method}, fitted to these data")
    model = model_of(model)
    method = method or model.only
    if not set(satellites) & set(model.recipients):
        raise GraceError(
            f"found satellites {', '.join(satellites)}, expected one of "
            f"{', '.join(model.recipients)}: fit a model on this mission"
        )
    _check_method(model, method)
    seen = as_fitted(seen, model)
    parts = [_filled(seen, model, name, method) for name in satellites]
    return _assembled(ds, parts, repr(model))


def _fill_plain(
    ds: xr.Dataset, satellites: list[str], method: str | None
) -> list[xr.Dataset]:
    """Fill by one baseline that is fitted in the same graph."""
    if method is None:
        raise GraceError(
            "found neither a model nor a method, expected one of them: fit a model "
            f"first, or name one of {', '.join(baseline_names())}"
        )
    tasks = baseline_models(ds, method)
    pairs = {pair.recipient: pair for pair in satellite_pairs(ds)}
    parts = []
    for name in satellites:
        pair = pairs[name] if reads_donor(method) else Pair(name)
        inputs = inputs_of(ds, pair, method)
        parts.append(_blocks(ds, pair, inputs, tasks[name], method, CONTEXT))
    return parts


def _assembled(ds: xr.Dataset, parts: list[xr.Dataset], what: str) -> xr.Dataset:
    """Put the satellites' variables together, with their attributes."""
    result = ds.copy()
    for name in OUTPUTS:
        stacked = xr.concat([part[name] for part in parts], dim="satellite")
        if "satellite" not in ds["lin_accl"].dims:
            stacked = stacked.isel(satellite=0)
        stacked = stacked.transpose(*ds["lin_accl"].dims)
        stacked.attrs = conventions.attributes_of(name)
        result[name] = (stacked.dims, stacked.data, stacked.attrs)
    result.attrs = conventions.append_history(
        ds.attrs, f"gaps filled by gracelstm_xr: {what}"
    )
    return result


def _check_method(model: FittedModel, method: str | None) -> None:
    known = {name for r in model.recipients.values() for name in r.methods}
    if method is not None and method not in known:
        raise GraceError(
            f"found method {method!r}, expected one of {', '.join(sorted(known))}: "
            "choose one of these, or none for the best"
        )


def _filled(
    ds: xr.Dataset, model: FittedModel, satellite: str, method: str | None
) -> xr.Dataset:
    recipient = model.recipients.get(satellite)
    if recipient is None:
        return _untouched(ds, satellite)
    pair = recipient.pair
    reach = model.settings.window * model.settings.step
    inputs = inputs_of(ds, pair, method)
    if (marks := marks_of(ds, satellite)) is not None:
        inputs[OWN_MARKS] = marks
    return _blocks(ds, pair, inputs, model, method, CONTEXT + reach)


def _blocks(
    ds: xr.Dataset,
    pair: Pair,
    inputs: dict[str, Any],
    model: Any,
    method: str | None,
    context: float,
) -> xr.Dataset:
    """Lazy variables of one satellite; the model may be a task."""
    made = group_blocks(
        _fill_days,
        inputs,
        ds,
        model,
        pair.recipient,
        method,
        context,
        halo=halo_of(context),
        outputs=KINDS,
    )
    return xr.Dataset(
        {name: (("time", "axis"), made[part]) for name, part in OUTPUTS.items()}
    )


def _fill_days(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    days: list[slice],
    model: FittedModel,
    satellite: str,
    method: str | None,
    context: float,
) -> dict[str, npt.NDArray[Any]]:
    """Some days of one satellite: each from its own surroundings, if it has gaps."""
    whole = slice(days[0].start, days[-1].stop)
    arrays = dict(arrays)
    if (marks := arrays.pop(OWN_MARKS, None)) is not None:
        span = f" from {gps_label(t[whole.start])} to {gps_label(t[whole.stop - 1])}"
        tell(satellite, counts_of(marks[whole]), span)
    own = np.array(arrays["own.lin_accl"], dtype=np.float64, order="C")
    result = Filled.untouched(own[whole])
    recipient = model.recipients.get(satellite)
    if recipient is not None and recipient.calibration is not None:
        missing = ~np.isfinite(own) & np.array(recipient.observed_axes)
        around = Surroundings(
            t, arrays, recipient.pair, step=model.settings.step, context=context
        )
        with one_blas_thread():
            for day in (d for d in days if missing[d].any()):
                frame, keep = around.around(day, missing)
                found = recipient.fill(
                    frame, keep, model.predict, model.settings, method=method
                )
                place = slice(day.start - whole.start, day.stop - whole.start)
                for part in KINDS:
                    getattr(result, part)[place] = getattr(found, part)
    return {part: getattr(result, part) for part in KINDS}


def _untouched(ds: xr.Dataset, satellite: str) -> xr.Dataset:
    """Variables of a satellite the model cannot fill."""
    own = usable(ds).sel(satellite=satellite).transpose("time", "axis")
    method = (own.isnull() * METHOD_CODES["none"]).astype(np.uint8)
    nothing = xr.full_like(own, np.nan)
    return xr.Dataset(
        {
            "lin_accl_filled": (("time", "axis"), own.data),
            "lin_accl_filled_sigma": (("time", "axis"), nothing.data),
            "lin_accl_fill_method": (("time", "axis"), method.data),
        }
    )
