"""Which files, satellites and span of time a request for an archive means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gracelstm_xr import l1b
from gracelstm_xr.archive.catalogue import ACCELERATIONS, Catalogue, Sources, find_files
from gracelstm_xr.core.labels import begin, end
from gracelstm_xr.core.time import ONE_DAY, RegularAxis
from gracelstm_xr.errors import ArchiveError
from gracelstm_xr.missions import MISSIONS, SATELLITES

FAMILIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "acc": (ACCELERATIONS, ("lin_accl", "ang_accl", "acl_res", "acc_qualflg")),
    "gnv": (("GNV1B",), ("position", "velocity", "gnv_qualflg")),
    "sca": (("SCA1B",), ("quaternion", "sca_qualflg")),
    "thr": (("THR1B",), ("thruster_on_time",)),
}
"""Products and variables of each family; products of one family replace each other."""


@dataclass(frozen=True)
class Selection:
    """What was asked for and is there.

    Attributes
    ----------
    catalogue
        Files the axis touches.
    satellites
        Letters, sorted.
    axis
        Whole seconds of GPS time.
    """

    catalogue: Catalogue
    satellites: tuple[str, ...]
    axis: RegularAxis

    @property
    def families(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Families with files: their wanted products, best first, and variables."""
        present = {e.name.product for e in self.catalogue.entries}
        result = {}
        for family, (codes, names) in FAMILIES.items():
            chosen = tuple(p for p in self.catalogue.products if p in codes)
            if not present.isdisjoint(chosen):
                result[family] = (chosen, names)
        return result


def family_of(product: str) -> str:
    """Return the family of a product that is on the grid."""
    return next(name for name, (codes, _) in FAMILIES.items() if product in codes)


def select(
    sources: Sources,
    *,
    products: str | Sequence[str],
    satellites: str | Iterable[str] | None = None,
    start: Any = None,
    stop: Any = None,
    releases: str | Iterable[str] | None = None,
) -> Selection:
    """Find the files of a request; parameters and errors as for `open_archive`."""
    wanted = _check_products(products)
    letters = None if satellites is None else _check_satellites(satellites)
    catalogue = find_files(
        sources, products=wanted, satellites=letters, releases=releases
    )
    axis = _axis(catalogue, start, stop)
    inside = _limited(catalogue, axis)
    if not inside.entries:
        days = catalogue.days
        raise ArchiveError(
            f"no files from {axis.start} to {axis.stop}; the sources hold "
            f"{days[0]} to {days[-1]}"
        )
    return Selection(inside, tuple(letters or catalogue.satellites), axis)


def _check_products(products: str | Sequence[str]) -> list[str]:
    names = [products] if isinstance(products, str) else list(products)
    on_grid = [p for codes, _ in FAMILIES.values() for p in codes]
    for name in names:
        if name in on_grid:
            continue
        if name in l1b.PRODUCTS:
            raise ArchiveError(
                f"{name} is not on the 1 s grid of an archive, expected one of "
                f"{', '.join(on_grid)}; open its files with "
                "xr.open_mfdataset(files, engine='grace_l1b')"
            )
        raise ArchiveError(f"unknown product {name!r}; expected {', '.join(on_grid)}")
    if not names:
        raise ArchiveError(f"no products requested; expected {', '.join(on_grid)}")
    return names


def _check_satellites(satellites: str | Iterable[str]) -> list[str]:
    letters = sorted(set(satellites))
    if not letters or not set(letters) <= set(SATELLITES):
        expected = " and ".join(
            f"{', '.join(m.satellites)} ({m.name})" for m in MISSIONS
        )
        raise ArchiveError(
            f"satellites {satellites!r} found; expected letters of {expected}, for "
            f"example {MISSIONS[0].satellites!r}"
        )
    return letters


def _axis(catalogue: Catalogue, start: Any, stop: Any) -> RegularAxis:
    """Whole days of the files, or the given limits."""
    days = catalogue.days
    first = np.datetime64(days[0], "ns") if start is None else begin(start)
    last = np.datetime64(days[-1], "ns") + ONE_DAY if stop is None else end(stop)
    if last <= first:
        raise ArchiveError(
            f"start {first} is not before stop {last} (exclusive); the sources hold "
            f"{days[0]} to {days[-1]}"
        )
    # The axis lies on whole seconds whatever the limits
    first = first.astype("datetime64[s]").astype("datetime64[ns]")
    return RegularAxis.between(first, last)


def _limited(catalogue: Catalogue, axis: RegularAxis) -> Catalogue:
    """Return the part of a catalogue that the axis touches."""
    first = axis.start.astype("datetime64[D]").item()
    last = (axis.stop - np.timedelta64(1, "ns")).astype("datetime64[D]").item()
    entries = tuple(e for e in catalogue.entries if first <= e.name.date <= last)
    return replace(catalogue, entries=entries)
