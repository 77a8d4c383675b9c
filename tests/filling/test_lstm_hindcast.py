"""What hindcasts teach, and how they judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError
from gracelstm_xr.filling.ahead import Ahead
from gracelstm_xr.filling.forecast import forecast
from gracelstm_xr.filling.hindcast import hindcast
from gracelstm_xr.filling.hindcasts import origins_of
from gracelstm_xr.filling.lessons import Sample, learn, spread
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.filling.outlook import CODES, ForecastCalibration, hats

STEP = 10.0


def calibration(choice: list[str]) -> ForecastCalibration:
    """Two lead times, 10 and 1000 s, one method each."""
    return ForecastCalibration(
        leads=np.array([10.0, 1000.0]),
        process=np.array([[0.5, 0.5, 0.5]]),
        seasonal=np.zeros((2, 6, 3)),
        network=np.zeros((2, 6, 3)),
        choice=np.repeat(np.array(choice)[:, None], 3, axis=1),
        sigma=np.array([[1.0] * 3, [3.0] * 3]),
        activity=np.full(3, 2.0),
        power=np.full(3, 0.5),
        step=STEP,
        origins=2,
    )


def test_one_method_passes_into_the_next() -> None:
    lead = np.array([5.0, 10.0, 100.0, 1000.0, 4000.0])
    ones = np.ones((5, 3))
    found = {"hold": 0 * ones, "harmonic": 2 * ones, "tracked_single": ones}
    made = calibration(["hold", "harmonic"]).chosen(lead, found)
    # 100 s lies half way between 10 and 1000 s in the logarithm
    np.testing.assert_allclose(made.values[:, 0], [0, 0, 1, 2, 2])
    np.testing.assert_allclose(made.sigma[:, 1], [1, 1, 2, 3, 6])
    assert made.method[0, 0] == CODES["hold"]
    assert made.method[-1, 2] == CODES["harmonic"]


def test_what_is_missing_is_replaced() -> None:
    lead = np.array([10.0, 1000.0])
    none, ones = np.full((2, 3), np.nan), np.ones((2, 3))
    made = calibration(["harmonic", "harmonic"])
    some = made.chosen(lead, {"harmonic": none, "tracked_single": ones})
    np.testing.assert_array_equal(some.values, ones)
    nothing = made.chosen(lead, {"harmonic": none})
    assert np.isnan(nothing.values).all()
    assert np.isnan(nothing.sigma).all()
    assert (nothing.method == CODES["none"]).all()


def test_sigma_goes_with_the_activity() -> None:
    made = calibration(["hold", "hold"])
    lead = np.array([10.0, 1000.0])
    activity = np.array([8.0, np.nan, 1e9])
    # four times the usual to the power of a half; unknown; ten times at most
    factor = np.array([2.0, 1.0, np.sqrt(10.0)])
    np.testing.assert_allclose(made.sigma_at(lead, activity)[0], factor)
    np.testing.assert_allclose(made.sigma_at(lead, activity)[1], 3 * factor)


def test_learns_how_errors_go_with_activity() -> None:
    rng = np.random.default_rng(2)
    samples = []
    for sample in _samples(80, rng):
        level = np.exp(rng.uniform(-1, 1, 3))
        noise = 0.1 * rng.standard_normal(sample.truth.shape)
        left = np.zeros_like(sample.ahead.left)
        left[-60:] = 1e-3 * rng.standard_normal((60, 3))
        start = sample.ahead.methods["tracked_single"]
        made = replace(sample.ahead, left=left, activity=5 * level)
        samples.append(replace(sample, ahead=made, truth=start + noise * level))
    made = learn(samples, STEP)
    assert made is not None
    np.testing.assert_allclose(made.power, 1.0, atol=0.1)
    np.testing.assert_allclose(made.activity, 5.0, rtol=0.2)
    np.testing.assert_allclose(made.sigma[-1], 0.1, rtol=0.25)


def test_weights_add_up() -> None:
    share = hats(np.geomspace(1, 1e5, 50), np.array([10.0, 60.0, 600.0]))
    np.testing.assert_allclose(share.sum(axis=1), 1)
    assert share.min() >= 0


def test_sigma_of_normal_and_of_long_tailed_errors() -> None:
    rng = np.random.default_rng(0)
    normal = 2.0 * rng.standard_normal(20_000)
    assert spread(normal) == pytest.approx(2.0, rel=0.05)
    mixed = np.where(rng.random(20_000) < 0.06, 8 * normal, normal)
    one = np.mean(np.abs(mixed) < spread(mixed))
    two = np.mean(np.abs(mixed) < 2 * spread(mixed))
    assert abs(one - 0.683) < 0.05
    assert abs(two - 0.954) < 0.05
    assert np.isnan(spread(np.full(3, np.nan)))


def _samples(count: int, rng: np.random.Generator) -> list[Sample]:
    """Truth = start + 0.6 times the residual of the last turn + noise."""
    steps, behind = 120, 600
    samples = []
    for number in range(count):
        start = rng.standard_normal((steps, 3))
        turn = rng.standard_normal((steps, 3))
        left = np.zeros((behind, 3))
        for i in range(1, behind):
            left[i] = 0.9 * left[i - 1] + 0.1 * rng.standard_normal(3)
        carried = left[-1] * 0.9 ** np.arange(1, steps + 1)[:, None]
        truth = start + 0.6 * turn + carried + 0.1 * rng.standard_normal((steps, 3))
        none = np.zeros((steps, 3))
        methods = {"hold": none, "linear": none, "tracked_single": start}
        terms = {"turn_1": turn, "turn_1_mean": none, "turn_2_mean": none}
        terms |= {"turn_3_mean": none, "network": rng.standard_normal((steps, 3))}
        t = 1e6 * number + STEP * np.arange(1, steps + 1)
        calm = np.ones(steps, dtype=bool)
        made = Ahead(t, left, methods, terms, np.ones(3))
        samples.append(Sample(1e6 * number, made, truth, calm))
    return samples


def test_learns_what_was_put_in() -> None:
    rng = np.random.default_rng(1)
    made = learn(_samples(60, rng), STEP)
    assert made is not None
    assert made.leads[0] == 10
    assert made.leads[-1] == 1200
    np.testing.assert_allclose(made.process[0], 0.9, atol=0.05)
    # the process fades: its weight can be told at short lead times only
    np.testing.assert_allclose(made.seasonal[:4, 0], 1.0, atol=0.2)
    np.testing.assert_allclose(made.seasonal[6, 1], 0.6, atol=0.08)
    # a network of noise gets no weight and no say
    assert np.abs(made.network[5:, 5]).max() < 0.05
    assert (made.choice[3:] == "seasonal").all()
    assert ((made.sigma > 0.08) & (made.sigma < 0.35)).all()
    assert (np.diff(made.sigma, axis=0) >= 0).all()


def test_firings_ahead_do_not_decide_the_choice() -> None:
    """A seventh of the epochs fires: errors of 30 hide which method is better."""
    rng = np.random.default_rng(4)
    samples = []
    for sample in _samples(40, rng):
        calm = rng.random(len(sample.truth)) > 1 / 7
        burst = np.where(calm[:, None], 0.0, 30 * rng.standard_normal(3))
        # carried on, persistence would be good by chance where it fires
        hold = burst * (rng.random((len(burst), 1)) < 0.6)
        methods = sample.ahead.methods | {"hold": hold}
        made = replace(sample.ahead, methods=methods)
        truth = sample.truth + burst
        samples.append(replace(sample, ahead=made, truth=truth, calm=calm))
    made = learn(samples, STEP)
    assert made is not None
    assert (made.choice[3:] == "seasonal").all()


def test_sigma_at_short_leads_knows_the_firings_of_longer_ones() -> None:
    """None of the first minute of few hindcasts happens to be next to a firing."""
    rng = np.random.default_rng(5)
    samples = []
    for sample in _samples(12, rng):
        calm = rng.random(len(sample.truth)) > 0.4
        calm[:8] = True
        burst = np.where(
            calm[:, None], 0.0, 2 * rng.standard_normal(sample.truth.shape)
        )
        samples.append(replace(sample, truth=sample.truth + burst, calm=calm))
    made = learn(samples, STEP)
    assert made is not None
    # 63 % of errors are of 0.1 to 0.3, the others of 2
    assert (made.sigma[made.leads <= 60] > 0.4).all()


def test_weighted_spread_is_that_of_repeated_errors() -> None:
    rng = np.random.default_rng(6)
    error, weight = rng.standard_t(3, 5000), rng.integers(1, 4, 5000)
    repeated = np.repeat(error, weight)
    assert spread(error, weight.astype(float)) == pytest.approx(
        spread(repeated), rel=0.01
    )


def test_too_few_to_learn_from() -> None:
    assert learn(_samples(1, np.random.default_rng(0)), STEP) is None


def test_origins_are_spread_and_seeded() -> None:
    first = origins_of((0.0, 1e5), 20, 5e3, 3)
    np.testing.assert_array_equal(first, origins_of((0.0, 1e5), 20, 5e3, 3))
    assert not np.array_equal(first, origins_of((0.0, 1e5), 20, 5e3, 4))
    assert (np.diff(first) > 0).all()
    assert first[-1] <= 95e3


@pytest.fixture(scope="module")
def judged(model: FittedModel, twin: xr.Dataset) -> xr.Dataset:
    return hindcast(twin, model, leads=[10, 60, 600, 1200], count=6)


@pytest.mark.lstm
def test_table(judged: xr.Dataset) -> None:
    wanted = {"persistence", "linear", "ar", "harmonic", "lstm_single", "forecast"}
    assert wanted <= set(judged["method"].values.tolist())
    assert judged["error"].dims == ("satellite", "method", "origin", "lead", "axis")
    assert judged["satellite"].values.tolist() == ["B"]
    for name in ("error", "rms", "rms_one_step"):
        assert judged[name].attrs["units"] == "m s-2"
    for name in ("coverage_68", "coverage_95"):
        assert ((judged[name] >= 0) & (judged[name] <= 1)).all()
    rms = judged["rms"].sel(satellite="B")
    late = rms.sel({"lead": 1200.0, "axis": ["x", "z"]})
    chosen, held = (late.sel({"method": m}) for m in ("forecast", "persistence"))
    assert (chosen < held).all()


@pytest.mark.lstm
def test_table_is_of_what_forecast_returns(
    judged: xr.Dataset, model: FittedModel, twin: xr.Dataset
) -> None:
    """The same origin, cut and forecast: the same error."""
    last = judged["origin_time"].values.reshape(-1)[0]
    number = int(np.flatnonzero(twin["time"].values == last)[0])
    found = forecast(twin.isel(time=slice(0, number + 1)), model, horizon=1200.0)
    at = np.array([10, 60, 600, 1200])
    truth = twin["lin_accl"].sel(satellite="B").values[number + at]
    expected = found["lin_accl_forecast"].values[0, at - 1] - truth
    error = judged["error"].sel({"method": "forecast", "satellite": "B"})
    np.testing.assert_allclose(error.values[0], expected, rtol=0, atol=1e-10)


@pytest.mark.lstm
def test_one_step_by_brute_force(
    judged: xr.Dataset, model: FittedModel, twin: xr.Dataset
) -> None:
    """Persistence and the line through two samples at every step."""
    from gracelstm_xr.compute.blocks import gps_seconds

    t = gps_seconds(twin, slice(None))
    low, high = model.split.test
    here = (t >= low) & (t < high) & (t % STEP == 0)
    own = twin["lin_accl"].sel(satellite="B").values[here]
    hold = np.sqrt(np.nanmean(np.diff(own, axis=0) ** 2, axis=0))
    line = np.sqrt(np.nanmean(np.diff(own, 2, axis=0) ** 2, axis=0))
    table = judged["rms_one_step"].sel(satellite="B")
    # groups of 30 min leave out some steps at the end and beside gaps
    np.testing.assert_allclose(table.sel({"method": "persistence"}), hold, rtol=0.25)
    np.testing.assert_allclose(table.sel({"method": "linear"}), line, rtol=0.25)
    for name in ("forecast", "ar"):
        assert (table.sel({"method": name}) < 1.6 * hold).all()


@pytest.mark.lstm
def test_chosen_origins(model: FittedModel, twin: xr.Dataset) -> None:
    times = ["2008-01-02T16:00:00", "2008-01-02T18:00:00"]
    found = hindcast(twin, model, leads=[60], origins=times, one_step=False)
    np.testing.assert_array_equal(
        found["origin_time"].values.reshape(-1),
        np.array(times, dtype="datetime64[ns]"),
    )
    assert "rms_one_step" not in found


@pytest.mark.lstm
def test_bad_questions(model: FittedModel, twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="leads"):
        hindcast(twin, model, leads=[])
    with pytest.raises(GraceError, match="span="):
        hindcast(twin, model, span="training")
    with pytest.raises(GraceError, match="fit again"):
        hindcast(twin.sel(satellite=["A"]), model)
