"""Commands that are killed while they write: the next run leaves the same bytes.

What ingest and fill do to stores is killed at more places in tests/store/test_crash.py
and tests/filling/test_fill_scale.py.
"""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from archives import model_members, tree
from crashing import Forks

import gracelstm_xr as gx


@pytest.fixture(scope="module")
def place(make_grid: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of six hours on two days, and a model."""
    folder = tmp_path_factory.mktemp("kills")
    gaps = {"B": [(3000, 3300), (9000, 9060), (15_000, 15_600)]}
    ds = make_grid(start="2008-01-01T21", size=6 * 3600, gaps=gaps)
    ds.grace.to_zarr(folder / "grace.zarr")
    gx.fit_baseline(ds, method="linear", recipient="B").save(folder / "m.gracelstm")
    few = {"windows_per_epoch": 64, "units": 4, "window": 24, "embargo": 600.0}
    (folder / "few.json").write_text(json.dumps({**few, "hindcasts": 0}))
    return folder


def request(command: str, place: Path, out: Path) -> dict[str, Any]:
    """What a child is asked to do, writing below a folder."""
    store, model = str(place / "grace.zarr"), str(place / "m.gracelstm")
    arguments = {
        "fill": [store, model, out / "a.nc"],
        "evaluate": [
            store, model, out / "report", "--allow-training", "--count", "2",
            "--lengths", "60",
        ],
        "export": [store, out / "days", "--format", "l1b"],
        "fit": [
            store, out / "a.gracelstm", "--checkpoint", out / "state", "--config",
            place / "few.json", "--epochs", "2", "--gaps-per-length", "2",
        ],
    }  # fmt: skip
    if command == "fit_baseline":
        return {"work": "fit", "store": store, "out": str(out / "a.gracelstm")}
    if command == "simulate":
        return {"work": "simulate", "out": str(out / "in")}
    argv = [command, *map(str, arguments[command])]
    return {"work": "command", "argv": argv, "log": str(place / "log.txt")}


def contents(folder: Path) -> dict[str, Any]:
    """Files by name: their bytes, or values where HDF5 places chunks as they come.

    Without the seconds that epochs of a network took.
    """
    found: dict[str, Any] = dict(tree(folder))
    for path in (folder / "state").rglob("*.npz"):
        found[path.relative_to(folder).as_posix()] = "state of a training"
    for path in folder.rglob("*.gracelstm"):
        found[path.relative_to(folder).as_posix()] = model_members(path)
    for path in folder.rglob("*.nc"):
        with xr.open_dataset(path, decode_cf=False) as ds:
            values = {n: (v.values.tobytes(), str(v.attrs)) for n, v in ds.items()}
        found[path.relative_to(folder).as_posix()] = values
    return found


@pytest.mark.parametrize(
    ("command", "kills"),
    [
        pytest.param("simulate", 1, marks=pytest.mark.long),
        ("fit_baseline", 1),
        pytest.param("fit", 4, marks=[pytest.mark.long, pytest.mark.lstm]),
        ("fill", 2),
        pytest.param("evaluate", 1, marks=pytest.mark.long),
        ("export", 3),
    ],
)
def test_killed_and_run_again(
    forks: Forks, place: Path, tmp_path: Path, command: str, kills: int
) -> None:
    """While it changes the folder, and at the last of the changes."""
    out = tmp_path / "out"
    asked = {**request(command, place, out), "root": str(out)}
    out.mkdir()
    done = forks(**asked)
    assert done["status"] == 0, done
    expected, events = contents(out), done["events"]
    points = ((events // 2 + 1, signal.SIGTERM), (events // 2, signal.SIGKILL))
    more = ((events, signal.SIGKILL), (3 * events // 4, signal.SIGTERM))
    for point, how in (*points, *more)[:kills]:
        shutil.rmtree(out)
        out.mkdir()
        dead = forks(**asked, kill=point, signal=how)
        # threads that make the same folders do it in a few changes more or less
        done = dead["status"] == 0 and point == events
        assert done or dead["status"] in (-how, 128 + how), (point, dead)
        again = forks(**asked)
        # what is whole stays, and is not replaced without being told to
        exists = "exists already" in again.get("said", again.get("text", ""))
        assert again["status"] == 0 or exists, (point, again)
        assert contents(out) == expected, point
