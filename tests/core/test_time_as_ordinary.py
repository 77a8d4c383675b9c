"""The regular time axis beside an ordinary pandas index: same results, same errors."""

from __future__ import annotations

import copy
import datetime as dt
import io
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import gracelstm_xr  # noqa: F401
from gracelstm_xr.core.conventions import attributes_of
from gracelstm_xr.core.index import regular_coords
from gracelstm_xr.core.time import RegularAxis

# 5 days in steps of 10 min across a month and a leap day: 720 times
AXIS = RegularAxis(np.datetime64("2008-02-27"), np.timedelta64(600, "s"), 720)
STEP = np.timedelta64(600, "s")


def _data() -> dict[str, Any]:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2, AXIS.size, 3))
    x[0, 100:200] = np.nan
    return {
        "x": (("satellite", "time", "axis"), x, {"units": "m s-2"}),
        "flag": (("satellite", "time"), (x[..., 0] > 0).astype("u1")),
        "n": ("time", np.arange(AXIS.size)),
    }


COORDS = {"satellite": ["A", "B"], "axis": ["x", "y", "z"]}


def regular() -> xr.Dataset:
    return xr.Dataset(_data(), coords=COORDS).assign_coords(regular_coords(AXIS))


def ordinary() -> xr.Dataset:
    times = pd.DatetimeIndex(AXIS.values())
    ds = xr.Dataset(_data(), coords=COORDS)
    return ds.assign_coords(time=("time", times, attributes_of("time")))


def part(ds: xr.Dataset, first: int | None, last: int | None) -> xr.Dataset:
    return ds.isel(time=slice(first, last))


def same(found: Any, expected: Any) -> None:
    """Same type, values, coordinates, attributes, dimensions, pandas indexes."""
    if isinstance(expected, xr.Dataset | xr.DataArray):
        assert type(found) is type(expected)
        # xarray calls two Datasets identical only if their indexes share one class
        xr.testing.assert_identical(_unindexed(found), _unindexed(expected))
        assert dict(found.sizes) == dict(expected.sizes)
        assert list(found.dims) == list(expected.dims)
        assert set(found.indexes) == set(expected.indexes)
        for name, index in expected.indexes.items():
            pd.testing.assert_index_equal(found.indexes[name], index, exact=True)
        for name, coord in expected.coords.items():
            assert found[name].dtype == coord.dtype
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected)
    elif isinstance(expected, pd.Index):
        pd.testing.assert_index_equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            same(found[key], value)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    else:
        np.testing.assert_array_equal(found, expected)


def _unindexed(obj: Any) -> Any:
    return obj.drop_indexes(list(obj.xindexes))


def outcome(call: Callable[[xr.Dataset], Any], ds: xr.Dataset) -> Any:
    """Return the result, or the class of what was raised."""
    try:
        return call(ds)
    except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
        return type(error)


def compare(call: Callable[[xr.Dataset], Any]) -> None:
    found, expected = outcome(call, regular()), outcome(call, ordinary())
    if isinstance(expected, type) or isinstance(found, type):
        assert found is expected
    else:
        same(found, expected)


@pytest.mark.parametrize(
    "label",
    [
        "2008-02-29T07:20:00+00:00",
        ["2008-02-29T07:20:00Z"],
        pd.Timestamp("2008-02-29 07:20", tz="UTC"),
        slice(pd.Timestamp("2008-02-29", tz="UTC"), None),
    ],
)
def test_a_label_with_a_zone_is_told_what_is_wrong(label: Any) -> None:
    with pytest.raises((KeyError, TypeError), match="with a time zone, expected GPS"):
        regular().sel(time=label)


# --- labels ----------------------------------------------------------------------

