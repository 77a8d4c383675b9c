"""Going on past the end of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.evaluate.evaluation import evaluate
from gracelstm_xr.filling.ahead import look_ahead, origin_frame
from gracelstm_xr.filling.forecast import data_ends, forecast
from gracelstm_xr.filling.hindcast import hindcast
from gracelstm_xr.filling.model import FittedModel

pytestmark = pytest.mark.lstm
CUT = 150_003


@pytest.fixture(scope="module")
def past(twin: xr.Dataset) -> xr.Dataset:
    return twin.isel(time=slice(0, CUT))


@pytest.fixture(scope="module")
def ahead(model: FittedModel, past: xr.Dataset) -> xr.Dataset:
    return forecast(past, model, horizon="90min").compute()


@pytest.mark.usefixtures("no_compute")
def test_is_lazy(model: FittedModel, twin_lazy: xr.Dataset) -> None:
    found = forecast(twin_lazy, model, horizon=3600.0)
    assert found["lin_accl_forecast"].chunks is not None
    assert found["lin_accl_forecast"].attrs["units"] == "m s-2"
    meanings = found["lin_accl_forecast_method"].attrs["flag_meanings"].split()
    assert meanings[:2] == ["observed", "lstm"]
    assert found["satellite"].values.tolist() == ["B"]
    assert "forecast" in found.attrs["history"]


def test_time_goes_on(ahead: xr.Dataset, twin: xr.Dataset) -> None:
    expected = twin["time"].values[CUT : CUT + 5400]
    np.testing.assert_array_equal(ahead["time"].values, expected)
    assert ahead["lin_accl_forecast"].dims == ("satellite", "time", "axis")
    assert np.isfinite(ahead["lin_accl_forecast"]).all()
    assert ahead["lin_accl_forecast_method"].isin([1, 3, 4]).all()


def test_sigma_grows(ahead: xr.Dataset) -> None:
    sigma = ahead["lin_accl_forecast_sigma"].values[0]
    assert (sigma > 0).all()
    assert (np.diff(sigma, axis=0) >= -1e-25).all()
    assert (sigma[-1] > sigma[0]).all()


def test_joins_the_last_observation(ahead: xr.Dataset, past: xr.Dataset) -> None:
    """From sample to sample the series changes no more than it did before."""
    values = ahead["lin_accl_forecast"].values[0]
    own = past["lin_accl"].sel(satellite="B").values
    usual = np.nanmax(np.abs(np.diff(own[-7200:], axis=0)), axis=0)
    assert (np.abs(values[0] - own[-1]) <= usual).all()
    assert (np.abs(np.diff(values, axis=0)).max(axis=0) <= 2 * usual).all()


def test_any_chunking_gives_the_same_bits(
    model: FittedModel, past: xr.Dataset, ahead: xr.Dataset
) -> None:
    found = forecast(past.chunk(time=7_001), model, horizon="90min").compute()
    for name in ahead.data_vars:
        np.testing.assert_array_equal(found[name], ahead[name])


def test_only_the_end_matters(
    model: FittedModel, past: xr.Dataset, ahead: xr.Dataset
) -> None:
    """57 h of context: nothing of what lies before counts, NaN here."""
    longer = past["lin_accl"].copy()
    assert CUT < 57 * 3600 + 600
    assert longer.sizes["time"] == CUT
    donor = past.copy()
    donor["lin_accl"] = longer.where(longer["satellite"] == "B")
    found = forecast(donor, model, horizon="90min").compute()
    np.testing.assert_array_equal(
        found["lin_accl_forecast"], ahead["lin_accl_forecast"]
    )


def test_nothing_after_the_origin_counts(model: FittedModel, twin: xr.Dataset) -> None:
    """A hindcast's frame is the same whatever came later, but for its own truth."""
    from gracelstm_xr.compute.blocks import gps_seconds
    from gracelstm_xr.physics.frames import frame_inputs

    recipient = model.recipients["B"]
    t = gps_seconds(twin, slice(None))
    arrays = {k: v.values for k, v in frame_inputs(twin, recipient.pair).items()}
    spoilt = {k: v.astype(float) for k, v in arrays.items()}
    for values in spoilt.values():
        values[CUT:] = 1e3
    made = []
    for data in (arrays, spoilt):
        known = {k: v[:CUT] for k, v in data.items()}
        frame, cut = origin_frame(t[:CUT], known, recipient.pair, CUT - 1, 60, 10.0)
        assert np.isnan(frame.own[cut:]).all()
        assert (frame.own_thrust[cut + 8 :] == 0).all()
        made.append(look_ahead(frame, cut, recipient, model.predict, model.settings))
    for name, values in made[0].methods.items():
        np.testing.assert_array_equal(values, made[1].methods[name])
    for name, values in made[0].terms.items():
        np.testing.assert_array_equal(values, made[1].terms[name])


