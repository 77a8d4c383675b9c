"""The two public verbs: simulate an archive, simulate only its truth."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gracelstm_xr.compute.progress import track
from gracelstm_xr.errors import GraceError
from gracelstm_xr.files import (
    check_output,
    interrupted,
    remove_folder,
    resumable,
    writing,
)
from gracelstm_xr.l1b import write_archive
from gracelstm_xr.missions import GRACE_FO
from gracelstm_xr.simulate import files
from gracelstm_xr.simulate.config import GapSpans, Scenario, make_scenario
from gracelstm_xr.simulate.day import Day, simulate_day
from gracelstm_xr.simulate.truth import TRUTH_NAME, TruthWriter, lazy_truth

if TYPE_CHECKING:
    import xarray as xr

Progress = bool | Callable[[int, int], None]


def simulate_archive(
    path: str | os.PathLike[str],
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
    products: Sequence[str] | str = files.PRODUCTS,
    layout: Literal["tarballs", "files"] = "tarballs",
    truth: bool = True,
    overwrite: bool = False,
    progress: Progress = False,
) -> Path:
    """Write a physics-based simulated archive of both satellites.

    Parameters
    ----------
    path : str or PathLike
        Folder to write to; made when absent.
    mission : {"grace", "grace-fo"}, optional
        GRACE A and B as RL02 binary, or GRACE-FO C and D as RL04 text.
    start : str or datetime.date, optional
        First GPS day, ``YYYY-MM-DD``.
    days : int, optional
        Number of days.
    seed : int, optional
        Root of all random numbers; equal seeds give identical bytes.
    solar_flux : float, optional
        F10.7 [1e-22 W m-2 Hz-1]; by default the solar cycle at the date.
    storm : {"quiet", "active", "storm"} or float, optional
        Level of geomagnetic activity, or a constant ap.
    altitude, separation : float, optional
        Mean height above 6378 km and distance of the two satellites [km].
    gaps : "default", None or mapping, optional
        Seeded gaps of 5 s to 3 h, most of them on the second satellite; none; or
        ``{"B": [("2008-01-02T03:00:00", "2008-01-02T04:00:00")]}``, stops excluded.
        Records in a gap are absent; around it ``qualflg`` says so.
    products : sequence of str, optional
        Some of ACC1B, GNV1B, SCA1B, THR1B.
    layout : {"tarballs", "files"}, optional
        Daily tarballs under their official names, or the files themselves.
    truth : bool, optional
        Also write ``truth.zarr``, see `open_truth`.
    overwrite : bool, optional
        Replace files of the same names.
    progress : bool or callable, optional
        Draw a bar, or call ``progress(days_done, days)``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    GraceError
        An option is outside what the models cover, or files are in the way.

    Notes
    -----
    Orbit: near-circular with J2, 89 degrees. Air: NRLMSIS 2.1 through pymsis
    with structure and winds at high latitude. Forces: the GRACE plate model under
    drag, sunlight with penumbra, albedo and infrared. Instrument: thruster
    firings, twangs, noise of Kim (2000), thermal bias, TN-02 calibration, CRN
    low-pass. GRACE-FO orbits are written every 5 s, not every second, to keep the
    text small. A day depends on its date and the options, not on ``start`` or
    ``days``: archives of one seed that overlap agree byte for byte.
    """
    scenario = make_scenario(
        mission=mission,
        start=start,
        days=days,
        seed=seed,
        solar_flux=solar_flux,
        storm=storm,
        altitude=altitude,
        separation=separation,
        gaps=gaps,
    )
    wanted = files.check_products(products)
    if layout not in ("tarballs", "files"):
        raise GraceError(f"layout={layout!r}: expected 'tarballs' or 'files'")
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise GraceError(f"{folder}: a file; expected a folder to write to")
    outputs = [*_targets(folder, scenario, wanted, layout)]
    asked: dict[str, Any] = {
        "simulation": json.loads(scenario.to_json()),
        "products": list(wanted),
        "layout": layout,
        "truth": truth,
    }
    again = overwrite or interrupted(folder, asked)
    for target in outputs:
        check_output(target, overwrite=again, kinds=("simulated Level-1B file",))
    if truth:
        place = folder / TRUTH_NAME
        check_output(place, overwrite=again, kinds=("simulated truth",))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        resumable(folder, asked, outputs),
        _truth_writer(folder, scenario, enabled=truth) as writer,
    ):
        for index, date in enumerate(_counted(scenario.dates, progress)):
            day = simulate_day(scenario, date)
            _write_day(folder, scenario, day, wanted, layout)
            if writer is not None:
                writer.write(index, day)
    return folder


def simulate_truth(
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
) -> xr.Dataset:
    """Simulate without writing files.

    Parameters
    ----------
    mission, start, days, seed, solar_flux, storm, altitude, separation, gaps
        As in `simulate_archive`, whose truth this returns.

    Returns
    -------
    xarray.Dataset
        As `open_truth`; each day is simulated when it is computed.

    Raises
    ------
    GraceError
        An option is outside what the models cover.
    """
    scenario = make_scenario(
        mission=mission,
        start=start,
        days=days,
        seed=seed,
        solar_flux=solar_flux,
        storm=storm,
        altitude=altitude,
        separation=separation,
        gaps=gaps,
    )
    return lazy_truth(scenario)


def _targets(
    folder: Path, scenario: Scenario, products: Sequence[str], layout: str
) -> Iterator[Path]:
    for date in scenario.dates:
        if layout == "tarballs":
            yield folder / files.archive_name(scenario, date)
        else:
            for k in (0, 1):
                for product in products:
                    yield folder / files.member_name(scenario, product, date, k)


@contextlib.contextmanager
def _truth_writer(
    folder: Path, scenario: Scenario, *, enabled: bool
) -> Iterator[TruthWriter | None]:
    """Yield a writer that names its store at the end, and only if all went well."""
    if not enabled:
        yield None
        return
    target = folder / TRUTH_NAME
    with writing(target) as work:
        yield TruthWriter(work, scenario)
        remove_folder(target)


def _write_day(
    folder: Path, scenario: Scenario, day: Day, products: Sequence[str], layout: str
) -> None:
    members = files.day_files(scenario, day, products)
    if layout == "tarballs":
        target = folder / files.archive_name(scenario, day.date)
        late = scenario.mission == GRACE_FO.key
        write_archive(target, members, checksum=late, overwrite=True)
        return
    for name, data in members.items():
        with writing(folder / name, replace=True) as work:
            work.write_bytes(data)


def _counted(dates: Sequence[dt.date], progress: Progress) -> Iterator[dt.date]:
    if callable(progress):
        progress(0, len(dates))
        for index, date in enumerate(dates):
            yield date
            progress(index + 1, len(dates))
    else:
        yield from track(
            dates, "simulate", unit="day", enabled=bool(progress), total=len(dates)
        )
