"""Faults in the days that a model is fitted to: what they do to its fills elsewhere.

    python tests/benchmarks/bench_faults.py [--days 7] [--seed 3] [--methods fit ar ...]

A GRACE pair, simulated. Once a day, except in the last two days, both satellites show
one fault; gaps of the second are hidden in the last two days. RMS error in these gaps
after a fit to the faulty days, over that after the same fit without faults, for x y z:
with the gaps in days without faults (the model alone), and with the same fault once
within two hours of every gap as well. `fit` trains one network too small to be chosen.
The Markdown it prints is that of docs/explanation/guarantees.md.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from gracelstm_xr import fit_baseline, open_archive
from gracelstm_xr.baselines.base import BASELINES
from gracelstm_xr.errors import GraceWarning
from gracelstm_xr.filling.fit import fit
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.signal.lowpass import crn_filter
from gracelstm_xr.simulate import simulate_archive

Array = npt.NDArray[np.float64]

DAY = 86_400
#: Last days: without faults, with gaps.
HELD = 2
#: Lengths of the gaps that are hidden [s], and from the begin of one to the next.
LENGTHS, APART = (60, 600, 1800, 5640) * 4, 10_200
#: From the begin of a gap back to the fault near it [s].
BEFORE = 2000
#: A network too small to be chosen.
SMALL = {
    "epochs": 1,
    "windows_per_epoch": 64,
    "units": 4,
    "hindcasts": 0,
    "gaps_per_length": 4,
}


def sample(values: Array) -> None:
    """One absurd sample."""
    values[0] = 1e-3


def zeros(values: Array) -> None:
    """A minute of zeros."""
    values[:60] = 0.0


def fill_values(values: Array) -> None:
    """Five minutes of a fill value."""
    values[:300] = -9999.0


def manoeuvre(values: Array, size: float = 1e-5, length: int = 300) -> None:
    """A push of some minutes along the track, as the filter of ACC1B passes it."""
    push = np.zeros(length + 200)
    push[100 : 100 + length] = size
    values[: len(push), 0] += np.convolve(push, crn_filter(), mode="same")


FAULTS: dict[str, Callable[[Array], None]] = {
    "one sample of 1e-3 m s-2": sample,
    "60 zeros": zeros,
    "300 s of -9999": fill_values,
    "300 s of 1e-5 m s-2": manoeuvre,
}


def archive(folder: str, days: int, seed: int) -> xr.Dataset:
    """Simulated days without gaps, in memory."""
    simulate_archive(
        folder, days=days, seed=seed, gaps=None, layout="files", truth=False
    )
    return open_archive(folder).load()


def gaps_of(days: int) -> list[slice]:
    """Seconds of the gaps in the last days."""
    first = (days - HELD) * DAY + BEFORE + 1200
    return [
        slice(first + k * APART, first + k * APART + length)
        for k, length in enumerate(LENGTHS)
    ]


def with_gaps(ds: xr.Dataset, gaps: list[slice]) -> xr.Dataset:
    """Second satellite missing there."""
    accl = ds["lin_accl"].copy(deep=True)
    for gap in gaps:
        accl.values[1, gap] = np.nan
    return ds.assign(lin_accl=accl)


def with_faults(
    ds: xr.Dataset, fault: Callable[[Array], None], near: Sequence[slice] = ()
) -> xr.Dataset:
    """A fault a day on either satellite, and one before every gap in ``near``."""
    accl = ds["lin_accl"].copy(deep=True)
    rng = np.random.default_rng(0)
    for satellite in range(2):
        for day in range(ds.sizes["time"] // DAY - HELD):
            fault(accl.values[satellite, day * DAY + rng.integers(DAY - 1000) :])
        for gap in near:
            fault(accl.values[satellite, gap.start - BEFORE + 600 * satellite :])
    return ds.assign(lin_accl=accl)


def fitted(ds: xr.Dataset, method: str) -> FittedModel:
    """The whole fit, or one baseline."""
    if method == "fit":
        return fit(ds, recipient=str(ds["satellite"].values[1]), seed=0, **SMALL)
    return fit_baseline(ds, method=method, recipient=str(ds["satellite"].values[1]))


def errors(ds: xr.Dataset, model: FittedModel, truth: xr.Dataset) -> Array:
    """RMS per axis in the gaps [m s-2]."""
    gaps = gaps_of(ds.sizes["time"] // DAY)
    filled = ds.grace.fill(model)["lin_accl_filled"].isel(satellite=1)
    wrong = (filled - truth["lin_accl"].isel(satellite=1)).transpose("time", "axis")
    inside = np.concatenate([wrong[gap].values for gap in gaps])
    return np.asarray(np.sqrt(np.mean(inside**2, axis=0)))


def measure(
    truth: xr.Dataset, method: str, faults: Sequence[str] = tuple(FAULTS)
) -> dict[str, tuple[Array, Array, Array]]:
    """Errors without faults [m s-2], and with each the two ratios to them."""
    gaps = gaps_of(truth.sizes["time"] // DAY)
    ds = with_gaps(truth, gaps)
    usual = errors(ds, fitted(ds, method), truth)
    result = {}
    for name in faults:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "found .* impossible", GraceWarning)
            model = fitted(with_faults(ds, FAULTS[name]), method)
            there = with_gaps(with_faults(truth, FAULTS[name], gaps), gaps)
            alone, near = (errors(x, model, truth) for x in (ds, there))
        result[name] = (usual, alone / usual, near / usual)
    return result


def row(method: str, name: str, numbers: tuple[Array, Array, Array]) -> str:
    """One row of the table."""
    usual, alone, near = numbers
    cells = [" ".join(f"{v:.3g}" for v in 1e9 * usual)]
    cells += [" ".join(f"{v:.3f}" for v in ratio) for ratio in (alone, near)]
    return f"| `{method}` | {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the rows, method by method."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=["fit", *BASELINES])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        truth = archive(folder, given.days, given.seed)
    for method in given.methods:
        for name, numbers in measure(truth, method).items():
            print(row(method, name, numbers), flush=True)


if __name__ == "__main__":
    main()
