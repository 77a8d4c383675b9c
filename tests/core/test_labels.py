"""Durations, dates and spans: one meaning in every call and on the command line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr.cli import main
from gracelstm_xr.core.labels import begin, duration, durations, end, time_slice
from gracelstm_xr.errors import GraceError
from gracelstm_xr.filling.model import FittedModel

#: Ways to say a minute.
MINUTE = [
    60,
    60.0,
    "60",
    " 60 ",
    "60s",
    "1min",
    "PT60S",
    "00:01:00",
    np.int64(60),
    np.float32(60),
    np.timedelta64(60, "s"),
    np.timedelta64(60_000_000_000, "ns"),
    np.timedelta64(1, "m"),
    pd.Timedelta("60s"),
    dt.timedelta(minutes=1),
]
#: What is no positive duration.
NO_DURATION = [
    *("", "soon", "1 M", "-60s", "0", 0, -1, True, None, [60], {}, b"60"),
    *(float("nan"), "nan", np.timedelta64("NaT"), pd.NaT, np.timedelta64(60)),
    *(np.timedelta64(1, "Y"), float("inf"), 1 + 1j, 1e300, "1e-12"),
    np.timedelta64(2**62, "s"),
]
#: Ways to say the fifth of January 2008, and the instant after it as a stop.
DAY = [
    *("2008-01-05", "20080105", " 2008-01-05 ", dt.date(2008, 1, 5)),
    *(np.datetime64("2008-01-05"), pd.Period("2008-01-05", "D")),
]
#: What is no time.
NO_TIME = [
    *(20080105, 2008.0, np.int64(5), "5", "200801051", "-1", True, "", "soon"),
    *("2008-13-01", np.datetime64("NaT"), pd.NaT, None, [], "2008-01-05T00:00Z"),
    *(pd.Timestamp("2008-01-05", tz="UTC"), "1600-01-01", "9999-01-01"),
    *(
        "now",
        "today",
        "12:00",
        "05/06/2008",
        np.datetime64("30000-01-01"),
        "2262-04-12",
    ),
]


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


@pytest.mark.parametrize("value", MINUTE, ids=repr)
def test_a_minute(value: Any) -> None:
    assert duration(value) == 60.0


@pytest.mark.parametrize("value", NO_DURATION, ids=repr)
def test_what_is_no_duration_is_one_line(value: Any) -> None:
    with pytest.raises(GraceError, match="expected") as error:
        duration(value, name="horizon")
    assert "horizon" in str(error.value)
    assert "\n" not in str(error.value)


def test_zero_and_without_end_where_they_make_sense() -> None:
    assert duration("0", zero=True) == 0.0
    assert durations(["60s", "inf", 600], infinite=True) == [60.0, np.inf, 600.0]
    assert durations("60s, 10min") == [60.0, 600.0]
    assert durations(np.timedelta64(60, "s")) == [60.0]
    with pytest.raises(GraceError, match="no leads found"):
        durations([], name="leads")


@pytest.mark.parametrize("value", DAY, ids=repr)
def test_a_day_is_included_whole(value: Any) -> None:
    assert begin(value) == at("2008-01-05")
    assert end(value) == at("2008-01-06")


def test_months_years_and_instants() -> None:
    assert (begin("2008-02"), end("2008-02")) == (at("2008-02-01"), at("2008-03-01"))
    assert (begin("2008"), end("2008")) == (at("2008-01-01"), at("2009-01-01"))
    assert end(np.datetime64("2008-02")) == at("2008-03-01")
    assert end("2008Q1") == end(pd.Period("2008Q1")) == at("2008-04-01")
    assert end(pd.Period("2008-01-05T12", "h")) == at("2008-01-05T13:00")
    for value in (
        "2008-01-05T12:00",
        dt.datetime(2008, 1, 5, 12),
        pd.Timestamp("2008-01-05T12:00"),
        np.datetime64("2008-01-05T12:00", "s"),
    ):
        assert begin(value) == end(value) == at("2008-01-05T12:00")
    # a datetime at midnight is an instant: an object has a time of day
    assert end(pd.Timestamp("2008-01-05")) == at("2008-01-05")


@pytest.mark.parametrize("value", NO_TIME, ids=repr)
def test_what_is_no_time_is_one_line(value: Any) -> None:
    for read in (begin, end):
        with pytest.raises(GraceError) as error:
            read(value)
        assert "\n" not in str(error.value)
        assert "expected" in str(error.value)


def test_a_span_of_labels(make_grid: Any) -> None:
    ds = make_grid(size=3 * 86_400)
    cut = ds.sel(time=time_slice("2008-01-02", "2008-01-02"))
    assert cut.sizes["time"] == 86_400
    cut = ds.sel(time=time_slice("2008-01-02", "2008-01-02T00:00:10"))
    assert cut.sizes["time"] == 10
    with pytest.raises(GraceError, match="expected start before stop"):
        time_slice("2008-01-02", "2008-01-01")


@pytest.mark.parametrize("value", MINUTE, ids=repr)
def test_the_calls_that_take_a_duration(make_grid: Any, value: Any) -> None:
    ds = make_grid(size=600, gaps={"A": [(100, 130), (200, 300)]})
    assert ds.grace.gaps(min_length=value).sizes["gap"] == 1
    assert ds[["lin_accl"]].grace.resample(value).sizes["time"] == 10


@pytest.mark.lstm
def test_forecast_and_scores_take_the_same(
    twin_lazy: xr.Dataset, model: FittedModel
) -> None:
    for horizon in (np.int64(5400), "5400", "90min", pd.Timedelta("90min")):
        ahead = twin_lazy.grace.forecast(model, horizon=horizon)
        assert ahead.sizes["time"] == 5400
    scores = [
        twin_lazy.grace.evaluate(
            model,
            lengths=lengths,
            span=span,
            count=1,
            controls=False,
            allow_training=True,
        )
        for lengths, span in (
            (["60s", 600], ("2008-01-04", "20080104")),
            ([60, np.timedelta64(10, "m")], ("2008-01-04", "2008-01-05T00:00:00")),
        )
    ]
    xr.testing.assert_identical(scores[0].drop_attrs(), scores[1].drop_attrs())
    with pytest.raises(GraceError, match="lengths: 'soon' is not a duration"):
        twin_lazy.grace.evaluate(model, lengths=["soon"], allow_training=True)
    with pytest.raises(GraceError, match="leads 0 found"):
        twin_lazy.grace.lstm.hindcast(model, leads=[0])


@pytest.mark.parametrize("text", ["60", "60s", "1min"])
def test_the_command_line_reads_them_alike(
    make_grid: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    ds = make_grid(size=600, gaps={"A": [(100, 130), (200, 300)]})
    ds.grace.to_zarr(tmp_path / "a.zarr")
    assert main(["gaps", str(tmp_path / "a.zarr"), "--min-length", text]) == 0
    told = capsys.readouterr().out
    assert "100" in told
    assert "2008-01-01T00:01:40" not in told
    with pytest.raises(SystemExit, match="2"):
        main(["gaps", str(tmp_path / "a.zarr"), "--min-length", "soon"])
    assert "'soon' is not a duration" in capsys.readouterr().err


def test_days_on_the_command_line_and_in_python(
    twin_archive: Path, tmp_path: Path
) -> None:
    store = tmp_path / "a.zarr"
    span = ["--start", "20080102", "--stop", "2008-01-03"]
    assert main(["ingest", str(twin_archive), str(store), *span, "--quiet"]) == 0
    by_call = gx.open_archive(
        twin_archive, start=dt.date(2008, 1, 2), stop=pd.Period("2008-01-03")
    )
    assert gx.open_store(store).sizes["time"] == by_call.sizes["time"] == 2 * 86_400
    with pytest.raises(GraceError, match="20080102"):
        gx.open_archive(twin_archive, start=20080102)
