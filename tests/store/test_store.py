"""Stores: round trip, layout on disk, atomic writing, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from gracelstm_xr.core.index import RegularTimeIndex
from gracelstm_xr.errors import StoreError
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr

DAY = 86_400


@pytest.fixture
def two_days(make_grid: Any) -> xr.Dataset:
    return make_grid(size=2 * DAY, gaps={"B": [(1000, 5000), (DAY, 2 * DAY)]})


def entries(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("lazy", [False, True])
def test_round_trip_is_identical(
    two_days: xr.Dataset, tmp_path: Path, lazy: bool
) -> None:
    ds = two_days.chunk(satellite=1, time=DAY) if lazy else two_days
    to_zarr(ds, tmp_path / "a.zarr")
    back = open_store(tmp_path / "a.zarr")
    xr.testing.assert_identical(back.load(), two_days)
    assert isinstance(back.xindexes["time"], RegularTimeIndex)
    assert back["satellite"].dtype.kind == "U"
    assert entries(tmp_path) == ["a.zarr"]


def test_the_order_is_always_the_same(
    two_days: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever storage answers first."""
    import asyncio
    import random

    from zarr.storage import LocalStore

    to_zarr(two_days, tmp_path / "a.zarr")
    get = LocalStore.get

    async def late(*args: Any, **options: Any) -> Any:
        await asyncio.sleep(random.random() / 100)
        return await get(*args, **options)

    monkeypatch.setattr(LocalStore, "get", late)
    orders = {
        (tuple(ds.data_vars), tuple(ds.coords))
        for ds in (open_store(tmp_path / "a.zarr") for _ in range(10))
    }
    assert len(orders) == 1


def test_plain_xarray_reads_the_same(two_days: xr.Dataset, tmp_path: Path) -> None:
    to_zarr(two_days, tmp_path / "a.zarr")
    plain = xr.open_zarr(tmp_path / "a.zarr", consolidated=False).load()
    np.testing.assert_array_equal(plain["time"].values, two_days["time"].values)
    for name in two_days.data_vars:
        np.testing.assert_array_equal(plain[name].values, two_days[name].values)
    assert plain["time"].attrs["units_metadata"] == "leap_seconds: none"


def test_layout_on_disk(two_days: xr.Dataset, tmp_path: Path) -> None:
    to_zarr(two_days, tmp_path / "a.zarr", shard_days=1)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group.metadata.zarr_format == 3
    accl = group["lin_accl"]
    assert accl.chunks == (1, DAY, 3)
    assert accl.shards == (1, DAY, 3)
    assert np.isnan(accl.fill_value)
    codec = json.dumps([c.to_dict() for c in accl.compressors])
    assert '"zstd"' in codec
    assert '"bitshuffle"' in codec
    # the second day of B has no observation: its shard is not there
    shards = sorted(
        p.relative_to(tmp_path / "a.zarr" / "lin_accl" / "c").as_posix()
        for p in (tmp_path / "a.zarr" / "lin_accl" / "c").rglob("*")
        if p.is_file()
    )
    assert shards == ["0/0/0", "0/1/0", "1/0/0"]
    time = group["time"]
    assert time.attrs["units"] == "seconds since 2000-01-01T12:00:00"
    # 2008-01-01T00:00:00 is 2921.5 days past the epoch
    assert time[0] == 252_417_600
    assert time.nbytes_stored() < 0.02 * time.nbytes


