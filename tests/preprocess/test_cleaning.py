"""Marks: every reason on known damage, nothing else touched, one rule for consumers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.core.gaps import usable
from gracelstm_xr.errors import GraceError
from gracelstm_xr.preprocess.clean import (
    NOT_MISSING,
    REASONS,
    clean,
    count_marks,
    quality_bits,
)
from gracelstm_xr.preprocess.gaps import find_gaps
from gracelstm_xr.signal.lowpass import crn_filter

DAY = 86_400


def has(ds: xr.Dataset, reason: str, satellite: str = "A") -> np.ndarray:
    flag = ds["acc_cleanflg"].sel(satellite=satellite).values
    return (flag & REASONS[reason]) != 0


def quiet(make_grid: Any, size: int = 20_000, satellites: str = "A") -> xr.Dataset:
    """Signals of an orbit with the noise that is left above the low-pass."""
    return make_grid(size=size, satellites=satellites, noise=1e-14)


def test_nothing_is_marked_in_clean_data_and_nothing_else_changes(
    make_grid: Any,
) -> None:
    ds = quiet(make_grid, satellites="AB")
    made = clean(ds)
    assert (made["acc_cleanflg"].values == 0).all()
    xr.testing.assert_identical(
        made.drop_vars("acc_cleanflg").drop_attrs(deep=False),
        ds.drop_attrs(deep=False),
    )
    assert "acc_cleanflg" not in ds


def test_attributes_say_what_was_done(make_grid: Any) -> None:
    made = clean(quiet(make_grid, 2000), spike=15, keep="manoeuvre")
    flag = made["acc_cleanflg"]
    assert flag.dtype == np.uint8
    meanings = flag.attrs["flag_meanings"].split()
    assert dict(zip(meanings, flag.attrs["flag_masks"], strict=True)) == REASONS
    assert flag.attrs["treated_as_missing"] == 255 - REASONS["manoeuvre"]
    told = json.loads(flag.attrs["parameters"])
    assert told["spike"] == 15
    assert told["keep"] == ["manoeuvre"]
    assert made.attrs["history"].startswith("2026-01-01 made\n")
    assert "spike=15" in made.attrs["history"].splitlines()[-1]


def test_implausible_values(make_grid: Any) -> None:
    ds = quiet(make_grid)
    x = ds["lin_accl"].values
    x[0, 5_000, 1] = 2e-4
    x[0, 6_000, 2] = -np.inf
    x[0, 7_000] = np.nan
    found = has(clean(ds), "implausible")
    assert np.flatnonzero(found).tolist() == [5_000, 6_000]
    low = has(clean(ds, limit=2e-5), "implausible")
    np.testing.assert_array_equal(low, (np.abs(x[0]) > 2e-5).any(axis=1))
    assert (clean(ds)["acc_cleanflg"].values[0, 7_000]) == 0


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8])
def test_spikes_of_a_few_seconds(make_grid: Any, width: int) -> None:
    ds = quiet(make_grid)
    ds["lin_accl"].values[0, 9_000 : 9_000 + width, 2] += 1e-9
    marked = np.flatnonzero(has(clean(ds), "spike"))
    assert set(range(9_000, 9_000 + width)) <= set(marked)
    # the samples beside the edges of a wide one cannot be told from it
    assert marked.min() >= 9_000 - 3
    assert marked.max() <= 9_000 + width + 2
    assert (clean(ds)["acc_cleanflg"].values[0] == 0).sum() >= 20_000 - width - 6


def test_two_distant_spikes_do_not_mark_what_is_between(make_grid: Any) -> None:
    ds = quiet(make_grid)
    ds["lin_accl"].values[0, [9_000, 9_030], 0] += 1e-9
    assert np.flatnonzero(has(clean(ds), "spike")).tolist() == [9_000, 9_030]


def test_spikes_are_not_sought_in_coarse_data(make_grid: Any) -> None:
    ds = quiet(make_grid).isel(time=slice(None, None, 5))
    ds["lin_accl"].values[0, 2_000, 0] += 1e-8
    assert not has(clean(ds), "spike").any()


def test_stuck_values_but_not_an_axis_of_zeros(make_grid: Any) -> None:
    ds = quiet(make_grid)
    x = ds["lin_accl"].values
    x[0, 4_000:4_012, 2] = x[0, 4_000, 2]
    x[0, 8_000:8_009, 2] = x[0, 8_000, 2]
    x[0, :, 1] = 0.0
    found = has(clean(ds), "stuck")
    assert np.flatnonzero(found).tolist() == list(range(4_000, 4_012))
    assert has(clean(ds, stuck=9.0), "stuck")[8_000:8_009].all()


def test_gross_outliers(make_grid: Any) -> None:
    ds = quiet(make_grid)
    t = np.arange(20_000)
    bump = np.convolve(((t >= 10_000) & (t < 10_060)) * 3e-6, crn_filter(1.0), "same")
    ds["lin_accl"].values[0, :, 1] += bump
    found = has(clean(ds), "outlier")
    assert found[np.abs(bump) > 1e-6].all()
    assert not found[np.abs(bump) < 1e-8].any()


def test_steps_that_stay_are_found_where_they_are(make_grid: Any) -> None:
    ds = quiet(make_grid, 30_000)
    ramp = np.convolve(np.arange(-1000, 1000) >= 0, crn_filter(1.0), "same")[200:-200]
    for position, size in ((8_000, 6e-7), (20_000, -4e-7)):
        x = ds["lin_accl"].values[0, :, 1]
        x[position - 800 : position + 800] += size * ramp
        x[position + 800 :] += size
    found = has(clean(ds), "level_shift")
    assert found[8_000 - 40 : 8_000 + 40].all()
    assert found[20_000 - 40 : 20_000 + 40].all()
    assert 300 < found.sum() < 420
    assert not has(clean(ds, shift=1e-5), "level_shift").any()


def test_a_slope_and_a_bump_are_no_steps(make_grid: Any) -> None:
    ds = quiet(make_grid, 30_000)
    t = np.arange(30_000.0)
    ds["lin_accl"].values[0, :, 0] += 3e-9 * (t - 15_000) * (np.abs(t - 15_000) < 5_000)
    ds["lin_accl"].values[0, :, 1] += 4e-7 * np.exp(-(((t - 9_000) / 200) ** 2))
    found = has(clean(ds), "level_shift")
    # the saw tooth falls back by 15 um s-2 at its two ends, and nowhere else
    assert not found[10_200:19_800].any()
    assert not found[8_000:9_850].any()


def test_firings_of_orbit_thrusters_are_manoeuvres(make_grid: Any) -> None:
    ds = quiet(make_grid, satellites="AB")
    on = np.zeros((2, 20_000, 14), dtype=np.float32)
    on[0, 5_000, 12] = 60_000  # a burn of a minute
    on[0, 9_000, 3] = 900  # usual control
    on[0, 12_000, 5] = 3_000  # a long firing about roll
    on[1, 5_000, :] = np.nan  # no THR1B there
    ds["thruster_on_time"] = (("satellite", "time", "thruster"), on)
    found = has(clean(ds), "manoeuvre")
    wanted = np.zeros(20_000, dtype=bool)
    wanted[5_000 - 70 : 5_060 + 71] = wanted[12_000 - 70 : 12_003 + 71] = True
    np.testing.assert_array_equal(found, wanted)
    assert not has(clean(ds), "manoeuvre", "B").any()
    assert has(clean(ds, long_firing=500.0), "manoeuvre")[9_000]


def test_a_push_along_x_is_a_manoeuvre_without_thruster_data(make_grid: Any) -> None:
    ds = quiet(make_grid)
    ds["lin_accl"].values[0, 9_000:9_100, 0] += 5e-5
    ds["lin_accl"].values[0, 15_000:15_005, 0] += 5e-5
    found = has(clean(ds), "manoeuvre")
    assert np.flatnonzero(found)[[0, -1]].tolist() == [9_000 - 70, 9_099 + 70]


def test_quality_bits_of_both_missions() -> None:
    from gracelstm_xr.core.conventions import flag_attributes
    from gracelstm_xr.l1b import product_of

    grace = product_of("ACC1B", "A").flags["acc_qualflg"]
    assert quality_bits(flag_attributes(grace, "uint8")) == (0b101, 0b11100000)
    # as the headers of GRACE-FO files say it
    texts = (
        "Vp (proof mass voltage) out of nominal range",
        "Not defined",
        "At least one of acl_x_res, acl_y_res, and acl_z_res is > 10 microns/s^2",
        "Extrapolated CLK1B clock offset value used for data point > 5 s",
        "Extrapolated CLK1B clock offset value used for data point <= 5 s",
        "Interpolated data point (due to gap) exists > 15 s from center",
        "Interpolated data point (due to gap) exists > 5 s but < 15 s from center",
        "Interpolated data point (due to gap) exists < 5 s from center",
    )
    words = tuple((1 << i, text.replace(" ", "_")) for i, text in enumerate(texts))
    assert quality_bits(flag_attributes(words, "uint8")) == (0b101, 0b11100000)
    assert quality_bits({}) == (0, 0)


def test_quality_bits_mark_samples(make_grid: Any) -> None:
    ds = quiet(make_grid, 1000)
    ds["acc_qualflg"].values[0, :8] = 1 << np.arange(8)
    made = clean(ds)
    assert np.flatnonzero(has(made, "flagged")).tolist() == [0, 2]
    assert np.flatnonzero(has(made, "near_gap")).tolist() == [5, 6, 7]
    assert (made["acc_cleanflg"].values[0, [1, 3, 4]] == 0).all()


def test_near_gap_is_the_window_of_the_filter(twin: xr.Dataset) -> None:
    ds = twin[["lin_accl", "acc_qualflg"]]
    made, missing = clean(ds), np.isnan(ds["lin_accl"].values[1, :, 0])
    near = np.convolve(missing, np.ones(141), "same") > 0
    by_bits = has(made, "near_gap", "B")
    assert by_bits[near & ~missing].all()
    assert not by_bits[missing].any()
    # beyond the gaps, the simulated files have a few filled holes a day
    assert 0 < (by_bits & ~near).sum() < 2 * 8 * (141 + 12)
    # without the bits the gaps themselves tell, exactly
    alone = clean(ds[["lin_accl"]])
    np.testing.assert_array_equal(has(alone, "near_gap", "B"), near & ~missing)


def test_widen_marks_beside_gaps_on_top_of_the_bits(make_grid: Any) -> None:
    ds = make_grid(size=2000, gaps={"B": [(500, 600)]})
    assert (clean(ds)["acc_cleanflg"].values == 0).all()
    found = has(clean(ds, widen=30.0), "near_gap", "B")
    expected = np.zeros(2000, dtype=bool)
    expected[470:500] = expected[600:630] = True
    np.testing.assert_array_equal(found, expected)


def test_gaps_at_the_edges_and_a_dead_satellite(make_grid: Any) -> None:
    ds = make_grid(size=3000, gaps={"A": [(0, 100), (2_900, 3000)], "B": [(0, 3000)]})
    made = clean(ds, widen=10.0)
    wanted = [*range(100, 110), *range(2_890, 2_900)]
    assert np.flatnonzero(has(made, "near_gap")).tolist() == wanted
    assert (made["acc_cleanflg"].sel(satellite="B") == 0).all()
    assert clean(ds.isel(time=slice(0, 1)))["acc_cleanflg"].values.tolist() == [
        [0],
        [0],
    ]


def test_a_single_satellite_without_dimension(make_grid: Any) -> None:
    ds = quiet(make_grid, satellites="AB")
    ds["lin_accl"].values[1, 4_000, 0] += 1e-8
    alone = clean(ds.sel(satellite="B"))["acc_cleanflg"]
    assert alone.dims == ("time",)
    np.testing.assert_array_equal(
        alone, clean(ds)["acc_cleanflg"].sel(satellite="B").values
    )
    letterless = clean(ds.sel(satellite="B").drop_vars("satellite"))
    np.testing.assert_array_equal(letterless["acc_cleanflg"], alone)


def test_refusals(make_grid: Any) -> None:
    ds = make_grid(size=100)
    with pytest.raises(GraceError, match="no variable 'lin_accl'"):
        clean(ds.drop_vars("lin_accl"))
    with pytest.raises(GraceError, match="no epoch"):
        clean(ds.isel(time=slice(0, 0)))
    with pytest.raises(GraceError, match="reason 'storm' in keep"):
        clean(ds, keep=["storm"])
    with pytest.raises(GraceError, match="spike=-1"):
        clean(ds, spike=-1)
    with pytest.raises(GraceError, match=r"call ds\.grace\.clean"):
        count_marks(ds)
    with pytest.raises(GraceError, match="not regular"):
        clean(ds.isel(time=[0, 1, 5, 9]))


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(twin_lazy: xr.Dataset) -> None:
    made = twin_lazy.grace.clean()
    assert made["acc_cleanflg"].chunks is not None
    assert usable(made).chunks is not None
    assert made.grace.marks()["samples"].chunks is not None


@pytest.fixture(scope="module")
def damaged(twin: xr.Dataset) -> xr.Dataset:
    """Two simulated days with every kind of damage, some of it at midnight."""
    ds = twin[["lin_accl", "acc_qualflg", "thruster_on_time"]].copy(deep=True)
    x, rng = ds["lin_accl"].values, np.random.default_rng(0)
    x[0, rng.integers(0, 2 * DAY, 40), 1] += 2e-9
    x[0, DAY - 4 : DAY + 9, 0] = x[0, DAY - 4, 0]
    x[0, DAY + 3_000 : DAY + 3_060] += 4e-6
    x[0, DAY + 20_000 :, 2] += 7e-7
    x[1, 90, 0] = 1e-3
    ds["thruster_on_time"].values[0, DAY - 30, 12] = 50_000
    return ds


@pytest.mark.parametrize("chunk", [7_000, DAY, 100_000, 123_457])
def test_marks_do_not_depend_on_chunks(damaged: xr.Dataset, chunk: int) -> None:
    whole = clean(damaged)["acc_cleanflg"].values
    assert [bit for bit in REASONS.values() if not (whole & bit).any()] == [16]
    cut = clean(damaged.chunk(time=chunk))["acc_cleanflg"].values
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize("first", [11, 50_000, DAY - 7])
def test_marks_do_not_depend_on_where_the_selection_begins(
    damaged: xr.Dataset, first: int
) -> None:
    whole = clean(damaged)["acc_cleanflg"].values
    part = clean(damaged.isel(time=slice(first, None)))["acc_cleanflg"].values
    inner = 5_400
    np.testing.assert_array_equal(whole[:, first + inner :], part[:, inner:])


def test_report_counts_marks(damaged: xr.Dataset) -> None:
    made = clean(damaged.chunk(time=50_000))
    report = made.grace.marks()
    flag = made["acc_cleanflg"].values
    for reason, bit in REASONS.items():
        for i, satellite in enumerate("AB"):
            mask = (flag[i] & bit) != 0
            row = report.sel(reason=reason, satellite=satellite)
            assert int(row["samples"]) == mask.sum()
            begun = mask & ~np.concatenate([[False], mask[:-1]])
            assert int(row["events"]) == begun.sum()
    seen = np.isfinite(damaged["lin_accl"].values[..., 0]).sum(axis=1)
    assert report["observed"].values.tolist() == seen.tolist()
    kept = report["reason"].values[~report["treated_as_missing"].values]
    assert tuple(kept) == NOT_MISSING
    alone = count_marks(made.sel(satellite="A"))
    assert int(alone["samples"].sel(reason="stuck")) == 13
    assert "cleaned:    yes" in repr(made.grace)


def test_condemned_samples_are_missing_by_one_rule(make_grid: Any) -> None:
    ds = quiet(make_grid, satellites="AB")
    ds["lin_accl"].values[1, 9_000, 0] += 1e-8
    ds["acc_qualflg"].values[1, 300:400] = 128
    made = clean(ds)
    seen = usable(made)
    assert np.isnan(seen.values[1, 9_000]).all()
    assert np.isfinite(seen.values).sum() == seen.size - 3
    assert seen.attrs == ds["lin_accl"].attrs
    assert seen.dims == ds["lin_accl"].dims
    xr.testing.assert_identical(made["lin_accl"], ds["lin_accl"])
    # a hole among the raw samples is told and stays an observation, unless asked
    assert find_gaps(made)["length"].values.tolist() == [1.0]
    strict = clean(ds, keep=())
    assert find_gaps(strict)["length"].values.tolist() == [100.0, 1.0]
    assert find_gaps(ds).sizes["gap"] == 0
    xr.testing.assert_identical(usable(ds), ds["lin_accl"])


def test_marks_travel_through_a_file(make_grid: Any, tmp_path: Any) -> None:
    ds = quiet(make_grid, satellites="AB")
    ds["lin_accl"].values[1, 9_000, 0] += 1e-8
    made = clean(ds)
    made.grace.to_zarr(tmp_path / "a.zarr")
    from gracelstm_xr.store.read import open_store

    back = open_store(tmp_path / "a.zarr")
    assert find_gaps(back)["length"].values.tolist() == [1.0]
    made.grace.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as again:
        assert find_gaps(again)["length"].values.tolist() == [1.0]


@pytest.mark.lstm
def test_fill_estimates_condemned_samples_and_keeps_the_rest(
    twin: xr.Dataset, model: Any
) -> None:
    ds = twin.copy(deep=True)
    spoilt = slice(50_000, 50_005)
    truth = ds["lin_accl"].values[1, spoilt].copy()
    ds["lin_accl"].values[1, spoilt] += 1e-6
    insisted = ds.grace.fill(model, clean=False).sel(satellite="B")
    plain = insisted.isel(time=slice(49_990, 50_015))
    np.testing.assert_array_equal(plain["lin_accl_filled"], plain["lin_accl"])
    made = ds.grace.clean().grace.fill(model)
    part = made.sel(satellite="B").isel(time=slice(49_990, 50_015))
    filled = part["lin_accl_filled"].values
    method = part["lin_accl_fill_method"].values
    assert (method[10:15] > 0).all()
    assert (method[:7] == 0).all()
    assert np.abs(filled[10:15] - truth).max() < 5e-9
    kept = method == 0
    np.testing.assert_array_equal(filled[kept], part["lin_accl"].values[kept])
    # what was observed is still there
    np.testing.assert_array_equal(
        part["lin_accl"].values, ds["lin_accl"].values[1, 49_990:50_015]
    )
