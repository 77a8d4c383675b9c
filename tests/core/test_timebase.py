from __future__ import annotations

import datetime as dt
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from xarray.indexes import PandasIndex

from gracelstm_xr.core.conventions import attributes_of, netcdf_encoding
from gracelstm_xr.core.index import RegularTimeIndex, axis_of, regular_coords
from gracelstm_xr.core.lazytime import LazyTimeIndex
from gracelstm_xr.core.time import (
    EPOCH,
    RegularAxis,
    datetime64_to_gps,
    day_slices,
    gps_to_datetime64,
)
from gracelstm_xr.errors import GraceError

SECOND = np.timedelta64(1, "s")


def axis(start: str = "2008-04-29", days: float = 4, step: int = 600) -> RegularAxis:
    size = int(days * 86400) // step
    return RegularAxis(np.datetime64(start), np.timedelta64(step, "s"), size)


def regular(ax: RegularAxis) -> xr.Dataset:
    values = np.arange(ax.size, dtype="float64")
    return xr.Dataset({"x": ("time", values)}, coords=regular_coords(ax))


def ordinary(ax: RegularAxis) -> xr.Dataset:
    values = np.arange(ax.size, dtype="float64")
    times = pd.DatetimeIndex(ax.values())
    return xr.Dataset(
        {"x": ("time", values)},
        coords={"time": ("time", times, attributes_of("time"))},
    )


def same(found: Any, expected: Any) -> None:
    """Equal values and times, whatever the index class."""
    xr.testing.assert_equal(found, expected)
    assert found.sizes == expected.sizes
    for name in expected.coords:
        np.testing.assert_array_equal(found[name].values, expected[name].values)


# --- GPS seconds -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "date"),
    [
        (0, "2000-01-01T12:00:00"),
        (116769600, "2003-09-14T00:00:00"),
        (580219200, "2018-05-22T00:00:00"),
        (754660800, "2023-12-01T00:00:00"),
    ],
)
def test_checked_pairs_of_the_specification(seconds: int, date: str) -> None:
    assert gps_to_datetime64(seconds) == np.datetime64(date)
    assert datetime64_to_gps(date) == (seconds, 0)


@given(
    st.integers(-300_000_000, 2_000_000_000),
    st.integers(0, 999_999_999),
)
def test_round_trip_to_the_nanosecond(seconds: int, nanos: int) -> None:
    assert datetime64_to_gps(gps_to_datetime64(seconds, nanos)) == (seconds, nanos)


def test_arrays_and_whole_floats() -> None:
    found = gps_to_datetime64(np.array([1.0, 2.0]), [0, 5])
    assert found.dtype == "datetime64[ns]"
    assert (found - EPOCH).astype(int).tolist() == [1_000_000_000, 2_000_000_005]
    with pytest.raises(GraceError, match="fractional GPS seconds"):
        gps_to_datetime64(0.5)


# --- the axis --------------------------------------------------------------------


def test_axis_between_and_positions() -> None:
    ax = RegularAxis.between("2008-01-01", dt.date(2008, 1, 3))
    assert (ax.size, ax.stop) == (172800, np.datetime64("2008-01-03"))
    assert ax.index_of("2008-01-02") == 86400
    assert ax.values(slice(0, 2)).tolist() == ax.at([0, 1]).tolist()
    with pytest.raises(KeyError, match="not on the axis"):
        ax.index_of("2008-01-03")
    assert ax.cut(slice(10, 20, 2)) == RegularAxis(
        np.datetime64("2008-01-01T00:00:10"), 2 * SECOND, 5
    )


def test_axis_refuses_nonsense() -> None:
    with pytest.raises(GraceError, match="positive step"):
        RegularAxis(EPOCH, np.timedelta64(0, "s"), 3)
    with pytest.raises(GraceError, match="time zone"):
        RegularAxis.between("2008-01-01T00:00:00+01:00", "2008-01-02")
    with pytest.raises(GraceError, match="not a GPS time"):
        RegularAxis.between("yesterday-ish", "2008-01-02")


