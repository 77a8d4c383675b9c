"""Where on Earth a series was measured, as ACDD wants it said."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.physics.earth import geodetic

#: Variables that tell the extent: coordinates, or the positions they follow from.
SOURCES = ("latitude", "longitude", "height", "position")
_NAMES = {"latitude": "lat", "longitude": "lon", "height": "vertical"}
_CRS = {"geospatial_bounds_crs": "EPSG:4326"}


@dataclasses.dataclass
class Extent:
    """Least and greatest coordinates seen so far.

    Parameters
    ----------
    limits : dict of str to (float, float)
        By coordinate: ``latitude`` and ``longitude`` [degree], ``height`` [m] over the
        WGS 84 ellipsoid; those not seen are absent.
    """

    limits: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def add(self, columns: Mapping[Any, AnyArray]) -> None:
        """Take note of the values of some of `SOURCES`; positions are Earth-fixed."""
        places = {name: columns[name] for name in _NAMES if name in columns}
        if "position" in columns and len(places) < len(_NAMES):
            places = {**_coordinates(columns["position"]), **places}
        for name, values in places.items():
            finite = values[np.isfinite(values)]
            if finite.size:
                self._widen(name, float(finite.min()), float(finite.max()))

    def merge(self, other: Extent) -> None:
        """Take note of what another one has seen."""
        for name, (least, greatest) in other.limits.items():
            self._widen(name, least, greatest)

    def _widen(self, name: str, least: float, greatest: float) -> None:
        before = self.limits.get(name, (least, greatest))
        self.limits[name] = min(before[0], least), max(before[1], greatest)

    def attributes(self) -> dict[str, Any]:
        """Return the ACDD attributes; the whole Earth where nothing was seen."""
        south, north = self.limits.get("latitude", (-90.0, 90.0))
        west, east = self.limits.get("longitude", (-180.0, 180.0))
        # EPSG:4326 puts the latitude first
        corners = ((south, west), (south, east), (north, east), (north, west))
        ring = ", ".join(f"{a:g} {b:g}" for a, b in (*corners, corners[0]))
        attrs = {
            "geospatial_lat_min": south,
            "geospatial_lat_max": north,
            "geospatial_lat_units": "degrees_north",
            "geospatial_lon_min": west,
            "geospatial_lon_max": east,
            "geospatial_lon_units": "degrees_east",
            "geospatial_bounds": f"POLYGON (({ring}))",
            **_CRS,
        }
        if "height" in self.limits:
            low, high = self.limits["height"]
            attrs |= {
                "geospatial_vertical_min": low,
                "geospatial_vertical_max": high,
                "geospatial_vertical_units": "m",
                "geospatial_vertical_positive": "up",
                "geospatial_bounds_vertical_crs": "EPSG:4979",
            }
        return attrs


def _coordinates(position: AnyArray) -> dict[str, AnyArray]:
    points = position.reshape(-1, 3)
    seen = points[np.isfinite(points).all(axis=1)]
    # a position of zero stands for none in some files
    latitude, longitude, height = geodetic(seen[np.abs(seen).sum(axis=1) > 0])
    return {
        "latitude": np.rad2deg(latitude),
        "longitude": np.rad2deg(longitude),
        "height": height,
    }
