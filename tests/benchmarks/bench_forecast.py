"""Errors of forecasts by lead time on simulated archives, as tables.

    python tests/benchmarks/bench_forecast.py [STORE ...] [--days 20] [--seeds 0 1 2]
        [--epochs 24] [--units 48] [--windows 2048] [--count 96]
    python tests/benchmarks/bench_forecast.py --models OUT [--count 96]

Without stores, archives of both missions, quiet and active, are simulated. A model is
fitted to the second satellite alone and judged on the test span, which no fit has
seen. ``--models`` takes the archives and models that ``bench_lstm.py OUT`` left, and
pools the archives of a mission and regime. RMS error in nm s-2, axes x y z, all epochs
and those without a thruster firing within 30 s; the ratio to the best of persistence,
line, AR and harmonic (below 1: better); coverage of sigma. Everything is simulated.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from gracelstm_xr.filling.model import FittedModel

#: Lead times of the tables [s]: 1, 10, 60 min and one revolution.
LEADS = (60.0, 600.0, 3600.0, 5640.0)
#: What a forecast must beat.
RIVALS = ("persistence", "linear", "ar", "harmonic")
STARTS = {"grace": "2008-01-01", "grace-fo": "2019-05-01"}


def judged(
    ds: xr.Dataset,
    model: FittedModel | None = None,
    *,
    leads: Sequence[float] = LEADS,
    count: int = 96,
    **settings: Any,
) -> xr.Dataset:
    """Fit to the second satellite alone, and make hindcasts on the test span."""
    from gracelstm_xr.filling.fit import fit
    from gracelstm_xr.filling.hindcast import hindcast

    own = ds.sel(satellite=ds["satellite"].values[-1:])
    model = model or fit(own, **settings)
    return hindcast(own, model, leads=leads, count=count)


def pooled(tables: Sequence[xr.Dataset]) -> xr.Dataset:
    """Mean squares over archives, as RMS; coverage as its mean."""
    names = ["rms", "rms_calm", "rms_one_step", "coverage_68", "coverage_95"]
    plain = [t[names].assign_coords(satellite=["one"]) for t in tables]
    joined = xr.concat(plain, dim="archive")
    result = np.sqrt((joined[names[:3]] ** 2).mean("archive"))
    return result.merge(joined[names[3:]].mean("archive"))


def of_models(folder: Path, count: int) -> Iterator[tuple[str, xr.Dataset]]:
    """Tables of the models of ``bench_lstm.py``, archives of a kind pooled."""
    from gracelstm_xr.filling.model import load_model
    from gracelstm_xr.store.read import open_store

    groups: dict[str, list[xr.Dataset]] = {}
    for path in sorted(folder.glob("*.gracelstm")):
        ds = open_store(str(folder / "archives" / f"{path.stem}.zarr"))
        table = judged(ds, load_model(path), count=count)
        groups.setdefault(path.stem.rpartition("-")[0], []).append(table)
    for name, tables in groups.items():
        yield f"{name}, {len(tables)} seeds", pooled(tables)


def ratios(table: xr.Dataset, name: str = "rms") -> xr.DataArray:
    """Error of the forecast over that of the best rival, (satellite, axis, lead)."""
    errors = table[name]
    best = errors.sel({"method": list(RIVALS)}).min("method")
    return errors.sel({"method": "forecast"}) / best


def rows(table: xr.Dataset, name: str = "rms") -> Iterator[str]:
    """The table in Markdown."""
    leads = [_span(x) for x in table["lead"].values]
    yield "| method | " + " | ".join(leads) + " |"
    yield "|---" * (len(leads) + 1) + "|"
    errors = table[name].isel(satellite=0).transpose("method", "lead", "axis")
    for method in errors["method"].values:
        cells = 1e9 * errors.sel({"method": method}).values
        yield f"| {method} | " + " | ".join(_three(c) for c in cells) + " |"
    share = ratios(table, name).isel(satellite=0).transpose("lead", "axis").values
    yield "| ratio to the best rival | " + " | ".join(map(_three, share)) + " |"
    if name == "rms":
        for kind in ("coverage_68", "coverage_95"):
            part = table[kind].isel(satellite=0).transpose("lead", "axis").values
            cells = [" ".join(f"{100 * x:.0f}" for x in row) for row in part]
            yield f"| {kind} [%] | " + " | ".join(cells) + " |"


def one_step(table: xr.Dataset) -> Iterator[str]:
    """One step of 10 s from the true history, in Markdown."""
    yield "| method | one step |"
    yield "|---|---|"
    errors = table["rms_one_step"].isel(satellite=0)
    for method in errors["method"].values:
        yield f"| {method} | {_three(1e9 * errors.sel({'method': method}).values)} |"


def _three(values: np.ndarray) -> str:
    return " ".join(f"{x:.2f}" if x < 100 else f"{x:.0f}" for x in values)


def _span(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"


def archives(
    stores: Sequence[str], days: int, seeds: Sequence[int], folder: Path
) -> Iterator[tuple[str, xr.Dataset]]:
    """Name and Dataset of each archive, simulated where no store is named."""
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.simulate import simulate_archive
    from gracelstm_xr.store.read import open_store

    for store in stores:
        yield Path(store).stem, open_store(store)
    if stores:
        return
    for mission, start in STARTS.items():
        for storm in ("quiet", "active"):
            for seed in seeds:
                name = f"{mission}-{storm}-{seed}"
                simulate_archive(
                    folder / name, mission=mission, start=start, days=days, seed=seed,
                    storm=storm, gaps=None, layout="files", truth=False,
                )  # fmt: skip
                yield name, open_archive(folder / name)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="*")
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--units", type=int, default=48)
    parser.add_argument("--windows", type=int, default=2048)
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--models", type=Path, help="folder of bench_lstm.py")
    given = parser.parse_args()
    if given.models is not None:
        for name, table in of_models(given.models, given.count):
            show(name, table)
        return
    options = {"epochs": given.epochs, "units": given.units}
    with tempfile.TemporaryDirectory() as folder:
        made = archives(given.stores, given.days, given.seeds, Path(folder))
        for name, ds in made:
            table = judged(
                ds, count=given.count, windows_per_epoch=given.windows, **options
            )
            show(name, table)


def show(name: str, table: xr.Dataset) -> None:
    """Print the tables of one archive, or of several."""
    print(f"\n{name} (simulated), all epochs\n")
    print("\n".join(rows(table)))
    print(f"\n{name} (simulated), no firing within 30 s\n")
    print("\n".join(rows(table, "rms_calm")))
    print(f"\n{name} (simulated), 10 s ahead from the true history\n")
    print("\n".join(one_step(table)), flush=True)


if __name__ == "__main__":
    main()
