"""Local linear regression on covariates with a prior learnt from training spans.

One machine serves the harmonic, transplant and ridge baselines: they differ in the
terms they use. Coefficients are estimated at nodes every 12 h from the data around
each node, pulled toward their mean over the training spans as strongly as the
training spans show them to be constant, and blended linearly between nodes. Nodes
stand at absolute times, so that a result does not depend on how time is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.frames import Frame

__all__ = ["CONTEXT", "NODE_SPACING", "LocalRegression", "design"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Time between coefficient nodes [s]; they stand at GPS midnight and noon.
NODE_SPACING = 43_200.0
#: Half widths of the data window around a node [s], tried until one has enough data.
HALF_WIDTHS = (64_800.0, 108_000.0)
#: Time before and after a sample that its estimate depends on [s].
CONTEXT = NODE_SPACING + HALF_WIDTHS[-1]
#: Fewest visible samples in a window before it is widened.
FEWEST = 360
#: Independent samples are this many times fewer than samples: residuals are
#: correlated over several minutes.
CORRELATION = 20.0
#: Units of the design matrix: columns of order one, series in nm s-2.
NANO = 1e-9
HARMONICS = 10
#: Spread [nm s-2] added to the bias, which is free to be anything.
FREE_BIAS = 100.0


def design(frame: Frame, terms: tuple[str, ...]) -> Array:
    """Columns of the regression without bias and drift.

    Parameters
    ----------
    frame : Frame
        n samples.
    terms : tuple of str
        Any of ``harmonics`` (sine and cosine of 1-10 times the argument of
        latitude), ``radiation`` (shadow, and Sun direction while lit), ``donor``
        (three axes, in 10 nm s-2), ``own_thrust`` and ``donor_thrust`` (six pairs,
        in 5 ms s-1). Terms the frame cannot supply are left out.

    Returns
    -------
    ndarray, shape (n, p)
        NaN where a covariate is missing.
    """
    columns: list[Array] = []
    u = frame.latitude_argument
    for term in terms:
        if term == "harmonics" and u is not None:
            phases = np.outer(u, np.arange(1, HARMONICS + 1))
            columns += [np.cos(phases), np.sin(phases)]
        elif term == "radiation" and frame.sun is not None:
            shadow = frame.shadow if frame.shadow is not None else np.ones(len(frame))
            columns += [shadow[:, None], frame.sun]
        elif term == "donor" and frame.donor is not None:
            columns.append(frame.donor / 1e-8)
        elif term == "own_thrust" and frame.own_thrust is not None:
            columns.append(frame.own_thrust / 5.0)
        elif term == "donor_thrust" and frame.donor_thrust is not None:
            columns.append(frame.donor_thrust / 5.0)
    if not columns:
        return np.zeros((len(frame), 0))
    return np.concatenate(columns, axis=1)


@dataclass(frozen=True)
class LocalRegression:
    """Regression on covariates, local in time, with a learnt prior.

    Attributes
    ----------
    terms : tuple of str
        See `design`.
    mean : ndarray, shape (p + 2, 3)
        Prior mean of the coefficients per axis [nm s-2]; bias and drift first.
    penalty : ndarray, shape (p + 2, 3)
        Strength of the pull toward the mean, in samples.
    step : float
        Sampling interval the regression works at [s].
    """

    terms: tuple[str, ...]
    mean: Array
    penalty: Array
    step: float

    @classmethod
    def fit(
        cls, frames: list[tuple[Frame, BoolArray]], terms: tuple[str, ...]
    ) -> LocalRegression:
        """Learn the prior from training samples.

        Parameters
        ----------
        frames : list of (Frame, ndarray of bool)
            Frames at the working step and which samples are for training.
        terms : tuple of str
            See `design`.
        """
        sums = _Sums(terms)
        for frame, training in frames:
            sums.add(frame, training)
        step = float(frames[0][0].t[1] - frames[0][0].t[0])
        return cls(terms, *sums.prior(), step)

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """See `gracelstm_xr.baselines.Baseline.estimate`."""
        thin, places = frame.every(self.step)
        coefficients = self.coefficients(thin, visible[places])
        return self.predict(frame.take(index), coefficients)

    def coefficients(self, frame: Frame, visible: BoolArray) -> dict[float, Array]:
        """Coefficients per node from the visible samples.

        Parameters
        ----------
        frame : Frame
            At the working step.
        visible : ndarray of bool, shape (n, 3)

        Returns
        -------
        dict of float to ndarray, shape (p + 2, 3)
            Keyed by node time [GPS s]; units nm s-2 per column.
        """
        x = design(frame, self.terms)
        y = frame.own / NANO
        use = _usable(x, y, visible)
        x = np.where(np.isfinite(x), x, 0.0)
        y = np.where(use, y, 0.0)
        return {
            node: self._at_node(x, y, use, frame.t, node)
            for node in _nodes(frame.t[0], frame.t[-1])
        }

    def _at_node(
        self, x: Array, y: Array, use: BoolArray, t: Array, node: float
    ) -> Array:
        result = self.mean.copy()
        shared: tuple[BoolArray, Array, Array] | None = None
        for k in range(3):
            part, seen = self._enough(use[:, k], t, node)
            if not seen.any():
                continue
            # the axes are nearly always missing together: one Gram matrix serves
            if shared is None or not np.array_equal(shared[0], seen):
                full = _columns(x[part][seen], t[part][seen], node)
                shared = (seen, full, full.T @ full)
            _, full, gram = shared
            penalty = self.penalty[:, k]
            moment = full.T @ y[part][seen, k] + penalty * self.mean[:, k]
            result[:, k] = np.linalg.solve(gram + np.diag(penalty), moment)
        return result

    @staticmethod
    def _enough(use: BoolArray, t: Array, node: float) -> tuple[slice, BoolArray]:
        for half in HALF_WIDTHS:
            part = _window(t, node, half)
            if use[part].sum() >= FEWEST:
                break
        return part, use[part]

    def predict(self, frame: Frame, coefficients: dict[float, Array]) -> Array:
        """Blend the nodes' predictions at the samples of ``frame`` [m s-2]."""
        x = design(frame, self.terms)
        total = np.zeros((len(frame), 3))
        for node, theta in coefficients.items():
            weight = 1 - np.abs(frame.t - node) / NODE_SPACING
            near = weight > 0
            if near.any():
                full = _columns(x[near], frame.t[near], node)
                total[near] += weight[near, None] * (full @ theta)
        return total * NANO


