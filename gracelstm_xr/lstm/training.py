"""Training of the networks: the loop, its interruption, and ensembles."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.baselines.start import Track
from gracelstm_xr.compute.cluster import active_client, run
from gracelstm_xr.compute.progress import Bar
from gracelstm_xr.compute.threads import one_blas_thread
from gracelstm_xr.errors import GraceError, NotEnoughDataError
from gracelstm_xr.lstm.backend import without_advice
from gracelstm_xr.lstm.callbacks import Callbacks, called_in
from gracelstm_xr.lstm.checkpoint import read_state, write_state
from gracelstm_xr.lstm.dayframes import DayFrames
from gracelstm_xr.lstm.kerasfile import network_bytes
from gracelstm_xr.lstm.network import compile_network, make_network
from gracelstm_xr.lstm.sampling import Epoch, Source, visits
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.lstm.stretches import Stretch
from gracelstm_xr.lstm.trained import TrainedNetwork

if TYPE_CHECKING:
    import xarray as xr

Array32 = npt.NDArray[np.float32]
#: Fewest independent blocks of windows, and standard errors, by which a network must
#: have been of use on held-out gaps to be used.
FEWEST_BLOCKS, SURE = 8, 2.0
Report = Callable[[int, str], None]

#: Two networks trained at once in one process would only share its cores.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Job:
    """All that the training of one track's networks needs; travels to a worker.

    Attributes
    ----------
    folder : Path
        Of the day frames and the checkpoint; workers must see it.
    tracks : mapping of str to Track
        Of one name, by satellite.
    training, validation : sequence of Stretch
    settings : Settings
    network : keras.Model, callable or None
        The user's own, see `gracelstm_xr.lstm.network.make_network`.
    callbacks : sequence of keras.callbacks.Callback, callable or None
        See `gracelstm_xr.lstm.callbacks`.
    """

    folder: Path
    tracks: Mapping[str, Track]
    training: Sequence[Stretch]
    validation: Sequence[Stretch]
    settings: Settings
    network: Any = None
    callbacks: Callbacks | None = None

    @property
    def name(self) -> str:
        """Name of the track."""
        return next(iter(self.tracks.values())).name

    @property
    def frames(self) -> DayFrames:
        """Covariates of the days visited."""
        return DayFrames(self.folder / "days", self.settings.step)

    def source(self, member: int) -> Source:
        """Training windows of one member."""
        seed = self.settings.seed + member
        return Source(
            self.frames,
            self.tracks,
            self.training,
            replace(self.settings, seed=seed),
            plan=visits(len(self.training), self.settings, seed),
            stream=1,
            windows=self.settings.windows_per_epoch,
        )

    def held(self) -> Epoch:
        """Windows of the validation span; the same for all members."""
        return Source(
            self.frames,
            self.tracks,
            self.validation,
            self.settings,
            plan=[list(range(len(self.validation)))],
            stream=2,
            windows=min(8 * self.settings.batch_size, self.settings.windows_per_epoch),
        ).epoch(0)


@dataclass(frozen=True)
class Member:
    """One trained network.

    Attributes
    ----------
    network : bytes
        Content of its ``.keras`` file.
    output : ndarray of float32, shape (w, step, 3)
        For the windows of `Job.held`.
    rows : list of dict
        History, one per epoch.
    """

    network: bytes
    output: Array32
    rows: list[dict[str, float]]


def train_member(job: Job, member: int, *, report: Report | None = None) -> Member:
    """Train one network, or go on where an interrupted training stopped.

    Parameters
    ----------
    job : Job
    member : int
        Number in the ensemble, added to the seed.
    report : callable, optional
        Called with a number of batches done and a few words.

    Raises
    ------
    GraceError
        When the folder of the job is not there.
    NotEnoughDataError
        When nothing can be hidden in the training span.
    """
    if not job.folder.is_dir():
        raise GraceError(
            f"found no folder {str(job.folder)!r} on this machine, expected the one "
            "that training uses: give checkpoint= a folder that all workers share"
        )
    with _one_at_a_time, one_blas_thread(), without_advice():
        return _Training(job, member, report).run()


def train_all(jobs: Sequence[Job], *, progress: bool = False) -> list[list[Member]]:
    """Train the members of every job: on the active cluster, or one after the other."""
    each = [(job, k) for job in jobs for k in range(job.settings.ensemble)]
    if active_client() is not None and len(each) > 1:
        import dask

        call = dask.delayed(train_member, pure=False)
        tasks = [call(dask.delayed(j, traverse=False, pure=False), k) for j, k in each]
        trained: list[Member] = run(
            tasks, label="training", unit="network", progress=progress
        )
    else:
        steps = sum(job.settings.epochs * job.settings.batches for job, _ in each)
        with Bar("training", steps, unit="batch", enabled=progress) as bar:
            trained = [
                train_member(job, k, report=_reported(bar, number, len(each), job, k))
                for number, (job, k) in enumerate(each, start=1)
            ]
    members = iter(trained)
    return [[next(members) for _ in range(j.settings.ensemble)] for j in jobs]


def _reported(bar: Bar, number: int, total: int, job: Job, member: int) -> Report:
    """Counts batches, and says which network they are of."""
    which = f"network {number} of {total}: {job.name}"
    if job.settings.ensemble > 1:
        which += f" {member + 1}"
    return lambda steps, note: bar.update(steps, note=f"({which}, {note or 'begins'})")


class _Training:
    """State of one run of the loop."""

    def __init__(self, job: Job, member: int, report: Report | None) -> None:
        self.job, self.member = job, member
        self.report = report or (lambda steps, note: None)
        self.settings = replace(job.settings, seed=job.settings.seed + member)
        self.path = job.folder / f"{job.name}-{member}.npz"
        self.state = read_state(self.path)
        self.source, self.held = job.source(member), job.held()
        self.network = self._built()
        key = (job.name, member)
        self.callbacks = called_in(self.network, job.callbacks, job.settings, key)

    def _built(self) -> Any:
        network = make_network(self._channels(), self.settings, self.job.network)
        steps = self.settings.epochs * self.settings.batches
        compile_network(network, self.settings, steps=steps)
        network.optimizer.build(network.trainable_variables)
        if self.state.rows:
            self._put(network.variables, self.state.variables)
            self._put(network.optimizer.variables, self.state.optimiser)
        return network

    def _channels(self) -> int:
        """Channels per step, from the first stretch that holds data."""
        if self.held.masked:
            return 6 + int(self.held.masked[0].channels.static.shape[1])
        for number in range(self.settings.epochs):
            epoch = self.source.epoch(number)
            if epoch.masked:
                return 6 + int(epoch.masked[0].channels.static.shape[1])
        raise NotEnoughDataError(
            f"found nothing to hide for the track {self.job.name!r} in the training "
            "span, expected observations there: fit on a longer stretch"
        )

    def _put(self, variables: Sequence[Any], values: Sequence[Any]) -> None:
        if [tuple(v.shape) for v in variables] != [v.shape for v in values]:
            raise GraceError(
                f"found {str(self.path)!r} of another network, expected the one that "
                "is trained: remove the folder or choose another"
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def run(self) -> Member:
        """Train the epochs left."""
        done = len(self.state.rows) * self.settings.batches
        self.report(done, "")
        if not self.state.done:
            self._epochs()
        if not self._annealed:
            self.network.set_weights(self.state.best)
        return Member(network_bytes(self.network), self._output(), self.state.rows)

    def _epochs(self) -> None:
        self.callbacks.on_train_begin()
        # the next epoch is masked while the network trains on this one
        with ThreadPoolExecutor(1) as pool:
            coming: Future[Epoch] | None = None
            while not self.state.done:
                number = len(self.state.rows)
                epoch = coming.result() if coming else self.source.epoch(number)
                coming = None
                if number + 1 < self.settings.epochs:
                    coming = pool.submit(self.source.epoch, number + 1)
                self._one_epoch(number, epoch)
        self.callbacks.on_train_end(dict(self.state.rows[-1]))

    @property
    def _annealed(self) -> bool:
        """Whether the last weights are to be kept.

        Where the learning rate has fallen to nearly 0 they are better than those of the
        least loss on some hundred held-out windows, which is partly chance.
        """
        settings = self.settings
        complete = len(self.state.rows) == settings.epochs
        return settings.patience is None or (
            complete and settings.schedule != "constant"
        )

    def _one_epoch(self, number: int, epoch: Epoch) -> None:
        begun = time.perf_counter()
        self.callbacks.on_epoch_begin(number)
        self.network.reset_metrics()
        loss = float("nan")
        for k in range(epoch.batches):
            self.callbacks.on_train_batch_begin(k)
            # Keras returns the mean over the epoch so far
            loss = float(self.network.train_on_batch(*epoch.batch(k)))
            self.callbacks.on_train_batch_end(k, {"loss": loss})
            self.report(
                1, f"epoch {number + 1} of {self.settings.epochs}, loss {loss:.3f}"
            )
        self.callbacks.on_test_begin()
        self.network.reset_metrics()
        check = float("nan")
        for k in range(self.held.batches):
            check = float(self.network.test_on_batch(*self.held.batch(k)))
        self.callbacks.on_test_end({"loss": check})
        self._note(loss, check, time.perf_counter() - begun)

    def _note(self, loss: float, check: float, seconds: float) -> None:
        """Keep history, state and the best weights; see whether to end."""
        from keras import ops

        rate = ops.convert_to_numpy(self.network.optimizer.learning_rate)
        state, settings = self.state, self.settings
        state.rows.append(
            {
                "loss": loss,
                "val_loss": check,
                "learning_rate": float(rate),
                "seconds": seconds,
            }
        )
        if state.best_epoch == len(state.rows) - 1:
            state.best = self.network.get_weights()
        self.callbacks.on_epoch_end(len(state.rows) - 1, dict(state.rows[-1]))
        waited = len(state.rows) - 1 - state.best_epoch
        tired = settings.patience is not None and waited >= settings.patience
        complete = len(state.rows) == settings.epochs
        state.done = tired or complete or bool(self.network.stop_training)
        state.variables = _values(self.network.variables)
        state.optimiser = _values(self.network.optimizer.variables)
        write_state(self.path, state)

    def _output(self) -> Array32:
        parts = [
            np.asarray(self.network.predict_on_batch(self.held.batch(k)[0]))
            for k in range(self.held.batches)
        ]
        empty = np.zeros((0, self.settings.window, 3), dtype=np.float32)
        return np.concatenate(parts) if parts else empty


def _values(variables: Sequence[Any]) -> list[npt.NDArray[Any]]:
    from keras import ops

    return [np.asarray(ops.convert_to_numpy(v)) for v in variables]


def combine(job: Job, members: Sequence[Member]) -> tuple[TrainedNetwork, xr.Dataset]:
    """Make an ensemble of its members.

    Returns
    -------
    TrainedNetwork
        Its gain is the factor per axis, 0 to 1, that makes the mean output best on the
        validation gaps: a network that has not surely learnt anything lasting is
        switched off.
    xarray.Dataset
        History over ``(member, epoch)``.
    """
    held = job.held()
    mean = np.mean([m.output.astype(np.float64) for m in members], axis=0)
    product, square = np.zeros((2, len(held.owner), 3))
    size = job.settings.batch_size
    for number in range(held.batches):
        _, y = held.batch(number)
        batch = slice(number * size, (number + 1) * size)
        target, weight = y[..., :3], y[..., 3:]
        product[batch] = (weight * target * mean[batch]).sum(axis=1)
        square[batch] = (weight * mean[batch] ** 2).sum(axis=1)
    # windows that begin within one window's length share most of what they hold
    block = np.stack([held.owner, held.starts // job.settings.window], axis=1)
    place = np.unique(block, axis=0, return_inverse=True)[1].ravel()
    a, b, c = sure_gain(product, square, place).tolist()
    network = TrainedNetwork(tuple(m.network for m in members), (a, b, c))
    return network, _history([m.rows for m in members])


def sure_gain(product: Array, square: Array, block: IntArray) -> Array:
    """Factor on an output that makes it best, 0 where that may be chance.

    Parameters
    ----------
    product, square : ndarray, shape (w, 3)
        Sums of target times output and of the squared output, per window and axis.
    block : ndarray of int64, shape (w,)
        Windows of different blocks are independent.

    Returns
    -------
    ndarray, shape (3,)
        From 0 to 1. Its error comes from leaving out one block at a time.
    """
    number = int(block.max(initial=-1)) + 1
    if number < FEWEST_BLOCKS:
        return np.zeros(3)
    up, down = (
        np.stack([np.bincount(block, v[:, k], number) for k in range(3)], axis=1)
        for v in (product, square)
    )
    energy = np.maximum(down.sum(axis=0), 1e-12)
    gain = up.sum(axis=0) / energy
    left = (up.sum(axis=0) - up) / np.maximum(energy - down, 1e-12)
    variance = (number - 1) / number * ((left - left.mean(axis=0)) ** 2).sum(axis=0)
    sure = gain > SURE * np.sqrt(variance)
    return np.where(sure, np.clip(gain, 0.0, 1.0), 0.0)


def _history(members: Sequence[list[dict[str, float]]]) -> xr.Dataset:
    import xarray as xr

    what = "loss on hidden samples, in residual standard deviations"
    about = {
        "loss": {"long_name": f"training: {what}", "units": "1"},
        "val_loss": {"long_name": f"validation: {what}", "units": "1"},
        "learning_rate": {"long_name": "learning rate at the end", "units": "1"},
        "seconds": {"long_name": "time taken", "units": "s"},
    }
    longest = max(len(rows) for rows in members)
    values = {name: np.full((len(members), longest), np.nan) for name in about}
    for member, rows in enumerate(members):
        for epoch, row in enumerate(rows):
            for name in about:
                values[name][member, epoch] = row[name]
    return xr.Dataset(
        {n: (("member", "epoch"), v, about[n]) for n, v in values.items()},
        coords={
            "member": np.arange(len(members)),
            "epoch": np.arange(1, longest + 1),
        },
    )
