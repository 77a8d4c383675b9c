"""From the donor to the recipient: the numpy kernel of the transplant.

The donor stands in the frame of every other method (at the lag, in the recipient's
SRF); its firings are taken off there. What is fitted to the overlap is
`gracelstm_xr.baselines.overlap`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.baselines.moments import NANO, columns
from gracelstm_xr.physics.frames import Frame, Pair, assemble, loaded, to_recipient
from gracelstm_xr.physics.geometry import Geometry, build_geometry
from gracelstm_xr.physics.lag import lag_to_twin
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.signal.interpolation import lagrange

#: Context of a day [s]: half the filter window, the lag, and a little of the orbit.
HALO = 900.0
#: Covariates of what the two satellites feel apart: they pass the same place one
#: after the other, and turn different sides to the Sun.
PLACE = ("harmonics", "radiation")


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
    place : bool
        Fit what differs along the orbit and in sunlight; needs an orbit.
    """

    recipient: str
    donor: str
    thrusters: bool = True
    attitude: bool = True
    components: tuple[str, ...] = ()
    place: bool = False

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
            "place": "differences by argument of latitude and sunlight, as the overlap "
            "shows them"
            if self.place
            else "not treated",
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
        Mean of the donor's raw series over all days [m s-2], NaN for an axis without
        data. One number: what the mean force changes from week to week is carried to
        the recipient.
    lag : ndarray, shape (d,)
        Lag for epochs without orbits [s]; NaN for none.
    """

    t: Array
    offset: Array
    lag: Array

    def lag_of(self, t: Array) -> float | None:
        """Lag in the middle of a stretch [s]; None where nothing tells."""
        lag = float(np.interp(t[len(t) // 2], self.t, self.lag))
        return None if np.isnan(lag) else lag


class Constants(NamedTuple):
    """What one number tells of the whole span.

    Attributes
    ----------
    responses : dict of str to ndarray, shape (6, 3)
        Thruster response per satellite [m s-2].
    level : DonorLevel
    """

    responses: dict[str, Array]
    level: DonorLevel


class Carried(NamedTuple):
    """Both satellites in the recipient's frame, n samples.

    Attributes
    ----------
    t : ndarray, shape (n,)
        GPS seconds.
    own : ndarray, shape (n, 3)
        Recipient's raw series without its firings [m s-2].
    donor : ndarray, shape (n, 3)
        Donor at the lag, without firings and mean, rotated [m s-2].
    model : ndarray, shape (n, 3, components)
        What every component of the force model says recipient minus carried donor is
        [m s-2].
    place : ndarray, shape (covariates, n)
        Columns of `PLACE`; 0 where the orbit is unknown.
    fired, donor_fired : ndarray, shape (n, 3)
        Firings of the recipient, and of the donor at the lag, rotated [m s-2].
    lag : ndarray, shape (n,)
        [s]
    revolution : float
        Time of one revolution [s]; NaN without an orbit.
    """

    t: Array
    own: Array
    donor: Array
    model: Array
    place: Array
    fired: Array
    donor_fired: Array
    lag: Array
    revolution: float

    def terms(self, axis: int) -> Iterator[Array]:
        """What the factors of an axis belong to, one after the other, shape (n,).

        The donor and the components of the force model [nm s-2], then `place`.
        """
        yield self.donor[:, axis] / NANO
        for component in self.model[:, axis].T:
            yield component / NANO
        yield from self.place


def donor_level(t: Array, days: list[tuple[Array, Array]], lag: Array) -> DonorLevel:
    """Level from sums and numbers of samples per day."""
    total = np.sum([one for one, _ in days], axis=0)
    count = np.sum([one for _, one in days], axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return DonorLevel(t, mean, lag)


def carry(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    index: slice | IntArray,
    chain: Chain,
    constants: Constants,
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
    constants : Constants
    models : tuple of ndarray, shape (n, 3, components), optional
        Force model of recipient and donor in their own frames [m s-2].
    """
    when, data = t[index], loaded(arrays)
    responses, level = constants
    offset = (float(level.offset[0]), float(level.offset[1]), float(level.offset[2]))
    pair = Pair(chain.recipient, chain.donor, offset, level.lag_of(when))
    geometry = build_geometry(t, data, pair, index)
    if not chain.attitude:
        geometry = replace(geometry, own_attitude=None, twin_attitude=None)
    frame = assemble(t, data, pair, geometry, index)
    unknown = np.full((len(when), 3), np.nan)
    fired = _fired(frame.own_thrust, responses.get(chain.recipient), len(when))
    spikes = _fired(frame.donor_thrust, responses.get(chain.donor), len(when))
    spikes = np.nan_to_num(to_recipient(spikes, geometry))
    donor = unknown if frame.donor is None else frame.donor - spikes
    donor[:, np.isnan(level.offset)] = np.nan
    return Carried(
        t=when,
        own=frame.own - fired,
        donor=donor,
        model=_model_difference(t, index, frame, geometry, models),
        place=_place(frame, chain),
        fired=fired,
        donor_fired=spikes,
        lag=unknown[:, 0] if frame.lag is None else frame.lag,
        revolution=_revolution(frame),
    )


def _fired(thrust: Array | None, response: Array | None, size: int) -> Array:
    """Acceleration of firings [m s-2] from filtered on-times, shape (n, 3)."""
    total = np.zeros((size, 3))
    if thrust is None or response is None:
        return total
    # pair after pair: the last bits of a matrix product would depend on its size
    for on_time, value in zip(thrust.T, response, strict=True):
        total += 1e-3 * on_time[:, None] * value
    return total


def _model_difference(
    t: Array,
    index: slice | IntArray,
    frame: Frame,
    geometry: Geometry,
    models: tuple[Array, Array] | None,
) -> Array:
    """Force model of the recipient minus that of the carried donor [m s-2].

    Where the model knows nothing the two are taken as alike.
    """
    if models is None or frame.lag is None:
        count = 0 if models is None else models[0].shape[2]
        return np.zeros((len(frame), 3, count))
    own, twin = models
    size = twin.shape[2]
    moved = lagrange(twin.reshape(len(t), 3 * size), t, frame.t + frame.lag)
    there = moved.reshape(len(frame), 3, size)
    turned = [to_recipient(there[:, :, j], geometry) for j in range(size)]
    return np.asarray(np.nan_to_num(own[index] - np.stack(turned, axis=2)))


def _place(frame: Frame, chain: Chain) -> Array:
    """Covariates of place and sunlight, shape (covariates, n)."""
    if not chain.place:
        return np.zeros((0, len(frame)))
    return np.nan_to_num(columns(frame, PLACE))


def _revolution(frame: Frame) -> float:
    """Time of a revolution [s], as the argument of latitude grows."""
    if frame.latitude_argument is None:
        return float("nan")
    rate = np.diff(frame.latitude_argument) / np.diff(frame.t)
    rate = rate[rate > 0]
    return float(2 * np.pi / np.median(rate)) if len(rate) else float("nan")


def day_lag(when: Array, arrays: Mapping[str, npt.NDArray[Any]], t: Array) -> float:
    """Median lag over the times ``when`` [s]; NaN without both orbits."""
    both = _orbits(t, arrays, when[0], when[-1])
    if len(both) < 2:
        return float("nan")
    lag = lag_to_twin(both[0], both[1], when[:: max(len(when) // 24, 1)])
    finite = lag[np.isfinite(lag)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _orbits(
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
