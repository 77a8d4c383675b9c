"""Where a store is written: beside its final name on disk, in place elsewhere."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gracelstm_xr.errors import StoreError

if TYPE_CHECKING:
    import xarray as xr
    import zarr

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
    """An unfinished store.

    Parameters
    ----------
    final : str
        Folder or URL that the user asked for.
    work : str
        Where the bytes go until `publish`.
    replace : bool
        Whether `publish` may replace an existing store.
    options : mapping or None
        fsspec storage options.
    """

    final: str
    work: str
    replace: bool = False
    options: Mapping[str, Any] | None = field(default=None)

    @classmethod
    def prepare(
        cls,
        store: str | os.PathLike[str],
        *,
        mode: str,
        options: Mapping[str, Any] | None = None,
    ) -> Target:
        """Check that `store` may be written and choose where to work.

        Raises
        ------
        StoreError
            Something is there and `mode` is ``"w-"``, or it is not a store.
        """
        if is_url(store):
            return cls._remote(os.fspath(store), mode, options)
        final = Path(store).absolute()
        if final.exists():
            if mode == "w-":
                raise StoreError(
                    f"{final} exists already; choose another name or mode='w'"
                )
            is_store = (final / "zarr.json").is_file()
            if not is_store and (final.is_file() or any(final.iterdir())):
                raise StoreError(
                    f"{final} is not a Zarr store and will not be replaced; choose "
                    "another name"
                )
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(
                f"{final.parent} is a file; expected a folder to write into"
            ) from error
        return cls(str(final), str(beside(final)), replace=mode == "w")

    @classmethod
    def _remote(cls, url: str, mode: str, options: Mapping[str, Any] | None) -> Target:
        import fsspec

        fs, path = fsspec.core.url_to_fs(url, **(options or {}))
        if fs.exists(path.rstrip("/") + "/zarr.json"):
            if mode == "w-":
                raise StoreError(
                    f"{url} exists already; choose another name or mode='w'"
                )
            fs.rm(path, recursive=True)
        return cls(url, url, options=options)

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

    def group(self) -> zarr.Group:
        """Open the unfinished store for writing."""
        import zarr

        return zarr.open_group(self.work, mode="r+", storage_options=self._storage())

    def publish(self) -> None:
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
            if not self.replace:
                raise StoreError(
                    f"{final} has appeared meanwhile; the new store was discarded"
                )
            old = beside(final)
            final.rename(old)
            work.rename(final)
            shutil.rmtree(old)
            return
        work.rename(final)

    def discard(self) -> None:
        """Remove what was written of a local store; remote ones stay incomplete."""
        if self.work != self.final:
            shutil.rmtree(self.work, ignore_errors=True)

    def _storage(self) -> dict[str, Any] | None:
        return dict(self.options) if self.options else None
