"""A baseline that is declared once fills, is scored, saved and evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import gracelstm_xr as gx
from gracelstm_xr.baselines.base import BASELINES
from gracelstm_xr.baselines.interpolate import Interpolation
from gracelstm_xr.baselines.registry import (
    METHOD_CODES,
    METHODS,
    Method,
    baseline_names,
    register,
)
from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics.frames import Frame


@dataclass(frozen=True)
class EdgeMean:
    """Mean of the two samples at the edges of a gap."""

    def estimate(
        self, frame: Frame, visible: np.ndarray, index: np.ndarray
    ) -> np.ndarray:
        back = Frame(frame.t, own=frame.own[::-1])
        after = Interpolation("hold").estimate(
            back, visible[::-1], len(frame) - 1 - index
        )
        return (Interpolation("hold").estimate(frame, visible, index) + after) / 2


EDGE_MEAN = Method(
    "edge_mean",
    family="interpolation",
    rank=15,
    kind=EdgeMean,
    fit=lambda frames: EdgeMean(),
)


@pytest.fixture
def edge_mean() -> Iterator[None]:
    register(EDGE_MEAN)
    yield
    del METHODS["edge_mean"], METHOD_CODES["edge_mean"]


@pytest.mark.usefixtures("edge_mean")
def test_a_declared_baseline_fills_is_saved_and_evaluated(
    twin: xr.Dataset, tmp_path: Path
) -> None:
    assert baseline_names() == ("hold", "edge_mean", *BASELINES[1:])
    filled = twin.grace.fill(method="edge_mean").sel(satellite="B").compute()
    gap = slice(85_200, 87_900)
    own = twin["lin_accl"].sel(satellite="B").values
    expected = np.broadcast_to((own[85_199] + own[87_900]) / 2, (2700, 3))
    found = filled["lin_accl_filled"].values
    np.testing.assert_allclose(found[gap], expected, rtol=1e-12)
    assert (filled["lin_accl_fill_method"].values[gap] == 3).all()
    assert (filled["lin_accl_filled_sigma"].values[gap] > 0).all()

    early = twin.isel(time=slice(0, 100_000))
    model = gx.fit_baseline(early, method="edge_mean", recipient="B")
    assert model.scores["method"].values.tolist() == ["edge_mean"]
    again = gx.load_model(model.save(tmp_path / "edge.gracelstm"))
    assert isinstance(again.recipients["B"].baselines["edge_mean"], EdgeMean)
    report = twin.grace.evaluate(
        again, lengths=(30.0,), count=2, span=("2008-01-02T08", "2008-01-02T20")
    )
    assert report["method"].values.tolist() == ["edge_mean", "fill"]
    assert np.isfinite(report["rms"]).all()
    assert (report["best_baseline"] == "edge_mean").all()
    assert report["track"].sel({"method": "edge_mean"}).item() == "single"


@pytest.mark.usefixtures("edge_mean")
def test_a_message_about_an_unknown_method_names_it(twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match=r"hold, edge_mean, linear"):
        twin.grace.fill(method="spline")


def test_a_name_stands_for_one_method() -> None:
    with pytest.raises(ValueError, match="a second method 'lstm'"):
        register(Method("lstm", "interpolation", 1, EdgeMean, EDGE_MEAN.fit))
    with pytest.raises(ValueError, match=r"'guess' of method 'edge_mean'.*harmonic"):
        register(Method("edge_mean", "guess", 1, EdgeMean, EDGE_MEAN.fit))
    assert "edge_mean" not in METHODS
    assert baseline_names() == BASELINES
