"""Local linear regression on covariates with a prior learnt from training spans.

One machine serves the harmonic, transplant and ridge baselines: they differ in the
terms they use. Coefficients are estimated at nodes every 12 h from the data around
each node, pulled toward their mean over the training spans as strongly as the
training spans show them to be constant, and blended linearly between nodes. Nodes
stand at absolute times, so that a result does not depend on how time is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.baselines.moments import (
    BLOCK,
    NANO,
    Moments,
    allowed,
    block_moments,
    columns,
)
from gracelstm_xr.baselines.registry import Method, register
from gracelstm_xr.physics.frames import Frame

#: Time between coefficient nodes [s]; they stand at GPS midnight and noon.
NODE_SPACING = 43_200.0
#: Half widths of the data window around a node [s], tried until one has enough data.
HALF_WIDTHS = (64_800.0, 108_000.0)
#: Time before and after a sample that its estimate depends on [s], and one from
#: changes, which is not widened.
CONTEXT = NODE_SPACING + HALF_WIDTHS[-1]
CONTEXT_OF_CHANGES = NODE_SPACING + HALF_WIDTHS[0]
#: Fewest visible samples in a window before it is widened.
FEWEST_VISIBLE = 360
#: Independent samples are this many times fewer than samples: residuals are
#: correlated over several minutes.
CORRELATION = 20.0
#: Spread [nm s-2] added to the bias, which is free to be anything.
FREE_BIAS = 100.0
#: Least that a fit leaves [nm s-2], below the noise of any accelerometer.
QUIETEST = 1e-3


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
        0, or the time over which changes are fitted [s]; bias and drift are 0 then.
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
        """Learn the prior from training samples; see `RegressionFit`."""
        fit = RegressionFit(terms, change=change)
        for frame, training in frames:
            fit.add(frame, training)
        return fit.finish()

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """See `gracelstm_xr.baselines.registry.Baseline.estimate`."""
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
        known: Array | None = None,
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
        known : ndarray, optional
            `gracelstm_xr.baselines.moments.columns` of the frame, where they are known.

        Returns
        -------
        dict of float to ndarray, shape (p + 2, 3)
            Keyed by node time [GPS s]; units nm s-2 per column.
        """
        first, last = float(frame.t[0]), float(frame.t[-1])
        if within is not None:
            first, last = max(first, within[0]), min(last, within[1])
        reach = (first - CONTEXT, last + CONTEXT)
        sums = dict(
            block_moments(
                frame, self.terms, visible, change=self.change, within=reach,
                known=known,
            )
        )  # fmt: skip
        return {node: self.at_sums(sums, node) for node in _nodes(first, last)}

    def at_sums(self, sums: Mapping[int, Moments], node: float) -> Array:
        """Coefficients of one node from the sums of the blocks around it."""
        result = self.mean.copy()
        open_: BoolArray = np.ones(3, dtype=bool)
        widths = HALF_WIDTHS[:1] if self.change else HALF_WIDTHS
        for half in widths:
            moments = _around(sums, node, half, trend=not self.change)
            if moments is None:
                continue
            # the widest window serves whatever it holds
            enough = FEWEST_VISIBLE if half < widths[-1] else 1
            ready = open_ & (moments.count >= enough)
            if ready.any():
                result[:, ready] = self._solve(moments)[:, ready]
                open_ = open_ & ~ready
            if not open_.any():
                break
        return result

    def _solve(self, moments: Moments) -> Array:
        """Covariates first; then bias and drift from what they leave."""
        penalty, mean = self.penalty.T, self.mean.T
        gram, moment = _without_trend(moments, trend=not self.change)
        left = gram + penalty[:, 2:, None] * np.eye(gram.shape[1])
        right = moment + penalty[:, 2:] * mean[:, 2:]
        theta = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        trend = np.zeros((3, 2))
        if not self.change:
            some = moments.gram[:, :2, :2] + penalty[:, :2, None] * np.eye(2)
            misfit = moments.moment[:, :2] - np.einsum(
                "kij,kj->ki", moments.gram[:, :2, 2:], theta
            )
            misfit = misfit + penalty[:, :2] * mean[:, :2]
            trend = np.linalg.solve(some, misfit[:, :, None])[:, :, 0]
        return np.concatenate([trend, theta], axis=1).T

    def predict(
        self,
        frame: Frame,
        coefficients: dict[float, Array],
        known: Array | None = None,
    ) -> Array:
        """Blend the nodes' predictions at the samples of ``frame`` [m s-2]."""
        x = columns(frame, self.terms) if known is None else known
        return np.asarray((blended(x, frame.t, coefficients) * NANO).T)

    def at_node(self, frame: Frame, node: float, theta: Array) -> Array:
        """Prediction of one node alone at the samples of ``frame`` [m s-2]."""
        x = columns(frame, self.terms)
        return np.asarray(_evaluate(x, frame.t, node, theta).T * NANO)


