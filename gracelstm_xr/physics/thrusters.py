"""Attitude thrusters: their response estimated from data, removed and restored.

The twelve attitude thrusters fire in pairs, k with k + 6 in the order of THR1B. The
two forces of a pair do not cancel exactly, so that every firing is felt as a linear
acceleration, spread by the low-pass of ACC1B to about 30 s on either side.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.errors import GraceError
from gracelstm_xr.signal.interpolation import step_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "PAIRS",
    "filtered_on_time",
    "firing_acceleration",
    "pair_on_time",
    "remove_firings",
    "response",
    "restore_firings",
]

Array = npt.NDArray[np.float64]

#: Pairs in the order of the THR1B columns; named by what they control.
PAIRS = ("yaw-", "pitch+", "yaw+", "pitch-", "roll-", "roll+")


def pair_on_time(on_time: npt.NDArray[Any]) -> Array:
    """On-time of the six attitude pairs [ms], 0 where THR1B has no record.

    Parameters
    ----------
    on_time : ndarray, shape (n, 14)
        On-time of every thruster within the second [ms].

    Returns
    -------
    ndarray, shape (n, 6)
        Thrusters k and k + 6 fire together: their mean.
    """
    values = np.asarray(on_time, dtype=np.float64)
    result: Array = np.nan_to_num((values[:, :6] + values[:, 6:12]) / 2)
    return result


@functools.cache
def _kernel(step: float) -> Array:
    from gracelstm_xr.signal.lowpass import crn_filter

    # 0.5: a firing is somewhere in the second that carries its time tag
    return crn_filter(step, delay=0.5)


def filtered_on_time(t: Array, on_time: npt.NDArray[Any]) -> Array:
    """On-time per pair as the low-pass of ACC1B passes it on.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    on_time : ndarray, shape (n, 14)
        On-time of every thruster within the sample [ms].

    Returns
    -------
    ndarray, shape (n, 6)
        Milliseconds of firing per second [ms s-1]; a thousandth of it is the share
        of the time that the pair fires.
    """
    result = np.zeros((len(t), 6))
    place, felt, pair = _spread(t, on_time)
    for k in range(6):
        mine = pair == k
        result[:, k] = np.bincount(place[mine], felt[mine], minlength=len(t))
    return result


def _spread(
    t: Array, on_time: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], Array, npt.NDArray[np.int64]]:
    """Every second a firing is felt in: position, on-time [ms s-1], pair.

    In order of the firings, so that a sum does not depend on where ``t`` begins.
    """
    some = np.flatnonzero((on_time[:, :12] > 0).any(axis=1))
    pairs = pair_on_time(on_time[some])
    row, pair = np.nonzero(pairs)
    kernel = _kernel(step_of(t) if len(t) > 1 else 1.0)
    reach = len(kernel) // 2
    place = some[row][:, None] + np.arange(-reach, reach + 1)
    felt = pairs[row, pair][:, None] * kernel
    inside = (place >= 0) & (place < len(t))
    whose = np.broadcast_to(pair[:, None], place.shape)
    return place[inside], felt[inside], whose[inside]


def firing_acceleration(
    t: Array, on_time: npt.NDArray[Any], value: npt.ArrayLike
) -> Array:
    """Acceleration of all firings, as ACC1B shows it [m s-2], shape (n, 3).

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    on_time : ndarray, shape (n, 14)
        On-time of every thruster within the sample [ms].
    value : array_like, shape (6, 3)
        Response per pair and axis [m s-2], see `response`.
    """
    table: Array = 1e-3 * np.asarray(value, dtype=np.float64)
    place, felt, pair = _spread(t, on_time)
    columns = [
        np.bincount(place, felt * table[pair, k], minlength=len(t)) for k in range(3)
    ]
    return np.stack(columns, axis=1)


def allowed(arrays: Mapping[str, npt.NDArray[Any]], role: str = "") -> Array:
    """Accelerations to trust [m s-2]: NaN where missing or condemned by cleaning."""
    return np.asarray(arrays[f"{role}lin_accl"], dtype=np.float64)


def lazy_response(ds: xr.Dataset, satellite: str) -> Any:
    """`physics.thrusterfit.Response` of one satellite, as a Dask Delayed."""
    import dask

    from gracelstm_xr.compute.days import day_results
    from gracelstm_xr.core.gaps import usable
    from gracelstm_xr.physics.thrusterfit import HALO, day_sums, solve

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

    from gracelstm_xr.core.conventions import attributes_of

    _require(ds, satellite)
    letters = [satellite] if satellite else [str(s) for s in ds["satellite"].values]
    found = [lazy_response(ds, letter) for letter in letters]
    pick = dask.delayed(getattr, pure=False)
    names = {"thruster_accl": "value", "thruster_accl_sigma": "sigma"}
    result = xr.Dataset(
        {
            name: (
                ("satellite", "thruster_pair", "axis"),
                da.stack(
                    [da.from_delayed(pick(r, part), (6, 3), float) for r in found]
                ),
                attributes_of(name),
            )
            for name, part in names.items()
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
    known = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    if satellite is not None and satellite not in known:
        raise GraceError(
            f"found satellites {', '.join(known)}, expected one of them, got "
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

    from gracelstm_xr.compute.days import day_blocks
    from gracelstm_xr.physics.thrusterfit import HALO

    found = response(ds) if responses is None else responses
    parts = []
    for letter in [str(s) for s in ds["satellite"].values]:
        inputs = {
            name: ds[name].sel(satellite=letter).transpose("time", ...)
            for name in ("lin_accl", "thruster_on_time")
        }
        value = found["thruster_accl"].sel(satellite=letter).data
        made = day_blocks(
            _shifted_day, inputs, ds, value, sign,
            halo=HALO, outputs={"lin_accl": ((3,), np.float64)},
        )  # fmt: skip
        parts.append(ds["lin_accl"].sel(satellite=letter).transpose("time", "axis"))
        parts[-1] = parts[-1].copy(data=made["lin_accl"])
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
