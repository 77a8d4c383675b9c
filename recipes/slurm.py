"""Ingest an archive and fill its gaps on a Slurm cluster, through dask-jobqueue.

    python recipes/slurm.py ARCHIVE FOLDER --workers 16 --partition normal --account me
    python recipes/slurm.py ARCHIVE FOLDER --local          (the same on this machine)

Run it on a login node or in a small job of its own: this process only hands out tasks.
Jobs end with their wall time; workers leave some minutes before, hand on what they were
asked to do, and new jobs take their place. When this process itself is stopped, run the
same again: finished shards are kept. An ARCHIVE that does not exist is simulated, two
days of it. Needs: pip install dask-jobqueue
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import gracelstm_xr as gx

#: Memory of one worker: to ingest ten days of two satellites takes about 0.6 GB.
MEMORY_GB = 4
#: Minutes that a worker leaves before its job ends, and by which workers differ.
MARGIN, STAGGER = 10, 5


@contextlib.contextmanager
def cluster(options: argparse.Namespace) -> Iterator[None]:
    """Make the workers; inside the block every computation uses them."""
    from distributed import Client

    if options.local:
        from distributed import LocalCluster

        with (
            LocalCluster(
                n_workers=options.workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
            ) as local,
            Client(local),
        ):
            yield
        return
    with slurm(options) as jobs, Client(jobs):
        # jobs that end are replaced for as long as there is work
        jobs.adapt(minimum=1, maximum=options.workers)
        yield


def slurm(options: argparse.Namespace):
    """Describe the jobs: four workers of one thread each, with their own memory."""
    from dask_jobqueue import SLURMCluster

    hours, minutes = map(int, options.walltime.split(":")[:2])
    lifetime = 60 * hours + minutes - MARGIN
    return SLURMCluster(
        cores=4,
        processes=4,
        memory=f"{4 * MEMORY_GB}GB",
        walltime=options.walltime,
        queue=options.partition,
        account=options.account,
        job_script_prologue=["export OMP_NUM_THREADS=1"],
        worker_extra_args=[
            "--lifetime", f"{lifetime}m", "--lifetime-stagger", f"{STAGGER}m"
        ],
        scheduler_options={"dashboard_address": ":0"},
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="folder of Level-1B files")
    parser.add_argument("folder", type=Path, help="where the stores go, seen by all")
    parser.add_argument("--local", action="store_true", help="workers on this machine")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partition")
    parser.add_argument("--account")
    parser.add_argument("--walltime", default="04:00:00", help="of one job")
    parser.add_argument("--model", type=Path, help="of ds.grace.fit; else a baseline")
    parser.add_argument("--show", action="store_true", help="print a job and stop")
    options = parser.parse_args(argv)
    if options.show:
        with slurm(options) as jobs:
            print(jobs.job_script())
        return 0
    if not options.archive.exists():
        gx.simulate_archive(options.archive, days=2, seed=1)
        print(f"simulated two days in {options.archive}")
    store, filled = options.folder / "grace.zarr", options.folder / "filled.zarr"
    with cluster(options):
        done = gx.ingest(options.archive, store, progress=True)
        print(f"ingested files {done.files}, shards {done.shards}, days {done.days}")
        ds = gx.open_store(store)
        model = gx.load_model(options.model) if options.model else None
        out = ds.grace.fill(model, method=None if model else "transplant")
        # a job that was stopped here goes on with the shards that are missing
        if not filled.exists():
            out.grace.to_zarr(filled, progress=True)
        again = gx.ingest(options.archive, store)
        return check(store, filled, again.shards)


def check(store: Path, filled: Path, shards: int) -> int:
    """Own check: nothing left to ingest, observations kept, fewer seconds missing."""
    before = gx.open_store(store)["lin_accl"].isel(axis=0)
    after = gx.open_store(filled)["lin_accl_filled"].isel(axis=0)
    missing, left = (int(v.isnull().sum()) for v in (before, after))
    kept = bool(((before == after) | before.isnull()).all())
    print(f"seconds without data: {missing} before, {left} after filling")
    good = shards == 0 and kept and left < missing
    print("check passed" if good else "check failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
