"""Calibration a priori of GRACE A and B, by date and axis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.blocks import map_time_blocks, per_satellite, stack_satellites
from gracelstm_xr.core import conventions
from gracelstm_xr.core.components import require_axes
from gracelstm_xr.errors import GraceError

if TYPE_CHECKING:
    import xarray as xr


#: GRACE TN-02, "Recommendation for a-priori bias and scale parameters for Level-1B ACC
#: data (version 2)", Bettadpur, 2009: true = bias + scale * raw.
SOURCE = "GRACE TN-02"
#: Scale of x, y, z.
SCALE = {"A": (0.9595, 0.9797, 0.9485), "B": (0.9465, 0.9842, 0.9303)}
#: Modified Julian date of 2003-03-07, at which the bias of both changes.
CHANGE = 52705.0
#: Before it: reference date (MJD), and c0 [um s-2], c1 [um s-2 d-1], c2 [um s-2 d-2]
#: of x, y, z.
BIAS_EARLY = (
    52532,
    {
        "A": (
            (-1.106, 2.233e-4, 2.5e-7),
            (27.042, 4.46e-3, 1.1e-6),
            (-0.5486, -1.139e-6, 1.7e-7),
        ),
        "B": (
            (-0.5647, -7.788e-5, 2.4e-7),
            (7.5101, 7.495e-3, -9.6e-6),
            (-0.8602, 1.399e-4, 2.5e-7),
        ),
    },
)
#: From it on.
BIAS_LATE = (
    53736,
    {
        "A": (
            (-1.2095, -4.128e-5, 9.7e-9),
            (29.3370, 6.515e-4, -3.9e-7),
            (-0.5606, -2.352e-6, 3.8e-9),
        ),
        "B": (
            (-0.6049, -1.982e-5, 3.5e-9),
            (10.6860, 1.159e-3, -4.3e-7),
            (-0.7901, 4.783e-5, -6.5e-9),
        ),
    },
)
#: Variables that get scale and bias.
WHOLE = ("lin_accl", "lin_accl_filled", "lin_accl_forecast")
#: Differences and errors, which get the scale only.
SCALED = ("acl_res", "lin_accl_filled_sigma", "lin_accl_forecast_sigma")


def published_bias(satellite: str, t: Array) -> Array:
    """Bias of TN-02: true = bias + scale * raw.

    Parameters
    ----------
    satellite : {"A", "B"}
    t : ndarray, shape (n,)
        GPS seconds past 2000-01-01T12:00:00, taken for UTC: 18 s change the bias by at
        most 2e-12 m s-2.

    Returns
    -------
    ndarray, shape (n, 3)
        [m s-2]. The polynomials were published in June 2009; later dates extrapolate.
    """
    day = 51544.5 + t / 86_400.0
    result = np.empty((len(t), 3))
    for (reference, table), here in (
        (BIAS_EARLY, day < CHANGE),
        (BIAS_LATE, day >= CHANGE),
    ):
        x = day[here, None] - reference
        c = np.array(table[satellite])
        result[here] = 1e-6 * (c[:, 0] + c[:, 1] * x + c[:, 2] * x**2)
    return result


def calibrate(ds: xr.Dataset, *, inverse: bool = False) -> xr.Dataset:
    """Apply the published scale and bias to accelerations; lazy and reversible.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model of GRACE A and B. ``lin_accl``, ``lin_accl_filled`` and
        ``lin_accl_forecast`` get scale and bias; ``acl_res`` and the sigmas the scale.
    inverse : bool, optional
        Take the calibration off again, to rounding.

    Returns
    -------
    xarray.Dataset
        With ``calibration`` among the attributes of every variable that was changed,
        and of the Dataset.

    Raises
    ------
    GraceError
        A satellite without published values, data already calibrated, or, for
        ``inverse``, not calibrated; no accelerations.
    """
    require_axes(ds)
    names = [name for name in (*WHOLE, *SCALED) if name in ds]
    _check(ds, names, [letter for letter, _ in per_satellite(ds)], inverse=inverse)
    result = ds.assign({name: _calibrated(ds, name, inverse) for name in names})
    told = json.dumps({"source": SOURCE, "scale": SCALE})
    result.attrs = {k: v for k, v in ds.attrs.items() if k != "calibration"}
    if not inverse:
        result.attrs["calibration"] = told
    verb = "taken off" if inverse else "applied"
    return result.assign_attrs(
        conventions.append_history(result.attrs, f"scale and bias of {SOURCE} {verb}")
    )


def _check(
    ds: xr.Dataset, names: list[str], letters: list[str], *, inverse: bool
) -> None:
    if not names:
        raise GraceError(
            f"found no acceleration among {', '.join(map(str, ds.data_vars)) or 'none'}"
            ", expected lin_accl: open ACC1B data first"
        )
    if unknown := [s for s in letters if s not in SCALE]:
        raise GraceError(
            f"found satellite {unknown[0]!r}, expected A or B: {SOURCE} has no values "
            "for others; select satellites, or estimate scale and bias from orbits"
        )
    done = [name for name in names if "calibration" in ds[name].attrs]
    if done and not inverse:
        raise GraceError(
            f"found {done[0]!r} already calibrated, expected raw data: "
            "calibrate(inverse=True) takes the calibration off"
        )
    if inverse and len(done) < len(names):
        raw = next(name for name in names if name not in done)
        raise GraceError(f"found {raw!r} not calibrated, expected calibrated data")


def _calibrated(ds: xr.Dataset, name: str, inverse: bool) -> xr.Variable:
    """One variable of all satellites, calibrated or raw again."""
    import xarray as xr

    alone, parts = ds[[name]], []
    for letter, one in per_satellite(alone):
        done = map_time_blocks(
            _block,
            {"values": one[name].transpose("time", "axis")},
            one,
            letter,
            name in WHOLE,
            inverse,
            halo=0.0,
            outputs={"values": ((3,), np.float64)},
        )
        parts.append(done)
    dims, data = stack_satellites(alone, parts)["values"]
    attrs = {k: v for k, v in ds[name].attrs.items() if k != "calibration"}
    raw, true = ", uncalibrated", f", calibrated ({SOURCE})"
    text = str(attrs.get("long_name", ""))
    attrs["long_name"] = text.replace(true, raw) if inverse else text.replace(raw, true)
    if not inverse:
        attrs["calibration"] = SOURCE
    calibrated = xr.Variable((*dims, "axis"), data, attrs)
    return calibrated.transpose(*ds[name].dims)


def _block(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    satellite: str,
    with_bias: bool,
    inverse: bool,
) -> dict[str, Array]:
    values = np.asarray(arrays["values"], dtype=np.float64)[keep]
    scale = np.array(SCALE[satellite])
    bias = published_bias(satellite, t[keep]) if with_bias else 0.0
    return {"values": (values - bias) / scale if inverse else bias + scale * values}
