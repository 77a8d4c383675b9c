"""Writing in bounded memory, on clusters, under interrupts and on full disks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from clusters import local_cluster

from gracelstm_xr.errors import GraceError
from gracelstm_xr.export.l1b import to_l1b
from gracelstm_xr.export.netcdf import to_netcdf

DAY = 86_400

#: Cheap lazy twin data; prints the growth of peak memory [MB] over a first small write.
CHILD = """
import resource, sys, signal
import dask, numpy as np, xarray as xr, dask.array as da
from gracelstm_xr.export.l1b import to_l1b
from gracelstm_xr.export.netcdf import to_netcdf
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.index import regular_coords
dask.config.set(num_workers=2)

def twin(days):
    shape, chunks = (2, days * 86400, 3), (1, 86400, 3)
    rng = da.random.default_rng(1)
    names = ("lin_accl", "ang_accl", "acl_res")
    data = {n: (("satellite", "time", "axis"),
                1e-8 * rng.standard_normal(shape, chunks=chunks)) for n in names}
    axis = RegularAxis(np.datetime64("2008-01-01", "ns"),
                       np.timedelta64(10**9, "ns"), days * 86400)
    coords = {"satellite": ["A", "B"], "axis": ["x", "y", "z"]}
    return xr.Dataset(data, coords=coords).assign_coords(regular_coords(axis))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

kind, days, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
write = {"netcdf": lambda ds, n: to_netcdf(ds, f"{out}/{n}.nc", overwrite=True),
         "l1b": lambda ds, n: to_l1b(ds, f"{out}/{n}", overwrite=True)}[kind]
"""


def child(code: str, *arguments: Any, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["netcdf", "l1b"])
def test_memory_does_not_grow_with_the_series(kind: str, tmp_path: Path) -> None:
    """10 days of three vectors of twins are 124 MB; two days at once are 25 MB."""
    code = (
        "write(twin(2), 'first'); base = peak(); write(twin(days), 'x')\n"
        "print(peak() - base)"
    )
    grown = []
    for days in (3, 10):
        done = child(code, kind, days, tmp_path)
        out, err = done.communicate(timeout=300)
        assert done.returncode == 0, err
        grown.append(float(out))
    assert max(grown) < 100, grown
    assert grown[1] < grown[0] + 40, grown


@pytest.mark.parametrize("kind", ["netcdf", "l1b"])
def test_interrupt_leaves_no_partial_file(kind: str, tmp_path: Path) -> None:
    code = (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('go', flush=True); write(twin(400), 'x')"
    )
    running = child(code, kind, 400, tmp_path)
    assert running.stdout is not None
    assert running.stdout.readline() == "go\n"
    busy = tmp_path / "x" if kind == "l1b" else tmp_path
    until = time.monotonic() + 300
    while not (busy.is_dir() and any(p.stat().st_size > 1000 for p in _files(busy))):
        assert time.monotonic() < until
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=300)
    assert "KeyboardInterrupt" in err
    # what is not whole may go on: the same call again replaces the finished days
    words = [p for p in _files(tmp_path) if p.suffix == ".unfinished"]
    left = [p for p in _files(tmp_path) if p not in words]
    assert len(words) == bool(left)  # nothing to go on from: no word either
    assert [p.name for p in left if p.name.startswith(".")] == []
    if kind == "netcdf":
        assert left == []
    for path in left:  # finished days are whole
        records = re.search(rb"NUMBER OF DATA RECORDS *: (\d+)", path.read_bytes())
        assert records is not None
        assert int(records[1]) == DAY
        assert path.stat().st_size % 81 == (78 * DAY) % 81


def _files(folder: Path) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and path.stat():
                found.append(path)
        except FileNotFoundError:
            pass  # renamed meanwhile
    return found


@pytest.mark.parametrize("kind", ["netcdf", "l1b"])
def test_a_full_disk_is_one_line(kind: str, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    code = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
from gracelstm_xr.errors import GraceError
try:
    write(twin(days), "x")
except GraceError as error:
    print(error)
"""
    done = child(code, kind, 4, tmp_path)
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert len(out.splitlines()) == 1, out
    assert "File too large while writing it" in out
    assert _files(tmp_path) == []


