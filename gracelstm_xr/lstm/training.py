"""Training of the network: hidden gaps, batches, and the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.frames import Frame
from gracelstm_xr.gaps import log_uniform_gaps, runs
from gracelstm_xr.lstm.sequences import Channels, static_channels, window_batch
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.lstm.track import Track

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Masked", "Trainer", "mask_frame", "train_network"]

#: Maskings of the training data that are in use at a time.
POOL = 4
Array32 = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Masked:
    """One masking of a training frame: channels and the weight of each target."""

    channels: Channels
    weight: Array32


def mask_frame(
    thin: Frame,
    static: Array32,
    track: Track,
    settings: Settings,
    rng: np.random.Generator,
) -> Masked:
    """Hide random gaps, refit the ridge baseline without them, keep its residual.

    Refitting makes the residual in a hidden gap as large in training as it will be
    in a real one.
    """
    hidden = log_uniform_gaps(
        len(thin),
        shortest=max(round(settings.shortest_gap / settings.step), 1),
        longest=max(round(settings.longest_gap / settings.step), 1),
        fraction=settings.hidden_fraction,
        rng=rng,
    )
    known = np.isfinite(thin.own)
    visible = known & ~hidden[:, None]
    start = track.start(thin, visible)
    channels = track.channels(thin, start, visible, static)
    scored = known & hidden[:, None] & np.isfinite(start.smooth)
    return Masked(channels, (scored * _gap_weight(hidden)[:, None]).astype(np.float32))


def _gap_weight(hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Weight of hidden samples: less in long gaps, or they would be all that counts.

    The middle of a long gap holds mostly noise; what can be learnt is near its edges.
    """
    weight = np.zeros(len(hidden))
    for first, past in runs(hidden):
        weight[first:past] = 1.0 / np.sqrt(past - first)
    return weight