def _nodes(first: float, last: float) -> Iterator[float]:
    low = int(np.floor(first / NODE_SPACING))
    high = int(np.floor(last / NODE_SPACING)) + 1
    for k in range(low, high + 1):
        yield k * NODE_SPACING


def _window(t: Array, node: float, half: float) -> slice:
    low, high = np.searchsorted(t, [node - half, node + half])
    return slice(int(low), int(high))


def _columns(x: Array, t: Array, node: float) -> Array:
    drift = (t - node) / NODE_SPACING
    return np.concatenate([np.ones((len(t), 1)), drift[:, None], x], axis=1)


def _solve(gram: Array, moment: Array, ridge: float) -> Array:
    damped = gram + ridge * np.diag(np.r_[1e-6, 1e-6, np.ones(len(gram) - 2)])
    return np.asarray(np.linalg.solve(damped, moment), dtype=np.float64)


def _usable(x: Array, y: Array, allowed: BoolArray) -> BoolArray:
    """Samples allowed that have a value and every covariate, shape (n, 3)."""
    complete = np.asarray(np.isfinite(x).all(axis=1))
    return np.asarray(allowed & np.isfinite(y) & complete[:, None])


class _Sums:
    """Per-node estimates and pooled normal equations over training spans."""

    def __init__(self, terms: tuple[str, ...]) -> None:
        self.terms = terms
        self.local: list[Array] = []
        self.size = 2
        self.gram: Array = np.zeros((0, 0))
        self.moment: Array = np.zeros((0, 3))
        self.squares: Array = np.zeros(3, dtype=np.float64)
        self.count = 0

    def add(self, frame: Frame, training: BoolArray) -> None:
        """Add every node of a frame that has enough training samples."""
        x = design(frame, self.terms)
        y = frame.own / NANO
        use = _usable(x, y, training[:, None])
        if not self.local:
            p = x.shape[1]
            self.size = p + 2
            self.gram, self.moment = np.zeros((p, p)), np.zeros((p, 3))
        for node in _nodes(frame.t[0], frame.t[-1]):
            part = _window(frame.t, node, NODE_SPACING / 2)
            some = use[part].any(axis=1)
            if some.sum() < max(FEWEST / 4, 4 * x.shape[1]):
                continue
            full = _columns(x[part][some], frame.t[part][some], node)
            self._add_node(full, np.where(use[part][some], y[part][some], 0.0))

    def _add_node(self, full: Array, target: Array) -> None:
        gram, moment = full.T @ full, full.T @ target
        theta = _solve(gram, moment, 1e-4 * len(full))
        self.local.append(theta)
        misfit = ((target - full @ theta) ** 2).sum(axis=0)
        self.squares = np.asarray(self.squares + misfit, dtype=np.float64)
        self.count += len(full)
        # what is left of the covariates once bias and drift are taken out
        trend, cross = gram[:2, :2], gram[:2, 2:]
        out = np.linalg.solve(trend, cross).T
        self.gram = self.gram + gram[2:, 2:] - out @ cross
        self.moment = self.moment + moment[2:] - out @ moment[:2]

    def prior(self) -> tuple[Array, Array]:
        """Mean of the coefficients and strength of the pull toward it.

        The mean of the covariates is the pooled solution over all nodes; the spread
        of the nodes around it is how much a coefficient really changes.
        """
        if not self.local:
            return np.zeros((self.size, 3)), np.full((self.size, 3), 1e-6)
        local = np.stack(self.local)
        mean = np.asarray(local.mean(axis=0), dtype=np.float64)
        mean[1] = 0.0
        if p := self.size - 2:
            damping = 1e-6 * np.trace(self.gram) / p * np.eye(p)
            mean[2:] = np.asarray(np.linalg.solve(self.gram + damping, self.moment))
        variance = self.squares / self.count
        spread = ((local - mean) ** 2).mean(axis=0)
        spread[0] += FREE_BIAS**2
        floor = 1e-4 * variance[None, :] + 1e-8
        return mean, CORRELATION * variance[None, :] / np.maximum(spread, floor)
