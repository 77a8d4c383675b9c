"""What a fit needs before any network is trained: plan, constants, starts."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.base import default_baselines
from gracelstm_xr.baselines.screen import counts_of, marks_of, tell
from gracelstm_xr.baselines.start import CONTEXT, SINGLE, TWIN
from gracelstm_xr.baselines.startfit import TrackFit
from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.compute.cluster import run
from gracelstm_xr.compute.days import day_number, day_results
from gracelstm_xr.errors import number_of
from gracelstm_xr.filling.constantlag import (
    constant_lag,
    lags_of_days,
    matched_lag,
    series_of_both,
)
from gracelstm_xr.filling.recipient import Recipient
from gracelstm_xr.lstm.dayframes import DayFrames
from gracelstm_xr.lstm.sampling import visits
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.lstm.stretches import Stretch, days_of, evenly, joined, stretches
from gracelstm_xr.physics.frames import Pair, frame_inputs, with_data

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FEWEST_SAMPLES", "DayFacts", "Plan", "day_facts", "prepare"]

#: Fewest training samples at the working step.
FEWEST_SAMPLES = 60
#: Stretches that starts, baselines and scales are learnt from, and those that gaps
#: are held out of while training; evenly spread over a longer span.
SAMPLE, HELD = 8, 4
#: Begins the names of inputs that are marks.
MARKS = "marks."
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Which days a fit looks at; depends on the time axis and the settings alone.

    Attributes
    ----------
    split : Split
    training, validation : list of Stretch
        That windows are drawn from.
    sample : list of Stretch
        Of the training span, that starts and baselines are learnt from.
    """

    split: Split
    training: list[Stretch]
    validation: list[Stretch]
    sample: list[Stretch]

    @classmethod
    def of(cls, split: Split) -> Plan:
        """Plan of a split."""
        training = stretches(split.train, CONTEXT)
        held = stretches(split.validation, CONTEXT)
        return cls(split, training, evenly(held, HELD), evenly(training, SAMPLE))

    def days(self, settings: Settings) -> set[int]:
        """Numbers of all days that are looked at."""
        visited = {
            which
            for member in range(settings.ensemble)
            for epoch in visits(len(self.training), settings, settings.seed + member)
            for which in epoch
        }
        spans = [s.wide for s in (*self.validation, *self.sample)]
        return days_of([*spans, *(self.training[i].wide for i in visited)])


@dataclass(frozen=True)
class DayFacts:
    """Of one day: checksum of the series, sums and counts of training samples.

    Attributes
    ----------
    day : int
    checksum : dict of str to int
        By satellite.
    total, count : dict of str to ndarray, shape (3,)
    marks : dict of str to ndarray of int64
        Impossible samples, see `gracelstm_xr.baselines.screen.counts_of`.
    """

    day: int
    checksum: dict[str, int]
    total: dict[str, Array]
    count: dict[str, Array]
    marks: dict[str, npt.NDArray[np.int64]]


def day_facts(
    ds: xr.Dataset, pairs: list[Pair], plan: Plan, settings: Settings, *, progress: bool
) -> list[DayFacts]:
    """Look once at the series of all days of a plan, in order of time."""
    names = dict.fromkeys(
        s for p in pairs for s in (p.recipient, p.donor) if s is not None
    )
    inputs = {s: frame_inputs(ds, Pair(s))["own.lin_accl"] for s in names}
    inputs |= {f"{MARKS}{s}": m for s in names if (m := marks_of(ds, s)) is not None}
    tasks = day_results(
        _facts, inputs, ds, plan.split.train, halo=0.0, only=plan.days(settings)
    )
    groups: list[list[DayFacts]] = run(tasks, label="series", progress=progress)
    days = [facts for group in groups for facts in group]
    for name in names:
        marks = [facts.marks[name] for facts in days if name in facts.marks]
        if marks:
            tell(name, np.sum(marks, axis=0), f" in {number_of(len(marks), 'day')}")
    return days


def _facts(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    train: tuple[float, float],
) -> DayFacts:
    inside = (t[keep] >= train[0]) & (t[keep] < train[1])
    checksum, total, count = {}, {}, {}
    marks = {}
    for name, values in arrays.items():
        if name.startswith(MARKS):
            marks[name.removeprefix(MARKS)] = counts_of(values[keep])
            continue
        series = np.ascontiguousarray(values[keep], dtype=np.float64)
        checksum[name] = zlib.crc32(series.tobytes())
        good = np.isfinite(series) & inside[:, None]
        total[name] = np.where(good, series, 0.0).sum(axis=0)
        count[name] = good.sum(axis=0).astype(np.float64)
    return DayFacts(day_number(float(t[keep][0])), checksum, total, count, marks)


def digest(facts: list[DayFacts]) -> str:
    """Digest of the series of all days."""
    text = [f"{f.day} {sorted(f.checksum.items())}" for f in facts]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def with_constants(
    ds: xr.Dataset, pair: Pair, plan: Plan, facts: list[DayFacts]
) -> Pair:
    """Offset of the donor, and its lag for days without orbits, from training data."""
    if pair.donor is None:
        return pair
    sampled = days_of(s.core for s in plan.sample)
    total, count = np.zeros(3), np.zeros(3)
    # day by day in order: the sum does not depend on chunks or workers
    for day in facts:
        if day.day in sampled:
            total, count = total + day.total[pair.donor], count + day.count[pair.donor]
    mean = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    x, y, z = mean.tolist()
    return replace(pair, donor_offset=(x, y, z), lag=_lag(ds, pair, plan.split))


def _lag(ds: xr.Dataset, pair: Pair, split: Split) -> float | None:
    import dask

    (lags,) = dask.compute(lags_of_days(ds, pair, split.train))
    if (lag := constant_lag(lags)) is not None:
        return lag
    _, step, _ = gps_axis(ds)
    own, donor = dask.compute(*series_of_both(ds, pair, split.train))
    return matched_lag(own, donor, step)


def prepare(
    frames: DayFrames, pair: Pair, plan: Plan, settings: Settings
) -> Recipient | None:
    """Baselines, starts and scales from the training span; None without data there."""
    parts = [frames.load(pair.recipient, s.core) for s in plan.sample]
    observed = [part for part in parts if part is not None]
    counts = sum((np.isfinite(f.own).sum(axis=0) for f in observed), np.zeros(3))
    if counts.max() < FEWEST_SAMPLES:
        return None
    known = with_data(observed)
    x, y, z = (bool(c >= FEWEST_SAMPLES) for c in counts)
    names = (SINGLE,) if known[0].donor is None else (TWIN, SINGLE)
    tracks = []
    for name in names:
        fit = TrackFit(name, step=settings.step, seed=settings.seed)
        for frame in known:
            fit.add(frame, np.ones(len(frame), dtype=bool))
        tracks.append(replace(fit.finish(), features=settings.features))
    spans = joined(s.core for s in plan.sample)
    whole = [f for s in spans if (f := frames.load(pair.recipient, s)) is not None]
    baselines = default_baselines([(f, np.ones(len(f), dtype=bool)) for f in whole])
    return Recipient(pair, baselines, tuple(tracks), (x, y, z))
