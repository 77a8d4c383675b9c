"""Write the two kinds of Level-1B header, complete and true."""

from __future__ import annotations

import datetime as dt
import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from gracelstm_xr.errors import number_of
from gracelstm_xr.l1b.header import ATTRIBUTE_OF_LABEL
from gracelstm_xr.l1b.model import GPS_EPOCH, Attribute, Field, Product
from gracelstm_xr.l1b.products import PRODUCTS, is_grace_fo
from gracelstm_xr.missions import PAIRS

_VALUE_WIDTH = 47  # columns 33 to 79: JPL leaves the last column blank
# JPL's reader has room for 100 header records, the end mark among them.
_MOST_RECORDS = 99
_INPUT = re.compile(r"^((?:INPUT FILE|HISTORY)[^:]*?)\s*:\s*(.*)$")
_UNKNOWN = "not recorded"
_PLAIN = re.compile(r"^[A-Za-z0-9/(][A-Za-z0-9 _.,;/()<>+=@*~^%-]*$")
_NON_STANDARD = ("epoch_time", "software_build_time", "software_version")
# Recomputed, or true of another file only.
_NOT_CARRIED = {
    *("file_type", "file_name", "producer_agency", "date_completed"),
    *("start_time_epoch_secs", "stop_time_epoch_secs"),
    *("time_coverage_start", "time_coverage_end", "time_coverage_stop"),
}


@dataclass(frozen=True)
class Content:
    """What a header has to say about the body it stands before.

    `first` and `last` are the extreme time tags [ns past the epoch], None
    without records; `body_bytes` is the length of the body.
    """

    product: Product
    satellite: str
    release: str
    name: str
    records: int
    first: int | None
    last: int | None
    body_bytes: int
    attributes: Mapping[str, Attribute]

    def text(self, key: str, default: str = _UNKNOWN) -> str:
        """Return an attribute as one line of text."""
        value = self.attributes.get(key, default)
        return " ".join(str(value).splitlines()).strip() or default


def _platform(satellite: str) -> str:
    named = {letter: both for both, letter in PAIRS.items()}
    return f"GRACE {named.get(satellite, satellite)}"


def _file_type(product: Product) -> int:
    """Code of the layout; products that share it borrow the code."""
    same = (
        p.file_type
        for p in PRODUCTS.values()
        if p.file_type_name == product.file_type_name
    )
    return next((code for code in same if code is not None), 0)


def _stamp(ns: int | None) -> str:
    """``<seconds>.<microseconds> (<calendar>)`` of a time tag."""
    micro = (ns or 0) // 1000
    moment = GPS_EPOCH + dt.timedelta(microseconds=micro)
    calendar = moment.strftime("%Y-%m-%d %H:%M:%S") + f".{moment.microsecond:06d}"[:3]
    seconds, fraction = divmod(micro, 1_000_000)
    return f"{seconds}.{fraction:06d} ({calendar})"


def _history(content: Content) -> list[tuple[str, str]]:
    """Header records of the processing history; long texts take several."""
    entries = content.attributes.get("history", [])
    history: list[tuple[str, str]] = []
    for entry in entries if isinstance(entries, list) else str(entries).splitlines():
        match = _INPUT.match(entry)
        if match and len(match[1]) <= 30:
            history.append((match[1], match[2]))
        else:
            lines = textwrap.wrap(entry, _VALUE_WIDTH)
            history += [("HISTORY", line) for line in lines]
    room = _MOST_RECORDS - len(_fixed_labels(content))
    if len(history) > room:
        left = len(history) - room + 1
        history = [
            *history[: room - 1],
            ("HISTORY", f"{number_of(left, 'more line')} left out"),
        ]
    return history


_DEFAULTS = {
    "producer_agency": "none",
    "institution": "gracelstm_xr",
    "software_version": "gracelstm_xr",
    "references": "GRACE Level 1 Software Handbook",
}


def _fixed_labels(content: Content) -> list[str]:
    """Labels of the 19 records that every legacy header starts with."""
    link = "BUILD" if is_grace_fo(content.satellite) else "LINK"
    return [
        *("PRODUCER AGENCY", "PRODUCER INSTITUTION"),
        f"FILE TYPE {content.product.file_type_name}",
        *("FILE FORMAT 0=BINARY 1=ASCII", "NUMBER OF HEADER RECORDS"),
        *("SOFTWARE VERSION", f"SOFTWARE {link} TIME", "REFERENCE DOCUMENTATION"),
        *("SATELLITE NAME", "SENSOR NAME", "TIME EPOCH (GPS TIME)"),
        *("TIME FIRST OBS(SEC PAST EPOCH)", "TIME LAST OBS(SEC PAST EPOCH)"),
        *("NUMBER OF DATA RECORDS", "PRODUCT CREATE START TIME(UTC)"),
        *("PRODUCT CREATE END TIME(UTC)", "FILESIZE (BYTES)", "FILENAME"),
        "PROCESS LEVEL (1A OR 1B)",
    ]


