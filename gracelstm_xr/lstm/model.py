"""The fitted model: one object, one file, no code inside."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.autoregression import AutoRegression
from gracelstm_xr.axis import gps_label
from gracelstm_xr.baselines import Baseline, PreviousOrbit
from gracelstm_xr.edgefill import Interpolation
from gracelstm_xr.errors import GraceError, ModelFileError
from gracelstm_xr.frames import Pair
from gracelstm_xr.lstm.recipient import Calibration, Recipient
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.lstm.track import Track
from gracelstm_xr.lstm.trained import TrainedNetwork
from gracelstm_xr.regression import LocalRegression
from gracelstm_xr.tracking import SlowResidual

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FittedModel", "load_model"]

FORMAT = "gracelstm_xr model"
FORMAT_VERSION = 1
Array32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FittedModel:
    """What `fit` learnt: network, regressions, choice of method, sigma.

    Attributes
    ----------
    settings : Settings
        Hyperparameters.
    split : Split
        Spans trained on, chosen on, and kept for evaluation [GPS s].
    recipients : dict of str to Recipient
        Fitted state per satellite that can be filled.
    networks : dict of str to TrainedNetwork
        By track; empty for a baseline alone.
    history : xarray.Dataset
        ``loss`` and ``val_loss`` over ``epoch``.
    scores : xarray.Dataset
        RMS error [m s-2] on the validation span by method, satellite, axis and gap
        length: what the choice of method rests on.
    info : dict of str to str
        Versions, channels, and what the training data were.
    """

    settings: Settings
    split: Split
    recipients: dict[str, Recipient]
    networks: dict[str, TrainedNetwork]
    history: xr.Dataset = field(repr=False)
    scores: xr.Dataset = field(repr=False)
    info: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """Hyperparameters as plain values."""
        return self.settings.to_dict()

    @property
    def only(self) -> str | None:
        """Name of the baseline of a model without a network, else None."""
        return None if self.networks else self.info.get("method")

    def __repr__(self) -> str:
        """Summary: satellites, donors, training span, network."""
        pairs = ", ".join(
            f"{name} from {r.pair.donor or 'itself'}"
            for name, r in self.recipients.items()
        )
        first, last = (gps_label(t) for t in self.split.train)
        network = (
            f"LSTM units {self.settings.units}, window {self.settings.window} x "
            f"{self.settings.step:g} s"
        )
        return (
            f"<FittedModel: fills {pairs}; trained on {first} to {last} "
            f"({self.info.get('data', 'unknown data')}); {self.only or network}>"
        )

    def predict(self, track: str, windows: Array32) -> Array32:
        """Residuals [standard deviations] of windows (w, step, channel) of a track.

        Raises
        ------
        GraceError
            When the model has no network.
        """
        if track not in self.networks:
            raise GraceError(
                f"found no network for the track {track!r}, asked to predict "
                f"{len(windows)} windows: fit a model with ds.grace.fit()"
            )
        return self.networks[track].predict(windows)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one file.

        A zip of JSON, plain arrays and the ``.keras`` weights: nothing pickled.
        Written under a temporary name and renamed, so never half there.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        pathlib.Path
        """
        target = Path(path)
        arrays: dict[str, npt.NDArray[Any]] = {}
        files = [(t, n, n.members) for t, n in self.networks.items()]
        text = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "settings": self.settings.to_dict(),
            "networks": {
                track: {"gain": network.gain, "sha256": [_digest(m) for m in members]}
                for track, network, members in files
            },
            "split": [self.split.train, self.split.validation, self.split.test],
            "recipients": {
                name: _pack(recipient, name, arrays)
                for name, recipient in self.recipients.items()
            },
            "history": self.history.to_dict(),
            "scores": self.scores.to_dict(),
            "info": self.info,
        }
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr("model.json", json.dumps(text, indent=1))
                file.writestr("arrays.npz", packed.getvalue())
                for track, _, members in files:
                    for number, member in enumerate(members):
                        file.writestr(_member(track, number), member)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target


def load_model(path: str | os.PathLike[str]) -> FittedModel:
    """Read a model written by `FittedModel.save`.

    Executes nothing from the file: the network is loaded in Keras' safe mode, the
    arrays without pickle.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    FittedModel

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ModelFileError
        When the file is damaged, of another kind, or of a newer format.
    """
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(
            f"found no file {str(path)!r}, expected a model written by model.save(): "
            "check the path"
        )
    try:
        with zipfile.ZipFile(source) as file:
            text = json.loads(file.read("model.json"))
            networks = {
                track: [file.read(_member(track, k)) for k in range(len(d["sha256"]))]
                for track, d in text["networks"].items()
            }
            with np.load(io.BytesIO(file.read("arrays.npz")), allow_pickle=False) as z:
                arrays = {name: z[name] for name in z.files}
    except (zipfile.BadZipFile, KeyError, OSError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"found {str(path)!r} that cannot be read as a model ({error}), "
            "expected a file written by model.save(): fit and save the model again"
        ) from error
    try:
        _check_kind(text, networks, path)
        return _unpack_model(text, arrays, networks)
    except (AttributeError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"found {str(path)!r} with parts missing or unknown ({error!r}), expected "
            "a whole file of this version: fit and save the model again"
        ) from error


