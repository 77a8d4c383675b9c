"""Whether a file is what its name says: an archive places it by its name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gracelstm_xr import l1b
from gracelstm_xr.core.time import EPOCH, ONE_DAY
from gracelstm_xr.errors import L1BFormatError

_DAY_NS = int(ONE_DAY / np.timedelta64(1, "ns"))


def check_identity(file: l1b.L1BFile, name: l1b.FileName | None, source: str) -> None:
    """Refuse a file of another satellite or day than that of its name.

    Parameters
    ----------
    file : L1BFile
        What was read.
    name : FileName or None
        By what the file was found; None for a file found by its content.
    source : str
        Its path, for the message.

    Raises
    ------
    L1BFormatError
        Header and records are of another satellite, no record is of that day, or
        positions are in another frame than that of the product.
    """
    _check_frame(file, source)
    if name is None:
        name = l1b.parse_name(str(file.header.attributes.get("file_name", "")))
    if name is None:
        return
    if file.satellite != name.satellite:
        better = replace(name, satellite=file.satellite)
        raise L1BFormatError(
            f"{source}: named satellite {name.satellite}, its header and records are "
            f"of {file.satellite}; rename it to {better}"
        )
    times = file.time_ns
    start = int((np.datetime64(name.date, "ns") - EPOCH) / np.timedelta64(1, "ns"))
    inside = (times >= start) & (times < start + _DAY_NS)
    if len(times) and not inside.any():
        first, last = (
            str(EPOCH + np.timedelta64(int(t), "ns"))[:19]
            for t in (times.min(), times.max())
        )
        raise L1BFormatError(
            f"{source}: named {name.date}, its records are from {first} to {last}; "
            "rename it to the day it holds"
        )


def _check_frame(file: l1b.L1BFile, source: str) -> None:
    """Refuse orbits in another frame than that of their product."""
    frame = {"GNV1B": b"E", "GNI1B": b"I"}.get(file.product.code)
    if frame is None or "coord_ref" not in file.columns:
        return
    other = file.columns["coord_ref"] != frame
    if other.any():
        named = b", ".join(np.unique(file.columns["coord_ref"][other])).decode("latin1")
        raise L1BFormatError(
            f"{source}: {int(other.sum())} of {len(other)} records have coord_ref "
            f"{named!r}, expected {frame.decode()!r} of {file.product.code}: positions "
            "in another frame are not used"
        )