POINTS = np.array([["2008-02-28", "2008-02-29T12:10"]], "datetime64[s]")
LABELS: dict[str, Any] = {
    "year": "2008",
    "month": "2008-02",
    "month, basic": "200802",
    "day": "2008-02-29",
    "day, slashes": "2008/02/29",
    "day, words": "29 Feb 2008",
    "hour": "2008-02-29T07",
    "minute": "2008-02-29T07:20",
    "minute, blank": "2008-02-29 07:20",
    "minute off the axis": "2008-02-29T07:25",
    "second": "2008-02-29T07:20:00",
    "nanosecond": "2008-02-29T07:20:00.000000000",
    "off by a nanosecond": "2008-02-29T07:20:00.000000001",
    "zone": "2008-02-29T07:20:00Z",
    "before": "2007",
    "after": "2008-03-09",
    "far": "1500-01-01",
    "text": "not a date",
    "empty text": "",
    "date": dt.date(2008, 2, 29),
    "datetime": dt.datetime(2008, 2, 29, 7, 20),
    "datetime, zone": dt.datetime(2008, 2, 29, 7, 20, tzinfo=dt.UTC),
    "datetime off": dt.datetime(2008, 2, 29, 7, 25),
    "Timestamp": pd.Timestamp("2008-02-29 07:20"),
    "Timestamp of seconds": pd.Timestamp("2008-02-29 07:20").as_unit("s"),
    "Timestamp, zone": pd.Timestamp("2008-02-29 07:20", tz="UTC"),
    "datetime64[D]": np.datetime64("2008-02-29"),
    "datetime64[M]": np.datetime64("2008-02"),
    "datetime64[s]": np.datetime64("2008-02-29T07:20:00", "s"),
    "datetime64[ns]": np.datetime64("2008-02-29T07:20", "ns"),
    "datetime64 far": np.datetime64("1500-01-01", "s"),
    "NaT": np.datetime64("NaT"),
    "pd.NaT": pd.NaT,
    "integer": 5,
    "float": 1.5,
    "None": None,
    "period": pd.Period("2008-02"),
    "timedelta": pd.Timedelta("1h"),
    "time of day": dt.time(7, 20),
    "time of day off": dt.time(7, 25),
    "0-d array": np.array("2008-02-29", "datetime64[ns]"),
    "0-d DataArray": xr.DataArray(np.datetime64("2008-02-29", "ns")),
    "0-d DataArray with a coordinate": xr.DataArray(
        np.datetime64("2008-02-29", "ns"), coords={"event": 7}
    ),
    "list of texts": ["2008-02-28", "2008-02-29T12:10"],
    "list of partial": ["2008-02"],
    "list of datetimes": [dt.datetime(2008, 2, 29), dt.datetime(2008, 2, 28)],
    "list of Timestamps": [pd.Timestamp("2008-02-29"), pd.Timestamp("2008-02-28")],
    "list of datetime64": [np.datetime64("2008-02-29"), np.datetime64("2008-02-28")],
    "list with repeats": ["2008-02-29", "2008-02-29"],
    "list with a stranger": ["2008-02-29", "2009-01-01"],
    "list with nonsense": ["2008-02-29", "nonsense"],
    "list of integers": [1, 2],
    "empty list": [],
    "tuple": ("2008-02-28", "2008-02-29"),
    "array of seconds": POINTS[0],
    "array of days": np.array(["2008-02-28", "2008-02-29"], "datetime64[D]"),
    "array of texts": np.array(["2008-02-28", "2008-02-29"]),
    "array with NaT": np.array(["2008-02-28", "NaT"], "datetime64[ns]"),
    "2-d array": POINTS,
    "DatetimeIndex": pd.date_range("2008-02-28", periods=5, freq="7h"),
    "DatetimeIndex off": pd.date_range("2008-02-28", periods=5, freq="7min"),
    "DatetimeIndex, zone": pd.date_range("2008-02-28", periods=2, tz="UTC"),
    "Series": pd.Series(pd.date_range("2008-02-28", periods=2)),
    "mask": np.arange(720) % 7 == 0,
    "mask as list": (np.arange(720) % 7 == 0).tolist(),
    "short mask": np.ones(3, bool),
    "DataArray": xr.DataArray(POINTS[0].astype("M8[ns]"), dims="event"),
    "DataArray along time": xr.DataArray(POINTS[0].astype("M8[ns]"), dims="time"),
    "DataArray, named points": xr.DataArray(
        POINTS[0].astype("M8[ns]"), coords={"event": ["a", "b"]}, dims="event"
    ),
    "2-d DataArray": xr.DataArray(POINTS.astype("M8[ns]"), dims=("a", "b")),
    "text DataArray": xr.DataArray(["2008-02-28", "2008-02-29"], dims="event"),
    "mask DataArray": xr.DataArray(np.arange(720) % 9 == 0, dims="time"),
    "Variable": xr.Variable("event", POINTS[0].astype("M8[ns]")),
    "all": slice(None),
    "from": slice("2008-02-29", None),
    "until": slice(None, "2008-02-29"),
    "days": slice("2008-02-28", "2008-02-29"),
    "months": slice("2008-02", "2008-03"),
    "hours": slice("2008-02-28T05", "2008-02-28T07"),
    "minutes": slice("2008-02-28T05:05", "2008-02-28T07:35"),
    "seconds": slice("2008-02-28T05:00:01", "2008-02-28T07:59:59"),
    "between two times": slice("2008-02-28T05:01", "2008-02-28T05:09"),
    "reversed": slice("2008-02-29", "2008-02-28"),
    "reversed, datetimes": slice(dt.datetime(2008, 2, 29), dt.datetime(2008, 2, 28)),
    "slice before": slice("2000", "2001"),
    "slice after": slice("2010", "2011"),
    "slice over all": slice("2000", "2011"),
    "slice far": slice("1500-01-01", "2400-01-01"),
    "slice of datetimes": slice(dt.datetime(2008, 2, 28), dt.datetime(2008, 2, 29)),
    "slice of dates": slice(dt.date(2008, 2, 28), dt.date(2008, 2, 29)),
    "slice of Timestamps": slice(pd.Timestamp("2008-02-28"), pd.Timestamp("2008-03")),
    "slice of datetime64[D]": slice(np.datetime64("2008-02-28"), None),
    "slice of datetime64[M]": slice(None, np.datetime64("2008-03")),
    "slice mixed": slice("2008-02-28", np.datetime64("2008-02-29")),
    "slice of DataArrays": slice(
        xr.DataArray(np.datetime64("2008-02-28", "ns")),
        xr.DataArray(np.datetime64("2008-02-29", "ns")),
    ),
    "slice of times of day": slice(dt.time(3), dt.time(5)),
    "slice until NaT": slice(None, np.datetime64("NaT")),
    "slice of zones": slice("2008-02-28T00:00Z", None),
    "slice of Timestamps, zone": slice(pd.Timestamp("2008-02-29", tz="UTC"), None),
    "slice with NaT": slice(np.datetime64("NaT"), None),
    "slice of nonsense": slice("nonsense", None),
    "slice of integers": slice(1, 5),
    "stride": slice("2008-02-28", None, 5),
    "backwards": slice(None, None, -1),
    "backwards from": slice("2008-02-29", None, -1),
    "backwards until": slice(None, "2008-02-29", -1),
    "backwards between": slice("2008-03-01", "2008-02-28", -1),
    "backwards between, wrong": slice("2008-02-28", "2008-03-01", -1),
    "backwards, stride": slice("2008-03-01T01:05", "2008-02-28T01:05", -3),
    "backwards over all": slice("2011", "2000", -1),
    "stride 0": slice(None, None, 0),
    "stride as text": slice(None, None, "1h"),
    "dict": {"a": 1},
    "nested list": [["2008-02-28", "2008-02-29"]],
    "object array": np.array([dt.datetime(2008, 2, 29)], dtype=object),
    "cftime-like text": "2008-02-30",
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS.keys())
def test_sel(label: Any) -> None:
    compare(lambda ds: ds.sel(time=label))


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS.keys())
def test_loc_and_drop_sel(label: Any) -> None:
    compare(lambda ds: ds.n.loc[label])
    if not isinstance(label, slice | xr.DataArray | xr.Variable | dict):
        compare(lambda ds: ds.drop_sel(time=label))


