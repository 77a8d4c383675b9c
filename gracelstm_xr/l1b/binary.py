"""Decode the body of a binary file: big-endian, packed, no separators."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.l1b.model import Field, Product

#: Records copied at a time: with their copies they fit the cache of one core.
BLOCK = 2048
#: Characters of the text at the end of a housekeeping record; real ones have 7.
LONGEST_TEXT = 256


def decode(body: memoryview, product: Product) -> tuple[dict[str, AnyArray], int]:
    """Decode complete records; a cut last record is left out.

    Parameters
    ----------
    body
        Bytes after the header.
    product
        Layout to apply.

    Returns
    -------
    columns : dict
        Native arrays by field name, shape (n,) or (n, k). Optional values
        that a record does not hold are NaN (bit fields 0).
    leftover : int
        Bytes after the last complete record.
    """
    if product.optional:
        return _decode_flagged(bytes(body), product)
    if product.has_strings:
        return _decode_strings(bytes(body), product)
    dtype = product.record_dtype()
    count, leftover = divmod(len(body), dtype.itemsize)
    records = np.frombuffer(body, dtype, count)
    return _native(records, product.fixed), leftover


def _native(records: AnyArray, fields: tuple[Field, ...]) -> dict[str, AnyArray]:
    """Copy the fields of packed big-endian records into native arrays.

    Neighbours of one type are swapped and copied in one go, and returned as views of
    that copy: numpy moves wide rows several times faster than narrow ones. Some
    thousand records are moved at a time, which then stay in the cache of the core for
    the next group.
    """
    chosen = [f for f in fields if f.dtype != "S"]
    groups = [list(g) for _, g in itertools.groupby(chosen, lambda f: f.dtype)]
    layout = []
    for number, group in enumerate(groups):
        dtype = np.dtype(group[0].dtype).newbyteorder(">")
        layout.append((str(number), dtype, (sum(len(f.columns) for f in group),)))
    parts = records.view(layout)
    wholes = [
        np.empty((len(records), dtype[2][0]), dtype[1].newbyteorder("="))
        for dtype in layout
    ]
    for start in range(0, len(records), BLOCK):
        block = slice(start, start + BLOCK)
        for number, array in enumerate(wholes):
            array[block] = parts[str(number)][block]
    columns = {}
    for number, group in enumerate(groups):
        first = 0
        for f in group:
            values = wholes[number][:, first : first + len(f.columns)]
            columns[f.name] = values if f.shape else values[:, 0]
            first += len(f.columns)
    return columns


def _gather(body: bytes, offsets: npt.NDArray[np.int64], width: int) -> AnyArray:
    """Bytes ``offset .. offset + width`` of each record, shape (n, width)."""
    source = np.frombuffer(body, np.uint8)
    return np.asarray(source[offsets[:, None] + np.arange(width)])


def empty_optional(fields: tuple[Field, ...], count: int) -> dict[str, AnyArray]:
    """Arrays for optional fields with every value absent, shape (count,)."""
    columns: dict[str, AnyArray] = {}
    for f in fields:
        fill = 0 if f.kind == "flag" else np.nan
        columns[f.name] = np.full(count, fill, f.memory_dtype)
    return columns


def present(
    fields: tuple[Field, ...], prod_flag: int
) -> tuple[tuple[Field, ...], list[int]]:
    """Fields a ``prod_flag`` announces, and the set bits that no field has."""
    by_bit = {f.bit: f for f in fields}
    bits = [b for b in range(prod_flag.bit_length()) if prod_flag >> b & 1]
    chosen = tuple(by_bit[b] for b in bits if b in by_bit)
    return chosen, [b for b in bits if b not in by_bit]


def _offsets(body: bytes, product: Product) -> tuple[list[int], list[int], int]:
    """Start and prod_flag of each complete record, in one pass.

    The size of a record is known only from its flag, so the pass is
    sequential; it costs one dictionary look-up per record.
    """
    fixed = product.record_dtype()
    entry, at = fixed.fields["prod_flag"][:2] if fixed.fields else (fixed, 0)
    width, head, total = entry.itemsize, fixed.itemsize, len(body)
    sizes: dict[int, int] = {}
    starts: list[int] = []
    flags: list[int] = []
    position = 0
    while position + head <= total:
        first = position + at
        flag = int.from_bytes(body[first : first + width], "big")
        size = sizes.get(flag)
        if size is None:
            chosen, unknown = present(product.optional, flag)
            if unknown:
                break  # the length of such a record cannot be known
            size = head + sum(np.dtype(f.dtype).itemsize for f in chosen)
            sizes[flag] = size
        if position + size > total:
            break
        starts.append(position)
        flags.append(flag)
        position += size
    return starts, flags, total - position


def _decode_flagged(body: bytes, product: Product) -> tuple[dict[str, AnyArray], int]:
    """Records with values by prod_flag: decode all records of one flag at once."""
    starts, flags, leftover = _offsets(body, product)
    offsets, kinds = np.array(starts, np.int64), np.array(flags, np.int64)
    fixed = product.record_dtype()
    head = _gather(body, offsets, fixed.itemsize).view(fixed)[:, 0]
    columns = _native(head, product.fixed)
    columns.update(empty_optional(product.optional, len(offsets)))
    for flag in np.unique(kinds):
        rows = np.flatnonzero(kinds == flag)
        chosen, _ = present(product.optional, int(flag))
        tail = product.record_dtype(chosen)
        if not chosen:
            continue
        values = _gather(body, offsets[rows] + fixed.itemsize, tail.itemsize)
        packed = values.view(tail)[:, 0]
        for f in chosen:
            columns[f.name][rows] = packed[f.name]
    return columns, leftover


def check_text(width: int) -> None:
    """Refuse a long text: every record gets the room of the longest one."""
    if width > LONGEST_TEXT:
        raise ValueError(
            f"a text of {width} characters; expected {LONGEST_TEXT} at most"
        )


def _decode_strings(body: bytes, product: Product) -> tuple[dict[str, AnyArray], int]:
    """Fixed part followed by a NUL-terminated string (housekeeping)."""
    fixed = product.record_dtype()
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    # No length field: the end of a string is known only by finding its NUL.
    while (end := body.find(b"\0", position + fixed.itemsize)) >= 0:
        starts.append(position)
        ends.append(end)
        position = end + 1
    offsets, stops = np.array(starts, np.int64), np.array(ends, np.int64)
    head = _gather(body, offsets, fixed.itemsize).view(fixed)[:, 0]
    columns = _native(head, product.fixed)
    lengths = stops - offsets - fixed.itemsize
    width = max(int(lengths.max(initial=1)), 1)
    check_text(width)
    padded = body + bytes(width)
    text = _gather(padded, offsets + fixed.itemsize, width)
    text[np.arange(width) >= lengths[:, None]] = 0
    name = next(f.name for f in product.fields if f.dtype == "S")
    columns[name] = text.view(f"S{width}")[:, 0]
    return columns, len(body) - position
