"""Figures of models and scores by their content."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from figures import check_colours, check_layout, lines_by_label

from gracelstm_xr import plot
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.style import METHODS

LENGTHS = np.array([10.0, 60.0, 600.0, 3600.0, 10_800.0, np.inf])
NAMES = ["lstm", "transplant", "linear", "act1b"]
DIMS = ("method", "satellite", "axis", "gap_length")


@pytest.fixture(autouse=True)
def backend() -> Iterator[None]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="module")
def score() -> xr.Dataset:
    shape = (len(NAMES), 2, 3, len(LENGTHS))
    rms = 1e-9 * np.arange(1, 1 + np.prod(shape)).reshape(shape)
    coords = {
        "method": NAMES,
        "satellite": ["A", "B"],
        "axis": list("xyz"),
        "gap_length": LENGTHS,
        "level": [0.68, 0.95],
        "frequency": np.arange(1, 541) / 10_800,
    }
    metres = {"units": "m s-2"}
    ds = xr.Dataset(
        {
            "rms": (DIMS, rms, metres),
            "rms_low": (DIMS, 0.8 * rms, metres),
            "rms_high": (DIMS, 1.3 * rms, metres),
            "skill": (
                DIMS,
                1 - rms / rms[1],
                {"units": "1", "reference": "transplant"},
            ),
            "observation_noise": ("axis", [2.5e-11, 7.9e-10, 2.5e-11], metres),
            "coverage": (
                ("level", *DIMS[1:]),
                np.linspace(0.5, 1, 2 * 2 * 3 * 6).reshape(2, 2, 3, 6),
            ),
            "error_asd": (
                (*DIMS[:3], "frequency"),
                np.broadcast_to(rms[..., :1], (*shape[:3], 540)).copy(),
            ),
        },
        coords=coords,
        attrs={
            "source": "simulated Level-1B files",
            "evaluation_start": "2008-01-05T00:00:00",
            "evaluation_stop": "2008-01-06T12:00:00",
        },
    )
    ds["error_asd"][3] = np.nan
    return ds


def test_evaluation_draws_every_method(score: xr.Dataset) -> None:
    ax = xr.Dataset().grace.plot.evaluation(score, axis="y", satellite="B")
    lines = lines_by_label(ax)
    assert list(lines) == [*NAMES, "noise of an observation"]
    wanted = score["rms"].values[0, 1, 1] * 1e9
    np.testing.assert_allclose(lines["lstm"].get_ydata(), wanted)
    assert lines["noise of an observation"].get_ydata()[0] == pytest.approx(0.79)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    ticks = [t.get_text() for t in ax.get_xticklabels()]
    assert ticks == ["10 s", "1 min", "10 min", "1 h", "3 h", "all"]
    assert ax.get_ylabel() == "y RMS error [nm s$^{-2}$]"
    heading = "GRACE B, simulated data, 2008-01-05 to 2008-01-06, axis y"
    assert ax.get_title(loc="left") == heading
    check_layout(ax.figure)


def test_evaluation_draws_the_interval(score: xr.Dataset) -> None:
    rms = 1e9 * score["rms"].values[1, 0, 0]
    (bars,) = plot.evaluation(score, methods=["transplant"]).collections
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, np.stack([0.8 * rms, 1.3 * rms], axis=1))
    named = score.assign_coords(method=["lstm", "fill", "linear", "act1b"])
    (band,) = plot.evaluation(named, methods=["fill"]).collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(0.8 * rms.min())
    assert heights.max() == pytest.approx(1.3 * rms.max())


def test_no_more_than_seven_methods_unless_named(score: xr.Dataset) -> None:
    names = ["hold", "cubic", "ar", "linear", "ridge", "transplant", "act1b", "tracked",
             "lstm", "fill", "harmonic"]  # fmt: skip
    same = [score.isel(method=[0])] * len(names)
    many = xr.concat(same, dim="method", data_vars="all")
    many = many.assign_coords(method=names)
    many["rms"][names.index("tracked")] = np.nan
    shown = ["linear", "ridge", "transplant", "act1b", "lstm", "fill", "harmonic"]
    noise = "noise of an observation"
    assert list(lines_by_label(plot.evaluation(many))) == [*shown, noise]
    every = plot.evaluation(many.drop_sel(method="tracked"), methods=names[:7])
    assert list(lines_by_label(every)) == [*names[:7], noise]


def test_skill_is_linear_and_without_unit(score: xr.Dataset) -> None:
    ax = plot.evaluation(score, metric="skill")
    assert ax.get_yscale() == "linear"
    assert ax.get_ylabel() == "x skill over transplant [1]"
    assert ax.get_ylim()[0] >= -1.05
    np.testing.assert_allclose(
        lines_by_label(ax)["lstm"].get_ydata(), score["skill"].values[0, 0, 0]
    )
    check_layout(ax.figure)


def test_evaluation_figure_shares_a_scale(score: xr.Dataset) -> None:
    figure = plot.evaluation_figure(score)
    assert len(figure.axes) == 3
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert [ax.get_legend() is None for ax in figure.axes] == [True, True, False]
    check_layout(figure)


def test_another_dimension_is_named(score: xr.Dataset) -> None:
    both = xr.concat([score["rms"], 2 * score["rms"]], dim="track").to_dataset()
    both = both.assign_coords(track=["twin", "single"])
    ax = plot.evaluation(both)
    assert ax.get_title(loc="left").endswith("axis x, track twin")


def test_coverage_expected_and_found(score: xr.Dataset) -> None:
    ax = plot.coverage(score, satellite="B")
    lines = lines_by_label(ax)
    assert list(lines) == [f"{a}, {p} %" for p in (68, 95) for a in "xyz"]
    found = 100 * score["coverage"].values[1, 1, 2]
    np.testing.assert_allclose(lines["z, 95 %"].get_ydata(), found)
    flat = {x.get_ydata()[0] for x in ax.get_lines() if x.get_label()[0] == "_"}
    assert flat == {68.0, 95.0}
    assert {68.0, 95.0} <= set(ax.get_yticks())
    assert ax.get_ylabel().endswith("[%]")
    check_layout(ax.figure)
    check_colours(
        [(x.get_color(), x.get_marker(), x.get_linestyle()) for x in lines.values()]
    )


def test_error_spectrum_beside_the_noise(score: xr.Dataset) -> None:
    ax = plot.error_spectrum(score, axis="y", satellite="B")
    lines = lines_by_label(ax)
    assert list(lines)[:3] == NAMES[:3]
    assert len(lines) == 5
    wanted = 1e9 * score["rms"].values[0, 1, 1, 0]
    np.testing.assert_allclose(lines["lstm"].get_ydata(), wanted)
    assert "Hz$^{-1/2}$" in ax.get_ylabel()
    check_layout(ax.figure)
    only = plot.error_spectrum(score, methods=["linear"])
    assert len(lines_by_label(only)) == 3


def test_methods_look_different() -> None:
    check_colours([(plot.COLOURS[c], m, s) for c, m, s in METHODS.values()])
    assert len(set(METHODS.values())) == len(METHODS)


def test_training_draws_both_losses_and_says_of_what() -> None:
    epochs = np.arange(1, 5)
    history = xr.Dataset(
        {"loss": ("epoch", 1 / epochs), "val_loss": ("epoch", 2 / epochs)},
        coords={"epoch": epochs},
    )
    info = {"data": "simulated Level-1B files ACC1B"}
    model = SimpleNamespace(history=history, info=info)
    ax = xr.Dataset().grace.plot.training(model)
    lines = lines_by_label(ax)
    assert list(lines) == ["training", "validation"]
    np.testing.assert_allclose(lines["validation"].get_ydata(), 2 / epochs)
    assert ax.get_title(loc="left") == "Training of the network, simulated data"
    check_layout(ax.figure)
    model.info = {"data": "NASA JPL Level-1B files ACC1B"}
    assert plot.training(model).get_title(loc="left").endswith("real data")
    tracks = xr.concat([history, history], dim="track").assign_coords(track=["a", "b"])
    labels = list(lines_by_label(plot.training(tracks)))
    assert labels == ["training, a", "training, b", "validation, a", "validation, b"]
    with pytest.raises(GraceError, match="no 'loss' found"):
        plot.training(xr.Dataset())


def test_scores_say_what_is_missing(score: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="'rms' expected"):
        plot.evaluation(xr.Dataset())
    with pytest.raises(GraceError, match="'error_asd' expected"):
        plot.error_spectrum(score.drop_vars("error_asd"))
    with pytest.raises(GraceError, match="satellite 'D' wanted"):
        plot.coverage(score, satellite="D")
    with pytest.raises(GraceError, match="methods \\['tea'\\] wanted"):
        plot.evaluation(score, methods=["tea"])
