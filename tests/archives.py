"""Tiny Level-1B files and archives for tests, with values one can work out."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr import l1b
from gracelstm_xr.store.ingest import Ingested

DAYS = [f"2008-01-{day:02d}" for day in range(1, 8)]
PRODUCTS = ("ACC1B", "GNV1B", "SCA1B", "THR1B")
FORMAT = {"dat": "binary", "asc": "ascii", "txt": "text"}


def midnight(day: str) -> int:
    """GPS seconds of the midnight that starts `day`."""
    date = dt.datetime.fromisoformat(day)
    return int((date - dt.datetime(2000, 1, 1, 12)).total_seconds())


def columns(
    product: str, day: str, offsets: Sequence[int], *, value: float = 0.0
) -> dict[str, Any]:
    """Columns of one file: component k of the record at second s is value + s + k/10.

    Acceleration values are scaled by 1e-9.
    """
    times = midnight(day) + np.asarray(offsets, dtype="int64")
    base = value + np.asarray(offsets, dtype="float64")
    vector = base[:, None] + np.arange(3) / 10
    count = len(times)
    flag = (np.asarray(offsets) % 3).astype("u1")
    if product in ("GNV1B", "GNI1B"):
        return {
            "gps_time": times,
            "coord_ref": np.full(count, b"E"),
            "position": 6.8e6 + vector,
            "position_error": np.zeros((count, 3)),
            "velocity": 7000 + vector,
            "velocity_error": np.zeros((count, 3)),
            "gnv_qualflg": flag,
        }
    if product == "SCA1B":
        quaternion = np.zeros((count, 4))
        quaternion[:, 0], quaternion[:, 1] = np.cos(base / 1e3), np.sin(base / 1e3)
        return {
            "gps_time": times,
            "sca_id": np.ones(count, "i1"),
            "quaternion": quaternion,
            "sca_qual_rss": np.full(count, 1e-5),
            "sca_qualflg": flag,
        }
    if product == "THR1B":
        on_time = np.zeros((count, 14), "u4")
        on_time[:, 0] = on_time[:, 6] = 100
        counts = np.cumsum(on_time > 0, axis=0)
        return {
            "time_intg": times,
            "time_frac": np.arange(count) * 1000,
            "thrust_count": counts,
            "thruster_on_time": on_time,
            "thruster_accum_dur": np.cumsum(on_time, axis=0),
            "thr_qualflg": np.zeros(count, "u1"),
        }
    return {
        "gps_time": times,
        "lin_accl": _decimal(1e-9 * vector),
        "ang_accl": _decimal(1e-6 * vector),
        "acl_res": _decimal(1e-10 * vector),
        "acc_qualflg": flag,
    }


def _decimal(values: Any) -> Any:
    """Nearest doubles of 12-digit decimals, which every text format holds exactly."""
    return np.array([float(f"{v:.12g}") for v in values.ravel()]).reshape(values.shape)


def content(
    product: str,
    day: str,
    satellite: str,
    offsets: Sequence[int] = range(60),
    *,
    release: str = "02",
    extension: str = "dat",
    value: float = 0.0,
) -> tuple[str, bytes]:
    """Name and bytes of one file."""
    name = f"{product}_{day}_{satellite}_{release}.{extension}"
    data = l1b.encode(
        product,
        columns(product, day, offsets, value=value),
        format=FORMAT[extension],
        satellite=satellite,
        release=release,
        name=name,
    )
    return name, data


def write_file(
    folder: Path, product: str, day: str, satellite: str, *args: Any, **options: Any
) -> Path:
    """Write one file, see `content`."""
    name, data = content(product, day, satellite, *args, **options)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return path


def write_tarball(
    folder: Path,
    name: str,
    members: Sequence[tuple[str, bytes]],
    *,
    checksum: bool = False,
) -> Path:
    """Write a tarball of such files."""
    folder.mkdir(parents=True, exist_ok=True)
    return l1b.write_archive(
        folder / name, dict(members), checksum=checksum, overwrite=True
    )


def fill_folder(
    folder: Path,
    days: list[str] = DAYS,
    satellites: str = "AB",
    products: tuple[str, ...] = PRODUCTS,
) -> Path:
    for number, day in enumerate(days):
        for satellite in satellites:
            for product in products:
                value = 100.0 * number + 10 * ord(satellite)
                write_file(folder, product, day, satellite, value=value)
    return folder


def put(sources: Any, store: Path, **options: Any) -> Ingested:
    return gx.ingest(sources, store, shard_days=2, **options)


def tree(store: Path) -> dict[str, str]:
    """Checksum of every file of a store, by its place."""
    return {
        p.relative_to(store).as_posix(): hashlib.md5(p.read_bytes()).hexdigest()
        for p in sorted(store.rglob("*"))
        if p.is_file()
    }


def model_members(path: Path) -> dict[str, Any]:
    """Content of a model file, but for the seconds that the epochs took."""
    with zipfile.ZipFile(path) as file:
        content: dict[str, Any] = {name: file.read(name) for name in file.namelist()}
    content["model.json"] = json.loads(content["model.json"])
    for table in ("history", "scores"):
        content["model.json"][table]["data_vars"].pop("seconds", None)
    return content


def same_values(store: Path, sources: Any, **options: Any) -> None:
    """The store holds what the files hold."""
    expected = gx.open_archive(sources, **options)
    back = gx.open_store(store)
    xr.testing.assert_equal(back.load(), expected.load())
