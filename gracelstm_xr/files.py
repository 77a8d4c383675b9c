"""Files appear under their names only when whole; what others wrote is never replaced.

Writing. Output grows under a hidden name beside the final one and gets its name at the
end. The hidden name tells the machine and the process that writes, see `process`, so
that the next run removes what a killed one has left and spares what a living one is
writing.

Replacing. What stands under a name is replaced only when asked for, and only when this
program wrote it. That is told by the content alone, so that it holds for files that
were moved, and ends when another program has written the file again:

* a store by the attribute of its root, and by holding nothing but what Zarr writes;
* netCDF by the program in ``_NCProperties``, which readers do not hand on to copies;
* Level-1B files, and tarballs of them, by the software version in the header, where
  simulated and exported files differ;
* a model, and a part of an evaluation, by the members of the zip;
* reports, figures and tables by a mark at a fixed place, or by all of their lines.

What a run reads is never written to, whoever wrote it.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import json
import os
import re
import shutil
import tempfile
import time
import uuid
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from gracelstm_xr.errors import GraceError
from gracelstm_xr.process import ended, machine_digest, started

PathLike = str | os.PathLike[str]

#: Name of this program in what it writes.
PROGRAM = "gracelstm_xr"
#: Root attribute that makes a Zarr group a store of this package.
STORE = "grace_store"
#: Group of a store that lists the files it was made of.
MANIFEST = "manifest"
#: Format that a model file declares.
MODEL = f"{PROGRAM} model"
#: Seconds after which an unfinished file of another host has been left by a dead run.
ABANDONED = 86_400.0
#: Seconds for which a folder is not looked through again.
QUIET = 60.0
#: Bytes at the beginning of a file in which it says what it is.
HEAD = 1 << 18

_UNFINISHED = re.compile(
    r"\..+\.(?P<host>[0-9a-f]{8})-(?P<pid>\d{1,10})-(?:(?P<start>\d{1,20})-)?"
    r"(?P<run>[0-9a-f]{8})-\d+\.part"
)
_NUMBERS = itertools.count()
#: Files of a Zarr v3 store, relative to its root.
_IN_STORE = re.compile(r"(?:[^/]+/)*(?:zarr\.json|c|c/[\d/]*\d|[^/]+\.partial)")
_SOFTWARE = re.compile(
    rb"software[ _]version[ '\"]*:[ '\"]*gracelstm_xr(?P<simulated>\.simulate)?[\s'\"]",
    re.IGNORECASE,
)
_GAPS = re.compile(rb"satellite,start,stop,length(\r?\n\w,[-:. \d]+,[-:. \d]+,[.\d]+)*")


@contextlib.contextmanager
def writing(path: PathLike, *, replace: bool = False) -> Iterator[Path]:
    """Give a hidden name to write to; it becomes `path` when all went well.

    Parameters
    ----------
    path : str or PathLike
        File, or folder that is not there yet.
    replace : bool, optional
        Whether a file of that name may be replaced; see `check_output`.

    Yields
    ------
    pathlib.Path
        Unused name in the same folder.

    Raises
    ------
    GraceError
        Somebody else has made a file of that name meanwhile.
    """
    final = Path(os.path.realpath(path))
    _clear(final.parent)
    work = final.with_name(_unfinished(final.name))
    try:
        yield work
        _rename(work, final, replace=replace)
    finally:
        # a leftover goes with the next run; what went wrong must not go unsaid
        with contextlib.suppress(OSError):
            _remove(work)


def _rename(work: Path, final: Path, *, replace: bool) -> None:
    if replace or work.is_dir():
        work.replace(final)
        return
    try:
        # unlike a rename, a link never takes the place of another file
        os.link(work, final)
    except FileExistsError as error:
        raise GraceError(
            f"{final} has appeared meanwhile and is not replaced; move it away and run "
            "again"
        ) from error
    except OSError:  # not every file system has links
        if os.path.lexists(final):
            raise
        work.replace(final)


def write_text(path: PathLike, text: str, *, replace: bool = False) -> None:
    """Write a text file that appears under its name only when complete."""
    with writing(path, replace=replace) as work:
        work.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def scratch(name: str, *, folder: PathLike | None = None) -> Iterator[Path]:
    """Make a folder that is gone at the end, or else by the next run.

    Parameters
    ----------
    name : str
        What it is for.
    folder : str or PathLike, optional
        Where to make it; by default where the system keeps temporary files.
    """
    place = Path(tempfile.gettempdir() if folder is None else folder)
    remove_leftovers(place)
    work = place / _unfinished(name)
    work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unfinished(name: str) -> str:
    pid = os.getpid()
    return f".{name}.{machine_digest()}-{pid}-{_run(pid)}-{next(_NUMBERS)}.part"


@functools.cache
def _run(pid: int) -> str:
    """Tell this process from an earlier one of the same number."""
    return f"{started(pid)}-{uuid.uuid4().hex[:8]}"


def _clear(folder: Path) -> None:
    """Remove what killed runs left in a folder, unless it was just looked at."""
    _look_through(folder, os.getpid(), int(time.monotonic() // QUIET))


@functools.lru_cache(maxsize=1024)
def _look_through(folder: Path, pid: int, minute: int) -> None:
    """Remove leftovers, once a minute: a folder may get thousands of files."""
    remove_leftovers(folder)


def remove_leftovers(folder: PathLike) -> None:
    """Remove unfinished output of dead processes from a folder.

    Parameters
    ----------
    folder : str or PathLike
        Only entries right in it are looked at; it need not be there.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            told = _UNFINISHED.fullmatch(entry.name)
            if told and _abandoned(entry, told):
                # of another user, or removed by another run meanwhile
                with contextlib.suppress(OSError):
                    _remove(Path(entry.path))


