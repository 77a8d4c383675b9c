"""Small Datasets in the data model, made from closed formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

REVOLUTION = 5640.0  # [s]
BIASES = {"A": (1.2e-6, -2.85e-5, 5.3e-7), "B": (5.5e-7, -9.4e-6, 8.2e-7)}


#: A fit small enough for tests.
SMALL_FIT = {
    "epochs": 2,
    "windows_per_epoch": 64,
    "units": 8,
    "window": 36,
    "embargo": 3600.0,
    "hindcasts": 8,
    "seed": 5,
}


def make_grid(
    *,
    start: str = "2008-01-01",
    size: int = 86400,
    satellites: str = "AB",
    gaps: dict[str, list[tuple[int, int]]] | None = None,
    filled: bool = False,
    orbit: bool = False,
    noise: float = 2e-10,
    seed: int = 0,
) -> xr.Dataset:
    """Return a two-satellite Dataset at 1 Hz.

    `gaps` maps a satellite to (first, past) positions that are missing. With
    `filled` the gaps carry an estimate by the network, with `orbit` there are
    Earth-fixed positions every 60 s.
    """
    from gracelstm_xr.core.index import regular_coords
    from gracelstm_xr.core.time import RegularAxis

    axis = RegularAxis(
        np.datetime64(start, "ns"), np.timedelta64(1_000_000_000, "ns"), size
    )
    rng = np.random.default_rng(seed)
    seconds = np.arange(size, dtype=float)
    accl = np.stack([_signal(s, seconds, noise, rng) for s in satellites])
    flags = np.zeros((len(satellites), size), dtype="uint8")
    missing = np.zeros((len(satellites), size), dtype=bool)
    for name, spans in (gaps or {}).items():
        for first, past in spans:
            missing[satellites.index(name), first:past] = True
    truth = accl.copy()
    accl[missing] = np.nan
    dims = ("satellite", "time", "axis")
    variables: dict[str, Any] = {
        "lin_accl": (dims, accl, _attrs("lin_accl")),
        "acl_res": (
            dims,
            np.where(missing[..., None], np.nan, 1e-12),
            _attrs("acl_res"),
        ),
        "ang_accl": (
            dims,
            np.where(missing[..., None], np.nan, 1e-7 * np.cos(seconds)[None, :, None]),
            _attrs("ang_accl"),
        ),
        "acc_qualflg": (dims[:2], flags, _flags()),
    }
    variables["ang_accl"] = (
        dims,
        np.broadcast_to(variables["ang_accl"][1], accl.shape).copy(),
        _attrs("ang_accl"),
    )
    variables["acl_res"] = (
        dims,
        np.broadcast_to(variables["acl_res"][1], accl.shape).copy(),
        _attrs("acl_res"),
    )
    if filled:
        variables |= _filled(accl, truth, missing)
    if orbit:
        variables["position"] = (dims, _orbit(satellites, seconds), _attrs("position"))
    coords = {
        "satellite": ("satellite", list(satellites), _attrs("satellite")),
        "axis": ("axis", ["x", "y", "z"], _attrs("axis")),
    }
    ds = xr.Dataset(variables, coords=coords).assign_coords(regular_coords(axis))
    ds.attrs = {"title": "made for a test", "history": "2026-01-01 made"}
    return ds


def _attrs(name: str) -> dict[str, Any]:
    from gracelstm_xr.core.conventions import attributes_of

    return dict(attributes_of(name))


def _flags() -> dict[str, Any]:
    from gracelstm_xr.core.conventions import flag_attributes
    from gracelstm_xr.l1b import product_of

    meanings = product_of("ACC1B", "A").flags["acc_qualflg"]
    return _attrs("acc_qualflg") | flag_attributes(meanings, "uint8")


def _signal(
    satellite: str, seconds: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray:
    phase = 2 * np.pi * seconds / REVOLUTION
    sign = 1.0 if satellite in "AC" else -1.0
    signal = np.stack(
        [
            sign * 4e-8 * np.sin(phase),
            sign * 2e-8 * np.cos(2 * phase),
            1e-8 * np.sin(phase + 1),
        ],
        axis=-1,
    )
    bias = BIASES.get(satellite, BIASES["A"])
    return signal + np.array(bias) + noise * rng.standard_normal(signal.shape)


def _filled(accl: np.ndarray, truth: np.ndarray, missing: np.ndarray) -> dict[str, Any]:
    dims = ("satellite", "time", "axis")
    gap = np.broadcast_to(missing[..., None], accl.shape)
    return {
        "lin_accl_filled": (
            dims,
            np.where(gap, truth + 1e-9, accl),
            _attrs("lin_accl_filled"),
        ),
        "lin_accl_filled_sigma": (
            dims,
            np.where(gap, 2e-9, np.nan),
            _attrs("lin_accl_filled_sigma"),
        ),
        "lin_accl_fill_method": (
            dims,
            gap.astype("uint8"),
            _attrs("lin_accl_fill_method"),
        ),
    }


def _orbit(satellites: str, seconds: np.ndarray) -> np.ndarray:
    """Circular polar orbit seen from the turning Earth, one fix a minute [m]."""
    lag = 27.0 * np.arange(len(satellites))[:, None]
    angle = 2 * np.pi * (seconds + lag) / REVOLUTION
    node = -2 * np.pi * (seconds + lag) / 86164.0
    radius = 6.858e6
    position = np.stack(
        [
            radius * np.cos(angle) * np.cos(node),
            radius * np.cos(angle) * np.sin(node),
            radius * np.sin(angle),
        ],
        axis=-1,
    )
    position[:, seconds % 60 != 0] = np.nan
    return position