def _check_kind(
    text: Mapping[str, Any], networks: Mapping[str, list[bytes]], path: Any
) -> None:
    if text.get("format") != FORMAT or text.get("format_version", 0) > FORMAT_VERSION:
        raise ModelFileError(
            f"found {str(path)!r} of kind {text.get('format')!r} version "
            f"{text.get('format_version')!r}, expected {FORMAT!r} version up to "
            f"{FORMAT_VERSION}: use the version of gracelstm_xr that wrote it"
        )
    found = {t: [_digest(m) for m in members] for t, members in networks.items()}
    if found != {t: d["sha256"] for t, d in text["networks"].items()}:
        raise ModelFileError(
            f"found {str(path)!r} whose network does not match its checksum, expected "
            "an unchanged file: copy it again or fit again"
        )


def _unpack_model(
    text: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    networks: Mapping[str, list[bytes]],
) -> FittedModel:
    import xarray as xr

    train, validation, test = (tuple(span) for span in text["split"])
    return FittedModel(
        settings=Settings.from_keywords(text["settings"]),
        split=Split(train, validation, test),
        recipients={
            name: _unpack(plain, name, arrays)
            for name, plain in text["recipients"].items()
        },
        networks={
            track: TrainedNetwork(
                tuple(members), _three(text["networks"][track]["gain"])
            )
            for track, members in networks.items()
        },
        history=xr.Dataset.from_dict(text["history"]),
        scores=xr.Dataset.from_dict(text["scores"]),
        info=text["info"],
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _member(track: str, number: int) -> str:
    return f"{track}-{number}.keras"


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = values
    return float(x), float(y), float(z)


def _pack(
    recipient: Recipient, name: str, arrays: dict[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    pair = recipient.pair
    plain: dict[str, Any] = {
        "donor": pair.donor,
        "donor_offset": pair.donor_offset,
        "lag": pair.lag,
        "observed_axes": recipient.observed_axes,
        "baselines": {},
    }
    methods = dict(recipient.baselines)
    for track in recipient.tracks:
        prefix = f"{name}.{track.name}"
        arrays[f"{prefix}.residual_scale"] = track.residual_scale
        arrays[f"{prefix}.donor_scale"] = track.donor_scale
        arrays[f"{prefix}.slow_power"] = track.slow.power
        arrays[f"{prefix}.slow_noise"] = track.slow.noise
        methods[track.name] = track.regression
    plain["tracks"] = [track.name for track in recipient.tracks]
    for kind, method in methods.items():
        options: dict[str, Any] = {}
        if isinstance(method, LocalRegression):
            options = {f: getattr(method, f) for f in ("terms", "step", "change")}
            arrays[f"{name}.{kind}.mean"] = method.mean
            arrays[f"{name}.{kind}.penalty"] = method.penalty
        elif isinstance(method, AutoRegression):
            options = {"step": method.step}
            for axis, values in enumerate(method.coefficients):
                arrays[f"{name}.{kind}.{axis}"] = values
        plain["baselines"][kind] = options
    if (c := recipient.calibration) is not None:
        plain["choice"] = c.choice.tolist()
        arrays[f"{name}.lengths"] = c.lengths
        arrays[f"{name}.distances"] = c.distances
        arrays[f"{name}.sigma"] = c.sigma
    return plain


def _unpack(
    plain: Mapping[str, Any], name: str, arrays: Mapping[str, npt.NDArray[Any]]
) -> Recipient:
    baselines: dict[str, Baseline] = {}
    regressions: dict[str, LocalRegression] = {}
    for kind, options in plain["baselines"].items():
        if "terms" in options:
            fitted = LocalRegression(
                tuple(options["terms"]),
                arrays[f"{name}.{kind}.mean"],
                arrays[f"{name}.{kind}.penalty"],
                options["step"],
                options["change"],
            )
            if kind in plain["tracks"]:
                regressions[kind] = fitted
            else:
                baselines[kind] = fitted
        elif kind == "ar":
            cx, cy, cz = (arrays[f"{name}.{kind}.{axis}"] for axis in range(3))
            baselines[kind] = AutoRegression((cx, cy, cz), options["step"])
        elif kind == "previous_orbit":
            baselines[kind] = PreviousOrbit()
        else:
            baselines[kind] = Interpolation(kind)
    calibration = None
    if "choice" in plain:
        calibration = Calibration(
            arrays[f"{name}.lengths"],
            np.array(plain["choice"]),
            arrays[f"{name}.distances"],
            arrays[f"{name}.sigma"],
        )
    x, y, z = plain["donor_offset"]
    ax, ay, az = plain["observed_axes"]
    return Recipient(
        Pair(name, plain["donor"], (x, y, z), plain["lag"]),
        baselines,
        tuple(_track(t, f"{name}.{t}", regressions, arrays) for t in plain["tracks"]),
        (ax, ay, az),
        calibration,
    )


def _track(
    kind: str,
    prefix: str,
    regressions: Mapping[str, LocalRegression],
    arrays: Mapping[str, npt.NDArray[Any]],
) -> Track:
    return Track(
        kind,
        regressions[kind],
        SlowResidual(arrays[f"{prefix}.slow_power"], arrays[f"{prefix}.slow_noise"]),
        arrays[f"{prefix}.residual_scale"],
        arrays[f"{prefix}.donor_scale"],
    )
