"""Figures by their content: lines, labels, units, limits."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr import plot
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.spectra import design_noise as requirement


@pytest.fixture(autouse=True)
def backend() -> Iterator[None]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="module")
def day(make_grid: Any) -> xr.Dataset:
    gaps = {"A": [(20000, 26000)], "B": [(1000, 5000), (40000, 80000)]}
    ds = make_grid(gaps=gaps, filled=True, orbit=True)
    ds.attrs["title"] = "Simulated twin archive"
    return ds


@pytest.fixture(scope="module")
def score() -> xr.Dataset:
    lengths = np.array([10.0, 60.0, 600.0, 3600.0])
    rms = 1e-9 * np.arange(1, 1 + 3 * 2 * 3 * 4).reshape(3, 2, 3, 4)
    dims = ("method", "satellite", "axis", "gap_length")
    coords = {
        "method": ["lstm", "transplant", "linear"],
        "satellite": ["A", "B"],
        "axis": list("xyz"),
        "gap_length": lengths,
    }
    return xr.Dataset({"rms": (dims, rms)}, coords=coords)


def test_series_lines_units_and_shading(day: xr.Dataset) -> None:
    ax = day.grace.plot.series(satellite="B", axis="y")
    observed, filled = ax.get_lines()[:2]
    values = day["lin_accl"].sel(satellite="B", axis="y").values
    wanted = 1e9 * (np.nanmax(values) - np.nanmean(values))
    assert np.nanmax(observed.get_ydata()) == pytest.approx(wanted)
    made = day["lin_accl_filled"].sel(satellite="B", axis="y").values[np.isnan(values)]
    drawn = filled.get_ydata()
    assert np.nanmin(drawn) == pytest.approx(1e9 * (made.min() - np.nanmean(values)))
    assert "nm s" in ax.get_ylabel()
    assert ax.get_title(loc="left") == "GRACE B, simulated data"
    assert ax.get_xlabel() == "GPS time"
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["observed", "gap", "filled", "$\\pm$2 sigma"]
    shaded = [p for p in ax.patches if p.get_label() in ("gap", None, "_nolegend_")]
    assert len(ax.patches) >= 2
    assert shaded


def test_series_draws_where_told_and_returns_it(day: xr.Dataset) -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    found = plot.series(
        day, ax=ax, start="2008-01-01T01:00", stop="2008-01-01T02:00", color="k"
    )
    assert found is ax
    assert ax.get_lines()[0].get_color() == "k"


def test_overview_has_a_panel_per_axis(day: xr.Dataset) -> None:
    figure = day.grace.plot.overview(satellite="A")
    assert [ax.get_ylabel()[0] for ax in figure.axes] == ["x", "y", "z"]


def test_thinning_keeps_spikes_and_breaks() -> None:
    times = np.arange(1_000_000)
    values = np.zeros(1_000_000)
    values[123_457] = 50.0
    values[700_001] = -20.0
    values[400_000:420_000] = np.nan
    t, v = thin(times, values)
    assert len(v) < 5000
    assert np.nanmax(v) == 50.0
    assert t[np.nanargmax(v)] == 123_457
    assert np.nanmin(v) == -20.0
    assert np.isnan(v[(t >= 401_000) & (t < 419_000)]).all()
    assert np.all(np.diff(t) >= 0)


def test_gaps_shows_bars_and_fractions(day: xr.Dataset) -> None:
    ax = day.grace.plot.gaps()
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["A  1 gaps, 6.9 %", "B  2 gaps, 51 %"]
    widths = [c.get_paths() for c in ax.collections]
    assert [len(w) for w in widths] == [1, 1, 1, 2]
    box = widths[1][0].get_extents()
    assert box.width == pytest.approx(6000 / 86400)


def test_spectrum_recovers_a_known_density(make_grid: Any) -> None:
    """White noise of 1e-9 m s-2 at 1 Hz has sqrt(2) 1e-9 m s-2 Hz-1/2."""
    ds = make_grid(size=40000, noise=1e-9, seed=3)
    ax = ds.grace.plot.spectrum(satellite="A", axis="z")
    f, asd = ax.get_lines()[0].get_data()
    high = np.sqrt(np.mean(asd[f > 0.05] ** 2))
    assert high == pytest.approx(np.sqrt(2) * 1e-9, rel=0.05)
    assert "Hz" in ax.get_xlabel()
    assert ax.get_yscale() == "log"


def test_requirement_is_that_of_kim() -> None:
    f = np.array([0.005, 0.1])
    np.testing.assert_allclose(requirement(f, "x") ** 2, [2e-20, 1.05e-20])
    np.testing.assert_allclose(requirement(f, "y") ** 2, [2.1e-17, 2e-18])


def test_training_draws_both_losses() -> None:
    epochs = np.arange(1, 5)
    history = xr.Dataset(
        {"loss": ("epoch", 1 / epochs), "val_loss": ("epoch", 2 / epochs)},
        coords={"epoch": epochs},
    )
    ax = xr.Dataset().grace.plot.training(SimpleNamespace(history=history))
    assert [line.get_label() for line in ax.get_lines()] == ["training", "validation"]
    np.testing.assert_allclose(ax.get_lines()[1].get_ydata(), 2 / epochs)


def test_evaluation_draws_every_method(score: xr.Dataset) -> None:
    ax = xr.Dataset().grace.plot.evaluation(score, axis="y", satellite="B")
    assert [line.get_label() for line in ax.get_lines()] == list(score["method"].values)
    wanted = score["rms"].values[0, 1, 1] * 1e9
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), wanted)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [t.get_text() for t in ax.get_xticklabels()] == [
        "10 s",
        "1 min",
        "10 min",
        "1 h",
    ]
    figure = plot.evaluation_figure(score)
    assert len(figure.axes) == 3


def test_ground_track_puts_points_under_the_satellite(day: xr.Dataset) -> None:
    ax = day.grace.plot.ground_track(satellite="B", axis="x")
    points = ax.collections[0].get_offsets()
    x, y, z = day["position"].sel(satellite="B").values.T
    seen = np.isfinite(x) & np.isfinite(day["lin_accl"].values[1, :, 0])
    assert len(points) == seen.sum()
    first = np.flatnonzero(seen)[0]
    angle = np.degrees(
        np.arcsin(z[first] / np.linalg.norm([x[first], y[first], z[first]]))
    )
    assert points[0, 1] == pytest.approx(angle)
    assert "nm s" in ax.figure.axes[-1].get_ylabel()


def test_figures_say_what_is_missing(day: xr.Dataset, score: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="satellite 'Q' wanted"):
        plot.series(day, satellite="Q")
    with pytest.raises(GraceError, match="axis 'w' wanted"):
        plot.series(day, axis="w")
    with pytest.raises(GraceError, match="no data between"):
        plot.series(day, start="2010", stop="2011")
    with pytest.raises(GraceError, match="read GNV1B too"):
        plot.ground_track(day.drop_vars("position"))
    with pytest.raises(GraceError, match="'rms' expected"):
        plot.evaluation(day)
    with pytest.raises(GraceError, match="256 are needed"):
        plot.spectrum(day.isel(time=slice(0, 100)))