@given(
    st.integers(-10, 60),
    st.sampled_from([None, "nearest", "pad", "backfill"]),
    st.sampled_from([None, "1s", "3s"]),
)
def test_positions_as_pandas(offset: int, method: Any, tolerance: Any) -> None:
    ax = RegularAxis(EPOCH, np.timedelta64(7, "s"), 5)
    label = np.array([EPOCH + np.timedelta64(offset, "s")])
    index = pd.DatetimeIndex(ax.values())
    if method is None:
        tolerance = None
    expected = index.get_indexer(
        pd.DatetimeIndex(label),
        method=method,
        tolerance=None if tolerance is None else pd.Timedelta(tolerance),
    )
    found = ax.positions(label, method=method, tolerance=tolerance)
    assert found.tolist() == expected.tolist()


def test_positions_far_outside_and_nat() -> None:
    ax = axis()
    labels = np.array(["1678-01-01", "2261-01-01", "NaT"], "datetime64[ns]")
    assert ax.positions(labels).tolist() == [-1, -1, -1]
    assert ax.positions(labels, method="nearest").tolist() == [0, ax.size - 1, -1]


def test_day_slices_with_partial_days() -> None:
    ax = RegularAxis.between("2008-01-01T18:00", "2008-01-03T06:00")
    assert day_slices(ax) == [
        slice(0, 21600),
        slice(21600, 108000),
        slice(108000, 129600),
    ]
    assert day_slices(RegularAxis(EPOCH, SECOND, 0)) == []
    weekly = RegularAxis(np.datetime64("2008-01-01"), np.timedelta64(7, "D"), 3)
    assert day_slices(weekly) == [slice(0, 1), slice(1, 2), slice(2, 3)]


# --- the index against an ordinary one --------------------------------------------

SELECTIONS: dict[str, Any] = {
    "month": "2008-05",
    "year": "2008",
    "day": "2008-05-01",
    "hour": "2008-05-01T03",
    "exact minute": "2008-05-01T03:20",
    "exact second": "2008-05-01T03:20:00",
    "timestamp": pd.Timestamp("2008-05-01 03:20"),
    "datetime": dt.datetime(2008, 5, 1, 3, 20),
    "datetime64": np.datetime64("2008-05-01T03:20"),
    "slice of dates": slice("2008-04-30", "2008-05-01"),
    "slice of a month": slice("2008-05", None),
    "slice between epochs": slice("2008-04-30T00:05", "2008-04-30T00:25"),
    "slice of datetimes": slice(dt.datetime(2008, 4, 30), np.datetime64("2008-05-01")),
    "slice outside": slice("2010", "2011"),
    "slice with a stride": slice("2008-04-30", None, 3),
    "list": ["2008-04-30", "2008-05-01T00:10"],
    "array": np.array(["2008-05-01", "2008-04-30"], "datetime64[s]"),
    "mask": np.arange(576) % 7 == 0,
}


@pytest.mark.parametrize("label", SELECTIONS.values(), ids=SELECTIONS.keys())
def test_sel_as_ordinary(label: Any) -> None:
    same(regular(axis()).sel(time=label), ordinary(axis()).sel(time=label))


@pytest.mark.parametrize("method", ["nearest", "pad", "backfill"])
@pytest.mark.parametrize("label", ["2008-05-01T03:22", ["2008-05-01T03:27:30"]])
def test_sel_with_method_as_ordinary(label: Any, method: Any) -> None:
    same(
        regular(axis()).sel(time=label, method=method),
        ordinary(axis()).sel(time=label, method=method),
    )


def test_sel_by_data_array_points() -> None:
    wanted = xr.DataArray(
        np.array([["2008-04-30", "2008-05-01"]], "datetime64[ns]"), dims=("a", "b")
    )
    same(regular(axis()).sel(time=wanted), ordinary(axis()).sel(time=wanted))
    same(
        regular(axis()).sel(time=regular(axis()).time[4:9]),
        ordinary(axis()).sel(time=ordinary(axis()).time[4:9]),
    )


@pytest.mark.parametrize(
    ("label", "method", "tolerance"),
    [
        ("2010-01-01", None, None),
        ("2010", None, None),
        ("2008-05-01T03:21", None, None),
        (["2008-05-01T03:21"], None, None),
        ("2008-05-01T03:22", "nearest", "1min"),
        ("not a date", None, None),
    ],
)
def test_sel_that_fails(label: Any, method: Any, tolerance: Any) -> None:
    with pytest.raises(KeyError):
        regular(axis()).sel(time=label, method=method, tolerance=tolerance)


