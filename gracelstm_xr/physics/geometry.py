"""Where the satellites are, how they point, and what the Sun does to them.

Everything of one recipient over one stretch of time, from GNV1B and SCA1B of both
satellites and, where a product is missing, from what stands in for it. A sample says
in `Geometry.flags` what did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, BoolArray, FlagArray, IntArray
from gracelstm_xr.physics import sun as sunlight
from gracelstm_xr.physics.attitude import Attitude, nominal_attitude, rotate
from gracelstm_xr.physics.earth import (
    argument_of_latitude,
    cross,
    geodetic,
    greenwich_angle,
    to_celestial,
)
from gracelstm_xr.physics.lag import LONGEST_LAG, lag_to_twin
from gracelstm_xr.physics.states import PROPAGATED, StateNodes
from gracelstm_xr.signal.interpolation import cubic, hermite, linear, nodes_around

if TYPE_CHECKING:
    from gracelstm_xr.physics.frames import Pair


#: Steps of the nodes [s]: positions and angles of the orbit (interpolated to 1 mm and
#: 1e-9 rad), lag and nominal attitude (1e-8 s, 1e-6 rad), Sun (1e-8 rad).
ORBIT_STEP, LAG_STEP, SUN_STEP = 10.0, 30.0, 600.0
#: Orbits are wanted this long before and after samples [s], for the lag.
MARGIN = LONGEST_LAG + 2 * LAG_STEP
#: What an orbit gives.
ORBITAL = (
    "latitude",
    "longitude",
    "height",
    "latitude_argument",
    "beta_prime",
    "local_solar_time",
    "shadow",
)
#: Bits of `Geometry.flags`: what stood in for a missing product.
FLAGS = {
    "orbit_propagated": 1,
    "orbit_from_twin": 2,
    "orbit_missing": 4,
    "twin_orbit_propagated": 8,
    "lag_constant": 16,
    "lag_missing": 32,
    "attitude_nominal": 64,
    "twin_attitude_nominal": 128,
}


@dataclass(frozen=True)
class Geometry:
    """Geometry of one recipient on a regular grid; None for what is unknown.

    Attributes
    ----------
    t : ndarray, shape (n,)
        GPS seconds past 2000-01-01T12:00:00.
    flags : ndarray of uint8, shape (n,)
        Sum of `FLAGS`.
    latitude, longitude : ndarray, shape (n,)
        Geodetic, WGS 84 [degree]; longitude east, -180 to 180.
    height : ndarray, shape (n,)
        Over the WGS 84 ellipsoid [m].
    latitude_argument : ndarray, shape (n,)
        Argument of latitude [rad], 0 to 2 pi.
    beta_prime : ndarray, shape (n,)
        Elevation of the Sun over the orbit plane [degree].
    local_solar_time : ndarray, shape (n,)
        Apparent solar time below the satellite [h], 0 to 24.
    shadow : ndarray, shape (n,)
        Visible fraction of the Sun.
    sun : ndarray, shape (n, 3)
        Unit vector to the Sun in the SRF.
    lag : ndarray, shape (n,)
        Lag to the twin [s], positive when the twin follows.
    own_attitude, twin_attitude : ndarray, shape (n, 4)
        Quaternions from the celestial frame to the SRF, the twin's at the lag.
    """

    t: Array
    flags: FlagArray
    latitude: Array | None = None
    longitude: Array | None = None
    height: Array | None = None
    latitude_argument: Array | None = None
    beta_prime: Array | None = None
    local_solar_time: Array | None = None
    shadow: Array | None = None
    sun: Array | None = None
    lag: Array | None = None
    own_attitude: Array | None = None
    twin_attitude: Array | None = None

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Arrays that are present, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def build_geometry(
    t: Array,
    data: Mapping[str, Array],
    pair: Pair,
    keep: slice | IntArray,
    *,
    beyond: float = PROPAGATED,
    orbits: Mapping[str, StateNodes] | None = None,
) -> Geometry:
    """Geometry of a recipient from positions, velocities and quaternions.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    data : mapping of str to ndarray
        ``own.`` and ``donor.`` ``position``, ``velocity`` [m, m s-1] and
        ``quaternion``, time first, NaN where there is no record.
    pair : Pair
        Its constant lag is used where orbits give none.
    keep : slice or ndarray of int64
        Samples wanted, in increasing order; the others are context.
    beyond : float
        How far orbits are propagated past their last epoch [s], at least 3 h.
    orbits : mapping of str to StateNodes, optional
        Those of ``own`` and ``donor`` instead of the positions, from `orbits_until`.

    Returns
    -------
    Geometry
        Of the samples in ``keep``.
    """
    query = t[keep]
    builder = _Builder(query)
    given = _from_grid(t, data) if orbits is None else orbits
    own, donor = (_nodes(given.get(role), query, beyond) for role in ("own", "donor"))
    builder.orbits(own, donor, pair)
    builder.lags(pair)
    builder.sunlight()
    builder.attitudes(
        Attitude.from_grid(t, data.get("own.quaternion")),
        Attitude.from_grid(t, data.get("donor.quaternion")),
        pair,
    )
    arrays = {**_unknown(data, pair, query), **builder.found}
    return Geometry(query, builder.flags, **arrays)


def _unknown(data: Mapping[str, Array], pair: Pair, query: Array) -> dict[str, Array]:
    """What the products of a Dataset give elsewhere, NaN where they have no record."""
    orbit = [
        f"{role}.position" in data and f"{role}.velocity" in data
        for role in ("own", "donor")
    ]
    names = ["sun"] if any(orbit) or "own.quaternion" in data else []
    names += ORBITAL if any(orbit) else ()
    names += ["lag"] if all(orbit) and pair.donor is not None else ()
    shape = {"sun": (len(query), 3)}
    return {name: np.full(shape.get(name, len(query)), np.nan) for name in names}


def orbits_until(
    t: Array, data: Mapping[str, Array], since: Array, known: Array, until: Array
) -> list[dict[str, StateNodes]]:
    """Orbits as they were known at some times, for the `build_geometry` of each.

    Parameters
    ----------
    t, data
        As in `build_geometry`.
    since, known, until : ndarray, shape (k,)
        GPS seconds: epochs from the first to the second are known, samples are wanted
        until the third.
    """
    result: list[dict[str, StateNodes]] = [{} for _ in known]
    for role, nodes in _from_grid(t, data).items():
        every = nodes.continued(since, known, until + MARGIN)
        for orbits, orbit in zip(result, every, strict=True):
            orbits[role] = orbit
    return result


def _from_grid(t: Array, data: Mapping[str, Array]) -> dict[str, StateNodes]:
    """Orbits of the roles that have positions and velocities."""
    return {
        role: StateNodes.from_grid(
            t, data[f"{role}.position"], data[f"{role}.velocity"]
        )
        for role in ("own", "donor")
        if f"{role}.position" in data and f"{role}.velocity" in data
    }


def _nodes(orbit: StateNodes | None, query: Array, beyond: float) -> StateNodes | None:
    """Orbit without holes around the samples; None without any epoch."""
    if orbit is None:
        return None
    nodes = orbit.filled(query[0] - MARGIN, query[-1] + MARGIN, beyond=beyond)
    return nodes if len(nodes.t) else None


class _Builder:
    """Steps of `build_geometry`, each adding to ``found`` and ``flags``."""

    def __init__(self, t: Array) -> None:
        self.t = t
        self.flags: FlagArray = np.zeros(len(t), dtype=np.uint8)
        self.found: dict[str, Array] = {}
        self.own: StateNodes | None = None
        self.twin: StateNodes | None = None
        self.stand_in: StateNodes | None = None

    def mark(self, name: str, where: BoolArray | bool) -> None:
        """Set a bit of the flags."""
        self.flags |= np.where(where, FLAGS[name], 0).astype(np.uint8)

    def orbits(
        self, own: StateNodes | None, twin: StateNodes | None, pair: Pair
    ) -> None:
        """Position, angles of the orbit, and where they come from."""
        self.own, self.twin = own, twin
        if twin is not None:
            self.mark("twin_orbit_propagated", twin.propagated_at(self.t))
            self.stand_in = twin.shifted(pair.lag or 0.0)
        if own is None and twin is None:
            self.mark("orbit_missing", True)
            return
        nodes = nodes_around(self.t, ORBIT_STEP)
        position, velocity = self.states(nodes)
        angle = argument_of_latitude(position, velocity)
        momentum = cross(position, velocity)
        # the angle grows by h / r^2, but for the node's drift of 1e-7 rad/s cos i
        rate = np.sqrt((momentum**2).sum(1)) / (position**2).sum(1)
        self.position = hermite(self.t, nodes, position, velocity)
        self.found["latitude_argument"] = hermite(
            self.t, nodes, angle, rate, period=2 * np.pi
        )
        sun = sunlight.sun_position(nodes)
        elevation = np.rad2deg(sunlight.beta_prime(position, velocity, sun))
        self.found["beta_prime"] = linear(self.t, nodes, elevation)
        latitude, ascension, height = geodetic(self.position)
        east = np.rad2deg(ascension - greenwich_angle(self.t))
        self.found["latitude"] = np.rad2deg(latitude)
        self.found["longitude"] = east - 360 * np.rint(east / 360)
        self.found["height"] = height
        self.ascension = ascension
        self.mark("orbit_missing", np.isnan(height))

    def states(self, t: Array) -> tuple[Array, Array]:
        """Own position and velocity, the twin's where there is no own orbit."""
        missing = np.ones(len(t), dtype=bool)
        position, velocity = np.full((2, len(t), 3), np.nan)
        if self.own is not None:
            position, velocity = self.own.at(t)
            missing = np.isnan(position[:, 0])
            self.mark("orbit_propagated", self.own.propagated_at(self.t))
        if missing.any() and self.stand_in is not None:
            position[missing], velocity[missing] = self.stand_in.at(t[missing])
            own = linear(self.t, t, missing.astype(np.float64)) > 0
            self.mark("orbit_from_twin", own)
        return position, velocity

    def lags(self, pair: Pair) -> None:
        """Lag per epoch, the pair's constant one where orbits give none."""
        if self.own is not None and self.twin is not None:
            nodes = nodes_around(self.t, LAG_STEP, margin=1)
            lag = lag_to_twin(self.own, self.twin, nodes)
            self.found["lag"] = cubic(self.t, nodes, lag)
        elif pair.lag is not None:
            self.found["lag"] = np.full(len(self.t), np.nan)
        if "lag" not in self.found:
            self.mark("lag_missing", True)
            return
        missing = np.isnan(self.found["lag"])
        if pair.lag is not None:
            self.found["lag"][missing] = pair.lag
        self.mark("lag_missing" if pair.lag is None else "lag_constant", missing)

    def sunlight(self) -> None:
        """Shadow and local solar time."""
        if "height" not in self.found:
            return
        nodes = nodes_around(self.t, SUN_STEP)
        sun = linear(self.t, nodes, sunlight.sun_position(nodes))
        self.found["shadow"] = sunlight.shadow_factor(self.position, sun)
        noon = np.arctan2(sun[:, 1], sun[:, 0])
        hours = 12 + 12 / np.pi * (self.ascension - noon)
        self.found["local_solar_time"] = hours % 24

    def attitudes(self, own: Attitude, twin: Attitude, pair: Pair) -> None:
        """Attitude of both, the Sun in the SRF."""
        facing = 1.0 if pair.lag is None or pair.lag < 0 else -1.0
        q = own.at(self.t)
        missing = np.isnan(q[:, 0])
        self.mark("attitude_nominal", missing)
        if missing.any():
            q[missing] = self.nominal(self.t[missing], own=True, facing=facing)
        if np.isfinite(q).any():
            self.found["own_attitude"] = q
            nodes = nodes_around(self.t, SUN_STEP)
            sun = to_celestial(nodes, sunlight.sun_position(nodes))
            sun /= np.linalg.norm(sun, axis=1, keepdims=True)
            self.found["sun"] = rotate(q, linear(self.t, nodes, sun))
        if pair.donor is None or "lag" not in self.found:
            return
        there = self.t + self.found["lag"]
        q = twin.at(there)
        missing = np.isnan(q[:, 0])
        self.mark("twin_attitude_nominal", missing)
        if missing.any():
            q[missing] = self.nominal(there[missing], own=False, facing=-facing)
        if np.isfinite(q).any():
            self.found["twin_attitude"] = q

    def nominal(self, query: Array, *, own: bool, facing: float) -> Array:
        """Nominal attitude of this satellite or of its twin; NaN without orbit."""
        result = np.full((len(query), 4), np.nan)
        finite = np.isfinite(query)
        nodes, other = (self.own, self.twin) if own else (self.twin, self.own)
        if own and nodes is None:
            nodes, other = self.stand_in, None
        if nodes is None or not finite.any():
            return result
        epochs = nodes_around(query[finite], LAG_STEP)
        near = None if other is None else other.at(epochs)[0]
        frames = nominal_attitude(epochs, nodes.at(epochs), near, facing=facing)
        result[finite] = frames.at(query[finite])
        return result
