"""Hyperparameters of a fit, and the split of time it is judged by."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from gracelstm_xr.physics.frames import FEATURES

F = TypeVar("F", bound=Callable[..., Any])

#: Windows predicted at a time; always the same, so that none depends on its company.
PREDICTION_BATCH = 64
#: Values of the settings that are names.
CHOICES = {
    "loss": ("huber", "mse", "mae"),
    "optimiser": ("adamw", "adam", "nadam", "rmsprop", "sgd"),
    "schedule": ("cosine", "linear", "constant"),
}


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
        LSTM units per direction, one number per layer. As a keyword also one number,
        and ``layers`` how often it is meant.
    features : tuple of str
        Covariates shown to the network: groups of `FEATURES`, and variables of the
        Dataset over time, or satellite and time, by name; ``fill`` then needs these.
    epochs, windows_per_epoch, batch_size : int
        Length of the training. An archive of any length takes as many windows.
    patience : int or None
        Epochs without a better loss on held-out gaps after which training ends with the
        best weights. Where it goes on to the end of a falling ``schedule``, and with
        None, the last weights are kept.
    optimiser, schedule : str
        ``adamw``, ``adam``, ``nadam``, ``rmsprop`` or ``sgd``; learning rate after
        a short warm-up ``cosine`` or ``linear`` to nearly 0, or ``constant``.
    learning_rate, weight_decay : float
        Peak of the schedule, and decay where the optimiser is ``adamw``.
    dropout : float
        Part of the recurrent outputs dropped in training.
    loss : str
        ``huber``, ``mse`` or ``mae``, on hidden samples.
    huber : float
        Where that loss turns from square to linear [residual standard deviations].
    hidden_fraction : float
        Part of the observations hidden in each epoch.
    shortest_gap, longest_gap : float
        Range of hidden gap lengths [s], log-uniform.
    open_ends : float
        Part of the windows of the single track in which everything after a random
        step is hidden, so that the network also serves forecasts.
    gaps_per_length : int
        Gaps of every length hidden on the validation span to choose methods and sigma
        by; up to four times as many where they fit. Fewer take less time after the
        training, and say less surely which method is best.
    hindcasts : int
        Forecasts of the past per satellite, on the validation span, that `forecast`
        takes its choice of method and sigma from; 0 for none.
    train, validation : float
        Leading parts of the time span to train on and, after an embargo, to choose
        methods and calibrate sigma on; the rest is kept for `evaluate`.
    embargo : float
        Time left out between the parts [s]; at most a twentieth of the span.
    seed : int
        Decides weights, hidden gaps and batches.
    ensemble : int
        Networks per track, of seeds ``seed``, ``seed + 1``, ...; their mean serves.
    """

    step: float = 10.0
    window: int = 144
    units: tuple[int, ...] = (48,)
    features: tuple[str, ...] = FEATURES
    epochs: int = 24
    windows_per_epoch: int = 2048
    batch_size: int = 32
    patience: int | None = 16
    optimiser: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1
    loss: str = "huber"
    huber: float = 1.5
    hidden_fraction: float = 0.3
    shortest_gap: float = 20.0
    longest_gap: float = 3600.0
    open_ends: float = 0.2
    gaps_per_length: int = 10
    hindcasts: int = 48
    train: float = 0.7
    validation: float = 0.15
    embargo: float = 86_400.0
    seed: int = 0
    ensemble: int = 1

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
        names = [f.name for f in fields(cls)]
        for name in keywords:
            if name not in (*names, "layers"):
                raise TypeError(
                    f"found hyperparameter {name!r}, expected one of "
                    f"{', '.join(names)}: correct the name"
                )
        values = dict(keywords)
        if "units" in values or "layers" in values:
            values["units"] = _per_layer(
                values.get("units", cls.units), values.pop("layers", None)
            )
        if isinstance(groups := values.get("features"), str | list):
            values["features"] = (groups,) if isinstance(groups, str) else tuple(groups)
        result = cls(**values)
        result._check()
        return result

    def _check(self) -> None:
        for f in fields(self):
            _check_kind(f.name, getattr(self, f.name), f.default)
        self._check_ranges()
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"found {name}={getattr(self, name)!r}, expected one of "
                    f"{', '.join(allowed)}: correct the hyperparameter"
                )
        if len(set(self.features)) < len(self.features):
            raise ValueError(
                f"found features={self.features!r}, expected every name once: correct "
                "the hyperparameter"
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

    def _check_ranges(self) -> None:
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"found {name}={getattr(self, name)!r}, expected a positive "
                    "number: correct the hyperparameter"
                )
        if self.seed < 0:
            raise ValueError(
                f"found seed={self.seed!r}, expected 0, 1, 2, ...: correct the "
                "hyperparameter"
            )
        if self.patience is not None and self.patience < 1:
            raise ValueError(
                f"found patience={self.patience!r}, expected 1 or more, or None to "
                "train all epochs: correct the hyperparameter"
            )
        if self.longest_gap < self.shortest_gap:
            raise ValueError(
                f"found longest_gap={self.longest_gap!r} below shortest_gap="
                f"{self.shortest_gap!r}, expected the reverse: correct one of them"
            )
        if not 0 < self.hidden_fraction < 1:
            raise ValueError(
                f"found hidden_fraction={self.hidden_fraction!r}, expected a number "
                "between 0 and 1: for example 0.3"
            )
        for name in ("open_ends", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"found {name}={getattr(self, name)!r}, expected a number from 0 "
                    "to below 1: correct the hyperparameter"
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a file."""
        return asdict(self)


def shows_hyperparameters(function: F) -> F:
    """Put the fields of `Settings` into the signature of a function that takes them.

    Completion and ``help`` then list them, and say what they are, in place of
    ``**hyperparameters``.
    """
    meanings = inspect.cleandoc(Settings.__doc__ or "").partition("----------\n")[2]
    before, entry, after = (function.__doc__ or "").partition("**hyperparameters\n")
    if entry:  # without docstrings, as python -OO leaves them, there is none
        rest = after.partition("\n\n")[2]
        shown = textwrap.indent(meanings, "    ").strip()
        function.__doc__ = f"{before}{shown}\n\n{rest}"
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    named = [
        inspect.Parameter(
            f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type
        )
        for f in fields(Settings)
    ]
    full = signature.replace(parameters=[*own, *named])
    function.__signature__ = full  # type: ignore[attr-defined]
    return function


#: Settings that must be above zero.
POSITIVE = (
    *("step", "window", "epochs", "windows_per_epoch", "batch_size", "ensemble"),
    *("learning_rate", "huber", "shortest_gap", "gaps_per_length"),
)


def _per_layer(units: Any, layers: Any) -> tuple[int, ...]:
    given = (units,) if isinstance(units, int) else tuple(units)
    if layers is None or layers == len(given):
        return given
    if len(given) != 1 or not isinstance(layers, int) or layers < 1:
        raise ValueError(
            f"found units={units!r} and layers={layers!r}, expected one number of "
            "units and a positive number of layers: or give units per layer alone"
        )
    return given * layers


def _check_kind(name: str, value: Any, default: Any) -> None:
    """Refuse text for a number, and a fraction where a whole number is needed."""
    integer = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        int: integer,
        float: integer or isinstance(value, float),
        str: isinstance(value, str),
        tuple: isinstance(value, tuple),
    }
    if name == "patience" and value is None:
        return
    expected: type = type(default)
    if not fits[expected]:
        names = {int: "a whole number", float: "a number", str: "a name"}
        raise ValueError(
            f"found {name}={value!r}, expected {names.get(expected, 'a list')}: "
            "correct the hyperparameter"
        )
    if isinstance(value, tuple):
        for item in value:
            _check_kind(name, item, default[0])


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
