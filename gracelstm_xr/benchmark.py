"""The gap benchmark: hide observed spans, let every method fill them, keep errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gracelstm_xr.frames import Frame
from gracelstm_xr.gaps import edge_distance, place_gaps, runs

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.lstm.recipient import Predictor, Recipient
    from gracelstm_xr.lstm.settings import Settings

__all__ = ["GAP_LENGTHS", "GapErrors", "gap_benchmark", "join_errors", "score_table"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Default gap lengths [s]: 10 s to 3 h, one revolution among them.
GAP_LENGTHS = (10.0, 30.0, 60.0, 100.0, 300.0, 900.0, 1800.0, 5640.0, 10_800.0)
#: Part of the scored span that one round may hide.
HIDDEN_PART = 0.25
#: Visible time left beside a hidden gap: three times its length, at most this [s].
MARGIN = 600.0
#: Gap length below which four times as many gaps are taken [s].
SHORT = 200.0
#: Gap length from which a round takes only some of the gaps [s].
LONG = 1000.0


@dataclass(frozen=True)
class GapErrors:
    """Errors (estimate minus observation) of every method at hidden samples.

    Attributes
    ----------
    t : ndarray, shape (m,)
        GPS seconds.
    length, distance : ndarray, shape (m,)
        Length of the gap and distance to the nearest observation [s].
    gap : ndarray of int64, shape (m,)
        Number of the gap.
    errors : dict of str to ndarray, shape (m, 3)
        By method [m s-2]; NaN where it had no estimate.
    """

    t: Array
    length: Array
    distance: Array
    gap: IntArray
    errors: dict[str, Array]

    def rms(self, method: str, length: float) -> Array:
        """RMS error per axis [m s-2] of one method for one gap length."""
        error = self.errors[method][self.length == length]
        return _rms(error)


def _rms(error: Array) -> Array:
    good = np.isfinite(error)
    squares = np.where(good, error, 0.0) ** 2
    count = good.sum(axis=0)
    mean = squares.sum(axis=0) / np.maximum(count, 1)
    return np.where(count > 0, np.sqrt(mean), np.nan)


def gap_benchmark(
    frame: Frame,
    span: tuple[float, float],
    recipient: Recipient,
    predict: Predictor,
    settings: Settings,
    *,
    lengths: Sequence[float] = GAP_LENGTHS,
    count: int = 10,
    seed: int = 0,
    truth: Array | None = None,
    methods: set[str] | None = None,
) -> GapErrors:
    """Hide gaps in a span, fill them with every method, and take the errors.

    The positions depend on the seed, the span and where there are observations, so
    all methods meet the same gaps.

    Parameters
    ----------
    frame : Frame
        Series with context around the span.
    span : tuple of float
        First and one-past-last GPS second that may be hidden.
    recipient, predict, settings
        Fitted state.
    lengths : sequence of float
        Gap lengths [s]; those above a quarter of the span are left out.
    count : int
        Gaps wanted per length, four times as many below 200 s; long gaps get fewer
        when the span is short.
    seed : int
    truth : ndarray, shape (n, 3), optional
        Compare with this instead of the observations [m s-2].
    methods : set of str, optional
        Score these only; all of the recipient's by default.

    Returns
    -------
    GapErrors
    """
    reference = frame.own if truth is None else truth
    parts = []
    number = 0
    for hidden in _rounds(frame, span, recipient, lengths, count, seed):
        mask = np.zeros(len(frame), dtype=bool)
        for first, past in hidden:
            mask[first:past] = True
        masked = frame.hide(mask)
        visible = np.isfinite(masked.own)
        index = np.flatnonzero(mask)
        found = recipient.estimates(
            masked, visible, index, predict, settings, methods=methods
        )
        step = frame.t[1] - frame.t[0]
        before, after = edge_distance(mask)
        size = np.concatenate([np.full(b - a, b - a) for a, b in hidden])
        label = np.concatenate(
            [np.full(b - a, number + i) for i, (a, b) in enumerate(hidden)]
        )
        number += len(hidden)
        parts.append(
            GapErrors(
                t=frame.t[index],
                length=size * step,
                distance=np.minimum(before, after)[index] * step,
                gap=label,
                errors={k: v - reference[index] for k, v in found.items()},
            )
        )
    return join_errors(parts)


def join_errors(parts: Sequence[GapErrors]) -> GapErrors:
    """One table from several; gap numbers are made distinct."""
    if not parts:
        none = np.zeros(0)
        return GapErrors(none, none, none, none.astype(np.int64), {})
    offsets = np.cumsum([0, *(p.gap.max(initial=-1) + 1 for p in parts)])
    names = [n for n in parts[0].errors if all(n in p.errors for p in parts)]
    return GapErrors(
        t=np.concatenate([p.t for p in parts]),
        length=np.concatenate([p.length for p in parts]),
        distance=np.concatenate([p.distance for p in parts]),
        gap=np.concatenate([p.gap + o for p, o in zip(parts, offsets, strict=False)]),
        errors={n: np.concatenate([p.errors[n] for p in parts]) for n in names},
    )


def _rounds(
    frame: Frame,
    span: tuple[float, float],
    recipient: Recipient,
    lengths: Sequence[float],
    count: int,
    seed: int,
) -> Iterator[IntArray]:
    """Gap positions, shape (gap, 2), sorted, round by round.

    Several lengths share a round, long gaps first, so that few fits serve many gaps
    and most data stay visible.
    """
    step = frame.t[1] - frame.t[0]
    axes = np.array(recipient.observed_axes)
    observed = np.asarray(np.isfinite(frame.own[:, axes]).all(axis=1))
    allowed = observed & (frame.t >= span[0]) & (frame.t < span[1])
    # a hidden gap always has observations on either side
    for a, b in runs(allowed):
        allowed[a : a + round(60 / step)] = False
        allowed[max(b - round(60 / step), a) : b] = False
    budget = HIDDEN_PART * allowed.sum()
    usable = [x for x in sorted(lengths, reverse=True) if 4 * x <= span[1] - span[0]]
    # short gaps are cheap, and a firing in some of them decides their error
    left = {x: count * (4 if x < SHORT else 1) for x in usable}
    rng = np.random.default_rng([seed, 7])
    for _ in range(8 * count):
        placed = _one_round(allowed, left, budget, step, rng)
        if len(placed) == 0:
            return
        yield placed[np.argsort(placed[:, 0])]


def _one_round(
    allowed: BoolArray,
    left: dict[float, int],
    budget: float,
    step: float,
    rng: np.random.Generator,
) -> IntArray:
    """Gaps of one round; ``left`` is counted down, what has no room waits."""
    free, chosen, used = allowed.copy(), [], 0
    for length, wanted in left.items():
        size = max(round(length / step), 1)
        margin = max(round(min(MARGIN, max(60.0, 3 * length)) / step), 1)
        # long gaps crowd out the rest: take a quarter of them at a time
        share = wanted if length < LONG else -(-wanted // 4)
        share = min(share, int((budget - used) // size))
        if share <= 0:
            continue
        spots = place_gaps(free, size, count=share, margin=margin, rng=rng)
        for first, past in spots:
            free[max(first - margin, 0) : past + margin] = False
        used += len(spots) * size
        left[length] = wanted - len(spots)
        chosen.append(spots)
    return np.concatenate(chosen) if chosen else np.zeros((0, 2), np.int64)


def score_table(tables: Mapping[str, GapErrors]) -> xr.Dataset:
    """Errors of all satellites as a labelled table.

    Parameters
    ----------
    tables : mapping of str to GapErrors
        By satellite.

    Returns
    -------
    xarray.Dataset
        ``rms``, ``mae``, ``p95`` [m s-2] over ``(method, satellite, axis,
        gap_length)``, and ``gap_count`` over ``(satellite, gap_length)``;
        ``gap_length`` in seconds.
    """
    import xarray as xr

    satellites = list(tables)
    lengths = np.unique(np.concatenate([e.length for e in tables.values()]))
    names = list(next(iter(tables.values())).errors)
    shape = (len(names), len(satellites), 3, len(lengths))
    rms, mae, p95 = (np.full(shape, np.nan) for _ in range(3))
    count = np.zeros((len(satellites), len(lengths)), dtype=np.int64)
    for s, errors in enumerate(tables.values()):
        for x, length in enumerate(lengths):
            here = errors.length == length
            count[s, x] = len(np.unique(errors.gap[here]))
            for m, name in enumerate(names):
                if name not in errors.errors:
                    continue
                error = np.abs(errors.errors[name][here])
                rms[m, s, :, x] = _rms(error)
                for k in range(3):
                    good = error[np.isfinite(error[:, k]), k]
                    if len(good):
                        mae[m, s, k, x] = good.mean()
                        p95[m, s, k, x] = np.percentile(good, 95)
    dims = ("method", "satellite", "axis", "gap_length")
    text = "error of the filled series in hidden gaps"
    return xr.Dataset(
        {
            "rms": (dims, rms, {"units": "m s-2", "long_name": f"RMS {text}"}),
            "mae": (
                dims,
                mae,
                {"units": "m s-2", "long_name": f"mean absolute {text}"},
            ),
            "p95": (
                dims,
                p95,
                {"units": "m s-2", "long_name": f"95th percentile of absolute {text}"},
            ),
            "gap_count": (
                ("satellite", "gap_length"),
                count,
                {"units": "1", "long_name": "hidden gaps"},
            ),
        },
        coords={
            "method": names,
            "satellite": satellites,
            "axis": ["x", "y", "z"],
            "gap_length": (
                "gap_length",
                lengths,
                {"units": "s", "long_name": "gap length"},
            ),
        },
    )
