"""Search hyperparameters: Optuna proposes, Dask workers train, held-out gaps decide.

    pip install "gracelstm-xr[tune]"
    python recipes/search.py STORE MODEL [--trials 16] [--scheduler tcp://...]

Trials are Dask tasks: as many run at a time as there are workers. Each trains a model
with a small budget; its score is the error in held-out gaps of the validation span
over that of the ridge regression. The best settings are then fitted in full, and the
model is written and read again. Without arguments a small simulated archive is
searched.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import dask
import optuna

import gracelstm_xr as gx
from gracelstm_xr import cluster

#: Budget of a trial; the final fit has that of the defaults.
BUDGET: dict[str, Any] = {"epochs": 6, "windows_per_epoch": 1024}


def propose(trial: optuna.Trial) -> dict[str, Any]:
    """Settings of one trial."""
    return {
        "units": trial.suggest_categorical("units", [24, 48, 64]),
        "layers": trial.suggest_int("layers", 1, 2),
        "window": trial.suggest_categorical("window", [144, 288, 576]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.3),
    }


def score(store: str, settings: dict[str, Any]) -> float:
    """Error of the network over that of the ridge in held-out gaps, mean of all."""
    # a trial stays on its worker
    with dask.config.set(scheduler="threads"):
        rms = gx.open_store(store).grace.fit(**settings).scores["rms"]
    return float((rms.sel(method="lstm") / rms.sel(method="ridge")).mean())


def search(
    store: str, trials: int, at_once: int, budget: dict[str, Any]
) -> tuple[optuna.Study, dict[str, Any]]:
    """Ask for some trials, train them as tasks, tell their scores, and again."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    while len(study.trials) < trials:
        count = min(at_once, trials - len(study.trials))
        asked = [study.ask() for _ in range(count)]
        settings = [budget | propose(trial) for trial in asked]
        task = dask.delayed(score, pure=False)
        scores = cluster.run([task(store, s) for s in settings], label="trials")
        for trial, value in zip(asked, scores, strict=True):
            study.tell(trial, value)
            print(f"trial {trial.number}: {value:.4f} {trial.params}")
    return study, study.best_params


def main() -> None:
    """Search, fit the best, and check what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?")
    parser.add_argument("model", nargs="?")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--scheduler")
    parser.add_argument("--workers", type=int)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store, budget = given.store, BUDGET
        if store is None:
            archive = gx.simulate_archive(Path(folder) / "archive", days=2, seed=0)
            store = str(Path(folder) / "store.zarr")
            gx.open_archive(archive).grace.to_zarr(store)
            budget = {"epochs": 1, "windows_per_epoch": 64}
        path = Path(given.model or Path(folder) / "best.gracelstm")
        with cluster.client(scheduler=given.scheduler, workers=given.workers) as client:
            at_once = 1 if client is None else max(len(client.nthreads()), 1)
            study, best = search(store, given.trials, at_once, budget)
            final = best if given.store else best | budget
            model = gx.open_store(store).grace.fit(**final)
        model.save(path)
        again = gx.load_model(path)
        units = best["units"]
        assert again.settings.units == (units,) * best["layers"]
        assert study.best_value == min(t.value for t in study.trials)
        print(f"best of {len(study.trials)} trials: {study.best_value:.4f} with {best}")
        print(again)


if __name__ == "__main__":
    main()
