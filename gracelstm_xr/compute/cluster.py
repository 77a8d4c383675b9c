"""Running independent Dask tasks here or on the active cluster, with progress.

Library code never creates a client: `run` uses the active one. `client` is for the
command line and for recipes.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any

from gracelstm_xr.compute.interrupts import ASKING
from gracelstm_xr.compute.progress import Bar
from gracelstm_xr.errors import GraceError, GraceWarning

#: Time for a scheduler to answer.
ANSWER = "10s"
#: Seconds between two looks whether there are workers at all.
PATIENCE = 30.0


def active_client() -> Any | None:
    """Return the active ``distributed.Client``, None when there is none.

    A client can only be active when distributed has been imported, so that this
    never imports it. Inside a task there is none: a task that waited for tasks would
    hold a worker that they may need.
    """
    if "distributed" not in sys.modules or _worker_threads() is not None:
        return None
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        return None


@contextmanager
def fair_share() -> Iterator[None]:
    """Let Zarr compress with as many threads as the worker running this was given.

    Otherwise each of many workers of one thread would use every core of its node.
    """
    threads = _worker_threads()
    if threads is None:
        yield
        return
    import zarr

    with zarr.config.set({"async.concurrency": threads}):
        yield


def _worker_threads() -> int | None:
    """Threads of the Dask worker that runs this task, None outside of one."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return int(get_worker().state.nthreads)
    except ValueError:
        return None


def task_name(label: str, run: str, number: int) -> str:
    """Return a name by which Dask starts independent tasks in order of `number`.

    Of tasks that nothing else tells apart it starts the last name first.
    """
    return f"{label}-{run}-{99_999_999 - number:08d}"


def run(
    tasks: Sequence[Any],
    *,
    label: str = "",
    unit: str = "block",
    total: int | None = None,
    note: Callable[[Any], tuple[int, str]] | None = None,
    progress: bool = False,
) -> list[Any]:
    """Compute independent Delayed objects on the scheduler in force.

    Parameters
    ----------
    tasks : sequence of dask.delayed.Delayed
        Tasks with small results.
    label, unit : str, optional
        Words of the progress line.
    total : int, optional
        Steps of the progress line; one per task by default.
    note : callable, optional
        Called with the result of every task; returns its steps and some words.
    progress : bool, optional
        Show progress on standard error.

    Returns
    -------
    list
        One result per task, in order.

    Raises
    ------
    GraceError
        Workers died again and again in the same task, or the scheduler is gone.

    Warns
    -----
    GraceWarning
        The cluster has no worker; it is waited for.
    """
    steps = len(tasks) if total is None else total
    with Bar(label, steps, unit=unit, enabled=progress) as bar:

        def count(result: Any) -> None:
            done, words = note(result) if note is not None else (1, "")
            bar.update(done, note=words)

        cluster = active_client()
        if cluster is None:
            return _run_here(tasks, count)
        results = {}

        def take(key: Any, result: Any) -> None:
            results[key] = result
            count(result)

        keys = _run_on(cluster, tasks, take)
        return [results[key] for key in keys]


def stream(
    tasks: Sequence[Any],
    sink: Callable[[Any], None],
    *,
    label: str = "",
    unit: str = "block",
    progress: bool = False,
) -> None:
    """Compute independent Delayed objects and hand each result over, keeping none.

    Parameters
    ----------
    tasks : sequence of dask.delayed.Delayed
        Tasks whose results together may not fit into memory.
    sink : callable
        Called in this process with every result, in any order and, without a cluster,
        from several threads: it has to lock what it writes to.
    label, unit, progress
        As for `run`.

    Raises
    ------
    GraceError
        As for `run`.
    """
    import dask

    with Bar(label, len(tasks), unit=unit, enabled=progress) as bar:
        cluster = active_client()
        if cluster is not None:

            def take(_: Any, result: Any) -> None:
                sink(result)
                bar.update()

            _run_on(cluster, tasks, take)
            return
        hand_over = dask.delayed(_hand_over, pure=False)
        here = {}
        if dask.config.get("scheduler", None) in ("processes", "multiprocessing"):
            here["scheduler"] = "threads"  # other processes cannot call the sink
        with dask.config.set(here):
            _run_here([hand_over(sink, t) for t in tasks], lambda _: bar.update())


def _hand_over(sink: Callable[[Any], None], result: Any) -> None:
    sink(result)


def _run_here(tasks: Sequence[Any], count: Callable[[Any], None]) -> list[Any]:
    import dask
    from dask.callbacks import Callback

    wanted = {task.key for task in tasks}

    def finished(key: Any, result: Any, *_: Any) -> None:
        if key in wanted:
            count(result)

    with Callback(posttask=finished), _own_threads():
        # in one call, so that tasks that need the same file share its parse
        return list(dask.compute(*tasks))


