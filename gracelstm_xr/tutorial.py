"""Small simulated archives for examples: generated once, cached, no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gracelstm_xr.errors import GraceError
from gracelstm_xr.files import writing

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["NAMES", "archive_path", "cache_folder", "open_dataset", "open_truth"]

#: Options of `simulate_archive` by name.
NAMES: dict[str, dict[str, Any]] = {
    "grace-2008": {"mission": "grace", "start": "2008-01-01", "days": 4},
    "grace-storm": {
        "mission": "grace",
        "start": "2005-05-28",
        "days": 4,
        "storm": "storm",
    },
    "grace-gaps": {
        "mission": "grace",
        "start": "2008-01-01",
        "days": 3,
        "gaps": {
            "A": [("2008-01-02T15:00:00", "2008-01-02T15:02:00")],
            "B": [
                ("2008-01-01T04:30:00", "2008-01-01T04:31:00"),
                ("2008-01-01T16:00:00", "2008-01-01T16:10:00"),
                ("2008-01-02T06:00:00", "2008-01-02T07:30:00"),
                ("2008-01-02T18:00:00", "2008-01-02T21:00:00"),
            ],
        },
    },
    "grace-fo-2019": {"mission": "grace-fo", "start": "2019-01-01", "days": 3},
}
#: Environment variable that names another cache folder.
VARIABLE = "GRACELSTM_XR_CACHE"
#: Part of the folder name; counted up when the simulation changes its numbers.
GENERATION = "1"


def cache_folder() -> Path:
    """Folder for generated archives; it is not made here.

    Returns
    -------
    Path
        ``$GRACELSTM_XR_CACHE``, else ``gracelstm_xr`` in the cache folder of the
        platform.
    """
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "gracelstm_xr"


def archive_path(
    name: str = "grace-2008",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    days: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
) -> Path:
    """Return the folder of a named archive, generating it on first use.

    Parameters
    ----------
    name : str, optional
        One of `NAMES`.
    cache_dir : str or PathLike, optional
        Where to keep it; `cache_folder` by default.
    days : int, optional
        Another number of days.
    progress : bool or callable, optional
        As in `simulate_archive`.

    Returns
    -------
    Path
        Folder with daily tarballs and ``truth.zarr``.

    Raises
    ------
    GraceError
        Unknown name.
    """
    from gracelstm_xr.simulate import simulate_archive

    if name not in NAMES:
        raise GraceError(f"name={name!r}: expected one of {', '.join(NAMES)}")
    options = dict(NAMES[name])
    if days is not None:
        options["days"] = days
    folder = cache_folder() if cache_dir is None else Path(cache_dir)
    target = folder / f"{name}-{options['days']}d-v{GENERATION}"
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with writing(target) as work:
            simulate_archive(work, **options, progress=progress)
    except OSError:
        if not target.is_dir():  # else another process was faster
            raise
    return target


def open_dataset(
    name: str = "grace-2008",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    days: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
    **options: Any,
) -> xr.Dataset:
    """Open a named simulated archive, generating it on first use.

    Parameters
    ----------
    name : {"grace-2008", "grace-storm", "grace-gaps", "grace-fo-2019"}, optional
        Four ordinary days of GRACE, four with a geomagnetic storm, three with gaps
        of a minute to three hours in B, or three days of GRACE-FO text files.
    cache_dir, days, progress
        As in `archive_path`.
    **options
        Passed to `gracelstm_xr.open_archive`.

    Returns
    -------
    xarray.Dataset
        Lazy, on the regular 1 s GPS grid, with gaps. Simulated, not measured.

    Raises
    ------
    GraceError
        Unknown name.
    """
    from gracelstm_xr.archive.dataset import open_archive

    path = archive_path(name, cache_dir=cache_dir, days=days, progress=progress)
    ds: xr.Dataset = open_archive(path, **options)
    return ds.assign_attrs(
        title=f"Simulated {ds.attrs.get('title', 'Level-1B data')}",
        source=f"simulated: gracelstm_xr.simulate; {ds.attrs.get('source', '')}",
    )


def open_truth(
    name: str = "grace-2008",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    days: int | None = None,
    progress: bool | Callable[[int, int], None] = False,
) -> xr.Dataset:
    """Open the truth behind `open_dataset`: the series without its gaps.

    Parameters
    ----------
    name, cache_dir, days, progress
        As in `open_dataset`.

    Returns
    -------
    xarray.Dataset
        See `gracelstm_xr.simulate.open_truth`.

    Raises
    ------
    GraceError
        Unknown name.
    """
    from gracelstm_xr import simulate

    path = archive_path(name, cache_dir=cache_dir, days=days, progress=progress)
    return simulate.open_truth(path)
