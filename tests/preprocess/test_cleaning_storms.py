"""What is signal stays unmarked, what is damage is found: real and simulated storms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.preprocess.clean import REASONS, clean, count_marks
from gracelstm_xr.signal.lowpass import crn_filter

DAY = 86_400
START = np.datetime64("2005-05-30T00:00:00", "ns")
#: Reasons that tell about the signal itself; near_gap tells about holes.
SIGNAL = [reason for reason in REASONS if reason != "near_gap"]


def digitised(folder: Path) -> xr.Dataset:
    """Real hour of a storm on x, A and B, every 4 s; hidden parts are missing."""
    table = np.genfromtxt(
        folder / "digitised" / "grace_2005-05-30_lin_accl_x_first_hour.csv",
        delimiter=",",
        comments="#",
        skip_header=4,
    )
    table = table[np.isfinite(table[:, 0])]
    seconds = np.arange(0.0, table[-1, 0], 4.0)
    values = np.full((2, len(seconds), 3), np.nan)
    for i in (0, 1):
        known = np.isfinite(table[:, 1 + i])
        t, x = table[known, 0], table[known, 1 + i]
        near = np.abs(seconds[:, None] - t[None, :]).min(axis=1) <= 4.0
        values[i, near, 0] = np.interp(seconds[near], t, x)
    return xr.Dataset(
        {"lin_accl": (("satellite", "time", "axis"), values, {"units": "m s-2"})},
        coords={
            "satellite": ["A", "B"],
            "time": START + (seconds * 1e9).astype("m8[ns]"),
            "axis": ["x", "y", "z"],
        },
    )


@pytest.mark.parametrize("step", [4.0, 1.0])
def test_the_real_storm_hour_survives(shared_data: Path, step: float) -> None:
    ds = digitised(shared_data).grace.resample(step)
    x = ds["lin_accl"].sel(axis="x").values
    assert (np.nanmax(x, axis=1) - np.nanmin(x, axis=1) > 1.8e-7).all()
    assert np.isfinite(x).mean() > 0.8
    report = count_marks(clean(ds))
    assert report["samples"].sel(reason=SIGNAL).values.sum() == 0


def test_damage_in_the_real_storm_hour_is_found(shared_data: Path) -> None:
    ds = digitised(shared_data).grace.resample(1.0).load()
    x = ds["lin_accl"].values
    x[0, 700, 0] += 3e-11
    x[1, 900:920, 0] = x[1, 900, 0]
    x[1, 2_600:2_630, 0] += 1.5e-6
    flag = clean(ds)["acc_cleanflg"].values
    assert flag[0, 700] & REASONS["spike"]
    assert (flag[1, 900:920] & REASONS["stuck"]).all()
    assert (flag[1, 2_600:2_630] & REASONS["outlier"]).all()
    assert (flag[0] & ~np.uint8(REASONS["near_gap"]) != 0).sum() < 10


def test_the_real_minute_of_level_1b(shared_data: Path) -> None:
    path = shared_data / "jpl_sample" / "ACC1B_2003-09-14_A_00.dat"
    with xr.open_dataset(path, engine="grace_l1b") as ds:
        made = clean(ds.load())
    flag = made["acc_cleanflg"].values
    # filled raw samples are common in real files: told, and still observations
    quality = ds["acc_qualflg"].values
    np.testing.assert_array_equal(flag, np.where(quality & 0xE0, 4, 0))
    assert (flag == 4).sum() == 32
    assert made.grace.gaps().sizes["gap"] == 0


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """Two simulated days of severe disturbance, 350 firings a day and satellite."""
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.simulate import simulate_archive

    folder = simulate_archive(
        tmp_path_factory.mktemp("storm") / "archive",
        start="2004-11-08",
        days=2,
        seed=11,
        storm=170.0,
        solar_flux=150.0,
        gaps=None,
        products=("ACC1B", "THR1B"),
        layout="files",
        truth=False,
    )
    return open_archive(folder).load()


def test_simulated_storms_and_firings_survive(storm: xr.Dataset) -> None:
    x = storm["lin_accl"].sel(axis="x").values
    assert np.ptp(x, axis=1).min() > 3e-7
    fired = storm["thruster_on_time"].values[..., :6] > 0
    assert fired.sum() / 4 > 330
    report = count_marks(clean(storm))
    assert report["samples"].values.sum() == 0


def injected(
    ds: xr.Dataset, kind: str, size: float, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Marks of data with 24 defects, and where the defects are."""
    rng = np.random.default_rng(seed)
    made = ds[["lin_accl"]].copy(deep=True)
    places = np.arange(3_600, 2 * DAY - 3_600, 7_000) + rng.integers(-900, 900, 24)
    kernel = crn_filter(1.0)
    shapes = {
        "spike": np.ones(1),
        "burst": np.ones(5),
        "bump": np.convolve(np.ones(60), kernel),
        "step": np.convolve(np.ones(3_000), kernel),
    }
    for i, place in enumerate(places):
        series = made["lin_accl"].values[i % 2, :, rng.integers(1, 3)]
        if kind == "stuck":
            series[place : place + int(size)] = series[place]
            continue
        shape = shapes[kind]
        first = place - (70 if kind == "step" else len(shape) // 2)
        series[first : first + len(shape)] += rng.choice([-1, 1]) * size * shape
    satellites = np.arange(24) % 2
    flag = clean(made)["acc_cleanflg"].values
    return flag, np.stack([satellites, places])


@pytest.mark.parametrize(
    ("kind", "reason", "size", "found"),
    [
        ("spike", "spike", 2e-11, 1.0),
        ("spike", "spike", 3e-12, 0.0),
        ("spike", "spike", 1e-8, 1.0),
        ("burst", "spike", 3e-11, 1.0),
        ("stuck", "stuck", 10, 1.0),
        ("bump", "outlier", 3e-6, 1.0),
        ("bump", "outlier", 1e-7, 0.0),
        ("step", "level_shift", 1e-6, 0.9),
        ("step", "level_shift", 1e-7, 0.0),
    ],
)
def test_damage_of_stated_size(
    storm: xr.Dataset, kind: str, reason: str, size: float, found: float
) -> None:
    flag, places = injected(storm, kind, size)
    bit = REASONS[reason]
    hits = [(flag[s, p - 5 : p + 6] & bit).any() for s, p in places.T]
    assert np.mean(hits) >= found
    if not found:
        assert not np.any(flag)


@pytest.mark.usefixtures("no_compute")
def test_reports_are_lazy(storm: xr.Dataset) -> None:
    made: Any = clean(storm.chunk(time=DAY)).grace.marks()
    assert made["samples"].chunks is not None
    assert made["events"].chunks is not None
