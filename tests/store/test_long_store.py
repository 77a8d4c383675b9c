"""A store of twenty years and two satellites: what it costs in memory and reads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from gracelstm_xr.core.index import RegularTimeIndex, axis_of, regular_coords
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.timecode import time_codes
from gracelstm_xr.errors import GraceWarning
from gracelstm_xr.store.location import META
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr

DAY = 86_400
START = "2008-05-01"
TWENTY_YEARS = RegularAxis.between(START, "2028-05-01")
DAYS = 11


@pytest.fixture(scope="module")
def small(make_grid: Any) -> xr.Dataset:
    """Eleven days, simulated: two shards, the second of one day."""
    names = ["lin_accl", "acc_qualflg"]
    return make_grid(start=START, size=DAYS * DAY)[names]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def long_store(
    small: xr.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Eleven days written by `to_zarr`, then made twenty years long, all else empty."""
    path = tmp_path_factory.mktemp("long") / "long.zarr"
    to_zarr(small, path)
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    for _, array in group.arrays():
        names = array.metadata.dimension_names
        if "time" in names:
            size = TWENTY_YEARS.size
            shape = zip(names, array.shape, strict=True)
            array.resize(tuple(size if n == "time" else s for n, s in shape))
    # of the times, those that are looked at when it is opened
    for spot in (TWENTY_YEARS.size // 2, TWENTY_YEARS.size - 1):
        chunk = group["time"].chunks[0]
        span = slice(
            spot // chunk * chunk, min((spot // chunk + 1) * chunk, TWENTY_YEARS.size)
        )
        group["time"][span] = time_codes(TWENTY_YEARS, span)
    meta = json.loads(json.dumps(dict(group.attrs[META])))
    meta["time"]["size"] = TWENTY_YEARS.size
    group.attrs[META] = meta
    return path


# Peak memory [MB] since `base`, from the kernel; a child inherits the peak that
# getrusage tells of its parent, VmHWM starts anew with the program.
MEASURE = """
import json, sys, time
import numpy, pandas, xarray, zarr, dask.array

def peak():
    with open("/proc/self/status") as status:
        line = next(row for row in status if row.startswith("VmHWM"))
    return int(line.split()[1]) / 1024

base, begin = peak(), time.perf_counter()
import gracelstm_xr as gx
ds = gx.open_store(sys.argv[1])
opened = time.perf_counter() - begin
{body}
print(json.dumps({{"mb": peak() - base, "opened": opened, "size": ds.sizes["time"]}}))
"""


def fresh(path: Path, body: str) -> dict[str, float]:
    """Peak memory and opening time of a fresh process that runs `body`."""
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc/self/status to read the peak memory from")
    code = MEASURE.format(body=body)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, str(path)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, float] = json.loads(done.stdout)
    return found


