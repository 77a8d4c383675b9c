"""The report on data the fit has not seen."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.evaluate import tasks as plan
from gracelstm_xr.evaluate.evaluation import evaluate
from gracelstm_xr.evaluate.report import write_report
from gracelstm_xr.evaluate.verdict import findings, verdict
from gracelstm_xr.filling.benchmark import rounds_of
from gracelstm_xr.filling.fit import load_frame
from gracelstm_xr.filling.model import FittedModel

pytestmark = pytest.mark.lstm
OPTIONS = {"lengths": (30.0, 300.0), "count": 2, "seed": 4}


@pytest.fixture(scope="module")
def report(model: FittedModel, twin: xr.Dataset) -> xr.Dataset:
    return evaluate(twin, model, **OPTIONS)


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
    assert report.attrs["verdict"].splitlines() == verdict(report)
    assert "Satellite B, axis x: fill() is" in report.attrs["verdict"]


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


def test_training_data_only_when_told_to_and_then_said(
    model: FittedModel, twin: xr.Dataset
) -> None:
    span = ("2008-01-01T12", "2008-01-01T15")
    options = {"lengths": (30.0,), "count": 1, "controls": False}
    seen = evaluate(twin, model, span=span, allow_training=True, **options)
    assert seen.attrs["evaluation_data"] == "partly training data of the fit"
    assert seen.attrs["evaluation_start"].startswith("2008-01-01T12")


def test_interrupted_work_is_taken_up_and_schedulers_agree(
    report: xr.Dataset,
    model: FittedModel,
    twin: xr.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = plan.score_part
    calls = []

    def failing(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return done(*args, **options)

    options = {**OPTIONS, "controls": False, "keep": tmp_path}
    with dask.config.set(scheduler="sync"):
        monkeypatch.setattr(plan, "score_part", failing)
        if len(list(planned_rounds(model, twin))) > 1:
            with pytest.raises(KeyboardInterrupt):
                evaluate(twin, model, **options)
        monkeypatch.setattr(plan, "score_part", done)
        whole = evaluate(twin, model, **options)
    kept = sorted(tmp_path.glob("*.npz"))
    assert len(kept) == len(list(planned_rounds(model, twin)))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("scored again")

    monkeypatch.setattr(plan, "score_part", refuse)
    again = evaluate(twin, model, **options)
    for other in (whole, again):
        for name in ("rms", "p95", "coverage", "skill_low", "regime_rms", "rms_solver"):
            np.testing.assert_array_equal(other[name], report[name])


def planned_rounds(model: FittedModel, twin: xr.Dataset) -> list[np.ndarray]:
    frame = load_frame(twin, model.recipients["B"].pair, model.split.test)
    return rounds_of(frame, model.split.test, model.recipients["B"], **OPTIONS)


def test_a_product_is_scored_less_its_offset(
    model: FittedModel, twin: xr.Dataset
) -> None:
    """The observations themselves, shifted and with a known error, as a product."""
    own = twin["lin_accl"]
    wave = 1e-9 * np.sin(np.arange(twin.sizes["time"]) / 7.0)
    made = own + 3e-7 + xr.DataArray(wave, dims="time")
    ds = twin.assign(lin_accl_act1b=made.transpose(*own.dims))
    score = evaluate(
        ds, model, products={"shifted": twin.assign(lin_accl=own - 1e-6)},
        controls=False, **OPTIONS,
    )  # fmt: skip
    rms = score["rms"].sel(gap_length=300.0, satellite="B")
    np.testing.assert_allclose(rms.sel({"method": "act1b"}), 1e-9 / 2**0.5, rtol=0.05)
    assert (rms.sel({"method": "shifted"}) < 1e-14).all()
    assert score["track"].sel({"method": "act1b"}).item() == "product"


def test_controls_come_out_as_they_must(report: xr.Dataset) -> None:
    passed = report["control_passed"].sel(satellite="B")
    assert passed.sel(test="wrong-day donor").item() == 1
    assert passed.sel(test="zero signal").item() == 1
    assert passed.sel(test="role swap").item() == -1
    rms = report["control_rms"].sel(satellite="B").sel({"method": "transplant"})
    worse = rms.sel(control="wrong-day donor") / rms.sel(control="as observed")
    assert float(worse.sel(axis="x")) > 2


def test_tables_hang_together(report: xr.Dataset) -> None:
    at = {"satellite": "B"}
    fill_ = report["rms"].sel({"method": "fill", **at})
    for length in report["gap_length"].values:
        for axis in "xyz":
            here = {"gap_length": length, "axis": axis}
            name = report["best_baseline"].sel(at | here).item()
            best = report["rms"].sel({"method": name, **at, **here})
            expected = float(fill_.sel(here) / best)
            assert (report["share"].sel({"method": name, **at, **here}) == 1).all()
            assert float(report["ratio"].sel(at | here)) == pytest.approx(expected)
    skill = 1 - fill_ / report["rms"].sel({"method": "transplant", **at})
    np.testing.assert_allclose(report["skill"].sel({"method": "fill", **at}), skill)
    low, high = report["rms_low"], report["rms_high"]
    assert ((low <= report["rms"]) & (report["rms"] <= high)).mean() > 0.9
    count = report["regime_count"].sel(**at)
    total = report["gap_count"].sel(**at) * report["gap_length"]
    for pair in (("firing", "no firing"), ("shadow crossing", "no crossing")):
        assert (count.sel(regime=list(pair)).sum("regime") == total).all()
    bands = count.sel(regime=["latitude 0-30", "latitude 30-60", "latitude 60-90"])
    assert (bands.sum("regime") == total).all()


class Outside(HTMLParser):
    """Collects what a page would fetch, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "poster", "srcset"):
                self.found.append(value or "")