def test_shard_is_no_longer_than_the_data(make_grid: Any, tmp_path: Path) -> None:
    to_zarr(make_grid(size=1000), tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group["lin_accl"].chunks == group["lin_accl"].shards == (1, 1000, 3)
    assert open_store(tmp_path / "a.zarr").chunksizes["time"] == (1000,)


def test_opening_computes_nothing_and_reads_what_is_asked(
    make_grid: Any, tmp_path: Path, no_compute: None
) -> None:
    import dask

    with dask.config.set(scheduler="sync"):
        to_zarr(make_grid(size=3 * DAY), tmp_path / "a.zarr", shard_days=1)
    ds = open_store(tmp_path / "a.zarr", chunks={"satellite": 1, "time": DAY})
    assert ds.chunksizes["time"] == (DAY, DAY, DAY)
    # all shards but one may go: a point of the second day of B needs only that
    for path in (tmp_path / "a.zarr" / "lin_accl" / "c").rglob("0"):
        if path.is_file() and path.parts[-3:] != ("1", "1", "0"):
            path.write_bytes(b"broken")
    point = ds["lin_accl"].sel(satellite="B", time="2008-01-02T03:00:00", axis="x")
    with dask.config.set(scheduler="sync"):
        assert np.isfinite(point.values)


def test_compute_false_writes_later(two_days: xr.Dataset, tmp_path: Path) -> None:
    later = to_zarr(two_days, tmp_path / "a.zarr", compute=False)
    assert not (tmp_path / "a.zarr").exists()
    later.compute()
    xr.testing.assert_identical(open_store(tmp_path / "a.zarr").load(), two_days)


def test_counts_and_attributes_travel(two_days: xr.Dataset, tmp_path: Path) -> None:
    two_days.attrs["duplicates"] = np.int64(3)
    to_zarr(two_days, tmp_path / "a.zarr")
    back = open_store(tmp_path / "a.zarr")
    assert back.attrs == {**two_days.attrs, "duplicates": 3}
    assert back.encoding["observed"] == {"size": 2 * DAY, "A": 2 * DAY, "B": DAY - 4000}


def test_existing_store_is_kept_unless_told(
    two_days: xr.Dataset, tmp_path: Path
) -> None:
    to_zarr(two_days, tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="exists already; choose another name"):
        to_zarr(two_days * 0, tmp_path / "a.zarr")
    xr.testing.assert_identical(open_store(tmp_path / "a.zarr").load(), two_days)


def test_a_store_is_not_replaced_by_what_is_read_from_it(
    two_days: xr.Dataset, tmp_path: Path
) -> None:
    to_zarr(two_days, tmp_path / "a.zarr")
    (tmp_path / "link.zarr").symlink_to("a.zarr")
    lazy = open_store(tmp_path / "a.zarr")
    lazy["lin_accl"] = lazy["lin_accl"] * 2
    for name in ("a.zarr", "link.zarr"):
        with pytest.raises(StoreError, match=r"is read from .*a\.zarr"):
            to_zarr(lazy, tmp_path / name, mode="w")
    back = open_store(tmp_path / "link.zarr")
    np.testing.assert_array_equal(back["lin_accl"], two_days["lin_accl"])
    to_zarr(lazy, tmp_path / "b.zarr")
    to_zarr(two_days, tmp_path / "a.zarr", mode="w")
    assert entries(tmp_path) == ["a.zarr", "b.zarr", "link.zarr"]


def failing(ds: xr.Dataset, error: BaseException) -> tuple[xr.Dataset, list[int]]:
    """A Dataset whose last block raises, once; and how often blocks were computed."""
    import dask.array as da

    calls: list[int] = []

    def fail(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info and block_info[0]["chunk-location"] == (1, 1, 0):
            calls.append(1)
            if len(calls) == 1:
                raise error
        return block

    ds = ds.chunk(satellite=1, time=DAY)
    ds["lin_accl"].data = da.map_blocks(fail, ds["lin_accl"].data, dtype="f8")
    return ds, calls


def test_a_failed_write_leaves_nothing(make_grid: Any, tmp_path: Path) -> None:
    ds, _ = failing(make_grid(size=2 * DAY), ZeroDivisionError("no"))
    with pytest.raises(ZeroDivisionError):
        to_zarr(ds, tmp_path / "a.zarr", shard_days=1)
    assert entries(tmp_path) == []


def test_an_interrupted_write_goes_on(
    make_grid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    from gracelstm_xr.store import write as store

    whole = make_grid(size=2 * DAY)
    ds, _ = failing(whole, KeyboardInterrupt())
    with dask.config.set(scheduler="sync"), pytest.raises(KeyboardInterrupt):
        to_zarr(ds, tmp_path / "a.zarr", shard_days=1)
    assert entries(tmp_path) == [".a.zarr.part"]
    written: list[str] = []
    write = store._write_shard

    def counted(*arguments: Any) -> Any:
        written.append(arguments[-1][0])
        return write(*arguments)

    monkeypatch.setattr(store, "_write_shard", counted)
    # the same Dataset, whatever the order of its variables
    turned = xr.Dataset(
        {name: ds.data_vars[name] for name in reversed(list(ds.data_vars))},
        {name: ds.coords[name] for name in reversed(list(ds.coords))},
        ds.attrs,
    )
    assert list(turned.coords) != list(ds.coords)
    to_zarr(turned, tmp_path / "a.zarr", shard_days=1)
    assert "2008-01-02-B" in written
    assert len(written) < 4
    assert entries(tmp_path) == ["a.zarr"]
    xr.testing.assert_identical(open_store(tmp_path / "a.zarr").load(), whole)
    assert "manifest" not in entries(tmp_path / "a.zarr")


def test_what_a_lost_worker_left_is_not_published(
    make_grid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zarr writes beside the name of a file; a worker can die before it moves it."""
    from gracelstm_xr.store import write as store

    write = store._write_shard
    left = []

    def killed_then_repeated(target: Any, *arguments: Any) -> Any:
        record = write(target, *arguments)
        left.append(Path(target.work, "time", f"zarr.{len(left):032x}.partial"))
        left[-1].write_bytes(b"")
        return record

    monkeypatch.setattr(store, "_write_shard", killed_then_repeated)
    ds = make_grid(size=2 * DAY)
    to_zarr(ds, tmp_path / "a.zarr", shard_days=1)
    assert left
    assert list(tmp_path.rglob("*.partial")) == []
    xr.testing.assert_identical(open_store(tmp_path / "a.zarr").load(), ds)


def test_another_dataset_does_not_go_on_with_it(make_grid: Any, tmp_path: Path) -> None:
    import dask

    ds, _ = failing(make_grid(size=2 * DAY), KeyboardInterrupt())
    with dask.config.set(scheduler="sync"), pytest.raises(KeyboardInterrupt):
        to_zarr(ds, tmp_path / "a.zarr", shard_days=1)
    other = make_grid(size=2 * DAY) * 2
    to_zarr(other, tmp_path / "a.zarr", shard_days=1)
    xr.testing.assert_equal(open_store(tmp_path / "a.zarr").load(), other)


def test_unfinished_store_is_refused(two_days: xr.Dataset, tmp_path: Path) -> None:
    to_zarr(two_days, tmp_path / "a.zarr")
    root = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    root.attrs["grace_store"] = {**root.attrs["grace_store"], "complete": False}
    with pytest.raises(StoreError, match=r"incomplete.*mode='w'"):
        open_store(tmp_path / "a.zarr")


def test_refusals_are_clear(two_days: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no Zarr store at .*gracelstm ingest"):
        open_store(tmp_path / "none.zarr")
    (tmp_path / "file").write_text("text")
    with pytest.raises(StoreError, match="is a file, expected the folder"):
        open_store(tmp_path / "file")
    two_days.drop_vars("time")[["lin_accl"]].to_zarr(
        tmp_path / "other.zarr", consolidated=False
    )
    with pytest.raises(StoreError, match="another kind"):
        open_store(tmp_path / "other.zarr")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious.txt").write_text("keep")
    with pytest.raises(StoreError, match="not a Zarr store and will not be replaced"):
        to_zarr(two_days, tmp_path / "data", mode="w")
    assert (tmp_path / "data" / "precious.txt").read_text() == "keep"
    with pytest.raises(StoreError, match="'time' expected"):
        to_zarr(xr.Dataset({"a": ("x", [1])}), tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="drop_vars"):
        to_zarr(two_days.assign(name=("time", ["a"] * (2 * DAY))), tmp_path / "a.zarr")


def test_remote_store_in_memory(two_days: xr.Dataset) -> None:
    url = "memory://bucket/a.zarr"
    to_zarr(two_days, url, mode="w")
    xr.testing.assert_identical(open_store(url).load(), two_days)
    with pytest.raises(StoreError, match="exists already"):
        to_zarr(two_days, url)


def test_interrupted_remote_write_is_refused(two_days: xr.Dataset) -> None:
    url = "memory://bucket/b.zarr"
    to_zarr(two_days, url, mode="w", compute=False)
    with pytest.raises(StoreError, match="incomplete"):
        open_store(url)


@pytest.mark.distributed
def test_writing_on_a_cluster(two_days: xr.Dataset, tmp_path: Path) -> None:
    from gracelstm_xr.compute import cluster

    with cluster.client(workers=2):
        to_zarr(two_days.chunk(time=DAY), tmp_path / "a.zarr", shard_days=1)
    xr.testing.assert_identical(open_store(tmp_path / "a.zarr").load(), two_days)


def test_subsecond_axis_round_trip(tmp_path: Path) -> None:
    from gracelstm_xr.core.index import regular_coords
    from gracelstm_xr.core.time import RegularAxis

    axis = RegularAxis("2008-01-01T00:00:00.1", np.timedelta64(100_000_000, "ns"), 50)
    ds = xr.Dataset({"a": ("time", np.arange(50.0))}, coords=regular_coords(axis))
    to_zarr(ds, tmp_path / "a.zarr")
    xr.testing.assert_equal(open_store(tmp_path / "a.zarr").load(), ds)
    plain = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    np.testing.assert_array_equal(plain["time"].values, ds["time"].values)
