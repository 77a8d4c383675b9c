"""Carry one satellite's accelerations to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.carry import (
    HALO,
    Carried,
    Chain,
    Constants,
    carry,
    day_lag,
    donor_level,
)
from gracelstm_xr.baselines.nominal import MODEL_SIGMA, nominal_prior
from gracelstm_xr.baselines.overlap import bin_table, day_moments, factors, solve
from gracelstm_xr.baselines.screen import counts_of, marks_of, screened, tell
from gracelstm_xr.compute.blocks import Output, gps_axis
from gracelstm_xr.compute.days import day_blocks, day_results, midnight, thinned
from gracelstm_xr.core import conventions
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.errors import GraceError
from gracelstm_xr.missions import MASS, TWINS
from gracelstm_xr.physics import thrusterfit
from gracelstm_xr.physics.features import satellite_pairs
from gracelstm_xr.physics.firings import allowed
from gracelstm_xr.physics.forces import model_series
from gracelstm_xr.physics.lagsearch import cross_correlation_lag
from gracelstm_xr.physics.thermosphere import weather
from gracelstm_xr.physics.thrusterfit import day_sums

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.baselines.overlap import Factors, Solution
    from gracelstm_xr.physics.frames import Pair
    from gracelstm_xr.physics.thrusterfit import Response

__all__ = ["PARTS", "transplant"]

Array = npt.NDArray[np.float64]

#: Outputs of `transplant` over time and axis.
PARTS = (
    "lin_accl_transplant",
    "lin_accl_transplant_sigma",
    "transplant_donor",
    "transplant_model",
    "transplant_thruster",
    "transplant_bias",
)
#: Variables of each satellite that are read.
INPUTS = (
    "lin_accl",
    "position",
    "velocity",
    "quaternion",
    "thruster_on_time",
)
#: Sampling of the overlap [s]; ACC1B holds nothing above 50 mHz.
STEP = 10.0


def transplant(
    ds: xr.Dataset,
    *,
    donor: str | None = None,
    recipient: str | None = None,
    thrusters: bool = True,
    attitude: bool = True,
    place: bool = True,
    force_model: Literal["remove-restore"] | None = None,
    f107: float | xr.DataArray | None = None,
    ap: float | xr.DataArray | None = None,
    mass: Mapping[str, float] | None = None,
    clean: bool = True,
) -> xr.Dataset:
    """Carry the donor's accelerations to the recipient; lazy.

    The donor's series is freed of its thruster firings, shifted by the lag of every
    epoch, rotated into the recipient's frame with both attitudes, scaled and given
    the recipient's bias and drift as the overlap of both shows them, and, where there
    are orbits, what both feel apart at a place along the orbit and in sunlight; then
    the recipient's own firings are put back.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with both satellites. Samples marked in ``acc_cleanflg`` are left
        out.
    donor, recipient : str, optional
        Satellites by letter; the twin of the other by default, the second satellite
        as recipient when neither is given.
    thrusters : bool, default True
        Remove and restore firings; needs THR1B.
    attitude : bool, default True
        Rotate by the attitudes of SCA1B; False, and epochs without, turn by half a
        turn about z.
    place : bool, default True
        Fit what both feel apart along the orbit and in sunlight; needs GNV1B.
    force_model : "remove-restore" or None, optional
        Take the difference of the non-gravitational force model
        (`gracelstm_xr.physics.forces`) between the two satellites into account. Needs
        GNV1B and SCA1B.
    f107, ap, mass
        Of the force model, see `gracelstm_xr.physics.forces.force_model`.
    clean : bool, default True
        Samples that no accelerometer measures count as missing, and a warning tells
        how many when they are computed
        (`gracelstm_xr.preprocess.outliers.impossible`); after ``ds.grace.clean()``
        only what that has marked. False keeps them.

    Returns
    -------
    xarray.Dataset
        Over ``(time, axis)``: ``lin_accl_transplant`` [m s-2], also where the
        recipient observed; its 1-sigma error ``lin_accl_transplant_sigma``, larger
        the farther the overlap is away; the components ``transplant_donor``,
        ``transplant_model``, ``transplant_thruster`` and ``transplant_bias`` that add
        up to it in this order; and ``twin_lag`` (time) [s], ``transplant_overlap``
        (axis), seconds observed by both.

    Raises
    ------
    GraceError
        When there is no donor, or the force model lacks orbits or attitudes.
    ValueError
        When an option or a satellite is unknown.

    Notes
    -----
    Without GNV1B a constant lag comes from the cross-correlation of the x axes; the
    attribute ``lag_source`` says so. Without any overlap, scale and bias are nominal:
    GRACE TN-02 for A and B, no bias for C and D, with errors to match.
    """
    conventions.require_series(ds)
    pair = _chosen(ds, donor, recipient)
    ds = screened(ds, clean=clean)
    chain = _chain(ds, pair, thrusters, attitude, place, force_model)
    inputs = _inputs(ds, pair)
    constants = _constants(ds, inputs, chain)
    options = _model_options(chain, f107, ap, mass)
    solution = _solution(ds, inputs, chain, constants, options)
    return _labelled(ds, inputs, chain, constants, solution, options)


def _model_options(chain: Chain, f107: Any, ap: Any, mass: Any) -> dict[str, Any]:
    if not chain.components:
        return {}
    return {"activity": weather(f107, ap), "mass": {**MASS, **(mass or {})}}


def _chosen(ds: xr.Dataset, donor: str | None, recipient: str | None) -> Pair:
    if recipient is None:
        last = str(np.atleast_1d(ds["satellite"].values)[-1])
        recipient = last if donor is None else TWINS.get(donor)
    pair = satellite_pairs(ds, recipient=recipient, donor=donor)[0]
    if pair.donor is None:
        there = ", ".join(str(s) for s in np.atleast_1d(ds["satellite"].values))
        raise GraceError(
            f"found satellite {there} and no donor for {pair.recipient}, expected "
            "both satellites: open the archive with the twin"
        )
    return pair


def _chain(
    ds: xr.Dataset, pair: Pair, thrusters: bool, attitude: bool, place: bool,
    model: str | None,
) -> Chain:  # fmt: skip
    if model not in (None, "remove-restore"):
        raise ValueError(
            f"found force_model={model!r}, expected 'remove-restore' or None"
        )
    missing = [n for n in ("position", "velocity", "quaternion") if n not in ds]
    if model is not None and missing:
        raise GraceError(
            f"found no {', '.join(missing)}, expected orbits and attitudes for the "
            "force model: open the archive with GNV1B and SCA1B, or force_model=None"
        )
    return Chain(
        recipient=pair.recipient,
        donor=str(pair.donor),
        thrusters=thrusters and "thruster_on_time" in ds,
        attitude=attitude and "quaternion" in ds,
        components=() if model is None else tuple(MODEL_SIGMA),
        place=place and "position" in ds and "velocity" in ds,
    )


def _inputs(ds: xr.Dataset, pair: Pair) -> dict[str, Any]:
    ds = ds.assign(lin_accl=usable(ds))
    roles = {"own": pair.recipient, "donor": pair.donor}
    return {
        f"{role}.{name}": ds[name].sel(satellite=satellite).transpose("time", ...)
        for role, satellite in roles.items()
        for name in INPUTS
        if name in ds
    }


def _constants(ds: xr.Dataset, inputs: Mapping[str, Any], chain: Chain) -> Any:
    """Thruster responses and the donor's level, of the whole span, as one Delayed."""
    import dask

    wanted = ["lin_accl", "position", "velocity"]
    if chain.thrusters:
        wanted.append("thruster_on_time")
    series = {k: v for k, v in inputs.items() if k.partition(".")[2] in wanted}
    for role, satellite in (("own", chain.recipient), ("donor", chain.donor)):
        if (marks := marks_of(ds, satellite)) is not None:
            series[f"{role}.marks"] = marks
    days = day_results(_first_day, series, ds, halo=thrusterfit.HALO)
    return dask.delayed(_first, pure=False)(days, _first_midnight(ds), chain)


