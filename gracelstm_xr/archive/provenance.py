"""What an archive says of itself: flag meanings, origin, global attributes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gracelstm_xr import l1b
from gracelstm_xr.archive.catalogue import Catalogue, Entry
from gracelstm_xr.core.conventions import (
    coverage_attributes,
    flag_attributes,
    global_attributes,
)
from gracelstm_xr.core.provenance import FILES_DIGEST, digest_of
from gracelstm_xr.core.time import RegularAxis
from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.missions import missions_of

#: Files and tarballs that are tried for a header that can be read.
MOST_TRIED = 10


def family_flags(catalogue: Catalogue, products: Sequence[str]) -> dict[str, Any]:
    """Flag meanings of a family; the header's own for GRACE-FO, which lists them."""
    entries = [e for e in catalogue.entries if e.name.product in products]
    entry = next(e for e in entries)
    product = l1b.product_of(entry.name.product, entry.name.satellite)
    meanings = next(iter(product.flags.values()), ())
    if l1b.is_grace_fo(entry.name.satellite):
        # A header that cannot be read says so when its day is computed
        with contextlib.suppress(OSError, L1BFormatError):
            listed = l1b.read_header(entry.source).flags
            meanings = listed.get("qualflg") or meanings
    return flag_attributes(meanings, "uint8")


def origin(catalogue: Catalogue) -> str:
    """Who made the files, from the first header; simulated data must say so."""
    header = None
    for entry in _one_a_place(catalogue):
        # A header that cannot be read says so when its day is computed
        with contextlib.suppress(OSError, L1BFormatError):
            header = l1b.read_header(entry.source)
            break
    if header is None:
        return ""
    if "simulated" in str(list(header.attributes.values())).lower():
        return "simulated "
    names = ("producer_agency", "institution")
    makers = [str(header.attributes[n]) for n in names if n in header.attributes]
    return f"{' '.join(makers)} " if makers else ""


def _one_a_place(catalogue: Catalogue) -> Iterator[Entry]:
    """A few files of which the first to be sound speaks for all."""
    places: set[str] = set()
    for entry in catalogue.entries:
        place = entry.archive or entry.source
        if place not in places:
            places.add(place)
            yield entry
        if len(places) == MOST_TRIED:
            return


def archive_attributes(
    satellites: Sequence[str],
    axis: RegularAxis,
    *,
    products: Iterable[str],
    releases: Iterable[str],
    files: Sequence[str],
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
    files : sequence of str
        One line per file used, see `core.provenance.FILES_DIGEST`.
    made_by : str
        From `origin`.
    """
    names = missions_of(satellites)
    codes = ", ".join(sorted(set(products)))
    versions = ", ".join(sorted(set(releases)))
    attrs = global_attributes(
        title=f"{' and '.join(names)} Level-1B data",
        source=f"{made_by.strip()} Level-1B files {codes}, release {versions}".strip(),
        satellites=satellites,
    )
    attrs.update(coverage_attributes(axis.start, axis.stop, axis.step))
    attrs["product_version"] = versions
    attrs["source_files"] = len(files)
    attrs[FILES_DIGEST] = digest_of(files)
    return attrs
