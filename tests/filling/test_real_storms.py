"""Sigma in real storms: density along the orbits of CHAMP and GRACE-C, one axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

#: Acceleration along the track per density [m s-2 per kg m-3], about.
PER_DENSITY = -1.5e5
STEP = 30
STORMS = (
    *("CHAMP_2003-10-29", "CHAMP_2004-11-08", "GRACE-FO-A_2019-05-14"),
    *("GRACE-FO-A_2021-11-04", "GRACE-FO-A_2023-04-23", "GRACE-FO-A_2024-05-11"),
)


def storm(path: Path) -> xr.Dataset:
    """x of satellite C, a sample in 30 s; the other axes are not known."""
    density = np.loadtxt(path)
    accl = np.full((1, len(density), 3), np.nan)
    accl[0, :, 0] = PER_DENSITY * density
    day = np.datetime64(path.stem.split("_")[1], "ns")
    time = day + np.arange(len(density)) * np.timedelta64(STEP, "s")
    coords = {"satellite": ["C"], "time": time, "axis": ["x", "y", "z"]}
    dims = ("satellite", "time", "axis")
    return xr.Dataset({"lin_accl": (dims, accl, {"units": "m s-2"})}, coords=coords)


def hidden(size: int, length: int, *, seed: int) -> np.ndarray:
    """Gaps all over, observations of once to three times their length between."""
    rng = np.random.default_rng(seed)
    gone = np.zeros(size, dtype=bool)
    first = 60 + int(rng.integers(length, 3 * length + 40))
    while first + length < size - 60:
        gone[first : first + length] = True
        first += length + int(rng.integers(length, 3 * length + 40))
    return gone


@pytest.mark.parametrize("minutes", [10, 60])
@pytest.mark.parametrize("name", STORMS)
@pytest.mark.parametrize("method", ["linear", "ar"])
def test_two_in_three_lie_within_sigma(
    shared_data: Path, name: str, minutes: int, method: str
) -> None:
    ds = storm(shared_data / "real_storms" / f"{name}.csv")
    truth = ds["lin_accl"].values[0, :, 0]
    ratio = []
    for seed in (0, 1):
        gone = hidden(len(truth), minutes * 60 // STEP, seed=seed) & np.isfinite(truth)
        with_gaps = ds.copy(deep=True)
        with_gaps["lin_accl"].values[0, gone, 0] = np.nan
        filled = with_gaps.grace.fill(method=method)
        names = ["lin_accl_filled", "lin_accl_filled_sigma"]
        part = filled[names].isel(satellite=0, axis=0, time=gone).compute()
        ratio.append(
            np.abs(part[names[0]] - truth[gone]).values / part[names[1]].values
        )
    error = np.concatenate(ratio)
    assert np.isfinite(error).mean() > 0.95
    error = error[np.isfinite(error)]
    assert np.mean(error < 1.0) == pytest.approx(0.68, abs=0.10)
    assert np.mean(error < 1.96) == pytest.approx(0.95, abs=0.10)
