"""The lag without orbits: of made signals, of simulated twins, of the real hour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.physics.lagsearch import cross_correlation_lag

SECONDS = 40_000


def twins(lag: float, step: float, *, noise: float = 1e-10) -> tuple[np.ndarray, ...]:
    """One force felt by both, with opposite sign in x, as they come by."""
    t = np.arange(0.0, SECONDS, step)
    rng = np.random.default_rng(0)
    phases = rng.uniform(0, 2 * np.pi, 40)
    frequencies = rng.uniform(2e-4, 8e-3, 40)

    def force(x: np.ndarray) -> np.ndarray:
        return 1e-8 * np.sin(2 * np.pi * np.outer(x, frequencies) + phases).sum(axis=1)

    own, donor = np.zeros((len(t), 3)), np.zeros((len(t), 3))
    own[:, 0] = force(t) + 5e-7 + 1e-13 * t + noise * rng.normal(size=len(t))
    donor[:, 0] = -force(t - lag) - 1e-6 + noise * rng.normal(size=len(t))
    return own, donor


@pytest.mark.parametrize("lag", [27.3, -28.8, 0.0])
@pytest.mark.parametrize("step", [1.0, 10.0])
def test_lag_of_a_known_force(lag: float, step: float) -> None:
    own, donor = twins(lag, step)
    own[1000:1100] = np.nan
    donor[:50] = np.nan
    found = cross_correlation_lag(own, donor, step)
    assert found is not None
    assert found.seconds == pytest.approx(lag, abs=0.1)
    assert 0 < found.sigma < 0.25


def test_sigma_grows_with_the_noise() -> None:
    quiet = cross_correlation_lag(*twins(27.3, 5.0), 5.0)
    loud = cross_correlation_lag(*twins(27.3, 5.0, noise=1e-8), 5.0)
    assert quiet is not None
    assert loud is not None
    assert loud.sigma > 10 * quiet.sigma
    assert abs(loud.seconds - 27.3) < 4 * loud.sigma


def test_firings_of_one_satellite_and_a_wandering_bias_do_not_count() -> None:
    own, donor = twins(27.3, 1.0)
    t = np.arange(len(own))
    rng = np.random.default_rng(1)
    for series in (own, donor):
        series[:, 0] += 2e-8 * np.sin(2 * np.pi * t / 9000 + rng.uniform(0, 6))
        for when in rng.integers(100, len(t) - 100, 60):
            series[:, 0] += 3e-8 * np.exp(-(((t - when) / 12.0) ** 2))
    found = cross_correlation_lag(own, donor, 1.0)
    assert found is not None
    assert found.seconds == pytest.approx(27.3, abs=0.1)


def test_no_lag_without_common_data_or_a_common_force() -> None:
    own, donor = np.full((1000, 3), np.nan), np.full((1000, 3), np.nan)
    assert cross_correlation_lag(own, donor, 1.0) is None
    own[:300], donor[600:] = 1.0, 1.0
    assert cross_correlation_lag(own, donor, 1.0) is None
    own[:], donor[:] = 1.0, 2.0
    assert cross_correlation_lag(own, donor, 1.0) is None
    t = np.arange(1000.0)
    own[:, 0] = donor[:, 0] = 1e-8 * np.exp(-((t - 500) ** 2) / 1e4)
    shallow = cross_correlation_lag(own, donor, 1.0)
    # the same sign is not a force: what little is opposite lies far from the peak
    assert shallow is None or abs(shallow.seconds) > 30


def holes(own: np.ndarray, donor: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    for series in (own, donor):
        for start in rng.integers(0, len(series), 20):
            series[start : start + int(np.exp(rng.uniform(2, 8)))] = np.nan


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mission", "storm"), [("grace", "storm"), ("grace-fo", "quiet")]
)
def test_lag_of_simulated_twins(mission: str, storm: str, tmp_path: Path) -> None:
    """A day of simulated data, against the lag that the orbits give."""
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.physics.features import features
    from gracelstm_xr.simulate import simulate_archive

    start = "2008-01-01" if mission == "grace" else "2019-05-01"
    archive = simulate_archive(
        tmp_path / "archive", mission=mission, start=start, days=1, seed=1,
        storm=storm, gaps=None, products=["ACC1B", "GNV1B"], layout="files",
        truth=False,
    )  # fmt: skip
    ds = open_archive(archive).load()
    second = str(ds["satellite"].values[1])
    exact = float(features(ds, recipient=second)["twin_lag"].mean())
    assert 20 < abs(exact) < 35
    donor, own = ds["lin_accl"].transpose("satellite", "time", "axis").values
    for hide in (False, True):
        if hide:
            holes(own, donor)
        found = cross_correlation_lag(own, donor, 1.0)
        assert found is not None
        assert found.seconds == pytest.approx(exact, abs=0.5)
        assert found.sigma < 0.5


@pytest.mark.parametrize("step", [None, 5.0, 10.0])
def test_lag_of_the_real_hour(real_hour: xr.Dataset, step: float | None) -> None:
    """21.2 s by an independent cross-correlation; A leads, so that B's lag is < 0."""
    t, series = real_hour["seconds"].values, real_hour["lin_accl_x"].values
    apart = float(np.diff(t).mean())
    if step is not None:
        grid = np.arange(0.0, t[-1], step)
        known = [np.interp(grid, t, np.isfinite(s)) == 1 for s in series]
        series = np.stack(
            [
                np.where(k, np.interp(grid, t, np.nan_to_num(s)), np.nan)
                for k, s in zip(known, series, strict=True)
            ]
        )
        apart = step
    a, b = (np.repeat(s[:, None], 3, axis=1) for s in series)
    found = cross_correlation_lag(b, a, apart)
    assert found is not None
    assert found.seconds == pytest.approx(-21.2, abs=0.5)
    # two gaps in the recipient
    b[100:115] = b[650:665] = np.nan
    found = cross_correlation_lag(b, a, apart)
    assert found is not None
    assert found.seconds == pytest.approx(-21.2, abs=0.6)
