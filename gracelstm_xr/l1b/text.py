"""Decode the body of a text file with pyarrow: every float is ``float(token)``.

The usual file has the same blanks on every line. Its first line tells where
double blanks make empty columns, and the whole body is parsed in one call. A
file that breaks the pattern is tokenised with numpy first, which also finds
and drops incomplete lines.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import AnyArray
from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.l1b.binary import check_text, empty_optional, present
from gracelstm_xr.l1b.model import Field, Product

if TYPE_CHECKING:
    import pyarrow as pa

_SPACE, _NEWLINE, _ZERO = 32, 10, 48


@dataclass(frozen=True)
class _Rows:
    """Lines of a text body as token counts and positions."""

    data: npt.NDArray[np.uint8]
    line_of_byte: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]  # first byte of each token
    first_token: npt.NDArray[np.int64]  # index of the first token of each line
    counts: npt.NDArray[np.int64]  # tokens of each line


def decode(
    body: memoryview, product: Product, *, names: Collection[str] | None = None
) -> tuple[dict[str, AnyArray], int]:
    """Decode the complete lines of a text body.

    Parameters
    ----------
    body
        Bytes after the header.
    product
        Layout to apply, with `text_order` as in this file.
    names
        Fields to return; all by default.

    Returns
    -------
    columns : dict
        Native arrays by field name, shape (n,) or (n, k).
    malformed : int
        Lines left out: cut short, or with a wrong number of values.

    Raises
    ------
    L1BFormatError
        A value is not a number (or bit string) although its line is complete.
    """
    body, malformed = _complete_lines(body, product)
    fields = product.text_fields
    if product.optional:
        columns, bad = _decode_flagged(body, product, names)
    else:
        columns, bad = _decode_fixed(body, fields, names)
    if {"time_ref", "GRACE_id"} <= columns.keys():
        _untangle(columns)
    return columns, malformed + bad


def _complete_lines(body: memoryview, product: Product) -> tuple[memoryview, int]:
    """Leave out a last line without line feed, unless it is seen to be whole."""
    if not body or body[-1] == _NEWLINE:
        return body, 0
    window = bytes(body[-65536:])
    line = window[window.rfind(b"\n") + 1 :]
    tokens = line.split()
    if not tokens:
        return body, 0
    last = product.text_fields[-1]
    complete = (
        not product.optional
        and last.kind == "flag"
        and len(tokens) == len(product.columns)
        and len(tokens[-1]) == 8 * np.dtype(last.dtype).itemsize
    )
    return (body, 0) if complete else (body[: len(body) - len(line)], 1)


def _untangle(columns: dict[str, AnyArray]) -> None:
    """Swap satellite and time scale where the letters show they are exchanged."""
    scale = np.isin(columns["GRACE_id"], [b"G", b"R"])
    if (
        scale.size
        and scale.all()
        and not np.isin(columns["time_ref"], [b"G", b"R"]).any()
    ):
        columns["GRACE_id"], columns["time_ref"] = (
            columns["time_ref"],
            columns["GRACE_id"],
        )


def _keys(fields: Sequence[Field]) -> list[str]:
    """Unique key of each column: field name and position in the vector."""
    return [f"{f.name}.{i}" for f in fields for i in range(len(f.columns))]


def _decode_fixed(
    body: memoryview, fields: tuple[Field, ...], names: Collection[str] | None
) -> tuple[dict[str, AnyArray], int]:
    import pyarrow as pa

    wanted = tuple(f for f in fields if names is None or f.name in names)
    if not bytes(body[:4096]).strip() and not bytes(body).strip():
        return {f.name: np.empty((0, *f.shape), _dtype(f)) for f in wanted}, 0
    keys = _keys(fields)
    layout = _layout(body, keys)
    if layout is not None:
        try:
            return _parse(body, layout, wanted), 0
        except pa.ArrowInvalid:
            pass  # some line differs from the first: the careful way below
    rows = _tokenise(body)
    complete = rows.counts == len(keys)
    bad = int(((rows.counts > 0) & ~complete).sum())
    if not complete.any():
        raise L1BFormatError(
            f"no line has the {len(keys)} values of a record; the first has "
            f"{int(rows.counts[0])}"
        )
    try:
        return _parse(_rejoin(rows, complete), keys, wanted), bad
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise L1BFormatError(f"a value cannot be read ({reason})") from error


def _layout(body: memoryview, keys: list[str]) -> list[str] | None:
    """Column keys with a dummy for every empty column of the first line."""
    head = bytes(body[:65536])
    line = head[: head.find(b"\n")] if b"\n" in head else head
    layout: list[str] = []
    waiting = iter(keys)
    for i, token in enumerate(line.rstrip(b"\r").split(b" ")):
        key = next(waiting, None) if token else f"_{i}"
        if key is None:
            return None
        layout.append(key)
    return layout if next(waiting, None) is None else None


def _dtype(f: Field) -> np.dtype[Any]:
    return np.dtype("S1") if f.dtype == "S" else f.memory_dtype


def _arrow_type(f: Field) -> pa.DataType:
    import pyarrow as pa

    if f.kind == "flag":
        return pa.binary(8 * np.dtype(f.dtype).itemsize)
    if f.dtype == "S":
        return pa.binary()
    if f.dtype.startswith("S"):
        return pa.binary(int(f.dtype[1:]))
    if f.dtype.startswith("f") or f.bit is not None:
        return pa.float64()
    return pa.int64() if f.dtype.startswith("u") else pa.from_numpy_dtype(f.dtype)


def _parse(
    body: memoryview | bytes, layout: list[str], wanted: tuple[Field, ...]
) -> dict[str, AnyArray]:
    """Parse lines of one layout; ArrowInvalid when a line does not fit it."""
    import pyarrow as pa
    from pyarrow import csv

    types = {key: _arrow_type(f) for f in wanted for key in _keys([f])}
    # Dask workers already use every core: only a lone caller gets more threads.
    alone = threading.current_thread() is threading.main_thread()
    table = csv.read_csv(
        pa.BufferReader(pa.py_buffer(body)),
        read_options=csv.ReadOptions(
            column_names=layout, block_size=4 << 20, use_threads=alone
        ),
        parse_options=csv.ParseOptions(
            delimiter=" ", quote_char=False, escape_char=False
        ),
        convert_options=csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[],
            check_utf8=False,
        ),
    )
    return {f.name: _to_numpy(table, f) for f in wanted}


def _to_numpy(table: pa.Table, f: Field) -> AnyArray:
    """Copy the columns of one field into one native array."""
    parts = [table.column(key) for key in _keys([f])]
    if f.kind == "flag":
        return _bits(parts[0], f)
    if f.dtype == "S":
        texts = parts[0].to_pylist()
        check_text(max(map(len, texts), default=1))
        return np.array(texts, dtype=np.bytes_)
    if f.dtype.startswith("S"):
        return np.frombuffer(_raw_bytes(parts[0], int(f.dtype[1:])), f.dtype)
    out = np.empty((table.num_rows, *f.shape), f.memory_dtype)
    for i, array in enumerate(parts):
        target = out[:, i] if f.dim else out
        at = 0
        for chunk in array.chunks:
            values = chunk.to_numpy(zero_copy_only=False)
            # Counters are unsigned, but JPL prints them with a signed format.
            if f.dtype == "u4":
                values = values & 0xFFFFFFFF
            target[at : at + len(values)] = values
            at += len(values)
    return out


def _raw_bytes(column: pa.ChunkedArray, width: int) -> bytes:
    """Join the bytes of a fixed-width column."""
    pieces = []
    for chunk in column.chunks:
        data = chunk.buffers()[1]
        first = chunk.offset * width
        pieces.append(memoryview(data)[first : first + len(chunk) * width])
    return b"".join(pieces)


def _bits(column: pa.ChunkedArray, f: Field) -> AnyArray:
    """Bit strings, most significant first, to unsigned integers."""
    import pyarrow as pa

    width = 8 * np.dtype(f.dtype).itemsize
    digits = np.frombuffer(_raw_bytes(column, width), np.uint8).reshape(-1, width)
    if digits.size and (digits.min() < _ZERO or digits.max() > _ZERO + 1):
        raise pa.ArrowInvalid(f"{f.name} holds other characters than 0 and 1")
    packed = np.packbits(digits - _ZERO, axis=1)
    big = packed.reshape(-1).view(np.dtype(f.dtype).newbyteorder(">"))
    return np.asarray(big, np.dtype(f.dtype))


def _tokenise(body: memoryview) -> _Rows:
    """Find the tokens of every line, whatever the number of blanks."""
    data = np.frombuffer(body, np.uint8)
    if data.size and data[-1] != _NEWLINE:
        data = np.append(data, np.uint8(_NEWLINE))
    space = data <= _SPACE
    before = np.concatenate([[True], space[:-1]])
    starts = np.flatnonzero(~space & before)
    newline = data == _NEWLINE
    line_of_byte = np.cumsum(newline, dtype=np.int32) - newline
    lines = int(line_of_byte[-1]) + 1 if data.size else 0
    counts = np.bincount(line_of_byte[starts], minlength=lines)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]]) if lines else counts
    return _Rows(data, line_of_byte, starts, first, counts)


def _rejoin(rows: _Rows, chosen_lines: npt.NDArray[np.bool_]) -> bytes:
    """Write the chosen lines again with single blanks."""
    space = rows.data <= _SPACE
    after_token = np.concatenate([[False], ~space[:-1]])
    keep = (~space | after_token) & chosen_lines[rows.line_of_byte]
    out = np.where(space, np.uint8(_SPACE), rows.data)
    # The last blank of a line becomes its end: the next token is another line's.
    last = rows.first_token + rows.counts - 1
    chosen = last[chosen_lines & (rows.counts > 0)]
    ends = np.flatnonzero(space & after_token)  # one per token, in order
    out[ends[chosen]] = _NEWLINE
    return bytes(out[keep].tobytes())


def _decode_flagged(
    body: memoryview, product: Product, names: Collection[str] | None
) -> tuple[dict[str, AnyArray], int]:
    """Lines with values by prod_flag: parse all lines of one flag at once."""
    fixed, optional = product.text_fields, product.optional
    rows = _tokenise(body)
    flags, complete = _prod_flags(rows, product)
    order = np.cumsum(complete) - 1
    total = int(complete.sum())
    bad = int(((rows.counts > 0) & ~complete).sum())
    columns = {f.name: np.empty((total, *f.shape), _dtype(f)) for f in fixed}
    columns.update(empty_optional(optional, total))
    for flag in np.unique(flags[complete]):
        lines = complete & (flags == flag)
        chosen, unknown = present(optional, int(flag))
        layout = _keys(fixed) + _by_bit(chosen, unknown)
        text = _rejoin(rows, lines)
        columns_ = _parse_group(text, layout, (*fixed, *chosen))
        for name, values in columns_.items():
            columns[name][order[lines]] = values
    keep = columns if names is None else [n for n in columns if n in names]
    return {n: columns[n] for n in keep}, bad


def _parse_group(
    text: bytes, layout: list[str], fields: tuple[Field, ...]
) -> dict[str, AnyArray]:
    import pyarrow as pa

    try:
        return _parse(text, layout, fields)
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise L1BFormatError(f"a value cannot be read ({reason})") from error


def _by_bit(chosen: tuple[Field, ...], unknown: list[int]) -> list[str]:
    """Column keys of the announced values, bit 0 first; unknown bits as dummies."""
    keys = {f.bit or 0: f"{f.name}.0" for f in chosen}
    keys.update({b: f"_{b}" for b in unknown})
    return [keys[b] for b in sorted(keys)]


def _prod_flags(
    rows: _Rows, product: Product
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Value of prod_flag per line, and which lines are complete."""
    names = [f.name for f in product.text_fields]
    place = names.index("prod_flag")
    width = 8 * np.dtype(product["prod_flag"].dtype).itemsize
    flags = np.zeros(len(rows.counts), np.int64)
    complete = rows.counts >= len(names)
    starts = rows.starts[rows.first_token[complete] + place]
    # A token cut at the end of the data must not read past it.
    data = np.concatenate([rows.data, np.zeros(width, np.uint8)])
    digits = data[starts[:, None] + np.arange(width)]
    valid = ((digits == _ZERO) | (digits == _ZERO + 1)).all(axis=1)
    weights = 1 << np.arange(width - 1, -1, -1, dtype=np.int64)
    flags[complete] = ((digits == _ZERO + 1) * weights).sum(axis=1)
    ones = (digits == _ZERO + 1).sum(axis=1)
    valid &= rows.counts[complete] == len(names) + ones
    complete[np.flatnonzero(complete)[~valid]] = False
    return flags, complete
