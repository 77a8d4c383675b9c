"""Variables of the user that the network sees as covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.cluster import run
from gracelstm_xr.compute.days import day_results
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.lstm.stretches import days_of
from gracelstm_xr.physics.frames import FEATURES, Extra, Pair, frame_inputs

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.filling.prepare import Plan

__all__ = ["check_extras", "with_extras"]

#: Dimensions a variable of the user may have.
DIMS = ({"time"}, {"satellite", "time"})


def check_extras(ds: xr.Dataset, features: Sequence[str]) -> list[str]:
    """Names among ``features`` that are no group: numbers over time in ``ds``.

    Raises
    ------
    GraceError
        When one is not in the Dataset, is no number, or has other dimensions.
    """
    names = [name for name in features if name not in FEATURES]
    for name in names:
        if name not in ds.data_vars:
            raise GraceError(
                f"found no variable {name!r}, expected it as a feature beside the "
                f"groups {', '.join(FEATURES)}: assign it to the Dataset, over time or "
                "satellite and time"
            )
        dims, kind = ds[name].dims, ds[name].dtype.kind
        if set(dims) not in DIMS or kind not in "fiub":
            raise GraceError(
                f"found the feature {name!r} of type {ds[name].dtype} over "
                f"{', '.join(map(str, dims)) or 'no dimension'}, expected numbers over "
                "time or satellite and time: select or convert it"
            )
    return names


def with_extras(
    ds: xr.Dataset, pairs: Sequence[Pair], plan: Plan, features: Sequence[str]
) -> list[Pair]:
    """Pairs with the user's variables among ``features``, scaled on training data.

    Raises
    ------
    GraceError
        As `check_extras`.
    NotEnoughDataError
        When one does not vary, or has no value for a satellite, on the training span.
    """
    names = check_extras(ds, features)
    if not names:
        return list(pairs)
    extras = tuple(map(Extra, names))
    inputs = {
        f"{pair.recipient}.{name}": frame_inputs(ds, replace(pair, extras=extras))[
            f"own.{name}"
        ]
        for pair in pairs
        for name in names
    }
    days = days_of(stretch.core for stretch in plan.sample)
    tasks = day_results(_moments, inputs, ds, plan.split.train, halo=0.0, only=days)
    groups: list[list[dict[str, Array]]] = run(tasks, label="features", progress=False)
    scaled = tuple(
        _scaled(name, [day for group in groups for day in group], pairs)
        for name in names
    )
    return [replace(pair, extras=scaled) for pair in pairs]


def _moments(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    train: tuple[float, float],
) -> dict[str, Array]:
    """Count, sum and sum of squares of one day's training samples."""
    inside = (t[keep] >= train[0]) & (t[keep] < train[1])
    moments = {}
    for key, values in arrays.items():
        series = np.ascontiguousarray(values[keep], dtype=np.float64)
        known = series[inside & np.isfinite(series)]
        moments[key] = np.array([len(known), known.sum(), (known**2).sum()])
    return moments


def _scaled(
    name: str, days: Sequence[Mapping[str, Array]], pairs: Sequence[Pair]
) -> Extra:
    # day by day in order: the sums do not depend on chunks or workers
    of_each = {
        p.recipient: sum((day[f"{p.recipient}.{name}"] for day in days), np.zeros(3))
        for p in pairs
    }
    count, total, square = sum(of_each.values(), np.zeros(3)).tolist()
    without = [letter for letter, moments in of_each.items() if moments[0] == 0]
    mean = total / max(count, 1.0)
    variance = square / max(count, 1.0) - mean**2
    if without or variance <= 1e-12 * mean**2:
        whose = f" of satellite {', '.join(without)}" if without else ""
        raise NotEnoughDataError(
            f"found no value{whose} or no change of the feature {name!r} on the "
            "training span, expected a series that varies: leave it out of features="
        )
    return Extra(name, mean, float(np.sqrt(variance)))
