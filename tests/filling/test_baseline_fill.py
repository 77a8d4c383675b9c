"""Every baseline fills without a model: lazily, honestly, on any chunking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr.baselines.base import BASELINES
from gracelstm_xr.baselines.registry import METHOD_CODES
from gracelstm_xr.errors import GraceError, GraceWarning, NotEnoughDataError

DAY = 86_400
NAMES = ["lin_accl_filled", "lin_accl_filled_sigma", "lin_accl_fill_method"]
#: Gaps of B in the first two days of the twin that lie between data.
INNER = [(36_000, 37_800), (85_200, 87_900), (97_200, 97_240)]


@pytest.mark.usefixtures("no_compute")
@pytest.mark.parametrize("method", BASELINES)
def test_is_lazy(twin_lazy: xr.Dataset, method: str) -> None:
    found = twin_lazy.grace.fill(method=method)
    for name in NAMES:
        assert found[name].dims == ("satellite", "time", "axis")
        assert found[name].chunks is not None
    assert method in found.attrs["history"]


@pytest.fixture(scope="module", params=BASELINES)
def filled(request: pytest.FixtureRequest, twin: xr.Dataset) -> xr.Dataset:
    made = twin.grace.fill(method=request.param)[[*NAMES, "lin_accl"]]
    # fills are of a satellite each: what is not asked for is not computed
    return made.sel(satellite=["B"]).compute().assign_attrs(method=request.param)


def test_observations_stay_and_gaps_are_filled(filled: xr.Dataset) -> None:
    own, values = filled["lin_accl"].values, filled["lin_accl_filled"].values
    seen = np.isfinite(own)
    assert values[seen].tobytes() == own[seen].tobytes()
    sigma, code = filled[NAMES[1]].values, filled[NAMES[2]].values
    assert np.isnan(sigma[seen]).all()
    assert (code[seen] == 0).all()
    for first, past in INNER:
        if filled.attrs["method"] in ("transplant", "ridge") and first == 36_000:
            past = 36_500  # the donor is missing in the rest
        part = (0, slice(first, past))
        assert np.isfinite(values[part]).all()
        assert (sigma[part] > 0).all()
        assert (code[part] == METHOD_CODES[filled.attrs["method"]]).all()
    none = np.isnan(values)
    assert (code[none] == METHOD_CODES["none"]).all()
    assert np.isnan(sigma[none]).all()


def test_sigma_is_of_the_size_of_the_errors(
    filled: xr.Dataset, truth: xr.Dataset
) -> None:
    exact = truth["lin_accl"].sel(satellite="B").isel(time=slice(0, 172_800)).values
    error = filled["lin_accl_filled"].values[0] - exact
    sigma = filled[NAMES[1]].values[0]
    gap = np.zeros(len(error), dtype=bool)
    gap[85_200:87_900] = True
    ratio = np.sqrt(np.mean(error[gap] ** 2) / np.mean(sigma[gap] ** 2))
    # a cubic across 45 min errs by the cube of the length, and by a single slope: the
    # few held-out gaps of half a day can only give the order of magnitude
    wild = filled.attrs["method"] in ("cubic", "polynomial")
    assert 0.1 < ratio < (50 if wild else 6)


@pytest.mark.slow
@pytest.mark.parametrize("method", BASELINES)
def test_does_not_depend_on_chunks(twin_lazy: xr.Dataset, method: str) -> None:
    ds = twin_lazy.load()
    whole = ds.chunk(time=-1)
    known = gx.fit_baseline(whole, method=method, recipient="B")
    whole, *others = (
        lazy.grace.fill(known)[NAMES].sel(satellite="B").compute()
        for lazy in (whole, ds.chunk(time=86_400), ds.chunk(time=130_000))
    )
    for cut in others:
        np.testing.assert_array_equal(cut[NAMES[2]], whole[NAMES[2]])
        for name in NAMES[:2]:
            np.testing.assert_allclose(cut[name], whole[name], rtol=1e-12, atol=1e-22)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cubic", "previous_orbit", "ridge"])
def test_what_is_learnt_does_not_depend_on_chunks(
    twin: xr.Dataset, method: str
) -> None:
    whole, cut = (
        lazy.grace.fill(method=method)[NAMES].sel(satellite="B").compute()
        for lazy in (twin.chunk(time=-1), twin.chunk(time=86_400))
    )
    np.testing.assert_array_equal(cut[NAMES[2]], whole[NAMES[2]])
    for name in NAMES[:2]:
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-12, atol=1e-22)


def only_x(ds: xr.Dataset) -> xr.Dataset:
    accl = ds["lin_accl"].copy(deep=True)
    accl[{"axis": slice(1, None)}] = np.nan
    return ds.assign(lin_accl=accl)


@pytest.mark.parametrize("method", BASELINES)
def test_one_axis(twin: xr.Dataset, method: str) -> None:
    made = only_x(twin).grace.fill(method=method)[NAMES].sel(satellite="B")
    part = made.isel(time=slice(85_200, 87_900)).compute()
    assert np.isfinite(part["lin_accl_filled"].values[:, 0]).all()
    assert np.isnan(part["lin_accl_filled"].values[:, 1:]).all()
    assert (part[NAMES[2]].values[:, 1:] == METHOD_CODES["none"]).all()


@pytest.mark.parametrize("method", BASELINES)
def test_a_dead_satellite_stays_empty(twin: xr.Dataset, method: str) -> None:
    accl = twin["lin_accl"].copy(deep=True)
    accl.loc[{"satellite": "B"}] = np.nan
    dead = twin.assign(lin_accl=accl).isel(time=slice(0, 90_000))
    lazy = dead.grace.fill(method=method)[NAMES]
    b = lazy.sel(satellite="B").compute()
    assert np.isnan(b["lin_accl_filled"]).all()
    assert (b["lin_accl_fill_method"] == METHOD_CODES["none"]).all()
    # of each family one that fills the other satellite
    if method in ("hold", "ar", "previous_orbit"):
        a = lazy.sel(satellite="A").isel(time=slice(36_600, 36_900))
        assert np.isfinite(a["lin_accl_filled"]).all()


def test_dead_at_the_end(make_grid: Callable[..., xr.Dataset]) -> None:
    """Nothing can be hidden where it is dead; gaps before that tell sigma."""
    died = 2 * DAY + 40_000
    ds = make_grid(size=4 * DAY, gaps={"B": [(died, 4 * DAY)]}, orbit=True)
    own = ds["lin_accl"].sel(satellite="B").values
    dead = ds.isel(time=slice(died, 4 * DAY - 100))["time"]
    part = {"satellite": "B", "time": dead}
    plain = ds.grace.fill(method="transplant").sel(satellite=["B"]).compute()
    assert np.isfinite(plain["lin_accl_filled"].sel(part)).all()
    assert (plain["lin_accl_filled_sigma"].sel(part) > 0).all()
    seen = np.isfinite(own)
    np.testing.assert_array_equal(plain["lin_accl_filled"].values[0][seen], own[seen])
    with pytest.warns(GraceWarning, match="no observation of satellite B outside"):
        model = gx.fit_baseline(ds, method="transplant", recipient="B")
    known = ds.grace.fill(model).sel(part).compute()
    assert (known["lin_accl_filled_sigma"] > 0).all()
    away = known["lin_accl_filled"] - plain["lin_accl_filled"].sel(part)
    assert float(np.abs(away).max()) < 1e-8


def test_no_room_to_hide_gaps(make_grid: Callable[..., xr.Dataset]) -> None:
    """A few observed minutes between gaps: filled, without a sigma, and said."""
    gaps = [(a, a + 700) for a in range(0, DAY, 800)]
    ds = make_grid(size=DAY, gaps={"B": gaps}, orbit=True)
    with pytest.warns(GraceWarning, match="for one, fit_baseline"):
        plain = ds.grace.fill(method="transplant").sel(satellite=["B"]).compute()
    middle = plain.isel(time=slice(1000, DAY - 1000))
    assert np.isfinite(middle["lin_accl_filled"]).all()
    assert np.isnan(middle["lin_accl_filled_sigma"]).all()


def test_no_twin_no_orbit(twin: xr.Dataset) -> None:
    alone = twin.sel(satellite=["B"])
    with pytest.raises(GraceError, match="no twin of satellite B"):
        alone.grace.fill(method="transplant")
    bare = twin[["lin_accl"]]
    for method in ("harmonic", "previous_orbit"):
        with pytest.raises(GraceError, match="GNV1B"):
            bare.grace.fill(method=method)
    gap = {"satellite": "B", "axis": "x"}
    part = slice(85_200, 87_900)
    for ds, method in ((alone, "ridge"), (bare, "transplant"), (bare, "ridge")):
        found = ds.grace.fill(method=method)["lin_accl_filled"].sel(gap)
        assert np.isfinite(found.isel(time=part)).all()


def test_wrong_names(twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match=r"'spline'.*ridge"):
        twin.grace.fill(method="spline")
    with pytest.raises(GraceError, match="neither a model nor a method"):
        twin.grace.fill()


def test_fit_once_save_and_fill_again(twin: xr.Dataset, tmp_path: Path) -> None:
    model = gx.fit_baseline(twin, method="ar", recipient="B")
    assert list(model.recipients) == ["B"]
    assert "ar" in repr(model)
    assert model.scores["rms"].sel({"method": "ar"}).notnull().any()
    again = gx.load_model(model.save(tmp_path / "ar.gracelstm"))
    direct = twin.grace.fill(method="ar")[NAMES].sel(satellite="B").compute()
    for one in (model, again):
        found = twin.grace.fill(one)[NAMES].sel(satellite="B").compute()
        for name in NAMES:
            np.testing.assert_array_equal(found[name], direct[name])
    with pytest.raises(GraceError, match="'lstm'"):
        twin.grace.fill(model, method="lstm")


def test_too_little_to_fit(twin: xr.Dataset) -> None:
    accl = twin["lin_accl"].copy(deep=True)
    accl[:] = np.nan
    with pytest.raises(NotEnoughDataError, match="no satellite"):
        gx.fit_baseline(twin.assign(lin_accl=accl), method="linear")


def test_scores_of_a_baseline_alone(twin: xr.Dataset) -> None:
    model = gx.fit_baseline(twin, method="linear", recipient="B")
    assert model.scores["method"].values.tolist() == ["linear"]
    later = twin.isel(time=slice(0, 100_000))
    model = gx.fit_baseline(later, method="linear", recipient="B")
    report = twin.grace.evaluate(
        model, lengths=(30.0,), count=2, span=("2008-01-02T08", "2008-01-02T20")
    )
    assert report["method"].values.tolist() == ["linear", "fill"]
    assert np.isfinite(report["rms"]).all()


@pytest.mark.slow
def test_satellites_that_change_places(tmp_path: Path) -> None:
    """2005-12-10: A and B swapped, so that the lag passes through zero."""
    rng = np.random.default_rng(2)
    phases, lines = rng.uniform(0, 6, 30), rng.uniform(2e-4, 8e-3, 30)

    def force(t: np.ndarray) -> np.ndarray:
        return 3e-9 * np.sin(2 * np.pi * np.outer(t, lines) + phases).sum(axis=1)

    from datasets import make_grid

    size = 2 * 86_400
    ds = make_grid(size=size, orbit=False)[["lin_accl"]]
    t = np.arange(size, dtype=float)
    lag = 28.0 * np.tanh((t - size / 2) / 8000.0)
    accl = np.zeros((2, size, 3))
    position, velocity = np.full((2, 2, size, 3), np.nan)
    rate, radius = 2 * np.pi / 5640.0, 6.858e6
    for s, offset in enumerate((0.0, lag)):
        # B comes by when A was or will be there: its own clock runs off by the lag
        place = t + offset
        sign = 1 if s == 0 else -1
        accl[s] = (force(place) * sign)[:, None] * [1.0, 0.6, 0.4 * sign]
        accl[s] += [5e-7, -1e-6, 8e-7]
        node = -2 * np.pi * t / 86_164.0
        u = rate * place
        inertial = radius * np.stack([np.cos(u), 0 * u, np.sin(u)], axis=1)
        turn = np.stack([np.cos(node), np.sin(node)])
        position[s, :, 0] = inertial[:, 0] * turn[0]
        position[s, :, 1] = inertial[:, 0] * turn[1]
        position[s, :, 2] = inertial[:, 2]
        velocity[s] = np.gradient(position[s], t, axis=0)
    truth = accl.copy()
    gap = slice(80_000, 83_600)
    accl[1, gap] = np.nan
    dims = ("satellite", "time", "axis")
    ds = ds.assign(
        lin_accl=(dims, accl, ds["lin_accl"].attrs),
        position=(dims, position, {"units": "m"}),
        velocity=(dims, velocity, {"units": "m s-1"}),
    )
    found = ds.grace.fill(method="transplant").sel(satellite="B").isel(time=gap)
    error = found["lin_accl_filled"].values - truth[1, gap]
    # x and y turn with the satellites, the lag changes by 12 s in this gap
    assert np.sqrt(np.mean(error[:, 0] ** 2)) < 0.2 * truth[1, gap, 0].std()


def minutes(make_grid: Callable[..., xr.Dataset]) -> xr.Dataset:
    return make_grid(size=300, gaps={"B": [(100, 130)]})


@pytest.mark.parametrize("method", ["hold", "linear", "cubic", "polynomial"])
def test_minutes_are_filled_without_sigma(
    make_grid: Callable[..., xr.Dataset], method: str
) -> None:
    ds = minutes(make_grid)
    with pytest.warns(GraceWarning, match="no room to hide gaps in the .* satellite B"):
        made = ds.grace.fill(method=method)[NAMES].sel(satellite="B").compute()
    gap = made.isel(time=slice(100, 130))
    assert np.isfinite(gap["lin_accl_filled"]).all()
    assert np.isnan(gap[NAMES[1]]).all()
    assert (gap[NAMES[2]] == METHOD_CODES[method]).all()


def test_minutes_are_too_few_to_learn_from(
    make_grid: Callable[..., xr.Dataset],
) -> None:
    ds = minutes(make_grid)
    lazy = ds.grace.fill(method="ar")["lin_accl_filled"].sel(satellite="B")
    with pytest.warns(GraceWarning, match="found 18 samples of satellite B to fit"):
        assert np.isnan(lazy.isel(time=slice(100, 130)).compute()).all()
    with (
        pytest.warns(GraceWarning, match="no room to hide gaps"),
        pytest.raises(NotEnoughDataError, match="no satellite"),
    ):
        gx.fit_baseline(ds, method="linear")
    one = ds.isel(time=[0]).grace.fill(method="linear")["lin_accl_filled"]
    np.testing.assert_array_equal(one.compute(), ds["lin_accl"].isel(time=[0]))
