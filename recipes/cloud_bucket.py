"""Keep a store in a bucket: ingest into it, read a few hours of it, write beside it.

    export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... AWS_ENDPOINT_URL=https://...
    python recipes/cloud_bucket.py ARCHIVE s3://bucket/folder

Credentials and endpoint come from the environment or from ~/.aws, as for any other
program that talks to S3; gs:// and abfs:// work alike with gcsfs and adlfs. Without
arguments two simulated days go into memory://, which is no bucket but takes the same
way. Needs: pip install s3fs
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import gracelstm_xr as gx

HOUR = np.timedelta64(1, "h")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "archive", nargs="?", help="Level-1B files, here or in a bucket"
    )
    parser.add_argument("place", nargs="?", default="memory://bucket/folder")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        archive = options.archive
        if archive is None:
            archive = gx.simulate_archive(Path(folder) / "archive", days=2, seed=1)
            print("simulated two days")
        return use(archive, options.place.rstrip("/"))


def use(archive, place: str) -> int:
    store, coarse = f"{place}/grace.zarr", f"{place}/coarse.zarr"
    # only what is new is read and written; a run that was stopped is completed
    done = gx.ingest(archive, store, progress=True)
    print(f"{store}: {done.files} files read, {done.days} days in the store")

    # opening reads no values; a selection reads the days it touches
    ds = gx.open_store(store)
    start = ds["time"].values[0]
    hours = ds.sel(time=slice(start, start + 3 * HOUR))
    print(f"three hours of {sorted(map(str, hours.data_vars))}")

    # a second store from the first, written shard by shard
    slow = ds[["lin_accl"]].grace.resample("10s")
    slow.grace.to_zarr(coarse, mode="w", progress=True)

    return check(archive, hours, gx.open_store(coarse), ds.sizes["time"])


def check(archive, hours, coarse, steps: int) -> int:
    """Own check: the bucket holds what the files hold, and its coarser copy."""
    source = gx.open_archive(archive).sel(time=hours["time"].values)
    same = hours["lin_accl"].load().equals(source["lin_accl"].load())
    size = coarse.sizes["time"]
    good = same and size == steps // 10 and bool(coarse["lin_accl"].notnull().any())
    print(f"values as in the files: {same}; coarse copy of {size} steps")
    print("check passed" if good else "check failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
