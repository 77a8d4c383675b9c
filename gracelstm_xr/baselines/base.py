"""Methods a network must beat: one interface, `estimate`, shared by all.

Every method takes a frame, which of its samples may be used, and the positions
wanted. Estimates are m s-2 in the recipient's SRF, NaN where a method has nothing
to say. Each registers itself where it is written; a new one is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines import (  # noqa: F401 - each registers its methods
    autoregression,
    interpolate,
    regression,
)
from gracelstm_xr.baselines.previousorbit import PreviousOrbit
from gracelstm_xr.baselines.registry import (
    METHOD_CODES,
    METHODS,
    Baseline,
    baseline_kinds,
    baseline_names,
    needs_donor,
    reads_donor,
    reads_series_only,
)
from gracelstm_xr.physics.frames import Frame, with_data

__all__ = [
    "BASELINES",
    "METHODS",
    "METHOD_CODES",
    "Baseline",
    "PreviousOrbit",
    "baseline_kinds",
    "baseline_names",
    "default_baselines",
    "needs_donor",
    "reads_donor",
    "reads_series_only",
]

BoolArray = npt.NDArray[np.bool_]

#: Names of the baselines of this package, simplest first.
BASELINES = baseline_names()


def default_baselines(
    frames: list[tuple[Frame, BoolArray]], *, names: Sequence[str] | None = None
) -> dict[str, Baseline]:
    """Baselines the data allow, fitted on training samples.

    Parameters
    ----------
    frames : list of (Frame, ndarray of bool)
        Frames of one recipient at the working step, each with its training samples,
        shape (n,).
    names : sequence of str, optional
        Some of the registered baselines; default all of them.

    Returns
    -------
    dict of str to Baseline
        In the order of ``names``; without those whose needs the frames do not meet:
        ``transplant`` is absent without a donor and ``harmonic``, ``previous_orbit``
        without an orbit.
    """
    seen = with_data([frame for frame, _ in frames])
    frames = [(frame, use) for frame, (_, use) in zip(seen, frames, strict=True)]
    arrays = seen[0].arrays()
    methods = [METHODS[name] for name in (baseline_names() if names is None else names)]
    return {
        method.name: method.fit(frames)
        for method in methods
        if method.needs is None or method.needs in arrays
    }