def test_report_is_one_page_that_needs_nothing(
    report: xr.Dataset, model: FittedModel, tmp_path: Path
) -> None:
    paths = write_report(report, model, tmp_path / "report")
    assert sorted(p.name for p in paths) == sorted(
        p.name for p in (tmp_path / "report").iterdir()
    )
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    parser = Outside()
    parser.feed(page)
    assert all(value.startswith("#") for value in parser.found)
    assert not {"script", "link", "iframe", "img", "object"} & set(parser.tags)
    assert "@import" not in page
    assert all(target == "#" for target in re.findall(r"url\((.)", page))
    assert parser.tags.count("svg") >= 3
    assert parser.tags.count("svg") == parser.tags.count("figure")
    assert "simulated data" in page
    assert "Verdict" in page
    text = (tmp_path / "report" / "scores.txt").read_text(encoding="utf-8")
    for sentence in verdict(report):
        assert sentence in text
    with xr.open_dataset(tmp_path / "report" / "scores.nc") as back:
        np.testing.assert_array_equal(back["rms"], report["rms"])
        assert back.attrs["evaluation_data"] == "not seen by the fit"
    plain = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert plain["data_vars"]["gap_count"]["data"] == [[8, 8]]


def test_verdict_says_who_wins_and_by_how_much(report: xr.Dataset) -> None:
    made = report.copy(deep=True)
    at = {"axis": 0, "gap_length": 1, "satellite": 0}
    for name, value in (("ratio", 0.5), ("ratio_low", 0.4), ("ratio_high", 0.6)):
        made[name][at] = value
    other = {**at, "gap_length": 0}
    made["ratio_low"][other], made["ratio_high"][other] = 0.9, 1.1
    for end, apart in (("", 0.0), ("_low", -0.1), ("_high", 0.1)):
        made[f"coverage{end}"][{"level": 0, **at}] = 0.30 + apart
        made[f"coverage{end}"][{"level": 1, **at}] = 0.60 + apart
    made["sigma_factor"][at] = 2.5
    found = [f for f in findings(made, "B") if f.axis == "x" and f.length == 300.0]
    assert len(found) == 1
    assert found[0].outcome == "better"
    assert found[0].sigma == "too small"
    assert found[0].advice == "multiply sigma by 2.5"
    assert any("axis x" in t and "by 50 %" in t for t in verdict(made))
    # few gaps: 0.30 may as well be 0.65
    for level, high in ((0, 0.65), (1, 0.97)):
        made["coverage_high"][{"level": level, **at}] = high
    found = [f for f in findings(made, "B") if f.axis == "x" and f.length == 300.0]
    assert found[0].sigma == "honest"
    assert found[0].advice == "use fill() as it is"
    # more within one sigma, fewer within two: no factor mends that
    made["coverage_low"][{"level": 0, **at}] = 0.75
    made["coverage_high"][{"level": 1, **at}] = 0.85
    found = [f for f in findings(made, "B") if f.axis == "x" and f.length == 300.0]
    assert found[0].sigma == "too simple"
    assert found[0].advice == "use fill() as it is"
    made["ratio_low"][at], made["ratio_high"][at] = 1.1, 1.3
    made["best_baseline"][at] = "ridge"
    found = [f for f in findings(made, "B") if f.axis == "x" and f.length == 300.0]
    assert found[0].outcome == "worse"
    assert found[0].advice.startswith('use fill(method="ridge")')
