"""The variables of the data model on the regular grid, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gracelstm_xr.l1b.products import THRUSTER_NAMES

LABELS: dict[str, tuple[str, ...]] = {
    "axis": ("x", "y", "z"),
    "quaternion_component": ("q0", "q1", "q2", "q3"),
    "thruster": THRUSTER_NAMES,
}
"""Labels along the dimensions that have them."""

_VECTOR = ("satellite", "time", "axis")
_SERIES = ("satellite", "time")
_PAIRS = ("satellite", "time", "thruster_pair")


@dataclass(frozen=True)
class Variable:
    """One variable of the data model.

    Parameters
    ----------
    dims
        Dimensions, in order.
    units
        CF unit; empty for flags and labels.
    long_name
        Meaning in one line.
    dtype
        Type in memory and in files.
    flag
        Name of its quality flag variable, empty for none.
    content
        ACDD ``coverage_content_type``.
    extra
        Further attributes.
    """

    dims: tuple[str, ...]
    units: str
    long_name: str
    dtype: str = "float64"
    flag: str = ""
    content: str = "physicalMeasurement"
    extra: Mapping[str, Any] = field(default_factory=dict)


def _flag(text: str) -> Variable:
    extra = {"standard_name": "status_flag"}
    return Variable(_SERIES, "", text, "uint8", "", "qualityInformation", extra)


_MODEL = "modelResult"
_SRF = "in the science reference frame"
_GEOMETRY = {"ancillary_variables": "geometry_qualflg"}

VARIABLES: dict[str, Variable] = {
    "lin_accl": Variable(
        _VECTOR, "m s-2", f"linear acceleration {_SRF}, uncalibrated", flag="acc"
    ),
    "ang_accl": Variable(
        _VECTOR, "rad s-2", f"angular acceleration {_SRF}", flag="acc"
    ),
    "acl_res": Variable(
        _VECTOR, "m s-2", "filtered minus unfiltered linear acceleration", flag="acc"
    ),
    "acc_qualflg": _flag("quality flags of the accelerometer"),
    "position": Variable(
        _VECTOR, "m", "position of the centre of mass, Earth-fixed", flag="gnv"
    ),
    "velocity": Variable(
        _VECTOR, "m s-1", "velocity of the centre of mass, Earth-fixed", flag="gnv"
    ),
    "gnv_qualflg": _flag("quality flags of the orbit"),
    "quaternion": Variable(
        ("satellite", "time", "quaternion_component"),
        "1",
        "attitude quaternion, scalar first, inertial to science reference frame",
        flag="sca",
    ),
    "sca_qualflg": _flag("quality flags of the star cameras"),
    "thruster_on_time": Variable(
        ("satellite", "time", "thruster"),
        "ms",
        "on-time of each thruster within the second",
        "float32",
    ),
    "lin_accl_filled": Variable(
        _VECTOR,
        "m s-2",
        f"linear acceleration {_SRF}, gaps filled, uncalibrated",
        content=_MODEL,
        extra={"ancillary_variables": "lin_accl_filled_sigma lin_accl_fill_method"},
    ),
    "lin_accl_filled_sigma": Variable(
        _VECTOR, "m s-2", "1-sigma error of the filled acceleration", content=_MODEL
    ),
    "lin_accl_fill_method": Variable(
        _VECTOR,
        "",
        "origin of the filled acceleration",
        "uint8",
        content="qualityInformation",
        extra={"standard_name": "status_flag"},
    ),
    "lin_accl_forecast": Variable(
        _VECTOR,
        "m s-2",
        f"forecast of the linear acceleration {_SRF}, uncalibrated",
        content=_MODEL,
        extra={
            "ancillary_variables": "lin_accl_forecast_sigma lin_accl_forecast_method"
        },
    ),
    "lin_accl_forecast_sigma": Variable(
        _VECTOR, "m s-2", "1-sigma error of the forecast acceleration", content=_MODEL
    ),
    "lin_accl_forecast_method": Variable(
        _VECTOR,
        "",
        "origin of the forecast acceleration",
        "uint8",
        content="qualityInformation",
        extra={"standard_name": "status_flag"},
    ),
    "lin_accl_transplant": Variable(
        _VECTOR,
        "m s-2",
        f"linear acceleration {_SRF} transplanted from the other satellite",
        content=_MODEL,
        extra={"ancillary_variables": "lin_accl_transplant_sigma"},
    ),
    "lin_accl_transplant_sigma": Variable(
        _VECTOR, "m s-2", "1-sigma error of the transplant", content=_MODEL
    ),
    "transplant_donor": Variable(
        _VECTOR, "m s-2", "part of the transplant taken from the donor", content=_MODEL
    ),
    "transplant_model": Variable(
        _VECTOR,
        "m s-2",
        "part of the transplant from place, sunlight and force model, recipient minus "
        "donor",
        content=_MODEL,
    ),
    "transplant_overlap": Variable(
        ("satellite", "axis"), "s", "time observed by donor and recipient"
    ),
    "transplant_thruster": Variable(
        _VECTOR,
        "m s-2",
        "part of the transplant from the recipient's thruster firings",
        content=_MODEL,
    ),
    "transplant_bias": Variable(
        _VECTOR, "m s-2", "bias and drift of the transplant", content=_MODEL
    ),
    "acc_cleanflg": _flag("reasons to doubt a linear acceleration, from cleaning"),
    "lin_accl_donor": Variable(
        _VECTOR,
        "m s-2",
        "linear acceleration of the donor at the lag, running mean removed, rotated "
        "into the frame of the recipient",
        content=_MODEL,
        extra=_GEOMETRY,
    ),
    "argument_of_latitude": Variable(
        _SERIES, "rad", "argument of latitude", content=_MODEL, extra=_GEOMETRY
    ),
    "latitude": Variable(
        _SERIES,
        "degrees_north",
        "geodetic latitude (WGS 84)",
        content=_MODEL,
        extra={"standard_name": "latitude", **_GEOMETRY},
    ),
    "longitude": Variable(
        _SERIES,
        "degrees_east",
        "longitude (WGS 84)",
        content=_MODEL,
        extra={"standard_name": "longitude", **_GEOMETRY},
    ),
    "height": Variable(
        _SERIES,
        "m",
        "height over the WGS 84 ellipsoid",
        content=_MODEL,
        extra={"standard_name": "height_above_reference_ellipsoid", **_GEOMETRY},
    ),
    "beta_prime": Variable(
        _SERIES,
        "degree",
        "elevation of the Sun over the orbit plane, positive along position x velocity",
        content=_MODEL,
        extra=_GEOMETRY,
    ),
    "local_solar_time": Variable(
        _SERIES,
        "h",
        "apparent local solar time below the satellite",
        content=_MODEL,
        extra=_GEOMETRY,
    ),
    "shadow_factor": Variable(
        _SERIES,
        "1",
        "sunlit fraction of the solar disc",
        content=_MODEL,
        extra=_GEOMETRY,
    ),
    "sun_direction": Variable(
        _VECTOR,
        "1",
        f"unit vector to the Sun {_SRF}",
        content=_MODEL,
        extra=_GEOMETRY,
    ),
    "twin_lag": Variable(
        _SERIES,
        "s",
        "time until the twin is where the satellite is now, negative when it leads",
        content=_MODEL,
        extra=_GEOMETRY,
    ),
    "geometry_qualflg": _flag("what stood in for missing orbits and attitudes"),
    "drag": Variable(
        _VECTOR, "m s-2", f"modelled atmospheric drag {_SRF}", content=_MODEL
    ),
    "solar": Variable(
        _VECTOR, "m s-2", f"modelled solar radiation pressure {_SRF}", content=_MODEL
    ),
    "albedo": Variable(
        _VECTOR, "m s-2", f"modelled pressure of reflected light {_SRF}", content=_MODEL
    ),
    "infrared": Variable(
        _VECTOR, "m s-2", f"modelled pressure of Earth infrared {_SRF}", content=_MODEL
    ),
    "thruster_accl": Variable(
        ("satellite", "thruster_pair", "axis"),
        "m s-2",
        f"linear acceleration {_SRF} while the pair fires, uncalibrated",
        content=_MODEL,
        extra={"ancillary_variables": "thruster_accl_sigma"},
    ),
    "thruster_accl_sigma": Variable(
        ("satellite", "thruster_pair", "axis"),
        "m s-2",
        "1-sigma error of the acceleration while the pair fires",
        content=_MODEL,
    ),
    "thruster_response": Variable(
        _PAIRS, "ms s-1", "thruster on-time per second, filtered as the accelerometer"
    ),
    "donor_thruster_response": Variable(
        _PAIRS, "ms s-1", "thruster on-time per second of the donor, filtered"
    ),
}
"""Every variable on the regular grid."""


@dataclass(frozen=True)
class Origin:
    """Where a feature comes from.

    Parameters
    ----------
    products
        What it is computed from where it is there.
    needs
        What it cannot do without, in words.
    comment
        What stands in where records are missing.
    without
        What stands in where a whole product is missing, by product.
    """

    products: tuple[str, ...]
    needs: str = "GNV1B"
    comment: str = ""
    without: Mapping[str, str] = field(default_factory=dict)


_ORBIT = (
    "without records for more than 3 min the orbit is integrated from either side for "
    "up to 3 h (error below 150 m in a hole of 1 h, below 2 km in one of 6 h); "
    "beyond that the twin's orbit is taken as it is (off by the distance between the "
    "two, about 220 km or 1.8 degree along the track)"
)
_FRAME = (
    "without attitude records for more than 60 s the nominal frame is taken (x to the "
    "twin, y horizontal; within 0.5 degree)"
)
_ALONE = "nominal frame throughout (x to the twin, y horizontal; within 0.5 degree)"
_LAG = "without an orbit the constant lag given, none otherwise"

ORIGINS: dict[str, Origin] = {
    **dict.fromkeys(
        (
            "argument_of_latitude",
            "latitude",
            "longitude",
            "height",
            "beta_prime",
            "local_solar_time",
            "shadow_factor",
        ),
        Origin(("GNV1B",), comment=_ORBIT),
    ),
    "sun_direction": Origin(
        ("SCA1B", "GNV1B"), "SCA1B or GNV1B", _FRAME, {"SCA1B": _ALONE}
    ),
    "twin_lag": Origin(("GNV1B",), "GNV1B of both", f"{_ORBIT}; {_LAG}"),
    "lin_accl_donor": Origin(
        ("ACC1B", "GNV1B", "SCA1B"),
        "ACC1B and GNV1B of both",
        f"at twin_lag; {_FRAME}",
        {"SCA1B": _ALONE, "GNV1B": _LAG},
    ),
    "thruster_response": Origin(("THR1B",), "THR1B"),
    "donor_thruster_response": Origin(
        ("THR1B", "GNV1B"), "THR1B and GNV1B of both", "at twin_lag"
    ),
    "geometry_qualflg": Origin(("GNV1B", "SCA1B"), "GNV1B or SCA1B"),
}
"""Products of every feature, and what stands in for them."""
