"""Hyperparameters of a fit, and the split of time it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["PREDICTION_BATCH", "Settings", "Split"]

#: Windows predicted at a time; always the same, so that none depends on its company.
PREDICTION_BATCH = 64


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of `gracelstm_xr.lstm.fit`; the defaults work.

    Attributes
    ----------
    step : float
        Working step of the network [s]; ACC1B is low-passed at 35 mHz, so 10 s
        loses nothing.
    window : int
        Steps a window spans; 144 of 10 s are a quarter of a revolution.
    units : tuple of int
        LSTM units per direction, one number per layer.
    epochs, windows_per_epoch, batch_size : int
        Length of the training.
    learning_rate, weight_decay : float
        Peak of the cosine schedule of AdamW, and its decay.
    dropout : float
        Part of the recurrent outputs dropped in training.
    huber : float
        Where the loss turns from square to linear [residual standard deviations].
    hidden_fraction : float
        Part of the observations hidden in each epoch.
    shortest_gap, longest_gap : float
        Range of hidden gap lengths [s], log-uniform.
    train, validation : float
        Leading parts of the time span to train on and, after an embargo, to choose
        methods and calibrate sigma on; the rest is kept for `evaluate`.
    embargo : float
        Time left out between the parts [s]; at most a twentieth of the span.
    seed : int
        Decides weights, hidden gaps and batches.
    """

    step: float = 10.0
    window: int = 144
    units: tuple[int, ...] = (48,)
    epochs: int = 24
    windows_per_epoch: int = 2048
    batch_size: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1
    huber: float = 1.5
    hidden_fraction: float = 0.3
    shortest_gap: float = 20.0
    longest_gap: float = 3600.0
    train: float = 0.7
    validation: float = 0.15
    embargo: float = 86_400.0
    seed: int = 0

    @property
    def batches(self) -> int:
        """Batches per epoch."""
        return -(-self.windows_per_epoch // self.batch_size)

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, Any]) -> Settings:
        """Settings from keyword arguments.

        Raises
        ------
        TypeError
            When a name is not a hyperparameter.
        ValueError
            When a value is out of range.
        """
        known = [f.name for f in fields(cls)]
        for name in keywords:
            if name not in known:
                raise TypeError(
                    f"found hyperparameter {name!r}, expected one of "
                    f"{', '.join(known)}: correct the name"
                )
        values = dict(keywords)
        if "units" in values:
            units = values["units"]
            values["units"] = (units,) if isinstance(units, int) else tuple(units)
        result = cls(**values)
        result._check()
        return result

    def _check(self) -> None:
        positive = ("step", "window", "epochs", "windows_per_epoch", "batch_size")
        for name in (*positive, "learning_rate", "shortest_gap"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"found {name}={getattr(self, name)!r}, expected a positive "
                    "number: correct the hyperparameter"
                )
        if not self.units or min(self.units) < 1:
            raise ValueError(
                f"found units={self.units!r}, expected one positive number per layer: "
                "for example units=(48,)"
            )
        if not (0 < self.train < 1 and 0 < self.validation < 1 - self.train - 1e-9):
            raise ValueError(
                f"found train={self.train!r} and validation={self.validation!r}, "
                "expected positive parts that leave some time for evaluation: "
                "their sum must be below 1"
            )
        if not 0 < self.hidden_fraction < 1:
            raise ValueError(
                f"found hidden_fraction={self.hidden_fraction!r}, expected a number "
                "between 0 and 1: for example 0.3"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a file."""
        return asdict(self)


@dataclass(frozen=True)
class Split:
    """Spans of GPS time [s past 2000-01-01T12:00:00], first and one past the last.

    Attributes
    ----------
    train, validation, test : tuple of float
        What was learnt from, what methods and sigma were chosen on, and what no
        part of the fit has seen.
    """

    train: tuple[float, float]
    validation: tuple[float, float]
    test: tuple[float, float]

    @classmethod
    def of(cls, start: float, stop: float, settings: Settings) -> Split:
        """Split a span in time order with an embargo between the parts."""
        span = stop - start
        embargo = min(settings.embargo, span / 20)
        usable = span - 2 * embargo
        a = start + usable * settings.train
        b = a + embargo + usable * settings.validation
        step = settings.step
        cut = [start, a, a + embargo, b, b + embargo, stop]
        s = [round(value / step) * step for value in cut[:-1]] + [stop]
        return cls((start, s[1]), (s[2], s[3]), (s[4], s[5]))
