"""The wandering bias between two accelerometers, carried across gaps of any length.

Means over ten minutes are observations of a level that nobody knows, plus Gaussian
processes: some of correlation lengths from half an hour to ten days, some that repeat
with the revolution and lose their phase in a day or more. Their powers follow from the
data; a Kalman filter and smoother gives the mean and its error in every bin, which
grows with the distance from data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.earth import REVOLUTION

#: Averaging interval [s]; bins stand at whole multiples of it.
BIN = 600.0
#: Correlation lengths of the Matern 3/2 processes [s].
SCALES = np.array([1800.0, 7200.0, 28_800.0, 115_200.0, 921_600.0])
#: Processes that repeat: cycles per revolution, and time to lose the phase [s].
CYCLES = ((1, 72_000.0), (1, 432_000.0), (2, 72_000.0))
#: Least power of the longest process [nm2 s-4]: biases drift by 0.2, 1.2 and 0.2 nm
#: s-2 a day (GRACE TN-02) even when a short span does not show it.
LEAST = (SCALES[-1] / 86_400.0) ** 2 / 3 * np.array([0.2, 1.2, 0.2]) ** 2
#: Powers of what the data are too short to show [nm2 s-4], per process and axis: days
#: of thermal wandering of some nm s-2, ten times as much on y.
USUAL = np.array([[0.02, 0.5, 0.05], [0.05, 2.0, 0.2], [0.1, 8.0, 0.5],
                  [3.0, 200.0, 8.0], [4.0, 300.0, 10.0], [0.2, 10.0, 1.0],
                  [0.2, 10.0, 1.0], [0.1, 3.0, 0.5]])  # fmt: skip
#: Distances at which the structure function is taken [bins].
LAGS = np.concatenate([np.arange(1, 25), np.arange(27, 75, 3),
                       np.arange(80, 300, 11), np.arange(320, 1500, 59),
                       np.arange(1500, 6000, 333)])  # fmt: skip
#: Fewest bins with data that say anything about powers.
FEWEST_BINS = 24


@dataclass(frozen=True)
class Drift:
    """Statistics of the wandering bias, per axis; all in nm s-2.

    Attributes
    ----------
    power : ndarray, shape (process, 3)
        Variance per correlation length, then per repeating process.
    noise : ndarray, shape (3,)
        Variance of a full bin's mean that no neighbour shares.
    revolution : float
        [s]
    """

    power: Array
    noise: Array
    revolution: float = REVOLUTION

    @classmethod
    def fit(cls, mean: Array, share: Array, *, revolution: float = REVOLUTION) -> Drift:
        """Powers from the structure function of the bins.

        Parameters
        ----------
        mean : ndarray, shape (n, 3)
            Bin means [nm s-2] on a regular axis; anything where ``share`` is 0.
        share : ndarray, shape (n, 3)
            Part of a bin that holds data, 0 to 1.
        revolution : float, optional
            Time of one revolution [s].
        """
        power, noise = USUAL.copy(), np.full(3, 0.1)
        for k in range(3):
            full = share[:, k] > 0.5
            if full.sum() >= FEWEST_BINS:
                series = np.where(full, mean[:, k], np.nan)
                power[:, k], noise[k] = _powers(series, k, revolution)
        longest = len(SCALES) - 1
        power[longest] = np.maximum(power[longest], LEAST)
        return cls(power, noise, revolution)

    def smooth(
        self,
        mean: Array,
        share: Array,
        *,
        level: Array,
        spread: Array,
        errors: bool = True,
    ) -> tuple[Array, Array]:
        """Mean and variance of the bias in every bin, given all bins with data.

        Parameters
        ----------
        mean, share : ndarray, shape (n, 3 k)
            As in `fit`; k sets of three axes, smoothed side by side.
        level, spread : ndarray, shape (3 k,)
            Expectation of the level and its 1-sigma [nm s-2] before any data.
        errors : bool, default True
            Work out the variance too, which costs as much again; else it is 0.

        Returns
        -------
        mean, variance : ndarray, shape (n, 3 k)
            [nm s-2] and its square. A set's numbers do not depend on its company.
        """
        step, kick, start = self._model(spread)
        seen = share > 0
        noise = np.tile(self.noise, len(level) // 3) / np.where(seen, share, 1.0)
        kept = _forward(
            step, kick, start, np.where(seen, mean - level, 0.0), noise, seen
        )
        value, variance = _backward(step, *kept, seen, errors=errors)
        return level + value, variance

    def _model(self, spread: Array) -> tuple[Array, Array, Array]:
        """Transition (m, m), its noise and the prior (c, m, m) of the state.

        State: the level, then two numbers per process, the first its value.
        """
        m = 1 + 2 * len(self.power)
        step, prior = np.eye(m), np.zeros((len(spread), m, m))
        power = np.tile(self.power, (1, len(spread) // 3))
        prior[:, 0, 0] = spread**2
        for i, block in enumerate([*_fading(), *_turning(self.revolution)]):
            pair = slice(1 + 2 * i, 3 + 2 * i)
            step[pair, pair] = block
            prior[:, pair, pair] = power[i][:, None, None] * np.eye(2)
        kick = prior - step @ prior @ step.T
        return step, kick, prior


def _forward(
    step: Array, kick: Array, start: Array, values: Array, noise: Array,
    seen: npt.NDArray[np.bool_],
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Kalman filter; per bin: P H', predicted value, innovation and its variance."""
    (n, c), pick = values.shape, _pick(len(step))
    m = len(pick)
    lean, predicted, size = np.zeros((n, c, m)), np.zeros((n, c)), np.zeros((n, c))
    x, p = np.zeros((c, m)), start.copy()
    back, column = step.T, pick[:, None]
    work = np.empty_like(p)
    for i in range(n):
        if i:
            # one product per set: the bits of a joint one depend on their number
            x = (step @ x[:, :, None])[:, :, 0]
            np.matmul(step, p, out=work)
            np.matmul(work, back, out=p)
            p += kick
        ph = (p @ column)[:, :, 0]
        s = (ph * pick).sum(1) + noise[i]
        lean[i], predicted[i], size[i] = ph, (x * pick).sum(1), s
        if seen[i].any():
            g = np.where(seen[i], 1.0 / s, 0.0)
            x = x + (g * (values[i] - predicted[i]))[:, None] * ph
            np.multiply((g[:, None] * ph)[:, :, None], ph[:, None, :], out=work)
            p -= work
    return lean, predicted, values - predicted, size


