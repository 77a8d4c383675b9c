"""The gap benchmark: hide observed spans, let every method fill them, keep errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.compute.progress import Bar
from gracelstm_xr.core.gaps import edge_distance
from gracelstm_xr.filling.activity import activity
from gracelstm_xr.filling.hidden import GAP_LENGTHS, hidden_rounds, thinned
from gracelstm_xr.physics.frames import Frame

if TYPE_CHECKING:
    import xarray as xr

    from gracelstm_xr.filling.recipient import Predictor, Recipient
    from gracelstm_xr.lstm.settings import Settings

__all__ = [
    "GAP_LENGTHS",
    "GapErrors",
    "gap_benchmark",
    "join_errors",
    "join_scores",
    "rounds_of",
    "score_round",
    "score_table",
]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Time from a firing within which a sample counts as a thruster epoch [s].
FIRING = 30.0
#: Time from penumbra within which a sample counts as a shadow crossing [s]: half the
#: window of the ACC1B low-pass.
CROSSING = 70.0
#: Name of the row that holds what `fill` would put.
FILL = "fill"


@dataclass(frozen=True)
class GapErrors:
    """Errors (estimate minus observation) of every method at hidden samples.

    Attributes
    ----------
    t : ndarray, shape (m,)
        GPS seconds.
    length, distance : ndarray, shape (m,)
        Length of the gap and distance to the nearest observation [s]; infinite where
        the recipient shows no observation at all.
    gap : ndarray of int64, shape (m,)
        Number of the gap.
    errors : dict of str to ndarray, shape (m, 3)
        By method [m s-2]; NaN where it had no estimate. ``fill`` is what
        ``ds.grace.fill`` puts there; absent without a calibration.
    truth : ndarray, shape (m, 3), or None
        What was hidden [m s-2].
    firing : ndarray, shape (m,), or None
        Time to the nearest firing of the recipient, or of the donor at the lag [s];
        infinite where there is none within ten minutes, None without thruster data.
    thrust : ndarray, shape (m,), or None
        Filtered on-time of the recipient's thrusters [ms s-1]; None without their data.
    activity : ndarray, shape (m, 3), or None
        Of the recipient around the gap, see `gracelstm_xr.filling.activity` [m s-2].
    shadow : ndarray of bool, shape (m,), or None
        Within 70 s of penumbra: entry into or exit from shadow; None without orbit.
    latitude_argument : ndarray, shape (m,), or None
        Argument of latitude [rad]; None without orbit.
    sigma : ndarray, shape (m, 3), or None
        1-sigma of ``fill`` [m s-2].
    code : ndarray of uint8, shape (m, 3), or None
        Flag values of ``lin_accl_fill_method`` for ``fill``.
    """

    t: Array
    length: Array
    distance: Array
    gap: IntArray
    errors: dict[str, Array]
    truth: Array | None = None
    firing: Array | None = None
    thrust: Array | None = None
    activity: Array | None = None
    shadow: BoolArray | None = None
    latitude_argument: Array | None = None
    sigma: Array | None = None
    code: npt.NDArray[np.uint8] | None = None

    @property
    def thruster(self) -> BoolArray | None:
        """Within 30 s of a firing; None without thruster data."""
        return None if self.firing is None else np.asarray(self.firing <= FIRING)

    def take(self, index: BoolArray | IntArray | slice) -> GapErrors:
        """Samples at ``index``."""
        known = self.arrays()
        errors = {name: values[index] for name, values in self.errors.items()}
        return GapErrors(errors=errors, **{k: v[index] for k, v in known.items()})

    def arrays(self) -> dict[str, Any]:
        """Arrays that are known, by name, without the errors."""
        names = [f.name for f in fields(self) if f.name != "errors"]
        found = {name: getattr(self, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

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
    most: int | None = None,
    label: str = "",
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
        Gap lengths [s]; those above half of the span are left out. ``inf`` hides all
        that the recipient observed in ``frame``, context included.
    count : int
        Gaps wanted per length, see `gracelstm_xr.filling.hidden.hidden_rounds`.
    seed : int
    truth : ndarray, shape (n, 3), optional
        Compare with this instead of the observations [m s-2].
    methods : set of str, optional
        Score these only; all of the recipient's by default.
    most : int, optional
        Keep at most so many samples of a gap, evenly spread.
    label : str
        Of a bar on standard error that counts rounds and gaps; none by default.

    Returns
    -------
    GapErrors
        Every hidden sample; of gaps of 5,000 s and more one sample in 10 s.
    """
    rounds = rounds_of(frame, span, recipient, lengths=lengths, count=count, seed=seed)
    parts, gaps = [], np.cumsum([len(hidden) for hidden in rounds])
    # rounds take about equally long, gaps do not
    with Bar(label, len(rounds), unit="round", enabled=bool(label)) as bar:
        for hidden, done in zip(rounds, gaps, strict=True):
            parts.append(
                score_round(
                    frame, span, hidden, recipient, predict, settings,
                    truth=truth, methods=methods, most=most,
                )
            )  # fmt: skip
            bar.update(note=f"({done} of {gaps[-1]} gaps)")
    return join_errors(parts)


