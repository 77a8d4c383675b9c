"""Join an estimate to the observations on either side of a gap.

What a track leaves of the observed series is correlated over seconds to minutes. Its
mean given the observations next to a gap leads from them into the gap and fades there
(kriging), sample by sample: the filled series has no step at an edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.core.gaps import runs

#: Time from an edge over which observations are used, and are felt in the gap [s].
EDGE_REACH = 300.0
#: Distances from an edge of the observations used [s]: ACC1B is low-passed at 35 mHz,
#: one every 4 s says all; a wandering level is seen as well from one in 20 s.
NEAR, FAR = (60.0, 4.0), 20.0
#: Longest lag of the covariance where the series is long enough [s].
LONGEST_LAG = 2 * EDGE_REACH
#: Above this frequency ACC1B holds nothing: what is there is noise of reading [Hz].
CUT = 0.042
#: Smallest variance of that noise, as part of the whole.
FLOOR = 1e-4
#: This over the number of samples is a smallest part, too: from few of them nothing is
#: known so well that a series could be carried far.
FEW = 2.0


@dataclass(frozen=True)
class Bridge:
    """Covariance of what a track leaves, as a line spectrum.

    Attributes
    ----------
    frequency : ndarray, shape (f,)
        [Hz].
    power : ndarray, shape (f, 3)
        Variance per line and axis [(m s-2)^2].
    noise : ndarray, shape (3,)
        Variance that no neighbour shares [(m s-2)^2].
    """

    frequency: Array
    power: Array
    noise: Array

    @classmethod
    def fit(cls, residual: Array, step: float) -> Bridge:
        """Spectrum of a residual series.

        Parameters
        ----------
        residual : ndarray, shape (n, 3)
            Observation minus the estimate of the track [m s-2]; NaN where unknown.
        step : float
            Sampling interval [s].

        Notes
        -----
        The empirical covariance under a Parzen taper has a spectrum that is positive
        up to the effect of missing samples; what is negative is cut off (Blackman and
        Tukey).
        """
        lags = max(min(round(LONGEST_LAG / step), len(residual) // 4), 1)
        frequency = np.arange(lags + 1) / (2 * lags * step)
        power, noise = np.zeros((lags + 1, 3)), np.zeros(3)
        for k in range(3):
            power[:, k] = _lines(_covariance(residual[:, k], lags))
            high = frequency > CUT
            white = power[high, k].mean() if high.any() else 0.0
            floor = max(FLOOR, FEW / max(np.isfinite(residual[:, k]).sum(), 1))
            noise[k] = max(lags * white, floor * power[:, k].sum())
            power[:, k] = np.where(high, 0.0, np.maximum(power[:, k] - white, 0.0))
        return cls(frequency, power, noise)

    def covariance(self, lag: Array, axis: int) -> Array:
        """Covariance [(m s-2)^2] at lags [s] of any shape."""
        used = self.power[:, axis] > 0
        angle = 2 * np.pi * np.abs(lag)[..., None] * self.frequency[used]
        value = np.cos(angle) @ self.power[used, axis]
        # lines repeat after twice the longest lag, the tapered covariance does not
        return np.where(np.abs(lag) < self.longest, value, 0.0)

    @property
    def longest(self) -> float:
        """Longest lag of the covariance [s]: short series have but short ones."""
        return round(0.5 / self.frequency[1], 6) if len(self.frequency) > 1 else 0.0

    def estimate(
        self, t: Array, residual: Array, visible: BoolArray, wanted: BoolArray
    ) -> Array:
        """Mean of the residual in gaps given its visible neighbours.

        Parameters
        ----------
        t : ndarray, shape (n,)
            Regular GPS seconds.
        residual : ndarray, shape (n, 3)
            Observation minus estimate [m s-2], needed at `neighbours` only.
        visible : ndarray of bool, shape (n, 3)
        wanted : ndarray of bool, shape (n,)

        Returns
        -------
        ndarray, shape (n, 3)
            0 where not wanted, observed, or farther than `EDGE_REACH` from an edge.
        """
        result = np.zeros_like(residual)
        step = float(t[1] - t[0])
        for k in range(3):
            if not self.power[:, k].any():
                continue
            observed = visible[:, k] & np.isfinite(residual[:, k])
            # at whole steps, which are all that occur; the last is beyond its reach
            count = int(np.ceil(self.longest / step))
            table = self.covariance(step * np.arange(count + 1.0), k)
            for first, past in runs(~visible[:, k]):
                here = _felt(first, past, step)
                here = here[wanted[here]]
                at = _around(first, past, len(t), step)
                at = at[observed[at]]
                if len(here) == 0 or len(at) == 0:
                    continue
                value = self._mean(table, at, residual[at, k], here, k)
                away = np.minimum(here - first + 1, past - here) * step
                result[here, k] = value * _fade(away)
        return result

    def _mean(
        self, table: Array, seen: IntArray, values: Array, at: IntArray, axis: int
    ) -> Array:
        own, across = (
            table[np.minimum(np.abs(x[:, None] - seen), len(table) - 1)]
            for x in (seen, at)
        )
        own += self.noise[axis] * np.eye(len(seen))
        # what was cut off may leave directions with less variance than the noise
        power, vectors = np.linalg.eigh(own)
        power = np.maximum(power, self.noise[axis])
        return np.asarray(across @ (vectors @ ((vectors.T @ values) / power)))


#: Leads nowhere.
NO_BRIDGE = Bridge(np.zeros(1), np.zeros((1, 3)), np.ones(3))


def neighbours(visible: BoolArray, wanted: BoolArray, step: float) -> BoolArray:
    """Observed samples that `Bridge.estimate` uses for the wanted ones.

    Parameters
    ----------
    visible : ndarray of bool, shape (n, 3)
    wanted : ndarray of bool, shape (n,)
    step : float
        Sampling interval [s].

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    n = len(visible)
    result = np.zeros(n, dtype=bool)
    for k in range(3):
        for first, past in runs(~visible[:, k]):
            if wanted[_felt(first, past, step)].any():
                at = _around(first, past, n, step)
                result[at] |= visible[at, k]
    return result


