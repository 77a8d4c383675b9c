"""Numbers of an evaluation against other ways to work them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import BSpline
from scipy.signal import welch

from gracelstm_xr.evaluate.bootstrap import blocks_of, bootstrap
from gracelstm_xr.evaluate.parts import Part, join_parts, load_part, save_part
from gracelstm_xr.evaluate.scores import regimes, tables
from gracelstm_xr.evaluate.solver import absorbed
from gracelstm_xr.evaluate.spectra import band_rms, observation_noise, spectra
from gracelstm_xr.evaluate.verdict import findings
from gracelstm_xr.filling.benchmark import GapErrors

DAY = 86_400.0
MIDNIGHT = 300 * DAY + 43_200.0  # GPS seconds count from noon


def brute_force(t: np.ndarray, a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Least squares with scipy's splines and a scale per day."""
    h = 21_600.0
    knots = np.arange(np.floor(t[0] / h) - 3, np.ceil(t[-1] / h) + 4) * h
    columns = [
        np.nan_to_num(BSpline.basis_element(knots[i : i + 5], extrapolate=False)(t))
        for i in range(len(knots) - 4)
    ]
    day = np.floor((t - 43_200.0) / DAY)
    columns += [
        np.where(day == d, (a - a[day == d].mean()) * 1e7, 0.0) for d in np.unique(day)
    ]
    x = np.stack([c for c in columns if np.abs(c).max() > 0], axis=1)
    return e - x @ np.linalg.lstsq(x, e, rcond=None)[0]


def test_what_a_solver_absorbs() -> None:
    rng = np.random.default_rng(0)
    t = MIDNIGHT + np.arange(0.0, 1.7 * DAY, 10.0)
    a = 1e-7 * np.sin(t / 900) + 4e-8 * rng.normal(size=len(t)) + 5e-7
    inside = np.arange(4000, 9000)
    errors = 1e-9 * rng.normal(size=(5000, 2)) + 3e-9 * np.linspace(0, 1, 5000)[:, None]
    found = absorbed(t, a, inside, errors)
    for k in range(2):
        whole = np.zeros(len(t))
        whole[inside] = errors[:, k]
        np.testing.assert_allclose(
            found[:, k], brute_force(t, a, whole)[inside], atol=2e-13
        )
    assert (found.std(axis=0) < errors.std(axis=0)).all()


def test_a_bias_and_a_scale_error_vanish_when_all_is_a_gap() -> None:
    t = MIDNIGHT + np.arange(0.0, DAY, 10.0)
    a = 1e-7 * np.sin(t / 900)
    errors = np.stack([2e-9 + 0.01 * a, np.full(len(t), np.nan)], axis=1)
    found = absorbed(t, a, np.arange(len(t)), errors)
    assert np.abs(found[:, 0]).max() < 1e-15
    assert np.isnan(found[:, 1]).all()


def test_bands_add_up_and_hold_what_belongs_to_them() -> None:
    t = np.arange(0.0, 50 * 5640.0, 10.0)
    wave = np.stack(
        [np.sin(2 * np.pi * f * t) for f in (0.5 / 5640, 3 / 5640, 2e-3)], axis=1
    )
    found = band_rms(wave + 0.1, 10.0)
    np.testing.assert_allclose(
        np.sqrt((found**2).sum(axis=0)), np.sqrt(((wave + 0.1) ** 2).mean(axis=0))
    )
    np.testing.assert_allclose(found[0, 0], np.sqrt(0.5 + 0.01), rtol=1e-3)
    np.testing.assert_allclose(found[[1, 2], [1, 2]], 0.5**0.5, rtol=1e-3)
    assert found[3].max() < 1e-2


def long_gaps(seed: int = 0, count: int = 6, size: int = 4320) -> Part:
    """Gaps of 12 h at 10 s whose errors are white, of 1 and 2 nm s-2."""
    rng = np.random.default_rng(seed)
    n = count * size
    gap = np.repeat(np.arange(count), size)
    t = MIDNIGHT + 10.0 * np.arange(n) + 1e4 * gap
    truth = 1e-7 * rng.normal(size=(n, 3))
    errors = {
        "transplant": 2e-9 * rng.normal(size=(n, 3)),
        "fill": 1e-9 * rng.normal(size=(n, 3)),
    }
    return Part(
        GapErrors(
            t=t, length=np.full(n, 10.0 * size), distance=np.full(n, 100.0), gap=gap,
            errors=errors, truth=truth, firing=40.0 * (gap % 2), shadow=gap > 3,
            latitude_argument=np.radians(t / 15.6667 % 360),
            sigma=np.full((n, 3), 1e-9), code=np.ones((n, 3), dtype=np.uint8),
        ),
        np.where(gap == 5, 5e-8, 1e-8),
        {name: np.full((count, 3), 1e-18) for name in errors},
    )  # fmt: skip


