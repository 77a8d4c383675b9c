"""Attitude: quaternions of SCA1B, the nominal frame, and rotations by them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.earth import cross, precession
from gracelstm_xr.physics.plausible import plausible_attitude

#: Longest distance between two attitudes that is interpolated [s].
MAX_ATTITUDE_STEP = 60.0
#: Quaternions of neighbours whose product is smaller are a turn, not a motion.
SAME = 0.99
#: Cosine between flight direction and the line to the twin below which the twin
#: is passing by and x does not follow it.
ALONG = 0.97


def quaternion_matrix(quaternion: Array) -> Array:
    """Rotation matrices from inertial to SRF components.

    Parameters
    ----------
    quaternion : ndarray, shape (n, 4)
        SCA1B quaternions, scalar first; need not be normalised.

    Returns
    -------
    ndarray, shape (n, 3, 3)
        Rows are the SRF axes in the inertial frame (ATBD v1.2).
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_quat(quaternion, scalar_first=True)
    return np.asarray(turn.as_matrix().transpose(0, 2, 1))


def rotate(quaternion: Array, vector: Array, *, back: bool = False) -> Array:
    """Inertial vectors in the SRF, or the other way; `quaternion_matrix` applied.

    Parameters
    ----------
    quaternion : ndarray, shape (n, 4)
        Scalar first; need not be normalised.
    vector : ndarray, shape (n, 3)
    back : bool
        From the SRF to the inertial frame.

    Returns
    -------
    ndarray, shape (n, 3)
    """
    q0, a, b, c = quaternion.T
    if back:
        q0 = -q0
    x, y, z = vector.T
    square = a * a + b * b + c * c
    norm = q0 * q0 + square
    p = 2 * (a * x + b * y + c * z) / norm
    s = (q0 * q0 - square) / norm
    q0 = 2 * q0 / norm
    return np.stack(
        [
            s * x + p * a - q0 * (b * z - c * y),
            s * y + p * b - q0 * (c * x - a * z),
            s * z + p * c - q0 * (a * y - b * x),
        ],
        axis=-1,
    )


class Attitude(NamedTuple):
    """Quaternions at increasing epochs, to be interpolated.

    Attributes
    ----------
    t : ndarray, shape (n,)
        GPS seconds.
    quaternion : ndarray, shape (n, 4)
        Celestial frame to SRF, scalar first.
    """

    t: Array
    quaternion: Array

    @classmethod
    def from_grid(cls, t: Array, quaternion: Array | None) -> Attitude:
        """Epochs of a grid that are not NaN; none without a grid."""
        if quaternion is None:
            return cls(np.zeros(0), np.zeros((0, 4)))
        known = plausible_attitude(quaternion)
        return cls(t[known], quaternion[known])

    def at(self, query: Array) -> Array:
        """Attitude at ``query``, linear between epochs at most 60 s apart.

        NaN elsewhere. Across a jump of more than 16 degrees the nearer epoch counts.
        """
        result = np.full((len(query), 4), np.nan)
        if len(self.t) < 2:
            return result
        i = np.searchsorted(self.t, query, side="right") - 1
        i = np.clip(i, 0, len(self.t) - 2)
        step = np.diff(self.t)
        turn = (self.quaternion[1:] * self.quaternion[:-1]).sum(axis=1)
        covered = (query >= self.t[0]) & (query <= self.t[-1])
        covered &= (step <= MAX_ATTITUDE_STEP)[i]
        if not covered.all():
            i, query = i[covered], query[covered]
        s = (query - self.t[i]) / step[i]
        s = np.where((np.abs(turn) < SAME)[i], np.rint(s), s)
        # q and -q are one attitude: add the nearer of the two
        w = s * np.where(turn < 0, -1.0, 1.0)[i]
        first, second = self.quaternion[i], self.quaternion[i + 1]
        result[covered] = (1 - s)[:, None] * first + w[:, None] * second
        return result


def nominal_frame(
    position: Array, velocity: Array, facing: Array, *, twin: Array | None = None
) -> Array:
    """Matrices from inertial to nominal SRF: x toward the twin, y horizontal.

    Parameters
    ----------
    position, velocity : ndarray, shape (n, 3)
        Inertial state [m], [m s-1].
    facing : ndarray, shape (n,)
        +1 flies with x forward (twin ahead), -1 backward (twin behind).
    twin : ndarray, shape (n, 3), optional
        Inertial position of the twin [m]. Without it, or while it passes by, z
        points straight down and x along the track.

    Returns
    -------
    ndarray, shape (n, 3, 3)
        Rows are the nominal axes in the inertial frame.
    """
    z = -_unit(position)
    y = _unit(cross(z, velocity)) * facing[:, None]
    x = cross(y, z)
    if twin is not None:
        line = _unit(twin - position)
        use = np.abs((line * x).sum(axis=1)) > ALONG
        x = np.where(use[:, None], line, x)
        y = np.where(use[:, None], _unit(cross(z, x)), y)
        z = cross(x, y)
    return np.stack([x, y, z], axis=1)


def nominal_attitude(
    t: Array, own: tuple[Array, Array], twin: Array | None, *, facing: float = 1.0
) -> Attitude:
    """Nominal frames as attitudes in the celestial frame.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds.
    own : tuple of ndarray, shape (n, 3)
        Inertial position [m] and velocity [m s-1].
    twin : ndarray, shape (n, 3), or None
        Inertial position of the twin [m].
    facing : float
        +1 with x forward, -1 backward; used where ``twin`` is missing.
    """
    from scipy.spatial.transform import Rotation

    position, velocity = own
    ahead = np.full(len(t), facing)
    if twin is not None:
        along = ((twin - position) * velocity).sum(axis=1)
        ahead = np.where(np.isfinite(along), np.where(along < 0, -1.0, 1.0), facing)
    frames = nominal_frame(position, velocity, ahead, twin=twin) @ precession(t)
    finite = np.isfinite(frames).all(axis=(1, 2))
    if not finite.any():
        return Attitude(np.zeros(0), np.zeros((0, 4)))
    turn = Rotation.from_matrix(frames[finite].transpose(0, 2, 1))
    return Attitude(t[finite], np.asarray(turn.as_quat(scalar_first=True)))


def _unit(vector: Array) -> Array:
    length = np.sqrt((vector * vector).sum(axis=1, keepdims=True))
    return np.asarray(vector / np.where(length > 0, length, 1.0))
