"""The whole path against an S3 API on loopback, and ``memory://``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
from archives import content, write_file, write_tarball
from s3server import S3Server

import gracelstm_xr as gx
from gracelstm_xr.cli import main
from gracelstm_xr.errors import StoreError
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.store.ingest import Ingested

DAYS = [f"2008-01-{day:02d}" for day in range(1, 7)]
URL = "s3://bucket/grace.zarr"
PATH = "bucket/grace.zarr"


@pytest.fixture(autouse=True)
def _fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """History stamps are the only bytes that depend on the time of a run."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def fill_folder(
    folder: Path,
    days: list[str] = DAYS[:4],
    satellites: str = "AB",
    offsets: range = range(60),
) -> Path:
    for number, day in enumerate(days):
        for satellite in satellites:
            value = 100.0 * number + 10 * ord(satellite)
            write_file(folder, "ACC1B", day, satellite, offsets, value=value)
    return folder


def put(sources: Any, store: str = URL, **options: Any) -> Ingested:
    return gx.ingest(sources, store, products="ACC1B", shard_days=2, **options)


def same_values(store: str, sources: Any, **options: Any) -> None:
    expected = gx.open_archive(sources, products="ACC1B")
    xr.testing.assert_equal(gx.open_store(store, **options).load(), expected.load())


def chunks(requests: list[tuple[str, str, str]]) -> list[str]:
    """Objects with values on the time axis that were asked for."""
    labels = ("satellite", "axis")
    paths = [p.split("grace.zarr/")[-1] for m, p, _ in requests if m == "GET"]
    return [p for p in paths if "/c/" in p and not p.startswith(labels)]


def upload(folder: Path, prefix: str) -> None:
    fs = fsspec.filesystem("s3")
    for path in folder.iterdir():
        fs.pipe_file(f"{prefix}/{path.name}", path.read_bytes())


