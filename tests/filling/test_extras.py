"""Variables of the user as covariates of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from datasets import SMALL_FIT, make_grid

import gracelstm_xr as gx
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.filling.extras import with_extras
from gracelstm_xr.filling.prepare import Plan
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.physics.features import satellite_pairs
from gracelstm_xr.physics.frames import FEATURES, Frame, build_frame, frame_inputs

SIZE = 60_000
NAMES = (*FEATURES, "f107", "temperature")


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """A twin with an index over time and a temperature of either satellite."""
    made = make_grid(size=SIZE, gaps={"B": [(20_000, 20_500), (59_000, 59_100)]})
    clock = np.arange(SIZE) / SIZE
    temperature = np.stack([20 + np.sin(9 * clock), 30 + np.cos(9 * clock)])
    temperature[:, 100:200] = np.nan
    return made.assign(
        f107=("time", 70 + 10 * clock),
        temperature=(("satellite", "time"), temperature),
    )


def plan_of(ds: xr.Dataset) -> Plan:
    first = float((ds["time"][0].values - np.datetime64("2000-01-01T12")) / 1e9)
    return Plan.of(Split.of(first, first + SIZE, Settings()))


def test_they_are_scaled_on_training_data(ds: xr.Dataset) -> None:
    plan, pairs = plan_of(ds), satellite_pairs(ds)
    (one, two) = with_extras(ds, pairs, plan, NAMES)
    assert one.extras == two.extras
    index, temperature = one.extras
    past = round(plan.split.train[1] - plan.split.train[0])
    train = ds.isel(time=slice(0, past))
    assert index.mean == pytest.approx(float(train["f107"].mean()))
    assert index.scale == pytest.approx(float(train["f107"].std()))
    assert temperature.mean == pytest.approx(float(train["temperature"].mean()))
    again = with_extras(ds.chunk(time=7_001, satellite=1), pairs, plan, NAMES)
    assert again == [one, two]
    t = plan.split.train[0] + np.arange(SIZE)
    inputs = {k: v.values for k, v in frame_inputs(ds, two).items()}
    frame = build_frame(t, inputs, two)
    assert frame.extras is not None
    own = ds["temperature"].sel(satellite="B").values
    expected = (own - temperature.mean) / temperature.scale
    np.testing.assert_allclose(frame.extras[:, 1], expected, rtol=1e-12)
    # a method of the series alone does without
    alone = build_frame(t, {"own.lin_accl": inputs["own.lin_accl"]}, two)
    assert isinstance(alone, Frame)
    assert np.isnan(np.asarray(alone.extras)).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({}, "found no variable 'moon', expected it as a feature beside"),
        ({"moon": ("axis", [1.0, 2, 3])}, "'moon' of type float64 over axis"),
        ({"moon": ("time", ["a"] * SIZE)}, "'moon' of type <U1 over time"),
    ],
)
def test_what_is_no_covariate(ds: xr.Dataset, change: Any, match: str) -> None:
    with pytest.raises(GraceError, match=match) as error:
        ds.assign(change).grace.fit(features=("time", "moon"))
    assert "\n" not in str(error.value)


def test_what_does_not_vary_or_is_not_there(ds: xr.Dataset) -> None:
    plan, pairs = plan_of(ds), satellite_pairs(ds)
    same = ds.assign(f107=ds["f107"] * 0 + 70)
    with pytest.raises(NotEnoughDataError, match="no change of the feature 'f107'"):
        with_extras(same, pairs, plan, NAMES)
    dead = ds.assign(temperature=ds["temperature"].where(ds["satellite"] == "A"))
    with pytest.raises(NotEnoughDataError, match="no value of satellite B"):
        with_extras(dead, pairs, plan, NAMES)


@pytest.mark.lstm
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::gracelstm_xr.errors.GraceWarning")
def test_a_network_sees_them_and_a_fill_needs_them(
    ds: xr.Dataset, tmp_path: Path
) -> None:
    quick = {"epochs": 1, "windows_per_epoch": 32, "gaps_per_length": 1, "hindcasts": 0}
    small = SMALL_FIT | quick | {"features": NAMES}
    made = ds.grace.fit(recipient="B", **small)
    assert made.info["channels"].split()[-2:] == ["f107", "temperature"]
    model = gx.load_model(made.save(tmp_path / "m.gracelstm"))
    assert [e.name for e in model.recipients["B"].pair.extras] == list(NAMES[-2:])
    filled = ds.grace.fill(model, method="lstm")["lin_accl_filled"]
    assert bool(np.isfinite(filled.sel(satellite="B")).all())
    for method in ("linear", None):
        part = ds.chunk(time=20_000).grace.fill(model, method=method)
        assert bool(np.isfinite(part["lin_accl_filled"].sel(satellite="B")).all())
    with pytest.raises(GraceError, match="found no variable 'f107'"):
        ds.drop_vars("f107").grace.fill(model)
