"""Band-limited change of sampling, each variable by its own rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.blocks import map_time_blocks, per_satellite, stack_satellites
from gracelstm_xr.core import conventions
from gracelstm_xr.core.gaps import runs, tell_of_step, usable
from gracelstm_xr.core.index import axis_of, regular_coords
from gracelstm_xr.core.labels import duration
from gracelstm_xr.core.time import EPOCH, RegularAxis
from gracelstm_xr.errors import GraceError
from gracelstm_xr.signal import filters

#: Nodes on either side, and Kaiser shape, of the interpolation to a finer step.
NODES_ASIDE, SHAPE = 12, 10.5
#: How far back the sign of a quaternion is looked up [s].
SIGN_MEMORY = 600.0
#: Longest step between two attitudes that are interpolated [s].
LONGEST_TURN = 60.0
SMOOTH = ("position", "velocity")


class _Grid(NamedTuple):
    """Where the new samples lie among the old ones."""

    step: float
    first: int
    ratio: int
    size: int

    def before(self, position: int) -> int:
        """Samples of a coarser grid before a position of the finer one."""
        return max(0, -(-(position - self.first) // self.ratio))


def rule_of(name: str, variable: xr.DataArray) -> str:
    """Tell how a variable is resampled.

    Parameters
    ----------
    name : str
        Name of the variable.
    variable : xarray.DataArray
        Its attributes and dimensions decide.

    Returns
    -------
    {"band", "smooth", "attitude", "sum", "or", "largest", "epoch"}
        ``band``: accelerations, filtered. ``smooth``: orbits, taken at the epoch and
        interpolated by polynomials. ``attitude``: quaternions, taken at the epoch and
        turned at constant rate. ``sum``: on-times. ``or``: bit flags. ``largest``:
        sigma, and method numbers, which count upwards from observed. ``epoch``: the
        value at the epoch.
    """
    if name.endswith("_sigma") or "flag_values" in variable.attrs:
        return "largest"
    if "flag_masks" in variable.attrs or name.endswith("flg"):
        return "or"
    if name == "thruster_on_time":
        return "sum"
    if "quaternion_component" in variable.dims:
        return "attitude"
    if name in SMOOTH:
        return "smooth"
    units = variable.attrs.get("units")
    if "axis" in variable.dims and units in ("m s-2", "rad s-2"):
        return "band"
    return "epoch"


def resample(ds: xr.Dataset, step: Any, *, missing: float = 1e-3) -> xr.Dataset:
    """Change the sampling of a Dataset within the band of the data; lazy.

    To a coarser step, accelerations are low-passed (`signal.filters.anti_alias`) and
    taken at whole multiples of the step; orbits, attitude and other series are
    taken there; flags, sigma, method and on-times are combined over the interval around
    each new sample (any bit, largest, largest, sum). To a finer step, accelerations are
    interpolated band-limited inside each stretch between gaps, never across one; orbits
    by polynomials through eight nodes; attitude at constant rate between nodes at most
    60 s apart; flags, sigma and method hold over the interval, on-times are spread over
    it; other series stay at their nodes.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular axis. Samples condemned by cleaning count as missing
        (`gracelstm_xr.gaps.usable`).
    step : str, number or timedelta
        New sampling, as a duration ("10s", "1min") or in seconds; a multiple or a
        whole fraction of the present one.
    missing : float, optional
        Largest share of the filter's absolute weights that may lie on missing samples
        or outside the data. A sample beyond it is NaN, as is one whose own epoch is
        missing; below it the other weights are scaled to unit sum.

    Returns
    -------
    xarray.Dataset
        On the new regular axis: multiples of the step in GPS time when coarser, from
        the first to the last old sample when finer.

    Raises
    ------
    GraceError
        When neither sampling is a multiple of the other, or there is no whole step of
        data.

    Examples
    --------
    >>> ds.sizes["time"], ds.grace.resample("10s").sizes["time"]
    (3600, 360)
    """
    axis = axis_of(ds)
    wanted = round(duration(step, name="step") * 1e9)
    seconds = axis.step_ns / 1e9
    if wanted % axis.step_ns and axis.step_ns % wanted:
        raise GraceError(
            f"found a step of {wanted / 1e9:g} s for data of {seconds:g} s, expected a "
            "multiple or a whole fraction: choose another step"
        )
    if not 0 <= missing < 0.5:
        raise GraceError(f"found missing={missing}, expected a share from 0 to 0.5")
    coarser = wanted >= axis.step_ns
    ratio = wanted // axis.step_ns if coarser else axis.step_ns // wanted
    if ratio == 1:
        return ds
    new, grid = _new_axis(axis, ratio) if coarser else _fine_axis(axis, ratio)
    if "lin_accl" in ds:
        ds = ds.assign(lin_accl=usable(ds))
    block, options = (_coarse_block, missing) if coarser else (_fine_block, 0.0)
    resampled = {
        str(name): _one(ds, str(name), variable, block, grid, new.size, options)
        for name, variable in ds.data_vars.items()
        if "time" in variable.dims
    }
    return _labelled(ds, resampled, new, missing)


def _new_axis(axis: RegularAxis, ratio: int) -> tuple[RegularAxis, _Grid]:
    """Axis at whole multiples of the coarser step."""
    step = axis.step_ns / 1e9
    origin = int((axis.start - EPOCH).astype("int64")) // axis.step_ns
    grid = _Grid(step, -origin % ratio, ratio, axis.size)
    size = grid.before(axis.size)
    if size == 0:
        raise GraceError(
            f"found {axis.size} samples of {step:g} s, expected at least one at a "
            f"multiple of {step * ratio:g} s: open a longer span"
        )
    start = axis.start + grid.first * axis.step
    return RegularAxis(start, axis.step * ratio, size), grid


def _fine_axis(axis: RegularAxis, ratio: int) -> tuple[RegularAxis, _Grid]:
    """Axis between the first and the last node."""
    step = axis.step_ns / 1e9
    if axis.size < 2:
        raise GraceError(
            f"found {axis.size} samples of {step:g} s, expected at least 2 to "
            "interpolate between: open a longer span"
        )
    size = (axis.size - 1) * ratio + 1
    grid = _Grid(step, 0, ratio, axis.size)
    return RegularAxis(axis.start, axis.step // ratio, size), grid


def _one(
    ds: xr.Dataset,
    name: str,
    variable: xr.DataArray,
    block: Any,
    grid: _Grid,
    size: int,
    missing: float,
) -> xr.Variable:
    """One variable of all satellites on the new axis, dimensions in the old order."""
    rule = rule_of(name, variable)
    coarser = block is _coarse_block

    def length(span: slice) -> int:
        first, past = int(span.start), int(span.stop)
        if coarser:
            return grid.before(past) - grid.before(first)
        return min(past * grid.ratio, size) - first * grid.ratio

    dims = [d for d in variable.dims if d not in ("satellite", "time")]
    shape = tuple(variable.sizes[d] for d in dims)
    outputs: dict[str, Any] = {"values": (shape, variable.dtype)}
    if rule == "attitude":
        outputs["sign"] = ((), np.int8)
    alone, parts = ds[[name]], []
    for _, one in per_satellite(alone):
        inputs = {"values": one[name].transpose("time", *dims)}
        done = map_time_blocks(
            block,
            inputs,
            ds,
            rule,
            tuple(grid),
            missing,
            halo=_halo(rule, grid, coarser=coarser),
            outputs=outputs,
            length=length,
        )
        parts.append({"values": _continuous(done)})
    leading, data = stack_satellites(alone, parts)["values"]
    resampled = xr.Variable((*leading, *dims), data, variable.attrs)
    return resampled.transpose(*variable.dims)


def _continuous(done: dict[str, Any]) -> Any:
    """Quaternions with the sign of the one before, across all blocks."""
    if "sign" not in done:
        return done["values"]
    import dask.array as da

    return done["values"] * da.cumprod(done["sign"], axis=0, dtype=np.int8)[:, None]


def _halo(rule: str, grid: _Grid, *, coarser: bool) -> float:
    """Context a block needs [s]."""
    if not coarser:
        memory = SIGN_MEMORY if rule == "attitude" else 0.0
        return (2 * NODES_ASIDE + 2) * grid.step + memory
    if rule == "band":
        return (len(filters.anti_alias(grid.step, grid.ratio)) // 2 + 1) * grid.step
    if rule == "attitude":
        return SIGN_MEMORY + (grid.ratio + 1) * grid.step
    return (grid.ratio + 1) * grid.step


def _coarse_block(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    rule: str,
    place: tuple[float, int, int, int],
    missing: float,
) -> dict[str, npt.NDArray[Any]]:
    """New samples whose epochs lie in ``keep``."""
    grid = _Grid(*place)
    values = np.asarray(arrays["values"])
    origin = round(t[0] / grid.step)
    first = -origin % grid.ratio
    wanted = slice(
        -(-(keep.start - first) // grid.ratio), -(-(keep.stop - first) // grid.ratio)
    )
    if rule == "band":
        taps = filters.anti_alias(grid.step, grid.ratio)
        flat = values.reshape(len(values), -1).astype(np.float64)
        tell_of_step(np.asarray(~np.isfinite(flat).any(axis=1)), grid.step)
        done = filters.low_pass(flat, taps, first, grid.ratio, missing=missing)
        done = done.reshape(len(done), *values.shape[1:])
        return {"values": done[wanted].astype(values.dtype)}
    if rule in ("or", "sum", "largest"):
        how = filters.reduce_intervals(values, first, grid.ratio, how=rule)
        return {"values": how[wanted]}
    taken = values[first :: grid.ratio]
    if rule != "attitude":
        return {"values": taken[wanted]}
    reach = int(SIGN_MEMORY / (grid.step * grid.ratio))
    sign = filters.sign_changes(taken, reach=max(reach, 1))
    norm = np.sqrt(np.sum(taken[wanted] ** 2, axis=1, keepdims=True))
    return {"values": taken[wanted] / norm, "sign": sign[wanted]}


def _fine_block(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    rule: str,
    place: tuple[float, int, int, int],
    missing: float,
) -> dict[str, npt.NDArray[Any]]:
    """New samples from the first node of ``keep`` to the node after its last."""
    grid = _Grid(*place)
    nodes = np.asarray(arrays["values"])
    size = (len(nodes) - 1) * grid.ratio + 1
    wanted = slice(keep.start * grid.ratio, min(keep.stop * grid.ratio, size))
    if rule in ("or", "largest", "sum"):
        index = (np.arange(size) + grid.ratio // 2) // grid.ratio
        held = nodes[np.minimum(index, len(nodes) - 1)]
        spread = held / grid.ratio if rule == "sum" else held
        return {"values": spread[wanted].astype(nodes.dtype)}
    if rule == "attitude":
        if grid.step > LONGEST_TURN:
            return _nodes_only(nodes, grid, wanted)
        sign = np.ones(size, dtype=np.int8)
        reach = max(int(SIGN_MEMORY / grid.step), 1)
        sign[:: grid.ratio] = filters.sign_changes(nodes, reach=reach)
        turned = filters.between_attitudes(nodes, grid.ratio)
        return {"values": turned[wanted], "sign": sign[wanted]}
    if rule not in ("band", "smooth"):
        return _nodes_only(nodes, grid, wanted)
    flat = nodes.reshape(len(nodes), -1).astype(np.float64)
    fine = np.full((size, flat.shape[1]), np.nan)
    for k in range(flat.shape[1]):
        for a, b in runs(np.isfinite(flat[:, k])):
            piece = _between(flat[a:b, k : k + 1], grid.ratio, rule)
            fine[a * grid.ratio : (b - 1) * grid.ratio + 1, k] = piece[:, 0]
    shaped = fine.reshape(size, *nodes.shape[1:])
    return {"values": shaped[wanted].astype(nodes.dtype)}


def _between(nodes: Array, ratio: int, rule: str) -> Array:
    """Series between the nodes of one stretch without gaps."""
    if len(nodes) < 2:
        return nodes
    if rule == "smooth":
        return filters.between_nodes(nodes, ratio)
    reach = min(NODES_ASIDE, len(nodes) - 1)
    return filters.upsample(nodes, ratio, reach=reach, shape=SHAPE)


def _nodes_only(
    nodes: npt.NDArray[Any], grid: _Grid, wanted: slice
) -> dict[str, npt.NDArray[Any]]:
    """Values at the nodes, nothing between them."""
    size = (len(nodes) - 1) * grid.ratio + 1
    empty = np.nan if nodes.dtype.kind == "f" else 0
    fine = np.full((size, *nodes.shape[1:]), empty, dtype=nodes.dtype)
    fine[:: grid.ratio] = nodes
    sign = np.ones(size, dtype=np.int8)
    return {"values": fine[wanted], "sign": sign[wanted]}


def _labelled(
    ds: xr.Dataset, resampled: dict[str, xr.Variable], axis: RegularAxis, missing: float
) -> xr.Dataset:
    """Dataset on the new axis, with its history."""
    seconds = axis.step_ns / 1e9
    others = {k: v for k, v in ds.coords.items() if "time" not in v.dims}
    fixed = {k: v for k, v in ds.data_vars.items() if "time" not in v.dims}
    result = xr.Dataset({**fixed, **resampled}, coords=others, attrs=ds.attrs)
    result = result[list(ds.data_vars)].assign_coords(regular_coords(axis))
    if "time_coverage_start" in ds.attrs:
        result.attrs |= conventions.coverage_attributes(
            axis.start, axis.stop, axis.step
        )
    result.attrs["resampling"] = json.dumps({"step_s": seconds, "missing": missing})
    result.attrs = conventions.append_history(
        result.attrs, f"resampled to {seconds:g} s, missing share at most {missing:g}"
    )
    return result
