"""One baseline without a network, fitted on the data themselves.

Everything is a task: covariates day by day, the fit of their sum, the errors in gaps
hidden in every quarter of the span. `fill` hangs its blocks behind them, stays lazy.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.base import (
    METHODS,
    baseline_names,
    default_baselines,
    reads_donor,
    reads_series_only,
)
from gracelstm_xr.baselines.screen import counted, screened, tell
from gracelstm_xr.baselines.start import CONTEXT
from gracelstm_xr.compute.blocks import as_dask, gps_axis, seconds_of, shared_node
from gracelstm_xr.compute.days import day_results
from gracelstm_xr.compute.threads import one_blas_thread
from gracelstm_xr.core.components import as_data_model
from gracelstm_xr.core.conventions import require_series
from gracelstm_xr.core.gaps import usable
from gracelstm_xr.core.provenance import data_origin
from gracelstm_xr.errors import GraceError, GraceWarning, NotEnoughDataError
from gracelstm_xr.filling.benchmark import (
    GapErrors,
    gap_benchmark,
    join_errors,
    join_scores,
    score_table,
)
from gracelstm_xr.filling.constantlag import (
    constant_lag,
    lags_of_days,
    matched_lag,
    series_of_both,
)
from gracelstm_xr.filling.hidden import stretches
from gracelstm_xr.filling.learn import PER_GAP, calibrate
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.filling.pools import Calibration
from gracelstm_xr.filling.present import living_span
from gracelstm_xr.filling.recipient import Recipient
from gracelstm_xr.lstm.channels import Windows
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.physics.features import satellite_pairs
from gracelstm_xr.physics.frames import (
    HALO,
    Frame,
    Pair,
    build_frame,
    frame_inputs,
    thin_frame,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["baseline_models", "fit_baseline", "inputs_of"]

Array = npt.NDArray[np.float64]

#: Leading part of the span that coefficients are learnt from; the rest, after an
#: embargo, is the last of the quarters in which gaps are hidden to learn sigma.
TRAIN = 0.75
#: Gaps wanted per length in one quarter; more of the short ones.
PER_QUARTER = 2
#: Fewest samples at the working step on an axis.
FEWEST_SAMPLES = 60


def fit_baseline(
    ds: xr.Dataset,
    *,
    method: str,
    recipient: str | None = None,
    donor: str | None = None,
    clean: bool = True,
) -> FittedModel:
    """Fit one baseline; no network is trained.

    The leading three quarters of the span give the coefficients, gaps hidden in every
    quarter give sigma, in the first three by fits to the others; days at either end
    on which a recipient shows nothing are no part of it.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl`` on a regular axis. Loaded one stretch at a time.
    method : str
        Name of a registered baseline, see `gracelstm_xr.baselines.registry`.
    recipient, donor : str, optional
        Satellites by letter; default every satellite, each from its twin.
    clean : bool, default True
        Samples that no accelerometer measures count as missing, and a warning tells
        how many (`gracelstm_xr.preprocess.outliers.impossible`); after
        ``ds.grace.clean()`` only what that has marked. False keeps them.

    Returns
    -------
    FittedModel
        Without a network; ``fill(ds, model)`` and ``model.save`` work as with one.

    Raises
    ------
    GraceError
        For an unknown method, or one that the data do not allow.
    NotEnoughDataError
        When no satellite has enough observations.

    Examples
    --------
    >>> model = gx.fit_baseline(ds, method="linear")
    >>> path = model.save("linear.gracelstm")
    >>> list(gx.load_model(path).recipients)
    ['A', 'B']
    """
    import dask

    require_series(ds)
    ds = screened(as_data_model(ds), clean=clean)
    pairs = satellite_pairs(ds, recipient=recipient, donor=donor)
    tasks = baseline_models(
        ds, method, recipient=recipient, donor=donor,
        span=living_span(ds, [pair.recipient for pair in pairs]),
    )  # fmt: skip
    made: tuple[FittedModel, ...] = dask.compute(*tasks.values())
    models = [model for model in made if len(model.scores)]
    if not models:
        raise NotEnoughDataError(
            "found no satellite with enough observations, expected at least "
            f"{FEWEST_SAMPLES} samples of 10 s and room for hidden gaps: fit on a "
            "longer stretch"
        )
    recipients = {name: r for model in models for name, r in model.recipients.items()}
    scores = join_scores([model.scores for model in models])
    return replace(models[0], recipients=recipients, scores=scores)


def baseline_models(
    ds: xr.Dataset,
    method: str,
    *,
    recipient: str | None = None,
    donor: str | None = None,
    span: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Fits of one baseline as tasks, by satellite.

    Parameters
    ----------
    ds, method, recipient, donor
        As in `fit_baseline`; ``ds`` screened.
    span : tuple of float, optional
        GPS seconds to learn from; all by default.

    Returns
    -------
    dict of str to dask.delayed.Delayed
        Each gives a `FittedModel` of one recipient, or of none where there are too
        few observations.
    """
    require_series(ds)
    if method not in METHODS:
        raise GraceError(
            f"found method {method!r}, expected one of {', '.join(baseline_names())}: "
            "choose one of these, or fit a model and pass it"
        )
    pairs = satellite_pairs(ds, recipient=recipient, donor=donor)
    if not reads_donor(method):
        pairs = [Pair(pair.recipient) for pair in pairs]
    _check_needs(ds, method, pairs)
    recipients = {pair.recipient for pair in pairs}
    if span is None:
        first, step, size = gps_axis(ds)
        span = (first, first + size * step)
    return {
        pair.recipient: _task(
            ds,
            pair,
            method,
            [n for n in {pair.donor} - recipients if n is not None],
            span,
        )
        for pair in pairs
    }


