"""One absurd sample: it spoils nothing, is filled as a gap, and a warning counts it."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.baselines.screen import screened
from gracelstm_xr.errors import GraceWarning
from gracelstm_xr.filling.model import FittedModel

#: Gaps of B in the twin, and where the faults stand: hours from them, and near one.
GAPS = [(36_000, 37_800), (85_200, 87_900), (97_200, 97_240)]
FAULTY = (60_000, 97_900)
#: From one fault to the next where there are several.
APART = 1500


def sample(v: np.ndarray) -> None:
    v[0] = 1e-3


def zeros(v: np.ndarray) -> None:
    v[:60] = 0.0


def fill_values(v: np.ndarray) -> None:
    v[:300] = -9999.0


def push(v: np.ndarray) -> None:
    v[:10, 0] += 1e-6


FAULTS = [sample, zeros, fill_values, push]


def with_fault(ds: xr.Dataset, *faults: Callable[[np.ndarray], None]) -> xr.Dataset:
    accl = ds["lin_accl"].copy(deep=True)
    for number, fault in enumerate(faults):
        later = number * APART
        for at in FAULTY:
            fault(accl.values[1, at + later :])
        fault(accl.values[0, 50_000 + later :])
    return ds.assign(lin_accl=accl)


def error(filled: np.ndarray, truth: xr.Dataset) -> np.ndarray:
    """RMS per axis in the gaps of B [m s-2]."""
    exact = truth["lin_accl"].sel(satellite="B")
    parts = [filled[a:b] - exact.isel(time=slice(a, b)).values for a, b in GAPS]
    return np.asarray(np.sqrt(np.nanmean(np.concatenate(parts) ** 2, axis=0)))


def filled_b(ds: xr.Dataset, *args: object, **options: object) -> xr.Dataset:
    made = ds.grace.fill(*args, **options)
    names = ["lin_accl_filled", "lin_accl_fill_method"]
    return made[names].sel(satellite="B").compute()


@pytest.fixture(scope="module")
def usual(twin: xr.Dataset, model: FittedModel, truth: xr.Dataset) -> np.ndarray:
    return error(filled_b(twin, model)["lin_accl_filled"].values, truth)


def test_errors_stay_and_the_fault_is_filled(
    twin: xr.Dataset,
    model: FittedModel,
    truth: xr.Dataset,
    usual: np.ndarray,
) -> None:
    ds = with_fault(twin, *FAULTS)
    with pytest.warns(GraceWarning, match="impossible samples") as told:
        made = filled_b(ds, model)
    assert [str(w.message).partition("satellite ")[2][0] for w in told] == ["A", "B"]
    values, code = (made[name].values for name in made)
    assert (error(values, truth) < 1.1 * usual).all()
    touched = ds["lin_accl"].values[1] != twin["lin_accl"].values[1]
    touched &= np.isfinite(twin["lin_accl"].values[1])
    assert (code[touched] != 0).all()
    exact = truth["lin_accl"].sel(satellite="B").isel(time=slice(0, len(values)))
    assert (np.abs(values - exact.values)[touched] < 5e-8).all()
    seen = np.isfinite(twin["lin_accl"].values[1]) & (code == 0)
    assert (values[seen] == twin["lin_accl"].values[1][seen]).all()


def test_a_baseline_and_a_transplant(twin: xr.Dataset, truth: xr.Dataset) -> None:
    ds = with_fault(twin, sample)
    with pytest.warns(GraceWarning, match=r"2 impossible samples of satellite B"):
        made = filled_b(ds, method="ar")["lin_accl_filled"].values
    usual = filled_b(twin, method="ar")["lin_accl_filled"].values
    assert (error(made, truth) < 1.1 * error(usual, truth)).all()
    with pytest.warns(GraceWarning, match=r"1 impossible sample of satellite A"):
        moved = ds.grace.transplant(donor="A", recipient="B")
    best = twin.grace.transplant(donor="A", recipient="B")
    name = "lin_accl_transplant"
    usual = error(best[name].values, truth)
    assert (error(moved[name].values, truth) < 1.1 * usual).all()


def test_chunks_and_no_clean(twin: xr.Dataset) -> None:
    ds = with_fault(twin, push)
    with pytest.warns(GraceWarning):
        now = screened(ds)["lin_accl"].values
    for chunks in (43_200, 100_000):
        lazy = screened(ds.chunk(time=chunks))
        assert lazy["lin_accl"].chunks == ds["lin_accl"].chunk(time=chunks).chunks
        np.testing.assert_array_equal(lazy["lin_accl"].values, now)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert screened(ds, clean=False) is ds
        assert screened(twin) is twin
        marked = ds.grace.clean()
        assert screened(marked) is marked
        same = screened(twin.chunk(time=86_400))["lin_accl"]
    np.testing.assert_array_equal(same.values, twin["lin_accl"].values)


def test_lazy_work_tells_when_it_is_done(twin: xr.Dataset, model: FittedModel) -> None:
    ds = with_fault(twin, zeros).chunk(time=86_400)
    made = ds.grace.fill(model)["lin_accl_filled"].sel(satellite="B")
    with pytest.warns(GraceWarning, match="120 impossible samples of satellite B from"):
        made.compute()
    lazy = ds.grace.fill(method="linear")["lin_accl_filled"].sel(satellite="B")
    with pytest.warns(GraceWarning, match=r"120 impossible samples of satellite B \("):
        lazy.isel(time=slice(0, 10)).compute()
