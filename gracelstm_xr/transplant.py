"""Carry one satellite's accelerations to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.errors import GraceError

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.frames import Frame, Pair
    from gracelstm_xr.regression import LocalRegression

__all__ = ["cross_correlation_lag", "transplant"]

Array = npt.NDArray[np.float64]

#: Largest lag searched [s]; the twins fly 21-35 s apart.
LONGEST_LAG = 90.0


def cross_correlation_lag(own: Array, donor: Array, step: float) -> float | None:
    """Constant lag between two satellites without orbits.

    The forces along x have opposite sign on satellites that face each other, so the
    lag is where the x series are most negatively correlated; a parabola through the
    neighbours refines it.

    Parameters
    ----------
    own, donor : ndarray, shape (n, 3)
        Raw series [m s-2]; NaN where missing.
    step : float
        Sampling interval [s].

    Returns
    -------
    float or None
        Lag [s] such that ``donor(t + lag)`` matches ``own(t)``; None without enough
        common data.
    """
    reach = round(LONGEST_LAG / step)
    a, b = _detrended(own[:, 0], step), _detrended(donor[:, 0], step)
    n = len(a)
    if n < 4 * reach:
        reach = n // 4
    score = np.full(2 * reach + 1, np.nan)
    for i, shift in enumerate(range(-reach, reach + 1)):
        x = a[max(-shift, 0) : n - max(shift, 0)]
        y = b[max(shift, 0) : n - max(-shift, 0)]
        good = np.isfinite(x) & np.isfinite(y)
        if good.sum() >= 20:
            score[i] = -np.corrcoef(x[good], y[good])[0, 1]
    if not np.isfinite(score).any():
        return None
    best = int(np.nanargmax(score))
    offset = 0.0
    if 0 < best < 2 * reach and np.isfinite(score[best - 1 : best + 2]).all():
        low, mid, high = score[best - 1 : best + 2]
        bend = low - 2 * mid + high
        offset = 0.5 * (low - high) / bend if bend < 0 else 0.0
    return float((best - reach + offset) * step)


def _detrended(values: Array, step: float) -> Array:
    """Series minus its straight line; the trend is bias drift, not signal."""
    good = np.isfinite(values)
    result = np.full(len(values), np.nan)
    if good.sum() < 3:
        return result
    t = np.arange(len(values)) * step
    line = np.polyfit(t[good], values[good], 1)
    result[good] = values[good] - np.polyval(line, t[good])
    return result


def transplant(
    ds: xr.Dataset, *, donor: str | None = None, recipient: str | None = None
) -> xr.Dataset:
    """Carry the donor's accelerations to the recipient; lazy.

    The donor's series is shifted by the lag of every epoch, rotated into the
    recipient's SRF, and freed of the donor's thruster firings; scale, bias and drift
    are fitted to the overlapping data around every 12 h node; the recipient's own
    firings are put back.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with both satellites and their GNV1B.
    donor, recipient : str, optional
        Satellites by letter; the twin of the other by default, the second satellite
        as recipient when neither is given.

    Returns
    -------
    xarray.Dataset
        Over ``(time, axis)``: ``lin_accl_transplant`` [m s-2], also where the
        recipient observed; its ``lin_accl_transplant_sigma`` (RMS misfit of the
        overlap within 9 h); and the components ``transplant_donor``,
        ``transplant_thruster`` and ``transplant_bias`` that add up to it.

    Raises
    ------
    GraceError
        When there is no donor or no orbit.
    """
    import xarray as xr

    from gracelstm_xr import conventions
    from gracelstm_xr.blocks import map_time_blocks
    from gracelstm_xr.features import TWINS, satellite_pairs
    from gracelstm_xr.frames import HALO, frame_inputs
    from gracelstm_xr.regression import CONTEXT

    if recipient is None and donor is None:
        recipient = str(np.atleast_1d(ds["satellite"].values)[-1])
    elif recipient is None:
        recipient = TWINS.get(str(donor))
    pair = satellite_pairs(ds, recipient=recipient, donor=donor)[0]
    if pair.donor is None or "position" not in ds:
        missing = "donor" if pair.donor is None else "GNV1B positions"
        raise GraceError(
            f"found no {missing} for satellite {pair.recipient}, expected both "
            "satellites with their orbits: open the archive with GNV1B of both"
        )
    mean = ds["lin_accl"].sel(satellite=pair.donor).mean("time").data
    arrays = map_time_blocks(
        _transplant_block,
        frame_inputs(ds, pair),
        ds,
        pair,
        mean,
        halo=CONTEXT + HALO,
        outputs=dict.fromkeys(PARTS, ((3,), np.float64)),
    )
    result = xr.Dataset(
        {name: (("time", "axis"), array) for name, array in arrays.items()},
        coords={k: v for k, v in ds.coords.items() if k in ("time", "axis")},
        attrs=conventions.append_history(
            ds.attrs, f"transplant from {pair.donor} to {pair.recipient}"
        ),
    )
    for name in PARTS:
        result[name].attrs = conventions.attributes_of(name)
    return result.assign_coords(satellite=pair.recipient)


#: Outputs of `transplant`.
PARTS = (
    "lin_accl_transplant",
    "lin_accl_transplant_sigma",
    "transplant_donor",
    "transplant_thruster",
    "transplant_bias",
)
TERMS = ("donor", "own_thrust", "donor_thrust")


def _transplant_block(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    pair: Pair,
    mean: Array,
) -> dict[str, Array]:
    from dataclasses import replace

    from gracelstm_xr.frames import build_frame

    x, y, z = (float(v) for v in mean)
    frame = build_frame(t, arrays, replace(pair, donor_offset=(x, y, z)))
    size = keep.stop - keep.start
    if frame.donor is None:
        return {name: np.full((size, 3), np.nan) for name in PARTS}
    step = max(10.0, float(t[1] - t[0]))
    thin, _ = frame.every(step)
    fitted = _nominal(thin, step)
    coefficients = fitted.coefficients(thin, np.isfinite(thin.own))
    inner = frame.take(keep)
    total = fitted.predict(inner, coefficients)
    donor_part = fitted.predict(inner, _only(coefficients, 2, 5))
    thrust = fitted.predict(inner, _only(coefficients, 5, None))
    misfit = thin.own - fitted.predict(thin, coefficients)
    return {
        "lin_accl_transplant": total,
        "lin_accl_transplant_sigma": _local_rms(thin.t, misfit, inner.t),
        "transplant_donor": donor_part,
        "transplant_thruster": thrust,
        "transplant_bias": fitted.predict(inner, _only(coefficients, 0, 2)),
    }


def _nominal(frame: Frame, step: float) -> LocalRegression:
    """Regression drawn weakly to a donor taken as it is, and to no firings."""
    from gracelstm_xr.regression import LocalRegression, design

    p = design(frame.take(slice(0, 1)), TERMS).shape[1]
    mean, penalty = np.zeros((p + 2, 3)), np.ones((p + 2, 3))
    mean[2:5] = 10.0 * np.eye(3)
    penalty[0] = 1e-6
    return LocalRegression(TERMS, mean, penalty, step)


def _only(
    coefficients: dict[float, Array], first: int, past: int | None
) -> dict[float, Array]:
    """Coefficients with all but some rows zero."""
    result = {}
    for node, theta in coefficients.items():
        part = np.zeros_like(theta)
        part[first:past] = theta[first:past]
        result[node] = part
    return result


def _local_rms(t: Array, misfit: Array, query: Array) -> Array:
    """RMS of the misfit within 9 h of every multiple of 6 h, linear between."""
    nodes = np.arange(np.floor(t[0] / 21_600), np.ceil(t[-1] / 21_600) + 1) * 21_600.0
    result = np.empty((len(query), 3))
    for k in range(3):
        values = np.full(len(nodes), np.nan)
        for i, node in enumerate(nodes):
            low, high = np.searchsorted(t, [node - 32_400, node + 32_400])
            part = misfit[low:high, k]
            part = part[np.isfinite(part)]
            if len(part):
                values[i] = np.sqrt(np.mean(part**2))
        known = np.isfinite(values)
        result[:, k] = (
            np.interp(query, nodes[known], values[known]) if known.any() else np.nan
        )
    return result
