"""Hidden gaps and batches of training windows, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.start import SINGLE, Track
from gracelstm_xr.core.gaps import log_uniform_gaps, runs
from gracelstm_xr.lstm.channels import Channels, track_channels, window_batch
from gracelstm_xr.lstm.dayframes import DayFrames
from gracelstm_xr.lstm.settings import Settings
from gracelstm_xr.lstm.stretches import Stretch, turns
from gracelstm_xr.physics.frames import Frame

__all__ = ["PER_EPOCH", "Epoch", "Masked", "Source", "hide_end", "hide_gaps", "visits"]

#: Stretches an epoch visits: the windows of all of them are shuffled together, which
#: takes 10 MB a stretch and satellite.
PER_EPOCH = 8
Array32 = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Masked:
    """One masking of a stretch.

    Attributes
    ----------
    channels : Channels
    weight : ndarray of float32, shape (n, 3)
        Of each target; 0 where it is not scored.
    starts : ndarray of int64
        First steps of the windows that hold something to learn.
    """

    channels: Channels
    weight: Array32
    starts: IntArray


def visits(count: int, settings: Settings, seed: int) -> list[list[int]]:
    """Stretches that each epoch of training visits, of ``count``."""
    return turns(count, most=PER_EPOCH, epochs=settings.epochs, seed=[seed, 1, 2])


def hide_gaps(
    thin: Frame,
    core: tuple[float, float],
    track: Track,
    settings: Settings,
    rng: np.random.Generator,
) -> Masked:
    """Hide random gaps and start again without what is in them.

    Starting again makes the residual in a hidden gap as large in training as it will
    be in a real one.

    Parameters
    ----------
    thin : Frame
        Of `Track.view`, at the working step, with context.
    core : tuple of float
        GPS seconds that windows are taken from.
    track : Track
    settings : Settings
    rng : numpy.random.Generator
    """
    hidden = log_uniform_gaps(
        len(thin),
        shortest=max(round(settings.shortest_gap / settings.step), 1),
        longest=max(round(settings.longest_gap / settings.step), 1),
        fraction=settings.hidden_fraction,
        rng=rng,
    )
    weight = np.zeros(len(hidden))
    for first, past in runs(hidden):
        # the middle of a long gap holds mostly noise; what can be learnt is near its
        # edges, and long gaps would be all that counts
        weight[first:past] = 1.0 / np.sqrt(past - first)
    made, weight32, _ = _masked(thin, core, track, hidden, weight)
    counts = np.concatenate([[0], np.cumsum((weight32 > 0).any(axis=1))])
    window = settings.window
    room = np.arange(max(len(weight32) - window + 1, 1))
    past = np.minimum(room + window, len(weight32))
    return Masked(made, weight32, room[counts[past] > counts[room]])


def hide_end(
    thin: Frame,
    core: tuple[float, float],
    track: Track,
    settings: Settings,
    rng: np.random.Generator,
) -> Masked:
    """Hide everything after a random step of the core, as in a forecast.

    Parameters are those of `hide_gaps`.
    """
    window = settings.window
    low, high = np.searchsorted(thin.t, core)
    cut = int(rng.integers(low, max(high, low + 1)))
    hidden = np.arange(len(thin)) >= cut
    weight = np.zeros(len(thin))
    weight[cut : cut + window] = 1.0 / np.sqrt(window)
    made, weight32, first = _masked(thin, core, track, hidden, weight)
    # an eighth of the window at least on either side of the step
    part = max(window // 8, 1)
    starts = np.arange(cut - first - window + part, cut - first - part + 1)
    inside = (starts >= 0) & (starts + window <= len(weight32))
    scored = bool((weight32 > 0).any())
    return Masked(made, weight32, starts[inside] if scored else starts[:0])


def _masked(
    thin: Frame,
    core: tuple[float, float],
    track: Track,
    hidden: BoolArray,
    weight: npt.NDArray[np.float64],
) -> tuple[Channels, Array32, int]:
    """Channels and weights of the core, and the position of its first step."""
    known = np.isfinite(thin.own)
    visible = known & ~hidden[:, None]
    start = track.start(thin, visible, within=core)
    scored = known & hidden[:, None] & np.isfinite(start.smooth)
    low, high = (int(i) for i in np.searchsorted(thin.t, core))
    part = slice(low, high)
    channels = track_channels(track, thin, start, visible, part)
    return channels, (scored * weight[:, None])[part].astype(np.float32), low


@dataclass(frozen=True)
class Epoch:
    """Windows of one epoch, as positions in a few masked stretches.

    Attributes
    ----------
    masked : list of Masked
    owner, starts : ndarray of int64, shape (w,)
        Masked stretch and first step of every window.
    settings : Settings
    """

    masked: list[Masked]
    owner: IntArray
    starts: IntArray
    settings: Settings

    @property
    def batches(self) -> int:
        """Number of batches."""
        return -(-len(self.owner) // self.settings.batch_size)

    def batch(self, number: int) -> tuple[Array32, Array32]:
        """Inputs (w, step, channel) and targets with weights (w, step, 6)."""
        size, window = self.settings.batch_size, self.settings.window
        part = slice(number * size, (number + 1) * size)
        owner, starts = self.owner[part], self.starts[part]
        count = 6 + self.masked[0].channels.static.shape[1]
        x = np.empty((len(owner), window, count), dtype=np.float32)
        y = np.empty((len(owner), window, 6), dtype=np.float32)
        for which in np.unique(owner):
            mine = owner == which
            x[mine], y[mine] = self._cut(self.masked[which], starts[mine])
        return x, y

    def _cut(self, masked: Masked, starts: IntArray) -> tuple[Array32, Array32]:
        window, length = self.settings.window, len(masked.weight)
        index = np.minimum(starts[:, None] + np.arange(window), length - 1)
        weight = masked.weight[index]
        # a window longer than the data repeats its last step, which does not count
        weight[:, length:] = 0.0
        target = np.concatenate([masked.channels.residual[index], weight], axis=2)
        return window_batch(masked.channels, starts, window), target


class Source:
    """Windows of one track from the day frames of an archive.

    Parameters
    ----------
    frames : DayFrames
    tracks : mapping of str to Track
        By satellite.
    stretches : sequence of Stretch
    settings : Settings
        ``seed`` decides the gaps and windows.
    plan : list of list of int
        Stretches to visit, per epoch.
    stream : int
        Distinguishes the random gaps of training from those of validation.
    windows : int
        Per epoch.
    """

    def __init__(
        self,
        frames: DayFrames,
        tracks: Mapping[str, Track],
        stretches: Sequence[Stretch],
        settings: Settings,
        *,
        plan: list[list[int]],
        stream: int,
        windows: int,
    ) -> None:
        self.frames, self.tracks = frames, dict(tracks)
        self.stretches, self.settings = stretches, settings
        self.plan, self.stream, self.windows = plan, stream, windows

    def epoch(self, number: int) -> Epoch:
        """Mask the stretches of an epoch anew and draw its windows."""
        gaps: list[Masked] = []
        ends: list[Masked] = []
        for which in self.plan[number]:
            for order, (name, track) in enumerate(self.tracks.items()):
                key = [self.settings.seed, self.stream, 0, number, which, order]
                self._add(name, track, self.stretches[which], key, gaps, ends)
        rng = np.random.default_rng([self.settings.seed, self.stream, 1, number])
        return self._drawn(gaps, ends, rng)

    def _add(
        self,
        name: str,
        track: Track,
        stretch: Stretch,
        key: list[int],
        gaps: list[Masked],
        ends: list[Masked],
    ) -> None:
        frame = self.frames.load(name, stretch.wide)
        if frame is None or len(frame) < 2:
            return
        frame, rng = track.view(frame), np.random.default_rng(key)
        found = hide_gaps(frame, stretch.core, track, self.settings, rng)
        if len(found.starts):
            gaps.append(found)
        if track.name == SINGLE and self.settings.open_ends:
            found = hide_end(frame, stretch.core, track, self.settings, rng)
            if len(found.starts):
                ends.append(found)

    def _drawn(
        self, gaps: list[Masked], ends: list[Masked], rng: np.random.Generator
    ) -> Epoch:
        """Windows from gaps by what there is to learn, from open ends alike."""
        size = np.array([float((m.weight > 0).sum()) for m in gaps])
        share = size / max(size.sum(), 1.0)
        if ends:
            part = self.settings.open_ends if gaps else 1.0
            share = np.concatenate(
                [(1 - part) * share, np.full(len(ends), part / len(ends))]
            )
        masked = [*gaps, *ends]
        windows = self.windows if masked else 0
        owner = np.zeros(0, dtype=np.int64)
        if windows:
            owner = rng.choice(len(masked), size=windows, p=share / share.sum())
        starts = [masked[i].starts[rng.integers(len(masked[i].starts))] for i in owner]
        return Epoch(masked, owner, np.array(starts, dtype=np.int64), self.settings)