def _first_midnight(ds: xr.Dataset) -> float:
    return midnight(gps_axis(ds)[0])


def _first_day(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice
) -> dict[str, Any]:
    """Sums for thruster responses and donor mean of one day, and its lag."""
    day: dict[str, Any] = {}
    for role in ("own", "donor"):
        mine = {
            name.partition(".")[2]: array
            for name, array in arrays.items()
            if name.startswith(f"{role}.")
        }
        if "marks" in mine:
            day[f"{role}.marks"] = counts_of(mine["marks"][keep])
        if "thruster_on_time" in mine:
            day[role] = day_sums(t, mine, keep)
    values = allowed(arrays, "donor.")[keep]
    observed = np.isfinite(values)
    day["total"] = np.where(observed, values, 0.0).sum(0)
    day["count"] = observed.sum(0)
    day["lag"] = day_lag(t[keep], arrays, t)
    if np.isnan(day["lag"]):
        every = thinned(t[keep], STEP)
        day["thin"] = (allowed(arrays, "own.")[keep][every], values[every])
    return day


def _first(
    days: list[list[dict[str, Any]]], midnight: float, chain: Chain
) -> Constants:
    """Responses per satellite [m s-2], and the donor's level and lag."""
    table = [day for group in days for day in group]
    responses: dict[str, Response] = {}
    for role, satellite in (("own", chain.recipient), ("donor", chain.donor)):
        if f"{role}.marks" in table[0]:
            tell(satellite, np.sum([day[f"{role}.marks"] for day in table], axis=0))
        if role in table[0]:
            responses[satellite] = thrusterfit.solve([[day[role] for day in table]])
    lag = np.array([day["lag"] for day in table])
    middle: Array = midnight + 86_400.0 * np.arange(0.5, len(table)).astype(np.float64)
    told = np.isfinite(lag)
    if told.any():
        lag = np.asarray(np.interp(middle, middle[told], lag[told]))
    else:
        both = [np.concatenate([day["thin"][i] for day in table]) for i in (0, 1)]
        match = cross_correlation_lag(both[0], both[1], STEP)
        lag[:] = np.nan if match is None else match.seconds
    sums = [(day["total"], day["count"]) for day in table]
    values = {name: r.value for name, r in responses.items()}
    return Constants(values, donor_level(middle, sums, lag))