def test_unwritable_places_are_one_line(make_grid: Any, tmp_path: Path) -> None:
    ds = make_grid(size=100)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a.nc", Path("/proc/nowhere/a.nc")):
        with pytest.raises(GraceError, match="while writing it; nothing was left"):
            to_netcdf(ds, path)
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        with pytest.raises(GraceError, match="Permission denied"):
            to_netcdf(ds, locked / "a.nc")
        with pytest.raises(GraceError, match="Permission denied"):
            to_l1b(ds, locked)


def shared(ds: xr.Dataset, calls: list[int]) -> xr.Dataset:
    """Every day needs the result of one task, as after a fit within the graph."""

    def fit() -> float:
        calls.append(1)
        return 1e-9

    model = dask.delayed(fit)()
    days = range(0, ds.sizes["time"], DAY)
    add = dask.delayed(lambda part, value: part + value)
    blocks = [
        da.from_delayed(
            add(ds["lin_accl"].values[:, k : k + DAY], model),
            ds["lin_accl"].values[:, k : k + DAY].shape,
            dtype="f8",
        )
        for k in days
    ]
    whole = da.concatenate(blocks, axis=1)
    found = ds.copy()
    found["lin_accl_filled"] = (ds["lin_accl"].dims, whole)
    found["lin_accl_filled_sigma"] = (ds["lin_accl"].dims, whole * 0.1)
    method = da.ones(whole.shape, dtype="uint8", chunks=whole.chunks)
    found["lin_accl_fill_method"] = (ds["lin_accl"].dims, method)
    return found


def test_a_fit_within_the_graph_runs_once(make_grid: Any, tmp_path: Path) -> None:
    base = make_grid(size=5 * DAY)
    calls: list[int] = []
    to_netcdf(shared(base, calls), tmp_path / "a.nc")
    assert len(calls) == 1
    to_l1b(shared(base, calls), tmp_path / "l1b")
    assert len(calls) == 2
    with xr.open_dataset(tmp_path / "a.nc") as back:
        wanted = base["lin_accl"].values + 1e-9
        same = back["lin_accl_filled"].transpose(*base["lin_accl"].dims)
        np.testing.assert_array_equal(same.values, wanted)


def test_chunking_and_schedulers_give_the_same_bytes_of_data(
    make_grid: Any, tmp_path: Path
) -> None:
    ds = make_grid(size=DAY + 999, gaps={"B": [(5, 50)]}, filled=True, orbit=True)
    lazy = [ds, ds.chunk(time=10_000), ds.chunk(satellite=1, axis=1, time=DAY)]
    for k, variant in enumerate(lazy):
        with dask.config.set(scheduler=["threads", "sync", "processes"][k]):
            path = to_netcdf(variant, tmp_path / f"{k}.nc", compression=k)
        with xr.open_dataset(path) as back:
            for name in ds.variables:
                same = back[name].transpose(*ds[name].dims)
                np.testing.assert_array_equal(same.values, ds[name].values)


def test_a_file_can_be_copied_through_the_lazy_reader(
    make_grid: Any, tmp_path: Path
) -> None:
    """Reading netCDF files while another one is written."""
    ds = make_grid(size=2 * DAY)
    first = to_netcdf(ds, tmp_path / "a.nc")
    for chunks in ({}, None):
        with xr.open_dataset(first, chunks=chunks) as lazy:
            second = to_netcdf(lazy, tmp_path / "b.nc", overwrite=True)
        with xr.open_dataset(second) as back:
            xr.testing.assert_equal(back.transpose(*ds.dims), ds.transpose(*ds.dims))


@pytest.mark.distributed
def test_on_a_cluster(make_grid: Any, tmp_path: Path) -> None:
    from distributed import Client

    ds = make_grid(size=3 * DAY, filled=True, orbit=True)
    lazy = ds.chunk(satellite=1, time=DAY)
    with (
        local_cluster() as cluster,
        Client(cluster),
    ):
        path = to_netcdf(lazy, tmp_path / "a.nc")
        files = to_l1b(lazy, tmp_path / "l1b")
    assert len(files) == 6
    with xr.open_dataset(path) as back:
        for name in ds.variables:
            same = back[name].transpose(*ds[name].dims)
            np.testing.assert_array_equal(same.values, ds[name].values)
    for here, there in zip(to_l1b(ds, tmp_path / "here"), files, strict=True):
        assert here.read_bytes()[-78 * DAY :] == there.read_bytes()[-78 * DAY :]
