"""Digests of everything the main job produces, to show that a change keeps all bits.

    python tests/benchmarks/bits.py FOLDER > before.json
    python tests/benchmarks/bits.py OTHER  > after.json
    python tests/benchmarks/bits.py --compare before.json after.json

It uses the public API only, on a simulated archive: files, a store, gaps, marks,
covariates, a transplant, resampling, a fit of few epochs, fills, a forecast, an
evaluation, netCDF and Level-1B files. Text that tells when or by which version
something was written is left out. Seconds of each step are beside the digests.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

GAPS = {
    "A": [("2008-01-02T12:00:00", "2008-01-02T12:10:00")],
    "B": [
        ("2008-01-01T10:00:00", "2008-01-01T10:30:00"),
        ("2008-01-01T23:40:00", "2008-01-02T00:25:00"),
        ("2008-01-02T03:00:00", "2008-01-02T03:00:40"),
    ],
}
FIT = {
    "epochs": 2,
    "windows_per_epoch": 64,
    "units": 8,
    "window": 48,
    "patience": None,
    "longest_gap": 120,
}
#: Parts of text that name a moment, a version or a folder.
MOMENT = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?|0\.\d+\.\d+[^\s,]*")


def of_array(values: np.ndarray[Any, Any]) -> str:
    """Digest of an array: type, shape and bytes."""
    if values.dtype.kind in "OTU":
        return hashlib.sha256(repr(values.tolist()).encode()).hexdigest()[:16]
    head = f"{values.dtype}{values.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()[
        :16
    ]


def of_dataset(ds: xr.Dataset) -> dict[str, str]:
    """Digest of every variable and coordinate."""
    return {
        str(name): of_array(np.asarray(ds[name].values))
        for name in sorted(ds.variables)
    }


def of_files(folder: Path) -> dict[str, str]:
    """Digest of every file without the text that names a moment."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            MOMENT.sub(b"", path.read_bytes())
        ).hexdigest()[:16]
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def run(folder: Path) -> dict[str, Any]:
    """Run the main job in an empty folder; digests and seconds by step."""
    import gracelstm_xr as gx

    digests: dict[str, Any] = {}
    seconds: dict[str, float] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        seconds[name] = round(time.perf_counter() - start, 3)
        return result

    archive = folder / "archive"
    step(
        "simulate",
        lambda: gx.simulate_archive(archive, days=3, gaps=GAPS, layout="files", seed=3),
    )
    digests["simulate"] = {
        k: v for k, v in of_files(archive).items() if "truth" not in k
    }
    names = {p.name.split("_")[0]: p for p in sorted(archive.rglob("*_2008-01-01_A_*"))}
    opened = {
        name: step(f"open {name}", lambda p=path: of_dataset(xr.open_dataset(p)))
        for name, path in names.items()
    }
    digests["open"] = opened
    store = folder / "grace.zarr"
    step("ingest", lambda: gx.ingest(archive, store))
    ds = step("open_store", lambda: gx.open_store(store))
    digests["store"] = step("read", lambda: of_dataset(ds))
    digests["gaps"] = of_dataset(step("gaps", lambda: ds.grace.gaps()))
    cleaned = step("clean", lambda: ds.grace.clean()[["acc_cleanflg"]].load())
    digests["clean"] = of_dataset(cleaned)
    lazy = step("resample", lambda: ds.grace.resample("10s").load())
    digests["resample"] = of_dataset(lazy)
    covariates = step("features", lambda: ds.grace.features(recipient="B").load())
    digests["features"] = of_dataset(covariates)
    carried = step(
        "transplant", lambda: ds.grace.transplant(donor="A", recipient="B").load()
    )
    digests["transplant"] = of_dataset(carried)
    two = ds.isel(time=slice(0, 2 * 86_400))
    model = step("fit", lambda: two.grace.fit(recipient="B", seed=1, **FIT))
    step("save", lambda: model.save(folder / "model.gracelstm"))
    model = step("load_model", lambda: gx.load_model(folder / "model.gracelstm"))
    filled = ds.grace.fill(model)
    mine = [name for name in filled if "fill" in str(name)]
    digests["fill"] = of_dataset(step("fill", lambda: filled[mine].load()))
    for method in ("linear", "transplant"):
        other = step(
            f"fill {method}",
            lambda m=method: two.grace.fill(method=m)[mine].load(),
        )
        digests[f"fill {method}"] = of_dataset(other)
    ahead = step("forecast", lambda: two.grace.forecast(model, horizon="30min"))
    tail = [name for name in ahead if "forecast" in str(name)]
    digests["forecast"] = of_dataset(ahead[tail].isel(time=slice(-1800, None)).load())
    score = step(
        "evaluate",
        lambda: ds.grace.evaluate(
            model, lengths=[60.0, 600.0], count=3, allow_training=True, seed=0
        ),
    )
    digests["evaluate"] = of_dataset(score)
    step("to_netcdf", lambda: filled.grace.to_netcdf(folder / "filled.nc"))
    with xr.open_dataset(folder / "filled.nc") as written:
        digests["netcdf"] = of_dataset(written)
    step("to_l1b", lambda: filled.grace.to_l1b(folder / "out"))
    digests["l1b"] = of_files(folder / "out")
    return {"digests": digests, "seconds": seconds}


def compare(before: Path, after: Path) -> int:
    """Print what differs and the seconds beside each other; count the differences."""
    old, new = (json.loads(path.read_text()) for path in (before, after))
    differences = 0
    for step in sorted({*old["digests"], *new["digests"]}):
        a, b = (x["digests"].get(step, {}) for x in (old, new))
        for name in sorted({*a, *b}):
            if a.get(name) != b.get(name):
                differences += 1
                print(f"{step}: {name}: {a.get(name)} -> {b.get(name)}")
    for step, spent in new["seconds"].items():
        print(f"{step:24} {old['seconds'].get(step)} s -> {spent} s")
    print(f"{differences} differences")
    return differences


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        sys.exit(compare(Path(sys.argv[2]), Path(sys.argv[3])) > 0)
    warnings.simplefilter("ignore")
    target = Path(sys.argv[1])
    target.mkdir(parents=True)
    print(json.dumps(run(target), indent=1))
