"""What is simulated: missions, options, and their defaults."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gracelstm_xr.core.labels import begin, end, instant
from gracelstm_xr.core.time import EPOCH
from gracelstm_xr.errors import GraceError
from gracelstm_xr.missions import GRACE, GRACE_FO

#: Explicit gaps: satellite letter to (start, stop) pairs, stop excluded.
GapSpans = Mapping[str, Sequence[tuple[str, str]]]

DAY_ZERO = dt.date(2000, 1, 1)
#: Named levels of geomagnetic activity: usual ap, storms per day, ap of a storm.
STORMS: dict[str, tuple[float, float, float]] = {
    "quiet": (3.0, 0.0, 0.0),
    "active": (9.0, 0.2, 60.0),
    "storm": (12.0, 0.5, 170.0),
}


@dataclass(frozen=True)
class Mission:
    """Constants of one pair of satellites.

    Attributes
    ----------
    name : str
        ``"grace"`` or ``"grace-fo"``.
    satellites : str
        Letters. Which of the two leads follows from the date, see ``geometry.leader``.
    mass : float
        Mass of each satellite [kg].
    altitude, separation : float
        Defaults: mean height above 6378.137 km [km], distance of the twin [km].
    release : str
        Release in the file names.
    scale : tuple of tuple of float
        Calibration scale per satellite and axis.
    raw_mean : tuple of tuple of float
        Mean raw acceleration per satellite and axis where no calibration report
        gives the bias [m s-2].
    gnv_step, sca_step : int
        Cadence of GNV1B and SCA1B [s].
    """

    name: str
    satellites: str
    mass: float
    altitude: float
    separation: float
    release: str
    scale: tuple[tuple[float, float, float], ...]
    raw_mean: tuple[tuple[float, float, float], ...]
    gnv_step: int
    sca_step: int


MISSIONS: dict[str, Mission] = {
    "grace": Mission(
        name="grace",
        satellites=GRACE.satellites,
        mass=GRACE.mass,
        altitude=470.0,
        separation=205.0,
        release=GRACE.release,
        # GRACE TN-02
        scale=((0.9595, 0.9797, 0.9485), (0.9465, 0.9842, 0.9303)),
        raw_mean=((1.2e-6, -2.85e-5, 5.3e-7), (5.5e-7, -1.0e-5, 8.2e-7)),
        gnv_step=5,
        sca_step=5,
    ),
    "grace-fo": Mission(
        name="grace-fo",
        satellites=GRACE_FO.satellites,
        mass=595.0,
        altitude=495.0,
        separation=190.0,
        release=GRACE_FO.release,
        # no calibration report: near one, chosen for the simulation
        scale=((0.979, 0.991, 0.984), (0.967, 0.996, 0.973)),
        raw_mean=((-2.1e-7, -7.2e-6, 2.4e-7), (3.06e-7, 1.097e-5, -1.77e-7)),
        gnv_step=5,
        sca_step=1,
    ),
}


@dataclass(frozen=True)
class Scenario:
    """Every option that a simulated day depends on, besides its date.

    Attributes
    ----------
    mission : str
        Key of `MISSIONS`.
    start : datetime.date
        First GPS day.
    days : int
        Number of days.
    seed : int
        Root of all random streams.
    solar_flux : float or None
        F10.7 [1e-22 W m-2 Hz-1]; None follows the solar cycle of the date.
    storm : str or float
        Name in `STORMS`, or a constant ap.
    altitude, separation : float
        Mean height and distance of the twin [km].
    gaps : str
        ``"default"``, ``"none"`` or ``"given"``.
    spans : tuple of (satellite, start, stop)
        Given gaps, in integer GPS seconds, stop excluded.
    """

    mission: str = "grace"
    start: dt.date = dt.date(2008, 1, 1)
    days: int = 10
    seed: int = 0
    solar_flux: float | None = None
    storm: str | float = "active"
    altitude: float = 470.0
    separation: float = 205.0
    gaps: str = "default"
    spans: tuple[tuple[str, int, int], ...] = field(default=())

    @property
    def constants(self) -> Mission:
        """Constants of the mission."""
        return MISSIONS[self.mission]

    @property
    def satellites(self) -> str:
        """Letters of the two satellites."""
        return self.constants.satellites

    @property
    def dates(self) -> list[dt.date]:
        """GPS days of the scenario."""
        return [self.start + dt.timedelta(days=n) for n in range(self.days)]

    def to_json(self) -> str:
        """Return the options as one line of JSON."""
        values = asdict(self)
        values["start"] = self.start.isoformat()
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Scenario:
        """Return the scenario written by `to_json`."""
        values = json.loads(text)
        values["start"] = dt.date.fromisoformat(values["start"])
        values["spans"] = tuple((s, int(a), int(b)) for s, a, b in values["spans"])
        return cls(**values)


def day_number(date: dt.date) -> int:
    """GPS days since 2000-01-01."""
    return (date - DAY_ZERO).days


def make_scenario(
    *,
    mission: str = "grace",
    start: str | dt.date = "2008-01-01",
    days: int = 10,
    seed: int = 0,
    solar_flux: float | None = None,
    storm: str | float = "active",
    altitude: float | None = None,
    separation: float | None = None,
    gaps: str | GapSpans | None = "default",
) -> Scenario:
    """Check the options of `simulate_archive` and fill in the defaults.

    Raises
    ------
    GraceError
        An option is outside what the models cover.
    """
    if mission not in MISSIONS:
        raise GraceError(_expected("mission", mission, " or ".join(MISSIONS)))
    constants = MISSIONS[mission]
    altitude = constants.altitude if altitude is None else float(altitude)
    separation = constants.separation if separation is None else float(separation)
    _check_range("days", days, 1, 20_000)
    _check_range("seed", seed, 0, 2**63)
    _check_range("altitude", altitude, 200.0, 1000.0, "km")
    _check_range("separation", separation, 20.0, 1000.0, "km")
    if solar_flux is not None:
        _check_range("solar_flux", solar_flux, 50.0, 400.0)
    if isinstance(storm, str):
        if storm not in STORMS:
            expected = f"one of {', '.join(STORMS)}, or a constant ap"
            raise GraceError(_expected("storm", storm, expected))
    else:
        _check_range("storm", storm, 0.0, 400.0)
    kind, spans = _check_gaps(gaps, constants.satellites)
    return Scenario(
        mission=mission,
        start=_date(start),
        days=int(days),
        seed=int(seed),
        solar_flux=None if solar_flux is None else float(solar_flux),
        storm=storm if isinstance(storm, str) else float(storm),
        altitude=altitude,
        separation=separation,
        gaps=kind,
        spans=spans,
    )


def _expected(name: str, value: object, expected: str) -> str:
    return f"{name}={value!r}: expected {expected}"


def _check_range(
    name: str, value: float, low: float, high: float, unit: str = ""
) -> None:
    if not low <= value <= high:
        between = f"a value between {low:g} and {high:g} {unit}".rstrip()
        raise GraceError(_expected(name, value, between))


def _date(value: Any) -> dt.date:
    time = instant(value, name="start")
    date: dt.date = time.astype("datetime64[D]").item()
    if np.datetime64(date) != time:
        raise GraceError(_expected("start", value, "a whole day"))
    if not DAY_ZERO < date < dt.date(2060, 1, 1):
        raise GraceError(_expected("start", str(date), "a date in 2000-2059"))
    return date


def _check_gaps(
    gaps: str | GapSpans | None, satellites: str
) -> tuple[str, tuple[tuple[str, int, int], ...]]:
    if gaps is None or gaps == "none":
        return "none", ()
    if isinstance(gaps, str):
        if gaps != "default":
            expected = "'default', None, or a mapping of satellite to spans"
            raise GraceError(_expected("gaps", gaps, expected))
        return "default", ()
    spans: list[tuple[str, int, int]] = []
    for satellite, pairs in gaps.items():
        if satellite not in satellites:
            expected = f"satellites among {', '.join(satellites)}"
            raise GraceError(_expected("gaps", satellite, expected))
        for start, stop in pairs:
            a = _gps_second(begin(start, name="gaps"))
            b = _gps_second(end(stop, name="gaps"))
            if b <= a:
                raise GraceError(_expected("gaps", (start, stop), "start before stop"))
            spans.append((satellite, a, b))
    return "given", tuple(sorted(spans))


def _gps_second(time: np.datetime64) -> int:
    return int((time - EPOCH) / np.timedelta64(1, "s"))