def test_ingest_open_and_do_nothing(s3: S3Server, tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in")
    done = put(folder)
    assert (done.store, done.shards, done.files, done.days) == (URL, 2, 8, 4)
    with s3.watch() as asked:
        ds = gx.open_store(URL)
    # some times, which must agree with the axis
    assert {chunk.partition("/")[0] for chunk in chunks(asked)} == {"time"}
    paths = [path for _, path, _ in asked if path.endswith("zarr.json")]
    assert len(paths) == len(set(paths))
    assert len(asked) <= 15
    with s3.watch() as asked:
        part = ds["lin_accl"].sel(
            satellite="B", time=slice(f"{DAYS[2]}T00", f"{DAYS[2]}T03")
        )
        assert int(part.notnull().sum()) == 180
    # the index of one shard, and the one day in it
    assert set(chunks(asked)) == {"lin_accl/c/1/1/0"}
    assert len(asked) <= 3
    same_values(URL, folder)
    before = s3.files(PATH)
    with s3.watch() as asked:
        again = put(folder)
    assert (again.shards, again.files, again.counts) == (0, 0, done.counts)
    assert [p for m, p, _ in asked if m == "PUT"] == [f"/{PATH}.lock"]
    assert s3.files(PATH) == before
    assert set(s3.files("bucket")) == {f"grace.zarr/{k}" for k in before}
    table = gx.read_manifest(URL).set_index("name")
    for path in folder.iterdir():
        assert table.loc[path.name, "sha256"] == (
            hashlib.sha256(path.read_bytes()).hexdigest()
        )


def test_the_same_objects_as_on_disk(s3: S3Server, tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in")
    put(folder)
    put(folder, str(tmp_path / "grace.zarr"))
    disk = {
        p.relative_to(tmp_path / "grace.zarr").as_posix(): p.read_bytes()
        for p in (tmp_path / "grace.zarr").rglob("*")
        if p.is_file()
    }
    assert s3.files(PATH) == disk


def test_storage_options_in_place_of_the_environment(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:2], "A")
    for name in s3.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    put(folder, storage_options=s3.options)
    same_values(URL, folder, storage_options=s3.options)
    ds = gx.open_store(URL, storage_options=s3.options)
    copy = "s3://bucket/copy.zarr"
    ds.grace.to_zarr(copy, storage_options=s3.options)
    same_values(copy, folder, storage_options=s3.options)
    assert len(gx.read_manifest(URL, storage_options=s3.options)) == 2
    # what fsspec reads from the environment counts too
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("FSSPEC_S3_KEY", "testing")
    monkeypatch.setenv("FSSPEC_S3_SECRET", "testing")
    config: dict[str, Any] = {}
    fsspec.config.set_conf_env(config)
    monkeypatch.setitem(fsspec.config.conf, "s3", config["s3"])
    same_values(URL, folder)


@pytest.mark.parametrize("url", [URL, "memory://bucket/grace.zarr"])
def test_growing_in_place(s3: S3Server, tmp_path: Path, url: str) -> None:
    first = fill_folder(tmp_path / "a", DAYS[:2], "A")
    put(first, url)
    later = fill_folder(tmp_path / "b", DAYS[2:3], "AB")
    for day in DAYS[:3]:
        write_file(later, "SCA1B", day, "A")
    products = ["ACC1B", "SCA1B"]
    done = gx.ingest([first, later], url, products=products)
    # the first two days are not read again
    assert (done.files, done.changed) == (5, 5)
    expected = gx.open_archive([first, later], products=products).load()
    xr.testing.assert_equal(gx.open_store(url).load(), expected)
    kept = {k: v for k, v in _files(url).items() if k != "zarr.json"}
    whole = f"{url.rpartition('/')[0]}/whole.zarr"
    gx.ingest([first, later], whole, products=products, shard_days=2)
    fresh = {k: v for k, v in _files(whole).items() if k != "zarr.json"}
    assert kept == fresh
    # nothing that is stored may have to move
    with pytest.raises(StoreError, match="can only grow at its end") as caught:
        put(fill_folder(tmp_path / "c", ["2007-12-31"], "A"), url)
    assert "\n" not in str(caught.value)
    assert {k: v for k, v in _files(url).items() if k != "zarr.json"} == kept
    fs, path = fsspec.core.url_to_fs(url)
    fs.rm(path.rpartition("/")[0], recursive=True)


def _files(url: str) -> dict[str, bytes]:
    fs, path = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    return {k.split(path)[1].strip("/"): v for k, v in fs.cat(fs.find(path)).items()}


def test_memory(tmp_path: Path) -> None:
    url = "memory://one.zarr"
    folder = fill_folder(tmp_path / "in", DAYS[:2], "AB")
    put(folder, url)
    same_values(url, folder)
    assert put(folder, url).shards == 0
    gx.open_store(url).grace.to_zarr("memory://two.zarr")
    same_values("memory://two.zarr", folder)
    fs = fsspec.filesystem("memory")
    assert not fs.exists("/one.zarr.lock")
    for name in ("/one.zarr", "/two.zarr"):
        fs.rm(name, recursive=True)


def test_replacing(s3: S3Server, tmp_path: Path) -> None:
    put(fill_folder(tmp_path / "a", DAYS[:3], "B"))
    with pytest.raises(StoreError, match="exists already"):
        put(tmp_path / "a", mode="w-")
    other = fill_folder(tmp_path / "b", DAYS[2:3], "B")
    put(other, mode="w")
    same_values(URL, other)
    # nothing of the old store is left
    put(other, "s3://bucket/fresh.zarr")
    assert s3.files(PATH) == s3.files("bucket/fresh.zarr")
    # a store cannot be removed while it is read
    ds = gx.open_store(URL)
    before = s3.files(PATH)
    with pytest.raises(StoreError, match="write to another name"):
        (2 * ds).grace.to_zarr(URL, mode="w")
    assert s3.files(PATH) == before
    ds.load().grace.to_zarr(URL, mode="w")
    same_values(URL, other)


def test_what_is_no_store_is_left_alone(s3: S3Server, tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:1], "A")
    upload(folder, "bucket/files")
    before = s3.files("bucket")
    for mode in ("a", "w-", "w"):
        with pytest.raises(StoreError, match="is not a Zarr store"):
            put(folder, "s3://bucket/files", mode=mode)
        with pytest.raises(StoreError, match="is a whole bucket"):
            put(folder, "s3://bucket", mode=mode)
    assert s3.files("bucket") == before


