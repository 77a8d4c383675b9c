"""The truth of a simulated archive: every second of both satellites, and its parts."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from gracelstm_xr.core.index import regular_coords
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.errors import GraceError
from gracelstm_xr.simulate.config import Scenario
from gracelstm_xr.simulate.day import COMPONENTS, Day, simulate_day
from gracelstm_xr.simulate.instrument import scale
from gracelstm_xr.simulate.rng import SECONDS

if TYPE_CHECKING:
    import xarray as xr

#: Name of the truth store beside the archive.
TRUTH_NAME = "truth.zarr"
MEANINGS = {
    "lin_accl": "simulated linear acceleration without gaps, uncalibrated",
    "drag": "simulated atmospheric drag",
    "solar_radiation": "simulated solar radiation pressure",
    "earth_radiation": "simulated albedo and infrared pressure of the Earth",
    "thruster": "simulated acceleration by thruster firings",
    "twang": "simulated acceleration by twangs, not recorded anywhere else",
    "noise": "simulated accelerometer noise",
    "bias": "simulated calibration bias",
    "observed": "1 where the simulated archive holds an ACC1B record",
}
DTYPES = {"lin_accl": "f8", "observed": "i1"}


class _Array(Protocol):
    def __setitem__(self, key: Any, value: Any) -> None: ...


def fields_of(day: Day) -> dict[str, npt.NDArray[Any]]:
    """Arrays of one day by variable name, (satellite, time) or with axis."""
    parts = dict(zip(COMPONENTS, day.components, strict=True))
    return {
        "lin_accl": day.lin_accl,
        **{name: values.astype(np.float32) for name, values in parts.items()},
        "bias": day.bias.astype(np.float32),
        "observed": day.observed.astype(np.int8),
    }


def _dims(name: str) -> tuple[str, ...]:
    dims = ("satellite", "time", "axis")
    return dims[:2] if name == "observed" else dims


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(DTYPES.get(name, "f4"))


def _attributes(scenario: Scenario) -> dict[str, str]:
    return {
        "title": f"Truth of a simulated {scenario.mission.upper()} archive",
        "source": "simulated: gracelstm_xr.simulate, not a measurement",
        "comment": (
            "scale * lin_accl + bias is the sum of drag, solar_radiation, "
            "earth_radiation, thruster, twang and noise"
        ),
        "simulation": scenario.to_json(),
    }


class TruthWriter:
    """Write the truth day by day.

    Parameters
    ----------
    folder : Path
        New folder of the store.
    scenario : Scenario
        What is simulated.
    """

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        import zarr

        root = zarr.open_group(folder, mode="w-", zarr_format=3)
        root.attrs.update(_attributes(scenario))
        size = SECONDS * scenario.days
        self.arrays: dict[str, _Array] = {}
        for name in MEANINGS:
            shape = (2, size, 3)[: len(_dims(name))]
            self.arrays[name] = root.create_array(
                name,
                shape=shape,
                chunks=(1, SECONDS, 3)[: len(shape)],
                dtype=_dtype(name),
                dimension_names=_dims(name),
                fill_value=0 if name == "observed" else np.nan,
            )

    def write(self, index: int, day: Day) -> None:
        """Write one day at its place.

        Parameters
        ----------
        index : int
            Days since the start of the scenario.
        day : Day
            What was simulated.
        """
        place = slice(SECONDS * index, SECONDS * (index + 1))
        for name, values in fields_of(day).items():
            self.arrays[name][:, place] = values


def open_truth(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open the truth of a simulated archive, lazily.

    Parameters
    ----------
    path : str or PathLike
        Folder written by `simulate_archive`, or the ``truth.zarr`` inside it.

    Returns
    -------
    xarray.Dataset
        ``lin_accl`` (satellite, time, axis) as the archive holds it, but without
        gaps [m s-2]; its parts ``drag``, ``solar_radiation``, ``earth_radiation``,
        ``thruster``, ``twang``, ``noise`` and the ``bias`` (all calibrated, m s-2),
        ``scale``, and ``observed`` (satellite, time), 1 where the archive has a
        record. One Dask chunk per satellite and day.

    Raises
    ------
    FileNotFoundError
        No truth was stored there.
    GraceError
        The store was not written by `simulate_archive`.
    """
    import dask.array as da
    import zarr

    place = Path(path)
    store = place if place.name == TRUTH_NAME else place / TRUTH_NAME
    if not store.is_dir():
        raise FileNotFoundError(
            f"{store}: no truth of a simulated archive; simulate_archive writes it "
            "unless truth=False"
        )
    root = zarr.open_group(store, mode="r", zarr_format=3)
    text = root.attrs.get("simulation")
    if not isinstance(text, str):
        raise GraceError(
            f"{store}: no attribute 'simulation'; expected a store written by "
            "simulate_archive"
        )
    arrays = {name: da.from_zarr(root[name]) for name in MEANINGS}
    return _dataset(Scenario.from_json(text), arrays)


def lazy_truth(scenario: Scenario) -> xr.Dataset:
    """Truth that is simulated when computed, one task per day. See `open_truth`."""
    import dask
    import dask.array as da

    days = [
        dask.delayed(_simulated, pure=True)(scenario, date) for date in scenario.dates
    ]
    arrays = {}
    for name in MEANINGS:
        shape = (2, SECONDS, 3)[: len(_dims(name))]
        blocks = [da.from_delayed(day[name], shape, _dtype(name)) for day in days]
        arrays[name] = da.concatenate(blocks, axis=1)
    return _dataset(scenario, arrays)


def _simulated(scenario: Scenario, date: dt.date) -> dict[str, npt.NDArray[Any]]:
    return fields_of(simulate_day(scenario, date))


def _dataset(scenario: Scenario, arrays: dict[str, Any]) -> xr.Dataset:
    """Label the arrays as the data model does."""
    import xarray as xr

    start = np.datetime64(scenario.start, "ns")
    axis = RegularAxis(start, np.timedelta64(10**9, "ns"), SECONDS * scenario.days)
    variables = {}
    for name, values in arrays.items():
        attributes = {"long_name": MEANINGS[name], "units": "m s-2"}
        if name == "observed":
            attributes["units"] = "1"
        variables[name] = (_dims(name), values, attributes)
    factor = np.stack([scale(scenario, k) for k in (0, 1)])
    about = {"long_name": "simulated calibration scale", "units": "1"}
    variables["scale"] = (("satellite", "axis"), factor, about)
    ds = xr.Dataset(variables, attrs=_attributes(scenario))
    ds = ds.assign_coords(satellite=list(scenario.satellites), axis=list("xyz"))
    return ds.assign_coords(regular_coords(axis))
