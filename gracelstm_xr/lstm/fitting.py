"""`fit`: from a Dataset to a model that fills."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines import default_baselines
from gracelstm_xr.benchmark import GapErrors, gap_benchmark, join_errors, score_table
from gracelstm_xr.blocks import gps_axis, gps_seconds, iterate_time_blocks
from gracelstm_xr.conventions import require
from gracelstm_xr.errors import GraceWarning, NotEnoughDataError
from gracelstm_xr.features import satellite_pairs
from gracelstm_xr.frames import HALO, Frame, Pair, build_frame, frame_inputs
from gracelstm_xr.gaps import usable
from gracelstm_xr.hiding import GAP_LENGTHS, stretches
from gracelstm_xr.lagsearch import cross_correlation_lag
from gracelstm_xr.lstm.calibration import calibrate
from gracelstm_xr.lstm.model import FittedModel
from gracelstm_xr.lstm.recipient import Recipient
from gracelstm_xr.lstm.sequences import channel_names
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.lstm.track import CONTEXT, SINGLE, TWIN, Track
from gracelstm_xr.lstm.trackfit import TrackFit
from gracelstm_xr.lstm.trained import TrainedNetwork, network_bytes
from gracelstm_xr.lstm.training import train_network
from gracelstm_xr.timebase import axis_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["fit", "load_frame"]

BoolArray = npt.NDArray[np.bool_]

#: Fewest training samples at the working step.
FEWEST_SAMPLES = 60


def fit(
    ds: xr.Dataset,
    *,
    recipient: str | None = None,
    donor: str | None = None,
    progress: bool = False,
    **hyperparameters: Any,
) -> FittedModel:
    """Fit baselines and network on an archive, and learn when to trust which.

    The leading part of the time span trains, the next chooses methods and calibrates
    sigma, the last is left for `gracelstm_xr.evaluate`; an embargo lies between them.
    What a satellite can be filled from follows from the data: its twin when there is
    one, orbit, attitude and thrusters where the products were read.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl`` on a regular axis. Loaded one stretch at a time.
    recipient, donor : str, optional
        Satellites by letter; default every satellite with data, each from its twin.
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
    """
    from gracelstm_xr.progress import Bar

    settings = Settings.from_keywords(hyperparameters)
    require("lin_accl", ds.variables, remedy="open ACC1B data first")
    step = axis_of(ds).step / np.timedelta64(1, "s")
    settings = replace(settings, step=max(settings.step, float(step)))
    split = _split(ds, settings)
    pairs = satellite_pairs(ds, recipient=recipient, donor=donor)
    prepared = []
    with Bar("covariates", len(pairs), unit="satellite", enabled=progress) as bar:
        for pair in pairs:
            frame = _working_frame(ds, _with_constants(ds, pair, split), settings)
            fitted = _prepare(frame[0], frame[1], split, settings)
            if fitted is not None:
                prepared.append((frame[0], fitted))
            bar.update()
    if not prepared:
        raise NotEnoughDataError(
            "found no satellite with enough observations in the training span, "
            f"expected at least {FEWEST_SAMPLES} samples of {settings.step:g} s: "
            "fit on a longer stretch"
        )
    settings = _fitting_window(settings, prepared, split)
    networks, history = _networks(prepared, split, settings, progress=progress)
    model = FittedModel(
        settings=settings,
        split=split,
        recipients={r.pair.recipient: r for _, r in prepared},
        networks=networks,
        history=history,
        scores=history,
        info=_info(ds, prepared[0][0]),
    )
    return _calibrated(ds, model, progress=progress)


def _networks(
    prepared: list[tuple[Frame, Recipient]],
    split: Split,
    settings: Settings,
    *,
    progress: bool,
) -> tuple[dict[str, TrainedNetwork], xr.Dataset]:
    """One network per track, trained on all satellites that have it."""
    import xarray as xr

    from gracelstm_xr.progress import Bar

    tracks = sorted({t.name for _, r in prepared for t in r.tracks}, reverse=True)
    networks, histories = {}, []
    batches = len(tracks) * settings.epochs * settings.batches
    with Bar("training", batches, unit="batch", enabled=progress) as bar:
        for name in tracks:
            mine = [
                (t.view(f), t) for f, r in prepared for t in r.tracks if t.name == name
            ]
            network, gain, history = train_network(
                [(_part(f, split.train), t) for f, t in mine],
                [(_part(f, split.validation), t) for f, t in mine],
                settings,
                report=lambda note: bar.update(note=note),
            )
            networks[name] = TrainedNetwork((network_bytes(network),), gain)
            histories.append(history.assign_coords(track=name))
    return networks, xr.concat(histories, dim="track")


def _split(ds: xr.Dataset, settings: Settings) -> Split:
    first, step, size = gps_axis(ds)
    return Split.of(first, first + size * step, settings)


def _positions(ds: xr.Dataset, span: tuple[float, float], context: float) -> slice:
    """Samples of a span of GPS seconds with context on either side."""
    first, step, size = gps_axis(ds)
    low = int(np.ceil((span[0] - context - first) / step))
    high = int(np.ceil((span[1] + context - first) / step))
    return slice(max(low, 0), min(max(high, 0), size))


def _with_constants(ds: xr.Dataset, pair: Pair, split: Split) -> Pair:
    """Offset of the donor, and its lag where no orbit gives one, from training data."""
    if pair.donor is None:
        return pair
    training = usable(ds).isel(time=_positions(ds, split.train, 0.0))
    donor = training.sel(satellite=pair.donor)
    mean = donor.mean("time").values.astype(np.float64)
    pair = replace(pair, donor_offset=(float(mean[0]), float(mean[1]), float(mean[2])))
    if {"position", "velocity"} <= set(ds.variables):
        return pair
    own = training.sel(satellite=pair.recipient)
    step = float(axis_of(ds).step / np.timedelta64(1, "s"))
    some = slice(0, round(2 * 86_400 / step))
    found = cross_correlation_lag(
        own.isel(time=some).transpose("time", "axis").values,
        donor.isel(time=some).transpose("time", "axis").values,
        step,
    )
    return replace(pair, lag=None if found is None else found.seconds)


def _working_frame(
    ds: xr.Dataset, pair: Pair, settings: Settings
) -> tuple[Frame, Pair]:
    """The whole span at the working step, built stretch by stretch."""
    parts = []
    inputs = frame_inputs(ds, pair)
    for _, t, arrays, keep in iterate_time_blocks(inputs, ds, halo=HALO):
        native = build_frame(t, arrays, pair).take(keep)
        parts.append(native.every(settings.step)[0])
    return Frame.join(parts), pair


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
        Reaches 42 h past the span on either side where there are data.
    """
    import dask

    wide = _positions(ds, span, CONTEXT + HALO)
    lazy = {k: v.isel(time=wide).data for k, v in frame_inputs(ds, pair).items()}
    (arrays,) = dask.compute(lazy)
    return build_frame(gps_seconds(ds, wide), arrays, pair)


