"""From the donor to the recipient: the numpy kernel of the transplant.

Minus the donor's firings, to the epoch at which it was here, from its frame to that
of the recipient. What is fitted to the overlap is `gracelstm_xr.overlap`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gracelstm_xr.frames import FACING, HALO, _at, _quaternion_at
from gracelstm_xr.orbit import (
    GM_EARTH,
    StateNodes,
    lag_to_twin,
    quaternion_matrix,
)
from gracelstm_xr.thrusters import allowed, firing_acceleration

__all__ = ["HALO", "Carried", "Chain", "DayMeans", "carry", "day_means"]

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: The donor's mean is taken over so many days to either side [days].
REACH = 10
#: Spacing of the epochs at which the lag is solved [s].
LAG_STEP = 10.0


@dataclass(frozen=True)
class Chain:
    """What is to be done.

    Attributes
    ----------
    recipient, donor : str
        Satellites.
    thrusters : bool
        Remove the donor's firings and restore the recipient's.
    attitude : bool
        Rotate by both attitudes, else by the half turn about z between satellites
        that face each other.
    components : tuple of str
        Parts of the force model that are removed and restored.
    """

    recipient: str
    donor: str
    thrusters: bool = True
    attitude: bool = True
    components: tuple[str, ...] = ()


class DayMeans(NamedTuple):
    """Slowly varying mean of the donor and lag, at the middle of every GPS day.

    Attributes
    ----------
    t : ndarray, shape (d,)
        GPS seconds.
    offset : ndarray, shape (d, 3)
        Mean of the donor's raw series within `REACH` days [m s-2].
    lag : float
        Constant lag for epochs without orbits [s]; NaN for none.
    """

    t: Array
    offset: Array
    lag: float = float("nan")

    def at(self, t: Array) -> Array:
        """Offset at ``t`` [m s-2], shape (n, 3)."""
        return np.stack([np.interp(t, self.t, c) for c in self.offset.T], axis=1)


class Carried(NamedTuple):
    """Both satellites in the recipient's frame, n samples.

    Attributes
    ----------
    t : ndarray, shape (n,)
        GPS seconds.
    own : ndarray, shape (n, 3)
        Recipient's raw series without its firings [m s-2].
    terms : ndarray, shape (n, 3, 1 + components)
        Donor at the lag, without firings and mean, rotated; then what every
        component of the force model says recipient minus carried donor is [m s-2].
    fired, donor_fired : ndarray, shape (n, 3)
        Firings of the recipient, and of the donor at the lag, rotated [m s-2].
    lag : ndarray, shape (n,)
        [s]
    revolution : float
        Time of one revolution [s]; NaN without an orbit.
    """

    t: Array
    own: Array
    terms: Array
    fired: Array
    donor_fired: Array
    lag: Array
    revolution: float


def day_means(t: Array, days: list[tuple[Array, Array]], lag: float) -> DayMeans:
    """Running means from sums and numbers of samples per day."""
    total = np.stack([one for one, _ in days])
    count = np.stack([one for _, one in days])
    offset = np.zeros((len(t), 3))
    for i, middle in enumerate(t):
        near = np.abs(t - middle) <= (REACH + 0.5) * 86_400.0
        number = count[near].sum(0)
        mean = total[near].sum(0) / np.maximum(number, 1)
        overall = total.sum(0) / np.maximum(count.sum(0), 1)
        offset[i] = np.where(number > 0, mean, overall)
    return DayMeans(t, offset, lag)


def carry(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    index: slice | IntArray,
    chain: Chain,
    responses: Mapping[str, Array],
    means: DayMeans,
    models: tuple[Array, Array] | None = None,
) -> Carried:
    """Carry the donor to the epochs ``t[index]``.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    arrays : mapping of str to ndarray
        Variables keyed ``own.<name>`` and ``donor.<name>``, loaded, time first.
    index : slice or ndarray
        Samples wanted.
    chain : Chain
    responses : mapping of str to ndarray, shape (6, 3)
        Thruster response per satellite [m s-2].
    means : DayMeans
    models : tuple of ndarray, shape (n, 3, components), optional
        Force model of recipient and donor in their own frames [m s-2].
    """
    when = t[index]
    lag, revolution = _lag(t, arrays, when, means.lag)
    there = when + lag
    donor = allowed(arrays, "donor.") - means.at(t)
    spikes = _fired(t, arrays, "donor", chain, responses)
    stack = [donor - spikes, spikes]
    if models is not None:
        stack += [models[1][:, :, j] for j in range(models[1].shape[2])]
    moved = _at(np.concatenate(stack, axis=1), t, there)
    turn = _turn(t, arrays, when, there) if chain.attitude else None
    turned = [_turned(moved[:, 3 * j : 3 * j + 3], turn) for j in range(len(stack))]
    terms = [turned[0]]
    if models is not None:
        own_model = models[0][index]
        terms += [own_model[:, :, j] - part for j, part in enumerate(turned[2:])]
    fired = _fired(t, arrays, "own", chain, responses)
    return Carried(
        t=when,
        own=(allowed(arrays, "own.") - fired)[index],
        terms=np.stack(terms, axis=2),
        fired=fired[index],
        donor_fired=np.nan_to_num(turned[1]),
        lag=lag,
        revolution=revolution,
    )


def _fired(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    role: str,
    chain: Chain,
    responses: Mapping[str, Array],
) -> Array:
    on_time = arrays.get(f"{role}.thruster_on_time")
    satellite = chain.recipient if role == "own" else chain.donor
    if on_time is None or satellite not in responses:
        return np.zeros((len(t), 3))
    return firing_acceleration(t, on_time, responses[satellite])


def _lag(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], when: Array, otherwise: float
) -> tuple[Array, float]:
    """Lag at ``when`` [s]; where there is no orbit, the constant one. Revolution."""
    both = [
        StateNodes.from_grid(t, arrays[f"{role}.position"], arrays[f"{role}.velocity"])
        for role in ("own", "donor")
        if f"{role}.position" in arrays and f"{role}.velocity" in arrays
    ]
    if len(both) < 2 or min(len(nodes.t) for nodes in both) < 2:
        return np.full(len(when), otherwise), float("nan")
    low, high = np.floor(when[0] / LAG_STEP), np.ceil(when[-1] / LAG_STEP)
    nodes = LAG_STEP * np.arange(low, high + 1)
    found = np.interp(when, nodes, lag_to_twin(both[0], both[1], nodes))
    lag = np.where(np.isfinite(found), found, otherwise)
    return np.asarray(lag, dtype=np.float64), _revolution(both[0])


def _revolution(nodes: StateNodes) -> float:
    """Mean time of a revolution [s], by Kepler's third law."""
    radius = np.linalg.norm(nodes.position, axis=1)
    speed = (nodes.velocity**2).sum(1)
    axis = 1 / (2 / radius - speed / GM_EARTH)
    return float(2 * np.pi * np.sqrt(np.median(axis) ** 3 / GM_EARTH))


def _turn(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], when: Array, there: Array
) -> Array | None:
    """Matrices from the donor's frame at ``there`` to the recipient's at ``when``."""
    own = _quaternion_at(t, arrays.get("own.quaternion"), when)
    twin = _quaternion_at(t, arrays.get("donor.quaternion"), there)
    if own is None or twin is None:
        return None
    a, b, c, d = twin[:, 0], -twin[:, 1], -twin[:, 2], -twin[:, 3]
    p, q, r, s = own.T
    both = [
        a * p - b * q - c * r - d * s,
        a * q + b * p + c * s - d * r,
        a * r - b * s + c * p + d * q,
        a * s + b * r - c * q + d * p,
    ]
    return quaternion_matrix(np.stack(both, axis=1))


def _turned(moved: Array, turn: Array | None) -> Array:
    nominal: Array = moved * FACING
    if turn is None:
        return nominal
    x, y, z = moved.T
    rows = [turn[:, i, 0] * x + turn[:, i, 1] * y + turn[:, i, 2] * z for i in range(3)]
    # where an attitude is missing the half turn of facing satellites is a good guess
    known = np.isfinite(turn[:, 0, 0])
    return np.where(known[:, None], np.stack(rows, axis=1), nominal)
