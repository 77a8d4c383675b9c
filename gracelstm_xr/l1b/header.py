"""Read the two kinds of Level-1B header: 81-byte records, and YAML.

The content decides the kind and the format, never the suffix. A header is
read up to its end mark only; the body of the file is not touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO, Any

from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.l1b.model import (
    Attribute,
    FileName,
    Flags,
    Format,
    Header,
    parse_name,
)
from gracelstm_xr.l1b.products import product_of
from gracelstm_xr.l1b.source import Source, beginning, parsing
from gracelstm_xr.missions import MISSIONS, PAIRS

LEGACY_START = b"PRODUCER AGENCY"
LEGACY_END = b"END OF HEADER"
YAML_START = b"header:"
YAML_END = b"# End of YAML header"
LABEL_WIDTH = 30
_LIMIT = 8 << 20  # no header is near this; stops a scan through a foreign file

_DEEPEST = 20  # levels of a YAML header; real ones have 9
_HIGHEST_BIT = 63

ATTRIBUTE_OF_LABEL = {
    "PRODUCER AGENCY": "producer_agency",
    "PRODUCER INSTITUTION": "institution",
    "SOFTWARE VERSION": "software_version",
    "SOFTWARE LINK TIME": "software_build_time",
    "SOFTWARE BUILD TIME": "software_build_time",
    "REFERENCE DOCUMENTATION": "references",
    "SATELLITE NAME": "platform",
    "SENSOR NAME": "instrument",
    "TIME EPOCH (GPS TIME)": "epoch_time",
    "PRODUCT CREATE START TIME(UTC)": "date_created",
    "PRODUCT CREATE END TIME(UTC)": "date_completed",
    "FILENAME": "file_name",
    "PROCESS LEVEL (1A OR 1B)": "processing_level",
}
"""ACDD-like attribute for each label of the legacy header."""

# Two YAML keys that ACDD and CF spell otherwise.
_RENAMED = {"time_coverage_stop": "time_coverage_end", "conventions": "Conventions"}
_UNDEFINED = re.compile(r"^(not[ _]defined|undefined|unused|not[ _]used)\b", re.I)
_BITS = re.compile(r"^\s*bits?\s+(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*[=:]\s*(.*)$", re.I)


def read_until_end(stream: IO[bytes], source: Source) -> bytes:
    """Read from the start of a stream to the end of its header (or a bit more).

    Raises
    ------
    L1BFormatError
        The content is empty, no Level-1B file, or the header has no end.
    """
    data = stream.read(4096)
    while header_length(data, source) is None:
        more = stream.read(65536)
        if not more or len(data) > _LIMIT:
            mark = LEGACY_END if data.startswith(LEGACY_START) else YAML_END
            raise L1BFormatError(
                f"{os.fspath(source)}: the header has no end, expected a line "
                f"{mark.decode()!r}; the file is cut short, download it again"
            )
        data += more
    return data


def header_length(data: bytes, source: Source) -> int | None:
    """Return the bytes up to the first data byte, or None when the end is not in."""
    if data.startswith(LEGACY_START):
        mark = LEGACY_END
    elif data.startswith(YAML_START):
        mark = YAML_END
    else:
        raise L1BFormatError(_not_l1b(data, source))
    position = data.find(b"\n" + mark)
    if position < 0:
        # Some text versions write the mark as a comment.
        position = data.find(b"\n# " + mark)
    if position < 0:
        return None
    end = data.find(b"\n", position + 1)
    return None if end < 0 else end + 1


def _not_l1b(data: bytes, source: Source) -> str:
    name = os.fspath(source)
    if not data:
        return f"{name}: the file is empty; download it again"
    if data[257:262] == b"ustar":
        return f"{name} is a tar archive; name a member: tar://MEMBER::{name}"
    return (
        f"{name}: not a Level-1B file: {beginning(data)}; expected "
        f"{LEGACY_START.decode()!r} or {YAML_START.decode()!r}"
    )


def parse_header(data: bytes, source: Source) -> Header:
    """Parse the header at the start of `data` (which holds at least all of it).

    Raises
    ------
    L1BFormatError
        Not a Level-1B file, a header without end, an unknown product, or a
        product that contradicts the file type in the header.
    """
    length = header_length(data, source)
    if length is None:
        raise L1BFormatError(
            f"{os.fspath(source)}: the header has no end; the file is cut short, "
            "download it again"
        )
    text = data[:length].decode("utf-8", "replace")
    with parsing(source):
        if data.startswith(LEGACY_START):
            return _parse_legacy(text, length, source)
        return _parse_yaml(text, length, source)


def _legacy_fields(text: str) -> tuple[dict[str, str], list[str]]:
    """Values by label, and the repeated history records in their order."""
    fields: dict[str, str] = {}
    history: list[str] = []
    for line in text.splitlines():
        label, value = line[:LABEL_WIDTH].strip(), line[LABEL_WIDTH + 2 :].strip()
        if label.startswith(("INPUT FILE", "HISTORY")):
            history.append(f"{label} : {value}")
        elif line[LABEL_WIDTH : LABEL_WIDTH + 1] == ":":
            fields[label] = value
    return fields, history


def _parse_legacy(text: str, length: int, source: Source) -> Header:
    fields, history = _legacy_fields(text)
    attributes: dict[str, Attribute] = {
        name: fields[label]
        for label, name in ATTRIBUTE_OF_LABEL.items()
        if label in fields
    }
    file_type = next((k for k in fields if k.startswith("FILE TYPE")), "FILE TYPE")
    attributes["file_type"] = f"{file_type[9:].strip()} {fields.get(file_type, '')}"
    attributes["history"] = history
    start = _first_number(fields.get("TIME FIRST OBS(SEC PAST EPOCH)"))
    stop = _first_number(fields.get("TIME LAST OBS(SEC PAST EPOCH)"))
    _add_coverage(attributes, fields)
    satellite = _satellite(fields.get("SATELLITE NAME", ""))
    name = _identify(
        source,
        fields.get("FILENAME", ""),
        satellite,
        _first_number(fields[file_type]) if file_type in fields else None,
    )
    attributes["product_version"] = name.release
    attributes["id"] = str(name).rsplit(".", 1)[0]
    code = _first_number(fields.get("FILE FORMAT 0=BINARY 1=ASCII"))
    layout: Format = "binary" if code == 0 else "ascii"
    return Header(
        kind="legacy",
        format=layout,
        product=name.product,
        satellite=satellite or name.satellite,
        release=name.release,
        records=_first_number(fields.get("NUMBER OF DATA RECORDS")),
        start=start,
        stop=stop,
        attributes=attributes,
        nbytes=length,
        file_size=_first_number(fields.get("FILESIZE (BYTES)")),
    )


def _add_coverage(attributes: dict[str, Attribute], fields: dict[str, str]) -> None:
    for label, seconds, calendar in (
        ("TIME FIRST OBS(SEC PAST EPOCH)", "start_time_epoch_secs", "start"),
        ("TIME LAST OBS(SEC PAST EPOCH)", "stop_time_epoch_secs", "end"),
    ):
        number = _first_number(fields.get(label))
        if number is not None:
            attributes[seconds] = number
        stamp, closed, _ = fields.get(label, "").partition("(")[2].rpartition(")")
        if closed:
            text = stamp.strip().replace(" ", "T")
            attributes[f"time_coverage_{calendar}"] = text


def _first_number(value: object) -> int | None:
    """Whole part of the number a text starts with, None when there is none."""
    # 18 digits: it fits any integer type, and a longer one is no count and no time
    match = (
        re.match(r"\s*[-+]?\d{1,18}(?!\d)", value) if isinstance(value, str) else None
    )
    return int(match[0]) if match else None


def _satellite(platform: str) -> str:
    """Letter of a platform name; the pairs A+B and C+D are X and Y."""
    letters = platform.replace(" ", "")
    for mission in reversed(MISSIONS):
        letters = letters.replace(mission.name, "")
    letter = PAIRS.get("+".join(sorted(letters.split("+"))), letters)
    return letter if any(letter in tuple(m.letters) for m in MISSIONS) else ""


def _identify(
    source: Source, inner: str, satellite: str, file_type: int | None
) -> FileName:
    """Choose between the name of the file and the name in its header.

    The file type code is shared by several products, so it only rules out.
    """
    names = [n for n in (parse_name(os.fspath(source)), parse_name(inner)) if n]
    if not names:
        raise L1BFormatError(
            f"{os.fspath(source)}: neither the file name nor the header names the "
            "product; rename the file to PRDID_YYYY-MM-DD_S_RR.EXT"
        )
    for name in names:
        try:
            expected = product_of(name.product, satellite or name.satellite).file_type
        except L1BFormatError as error:
            raise L1BFormatError(f"{os.fspath(source)}: {error}") from error
        if None in (expected, file_type) or expected == file_type:
            return name
    raise L1BFormatError(
        f"{os.fspath(source)}: named {names[0].product}, but the header says FILE "
        f"TYPE {file_type}; rename the file to the product it holds"
    )


def _parse_yaml(text: str, length: int, source: Source) -> Header:
    root = _load_yaml(text, source)
    attributes: dict[str, Attribute] = {}
    for section in ("global_attributes", "non-standard_attributes"):
        for key, value in _mapping(root.get(section)).items():
            attributes[_RENAMED.get(key, key)] = (
                [str(v) for v in value] if isinstance(value, list) else str(value)
            )
    history = attributes.setdefault("history", [])
    attributes["history"] = [history] if isinstance(history, str) else history
    times = {
        key: _first_number(str(attributes.get(key, "")))
        for key in ("start_time_epoch_secs", "stop_time_epoch_secs")
    }
    attributes.update({k: v for k, v in times.items() if v is not None})
    satellite = _satellite(str(attributes.get("platform", "")))
    name = _identify(source, str(attributes.get("file_name", "")), satellite, None)
    columns, flags, units = _variables(root.get("variables"))
    records = _mapping(root.get("dimensions")).get("num_records")
    return Header(
        kind="yaml",
        format="text",
        product=name.product,
        satellite=satellite or name.satellite,
        release=name.release,
        records=_first_number(records),
        start=times["start_time_epoch_secs"],
        stop=times["stop_time_epoch_secs"],
        attributes=attributes,
        nbytes=length,
        columns=columns,
        flags=flags,
        units=units,
    )


def _load_yaml(text: str, source: Source) -> dict[str, Any]:
    """Parse with every scalar a string: ``04`` must not turn into 4."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        _check_depth(yaml.parse(text, Loader=loader), source)
        root = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        line = str(error).replace("\n", " ")
        raise L1BFormatError(
            f"{os.fspath(source)}: the YAML header is damaged ({line})"
        ) from error
    return _mapping(_mapping(root).get("header"))