def _check_needs(ds: xr.Dataset, method: str, pairs: list[Pair]) -> None:
    need = METHODS[method].needs
    if need == "latitude_argument" and not {"position", "velocity"} <= set(ds):
        raise GraceError(
            f"found no orbits, expected them for the method {method!r}: open the "
            "archive with GNV1B, or choose another method"
        )
    if need == "donor" and all(pair.donor is None for pair in pairs):
        raise GraceError(
            f"found no twin of satellite {', '.join(p.recipient for p in pairs)}, "
            f"expected one for the method {method!r}: open the archive of both, or "
            "choose another method"
        )


def inputs_of(ds: xr.Dataset, pair: Pair, method: str | None) -> dict[str, Any]:
    """Variables that a fill by ``method`` reads; all of a frame's by default."""
    inputs = frame_inputs(ds, pair)
    if method is not None and reads_series_only(method):
        return {k: v for k, v in inputs.items() if k == "own.lin_accl"}
    return inputs


def _task(
    ds: xr.Dataset,
    pair: Pair,
    method: str,
    others: list[str],
    whole: tuple[float, float],
) -> Any:
    """Fit of one recipient, which tells what was left out of it and of ``others``."""
    import dask

    first, step, size = gps_axis(ds)
    settings = Settings(step=max(Settings().step, step))
    split = _split(*whole, settings.step)
    inputs = inputs_of(ds, pair, method)
    known = _constants_task(ds, pair, split)
    thin = day_results(_thin_day, inputs, ds, known, settings.step, halo=HALO)
    fit, score = (dask.delayed(task, pure=True) for task in (_fitted, _scored))
    node = fit(thin, known, [split.train], settings, method)
    errors = []
    for held in _quarters(split):
        judge = node
        if METHODS[method].learns and held != split.validation:
            # sigma comes from gaps that a fit without their quarter fills
            judge = fit(thin, known, _beside(held, split), settings, method, quiet=True)
        span = stretches(held, most=1)[0]
        low = max(int((span[0] - CONTEXT - HALO - first) // step), 0)
        past = min(int((span[1] + CONTEXT + HALO - first) // step) + 1, size)
        arrays = {k: as_dask(v)[low:past] for k, v in inputs.items()}
        times = (first, step, low, past)
        errors.append(score(times, arrays, judge, span, settings))
    finish = dask.delayed(_finished, pure=True)
    marks = {name: counted(ds, name) for name in (pair.recipient, *others)}
    return finish(node, errors, split, settings, method, data_origin(ds), marks)


def _split(start: float, stop: float, step: float) -> Split:
    """Training and held-out part; the latter stands for the test span as well."""
    embargo = min(86_400.0, (stop - start) / 20)
    cut = start + TRAIN * (stop - start - embargo)
    train, held = (round(t / step) * step for t in (cut, cut + embargo))
    return Split((start, train), (held, stop), (held, stop))


def _quarters(split: Split) -> list[tuple[float, float]]:
    """Parts of the span in which gaps are hidden: a storm may be in any of them."""
    (start, cut), held = split.train, split.validation
    borders = [start + (cut - start) * k / 3 for k in range(4)]
    return [*itertools.pairwise(borders), held]


def _beside(held: tuple[float, float], split: Split) -> list[tuple[float, float]]:
    """What is left to train on, an embargo away from what is held out."""
    embargo = split.validation[0] - split.train[1]
    return [
        (split.train[0], held[0] - embargo),
        (held[1] + embargo, split.validation[1]),
    ]


def _constants_task(ds: xr.Dataset, pair: Pair, split: Split) -> Any:
    """Pair with the donor's offset, and its lag for days without orbits."""
    import dask

    if pair.donor is None:
        return shared_node(pair)
    _, step, _ = gps_axis(ds)
    observed = usable(ds).transpose("satellite", "time", "axis")
    donor = {"donor": observed.sel(satellite=pair.donor)}
    sums = day_results(_day_sum, donor, ds, split.train[1], halo=0.0)
    lags = lags_of_days(ds, pair, split.train)
    both = series_of_both(ds, pair, split.train)
    return dask.delayed(_with_constants, pure=True)(pair, sums, lags, both, step)


def _day_sum(
    t: Array, arrays: Mapping[str, npt.NDArray[Any]], keep: slice, past: float
) -> tuple[Array, Array]:
    """Sum and number of the observations before a time."""
    values = np.ascontiguousarray(arrays["donor"][keep][t[keep] < past])
    good = np.isfinite(values)
    return np.where(good, values, 0.0).sum(axis=0), good.sum(axis=0)


def _with_constants(
    pair: Pair,
    sums: list[list[tuple[Array, Array]]],
    lags: list[list[float]],
    both: tuple[Array, Array],
    step: float,
) -> Pair:
    days = [day for group in sums for day in group]
    count = np.sum([n for _, n in days], axis=0)
    mean = np.sum([total for total, _ in days], axis=0) / np.maximum(count, 1)
    x, y, z = (float(m) if n else np.nan for m, n in zip(mean, count, strict=True))
    lag = constant_lag(lags)
    if lag is None:
        lag = matched_lag(*both, step)
    return replace(pair, donor_offset=(x, y, z), lag=lag)


def _thin_day(
    t: Array,
    arrays: Mapping[str, npt.NDArray[Any]],
    keep: slice,
    pair: Pair,
    step: float,
) -> Frame:
    return thin_frame(t, arrays, pair, keep=keep, step=step)


def _fitted(
    days: list[list[Frame]],
    pair: Pair,
    spans: list[tuple[float, float]],
    settings: Settings,
    method: str,
    *,
    quiet: bool = False,
) -> Recipient | None:
    """Baseline from training spans; None without data there."""
    frame = Frame.join([day for group in days for day in group])
    observed = np.isfinite(frame.own)
    learns = METHODS[method].learns
    within = [(frame.t >= first) & (frame.t < past) for first, past in spans]
    training = np.any(within, axis=0) | (not learns)
    counts = (observed & training[:, None]).sum(axis=0)
    fewest = FEWEST_SAMPLES if learns else 1
    if counts.max() < fewest:
        if observed.any() and not quiet:
            warnings.warn(
                f"found {counts.max()} samples of satellite {pair.recipient} to fit "
                f"{method} to, expected {fewest} of {settings.step:g} s: its gaps stay "
                "open; use more data, or a method that needs no fit, as 'linear'",
                GraceWarning,
                stacklevel=2,
            )
        return None
    x, y, z = (bool(c >= fewest) for c in counts)
    with one_blas_thread():
        fitted = default_baselines([(frame, training)], names=[method])
    return Recipient(pair, fitted, (), (x, y, z))


def _scored(
    times: tuple[float, float, int, int],
    arrays: Mapping[str, npt.NDArray[Any]],
    recipient: Recipient | None,
    span: tuple[float, float],
    settings: Settings,
) -> GapErrors | None:
    """Errors in gaps hidden in one stretch."""
    if recipient is None or not recipient.baselines:
        return None
    frame = build_frame(seconds_of(*times), arrays, recipient.pair)
    with one_blas_thread():
        return gap_benchmark(
            frame, span, recipient, _no_network, settings,
            methods=set(recipient.baselines), count=PER_QUARTER, most=PER_GAP,
        )  # fmt: skip


def _no_network(track: str, windows: Windows | npt.NDArray[np.float32]) -> NoReturn:
    raise GraceError(
        f"found a baseline without a network, asked to predict {len(windows)} "
        f"windows of the track {track!r}: fit a model with ds.grace.fit()"
    )


def _finished(
    recipient: Recipient | None,
    errors: list[GapErrors | None],
    split: Split,
    settings: Settings,
    method: str,
    origin: dict[str, str],
    marks: dict[str, npt.NDArray[np.int64] | None],
) -> FittedModel:
    import xarray as xr

    for satellite, counts in marks.items():
        if counts is not None:
            tell(satellite, counts)
    table = join_errors([e for e in errors if e is not None and len(e.t)])
    calibration = calibrate(table)
    recipients, scores = {}, xr.Dataset()
    if recipient is not None:
        name = recipient.pair.recipient
        if calibration is not None:
            scores = score_table({name: table})
        else:
            calibration = Calibration((), {})
            warnings.warn(
                f"found no room to hide gaps in the series of satellite {name}, "
                f"expected some hours of observations at a time: filled by {method}, "
                "sigma is not known (NaN); for one, fit_baseline() on data "
                "in which it observes, and fill with that",
                GraceWarning,
                stacklevel=2,
            )
        recipients = {name: recipient.with_calibration(calibration)}
    return FittedModel(
        settings=settings,
        split=split,
        recipients=recipients,
        networks={},
        history=xr.Dataset(),
        scores=scores,
        info={**origin, "method": method},
    )
