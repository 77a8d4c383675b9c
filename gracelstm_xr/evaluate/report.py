"""A score as files: netCDF, JSON, text, and one HTML page that needs nothing else."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gracelstm_xr import plot
from gracelstm_xr.arrays import Array
from gracelstm_xr.core.labels import length_label
from gracelstm_xr.errors import GraceError
from gracelstm_xr.evaluate.page import (
    badge,
    bullets,
    joined,
    page,
    paragraph,
    section,
    table,
)
from gracelstm_xr.evaluate.text import score_table
from gracelstm_xr.evaluate.verdict import findings, verdict
from gracelstm_xr.files import PROGRAM, check_output, stamp, write_text, writing
from gracelstm_xr.filling.choice import COMPLETE
from gracelstm_xr.plot.style import origin

if TYPE_CHECKING:
    from markupsafe import Markup

    from gracelstm_xr.filling.model import FittedModel

#: Gap lengths side by side in a table that is read without scrolling.
COLUMNS = 7
NANO = 1e9
UNIT = "nm s\u207b\u00b2"


def check_report(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder in which a report would replace what may not be replaced.

    Raises
    ------
    GraceError
        It names the first such file.
    """
    for path in _paths(folder):
        kind = "netCDF file" if path.suffix == ".nc" else "report"
        check_output(path, overwrite=overwrite, kinds=(kind,))


def _paths(folder: Path) -> list[Path]:
    return [
        folder / "report.html",
        *(folder / f"scores.{kind}" for kind in ("nc", "json", "txt")),
    ]


