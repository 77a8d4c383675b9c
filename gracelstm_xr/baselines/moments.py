"""Covariates of a regression, and their sums over blocks of absolute time.

A regression needs nothing but sums of products. They are taken over blocks of six
hours at absolute times, each sample at its own place in the block, so that the same
visible samples give the same sums to the last bit wherever a frame starts; windows,
training spans and archives of any length are sums of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.physics.frames import Frame

#: Length of a block [s].
BLOCK = 21_600.0
#: Units of the design matrix: columns of order one, series in nm s-2.
NANO = 1e-9
HARMONICS = 10


def design(frame: Frame, terms: tuple[str, ...]) -> Array:
    """Columns of the regression without bias and drift.

    Parameters
    ----------
    frame : Frame
        n samples.
    terms : tuple of str
        Any of ``harmonics`` (sine and cosine of 1-10 times the argument of
        latitude), ``radiation`` (shadow, and Sun direction while lit), ``donor``
        (three axes, in 10 nm s-2), ``own_thrust`` and ``donor_thrust`` (six pairs,
        in 5 ms s-1). Terms the frame cannot supply are left out.

    Returns
    -------
    ndarray, shape (n, p)
        NaN where a covariate is missing.
    """
    return columns(frame, terms).T


def allowed(frame: Frame, terms: tuple[str, ...]) -> tuple[str, ...]:
    """Terms of `design` that a frame can supply."""
    source = {"harmonics": "latitude_argument", "radiation": "sun"}
    return tuple(t for t in terms if getattr(frame, source.get(t, t)) is not None)


def columns(frame: Frame, terms: tuple[str, ...]) -> Array:
    """Transpose of `design`: one row per covariate, contiguous in time."""
    rows: list[Array] = []
    for term in terms:
        if term == "harmonics" and frame.latitude_argument is not None:
            rows.append(_harmonics(frame.latitude_argument))
        elif term == "radiation" and frame.sun is not None:
            shadow = frame.shadow if frame.shadow is not None else np.ones(len(frame))
            rows += [shadow[None], frame.sun.T]
        elif term == "donor" and frame.donor is not None:
            rows.append(frame.donor.T / 1e-8)
        elif term == "own_thrust" and frame.own_thrust is not None:
            rows.append(frame.own_thrust.T / 5.0)
        elif term == "donor_thrust" and frame.donor_thrust is not None:
            rows.append(frame.donor_thrust.T / 5.0)
    if not rows:
        return np.zeros((0, len(frame)))
    return np.concatenate(rows)


def _harmonics(angle: Array) -> Array:
    """Cosines, then sines, of multiples of an angle; powers of one exponential."""
    turn = np.exp(1j * angle)
    power = np.empty((HARMONICS, len(angle)), dtype=np.complex128)
    power[0] = turn
    for k in range(1, HARMONICS):
        np.multiply(power[k - 1], turn, out=power[k])
    return np.concatenate([power.real, power.imag])


@dataclass(frozen=True)
class Moments:
    """Sums of products of the rows of a regression, per axis.

    Attributes
    ----------
    count : ndarray, shape (3,)
        Rows.
    gram : ndarray, shape (3, q, q)
        Of the columns: one, time since the start of the block in units of it, and
        the covariates; of the covariates alone for changes.
    moment : ndarray, shape (3, q)
        Columns times series [nm s-2].
    square : ndarray, shape (3,)
        Series squared.
    """

    count: Array
    gram: Array
    moment: Array
    square: Array

    @classmethod
    def zero(cls, size: int) -> Moments:
        """Sums over nothing, for ``size`` columns."""
        gram, moment = np.zeros((3, size, size)), np.zeros((3, size))
        return cls(np.zeros(3), gram, moment, np.zeros(3))

    def __add__(self, other: Moments) -> Moments:
        """Sums over the rows of both."""
        return Moments(
            self.count + other.count,
            self.gram + other.gram,
            self.moment + other.moment,
            self.square + other.square,
        )

    def since(self, seconds: float) -> Moments:
        """Same sums with time counted from ``seconds`` before the block's start."""
        turn = np.eye(self.gram.shape[1])
        turn[1, 0] = seconds / BLOCK
        return Moments(
            self.count, turn @ self.gram @ turn.T, self.moment @ turn.T, self.square
        )


def block_moments(
    frame: Frame,
    terms: tuple[str, ...],
    visible: BoolArray,
    *,
    change: float = 0.0,
    within: tuple[float, float] | None = None,
    known: Array | None = None,
) -> Iterator[tuple[int, Moments]]:
    """Sums of every block that a frame touches, in order of time.

    Parameters
    ----------
    frame : Frame
        At the working step.
    terms : tuple of str
        See `design`.
    visible : ndarray of bool, shape (n, 3)
        Samples that may be used.
    change : float, default 0
        Take changes over so many seconds within the block instead of the series,
        bias and drift.
    within : tuple of float, optional
        GPS seconds; other blocks are left out.
    known : ndarray, optional
        `columns` of the frame, where they are known.

    Yields
    ------
    int, Moments
        Number of the block, its start divided by its length.
    """
    step = float(frame.t[1] - frame.t[0]) if len(frame) > 1 else BLOCK
    size = max(round(BLOCK / step), 1)
    apart = min(max(round(change / step), 1), size) if change else 0
    first, last = float(frame.t[0]), float(frame.t[-1])
    if within is not None:
        first, last = max(first, within[0]), min(last, within[1])
    for number in range(int(first // BLOCK), int(last // BLOCK) + 1):
        low, high = np.searchsorted(frame.t, [number * BLOCK, (number + 1) * BLOCK])
        block = slice(int(low), int(high))
        if low == high:
            continue
        place = int((frame.t[low] - number * BLOCK) // step)
        columns_ = (
            columns(frame.take(block), terms) if known is None else known[:, block]
        )
        x, y, use = _rows(columns_, frame.own[block], visible[block], size, place)
        if apart:
            use = use[:, apart:] & use[:, :-apart]
            x = np.where(use.any(axis=0), x[2:, apart:] - x[2:, :-apart], 0.0)
            y = y[:, apart:] - y[:, :-apart]
        yield number, _moments(x, y, use)


def _rows(
    x: Array, own: Array, visible: BoolArray, size: int, place: int
) -> tuple[Array, Array, BoolArray]:
    """Columns, series and use of one block, zero where there is nothing."""
    y = own.T / NANO
    seen = visible.T & np.isfinite(y) & np.isfinite(x).all(axis=0)
    here = slice(place, place + len(own))
    full = np.zeros((len(x) + 2, size))
    full[0, here], full[1] = 1.0, np.arange(size) / size
    full[2:, here] = x
    full[:, here] = np.where(seen.any(axis=0), full[:, here], 0.0)
    series, use = np.zeros((3, size)), np.zeros((3, size), dtype=bool)
    series[:, here], use[:, here] = np.where(seen, y, 0.0), seen
    return full, series, use


def _moments(x: Array, y: Array, use: BoolArray) -> Moments:
    y = np.where(use, y, 0.0)
    # the axes are nearly always missing together: one product serves
    if (use == use[0]).all():
        one = np.where(use[0], x, 0.0)
        gram = np.broadcast_to(one @ one.T, (3, len(x), len(x)))
    else:
        parts = [np.where(u, x, 0.0) for u in use]
        gram = np.stack([p @ p.T for p in parts])
    moment = (x @ y.T).T
    return Moments(use.sum(axis=1).astype(np.float64), gram, moment, (y * y).sum(1))