class Trainer:
    """Batches of one epoch after another.

    Windows come from several maskings of the data at once, one of which is replaced
    by a new one after every epoch.

    Parameters
    ----------
    frames : list of (Frame, Track)
        Training frames at the working step.
    settings : Settings
    stream : int
        Distinguishes the random gaps of training from those of validation.
    fixed : bool
        Keep the gaps of the first epoch, for validation.
    """

    def __init__(
        self,
        frames: list[tuple[Frame, Track]],
        settings: Settings,
        *,
        stream: int,
        windows: int,
        fixed: bool = False,
    ) -> None:
        self.settings = settings
        self.frames = frames
        self.static = [static_channels(f, r.donor_scale) for f, r in frames]
        self.stream, self.windows, self.fixed = stream, windows, fixed
        self.epoch = 0
        self.masked: list[list[Masked]] = []
        while len(self.masked) < POOL:
            self.masked.append(self._mask(len(self.masked)))
        self._place()

    @property
    def batches(self) -> int:
        """Batches per epoch."""
        return -(-self.windows // self.settings.batch_size)

    def next_epoch(self) -> None:
        """Replace the oldest masking and draw new windows, unless fixed."""
        if not self.fixed:
            self.epoch += 1
            self.masked[self.epoch % POOL] = self._mask(POOL + self.epoch)
            self._place()

    def _mask(self, number: int) -> list[Masked]:
        rng = np.random.default_rng([self.settings.seed, self.stream, 0, number])
        return [
            mask_frame(frame, static, track, self.settings, rng)
            for (frame, track), static in zip(self.frames, self.static, strict=True)
        ]

    def _place(self) -> None:
        """Draw frame, masking and start of every window of the epoch."""
        rng = np.random.default_rng([self.settings.seed, self.stream, 1, self.epoch])
        room = [max(len(f) - self.settings.window + 1, 1) for f, _ in self.frames]
        share = np.array(room) / sum(room)
        self.owner = rng.choice(len(room), size=self.windows, p=share)
        self.masking = rng.integers(POOL, size=self.windows)
        self.starts = np.array([rng.integers(room[i]) for i in self.owner])

    def batch(self, number: int) -> tuple[Array32, Array32]:
        """Inputs (w, step, channel) and targets with weights (w, step, 6)."""
        size = self.settings.batch_size
        part = slice(number * size, (number + 1) * size)
        x, y = [], []
        for frame in range(len(self.frames)):
            for masking, made in enumerate(self.masked):
                mine = (self.owner[part] == frame) & (self.masking[part] == masking)
                if mine.any():
                    inputs, targets = self._cut(made[frame], self.starts[part][mine])
                    x.append(inputs)
                    y.append(targets)
        return np.concatenate(x), np.concatenate(y)

    def _cut(self, masked: Masked, starts: IntArray) -> tuple[Array32, Array32]:
        window, length = self.settings.window, len(masked.weight)
        index = np.minimum(starts[:, None] + np.arange(window), length - 1)
        weight = masked.weight[index]
        # a window longer than the data repeats its last step, which does not count
        weight[:, length:] = 0.0
        target = np.concatenate([masked.channels.residual[index], weight], axis=2)
        return window_batch(masked.channels, starts, window), target


def train_network(
    training: list[tuple[Frame, Track]],
    validation: list[tuple[Frame, Track]],
    settings: Settings,
    *,
    report: Report | None = None,
) -> tuple[Any, tuple[float, float, float], xr.Dataset]:
    """Train one network of one track on the frames of all recipients.

    Parameters
    ----------
    training, validation : list of (Frame, Track)
        Frames at the working step.
    settings : Settings
    report : callable, optional
        Called with a few words after every batch.

    Returns
    -------
    network : keras.Model
    gain : tuple of float
        Factor per axis, 0 to 1, that makes the output best on the validation gaps: a
        network that has learnt nothing lasting is switched off.
    history : xarray.Dataset
        ``loss`` and ``val_loss`` over ``epoch``.
    """
    import keras

    from gracelstm_xr.lstm.network import build_network, compile_network

    source = Trainer(training, settings, stream=1, windows=settings.windows_per_epoch)
    held = Trainer(
        validation,
        settings,
        stream=2,
        windows=min(4 * settings.batch_size, settings.windows_per_epoch),
        fixed=True,
    )
    keras.utils.set_random_seed(settings.seed)
    features = source.batch(0)[0].shape[2]
    network = build_network(features, settings)
    compile_network(network, settings, steps=settings.epochs * settings.batches)
    losses: list[float] = []
    checks: list[float] = []
    for epoch in range(settings.epochs):
        network.reset_metrics()
        for number in range(settings.batches):
            # Keras returns the mean over the epoch so far
            loss = float(network.train_on_batch(*source.batch(number)))
            if report is not None:
                report(f"epoch {epoch + 1} of {settings.epochs}, loss {loss:.3f}")
        losses.append(loss)
        network.reset_metrics()
        for number in range(held.batches):
            check = float(network.test_on_batch(*held.batch(number)))
        checks.append(check)
        source.next_epoch()
    return network, _gain(network, held), _history(losses, checks)


def _gain(network: Any, held: Trainer) -> tuple[float, float, float]:
    """Least-squares factor between output and target on validation gaps."""
    product, square = np.zeros(3), np.full(3, 1e-12)
    for number in range(held.batches):
        x, y = held.batch(number)
        output = np.asarray(network.predict_on_batch(x), dtype=np.float64)
        target, weight = y[..., :3], y[..., 3:]
        product += (weight * target * output).sum(axis=(0, 1))
        square += (weight * output**2).sum(axis=(0, 1))
    a, b, c = np.clip(product / square, 0.0, 1.0).tolist()
    return a, b, c


def _history(losses: list[float], checks: list[float]) -> xr.Dataset:
    import xarray as xr

    what = "Huber loss on hidden samples, in residual standard deviations"
    return xr.Dataset(
        {
            "loss": ("epoch", losses, {"long_name": f"training: {what}", "units": "1"}),
            "val_loss": (
                "epoch",
                checks,
                {"long_name": f"validation: {what}", "units": "1"},
            ),
        },
        coords={"epoch": ("epoch", np.arange(1, len(losses) + 1))},
    )