def _computed(content: Content, count: int, *, binary: bool) -> dict[str, str]:
    """Values that follow from the data, by label; `count` records before the end."""
    product = content.product
    return {
        f"FILE TYPE {product.file_type_name}": str(_file_type(product)),
        "FILE FORMAT 0=BINARY 1=ASCII": "0" if binary else "1",
        "NUMBER OF HEADER RECORDS": str(count),
        "SATELLITE NAME": _platform(content.satellite),
        "TIME EPOCH (GPS TIME)": "2000-01-01 12:00:00",
        "TIME FIRST OBS(SEC PAST EPOCH)": _stamp(content.first),
        "TIME LAST OBS(SEC PAST EPOCH)": _stamp(content.last),
        "NUMBER OF DATA RECORDS": str(content.records),
        "FILESIZE (BYTES)": str((count + 1) * 81 + content.body_bytes),
        "FILENAME": content.name,
        "PROCESS LEVEL (1A OR 1B)": "1B",
    }


def legacy_header(content: Content, *, binary: bool) -> bytes:
    """Header of 81-byte records; its size is part of ``FILESIZE``."""
    defaults = {**_DEFAULTS, "instrument": content.product.sensor}
    carried = {
        label: content.text(key, defaults.get(key, _UNKNOWN))
        for label, key in ATTRIBUTE_OF_LABEL.items()
    }
    labels, history = _fixed_labels(content), _history(content)
    values = carried | _computed(content, len(labels) + len(history), binary=binary)
    records = [(label, values[label]) for label in labels] + history
    lines = [f"{label:<30}: {text[:_VALUE_WIDTH]:<48}" for label, text in records]
    lines.append(f"{'END OF HEADER':<80}")
    return "".join(f"{line}\n" for line in lines).encode("ascii", "replace")


def _scalar(value: object) -> str:
    """Write one YAML scalar, quoted where a plain one would be misread."""
    text = " ".join(str(value).split())
    if _PLAIN.match(text) and not text.endswith(" "):
        return text
    return json.dumps(text, ensure_ascii=True)


def _entries(values: Mapping[str, Attribute], indent: str) -> list[str]:
    lines: list[str] = []
    for key in sorted(values):
        value = values[key]
        if not isinstance(value, list):
            lines.append(f"{indent}{key}: {_scalar(value)}")
        elif value:
            lines.append(f"{indent}{key}:")
            lines += [f"{indent}  - {json.dumps(str(v))}" for v in value]
        else:
            lines.append(f"{indent}{key}: []")
    return lines


def _calendar(ns: int | None) -> str:
    moment = GPS_EPOCH + dt.timedelta(microseconds=(ns or 0) // 1000)
    return moment.isoformat(timespec="microseconds")


def yaml_header(content: Content) -> bytes:
    """YAML header of a GRACE-FO text file, from ``header:`` to its end mark."""
    carried = {k: v for k, v in content.attributes.items() if k not in _NOT_CARRIED}
    attributes: dict[str, Attribute] = {
        "Conventions": "CF-1.6, ACDD-1.3, ISO 8601",
        "date_created": _UNKNOWN,
        "history": [],
        "institution": "gracelstm_xr",
        "instrument": content.product.sensor,
        "title": content.product.title,
        **carried,
        "id": content.name.rsplit(".", 1)[0],
        "platform": _platform(content.satellite),
        "processing_level": "1B",
        "product_version": content.release,
        "time_coverage_start": _calendar(content.first),
        "time_coverage_stop": _calendar(content.last),
    }
    attributes["conventions"] = attributes.pop("Conventions")
    other: dict[str, Attribute] = {
        "epoch_time": "2000-01-01T12:00:00.000000",
        "software_build_time": attributes.get("software_build_time", _UNKNOWN),
        "software_version": attributes.get("software_version", "gracelstm_xr"),
        "start_time_epoch_secs": (content.first or 0) // 1_000_000_000,
        "stop_time_epoch_secs": (content.last or 0) // 1_000_000_000,
    }
    for key in _NON_STANDARD:
        attributes.pop(key, None)
    lines = [
        "header:",
        "  dimensions:",
        f"    num_records: {content.records}",
        "  global_attributes:",
        *_entries(attributes, "    "),
        "  non-standard_attributes:",
        *_entries(other, "    "),
        "  variables:",
        *_variables(content),
        "# End of YAML header",
    ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _variables(content: Content) -> list[str]:
    lines: list[str] = []
    number = 0
    for f in content.product.text_fields:
        for column in f.columns:
            number += 1
            renamed = column == "GRACE_id" and is_grace_fo(content.satellite)
            lines.append(f"    - {'GRACEFO_id' if renamed else column}:")
            lines.append(f"        comment: {_ordinal(number)} column")
            lines += _details(f, content.product)
    return lines


def _details(f: Field, product: Product) -> list[str]:
    kinds = {"flag": "qualityInformation", "value": "physicalMeasurement"}
    coverage = kinds.get(f.kind, "referenceInformation")
    lines = [f"coverage_content_type: {coverage}"]
    if f.kind == "flag":
        meanings = dict(product.flags.get(f.name, ()))
        masks = ", ".join(f"{1 << b}b" for b in range(8))
        lines += [f"flag_masks: {masks}", "flag_meanings:"]
        lines += [
            f"  - bit {b} = {meanings.get(1 << b, 'Not defined')}" for b in range(8)
        ]
    text = f.long_name + (", rightmost is bit 0" if f.kind == "flag" else "")
    lines.append(f"long_name: {_scalar(text)}")
    if f.units:
        lines.append(f"units: {_scalar(f.units)}")
    return [f"        {line}" for line in lines]


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else suffix}"