def test_quarter() -> None:
    compare(lambda ds: ds.sel(time="2008Q1"))


def test_partial_date_in_a_data_array_keeps_its_index() -> None:
    """An ordinary Dataset gives the same times, but loses the index."""
    label = xr.DataArray("2008-02-29")
    same(regular().sel(time=label), ordinary().sel(time="2008-02-29"))
    assert "time" not in ordinary().sel(time=label).indexes


#: Labels that stand for no time.
NO_TIME = ("empty text", "pd.NaT", "array with NaT")


@pytest.mark.parametrize("method", ["nearest", "ffill", "backfill"])
@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS.keys())
def test_sel_with_method(
    label: Any, method: Any, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.id.partition("-")[0]
    if kind in NO_TIME and int(pd.__version__.partition(".")[0]) < 3:
        pytest.skip("an index of pandas 2 has a nearest time to none")
    compare(lambda ds: ds.sel(time=label, method=method))


TOLERANCES: dict[str, Any] = {
    "text": "3min",
    "tight": "1min",
    "Timedelta": pd.Timedelta("3min"),
    "timedelta": dt.timedelta(minutes=3),
    "timedelta64": np.timedelta64(3, "m"),
    "list": [np.timedelta64(3, "m"), np.timedelta64(1, "m")],
    "nonsense": "nonsense",
    "negative": "-1s",
}


@pytest.mark.parametrize("method", [None, "nearest", "pad", "backfill", "wrong", 3])
@pytest.mark.parametrize("tolerance", TOLERANCES.values(), ids=TOLERANCES.keys())
@pytest.mark.parametrize(
    "label",
    ["2008-02-28T01:02", ["2008-02-28T01:02", "2008-02-28T01:08"], slice("2008", None)],
    ids=["one", "two", "slice"],
)
def test_sel_with_tolerance(label: Any, method: Any, tolerance: Any) -> None:
    compare(lambda ds: ds.sel(time=label, method=method, tolerance=tolerance))


POSITIONS: dict[str, Any] = {
    "first": 0,
    "last": -1,
    "numpy integer": np.int32(7),
    "time of day": dt.time(7, 20),
    "time of day off": dt.time(7, 25),
    "0-d array": np.array(7),
    "past": 720,
    "far negative": -721,
    "all": slice(None),
    "slice": slice(10, 40),
    "open": slice(700, None),
    "negative ends": slice(-20, -3),
    "past the end": slice(700, 9999),
    "empty slice": slice(40, 10),
    "stride": slice(3, 400, 7),
    "reverse": slice(None, None, -1),
    "reverse stride": slice(400, 3, -7),
    "list": [3, 1, -2],
    "repeats": [3, 3, 3],
    "tuple": (3, 1),
    "range": range(4, 9),
    "list past": [3, 720],
    "list far negative": [3, -721],
    "empty": [],
    "unsigned": np.array([3, 4], "u8"),
    "mask": np.arange(720) % 5 == 0,
    "mask as list": (np.arange(720) % 5 == 0).tolist(),
    "short mask": np.ones(4, bool),
    "2-d": np.array([[1, 2], [3, 4]]),
    "text": "2008",
    "DataArray": xr.DataArray([5, 6, -1], dims="event"),
    "DataArray along time": xr.DataArray([5, 6, -1], dims="time"),
    "DataArray, named": xr.DataArray([5, 6], coords={"event": [1, 2]}, dims="event"),
    "DataArray 2-d": xr.DataArray([[5, 6], [7, 8]], dims=("a", "b")),
    "DataArray along satellite": xr.DataArray([5, 6], dims="satellite"),
    "DataArray 0-d": xr.DataArray(5),
    "mask DataArray": xr.DataArray(np.arange(720) % 5 == 0, dims="time"),
    "Variable": xr.Variable("event", [5, 6]),
}


@pytest.mark.parametrize("key", POSITIONS.values(), ids=POSITIONS.keys())
def test_isel(key: Any) -> None:
    compare(lambda ds: ds.isel(time=key))
    compare(lambda ds: ds.n[key])
    compare(lambda ds: ds.time[key])
    compare(lambda ds: ds.x.variable[:, key])


def _days(first: int, last: int) -> st.SearchStrategy[np.datetime64]:
    start = AXIS.start - np.timedelta64(1, "D")
    seconds = st.integers(first, last)
    return seconds.map(lambda s: start + np.timedelta64(s, "s"))


INSTANTS = _days(0, 7 * 86400)
ON_AXIS = st.integers(-3, AXIS.size + 2).map(lambda i: AXIS.start + i * STEP)
TEXTS = st.tuples(INSTANTS | ON_AXIS, st.sampled_from("YMDhms")).map(
    lambda pair: str(pair[0].astype(f"M8[{pair[1]}]"))
)
BOUNDS = st.none() | INSTANTS | ON_AXIS | TEXTS
STRIDES = st.none() | st.integers(-9, 9)
METHODS = st.sampled_from([None, "nearest", "pad", "backfill"])


@settings(deadline=None, max_examples=300)
@given(st.builds(slice, BOUNDS, BOUNDS, STRIDES))
def test_random_slices_of_times(key: slice) -> None:
    compare(lambda ds: ds.n.sel(time=key))


@settings(deadline=None, max_examples=150)
@given(st.lists(INSTANTS | ON_AXIS, max_size=6), METHODS)
def test_random_lists_of_times(labels: list[Any], method: Any) -> None:
    compare(lambda ds: ds.n.sel(time=labels, method=method))
    compare(lambda ds: ds.n.reindex(time=labels, method=method))


@settings(deadline=None, max_examples=150)
@given(INSTANTS | ON_AXIS | TEXTS, METHODS)
def test_random_times(label: Any, method: Any) -> None:
    compare(lambda ds: ds.n.sel(time=label, method=method))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.slices(AXIS.size), min_size=1, max_size=4))
