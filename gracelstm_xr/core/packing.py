"""Opt-in quantised storage: accelerations as multiples of a step, packed as in CF.

The instruments resolve 1e-10 m s-2; the digits below 1e-13 are noise, and noise does
not compress. Packed, a value is an int32 with the attributes ``scale_factor`` and
``_FillValue`` (CF conventions 8.1), which xarray, netCDF tools and GDAL decode
without being told, and any Zarr reader can.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.errors import GraceError

#: Integer that stands for NaN.
MISSING = -(2**31)
#: Largest multiple of the step that is stored.
_LARGEST = 2**31 - 1
_UNIT = "m s-2"


def quantisation_step(quantise: str | float) -> float:
    """Return the step [m s-2] that a user asked for.

    Parameters
    ----------
    quantise : str or float
        Step, for example ``"1e-13"``.

    Raises
    ------
    GraceError
        It is not a positive number below 1e-3 m s-2.
    """
    try:
        step = float(quantise)
    except (TypeError, ValueError):
        step = np.nan
    if not 0 < step < 1e-3:
        raise GraceError(
            f"quantise={quantise!r} found; expected a positive step in m s-2, "
            "for example '1e-13'"
        )
    return step


def packing(variable: Any, step: float | None) -> dict[str, Any]:
    """Return how `variable` is packed, empty where it is stored as it is.

    Parameters
    ----------
    variable : Variable or DataArray
        Packed are floats in m s-2 along time: ``lin_accl``, ``acl_res``, the filled
        and forecast series and their sigmas.
    step : float or None
        Quantisation step [m s-2]; None packs nothing.

    Returns
    -------
    dict
        ``dtype``, ``scale_factor``, ``_FillValue`` for ``Dataset.to_zarr`` or
        ``to_netcdf``; the last two are the attributes of the stored array.
    """
    is_float = variable.dtype.kind == "f" and "time" in variable.dims
    if step is None or not is_float or variable.attrs.get("units") != _UNIT:
        return {}
    return {"dtype": "int32", "scale_factor": step, "_FillValue": MISSING}


def pack(
    values: npt.ArrayLike, step: float, *, name: str = "value"
) -> npt.NDArray[np.int32]:
    """Return `values` as integer multiples of `step`, NaN as `MISSING`.

    Parameters
    ----------
    values : array_like of float
        Accelerations [m s-2]; NaN where there is none.
    step : float
        Quantisation step [m s-2]; unpacking ``packed * step`` errs by half of it at
        most.
    name : str, optional
        Variable named in an error.

    Raises
    ------
    GraceError
        A value is infinite or beyond 2**31 - 1 steps (2.1e-4 m s-2 at 1e-13).
    """
    counts = np.rint(np.asarray(values, dtype="float64") / step)
    missing = np.isnan(counts)
    largest = np.abs(counts).max(initial=0.0, where=~missing)
    if largest > _LARGEST:
        raise GraceError(
            f"{name} reaches {largest * step:.3g} m s-2, steps of {step:g} hold "
            f"{_LARGEST * step:.3g} at most; quantise with a larger step or not at all"
        )
    return np.where(missing, MISSING, counts).astype("int32")


def write_part(array: Any, where: Any, values: npt.NDArray[Any]) -> None:
    """Write values into a stored array, packed if the array is.

    Parameters
    ----------
    array : zarr.Array
        Of a store.
    where : tuple of slice
        Place.
    values : ndarray
        Of the unit of the variable.

    Raises
    ------
    GraceError
        A value does not fit, see `pack`.
    """
    step = array.attrs.get("scale_factor")
    name = array.path.rsplit("/", 1)[-1]
    array[where] = values if step is None else pack(values, step, name=name)


def read_part(array: Any, where: Any) -> npt.NDArray[Any]:
    """Read values from a stored array, unpacked; parameters as for `write_part`."""
    values = np.asarray(array[where])
    step = array.attrs.get("scale_factor")
    if step is None:
        return values
    return np.where(values == MISSING, np.nan, values * float(step))