def _abandoned(entry: os.DirEntry[str], told: re.Match[str]) -> bool:
    pid, start = int(told["pid"]), int(told["start"] or 0)
    if told["host"] != machine_digest() or os.name == "nt":
        with contextlib.suppress(OSError):
            return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED
        return False
    if pid == os.getpid():
        return f"{start}-{told['run']}" != _run(pid)
    return ended(pid, start)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_output(
    path: PathLike,
    *,
    overwrite: bool = False,
    kinds: Collection[str] | None = None,
    sources: Iterable[PathLike] = (),
) -> None:
    """Refuse, before any work starts, an output that would destroy something.

    Parameters
    ----------
    path : str or PathLike
        File or folder to write.
    overwrite : bool, optional
        Whether what this program wrote there may be replaced.
    kinds : collection of str, optional
        What may be replaced, see `kind_of`; by default whatever this program wrote.
    sources : iterable of str or PathLike, optional
        What the run reads.

    Raises
    ------
    GraceError
        It is, or lies in, one of the sources; or something is there that this program
        did not write, or may not replace.
    """
    check_sources([path], sources)
    place = Path(os.path.realpath(path))
    # also where a run was killed when all was done
    _clear(place.parent)
    if not os.path.lexists(path) or (place.is_dir() and not any(place.iterdir())):
        return
    kind = kind_of(place)
    if not kind or (kinds is not None and kind not in kinds):
        what = f"is a {kind}" if kind else f"was not written by {PROGRAM}"
        raise GraceError(
            f"{path} exists already, {what} and will not be replaced; choose another "
            "name"
        )
    if kind in FOLDERS and (file := foreign_file(place)):
        raise GraceError(
            f"{path} will not be replaced: {file} in it was not written by {PROGRAM}; "
            "move it away or choose another name"
        )
    if not overwrite:
        raise GraceError(
            f"{path} exists already; choose another name, or replace it with "
            "--overwrite (overwrite=True)"
        )


def check_sources(paths: Iterable[PathLike], sources: Iterable[PathLike]) -> None:
    """Refuse outputs that are, or lie in, one of the sources of a run.

    Raises
    ------
    GraceError
        In one line, for the first of them.
    """
    read = {os.path.realpath(source): source for source in sources}
    if not read:
        return
    for path in paths:
        place = Path(os.path.realpath(path))
        for above in (place, *place.parents):
            if source := read.get(str(above)):
                raise GraceError(
                    f"{path} would be written to {source}, which is being read; choose "
                    "another name"
                )


@contextlib.contextmanager
def resumable(
    folder: Path, facts: Mapping[str, Any], outputs: Sequence[Path]
) -> Iterator[None]:
    """Leave word in a folder that its files are not all there, until they are.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files go.
    facts : mapping
        What makes the run what it is, as plain values.
    outputs : sequence of pathlib.Path
        The files.
    """
    record = _record(folder, facts)
    write_text(record, json.dumps(facts, indent=1) + "\n", replace=True)
    try:
        yield
    except BaseException:
        if not any(path.exists() for path in outputs):
            record.unlink(missing_ok=True)
        raise
    record.unlink(missing_ok=True)


def interrupted(folder: Path, facts: Mapping[str, Any]) -> bool:
    """Whether a run of the same facts was interrupted in a folder; see `resumable`."""
    return _record(folder, facts).is_file()


def _record(folder: Path, facts: Mapping[str, Any]) -> Path:
    text = json.dumps(facts, sort_keys=True).encode()
    digest = blake2b(text, digest_size=4).hexdigest()
    return folder / f".{PROGRAM}-{digest}.unfinished"


#: Kinds that are folders.
FOLDERS = ("store", "simulated truth")


