"""Attitude thrusters: their response estimated from data, removed and restored.

The twelve attitude thrusters fire in pairs, k with k + 6 in the order of THR1B. The
two forces of a pair do not cancel exactly, so that every firing is felt as a linear
acceleration, spread by the low-pass of ACC1B to about 30 s on either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.days import day_blocks, day_results
from gracelstm_xr.core.components import require_axes
from gracelstm_xr.core.conventions import attributes_of
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics.firings import PAIRS, firing_acceleration
from gracelstm_xr.physics.thrusterfit import HALO, day_sums, solve

if TYPE_CHECKING:
    import xarray as xr


def lazy_response(ds: xr.Dataset, satellite: str) -> Any:
    """`physics.thrusterfit.Response` of one satellite, as a Dask Delayed."""
    import dask

    ds = ds.assign(lin_accl=usable(ds))
    names = ("lin_accl", "thruster_on_time")
    inputs = {
        name: ds[name].sel(satellite=satellite).transpose("time", ...)
        for name in names
        if name in ds
    }
    days = day_results(day_sums, inputs, ds, halo=HALO)
    return dask.delayed(solve, pure=False)(days)


def response(ds: xr.Dataset, satellite: str | None = None) -> xr.Dataset:
    """Response of the attitude thrusters, estimated from the data; lazy.

    The on-times of THR1B, convolved with the low-pass of ACC1B, are fitted to the
    accelerations of the whole Dataset against a background that is made white day
    by day.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl`` and ``thruster_on_time``.
    satellite : str, optional
        Letter; all satellites by default.

    Returns
    -------
    xarray.Dataset
        Over ``(satellite, thruster_pair, axis)``: ``thruster_accl`` [m s-2],
        uncalibrated acceleration while the pair fires (a thousandth of it per
        millisecond of on-time in a second), and its 1-sigma error
        ``thruster_accl_sigma``; a pair that never fired has 0 and 4e-5. Without
        dimension ``satellite`` when one is named.

    Raises
    ------
    GraceError
        When ``ds`` has no thruster on-times, or no such satellite.
    """
    import dask
    import dask.array as da
    import xarray as xr

    _require(ds, satellite)
    letters = [satellite] if satellite else [str(s) for s in ds["satellite"].values]
    responses = [lazy_response(ds, letter) for letter in letters]
    pick = dask.delayed(getattr, pure=False)
    names = {"thruster_accl": "value", "thruster_accl_sigma": "sigma"}
    result = xr.Dataset(
        {
            name: (
                ("satellite", "thruster_pair", "axis"),
                da.stack(
                    [da.from_delayed(pick(r, column), (6, 3), float) for r in responses]
                ),
                attributes_of(name),
            )
            for name, column in names.items()
        },
        coords={
            "satellite": letters,
            "thruster_pair": ("thruster_pair", list(PAIRS)),
            "axis": ds["axis"],
        },
    )
    result["thruster_pair"].attrs = attributes_of("thruster_pair")
    return result if satellite is None else result.isel(satellite=0)


def _require(ds: xr.Dataset, satellite: str | None) -> None:
    if "thruster_on_time" not in ds:
        raise GraceError(
            f"found variables {', '.join(str(n) for n in ds.data_vars)}, expected "
            "thruster_on_time: open the archive with product THR1B"
        )
    require_axes(ds)
    letters = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    if satellite is not None and satellite not in letters:
        raise GraceError(
            f"found satellites {', '.join(letters)}, expected one of them, got "
            f"{satellite!r}: choose a satellite of this Dataset"
        )


def remove_firings(ds: xr.Dataset, responses: xr.Dataset | None = None) -> xr.Dataset:
    """Dataset whose ``lin_accl`` is freed of thruster firings; lazy.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``thruster_on_time``.
    responses : xarray.Dataset, optional
        What `response` returned for all satellites of ``ds``; estimated from ``ds``
        by default.

    Returns
    -------
    xarray.Dataset
        ``ds`` with ``lin_accl`` minus the modelled firings [m s-2].

    Raises
    ------
    GraceError
        When ``ds`` has no thruster on-times.
    """
    return _shifted(ds, responses, -1.0)


def restore_firings(ds: xr.Dataset, responses: xr.Dataset | None = None) -> xr.Dataset:
    """Dataset whose ``lin_accl`` has thruster firings added; lazy.

    The reverse of `remove_firings`, with the same parameters and errors. To restore
    what was removed, give the same ``responses``.
    """
    return _shifted(ds, responses, 1.0)


def _shifted(ds: xr.Dataset, responses: xr.Dataset | None, sign: float) -> xr.Dataset:
    import xarray as xr

    fitted = response(ds) if responses is None else responses
    parts = []
    for letter in [str(s) for s in ds["satellite"].values]:
        inputs = {
            name: ds[name].sel(satellite=letter).transpose("time", ...)
            for name in ("lin_accl", "thruster_on_time")
        }
        value = fitted["thruster_accl"].sel(satellite=letter).data
        shifted = day_blocks(
            _shifted_day, inputs, ds, value, sign,
            halo=HALO, outputs={"lin_accl": ((3,), np.float64)},
        )  # fmt: skip
        parts.append(ds["lin_accl"].sel(satellite=letter).transpose("time", "axis"))
        parts[-1] = parts[-1].copy(data=shifted["lin_accl"])
    joined = xr.concat(parts, dim=ds["satellite"], combine_attrs="override")
    return ds.assign(lin_accl=joined.transpose(*ds["lin_accl"].dims))


def _shifted_day(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    value: Array,
    sign: float,
) -> dict[str, Array]:
    fired = firing_acceleration(t, arrays["thruster_on_time"], value)
    return {"lin_accl": (arrays["lin_accl"] + sign * fired)[keep]}
