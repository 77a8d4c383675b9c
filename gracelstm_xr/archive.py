"""Many Level-1B files as one lazy Dataset on the regular GPS axis."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from gracelstm_xr import l1b
from gracelstm_xr.axis import EPOCH, ONE_DAY, RegularAxis, day_slices, to_datetime64
from gracelstm_xr.catalogue import ACCELERATIONS, Catalogue, Sources, find_files
from gracelstm_xr.conventions import (
    attributes_of,
    coverage_attributes,
    flag_attributes,
    global_attributes,
    labels_of,
)
from gracelstm_xr.datamodel import VARIABLES
from gracelstm_xr.errors import ArchiveError, L1BFormatError
from gracelstm_xr.gridding import Block, Errors, load_block
from gracelstm_xr.scan import COUNTS, LazyCounts, count_block, count_records
from gracelstm_xr.timebase import regular_coords

__all__ = ["FAMILIES", "count_records", "open_archive", "open_catalogue"]

FAMILIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "acc": (ACCELERATIONS, ("lin_accl", "ang_accl", "acl_res", "acc_qualflg")),
    "gnv": (("GNV1B",), ("position", "velocity", "gnv_qualflg")),
    "sca": (("SCA1B",), ("quaternion", "sca_qualflg")),
    "thr": (("THR1B",), ("thruster_on_time",)),
}
"""Products and variables of each family; products of one family replace each other."""

_EPOCH_NS = int(EPOCH.astype("int64"))


def open_archive(
    sources: Sources,
    *,
    products: str | Sequence[str] = ("ACC1B", "GNV1B", "SCA1B", "THR1B"),
    satellites: str | Iterable[str] | None = None,
    start: Any = None,
    stop: Any = None,
    releases: str | Iterable[str] | None = None,
    chunks: Any = None,
    scan: bool = False,
    errors: Errors = "raise",
) -> xr.Dataset:
    """Open many Level-1B files as one lazy Dataset on the 1 s GPS axis.

    Nothing is read but the header of the first file, which tells simulated data, and
    one header per GRACE-FO product, for the flag meanings. Each satellite and day is
    one chunk, computed from the file of that day alone.

    Parameters
    ----------
    sources : str, PathLike or iterable of them
        Folders (searched recursively), globs, single files, daily or monthly
        tarballs, fsspec URLs, ``tar://member::archive``, or a list of these.
    products : str or sequence of str
        Product codes. Of ACC1B, ACT1B, ACH1B, ACU1B, AC01B and AC11B several may be
        named: for each satellite and day the first named that has a file is taken,
        so ``["ACC1B", "ACT1B"]`` uses the transplant where ACC1B is absent.
    satellites : str or iterable of str, optional
        Letters, for example ``"AB"``; by default all that have files.
    start, stop : str, date, datetime or datetime64, optional
        First and last GPS time. A stop without a time of day (``"2008-05"``,
        ``date(2008, 5, 31)``) includes that whole period; one with a time of day is
        the exclusive end. Default: whole days from the first to the last file.
    releases : str or iterable of str, optional
        Releases to use, in order of preference; by default the newest first.
        Within a release binary files go before text, plain files before tarballs.
    chunks : int, dict or "auto", optional
        Chunks other than one per satellite and day, as in ``Dataset.chunk``.
    scan : bool, default False
        Read every file now to put the totals of duplicate epochs, truncated files
        and so on into the attributes; see `count_records`.
    errors : {"raise", "warn", "ignore"}
        What a damaged file does when its day is computed: raise, or leave the day
        empty, with a warning or without any about the contents of files, because
        `to_zarr` counts and names what is wrong with them.

    Returns
    -------
    xarray.Dataset
        Data model with dims ``satellite``, ``time``, ``axis``,
        ``quaternion_component``, ``thruster``; absent seconds are NaN, flags 0.

    Raises
    ------
    ArchiveError
        Nothing found, an unknown product, or one that is not on the 1 s grid, or an
        empty time range.
    """
    wanted = _check_products(products)
    letters = None if satellites is None else _check_satellites(satellites)
    catalogue = find_files(
        sources, products=wanted, satellites=letters, releases=releases
    )
    ds = open_catalogue(
        catalogue, satellites=letters, start=start, stop=stop, errors=errors
    )
    if scan:
        ds.attrs.update(count_records(ds))
    return ds if chunks is None else ds.chunk(chunks)


def open_catalogue(
    catalogue: Catalogue,
    *,
    satellites: Sequence[str] | None = None,
    start: Any = None,
    stop: Any = None,
    errors: Errors = "raise",
) -> xr.Dataset:
    """Build the lazy Dataset of a catalogue; parameters as for `open_archive`."""
    letters = list(satellites or catalogue.satellites)
    axis = _axis(catalogue, start, stop)
    inside = _limited(catalogue, axis)
    if not inside.entries:
        days = catalogue.days
        raise ArchiveError(
            f"no files from {axis.start} to {axis.stop}; the sources hold "
            f"{days[0]} to {days[-1]}"
        )
    found = {e.name.product for e in inside.entries}
    variables: dict[str, xr.Variable] = {}
    counts: list[Any] = []
    for codes, names in FAMILIES.values():
        chosen = [p for p in catalogue.products if p in codes]
        if not found.isdisjoint(chosen):
            tasks = _tasks(_blocks(inside, chosen, letters, axis, errors), inside)
            counts.append(_counts(tasks))
            has_flag = any(name.endswith("_qualflg") for name in names)
            flags = _flags(inside, chosen) if has_flag else {}
            for name in names:
                variables[name] = _variable(name, tasks, flags)
    ds = xr.Dataset(variables, coords=regular_coords(axis))
    ds = ds.assign_coords(_labels(ds, letters))
    ds.attrs = _attributes(inside, letters, axis)
    ds.encoding["catalogue"] = inside
    ds.encoding[COUNTS] = LazyCounts(axis, tuple(letters), tuple(counts))
    return ds


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
    if not letters or not set(letters) <= set("ABCD"):
        raise ArchiveError(
            f"satellites {satellites!r} found; expected letters of A, B (GRACE) and "
            "C, D (GRACE-FO), for example 'AB'"
        )
    return letters


def _axis(catalogue: Catalogue, start: Any, stop: Any) -> RegularAxis:
    """Whole days of the files, or the given limits."""
    days = catalogue.days
    first = np.datetime64(days[0], "ns") if start is None else _begin(start)
    last = np.datetime64(days[-1], "ns") + ONE_DAY if stop is None else _end(stop)
    if last <= first:
        raise ArchiveError(
            f"start {first} is not before stop {last} (exclusive); the sources hold "
            f"{days[0]} to {days[-1]}"
        )
    # The axis lies on whole seconds whatever the limits
    first = first.astype("datetime64[s]").astype("datetime64[ns]")
    return RegularAxis.between(first, last)


def _period(value: Any) -> pd.Period | None:
    """Return the whole days a date without time of day means, else None."""
    if isinstance(value, str):
        try:
            period = pd.Period(value)
        except ValueError:
            return None
        whole_days = period.end_time - period.start_time > pd.Timedelta("23h")
        return period if whole_days else None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return pd.Period(value, "D")
    if isinstance(value, np.datetime64):
        unit = np.datetime_data(value.dtype)[0]
        return pd.Period(str(value)) if unit in "YMD" else None
    return None


def _begin(value: Any) -> np.datetime64:
    period = _period(value)
    return np.datetime64(to_datetime64(value if period is None else period.start_time))


def _end(value: Any) -> np.datetime64:
    period = _period(value)
    after = value if period is None else (period + 1).start_time
    return np.datetime64(to_datetime64(after))


def _limited(catalogue: Catalogue, axis: RegularAxis) -> Catalogue:
    """Return the part of a catalogue that the axis touches."""
    first = axis.start.astype("datetime64[D]").item()
    last = (axis.stop - np.timedelta64(1, "ns")).astype("datetime64[D]").item()
    entries = tuple(e for e in catalogue.entries if first <= e.name.date <= last)
    return Catalogue(entries, catalogue.products)


def _blocks(
    catalogue: Catalogue,
    products: Sequence[str],
    satellites: Sequence[str],
    axis: RegularAxis,
    errors: Errors,
) -> list[list[Block]]:
    """Records of the tasks: one list per satellite, one Block per day."""
    starts = [(int(day.start), int(day.stop - day.start)) for day in day_slices(axis)]
    table = []
    for satellite in satellites:
        row = []
        for position, size in starts:
            begin = axis.start + position * axis.step
            date = begin.astype("datetime64[D]").item()
            found = catalogue.candidates(products, satellite, date)
            others = catalogue.siblings(found[0]) if found else ()
            row.append(
                Block(
                    int(begin.astype("int64")) - _EPOCH_NS,
                    size,
                    tuple(e.source for e in found),
                    others,
                    errors,
                )
            )
        table.append(row)
    return table


def _tasks(blocks: list[list[Block]], catalogue: Catalogue) -> Any:
    """Return a Dask array of the Blocks: one element per (satellite, day) task.

    Its name stands for the files, their sizes and times, so that equal archives share
    tasks and a changed file does not.
    """
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    content = hashlib.blake2b(digest_size=16)
    content.update(repr(blocks).encode())
    files = [(e.source, e.size, e.mtime_ns) for e in catalogue.entries]
    content.update(repr(files).encode())
    key = f"grace-files-{content.hexdigest()}"
    rows = enumerate(blocks)
    graph = {(key, i, j): block for i, row in rows for j, block in enumerate(row)}
    layers = HighLevelGraph.from_collections(key, graph, dependencies=())
    chunks = ((1,) * len(blocks), tuple(block.size for block in blocks[0]))
    return da.Array(layers, key, chunks, dtype=object)


def _counts(tasks: Any) -> Any:
    """Return the lazy counts of the files behind some tasks; blocks are lists."""
    import dask.array as da

    return da.blockwise(
        count_block,
        "st",
        tasks,
        "st",
        dtype=object,
        meta=np.empty((0, 0), dtype=object),
        name=tasks.name.replace("files", "counts"),
    )


def _variable(name: str, tasks: Any, flags: Mapping[str, Any]) -> xr.Variable:
    """Return one lazy variable of the data model."""
    import dask.array as da

    item = VARIABLES[name]
    dtype = np.dtype(item.dtype)
    inner = item.dims[2:]
    meta = np.empty((0,) * len(item.dims), dtype)
    data = da.blockwise(
        load_block,
        item.dims,
        tasks,
        item.dims[:2],
        variable=name,
        new_axes={dim: len(labels_of(dim)) for dim in inner},
        dtype=dtype,
        meta=meta,
        name=tasks.name.replace("files", name),
    )
    attrs = attributes_of(name)
    if name.endswith("_qualflg"):
        attrs.update(flags)
    return xr.Variable(item.dims, data, attrs)


def _flags(catalogue: Catalogue, products: Sequence[str]) -> dict[str, Any]:
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


def _origin(catalogue: Catalogue) -> str:
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


def _labels(ds: xr.Dataset, satellites: Sequence[str]) -> dict[str, Any]:
    coords: dict[str, Any] = {
        "satellite": ("satellite", np.array(satellites), attributes_of("satellite"))
    }
    for dim in ("axis", "quaternion_component", "thruster"):
        if dim in ds.dims:
            coords[dim] = (dim, np.array(labels_of(dim)), attributes_of(dim))
    return coords


def _attributes(
    catalogue: Catalogue, satellites: Sequence[str], axis: RegularAxis
) -> dict[str, Any]:
    """Global attributes: what was found, in numbers (the list would be too long)."""
    mission = {"A": "GRACE", "B": "GRACE", "C": "GRACE-FO", "D": "GRACE-FO"}
    names = sorted({mission.get(s, "GRACE") for s in satellites})
    chosen = [candidates[0].name for candidates in catalogue.slots()]
    found = {name.product for name in chosen}
    products = ", ".join(p for p in catalogue.products if p in found)
    releases = ", ".join(sorted({name.release for name in chosen}))
    attrs = global_attributes(
        title=f"{' and '.join(names)} Level-1B data",
        source=f"{_origin(catalogue)}Level-1B files {products}, release {releases}",
        satellites=satellites,
    )
    attrs.update(coverage_attributes(axis.start, axis.stop, axis.step))
    attrs["product_version"] = releases
    attrs["source_files"] = len(chosen)
    return attrs
