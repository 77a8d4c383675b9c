"""Interrupted and killed fits that go on, on one process and on a cluster."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from archives import model_members
from clusters import Cluster
from datasets import make_grid

from gracelstm_xr.errors import GraceError
from gracelstm_xr.filling.fit import fit
from gracelstm_xr.filling.model import FittedModel, load_model
from gracelstm_xr.lstm.checkpoint import State, claim, read_state, write_state
from gracelstm_xr.lstm.kerasfile import load_network

pytestmark = pytest.mark.lstm

OPTIONS: dict[str, Any] = {
    "recipient": "B",
    "epochs": 6,
    "windows_per_epoch": 64,
    "units": 4,
    "window": 24,
    "embargo": 600.0,
    "seed": 3,
}
#: Fits in a process of its own; says each epoch. After some it is killed at once, or
#: interrupted in the midst of the next one.
SCRIPT = """
import json, os, signal, sys, threading
import gracelstm_xr as gx
from gracelstm_xr.filling import fit as fitting
from gracelstm_xr.lstm import checkpoint, fit, training
# a shell that starts tests in the background has it ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
fitting._calibrated = lambda ds, model, progress: model
store, folder, out, options, stop, number = sys.argv[1:]
count = 0
def end():
    os.kill(os.getpid(), int(number))
keep = checkpoint.write_state
def told(path, state):
    global count
    keep(path, state)
    count += 1
    print("epoch", flush=True)
    if count == int(stop):
        end() if int(number) == signal.SIGKILL else threading.Timer(0.05, end).start()
training.write_state = told
model = fit(gx.open_store(store), checkpoint=folder, **json.loads(options))
model.save(out)
"""


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Fits end with the networks: held-out gaps take longer than small trainings."""
    from gracelstm_xr.filling import fit as fitting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_calibrated", lambda ds, model, progress: model)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a day of a twin with orbits, from formulas."""
    path = tmp_path_factory.mktemp("store") / "s.zarr"
    ds = make_grid(size=60_000, orbit=True, gaps={"B": [(20_000, 20_500)]})
    ds.grace.to_zarr(path)
    return path


@pytest.fixture(scope="module")
def ds(store: Path) -> xr.Dataset:
    import gracelstm_xr as gx

    return gx.open_store(store)


@pytest.fixture(scope="module")
def whole(ds: xr.Dataset) -> FittedModel:
    """The fit that nothing interrupts."""
    return fit(ds, **OPTIONS)


def run(
    store: Path,
    folder: Path,
    out: Path,
    stop: int,
    end: signal.Signals = signal.SIGKILL,
) -> tuple[int, int]:
    """Exit status and epochs told by a process that gets a signal after ``stop``."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            *map(str, (store, folder, out, json.dumps(OPTIONS), stop, int(end))),
        ],
        stdout=subprocess.PIPE,
        timeout=400,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
    )
    return done.returncode, done.stdout.count(b"epoch")


def assert_same(a: FittedModel, b: FittedModel) -> None:
    for track, network in a.networks.items():
        assert network.gain == b.networks[track].gain
        for one, two in zip(network.members, b.networks[track].members, strict=True):
            assert one == two
            pairs = zip(
                load_network(one).get_weights(),
                load_network(two).get_weights(),
                strict=True,
            )
            for x, y in pairs:
                np.testing.assert_array_equal(x, y)
    names = ["loss", "val_loss", "learning_rate"]
    xr.testing.assert_identical(a.history[names], b.history[names])


@pytest.mark.slow
def test_a_killed_fit_goes_on_to_the_same_model(
    store: Path, whole: FittedModel, tmp_path: Path
) -> None:
    folder, out = tmp_path / "state", tmp_path / "m.gracelstm"
    # in the second epoch of the first track, then by Ctrl-C in the second track
    assert run(store, folder, out, 2) == (-signal.SIGKILL, 2)
    stamps = {p: p.stat().st_mtime_ns for p in (folder / "days").iterdir()}
    assert stamps
    status, told = run(store, folder, out, 6, signal.SIGINT)
    assert status == -signal.SIGINT
    assert 6 <= told < 10
    assert not out.exists()
    assert {p.suffix for p in folder.iterdir()} == {".json", ".npz", ""}
    # of 12 epochs none is lost or done again
    assert run(store, folder, out, 0) == (0, 10 - told)
    # covariates were made once
    assert {p: p.stat().st_mtime_ns for p in (folder / "days").iterdir()} == stamps
    assert_same(load_model(out), whole)
    assert model_members(out) == model_members(whole.save(tmp_path / "w.gracelstm"))


def test_an_interrupted_fit_goes_on(
    ds: xr.Dataset, whole: FittedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gracelstm_xr.lstm import training

    keep, count = training.write_state, 0

    def stop(path: Path, state: State) -> None:
        nonlocal count
        keep(path, state)
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "write_state", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(ds, checkpoint=tmp_path / "state", **OPTIONS)
    assert len(read_state(tmp_path / "state" / "twin-0.npz").rows) == 3
    again = fit(ds, checkpoint=tmp_path / "state", **OPTIONS)
    assert count == 3 + 9
    assert_same(again, whole)
    # finished networks are not trained again
    assert_same(fit(ds, checkpoint=tmp_path / "state", **OPTIONS), whole)
    assert count == 12


@pytest.fixture
def used(ds: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Checkpoint of a fit that was stopped before its first batch."""
    from gracelstm_xr.filling import fit as fitting

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "train_all", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(ds, checkpoint=tmp_path / "state", **OPTIONS)
    return tmp_path / "state"