def test_density_of_white_errors_and_coherence() -> None:
    found = spectra({"B": long_gaps()}, ["transplant", "fill"])
    level = found["error_asd"].isel(satellite=0).mean("frequency")
    # white noise of 0.05 Hz bandwidth: sigma / sqrt(0.05), in the mean of the root
    np.testing.assert_allclose(
        level.sel({"method": "fill"}), 1e-9 / 0.05**0.5, rtol=0.03
    )
    np.testing.assert_allclose(
        level.sel({"method": "transplant"}), 2e-9 / 0.05**0.5, rtol=0.03
    )
    power = found["error_asd"].sel({"method": "fill"}).isel(satellite=0) ** 2
    rows = long_gaps().errors.errors["fill"][:4320]
    f, density = welch(rows, fs=0.1, nperseg=1080, axis=0)
    np.testing.assert_allclose(found["frequency"], f[1:])
    np.testing.assert_allclose(power.mean("frequency"), density[1:].mean(0), rtol=0.05)
    assert (found["coherence"] > 0.99).all()
    kim = found["kim_asd"].isel(frequency=-1)
    part = long_gaps()
    part.errors.errors["transplant"][100, 0] = np.nan
    less = spectra({"B": part}, ["transplant", "fill"])["error_asd"].isel(satellite=0)
    assert less.sel({"method": "transplant", "axis": "x"}).isnull().all()
    others = {"method": "fill"}
    xr.testing.assert_equal(
        less.sel(others), found["error_asd"].isel(satellite=0).sel(others)
    )
    assert float(kim.sel(axis="y")) == pytest.approx((1 + 0.1 / 0.05) ** 0.5 * 1e-9)
    assert float(kim.sel(axis="x")) == pytest.approx((1 + 0.005 / 0.05) ** 0.5 * 1e-10)
    kbr = np.interp([1e-3, 3e-3, 1e-2], found["frequency"], found["kbr_asd"])
    np.testing.assert_allclose(kbr, [5.9e-11, 5.3e-10, 5.9e-9], rtol=0.02)
    assert len(spectra({"B": short()}, ["fill"])) == 0


def short() -> Part:
    return long_gaps(count=2, size=100)


def test_observation_noise_is_that_of_the_design() -> None:
    # science: 0.025 (x, z) and 0.79 nm s-2 (y) over 0.1-35 mHz; a little more below
    x, y, z = observation_noise().values * 1e9
    assert x == z
    assert 0.019 < x < 0.03
    assert 0.79 < y < 1.0


def test_blocks_are_gaps_or_shared_revolutions() -> None:
    part = long_gaps(count=2)
    shifted = part.errors.take(slice(0, 4320))
    both = join_parts([Part(shifted, part.activity[:4320], {
        k: v[:1] for k, v in part.solved.items()})] * 2)  # fmt: skip
    blocks = blocks_of(both.errors)
    # the same twelve hours hidden twice are not twice the evidence
    np.testing.assert_array_equal(blocks[:4320], blocks[4320:])
    assert len(np.unique(blocks)) in (8, 9)
    assert blocks_of(short().errors).max() == 1


def test_bootstrap_finds_the_spread_of_a_mean() -> None:
    rng = np.random.default_rng(1)
    squares = rng.gamma(2.0, size=(400, 1, 1))
    draws = bootstrap(squares, np.ones((400, 1, 1)), 3)[:, 0, 0]
    np.testing.assert_array_equal(
        draws, bootstrap(squares, np.ones((400, 1, 1)), 3)[:, 0, 0]
    )
    expected = squares.std() / 20
    assert (draws**2).std() == pytest.approx(expected, rel=0.1)