def rounds_of(
    frame: Frame,
    span: tuple[float, float],
    recipient: Recipient,
    *,
    lengths: Sequence[float] = GAP_LENGTHS,
    count: int = 10,
    seed: int = 0,
) -> list[IntArray]:
    """Gaps of `gap_benchmark`, round by round; see `gracelstm_xr.filling.hidden`."""
    axes = np.array(recipient.observed_axes)
    observed = np.asarray(np.isfinite(frame.own[:, axes]).all(axis=1))
    return list(
        hidden_rounds(frame.t, observed, span, lengths=lengths, count=count, seed=seed)
    )


def score_round(
    frame: Frame,
    span: tuple[float, float],
    hidden: IntArray,
    recipient: Recipient,
    predict: Predictor,
    settings: Settings,
    *,
    truth: Array | None = None,
    methods: set[str] | None = None,
    most: int | None = None,
) -> GapErrors:
    """Errors of all methods in the gaps of one round.

    Parameters
    ----------
    frame, span, recipient, predict, settings, truth, methods, most
        As in `gap_benchmark`.
    hidden : ndarray of int64, shape (gap, 2)
        First and one-past-last sample of each gap; one that spans the whole frame
        has length infinity and is scored in ``span`` only.
    """
    reference = frame.own if truth is None else truth
    step = frame.t[1] - frame.t[0]
    mask = np.zeros(len(frame), dtype=bool)
    rows, sizes, labels = [], [], []
    for number, (first, past) in enumerate(hidden):
        mask[first:past] = True
        kept = thinned(frame.t, hidden[number])
        inside = (frame.t[kept] >= span[0]) & (frame.t[kept] < span[1])
        kept = kept[inside & np.isfinite(reference[kept]).any(axis=1)]
        if most is not None:
            kept = kept[:: max(-(-len(kept) // most), 1)]
        rows.append(kept)
        whole = past - first == len(frame)
        sizes.append(np.full(len(kept), np.inf if whole else (past - first) * step))
        labels.append(np.full(len(kept), number))
    index = np.concatenate(rows)
    if len(index) == 0:
        return join_errors([])
    masked = frame.hide(mask)
    own, visible = masked.own, np.isfinite(masked.own)
    found = recipient.estimates(
        masked, visible, index, predict, settings, methods=methods
    )
    before, after = edge_distance(np.asarray(~visible.any(axis=1)), index)
    away = np.minimum(before, after).astype(np.float64)
    put: dict[str, Any] = {}
    if recipient.calibration is not None:
        chosen = recipient.combine(masked, visible, index, found)
        put = {"sigma": chosen.sigma, "code": chosen.method}
        found[FILL] = chosen.values
    return GapErrors(
        t=frame.t[index],
        length=np.concatenate(sizes),
        distance=np.where(away > len(frame), np.inf, away * step),
        gap=np.concatenate(labels),
        errors={k: v - reference[index] for k, v in found.items()},
        truth=reference[index],
        activity=np.stack(
            [
                activity(frame.t, x, v, index)
                for x, v in zip(own.T, visible.T, strict=True)
            ],
            axis=1,
        ),
        **put,
        **_regimes(frame, index),
    )


def _regimes(frame: Frame, index: IntArray) -> dict[str, Any]:
    """What is known of the samples: firings, penumbra, argument of latitude."""
    result: dict[str, Any] = {}
    if frame.firing is not None:
        result["firing"] = frame.firing[index]
    thrust = frame.thrust_at(index)
    if thrust is not None:
        result["thrust"] = thrust
    if frame.shadow is not None:
        lit = np.where(np.isfinite(frame.shadow), frame.shadow, 1.0)
        crossing = (lit > 0) & (lit < 1)
        # penumbra may fall between two samples of a coarse series
        crossing[1:] |= np.abs(np.diff(lit)) > 0
        before, after = edge_distance(~crossing, index)
        away = np.minimum(before, after) * (frame.t[1] - frame.t[0])
        result["shadow"] = away <= CROSSING
    if frame.latitude_argument is not None:
        result["latitude_argument"] = frame.latitude_argument[index]
    return result


def join_errors(parts: Sequence[GapErrors]) -> GapErrors:
    """One table from several; gap numbers are made distinct.

    Keeps what all parts that have any samples know.
    """
    parts = [part for part in parts if len(part.t)]
    if not parts:
        none = np.zeros(0)
        return GapErrors(none, none, none, none.astype(np.int64), {})
    offsets = np.cumsum([0, *(p.gap.max() + 1 for p in parts[:-1])])
    names = [n for n in parts[0].errors if all(n in p.errors for p in parts)]
    known = [n for n in parts[0].arrays() if all(n in p.arrays() for p in parts)]
    joined = {n: np.concatenate([p.arrays()[n] for p in parts]) for n in known}
    joined["gap"] = np.concatenate(
        [p.gap + o for p, o in zip(parts, offsets, strict=True)]
    )
    errors = {n: np.concatenate([p.errors[n] for p in parts]) for n in names}
    return GapErrors(errors=errors, **joined)


def join_scores(tables: Sequence[xr.Dataset]) -> xr.Dataset:
    """One table from several `score_table` of a satellite each."""
    import xarray as xr

    return xr.concat(tables, dim="satellite", join="outer", fill_value={"gap_count": 0})


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
