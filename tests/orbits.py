"""Orbits for tests, integrated by scipy in fields written out here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

GM, RADIUS = 3.986004415e14, 6_378_137.0
J2 = 1.0826359e-3
#: Zonal terms 3 and 4 and the ellipticity of the equator (EGM96).
C30, C40, C22, S22 = 2.5324e-6, 1.6199e-6, 1.5745e-6, -9.0387e-7
SPIN = 7.2921151467e-5
DRAG = 3e-7
SEMIAXIS = 6.86e6


def flattened(_: float, y: np.ndarray) -> np.ndarray:
    """Rate of a state in the field of the flattened Earth."""
    r = np.linalg.norm(y[:3])
    s2 = (y[2] / r) ** 2
    k = 1.5 * J2 * (RADIUS / r) ** 2
    factors = np.array([1 + k * (1 - 5 * s2)] * 2 + [1 + k * (3 - 5 * s2)])
    return np.concatenate([y[3:], -GM / r**3 * factors * y[:3]])


def potential(t: float, x: np.ndarray) -> float:
    """Potential up to degree 4, with the ellipticity of the turning equator."""
    r = float(np.linalg.norm(x))
    s, q = x[2] / r, RADIUS / r
    c, n = np.cos(SPIN * t), np.sin(SPIN * t)
    east, north = c * x[0] + n * x[1], c * x[1] - n * x[0]
    value = 1 - q**2 * J2 * (3 * s**2 - 1) / 2
    value += q**3 * C30 * (5 * s**3 - 3 * s) / 2
    value += q**4 * C40 * (35 * s**4 - 30 * s**2 + 3) / 8
    sector = C22 * (east**2 - north**2) + 2 * S22 * east * north
    return float(GM / r * (value + 3 * q**2 * sector / r**2))


def bumpy(t: float, y: np.ndarray) -> np.ndarray:
    """Rate of a state in that potential, slowed by drag."""
    h = 5.0
    pull = [
        (
            8 * (potential(t, y[:3] + h * e) - potential(t, y[:3] - h * e))
            - potential(t, y[:3] + 2 * h * e)
            + potential(t, y[:3] - 2 * h * e)
        )
        / (12 * h)
        for e in np.eye(3)
    ]
    slowed = DRAG * y[3:] / np.linalg.norm(y[3:])
    return np.concatenate([y[3:], np.array(pull) - slowed])


def start(*, semiaxis: float = SEMIAXIS, tilt: float = 89.0) -> np.ndarray:
    """State at the ascending node of a nearly circular orbit."""
    speed = np.sqrt(GM / semiaxis)
    i = np.deg2rad(tilt)
    return np.array([semiaxis, 0, 0, 0, speed * np.cos(i), speed * np.sin(i)])


@cache
def integrated(
    rate: Callable[..., Any] = flattened,
    *,
    semiaxis: float = SEMIAXIS,
    first: float = -1000.0,
    last: float = 50_000.0,
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Function of time giving position and velocity, shape (n, 3)."""
    from scipy.integrate import solve_ivp

    found = solve_ivp(
        rate,
        (first, last),
        start(semiaxis=semiaxis),
        method="DOP853",
        rtol=1e-11,
        atol=1e-5,
        max_step=60.0,
        dense_output=True,
    )

    def at(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = found.sol(np.asarray(t))
        return y[:3].T, y[3:].T

    return at
