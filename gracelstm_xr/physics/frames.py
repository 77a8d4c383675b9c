"""Named covariates of one satellite: geometry, twin, shadow and thrusters.

A `Frame` holds them as numpy arrays for one recipient over one stretch of time;
baselines and networks work on frames. `gracelstm_xr.physics.features` shows users the
same numbers as a lazy, labelled Dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics.attitude import rotate
from gracelstm_xr.physics.firings import filtered_on_time
from gracelstm_xr.physics.geometry import Geometry, build_geometry
from gracelstm_xr.physics.lag import LONGEST_LAG
from gracelstm_xr.physics.states import PROPAGATED, StateNodes
from gracelstm_xr.signal.interpolation import lagrange

if TYPE_CHECKING:
    import xarray as xr


#: Seconds before and after a block that its covariates may depend on [s]: the
#: reach of a propagated orbit, the longest lag and half the filter window.
HALO = PROPAGATED + LONGEST_LAG + 600.0
#: Names of the variables a frame is built from, where a Dataset has them.
INPUTS = ("lin_accl", "position", "velocity", "quaternion", "thruster_on_time")
#: Groups of covariates that a network may see beside the residual and its mask.
FEATURES = ("donor", "orbit", "sun", "thrusters", "time")
#: Rotation between the SRFs of two satellites that face each other.
FACING = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Extra:
    """A user's variable as a covariate.

    Attributes
    ----------
    name : str
        Of the variable, over time or satellite and time.
    mean, scale : float
        Mean and standard deviation on the training span, in its unit.
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0


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
    extras : tuple of Extra
        Variables of the user, in the order of their channels.
    """

    recipient: str
    donor: str | None = None
    donor_offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lag: float | None = None
    extras: tuple[Extra, ...] = ()


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
        Unit vector to the Sun in the SRF times ``shadow``.
    own_thrust, donor_thrust : ndarray, shape (n, 6), or None
        On-time per attitude pair, convolved with the response of the ACC1B
        low-pass [ms s-1]; the donor's at the lag.
    firing : ndarray, shape (n,), or None
        Time to the nearest firing of either satellite [s], the donor's at the lag;
        infinite where there is none within ten minutes.
    extras : ndarray, shape (n, k), or None
        Variables of the user, their mean removed, in standard deviations.
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
    firing: Array | None = None
    extras: Array | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.t)

    def apply(self, function: Callable[[Array], Array]) -> Frame:
        """Same frame with ``function`` applied to every array it has."""
        return Frame(**{k: function(v) for k, v in self.arrays().items()})

    def arrays(self) -> dict[str, Array]:
        """Arrays that are present, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def take(self, index: slice | npt.NDArray[np.int64]) -> Frame:
        """Samples at ``index``."""
        return self.apply(lambda values: values[index])

    def thrust_at(self, index: slice | npt.NDArray[np.int64]) -> Array | None:
        """On-time of all own pairs together [ms s-1], filtered; None without data."""
        if self.own_thrust is None:
            return None
        return np.asarray(np.abs(self.own_thrust[index]).sum(axis=1))

    def every(self, step: float) -> tuple[Frame, slice]:
        """Samples on whole multiples of ``step`` seconds.

        ACC1B is low-passed at 35 mHz, so that picking every tenth second loses
        nothing (Nyquist 50 mHz).

        Returns
        -------
        Frame, slice
            The thinned frame and where its samples stand in this one.
        """
        index = whole_steps(self.t, step)
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


def with_data(frames: Sequence[Frame]) -> list[Frame]:
    """Frames without the covariates that hold no value in any of them.

    A product that was asked for and is nowhere to be found must not count as seen.
    """
    empty = {
        name
        for name in set.union(*(set(f.arrays()) for f in frames)) - {"t", "own"}
        if not any(np.isfinite(f.arrays().get(name, np.nan)).any() for f in frames)
    }
    return [
        Frame(**{n: v for n, v in f.arrays().items() if n not in empty}) for f in frames
    ]


