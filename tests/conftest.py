"""Fixtures shared by all tests; heavy libraries are imported inside them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

# before numpy loads: BLAS threads of two test processes on two cores wait for each
# other, and small regressions take 7 times as long
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

if TYPE_CHECKING:
    import xarray as xr
    from crashing import Forks
    from s3server import S3Server

    from gracelstm_xr.filling.model import FittedModel

#: Gaps of the simulated archive: both ends of the first two days, a midnight, a donor
#: gap inside a recipient gap, and one day-3 gap for cuts of time.
TWIN_GAPS = {
    "A": [
        ("2008-01-01T10:10:00", "2008-01-01T10:15:00"),
        ("2008-01-02T12:00:00", "2008-01-02T12:10:00"),
    ],
    "B": [
        ("2008-01-01T00:00:00", "2008-01-01T00:05:00"),
        ("2008-01-01T10:00:00", "2008-01-01T10:30:00"),
        ("2008-01-01T23:40:00", "2008-01-02T00:25:00"),
        ("2008-01-02T03:00:00", "2008-01-02T03:00:40"),
        ("2008-01-02T23:50:00", "2008-01-03T00:10:00"),
        ("2008-01-04T20:00:00", "2008-01-04T21:00:00"),
    ],
}


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., Any]:
    """Factory of small Datasets in the data model, see ``datasets.make_grid``."""
    from datasets import make_grid

    return make_grid


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of sample files that may stand next to the checkout."""
    folder = Path(__file__).parents[1] / ".." / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared sample files next to the checkout")
    return folder.resolve()


@pytest.fixture(scope="session")
def real_hour(shared_data: Path) -> xr.Dataset:
    """The digitised hour as read: ``lin_accl_x`` of A and B [m s-2]."""
    import numpy as np
    import xarray as xr

    file = shared_data / "digitised/grace_2005-05-30_lin_accl_x_first_hour.csv"
    if not file.is_file():
        pytest.skip("the digitised hour is not next to the checkout")
    text = [line for line in file.read_text().splitlines() if line[:1].isdigit()]
    rows = np.array([[float(v or "nan") for v in line.split(",")] for line in text])
    return xr.Dataset(
        {"lin_accl_x": (("satellite", "reading"), rows[:, 1:].T)},
        coords={"seconds": ("reading", rows[:, 0]), "satellite": ["A", "B"]},
    )


@pytest.fixture
def no_compute() -> Iterator[None]:
    """Fail when Dask computes anything."""
    import dask

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("Dask computed something")

    with dask.config.set(scheduler=refuse):
        yield


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """S3 API on loopback."""
    from s3server import serve

    with serve() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The server with one empty bucket, ``bucket``, named by the environment."""
    import fsspec
    import requests

    requests.post(f"{s3_server.url}/moto-api/reset", timeout=10)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").invalidate_cache()
    fsspec.filesystem("s3").mkdir("bucket")
    yield s3_server
    s3_server.on_put = None


@contextmanager
def made_once(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A place that all test processes of a run share, while no other makes it."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / name


@pytest.fixture(scope="session")
def twin_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five simulated days of A and B with `TWIN_GAPS` and the truth."""
    from gracelstm_xr.simulate import simulate_archive

    with made_once(tmp_path_factory, "twin-archive") as folder:
        if not folder.exists():
            options = {"days": 5, "layout": "files", "seed": 3}
            simulate_archive(folder, gaps=TWIN_GAPS, **options)
        return folder


@pytest.fixture(scope="session")
def small_store(make_grid: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of A in steps of 1e-13; B and the flags are empty: no files.

    To be copied before it is changed.
    """
    from gracelstm_xr.store.write import to_zarr

    path = tmp_path_factory.mktemp("damaged") / "a.zarr"
    ds = make_grid(size=300, gaps={"A": [(10, 20)], "B": [(0, 300)]})[
        ["lin_accl", "acc_qualflg"]
    ]
    to_zarr(ds, path, quantise="1e-13")
    return path


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """A process whose children write, and die where they are told to."""
    from crashing import Forks

    server = Forks(tmp_path_factory.mktemp("server") / "errors.txt")
    yield server
    server.close()


@pytest.fixture(scope="session")
def twin_lazy(twin_archive: Path) -> xr.Dataset:
    """The five days, one Dask chunk per satellite and day."""
    from gracelstm_xr.archive.dataset import open_archive

    return open_archive(twin_archive)


@pytest.fixture(scope="session")
def twin(twin_lazy: xr.Dataset) -> xr.Dataset:
    """The first two days, in memory."""
    return twin_lazy.isel(time=slice(0, 2 * 86_400)).load()


@pytest.fixture(scope="session")
def truth(twin_archive: Path) -> xr.Dataset:
    """Series of the five days without gaps, lazy."""
    from gracelstm_xr.simulate import open_truth

    return open_truth(twin_archive)


@pytest.fixture(scope="session")
def model(twin: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    """A small model that fills B from A, fitted on two days."""
    from datasets import SMALL_FIT

    from gracelstm_xr.filling.fit import fit
    from gracelstm_xr.filling.model import load_model

    with made_once(tmp_path_factory, "small.gracelstm") as file:
        if not file.exists():
            fit(twin, recipient="B", **SMALL_FIT).save(file)
        return load_model(file)
