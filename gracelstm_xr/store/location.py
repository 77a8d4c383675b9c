"""Where a store is written: beside its final name on disk, in place elsewhere."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gracelstm_xr.core.remote import check_place, files_at, is_url, reached, storage
from gracelstm_xr.errors import StoreError
from gracelstm_xr.files import (
    STORE,
    foreign_file,
    in_store,
    kind_of_root,
    remove_folder,
)
from gracelstm_xr.store.agree import readable
from gracelstm_xr.store.lock import local_lock, remote_lock

if TYPE_CHECKING:
    import xarray as xr

#: Root attribute that makes a Zarr group a store of this package.
META = STORE
#: Version of the layout.
LAYOUT = 1
_HERE = -100  # AT_FDCWD: relative names are relative to the working folder
_SWAP = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


@dataclass(frozen=True)
class Target:
    """A store under construction.

    Parameters
    ----------
    final : str
        Folder or URL that the user asked for.
    work : str
        Where the bytes go until `publish`: on disk a hidden folder beside the final
        name, always the same one, so that the next run finds what an interrupted one
        has done.
    options : mapping or None
        fsspec storage options.
    """

    final: str
    work: str
    options: Mapping[str, Any] | None = field(default=None)

    @classmethod
    def at(
        cls,
        store: str | os.PathLike[str],
        *,
        options: Mapping[str, Any] | None = None,
    ) -> Target:
        """Choose where to work; nothing is touched.

        Raises
        ------
        StoreError
            A URL at which no store can be written.
        """
        text = os.fspath(store).removeprefix("file://")
        if is_url(text):
            url = text.rstrip("/")
            check_place(url)
            return cls(url, url, options)
        # one name for a store, whatever links lead to it
        final = Path(os.path.realpath(text))
        return cls(str(final), str(final.with_name(f".{final.name}.part")), options)

    @property
    def remote(self) -> bool:
        """Whether the store is behind a URL."""
        return is_url(self.final)

    def in_place(self) -> Target:
        """Return the finished store as the place to work."""
        return replace(self, work=self.final)

    def exists(self) -> bool:
        """Whether there is anything under the final name."""
        if self.remote:
            with reached(self.final):
                fs, path = self._files(self.final)
                return bool(fs.exists(f"{path}/zarr.json") or fs.exists(path))
        return os.path.lexists(self.final)

    def is_store(self) -> bool:
        """Whether there is a Zarr group or array under the final name."""
        if self.remote:
            with reached(self.final):
                fs, path = self._files(self.final)
                return bool(fs.exists(f"{path}/zarr.json"))
        return (Path(self.final) / "zarr.json").is_file()

    def check(self, *, mode: str) -> None:
        """Refuse to replace what is there unless `mode` allows it.

        Raises
        ------
        StoreError
            Something is there and `mode` is ``"w-"``, or this program did not write
            it, or not all of it.
        """
        if not self.exists():
            return
        empty = (
            not self.remote
            and os.path.isdir(self.final)
            and not any(Path(self.final).iterdir())
        )
        if not empty:
            self._check_writer()
        if mode == "w-" and not self._unfinished():
            raise StoreError(
                f"{self.final} exists already; choose another name, or replace it with "
                "mode='w' (--overwrite)"
            )
        if not empty:
            self.check_content()

    def _check_writer(self) -> None:
        """Refuse what is not a store of this program."""
        if not self.is_store():
            kind = "not a Zarr store"
        elif kind_of_root(self._root()) != "store":
            kind = "a Zarr store of another kind"
        else:
            return
        raise StoreError(
            f"{self.final} is {kind} and will not be replaced; choose another name"
        )

    def _root(self) -> bytes:
        if not self.remote:
            return (Path(self.final) / "zarr.json").read_bytes()
        with reached(self.final):
            fs, path = self._files(self.final)
            return bytes(fs.cat_file(f"{path}/zarr.json"))

    def check_content(self) -> None:
        """Refuse to replace a store in which there are files of others.

        Raises
        ------
        StoreError
            It names the first of them.
        """
        if self.remote:
            fs, path = self._files(self.final)
            inside = (str(p).removeprefix(f"{path}/") for p in fs.find(path))
            file = next((name for name in inside if not in_store(name)), None)
        else:
            file = foreign_file(self.final)
        if file:
            raise StoreError(
                f"{self.final} will not be replaced: {file} in it was not written by "
                "this program; move it away or choose another name"
            )

    def _unfinished(self) -> bool:
        """Whether a remote store was left incomplete by an interrupted run."""
        if not self.remote:
            return False
        meta = self.final_group().attrs.asdict().get(META)
        return isinstance(meta, dict) and not meta.get("complete")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer of this store for the length of a ``with`` block.

        Raises
        ------
        StoreError
            Another process writes to it, or its folder cannot be made.
        """
        if not self.remote:
            self._make_parent()

        held = (
            remote_lock(self.final, self.options)
            if self.remote
            else local_lock(Path(self.final))
        )
        with held:
            self._recover()
            yield

    def _make_parent(self) -> None:
        parent = Path(self.final).parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(
                f"{parent} is a file; expected a folder to write into"
            ) from error
        if not os.access(parent, os.W_OK | os.X_OK):
            raise StoreError(
                f"folder {parent} may not be written to; choose another or change its "
                "permissions"
            )

    @property
    def _old(self) -> Path:
        """Name of a store on disk that has been replaced and is being removed."""
        final = Path(self.final)
        return final.with_name(f".{final.name}.old.part")

    def _recover(self) -> None:
        """Finish what a run that was killed while it gave a store its name began."""
        if self.remote:
            return
        work, final, old = Path(self.work), Path(self.final), self._old
        if old.exists() and not final.exists():
            # killed between two renames, on a system that cannot exchange names
            (work if self._finished() else old).rename(final)
        elif final.exists() and self._finished():
            # the old store after an exchange, or a new one before it: made again
            self._remove_old()
            work.rename(old)
        self._remove_old()

    def _finished(self) -> bool:
        """Whether what is under construction on disk has been completed."""
        try:
            text = (Path(self.work) / "zarr.json").read_text(encoding="utf-8")
            meta = json.loads(text)["attributes"][META]
        except (OSError, ValueError, LookupError, TypeError):
            return False
        return isinstance(meta, dict) and bool(meta.get("complete"))

    def _remove_old(self) -> None:
        remove_folder(self._old)

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Say in one line what storage could not do, where, and what to do then.

        Raises
        ------
        StoreError
            In place of any OSError, for example of a full disk.
        """
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self.final}: {error.strerror or error} while writing {what}; the "
                "finished shards are kept: remove the cause and run the same again"
            ) from error

    def begun(self) -> bool:
        """Whether there is unfinished work for this name on disk."""
        return not self.remote and (Path(self.work).exists() or self._old.exists())

    def started(self) -> bool:
        """Whether an interrupted run has left something to go on from."""
        # the time array is the last that a new store gets
        if self.remote:
            fs, path = self._files(self.work)
            return bool(fs.exists(f"{path}/time/zarr.json"))
        return (Path(self.work) / "time" / "zarr.json").is_file()

    def write_dataset(
        self,
        ds: xr.Dataset,
        *,
        encoding: Mapping[Any, Mapping[str, Any]] | None = None,
        append: bool = False,
    ) -> None:
        """Write metadata and what is in memory; Dask arrays stay empty."""
        if self.remote and not append:
            # else the root of a killed run could be one that says nothing
            self._say_incomplete()
        ds.to_zarr(
            self.work,
            mode="a" if append or self.remote else "w-",
            compute=False,
            consolidated=False,
            zarr_format=3,
            encoding=encoding,
            storage_options=self._storage(),
        )

    def group(self) -> Any:  # the types of zarr lead nowhere: Array | Group, JSON
        """Open the store under construction for writing; a ``zarr.Group``."""
        return self._group(self.work, "r+")

    def final_group(self) -> Any:
        """Open the finished store for reading; a ``zarr.Group``."""
        return self._group(self.final, "r")

    def _group(self, where: str, mode: Literal["r", "r+"]) -> Any:
        import zarr

        with readable(where):
            return zarr.open_group(
                where,
                mode=mode,
                zarr_format=3,
                use_consolidated=False,
                storage_options=self._storage(),
            )

    def publish(self, *, replace: bool = False) -> None:
        """Give the finished store its name.

        Raises
        ------
        StoreError
            Somebody else has made a store of that name meanwhile.
        """
        self.tidy()
        if self.work == self.final:
            return
        work, final = Path(self.work), Path(self.final)
        if final.is_dir() and not any(final.iterdir()):
            final.rmdir()
        if not final.exists():
            work.rename(final)
            return
        if not replace:
            raise StoreError(
                f"{final} has appeared meanwhile; move it away and run again"
            )
        self._remove_old()
        if exchange(work, final):
            work.rename(self._old)
        else:
            final.rename(self._old)
            work.rename(final)
        self._remove_old()

    def discard(self) -> None:
        """Remove what is under construction; never a finished store."""
        if self.work != self.final:
            # a worker may still be writing: then the next run removes the rest
            with contextlib.suppress(OSError):
                remove_folder(self.work)
        elif self.remote and self.is_store():
            self._empty()

    def _empty(self) -> None:
        """Remove all objects, so that whoever is killed here leaves no store.

        The root says that the store is incomplete before anything goes, and is the
        last to go, so that the next run removes the rest.
        """
        self._say_incomplete()
        fs, path = self._files(self.work)
        root = f"{path}/zarr.json"
        rest = [p for p in fs.find(path) if not p.endswith(root)]
        if rest:
            fs.rm(rest)
        fs.rm_file(root)

    def _say_incomplete(self) -> None:
        fs, path = self._files(self.work)
        said = {META: {"layout": LAYOUT, "complete": False}}
        group = {"zarr_format": 3, "node_type": "group", "attributes": said}
        fs.pipe_file(f"{path}/zarr.json", json.dumps(group).encode())

    def tidy(self) -> None:
        """Remove the temporary files that a killed writer or worker left on disk."""
        if not self.remote:
            for path in Path(self.work).rglob("*.partial"):
                path.unlink(missing_ok=True)

    def _files(self, url: str) -> tuple[Any, str]:
        return files_at(url, self.options)

    def _storage(self) -> dict[str, Any] | None:
        return storage(self.final, self.options)


def exchange(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    """Swap two names of one file system, so that neither is ever missing.

    Parameters
    ----------
    a, b : str or PathLike
        Both exist.

    Returns
    -------
    bool
        False, and nothing has happened, where system or file system cannot do it
        (Windows, NFS).

    Raises
    ------
    OSError
        It can, but not with these names.
    """
    status = _swap(os.fsencode(a), os.fsencode(b))
    if status is None or status in _CANNOT:
        return False
    if status:
        raise OSError(status, os.strerror(status), os.fspath(b))
    return True


def _swap(a: bytes, b: bytes) -> int | None:
    """Error number of the system call, 0 for success; None where there is none."""
    if sys.platform == "win32":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(a, b, _SWAP)
        else:
            failed = library.renameat2(_HERE, a, _HERE, b, _SWAP)
    except AttributeError:  # a C library from before 2018
        return None
    return ctypes.get_errno() if failed else 0
