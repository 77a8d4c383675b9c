"""Many Level-1B files as one lazy Dataset on the regular GPS axis."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from gracelstm_xr.archive.catalogue import Catalogue, Sources
from gracelstm_xr.archive.gridding import Block, Errors, load_block
from gracelstm_xr.archive.provenance import archive_attributes, family_flags, origin
from gracelstm_xr.archive.scan import count_records
from gracelstm_xr.archive.selection import Selection, select
from gracelstm_xr.core.conventions import attributes_of, labels_of
from gracelstm_xr.core.datamodel import VARIABLES
from gracelstm_xr.core.index import regular_coords
from gracelstm_xr.core.time import EPOCH_NS, RegularAxis, day_slices
from gracelstm_xr.errors import GraceWarning, L1BFormatError

#: Beginning of the name of the tasks that stand for files.
FILES = "grace-files-"


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
    L1BFormatError
        A tarball that has to be listed is damaged, and `errors` is "raise".
    """
    chosen = select(
        sources,
        products=products,
        satellites=satellites,
        start=start,
        stop=stop,
        releases=releases,
    )
    for problem in chosen.catalogue.problems:
        if errors == "raise":
            raise L1BFormatError(problem)
        if errors == "warn":
            warnings.warn(f"left out: {problem}", GraceWarning, stacklevel=2)
    ds = open_selection(chosen, errors=errors)
    if scan:
        ds.attrs.update(count_records(ds))
    return ds if chunks is None else ds.chunk(chunks)


def open_selection(selection: Selection, *, errors: Errors = "raise") -> xr.Dataset:
    """Build the lazy Dataset of a selection; `errors` as for `open_archive`."""
    catalogue, letters, axis = (
        selection.catalogue,
        selection.satellites,
        selection.axis,
    )
    variables: dict[str, xr.Variable] = {}
    files = Files(selection, strict=errors == "raise")
    for chosen, names in selection.families.values():
        tasks = _tasks(_blocks(catalogue, chosen, letters, axis, errors), files)
        has_flag = any(name.endswith("_qualflg") for name in names)
        flags = family_flags(catalogue, chosen) if has_flag else {}
        for name in names:
            variables[name] = _variable(name, tasks, flags)
    ds = xr.Dataset(variables, coords=regular_coords(axis))
    ds = ds.assign_coords(label_coords(ds.dims, letters))
    used = list(catalogue.slots())
    names_used = [candidates[0].name for candidates in used]
    ds.attrs = archive_attributes(
        letters,
        axis,
        products=(n.product for n in names_used),
        releases=(n.release for n in names_used),
        files=[f"{c[0].name} {c[0].size}" for c in used],
        made_by=origin(catalogue),
    )
    ds.encoding["catalogue"] = catalogue
    return ds


@dataclass(frozen=True)
class Files:
    """The files that the arrays of a Dataset stand for.

    Attributes
    ----------
    selection
        What was opened.
    strict
        Whether a file that cannot be read is an error.
    """

    selection: Selection
    strict: bool


def files_of(ds: xr.Dataset) -> Files | None:
    """Return the files whose values a Dataset holds, None when it holds others.

    The arrays tell: the graph of those that `open_archive` makes says what was opened,
    and whatever is done to their values gives them another name.
    """
    opened = {str(n): _opened(v.data, str(n)) for n, v in ds.data_vars.items()}
    files = next(iter(opened.values()), None)
    if files is None or any(other is not files for other in opened.values()):
        return None
    selection = files.selection
    names = {n for _, variables in selection.families.values() for n in variables}
    letters = tuple(map(str, np.atleast_1d(ds["satellite"].values)))
    same = (
        set(opened) == names
        and letters == selection.satellites
        and ds.sizes["time"] == selection.axis.size
    )
    return files if same else None


def _opened(array: Any, variable: str) -> Files | None:
    """What was opened, where an array is as `open_archive` made it."""
    layers = getattr(getattr(array, "dask", None), "layers", {})
    key = next((name for name in layers if name.startswith(FILES)), None)
    if key is None or array.name != _array_name(key, variable):
        return None
    files = layers[key].get(key)
    return files if isinstance(files, Files) else None


def _array_name(files: str, variable: str) -> str:
    """Name of the array of a variable, from the name of the layer of its files."""
    return files.replace(FILES, f"grace-{variable}-")


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
            candidates = catalogue.candidates(products, satellite, date)
            others = catalogue.siblings(candidates[0]) if candidates else ()
            row.append(
                Block(
                    int(begin.astype("int64")) - EPOCH_NS,
                    size,
                    tuple(e.source for e in candidates),
                    others,
                    errors,
                )
            )
        table.append(row)
    return table


def _tasks(blocks: list[list[Block]], opened: Files) -> Any:
    """Return a Dask array of the Blocks: one element per (satellite, day) task.

    Its name stands for the files, their sizes and times, so that equal archives share
    tasks and a changed file does not. What was opened lies under the name itself, for
    `files_of`; it is no task.
    """
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    content = hashlib.blake2b(digest_size=16)
    content.update(repr(blocks).encode())
    entries = opened.selection.catalogue.entries
    files = [(e.source, e.size, e.mtime_ns) for e in entries]
    content.update(repr(files).encode())
    key = f"{FILES}{content.hexdigest()}"
    graph: dict[Any, Any] = {
        (key, i, j): block
        for i, row in enumerate(blocks)
        for j, block in enumerate(row)
    }
    graph[key] = opened
    layers = HighLevelGraph.from_collections(key, graph, dependencies=())
    chunks = ((1,) * len(blocks), tuple(block.size for block in blocks[0]))
    return da.Array(layers, key, chunks, dtype=object)


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
        name=_array_name(tasks.name, name),
    )
    attrs = attributes_of(name)
    if name.endswith("_qualflg"):
        attrs.update(flags)
    return xr.Variable(item.dims, data, attrs)


def label_coords(dims: Iterable[Hashable], satellites: Sequence[str]) -> dict[str, Any]:
    """Return the coordinates with labels of the dimensions that are there."""
    coords: dict[str, Any] = {
        "satellite": ("satellite", np.array(satellites), attributes_of("satellite"))
    }
    for dim in ("axis", "quaternion_component", "thruster"):
        if dim in dims:
            coords[dim] = (dim, np.array(labels_of(dim)), attributes_of(dim))
    return coords
