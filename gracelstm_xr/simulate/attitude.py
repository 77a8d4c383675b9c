"""Attitude: x axis at the twin, z axis down, and a wobble of its own per satellite."""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.simulate import geometry
from gracelstm_xr.simulate.config import Scenario
from gracelstm_xr.simulate.rng import Streams

#: Knot spacing [s] and standard deviation [deg] of roll, pitch and yaw.
WOBBLE = (
    (120, (0.020, 0.010, 0.015)),
    (480, (0.070, 0.040, 0.070)),
    (1920, (0.060, 0.040, 0.060)),
)
#: Noise of the star camera solution about each axis [rad].
CAMERA_NOISE = 2.5e-5


def wobble(scenario: Scenario, day: int, t: Array, satellite: int) -> Array:
    """Roll, pitch and yaw away from the nominal attitude [rad], shape (n, 3).

    A part that repeats with the orbit, as the magnetic torques do, and a random
    one between the limits of the controller.
    """
    streams = Streams(scenario.seed)
    draw = streams.generator(f"attitude/{satellite}")
    size = draw.uniform(0.04, 0.12, (2, 3))
    phase = draw.uniform(0, 2 * np.pi, (2, 3))
    rate = geometry.nodal_rate(scenario)
    turns = (rate * 86400.0 * day) % (2 * np.pi) + rate * t
    angles = np.zeros((len(t), 3))
    for harmonic in (1, 2):
        row = harmonic - 1
        angles += size[row] * np.cos(harmonic * turns[:, None] + phase[row])
    for step, sigma in WOBBLE:
        name = f"wobble/{step}/{satellite}"
        angles += np.array(sigma) * streams.smooth(name, day, t, step, 3)
    result: Array = np.deg2rad(angles)
    return result


def matrices(position: Array, twin: Array, angles: Array) -> Array:
    """Attitude from both positions and the wobble.

    Parameters
    ----------
    position, twin : ndarray, shape (n, 3)
        Positions of the satellite and of its twin in one frame [m].
    angles : ndarray, shape (n, 3)
        Roll, pitch and yaw [rad].

    Returns
    -------
    ndarray, shape (n, 3, 3)
        Rows are the SRF axes in that frame.
    """
    x = twin - position
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.cross(-position, x)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    nominal = np.stack([x, y, np.cross(x, y)], axis=1)
    result: Array = np.einsum("nij,njk->nik", _rotation(angles), nominal)
    return result


def _rotation(angles: Array) -> Array:
    """Passive rotations about x, then y, then z, shape (n, 3, 3)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(angles).T, np.sin(angles).T
    rows = [
        cy * cp, cy * sp * sr + sy * cr, sy * sr - cy * sp * cr,
        -sy * cp, cy * cr - sy * sp * sr, sy * sp * cr + cy * sr,
        sp, -cp * sr, cp * cr,
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


def quaternions(attitude: Array, noise: Array) -> Array:
    """Quaternions from inertial to SRF, scalar first, as in SCA1B.

    Parameters
    ----------
    attitude : ndarray, shape (n, 3, 3)
        Rows are the SRF axes in the inertial frame.
    noise : ndarray, shape (n, 3)
        Errors of the star cameras about the three axes, unit variance.

    Returns
    -------
    ndarray, shape (n, 4)
        Unit quaternions, sign kept continuous, first scalar part positive.
    """
    from scipy.spatial.transform import Rotation

    measured = np.einsum("nij,njk->nik", _rotation(CAMERA_NOISE * noise), attitude)
    turn = Rotation.from_matrix(measured.transpose(0, 2, 1))
    q = turn.as_quat(scalar_first=True)
    same = (q[1:] * q[:-1]).sum(1) >= 0
    sign = np.cumprod(np.where(np.concatenate([[q[0, 0] >= 0], same]), 1.0, -1.0))
    result: Array = q * sign[:, None]
    return result
