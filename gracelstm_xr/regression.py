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
    change : float
        0, or the time over which changes are fitted [s].
    """

    terms: tuple[str, ...]
    mean: Array
    penalty: Array
    step: float
    change: float = 0.0

    @classmethod
    def fit(
        cls,
        frames: list[tuple[Frame, BoolArray]],
        terms: tuple[str, ...],
        *,
        change: float = 0.0,
    ) -> LocalRegression:
        """Learn the prior from training samples.

        Parameters
        ----------
        frames : list of (Frame, ndarray of bool)
            Frames at the working step and which samples are for training.
        terms : tuple of str
            See `design`.
        change : float, default 0
            Fit the covariates to changes over so many seconds instead of to the
            series; for use where something else follows the slow part.
        """
        sums = _Sums(terms, change)
        for frame, training in frames:
            sums.add(frame, training)
        step = float(frames[0][0].t[1] - frames[0][0].t[0])
        return cls(terms, *sums.prior(), step, change)

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """See `gracelstm_xr.baselines.Baseline.estimate`."""
        thin, places = frame.every(self.step)
        if len(index) == 0:
            return np.zeros((0, 3))
        within = (float(frame.t[index[0]]), float(frame.t[index[-1]]))
        coefficients = self.coefficients(thin, visible[places], within=within)
        return self.predict(frame.take(index), coefficients)

    def coefficients(
        self,
        frame: Frame,
        visible: BoolArray,
        *,
        within: tuple[float, float] | None = None,
    ) -> dict[float, Array]:
        """Coefficients per node from the visible samples.

        Parameters
        ----------
        frame : Frame
            At the working step.
        visible : ndarray of bool, shape (n, 3)
        within : tuple of float, optional
            Stretch of GPS seconds to predict; nodes without influence on it are
            left out.

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
        first, last = float(frame.t[0]), float(frame.t[-1])
        if within is not None:
            first, last = max(first, within[0]), min(last, within[1])
        return {
            node: self._at_node(x, y, use, frame.t, node)
            for node in _nodes(first, last)
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
                rows = _filtered(x[part], seen, t[part], change=self.change)
                shared = (seen, rows, rows.T @ rows)
            _, rows, gram = shared
            target = _filtered(y[part, k], seen, t[part], change=self.change)
            result[:, k] = self._solve(
                x[part][seen], y[part, k][seen], t[part][seen], node, k,
                gram, rows.T @ target,
            )  # fmt: skip
        return result

    def _solve(
        self, x: Array, y: Array, t: Array, node: float, k: int,
        gram: Array, moment: Array,
    ) -> Array:  # fmt: skip
        """Covariates first; then bias and drift from what they leave."""
        penalty, mean = self.penalty[:, k], self.mean[:, k]
        theta = np.linalg.solve(
            gram + np.diag(penalty[2:]), moment + penalty[2:] * mean[2:]
        )
        trend = _trend(t, node)
        left = trend.T @ trend + np.diag(penalty[:2])
        right = trend.T @ (y - x @ theta) + penalty[:2] * mean[:2]
        return np.concatenate([np.linalg.solve(left, right), theta])

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
                value = _evaluate(x[near], frame.t[near], node, theta)
                total[near] += weight[near, None] * value
        return total * NANO

    def at_node(self, frame: Frame, node: float, theta: Array) -> Array:
        """Prediction of one node alone at the samples of ``frame`` [m s-2]."""
        return _evaluate(design(frame, self.terms), frame.t, node, theta) * NANO


def _nodes(first: float, last: float) -> Iterator[float]:
    low = int(np.floor(first / NODE_SPACING))
    high = int(np.floor(last / NODE_SPACING)) + 1
    for k in range(low, high + 1):
        yield k * NODE_SPACING


def _window(t: Array, node: float, half: float) -> slice:
    low, high = np.searchsorted(t, [node - half, node + half])
    return slice(int(low), int(high))


def _trend(t: Array, node: float) -> Array:
    """Columns of bias and drift."""
    return np.stack([np.ones(len(t)), (t - node) / NODE_SPACING], axis=1)


def _evaluate(x: Array, t: Array, node: float, theta: Array) -> Array:
    return np.asarray(_trend(t, node) @ theta[:2] + x @ theta[2:])


def _filtered(values: Array, use: BoolArray, t: Array, *, change: float) -> Array:
    """Used rows free of bias and drift: changes over ``change`` s, or detrended.

    The bias of either satellite wanders slowly and by more than the noise: taken at
    face value it pulls down the donor's coefficients. Changes are nearly free of it.
    """
    if change:
        apart = max(round(change / (t[1] - t[0])), 1)
        both = use[apart:] & use[:-apart]
        result: Array = values[apart:][both] - values[:-apart][both]
        return result
    chosen = values[use]
    trend = _trend(t[use], t.mean())
    return np.asarray(chosen - trend @ np.linalg.lstsq(trend, chosen, rcond=None)[0])


def _usable(x: Array, y: Array, allowed: BoolArray) -> BoolArray:
    """Samples allowed that have a value and every covariate, shape (n, 3)."""
    complete = np.asarray(np.isfinite(x).all(axis=1))
    return np.asarray(allowed & np.isfinite(y) & complete[:, None])


class _Sums:
    """Per-node estimates and pooled normal equations over training spans."""

    def __init__(self, terms: tuple[str, ...], change: float) -> None:
        self.terms, self.change = terms, change
        self.covariates: list[Array] = []
        self.trends: list[Array] = []
        self.size = 0
        self.gram: Array = np.zeros((0, 0))
        self.moment: Array = np.zeros((0, 3))
        self.squares: Array = np.zeros(3, dtype=np.float64)
        self.count = 0

    def add(self, frame: Frame, training: BoolArray) -> None:
        """Add every node of a frame that has enough training samples."""
        x = design(frame, self.terms)
        y = frame.own / NANO
        some = np.asarray(_usable(x, y, training[:, None]).any(axis=1), dtype=bool)
        y = np.where(np.isfinite(y), y, 0.0)
        t = frame.t
        if not self.trends:
            self.size = x.shape[1]
            self.gram = np.zeros((self.size, self.size))
            self.moment = np.zeros((self.size, 3))
        for node in _nodes(t[0], t[-1]):
            part = _window(t, node, NODE_SPACING / 2)
            use = some[part]
            if use.sum() < max(FEWEST / 4, 4 * self.size):
                continue
            rows = _filtered(x[part], use, t[part], change=self.change)
            target = _filtered(y[part], use, t[part], change=self.change)
            theta = self._add_rows(rows, target)
            left = y[part][use] - x[part][use] @ theta
            trend = _trend(t[part][use], node)
            fitted = np.linalg.lstsq(trend, left, rcond=None)[0]
            self.trends.append(np.asarray(fitted, dtype=np.float64))

    def _add_rows(self, rows: Array, target: Array) -> Array:
        gram, moment = rows.T @ rows, rows.T @ target
        damping = 1e-4 * max(len(rows), 1) * np.eye(self.size)
        theta = np.asarray(np.linalg.solve(gram + damping, moment))
        self.covariates.append(theta)
        misfit = ((target - rows @ theta) ** 2).sum(axis=0)
        self.squares = np.asarray(self.squares + misfit, dtype=np.float64)
        self.count += len(rows)
        self.gram, self.moment = self.gram + gram, self.moment + moment
        return theta

    def prior(self) -> tuple[Array, Array]:
        """Mean of the coefficients and strength of the pull toward it.

        The mean of the covariates is the pooled solution over all nodes; the spread
        of the nodes around it is how much a coefficient really changes.
        """
        if not self.trends:
            return np.zeros((self.size + 2, 3)), np.full((self.size + 2, 3), 1e-6)
        local = np.concatenate([np.stack(self.trends), np.stack(self.covariates)], 1)
        mean = np.asarray(local.mean(axis=0), dtype=np.float64)
        mean[1] = 0.0
        if p := self.size:
            damping = 1e-6 * np.trace(self.gram) / p * np.eye(p)
            mean[2:] = np.asarray(np.linalg.solve(self.gram + damping, self.moment))
        variance = self.squares / self.count
        spread = ((local - mean) ** 2).mean(axis=0)
        spread[0] += FREE_BIAS**2
        floor = 1e-4 * variance[None, :] + 1e-8
        return mean, CORRELATION * variance[None, :] / np.maximum(spread, floor)
