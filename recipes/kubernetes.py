"""Ingest an archive and fill its gaps with a Dask cluster that runs elsewhere.

    python recipes/kubernetes.py SOURCE PLACE --scheduler tcp://gracelstm-scheduler:8786

The cluster and the job that runs this file are described in kubernetes.yaml. SOURCE and
PLACE must mean the same to all pods: addresses in a bucket, or a shared volume. Workers
may come and go: what a lost one was writing is written again by another.
"""

from __future__ import annotations

import argparse
import sys

import xarray as xr

import gracelstm_xr as gx


def versions_agree(client) -> bool:
    """Whether client, scheduler and workers run the same versions."""
    try:
        client.get_versions(check=True)
    except ValueError as error:
        print(error)
        return False
    return True


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="Level-1B files, s3://bucket/archive")
    parser.add_argument("place", help="where the stores go, s3://bucket/stores")
    parser.add_argument("--scheduler", required=True, metavar="ADDRESS")
    parser.add_argument("--workers", type=int, default=1, help="to wait for")
    parser.add_argument("--method", default="transplant", help="of filling")
    options = parser.parse_args(argv)
    from distributed import Client

    store, filled = f"{options.place}/grace.zarr", f"{options.place}/filled.zarr"
    with Client(options.scheduler, timeout="60s") as client:
        client.wait_for_workers(options.workers, timeout=600)
        if not versions_agree(client):
            return 1
        done = gx.ingest(options.source, store, progress=True)
        print(f"ingested files {done.files}, shards {done.shards}, days {done.days}")
        ds = gx.open_store(store)
        out = ds.grace.fill(method=options.method)
        out.grace.to_zarr(filled, mode="w", progress=True)
        again = gx.ingest(options.source, store)
        return check(ds, gx.open_store(filled), again.shards)


def check(ds: xr.Dataset, filled: xr.Dataset, shards: int) -> int:
    """Own check: nothing left to ingest, observations kept, fewer seconds missing."""
    before, after = ds["lin_accl"].isel(axis=0), filled["lin_accl_filled"].isel(axis=0)
    missing, left = (int(v.isnull().sum()) for v in (before, after))
    kept = bool(((before == after) | before.isnull()).all())
    print(f"seconds without data: {missing} before, {left} after filling")
    good = shards == 0 and kept and left < missing
    print("check passed" if good else "check failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