def frame_inputs(ds: xr.Dataset, pair: Pair) -> dict[str, xr.DataArray]:
    """Variables a frame needs, keyed ``own.<name>`` and ``donor.<name>``.

    Lazy: selects, never computes. Samples condemned by cleaning are missing.

    Raises
    ------
    GraceError
        When the donor is not in ``ds``.
    """
    if alone_without_twin(ds, pair) != pair:
        raise GraceError(
            f"found no satellite {pair.donor!r}, expected it as the donor of "
            f"{pair.recipient!r}: use a Dataset with both, or fit on one satellite"
        )
    if "lin_accl" in ds:
        ds = ds.assign(lin_accl=usable(ds))
    roles = {"own": pair.recipient, "donor": pair.donor}
    return {
        f"{role}.{name}": _of_satellite(ds[name], satellite).transpose("time", ...)
        for role, satellite in roles.items()
        if satellite is not None
        for name in (*INPUTS, *(e.name for e in pair.extras if role == "own"))
        if name in ds
    }


def alone_without_twin(ds: xr.Dataset, pair: Pair) -> Pair:
    """Pair as it is, or without the donor where ``ds`` does not hold it."""
    if pair.donor is None or pair.donor in np.atleast_1d(ds["satellite"].values):
        return pair
    return replace(pair, donor=None)


def _of_satellite(array: xr.DataArray, satellite: str) -> xr.DataArray:
    """Series of one satellite; a single one has no dimension."""
    if "satellite" not in array.dims:
        return array
    return array.sel(satellite=satellite)


def build_frame(
    t: Array,
    inputs: Mapping[str, npt.ArrayLike],
    pair: Pair,
    *,
    keep: slice | IntArray | None = None,
    beyond: float = PROPAGATED,
    orbits: Mapping[str, StateNodes] | None = None,
) -> Frame:
    """Covariates from raw variables of recipient and donor.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds.
    inputs : mapping of str to array
        Arrays of `frame_inputs`, loaded, time first.
    pair : Pair
    keep : slice or ndarray of int64, optional
        Samples wanted, in increasing order, the others being context; all by default.
        A sample has the same value in whatever company.
    beyond : float
        How far orbits are propagated past their last epoch [s], at least 3 h.
    orbits : mapping of str to StateNodes, optional
        Instead of those that the inputs give, see `geometry.orbits_until`.

    Returns
    -------
    Frame
        With what the inputs allow; orbit-based covariates are absent without
        GNV1B, the donor without a lag.
    """
    samples = slice(0, len(t)) if keep is None else keep
    data = loaded(inputs)
    geometry = build_geometry(t, data, pair, samples, beyond=beyond, orbits=orbits)
    return assemble(t, data, pair, geometry, samples)


def thin_frame(
    t: Array,
    inputs: Mapping[str, npt.ArrayLike],
    pair: Pair,
    *,
    keep: slice,
    step: float,
) -> Frame:
    """Covariates at whole multiples of ``step`` seconds, without those in between.

    Parameters
    ----------
    t, inputs, pair
        As in `build_frame`.
    keep : slice
        Part of the stretch wanted.
    step : float
        Working step [s].

    Returns
    -------
    Frame
        As ``build_frame(t, inputs, pair, keep=keep).every(step)[0]``, in a third of
        the time.
    """
    index = np.arange(len(t))[keep]
    return build_frame(t, inputs, pair, keep=index[whole_steps(t[keep], step)])


def whole_steps(t: Array, step: float) -> slice:
    """Where regular times are whole multiples of ``step`` seconds."""
    base = t[1] - t[0] if len(t) > 1 else step
    ratio = max(round(step / base), 1)
    first = round((-t[0] % step) / base) % ratio if len(t) else 0
    return slice(int(first), None, ratio)