def _nodes(first: float, last: float) -> Iterator[float]:
    low = int(np.floor(first / NODE_SPACING))
    high = int(np.floor(last / NODE_SPACING)) + 1
    for k in range(low, high + 1):
        yield k * NODE_SPACING


def blended(x: Array, t: Array, coefficients: Mapping[float, Array]) -> Array:
    """Prediction [nm s-2] from columns (p, n) at increasing times, shape (3, n)."""
    total = np.zeros((3, len(t)))
    for node, theta in coefficients.items():
        low, high = np.searchsorted(t, [node - NODE_SPACING, node + NODE_SPACING])
        if low < high:
            near = slice(int(low), int(high))
            weight = 1 - np.abs(t[near] - node) / NODE_SPACING
            total[:, near] += weight * _evaluate(x[:, near], t[near], node, theta)
    return total


def nodes_of(sums: Mapping[int, Moments]) -> list[float]:
    """Nodes on either side of the blocks that hold data, in order of time."""
    nodes = {n for b in sums for n in _nodes(b * BLOCK, (b + 1) * BLOCK - 1.0)}
    return sorted(nodes)


def _evaluate(x: Array, t: Array, node: float, theta: Array) -> Array:
    """Prediction, shape (3, n), column after column.

    The last bits of a matrix product would depend on its size.
    """
    total = theta[0][:, None] + theta[1][:, None] * ((t - node) / NODE_SPACING)
    for row, factors in zip(x, theta[2:], strict=True):
        total += factors[:, None] * row
    return np.asarray(total)


def _around(
    sums: Mapping[int, Moments], node: float, half: float, *, trend: bool
) -> Moments | None:
    """Sums within ``half`` s of a node, time counted from it; None without any."""
    total: Moments | None = None
    low, high = round((node - half) / BLOCK), round((node + half) / BLOCK)
    for number in range(low, high):
        if (one := sums.get(number)) is not None:
            if trend:
                one = one.since(number * BLOCK - node)
            total = one if total is None else total + one
    if total is None or not trend:
        return total
    # nodes count time in units of their spacing
    unit = np.ones(total.gram.shape[1])
    unit[1] = BLOCK / NODE_SPACING
    gram = total.gram * unit * unit[:, None]
    return Moments(total.count, gram, total.moment * unit, total.square)


def _without_trend(moments: Moments, *, trend: bool) -> tuple[Array, Array]:
    """Sums of the covariates, bias and drift eliminated."""
    if not trend:
        return moments.gram, moments.moment
    some = moments.gram[:, :2, :2] + 1e-6 * np.eye(2)
    both = np.concatenate(
        [moments.gram[:, :2, 2:], moments.moment[:, :2, None]], axis=2
    )
    share = np.linalg.solve(some, both)
    cross = moments.gram[:, 2:, :2]
    gram = moments.gram[:, 2:, 2:] - cross @ share[:, :, :-1]
    moment = moments.moment[:, 2:] - (cross @ share[:, :, -1:])[:, :, 0]
    return gram, moment