def refused(ds: xr.Dataset, folder: Path, match: str, **options: Any) -> None:
    with pytest.raises(GraceError, match=match) as error:
        fit(ds, checkpoint=folder, **(OPTIONS | options))
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


def test_other_data_or_settings_are_refused(ds: xr.Dataset, used: Path) -> None:
    refused(ds, used, r"other settings .*\(units: \[4\] there, \[5\] here\)", units=5)
    refused(ds, used, "other settings .*seed", seed=4)
    values = ds["lin_accl"].values.copy()
    values[1, 12_345, 1] += 1e-15
    other = ds.assign(lin_accl=(ds["lin_accl"].dims, values))
    refused(other, used, "other data .*series")
    refused(ds.drop_vars("position"), used, "other data .*variables")
    refused(ds.isel(time=slice(0, 50_000)), used, "other data .*axis")


def test_another_folder_is_refused(ds: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refused(ds, tmp_path, "no checkpoint")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "checkpoint.json").write_text("{")
    refused(ds, tmp_path, "cannot be read")


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    path = tmp_path / "twin-0.npz"
    state = State([{"loss": 1.0, "val_loss": 2.0}], [np.arange(3.0)], [], [np.ones(2)])
    write_state(path, state)
    found = read_state(path)
    assert found.rows == state.rows
    np.testing.assert_array_equal(found.variables[0], state.variables[0])
    np.testing.assert_array_equal(found.best[0], state.best[0])
    assert found.optimiser == []
    assert not found.done
    assert [p.name for p in tmp_path.iterdir()] == ["twin-0.npz"]
    for size in (0, 20, len(path.read_bytes()) - 10):
        broken = tmp_path / "broken.npz"
        broken.write_bytes(path.read_bytes()[:size])
        with pytest.raises(GraceError, match="cannot be read") as error:
            read_state(broken)
        assert "\n" not in str(error.value)


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    claim(tmp_path / "new", {"settings": {"seed": 1, "units": (3,)}})
    claim(tmp_path / "new", {"settings": {"seed": 1, "units": (3,)}})
    with pytest.raises(GraceError, match=r"other settings.*seed: 1 there, 2 here"):
        claim(tmp_path / "new", {"settings": {"seed": 2, "units": (3,)}})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Scheduler and two workers, processes of their own that speak TCP."""
    with contextlib.closing(Cluster(tmp_path_factory.mktemp("cluster"))) as found:
        for _ in range(2):
            found.worker()
        yield found.address


@pytest.mark.slow
@pytest.mark.distributed
def test_an_ensemble_on_workers_is_the_same(
    cluster: str, ds: xr.Dataset, whole: FittedModel, tmp_path: Path
) -> None:
    """One of the two workers is killed as it trains; another goes on for it."""
    from distributed import Client

    last, folder = tmp_path / "last", tmp_path / "state"
    last.mkdir()

    def die_training() -> None:
        from gracelstm_xr.lstm import training

        keep = training.write_state

        def told(path: Path, state: State) -> None:
            keep(path, state)
            if len(state.rows) == 2:
                keep(last / path.name, state)
                os.kill(os.getpid(), signal.SIGKILL)

        training.write_state = told

    here = fit(ds, **OPTIONS, ensemble=2)
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        first = next(iter(client.nthreads()))
        client.run(die_training, workers=[first])
        there = fit(ds, **OPTIONS, ensemble=2, checkpoint=folder)
        assert first not in client.nthreads()
    assert_same(here, there)
    # what the dead worker had done was not done again
    (dead,) = last.iterdir()
    assert read_state(folder / dead.name).rows[:2] == read_state(dead).rows
    assert here.history.sizes == {"track": 2, "member": 2, "epoch": 6}
    for track, network in here.networks.items():
        # the first member is the network of the fit without an ensemble
        assert network.members[0] == whole.networks[track].members[0]
        assert network.members[1] != network.members[0]
    windows = np.random.default_rng(0).normal(
        size=(3, 24, 6 + len(here.info["channels"].split()))
    )
    network = here.networks["twin"]
    outputs = [
        np.asarray(load_network(m)(windows.astype("f4"))) for m in network.members
    ]
    np.testing.assert_allclose(
        here.predict("twin", windows.astype("f4")),
        np.mean(outputs, axis=0) * network.gain,
        atol=2e-5,
    )


def test_training_elsewhere_needs_the_folder(
    tmp_path: Path,
) -> None:
    from gracelstm_xr.lstm.training import Job, train_member

    job = Job(tmp_path / "gone", {}, [], [], None)  # type: ignore[arg-type]
    with pytest.raises(GraceError, match="checkpoint= a folder that all workers share"):
        train_member(job, 0)


@pytest.mark.slow
@pytest.mark.distributed
def test_held_out_gaps_on_workers_are_the_same(
    cluster: str, ds: xr.Dataset, whole: FittedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    from gracelstm_xr.filling import fit as fitting

    options = {"lengths": (60.0, 900.0), "count": 3, "most": 50}
    what = (ds, whole, whole.recipients["B"], whole.split.validation)
    here = fitting.score_span(*what, **options)
    # nothing is scored in this process any more
    monkeypatch.delattr(fitting, "gap_benchmark")
    with Client(cluster) as client:
        client.wait_for_workers(1, timeout=60)
        there = fitting.score_span(*what, **options)
    assert len(here.t) > 100
    assert set(here.errors) == set(there.errors)
    for name, errors in here.errors.items():
        np.testing.assert_array_equal(errors, there.errors[name])
    for name, values in here.arrays().items():
        np.testing.assert_array_equal(values, there.arrays()[name])
