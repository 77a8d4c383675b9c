"""Level-1B columns of a simulated day, and their files and tarballs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.errors import GraceError
from gracelstm_xr.l1b import encode
from gracelstm_xr.missions import mission_named
from gracelstm_xr.simulate import attitude, geometry, thrusters
from gracelstm_xr.simulate.config import Scenario, day_number
from gracelstm_xr.simulate.day import Day, camera_noise

#: Products that can be simulated.
PRODUCTS = ("ACC1B", "GNV1B", "SCA1B", "THR1B")
#: Mean raw angular acceleration of GRACE A and B [rad s-2].
ANGULAR = np.array([[3.3e-4, -3.9e-5, -2.9e-4], [-4.2e-4, -7.4e-6, -5.8e-4]])
#: Noise of the angular accelerations [rad s-2].
ANGULAR_NOISE = np.array([4e-7, 2e-9, 4e-7])
#: Formal errors of the orbit: position [m], velocity [m s-1].
ORBIT_ERROR = (0.015, 1.5e-5)

Columns = dict[str, npt.NDArray[Any]]


def archive_name(scenario: Scenario, date: dt.date) -> str:
    """Name of the daily tarball."""
    return mission_named(scenario.mission).tarball(date, scenario.constants.release)


def member_name(scenario: Scenario, product: str, date: dt.date, k: int) -> str:
    """Name of one file of satellite number ``k``."""
    suffix = mission_named(scenario.mission).extension
    letter = scenario.satellites[k]
    return f"{product}_{date}_{letter}_{scenario.constants.release}.{suffix}"


def day_files(
    scenario: Scenario, day: Day, products: Sequence[str]
) -> dict[str, bytes]:
    """Bytes of all files of one day by name, products within satellites.

    Parameters
    ----------
    scenario : Scenario
        What is simulated.
    day : Day
        The simulated accelerations of the day.
    products : sequence of str
        Subset of `PRODUCTS`.
    """
    kind = mission_named(scenario.mission).format
    number = day_number(day.date)
    files = {}
    for k in (0, 1):
        builders: Mapping[str, Any] = {
            "ACC1B": lambda k=k: _acc(scenario, day, k),
            "GNV1B": lambda k=k: _gnv(scenario, number, k),
            "SCA1B": lambda k=k: _sca(scenario, number, k),
            "THR1B": lambda k=k: _thr(scenario, number, k),
        }
        for product in products:
            columns = _with_id(builders[product](), scenario.satellites[k])
            name = member_name(scenario, product, day.date, k)
            files[name] = encode(
                product,
                columns,
                format=kind,
                satellite=scenario.satellites[k],
                release=scenario.constants.release,
                header=_header(scenario, product),
                name=name,
            )
    return files


def check_products(products: Sequence[str] | str) -> tuple[str, ...]:
    """Products as a tuple, in the order of `PRODUCTS`.

    Raises
    ------
    GraceError
        One of them cannot be simulated.
    """
    wanted = products.split(",") if isinstance(products, str) else list(products)
    unknown = [p for p in wanted if p not in PRODUCTS]
    if unknown or not wanted:
        raise GraceError(
            f"products={list(wanted)}: expected some of {', '.join(PRODUCTS)}"
        )
    return tuple(p for p in PRODUCTS if p in wanted)


def _header(scenario: Scenario, product: str) -> dict[str, Any]:
    """Header attributes: the file says that it is simulated, and from what.

    Nothing here depends on the clock, on ``start`` or on ``days``.
    """
    options = asdict(scenario)
    for name in ("start", "days", "spans"):
        del options[name]
    used = " ".join(f"{name}={value}" for name, value in options.items())
    return {
        "producer_agency": "SIMULATED",
        "institution": "gracelstm_xr",
        "software_version": "gracelstm_xr.simulate",
        "software_build_time": "simulated",
        "instrument": f"{product[:3]} simulated",
        "date_created": "simulated",
        "date_completed": "simulated",
        "title": f"Simulated {product} of {scenario.mission.upper()}",
        "history": [f"simulated by gracelstm_xr: {used}"],
    }


def _with_id(columns: Columns, letter: str) -> Columns:
    count = len(next(iter(columns.values())))
    return {**columns, "GRACE_id": np.full(count, letter.encode(), dtype="S1")}


def _gps(day: int, t: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    return (day * 86400 - 43200 + t).astype(np.int32)


def _acc(scenario: Scenario, day: Day, k: int) -> Columns:
    """ACC1B; angular accelerations are zero for GRACE-FO, as in its files."""
    keep = np.flatnonzero(day.observed[k])
    number = day_number(day.date)
    angular = np.zeros((len(keep), 3))
    if scenario.mission == "grace":
        angular = ANGULAR[k] + _angular(scenario, number, k)[keep]
    return {
        "gps_time": _gps(number, keep),
        "lin_accl": day.lin_accl[k][keep],
        "ang_accl": angular,
        "acl_res": day.lin_accl_residual[k][keep],
        "acc_qualflg": day.flags[k][keep],
    }


def _angular(scenario: Scenario, number: int, k: int) -> npt.NDArray[np.float64]:
    """Angular acceleration of the wobble, with noise [rad s-2], (86400, 3)."""
    from scipy.interpolate import CubicSpline

    t = np.arange(-20.0, 86420.0, 10.0)
    bend = CubicSpline(t, attitude.wobble(scenario, number, t, k))
    turned: npt.NDArray[np.float64] = bend(np.arange(86400.0), 2)
    noise = camera_noise(scenario, number, 86400, k)
    return turned + ANGULAR_NOISE * noise


def _grid(step: int) -> npt.NDArray[np.float64]:
    return np.arange(0.0, 86400.0, step)


def _gnv(scenario: Scenario, number: int, k: int) -> Columns:
    t = _grid(scenario.constants.gnv_step)
    state = geometry.orbit(scenario, number, t, k)
    position, velocity = geometry.to_earth_fixed(number, t, *state)
    turns = geometry.nodal_rate(scenario) * t[:, None] + np.arange(3.0)
    breath = 1 + 0.15 * np.sin(turns)
    return {
        "gps_time": _gps(number, t),
        "coord_ref": np.full(len(t), b"E", dtype="S1"),
        # written to the micrometre, as a file with 16 digits would be
        "position": np.round(position, 6),
        "position_error": np.round(ORBIT_ERROR[0] * breath, 6),
        "velocity": np.round(velocity, 9),
        "velocity_error": np.round(ORBIT_ERROR[1] * breath, 9),
        "gnv_qualflg": np.zeros(len(t), dtype=np.uint8),
    }


def _sca(scenario: Scenario, number: int, k: int) -> Columns:
    t = _grid(scenario.constants.sca_step)
    own, twin = (geometry.position(scenario, number, t, i) for i in (k, 1 - k))
    angles = attitude.wobble(scenario, number, t, k)
    turn = attitude.matrices(own, twin, angles) @ geometry.precession(number)
    noise = camera_noise(scenario, number, len(t), k)
    combined = 4 if scenario.mission == "grace" else 23
    error = attitude.CAMERA_NOISE * np.sqrt((noise**2).mean(axis=1))
    return {
        "gps_time": _gps(number, t),
        "sca_id": np.full(len(t), combined, dtype=np.int8),
        "quaternion": np.round(attitude.quaternions(turn, noise), 12),
        "sca_qual_rss": error,
        "sca_qualflg": np.zeros(len(t), dtype=np.uint8),
    }


def _thr(scenario: Scenario, number: int, k: int) -> Columns:
    microseconds = thrusters.firings(scenario, number, k).time
    seconds, fraction = np.divmod(microseconds, 1_000_000)
    count = len(seconds)
    columns = thrusters.counters(scenario, number, k)
    return {
        "time_intg": _gps(number, seconds),
        "time_frac": fraction.astype(np.int32),
        "time_ref": np.full(count, b"G", dtype="S1"),
        **{name: values.astype(np.uint32) for name, values in columns.items()},
        "thr_qualflg": np.zeros(count, dtype=np.uint8),
    }