class RegressionFit:
    """Learn the prior of a `LocalRegression` from stretch after stretch.

    Stretches come in order of time and do not overlap. Cut at whole multiples of six
    hours they give the same prior however many there are.

    Parameters
    ----------
    terms : tuple of str
        See `design`.
    change : float, default 0
        Fit the covariates to changes over so many seconds instead of to the series;
        for use where something else follows the slow part.
    keep : bool, default False
        Keep the sums of all blocks in `blocks`.
    """

    def __init__(
        self, terms: tuple[str, ...], *, change: float = 0.0, keep: bool = False
    ) -> None:
        self.terms, self.change, self.keep = terms, change, keep
        self.step = 0.0
        self.waiting: dict[int, Moments] = {}
        self.blocks: dict[int, Moments] = {}
        self.local: list[Array] = []
        self.pooled: Moments | None = None
        self.misfit: Array = np.zeros(3)

    def add(self, frame: Frame, training: BoolArray) -> None:
        """Add the training samples of a stretch.

        Parameters
        ----------
        frame : Frame
            n samples at the working step.
        training : ndarray of bool, shape (n,)
        """
        if not self.step:
            # what is absent now must not come back as a column without coefficient
            self.terms = allowed(frame, self.terms)
        self.step = float(frame.t[1] - frame.t[0])
        visible = np.repeat(training[:, None], 3, axis=1)
        for number, sums in block_moments(
            frame, self.terms, visible, change=self.change
        ):
            before = self.waiting.get(number)
            self._fold(number)
            self.waiting[number] = sums if before is None else before + sums
            if self.keep:
                self.blocks[number] = self.waiting[number]

    def _fold(self, coming: int | None = None) -> None:
        """Estimate at every node that gets no more data."""
        pair = round(NODE_SPACING / BLOCK)
        ready = {(number + pair // 2) // pair for number in self.waiting}
        for node in sorted(ready):
            mine = range(node * pair - pair // 2, node * pair + pair // 2)
            if coming is None or coming not in mine:
                some = {n: self.waiting.pop(n) for n in mine if n in self.waiting}
                self._at_node(some, node * NODE_SPACING)

    def _at_node(self, sums: Mapping[int, Moments], node: float) -> None:
        trend = not self.change
        moments = _around(sums, node, NODE_SPACING / 2, trend=trend)
        if moments is None:
            return
        gram, moment = _without_trend(moments, trend=trend)
        size = gram.shape[1]
        if moments.count.min() < max(FEWEST_VISIBLE / 4, 4 * size):
            return
        damping = 1e-4 * moments.count[:, None, None] * np.eye(size)
        theta = np.linalg.solve(gram + damping, moment[:, :, None])[:, :, 0]
        first = np.zeros((3, 2))
        square = moments.square
        if trend:
            cross = np.einsum("kij,kj->ki", moments.gram[:, :2, 2:], theta)
            some = moments.gram[:, :2, :2] + 1e-6 * np.eye(2)
            both = np.stack(
                [moments.moment[:, :2] - cross, moments.moment[:, :2]], axis=2
            )
            first, alone = np.moveaxis(np.linalg.solve(some, both), 2, 0)
            square = square - (moments.moment[:, :2] * alone).sum(axis=1)
        left = square - 2 * (moment * theta).sum(axis=1)
        left = left + np.einsum("ki,kij,kj->k", theta, gram, theta)
        self.misfit = self.misfit + np.maximum(left, 0.0)
        self.local.append(np.concatenate([first, theta], axis=1).T)
        detrended = Moments(moments.count, gram, moment, square)
        self.pooled = detrended if self.pooled is None else self.pooled + detrended

    def finish(self) -> LocalRegression:
        """Regression with the mean of the coefficients and the pull toward it.

        The mean of the covariates is the pooled solution over all nodes; the spread
        of the nodes around it is how much a coefficient really changes.
        """
        size = max((s.gram.shape[1] for s in self.waiting.values()), default=0)
        self._fold()
        if self.pooled is None:
            width = size if self.change else max(size - 2, 0)
            mean, penalty = np.zeros((width + 2, 3)), np.full((width + 2, 3), 1e-6)
            return LocalRegression(self.terms, mean, penalty, self.step, self.change)
        local = np.stack(self.local)
        mean = np.asarray(local.mean(axis=0), dtype=np.float64)
        mean[1] = 0.0
        gram, moment = self.pooled.gram, self.pooled.moment
        if p := gram.shape[1]:
            size_of = np.trace(gram, axis1=1, axis2=2)[:, None, None] / p
            damped = gram + 1e-6 * np.maximum(size_of, QUIETEST**2) * np.eye(p)
            mean[2:] = np.linalg.solve(damped, moment[:, :, None])[:, :, 0].T
        # without noise nothing would hold a covariate that does not vary
        variance = np.maximum(self.misfit / self.pooled.count, QUIETEST**2)
        spread = ((local - mean) ** 2).mean(axis=0)
        spread[0] += FREE_BIAS**2
        floor = 1e-4 * variance[None, :] + 1e-8
        penalty = CORRELATION * variance[None, :] / np.maximum(spread, floor)
        return LocalRegression(self.terms, mean, penalty, self.step, self.change)


#: Terms of the regression on all that is known: also what the network starts from.
RIDGE_TERMS = ("harmonics", "radiation", "donor", "own_thrust", "donor_thrust")

register(
    Method(
        "harmonic",
        family="harmonic",
        rank=70,
        kind=LocalRegression,
        fit=partial(LocalRegression.fit, terms=("harmonics",)),
        reads=frozenset({"orbit"}),
        needs="latitude_argument",
    ),
    Method(
        "transplant",
        family="transplant",
        rank=80,
        kind=LocalRegression,
        fit=partial(LocalRegression.fit, terms=("donor", "own_thrust", "donor_thrust")),
        reads=frozenset({"orbit", "donor"}),
        needs="donor",
    ),
    Method(
        "ridge",
        family="transplant",
        rank=90,
        kind=LocalRegression,
        fit=partial(LocalRegression.fit, terms=RIDGE_TERMS),
        reads=frozenset({"orbit", "donor"}),
    ),
)