BODIES = {
    "open": "",
    "look": """
texts = [repr(ds), ds._repr_html_(), repr(ds.time), ds.time._repr_html_(), ds.nbytes]
ends = ds.time.min().values, ds.time.max().values, ds.time[-1].values
assert ends[0] == ds.time[0].values and ends[1] == ends[2]
ds.copy(deep=True), ds.equals(ds), ds.time.equals(ds.time[1:])
ds.rename(time="epoch"), ds.shift(time=1), ds + ds, ds.chunk(time=86400 * 30)
ds.diff("time"), ds.lin_accl.rolling(time=60).mean()
""",
    "select": """
day = ds.sel(time="2008-05-03")
assert day.sizes["time"] == 86400 and day.time.dt.day.values[0] == 3
ds.sel(time=slice("2008-05-03T05", "2008-05-03T07"), satellite="A").lin_accl.load()
ds.sel(time=["2008-05-03", "2020-01-01"]).lin_accl.load()
ds.sel(time="2008-05-03T00:00:00.4", method="nearest").lin_accl.load()
ds.isel(time=-1).lin_accl.load()
""",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_memory_of_a_fresh_process(long_store: Path, body: str) -> None:
    found = fresh(long_store, body)
    print(f"opened in {found['opened']:.2f} s with the import, {found['mb']:.0f} MB")
    assert found["size"] == 631_152_000
    assert found["mb"] < 400


def test_a_month_of_it(long_store: Path) -> None:
    """Whole months are 2.7 million steps: 64 MB of accelerations a satellite."""
    body = """
month = ds.sel(time="2008-05")
mean = float(month.lin_accl.mean())
assert mean == mean
x = month.lin_accl.sel(satellite="A", axis="x")
hourly = x.resample(time="1h").mean().compute()
daily = x.groupby("time.day").max().compute()
assert hourly.sizes["time"] == 744 and daily.sizes["day"] == 31
assert int(hourly.count()) == int(hourly[: 24 * 11].count()) == 24 * 11
"""
    assert fresh(long_store, body)["mb"] < 1200


def test_results_of_a_part(long_store: Path, small: xr.Dataset) -> None:
    """The selections of the long store are those of the eleven days."""
    ds = open_store(long_store)
    assert isinstance(ds.xindexes["time"], RegularTimeIndex)
    assert axis_of(ds) == TWENTY_YEARS
    month = ds.sel(time="2008-05")
    xr.testing.assert_equal(month.isel(time=slice(DAYS * DAY)).load(), small)
    assert not np.isfinite(month.lin_accl.isel(time=slice(DAYS * DAY, None))).any()
    assert float(month.lin_accl.mean()) == pytest.approx(
        float(small.lin_accl.mean()), rel=1e-12
    )
    hourly = month.lin_accl.resample(time="6h").mean().compute()
    expected = small.lin_accl.resample(time="6h").mean()
    xr.testing.assert_allclose(hourly[:, : 4 * DAYS], expected, rtol=1e-12)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys that were read from a local store."""
    from zarr.storage import LocalStore

    keys: list[str] = []
    plain = LocalStore.get

    async def get(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        found = await plain(self, key, *args, **kwargs)
        if found is not None:
            keys.append(key)
        return found

    monkeypatch.setattr(LocalStore, "get", get)
    return keys


def data_reads(keys: list[str]) -> set[str]:
    return {key for key in keys if "/c/" in key}


def test_opening_reads_three_chunks_of_time(long_store: Path, reads: list[str]) -> None:
    ds = open_store(long_store)
    repr(ds), ds.time.max(), ds.sel(time="2020")
    labels = {"satellite/c/0", "axis/c/0"}
    times = {"time/c/0", "time/c/365", "time/c/730"}
    assert data_reads(reads) - labels == times


def test_selecting_hours_reads_only_their_chunks(
    long_store: Path, reads: list[str]
) -> None:
    ds = open_store(long_store, chunks={"satellite": 1, "time": DAY})
    reads.clear()
    hours = slice("2008-05-03T05", "2008-05-03T07")
    ds.lin_accl.sel(time=hours, satellite="B").load(scheduler="sync")
    assert data_reads(reads) == {"lin_accl/c/1/0/0"}
    # of the shard of ten days: its index and the chunk of one day
    assert len(reads) == 2
    reads.clear()
    ds.lin_accl.sel(time="2008-05-11", satellite="A").load(scheduler="sync")
    assert data_reads(reads) == {"lin_accl/c/0/1/0"}
    reads.clear()
    empty = ds.lin_accl.sel(time=slice("2015-01-01", "2015-01-03"))
    assert not np.isfinite(empty.load(scheduler="sync")).any()
    assert data_reads(reads) == set()


def test_a_day_chunk_is_all_that_is_read_of_a_shard(long_store: Path) -> None:
    """Bytes of the file that are read, by byte ranges."""
    from zarr.storage import LocalStore

    seen: list[int] = []
    plain = LocalStore.get

    async def get(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        found = await plain(self, key, *args, **kwargs)
        if found is not None and "/c/" in key:
            seen.append(len(found))
        return found

    ds = open_store(long_store, chunks={"satellite": 1, "time": DAY})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalStore, "get", get)
        ds.lin_accl.sel(time="2008-05-03T05", satellite="B").load(scheduler="sync")
    shard = long_store / "lin_accl" / "c" / "1" / "0" / "0"
    assert sum(seen) < 0.12 * shard.stat().st_size


def test_building_all_times_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """xarray has no lazy way for these: they go on, after one line."""
    few = np.array([START], "M8[ns]")
    index = RegularTimeIndex(TWENTY_YEARS)
    ds = xr.Dataset(coords=regular_coords(TWENTY_YEARS))
    monkeypatch.setattr(RegularAxis, "positions_of", lambda *_: np.arange(3))
    monkeypatch.setattr(RegularAxis, "values", lambda *_: few)
    with pytest.warns(GraceWarning, match="reindexing time builds 631152000 times"):
        index.reindex_like(index)
    with pytest.warns(GraceWarning, match="index of the whole time axis.*5 GB.*select"):
        index.to_pandas_index()
    with pytest.warns(GraceWarning, match="whole time coordinate.*select a span first"):
        assert ds.time.values == few