def _solution(
    ds: xr.Dataset, inputs: Mapping[str, Any], chain: Chain, constants: Any,
    options: Mapping[str, Any],
) -> Any:  # fmt: skip
    """Fit of the whole span, as one Delayed: factors first, then bias and errors."""
    import dask

    common = (ds, chain, constants, dict(options))
    first = _first_midnight(ds)
    days = day_results(_moments_of_day, inputs, *common, halo=HALO)
    factors = dask.delayed(_factors, pure=False)(days, first, chain, constants)
    days = day_results(_bins_of_day, inputs, *common, factors, halo=HALO)
    return dask.delayed(_solved, pure=False)(days, first, chain, constants, factors)


def _moments_of_day(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice, chain: Chain,
    constants: Constants, options: Mapping[str, Any],
) -> dict[str, Array]:  # fmt: skip
    carried = _thinned_day(t, arrays, keep, chain, constants, options)
    return day_moments(carried, midnight(t[keep.start]))


def _bins_of_day(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice, chain: Chain,
    constants: Constants, options: Mapping[str, Any],
    factors: Factors,
) -> dict[str, Array]:  # fmt: skip
    carried = _thinned_day(t, arrays, keep, chain, constants, options)
    return bin_table(carried, midnight(t[keep.start]), factors)


