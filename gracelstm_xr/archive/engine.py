"""The xarray engine ``grace_l1b``: one Level-1B file as a lazy Dataset.

Opening reads the header. The records are parsed on the first touch of a value, in
the process that needs it, once per file (see `gracelstm_xr.archive.cache`).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from gracelstm_xr import l1b
from gracelstm_xr.archive.cache import forget, normalised, parsed
from gracelstm_xr.core.conventions import (
    attributes_of,
    field_attributes,
    header_attributes,
    labels_of,
    time_encoding,
)
from gracelstm_xr.core.lazytime import LazyTimeIndex
from gracelstm_xr.core.time import EPOCH
from gracelstm_xr.errors import GraceError, L1BFormatError
from gracelstm_xr.l1b.header import parse_header, read_until_end
from gracelstm_xr.l1b.reader import open_stream

# Wholly expressed by the time coordinate and by the satellite coordinate
_ABSORBED = {
    "gps_time",
    "time_intg",
    "time_frac",
    "rcvtime_intg",
    "rcvtime_frac",
    "GRACE_id",
}


class L1BArray(BackendArray):
    """One variable of a file, parsed when indexed; pickles as the file's name.

    Parameters
    ----------
    source : str
        Normalised path, URL or ``tar://`` chain.
    name : str
        Field of the product, or ``"time"``.
    shape : tuple of int
        Known from the header.
    dtype : dtype
        Type in memory.
    strict : bool
        Refuse damaged files.
    """

    def __init__(
        self,
        source: str,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        strict: bool,
    ) -> None:
        self.source = source
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.strict = strict
        self._times: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_times": None}

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._get
        )

    def _get(self, key: Any) -> Any:
        if self._times is not None:
            return self._times[key]
        file = parsed(self.source, strict=self.strict)
        if self.name == "time":
            values: Any = EPOCH + file.time_ns.astype("timedelta64[ns]")
        else:
            values = file.columns[self.name]
        if values.shape[0] != self.shape[0]:
            raise L1BFormatError(
                f"{self.source}: {values.shape[0]} readable records found, expected "
                f"{self.shape[0]} from its header and size; open it with eager=True"
            )
        if self.dtype == object:
            values = np.char.decode(values, "ascii", "replace").astype(object)
        if self.name == "time":
            # Shared by the coordinate and its index, and read-only like the times of
            # any index: once they are known, neither needs the file again, which may
            # be gone after Dataset.load
            values.flags.writeable = False
            self._times = values
            return values[key]
        wanted = values[key]
        # the cached columns stay as they are in the file, whatever a user does
        return wanted.copy() if np.may_share_memory(wanted, values) else wanted


class GraceL1BBackend(BackendEntrypoint):
    """xarray engine for GRACE and GRACE-FO Level-1B files of every product.

    Binary, ASCII and GRACE-FO text, plain or ``.gz``, local or any fsspec URL, and
    members of tarballs as ``tar://MEMBER::ARCHIVE``. Content decides the format.
    """

    description = "Open GRACE and GRACE-FO Level-1B files lazily"
    supports_groups = True
    open_dataset_parameters = (
        *("filename_or_obj", "drop_variables", "eager", "strict"),
        *("mask_and_scale", "decode_times", "concat_characters", "decode_coords"),
        *("use_cftime", "decode_timedelta"),
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        eager: bool = False,
        strict: bool = False,
        mask_and_scale: bool | None = None,
        decode_times: bool | None = None,
        concat_characters: bool | None = None,
        decode_coords: bool | str | None = None,
        use_cftime: bool | None = None,
        decode_timedelta: bool | None = None,
    ) -> xr.Dataset:
        """Open one file.

        Parameters
        ----------
        filename_or_obj : str or PathLike
            Path, URL, or ``tar://member::archive``.
        drop_variables : str or iterable of str, optional
            Variables to leave out.
        eager : bool, default False
            Parse now instead of at the first touch; needed only for damaged text
            files whose readable records cannot be counted without parsing.
        strict : bool, default False
            Raise where a record is cut or records are missing, instead of warning.
        decode_times : bool, optional
            False gives ``time`` as numbers, with their units as an attribute.
        mask_and_scale, concat_characters, decode_coords, decode_timedelta : optional
            Of ``xarray.open_dataset``; they change nothing, because a Level-1B file
            holds neither fill values, scales nor characters to be decoded.
        use_cftime : bool, optional
            Not True: times are GPS times to the nanosecond.

        Returns
        -------
        xarray.Dataset
            Variables of the product along ``time`` (``record`` where times repeat by
            design), header fields as attributes, scalar coordinate ``satellite``.

        Raises
        ------
        FileNotFoundError
            No such file or member.
        L1BFormatError
            Not a Level-1B file, or a damaged one.
        """
        if not isinstance(filename_or_obj, str | os.PathLike):
            raise GraceError(
                f"{type(filename_or_obj).__name__} found; engine 'grace_l1b' expects "
                "a path, a URL or tar://MEMBER::ARCHIVE"
            )
        if use_cftime:
            raise GraceError(
                "use_cftime=True found; times of Level-1B files are datetime64 of GPS "
                "time, leave it out"
            )
        source = normalised(filename_or_obj)
        with open_stream(source) as stream:
            header = parse_header(read_until_end(stream, source), source)
            product = l1b.product_of(header.product, header.satellite)
            count = None if eager else record_count(stream, header, product)
        if count is None:
            count = parsed(source, strict=strict).report.records
        ds = _dataset(source, header, product, count, strict=strict)
        if drop_variables is not None:
            names = (
                [drop_variables] if isinstance(drop_variables, str) else drop_variables
            )
            ds = ds.drop_vars(list(names), errors="ignore")
        if decode_times is False:
            ds = _with_numbers(ds)
        ds.set_close(functools.partial(forget, source))
        return ds

    def open_groups_as_dict(
        self, filename_or_obj: Any, **options: Any
    ) -> dict[str, xr.Dataset]:
        """Open one file as the only group; parameters as for `open_dataset`."""
        return {"/": self.open_dataset(filename_or_obj, **options)}

    def open_datatree(self, filename_or_obj: Any, **options: Any) -> xr.DataTree:
        """Open one file as a tree of one node; parameters as for `open_dataset`."""
        groups = self.open_groups_as_dict(filename_or_obj, **options)
        return xr.DataTree.from_dict(groups)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether the name is that of a readable Level-1B file; reads nothing."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        name = l1b.parse_name(filename_or_obj)
        return name is not None and (
            name.extension != "rpt" and name.product in l1b.PRODUCTS
        )


def record_count(
    stream: IO[bytes], header: l1b.Header, product: l1b.Product
) -> int | None:
    """Count the records of a file without parsing them.

    Parameters
    ----------
    stream : file
        Its decompressed content.
    header : Header
        Its header.
    product : Product
        Its layout.

    Returns
    -------
    int or None
        From the size for fixed binary records. Otherwise the announced number, if
        the number of lines (text) or the size (variable binary records) confirms
        it; None where only parsing can tell.
    """
    if header.format != "binary":
        lines, complete = _count_lines(stream, header.nbytes)
        return lines if complete and lines == header.records else None
    size = stream.seek(0, os.SEEK_END)
    if not product.optional and not product.has_strings:
        return int((size - header.nbytes) // product.record_dtype().itemsize)
    plausible = header.records is not None and 0 <= header.records <= size
    return header.records if plausible and size == header.file_size else None


def _count_lines(stream: IO[bytes], offset: int) -> tuple[int, bool]:
    """Count the lines after `offset` and tell whether the last one has an end."""
    stream.seek(offset)
    lines, last = 0, b"\n"
    while block := stream.read(1 << 20):
        lines += block.count(b"\n")
        last = block[-1:]
    return lines, last == b"\n"


def _dataset(
    source: str,
    header: l1b.Header,
    product: l1b.Product,
    count: int,
    *,
    strict: bool,
) -> xr.Dataset:
    """Build the lazy Dataset of one file."""
    dim = product.dim
    flag = next((f.name for f in product.fields if f.name.endswith("_qualflg")), "")
    make = functools.partial(_variable, source=source, count=count, strict=strict)
    variables: dict[str, xr.Variable] = {}
    coords: dict[str, Any] = {
        "satellite": ((), header.satellite, attributes_of("satellite"))
    }
    for item in product.fields:
        if item.name in _ABSORBED:
            continue
        meanings = header.flags.get(item.columns[0]) or product.flags.get(item.name, ())
        attrs = field_attributes(item, flags=meanings, flag_name=flag)
        dims = (dim, item.dim) if item.dim else (dim,)
        dtype = np.dtype(object) if item.dtype == "S" else item.memory_dtype
        variables[item.name] = make(item.name, dims, item.shape, dtype, attrs)
        if item.dim:
            labels = np.array(labels_of(item.dim))
            coords[item.dim] = (item.dim, labels, attributes_of(item.dim))
    stamp = np.dtype("datetime64[ns]")
    time = make("time", (dim,), (), stamp, _time_attributes(product))
    time.encoding.update(time_encoding())
    attrs = {"title": product.title, **header_attributes(header)}
    if dim == "record":
        return xr.Dataset(variables, coords={**coords, "time": time}, attrs=attrs)
    index = xr.Coordinates.from_xindex(LazyTimeIndex(time))
    return xr.Dataset(variables, coords=index, attrs=attrs).assign_coords(coords)


def _variable(
    name: str,
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    attrs: dict[str, Any],
    *,
    source: str,
    count: int,
    strict: bool,
) -> xr.Variable:
    """Return one lazy variable, one preferred chunk for the file."""
    array = L1BArray(source, name, (count, *shape), dtype, strict=strict)
    data = indexing.LazilyIndexedArray(array)
    encoding = {"source": source, "preferred_chunks": {dims[0]: max(count, 1)}}
    return xr.Variable(dims, data, attrs, encoding)


def _with_numbers(ds: xr.Dataset) -> xr.Dataset:
    """Dataset with times as numbers, as their encoding says."""
    time = xr.conventions.encode_cf_variable(ds["time"].variable)
    if "time" in ds.xindexes:
        ds = ds.drop_indexes("time")
    return ds.assign_coords(time=(time.dims, time.values, time.attrs))


def _time_attributes(product: l1b.Product) -> dict[str, Any]:
    """Return the time attributes; on-board clocks are not called GPS time."""
    attrs = attributes_of("time")
    first = product[product.time_fields[0]]
    if first.name not in _ABSORBED:
        attrs["long_name"] = first.long_name
        attrs["time_scale"] = first.long_name
    return attrs
