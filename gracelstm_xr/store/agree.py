"""Whether what a store says about itself agrees with the arrays that are there.

A bit may flip in a file of metadata, and other programs write into stores, too: an
ordinary ``to_zarr(append_dim="time")`` of xarray puts the attributes of one store over
those of another. Comparing sizes, what decodes the values, and a few of the stored
times tells it, at a cost that does not grow with the store.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.core.timecode import codes_at, time_attributes
from gracelstm_xr.errors import StoreError

#: What the libraries raise that read a damaged store; a full disk and the like are
#: OSError and say themselves what is wrong.
DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
)
#: What to do with a store that another program has changed.
ANEW = (
    "another program has changed the store; open it with xarray.open_zarr and write it "
    "to a new one with ds.grace.to_zarr"
)
#: What to do about a file that is not as it was written.
AGAIN = (
    "it is damaged, or another program has changed it; put the file of a copy in its "
    "place, or write the store again"
)
#: What to do about files that are gone or damaged.
FROM_SOURCES = (
    "remove it if it is there, and ingest the source files again to have it written "
    "anew, or put the file of a copy in its place"
)
#: Times that are compared at every opening, the first and the last among them.
SPOTS = 3
#: Attributes of an array by which its values are decoded.
DECODING = (
    "units",
    "calendar",
    "scale_factor",
    "add_offset",
    "_FillValue",
    "missing_value",
    "dtype",
)
#: Dimensions along which a store grows.
GROWING = ("time", "satellite")
#: Longest chunk along a dimension that may be shorter: room for more satellites.
LONGEST_OF_FEW = 8
#: Characters of the words of another library that a message quotes.
MOST_WORDS = 200
_RUNS = re.compile(r"\d{1,9}(-\d{1,9})?( \d{1,9}(-\d{1,9})?)*")
_INT64 = np.iinfo(np.int64)


def readable(where: str) -> contextlib.AbstractContextManager[None]:
    """Say in one line that a store cannot be read, whatever a library says.

    Raises
    ------
    StoreError
        In place of the errors in `DAMAGE`.
    """
    return _instead(
        lambda kind, words: (
            f"{where} is not a readable Zarr store: {kind} {words}; {AGAIN}"
        )
    )


def undamaged(place: str) -> contextlib.AbstractContextManager[None]:
    """Say in one line that values of an array cannot be read.

    Raises
    ------
    StoreError
        In place of the errors in `DAMAGE`, checksums that do not match among them.
    """
    return _instead(
        lambda kind, words: (
            f"{place} is damaged ({kind}: {words}); `gracelstm info --check` names the "
            "file: remove it and ingest the source files again"
        )
    )


@contextlib.contextmanager
def _instead(line: Callable[[str, str], str]) -> Iterator[None]:
    """Raise a StoreError of one line for the errors in `DAMAGE`, given their words."""
    try:
        yield
    except StoreError:
        raise
    except DAMAGE as error:
        words = " ".join(str(error).split())[:MOST_WORDS]
        raise StoreError(line(type(error).__name__, words)) from error


def check_meta(meta: Mapping[str, Any], where: str) -> None:
    """Check what a store says about its shape: types, and sizes that can be.

    Raises
    ------
    StoreError
        In one line, for the first that is not so.
    """
    time = meta.get("time")
    said = time if isinstance(time, dict) else {}
    letters, observed = meta.get("satellites", []), meta.get("observed", {})
    sizes = _positive(said.get("size")) and _positive(meta.get("shard"))
    rules = {
        "time.start": isinstance(said.get("start"), str),
        "time.step_ns": _positive(said.get("step_ns")),
        "time.size": _positive(said.get("size")),
        "shard": _positive(meta.get("shard")),
        "satellites": _are_texts(letters) and len(set(letters)) == len(letters),
        "variables": _are_texts(meta.get("variables", [])),
        "unseen": _are_texts(meta.get("unseen", [])),
        "arrays": isinstance(meta.get("arrays", {}), dict),
        "observed": isinstance(observed, dict)
        and all(type(n) is int for n in observed.values()),
        "written": sizes and _are_runs(meta.get("written", {}), said, meta),
        "problems": _are_texts(meta.get("problems", [])),
    }
    for name, holds in rules.items():
        if not holds:
            raise StoreError(
                f"{where}/zarr.json: its {name!r} is missing or impossible; {AGAIN}"
            )
    axis = axis_in(meta)
    last = axis.start_ns + axis.size * axis.step_ns
    if np.isnat(axis.start) or last > _INT64.max:
        raise StoreError(
            f"{where}/zarr.json: {axis.size} times from {axis.start} are beyond what "
            f"nanoseconds count; {AGAIN}"
        )


def _positive(value: Any) -> bool:
    return type(value) is int and 0 < value <= _INT64.max


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _are_runs(value: Any, time: Mapping[str, Any], meta: Mapping[str, Any]) -> bool:
    """Whether these are files by array, as `stored.written` tells them."""
    if not isinstance(value, dict) or not all(
        isinstance(files, dict) for files in value.values()
    ):
        return False
    texts = [runs for files in value.values() for runs in files.values()]
    if not all(isinstance(t, str) and _RUNS.fullmatch(t) for t in texts):
        return False
    shards = -(-time.get("size", 0) // meta.get("shard", 1))
    return all(int(n) < shards for t in texts for n in re.findall(r"\d+", t))


def axis_in(meta: Mapping[str, Any]) -> RegularAxis:
    """Return the time axis that a store says it has."""
    return RegularAxis(
        np.datetime64(meta["time"]["start"], "ns"),
        np.timedelta64(int(meta["time"]["step_ns"]), "ns"),
        int(meta["time"]["size"]),
    )


def form_of(array: Any) -> dict[str, Any]:
    """Return what makes values of the bytes of a stored array, in plain types.

    Parameters
    ----------
    array : zarr.Array
        Of a store. Lengths that grow are left out, and what the codecs check.
    """
    plain = array.metadata.to_dict()
    dims = [str(d) for d in array.metadata.dimension_names or ()]
    lengths = zip(dims, array.shape, strict=True) if dims else ()
    attrs = array.attrs.asdict()
    return {
        "type": plain["data_type"],
        "dims": dims,
        "sizes": {d: n for d, n in lengths if d not in GROWING},
        "shard": list(array.shards or array.chunks),
        "chunk": list(array.chunks),
        "keys": plain["chunk_key_encoding"],
        "fill": plain["fill_value"],
        **{key: attrs[key] for key in DECODING if key in attrs},
    }


def check_arrays(
    arrays: Mapping[str, Any], meta: Mapping[str, Any], where: str
) -> None:
    """Compare the arrays of a store with what its attributes say of them.

    Parameters
    ----------
    arrays : mapping of str to zarr.Array
        Those at the root of the store.
    meta : mapping
        What the store says about itself, as `check_meta` has passed it.
    where : str
        Address of the store, for messages.

    Raises
    ------
    StoreError
        One is missing, or differs in size or in what decodes its values.
    """
    forms = meta.get("arrays", {})
    lost = sorted({*forms, *meta.get("variables", ())} - set(arrays))
    if lost:
        raise StoreError(
            f"{where} has no array {lost[0]!r}, its attributes name it: "
            f"{lost[0]}/zarr.json was removed or is damaged; put the file of a copy in "
            "its place, or write the store again"
        )
    for name, array in sorted(arrays.items(), key=lambda item: item[0] != "time"):
        _check_sizes(name, array, meta, where)
        if name in forms:
            _check_form(name, array, forms[name], where)


def _check_sizes(name: str, array: Any, meta: Mapping[str, Any], where: str) -> None:
    dims = array.metadata.dimension_names or (None,) * array.ndim
    expected = {"time": meta["time"]["size"]}
    if meta.get("satellites"):
        expected["satellite"] = len(meta["satellites"])
    shards = array.shards or array.chunks
    for dim, size, length in zip(dims, array.shape, shards, strict=True):
        promised = expected.get(dim, size)
        if size < promised or (size > promised and not meta.get("pending")):
            raise StoreError(
                f"{where}: {name} has {size} along {dim!r}, its attributes say "
                f"{promised}; {ANEW}"
            )
        if length > max(size, meta["shard"], LONGEST_OF_FEW):
            raise StoreError(
                f"{where}/{name}/zarr.json: chunks of {length} along {dim!r}, the "
                f"array has {size}; {AGAIN}"
            )


def _check_form(name: str, array: Any, form: Any, where: str) -> None:
    actual = form_of(array)
    said = form if isinstance(form, dict) else {}
    for key in sorted({*actual, *said}):
        if key not in said or key not in actual or actual[key] != said[key]:
            raise StoreError(
                f"{where}/{name}/zarr.json: {key} {actual.get(key)!r} found, "
                f"{said.get(key)!r} was written; {AGAIN}"
            )


def check_time(
    arrays: Mapping[str, Any],
    meta: Mapping[str, Any],
    where: str,
    *,
    mending: bool = False,
) -> RegularAxis:
    """Return the time axis of a store, compared with the times that it holds.

    Parameters
    ----------
    arrays : mapping of str to zarr.Array
        Those at the root of the store.
    meta : mapping
        What the store says about itself; the arrays may be longer than it says if an
        ingest is at work.
    where : str
        Its address, for messages.
    mending : bool, optional
        Whether files of times that are gone are going to be written again.

    Raises
    ------
    StoreError
        Number, unit or values of the times are others.
    """
    axis = axis_in(meta)
    array = arrays.get("time")
    if array is None:
        raise StoreError(f"{where} has no array 'time'; {ANEW}")
    longer = meta.get("pending") and array.ndim == 1 and array.shape[0] > axis.size
    if array.shape != (axis.size,) and not longer:
        raise StoreError(
            f"{where} holds times of shape {array.shape}, its attributes say "
            f"{axis.size} from {axis.start}; {ANEW}"
        )
    units, expected_units = array.attrs.get("units"), time_attributes(axis)["units"]
    if array.dtype != "int64" or units != expected_units:
        raise StoreError(
            f"{where} holds times of type {array.dtype} in {units!r}, its attributes "
            f"say int64 in {expected_units!r}; {ANEW}"
        )
    spots = np.unique(np.linspace(0, axis.size - 1, SPOTS).astype("int64"))
    codes = np.asarray(array.get_coordinate_selection(spots))
    for spot, code, expected in zip(spots, codes, codes_at(axis, spots), strict=True):
        if code == expected:
            continue
        if code == array.fill_value and "written" in meta:
            if mending:
                continue
            file = f"{where}/time/c/{spot // array.chunks[0]}"
            raise StoreError(f"{file} is gone; {FROM_SOURCES}")
        raise StoreError(
            f"{where}: time {spot} is {code} {units}, its attributes say "
            f"{expected} (an axis from {axis.start}); {ANEW}"
        )
    return axis
