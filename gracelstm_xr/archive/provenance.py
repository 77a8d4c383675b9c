"""What an archive says of itself: flag meanings, origin, global attributes."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gracelstm_xr import l1b
from gracelstm_xr.archive.catalogue import Catalogue
from gracelstm_xr.core.conventions import (
    coverage_attributes,
    flag_attributes,
    global_attributes,
)
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.errors import L1BFormatError, StoreError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["archive_attributes", "data_origin", "family_flags", "origin"]


def family_flags(catalogue: Catalogue, products: Sequence[str]) -> dict[str, Any]:
    """Flag meanings of a family; the header's own for GRACE-FO, which lists them."""
    entries = [e for e in catalogue.entries if e.name.product in products]
    entry = next(e for e in entries)
    product = l1b.product_of(entry.name.product, entry.name.satellite)
    known = next(iter(product.flags.values()), ())
    if l1b.is_grace_fo(entry.name.satellite):
        # A header that cannot be read says so when its day is computed
        with contextlib.suppress(OSError, L1BFormatError):
            listed = l1b.read_header(entry.source).flags
            known = listed.get("qualflg") or known
    return flag_attributes(known, "uint8")


def origin(catalogue: Catalogue) -> str:
    """Who made the files, from the first header; simulated data must say so."""
    header = None
    # A header that cannot be read says so when its day is computed
    with contextlib.suppress(OSError, L1BFormatError):
        header = l1b.read_header(catalogue.entries[0].source)
    if header is None:
        return ""
    if "simulated" in str(list(header.attributes.values())).lower():
        return "simulated "
    names = ("producer_agency", "institution")
    found = [str(header.attributes[n]) for n in names if n in header.attributes]
    return f"{' '.join(found)} " if found else ""


def archive_attributes(
    satellites: Sequence[str],
    axis: RegularAxis,
    *,
    products: Iterable[str],
    releases: Iterable[str],
    files: int,
    made_by: str,
) -> dict[str, Any]:
    """Global attributes: what was found, in numbers (the list would be too long).

    Parameters
    ----------
    satellites : sequence of str
        Letters.
    axis : RegularAxis
        Time axis.
    products, releases : iterable of str
        Of the files used, in any order, with repetitions.
    files : int
        Number of files used.
    made_by : str
        From `origin`.
    """
    mission = {"A": "GRACE", "B": "GRACE", "C": "GRACE-FO", "D": "GRACE-FO"}
    names = sorted({mission.get(s, "GRACE") for s in satellites})
    found = ", ".join(sorted(set(products)))
    versions = ", ".join(sorted(set(releases)))
    attrs = global_attributes(
        title=f"{' and '.join(names)} Level-1B data",
        source=f"{made_by.strip()} Level-1B files {found}, release {versions}".strip(),
        satellites=satellites,
    )
    attrs.update(coverage_attributes(axis.start, axis.stop, axis.step))
    attrs["product_version"] = versions
    attrs["source_files"] = files
    return attrs


def data_origin(ds: xr.Dataset) -> dict[str, str]:
    """What a fitted model says of the data it was made from.

    Parameters
    ----------
    ds : xarray.Dataset

    Returns
    -------
    dict of str to str
        ``data``: the Dataset's own attribute ``source``. Of a Dataset from a store, or
        from the files of an archive, also ``files``, their number, and
        ``manifest_sha256``, a digest of their names and, in a store, of their contents:
        the same data give the same digest wherever they lie.
    """
    found = {"data": str(ds.attrs.get("source", "data of unstated origin"))}
    rows = _source_files(ds)
    if rows:
        text = "\n".join(sorted(rows))
        found["files"] = str(len(rows))
        found["manifest_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return found


def _source_files(ds: xr.Dataset) -> list[str]:
    """One line per Level-1B file behind a Dataset; none where that is not known."""
    from gracelstm_xr.archive.dataset import FILES, Files
    from gracelstm_xr.store.manifest import read_records
    from gracelstm_xr.store.read import open_root

    files = ds.encoding.get(FILES)
    if isinstance(files, Files):
        return [f"{e.name} {e.size}" for e in files.selection.catalogue.entries]
    where = str(ds.encoding.get("source", ""))
    # the store may be gone, or want options that a Dataset does not carry
    with contextlib.suppress(StoreError, OSError, ValueError):
        records = read_records(open_root(where)[0]) if where else {}
        listed = [f for record in records.values() for f in record.files]
        return [f"{f.name} {f.sha256}" for f in listed if f.used]
    return []
