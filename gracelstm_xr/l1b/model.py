"""What a Level-1B product, header and file are, as plain frozen records."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.missions import LETTERS, SATELLITES

Attribute = str | int | list[str]
Format = Literal["binary", "ascii", "text"]
Flags = tuple[tuple[int, str], ...]
"""Pairs of (bit mask, meaning as one identifier), lowest bit first."""

GPS_EPOCH = dt.datetime(2000, 1, 1, 12)
"""Origin of all Level-1B time tags, on the GPS scale (no leap seconds)."""

_NAME = re.compile(
    r"(?P<product>[A-Z0-9]{4}[AB])_(?P<date>\d{4}-\d{2}-\d{2})"
    rf"_(?P<satellite>[{LETTERS}])_(?P<release>\d{{2}})"
    r"\.(?P<extension>dat|asc|txt|rpt)(?P<gz>\.gz)?$"
)
_FILL = {"i1": "f4", "u1": "f4", "i2": "f4", "u2": "f4", "i4": "f8", "u4": "f8"}


@dataclass(frozen=True)
class Field:
    """One data variable of a product: one column, or a vector of columns.

    Parameters
    ----------
    name
        Name in the data model, for example ``"lin_accl"``.
    columns
        Official column names, in file order.
    dtype
        Type of one stored value as a numpy code without byte order
        (``"f8"``, ``"u1"``, ``"S1"``; ``"S"`` is a NUL-terminated string).
        Binary files are big-endian throughout.
    units
        Unit in CF spelling; empty for identifiers and flags.
    long_name
        One line on the meaning.
    dim
        Name of the second dimension of a vector field, else None.
    kind
        ``"value"``, ``"flag"`` (bit field), ``"char"``, ``"id"`` or ``"time"``.
    bit
        In a variable-length product: the ``prod_flag`` bit that says whether
        the value is present. None for fields every record has.
    """

    name: str
    columns: tuple[str, ...]
    dtype: str
    units: str = ""
    long_name: str = ""
    dim: str | None = None
    kind: Literal["value", "flag", "char", "id", "time"] = "value"
    bit: int | None = None

    @property
    def memory_dtype(self) -> np.dtype[Any]:
        """Type in memory: native order; optional numbers as floats, to hold NaN.

        Optional bit fields stay integers, 0 where the value is absent.
        """
        if self.bit is None or self.kind == "flag":
            return np.dtype(self.dtype)
        return np.dtype(_FILL.get(self.dtype, self.dtype))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one record: ``()`` or ``(number of columns,)``."""
        return (len(self.columns),) if self.dim else ()


@dataclass(frozen=True)
class Product:
    """Layout and meaning of one Level-1B product.

    Parameters
    ----------
    code
        Five characters, for example ``"ACC1B"``.
    title
        One line on the content.
    fields
        Fields in the order of the binary record.
    dim
        ``"time"``, or ``"record"`` where time tags repeat by design.
    frac_units
        Unit of the integer time fraction, ``"us"`` or ``"ns"``; None without one.
    time_fields
        Names of the fields that make the time tag (seconds, then fraction).
    flags
        Meanings per flag field: pairs of (mask, identifier).
    file_type, file_type_name
        Code and label of the legacy header (``8``, ``"ipACC1BF"``).
    text_order
        Field names in ASCII column order where it differs from binary.
    satellites
        Letters that occur: ``"AB"``, ``"X"``, ``"CD"``, ``"Y"``.
    sensor
        Default of ``SENSOR NAME`` in a written header.
    """

    code: str
    title: str
    fields: tuple[Field, ...]
    dim: Literal["time", "record"] = "time"
    frac_units: Literal["us", "ns"] | None = None
    time_fields: tuple[str, ...] = ("gps_time",)
    flags: Mapping[str, Flags] = field(default_factory=dict)
    file_type: int | None = None
    file_type_name: str = ""
    text_order: tuple[str, ...] = ()
    satellites: str = SATELLITES
    sensor: str = ""

    def __getitem__(self, name: str) -> Field:
        """Return the field of that name; KeyError when there is none."""
        for item in self.fields:
            if item.name == name:
                return item
        raise KeyError(f"{self.code} has no field {name!r}")

    @property
    def fixed(self) -> tuple[Field, ...]:
        """Fields present in every record, in binary order."""
        return tuple(f for f in self.fields if f.bit is None)

    @property
    def optional(self) -> tuple[Field, ...]:
        """Fields that ``prod_flag`` announces, lowest bit first."""
        fields_ = [f for f in self.fields if f.bit is not None]
        return tuple(sorted(fields_, key=lambda f: f.bit or 0))

    @property
    def text_fields(self) -> tuple[Field, ...]:
        """Fields present in every record, in ASCII column order."""
        if not self.text_order:
            return self.fixed
        return tuple(self[name] for name in self.text_order)

    @property
    def columns(self) -> tuple[str, ...]:
        """Official names of the fixed columns, in ASCII order."""
        return tuple(c for f in self.text_fields for c in f.columns)

    @property
    def has_strings(self) -> bool:
        """Whether a record ends in a NUL-terminated string."""
        return any(f.dtype == "S" for f in self.fields)

    def record_dtype(self, fields: tuple[Field, ...] | None = None) -> np.dtype[Any]:
        """Packed big-endian dtype of `fields`, by default of the fixed part."""
        chosen = self.fixed if fields is None else fields
        return np.dtype(
            [
                (f.name, np.dtype(f.dtype).newbyteorder(">"), f.shape)
                for f in chosen
                if f.dtype != "S"
            ]
        )


