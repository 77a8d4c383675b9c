"""The GRACE macro model: forces of air and light on flat plates.

Areas, normals and optical properties are those of Bettadpur (2012), GRACE Product
Specification Document (CSR-GR-03-02), boom included; GRACE-FO has the same shape (Wen
et al. 2019, GRACE-FO Level-1 Data Product User Handbook).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gracelstm_xr.arrays import Array

#: Front, rear, starboard outer and inner, port outer and inner, nadir, zenith, boom.
AREA = np.array([0.9551567, 0.9551567, 3.1554792, 0.2282913, 3.1554792, 0.2282913,
                 6.0711120, 2.1673620, 0.0461901])  # fmt: skip
#: Outward normals in the SRF.
NORMAL = np.array([[1, 0, 0], [-1, 0, 0], [0, 0.766044, -0.642787],
                   [0, -0.766044, 0.642787], [0, -0.766044, -0.642787],
                   [0, 0.766044, 0.642787], [0, 0, 1], [0, 0, -1],
                   [0, 0, 1]])  # fmt: skip
#: Specular and diffuse reflectivity, visible and infrared.
VISIBLE = np.array([[0.40, 0.26], [0.40, 0.26], [0.05, 0.30], [0.68, 0.20],
                    [0.05, 0.30], [0.68, 0.20], [0.68, 0.20], [0.05, 0.30],
                    [0.40, 0.26]])  # fmt: skip
INFRARED = np.array([[0.23, 0.15], [0.23, 0.15], [0.03, 0.16], [0.19, 0.06],
                     [0.03, 0.16], [0.19, 0.06], [0.19, 0.06], [0.03, 0.16],
                     [0.23, 0.15]])  # fmt: skip
SPEED_OF_LIGHT = 299_792_458.0
BOLTZMANN = 1.380649e-23
DALTON = 1.66053906660e-27
#: Molecular masses [u] of N2, O2, O, He, H, Ar, N, anomalous O, NO (order of pymsis).
MOLECULES = np.array([28.0134, 31.9988, 15.9994, 4.0026, 1.00794, 39.948, 14.0067,
                      15.9994, 30.0061])  # fmt: skip
#: Temperature of the walls [K], and share of the molecules that leave with it.
WALL, ACCOMMODATION = 300.0, 0.93
#: Species that carry less of the mass than this are left out.
TRACE = 1e-4


class Air(NamedTuple):
    """Atmosphere at n places.

    Attributes
    ----------
    number : ndarray, shape (n, 9)
        Number densities of `MOLECULES` [m-3].
    temperature : ndarray, shape (n,)
        [K]
    """

    number: Array
    temperature: Array


def drag(flow: Array, air: Air, mass: float) -> Array:
    """Drag and lift of all plates in free molecular flow.

    Parameters
    ----------
    flow : ndarray, shape (n, 3)
        Velocity of the satellite relative to the air, in the SRF [m s-1].
    air : Air
    mass : float
        [kg]

    Returns
    -------
    ndarray, shape (n, 3)
        [m s-2], in the SRF.

    Notes
    -----
    Sentman (1961) for each kind of molecule at its own thermal speed, diffuse
    re-emission with incomplete accommodation (Doornbos 2012, section 3.3).
    """
    speed = np.linalg.norm(flow, axis=1)
    along = flow / speed[:, None]
    cosine = along @ NORMAL.T
    total = np.zeros_like(flow)
    density = DALTON * air.number * MOLECULES
    shares = density.sum(axis=0) / density.sum()
    for k in np.flatnonzero(shares > TRACE):
        molecule = DALTON * MOLECULES[k]
        ratio = speed / np.sqrt(2 * BOLTZMANN * air.temperature / molecule)
        leaving = 4 * BOLTZMANN / molecule * WALL / speed**2
        emitted = np.sqrt(0.5 * (1 + ACCOMMODATION * (leaving - 1)))
        force = _sentman(cosine, ratio[:, None], emitted[:, None])
        pressed = (force[0] @ AREA)[:, None] * along + force[1] @ (
            AREA[:, None] * NORMAL
        )
        total -= (0.5 * density[:, k] * speed**2 / mass)[:, None] * pressed
    return total


def _sentman(cosine: Array, s: Array, emitted: Array) -> tuple[Array, Array]:
    """Coefficients along the flow and along the normal, shape (n, plates)."""
    from scipy.special import erf

    gs = cosine * s
    hit = 1 + erf(gs)
    edge = np.exp(-(gs**2)) / s
    along = edge / np.sqrt(np.pi) + cosine * hit
    normal = hit / (2 * s**2)
    normal += 0.5 * emitted * (cosine * np.sqrt(np.pi) * hit + edge)
    return along, normal


def pressure(toward: Array, flux: Array, mass: float, *, infrared: bool) -> Array:
    """Acceleration by light.

    Parameters
    ----------
    toward : ndarray, shape (n, 3)
        Unit vector to the source, in the SRF.
    flux : ndarray, shape (n,)
        [W m-2]
    mass : float
        [kg]
    infrared : bool
        Whether the infrared reflectivities apply.

    Returns
    -------
    ndarray, shape (n, 3)
        [m s-2], in the SRF.

    Notes
    -----
    Milani et al. (1987): absorbed, specularly and diffusely (Lambert) reflected
    light; absorbed light is not re-emitted.
    """
    optics = INFRARED if infrared else VISIBLE
    specular, diffuse = optics.T
    cosine = np.maximum(toward @ NORMAL.T, 0.0)
    seen = AREA * cosine
    along = seen @ (1 - specular)
    normal = (seen * (2 * specular * cosine + 2 / 3 * diffuse)) @ NORMAL
    force = along[:, None] * toward + normal
    return np.asarray(-force * (flux / (SPEED_OF_LIGHT * mass))[:, None])
