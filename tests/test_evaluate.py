"""The report on data the fit has not seen."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.evaluate import evaluate
from gracelstm_xr.lstm import FittedModel
from gracelstm_xr.lstm.fitting import score_span

pytestmark = pytest.mark.lstm
OPTIONS = {"lengths": (30.0, 300.0), "count": 2, "seed": 4}


@pytest.fixture(scope="module")
def report(model: FittedModel, twin: xr.Dataset) -> xr.Dataset:
    return evaluate(twin, model, **OPTIONS)


def test_table_agrees_with_the_errors(
    report: xr.Dataset, model: FittedModel, twin: xr.Dataset
) -> None:
    recipient = model.recipients["B"]
    errors = score_span(twin, model, recipient, model.split.test, **OPTIONS)
    assert report["satellite"].values.tolist() == ["B"]
    for name, values in errors.errors.items():
        for length in (30.0, 300.0):
            e = values[errors.length == length]
            found = report["rms"].loc[name, "B", :, length]
            np.testing.assert_allclose(found, np.sqrt((e**2).mean(axis=0)))
    assert report["gap_count"].values.tolist() == [[8, 2]]


def test_fill_is_scored_as_the_method_it_would_choose(
    report: xr.Dataset, model: FittedModel
) -> None:
    calibration = model.recipients["B"].calibration
    assert calibration is not None
    for length in (30.0, 300.0):
        row = calibration.nearest(length)
        for k, axis in enumerate("xyz"):
            at = report["rms"].loc[:, "B", axis, length]
            method = str(calibration.choice[row, k])
            assert float(at.loc["fill"]) == float(at.loc[method])


def test_coverage_is_a_part(report: xr.Dataset) -> None:
    coverage = report["coverage"]
    assert coverage.dims == ("level", "satellite", "axis", "gap_length")
    assert ((coverage >= 0) & (coverage <= 1)).all()
    assert (coverage.sel(level=0.95) >= coverage.sel(level=0.68)).all()
    # two gaps say little, but sigma is not off by a factor of ten
    assert float(coverage.sel(level=0.95).mean()) > 0.5


def test_report_says_what_it_is(report: xr.Dataset) -> None:
    assert "simulated" in report.attrs["source"]
    assert report.attrs["seed"] == 4
    assert report.attrs["evaluation_start"].startswith("2008-01-02T17")
    assert report["rms"].attrs["units"] == "m s-2"


@pytest.mark.parametrize(
    ("span", "what"),
    [
        (("2008-01-01T12", "2008-01-01T14"), "training"),
        (("2008-01-02T12", "2008-01-02T23"), "validation"),
    ],
)
def test_spans_the_fit_has_seen_are_refused(
    model: FittedModel, twin: xr.Dataset, span: tuple[str, str], what: str
) -> None:
    with pytest.raises(GraceError, match=what) as error:
        evaluate(twin, model, span=span)
    assert "\n" not in str(error.value)


def test_spans_without_data_are_refused(model: FittedModel, twin: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="2009-01-01"):
        evaluate(twin, model, span=("2009-01-01", "2009-01-02"))
    with pytest.raises(ValueError, match="swap"):
        evaluate(twin, model, span=("2008-01-04", "2008-01-03"))


def test_a_span_of_gaps_only(model: FittedModel, twin: xr.Dataset) -> None:
    dark = twin.copy()
    own = twin["lin_accl"].values.copy()
    own[1, 140_000:] = np.nan
    dark["lin_accl"] = (twin["lin_accl"].dims, own, twin["lin_accl"].attrs)
    with pytest.raises(NotEnoughDataError, match="span"):
        evaluate(dark, model, **OPTIONS)
