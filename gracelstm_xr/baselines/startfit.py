"""Learn what a network starts from, one stretch of an archive after another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.baselines.bridge import Bridge
from gracelstm_xr.baselines.drift import BIN
from gracelstm_xr.baselines.moments import NANO, columns
from gracelstm_xr.baselines.regression import (
    RIDGE_TERMS,
    LocalRegression,
    RegressionFit,
    blended,
    nodes_of,
)
from gracelstm_xr.baselines.repeating import Repeating
from gracelstm_xr.baselines.slow import SlowResidual
from gracelstm_xr.baselines.start import Track
from gracelstm_xr.core.gaps import log_uniform_gaps
from gracelstm_xr.physics.earth import REVOLUTION
from gracelstm_xr.physics.frames import Frame
from gracelstm_xr.signal.bins import bin_means

#: Time over which the starting regression takes changes [s].
CHANGE = 600.0
#: Stretches kept to learn the size of the residual: the first, and the last of the
#: others.
KEPT = 3


class TrackFit:
    """Fit of one track from stretches in order of time, in one pass.

    Stretches are at the working step and do not overlap. Cut at GPS midnights (or
    other whole multiples of six hours) they give the same regression and the same
    slow residual however many there are. What is held of them is means over ten
    minutes and sums over six hours, about 0.2 MB a day, and three of the stretches.

    Parameters
    ----------
    name : str
        ``twin`` or ``single``.
    step : float
        Working step [s].
    seed : int
        Of the gaps that are hidden to learn the size of the residual.
    """

    def __init__(self, name: str, *, step: float, seed: int = 0) -> None:
        self.step, self.seed = step, seed
        empty = LocalRegression((), np.zeros((2, 3)), np.ones((2, 3)), step)
        self.track = Track(
            name, empty, SlowResidual.unknown(), np.full(3, NANO), np.ones(3)
        )
        self.terms = RIDGE_TERMS
        self.regression = RegressionFit(self.terms, change=CHANGE, keep=True)
        self.bins: list[tuple[IntArray, Array, Array]] = []
        self.kept: list[tuple[Frame, BoolArray]] = []
        self.periods: list[float] = []
        # count, sum and sum of squares of the donor
        self.donor: Array = np.zeros((3, 3))

    def add(self, frame: Frame, training: BoolArray) -> None:
        """Learn from the samples of a stretch that are for training.

        Parameters
        ----------
        frame : Frame
            n samples at the working step; a single track leaves out what it may not
            see.
        training : ndarray of bool, shape (n,)
        """
        if frame.donor is not None:
            usable = np.isfinite(frame.donor) & training[:, None]
            values = np.where(usable, frame.donor, 0.0) / NANO
            self.donor += np.stack([usable.sum(0), values.sum(0), (values**2).sum(0)])
        frame = self.track.view(frame)
        self.regression.add(frame, training)
        x = columns(frame, self.terms)
        complete = training & np.isfinite(x).all(axis=0)
        seen = np.isfinite(frame.own) & complete[:, None]
        both = np.concatenate([frame.own / NANO, x.T], axis=1)
        some = np.asarray(seen.any(axis=1), dtype=bool)[:, None]
        use = np.concatenate([seen, np.repeat(some, len(x), axis=1)], axis=1)
        if frame.donor is not None:
            both = np.concatenate([frame.donor / NANO, both], axis=1)
            use = np.concatenate([np.isfinite(frame.donor) & complete[:, None], use], 1)
        self.bins.append(bin_means(frame.t, both, use, BIN))
        if (u := frame.latitude_argument) is not None and np.isfinite(u).sum() > 2:
            finite = np.isfinite(u)
            turns = np.unwrap(u[finite])
            elapsed = frame.t[finite][-1] - frame.t[finite][0]
            self.periods.append(float(2 * np.pi * elapsed / (turns[-1] - turns[0])))
        self.kept.append((frame, training))
        if len(self.kept) > KEPT:
            del self.kept[1]

    def finish(self) -> Track:
        """Give the track learnt from all stretches."""
        regression = self.regression.finish()
        track = replace(
            self.track,
            regression=regression,
            slow=self._slow(regression),
            donor_scale=self._donor_scale(),
        )
        if not self.kept:
            return track
        parts = [_left(track, frame, training) for frame, training in self.kept]
        series = [
            (f.t, left, f.latitude_argument)
            for (f, _), left in zip(self.kept, parts, strict=True)
        ]
        again = Repeating.fit(series, revolution=self._revolution())
        track = replace(track, repeating=again)
        parts = [_left(track, frame, training) for frame, training in self.kept]
        track = replace(track, bridge=Bridge.fit(np.concatenate(parts), self.step))
        return replace(track, residual_scale=self._residual_scale(track))

    def _donor_scale(self) -> Array:
        count, total, squares = self.donor
        safe = np.maximum(count, 1.0)
        variance = squares / safe - (total / safe) ** 2
        varies = (count > 1) & (variance > 0)
        return np.where(varies, NANO * np.sqrt(np.where(varies, variance, 1.0)), 1.0)

    def _slow(self, regression: LocalRegression) -> SlowResidual:
        """Statistics of what the regression leaves in bins."""
        if not self.bins or not self.regression.blocks:
            return SlowResidual.unknown()
        blocks = self.regression.blocks
        coefficients = {n: regression.at_sums(blocks, n) for n in nodes_of(blocks)}
        parts = []
        for number, mean, share in self.bins:
            # the twin's three columns, when there is a twin, come first
            own = mean.shape[1] - regression.mean.shape[0] - 1
            centre = np.asarray((number + 0.5) * BIN, dtype=np.float64)
            guess = blended(mean[:, own + 3 :].T, centre, coefficients).T
            left = np.asarray(mean[:, own : own + 3] - guess)
            twin = np.where(share[:, :own] > 0, mean[:, :own], np.nan)
            parts.append((number, left, share[:, own : own + 3], twin))
        number, left, share, twin = (
            np.concatenate(p) for p in zip(*parts, strict=True)
        )
        return SlowResidual.fit(
            number, left, share,
            revolution=self._revolution(),
            donor=twin if twin.shape[1] else None,
        )  # fmt: skip

    def _revolution(self) -> float:
        if not self.periods:
            return REVOLUTION
        # rounded, so that it does not depend on how the stretches are cut
        return round(float(np.median(self.periods)), 1)

    def _residual_scale(self, track: Track) -> Array:
        """Standard deviation of what is left to the network in hidden gaps."""
        rng = np.random.default_rng([self.seed, 3])
        errors = []
        for frame, training in self.kept:
            hidden = log_uniform_gaps(
                len(frame), shortest=6, longest=1000, fraction=0.3, rng=rng
            )
            error = _left(track, frame, training & ~hidden)
            errors.append(error[hidden & training])
        error = np.concatenate(errors)
        spread = np.array([_spread(error[:, k]) for k in range(3)])
        return np.where(spread > 0, spread, NANO)


def _left(track: Track, frame: Frame, visible: BoolArray) -> Array:
    """Series minus what its track makes of the visible samples [m s-2]."""
    start = track.start(frame, np.isfinite(frame.own) & visible[:, None])
    return np.asarray(frame.own - start.smooth - start.slow)


def _spread(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.std()) if len(finite) > 1 else 0.0
