"""Dataclasses as JSON and arrays, and back: what a model file holds.

A field is packed by what it is and unpacked by its declared type, so that a new field
of a fitted object needs nothing here. Unpacking makes objects of listed classes only
and imports nothing.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.errors import ModelFileError

__all__ = ["Arrays", "pack", "unpack"]

Arrays = dict[str, npt.NDArray[Any]]
#: Types of array elements a file may hold, as `numpy.dtype.kind`.
KINDS = "fiubU"


def pack(value: Any, arrays: Arrays, place: str) -> Any:
    """Plain JSON values for ``value``; its arrays go into ``arrays``.

    Parameters
    ----------
    value : object
        Dataclass, ndarray, tuple, dict with str keys, number, str or None.
    arrays : dict of str to ndarray
        Arrays by name; added to.
    place : str
        Where the value stands; the beginning of the names of its arrays.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(value, np.ndarray):
        arrays[place] = value
        finite = value.dtype.kind != "f" or bool(np.isfinite(value).all())
        shape, dtype = list(value.shape), value.dtype.str
        return {"array": place, "shape": shape, "dtype": dtype, "finite": finite}
    if is_dataclass(value) and not isinstance(value, type):
        inner = {
            f.name: pack(getattr(value, f.name), arrays, f"{place}.{f.name}")
            for f in fields(value)
        }
        return {"class": type(value).__name__, **inner}
    if isinstance(value, tuple | list):
        return [pack(v, arrays, f"{place}.{i}") for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(k): pack(v, arrays, f"{place}.{k}") for k, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"found {type(value).__name__} at {place}, expected dataclasses, arrays and "
        "plain values: a model file holds nothing else"
    )


def unpack(
    plain: Any,
    declared: Any,
    arrays: Mapping[str, npt.NDArray[Any]],
    place: str,
    *,
    others: Mapping[str, type] | None = None,
) -> Any:
    """Object of the declared type from what `pack` made.

    Parameters
    ----------
    plain : object
        JSON values.
    declared : type
        Of the value: a dataclass, or a type one of its fields may have.
    arrays : mapping of str to ndarray
    place : str
        Where the value stands, for messages.
    others : mapping of str to type
        Dataclasses that may stand where a protocol is declared.

    Raises
    ------
    ModelFileError
        When a part is missing, unknown, or of another type.
    """
    return _Unpacker(arrays, others or {}).value(plain, declared, place)


class _Unpacker:
    """Arrays and classes an unpacking may use."""

    def __init__(
        self, arrays: Mapping[str, npt.NDArray[Any]], others: Mapping[str, type]
    ) -> None:
        self.arrays, self.others = arrays, others

    def value(self, plain: Any, declared: Any, place: str) -> Any:
        origin, inner = typing.get_origin(declared), typing.get_args(declared)
        if origin in (types.UnionType, typing.Union):
            if plain is None and type(None) in inner:
                return None
            (declared,) = (t for t in inner if t is not type(None))
            return self.value(plain, declared, place)
        if origin is np.ndarray:
            return self._array(plain, declared, place)
        if origin is tuple:
            return self._tuple(plain, inner, place)
        if origin is dict:
            found = _expect(plain, dict, place)
            return {
                k: self.value(v, inner[1], f"{place}.{k}") for k, v in found.items()
            }
        if isinstance(declared, type) and getattr(declared, "_is_protocol", False):
            kind = _expect(plain, dict, place).get("class")
            if kind not in self.others:
                raise _wrong(place, kind, f"one of {', '.join(sorted(self.others))}")
            declared = self.others[str(kind)]
        if is_dataclass(declared):
            return self._dataclass(plain, declared, place)
        if declared is float and isinstance(plain, int) and not isinstance(plain, bool):
            return float(plain)
        return _expect(plain, declared, place)

    def _dataclass(self, plain: Any, declared: Any, place: str) -> Any:
        found = dict(_expect(plain, dict, place))
        kind = found.pop("class", None)
        names = [f.name for f in fields(declared)]
        if kind != declared.__name__:
            raise _wrong(place, kind, declared.__name__)
        if missing := sorted(set(names) - set(found)):
            raise _wrong(place, "no " + ", ".join(missing), "all of this version")
        if unknown := sorted(set(found) - set(names)):
            raise _wrong(place, "also " + ", ".join(unknown), "those of this version")
        hints = typing.get_type_hints(declared)
        made: Callable[..., Any] = declared
        return made(
            **{n: self.value(found[n], hints[n], f"{place}.{n}") for n in names}
        )

    def _tuple(self, plain: Any, inner: tuple[Any, ...], place: str) -> Any:
        found = _expect(plain, list, place)
        if len(inner) == 2 and inner[1] is Ellipsis:
            inner = (inner[0],) * len(found)
        if len(found) != len(inner):
            raise _wrong(place, f"{len(found)} values", f"{len(inner)}")
        return tuple(
            self.value(v, t, f"{place}.{i}")
            for i, (v, t) in enumerate(zip(found, inner, strict=True))
        )

    def _array(self, plain: Any, declared: Any, place: str) -> npt.NDArray[Any]:
        said = _expect(plain, dict, place)
        array = self.arrays.get(str(said.get("array")))
        if array is None:
            raise _wrong(place, "no array", f"{said.get('array')!r} in arrays.npz")
        (wanted,) = typing.get_args(typing.get_args(declared)[1])
        if array.dtype.kind not in KINDS or not issubclass(array.dtype.type, wanted):
            raise _wrong(place, f"type {array.dtype}", wanted.__name__)
        finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
        here = {
            "array": said.get("array"), "shape": list(array.shape),
            "dtype": array.dtype.str, "finite": finite,
        }  # fmt: skip
        if here != said:
            raise _wrong(place, f"{here}", f"{said}")
        return array


def _expect(plain: Any, declared: Any, place: str) -> Any:
    exact = isinstance(plain, declared) and not (
        isinstance(plain, bool) and declared is not bool
    )
    if not exact:
        raise _wrong(place, f"{type(plain).__name__}", declared.__name__)
    return plain


def _wrong(place: str, found: object, expected: str) -> ModelFileError:
    return ModelFileError(f"found {found} at {place}, expected {expected}")
