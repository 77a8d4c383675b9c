"""Named covariates of one satellite: geometry, twin, shadow and thrusters.

A `Frame` holds them as numpy arrays for one recipient over one stretch of time;
baselines and networks work on frames. `gracelstm_xr.features` shows users the same
numbers as a lazy, labelled Dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gracelstm_xr import orbit
from gracelstm_xr.cleaning import crn_filter

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["HALO", "Frame", "Pair", "build_frame", "frame_inputs"]

Array = npt.NDArray[np.float64]

#: Seconds before and after a block that its covariates may depend on [s]: the
#: longest hole bridged in the orbit, one lag and half the filter window.
HALO = 900
#: Names of the variables a frame is built from, where a Dataset has them.
INPUTS = ("lin_accl", "position", "velocity", "quaternion", "thruster_on_time")
#: Rotation between the SRFs of two satellites that face each other.
FACING = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Pair:
    """Who is filled, from whom, and the constants that describe the two.

    Attributes
    ----------
    recipient : str
        Satellite whose series has the gaps.
    donor : str or None
        Its twin, None for a single satellite.
    donor_offset : tuple of float
        Mean of the donor's raw series on the training spans [m s-2], removed
        before rotation so that its bias does not leak between axes; NaN for an axis
        without data.
    lag : float or None
        Constant lag to the twin [s] where no orbit gives it per epoch.
    """

    recipient: str
    donor: str | None = None
    donor_offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lag: float | None = None


@dataclass(frozen=True)
class Frame:
    """Series and covariates of one recipient on a regular grid.

    Attributes
    ----------
    t : ndarray, shape (n,)
        GPS seconds past 2000-01-01T12:00:00.
    own : ndarray, shape (n, 3)
        Raw acceleration in the SRF [m s-2]; NaN where missing.
    donor : ndarray, shape (n, 3), or None
        Twin's acceleration at the lag, offset removed, rotated into the
        recipient's SRF [m s-2].
    lag : ndarray, shape (n,), or None
        Lag to the twin [s].
    latitude_argument : ndarray, shape (n,), or None
        Argument of latitude [rad].
    shadow : ndarray, shape (n,), or None
        Visible fraction of the Sun.
    sun : ndarray, shape (n, 3), or None
        Unit vector to the Sun in the nominal SRF, zero in the umbra.
    own_thrust, donor_thrust : ndarray, shape (n, 6), or None
        On-time per attitude pair, convolved with the response of the ACC1B
        low-pass [ms s-1]; the donor's at the lag.
    """

    t: Array
    own: Array
    donor: Array | None = None
    lag: Array | None = None
    latitude_argument: Array | None = None
    shadow: Array | None = None
    sun: Array | None = None
    own_thrust: Array | None = None
    donor_thrust: Array | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.t)

    def apply(self, function: Callable[[Array], Array]) -> Frame:
        """Same frame with ``function`` applied to every array it has."""
        return Frame(**{k: function(v) for k, v in self.arrays().items()})

    def arrays(self) -> dict[str, Array]:
        """Arrays that are present, by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    def take(self, index: slice | npt.NDArray[np.int64]) -> Frame:
        """Samples at ``index``."""
        return self.apply(lambda values: values[index])

    def every(self, step: float) -> tuple[Frame, slice]:
        """Samples on whole multiples of ``step`` seconds.

        ACC1B is low-passed at 35 mHz, so that picking every tenth second loses
        nothing (Nyquist 50 mHz).

        Returns
        -------
        Frame, slice
            The thinned frame and where its samples stand in this one.
        """
        base = self.t[1] - self.t[0] if len(self) > 1 else step
        ratio = max(round(step / base), 1)
        first = round((-self.t[0] % step) / base) % ratio
        index = slice(int(first), None, ratio)
        return self.take(index), index

    def hide(self, hidden: npt.NDArray[np.bool_]) -> Frame:
        """Same frame with the own series missing where ``hidden`` is True."""
        return replace(self, own=np.where(hidden[:, None], np.nan, self.own))

    @staticmethod
    def join(frames: list[Frame]) -> Frame:
        """One frame from consecutive ones; keeps what all of them have."""
        names = set.intersection(*(set(f.arrays()) for f in frames))
        return Frame(
            **{n: np.concatenate([f.arrays()[n] for f in frames]) for n in names}
        )


