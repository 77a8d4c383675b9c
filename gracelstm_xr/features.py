"""Covariates the baselines and networks use, as a lazy, labelled Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr import conventions
from gracelstm_xr.blocks import Output, map_time_blocks
from gracelstm_xr.frames import HALO, Pair, build_frame, frame_inputs

__all__ = ["TWINS", "features", "satellite_pairs"]

#: The other satellite of each mission.
TWINS = {"A": "B", "B": "A", "C": "D", "D": "C"}

#: Frame attribute, shape after time, dimensions after time, per output variable.
_VARIABLES: dict[str, tuple[str, tuple[int, ...], tuple[str, ...]]] = {
    "argument_of_latitude": ("latitude_argument", (), ()),
    "shadow_factor": ("shadow", (), ()),
    "sun_direction": ("sun", (3,), ("axis",)),
    "twin_lag": ("lag", (), ()),
    "lin_accl_donor": ("donor", (3,), ("axis",)),
    "thruster_response": ("own_thrust", (6,), ("thruster_pair",)),
    "donor_thruster_response": ("donor_thrust", (6,), ("thruster_pair",)),
}


def satellite_pairs(
    ds: xr.Dataset, *, recipient: str | None = None, donor: str | None = None
) -> list[Pair]:
    """Recipient and donor pairs a Dataset allows.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model.
    recipient, donor : str, optional
        Satellites by letter; default every satellite with its mission's twin.

    Returns
    -------
    list of Pair
        Without offset and lag.

    Raises
    ------
    ValueError
        When a named satellite is not in the Dataset.
    """
    known = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    for name in (recipient, donor):
        if name is not None and name not in known:
            raise ValueError(
                f"found satellites {', '.join(known)}, expected one of them, "
                f"got {name!r}: choose a satellite of this Dataset"
            )
    chosen = known if recipient is None else [recipient]
    pairs = []
    for name in chosen:
        other = donor if donor is not None else TWINS.get(name)
        pairs.append(Pair(name, other if other in known and other != name else None))
    return pairs


def features(
    ds: xr.Dataset, *, recipient: str | None = None, donor: str | None = None
) -> xr.Dataset:
    """Covariates the baselines and networks use, as lazy variables.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular axis.
    recipient, donor : str, optional
        Satellites by letter; default every satellite, each with its twin as donor.

    Returns
    -------
    xarray.Dataset
        Dimension ``satellite`` (the recipients) and those of
        ``argument_of_latitude`` [rad], ``shadow_factor``, ``sun_direction`` (nominal
        SRF, zero in the umbra), ``twin_lag`` [s], ``lin_accl_donor`` [m s-2] (at the
        lag, mean removed, rotated into the recipient's SRF), ``thruster_response``
        and ``donor_thruster_response`` [ms s-1] that the products in ``ds`` allow.

    Raises
    ------
    ValueError
        When a named satellite is not in the Dataset.
    """
    pairs = satellite_pairs(ds, recipient=recipient, donor=donor)
    parts = [_features_of(ds, pair) for pair in pairs]
    return xr.concat(parts, dim="satellite", join="override", combine_attrs="override")


def _features_of(ds: xr.Dataset, pair: Pair) -> xr.Dataset:
    inputs = frame_inputs(ds, pair)
    names = _available(inputs)
    outputs: dict[str, Output] = {n: (_VARIABLES[n][1], np.float64) for n in names}
    mean: Any = None
    if pair.donor is not None:
        # lazy: a full pass over the donor, because its bias must not leak
        mean = ds["lin_accl"].sel(satellite=pair.donor).mean("time").data
    arrays = map_time_blocks(_block, inputs, ds, pair, mean, halo=HALO, outputs=outputs)
    result = xr.Dataset(
        {
            name: (("time", *_VARIABLES[name][2]), array)
            for name, array in arrays.items()
        },
        coords={k: v for k, v in ds.coords.items() if k in ("time", "axis")},
    )
    for name in names:
        result[name].attrs = conventions.attributes_of(name)
    return result.assign_coords(satellite=pair.recipient)


def _available(inputs: Mapping[str, xr.DataArray]) -> list[str]:
    own, twin = "own.position" in inputs, "donor.position" in inputs
    have = {
        "argument_of_latitude": own,
        "shadow_factor": own,
        "sun_direction": own,
        "twin_lag": own and twin,
        "lin_accl_donor": own and twin,
        "thruster_response": "own.thruster_on_time" in inputs,
        "donor_thruster_response": twin and "donor.thruster_on_time" in inputs,
    }
    return [name for name, there in have.items() if there]


def _block(
    t: npt.NDArray[np.float64],
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    pair: Pair,
    mean: npt.NDArray[np.float64] | None,
) -> dict[str, npt.NDArray[np.float64]]:
    from dataclasses import replace

    if mean is not None:
        offset = tuple(float(v) for v in mean)
        pair = replace(pair, donor_offset=(offset[0], offset[1], offset[2]))
    found = build_frame(t, arrays, pair).take(keep).arrays()
    result = {}
    for name, (attribute, shape, _) in _VARIABLES.items():
        size = (keep.stop - keep.start, *shape)
        result[name] = found.get(attribute, np.full(size, np.nan))
    return result
