"""Search hyperparameters: Optuna proposes, Dask workers train, held-out gaps decide.

    pip install optuna
    python recipes/search.py STORE MODEL --trials 16 --study search.log --workers 4
    python recipes/search.py                        (a small simulated archive)

A trial is a Dask task: as many run at a time as there are workers, here (--workers) or
elsewhere (--scheduler). It trains with a small budget, and its score is the error of
the network over that of the ridge regression, mean of the gaps hidden in the
validation span. The best settings are then fitted in full. With --study finished
trials are kept in a file: run the same again after an interruption, and only what is
missing is tried. STORE must mean the same to all workers.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

import gracelstm_xr as gx

#: Budget of a trial; the last fit has that of the defaults.
BUDGET: dict[str, Any] = {"epochs": 6, "windows_per_epoch": 1024, "hindcasts": 0}
#: Budget for the simulated archive, of its last fit too.
SMALL: dict[str, Any] = {
    "recipient": "B",
    "epochs": 1,
    "windows_per_epoch": 32,
    "gaps_per_length": 1,
    "hindcasts": 0,
}


def propose(trial: optuna.Trial) -> dict[str, Any]:
    """Settings of one trial: change this for a search of your own."""
    return {
        "units": trial.suggest_categorical("units", [16, 32, 48, 64]),
        "layers": trial.suggest_int("layers", 1, 2),
        "window": trial.suggest_categorical("window", [72, 144, 288]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.3),
    }


def score(store: str, settings: dict[str, Any]) -> float:
    """Error of the network over that of the ridge in held-out gaps, mean of all."""
    # a trial stays on its worker
    with dask.config.set(scheduler="threads"):
        rms = gx.open_store(store).grace.fit(**settings).scores["rms"]
    # xarray takes method= for itself
    ratio = rms.sel({"method": "lstm"}) / rms.sel({"method": "ridge"})
    return float(ratio.mean())


def open_study(path: str | None, facts: str) -> optuna.Study:
    """A study in a file, or in memory; trials that were cut off are tried again."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(path)) if path else None
    study = optuna.create_study(
        study_name="gracelstm", storage=storage, load_if_exists=True
    )
    if study.user_attrs.setdefault("facts", facts) != facts:
        sys.exit(
            f"{path} holds trials of {study.user_attrs['facts']}, expected {facts}: "
            "give another --study"
        )
    study.set_user_attr("facts", facts)
    for cut in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(cut.number, state=TrialState.FAIL)
        study.enqueue_trial(cut.params)
    # a seed of its own for every start, or the first proposals would come again
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    return study


def search(
    study: optuna.Study, store: str, trials: int, budget: dict[str, Any], client: Any
) -> None:
    """Ask for trials and tell their scores, until there are enough."""
    left = trials - len(study.get_trials(states=(TrialState.COMPLETE,)))

    def tell(trial: optuna.Trial, value: float) -> None:
        study.tell(trial, value)
        print(f"trial {trial.number}: {value:.4f} {trial.params}", flush=True)

    if client is None:
        for _ in range(left):
            trial = study.ask()
            tell(trial, score(store, budget | propose(trial)))
        return
    from distributed import as_completed

    running, queue = {}, as_completed()
    while left > 0 or running:
        while left > 0 and len(running) < max(len(client.nthreads()), 1):
            trial = study.ask()
            settings = budget | propose(trial)
            future = client.submit(score, store, settings, pure=False)
            running[future.key] = trial
            queue.add(future)
            left -= 1
        future = next(queue)
        tell(running.pop(future.key), future.result())


@contextlib.contextmanager
def cluster(options: argparse.Namespace) -> Iterator[Any]:
    """A client of the cluster that was asked for; None: this process."""
    if not options.scheduler and not options.workers:
        yield None
        return
    from distributed import Client, LocalCluster

    if options.scheduler:
        with Client(options.scheduler, timeout="60s") as client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=options.workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
        ) as local,
        Client(local) as client,
    ):
        yield client


def simulated(folder: Path) -> str:
    """A store of a simulated day."""
    archive = gx.simulate_archive(folder / "archive", days=1, seed=0, truth=False)
    gx.ingest(archive, folder / "grace.zarr")
    print("simulated a day")
    return str(folder / "grace.zarr")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", nargs="?", help="of gracelstm ingest; else simulated")
    parser.add_argument("model", nargs="?", help="file to write")
    parser.add_argument("--trials", type=int, help="finished ones in all; 16, or 2")
    parser.add_argument("--study", metavar="FILE", help="where trials are kept")
    parser.add_argument("--workers", type=int, help="processes on this machine")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster")
    options = parser.parse_args(argv)
    if options.store and not options.model:
        parser.error("a MODEL to write is missing")
    with tempfile.TemporaryDirectory() as name, cluster(options) as client:
        store = options.store or simulated(Path(name))
        ds = gx.open_store(store)
        budget = BUDGET if options.store else SMALL
        trials = options.trials or (16 if options.store else 2)
        start, stop = ds["time"].values[[0, -1]].astype("datetime64[s]")
        study = open_study(options.study, f"{start} to {stop} with {budget}")
        search(study, store, trials, budget, client)
        best = study.best_params
        print(f"best of {trials}: {study.best_value:.4f} with {best}", flush=True)
        path = Path(options.model or Path(name) / "best.gracelstm")
        ds.grace.fit(**best if options.store else SMALL | best).save(
            path, overwrite=True
        )
        return check(study, trials, ds, path)


def check(study: optuna.Study, trials: int, ds: Any, path: Path) -> int:
    """Own check: all trials are there, the model has the best settings and fills."""
    finished = study.get_trials(states=(TrialState.COMPLETE,))
    model = gx.load_model(path)
    settings = model.settings.to_dict()
    best = dict(study.best_params)
    units = (best.pop("units"),) * best.pop("layers")
    same = settings["units"] == units and all(settings[k] == best[k] for k in best)
    satellite = sorted(model.recipients)[-1]
    end = ds.isel(time=slice(-10 * 86_400, None))  # enough to see that it fills
    filled = end.grace.fill(model).sel(satellite=satellite, axis="x")
    part, whole = filled["lin_accl"], filled["lin_accl_filled"]
    missing, left = (int(v.isnull().sum()) for v in (part, whole))
    print(model)
    print(f"{satellite}: seconds without data: {missing} before, {left} after filling")
    good = len(finished) >= trials and same and left < max(missing, 1)
    print("check passed" if good else "check failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
