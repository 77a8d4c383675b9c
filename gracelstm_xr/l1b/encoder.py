"""Write Level-1B files: the inverse of the reader for fixed-length products."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.files import check_output, writing
from gracelstm_xr.l1b.headertext import Content, legacy_header, yaml_header
from gracelstm_xr.l1b.model import (
    GPS_EPOCH,
    Attribute,
    Field,
    Format,
    Header,
    Product,
    parse_name,
    time_ns,
)
from gracelstm_xr.l1b.products import product_of
from gracelstm_xr.missions import mission_of

_SUFFIX: dict[str, str] = {"binary": "dat", "ascii": "asc", "text": "txt"}
# Products whose columns are all separated by one blank; the others have two
# before the flag (THR1B three).
_SINGLE = ("SCA", "QSA", "QKS", "QSB", "TIM", "VGN", "VGO", "VGB", "VKB", "VSL", "VCM")


def encode(
    product: str | Product,
    columns: Mapping[str, npt.ArrayLike],
    *,
    format: str,
    satellite: str,
    release: str | None = None,
    header: Header | Mapping[str, Attribute] | None = None,
    name: str | None = None,
) -> bytes:
    """Encode one Level-1B file; the same input always gives the same bytes.

    Parameters
    ----------
    product
        Code or layout. Products of variable record length have no writer.
    columns
        Arrays by field name, shape (n,) or (n, k), in file order. The
        satellite, ``time_ref`` (G), ``coord_ref`` and flags (0) may be absent.
    format
        ``"binary"``; ``"ascii"`` (legacy header, reals as ``%.16g`` like JPL);
        ``"text"`` (YAML header; reals as ``%.16g`` where that reads back to
        the same double, else with the 17 digits that do, so nothing is lost).
    satellite
        ``A``, ``B``, ``X``, ``C``, ``D`` or ``Y``.
    release
        Two digits; default ``04`` for GRACE-FO, else ``02``.
    header
        Attributes as in ``Header.attributes`` (provenance to carry on), or a
        Header. Counts, times, size and name are always those of this file.
        No clock is read: without ``date_created`` it says "not recorded".
    name
        File name for the header; by default the standard one, dated by the
        middle record.

    Returns
    -------
    bytes
        The whole file, header included.

    Raises
    ------
    ValueError
        Unknown format, a missing or misshapen column, a value that the column
        type cannot hold, no records and no name.
    L1BFormatError
        Unknown product.
    """
    layout = product_of(product, satellite) if isinstance(product, str) else product
    if format not in get_args(Format):
        raise ValueError(f"format {format!r}; expected one of {get_args(Format)}")
    if layout.optional or layout.has_strings:
        raise ValueError(f"{layout.code} has records of variable length: no writer")
    data = _check(layout, columns, satellite)
    times = time_ns(layout, data)
    release = release or mission_of(satellite).release
    if format == "binary":
        body = _binary_body(layout, data)
    else:
        body = _text_body(layout, data, lossless=format == "text")
    attributes = header.attributes if isinstance(header, Header) else header or {}
    content = Content(
        product=layout,
        satellite=satellite,
        release=release,
        name=name or f"{_stem(layout, times, satellite, release)}.{_SUFFIX[format]}",
        records=len(times),
        first=int(times.min()) if len(times) else None,
        last=int(times.max()) if len(times) else None,
        body_bytes=len(body),
        attributes=attributes,
    )
    if format == "text":
        return yaml_header(content) + body
    return legacy_header(content, binary=format == "binary") + body


def write(
    path: str | os.PathLike[str],
    product: str | Product,
    columns: Mapping[str, npt.ArrayLike],
    *,
    format: str | None = None,
    satellite: str | None = None,
    release: str | None = None,
    header: Header | Mapping[str, Attribute] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one Level-1B file; it appears under its name only when complete.

    Parameters
    ----------
    path
        Local path. Its suffix gives the format (``.dat``, ``.asc``, ``.txt``,
        a further ``.gz`` compresses) and a standard name gives satellite and
        release, unless they are stated.
    product, columns, format, satellite, release, header
        As for `encode`.
    overwrite
        Replace a file that this program wrote.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    ValueError
        As for `encode`; format or satellite neither given nor in the name.
    GraceError
        There is a file of that name that is not to be replaced.
    """
    target = Path(path)
    check_output(target, overwrite=overwrite)
    inner = target.name.removesuffix(".gz")
    named = parse_name(inner)
    by_suffix = {suffix: key for key, suffix in _SUFFIX.items()}
    chosen = format or by_suffix.get(inner.rsplit(".", 1)[-1])
    letter = satellite or (named.satellite if named else None)
    if chosen is None or letter is None:
        raise ValueError(
            f"{target.name}: format and satellite are not in the name; state them, "
            "or use a name such as ACC1B_2008-01-01_A_02.dat"
        )
    data = encode(
        product,
        columns,
        format=chosen,
        satellite=letter,
        release=release or (named.release if named else None),
        header=header,
        name=inner,
    )
    if inner != target.name:
        import gzip

        data = gzip.compress(data, mtime=0)
    with writing(target, replace=overwrite) as work:
        work.write_bytes(data)
    return target