def frame_inputs(ds: xr.Dataset, pair: Pair) -> dict[str, xr.DataArray]:
    """Variables a frame needs, keyed ``own.<name>`` and ``donor.<name>``.

    Lazy: selects, never computes.
    """
    roles = {"own": pair.recipient, "donor": pair.donor}
    return {
        f"{role}.{name}": ds[name].sel(satellite=satellite).transpose("time", ...)
        for role, satellite in roles.items()
        if satellite is not None
        for name in INPUTS
        if name in ds
    }


def build_frame(t: Array, inputs: Mapping[str, npt.ArrayLike], pair: Pair) -> Frame:
    """Covariates from raw variables of recipient and donor.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    inputs : mapping of str to array
        Arrays of `frame_inputs`, loaded, time first.
    pair : Pair

    Returns
    -------
    Frame
        With what the inputs allow; orbit-based covariates are absent without
        GNV1B, the donor without a lag.
    """
    data = {k: np.asarray(v, dtype=np.float64) for k, v in inputs.items()}
    own_orbit, twin_orbit = _nodes(t, data, "own"), _nodes(t, data, "donor")
    frame = Frame(t=t, own=data["own.lin_accl"])
    lag: Array | None = None
    if own_orbit is not None:
        frame = _with_geometry(frame, own_orbit, twin_orbit)
        lag = frame.lag
    if lag is None and pair.lag is not None:
        lag = np.full(len(t), pair.lag)
        frame = replace(frame, lag=lag)
    if "own.thruster_on_time" in data:
        frame = replace(frame, own_thrust=_thrust(t, data["own.thruster_on_time"]))
    if pair.donor is None or lag is None:
        return frame
    if "donor.thruster_on_time" in data:
        fired = _thrust(t, data["donor.thruster_on_time"])
        frame = replace(frame, donor_thrust=_at(fired, t, t + lag, fill=0.0))
    raw = _unbiased(data["donor.lin_accl"], np.array(pair.donor_offset))
    rotation = _rotation(t, lag, data)
    return replace(frame, donor=_rotated(_at(raw, t, t + lag), rotation))


def _unbiased(raw: Array, offset: Array) -> Array:
    """Series minus its offset; an axis never observed among observed ones is 0."""
    dead = np.isnan(offset)
    result: Array = raw - offset
    if not dead.all():
        result[:, dead] = 0.0
    return result


def _nodes(t: Array, data: Mapping[str, Array], role: str) -> orbit.StateNodes | None:
    position, velocity = data.get(f"{role}.position"), data.get(f"{role}.velocity")
    if position is None or velocity is None:
        return None
    nodes = orbit.StateNodes.from_grid(t, position, velocity)
    return nodes if len(nodes.t) > 1 else None


def _with_geometry(
    frame: Frame, own: orbit.StateNodes, twin: orbit.StateNodes | None
) -> Frame:
    t = frame.t
    position, velocity = own.at(t)
    sun = orbit.sun_position(t)
    shadow = orbit.shadow_factor(position, sun)
    facing = np.ones(len(t))
    if twin is not None:
        lag = _coarse(t, lambda coarse: orbit.lag_to_twin(own, twin, coarse))
        facing = np.where(np.isfinite(lag), np.sign(lag), 1.0)
        frame = replace(frame, lag=lag)
    axes = orbit.nominal_frame(position, velocity, facing)
    direction = np.einsum("nij,nj->ni", axes, sun - position)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return replace(
        frame,
        latitude_argument=orbit.argument_of_latitude(position, velocity),
        shadow=shadow,
        sun=shadow[:, None] * direction,
    )