def _part(frame: Frame, span: tuple[float, float]) -> Frame:
    low, high = np.searchsorted(frame.t, span)
    return frame.take(slice(int(low), int(high)))


def _prepare(
    frame: Frame, pair: Pair, split: Split, settings: Settings
) -> Recipient | None:
    """Baselines and scales from the training span; None without data there."""
    training = (frame.t >= split.train[0]) & (frame.t < split.train[1])
    known = np.isfinite(frame.own) & training[:, None]
    counts = known.sum(axis=0)
    if counts.max() < FEWEST_SAMPLES:
        return None
    x, y, z = (bool(c >= FEWEST_SAMPLES) for c in counts)
    names = (SINGLE,) if frame.donor is None else (TWIN, SINGLE)
    tracks = tuple(_track(frame, training, name, settings) for name in names)
    return Recipient(pair, default_baselines([(frame, training)]), tracks, (x, y, z))


def _track(frame: Frame, training: BoolArray, name: str, settings: Settings) -> Track:
    """What the network of one track starts from."""
    fit = TrackFit(name, step=settings.step, seed=settings.seed)
    fit.add(frame, training)
    return fit.finish()


def _fitting_window(
    settings: Settings, prepared: list[tuple[Frame, Recipient]], split: Split
) -> Settings:
    """Shorten the window where the spans are shorter than two of it."""
    shortest = min(
        len(_part(frame, span))
        for frame, _ in prepared
        for span in (split.train, split.validation)
    )
    return replace(settings, window=int(min(settings.window, max(shortest, 8))))


def _calibrated(ds: xr.Dataset, model: FittedModel, *, progress: bool) -> FittedModel:
    """Score every method on held-out gaps, then fix choice and sigma."""
    from gracelstm_xr.progress import Bar

    recipients: dict[str, Recipient] = {}
    tables: dict[str, GapErrors] = {}
    with Bar(
        "held-out gaps", len(model.recipients), unit="satellite", enabled=progress
    ) as bar:
        for name, recipient in model.recipients.items():
            errors = score_span(ds, model, recipient, model.split.validation)
            main = model.networks[recipient.tracks[0].name]
            calibration = calibrate(errors, main.gain)
            if calibration is None:
                warnings.warn(
                    f"found no room for gaps in the validation span of satellite "
                    f"{name}, expected observations there: it will not be filled",
                    GraceWarning,
                    stacklevel=3,
                )
                continue
            tables[name] = errors
            recipients[name] = recipient.with_calibration(calibration)
            bar.update()
    if not recipients:
        raise NotEnoughDataError(
            "found no observations in the validation span, expected enough to hide "
            "gaps in: fit on a longer stretch"
        )
    return replace(model, recipients=recipients, scores=score_table(tables))


def score_span(
    ds: xr.Dataset,
    model: FittedModel,
    recipient: Recipient,
    span: tuple[float, float],
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
    **options
        Of `gracelstm_xr.benchmark.gap_benchmark`.
    """
    if model.only is not None:
        options.setdefault("methods", set(recipient.baselines))
    pieces = stretches(span, lengths=options.get("lengths", GAP_LENGTHS), most=2)
    return join_errors(
        [
            gap_benchmark(
                load_frame(ds, recipient.pair, piece),
                piece,
                recipient,
                model.predict,
                model.settings,
                **options,
            )
            for piece in pieces
        ]
    )


def _info(ds: xr.Dataset, frame: Frame) -> dict[str, str]:
    from importlib.metadata import version

    return {
        "gracelstm_xr": version("gracelstm-xr"),
        "keras": version("keras"),
        "numpy": version("numpy"),
        "channels": " ".join(channel_names(frame)),
        "data": str(ds.attrs.get("source", "data of unstated origin")),
    }