def test_tables_of_known_errors() -> None:
    found = tables({"B": long_gaps()}, 0).isel(satellite=0, gap_length=0)
    np.testing.assert_allclose(found["skill"].sel({"method": "fill"}), 0.5, atol=0.02)
    np.testing.assert_allclose(found["ratio"], 0.5, atol=0.02)
    assert (found["ratio_low"] < found["ratio"]).all()
    assert (found["best_baseline"] == "transplant").all()
    np.testing.assert_allclose(found["coverage"].sel(level=0.68), 0.68, atol=0.01)
    np.testing.assert_allclose(found["coverage"].sel(level=0.95), 0.95, atol=0.01)
    assert (found["coverage_low"] < found["coverage"]).all()
    assert (found["coverage_high"] > found["coverage"]).all()
    np.testing.assert_allclose(found["sigma_factor"], 1.0, atol=0.02)
    np.testing.assert_allclose(found["rms_solver"], 1e-9)
    np.testing.assert_array_equal(found["lstm_share"], 1.0)


def test_methods_are_compared_where_both_have_an_estimate() -> None:
    """In a hole of the twin only some methods have one, and a hard time of it."""
    part, whole = long_gaps(), tables({"B": long_gaps()}, 0)
    errors = part.errors.errors
    hole = np.arange(len(part.activity)) % 3 == 0
    errors["fill"][hole] *= 50
    errors["transplant"][hole] = np.nan
    found = tables({"B": part}, 0).isel(satellite=0, gap_length=0)
    whole = whole.isel(satellite=0, gap_length=0)
    told = {f.axis: f for f in findings(tables({"B": part}, 0), "B")}
    for axis in "xyz":
        # what stands beside each other comes from the same samples
        rms, baseline = told[axis].rms, told[axis].baseline_rms
        assert rms / baseline == pytest.approx(float(found["ratio"].sel(axis=axis)))
        assert rms < baseline
        assert told[axis].outcome == "better"
    at = {"method": "transplant"}
    np.testing.assert_allclose(found["share"].sel(at), 2 / 3, atol=0.01)
    assert (found["rms"].sel({"method": "fill"}) > 10e-9).all()
    for name in ("ratio", "ratio_low", "ratio_high"):
        np.testing.assert_allclose(found[name], whole[name], atol=0.05)
    for name in ("skill", "skill_low", "skill_high"):
        at = {"method": "fill"}
        np.testing.assert_allclose(found[name].sel(at), whole[name].sel(at), atol=0.05)
    assert (found["skill_low"] <= found["skill"]).all()
    assert (found["skill"] <= found["skill_high"]).all()
    errors["transplant"][:] = np.nan
    empty = tables({"B": part}, 0).isel(satellite=0, gap_length=0)
    assert (empty["best_baseline"] != "transplant").all()
    assert empty["skill"].isnull().all()


def test_regimes_of_made_samples() -> None:
    part = long_gaps()
    found = regimes(part)
    assert found["firing"].sum() == found["no firing"].sum() == len(part.activity) / 2
    assert found["shadow crossing"].sum() == 2 * 4320
    assert found["disturbed"].sum() == 4320
    assert (found["disturbed"] ^ found["quiet"]).all()
    bands = [found[f"latitude {b}"] for b in ("0-30", "30-60", "60-90")]
    assert (np.sum(bands, axis=0) == 1).all()
    # the argument of latitude runs evenly: a third of a revolution in each band
    np.testing.assert_allclose([b.mean() for b in bands], 1 / 3, atol=0.01)


def test_parts_come_back_from_disk_and_damaged_ones_do_not(tmp_path: Path) -> None:
    part, path = long_gaps(), tmp_path / "a.npz"
    save_part(part, path)
    back = load_part(path)
    assert back is not None
    assert set(back.errors.arrays()) == set(part.errors.arrays())
    for name, values in part.errors.arrays().items():
        np.testing.assert_array_equal(back.errors.arrays()[name], values)
    for name in part.errors.errors:
        np.testing.assert_array_equal(
            back.errors.errors[name], part.errors.errors[name]
        )
        np.testing.assert_array_equal(back.solved[name], part.solved[name])
    np.testing.assert_array_equal(back.activity, part.activity)
    path.write_bytes(path.read_bytes()[:1000])
    assert load_part(path) is None
    assert load_part(tmp_path / "b.npz") is None
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
