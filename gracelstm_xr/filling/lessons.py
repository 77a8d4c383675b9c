"""From hindcasts to the weights, the choice and the sigma of a forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.autoregression import AutoRegression
from gracelstm_xr.filling.ahead import Ahead, process_term
from gracelstm_xr.filling.outlook import TERMS, ForecastCalibration, hats
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.physics.frames import Frame

__all__ = ["LEADS", "Sample", "learn", "spread"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Lead times tabulated [s].
LEADS = (
    10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0,
    REVOLUTION, 2 * REVOLUTION, 3 * REVOLUTION,
)  # fmt: skip
#: Parts of the hindcasts of which each is forecast with weights from the others.
FOLDS = 4
#: Hindcasts that the prior weights count as.
PRIOR = 5.0
#: Lead time from which errors tell how they go with activity [s], the power expected,
#: and the spread of the logarithm of activity that says as much as that.
SETTLED, EXPECTED, TOLD = 60.0, 0.7, 0.3
#: Errors next to firings come from lead times up to this many times longer or shorter.
FAR = 30.0
#: How much better than the next simpler method one must be to be chosen.
BETTER = 0.99
#: Order of methods, simplest first.
ORDER = (
    "hold",
    "linear",
    "ar",
    "harmonic",
    "previous_orbit",
    "tracked_single",
    "seasonal",
    "lstm_single",
)


@dataclass(frozen=True)
class Sample:
    """One hindcast.

    Attributes
    ----------
    origin : float
        GPS second of the last observation known.
    ahead : Ahead
        What the methods said.
    truth : ndarray, shape (h, 3)
        Observations [m s-2]; NaN where missing.
    calm : ndarray of bool, shape (h,)
        No thruster fires within 30 s.
    """

    origin: float
    ahead: Ahead
    truth: Array
    calm: BoolArray


def learn(samples: Sequence[Sample], step: float) -> ForecastCalibration | None:
    """Weights, choice and sigma by lead time from hindcasts.

    Parameters
    ----------
    samples : sequence of Sample
        In order of time, all as long.
    step : float
        Working step [s].

    Returns
    -------
    ForecastCalibration or None
        None with fewer than two hindcasts.

    Notes
    -----
    Weights are ridge solutions per tabulated lead time, pulled to the autoregressive
    process alone; thruster epochs do not count there. Choice and sigma come from all
    epochs of hindcasts that the weights have not seen.
    """
    if len(samples) < 2:
        return None
    count = len(samples[0].truth)
    lead = np.arange(1, count + 1) * np.float64(step)
    leads = np.array([x for x in LEADS if step <= x <= lead[-1]] or [step])
    process = _process(samples, step)
    full = [_with_process(s, process) for s in samples]
    share = hats(lead, leads)
    folds = np.arange(len(full)) * min(FOLDS, len(full)) // len(full)
    errors: list[dict[str, Array]] = []
    for fold in range(folds[-1] + 1):
        rest = [s for s, f in zip(full, folds, strict=True) if f != fold]
        made = _weighted(rest, share, leads, process, step)
        errors += [
            _errors(made, s, lead)
            for s, f in zip(full, folds, strict=True)
            if f == fold
        ]
    whole = _weighted(full, share, leads, process, step)
    choice = _choice(errors, [s.calm for s in samples], share)
    return _finished(whole, choice, errors, full, lead)


def _process(samples: Sequence[Sample], step: float) -> AutoRegression:
    """Process of what the start leaves behind the origins."""
    parts = [s.ahead.left for s in samples]
    own = np.concatenate([np.concatenate([p, np.full((1, 3), np.nan)]) for p in parts])
    frame = Frame(t=np.arange(len(own)) * np.float64(step), own=own)
    return AutoRegression.fit([(frame, np.ones(len(own), dtype=bool))])


def _with_process(sample: Sample, process: AutoRegression) -> Sample:
    a = sample.ahead
    terms = {"process": process_term(a.left, len(a.t), process), **a.terms}
    return Sample(sample.origin, replace(a, terms=terms), sample.truth, sample.calm)


def _weighted(
    samples: Sequence[Sample],
    share: Array,
    leads: Array,
    process: AutoRegression,
    step: float,
) -> ForecastCalibration:
    """Calibration with weights only."""
    order = max(len(c) for c in process.coefficients)
    padded = [np.pad(c, (0, order - len(c))) for c in process.coefficients]
    none = np.zeros((len(leads), 3))
    return ForecastCalibration(
        leads,
        np.stack(padded, axis=1),
        _solve(samples, share, TERMS[:-1]),
        _solve(samples, share, TERMS),
        np.full(none.shape, "seasonal"),
        none,
        np.ones(3),
        np.zeros(3),
        step,
        len(samples),
    )


def _solve(samples: Sequence[Sample], share: Array, names: Sequence[str]) -> Array:
    """Ridge weights of `TERMS` per tabulated lead time, (l, term, 3)."""
    used = [n for n in names if n in samples[0].ahead.terms]
    prior = np.array([float(n == "process") for n in used])
    p, size = len(used), share.shape[1]
    gram, moment = np.zeros((size, 3, p, p)), np.zeros((size, 3, p))
    for s in samples:
        x = np.stack([s.ahead.terms[n] for n in used], axis=2)
        y = s.truth - s.ahead.methods["tracked_single"]
        known = np.isfinite(y) & s.calm[:, None]
        y = np.where(known, y, 0.0) - x @ prior
        for k in range(3):
            weighted = share.T[:, None] * (known[:, k, None] * x[:, k]).T
            gram[:, k] += weighted @ x[:, k]
            moment[:, k] += weighted @ y[:, k]
    result = np.zeros((size, len(TERMS), 3))
    where = [TERMS.index(n) for n in used]
    for row in range(size):
        for k in range(3):
            power = np.diagonal(gram[row, k])
            pull = np.diag(power * PRIOR / len(samples) + 1e-30)
            found = prior + np.linalg.solve(gram[row, k] + pull, moment[row, k])
            result[row, where, k] = found
    return result


def _errors(made: ForecastCalibration, sample: Sample, lead: Array) -> dict[str, Array]:
    a = sample.ahead
    found = made.estimates(lead, a.methods, a.terms)
    return {name: value - sample.truth for name, value in found.items()}


def _choice(
    errors: Sequence[dict[str, Array]], calm: Sequence[BoolArray], share: Array
) -> npt.NDArray[np.str_]:
    """Method of least error per tabulated lead time and axis.

    By the product of the RMS of all epochs and of those away from firings: no method
    knows of a firing ahead, and a few of them outweigh all else; yet some methods carry
    on a firing that is over. The lead times beside have half a say.
    """
    names = [n for n in ORDER if n in errors[0]]
    beside = np.eye(share.shape[1], k=1) + np.eye(share.shape[1], k=-1)
    share = share @ (np.eye(share.shape[1]) + beside / 2)
    quiet = np.stack(calm)[:, :, None]
    size = np.full((len(names), share.shape[1], 3), np.inf)
    for row, name in enumerate(names):
        found = np.stack([e[name] for e in errors])
        known = np.isfinite(found)
        every = _rms(found, known, share)
        still = _rms(found, known & quiet, share)
        size[row] = every * np.where(np.isfinite(still), still, every)
    best = np.zeros(size.shape[1:], dtype=np.int64)
    for row in range(1, len(names)):
        now = np.take_along_axis(size, best[None], axis=0)[0]
        best[size[row] < BETTER**2 * now] = row
    return np.array(names)[best]


def _rms(errors: Array, use: BoolArray, share: Array) -> Array:
    """RMS over hindcasts per tabulated lead time and axis; infinite without any."""
    square = np.where(use, errors, 0.0) ** 2
    total = np.einsum("hl,shk->lk", share, square)
    weight = share.T @ use.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, np.sqrt(total / weight), np.inf)


def _finished(
    whole: ForecastCalibration,
    choice: npt.NDArray[np.str_],
    errors: Sequence[dict[str, Array]],
    samples: Sequence[Sample],
    lead: Array,
) -> ForecastCalibration:
    """Calibration with the choice and the sigma of what it makes."""
    from scipy.optimize import isotonic_regression

    made = replace(whole, choice=choice)
    left = np.stack([made.chosen(lead, found).values for found in errors])
    calm = np.stack([s.calm for s in samples])
    activity = np.stack([s.ahead.activity for s in samples])
    usual, power = _response(left, activity, calm & (lead >= SETTLED))
    made = replace(made, activity=usual, power=power)
    scaled = left / np.stack([made.scale(a) for a in activity])[:, None, :]
    share = made.hats(lead)
    sigma = np.zeros((len(made.leads), 3))
    for row in range(len(made.leads)):
        near = share[:, row] >= 0.5
        wide = np.abs(np.log(lead / made.leads[row])) <= np.log(FAR)
        for k in range(3):
            still = scaled[:, near, k][calm[:, near]]
            fired = scaled[:, wide, k][~calm[:, wide]]
            sigma[row, k] = _mixed(still, fired, float(1 - calm.mean()))
    for k in range(3):
        known = np.isfinite(sigma[:, k])
        if known.any():
            at = np.arange(len(sigma))
            filled = np.interp(at, at[known], sigma[known, k])
            # never falls with the lead time
            sigma[:, k] = isotonic_regression(filled).x
    return replace(made, sigma=sigma)


def _response(errors: Array, activity: Array, calm: BoolArray) -> tuple[Array, Array]:
    """Usual activity, and the power of it that the errors of an origin go with.

    The slope between the logarithms, pulled to `EXPECTED`: a quiet span tells little.
    """
    usual, power = np.ones(3), np.zeros(3)
    for k in range(3):
        known = calm & np.isfinite(errors[:, :, k])
        count = known.sum(axis=1)
        square = np.where(known, errors[:, :, k], 0.0) ** 2
        mean = square.sum(axis=1) / np.maximum(count, 1)
        use = (mean > 0) & (activity[:, k] > 0)
        if use.sum() < 2:
            continue
        x, y = np.log(activity[use, k]), np.log(mean[use]) / 2
        usual[k] = np.exp(x.mean())
        x, y = x - x.mean(), y - y.mean()
        pull = PRIOR * TOLD**2
        power[k] = np.clip((x @ y + pull * EXPECTED) / (x @ x + pull), 0.0, 1.0)
    return usual, power


def _mixed(still: Array, fired: Array, part: float) -> float:
    """`spread` where a ``part`` of the epochs is next to firings.

    These are the same at any lead time, and at short ones there are few of them: they
    come from a wider range of lead times.
    """
    still, fired = still[np.isfinite(still)], fired[np.isfinite(fired)]
    weight = np.concatenate(
        [
            np.full(len(still), (1 - part) / max(len(still), 1)),
            np.full(len(fired), part / max(len(fired), 1)),
        ]
    )
    return spread(np.concatenate([still, fired]), weight)


def spread(errors: Array, weight: Array | None = None) -> float:
    """Sigma that comes nearest to 68.3 and 95.4 % coverage at one and two sigma.

    Errors have longer tails than a normal distribution where thrusters fire: the
    larger of the two misses is made as small as it can be.

    Parameters
    ----------
    errors : ndarray
        [m s-2]; NaN where unknown.
    weight : ndarray, optional
        Of each, all alike by default.
    """
    weight = np.ones(errors.shape) if weight is None else weight
    known = np.isfinite(errors) & (weight > 0)
    size, weight = np.abs(errors[known]), weight[known]
    if len(size) == 0:
        return float("nan")
    order = np.argsort(size)
    size, part = size[order], np.cumsum(weight[order]) / weight.sum()
    tried = np.interp(np.linspace(0.5, 0.99, 99), part, size)
    below = np.concatenate([[0.0], part])
    one = below[np.searchsorted(size, tried, side="right")]
    two = below[np.searchsorted(size, 2 * tried, side="right")]
    miss = np.maximum(np.abs(one - 0.683), np.abs(two - 0.954))
    return float(max(tried[miss.argmin()], 1e-13))