@contextmanager
def _own_threads() -> Iterator[None]:
    """Run Dask on threads that have ended when the block is left.

    Dask's own threads go on writing after an interrupt, behind the back of a caller
    who removes what was half-written.
    """
    import dask

    chosen = dask.config.get("scheduler", None)
    if chosen not in (None, "threads", "threading") or dask.config.get("pool", None):
        yield
        return
    count = dask.config.get("num_workers", None) or dask.system.CPU_COUNT
    pool = ThreadPoolExecutor(count)
    try:
        with dask.config.set(pool=pool):
            yield
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _run_on(
    cluster: Any, tasks: Sequence[Any], take: Callable[[Any, Any], None]
) -> list[Any]:
    """Give `take` the key and result of every task; return the keys in order."""
    from distributed import as_completed

    with _one_line_errors(cluster), _watched(cluster), ExitStack() as undo:
        futures = cluster.compute(list(tasks))
        undo.callback(_cancel, cluster, futures)
        keys = [future.key for future in futures]
        # taken as they come: a worker that is lost later takes none with it
        for future in as_completed(futures):
            take(future.key, future.result())
            future.release()
        undo.pop_all()
    return keys


def _cancel(cluster: Any, futures: Sequence[Any]) -> None:
    if cluster.status == "running":  # else there is nobody to tell
        cluster.cancel(futures)


@contextmanager
def _one_line_errors(cluster: Any) -> Iterator[None]:
    """Say what became of a cluster, where distributed shows its insides."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    where = _address(cluster)
    try:
        yield
    except KilledWorker as error:
        raise GraceError(
            f"{error.allowed_failures + 1} workers of {where} died in the same task "
            f"({error.task}), the usual cause is too little memory: give each worker "
            "more, or write fewer days per shard; what is finished is kept, run the "
            "same again"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise GraceError(
            f"the connection to the Dask scheduler at {where} is lost; what is "
            "finished is kept, start a scheduler and run the same again"
        ) from error


@contextmanager
def _watched(cluster: Any) -> Iterator[None]:
    """Say once when a cluster has no worker; one may be waiting in a queue."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(PATIENCE):
            try:
                workers = cluster.nthreads()
            except (OSError, ValueError, RuntimeError, TypeError):
                return  # closed, or the scheduler is gone, which the work tells
            if not workers:
                warnings.warn(
                    f"no worker is connected to {_address(cluster)}, waiting for one; "
                    "start some with `dask worker` and that address",
                    GraceWarning,
                    stacklevel=1,
                )
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _address(cluster: Any) -> str:
    scheduler = getattr(cluster, "scheduler", None)
    return str(getattr(scheduler, "address", "the cluster"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client from logging tracebacks of what is told in one line anyway."""
    # each has a level of its own; the other logs of distributed follow the first
    names = ("distributed", "distributed.client", "tornado.application")
    logs = [logging.getLogger(name) for name in names]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


@contextmanager
def client(
    *, scheduler: str | None = None, workers: int | None = None
) -> Iterator[Any | None]:
    """Connect to a cluster, or start a local one, for the length of a ``with`` block.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler, e.g. ``"tcp://10.0.0.1:8786"``.
    workers : int, optional
        Number of local worker processes, each with one thread.

    Yields
    ------
    distributed.Client or None
        None when neither argument is given: Dask then uses local threads.

    Raises
    ------
    GraceError
        The scheduler does not answer, or `workers` is less than 1.
    """
    if scheduler is None and workers is None:
        yield None
        return
    if workers is not None and workers < 1:
        raise GraceError(f"workers is {workers}; expected 1 or more")
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            connected = Client(scheduler, timeout=ANSWER)
        except (OSError, ValueError) as error:
            raise GraceError(
                f"no Dask scheduler answers at {scheduler} ({type(error).__name__}); "
                "start one with `dask scheduler` and give its address"
            ) from error
        with _quiet(), connected as session:
            yield session
        return
    with ExitStack() as stack:
        # to the end: on a busy machine a worker is told of that takes 4 s to close
        stack.enter_context(_quiet())
        with _signals_held():
            local = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    # without, it listens on 8787 and warns where that is taken
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                )
            )
        yield stack.enter_context(Client(local))


@contextmanager
def _signals_held() -> Iterator[None]:
    """Start threads and processes that no signal to end reaches.

    A terminal sends Ctrl-C, and a batch system SIGTERM, to worker processes as well,
    which would end on their own, with tracebacks. Whoever is started here inherits
    that these signals are held back: only the caller sees them, and ends the workers.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # started with the first process, it would let these signals through again
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