def _thinned_day(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice, chain: Chain,
    constants: Constants, options: Mapping[str, Any],
) -> Carried:  # fmt: skip
    """Both satellites at the sampling of the overlap."""
    index = thinned(t, STEP)
    index = index[(index >= keep.start) & (index < keep.stop)]
    if len(index) == 0:
        # the last seconds of a day, none of them a whole step
        index = np.arange(keep.start, keep.stop)
    models = _models(t, arrays, chain, options)
    return carry(t, arrays, index, chain, constants, models)


def _models(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], chain: Chain,
    options: Mapping[str, Any],
) -> tuple[Array, Array] | None:  # fmt: skip
    """Force model of recipient and donor, shape (n, 3, component)."""
    if not chain.components:
        return None
    models = []
    for role, satellite in (("own", chain.recipient), ("donor", chain.donor)):
        names = ("position", "velocity", "quaternion")
        series = model_series(
            t,
            *(arrays[f"{role}.{name}"] for name in names),
            mass=options["mass"][satellite],
            activity=options["activity"],
        )
        models.append(np.stack([series[c] for c in chain.components], axis=2))
    return models[0], models[1]


def _factors(
    days: list[list[dict[str, Array]]], midnight: float, chain: Chain,
    constants: Constants,
) -> Factors:  # fmt: skip
    size = days[0][0]["fast"].shape[1] - 1
    prior = nominal_prior(chain, constants.level, size)
    return factors(days, midnight, prior)


def _solved(
    days: list[list[dict[str, Array]]], midnight: float, chain: Chain,
    constants: Constants, factors: Factors,
) -> Solution:  # fmt: skip
    prior = nominal_prior(chain, constants.level, factors.value.shape[2])
    return solve(days, midnight, prior, factors)


def _series_day(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice, chain: Chain,
    constants: Constants, solution: Solution,
    options: Mapping[str, Any],
) -> dict[str, Array]:  # fmt: skip
    """Transplant of one day and its parts."""
    models = _models(t, arrays, chain, options)
    carried = carry(t, arrays, keep, chain, constants, models)
    donor, model = solution.factors.parts(carried)
    bias = solution.bias_at(carried.t)
    total = donor + model + carried.fired + bias
    return {
        "lin_accl_transplant": total,
        "lin_accl_transplant_sigma": np.where(
            np.isfinite(total), solution.sigma_at(carried), np.nan
        ),
        "transplant_donor": donor,
        "transplant_model": model,
        "transplant_thruster": carried.fired,
        "transplant_bias": bias,
        "twin_lag": carried.lag,
    }


def _labelled(
    ds: xr.Dataset, inputs: Mapping[str, Any], chain: Chain, constants: Any,
    solution: Any, options: Mapping[str, Any],
) -> xr.Dataset:  # fmt: skip
    import dask
    import dask.array as da
    import xarray as xr

    outputs: dict[str, Output] = dict.fromkeys(PARTS, ((3,), np.float64))
    outputs["twin_lag"] = ((), np.float64)
    arrays = day_blocks(
        _series_day, inputs, ds, chain, constants, solution, dict(options),
        halo=HALO, outputs=outputs,
    )  # fmt: skip
    pick = dask.delayed(_overlap_seconds, pure=False)
    overlap = da.from_delayed(pick(solution, STEP), (3,), np.float64)
    variables: dict[str, Any] = {
        name: (("time", "axis")[: array.ndim], array) for name, array in arrays.items()
    }
    variables["transplant_overlap"] = (("axis",), overlap)
    result = xr.Dataset(
        variables,
        coords={k: v for k, v in ds.coords.items() if k in ("time", "axis")},
        attrs=conventions.append_history(
            ds.attrs, f"transplant from {chain.donor} to {chain.recipient}"
        ),
    )
    for name in variables:
        result[name].attrs = conventions.attributes_of(name)
    orbits = "own.position" in inputs and "own.velocity" in inputs
    result["lin_accl_transplant"].attrs |= chain.attributes(orbits=orbits)
    return result.assign_coords(satellite=chain.recipient)


def _overlap_seconds(solution: Solution, step: float) -> Array:
    return np.asarray(step * solution.overlap)