def test_beats_the_last_value_after_half_an_hour(
    model: FittedModel, twin: xr.Dataset, truth: xr.Dataset
) -> None:
    exact = truth["lin_accl"].sel(satellite="B").isel(time=slice(0, 172_800)).values
    errors, held, sigmas = [], [], []
    for cut in range(120_000, 170_000, 9000):
        found = forecast(twin.isel(time=slice(0, cut)), model, horizon=1800.0)
        at = slice(cut + 1500, cut + 1800)
        errors.append(found["lin_accl_forecast"].values[0, 1500:] - exact[at])
        held.append(exact[cut - 1] - exact[at])
        sigmas.append(found["lin_accl_forecast_sigma"].values[0, 1500:])
    rms = np.sqrt(np.mean(np.concatenate(errors) ** 2, axis=0))
    hold = np.sqrt(np.mean(np.concatenate(held) ** 2, axis=0))
    assert (rms[[0, 2]] < 0.5 * hold[[0, 2]]).all()
    assert rms[1] < hold[1]
    sigma = np.sqrt(np.mean(np.concatenate(sigmas) ** 2, axis=0))
    assert ((sigma > rms / 3) & (sigma < 3 * rms)).all()


def test_a_gap_at_the_end_is_bridged(model: FittedModel, past: xr.Dataset) -> None:
    gap = 1200
    own = past["lin_accl"].copy()
    own.loc[{"satellite": "B", "time": own["time"].values[-gap:]}] = np.nan
    short = past.assign(lin_accl=own)
    last = past["time"].values[-gap - 1]
    assert data_ends(short, model) == {"B": last}
    start = past["time"].values[-gap - 60]
    found = forecast(short, model, horizon="10min", start=start).compute()
    np.testing.assert_array_equal(found["time"].values[0], start)
    assert found.sizes["time"] == gap + 60 + 600
    values, code = (
        found[n].values[0] for n in ("lin_accl_forecast", "lin_accl_forecast_method")
    )
    observed = past["lin_accl"].sel(satellite="B").values[-gap - 60 : -gap]
    np.testing.assert_array_equal(values[:60], observed)
    assert (code[:60] == 0).all()
    assert (code[60:] > 0).all()
    assert np.isnan(found["lin_accl_forecast_sigma"].values[0, :60]).all()
    assert np.isfinite(values).all()
    # the orbit of the gap is known, so that this is nearly the forecast from its start
    before = forecast(past.isel(time=slice(0, -gap)), model, horizon=float(gap + 600))
    sigma = before["lin_accl_forecast_sigma"].values[0]
    apart = np.abs(values[60:] - before["lin_accl_forecast"].values[0])
    assert (apart < 0.3 * sigma).all()


def test_several_revolutions(model: FittedModel, past: xr.Dataset) -> None:
    found = forecast(past, model, horizon="6h").compute()
    values = found["lin_accl_forecast"].values[0]
    assert values.shape == (21_600, 3)
    assert np.isfinite(values).all()
    own = past["lin_accl"].sel(satellite="B").values
    low, high = np.nanmin(own, axis=0), np.nanmax(own, axis=0)
    assert ((values > low - (high - low)) & (values < high + (high - low))).all()


def test_a_model_without_hindcasts_makes_them_now(
    model: FittedModel, past: xr.Dataset
) -> None:
    recipient = replace(model.recipients["B"], forecast=None)
    bare = replace(model, recipients={"B": recipient})
    found = forecast(past, bare, horizon="20min").compute()
    assert np.isfinite(found["lin_accl_forecast"]).all()
    sigma = found["lin_accl_forecast_sigma"].values[0]
    assert (sigma > 0).all()
    assert (np.diff(sigma, axis=0) >= -1e-25).all()


