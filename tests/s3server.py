"""An S3 server on this machine, with a record of what it was asked for."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

KEYS = {"key": "testing", "secret": "testing"}


@dataclass
class S3Server:
    """Address of the server, and its requests as (method, path, range of bytes)."""

    url: str
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    #: Called with the path of every object before it is written.
    on_put: Callable[[str], Any] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a user names the server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEYS["key"],
            "AWS_SECRET_ACCESS_KEY": KEYS["secret"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }

    @property
    def options(self) -> dict[str, Any]:
        """The same as storage options of fsspec."""
        return {**KEYS, "endpoint_url": self.url}

    def files(self, prefix: str = "") -> dict[str, bytes]:
        """Objects below ``bucket/prefix``, by what follows it."""
        import fsspec

        fs = fsspec.filesystem("s3", **self.options)
        fs.invalidate_cache()
        content = fs.cat(fs.find(prefix))
        return {k.removeprefix(f"{prefix}/"): v for k, v in content.items()}

    @contextlib.contextmanager
    def watch(self) -> Iterator[list[tuple[str, str, str]]]:
        """Collect the requests made in a ``with`` block."""
        first, found = len(self.requests), []
        yield found
        found += self.requests[first:]


@contextlib.contextmanager
def serve() -> Iterator[S3Server]:
    """Serve on a free port until the block is left."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = DomainDispatcherApplication(create_backend_app)

    def answer(environ: dict[str, Any], start: Any) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        server.requests.append((method, path, environ.get("HTTP_RANGE", "")))
        if method == "PUT" and server.on_put is not None:
            server.on_put(path)
        return app(environ, start)

    http = make_server("127.0.0.1", 0, answer, threaded=True)
    server = S3Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def ingest_in_child(environment: dict[str, str], *args: Any, **options: Any) -> None:
    """Ingest in a process of its own; what it says, if it fails, is an exit status.

    Statuses: 0 done, 3 refused with one line that names a writer.
    """
    import os

    os.environ.update(environment)
    from gracelstm_xr.errors import StoreError
    from gracelstm_xr.store import lock
    from gracelstm_xr.store.ingest import ingest

    lock.SETTLE = 0.1
    try:
        ingest(*args, **options)
    except StoreError as error:
        told = "is being written by process" in str(error)
        print(error)
        os._exit(3 if told and "\n" not in str(error) else 4)


def child(server: S3Server, *args: Any, **options: Any) -> Any:
    """Prepare such a process; heavy imports are done once for all of them."""
    import multiprocessing

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "s3fs",
            "gracelstm_xr.store.ingest",
            "dask.array",
            "pyarrow.csv",
            "zarr.codecs",
        ]
    )
    given = {**server.environment, "SOURCE_DATE_EPOCH": "1700000000"}
    return context.Process(
        target=ingest_in_child, args=(given, *args), kwargs=options, daemon=True
    )