def test_random_slices_of_slices(keys: list[slice]) -> None:
    def call(ds: xr.Dataset) -> Any:
        for key in keys:
            ds = ds.isel(time=key)
        return ds

    compare(call)


@settings(deadline=None, max_examples=200)
@given(
    st.slices(40),
    st.slices(40),
    st.sampled_from(["inner", "outer", "left", "right", "exact", "override"]),
)
def test_random_alignment(first: slice, second: slice, join: Any) -> None:
    def call(ds: xr.Dataset) -> Any:
        return xr.align(ds.n[first], ds.n[second], join=join)

    compare(call)


# --- operations ------------------------------------------------------------------


def halves(ds: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Two selections that overlap by a day."""
    return ds.sel(time=slice(None, "2008-02-29")), ds.sel(
        time=slice("2008-02-29", None)
    )


def ends(ds: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Two selections with a hole of three days between them."""
    return ds.sel(time="2008-02-27"), ds.sel(time="2008-03-02")


def roundtrip(ds: xr.Dataset, form: str) -> xr.Dataset:
    if form == "netcdf":
        return xr.open_dataset(io.BytesIO(ds.to_netcdf())).load().drop_encoding()
    from zarr.storage import MemoryStore

    store = MemoryStore()
    ds.to_zarr(store, consolidated=False)
    return xr.open_zarr(store, consolidated=False).load().drop_encoding()


def line(ds: xr.Dataset, **options: Any) -> list[Any]:
    """Points and labels that a plot draws."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    try:
        ds.x.isel(satellite=0, axis=0).plot(**options)
        axes = plt.gca()
        found = [text.get_text() for text in axes.get_xticklabels()]
        return [*[a.get_xydata() for a in axes.lines], found, axes.get_xlabel()]
    finally:
        plt.close("all")


def apply(ds: xr.Dataset, **options: Any) -> Any:
    def centred(values: Any) -> Any:
        return values - values.mean(axis=-1, keepdims=True)

    dims = [["time"]]
    return xr.apply_ufunc(
        centred, ds.x, input_core_dims=dims, output_core_dims=dims, **options
    )


FREQUENCIES = ["25min", "1h", "6h", "1D", "2D", "W", "MS", "ME", "YS"]
REDUCTIONS = ["mean", "max", "count", "first", "std"]


@pytest.mark.parametrize("frequency", FREQUENCIES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_resample(frequency: str, reduction: str) -> None:
    compare(lambda ds: getattr(ds.resample(time=frequency), reduction)())


RESAMPLINGS: dict[str, Any] = {
    "own step": lambda ds: ds.n.resample(time="10min").mean(),
    "finer": lambda ds: ds.n.resample(time="3min").max(),
    "offset": lambda ds: ds.resample(time="1D", offset="5h").mean(),
    "origin": lambda ds: ds.resample(time="7h", origin="2008-01-01").mean(),
    "closed": lambda ds: ds.resample(time="1h", closed="right", label="right").sum(),
    "map": lambda ds: ds.n.resample(time="1D").map(lambda d: d - d.mean()),
    "interpolate": lambda ds: ds.n.resample(time="4min").interpolate("linear"),
    "ffill": lambda ds: ds.n.resample(time="5min").ffill(),
    "nearest": lambda ds: ds.n.resample(time="5min").nearest(),
    "asfreq": lambda ds: ds.n.resample(time="30min").asfreq(),
    "groups": lambda ds: {str(k): v for k, v in ds.resample(time="1D").groups.items()},
    "of a stride": lambda ds: (
        ds.isel(time=slice(5, None, 7)).resample(time="3h").mean()
    ),
    "of a reverse": lambda ds: ds.isel(time=slice(None, None, -1)).resample(time="1h"),
    "of nothing": lambda ds: ds.isel(time=slice(0, 0)).resample(time="1h").mean(),
    "wrong": lambda ds: ds.resample(time="1 parsec").mean(),
}


@pytest.mark.parametrize("call", RESAMPLINGS.values(), ids=RESAMPLINGS.keys())
def test_other_resamplings(call: Any) -> None:
    compare(call)


PARTS = ["year", "month", "day", "hour", "minute", "second", "dayofyear", "dayofweek"]
PARTS += ["week", "quarter", "season", "date", "time", "is_leap_year", "days_in_month"]


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_the_time(part: str) -> None:
    compare(lambda ds: ds[f"time.{part}"])
    compare(lambda ds: ds.sel(time="2008-02").groupby(f"time.{part}").mean())
    if part not in ("week", "date", "time"):
        compare(lambda ds: getattr(ds.time.dt, part))


GROUPS: dict[str, Any] = {
    "anomaly": lambda ds: ds.groupby("time.hour") - ds.groupby("time.hour").mean(),
    "map": lambda ds: ds.groupby("time.day").map(lambda g: g - g.mean()),
    "apply": lambda ds: [k for k, _ in ds.groupby("time.day")],
    "members": lambda ds: [g for _, g in ds.groupby("time.day")],
    "by time": lambda ds: ds.n.isel(time=slice(9)).groupby("time").sum(),
    "by bins": lambda ds: ds.n.groupby_bins("time", AXIS.values()[::200]).count(),
    "by flag": lambda ds: ds.n.groupby(ds.flag[0]).mean(),
    "by two": lambda ds: ds.n.groupby(["time.day", "time.hour"]).mean(),
    "by grouper": lambda ds: ds.groupby(time=xr.groupers.TimeResampler("1D")).mean(),
    "by season": lambda ds: ds.groupby(
        time=xr.groupers.SeasonGrouper(["DJF", "MAM"])
    ).mean(),
    "quantile": lambda ds: ds.n.groupby("time.day").quantile(0.5),
    "strftime": lambda ds: ds.time.dt.strftime("%d %H:%M"),
    "floor": lambda ds: ds.time.dt.floor("1h"),
    "calendar": lambda ds: ds.time.dt.calendar,
    "isocalendar": lambda ds: ds.time.dt.isocalendar(),
}


@pytest.mark.parametrize("call", GROUPS.values(), ids=GROUPS.keys())
def test_groups(call: Any) -> None:
    compare(call)


def _pieces(ds: xr.Dataset, *keys: slice) -> list[xr.Dataset]:
    return [ds.isel(time=key) for key in keys]


A, B, C = slice(0, 100), slice(100, 250), slice(300, 400)
JOINS = ["inner", "outer", "left", "right", "exact", "override"]
COMBINATIONS: dict[str, Any] = {
    "contiguous": (A, B),
    "three": (A, B, slice(250, 260)),
    "gapped": (A, C),
    "overlapping": (A, slice(50, 150)),
    "out of order": (B, A),
    "one": (A,),
    "with an empty one": (A, slice(0, 0)),
    "empty first": (slice(0, 0), A),
    "strides": (slice(0, 100, 2), slice(100, 200, 2)),
    "two strides": (slice(0, 100, 2), slice(100, 200, 5)),
    "reversed": (A, slice(200, 100, -1)),
    "a list": (A, [110, 130]),
    "a list first": ([1, 2], B),
    "single times": (slice(0, 1), slice(1, 2), slice(7, 8)),
    "same": (A, A),
}


@pytest.mark.parametrize("keys", COMBINATIONS.values(), ids=COMBINATIONS.keys())
def test_concat(keys: Any) -> None:
    compare(lambda ds: xr.concat(_pieces(ds, *keys), "time"))
    compare(lambda ds: xr.concat([d.n for d in _pieces(ds, *keys)], "time"))
    compare(lambda ds: xr.combine_by_coords(_pieces(ds, *keys)))
    compare(
        lambda ds: xr.combine_nested(
            _pieces(ds, *keys), "time", data_vars="minimal", combine_attrs="drop"
        )
    )


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("keys", COMBINATIONS.values(), ids=COMBINATIONS.keys())
def test_align_and_merge(keys: Any, join: Any) -> None:
    compare(lambda ds: xr.align(*_pieces(ds, *keys), join=join))
    compare(
        lambda ds: xr.merge(
            [d.n.rename(f"n{i}") for i, d in enumerate(_pieces(ds, *keys))], join=join
        )
    )
    compare(lambda ds: xr.concat(_pieces(ds, *keys), "member", join=join))


@pytest.mark.parametrize("keys", COMBINATIONS.values(), ids=COMBINATIONS.keys())
def test_arithmetic(keys: Any) -> None:
    def call(ds: xr.Dataset, join: Any) -> Any:
        with xr.set_options(arithmetic_join=join):
            first, *rest = _pieces(ds, *keys)
            for other in rest:
                first = first.x * other.n
            return first

    for join in ("inner", "outer", "exact", "left"):
        compare(lambda ds, join=join: call(ds, join))
    compare(lambda ds: _pieces(ds, keys[0])[0].combine_first(ds.isel(time=keys[-1])))
    compare(lambda ds: ds.isel(time=keys[0]).broadcast_like(ds.isel(time=keys[-1])))
    compare(lambda ds: ds.isel(time=keys[0]).equals(ds.isel(time=keys[-1])))
    compare(lambda ds: ds.isel(time=keys[0]).identical(ds.isel(time=keys[-1])))
    compare(lambda ds: ds.isel(time=keys[0]).reindex_like(ds.isel(time=keys[-1])))
    compare(
        lambda ds: ds.isel(time=keys[0]).reindex_like(
            ds.isel(time=keys[-1]), method="nearest", tolerance="1h"
        )
    )


def _midnights(count: int = 6) -> pd.DatetimeIndex:
    return pd.date_range("2008-02-26", periods=count)


def _in_place(ds: xr.Dataset) -> xr.Dataset:
    ds = ds.copy(deep=True)
    ds.n.loc[{"time": "2008-02-29"}] = -1
    ds["flag"][{"time": slice(3)}] = 7
    ds["m"] = ds.n.sel(time=slice("2008-02-28", "2008-02-29"))
    ds["time2"] = ds.time + np.timedelta64(1, "s")
    return ds


def _failing_assignment(ds: xr.Dataset) -> xr.Dataset:
    ds.time[3] = np.datetime64("2008-01-01")
    return ds


OPERATIONS: dict[str, Any] = {
    "reindex days": lambda ds: ds.reindex(time=_midnights()),
    "reindex by own part": lambda ds: ds.reindex(time=ds.time[5:9]),
    "reindex with fill": lambda ds: ds.flag.reindex(time=_midnights(), fill_value=9),
    "reindex pad": lambda ds: ds.n.reindex(
        time=_midnights(9) + pd.Timedelta("3min"), method="pad", tolerance="5min"
    ),
    "reindex texts": lambda ds: ds.n.reindex(time=["2008-02-29", "2008-03-09"]),
    "interp": lambda ds: ds.x.interp(time=_midnights() + pd.Timedelta("3min")),
    "interp texts": lambda ds: ds.n.interp(time=["2008-02-28T01:03"]),
    "interp one": lambda ds: ds.n.interp(time="2008-02-28T01:03"),
    "interp_like": lambda ds: ds.n.interp_like(ds.isel(time=slice(3, None, 5))),
    "interpolate_na long": lambda ds: ds.x.interpolate_na("time", use_coordinate=True),
    "fillna": lambda ds: ds.x.fillna(ds.n),
    "shift": lambda ds: ds.shift(time=3, fill_value=0),
    "roll": lambda ds: ds.roll(time=-5),
    "roll coords": lambda ds: ds.roll(time=-5, roll_coords=True),
    "diff": lambda ds: ds.diff("time", n=2),
    "diff lower": lambda ds: ds.n.diff("time", label="lower"),
    "differentiate": lambda ds: ds.x.differentiate("time", datetime_unit="s"),
    "integrate": lambda ds: ds.integrate("time", datetime_unit="h"),
    "cumulative_integrate": lambda ds: ds.n.cumulative_integrate("time"),
    "rolling": lambda ds: ds.rolling(time=5, center=True).mean(),
    "rolling construct": lambda ds: ds.n.rolling(time=4).construct("w", stride=3),
    "rolling iterate": lambda ds: list(ds.n[:8].rolling(time=3)),
    "rolling_exp": lambda ds: ds.n.rolling(time=5, min_periods=2).reduce(np.sum),
    "coarsen": lambda ds: ds.coarsen(time=7, boundary="trim").mean(),
    "coarsen pad": lambda ds: ds.coarsen(time=7, boundary="pad").max(),
    "coarsen construct": lambda ds: ds.n.coarsen(time=144).construct(
        time=("day", "slot")
    ),
    "weighted": lambda ds: ds.x.weighted(ds.n).mean("time"),
    "sortby": lambda ds: ds.sortby("time", ascending=False),
    "sortby values": lambda ds: ds.sortby(ds.x[0, :, 0]),
    "sortby reversed": lambda ds: ds.isel(time=slice(None, None, -1)).sortby("time"),
    "drop_duplicates": lambda ds: ds.drop_duplicates("time"),
    "drop_duplicates some": lambda ds: ds.isel(time=[0, 0, 1]).drop_duplicates("time"),
    "where": lambda ds: ds.where(ds.time > np.datetime64("2008-02-29")),
    "where drop": lambda ds: ds.where(ds.time.dt.hour == 3, drop=True),
    "where other": lambda ds: ds.x.where(ds.flag > 0, ds.n),
    "xr.where": lambda ds: xr.where(ds.time.dt.day == 28, ds.x, -ds.n),
    "isin": lambda ds: ds.time.isin(_midnights().values),
    "dropna": lambda ds: ds.dropna("time"),
    "clip": lambda ds: ds.time.clip(min=np.datetime64("2008-02-28")),
    "stack": lambda ds: ds.stack(z=("satellite", "time")),  # noqa: PD013
    "stack unstack": lambda ds: ds.stack(z=("time", "axis")).unstack("z"),  # noqa: PD010, PD013
    "to_stacked_array": lambda ds: ds[["n", "flag"]].to_stacked_array("f", ["time"]),
    "to_dataframe": lambda ds: ds.to_dataframe(),
    "to_dataframe order": lambda ds: ds.to_dataframe(["time", "axis", "satellite"]),
    "to_dask_dataframe": lambda ds: ds[["n"]].to_dask_dataframe().compute(),
    "to_pandas": lambda ds: ds.n.to_pandas(),
    "to_pandas 2-d": lambda ds: ds.flag.to_pandas(),
    "to_pandas Dataset": lambda ds: ds[["n"]].to_pandas(),
    "to_series": lambda ds: ds.n.to_series(),
    "to_index": lambda ds: ds.time.to_index(),
    "indexes": lambda ds: ds.indexes["time"],
    "get_index": lambda ds: ds.get_index("time"),
    "to_dict": lambda ds: ds.isel(time=slice(3)).to_dict(),
    "from_dict": lambda ds: xr.Dataset.from_dict(ds.isel(time=slice(3)).to_dict()),
    "to_array": lambda ds: ds[["n", "flag"]].to_dataarray(),
    "to_dataset": lambda ds: ds.x.to_dataset("satellite"),
    "to_dataset name": lambda ds: ds.time.to_dataset(name="t"),
    "values": lambda ds: ds.time.values,
    "items": lambda ds: [t.item() for t in ds.time[:3]],
    "iterate": lambda ds: list(ds.n[:3]),
    "reductions of time": lambda ds: [ds.time.min(), ds.time.max(), ds.time.mean()],
    "idxmax": lambda ds: ds.idxmax("time"),
    "argmax": lambda ds: ds.x.isel(time=ds.x.argmax("time", skipna=True)),
    "steps": lambda ds: ds.time.diff("time"),
    "time arithmetic": lambda ds: (ds.time - ds.time[0]) / np.timedelta64(1, "s"),
    "time comparison": lambda ds: (ds.time[0] < ds.time) & ds.time.notnull(),  # noqa: PD004
    "time astype": lambda ds: ds.time.astype("int64"),
    "numpy": lambda ds: np.asarray(ds.time),
    "numpy function": lambda ds: np.sin(ds.n).astype("f4"),
    "pickle": lambda ds: pickle.loads(pickle.dumps(ds)),
    "pickle array": lambda ds: pickle.loads(pickle.dumps(ds.time)),
    "copy": lambda ds: copy.copy(ds),
    "deep copy": lambda ds: copy.deepcopy(ds),
    "in place": _in_place,
    "assignment to the coordinate": _failing_assignment,
    "equals": lambda ds: [ds.equals(ordinary()), ordinary().equals(ds), ds.equals(ds)],
    "equals other": lambda ds: ds.equals(ordinary().isel(time=slice(3))),
    "broadcast_equals": lambda ds: ds.broadcast_equals(ordinary()),
    "rename": lambda ds: ds.rename(time="epoch").sel(epoch="2008-02-29"),
    "rename_dims": lambda ds: ds.rename_dims(time="step"),
    "rename_vars": lambda ds: ds.rename_vars(time="epoch"),
    "rename_vars sel": lambda ds: ds.rename_vars(time="epoch").sel(epoch="2008-02-29"),
    "rename array": lambda ds: ds.n.rename(time="epoch").mean("epoch"),
    "rename attrs": lambda ds: ds.rename(time="epoch").epoch.attrs,
    "swap_dims": lambda ds: ds.swap_dims(time="n"),
    "swap_dims back": lambda ds: ds.swap_dims(time="n").swap_dims(n="time"),
    "swap_dims slice": lambda ds: ds.swap_dims(time="n").sel(n=slice(3, 9)),
    "reset_index": lambda ds: ds.reset_index("time"),
    "reset_index isel": lambda ds: ds.reset_index("time").isel(time=slice(3)),
    "drop_indexes": lambda ds: ds.drop_indexes("time"),
    "drop_indexes set": lambda ds: ds.drop_indexes("time").set_xindex("time"),
    "set_index": lambda ds: ds.set_index(time="n"),
    "set_index multi": lambda ds: ds.assign_coords(k=ds.flag[0]).set_index(
        time="k", append=True
    ),
    "reset_coords": lambda ds: ds.reset_coords("time"),
    "drop_vars": lambda ds: ds.drop_vars("time"),
    "drop_isel": lambda ds: ds.drop_isel(time=[3, 4]),
    "assign_coords": lambda ds: ds.assign_coords(time=np.arange(720)),
    "assign_coords shifted": lambda ds: ds.assign_coords(
        time=ds.time + np.timedelta64(7, "s")
    ),
    "assign_coords same": lambda ds: ds.assign_coords(time=ds.time),
    "assign_coords other": lambda ds: ds.assign_coords(hour=ds.time.dt.hour),
    "assign_coords wrong size": lambda ds: ds.assign_coords(time=np.arange(3)),
    "assign_coords attrs": lambda ds: ds.assign_coords(
        time=ds.time.assign_attrs(note="mine")
    ).isel(time=slice(3)),
    "convert_calendar": lambda ds: ds.n.convert_calendar("noleap"),
    "expand_dims": lambda ds: ds.isel(time=3).expand_dims("time"),
    "expand_dims new": lambda ds: ds.expand_dims(run=[1, 2]),
    "squeeze": lambda ds: ds.isel(time=[3]).squeeze(),
    "squeeze slice": lambda ds: ds.isel(time=slice(3, 4)).squeeze(drop=True),
    "transpose": lambda ds: ds.transpose("time", ...),
    "head": lambda ds: [ds.head(time=3), ds.tail(time=3), ds.thin(time=50)],
    "pad": lambda ds: ds.n.pad(time=3),
    "broadcast": lambda ds: xr.broadcast(ds.n, ds.time),
    "dot": lambda ds: xr.dot(ds.x, ds.n, dim="time"),
    "corr": lambda ds: xr.corr(ds.x[0], ds.x[1], dim="time"),
    "polyfit": lambda ds: ds.x.polyfit("time", 2),
    "polyval": lambda ds: xr.polyval(ds.time, ds.n.polyfit("time", 1)),
    "curvefit": lambda ds: (
        ds.n.curvefit(
            "time", lambda t, a: a * t.astype("f8")
        ).curvefit_coefficients.sizes
    ),
    "apply_ufunc": apply,
    "apply_ufunc dask": lambda ds: apply(
        ds.chunk(satellite=1), dask="parallelized"
    ).compute(),
    "apply_ufunc pair": lambda ds: xr.apply_ufunc(
        np.add, *[d.x for d in halves(ds)], join="outer"
    ),
    "map": lambda ds: ds.map(np.abs),
    "map_blocks": lambda ds: ds.chunk(time=100).map_blocks(lambda b: b * 2).compute(),
    "map_blocks times": lambda ds: (
        ds.n.chunk(time=100)
        .map_blocks(lambda b: b + b.time.dt.hour, template=ds.n.chunk(time=100))
        .compute()
    ),
    "chunk by resampling": lambda ds: ds.chunk(
        time=xr.groupers.TimeResampler("1D")
    ).chunksizes["time"],
    "chunk and select": lambda ds: ds.chunk(time=50).sel(time="2008-02-29").compute(),
    "chunk resample": lambda ds: ds.chunk(time=50).resample(time="1D").mean().compute(),
    "persist": lambda ds: ds.chunk(time=50).persist().isel(time=slice(4)).load(),
    "unify_chunks": lambda ds: ds.chunk(time=50).unify_chunks().compute(),
    "overlap of halves": lambda ds: operator.sub(*halves(ds)),
    "no overlap": lambda ds: operator.sub(*ends(ds)),
    "in-place sum": lambda ds: operator.iadd(ds.copy(), halves(ds)[0]),
    "in-place sum of arrays": lambda ds: operator.iadd(ds.n.copy(), halves(ds)[0].n),
    "with an array": lambda ds: ds.n + np.arange(720),
    "with a wrong array": lambda ds: ds.n + np.arange(3),
    "update": lambda ds: ds.copy().update({"y": halves(ds)[0].n}),
    "assign": lambda ds: ds.assign(y=halves(ds)[0].n),
    "Dataset of two": lambda ds: xr.Dataset(
        {"a": halves(ds)[0].n, "b": halves(ds)[1].n}
    ),
    "DataArray from": lambda ds: xr.DataArray(ds.n.values, {"time": ds.time}, ["time"]),
    "DataArray coords": lambda ds: xr.DataArray(ds.n.values, ds.coords, dims="time"),
    "DataArray like": lambda ds: xr.zeros_like(ds.n),
    "coords of": lambda ds: xr.Dataset(coords=ds.coords),
    "coords merge": lambda ds: ds.coords.merge(ordinary().coords),
    "coords to_index": lambda ds: ds[["n"]].drop_dims(["axis"]).coords["time"],
    "DataTree": lambda ds: (
        xr.DataTree.from_dict({"/": ds[["n"]], "/b": ds[["x"]]})["b/x"]
        .sel(time="2008-02-29")
        .drop_attrs()
    ),
    "query": lambda ds: ds.query(time="n > 30"),
    "eval": lambda ds: ds.eval("y = n + 1"),
    "to_netcdf": lambda ds: roundtrip(ds, "netcdf"),
    "to_zarr": lambda ds: roundtrip(ds, "zarr"),
    "part to_netcdf": lambda ds: roundtrip(ds.sel(time="2008-02-29"), "netcdf"),
    "plot": line,
    "plot line": lambda ds: line(ds.sel(time="2008-02-29"), marker="."),
    "quantile": lambda ds: ds.quantile([0.1, 0.9], "time"),
    "cumsum": lambda ds: ds.cumsum("time"),
    "cumulative": lambda ds: ds.n.cumulative("time").sum(),
    "nbytes": lambda ds: ds.nbytes,
    "sizes": lambda ds: dict(ds.sizes),
    "isnull": lambda ds: ds.time.isnull(),  # noqa: PD003
    "bool contains": lambda ds: [t in ds.time for t in AXIS.values()[:2]],
    "hash": lambda ds: hash(ds),
    "sel twice": lambda ds: ds.sel(time="2008-02").sel(
        time=slice("2008-02-28T05", None)
    ),
    "sel two dims": lambda ds: ds.sel(time="2008-02-29", satellite="B", axis=["x"]),
    "sel points": lambda ds: ds.x.sel(
        time=xr.DataArray(AXIS.values()[[3, 5]], dims="p"),
        satellite=xr.DataArray(["A", "B"], dims="p"),
    ),
    "sel unknown dim": lambda ds: ds.sel(times="2008-02-29"),
    "sel drop": lambda ds: ds.sel(time="2008-02-29T00:00", drop=True),
}


GRACE: dict[str, Any] = {
    "gaps": lambda ds: ds.grace.gaps(),
    "gaps of a month": lambda ds: ds.sel(time="2008-02").grace.gaps(min_length="1h"),
    "gaps of a sum": lambda ds: operator.add(*halves(ds)).grace.gaps(),
    "gaps of a piece": lambda ds: xr.concat(_pieces(ds, A, B), "time").grace.gaps(),
    "gaps with a hole in time": lambda ds: ds.isel(time=[1, 2, 9]).grace.gaps(),
    "resample": lambda ds: ds[["lin_accl"]].grace.resample("20min"),
}


@pytest.mark.parametrize("call", GRACE.values(), ids=GRACE.keys())
def test_grace_methods(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # the two sides are a moment apart, which their history would show
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    compare(lambda ds: call(ds.rename(x="lin_accl")))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_operation(call: Any) -> None:
    compare(call)
