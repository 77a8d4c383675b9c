"""Layouts of the Level-1B products, read from ``products.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.l1b.model import Field, Flags, Product
from gracelstm_xr.missions import mission_of

Row = Mapping[str, Any]
Rows = dict[str, Row]


def _layout(code: str, row: Row, flags: dict[str, Flags]) -> Product:
    """Layout of one product from its row."""
    family = row.get("qualflg", code[:3].lower())
    qualflg = Field(
        f"{family}_qualflg", ("qualflg",), "u1", "", "quality flags", kind="flag"
    )
    layout = [qualflg if f["name"] == "qualflg" else _field(f) for f in row["fields"]]
    bits = flags.get(row.get("flags", family))
    meanings = {qualflg.name: bits} if bits else {}
    announced = sorted((1 << f.bit, f.name) for f in layout if f.bit is not None)
    if announced:
        meanings["prod_flag"] = tuple(announced)
    header = ("title", "sensor", "file_type_name", "satellites", "dim", "frac_units")
    return Product(
        code,
        fields=tuple(layout),
        flags=meanings,
        file_type=row.get("file_type") or None,
        time_fields=tuple(row.get("time", ("gps_time",))),
        text_order=tuple(row.get("text_order", ())),
        **{key: row[key] for key in header if key in row},
    )


def _completed(row: Row, rows: Rows) -> Row:
    """A row with what it leaves to the product it is like."""
    if "like" not in row:
        return row
    complete = {**_completed(rows[row["like"]], rows), **row}
    instead = {field["name"]: field for field in row.get("replace", ())}
    fields = [instead.get(field["name"], field) for field in complete["fields"]]
    return {**complete, "fields": fields + row.get("more", [])}


def _field(row: Row) -> Field:
    return Field(
        row["name"],
        tuple(row.get("columns", (row["name"],))),
        row.get("type", "f8"),
        row.get("units", ""),
        row["text"],
        row.get("dim"),
        row.get("kind", "value"),
        row.get("bit"),
    )


def _double(product: Product) -> Product:
    """Without single precision, which would only lose digits of a text."""
    fields = (replace(f, dtype="f8") if f.dtype == "f4" else f for f in product.fields)
    return replace(product, fields=tuple(fields))


def _rows() -> tuple[Rows, Rows, dict[str, Flags]]:
    """Rows of both missions, and the meanings of bits, as the file has them."""
    text = files(__package__).joinpath("products.toml").read_text(encoding="utf-8")
    rows: dict[str, Any] = tomllib.loads(text)
    shared = {"qualflg": {"name": "qualflg"}, **rows.pop("field")}
    flags = {
        family: tuple((1 << int(bit), meaning) for bit, meaning in bits.items())
        for family, bits in rows.pop("flags").items()
    }
    others = rows.pop("GRACE-FO")
    for row in (*rows.values(), *others.values()):
        for key in {"fields", "replace", "more"} & set(row):
            row[key] = [shared[f] if isinstance(f, str) else f for f in row[key]]
    return rows, others, flags


def _tables() -> tuple[dict[str, Product], dict[str, Product]]:
    """Products of both missions by their code."""
    rows, others, flags = _rows()
    grace, grace_fo = {}, {}
    for code, row in rows.items():
        grace[code] = _layout(code, _completed(row, rows), flags)
        later = _completed(others.get(code, row), rows)
        grace_fo[code] = _double(_layout(code, later, flags))
    return grace, grace_fo


PRODUCTS, GRACE_FO_PRODUCTS = _tables()
"""Layout of every product by its code, in the GRACE and in the GRACE-FO form."""

THRUSTER_NAMES = tuple(
    column.rpartition("_")[2] for column in PRODUCTS["THR1B"]["thrust_count"].columns
)
"""Order of the 14 thrusters in THR1B: 12 attitude, then 2 orbit thrusters."""


def is_grace_fo(satellite: str) -> bool:
    """Whether files of a satellite or pair have the form of GRACE-FO (C, D, Y)."""
    return mission_of(satellite).format == "text"


def product_of(code: str, satellite: str = "A") -> Product:
    """Layout of a product for the mission a satellite letter belongs to.

    Raises
    ------
    L1BFormatError
        The code is not a product this package reads.
    """
    table = GRACE_FO_PRODUCTS if is_grace_fo(satellite) else PRODUCTS
    if code not in table:
        codes = ", ".join(sorted(table))
        raise L1BFormatError(f"unknown product {code!r}; readable are {codes}")
    return table[code]
