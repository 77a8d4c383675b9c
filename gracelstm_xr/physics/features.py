"""Covariates the baselines and networks use, as a lazy, labelled Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.compute.blocks import Output, map_time_blocks
from gracelstm_xr.core import conventions
from gracelstm_xr.core.components import require_axes
from gracelstm_xr.core.datamodel import ORIGINS
from gracelstm_xr.errors import GraceError
from gracelstm_xr.missions import MISSIONS, TWINS
from gracelstm_xr.physics.frames import HALO, Pair, assemble, frame_inputs, loaded
from gracelstm_xr.physics.geometry import FLAGS, build_geometry
from gracelstm_xr.physics.localmean import local_mean, local_sums

#: Seconds computed at a time: a frame of a day takes 0.1 GB.
PIECE = 86_400.0

#: Array of a frame or geometry, shape after time, dimensions after time, per output.
_VARIABLES: dict[str, tuple[str, tuple[int, ...], tuple[str, ...]]] = {
    "argument_of_latitude": ("latitude_argument", (), ()),
    "latitude": ("latitude", (), ()),
    "longitude": ("longitude", (), ()),
    "height": ("height", (), ()),
    "beta_prime": ("beta_prime", (), ()),
    "local_solar_time": ("local_solar_time", (), ()),
    "shadow_factor": ("shadow", (), ()),
    "sun_direction": ("sun", (3,), ("axis",)),
    "twin_lag": ("lag", (), ()),
    "lin_accl_donor": ("donor", (3,), ("axis",)),
    "thruster_response": ("own_thrust", (6,), ("thruster_pair",)),
    "donor_thruster_response": ("donor_thrust", (6,), ("thruster_pair",)),
    "geometry_qualflg": ("flags", (), ()),
}
#: Product a variable of the data model comes from.
_PRODUCTS = {
    "lin_accl": "ACC1B",
    "position": "GNV1B",
    "quaternion": "SCA1B",
    "thruster_on_time": "THR1B",
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
    conventions.require("satellite", ds.variables, remedy="open Level-1B data first")
    letters = [str(s) for s in np.atleast_1d(ds["satellite"].values)]
    for name in (recipient, donor):
        if name is not None and name not in letters:
            raise ValueError(
                f"found satellites {', '.join(letters)}, expected one of them, "
                f"got {name!r}: choose a satellite of this Dataset"
            )
    chosen = letters if recipient is None else [recipient]
    pairs = []
    for name in chosen:
        other = donor if donor is not None else TWINS.get(name)
        pairs.append(Pair(name, other if other in letters and other != name else None))
    return pairs


def features(
    ds: xr.Dataset,
    *,
    recipient: str | None = None,
    donor: str | None = None,
    lag: float | None = None,
) -> xr.Dataset:
    """Covariates the baselines and networks use, as lazy variables.

    Every variable says in ``source`` which products it came from and in ``comment``
    what stands in where one is missing; ``geometry_qualflg`` says per sample what
    did. Variables for which nothing can stand in are left out, and the ``comment`` of
    the Dataset names them.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular axis, with any of ``lin_accl``, ``position`` and
        ``velocity``, ``quaternion``, ``thruster_on_time``.
    recipient, donor : str, optional
        Satellites by letter; default every satellite, each with its twin as donor.
    lag : float, optional
        Time until B (D) is where A (C) is now [s], used where orbits do not tell.

    Returns
    -------
    xarray.Dataset
        Dimension ``satellite`` (the recipients) and those of
        ``argument_of_latitude`` [rad]; ``latitude``, ``longitude`` [degree] and
        ``height`` [m] (WGS 84); ``beta_prime`` [degree], ``local_solar_time`` [h],
        ``shadow_factor``, ``sun_direction`` (unit vector in the SRF); ``twin_lag``
        [s], positive when the twin follows; ``lin_accl_donor`` [m s-2] (at the lag,
        mean over 11 days removed, rotated into the recipient's SRF);
        ``thruster_response`` and ``donor_thruster_response`` [ms s-1];
        ``geometry_qualflg``. The same to the last bit on any chunking.

    Raises
    ------
    ValueError
        When a named satellite is not in the Dataset.
    GraceError
        When the Dataset has none of the variables above.
    """
    require_axes(ds)
    pairs = satellite_pairs(ds, recipient=recipient, donor=donor)
    if lag is not None:
        firsts = {m.satellites[0] for m in MISSIONS}
        pairs = [replace(p, lag=lag if p.recipient in firsts else -lag) for p in pairs]
    inputs = [frame_inputs(ds, pair) for pair in pairs]
    wanted = [name for name in _VARIABLES if any(_has(name, i, lag) for i in inputs)]
    if not wanted:
        raise GraceError(
            f"found {', '.join(map(str, ds.data_vars)) or 'no variables'}, expected "
            f"some of {', '.join(_PRODUCTS)}: open GNV1B, SCA1B, ACC1B or THR1B"
        )
    parts = [
        _features_of(ds, pair, one, wanted)
        for pair, one in zip(pairs, inputs, strict=True)
    ]
    table = xr.concat(parts, dim="satellite", join="override", combine_attrs="override")
    left_out = [name for name in _VARIABLES if name not in wanted]
    if left_out:
        table.attrs["comment"] = "left out for want of products: " + "; ".join(
            f"{name} (needs {ORIGINS[name].needs})" for name in left_out
        )
    return table


def _has(name: str, inputs: Mapping[str, xr.DataArray], lag: float | None) -> bool:
    """Whether the inputs of a recipient allow a feature."""
    orbit = {f"{r}.position" for r in ("own", "donor")} & set(inputs)
    orbit = {key for key in orbit if key.replace("position", "velocity") in inputs}
    either, both = bool(orbit), len(orbit) == 2 or (lag is not None)
    return {
        "twin_lag": both,
        "sun_direction": either or "own.quaternion" in inputs,
        "lin_accl_donor": both and "donor.lin_accl" in inputs,
        "thruster_response": "own.thruster_on_time" in inputs,
        "donor_thruster_response": both and "donor.thruster_on_time" in inputs,
        "geometry_qualflg": either or "own.quaternion" in inputs or lag is not None,
    }.get(name, either)


def _features_of(
    ds: xr.Dataset, pair: Pair, inputs: Mapping[str, xr.DataArray], names: list[str]
) -> xr.Dataset:
    outputs: dict[str, Output] = {
        n: (_VARIABLES[n][1], np.uint8 if n == "geometry_qualflg" else np.float64)
        for n in names
    }
    inputs = {k: v for k, v in inputs.items() if k != "own.lin_accl"}
    donor = inputs.get("donor.lin_accl")
    sums = local_sums(donor, ds) if donor is not None else lambda _: []
    arrays = map_time_blocks(
        _block,
        inputs,
        ds,
        pair,
        tuple(names),
        halo=HALO,
        outputs=outputs,
        local=sums,
        piece=PIECE,
    )
    result = xr.Dataset(
        {
            name: (("time", *_VARIABLES[name][2]), array)
            for name, array in arrays.items()
        },
        coords={k: v for k, v in ds.coords.items() if k in ("time", "axis")},
    )
    products = [p for name, p in _PRODUCTS.items() if name in ds]
    for name in names:
        result[name].attrs = _attributes(name, products)
    return result.assign_coords(satellite=pair.recipient)


def _attributes(name: str, products: list[str]) -> dict[str, Any]:
    """CF attributes of a feature, with its products and what stands in for them."""
    origin = ORIGINS[name]
    used = [p for p in origin.products if p in products]
    attrs = conventions.attributes_of(name) | {"source": ", ".join(used) or "none"}
    notes = [origin.comment] if origin.comment else []
    notes += [
        f"no {p} in the data: {text}"
        for p, text in origin.without.items()
        if p not in products
    ]
    if notes:
        attrs["comment"] = "; ".join(notes)
    if name == "geometry_qualflg":
        attrs["flag_masks"] = np.array(list(FLAGS.values()), dtype=np.uint8)
        attrs["flag_meanings"] = " ".join(FLAGS)
    return attrs


def _block(
    t: npt.NDArray[np.float64],
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    pair: Pair,
    names: tuple[str, ...],
    sums: list[Any],
) -> dict[str, npt.NDArray[Any]]:
    data = loaded(arrays)
    if "donor.lin_accl" in data:
        # here and not in the frame: the bias drifts, and must not leak between axes
        mean = local_mean(t, sums)
        dead = np.isnan(mean) & ~np.isnan(mean).all(axis=1, keepdims=True)
        # an axis never observed among observed ones must not spoil the others
        data["donor.lin_accl"] = np.where(dead, 0.0, data["donor.lin_accl"] - mean)
    geometry = build_geometry(t, data, pair, keep)
    frame = assemble(t, data, pair, geometry, keep)
    values = {**frame.arrays(), **geometry.arrays()}
    size = keep.stop - keep.start
    return {
        name: values.get(
            _VARIABLES[name][0], np.full((size, *_VARIABLES[name][1]), np.nan)
        )
        for name in names
    }
