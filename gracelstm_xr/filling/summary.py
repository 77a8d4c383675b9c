"""A fitted model in words: what it learnt, and what a fill will use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gracelstm_xr.core.labels import length_label
from gracelstm_xr.core.time import gps_label
from gracelstm_xr.errors import number_of
from gracelstm_xr.filling.choice import LEAST
from gracelstm_xr.filling.conditions import FARTHEST, Conditions
from gracelstm_xr.filling.estimates import LEARNT
from gracelstm_xr.lstm.kerasfile import network_name

if TYPE_CHECKING:
    from gracelstm_xr.filling.model import FittedModel
    from gracelstm_xr.filling.recipient import Recipient

AXES = "xyz"
#: Gap lengths that errors are told for [s].
TOLD = (60.0, 300.0, 1800.0, 10_800.0, 86_400.0)


def summary(model: FittedModel) -> str:
    """Spans, networks, and per satellite and axis what fills and how well.

    Parameters
    ----------
    model : FittedModel

    Returns
    -------
    str
        One fact per line. Errors are 1-sigma in the middle of a gap, away from
        firings [nm s-2], from the held-out gaps of the validation span.
    """
    return "\n".join([repr(model), *_spans(model), *_networks(model), *_choices(model)])


def _spans(model: FittedModel) -> Iterator[str]:
    for name, use in (
        ("train", "learnt from"),
        ("validation", "methods and sigma chosen on"),
        ("test", "left for evaluate()"),
    ):
        first, stop = (gps_label(t) for t in getattr(model.split, name))
        yield f"{name + ':':<12}{first} to {stop} GPS, {use}"


def _networks(model: FittedModel) -> Iterator[str]:
    if not model.networks:
        yield f"network:    none, {model.only} alone"
    for track, network in model.networks.items():
        number = len(network.members)
        gains = zip(AXES, network.gain, strict=True)
        yield (
            f"network:    {track}: {network_name(network.members[0])}, "
            f"{f'ensemble of {number}' if number > 1 else 'one network'}, window "
            f"{model.settings.window} x {model.settings.step:g} s, "
            f"{number_of(_epochs(model, track), 'epoch')}, gain "
            + ", ".join(f"{axis} {gain:.2f}" for axis, gain in gains)
        )


def _epochs(model: FittedModel, track: str) -> int:
    """Epochs that the longest training of a track took."""
    loss = model.history["loss"]
    if "track" in loss.dims:
        loss = loss.sel(track=track)
    return int(loss.notnull().any([d for d in loss.dims if d != "epoch"]).sum())


def _choices(model: FittedModel) -> Iterator[str]:
    for letter, recipient in model.recipients.items():
        yield f"satellite {letter} from {recipient.pair.donor or 'itself'}"
        for axis in np.flatnonzero(recipient.observed_axes).tolist():
            errors = ", ".join(
                f"{1e9 * sigma:.2g} in {length_label(length)}"
                for length, sigma in expected_errors(recipient, axis).items()
            )
            use = _use(model, recipient, axis)
            known = errors or "unknown"
            yield f"  {AXES[axis]}: {use}; expected error [nm s-2] {known}"


def _use(model: FittedModel, recipient: Recipient, axis: int) -> str:
    """Whether a fill uses the network, and in which gaps."""
    if not model.networks:
        return f"filled by {model.only}"
    lengths = network_lengths(model, recipient, axis)
    if not lengths:
        return "network not used, held-out gaps favour simpler methods"
    first, last = length_label(lengths[0]), length_label(lengths[-1])
    if lengths[-1] >= 2 * FARTHEST:
        some = f"of {first} and more" if len(lengths) > 1 else "without end"
        return f"network used in gaps {some}"
    return f"network used in gaps of {first}" + (f" to {last}" if last != first else "")


def network_lengths(model: FittedModel, recipient: Recipient, axis: int) -> list[float]:
    """Gap lengths [s] in which a network has a share of the fill of an axis.

    Parameters
    ----------
    model : FittedModel
    recipient : Recipient
        Of the model.
    axis : int
    """
    if recipient.calibration is None:
        return []
    pool = recipient.calibration.pools[0]
    learnt = [
        number
        for number, name in enumerate(pool.methods)
        for track in recipient.tracks
        if name == recipient.names(track)[LEARNT]
        and model.networks[track.name].gain[axis] > 0
    ]
    inside = 2 * pool.grid.distances[None, :] <= pool.grid.lengths[:, None] + 2
    shares = pool.shares[:, :, :, axis, :][..., learnt].max(axis=(0, -1), initial=0.0)
    used = (np.where(inside, shares, 0.0) >= LEAST).any(axis=1)
    return [float(x) for x in pool.grid.lengths[used]]


def expected_errors(recipient: Recipient, axis: int) -> dict[float, float]:
    """1-sigma [m s-2] in the middle of gaps of the lengths told [s], if known."""
    if recipient.calibration is None:
        return {}
    spread = recipient.calibration.pools[0].spread
    tried = spread.grid.lengths
    lengths = np.array([x for x in TOLD if tried[0] <= x <= tried[-1]])
    where = Conditions(lengths, lengths / 2, np.zeros(len(lengths)))
    sigma = spread.at(where, axis)
    return {float(x): float(s) for x, s in zip(lengths, sigma, strict=True) if s > 0}