def test_sources_in_a_bucket(s3: S3Server, tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:2], "A")
    upload(folder, "bucket/archive")
    source = "s3://bucket/archive"
    # a store among its sources is not looked through
    store = f"{source}/grace.zarr"
    done = put(source, store)
    assert (done.files, done.days) == (2, 2)
    same_values(store, folder)
    table = gx.read_manifest(store)
    assert list(table.source) == [f"{source}/{n}" for n in table.name]
    # known again, by whatever door
    assert put(source, store).shards == 0
    assert put(f"{source}/*.dat", store).shards == 0
    assert put(f"{source}/ACC1B_{DAYS[0]}_A_02.dat", store).shards == 0
    # of the same size and in the same second, but with another content
    fill_folder(folder, DAYS[:2], "A", range(60, 120))
    upload(folder, "bucket/archive")
    lazy = gx.open_archive(source, products="ACC1B")
    done = put(source, store)
    assert done.changed == 2
    same_values(store, folder)
    xr.testing.assert_equal(lazy.load(), gx.open_store(store).load())


def test_tarballs_in_a_bucket(s3: S3Server, tmp_path: Path) -> None:
    for day in DAYS[:2]:
        members = [content(p, day, "A") for p in ("GNV1B", "ACC1B")]
        write_tarball(tmp_path / "in", f"grace_1B_{day}_02.tar.gz", members)
    upload(tmp_path / "in", "bucket/tar")
    done = put("s3://bucket/tar")
    assert (done.counts["records"], done.days) == (120, 2)
    same_values(URL, tmp_path / "in")
    assert put("s3://bucket/tar").shards == 0
    members = [content(p, DAYS[0], "A", value=5.0) for p in ("GNV1B", "ACC1B")]
    name = f"grace_1B_{DAYS[0]}_02.tar.gz"
    write_tarball(tmp_path / "in", name, members)
    upload(tmp_path / "in", "bucket/tar")
    assert put("s3://bucket/tar").changed == 1
    same_values(URL, tmp_path / "in")


@pytest.mark.lstm
def test_fill_from_bucket_to_bucket_and_to_a_file(
    s3: S3Server,
    tmp_path: Path,
    twin: xr.Dataset,
    model: FittedModel,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ds = twin.isel(time=slice(20_000, 60_000))
    ds.grace.to_zarr(URL)
    file = model.save(tmp_path / "model.gracelstm")
    out = "s3://bucket/filled.zarr"
    assert main(["fill", URL, str(file), out, "--quiet"]) == 0
    assert main(["fill", URL, str(file), str(tmp_path / "f.nc"), "--quiet"]) == 0
    remote = gx.open_store(out)["lin_accl_filled"].sel(satellite="B").load()
    assert int(remote.isnull().sum()) == 0
    local = xr.load_dataset(tmp_path / "f.nc")["lin_accl_filled"].sel(satellite="B")
    np.testing.assert_array_equal(remote, local.transpose(*remote.dims))
    truth = ds["lin_accl"].sel(satellite="B").values
    seen = np.isfinite(truth)
    np.testing.assert_array_equal(remote.values[seen], truth[seen])
    # netCDF needs a file
    capsys.readouterr()
    assert main(["fill", URL, str(file), "s3://bucket/f.nc"]) == 1
    assert "s3://bucket/f.nc is a URL; expected a local path" in capsys.readouterr().err


def test_commands(
    s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:2], "A")
    args = ["ingest", str(folder), URL, "--products", "ACC1B", "--quiet"]
    assert main(args) == 0
    assert main(["info", URL]) == 0
    told = capsys.readouterr().out
    assert f"Zarr store {URL}" in told
    assert "2008-01-01" in told
    assert main(args) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["gaps", URL]) == 0
    assert "2008-01-01T00:01:00" in capsys.readouterr().out
    upload(folder, "bucket/in")
    assert main(["info", f"s3://bucket/in/ACC1B_{DAYS[0]}_A_02.dat"]) == 0
    assert "records:          60" in capsys.readouterr().out
