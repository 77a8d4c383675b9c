"""`fit`: from a Dataset to a model that fills."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.arrays import IntArray
from gracelstm_xr.baselines.screen import screened
from gracelstm_xr.baselines.start import CONTEXT
from gracelstm_xr.compute.blocks import gps_axis
from gracelstm_xr.compute.cluster import active_client, run
from gracelstm_xr.compute.days import day_results
from gracelstm_xr.compute.threads import one_blas_thread
from gracelstm_xr.core.conventions import require_series
from gracelstm_xr.core.provenance import data_origin
from gracelstm_xr.errors import GraceWarning, NotEnoughDataError
from gracelstm_xr.files import scratch
from gracelstm_xr.filling.benchmark import (
    GapErrors,
    gap_benchmark,
    join_errors,
    join_scores,
    rounds_of,
    score_round,
    score_table,
)
from gracelstm_xr.filling.extras import check_extras, with_extras
from gracelstm_xr.filling.hidden import EVERYTHING, GAP_LENGTHS, stretches
from gracelstm_xr.filling.hindcasts import forecast_calibration
from gracelstm_xr.filling.learn import PER_GAP, calibrate
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.filling.prepare import (
    FEWEST_SAMPLES,
    DayFacts,
    Plan,
    day_facts,
    digest,
    prepare,
    with_constants,
)
from gracelstm_xr.filling.present import covariates_of, living_span, with_values
from gracelstm_xr.filling.recipient import Recipient
from gracelstm_xr.lstm.callbacks import Callbacks, check_callbacks
from gracelstm_xr.lstm.channels import channel_names
from gracelstm_xr.lstm.checkpoint import claim
from gracelstm_xr.lstm.dayframes import DayFrames
from gracelstm_xr.lstm.network import describe_network
from gracelstm_xr.lstm.settings import Settings, Split, shows_hyperparameters
from gracelstm_xr.lstm.stretches import days_of
from gracelstm_xr.lstm.trained import TrainedNetwork
from gracelstm_xr.lstm.training import Job, combine, train_all
from gracelstm_xr.physics.features import satellite_pairs
from gracelstm_xr.physics.frames import (
    HALO,
    INPUTS,
    Extra,
    Frame,
    Pair,
    build_frame,
    frame_inputs,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["fit", "load_frame"]


@shows_hyperparameters
def fit(
    ds: xr.Dataset,
    *,
    recipient: str | None = None,
    donor: str | None = None,
    network: Any = None,
    callbacks: Callbacks | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    clean: bool = True,
    progress: bool = False,
    **hyperparameters: Any,
) -> FittedModel:
    """Fit baselines and network on an archive, and learn when to trust which.

    The leading part of the time span trains, the next chooses methods and calibrates
    sigma, the last is left for `gracelstm_xr.evaluate`; an embargo lies between them.
    Days at either end on which a recipient is dead are no part of it, and a warning
    says so.
    What a satellite can be filled from follows from the data: its twin when there is
    one, orbit, attitude and thrusters where the products were read.

    Covariates are built once, day by day, on the Dask scheduler in force, and kept at
    the working step in a folder; an epoch visits a few stretches of them. Memory and
    the time of an epoch do not grow with the archive. One network trains in one
    process; several (two tracks, an ensemble) are tasks where a client is active.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl`` on a regular axis. Loaded one stretch at a time.
    recipient, donor : str, optional
        Satellites by letter; default every satellite with data, each from its twin.
    network : keras.Model or callable, optional
        An own network in place of the bidirectional LSTM, not yet compiled: a model
        with input ``(None, None, channels)`` and output ``(None, None, 3)``, of which
        a copy with new weights is trained, or a function of the number of channels
        that returns one, since the tracks differ in channels.
    callbacks : sequence of keras.callbacks.Callback or callable, optional
        Called through the training of every network, one network after the other, with
        ``loss``, ``val_loss``, ``learning_rate`` and ``seconds`` of an epoch. A
        function of the name of a track (``"twin"``, ``"single"``) and the number of a
        member that returns a list gives each network its own, so that log files do not
        replace each other. What a callback keeps is no part of ``checkpoint``; on a
        cluster, workers have copies.
    checkpoint : str or path-like, optional
        Folder for covariates and the state after every epoch. The same call with the
        same folder goes on where it was interrupted and gives the same model, bit for
        bit. Workers of a cluster that train must see it.
    clean : bool, default True
        Samples that no accelerometer measures count as missing, and a warning tells
        how many (`gracelstm_xr.preprocess.outliers.impossible`); after
        ``ds.grace.clean()`` only what that has marked. False keeps them.
    progress : bool, default False
        Show bars on standard error.
    **hyperparameters
        Fields of `gracelstm_xr.lstm.Settings`, for example ``epochs=30, seed=1``.

    Returns
    -------
    FittedModel

    Raises
    ------
    TypeError
        For an unknown hyperparameter.
    NotEnoughDataError
        When no satellite has enough observations in the training span.
    GraceError
        When ``checkpoint`` holds a fit of other data or settings, or ``network`` has
        another shape, or ``callbacks`` holds something else; when a feature is neither
        a group nor a variable over time.
    """
    settings = Settings.from_keywords(hyperparameters)
    check_callbacks(callbacks)
    require_series(ds)
    check_extras(ds, settings.features)
    ds = with_values(screened(ds, clean=clean))
    settings = replace(settings, step=max(settings.step, gps_axis(ds)[1]))
    pairs = satellite_pairs(ds, recipient=recipient, donor=donor)
    split = Split.of(*living_span(ds, [p.recipient for p in pairs]), settings)
    settings = _fitting_window(settings, split)
    with _folder(checkpoint) as folder, one_blas_thread():
        job = _Fit(
            ds, pairs, Plan.of(split), settings, network, callbacks, folder, progress
        )
        return job.run(claimed=checkpoint is not None)


@contextmanager
def _folder(checkpoint: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The user's folder, or one that is gone afterwards."""
    if checkpoint is not None:
        yield Path(checkpoint).absolute()
        return
    with scratch("gracelstm-fit") as made:
        yield made