@dataclass(frozen=True)
class FileName:
    """The parts of ``PRDID_YYYY-MM-DD_S_RR.EXT``."""

    product: str
    date: dt.date
    satellite: str
    release: str
    extension: str

    def __str__(self) -> str:
        """Return the standard file name, without ``.gz``."""
        stem = f"{self.product}_{self.date.isoformat()}_{self.satellite}"
        return f"{stem}_{self.release}.{self.extension}"


def parse_name(source: object) -> FileName | None:
    """Find the parts of a Level-1B file name.

    Parameters
    ----------
    source
        A path, a URL or ``tar://member::archive``. A prefix (folders, the old
        ``GA-OG-1B-ACCDAT+JPL-``) and a final ``.gz`` are allowed.

    Returns
    -------
    FileName or None
        None when the name is not one of a Level-1 file; never an error.
    """
    text = str(source)
    if text.startswith("tar://"):
        text = text[len("tar://") :].split("::", 1)[0]
    match = _NAME.search(text)
    if match is None:
        return None
    try:
        date = dt.date.fromisoformat(match["date"])
    except ValueError:
        return None
    return FileName(
        product=match["product"],
        date=date,
        satellite=match["satellite"],
        release=match["release"],
        extension=match["extension"],
    )


@dataclass(frozen=True)
class Header:
    """What the header of a Level-1B file says.

    Attributes
    ----------
    kind
        ``"legacy"`` (81-byte records) or ``"yaml"`` (GRACE-FO).
    format
        ``"binary"``, ``"ascii"`` (legacy text) or ``"text"`` (GRACE-FO text).
    product, satellite, release
        Product code, letter (A, B, X, C, D, Y) and two-digit release.
    records
        Announced number of records; None when absent or unreadable.
    start, stop
        First and last time tag [GPS s past 2000-01-01T12:00], as announced.
    attributes
        Everything else, in ACDD-like names; ``history`` is a list.
    columns
        Column names in header order (YAML only).
    flags
        Flag meanings by column name (YAML only).
    units
        Units by column name, as written (YAML only).
    nbytes
        Length of the header [bytes]: data start at this offset.
    file_size
        Announced size of the whole file [bytes]; None when absent.
    """

    kind: Literal["legacy", "yaml"]
    format: Format
    product: str
    satellite: str
    release: str
    records: int | None
    start: int | None
    stop: int | None
    attributes: dict[str, Attribute]
    nbytes: int
    columns: tuple[str, ...] = ()
    flags: dict[str, Flags] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    file_size: int | None = None


@dataclass(frozen=True)
class ReadReport:
    """Counts from reading one file.

    Attributes
    ----------
    records
        Complete records returned.
    announced
        Number the header announced; None when it announced none.
    truncated
        Incomplete records (or malformed text lines) left out.
    duplicates
        Records that repeat an earlier time tag (0 where that is by design).
    out_of_order
        Steps back in time (0 where that is by design).
    notes
        Further findings, one clause each.
    foreign
        Records of another satellite than the header's, left out.
    mismatches
        Where name, size and header contradict each other, one clause each.
    """

    records: int
    announced: int | None
    truncated: int
    duplicates: int = 0
    out_of_order: int = 0
    notes: tuple[str, ...] = ()
    foreign: int = 0
    mismatches: tuple[str, ...] = ()


@dataclass(frozen=True)
class L1BFile:
    """One Level-1B file in memory.

    Attributes
    ----------
    header, product, satellite
        What was read; `product` is the layout that was applied.
    columns
        Arrays in native byte order by field name: shape (n,), vectors (n, k).
    report
        Counts of what was found against what was announced.
    """

    header: Header
    product: Product
    satellite: str
    columns: dict[str, AnyArray]
    report: ReadReport

    @property
    def time_ns(self) -> npt.NDArray[np.int64]:
        """Time tags [ns past 2000-01-01T12:00:00 GPS], shape (n,), int64."""
        return time_ns(self.product, self.columns)

    def flags(self, name: str) -> Flags:
        """Return the flag meanings of a field; the file's own where it has them."""
        column = self.product[name].columns[0]
        return self.header.flags.get(column) or self.product.flags.get(name, ())


def time_ns(product: Product, columns: Mapping[str, AnyArray]) -> npt.NDArray[np.int64]:
    """Join whole seconds and fraction to integer nanoseconds, shape (n,).

    Float seconds would be too coarse: their resolution is 1.2e-7 s.
    """
    seconds, *fraction = product.time_fields
    total = columns[seconds].astype(np.int64) * 1_000_000_000
    if fraction:
        scale = 1 if product.frac_units == "ns" else 1000
        total = total + columns[fraction[0]].astype(np.int64) * scale
    return np.asarray(total, dtype=np.int64)
