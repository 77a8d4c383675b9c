"""Whether what a store says about itself agrees with the arrays that are there.

Other programs write into stores, too: an ordinary ``to_zarr(append_dim="time")`` of
xarray puts the attributes of one store over those of another. Looking at a few of the
stored times tells it, at a cost that does not grow with the store.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.timecode import codes_at, time_attributes
from gracelstm_xr.errors import StoreError

__all__ = ["ANEW", "check_time"]

#: What to do with a store that another program has changed.
ANEW = (
    "another program has changed the store; open it with xarray.open_zarr and write it "
    "to a new one with ds.grace.to_zarr"
)
#: Times that are compared at every opening, the first and the last among them.
SPOTS = 3


def check_time(group: Any, axis: RegularAxis, where: str, *, growing: bool) -> None:
    """Compare the axis that a store promises with the times that it holds.

    Parameters
    ----------
    group : zarr.Group
        Root of the store.
    axis : RegularAxis
        From its attributes.
    where : str
        Its address, for messages.
    growing : bool
        Whether the arrays may be longer already than the axis.

    Raises
    ------
    StoreError
        Number, unit or values of the times are others.
    """
    array: Any = group.get("time")
    if array is None or getattr(array, "shape", None) is None:
        raise StoreError(f"{where} has no array 'time'; {ANEW}")
    longer = growing and array.ndim == 1 and array.shape[0] > axis.size
    if array.shape != (axis.size,) and not longer:
        raise StoreError(
            f"{where} holds times of shape {array.shape}, its attributes say "
            f"{axis.size} from {axis.start}; {ANEW}"
        )
    units, expected_units = array.attrs.get("units"), time_attributes(axis)["units"]
    if array.dtype != "int64" or units != expected_units:
        raise StoreError(
            f"{where} holds times of type {array.dtype} in {units!r}, its attributes "
            f"say int64 in {expected_units!r}; {ANEW}"
        )
    if not axis.size:
        return
    spots = np.unique(np.linspace(0, axis.size - 1, SPOTS).astype("int64"))
    codes = np.asarray(array.get_coordinate_selection(spots))
    wrong = np.flatnonzero(codes != codes_at(axis, spots))
    if wrong.size:
        spot, code = int(spots[wrong[0]]), int(codes[wrong[0]])
        raise StoreError(
            f"{where}: time {spot} is {code} {units}, its attributes say "
            f"{int(codes_at(axis, spot))} (an axis from {axis.start}); {ANEW}"
        )