def _check_depth(events: Iterator[Any], source: Source) -> None:
    """Refuse what grows when it is built: aliases, and nesting without end."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if kind == "AliasEvent" or depth > _DEEPEST:
            raise L1BFormatError(
                f"{os.fspath(source)}: the YAML header is damaged: it has aliases or "
                f"is nested more than {_DEEPEST} deep"
            )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _variables(
    listed: object,
) -> tuple[tuple[str, ...], dict[str, Flags], dict[str, str]]:
    """Column names in order, their flag meanings and their units."""
    columns: list[str] = []
    flags: dict[str, Flags] = {}
    units: dict[str, str] = {}
    for entry in listed if isinstance(listed, list) else []:
        for name, details in _mapping(entry).items():
            column = "GRACE_id" if name == "GRACEFO_id" else name
            columns.append(column)
            values = _mapping(details)
            if "units" in values:
                units[column] = str(values["units"])
            if isinstance(values.get("flag_meanings"), list):
                flags[column] = _flag_meanings(values)
    return tuple(columns), flags, units


def _flag_meanings(details: dict[str, Any]) -> Flags:
    """Turn ``bit 3 = Some text`` into (8, "Some_text"); undefined bits drop out."""
    masks = re.findall(r"\d{1,19}", str(details.get("flag_masks", "")))
    meanings: list[tuple[int, str]] = []
    for i, listed in enumerate(details["flag_meanings"]):
        # An unquoted "bit 3: text" is a mapping to YAML.
        pairs = listed.items() if isinstance(listed, dict) else ()
        entry = ": ".join(map(str, next(iter(pairs), (listed,))))
        match = _BITS.match(entry)
        if match:
            low, high = int(match[1]), int(match[2] or match[1])
            if not low <= high <= _HIGHEST_BIT:
                continue
            mask, text = sum(1 << b for b in range(low, high + 1)), match[3]
        elif i < len(masks):
            mask, text = int(masks[i]), entry
        else:
            continue
        if not _UNDEFINED.match(text.strip()):
            slug = re.sub(r"[^A-Za-z0-9_.+@-]+", "_", text).strip("_")
            meanings.append((mask, slug or f"bit_mask_{mask}"))
    return tuple(sorted(meanings))
