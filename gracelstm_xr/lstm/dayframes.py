"""Covariates at the working step, a file per satellite and GPS day.

They are built once, by any Dask scheduler, from the same samples whatever the chunks
of the data, and read back as training goes through the archive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array
from gracelstm_xr.compute.cluster import stream
from gracelstm_xr.compute.days import day_number, day_results
from gracelstm_xr.files import writing
from gracelstm_xr.physics.frames import HALO, Frame, Pair, frame_inputs, thin_frame

if TYPE_CHECKING:
    import xarray as xr

#: Kept in double precision; the covariates are of order one, single is enough.
EXACT = ("t", "own", "donor")


class DayFrames:
    """Folder of frames at the working step.

    Parameters
    ----------
    folder : pathlib.Path
        Made when it is not there. Files of the same data are used again.
    step : float
        Working step [s].
    """

    def __init__(self, folder: Path, step: float) -> None:
        self.folder, self.step = folder, step

    def build(
        self,
        ds: xr.Dataset,
        pairs: list[Pair],
        days: Collection[int],
        *,
        progress: bool = False,
    ) -> None:
        """Make the frames of some days that are not there yet.

        Workers compute, this process writes: they need not share a disk.

        Parameters
        ----------
        ds : xarray.Dataset
            Data model.
        pairs : list of Pair
            With their constants.
        days : collection of int
            Numbers, see `gracelstm_xr.compute.days.day_number`.
        progress : bool
            Show a bar on standard error.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = {
            d
            for d in days
            if not all(self._path(p.recipient, d).exists() for p in pairs)
        }
        extras = pairs[0].extras if pairs else ()
        # every variable of a satellite once, though it serves in two roles
        inputs = {
            f"{satellite}.{key.removeprefix('own.')}": array
            for satellite in dict.fromkeys(
                s for p in pairs for s in (p.recipient, p.donor) if s is not None
            )
            for key, array in frame_inputs(ds, Pair(satellite, extras=extras)).items()
        }
        tasks = day_results(
            _frames_of_day, inputs, ds, pairs, self.step, halo=HALO, only=missing
        )
        stream(tasks, self._keep, label="covariates", progress=progress)

    def _keep(self, days: list[dict[str, Frame]]) -> None:
        for frames in days:
            for name, frame in frames.items():
                if len(frame):
                    self._write(name, frame)

    def _write(self, name: str, frame: Frame) -> None:
        path = self._path(name, day_number(float(frame.t[0])))
        arrays = {
            k: v if k in EXACT else v.astype(np.float32)
            for k, v in frame.arrays().items()
        }
        with writing(path, replace=True) as work, work.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def _path(self, name: str, day: int) -> Path:
        return self.folder / f"{name}-{day:06d}.npz"

    def load(self, name: str, span: tuple[float, float]) -> Frame | None:
        """Frame of one satellite from ``span[0]`` to before ``span[1]`` [GPS s].

        None when no sample was ever there.
        """
        parts = []
        for day in range(day_number(span[0]), day_number(span[1] - 1e-3) + 1):
            path = self._path(name, day)
            if path.exists():
                with np.load(path, allow_pickle=False) as arrays:
                    parts.append(
                        Frame(**{k: v.astype(np.float64) for k, v in arrays.items()})
                    )
        if not parts:
            return None
        frame = Frame.join(parts)
        low, high = np.searchsorted(frame.t, span)
        return frame.take(slice(int(low), int(high))) if high > low else None


def _frames_of_day(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    pairs: list[Pair],
    step: float,
) -> dict[str, Frame]:
    """Frames of one day of all recipients, at the working step."""
    return {
        pair.recipient: thin_frame(t, _roles(arrays, pair), pair, keep=keep, step=step)
        for pair in pairs
    }


def _roles(
    arrays: Mapping[str, npt.NDArray[Any]], pair: Pair
) -> dict[str, npt.NDArray[Any]]:
    """Variables as recipient and donor see them."""
    inputs = {}
    for key, values in arrays.items():
        satellite, _, name = key.partition(".")
        if satellite == pair.recipient:
            inputs[f"own.{name}"] = values
        elif satellite == pair.donor:
            inputs[f"donor.{name}"] = values
    return inputs