def _coarse(t: Array, function: Callable[[Array], Array]) -> Array:
    """Evaluate a slowly varying function every 10 s and interpolate linearly.

    The lag bends by at most 2e-7 s in 5 s, far below its accuracy.
    """
    nodes = np.arange(np.floor(t[0] / 10), np.ceil(t[-1] / 10) + 1) * 10.0
    values = function(np.clip(nodes, t[0], t[-1]))
    result: Array = np.interp(t, np.clip(nodes, t[0], t[-1]), values)
    return result


def _at(values: Array, t: Array, query: Array, *, fill: float = np.nan) -> Array:
    """Four-point Lagrange interpolation on a regular grid.

    For content below 35 mHz sampled at 1 s the error is below 1e-4 of the signal.
    ``fill`` outside the grid; NaN where one of the four points is NaN.
    """
    x = (query - t[0]) / (t[1] - t[0])
    known = np.isfinite(x)
    base = np.floor(np.where(known, x, 0)).astype(np.int64)
    inside = known & (base >= 1) & (base < len(t) - 2)
    base = np.where(inside, base, 1)
    s = (np.where(inside, x, 1.0) - base)[:, None]
    result = (
        values[base - 1] * (-s * (s - 1) * (s - 2) / 6)
        + values[base] * ((s + 1) * (s - 1) * (s - 2) / 2)
        + values[base + 1] * (-(s + 1) * s * (s - 2) / 2)
        + values[base + 2] * ((s + 1) * s * (s - 1) / 6)
    )
    result[~inside] = fill
    return result


def _rotation(t: Array, lag: Array, data: Mapping[str, Array]) -> Array | None:
    """Matrices from the donor's SRF at the lag to the recipient's, shape (n, 3, 3)."""
    own = _quaternion_at(t, data.get("own.quaternion"), t)
    twin = _quaternion_at(t, data.get("donor.quaternion"), t + lag)
    if own is None or twin is None:
        return None
    turned = orbit.quaternion_matrix(twin).transpose(0, 2, 1)
    return np.asarray(orbit.quaternion_matrix(own) @ turned)


def _rotated(shifted: Array, rotation: Array | None) -> Array:
    """Donor vectors in the recipient's SRF.

    Without attitude of both, by the nominal half turn about z of two satellites that
    face each other.
    """
    nominal: Array = shifted * FACING
    if rotation is None:
        return nominal
    turned = (rotation @ shifted[:, :, None])[:, :, 0]
    known = np.isfinite(turned).all(axis=1, keepdims=True)
    return np.asarray(np.where(known, turned, nominal), dtype=np.float64)


def _quaternion_at(t: Array, sparse: Array | None, query: Array) -> Array | None:
    """Attitude at ``query``, linear between epochs at most 60 s apart.

    Signs are made continuous first; SCA1B comes every 1 or 5 s.
    """
    if sparse is None:
        return None
    good = np.isfinite(sparse).all(axis=1)
    if good.sum() < 2:
        return None
    epochs, q = t[good], sparse[good]
    flips = np.cumprod(np.where((q[1:] * q[:-1]).sum(1) < 0, -1.0, 1.0))
    q = q * np.concatenate([[1.0], flips])[:, None]
    safe = np.where(np.isfinite(query), query, epochs[0])
    result = np.stack([np.interp(safe, epochs, c) for c in q.T], axis=1)
    i = np.clip(np.searchsorted(epochs, safe), 1, len(epochs) - 1)
    late = (epochs[i] - epochs[i - 1] > 60.0) | ~np.isfinite(query)
    result[late | (safe < epochs[0] - 60) | (safe > epochs[-1] + 60)] = np.nan
    return result


def _thrust(t: Array, on_time: Array) -> Array:
    """On-time per attitude pair seen through the ACC1B low-pass [ms s-1]."""
    from scipy.signal import fftconvolve

    step = t[1] - t[0]
    # thruster k and k + 6 fire together: the pair's on-time is their mean
    pairs = np.nan_to_num((on_time[:, :6] + on_time[:, 6:12]) / 2)
    kernel = crn_filter(step, delay=0.5)[:, None]
    result: Array = fftconvolve(pairs, kernel, mode="same", axes=0)
    return result
