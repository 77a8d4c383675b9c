"""Read a Level-1B file: header, body, and what did not match."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import IO

import numpy as np

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.errors import GraceWarning, L1BFormatError, number_of
from gracelstm_xr.l1b import binary, text
from gracelstm_xr.l1b.header import parse_header, read_until_end
from gracelstm_xr.l1b.model import (
    Header,
    L1BFile,
    Product,
    ReadReport,
    parse_name,
    time_ns,
)
from gracelstm_xr.l1b.products import product_of
from gracelstm_xr.l1b.source import (
    GZIP_MAGIC,
    Source,
    as_stream,
    decompress,
    open_raw,
    parsing,
    read_all,
    split_chain,
)
from gracelstm_xr.l1b.tarball import read_members
from gracelstm_xr.missions import SATELLITES

#: Field with the letter of the satellite, in all products of one satellite.
LETTER = "GRACE_id"


def read_header(source: Source) -> Header:
    """Read the header of a Level-1B file; the body is not loaded.

    Parameters
    ----------
    source
        Path, fsspec URL, or ``tar://member::archive``; gzip is transparent.

    Raises
    ------
    FileNotFoundError
        The file, or the member of the archive, does not exist.
    L1BFormatError
        Not a Level-1B file, empty, cut short, unknown product, corrupt gzip.
    """
    with open_stream(source) as stream:
        return parse_header(read_until_end(stream, source), source)


def read(
    source: Source,
    *,
    strict: bool = False,
    fields: Collection[str] | None = None,
    quiet: bool = False,
) -> L1BFile:
    """Read a Level-1B file of any product and format into numpy arrays.

    Parameters
    ----------
    source
        Path, fsspec URL, or ``tar://member::archive``; gzip is transparent.
    strict
        Raise instead of warning when records are missing or incomplete.
    fields
        Names of the fields to return, besides the time tag; all by default.
    quiet
        Do not warn; the counts are in the report all the same.

    Returns
    -------
    L1BFile
        Complete records in file order, nothing removed or sorted.

    Raises
    ------
    FileNotFoundError
        The file, or the member of the archive, does not exist.
    L1BFormatError
        Not a Level-1B file, empty, header cut short, unknown product, corrupt
        gzip, wrong checksum, unreadable values; with `strict` also a truncated
        record or a wrong record count.

    Warns
    -----
    GraceWarning
        Once per file, when the records differ from what the header announces
        or carry receiver time.
    """
    data = load(source)
    return read_bytes(data, source, strict=strict, fields=fields, quiet=quiet)


def read_bytes(
    data: bytes,
    source: Source,
    *,
    strict: bool = False,
    fields: Collection[str] | None = None,
    quiet: bool = False,
) -> L1BFile:
    """Do what `read` does, for content in memory; `source` is its name."""
    header = parse_header(data, source)
    product = product_of(header.product, header.satellite)
    if header.columns:
        product = _reorder(product, header, source)
    kept = None if fields is None else {*fields, *product.time_fields}
    names = None if kept is None else {*kept, LETTER}
    with parsing(source):
        columns, truncated, lost = _decode(data, header, product, names, source)
        columns, foreign = _own_records(columns, header, source)
        report, problems = _report(header, product, columns, truncated, lost)
    mismatches = (*_mismatches(header, source), *_size_mismatch(header, len(data)))
    report = replace(report, foreign=foreign, mismatches=mismatches)
    if foreign:
        problems.append(f"{number_of(foreign, 'record')} of another satellite left out")
    problems += mismatches
    if kept is not None:
        columns = {k: v for k, v in columns.items() if k in kept}
    if problems:
        line = f"{os.fspath(source)}: {'; '.join(problems)}"
        if strict and (truncated or report.records != header.records):
            raise L1BFormatError(f"{line}; download the file again")
        if not quiet:
            warnings.warn(
                f"{line}; the complete records are returned", GraceWarning, stacklevel=3
            )
    return L1BFile(header, product, header.satellite, columns, report)


def _decode(
    data: bytes,
    header: Header,
    product: Product,
    names: set[str] | None,
    source: Source,
) -> tuple[dict[str, AnyArray], int, str]:
    """Columns, the number of incomplete records, and a clause about them."""
    body = memoryview(data)[header.nbytes :]
    if header.format == "binary":
        columns, leftover = binary.decode(body, product)
        if names is not None:
            columns = {k: v for k, v in columns.items() if k in names}
        clause = f"no complete record in the last {number_of(leftover, 'byte')}"
        return columns, int(leftover > 0), clause
    try:
        columns, bad = text.decode(body, product, names=names)
    except L1BFormatError as error:
        raise L1BFormatError(f"{os.fspath(source)}: {error}") from error
    return columns, bad, f"{bad} incomplete lines"


def _own_records(
    columns: dict[str, AnyArray], header: Header, source: Source
) -> tuple[dict[str, AnyArray], int]:
    """Leave out records that carry the letter of another satellite; count them."""
    letters = columns.get(LETTER)
    if letters is None or header.satellite not in SATELLITES or not len(letters):
        return columns, 0
    own = letters == header.satellite.encode()
    foreign = int(len(own) - own.sum())
    if not foreign:
        return columns, 0
    if foreign == len(own):
        others = ", ".join(repr(v.decode("latin-1")) for v in np.unique(letters)[:4])
        raise L1BFormatError(
            f"{os.fspath(source)}: the header says satellite {header.satellite}, all "
            f"{len(own)} records say {others}; download the file again"
        )
    return {name: values[own] for name, values in columns.items()}, foreign


def _mismatches(header: Header, source: Source) -> tuple[str, ...]:
    """Where the name of the file says other things than its header."""
    outer = parse_name(os.fspath(source))
    if outer is None:
        return ()
    inner = parse_name(str(header.attributes.get("file_name", "")))
    said = {"satellite": header.satellite}
    if inner is not None:
        said |= {
            "product": inner.product,
            "date": inner.date.isoformat(),
            "release": inner.release,
        }
    named = {
        "product": outer.product,
        "date": outer.date.isoformat(),
        "satellite": outer.satellite,
        "release": outer.release,
    }
    return tuple(
        f"the file name says {key} {named[key]}, its header {text}"
        for key, text in said.items()
        if text and text != named[key]
    )


def _size_mismatch(header: Header, size: int) -> Iterator[str]:
    """Where no number of records is announced, the size tells what is missing."""
    if header.records is None and header.file_size not in (None, size):
        yield (
            f"the header announces {header.file_size} bytes and no number of records, "
            f"{size} bytes found"
        )


def _reorder(product: Product, header: Header, source: Source) -> Product:
    """Take the column order of a YAML header where it names the known columns.

    MAG1B headers list time_ref before the satellite, the rows do not; the
    letters in the two columns decide that case after parsing.
    """
    listed = header.columns
    columns = product.columns
    if len(listed) < len(columns) or (
        len(listed) > len(columns) and not product.optional
    ):
        raise L1BFormatError(
            f"{os.fspath(source)}: the header lists {len(listed)} columns, "
            f"{product.code} has {len(columns)}; the format is not known here"
        )
    if product.optional or set(listed) != set(columns) or listed == columns:
        return product
    first = {f.columns[0]: f for f in product.fixed}
    order = [first[c].name for c in listed if c in first]
    moved = replace(product, text_order=tuple(order))
    # A vector whose components are not side by side cannot be expressed.
    return moved if moved.columns == listed else product


def _report(
    header: Header,
    product: Product,
    columns: dict[str, AnyArray],
    truncated: int,
    clause: str,
) -> tuple[ReadReport, list[str]]:
    """Count what was read against what was announced."""
    times = time_ns(product, columns)
    count = len(times)
    problems = [clause] if truncated else []
    if header.records is not None and header.records != count:
        problems.insert(0, f"{count} of {header.records} announced records found")
    duplicates = backwards = 0
    if product.dim == "time" and count > 1:
        steps = np.diff(times)
        if steps.min() > 0:
            steps = steps[:0]  # the usual case: nothing to count
        backwards = int((steps < 0).sum())
        distinct = np.unique(times).size if backwards else count - (steps == 0).sum()
        duplicates = int(count - distinct)
    notes = _notes(product, columns)
    problems += notes
    report = ReadReport(
        records=count,
        announced=header.records,
        truncated=truncated,
        duplicates=duplicates,
        out_of_order=backwards,
        notes=tuple(notes),
    )
    return report, problems


def _notes(product: Product, columns: dict[str, AnyArray]) -> list[str]:
    """Findings about time tags that a user should know of."""
    notes = []
    scale = columns.get("time_ref")
    receiver = 0 if scale is None else int((scale == b"R").sum())
    if receiver:
        notes.append(f"receiver time (time_ref R) in {number_of(receiver, 'record')}")
    if len(product.time_fields) > 1:
        fraction = columns[product.time_fields[1]]
        limit = 1_000_000_000 if product.frac_units == "ns" else 1_000_000
        outside = int(((fraction < 0) | (fraction >= limit)).sum())
        if outside:
            notes.append(
                f"{number_of(outside, 'time fraction')} outside 0 to 1 s in "
                f"{product.frac_units}"
            )
    return notes


@contextlib.contextmanager
def open_stream(source: Source) -> Iterator[IO[bytes]]:
    """Open the decompressed content of `source` as a stream.

    Parameters
    ----------
    source
        Path, fsspec URL, or ``tar://member::archive`` (the archive may be a
        URL too; the member may sit in a folder and may itself be gzip).

    Raises
    ------
    FileNotFoundError
        The file, or the member of the archive, does not exist.
    L1BFormatError
        Corrupt gzip data, not a tar file, a folder, an empty chain.
    """
    if split_chain(source) is None:
        with open_raw(source) as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield raw
                return
    # only the end of the stream tells whether what stands before it is sound
    yield as_stream(load(source))


def load(source: Source) -> bytes:
    """Return the whole decompressed content of `source`.

    A member of a GRACE-FO tarball is checked against the tarball's
    ``checksum`` member. Errors as for `open_stream`.
    """
    chain = split_chain(source)
    if chain is not None:
        member, archive = chain
        return decompress(read_members(archive, [member])[member], source)
    with open_raw(source) as raw:
        return read_all(raw, source)
