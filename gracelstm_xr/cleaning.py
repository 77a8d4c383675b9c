"""The ACC1B low-pass, band-limited resampling, and marking of bad samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gracelstm_xr.crn import WINDOW, crn_gain

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["clean", "crn_filter", "resample", "upsample"]

Array = npt.NDArray[np.float64]

#: Longest sampling that holds the band of ACC1B [s].
LOSSLESS = 10.0
#: Context of a resampled block [s].
RESAMPLING_HALO = 3600.0


def crn_filter(step: float = 1.0, *, delay: float = 0.0) -> Array:
    """Impulse response of the ACC1B low-pass, sampled every ``step`` seconds.

    The seventh-order self-convolved rectangular window with a 140.7 s span and a
    35 mHz pass band (GRACE Level-1B ATBD v1.2, section on the CRN filter).

    Parameters
    ----------
    step : float
        Sampling interval [s].
    delay : float
        Shift of the response to later times [s]; 0.5 places an impulse in the middle
        of the second that carries its time tag.

    Returns
    -------
    ndarray, shape (2 m + 1,)
        Response [s-1], centred, unit sum times ``1 / step``.
    """
    rate = 10.0
    spectrum = crn_gain(rate)
    n = len(spectrum)
    k = np.arange(n) - n // 2
    reach = int(WINDOW / 2 / step)
    times = np.arange(-reach, reach + 1) * step - delay
    response = np.cos(2 * np.pi * np.outer(times * rate / n, k)) @ spectrum
    response[np.abs(times) > WINDOW / 2] = 0.0
    result: Array = response / (response.sum() * step)
    return result


def upsample(values: Array, ratio: int, *, reach: int = 8) -> Array:
    """Band-limited interpolation between regular nodes.

    A Kaiser-windowed sinc; beyond its ends the series is mirrored about its end
    values, so that slopes go on.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Finite samples.
    ratio : int
        New samples per old one.
    reach : int
        Nodes used on either side.

    Returns
    -------
    ndarray, shape ((n - 1) * ratio + 1, k)
        The old samples exactly, and ``ratio - 1`` new ones between two of them.
    """
    if ratio == 1 or len(values) < 2:
        return values.copy()
    pad = ((reach, reach), (0, 0))
    padded = np.pad(values, pad, mode="reflect", reflect_type="odd")
    offsets = np.arange(-reach + 1, reach + 1)
    result = np.empty(((len(values) - 1) * ratio + 1, values.shape[1]))
    result[::ratio] = values
    for phase in range(1, ratio):
        x = offsets - phase / ratio
        weights = np.sinc(x) * _kaiser(x / reach)
        weights /= weights.sum()
        total = np.zeros((len(values) - 1, values.shape[1]))
        for offset, weight in zip(offsets, weights, strict=True):
            first = reach + offset
            total += weight * padded[first : first + len(values) - 1]
        result[phase::ratio] = total
    return result


def _kaiser(x: Array) -> Array:
    """Kaiser window of shape 6 on -1 to 1."""
    return np.asarray(np.i0(6.0 * np.sqrt(np.clip(1 - x**2, 0, None))))


def resample(ds: xr.Dataset, step: str | float) -> xr.Dataset:
    """Change the sampling of a Dataset within the band of the data; lazy.

    To a coarser step: every n-th sample. ACC1B is low-passed at 35 mHz, so up to 10 s
    little is lost (what the filter lets through up to 60 mHz: on simulated data
    2e-11 m s-2 on x and 1e-10 on y and z, there and back). Beyond 10 s accelerations
    are first low-passed at 0.8 of the new Nyquist frequency, which costs two and a half
    new steps beside every gap. To a finer step: accelerations are interpolated
    band-limited inside each stretch between gaps, never across one, and other
    variables are left out.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model on a regular axis.
    step : str or float
        New sampling, as a duration ("10s", "1min") or in seconds; a multiple or a
        whole fraction of the present one.

    Returns
    -------
    xarray.Dataset
        On the new regular axis, starting at the same epoch.

    Raises
    ------
    ValueError
        When neither sampling is a multiple of the other.
    """
    import pandas as pd

    from gracelstm_xr.timebase import axis_of

    axis = axis_of(ds)
    new = pd.Timedelta(step) if isinstance(step, str) else pd.Timedelta(step, "s")
    wanted, present = new.total_seconds(), float(axis.step / np.timedelta64(1, "s"))
    down, up = round(wanted / present), round(present / wanted)
    if not np.isclose(wanted, down * present) and not np.isclose(present, up * wanted):
        raise ValueError(
            f"found a step of {wanted:g} s for data of {present:g} s, expected a "
            "multiple or a whole fraction: choose another step"
        )
    if down >= 1 and np.isclose(wanted, down * present):
        low = _map_vectors(ds, _low_pass_block, wanted) if wanted > LOSSLESS else ds
        return low.isel(time=slice(None, None, down))
    return _finer(ds, up)


def _finer(ds: xr.Dataset, ratio: int) -> xr.Dataset:
    """Vectors on an axis ``ratio`` times as dense, ending at the last old sample."""
    import dask.array as da
    import xarray as xr

    from gracelstm_xr.timebase import EPOCH, RegularAxis, axis_of, regular_coords

    axis = axis_of(ds)
    size = (axis.size - 1) * ratio + 1
    fine = RegularAxis(axis.start, axis.step // ratio, size)
    spread = {}
    for name, variable in _vectors(ds).items():
        series = variable.transpose(..., "time", "axis")
        repeated = da.repeat(da.asarray(series.data), ratio, axis=series.ndim - 2)
        spread[name] = (series.dims, repeated[..., :size, :], variable.attrs)
    others = {k: v for k, v in ds.coords.items() if "time" not in v.dims}
    result = xr.Dataset(spread, coords=others, attrs=ds.attrs)
    result = result.assign_coords(regular_coords(fine))
    origin = float((axis.start - EPOCH) / np.timedelta64(1, "s"))
    return _map_vectors(result, _upsample_block, ratio, origin)


def _vectors(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    """Accelerations: what has a low-pass band."""
    return {
        str(name): variable
        for name, variable in ds.data_vars.items()
        if {"time", "axis"} <= set(variable.dims)
        and variable.attrs.get("units") in ("m s-2", "rad s-2")
    }


def _map_vectors(ds: xr.Dataset, function: Any, *parameters: Any) -> xr.Dataset:
    """Apply a block function to every acceleration of every satellite."""
    import xarray as xr

    from gracelstm_xr.blocks import map_time_blocks

    result = ds.copy()
    for name, variable in _vectors(ds).items():
        one = "satellite" not in variable.dims
        stacked = variable.expand_dims("satellite") if one else variable
        parts = []
        for i in range(stacked.sizes["satellite"]):
            series = stacked.isel(satellite=i).transpose("time", "axis")
            done = map_time_blocks(
                function,
                {"values": series},
                ds,
                *parameters,
                halo=RESAMPLING_HALO,
                outputs={"values": ((3,), np.float64)},
            )
            parts.append(xr.DataArray(done["values"], dims=("time", "axis")))
        joined = parts[0] if one else xr.concat(parts, dim="satellite")
        joined = joined.transpose(*variable.dims)
        result[name] = (variable.dims, joined.data, variable.attrs)
    return result


def _low_pass_block(
    t: Array, arrays: Mapping[str, Array], keep: slice, step: float
) -> dict[str, Array]:
    values = np.asarray(arrays["values"], dtype=np.float64)
    ratio = step / (t[1] - t[0])
    half = int(2.5 * ratio)
    n = np.arange(-half, half + 1)
    taps = np.sinc(0.8 * n / ratio) * _kaiser(n / (half + 1))
    taps /= taps.sum()
    padded = np.pad(values, ((half, half), (0, 0)), constant_values=np.nan)
    result = np.zeros_like(values)
    for i, tap in enumerate(taps):
        result += tap * padded[i : i + len(values)]
    return {"values": result[keep]}


def _upsample_block(
    t: Array, arrays: Mapping[str, Array], keep: slice, ratio: int, origin: float
) -> dict[str, Array]:
    """Stretches between gaps, each interpolated on its own."""
    from gracelstm_xr.gaps import runs

    dense = np.asarray(arrays["values"], dtype=np.float64)
    first = round((origin - t[0]) / (t[1] - t[0])) % ratio
    nodes = dense[first::ratio]
    result = np.full_like(dense, np.nan)
    for k in range(dense.shape[1]):
        for a, b in runs(np.isfinite(nodes[:, k])):
            piece = upsample(nodes[a:b, k : k + 1], ratio, reach=min(8, b - a - 1))
            start = first + a * ratio
            stop = min(start + len(piece), len(dense))
            result[start:stop, k] = piece[: stop - start, 0]
    return {"values": result[keep]}


def clean(
    ds: xr.Dataset, *, limit: float = 1e-4, spike: float = 12.0, widen: float = 0.0
) -> xr.Dataset:
    """Mark doubtful accelerations in ``acc_cleanflg``; lazy, nothing is deleted.

    A sample is a *spike* when it departs from the median of its six neighbours, and
    from the polynomial through them, by more than ``spike`` robust standard deviations
    of that departure within 20 min: local, so that storms survive, and beyond what the
    35 mHz low-pass lets through, so that thruster firings do.

    Parameters
    ----------
    ds : xarray.Dataset
        Data model with ``lin_accl``.
    limit : float
        Largest plausible acceleration [m s-2].
    spike : float
        Robust standard deviations.
    widen : float
        Also mark samples within so many seconds of a gap; 70 s is half the window of
        the Level-1B filter, which a hole in the raw data spoils.

    Returns
    -------
    xarray.Dataset
        ``ds`` with ``acc_cleanflg`` (uint8): 1 implausible, 2 spike, 4 near a gap.
    """
    import xarray as xr

    from gracelstm_xr import conventions
    from gracelstm_xr.blocks import map_time_blocks

    conventions.require("lin_accl", ds.variables, remedy="open ACC1B data first")
    parts = []
    for satellite in np.atleast_1d(ds["satellite"].values):
        series = ds["lin_accl"].sel(satellite=satellite).transpose("time", "axis")
        done = map_time_blocks(
            _clean_block,
            {"values": series},
            ds,
            float(limit),
            float(spike),
            float(widen),
            halo=1260.0 + widen,
            outputs={"flag": ((), np.uint8)},
        )
        parts.append(xr.DataArray(done["flag"], dims="time"))
    stacked = xr.concat(parts, dim="satellite")
    attrs = conventions.attributes_of("acc_cleanflg") | {
        "flag_masks": np.array([1, 2, 4], dtype=np.uint8),
        "flag_meanings": "implausible spike near_gap",
        "comment": f"limit {limit:g} m s-2, spike {spike:g} sigma, widen {widen:g} s",
    }
    return ds.assign(acc_cleanflg=(stacked.dims, stacked.data, attrs))


def _clean_block(
    t: Array,
    arrays: Mapping[str, Array],
    keep: slice,
    limit: float,
    spike: float,
    widen: float,
) -> dict[str, npt.NDArray[np.uint8]]:
    from gracelstm_xr.gaps import edge_distance

    values = np.asarray(arrays["values"], dtype=np.float64)
    flag = np.zeros(len(values), dtype=np.uint8)
    flag[(np.abs(values) > limit).any(axis=1)] |= 1
    for series in values.T:
        flag[_spikes(t, series, spike)] |= 2
    if widen:
        there = np.asarray(np.isfinite(values).any(axis=1), dtype=bool)
        before, after = edge_distance(there)
        near = np.minimum(before, after) * (t[1] - t[0]) <= widen
        flag[near & there] |= 4
    return {"flag": flag[keep]}


def _spikes(t: Array, series: Array, threshold: float) -> npt.NDArray[np.bool_]:
    """Samples far from three neighbours on either side."""
    n = len(series)
    padded = np.pad(series, 3, constant_values=np.nan)
    around = np.stack([padded[i : i + n] for i in (0, 1, 2, 4, 5, 6)])
    known = np.isfinite(series) & np.isfinite(around).all(axis=0)
    centre = np.full(n, np.nan)
    centre[known] = np.median(around[:, known], axis=0)
    # the sixth difference: a firing bends too much for the median to follow, but
    # has nothing at the frequencies that are left here
    smooth = np.array([1, -6, 15, 15, -6, 1]) / 20 @ around
    median = _far(t, np.abs(series - centre), threshold)
    return median & _far(t, np.abs(series - smooth), threshold)


def _far(t: Array, away: Array, threshold: float) -> npt.NDArray[np.bool_]:
    """Where a departure is beyond its robust standard deviation within 20 min."""
    n = len(away)
    result = np.zeros(n, dtype=bool)
    step = t[1] - t[0]
    half = round(600 / step)
    # stretches start at absolute multiples of 10 min, however time is cut
    for first in range(-(round(t[0] / step) % half), n, half):
        part = slice(max(first, 0), first + half)
        near = away[max(first - half, 0) : max(first + 2 * half, 0)]
        near = near[np.isfinite(near)]
        if len(near) >= 20:
            sigma = max(1.4826 * float(np.median(near)), 1e-12)
            result[part] = away[part] > threshold * sigma
    return result
