"""Non-gravitational forces from physics: drag, sunlight, albedo, Earth infrared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.blocks import Output, per_satellite, stack_satellites
from gracelstm_xr.compute.days import day_blocks
from gracelstm_xr.core import conventions
from gracelstm_xr.core.components import require_axes
from gracelstm_xr.errors import GraceError
from gracelstm_xr.missions import MASS
from gracelstm_xr.physics import plates
from gracelstm_xr.physics.attitude import Attitude, rotate
from gracelstm_xr.physics.earth import (
    EARTH_RADIUS,
    EARTH_ROTATION,
    YEAR,
    cross,
    to_celestial,
)
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.physics.sun import (
    ASTRONOMICAL_UNIT,
    SOLAR_CONSTANT,
    shadow_factor,
    sun_position,
)
from gracelstm_xr.physics.thermosphere import Weather, msis, weather
from gracelstm_xr.signal.interpolation import cubic, nodes_around
from gracelstm_xr.signal.lowpass import crn_filter

if TYPE_CHECKING:
    import xarray as xr


#: Parts of the model, in order.
COMPONENTS = ("drag", "solar", "albedo", "infrared")
#: Context of a day [s]: filter window and interpolation.
HALO = 400.0
#: Steps of forces, atmosphere and Earth radiation [s].
STEP, AIR_STEP, EARTH_STEP = 10.0, 30.0, 60.0
#: Sunlight at 1 au [W m-2] (Kopp and Lean 2011).
#: Elements of the Earth's visible disc: rings, and elements per ring.
RINGS, SECTORS = 4, 8
#: Knocke et al. (1988): degree 0 and 2 and yearly amplitude of degree 1.
ALBEDO, EMISSIVITY = (0.34, 0.29, 0.10), (0.68, -0.18, -0.07)
#: 1981-12-22, from where the year of albedo and emissivity counts [GPS s].
SOLSTICE = -568_900_800.0


class _Place(NamedTuple):
    """Satellite at nodes: state in the frame of date, quaternion, Sun."""

    t: Array
    position: Array
    velocity: Array
    quaternion: Array
    sun: Array

    def in_srf(self, vector: Array) -> Array:
        """Vectors of the frame of date in the SRF."""
        return rotate(self.quaternion, to_celestial(self.t, vector))


def model_series(
    t: Array,
    position: Array,
    velocity: Array,
    quaternion: Array,
    *,
    mass: float,
    activity: Weather,
    filtered: bool = True,
) -> dict[str, Array]:
    """Force model of one satellite.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Regular GPS seconds past 2000-01-01T12:00:00.
    position, velocity : ndarray, shape (n, 3)
        GNV1B, Earth-fixed [m], [m s-1]; NaN where there is no record.
    quaternion : ndarray, shape (n, 4)
        SCA1B.
    mass : float
        [kg]
    activity : Weather
    filtered : bool, default True
        Pass the edges of the shadow through the low-pass of ACC1B.

    Returns
    -------
    dict of str to ndarray, shape (n, 3)
        `COMPONENTS` in the SRF [m s-2]; NaN without orbit or attitude.
    """
    states = StateNodes.from_grid(t, position, velocity).filled(
        t[0] - EARTH_STEP * 3, t[-1] + EARTH_STEP * 3
    )
    attitude = Attitude.from_grid(t, quaternion)

    def place(step: float) -> _Place:
        nodes = nodes_around(t, step, margin=1)
        # the nodes reach a little past the attitudes
        turned = attitude.at(np.clip(nodes, t[0], t[-1]))
        return _Place(nodes, *states.at(nodes), turned, sun_position(nodes))

    fine, coarse = place(STEP), place(EARTH_STEP)
    nodes = nodes_around(fine.t, AIR_STEP, margin=1)
    air = _air(nodes, states.at(nodes)[0], fine.t, activity)
    solar, lit = _sunlight(fine, mass)
    lit = _lit(t, fine, lit, filtered=filtered)
    albedo, infrared = _earth(coarse, mass)
    return {
        "drag": cubic(t, fine.t, _drag(fine, air, mass)),
        "solar": cubic(t, fine.t, solar) * lit[:, None],
        "albedo": cubic(t, coarse.t, albedo),
        "infrared": cubic(t, coarse.t, infrared),
    }


def _air(nodes: Array, position: Array, t: Array, activity: Weather) -> plates.Air:
    """Atmosphere at ``t`` from the coarser ``nodes``."""
    number = np.full((len(nodes), len(plates.MOLECULES)), np.nan)
    hot = np.full(len(nodes), np.nan)
    placed = np.isfinite(position[:, 0])
    if placed.any():
        model = msis(nodes[placed], position[placed], activity)
        number[placed], hot[placed] = np.log(model.number + 1.0), model.temperature
    return plates.Air(np.exp(cubic(t, nodes, number)), cubic(t, nodes, hot))


def _drag(place: _Place, air: plates.Air, mass: float) -> Array:
    x, y, _ = place.position.T
    spin = EARTH_ROTATION * np.stack([-y, x, np.zeros(len(x))], axis=-1)
    flow = place.in_srf(place.velocity - spin)
    result = np.full_like(flow, np.nan)
    finite = np.isfinite(flow).all(axis=1) & np.isfinite(air.temperature)
    if finite.any():
        here = plates.Air(air.number[finite], air.temperature[finite])
        result[finite] = plates.drag(flow[finite], here, mass)
    return result


def _sunlight(place: _Place, mass: float) -> tuple[Array, Array]:
    """Acceleration without shadow, and the sunlit fraction, at the nodes."""
    away = place.sun - place.position
    distance = np.linalg.norm(away, axis=1)
    toward = place.in_srf(away / distance[:, None])
    flux = SOLAR_CONSTANT * (ASTRONOMICAL_UNIT / distance) ** 2
    lit = shadow_factor(place.position, place.sun)
    return plates.pressure(toward, flux, mass, infrared=False), lit


def _lit(t: Array, place: _Place, lit: Array, *, filtered: bool) -> Array:
    """Sunlit fraction at ``t``, exact where it changes."""
    result = np.interp(t, place.t, lit)
    before = np.searchsorted(place.t, t, side="right") - 1
    edge = (lit[before] != lit[before + 1]) | ((lit[before] > 0) & (lit[before] < 1))
    if edge.any():
        position = cubic(t[edge], place.t, place.position)
        result[edge] = shadow_factor(position, sun_position(t[edge]))
    step = float(t[1] - t[0]) if len(t) > 1 else 1.0
    if not filtered or step > STEP:
        return result
    taps = crn_filter(step) * step
    reach = len(taps) // 2
    return np.convolve(np.pad(result, reach, mode="edge"), taps, mode="valid")


def _earth(place: _Place, mass: float) -> tuple[Array, Array]:
    """Albedo and infrared of the visible disc at the nodes, each (n, 3)."""
    radius = np.linalg.norm(place.position, axis=1)
    up = place.position / radius[:, None]
    sun = place.sun / np.linalg.norm(place.sun, axis=1, keepdims=True)
    east = cross(np.tile([0.0, 0.0, 1.0], (len(up), 1)), up)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    north = cross(up, east)
    # cosine of the angle between nadir and horizon
    edge = np.sqrt(1 - (EARTH_RADIUS / radius) ** 2)
    seen = 2 * (1 - edge) / (RINGS * SECTORS)
    season = np.cos(2 * np.pi * (place.t - SOLSTICE) / YEAR)
    albedo, infrared = np.zeros((2, len(up), 3))
    for ring, sector in np.ndindex(RINGS, SECTORS):
        # rings of equal solid angle: the cosine from nadir in equal steps
        cosine = 1 - (ring + 0.5) / RINGS * (1 - edge)
        sine = np.sqrt(1 - cosine**2)
        azimuth = 2 * np.pi * (sector + 0.5 * (ring % 2)) / SECTORS
        side = np.cos(azimuth) * north + np.sin(azimuth) * east
        away = sine[:, None] * side - cosine[:, None] * up
        distance = radius * cosine - np.sqrt(EARTH_RADIUS**2 - (radius * sine) ** 2)
        ground = (place.position + distance[:, None] * away) / EARTH_RADIUS
        toward = place.in_srf(away)
        day = np.maximum((ground * sun).sum(1), 0.0)
        visible = _zonal(ALBEDO, ground[:, 2], season) * day * seen
        warm = _zonal(EMISSIVITY, ground[:, 2], season) / 4 * seen
        for total, light, hot in ((albedo, visible, False), (infrared, warm, True)):
            flux = SOLAR_CONSTANT * light
            total += plates.pressure(toward, flux, mass, infrared=hot)
    return albedo, infrared


def _zonal(model: tuple[float, float, float], z: Array, season: Array) -> Array:
    return model[0] + model[1] * (1.5 * z**2 - 0.5) + model[2] * season * z


def force_model(
    ds: xr.Dataset,
    *,
    f107: float | xr.DataArray | None = None,
    f107a: float | xr.DataArray | None = None,
    ap: float | xr.DataArray | None = None,
    mass: Mapping[str, float] | None = None,
    filtered: bool = True,
) -> xr.Dataset:
    """Model the non-gravitational accelerations of every satellite; lazy.

    Drag and lift with NRLMSIS 2.1 in a co-rotating atmosphere, solar pressure with
    shadow and penumbra, albedo and infrared of the Earth, on the plates of the GRACE
    macro model, with the orbit of GNV1B and the attitude of SCA1B.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``position``, ``velocity`` and ``quaternion``.
    f107, f107a : float or DataArray over ``time``, optional
        F10.7 and its 81-day mean [1e-22 W m-2 Hz-1]. Without, 115, a mean of many
        years: the density is then wrong by up to a factor of three.
    ap : float or DataArray over ``time``, optional
        Geomagnetic ap, 12 without.
    mass : mapping of str to float, optional
        Mass per satellite [kg]; 475 for A and B, 590 for C and D.
    filtered : bool, default True
        Pass the edges of the shadow through the low-pass of ACC1B.

    Returns
    -------
    xarray.Dataset
        ``drag``, ``solar``, ``albedo`` and ``infrared`` over ``(satellite, time,
        axis)`` in the SRF [m s-2]: true accelerations, without the bias and scale of
        the accelerometer. NaN without orbit or attitude.

    Raises
    ------
    GraceError
        When ``ds`` has no orbits or attitudes, or an index is impossible.

    Notes
    -----
    NRLMSIS 2.1: Emmert et al. (2021). Earth radiation: Knocke et al. (1988).
    """
    import xarray as xr

    names = ("position", "velocity", "quaternion")
    missing = [name for name in names if name not in ds]
    if missing:
        raise GraceError(
            f"found no {', '.join(missing)}, expected orbit and attitude: open the "
            "archive with GNV1B and SCA1B"
        )
    require_axes(ds)
    activity, masses = weather(f107, ap, f107a=f107a), {**MASS, **(mass or {})}
    outputs: dict[str, Output] = dict.fromkeys(COMPONENTS, ((3,), np.float64))
    parts = [
        day_blocks(
            _model_day,
            {name: one[name].transpose("time", ...) for name in names},
            one, masses[letter], activity, filtered, halo=HALO, outputs=outputs,
        )
        for letter, one in per_satellite(ds)
    ]  # fmt: skip
    series = {
        name: ((*dims, "axis"), data, conventions.attributes_of(name))
        for name, (dims, data) in stack_satellites(ds, parts).items()
    }
    coords = {k: v for k, v in ds.coords.items() if k in ("satellite", "time", "axis")}
    result = xr.Dataset(series, coords=coords, attrs=dict(ds.attrs))
    said = (
        "given" if f107 is not None and ap is not None else "default, not of the date"
    )
    result.attrs["activity"] = f"F10.7 and ap {said}"
    return result.assign_attrs(
        conventions.append_history(result.attrs, "non-gravitational force model")
    )


def _model_day(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice, mass: float,
    activity: Weather, filtered: bool,
) -> dict[str, Array]:  # fmt: skip
    series = model_series(
        t, arrays["position"], arrays["velocity"], arrays["quaternion"],
        mass=mass, activity=activity, filtered=filtered,
    )  # fmt: skip
    return {name: values[keep] for name, values in series.items()}