def write_report(
    score: xr.Dataset, model: FittedModel, folder: Path, *, overwrite: bool = False
) -> list[Path]:
    """Write a score into a folder.

    Parameters
    ----------
    score : xarray.Dataset
        From ``evaluate``.
    model : FittedModel
        Its training curve is drawn.
    folder : pathlib.Path
        Made when it is not there.
    overwrite : bool, optional
        Replace a report that is there.

    Returns
    -------
    list of pathlib.Path
        ``report.html``, a page with figures inside that opens offline;
        ``scores.nc``; ``scores.json``, the same tables as plain values (null for
        what is unknown); ``scores.txt``, RMS errors and the verdict.
    """
    import h5py

    check_report(folder, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    paths = report, numbers, plain, text = _paths(folder)
    with writing(numbers, replace=overwrite) as work:
        score.to_netcdf(work)
        with h5py.File(work, "r+") as file:
            stamp(file)
    said = {"generator": PROGRAM, **_plain(score.to_dict())}
    write_text(plain, json.dumps(said, indent=1), replace=overwrite)
    lines = [score_table(score), "", *verdict(score), "", f"written by {PROGRAM}"]
    write_text(text, "\n".join(lines) + "\n", replace=overwrite)
    write_text(report, html(score, model), replace=overwrite)
    return list(paths)


def _plain(value: Any) -> Any:
    """Value that JSON can hold; numbers that are not finite become null or text."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else None
    return value


def html(score: xr.Dataset, model: FittedModel) -> str:
    """The report as one HTML page.

    Figures are inline SVG; there is no script and no reference to anything outside.

    Parameters
    ----------
    score : xarray.Dataset
        From ``evaluate``.
    model : FittedModel

    Returns
    -------
    str
    """
    kind = origin(score)
    parts = [badge(kind), _what(score, kind)]
    parts.append(section("Verdict", bullets(verdict(score))))
    parts += [
        section(f"Satellite {letter}", joined(_satellite(score, letter)))
        for letter in map(str, score["satellite"].values)
    ]
    parts.append(section("Training", _figure(lambda: _training(model))))
    parts.append(section("How this was done", _method(score)))
    return page(f"Evaluation of filled accelerations, {kind}", joined(parts))


def _what(score: xr.Dataset, kind: str) -> Markup:
    start, stop = (score.attrs.get(f"evaluation_{k}", "") for k in ("start", "stop"))
    seen = str(score.attrs.get("evaluation_data", ""))
    told = paragraph(
        f"{score.attrs.get('source', kind)}. Gaps hidden from {start} to {stop} (GPS), "
        f"seed {score.attrs.get('seed', '')}; {seen}. {score.attrs.get('model', '')}"
    )
    if seen.startswith("partly"):
        warning = (
            "Scored on data the model has seen: the errors are too small and say "
            "nothing about other data."
        )
        told = paragraph(warning, kind="warning") + told
    return told


def _satellite(score: xr.Dataset, letter: str) -> Iterator[Markup]:
    yield _findings(score, letter)
    yield _figure(lambda: plot.evaluation_figure(score, satellite=letter))
    yield _all_methods(score, letter)
    if "rms_solver" in score:
        yield _solver(score, letter)
    if "coverage" in score and np.isfinite(score["coverage"]).any():
        yield _figure(lambda: plot.coverage(score, satellite=letter).figure)
    if "regime_rms" in score:
        yield _regimes(score, letter)
    if "error_asd" in score:
        for axis in map(str, score["axis"].values):
            yield _figure(partial(_spectrum, score, letter, axis))
        yield _bands(score, letter)
    if "control_rms" in score:
        yield _controls(score, letter)


def _spectrum(score: xr.Dataset, letter: str, axis: str) -> Any:
    return plot.error_spectrum(score, satellite=letter, axis=axis).figure


def _findings(score: xr.Dataset, letter: str) -> Markup:
    """Fill against the best baseline, by length and axis."""
    rows = [
        [
            length_label(f.length), f.axis, _nano(f.rms), f"{_nano(f.baseline_rms)} "
            f"{f.baseline}", f"{f.ratio:.2f} ({f.low:.2f} to {f.high:.2f})", f.outcome,
            *(_share(w) for w in f.within), f.sigma, f.advice,
        ]
        for f in findings(score, letter)
    ]  # fmt: skip
    head = ["gap", "axis", f"fill [{UNIT}]", f"best baseline [{UNIT}]", "ratio (95 %)",
            "fill is", "68 %", "95 %", "sigma", "what to do"]  # fmt: skip
    caption = "fill() against the best baseline, RMS on the samples that both have"
    return table(head, rows, caption=caption)


def _all_methods(score: xr.Dataset, letter: str) -> Markup:
    """RMS and 95th percentile of every method."""
    tables = []
    share = _of_satellite(score, "share", letter)
    sees = dict(zip(score["method"].values, score["track"].values, strict=True))
    for name, what in (("rms", "RMS error"), ("p95", "Error not exceeded in 95 %")):
        values = _of_satellite(score, name, letter)
        rows = [
            [str(method), str(sees[method]), *_cells(row, seen)]
            for method, row, seen in zip(
                values["method"].values, values.values, share.values, strict=True
            )
        ]
        caption = (
            f"{what} on x, y, z [{UNIT}] by gap length; in parentheses where a method "
            "has no estimate for a tenth of the samples or more, the harder ones"
        )
        head = ["method", "sees", *_lengths(values)]
        tables.append(_table(head, rows, caption=caption, fixed=2))
    return joined(tables)


def _of_satellite(score: xr.Dataset, name: str, letter: str) -> xr.DataArray:
    """A table of one satellite over method, another dimension and axis."""
    values = score[name].sel(satellite=letter)
    return values.transpose("method", ..., "axis")


def _lengths(values: xr.DataArray) -> list[str]:
    return [length_label(float(x)) for x in values["gap_length"].values]


def _cells(row: Array, share: Array | None = None) -> list[str]:
    """Errors (column, axis) as texts; nothing where all of a column are unknown."""
    told = np.ones(row.shape) if share is None else share
    return [
        " ".join(
            f"({_nano(v)})" if 0 < part < COMPLETE else _nano(v)
            for v, part in zip(cell, parts, strict=True)
        )
        if np.isfinite(cell).any()
        else ""
        for cell, parts in zip(row, told, strict=True)
    ]


def _table(
    head: list[str], rows: list[list[str]], *, caption: str, fixed: int
) -> Markup:
    """A table without empty columns and rows, in parts that fit on a screen.

    Parameters
    ----------
    head, rows, caption
        As in `gracelstm_xr.evaluate.page.table`.
    fixed : int
        Columns that name a row, repeated in every part.
    """
    names = range(fixed)
    told = [k for k in range(fixed, len(head)) if any(row[k] for row in rows)]
    parts = []
    for first in range(0, len(told), COLUMNS):
        columns = told[first : first + COLUMNS]
        shown = [
            [*row[:fixed], *(row[k] or "-" for k in columns)]
            for row in rows
            if any(row[k] for k in columns)
        ]
        parts.append(
            table([head[k] for k in (*names, *columns)], shown, caption=caption)
        )
        caption = "continued"
    return joined(parts)


def _solver(score: xr.Dataset, letter: str) -> Markup:
    values = _of_satellite(score, "rms_solver", letter)
    rows = [
        [str(m), *_cells(row)]
        for m, row in zip(values["method"].values, values.values, strict=True)
    ]
    return _table(
        ["method", *_lengths(values)], rows, fixed=1,
        caption="RMS error on x, y, z after what a gravity solver re-estimates: bias "
        f"(cubic spline, 6 h nodes) and daily scale [{UNIT}]",
    )  # fmt: skip


def _regimes(score: xr.Dataset, letter: str) -> Markup:
    values = score["regime_rms"].sel(satellite=letter)
    methods = [m for m in ("transplant", "ridge", "lstm", "fill")
               if m in score["method"].values]  # fmt: skip
    count = score["regime_count"].sel(satellite=letter)
    rows = []
    for regime in map(str, score["regime"].values):
        for method in methods:
            part = values.sel({"regime": regime, "method": method})
            number = int(count.sel(regime=regime).sum())
            cells = _cells(part.transpose("gap_length", "axis").values)
            rows.append([regime, str(number), method, *cells])
    return _table(
        ["regime", "samples", "method", *_lengths(values)], rows, fixed=3,
        caption=f"RMS error on x, y, z by regime [{UNIT}]",
    )  # fmt: skip


def _bands(score: xr.Dataset, letter: str) -> Markup:
    values = _of_satellite(score, "band_rms", letter)
    rows = [
        [str(m), *_cells(row)]
        for m, row in zip(values["method"].values, values.values, strict=True)
    ]
    return _table(
        ["method", *map(str, values["band"].values)], rows, fixed=1,
        caption=f"RMS error on x, y, z by frequency, gaps of 6 h and more [{UNIT}]",
    )  # fmt: skip


def _controls(score: xr.Dataset, letter: str) -> Markup:
    passed = score["control_passed"].sel(satellite=letter)
    words = {1: "passed", 0: "failed", -1: "not tested"}
    results = [
        [str(t), words[int(v)]]
        for t, v in zip(passed["test"].values, passed.values, strict=True)
    ]
    values = _of_satellite(score, "control_rms", letter)
    rows = [
        [str(m), *_cells(row)]
        for m, row in zip(values["method"].values, values.values, strict=True)
    ]
    return table(["control", "result"], results, caption="Controls") + _table(
        ["method", *map(str, values["control"].values)], rows, fixed=1,
        caption=f"RMS error on x, y, z in the gaps of the controls [{UNIT}]",
    )  # fmt: skip


def _method(score: xr.Dataset) -> Markup:
    noise = " ".join(_nano(v) for v in score["observation_noise"].values)
    texts = (
        "Contiguous spans of observations were hidden, at positions from the seed, the "
        "same for every method; each method filled them from what was left; errors "
        "are estimate minus observation. 'All data' hides everything the recipient "
        "observed.",
        "Intervals are of 95 %, from a bootstrap over gaps, or over revolutions where "
        "gaps are longer than two of them. Ratios and skill resample both methods "
        "together.",
        "After a gravity solver: the error series of an arc, the error in the gap and "
        "zero for 12 h on either side, less the least-squares fit of a cubic spline "
        "with nodes every 6 h and of the observed signal day by day.",
        f"Noise of an observation (design, below 35 mHz): {noise} {UNIT} on "
        "x, y, z. 'firing': within 30 s of a firing of either satellite; 'shadow "
        "crossing': within 70 s of penumbra; 'disturbed': activity above twice its "
        "median.",
    )
    return joined(paragraph(text) for text in texts)


def _training(model: FittedModel) -> Any:
    try:
        return plot.training(model).figure
    except GraceError:
        return None


def _figure(draw: Callable[[], Any]) -> Markup:
    """A figure as SVG inside the page; nothing where there is none to draw."""
    import matplotlib as mpl
    from markupsafe import Markup
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "gracelstm", "svg.fonttype": "path"}):
        figure = draw()
        if figure is None:
            return paragraph("A model without a network has no training curve.")
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    # what describes the file format refers to the net
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    return Markup(f"<figure>{drawing}</figure>")


def _nano(value: float) -> str:
    if not np.isfinite(value):
        return "-"
    scaled = value * NANO
    return f"{scaled:.2f}" if abs(scaled) < 10 else f"{scaled:.0f}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if np.isfinite(value) else "-"