def kind_of(path: PathLike) -> str:
    """Say what a file or folder that this program wrote is.

    Parameters
    ----------
    path : str or PathLike

    Returns
    -------
    str
        ``"store"``, ``"simulated truth"``, ``"netCDF file"``, ``"model"``, ``"part of
        an evaluation"``, ``"Level-1B file"``, ``"simulated Level-1B file"``,
        ``"report"``, ``"figure"``, ``"table of gaps"``; empty when it was not written
        by this program, is damaged, or is not there.
    """
    place = Path(path)
    if place.is_dir():
        return _kind_of_store(place)
    if not place.is_file():  # devices and pipes are nobody's files
        return ""
    try:
        with place.open("rb") as stream:
            head = stream.read(HEAD)
            if head.startswith(b"\x89HDF\r\n\x1a\n"):
                return _kind_of_hdf(place)
            if head.startswith(b"PK\x03\x04"):
                return _kind_of_zip(place)
            if head.startswith(b"\x1f\x8b"):
                with gzip.open(place) as inner:
                    head = inner.read(HEAD)
            elif len(head) == HEAD and head.startswith(b"satellite,start"):
                head += stream.read()
            return _kind_of_text(head)
    except (OSError, EOFError, zlib.error):
        return ""


def _kind_of_store(folder: Path) -> str:
    try:
        return kind_of_root((folder / "zarr.json").read_bytes())
    except OSError:
        return ""


def kind_of_root(content: bytes) -> str:
    """Say what a store is, as `kind_of`, by the ``zarr.json`` at its root."""
    try:
        attributes = json.loads(content)["attributes"]
        meta = attributes.get(STORE)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    if isinstance(meta, dict) and "layout" in meta:
        return "store"
    simulated = str(attributes.get("source", "")).startswith("simulated: gracelstm_xr")
    return "simulated truth" if simulated and "simulation" in attributes else ""


def _kind_of_hdf(path: Path) -> str:
    import h5py

    with h5py.File(path, "r") as file:
        text = file.attrs.get("_NCProperties", b"")
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return "netCDF file" if f",{PROGRAM}=" in text else ""


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            if "model.json" in names:
                with file.open("model.json") as member:
                    text = member.read(4096).decode("utf-8", errors="replace")
                return "model" if re.search(rf'"format":\s*"{MODEL}"', text) else ""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return ""
    return "part of an evaluation" if "activity.npy" in names else ""


def _kind_of_text(head: bytes) -> str:
    program = PROGRAM.encode()
    if told := _SOFTWARE.search(head):
        return "simulated Level-1B file" if told["simulated"] else "Level-1B file"
    if head.startswith(b"\x89PNG"):
        return "figure" if b"tEXtSoftware\x00" + program in head else ""
    last = head.rstrip().rsplit(b"\n", 1)[-1]
    if (
        re.match(rb'\{\s*"generator": "' + program, head)
        or b'<meta name="generator" content="' + program in head[:1024]
        or last.startswith(b"written by " + program)
    ):
        return "report"
    return "table of gaps" if _GAPS.fullmatch(head.rstrip()) else ""


def foreign_file(store: PathLike) -> str | None:
    """Return the first file or array in the folder of a store that is not of it.

    A file that Zarr did not write there, or an array that the store does not name.
    """
    root = Path(store)
    arrays = _named_arrays(root)
    if arrays:
        beside = {p.name for p in root.iterdir() if p.is_dir()} - arrays
        if beside:
            return min(beside)
    for folder, folders, names in os.walk(root):
        links = [n for n in folders if os.path.islink(os.path.join(folder, n))]
        for name in sorted([*names, *links]):
            inside = Path(folder, name).relative_to(root).as_posix()
            if name in links or not in_store(inside):
                return inside
    return None


def _named_arrays(store: Path) -> set[str]:
    """Folders of a store by what it says of itself; empty where it says nothing."""
    try:
        meta = json.loads((store / "zarr.json").read_bytes())["attributes"][STORE]
        names = {*meta["arrays"], *meta.get("made", ()), MANIFEST}
        return names if meta["complete"] else set()
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def in_store(name: str) -> bool:
    """Whether Zarr writes files of such a name, relative to the root of a store."""
    return _IN_STORE.fullmatch(name) is not None


def remove_folder(store: PathLike) -> None:
    """Remove the folder of a store, which must hold nothing else.

    Raises
    ------
    GraceError
        There is a file in it that Zarr did not write; nothing is removed then.
    """
    if not os.path.lexists(store):
        return
    if file := foreign_file(store):
        raise GraceError(
            f"{store} will not be removed: {file} in it was not written by {PROGRAM}; "
            "move it away and run again"
        )
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(store)


def stamp(file: Any) -> None:
    """Say in a netCDF-4 file, open for writing as ``h5py.File``, who wrote it.

    The attribute of the file that names the writing software is not among those that
    readers see, and so is not copied into files that others write.
    """
    import h5py
    import numpy as np

    told = file.attrs.get("_NCProperties", b"version=2")
    text = told.decode() if isinstance(told, bytes) else str(told)
    text = f"{text.partition(f',{PROGRAM}=')[0]},{PROGRAM}={_version()}"
    kind = h5py.string_dtype("ascii", len(text))
    file.attrs["_NCProperties"] = np.array(text.encode(), dtype=kind)


@functools.cache
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gracelstm-xr")
    except PackageNotFoundError:
        return "unknown"