def _stem(product: Product, times: AnyArray, satellite: str, release: str) -> str:
    """Name without suffix, dated by the middle record (days may overlap)."""
    if not len(times):
        raise ValueError(f"{product.code} without records: state the file name")
    middle = int(np.sort(times)[len(times) // 2])
    date = (GPS_EPOCH + dt.timedelta(microseconds=middle // 1000)).date()
    return f"{product.code}_{date.isoformat()}_{satellite}_{release}"


def _check(
    product: Product, columns: Mapping[str, npt.ArrayLike], satellite: str
) -> dict[str, AnyArray]:
    """Columns as arrays of the stored types, with defaults filled in."""
    given = {k: np.asarray(v) for k, v in columns.items()}
    missing = [
        f.name
        for f in product.fields
        if f.name not in given and _default(f, product, satellite) is None
    ]
    if missing:
        raise ValueError(f"{product.code}: missing columns {', '.join(missing)}")
    count = len(given[product.time_fields[0]])
    checked: dict[str, AnyArray] = {}
    for f in product.fields:
        values = given.get(f.name)
        if values is None:
            values = np.full(count, _default(f, product, satellite))
        if values.shape != (count, *f.shape):
            raise ValueError(
                f"{product.code}: {f.name} has shape {values.shape}, expected "
                f"{(count, *f.shape)}"
            )
        checked[f.name] = _cast(values, f, product)
    return checked


def _default(f: Field, product: Product, satellite: str) -> bytes | int | None:
    if f.name == "GRACE_id":
        return satellite.encode("ascii")
    if f.name == "time_ref":
        return b"G"
    if f.name == "coord_ref":
        return b"I" if product.code == "GNI1B" else b"E"
    return 0 if f.kind == "flag" else None


def _cast(values: AnyArray, f: Field, product: Product) -> AnyArray:
    """Convert to the stored type, refusing to change integers silently."""
    dtype = np.dtype(f.dtype)
    if dtype.kind not in "iu" or values.dtype == dtype:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):
        fits = (values >= limits.min) & (values <= limits.max)
        integral = values == np.trunc(values)
    if not np.all(fits & integral):
        raise ValueError(
            f"{product.code}: {f.name} holds values that are no integers of "
            f"{limits.min} to {limits.max}; mask them first"
        )
    return values.astype(dtype)


def _binary_body(product: Product, data: Mapping[str, AnyArray]) -> bytes:
    dtype = product.record_dtype()
    records = np.empty(len(data[product.time_fields[0]]), dtype)
    for name in dtype.names or ():
        records[name] = data[name]
    return records.tobytes()


def _text_body(
    product: Product, data: Mapping[str, AnyArray], *, lossless: bool
) -> bytes:
    texts: list[list[str]] = []
    for f in product.text_fields:
        values = data[f.name]
        parts = values.T if f.dim else [values]
        texts += [_column(column, f, lossless=lossless) for column in parts]
    line = _template(product)
    return "".join(map(line.__mod__, zip(*texts, strict=True))).encode("ascii")


def _template(product: Product) -> str:
    """Line template of a product: its blanks, and SNR two characters wide."""
    pieces: list[str] = []
    for f in product.text_fields:
        for i in range(len(f.columns)):
            blanks = " "
            if product.code == "THR1B":
                first = f.name == "thrust_count" and i == 0
                blanks = "   " if first or f.kind == "flag" else " "
            elif f.kind == "flag" and product.code[:3] not in _SINGLE:
                blanks = "  "
            pieces.append(blanks + ("%2s" if f.name.endswith("_SNR") else "%s"))
    return "".join(pieces)[1:] + "\n"


def _column(values: AnyArray, f: Field, *, lossless: bool) -> list[str]:
    """Text of every value of one column."""
    if f.kind == "flag":
        width = 8 * np.dtype(f.dtype).itemsize
        texts = {v: format(v, f"0{width}b") for v in np.unique(values).tolist()}
        return [texts[v] for v in values.tolist()]
    if f.dtype.startswith("S"):
        return [v.decode("ascii", "replace") or "?" for v in values.tolist()]
    if not f.dtype.startswith("f"):
        # JPL prints unsigned counters with a signed format.
        signed = values.astype(np.int32) if f.dtype == "u4" else values
        return list(map(str, signed.tolist()))
    return _reals(values, lossless=lossless)


def _reals(values: npt.NDArray[np.floating[Any]], *, lossless: bool) -> list[str]:
    """Reals as ``%.16g``, or as many digits as the double needs.

    ``repr`` is the shortest text that reads back to the same double. Where 16
    digits are enough it differs from ``%.16g`` only in a final ``.0``.
    """
    if len(values) > 1 and not (values.any() or np.signbit(values).any()):
        return ["0"] * len(values)  # angular columns of GRACE-FO
    if lossless:
        return [repr(v).removesuffix(".0") for v in values.tolist()]
    return list(map("%.16g".__mod__, values.tolist()))
