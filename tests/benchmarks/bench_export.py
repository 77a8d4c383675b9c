"""Rate and peak memory of exporting twin data at 1 Hz to netCDF and to Level-1B.

``python tests/benchmarks/bench_export.py [DAYS [COMPRESSION]]`` writes DAYS days (366
by default) of cheap lazy data, three vectors and flags of both satellites, twice, in a
process each, on two threads. The numbers are drawn at random in steps of 1e-13 m s-2:
they compress about as simulated accelerations do. Peak memory is over that of a process
that has written one day.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DAY = 86_400
KINDS = ("netcdf", "l1b")


@dataclass(frozen=True)
class Row:
    """One export: days and bytes of float64 in, bytes out, seconds, growth [MB]."""

    kind: str
    days: int
    bytes_in: int
    bytes_out: int
    seconds: float
    growth: float

    def __str__(self) -> str:
        rate = self.bytes_in / self.seconds / 1e6
        share = self.bytes_out / self.bytes_in
        return (
            f"{self.kind:<8}{self.days:>6}{self.seconds:>10.1f}{rate:>8.0f}"
            f"{self.bytes_out / 1e9:>9.3f}{share:>8.2f}{self.growth:>9.0f}"
        )


_TITLES = zip(
    ("format", "days", "s", "MB/s", "GB out", "ratio", "MB peak"),
    ("<8", ">6", ">10", ">8", ">9", ">8", ">9"),
    strict=True,
)
HEADER = "".join(format(title, width) for title, width in _TITLES)


def twin(days: int) -> Any:
    """Lazy twin data, one chunk per satellite and day."""
    import dask.array as da
    import numpy as np
    import xarray as xr

    from gracelstm_xr.core.conventions import attributes_of
    from gracelstm_xr.core.index import regular_coords
    from gracelstm_xr.core.time import RegularAxis

    shape, chunks = (2, days * DAY, 3), (1, DAY, 3)
    rng = da.random.default_rng(0)
    data: dict[str, Any] = {}
    for name in ("lin_accl", "ang_accl", "acl_res"):
        steps = rng.integers(-20_000, 20_000, shape, chunks=chunks)
        values = 1e-6 + 1e-13 * steps
        data[name] = (("satellite", "time", "axis"), values, attributes_of(name))
    flags = da.zeros(shape[:2], dtype="uint8", chunks=chunks[:2])
    data["acc_qualflg"] = (("satellite", "time"), flags, attributes_of("acc_qualflg"))
    start, step = np.datetime64("2008-01-01", "ns"), np.timedelta64(10**9, "ns")
    axis = RegularAxis(start, step, days * DAY)
    coords = {"satellite": ["A", "B"], "axis": ["x", "y", "z"]}
    return xr.Dataset(data, coords=coords).assign_coords(regular_coords(axis))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(kind: str, days: int, compression: int) -> Row:
    """Write once in this process."""
    import dask

    from gracelstm_xr.export.l1b import to_l1b
    from gracelstm_xr.export.netcdf import to_netcdf

    with tempfile.TemporaryDirectory() as name, dask.config.set(num_workers=2):
        folder = Path(name)

        def write(ds: Any, out: Path) -> None:
            if kind == "netcdf":
                out.mkdir()
                to_netcdf(ds, out / "a.nc", compression=compression, overwrite=True)
            else:
                to_l1b(ds, out, overwrite=True)

        write(twin(1), folder / "first")
        ds, before, start = twin(days), _peak(), time.perf_counter()
        write(ds, folder / "all")
        seconds = time.perf_counter() - start
        size = sum(p.stat().st_size for p in (folder / "all").iterdir())
        return Row(kind, days, ds.nbytes, size, seconds, _peak() - before)


def measure(days: int = 366, compression: int = 2) -> list[Row]:
    """Both formats, each in a process of its own, so that peaks do not mix."""
    rows = []
    for kind in KINDS:
        done = subprocess.run(
            [sys.executable, __file__, kind, str(days), str(compression)],
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append(Row(**json.loads(done.stdout)))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in KINDS:
        row = work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        print(json.dumps(row.__dict__))
    else:
        found = measure(*map(int, sys.argv[1:3]))
        print(HEADER, *found, sep="\n")
