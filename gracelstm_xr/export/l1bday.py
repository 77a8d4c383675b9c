"""One accelerometer day file: which epochs it holds, and what its header says."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from gracelstm_xr import l1b
from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.core.conventions import FILL_METHODS
from gracelstm_xr.core.time import RegularAxis, datetime64_to_gps
from gracelstm_xr.errors import GraceError, number_of

#: Bit of ``acc_qualflg`` set on synthetic epochs; unused in official ACC1B files.
SYNTHETIC_BIT = 1
SUFFIX = {"binary": "dat", "ascii": "asc", "text": "txt"}
#: Spans listed one by one; the reader of JPL holds 100 header records in all.
MOST_SPANS = {"binary": 30, "ascii": 30, "text": 500}


@dataclasses.dataclass(frozen=True)
class Day:
    """What a day file is made of, besides its columns.

    Parameters
    ----------
    folder, name
        Where it goes.
    source
        Variable with the accelerations.
    product, satellite, format, release
        As in the name.
    axis
        Epochs of the day.
    flags
        Mask and meaning of the bits of the source's quality flag, empty for those of
        the product.
    condemning
        Bits of ``acc_cleanflg`` that make a sample missing.
    attributes
        Header attributes that stay true of the file; ``history`` is a list.
    created
        When, as the header says it.
    """

    folder: str
    name: str
    source: str
    product: str
    satellite: str
    format: str
    release: str
    axis: RegularAxis
    flags: tuple[tuple[int, str], ...]
    condemning: int
    attributes: Mapping[str, Any]
    created: str


@dataclasses.dataclass(frozen=True)
class DayReport:
    """What became of a day.

    Parameters
    ----------
    satellite, day
        Which one.
    path
        The file, None where there is nothing to write.
    records
        Epochs written.
    synthetic
        Of these, estimates, by method.
    partial
        Epochs left out because only some of x, y and z have a value.
    absent
        Epochs without any value.
    doubted
        Observed epochs written although cleaning has condemned them.
    marked
        Observed epochs whose source has set `SYNTHETIC_BIT` itself.
    """

    satellite: str
    day: str
    path: str | None = None
    records: int = 0
    synthetic: Mapping[str, int] = dataclasses.field(default_factory=dict)
    partial: int = 0
    absent: int = 0
    doubted: int = 0
    marked: int = 0


def write_day(day: Day, columns: Mapping[str, AnyArray]) -> DayReport:
    """Write one file and say what is in it; no file where no epoch is complete.

    Parameters
    ----------
    day : Day
        What is known without the data.
    columns : mapping of str to ndarray
        Variables of this satellite and day, time first.

    Raises
    ------
    GraceError
        The file cannot be written.
    """
    finite: AnyArray = np.isfinite(columns[day.source])
    present = cast(AnyArray, finite.all(axis=-1))
    methods = _methods(day, columns)[present]
    flags = columns.get("acc_qualflg", np.zeros(len(present), "uint8"))[present]
    bit = np.uint8(1 << SYNTHETIC_BIT)
    report = _report(day, columns, finite, methods)
    report = dataclasses.replace(
        report, marked=int(((flags.astype("uint8") & bit > 0) & (methods == 0)).sum())
    )
    if not present.any():
        return report
    seconds = cast(AnyArray, datetime64_to_gps(day.axis.values()[present])[0])
    data = {
        "gps_time": seconds.astype("int32"),
        "lin_accl": columns[day.source][present],
        "ang_accl": _or_zero(columns.get("ang_accl"), present),
        "acl_res": _or_zero(columns.get("acl_res"), present),
        "acc_qualflg": flags.astype("uint8") | np.where(methods > 0, bit, np.uint8(0)),
    }
    path = Path(day.folder) / day.name
    try:
        l1b.write(
            path,
            _layout(day),
            data,
            format=day.format,
            satellite=day.satellite,
            release=day.release,
            header=_header(day, report, _spans(methods, seconds)),
            overwrite=True,  # what stands there has been looked at before the run
        )
    except OSError as error:
        raise GraceError(
            f"{path}: {error.strerror or error} while writing it; the files finished "
            "so far are kept: remove the cause and run the same again"
        ) from error
    return dataclasses.replace(report, path=str(path))


def _methods(day: Day, columns: Mapping[str, AnyArray]) -> AnyArray:
    """Method of every epoch, 0 where observed."""
    methods = columns.get("lin_accl_fill_method")
    if day.source == "lin_accl_transplant":
        return np.full(len(columns[day.source]), _codes()["transplant"], "uint8")
    if methods is None or day.source == "lin_accl":
        return np.zeros(len(columns[day.source]), "uint8")
    # the axes of one epoch are filled together; the largest code says how
    worst = np.where(methods == _codes()["none"], 0, methods).max(axis=-1)
    return cast(AnyArray, worst)


def _report(
    day: Day, columns: Mapping[str, AnyArray], finite: AnyArray, methods: AnyArray
) -> DayReport:
    present = cast(AnyArray, finite.all(axis=-1))
    partial = finite.any(axis=-1) & ~present
    marks = columns.get("acc_cleanflg", np.zeros(len(present), "uint8"))[present]
    names = {code: name for name, code in _codes().items()}
    counts = zip(*np.unique(methods[methods > 0], return_counts=True), strict=True)
    return DayReport(
        satellite=day.satellite,
        day=str(day.axis.start.astype("datetime64[D]")),
        records=int(present.sum()),
        synthetic={names[int(code)]: int(n) for code, n in counts},
        partial=int(partial.sum()),
        absent=int((~finite.any(axis=-1)).sum()),
        doubted=int((((marks & day.condemning) > 0) & (methods == 0)).sum()),
    )


def _or_zero(values: AnyArray | None, present: AnyArray) -> AnyArray:
    """Values of the epochs written; 0, as in official files, where there is none."""
    if values is None:
        return np.zeros((int(present.sum()), 3))
    return np.nan_to_num(values[present], nan=0.0)


def _layout(day: Day) -> Any:
    """Layout of the product, with the flags of the source and the synthetic bit."""
    product = l1b.product_of(day.product, day.satellite)
    meanings = day.flags or product.flags.get("acc_qualflg", ())
    others = [f for f in meanings if f[0] != 1 << SYNTHETIC_BIT]
    named = sorted([*others, (1 << SYNTHETIC_BIT, "synthetic_sample")])
    flags = {**product.flags, "acc_qualflg": tuple(named)}
    return dataclasses.replace(product, flags=flags)


def _header(
    day: Day, report: DayReport, spans: list[tuple[str, int, int]]
) -> dict[str, Any]:
    """Provenance: inputs, what is synthetic and by what, then the rest.

    The most important comes first: a binary or ASCII header has room for 80 records
    after the fixed ones.
    """
    attributes = dict(day.attributes)
    history = [str(line) for line in attributes.pop("history", [])]
    inputs = [line for line in history if line.startswith("INPUT FILE")]
    past = [line for line in history if line not in inputs]
    lines = [*inputs, *_counts(day, report)]
    if spans:
        fills = [p for p in past if "filled" in p or "transplant" in p]
        lines += [f"synthetic epochs by: {line}" for line in fills[-1:]]
        past = [p for p in past if p not in fills[-1:]]
        lines += _listed(spans, MOST_SPANS[day.format])
    if source := attributes.get("source"):
        lines.append(f"made from: {source}")
    attributes["history"] = [*lines, *past]
    stamp = f"{day.created} by gracelstm_xr"
    plain = day.created.replace(" ", "T") + "Z"
    attributes["date_created"] = plain if day.format == "text" else stamp
    attributes["date_completed"] = stamp
    return attributes


def _counts(day: Day, report: DayReport) -> list[str]:
    total = sum(report.synthetic.values())
    lines = [
        f"{day.source}: {report.records} of {number_of(day.axis.size, 'epoch')} "
        f"written, {report.records - total} observed"
    ]
    if total:
        kinds = ", ".join(f"{n} {name}" for name, n in report.synthetic.items())
        lines.append(
            f"{number_of(total, 'synthetic epoch')}, flag bit {SYNTHETIC_BIT} set: "
            f"{kinds}"
        )
    else:
        lines.append("no synthetic epochs")
    if report.partial:
        lines.append(
            f"{number_of(report.partial, 'epoch')} left out: only some of x, y, z known"
        )
    if report.doubted:
        lines.append(
            f"{number_of(report.doubted, 'observed epoch')} that cleaning doubts"
        )
    if report.marked:
        lines.append(
            f"{number_of(report.marked, 'observed epoch')} had flag bit "
            f"{SYNTHETIC_BIT} set before"
        )
    return lines


def _listed(spans: list[tuple[str, int, int]], most: int) -> list[str]:
    """One line per span, the longest ones where there are too many."""
    chosen = sorted(spans, key=lambda s: s[1] - s[2])[:most]
    lines = [f"{m} GPS {a} to {b}" for m, a, b in sorted(chosen, key=lambda s: s[1])]
    if rest := len(spans) - len(chosen):
        epochs = sum(b - a + 1 for _, a, b in spans)
        epochs -= sum(b - a + 1 for _, a, b in chosen)
        lines.append(
            f"and {number_of(rest, 'shorter span')}, {number_of(epochs, 'epoch')}; "
            "see the flags"
        )
    return lines


def _spans(methods: AnyArray, seconds: AnyArray) -> list[tuple[str, int, int]]:
    """Method, first and last GPS second of every run of one method."""
    step = int(np.diff(seconds).min()) if len(seconds) > 1 else 1
    breaks = (np.diff(methods) != 0) | (np.diff(seconds) > step)
    edges = np.flatnonzero(np.concatenate([[True], breaks, [True]]))
    names = {code: name for name, code in _codes().items()}
    return [
        (names[int(methods[a])], int(seconds[a]), int(seconds[b - 1]))
        for a, b in itertools.pairwise(edges)
        if methods[a] > 0
    ]


def _codes() -> dict[str, int]:
    return FILL_METHODS
