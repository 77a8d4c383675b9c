"""Filling a gap from the samples at its edges: hold, line, and two cubics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.baselines.registry import Method, register
from gracelstm_xr.core.gaps import edge_distance
from gracelstm_xr.physics.frames import Frame


@dataclass(frozen=True)
class Interpolation:
    """Fill a gap from the samples at its edges only.

    Attributes
    ----------
    kind : {"hold", "linear", "cubic", "polynomial"}
        The last value (the next one where there is none); a straight line; or a cubic
        through four samples, two on either side. Those of ``cubic``, the rule of
        PyHawk, are ``spacing`` apart, so that noise does not set the slope; where the
        outer two are not observed it is the straight line. Those of ``polynomial``,
        the rule of GROOPS (a polynomial of degree 3 through the four samples best
        centred on the epoch), are the observed samples next to each other.
    spacing : float
        Time between the two samples of ``cubic`` on one side [s].

    Notes
    -----
    PyHawk stops at gaps of 80 samples and GROOPS at 100 s (four samples must lie
    within its ``maxDataPointRange``). Both are extended here to gaps of any length, so
    that tables show why they stop. No kind but ``hold`` has an estimate for a gap
    that reaches an end of the data.
    """

    kind: str
    spacing: float = 5.0

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """See `gracelstm_xr.baselines.registry.Baseline.estimate`."""
        step = frame.t[1] - frame.t[0] if len(frame) > 1 else self.spacing
        apart = max(round(self.spacing / step), 1)
        result = np.full((len(index), 3), np.nan)
        for k in range(3):
            y = np.where(visible[:, k], frame.own[:, k], np.nan)
            result[:, k] = self._axis(y, index, apart)
        return result

    def _axis(self, y: Array, index: IntArray, apart: int) -> Array:
        missing = np.isnan(y)
        before, after = edge_distance(missing, index)
        left, right = index - before, index + after
        yl, yr = _value(y, left), _value(y, right)
        if self.kind == "hold":
            return np.where(np.isfinite(yl), yl, yr)
        done = (index - left).astype(np.float64)
        gap = np.maximum(right - left, 1)
        line: Array = yl + (yr - yl) * done / gap
        if self.kind == "linear":
            return line
        if self.kind == "polynomial":
            far = np.clip((left - 1, right + 1), 0, len(y) - 1)
            outer = (
                left - 1 - edge_distance(missing, far[0])[0],
                right + 1 + edge_distance(missing, far[1])[1],
            )
        else:
            outer = left - apart, right + apart
        places = np.stack([outer[0], left, right, outer[1]])
        values = np.stack([_value(y, place) for place in places])
        cubic = _lagrange((places - left).astype(np.float64), values, done)
        return np.where(np.isfinite(cubic), cubic, line)


def _value(y: Array, place: IntArray) -> Array:
    """Samples at ``place``, NaN outside the series."""
    inside = (place >= 0) & (place < len(y))
    return np.where(inside, y[np.clip(place, 0, len(y) - 1)], np.nan)


def _lagrange(nodes: Array, values: Array, x: Array) -> Array:
    """Polynomial through four points, evaluated at ``x``; arrays (4, m), (m,)."""
    total = np.zeros_like(x)
    finite = np.isfinite(values).all(axis=0)
    for i in range(len(nodes)):
        others = [j for j in range(len(nodes)) if j != i]
        terms = [
            (x - nodes[j]) / np.where(finite, nodes[i] - nodes[j], 1.0) for j in others
        ]
        total = total + values[i] * np.prod(terms, axis=0)
    return total


def _method(kind: str, rank: int) -> Method:
    return Method(
        kind,
        family="interpolation",
        rank=rank,
        kind=Interpolation,
        fit=lambda frames: Interpolation(kind),
        learns=False,
    )


register(
    _method("hold", 10),
    _method("linear", 20),
    _method("cubic", 30),
    _method("polynomial", 40),
)