def loaded(inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """Arrays of `frame_inputs` as float64."""
    return {k: np.asarray(v, dtype=np.float64) for k, v in inputs.items()}


def assemble(
    t: Array,
    data: Mapping[str, Array],
    pair: Pair,
    geometry: Geometry,
    keep: slice | IntArray,
) -> Frame:
    """Frame of the samples ``keep`` from loaded inputs and their geometry."""
    inner, lag = geometry.t, geometry.lag
    own = data.get("own.lin_accl")
    frame = Frame(
        t=inner,
        own=np.full((len(inner), 3), np.nan) if own is None else own[keep],
        lag=lag,
        latitude_argument=geometry.latitude_argument,
        shadow=geometry.shadow,
    )
    if pair.extras:
        frame = replace(frame, extras=_extras(data, pair.extras, keep))
    if geometry.shadow is not None and geometry.sun is not None:
        frame = replace(frame, sun=geometry.shadow[:, None] * geometry.sun)
    if "own.thruster_on_time" in data:
        fired = filtered_on_time(t, data["own.thruster_on_time"])
        near = _firing(t, data["own.thruster_on_time"], inner)
        frame = replace(frame, own_thrust=fired[keep], firing=near)
    if pair.donor is None or lag is None:
        return frame
    if "donor.thruster_on_time" in data:
        fired = filtered_on_time(t, data["donor.thruster_on_time"])
        near = _firing(t, data["donor.thruster_on_time"], inner + lag)
        if frame.firing is not None:
            near = np.minimum(near, frame.firing)
        fired = lagrange(fired, t, inner + lag, fill=0.0)
        frame = replace(frame, donor_thrust=fired, firing=near)
    if "donor.lin_accl" not in data:
        return frame
    raw = _unbiased(data["donor.lin_accl"], np.array(pair.donor_offset))
    return replace(frame, donor=to_recipient(lagrange(raw, t, inner + lag), geometry))


def _extras(
    data: Mapping[str, Array], extras: Sequence[Extra], keep: slice | IntArray
) -> Array:
    """Variables of the user in standard deviations, shape (n, k); NaN where absent."""
    none = np.full(next(iter(data.values())).shape[0], np.nan)
    columns = [data.get(f"own.{e.name}", none)[keep] for e in extras]
    mean, scale = (np.array([getattr(e, x) for e in extras]) for x in ("mean", "scale"))
    return np.asarray((np.stack(columns, axis=1) - mean) / scale)


def _firing(t: Array, on_time: Array, when: Array) -> Array:
    """Time to the nearest firing [s] at ``when``, infinite where there is none."""
    fired = t[(on_time[:, :12] > 0).any(axis=1)]
    if len(fired) == 0:
        return np.full(len(when), np.inf)
    after = np.searchsorted(fired, when)
    low, high = (
        fired[np.maximum(after - 1, 0)],
        fired[np.minimum(after, len(fired) - 1)],
    )
    nearest = np.minimum(np.abs(when - low), np.abs(high - when))
    # farther ones depend on where the block begins; an unknown time has none
    return np.where(nearest <= 600, nearest, np.inf)


def _unbiased(raw: Array, offset: Array) -> Array:
    """Series minus its offset; an axis never observed among observed ones is 0."""
    dead = np.isnan(offset)
    result: Array = raw - offset
    if not dead.all():
        result[:, dead] = 0.0
    return result


def to_recipient(shifted: Array, geometry: Geometry) -> Array:
    """Donor vectors at the lag, shape (n, 3), in the recipient's SRF.

    Where neither SCA1B nor an orbit gives an attitude, by the half turn about z of
    two satellites that face each other.
    """
    own, twin = geometry.own_attitude, geometry.twin_attitude
    if own is None or twin is None:
        return np.asarray(shifted * FACING)
    turned = rotate(own, rotate(twin, shifted, back=True))
    unknown = np.isnan(own[:, 0]) | np.isnan(twin[:, 0])
    turned[unknown] = shifted[unknown] * FACING
    return turned
