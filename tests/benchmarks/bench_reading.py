"""Speed and size of reading and storing, as ratios to plain tools on the same bytes.

``python tests/benchmarks/bench_reading.py [SECONDS [DAYS]]`` prints every ratio
beside its goal; the defaults are whole days of 86400 records and 20 days of archive.
Only ratios of one run mean anything: machines differ and are noisy.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from archives import midnight

from gracelstm_xr import l1b

START = "2019-02-01"


@dataclass(frozen=True)
class Ratio:
    """One measured ratio and its goal: at least, or at most."""

    name: str
    value: float
    goal: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "met" if self.met else "missed"
        return f"{self.name:<58}{self.value:>7.2f}  goal {sign} {self.goal}  {verdict}"


def seconds(call: Callable[[], Any], repeat: int = 7) -> float:
    """Shortest of some runs [s]."""
    found = []
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return min(found)


def day(satellite: str, count: int, date: str = START) -> dict[str, Any]:
    """Columns of one accelerometer file: orbit signal, bias, and noise of 1e-10."""
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * np.arange(count)[:, None] / 5640
    noise = 2e-10 * rng.standard_normal((count, 3))
    bias = np.array([1.2e-6, -2.85e-5, 5.3e-7])
    return {
        "gps_time": midnight(date) + np.arange(count),
        "lin_accl": bias + 4e-8 * np.sin(angle) + noise,
        "ang_accl": 1e-7 * rng.standard_normal((count, 3)),
        "acl_res": 1e-10 * rng.standard_normal((count, 3)),
        "acc_qualflg": np.zeros(count, "u1"),
    }


def encoded(satellite: str, count: int, date: str = START) -> tuple[str, bytes]:
    """Name and bytes: text for GRACE-FO, binary for GRACE."""
    text = satellite in "CD"
    release, suffix = ("04", "txt") if text else ("02", "dat")
    name = f"ACC1B_{date}_{satellite}_{release}.{suffix}"
    form = "text" if text else "binary"
    found = day(satellite, count, date)
    options = {"satellite": satellite, "release": release, "name": name}
    return name, l1b.encode("ACC1B", found, format=form, **options)


def plain_csv(body: bytes) -> Any:
    """Parse the rows with pyarrow alone, types given, on one thread."""
    import pyarrow as pa
    from pyarrow import csv

    names = [f"c{i}" for i in range(14)]
    types = {n: pa.float64() for n in names}
    types |= {"c0": pa.int64(), "c1": pa.string(), "c11": pa.string()}
    types |= {"c12": pa.string(), "c13": pa.string()}
    width = len(body[: body.index(b"\n")].split(b" "))
    return csv.read_csv(
        io.BytesIO(body),
        read_options=csv.ReadOptions(column_names=names[:width], use_threads=False),
        parse_options=csv.ParseOptions(delimiter=" "),
        convert_options=csv.ConvertOptions(
            column_types={n: types[n] for n in names[:width]}
        ),
    )


def text_day(folder: Path, count: int) -> list[Ratio]:
    """G1: a GRACE-FO text file to a Dataset, and to three columns."""
    import pandas as pd
    import xarray as xr

    from gracelstm_xr.archive import cache as filecache

    name, data = encoded("C", count)
    path = folder / name
    path.write_bytes(data)
    offset = l1b.read_header(path).nbytes

    def whole() -> None:
        filecache.forget(str(path))
        xr.open_dataset(path, engine="grace_l1b").load().close()

    def some() -> None:
        l1b.read(path, fields=["lin_accl", "acc_qualflg"])

    def notebook() -> None:
        for wanted in ([0], [2, 3, 4], [11]):
            pd.read_csv(
                io.BytesIO(data[offset:]), sep=r"\s+", header=None, usecols=wanted
            )

    alone = seconds(lambda: plain_csv(path.read_bytes()[offset:]))
    return [
        Ratio("G1 text day to Dataset / pyarrow", alone / seconds(whole), 0.8, True),
        Ratio(
            "G1 text day, time axes flag / three read_csv",
            seconds(notebook, 2) / seconds(some),
            3.5,
            True,
        ),
    ]


def binary_day(folder: Path, count: int) -> list[Ratio]:
    """G3: a GRACE binary file to native arrays."""
    name, data = encoded("A", count)
    path = folder / name
    path.write_bytes(data)

    def copy() -> None:
        np.frombuffer(path.read_bytes(), np.uint8).copy()

    ratio = seconds(copy, 15) / seconds(lambda: l1b.read(path), 15)
    return [Ratio("G3 binary day to arrays / read and copy", ratio, 0.5, True)]


def tarball_day(folder: Path, count: int) -> list[Ratio]:
    """G4: a text file inside a compressed tarball."""
    name, data = encoded("C", count)
    path = l1b.write_archive(folder / "day.tgz", {name: data}, checksum=False)
    body = data[l1b.read_header(folder / name).nbytes :]

    def plain() -> None:
        gzip.decompress(path.read_bytes())
        plain_csv(body)

    ratio = seconds(plain, 3) / seconds(lambda: l1b.read(f"tar://{name}::{path}"), 3)
    return [Ratio("G4 text day in .tgz / gunzip and pyarrow", ratio, 0.8, True)]


def archive_to_zarr(folder: Path, count: int, days: int) -> list[Ratio]:
    """G5 and G6: many files into a store, and its size."""
    import dask

    import gracelstm_xr as gx
    from gracelstm_xr.archive import cache as filecache

    source = folder / "archive"
    source.mkdir()
    for number in range(days):
        date = str(np.datetime64(START) + number)
        for satellite in "AB":
            name, data = encoded(satellite, count, date)
            (source / name).write_bytes(data)

    def forget() -> None:
        for path in source.iterdir():
            filecache.forget(str(path))

    def clock(call: Callable[[], Any]) -> float:
        forget()
        return seconds(call, 1)

    with dask.config.set(scheduler="threads", num_workers=2):
        files = sorted(source.iterdir())
        parse = clock(lambda: dask.compute(*[dask.delayed(_read)(p) for p in files]))
        ds = gx.open_archive(source)
        loaded = ds.compute().chunk({"satellite": 1, "time": 86400})
        write = clock(lambda: loaded.grace.to_zarr(folder / "write.zarr"))
        both = clock(lambda: ds.grace.to_zarr(folder / "both.zarr"))
    stored = sum(
        p.stat().st_size
        for p in (folder / "both.zarr" / "lin_accl").rglob("*")
        if p.is_file()
    )
    whole = both / (parse + write)
    size = stored / (days * 2 * count * 3 * 8)
    return [
        Ratio("G5 archive to Zarr / parse + write", whole, 1.25, False),
        Ratio("G6 lin_accl in Zarr / float64", size, 0.75, False),
    ]


def _read(path: Path) -> int:
    return l1b.read(path).report.records


def importing() -> list[Ratio]:
    """G10: the package beside xarray alone, in fresh processes."""
    code = (
        "import time; a = time.perf_counter(); import xarray; b = time.perf_counter();"
        "import gracelstm_xr; print((time.perf_counter() - a) / (b - a))"
    )
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, check=True) for _ in range(3)]
    ratio = min(float(run.stdout) for run in runs)
    return [Ratio("G10 import gracelstm_xr / import xarray", ratio, 1.3, False)]


def measure(count: int = 86400, days: int = 20) -> list[Ratio]:
    """Every ratio, for files of `count` records and an archive of `days`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *text_day(folder, count),
            *binary_day(folder, count),
            *tarball_day(folder, count),
            *archive_to_zarr(folder, count, days),
            *importing(),
        ]


if __name__ == "__main__":
    for line in measure(*map(int, sys.argv[1:3])):
        print(line)
