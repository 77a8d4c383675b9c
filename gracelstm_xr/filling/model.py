"""The fitted model: one object, one file, no code inside."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.baselines.base import baseline_kinds
from gracelstm_xr.core.html import facts
from gracelstm_xr.core.time import gps_label
from gracelstm_xr.errors import GraceError, ModelFileError
from gracelstm_xr.files import MODEL, check_output, writing
from gracelstm_xr.filling.modelfile import Arrays, pack, unpack
from gracelstm_xr.filling.recipient import Recipient
from gracelstm_xr.filling.summary import summary
from gracelstm_xr.lstm.channels import Windows
from gracelstm_xr.lstm.kerasfile import check_network, check_sizes
from gracelstm_xr.lstm.settings import Settings, Split
from gracelstm_xr.lstm.trained import TrainedNetwork

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FittedModel", "load_model", "model_of"]

FORMAT = MODEL
#: Members of the zip beside the networks.
TEXT, ARRAYS = "model.json", "arrays.npz"
#: 1 had one network and no tracks; 2 and 3 a sigma that knew less of a gap.
FORMAT_VERSION = 5
#: Keys of model.json and their types.
KEYS = {
    "format": str,
    "format_version": int,
    "settings": dict,
    "split": dict,
    "recipients": dict,
    "networks": dict,
    "history": dict,
    "scores": dict,
    "info": dict,
    "sha256": dict,
}
#: What reading a damaged file may raise besides.
BROKEN = (
    ValueError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    zlib.error,
)
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

    def summary(self) -> str:
        """Spans, networks, and what a fill will use and how well it knows.

        Returns
        -------
        str
            One fact per line: the dates trained on, chosen on and left for
            evaluation; every track's network, its members and its gain; per satellite
            and axis whether the network is used, in which gaps, and the expected
            error (1-sigma in the middle of a gap, away from firings) [nm s-2].
        """
        return summary(self)

    def _repr_html_(self) -> str:
        return facts(self.summary())

    def predict(self, track: str, windows: Windows | Array32) -> Array32:
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

    @cached_property
    def token(self) -> str:
        """Digest of all that a fill depends on; the same in every process."""
        text, arrays = self._packed()
        known = {k: text[k] for k in ("settings", "recipients", "networks", "info")}
        digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
        for name in sorted(arrays):
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()

    def __dask_tokenize__(self) -> str:
        """Name of the model in a Dask graph, from its content alone."""
        return self.token

    def _packed(self) -> tuple[dict[str, Any], Arrays]:
        """Content of model.json, and the arrays that go beside it."""
        arrays: Arrays = {}
        text = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "settings": pack(self.settings, arrays, "settings"),
            "split": pack(self.split, arrays, "split"),
            "recipients": pack(self.recipients, arrays, "recipients"),
            "networks": {
                track: {
                    "gain": list(network.gain),
                    "sha256": list(network.digests),
                }
                for track, network in self.networks.items()
            },
            "history": self.history.to_dict(),
            "scores": self.scores.to_dict(),
            "info": self.info,
        }
        return text, arrays

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the model to one file.

        A zip of JSON, plain arrays and the ``.keras`` weights: nothing pickled.
        Written under a temporary name and renamed, so never half there.

        Parameters
        ----------
        path : str or path-like
        overwrite : bool, optional
            Replace a model that is there; nothing else is ever replaced.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        GraceError
            There is a file of that name that is not to be replaced.
        """
        target = Path(path)
        check_output(target, overwrite=overwrite, kinds={"model"})
        text, arrays = self._packed()
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        members = {ARRAYS: packed.getvalue()}
        for track, network in self.networks.items():
            for number, content in enumerate(network.members):
                members[_member(track, number)] = content
        text["sha256"] = {name: _digest(content) for name, content in members.items()}
        with (
            writing(target, replace=overwrite) as work,
            zipfile.ZipFile(work, "w", zipfile.ZIP_DEFLATED) as file,
        ):
            every = {TEXT: json.dumps(text, indent=1).encode(), **members}
            for name, content in every.items():
                # without the hour: the same model gives the same bytes
                file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return target


def load_model(path: str | os.PathLike[str]) -> FittedModel:
    """Read a model written by `FittedModel.save`.

    Executes nothing from the file: arrays are read without pickle, networks may hold
    layers of Keras that compute and nothing else, and Keras loads them in safe mode.

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
        When the file is damaged, of another kind, or of another format version.
    """
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(
            f"found no file {str(path)!r}, expected a model written by model.save(): "
            "check the path"
        )
    try:
        with zipfile.ZipFile(source) as file:
            return _model_in(file)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, TypeError) as error:
        raise _refused(path, f"cannot be read as a model ({_line(error)})") from error
    except BROKEN as error:
        raise _refused(path, _line(error)) from error


def model_of(model: FittedModel | str | os.PathLike[str]) -> FittedModel:
    """The model itself, or the one in the file named."""
    return load_model(model) if isinstance(model, str | os.PathLike) else model


def _refused(path: Any, why: str) -> ModelFileError:
    return ModelFileError(
        f"model file {str(path)!r}: {why}, expected a whole file written by "
        "model.save(): copy it again, or fit and save again"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]


