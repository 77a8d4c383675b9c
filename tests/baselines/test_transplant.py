"""One satellite's accelerations carried to the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr.baselines.transplant import PARTS, transplant
from gracelstm_xr.core.index import RegularAxis, regular_coords
from gracelstm_xr.errors import GraceError, GraceWarning

DAY = 86_400
COMPONENTS = (
    "transplant_donor",
    "transplant_model",
    "transplant_thruster",
    "transplant_bias",
)


def error(found: xr.Dataset, truth: xr.Dataset) -> np.ndarray:
    """Transplant minus the truth of its recipient [m s-2]."""
    exact = truth["lin_accl"].sel(satellite=str(found["satellite"].values))
    size = found.sizes["time"]
    return np.asarray(
        found["lin_accl_transplant"].values - exact.isel(time=slice(0, size)).values
    )


def rms(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.nanmean(values**2, axis=0)))


def hidden(ds: xr.Dataset, satellite: str, span: slice) -> xr.Dataset:
    """Dataset in memory in which a satellite observed nothing in ``span``."""
    values = ds["lin_accl"].values.copy()
    values[ds["satellite"].values.tolist().index(satellite), span] = np.nan
    return ds.assign(lin_accl=(ds["lin_accl"].dims, values, ds["lin_accl"].attrs))


@pytest.fixture(scope="module")
def whole(twin_lazy: xr.Dataset) -> xr.Dataset:
    """Five days in memory, without most of what transplants do not read."""
    names = ["lin_accl", "position", "velocity", "quaternion", "thruster_on_time"]
    return twin_lazy[names].load()


@pytest.fixture(scope="module")
def both(whole: xr.Dataset) -> dict[str, xr.Dataset]:
    return {
        "B": transplant(whole, donor="A").compute(),
        "A": transplant(whole, recipient="A").compute(),
    }


@pytest.mark.usefixtures("no_compute")
@pytest.mark.parametrize("model", [None, "remove-restore"])
def test_is_lazy(twin_lazy: xr.Dataset, model: Any) -> None:
    found = twin_lazy.grace.transplant(force_model=model)
    assert set(found.data_vars) == {*PARTS, "twin_lag", "transplant_overlap"}
    assert str(found["satellite"].values) == "B"
    assert found["lin_accl_transplant"].attrs["units"] == "m s-2"
    assert found["lin_accl_transplant"].sizes == {"time": 5 * DAY, "axis": 3}


@pytest.mark.parametrize("recipient", ["A", "B"])
def test_components_add_up_exactly(both: dict[str, xr.Dataset], recipient: str) -> None:
    found = both[recipient]
    total = found[COMPONENTS[0]]
    for name in COMPONENTS[1:]:
        total = total + found[name]
    np.testing.assert_array_equal(total.values, found["lin_accl_transplant"].values)
    # a few nm s-2 of it are known from place and sunlight alone
    assert (rms(found["transplant_model"].values[1000:-1000]) < 3e-8).all()


@pytest.mark.parametrize("recipient", ["A", "B"])
def test_resembles_the_truth_in_gaps(
    both: dict[str, xr.Dataset], truth: xr.Dataset, whole: xr.Dataset, recipient: str
) -> None:
    found = both[recipient]
    wrong = error(found, truth)
    gap = np.isnan(whole["lin_accl"].sel(satellite=recipient, axis="x").values)
    inside = gap & np.isfinite(wrong).all(axis=1)
    assert inside.sum() > 200
    # swings per revolution are 40 to 80 nm s-2 on every axis
    assert (rms(wrong[inside]) < [1.5e-9, 5e-9, 1.5e-9]).all()


def test_error_estimate_covers(whole: xr.Dataset, truth: xr.Dataset) -> None:
    """68 % of held-out samples within sigma, give or take 10 points."""
    spans = [(7000, 3600), (40_000, 1800), (90_000, 10_800), (150_000, 600),
             (190_000, 10_800), (230_000, 3600), (280_000, 7200), (330_000, 1800),
             (390_000, 7200)]  # fmt: skip
    ds, out = whole, np.zeros(whole.sizes["time"], dtype=bool)
    for first, length in spans:
        ds = hidden(ds, "B", slice(first, first + length))
        out[first : first + length] = True
    found = transplant(ds).compute()
    inside = np.abs(error(found, truth)) < found["lin_accl_transplant_sigma"].values
    assert 0.58 < inside[out].mean() < 0.78


def test_sigma_grows_away_from_the_overlap(
    whole: xr.Dataset, truth: xr.Dataset
) -> None:
    found = transplant(hidden(whole, "B", slice(2 * DAY, None))).compute()
    sigma = found["lin_accl_transplant_sigma"].values.reshape(5, DAY, 3)
    daily = np.sqrt(np.nanmean(sigma**2, axis=1))
    assert (np.diff(daily[1:], axis=0) > 0).all()
    assert (daily[4] > 2 * daily[0]).all()
    # bias wanders by 2, 20 and 3.5 nm s-2 a day
    assert (rms(error(found, truth)[-DAY:]) < [2e-8, 2e-7, 4e-8]).all()


def test_the_mean_force_reaches_a_dead_recipient() -> None:
    """Drag that grows by 5 nm s-2 a day along both tracks; series made for this."""
    days, step = 18, 10
    t = np.arange(0.0, days * DAY, step)
    rng = np.random.default_rng(3)
    values = np.zeros((2, len(t), 3))
    for row, late in ((0, 0.0), (1, 20.0)):
        phase = 2 * np.pi * (t + late) / 5640
        for k, sign in enumerate((-1, -1, 1)):
            wave = 4e-8 * np.sin(phase + k) + 2e-8 * np.sin(7 * phase + k)
            values[row, :, k] = sign**row * wave
        values[row, :, 0] += (-1) ** row * 5e-9 * t / DAY
    values += 1e-10 * rng.normal(size=values.shape)
    exact = values[1].copy()
    values[1, 8 * DAY // step :] = np.nan
    axis = RegularAxis(
        np.datetime64("2008-01-01", "ns"), np.timedelta64(step, "s"), len(t)
    )
    ds = xr.Dataset(
        {"lin_accl": (("satellite", "time", "axis"), values, {"units": "m s-2"})},
        coords={"satellite": ["A", "B"], "axis": list("xyz")},
    ).assign_coords(regular_coords(axis))
    wrong = transplant(ds)["lin_accl_transplant"].values - exact
    # it grows by 50 nm s-2 while B is dead
    assert (rms(wrong[-DAY // step : -100]) < [5e-9, 2e-9, 2e-9]).all()


def test_no_overlap_at_all(whole: xr.Dataset, truth: xr.Dataset) -> None:
    found = transplant(hidden(whole, "B", slice(None))).compute()
    wrong, sigma = error(found, truth), found["lin_accl_transplant_sigma"].values
    np.testing.assert_array_equal(found["transplant_overlap"], 0.0)
    assert "nominal" in found["lin_accl_transplant"].attrs["comment"]
    # TN-02 is what the simulator uses, but for its thermal bias
    assert (rms(wrong) < [2e-8, 1e-7, 2e-8]).all()
    assert (np.nanmin(sigma, axis=0) > 4e-8).all()
    assert np.nanmean(np.abs(wrong) < sigma) > 0.68
    # free of the level the signal is as good as ever on x
    wave = wrong - np.nanmean(wrong, axis=0)
    assert rms(wave)[0] < 5e-9


def test_donor_missing_at_the_edges(whole: xr.Dataset) -> None:
    ds = hidden(whole, "A", slice(0, 5000))
    values = transplant(ds)["lin_accl_transplant"].values
    assert np.isnan(values[:4900]).all()
    assert np.isfinite(values[5200 : 10 * 3600]).all()


def test_thrusters_and_attitude_help(
    both: dict[str, xr.Dataset], whole: xr.Dataset, truth: xr.Dataset
) -> None:
    simple = transplant(whole, thrusters=False, attitude=False, place=False)
    simple = simple.compute()
    assert not simple["transplant_model"].values.any()
    assert simple["lin_accl_transplant"].attrs["thrusters"] == "not treated"
    assert not simple["transplant_thruster"].values.any()
    fired = whole["thruster_on_time"].sel(satellite="B").values[:, :6].any(axis=1)
    near = np.convolve(fired, np.ones(61), mode="same") > 0
    better, worse = rms(error(both["B"], truth)[near]), rms(error(simple, truth)[near])
    assert (better < 0.7 * worse).all()


def test_remove_restore(
    both: dict[str, xr.Dataset], whole: xr.Dataset, truth: xr.Dataset
) -> None:
    """No worse on any axis and better on z, though F10.7 and ap are not given."""
    found = transplant(whole, force_model="remove-restore").compute()
    total = sum(found[name].values for name in COMPONENTS)
    np.testing.assert_array_equal(total, found["lin_accl_transplant"].values)
    direct, restored = rms(error(both["B"], truth)), rms(error(found, truth))
    assert (restored <= direct).all()
    assert restored[2] < 0.98 * direct[2]


@pytest.mark.parametrize("chunk", [40_001, 100_000, -1])
def test_does_not_depend_on_chunks(
    whole: xr.Dataset, both: dict[str, xr.Dataset], chunk: int
) -> None:
    found = transplant(whole.chunk({"time": chunk})).compute()
    for name, expected in both["B"].data_vars.items():
        np.testing.assert_array_equal(found[name].values, expected.values, str(name))


def test_part_of_the_result_is_the_result(
    whole: xr.Dataset, both: dict[str, xr.Dataset]
) -> None:
    part = slice(100_000, 100_500)
    found = transplant(whole.chunk({"time": DAY})).isel(time=part)
    np.testing.assert_array_equal(
        found["lin_accl_transplant"].values,
        both["B"]["lin_accl_transplant"].values[part],
    )


def test_without_orbits(
    whole: xr.Dataset, both: dict[str, xr.Dataset], truth: xr.Dataset
) -> None:
    found = transplant(whole.drop_vars(["position", "velocity"])).compute()
    assert "cross-correlation" in found["lin_accl_transplant"].attrs["lag_source"]
    exact = both["B"]["twin_lag"].values
    lag = found["twin_lag"].values
    assert np.ptp(lag) == 0
    assert abs(lag[0] - np.median(exact)) < 0.5
    assert (rms(error(found, truth)) < [1.5e-9, 3e-9, 1.5e-9]).all()


def test_a_day_without_an_orbit(
    whole: xr.Dataset, both: dict[str, xr.Dataset], truth: xr.Dataset
) -> None:
    position = whole["position"].values.copy()
    position[1, DAY : 2 * DAY] = np.nan
    found = transplant(whole.assign(position=(whole["position"].dims, position)))
    found = found.compute()
    lag = found["twin_lag"].values
    assert np.isfinite(lag).all()
    exact = both["B"]["twin_lag"].values
    assert np.abs(lag - exact).max() < 0.2
    assert (rms(error(found, truth)) < [1.5e-9, 3e-9, 1.5e-9]).all()


def test_over_a_swap(tmp_path: Path) -> None:
    """The two change places in the night of 2005-12-10."""
    gx.simulate_archive(
        tmp_path / "a", start="2005-12-09", days=2, seed=4, gaps=None, layout="files"
    )
    ds = gx.open_archive(tmp_path / "a").load()
    found = transplant(hidden(ds, "B", slice(DAY + 30_000, DAY + 40_000))).compute()
    lag = found["twin_lag"].values
    assert (lag[5000] < -20) or (lag[5000] > 20)
    assert lag[5000] * lag[-5000] < 0
    wrong = error(found, gx.simulate.open_truth(tmp_path / "a"))
    assert (rms(wrong[DAY + 30_000 : DAY + 40_000]) < [3e-9, 1e-8, 3e-9]).all()
    quiet = np.r_[1000 : DAY - 1000, DAY + 1000 : 2 * DAY - 1000]
    assert (rms(wrong[quiet]) < [2e-9, 3e-9, 2e-9]).all()


def test_grace_fo_leaves_as_act1b(tmp_path: Path) -> None:
    """D from C, without thermal calibration known, written and read back."""
    gx.simulate_archive(
        tmp_path / "a", mission="grace-fo", start="2019-05-01", days=1, seed=4,
        gaps=None, layout="files",
    )  # fmt: skip
    ds = hidden(gx.open_archive(tmp_path / "a").load(), "D", slice(20_000, 50_000))
    found = ds.grace.transplant(donor="C", recipient="D").compute()
    truth = gx.simulate.open_truth(tmp_path / "a")
    wrong = error(found, truth)[20_000:50_000]
    assert (rms(wrong) < [3e-9, 2e-8, 3e-9]).all()
    with pytest.warns(GraceWarning, match="epochs without an estimate left absent"):
        [path] = found.grace.to_l1b(tmp_path / "out")
    assert path.name == "ACT1B_2019-05-01_D_04.txt"
    back = xr.open_dataset(path, engine="grace_l1b")
    kept = np.isfinite(found["lin_accl_transplant"].values).all(axis=1)
    assert back.sizes["time"] == kept.sum()
    np.testing.assert_array_equal(
        back["lin_accl"].values, found["lin_accl_transplant"].values[kept]
    )
    assert ((back["acc_qualflg"].values & 2) == 2).all()
    assert f"{kept.sum()} synthetic epochs" in "".join(back.attrs["history"])


def test_errors(twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="donor"):
        transplant(twin.sel(satellite=["B"]))
    with pytest.raises(ValueError, match="'C'"):
        transplant(twin, recipient="C")
    with pytest.raises(ValueError, match="force_model='tuned'"):
        transplant(twin, force_model="tuned")  # type: ignore[arg-type]
    with pytest.raises(GraceError, match="SCA1B"):
        transplant(twin.drop_vars("quaternion"), force_model="remove-restore")
    with pytest.raises(GraceError, match="f107 of 5000"):
        transplant(twin, force_model="remove-restore", f107=5000.0)


def test_place_across_the_track_is_left_out_far_from_the_overlap() -> None:
    from gracelstm_xr.baselines.overlap import BESIDE, Prior, factors

    rng = np.random.default_rng(1)
    donor, place = rng.normal(0, 10, (2, 8640))
    series = np.stack([donor + 3 * place, donor, place])
    moments = np.tile(series @ series.T, (3, 1, 1))
    alive = {"fast": moments, "slow": 0 * moments, "count": np.full(3, 8640.0)}
    dead = {name: 0 * values for name, values in alive.items()}
    near, far = np.full((2, 3, 2), (0.05, 5.0))
    far[1, 1] = 1e-6
    prior = Prior(np.tile([1.0, 0.0], (3, 1)), near, far, np.zeros(3), np.ones(3))
    made = factors([[alive] * 10 + [dead] * 6], 0.0, prior).value[..., 1]
    np.testing.assert_allclose(made[:, [0, 2]], 3.0, rtol=1e-3)
    np.testing.assert_allclose(made[: 10 - BESIDE, 1], 3.0, rtol=1e-3)
    assert (np.abs(made[10 - BESIDE :, 1]) < 0.1).all()
    short = factors([[alive] * 5 + [dead] * 3 + [alive] * 5], 0.0, prior).value[..., 1]
    np.testing.assert_allclose(short, 3.0, rtol=1e-3)
