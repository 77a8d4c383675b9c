"""What an evaluation has to do, as tasks; done parts are kept and used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.baselines.start import CONTEXT
from gracelstm_xr.compute import cluster
from gracelstm_xr.compute.blocks import as_dask, gps_axis
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.evaluate.controls import Control, control_part
from gracelstm_xr.evaluate.parts import (
    Part,
    join_parts,
    load_part,
    save_part,
    score_part,
)
from gracelstm_xr.filling.hidden import hidden_rounds, stretches
from gracelstm_xr.physics.frames import HALO, Frame, build_frame, frame_inputs

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.filling.model import FittedModel


@dataclass(frozen=True)
class Work:
    """One task of an evaluation.

    Attributes
    ----------
    satellite : str
    token : str
        Names the result: depends on data, model, gaps and nothing else.
    task : dask.delayed.Delayed
        Gives a `Part`, or a `Control`.
    """

    satellite: str
    token: str
    task: Any


def planned(
    ds: xr.Dataset,
    model: FittedModel,
    satellite: str,
    span: tuple[float, float],
    *,
    lengths: Sequence[float],
    count: int,
    seed: int,
    products: Mapping[str, xr.DataArray],
    controls: bool,
) -> list[Work]:
    """Tasks of one satellite: a part per stretch and round, and its controls.

    Parameters
    ----------
    ds : xarray.Dataset
    model : FittedModel
    satellite : str
        A recipient of the model.
    span : tuple of float
        GPS seconds to score on.
    lengths, count, seed
        Of `gracelstm_xr.filling.hidden.hidden_rounds`, for the whole span.
    products : mapping of str to DataArray
        Series to score beside the methods, by name, on the axis of ``ds``.
    controls : bool
    """
    import dask
    from dask.base import tokenize

    pieces = stretches(span, lengths=lengths)
    each = -(-count // len(pieces))
    state = (model.settings, model.split, model.recipients[satellite], model.networks)
    fitted = tokenize(state, model.only)
    node = dask.delayed(model, pure=False)
    score = dask.delayed(_scored, pure=False)
    work = []
    for number, piece in enumerate(pieces):
        arrays, t = _inputs(ds, model, satellite, piece, products)
        frame = dask.delayed(_loaded, pure=False)(
            t[0], t[1], t[2], arrays, node, satellite
        )
        data = tokenize({k: v.name for k, v in arrays.items()}, t, piece)
        where = np.asarray(t[0] + t[1] * np.arange(t[2]))
        rounds = list(
            hidden_rounds(
                where, _observed(ds, model, satellite, t), piece,
                lengths=lengths, count=each, seed=seed + number,
            )
        )  # fmt: skip
        for hidden in rounds:
            token = tokenize(fitted, data, hidden)
            task = score(frame, piece, hidden, node, satellite)
            work.append(Work(satellite, token, task))
        if controls and number == 0 and rounds:
            control = dask.delayed(_controlled, pure=False)
            task = control(frame, piece, rounds, node, satellite)
            work.append(Work(satellite, tokenize(fitted, data, "controls"), task))
    return work


def _inputs(
    ds: xr.Dataset,
    model: FittedModel,
    satellite: str,
    span: tuple[float, float],
    products: Mapping[str, xr.DataArray],
) -> tuple[dict[str, Any], tuple[float, float, int]]:
    """Lazy arrays of a stretch with the context of a fill; first second, step, size."""
    first, step, size = gps_axis(ds)
    low = max(int((span[0] - CONTEXT - HALO - first) // step), 0)
    past = min(int((span[1] + CONTEXT + HALO - first) // step) + 1, size)
    inputs = frame_inputs(ds, model.recipients[satellite].pair)
    for name, series in products.items():
        if satellite in np.atleast_1d(series["satellite"].values):
            one = series.sel(satellite=satellite).transpose("time", "axis")
            inputs[f"product.{name}"] = one
    arrays = {name: as_dask(array)[low:past] for name, array in inputs.items()}
    return arrays, (first + low * step, step, past - low)


def _observed(
    ds: xr.Dataset, model: FittedModel, satellite: str, t: tuple[float, float, int]
) -> npt.NDArray[np.bool_]:
    """Where the axes the recipient fills are observed; computed."""
    first, step, _ = gps_axis(ds)
    low = round((t[0] - first) / step)
    own = usable(ds).sel(satellite=satellite).transpose("time", "axis")
    axes = np.flatnonzero(model.recipients[satellite].observed_axes)
    accl = own.isel(time=slice(low, low + t[2]), axis=axes)
    return np.asarray(np.isfinite(accl.values).all(axis=1))


def _loaded(
    start: float,
    step: float,
    size: int,
    arrays: Mapping[str, Any],
    model: FittedModel,
    satellite: str,
) -> tuple[Frame, dict[str, Array]]:
    """Frame of a stretch, and the products beside it."""
    t = np.asarray(start + step * np.arange(size), dtype=np.float64)
    products = {
        name.partition(".")[2]: np.asarray(values, dtype=np.float64)
        for name, values in arrays.items()
        if name.startswith("product.")
    }
    inputs = {k: v for k, v in arrays.items() if not k.startswith("product.")}
    return build_frame(t, inputs, model.recipients[satellite].pair), products


def _scored(
    loaded: tuple[Frame, dict[str, Array]],
    span: tuple[float, float],
    hidden: IntArray,
    model: FittedModel,
    satellite: str,
) -> Part:
    frame, products = loaded
    return score_part(frame, span, hidden, model, satellite, products=products)


def _controlled(
    loaded: tuple[Frame, dict[str, Array]],
    span: tuple[float, float],
    rounds: list[IntArray],
    model: FittedModel,
    satellite: str,
) -> Control:
    return control_part(loaded[0], span, rounds, model, satellite)


def worked(
    work: Sequence[Work], *, keep: Path | None = None, progress: bool = False
) -> tuple[dict[str, Part], dict[str, Control]]:
    """Do the work that is not done yet, on the scheduler in force.

    Parameters
    ----------
    work : sequence of Work
    keep : pathlib.Path, optional
        Folder where parts are written as they are done; those found there are not
        done again.
    progress : bool

    Returns
    -------
    parts : dict of str to Part
        By satellite, joined in the order of ``work``.
    controls : dict of str to Control
    """
    done: dict[str, Any] = {}
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for one in work:
            if (part := load_part(keep / f"{one.token}.npz")) is not None:
                done[one.token] = part
    import dask

    store = dask.delayed(_kept, pure=False)
    open_ = [one for one in work if one.token not in done]
    tasks = [
        store(one.task, None if keep is None else str(keep / f"{one.token}.npz"))
        for one in open_
    ]
    results = cluster.run(tasks, label="hidden gaps", unit="round", progress=progress)
    done |= {one.token: result for one, result in zip(open_, results, strict=True)}
    parts: dict[str, list[Part]] = {}
    controls: dict[str, Control] = {}
    for one in work:
        result = done[one.token]
        if isinstance(result, Control):
            controls[one.satellite] = result
        else:
            parts.setdefault(one.satellite, []).append(result)
    joined = {name: join_parts(parts_of) for name, parts_of in parts.items()}
    joined = {name: part for name, part in joined.items() if len(part.errors.t)}
    return joined, controls


def _kept(result: Any, path: str | None) -> Any:
    """Write a part beside its task, in the process that made it."""
    if path is not None and isinstance(result, Part):
        save_part(result, Path(path))
    return result