def _model_in(file: zipfile.ZipFile) -> FittedModel:
    """Model in an open zip, every part checked before it is used."""
    names = file.namelist()
    check_sizes(file, "the file")
    if TEXT not in names or len(names) != len(set(names)):
        raise ModelFileError(f"found members {', '.join(names)}, expected {TEXT} once")
    text = json.loads(file.read(TEXT))
    _check_text(text)
    networks = {t: _said(t, d) for t, d in text["networks"].items()}
    known = {_member(t, k) for t, d in networks.items() for k in range(len(d))}
    if not set(names) == {TEXT, *text["sha256"]} == {TEXT, ARRAYS, *known}:
        raise ModelFileError(
            f"found members {', '.join(sorted(names))}, expected {TEXT}, {ARRAYS} "
            f"and {', '.join(sorted(known)) or 'no network'}"
        )
    members = {}
    for name, digest in text["sha256"].items():
        members[name] = file.read(name)
        if _digest(members[name]) != digest:
            raise ModelFileError(f"{name} does not match its checksum")
    return _unpacked(text, _arrays(members.pop(ARRAYS)), members)


def _arrays(content: bytes) -> Arrays:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        check_sizes(file, ARRAYS)
    with np.load(io.BytesIO(content), allow_pickle=False) as packed:
        return {name: packed[name] for name in packed.files}


def _check_text(text: Any) -> None:
    if not isinstance(text, dict) or text.get("format") != FORMAT:
        kind = text.get("format") if isinstance(text, dict) else type(text).__name__
        raise ModelFileError(f"found a file of kind {kind!r}, expected {FORMAT!r}")
    version = text.get("format_version")
    if version != FORMAT_VERSION:
        older = isinstance(version, int) and version < FORMAT_VERSION
        raise ModelFileError(
            f"found format version {version!r}, expected {FORMAT_VERSION}: "
            + ("fit again with this version" if older else "use a newer gracelstm_xr")
        )
    for key, kind in KEYS.items():
        if not isinstance(text.get(key), kind):
            said = type(text[key]).__name__ if key in text else "nothing"
            raise ModelFileError(f"found {said} for {key!r}, expected {kind.__name__}")
    if ARRAYS not in text["sha256"]:
        raise ModelFileError(f"found no checksum of {ARRAYS}")


def _unpacked(
    text: Mapping[str, Any], arrays: Arrays, members: Mapping[str, bytes]
) -> FittedModel:
    import xarray as xr

    settings: Settings = unpack(text["settings"], Settings, arrays, "settings")
    recipients: dict[str, Recipient] = unpack(
        text["recipients"],
        dict[str, Recipient],
        arrays,
        "recipients",
        others=baseline_kinds(),
    )
    networks = {t: _network(t, d, members) for t, d in text["networks"].items()}
    for name, recipient in recipients.items():
        _check_recipient(name, recipient, networks)
    return FittedModel(
        # anew, so that the ranges are checked as well as the types
        settings=Settings.from_keywords(settings.to_dict()),
        split=unpack(text["split"], Split, arrays, "split"),
        recipients=recipients,
        networks=networks,
        history=xr.Dataset.from_dict(text["history"]),
        scores=xr.Dataset.from_dict(text["scores"]),
        info=unpack(text["info"], dict[str, str], arrays, "info"),
    )


def _check_recipient(
    name: str, recipient: Recipient, networks: Mapping[str, TrainedNetwork]
) -> None:
    """Refuse a recipient that names what is not in the file."""
    missing = {track.name for track in recipient.tracks} - set(networks)
    if missing or recipient.pair.recipient != name:
        raise ModelFileError(f"found no networks for satellite {name}")
    if recipient.calibration is None:
        return
    methods = set(recipient.methods)
    unknown = recipient.calibration.methods - methods
    without = methods - set(recipient.calibration.spreads)
    if unknown or without:
        raise ModelFileError(
            f"found satellite {name} without "
            f"{', '.join(sorted(unknown or without))} or its sigma"
        )


def _said(track: str, plain: Any) -> list[str]:
    """Checksums of a track's network as model.json has them."""
    if not isinstance(plain, dict) or set(plain) != {"gain", "sha256"}:
        raise ModelFileError(f"found no gain and checksums of the network {track!r}")
    sums = unpack(plain["sha256"], tuple[str, ...], {}, f"networks.{track}.sha256")
    if not sums:
        raise ModelFileError(f"found no members of the network {track!r}")
    return list(sums)


def _network(
    track: str, plain: Mapping[str, Any], members: Mapping[str, bytes]
) -> TrainedNetwork:
    three = tuple[float, float, float]
    gain = unpack(plain["gain"], three, {}, f"networks.{track}.gain")
    names = [_member(track, k) for k in range(len(plain["sha256"]))]
    for name in names:
        check_network(members[name], name)
    found = TrainedNetwork(tuple(members[name] for name in names), gain)
    if list(found.digests) != plain["sha256"]:
        raise ModelFileError(f"found other members of the network {track!r}")
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _member(track: str, number: int) -> str:
    return f"{track}-{number}.keras"