POSITIONS: dict[str, Any] = {
    "scalar": 5,
    "last": -1,
    "slice": slice(10, 40),
    "stride": slice(10, 40, 7),
    "reverse": slice(None, None, -1),
    "list": [3, 1, -2],
    "mask": np.arange(576) % 5 == 0,
    "empty": [],
}


@pytest.mark.parametrize("key", POSITIONS.values(), ids=POSITIONS.keys())
def test_isel_as_ordinary(key: Any) -> None:
    same(regular(axis()).isel(time=key), ordinary(axis()).isel(time=key))


def test_slices_stay_regular_and_arrays_do_not() -> None:
    ds = regular(axis())
    assert isinstance(ds.isel(time=slice(3, 30, 3)).xindexes["time"], RegularTimeIndex)
    assert isinstance(ds.sel(time="2008-05").xindexes["time"], RegularTimeIndex)
    assert isinstance(ds.isel(time=[1, 2, 5]).xindexes["time"], PandasIndex)


OPERATIONS: dict[str, Any] = {
    "resample": lambda ds: ds.resample(time="1h").mean(),
    "resample to a day": lambda ds: ds.x.resample(time="1D").sum(),
    "groupby month": lambda ds: ds.groupby("time.month").mean(),
    "anomaly": lambda ds: ds.groupby("time.day") - ds.groupby("time.day").mean(),
    "groupby map": lambda ds: ds.groupby("time.day").map(lambda g: g - g.mean()),
    "rolling": lambda ds: ds.rolling(time=5).mean(),
    "coarsen": lambda ds: ds.coarsen(time=6).mean(),
    "shift": lambda ds: ds.shift(time=2),
    "roll": lambda ds: ds.roll(time=3, roll_coords=True),
    "where drop": lambda ds: ds.where(ds.x % 3 == 0, drop=True),
    "dropna": lambda ds: ds.where(ds.x > 5).dropna("time"),
    "sortby": lambda ds: ds.sortby("time", ascending=False),
    "interp": lambda ds: ds.interp(time=ds.time[:-1] + np.timedelta64(90, "s")),
    "diff": lambda ds: ds.diff("time"),
    "arithmetic of overlaps": lambda ds: (
        ds.sel(time="2008-04") + ds.sel(time=slice("2008-04-30", "2008-05-01"))
    ),
    "arithmetic of disjoint": lambda ds: (
        ds.sel(time="2008-04-29") + ds.sel(time="2008-05-01")
    ),
    "arithmetic with a mask": lambda ds: ds + ds.isel(time=np.arange(576) % 5 == 0),
    "mask first": lambda ds: ds.isel(time=np.arange(576) % 5 == 0) + ds,
    "three": lambda ds: xr.align(ds[{"time": slice(9)}], ds[{"time": [2, 4]}], ds)[2],
    "align outer": lambda ds: xr.align(
        ds.isel(time=slice(0, 9)), ds.isel(time=slice(20, 30)), join="outer"
    )[0],
    "align outer, overlap": lambda ds: xr.align(
        ds.isel(time=slice(0, 20)), ds.isel(time=slice(9, 30)), join="outer"
    )[1],
    "align left": lambda ds: xr.align(
        ds.isel(time=slice(0, 9)), ds.isel(time=slice(4, 30)), join="left"
    )[1],
    "align right": lambda ds: xr.align(
        ds.isel(time=slice(0, 9)), ds.isel(time=slice(4, 30)), join="right"
    )[0],
    "align exact": lambda ds: xr.align(ds, ds + 1, join="exact")[1],
    "reindex": lambda ds: ds.reindex(time=pd.date_range("2008-04-30", periods=9)),
    "reindex_like": lambda ds: ds.isel(time=slice(9)).reindex_like(ds),
    "reindex nearest": lambda ds: ds.reindex(
        time=pd.date_range("2008-04-30T00:01", periods=5), method="nearest"
    ),
    "concat": lambda ds: xr.concat(
        [ds[{"time": slice(9)}], ds[{"time": slice(9, 20)}]], "time"
    ),
    "concat with a hole": lambda ds: xr.concat(
        [ds[{"time": slice(0, 9)}], ds[{"time": slice(12, 20)}]], "time"
    ),
    "concat new dim": lambda ds: xr.concat([ds, ds + 1], "member"),
    "merge": lambda ds: xr.merge(
        [ds.isel(time=slice(9)), ds.rename(x="y").isel(time=slice(4, 12))],
        join="outer",
        compat="no_conflicts",
    ),
    "combine_first": lambda ds: ds.isel(time=slice(5)).combine_first(ds),
    "rename": lambda ds: ds.rename(time="epoch").isel(epoch=slice(4)),
    "swap": lambda ds: ds.assign_coords(n=("time", np.arange(576))).swap_dims(time="n"),
    "stack": lambda ds: ds.expand_dims(a=2).stack(z=("a", "time")).unstack("z"),  # noqa: PD010, PD013
    "to_dataframe": lambda ds: ds.to_dataframe().to_xarray(),
    "chunk and compute": lambda ds: (
        ds.chunk(time=100).isel(time=slice(50, 250)).compute()
    ),
    "deep copy": lambda ds: ds.copy(deep=True),
    "pickle": lambda ds: pickle.loads(pickle.dumps(ds)),
    "dt": lambda ds: ds.x.groupby(ds.time.dt.hour).mean(),
    "comparison": lambda ds: ds.where(ds.time > np.datetime64("2008-05-01")),
    "assign": lambda ds: ds.assign(y=ds.x.isel(time=slice(0, 5)).reindex_like(ds)),
    "drop and set": lambda ds: ds.drop_indexes("time").set_xindex("time"),
    "polyfit": lambda ds: ds.x.polyfit("time", 1),
    "integrate": lambda ds: ds.integrate("time", datetime_unit="s"),
    "cumulative": lambda ds: ds.cumsum("time"),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_operations_as_ordinary(operation: Any) -> None:
    same(operation(regular(axis())), operation(ordinary(axis())))


@pytest.mark.parametrize("swapped", [False, True])
def test_arithmetic_with_an_ordinary_series(swapped: bool) -> None:
    """A user's own hourly series meets an archive selection."""
    hourly = ordinary(axis(step=3600))
    pair = [regular(axis()), hourly]
    first, second = pair[::-1] if swapped else pair
    same(first + second, ordinary(axis()) + hourly)
    aligned = xr.align(first, second, join="outer")
    assert aligned[0].sizes["time"] == 576


def test_joins_stay_regular_where_they_are() -> None:
    ds = regular(axis())
    cut = ds.isel(time=slice(0, 30)) + ds.isel(time=slice(20, 50))
    assert axis_of(cut).size == 10
    assert isinstance(cut.xindexes["time"], RegularTimeIndex)
    joined = xr.concat(
        [ds.isel(time=slice(0, 30)), ds.isel(time=slice(30, 50))], "time"
    )
    assert isinstance(joined.xindexes["time"], RegularTimeIndex)
    outer, _ = xr.align(
        ds.isel(time=slice(0, 9)), ds.isel(time=slice(9, 12)), join="outer"
    )
    assert isinstance(outer.xindexes["time"], RegularTimeIndex)
    assert outer.time.attrs["units_metadata"] == "leap_seconds: none"


@pytest.mark.parametrize("writer", ["netcdf", "zarr"])
def test_files_hold_exact_int64_times(tmp_path: Any, writer: str) -> None:
    ds = regular(axis())
    if writer == "netcdf":
        ds.to_netcdf(tmp_path / "a.nc", encoding=netcdf_encoding(ds.variables))
        raw = xr.open_dataset(tmp_path / "a.nc", decode_times=False)
        back = xr.open_dataset(tmp_path / "a.nc")
    else:
        ds.to_zarr(tmp_path / "a.zarr", consolidated=False)
        raw = xr.open_zarr(tmp_path / "a.zarr", decode_times=False, consolidated=False)
        back = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    assert raw.time.dtype == "int64"
    assert raw.time.attrs["units"].startswith("microseconds since 2000-01-01")
    assert "_FillValue" not in raw.time.attrs
    assert raw.time.attrs["units_metadata"] == "leap_seconds: none"
    assert int(raw.time[0]) == datetime64_to_gps("2008-04-29")[0] * 1_000_000
    same(back.load(), ordinary(axis()))
    raw.close()
    back.close()


def test_plots() -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    line = regular(axis()).x.isel(time=slice(0, 20)).plot()
    assert len(line[0].get_xdata()) == 20
    plt.close("all")


def test_twenty_years_stay_lazy() -> None:
    ax = RegularAxis.between("2002-04-04", "2022-04-04")
    ds = xr.Dataset(coords=regular_coords(ax))
    chosen = ds.sel(time=slice("2008-05-01", "2008-05-02"))
    text = repr(ds) + ds._repr_html_()
    assert ax.size == 631152000
    assert chosen.sizes["time"] == 172800
    assert "2022-04-03T23:59:59" in text
    months = ds.sel(time="2008").isel(time=slice(86400, None)) + chosen
    assert months.sizes["time"] == 172800
    assert not any(v._in_memory for v in ds.variables.values())


@pytest.mark.parametrize("make", [lambda: regular(axis()), lambda: lazy()[0]])
def test_chunking_leaves_the_coordinate_alone(make: Any) -> None:
    ds = make().assign(y=("time", np.zeros(576)))
    chunked = ds.chunk(time=100)
    again = chunked.assign(y=chunked.y.chunk(time=576))
    assert chunked.time.chunks is None
    assert chunked.chunksizes["time"] == (100,) * 5 + (76,)
    assert again.isel(time=slice(50, 250)).unify_chunks().x.chunks == ((50, 100, 50),)


def test_axis_of_any_index() -> None:
    assert axis_of(regular(axis())) == axis()
    assert axis_of(ordinary(axis()).x) == axis()
    single = ordinary(axis()).isel(time=[4])
    assert axis_of(single).step == SECOND
    with pytest.raises(GraceError, match="not regular: steps of 600 to 1200 s"):
        axis_of(ordinary(axis()).isel(time=[1, 2, 4]))
    with pytest.raises(GraceError, match="no datetime64 coordinate"):
        axis_of(xr.Dataset(coords={"time": [1, 2]}))


def test_set_xindex_makes_an_ordinary_axis_regular() -> None:
    ds = ordinary(axis()).drop_indexes("time").set_xindex("time", RegularTimeIndex)
    assert axis_of(ds) == axis()
    assert ds.time.attrs["long_name"] == "GPS time"


# --- the lazy index of one file ----------------------------------------------------


class CountingArray(xr.backends.BackendArray):
    def __init__(self, values: Any) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.reads = 0

    def __getitem__(self, key: Any) -> Any:
        from xarray.core import indexing

        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._get
        )

    def _get(self, key: Any) -> Any:
        self.reads += 1
        return self.values[key]


def lazy() -> tuple[xr.Dataset, CountingArray]:
    from xarray.core.indexing import LazilyIndexedArray

    backing = CountingArray(axis().values())
    variable = xr.Variable("time", LazilyIndexedArray(backing), attributes_of("time"))
    coords = xr.Coordinates.from_xindex(LazyTimeIndex(variable))
    values = np.arange(axis().size, dtype="float64")
    return xr.Dataset({"x": ("time", values)}, coords=coords), backing


def test_lazy_index_reads_only_when_it_must() -> None:
    ds, backing = lazy()
    part = ds.isel(time=slice(5, 25)).chunk(time=10)
    repr(part.x.data)
    assert backing.reads == 0
    assert ds.sel(time="2008-05-01").sizes["time"] == 144
    assert ds.sel(time="2008-05-02").sizes["time"] == 144
    assert backing.reads == 1


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_lazy_index_operations_as_ordinary(operation: Any) -> None:
    same(operation(lazy()[0]), operation(ordinary(axis())))


@pytest.mark.parametrize("label", SELECTIONS.values(), ids=SELECTIONS.keys())
def test_lazy_index_sel_as_ordinary(label: Any) -> None:
    same(lazy()[0].sel(time=label), ordinary(axis()).sel(time=label))
