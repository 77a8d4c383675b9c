"""Callbacks of Keras that a user gives to a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gracelstm_xr.errors import GraceError
from gracelstm_xr.lstm.backend import import_keras
from gracelstm_xr.lstm.settings import Settings

#: Of all networks, or a function of track and member that returns those of one.
Callbacks = Sequence[Any] | Callable[[str, int], Sequence[Any]]


def check_callbacks(callbacks: Callbacks | None) -> None:
    """Refuse what is neither callbacks nor a function.

    Raises
    ------
    GraceError
        When a list holds something else than callbacks of Keras, or is none.
    """
    if callbacks is None or callable(callbacks):
        return
    kind = import_keras().callbacks.Callback
    listed = isinstance(callbacks, Sequence) and not isinstance(callbacks, str)
    wrong = [x for x in callbacks if not isinstance(x, kind)] if listed else [callbacks]
    if wrong:
        raise GraceError(
            f"found {type(wrong[0]).__name__} for callbacks, expected a list of "
            "keras.callbacks.Callback, or a function of track and member that returns "
            "one: for example callbacks=[keras.callbacks.CSVLogger('log.csv')]"
        )


def called_in(
    network: Any, callbacks: Callbacks | None, settings: Settings, key: tuple[str, int]
) -> Any:
    """Callbacks of one training, told of its network.

    Parameters
    ----------
    network : keras.Model
        Compiled.
    callbacks : sequence of keras.callbacks.Callback, callable or None
    settings : Settings
    key : tuple of str and int
        Name of the track and number of the member, for a function.

    Returns
    -------
    keras.callbacks.CallbackList

    Raises
    ------
    GraceError
        As `check_callbacks`.
    """
    own = callbacks(*key) if callable(callbacks) else callbacks
    check_callbacks(own)
    network.stop_training = False
    return import_keras().callbacks.CallbackList(
        list(own or ()),
        model=network,
        epochs=settings.epochs,
        steps=settings.batches,
        verbose=0,
    )
