"""What hindcasts teach about forecasting: weights, choice and sigma by lead time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.autoregression import AutoRegression
from gracelstm_xr.baselines.base import METHOD_CODES

__all__ = ["CODES", "SIMPLER", "TERMS", "ForecastCalibration", "Outcome"]

Array = npt.NDArray[np.float64]

#: Value of ``lin_accl_forecast_method`` by name of the method.
CODES = METHOD_CODES | {"seasonal": METHOD_CODES["harmonic"]}
#: What is added to the start, in order; the last only by ``lstm_single``.
TERMS = ("process", "turn_1", "turn_1_mean", "turn_2_mean", "turn_3_mean", "network")
#: Largest factor by which the activity is taken to differ from the usual one.
MOST = 10.0
#: Serve in this order where the chosen method has no estimate.
SIMPLER = ("seasonal", "tracked_single", "harmonic", "ar", "hold")


@dataclass(frozen=True)
class Outcome:
    """A forecast at some lead times.

    Attributes
    ----------
    values, sigma : ndarray, shape (h, 3)
        [m s-2]
    method : ndarray of uint8, shape (h, 3)
        One of `CODES`, of the method with most weight.
    """

    values: Array
    sigma: Array
    method: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ForecastCalibration:
    """What hindcasts on held-out data taught, by lead time and axis.

    Between the tabulated lead times everything is interpolated in the logarithm of
    the lead time, so that one method passes into another without a jump.

    Attributes
    ----------
    leads : ndarray, shape (l,)
        Lead times [s], increasing.
    process : ndarray, shape (p, 3)
        Autoregressive coefficients of what the start leaves, 1, 2, ... steps back.
    seasonal, network : ndarray, shape (l, 6, 3)
        Weights of `TERMS` in ``seasonal`` and in ``lstm_single``.
    choice : ndarray of str, shape (l, 3)
        Best method.
    sigma : ndarray, shape (l, 3)
        1-sigma of the best method [m s-2] at the usual activity; never falls.
    activity, power : ndarray, shape (3,)
        Usual `Ahead.activity` [m s-2], and the power of its ratio to it that sigma
        goes with, 0 to 1.
    step : float
        Working step [s].
    origins : int
        Hindcasts this rests on.
    """

    leads: Array
    process: Array
    seasonal: Array
    network: Array
    choice: npt.NDArray[np.str_]
    sigma: Array
    activity: Array
    power: Array
    step: float
    origins: int

    @property
    def autoregression(self) -> AutoRegression:
        """The process of what the start leaves."""
        x, y, z = (np.trim_zeros(self.process[:, k], "b") for k in range(3))
        return AutoRegression((x, y, z), self.step)

    def hats(self, lead: Array) -> Array:
        """Weight of every tabulated lead time at ``lead`` [s], shape (h, l)."""
        return hats(lead, self.leads)

    def estimates(
        self,
        lead: Array,
        methods: Mapping[str, Array],
        terms: Mapping[str, Array],
    ) -> dict[str, Array]:
        """All methods at lead times [s], those made of terms too, shape (h, 3)."""
        found = dict(methods)
        share = self.hats(lead)
        start = methods["tracked_single"]
        found["seasonal"] = start + added(share, self.seasonal, terms)
        if "network" in terms:
            found["lstm_single"] = start + added(share, self.network, terms)
        return found

    def chosen(
        self, lead: Array, found: Mapping[str, Array], activity: Array | None = None
    ) -> Outcome:
        """The best method at every lead time, one blended into the next."""
        share = self.hats(lead)
        values = np.full((len(lead), 3), np.nan)
        code = np.full((len(lead), 3), CODES["none"], dtype=np.uint8)
        for k in range(3):
            total, weight, most = (np.zeros(len(lead)) for _ in range(3))
            for name in dict.fromkeys(self.choice[:, k].tolist()):
                if name not in found:
                    continue
                mine = share @ (self.choice[:, k] == name)
                mine = np.where(np.isfinite(found[name][:, k]), mine, 0.0)
                total += mine * np.nan_to_num(found[name][:, k])
                weight += mine
                code[mine > most, k] = CODES[name]
                most = np.maximum(mine, most)
            some = weight > 0
            values[some, k] = total[some] / weight[some]
            for name in SIMPLER:
                put = np.isnan(values[:, k]) & np.isfinite(
                    found.get(name, values)[:, k]
                )
                values[put, k] = found.get(name, values)[put, k]
                code[put, k] = CODES[name]
        sigma = np.where(np.isfinite(values), self.sigma_at(lead, activity), np.nan)
        return Outcome(values, sigma, code)

    def scale(self, activity: Array) -> Array:
        """Factor on sigma per axis for an activity [m s-2]; 1 where it is unknown."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.clip(activity / self.activity, 1 / MOST, MOST) ** self.power
        return np.where(np.isfinite(ratio), ratio, 1.0)

    def sigma_at(self, lead: Array, activity: Array | None = None) -> Array:
        """1-sigma [m s-2] at lead times [s]; grows as their root past the table."""
        past = np.sqrt(np.maximum(lead / self.leads[-1], 1.0))
        x, nodes = np.log(np.maximum(lead, 1e-3)), np.log(self.leads)
        # a sum of weights would fall by rounding where sigma stays
        rows = [np.interp(x, nodes, self.sigma[:, k]) * past for k in range(3)]
        factor = np.ones(3) if activity is None else self.scale(activity)
        return np.stack(rows, axis=1) * factor


def hats(lead: Array, leads: Array) -> Array:
    """Weights of linear interpolation in the logarithm, constant outside."""
    x, nodes = np.log(np.maximum(lead, 1e-3)), np.log(leads)
    unit = np.eye(len(leads))
    return np.stack([np.interp(x, nodes, row) for row in unit], axis=1)


def added(share: Array, weights: Array, terms: Mapping[str, Array]) -> Array:
    """Weighted sum of terms, the weights interpolated between lead times."""
    total = np.zeros((len(share), 3))
    for number, name in enumerate(TERMS):
        if name in terms:
            total += (share @ weights[:, number]) * terms[name]
    return total