@dataclass(frozen=True)
class _Fit:
    """One call of `fit`."""

    ds: xr.Dataset
    pairs: list[Pair]
    plan: Plan
    settings: Settings
    network: Any
    callbacks: Callbacks | None
    folder: Path
    progress: bool

    def run(self, *, claimed: bool) -> FittedModel:
        """Everything from covariates to sigma."""
        facts = day_facts(
            self.ds, self.pairs, self.plan, self.settings, progress=self.progress
        )
        pairs = with_extras(self.ds, self.pairs, self.plan, self.settings.features)
        if claimed:
            claim(self.folder, self._facts(facts, pairs[0].extras))
        frames = DayFrames(self.folder / "days", self.settings.step)
        pairs = [with_constants(self.ds, p, self.plan, facts) for p in pairs]
        days = self.plan.days(self.settings)
        frames.build(self.ds, pairs, days, progress=self.progress)
        prepared = [prepare(frames, p, self.plan, self.settings) for p in pairs]
        recipients = {r.pair.recipient: r for r in prepared if r is not None}
        if not recipients:
            raise NotEnoughDataError(
                "found no satellite with enough observations in the training span, "
                f"expected at least {FEWEST_SAMPLES} samples of {self.settings.step:g} "
                "s: fit on a longer stretch"
            )
        networks, history = self._networks(recipients)
        model = FittedModel(
            settings=self.settings,
            split=self.plan.split,
            recipients=recipients,
            networks=networks,
            history=history,
            scores=history,
            info=self._info(frames, next(iter(recipients.values()))),
        )
        return _calibrated(self.ds, model, progress=self.progress)

    def _networks(
        self, recipients: Mapping[str, Recipient]
    ) -> tuple[dict[str, TrainedNetwork], xr.Dataset]:
        """Networks of every track, trained on all satellites that have it."""
        import xarray as xr

        names = sorted({t.name for r in recipients.values() for t in r.tracks})
        jobs = [
            Job(
                self.folder,
                {
                    n: t
                    for n, r in recipients.items()
                    for t in r.tracks
                    if t.name == name
                },
                self.plan.training,
                self.plan.validation,
                self.settings,
                self.network,
                self.callbacks,
            )
            for name in reversed(names)
        ]
        members = train_all(jobs, progress=self.progress)
        made = [combine(job, found) for job, found in zip(jobs, members, strict=True)]
        networks = {job.name: n for job, (n, _) in zip(jobs, made, strict=True)}
        histories = [
            history.assign_coords(track=job.name)
            for job, (_, history) in zip(jobs, made, strict=True)
        ]
        return networks, xr.concat(histories, dim="track", join="outer")

    def _facts(
        self, facts: list[DayFacts], extras: tuple[Extra, ...]
    ) -> dict[str, Any]:
        """What the result depends on."""
        return {
            "data": {
                "axis": list(gps_axis(self.ds)),
                "variables": sorted(set(INPUTS) & set(map(str, self.ds.variables))),
                "satellites": [[p.recipient, p.donor] for p in self.pairs],
                "series": digest(facts),
                "extras": [[e.name, e.mean, e.scale] for e in extras],
            },
            "settings": self.settings.to_dict(),
            "network": describe_network(self.network),
            "versions": _versions(),
        }

    def _info(self, frames: DayFrames, recipient: Recipient) -> dict[str, str]:
        frame = frames.load(recipient.pair.recipient, self.plan.sample[0].core)
        names = [] if frame is None else channel_names(frame, self.settings.features)
        return {
            **_versions(),
            "channels": " ".join(names),
            "inputs": " ".join(covariates_of(self.ds)),
            "data_step": f"{gps_axis(self.ds)[1]:g}",
            **data_origin(self.ds),
        }


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {
        "gracelstm_xr": version("gracelstm-xr"),
        "keras": version("keras"),
        "numpy": version("numpy"),
    }


