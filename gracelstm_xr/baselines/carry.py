"""From the donor to the recipient: the numpy kernel of the transplant.

Minus the donor's firings, to the epoch at which it was here, from its frame to that
of the recipient. What is fitted to the overlap is `gracelstm_xr.baselines.overlap`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.physics.attitude import Attitude, rotate
from gracelstm_xr.physics.earth import GM_EARTH
from gracelstm_xr.physics.firings import allowed, firing_acceleration
from gracelstm_xr.physics.frames import FACING
from gracelstm_xr.physics.lag import lag_to_twin
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.signal.interpolation import lagrange, linear, nodes_around

#: Context of a day [s]: half the filter window, the lag, and a little of the orbit.
HALO = 900.0
#: Spacing of the epochs at which the lag is solved [s].
LAG_STEP = 20.0


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

    def attributes(self, *, orbits: bool) -> dict[str, str]:
        """Say how the series is made."""
        return {
            "donor": self.donor,
            "lag_source": "orbits (GNV1B), per epoch; without, of the nearest day"
            if orbits
            else "cross-correlation of the x axes, constant: no GNV1B",
            "attitude_source": "SCA1B of both satellites"
            if self.attitude
            else "half a turn about z: attitude not used",
            "thrusters": "donor's firings removed, recipient's restored (THR1B)"
            if self.thrusters
            else "not treated",
            "force_model": "remove-restore: " + ", ".join(self.components)
            if self.components
            else "none",
            "comment": (
                "scale, bias and drift from the overlap of both satellites; on an axis "
                "where transplant_overlap is 0 they are nominal and sigma says so"
            ),
        }


class DonorLevel(NamedTuple):
    """Constant level of the donor, and its lag at the middle of every GPS day.

    Attributes
    ----------
    t : ndarray, shape (d,)
        GPS seconds.
    offset : ndarray, shape (3,)
        Mean of the donor's raw series over all days [m s-2]. One number: what the
        mean force changes from week to week is carried to the recipient.
    lag : ndarray, shape (d,)
        Lag for epochs without orbits [s]; NaN for none.
    """

    t: Array
    offset: Array
    lag: Array


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


def donor_level(t: Array, days: list[tuple[Array, Array]], lag: Array) -> DonorLevel:
    """Level from sums and numbers of samples per day."""
    total = np.sum([one for one, _ in days], axis=0)
    count = np.sum([one for _, one in days], axis=0)
    return DonorLevel(t, total / np.maximum(count, 1), lag)


def carry(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    index: slice | IntArray,
    chain: Chain,
    responses: Mapping[str, Array],
    level: DonorLevel,
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
    level : DonorLevel
    models : tuple of ndarray, shape (n, 3, components), optional
        Force model of recipient and donor in their own frames [m s-2].
    """
    when = t[index]
    lag, revolution = _lag(t, arrays, when, level)
    donor = allowed(arrays, "donor.") - level.offset
    spikes = _fired(t, arrays, "donor", chain, responses)
    stack = [donor - spikes, spikes]
    if models is not None:
        stack += [models[1][:, :, j] for j in range(models[1].shape[2])]
    moved = lagrange(np.concatenate(stack, axis=1), t, when + lag)
    turn = _Turn(t, arrays, when, when + lag, use=chain.attitude)
    turned = [turn(moved[:, 3 * j : 3 * j + 3]) for j in range(len(stack))]
    terms = [turned[0]]
    if models is not None:
        here = models[0][index]
        # where the model knows nothing, recipient and donor are taken as alike
        terms += [np.nan_to_num(here[:, :, j] - v) for j, v in enumerate(turned[2:])]
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


def orbits(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], first: float, last: float
) -> list[StateNodes]:
    """Orbits of recipient and donor, closed over holes; fewer where one is missing."""
    twins = []
    for role in ("own", "donor"):
        position = arrays.get(f"{role}.position")
        velocity = arrays.get(f"{role}.velocity")
        if position is not None and velocity is not None:
            nodes = StateNodes.from_grid(t, position, velocity)
            twins.append(nodes.filled(first - 120.0, last + 120.0))
    return [nodes for nodes in twins if len(nodes.t) > 1]


def day_lag(when: Array, arrays: Mapping[str, npt.NDArray[Any]], t: Array) -> float:
    """Median lag over the times ``when`` [s]; NaN without both orbits."""
    both = orbits(t, arrays, when[0], when[-1])
    if len(both) < 2:
        return float("nan")
    lag = lag_to_twin(both[0], both[1], when[:: max(len(when) // 24, 1)])
    finite = lag[np.isfinite(lag)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _lag(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], when: Array, level: DonorLevel
) -> tuple[Array, float]:
    """Lag at ``when`` [s], and the time of a revolution."""
    both = orbits(t, arrays, when[0], when[-1])
    if len(both) < 2:
        return np.interp(when, level.t, level.lag), float("nan")
    nodes = nodes_around(when, LAG_STEP)
    lag = linear(when, nodes, lag_to_twin(both[0], both[1], nodes))
    unknown = np.isnan(lag)
    if unknown.any():
        lag[unknown] = np.interp(when[unknown], level.t, level.lag)
    return lag, _revolution(both[0])


def _revolution(nodes: StateNodes) -> float:
    """Mean time of a revolution [s], by Kepler's third law."""
    radius = np.linalg.norm(nodes.position, axis=1)
    speed = (nodes.velocity**2).sum(1)
    axis = 1 / (2 / radius - speed / GM_EARTH)
    return float(2 * np.pi * np.sqrt(np.median(axis) ** 3 / GM_EARTH))


class _Turn:
    """From the donor's frame at one time to the recipient's at another."""

    def __init__(
        self,
        t: Array,
        arrays: Mapping[str, npt.NDArray[Any]],
        when: Array,
        there: Array,
        *,
        use: bool,
    ) -> None:
        own, twin = arrays.get("own.quaternion"), arrays.get("donor.quaternion")
        self.both = None
        if use and own is not None and twin is not None:
            here = Attitude.from_grid(t, own).at(when)
            self.both = _product(Attitude.from_grid(t, twin).at(there), here)
            self.unknown = np.isnan(self.both[:, 0])

    def __call__(self, vector: Array) -> Array:
        nominal: Array = vector * FACING
        if self.both is None:
            return nominal
        turned = rotate(self.both, vector)
        # without an attitude, the half turn of facing satellites is a good guess
        turned[self.unknown] = nominal[self.unknown]
        return turned


def _product(twin: Array, own: Array) -> Array:
    """Quaternion from the twin's frame to the own one: conj(twin) then own."""
    a, b, c, d = twin[:, 0], -twin[:, 1], -twin[:, 2], -twin[:, 3]
    p, q, r, s = own.T
    return np.stack(
        [
            a * p - b * q - c * r - d * s,
            a * q + b * p + c * s - d * r,
            a * r - b * s + c * p + d * q,
            a * s + b * r - c * q + d * p,
        ],
        axis=1,
    )
