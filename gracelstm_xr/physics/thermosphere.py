"""The upper atmosphere: NRLMSIS at the satellite, and what drives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics.earth import geodetic, greenwich_angle
from gracelstm_xr.physics.plates import Air

if TYPE_CHECKING:
    import xarray as xr


#: Solar and geomagnetic activity where the user gives none: means of many years.
F107, AP = 115.0, 12.0


@dataclass(frozen=True)
class Weather:
    """Solar and geomagnetic activity, linear between epochs.

    Attributes
    ----------
    f107, f107a : tuple of ndarray
        Epochs [GPS s] and F10.7, and its 81-day mean [1e-22 W m-2 Hz-1].
    ap : tuple of ndarray
        Epochs [GPS s] and geomagnetic ap.
    """

    f107: tuple[Array, Array]
    f107a: tuple[Array, Array]
    ap: tuple[Array, Array]

    def at(self, t: Array) -> tuple[Array, Array, Array]:
        """F10.7, its mean, and the seven ap values NRLMSIS takes, shape (n, 7)."""
        ap = np.stack([self._ap(t, hours) for hours in _AP_HOURS], axis=1)
        return np.interp(t, *self.f107), np.interp(t, *self.f107a), ap

    def _ap(self, t: Array, hours: tuple[float, ...]) -> Array:
        parts = [np.interp(t - 3600.0 * hour, *self.ap) for hour in hours]
        return np.asarray(np.mean(parts, axis=0))


#: Hours back over which the ap values of NRLMSIS are taken: the day, the present
#: 3 hours and the three before, and means of 12-33 and 36-57 hours ago.
_AP_HOURS: tuple[tuple[float, ...], ...] = (
    (-10.5, -7.5, -4.5, -1.5, 1.5, 4.5, 7.5, 10.5), (0.0,), (3.0,), (6.0,), (9.0,),
    (12.0, 15.0, 18.0, 21.0, 24.0, 27.0, 30.0, 33.0),
    (36.0, 39.0, 42.0, 45.0, 48.0, 51.0, 54.0, 57.0),
)  # fmt: skip


def weather(
    f107: float | xr.DataArray | None = None,
    ap: float | xr.DataArray | None = None,
    *,
    f107a: float | xr.DataArray | None = None,
) -> Weather:
    """Solar and geomagnetic activity from constants or series.

    Parameters
    ----------
    f107, f107a : float or DataArray over ``time``, optional
        F10.7 and its 81-day mean [1e-22 W m-2 Hz-1]; 115 by default, and the mean as
        ``f107``.
    ap : float or DataArray over ``time``, optional
        Geomagnetic ap; 12 by default.

    Raises
    ------
    GraceError
        When a series has no dimension ``time``, or a value is impossible.
    """
    flux = _index("f107", F107 if f107 is None else f107, 50.0, 500.0)
    mean = flux if f107a is None else _index("f107a", f107a, 50.0, 400.0)
    return Weather(flux, mean, _index("ap", AP if ap is None else ap, 0.0, 400.0))


def _index(name: str, value: Any, low: float, high: float) -> tuple[Array, Array]:
    if hasattr(value, "dims"):
        if value.dims != ("time",):
            raise GraceError(
                f"found {name} over {value.dims}, expected a number or a series over "
                "'time'"
            )
        epoch = np.datetime64("2000-01-01T12:00:00", "ns")
        t = (value["time"].values - epoch) / np.timedelta64(1, "s")
        values = np.asarray(value.values, dtype=np.float64)
    else:
        t, values = np.zeros(1), np.array([float(value)])
    if not ((values >= low) & (values <= high)).all():
        worst = values[np.argmax(~((values >= low) & (values <= high)))]
        raise GraceError(
            f"found {name} of {worst:g}, expected {low:g} to {high:g}: give it in "
            "its usual unit, without missing values"
        )
    return np.asarray(t, dtype=np.float64), values


def msis(t: Array, position: Array, activity: Weather) -> Air:
    """NRLMSIS 2.1 at the satellite; nothing is downloaded.

    Parameters
    ----------
    t : ndarray, shape (n,)
        GPS seconds past 2000-01-01T12:00:00.
    position : ndarray, shape (n, 3)
        Inertial [m].
    activity : Weather
    """
    import pymsis

    latitude, ascension, height = geodetic(position)
    flux, mean, ap = activity.at(t)
    epoch = np.datetime64("2000-01-01T12:00:00", "ms")
    out = pymsis.calculate(
        epoch + np.round(1000 * t).astype("timedelta64[ms]"),
        np.rad2deg(ascension - greenwich_angle(t)) % 360.0,
        np.rad2deg(latitude),
        height / 1000.0,
        flux,
        mean,
        ap,
        version=2.1,
        geomagnetic_activity=-1,
    ).astype(np.float64)
    return Air(np.nan_to_num(out[:, 1:10]), out[:, 10])