def _felt(first: int, past: int, step: float) -> IntArray:
    """Samples of a gap near enough to an edge."""
    reach = max(round(EDGE_REACH / step), 1)
    if past - first <= 2 * reach:
        return np.arange(first, past)
    return np.concatenate(
        [np.arange(first, first + reach), np.arange(past - reach, past)]
    )


def _around(first: int, past: int, n: int, step: float) -> IntArray:
    """Positions on either side of a gap whose observations are used."""
    away = np.concatenate(
        [np.arange(0.0, NEAR[0], NEAR[1]), np.arange(NEAR[0], EDGE_REACH, FAR)]
    )
    offset = np.unique(np.round(away / step).astype(np.int64))
    at = np.concatenate([first - 1 - offset[::-1], past + offset])
    return at[(at >= 0) & (at < n)]


def _fade(away: Array) -> Array:
    """1 near the edge, 0 at `EDGE_REACH`: the influence ends without a step."""
    x = np.clip(2 * away / EDGE_REACH - 1, 0.0, 1.0)
    return np.asarray(0.5 * (1 + np.cos(np.pi * x)))


def _covariance(values: Array, lags: int) -> Array:
    """Empirical covariances at lags 0, 1, ... from the pairs that exist."""
    observed = np.isfinite(values)
    series = np.where(observed, values, 0.0)
    size = 1 << int(np.ceil(np.log2(max(2 * len(values), 2))))
    spectrum = np.abs(np.fft.rfft(series, size)) ** 2
    total = np.fft.irfft(spectrum, size)[: lags + 1]
    pairs = np.fft.irfft(np.abs(np.fft.rfft(observed.astype(float), size)) ** 2, size)
    return np.asarray(total / np.maximum(np.round(pairs[: lags + 1]), 1.0))


def _lines(covariance: Array) -> Array:
    """Variance per spectral line from covariances at lags 0 ... n; sums to lag 0."""
    n = len(covariance) - 1
    x = np.arange(n + 1) / n
    parzen = np.where(x < 0.5, 1 - 6 * x**2 * (1 - x), 2 * (1 - x) ** 3)
    tapered = covariance * parzen
    even = np.concatenate([tapered, tapered[-2:0:-1]])
    density = np.fft.rfft(even).real / len(even)
    density[1:-1] *= 2
    return np.maximum(density, 0.0)