def _backward(
    step: Array, lean: Array, predicted: Array, innovation: Array, size: Array,
    seen: npt.NDArray[np.bool_], *, errors: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """Bryson and Frazier's smoother: no inverse, only what the filter kept."""
    n, c, m = lean.shape
    pick = _pick(m)
    value, variance = np.zeros((n, c)), np.zeros((n, c))
    vector, matrix = np.zeros((c, m)), np.zeros((c, m, m))
    corner = np.outer(pick, pick)
    back = step.T
    for i in range(n - 1, -1, -1):
        ph = lean[i]
        hv = (ph * vector).sum(1)
        mph = (matrix @ ph[:, :, None])[:, :, 0] if errors else ph
        g = np.where(seen[i], 1.0 / size[i], 0.0)
        if seen[i].any():
            # (I - K H)' applied from the left, K = P H' / S
            vector = vector - (g * (hv + innovation[i]))[:, None] * pick
            hv = (ph * vector).sum(1)
        value[i] = predicted[i] - hv
        vector = (back @ vector[:, :, None])[:, :, 0]
        if not errors:
            continue
        if seen[i].any():
            quad = (ph * mph).sum(1)
            cross = g[:, None, None] * (
                mph[:, :, None] * pick + pick[:, None] * mph[:, None, :]
            )
            matrix = matrix - cross + (g * g * quad + g)[:, None, None] * corner
            mph = (matrix @ ph[:, :, None])[:, :, 0]
        variance[i] = (ph * (pick - mph)).sum(1)
        matrix = back @ matrix @ step
    return value, np.maximum(variance, 0.0)


def _pick(m: int) -> Array:
    """What is observed of the state: the level and the value of every process."""
    pick = np.zeros(m)
    pick[0] = 1.0
    pick[1::2] = 1.0
    return pick


def _fading() -> list[Array]:
    """Transition of the Matern processes; the rate is counted in units of a."""
    x = np.sqrt(3.0) * BIN / SCALES
    return [np.exp(-v) * np.array([[1 + v, v], [-v, 1 - v]]) for v in x]


def _turning(revolution: float) -> list[Array]:
    """Transition of the processes that repeat with the revolution."""
    blocks = []
    for cycles, memory in CYCLES:
        angle = 2 * np.pi * cycles * BIN / revolution
        c, s = np.cos(angle), np.sin(angle)
        blocks.append(np.exp(-BIN / memory) * np.array([[c, -s], [s, c]]))
    return blocks


def _correlation(distance: float, revolution: float) -> Array:
    """Correlation of every process over ``distance`` seconds."""
    x = np.sqrt(3.0) * distance / SCALES
    phase = 2 * np.pi * distance / revolution
    turning = [np.exp(-distance / m) * np.cos(c * phase) for c, m in CYCLES]
    return np.concatenate([(1 + x) * np.exp(-x), turning])


def _powers(series: Array, axis: int, revolution: float) -> tuple[Array, float]:
    """Non-negative powers per process, and noise, from mean squared differences."""
    from scipy.optimize import nnls

    observed = np.isfinite(series)
    filled = np.where(observed, series, 0.0)
    rows, values, weights = [], [], []
    for lag in LAGS[len(series) // 2 > LAGS].tolist():
        both = observed[lag:] & observed[:-lag]
        pairs = int(both.sum())
        if pairs < max(2 * lag, 8):
            continue
        rows.append([*(1 - _correlation(lag * BIN, revolution)), 1.0])
        change = (filled[lag:] - filled[:-lag])[both]
        values.append(0.5 * float(np.mean(change**2)))
        # neighbouring differences share their samples
        weights.append(np.sqrt(pairs / lag))
    power = USUAL[:, axis].copy()
    if len(values) < 12:
        return power, 0.1
    matrix, half = np.array(rows), np.array(values)
    weight = np.array(weights) / np.maximum(half, 1e-6)
    # twice as long as the data: a slope to them, and no way to tell its power
    shown = np.ones(matrix.shape[1], dtype=bool)
    extent = BIN * float(np.ptp(np.flatnonzero(observed)))
    shown[: len(SCALES)] = extent > 2 * SCALES
    explained = matrix[:, :-1] @ np.where(shown[:-1], 0.0, power)
    left = np.maximum(half - explained, 0.1 * half)
    scale = float(half.max())
    power_of_bases, _ = nnls(
        matrix[:, shown] * (weight * scale)[:, None], left * weight
    )
    power[shown[:-1]] = scale * power_of_bases[:-1]
    # a noise of zero would make the smoother trust every bin without limit
    return power, max(scale * float(power_of_bases[-1]), 1e-3)