def _fitting_window(settings: Settings, split: Split) -> Settings:
    """Shorten the window where the spans are shorter than it."""
    spans = (split.train, split.validation)
    shortest = int(min(b - a for a, b in spans) // settings.step)
    return replace(settings, window=min(settings.window, max(shortest, 8)))


def load_frame(ds: xr.Dataset, pair: Pair, span: tuple[float, float]) -> Frame:
    """One stretch at the native rate with the context a fill needs.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model.
    pair : Pair
        Of a fitted recipient.
    span : tuple of float
        First and one-past-last GPS second.

    Returns
    -------
    Frame
        Reaches `CONTEXT` past the span on either side where there are data.
    """
    import dask

    tasks, bounds = _frame_tasks(ds, pair, span)
    # a few days at a time: raw variables take more room than a frame
    return _joined([dask.compute(task)[0] for task in tasks], bounds)


def _frame_tasks(
    ds: xr.Dataset, pair: Pair, span: tuple[float, float]
) -> tuple[list[Any], tuple[float, float]]:
    """Frames of the days of a stretch with context, and where it begins and ends."""
    first, step, size = gps_axis(ds)
    low = max(span[0] - CONTEXT, first)
    high = min(span[1] + CONTEXT, first + size * step)
    tasks = day_results(
        _frame_of_day,
        frame_inputs(ds, pair),
        ds,
        pair,
        halo=HALO,
        only=days_of([(low, high)]),
    )
    return tasks, (low, high)


def _joined(groups: list[list[Frame]], bounds: tuple[float, float]) -> Frame:
    whole = Frame.join([day for days in groups for day in days])
    a, b = (int(i) for i in np.searchsorted(whole.t, bounds))
    return whole.take(slice(a, b))


def _frame_of_day(
    t: npt.NDArray[np.float64],
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    pair: Pair,
) -> Frame:
    return build_frame(t, arrays, pair, keep=keep)


def _calibrated(ds: xr.Dataset, model: FittedModel, *, progress: bool) -> FittedModel:
    """Score every method on held-out gaps, then fix choice and sigma."""
    recipients: dict[str, Recipient] = {}
    scores: list[xr.Dataset] = []
    # not even as context may the test span help to choose
    first, step, _ = gps_axis(ds)
    seen = ds.isel(time=slice(0, round((model.split.test[0] - first) / step)))
    for number, (name, recipient) in enumerate(model.recipients.items(), start=1):
        which = f"satellite {name} ({number} of {len(model.recipients)})"
        errors = score_span(
            seen,
            model,
            recipient,
            model.split.validation,
            lengths=(*GAP_LENGTHS, EVERYTHING),
            count=model.settings.gaps_per_length,
            most=PER_GAP,
            label=f"held-out gaps of {which}" if progress else "",
        )
        label = f"choice and sigma of {which}" if progress else ""
        calibration = calibrate(errors, label=label)
        if calibration is None:
            warnings.warn(
                f"found no room for gaps in the validation span of satellite "
                f"{name}, expected observations there: it will not be filled",
                GraceWarning,
                stacklevel=3,
            )
            continue
        scores.append(score_table({name: errors}))
        label = f"forecasts of the past of {which}" if progress else ""
        ahead = forecast_calibration(ds, model, recipient, label=label)
        recipients[name] = replace(
            recipient.with_calibration(calibration), forecast=ahead
        )
    if not recipients:
        raise NotEnoughDataError(
            "found no observations in the validation span, expected enough to hide "
            "gaps in: fit on a longer stretch"
        )
    return replace(model, recipients=recipients, scores=join_scores(scores))


def score_span(
    ds: xr.Dataset,
    model: FittedModel,
    recipient: Recipient,
    span: tuple[float, float],
    *,
    label: str = "",
    **options: Any,
) -> GapErrors:
    """Gap benchmark of one satellite over a span, at most two stretches of it.

    Parameters
    ----------
    ds : xarray.Dataset
    model : FittedModel
    recipient : Recipient
        Of the model.
    span : tuple of float
        GPS seconds.
    label : str
        Of the bars that count gaps, one per stretch; none by default.
    **options
        Of `gracelstm_xr.filling.benchmark.gap_benchmark`.
    """
    if model.only is not None:
        options.setdefault("methods", set(recipient.baselines))
    pieces = stretches(span, lengths=options.get("lengths", GAP_LENGTHS), most=2)
    score = _score_here if active_client() is None else _score_on_workers
    return join_errors(
        [
            score(
                *(ds, model, recipient, piece),
                label=label and f"{label}, stretch {number} of {len(pieces)}",
                **options,
            )
            for number, piece in enumerate(pieces, start=1)
        ]
    )


def _score_here(
    ds: xr.Dataset,
    model: FittedModel,
    recipient: Recipient,
    span: tuple[float, float],
    **options: Any,
) -> GapErrors:
    frame = load_frame(ds, recipient.pair, span)
    return gap_benchmark(
        frame, span, recipient, model.predict, model.settings, **options
    )


def _score_on_workers(
    ds: xr.Dataset,
    model: FittedModel,
    recipient: Recipient,
    span: tuple[float, float],
    *,
    label: str = "",
    methods: set[str] | None = None,
    most: int | None = None,
    **places: Any,
) -> GapErrors:
    """Same numbers, with a task per round on the active cluster."""
    import dask

    tasks, bounds = _frame_tasks(ds, recipient.pair, span)
    frame = dask.delayed(_joined, pure=False)(tasks, bounds).persist()
    fitted, whom = (
        dask.delayed(x, pure=False, traverse=False) for x in (model, recipient)
    )
    find, score = (dask.delayed(f, pure=False) for f in (rounds_of, _round))
    (rounds,) = dask.compute(find(frame, span, whom, **places))
    work = [
        score(frame, span, hidden, whom, fitted, methods, most) for hidden in rounds
    ]
    return join_errors(run(work, label=label, unit="round", progress=bool(label)))


def _round(
    frame: Frame,
    span: tuple[float, float],
    hidden: IntArray,
    recipient: Recipient,
    model: FittedModel,
    methods: set[str] | None,
    most: int | None,
) -> GapErrors:
    with one_blas_thread():
        return score_round(
            frame, span, hidden, recipient, model.predict, model.settings,
            methods=methods, most=most,
        )  # fmt: skip