def test_calibration_survives_the_file(
    model: FittedModel, past: xr.Dataset, ahead: xr.Dataset, tmp_path: Path
) -> None:
    from gracelstm_xr.filling.model import load_model

    again = load_model(model.save(tmp_path / "model.gracelstm"))
    found = forecast(past, again, horizon="90min").compute()
    for name in ahead.data_vars:
        np.testing.assert_array_equal(found[name], ahead[name])


def test_the_twin_need_not_be_there(
    model: FittedModel, twin: xr.Dataset, past: xr.Dataset, ahead: xr.Dataset
) -> None:
    alone = past.sel(satellite=["B"])
    found = forecast(alone, model, horizon="90min").compute()
    last = {"satellite": "B"}
    for name in ("lin_accl_forecast", "lin_accl_forecast_sigma"):
        assert np.isfinite(found[name]).all()
    # the twin's orbit only tells which way the satellite flies, as the attitude does
    apart = found["lin_accl_forecast"].sel(last) - ahead["lin_accl_forecast"].sel(last)
    assert (abs(apart) < found["lin_accl_forecast_sigma"].sel(last)).all()
    alone = twin.sel(satellite=["B"])
    table = hindcast(alone, model, leads=(60.0,), count=4, one_step=False)
    assert np.isfinite(table["rms"].sel({"method": "forecast"})).all()
    with pytest.raises(GraceError, match=r"found no satellite 'A'.* donor of 'B'"):
        evaluate(alone, model)


def test_errors_in_one_line(model: FittedModel, past: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="fit a model on this satellite"):
        forecast(past.sel(satellite=["A"]), model)
    with pytest.raises(GraceError, match="GNV1B"):
        forecast(past.drop_vars(["position", "velocity"]), model)
    with pytest.raises(NotEnoughDataError, match="a day or more"):
        forecast(past.isel(time=slice(0, 80_000)), model)
    for horizon in (0, "-1min", "3D"):
        with pytest.raises(GraceError, match="horizon"):
            forecast(past, model, horizon=horizon)
    with pytest.raises(GraceError, match="start="):
        forecast(past, model, start="2007-12-31")
    nothing = past.assign(lin_accl=past["lin_accl"].where(past["satellite"] == "A"))
    with pytest.raises(NotEnoughDataError, match="last day"):
        data_ends(nothing, model)


def test_a_model_without_an_orbit(model: FittedModel, past: xr.Dataset) -> None:
    recipient = model.recipients["B"]
    methods = {k: v for k, v in recipient.baselines.items() if k != "harmonic"}
    blind = replace(model, recipients={"B": replace(recipient, baselines=methods)})
    with pytest.raises(GraceError, match="GNV1B"):
        forecast(past, blind)


def test_command_bridges_and_says_so(
    model: FittedModel,
    past: xr.Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from gracelstm_xr.cli import main
    from gracelstm_xr.store.write import to_zarr

    own = past["lin_accl"].copy()
    own.loc[{"satellite": "B", "time": own["time"].values[-120:]}] = np.nan
    end = str(past["time"].values[-121])[:19]
    to_zarr(past.assign(lin_accl=own), tmp_path / "grace.zarr", progress=False)
    model.save(tmp_path / "model.gracelstm")
    names = [str(tmp_path / n) for n in ("grace.zarr", "model.gracelstm", "ahead.nc")]
    assert main(["forecast", *names, "--horizon", "10min", "--quiet"]) == 0
    told = capsys.readouterr().out
    assert f"satellite B has no data after {end} (GPS)" in told
    assert "bridges 120 s" in told
    with xr.open_dataset(names[2]) as found:
        assert found.sizes["time"] == 120 + 600
        assert found["lin_accl_forecast"].notnull().all()
        assert (found["lin_accl_forecast_method"] > 0).all()
    names[2] = str(tmp_path / "other.nc")
    assert main(["forecast", *names, "--horizon", "3D", "--quiet"]) == 1
    assert "horizon" in capsys.readouterr().err
