"""Learn what a network starts from, one stretch of an archive after another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines import REGRESSIONS
from gracelstm_xr.frames import Frame
from gracelstm_xr.gaps import log_uniform_gaps
from gracelstm_xr.lstm.bridge import Bridge
from gracelstm_xr.lstm.track import Track
from gracelstm_xr.regression import LocalRegression
from gracelstm_xr.tracking import SlowResidual

__all__ = ["TrackFit"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Time over which the starting regression takes changes [s].
CHANGE = 600.0


class TrackFit:
    """Fit of one track from stretches in order of time, in one pass.

    Stretches are at the working step and do not overlap. Cut at GPS midnights (or
    other whole multiples of six hours) they give the same track however many there
    are.

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
        self.name, self.step, self.seed = name, step, seed
        self.stretches: list[tuple[Frame, BoolArray]] = []

    def add(self, frame: Frame, training: BoolArray) -> None:
        """Learn from the samples of a stretch that are for training.

        Parameters
        ----------
        frame : Frame
            n samples at the working step; a single track leaves out what it may not
            see.
        training : ndarray of bool, shape (n,)
        """
        self.stretches.append((frame, training))

    def finish(self) -> Track:
        """Give the track learnt from all stretches."""
        whole = Frame.join([frame for frame, _ in self.stretches])
        training = np.concatenate([mask for _, mask in self.stretches])
        donor_scale = np.ones(3)
        if whole.donor is not None:
            spread = np.array([_spread(whole.donor[training, k]) for k in range(3)])
            donor_scale = np.where(spread > 0, spread, 1.0)
        empty = LocalRegression((), np.zeros((2, 3)), np.ones((2, 3)), self.step)
        none = SlowResidual(np.zeros((1, 3)), np.ones(3))
        track = Track(self.name, empty, none, np.ones(3), donor_scale)
        frame = track.view(whole)
        regression = LocalRegression.fit(
            [(frame, training)], REGRESSIONS["ridge"], change=CHANGE
        )
        part = frame.take(np.flatnonzero(training))
        known = np.isfinite(part.own)
        guess = regression.predict(part, regression.coefficients(part, known))
        slow = SlowResidual.fit(part.t, part.own - guess)
        left = part.own - guess
        left -= slow.estimate(part.t, left, known)
        bridge = Bridge.fit(left, self.step)
        track = replace(track, regression=regression, slow=slow, bridge=bridge)
        return replace(track, residual_scale=_residual_scale(part, track, self.seed))


def _spread(values: Array) -> float:
    good = values[np.isfinite(values)]
    return float(good.std()) if len(good) > 1 else 0.0


def _residual_scale(frame: Frame, track: Track, seed: int) -> Array:
    """Standard deviation of what is left to the network in hidden gaps."""
    rng = np.random.default_rng([seed, 3])
    hidden = log_uniform_gaps(
        len(frame), shortest=6, longest=1000, fraction=0.3, rng=rng
    )
    known = np.isfinite(frame.own)
    start = track.start(frame, known & ~hidden[:, None])
    guess = start.smooth + start.slow
    error = np.where(known & hidden[:, None], frame.own - guess, np.nan)
    spread = np.array([_spread(error[:, k]) for k in range(3)])
    return np.where(spread > 0, spread, 1e-9)
