"""Where a store is written: beside its final name on disk, in place elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gracelstm_xr.errors import StoreError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Target", "beside", "is_url"]


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether `path` names something for fsspec rather than a local path."""
    text = os.fspath(path)
    return "://" in text or "::" in text


def beside(path: Path) -> Path:
    """Return an unused hidden name in the folder of `path`, for unfinished output."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


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
        """Choose where to work; nothing is touched."""
        if is_url(store):
            url = os.fspath(store).rstrip("/")
            return cls(url, url, options)
        final = Path(store).absolute()
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
            fs, path = self._files(self.final)
            return bool(fs.exists(f"{path}/zarr.json"))
        return os.path.lexists(self.final)

    def is_store(self) -> bool:
        """Whether there is a Zarr group or array under the final name."""
        return self.exists() and (
            self.remote or (Path(self.final) / "zarr.json").is_file()
        )

    def check(self, *, mode: str) -> None:
        """Refuse to replace what is there unless `mode` allows it.

        Raises
        ------
        StoreError
            Something is there and `mode` is ``"w-"``, or it is not a store.
        """
        if self.exists():
            if not self.is_store() and (
                os.path.isfile(self.final) or any(Path(self.final).iterdir())
            ):
                raise StoreError(
                    f"{self.final} is not a Zarr store and will not be replaced; "
                    "choose another name"
                )
            if mode == "w-" and not self._unfinished():
                raise StoreError(
                    f"{self.final} exists already; choose another name or mode='w'"
                )
        if not self.remote:
            parent = Path(self.final).parent
            try:
                parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise StoreError(
                    f"{parent} is a file; expected a folder to write into"
                ) from error

    def _unfinished(self) -> bool:
        """Whether a remote store was left incomplete by an interrupted run."""
        from gracelstm_xr.storeread import META

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
            Another process writes to it.
        """
        from gracelstm_xr.lock import local_lock, remote_lock

        held = (
            remote_lock(self.final, self.options)
            if self.remote
            else local_lock(Path(self.final))
        )
        with held:
            yield

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
        ds.to_zarr(
            self.work,
            mode="a" if append else "w-",
            compute=False,
            consolidated=False,
            zarr_format=3,
            encoding=encoding,
            storage_options=self._storage(),
        )

    def group(self) -> Any:  # the types of zarr lead nowhere: Array | Group, JSON
        """Open the store under construction for writing; a ``zarr.Group``."""
        import zarr

        return zarr.open_group(self.work, mode="r+", storage_options=self._storage())

    def final_group(self) -> Any:
        """Open the finished store for reading; a ``zarr.Group``."""
        import zarr

        return zarr.open_group(self.final, mode="r", storage_options=self._storage())

    def publish(self, *, replace: bool = False) -> None:
        """Give the finished store its name.

        Raises
        ------
        StoreError
            Somebody else has made a store of that name meanwhile.
        """
        if self.work == self.final:
            return
        work, final = Path(self.work), Path(self.final)
        if final.exists():
            if not replace:
                raise StoreError(
                    f"{final} has appeared meanwhile; move it away and run again"
                )
            old = beside(final)
            final.rename(old)
            work.rename(final)
            shutil.rmtree(old)
            return
        work.rename(final)

    def discard(self) -> None:
        """Remove what is under construction; never a finished store."""
        if self.work != self.final:
            shutil.rmtree(self.work, ignore_errors=True)
        elif self.remote and self.exists():
            fs, path = self._files(self.work)
            fs.rm(path, recursive=True)

    def tidy(self) -> None:
        """Remove the temporary files that a killed writer has left on disk."""
        if not self.remote:
            for path in Path(self.work).rglob("*.partial"):
                path.unlink(missing_ok=True)

    def _files(self, url: str) -> tuple[Any, str]:
        import fsspec

        fs, path = fsspec.core.url_to_fs(url, **(self.options or {}))
        fs.invalidate_cache()
        return fs, path.rstrip("/")

    def _storage(self) -> dict[str, Any] | None:
        return dict(self.options) if self.options else None
