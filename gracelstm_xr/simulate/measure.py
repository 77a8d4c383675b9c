"""How close a simulated archive is to what real GRACE data look like."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.core.index import axis_of
from gracelstm_xr.core.time import day_slices
from gracelstm_xr.errors import GraceError
from gracelstm_xr.simulate import atmosphere, geometry, instrument
from gracelstm_xr.simulate.config import Scenario, day_number
from gracelstm_xr.simulate.day import states
from gracelstm_xr.simulate.rng import SECONDS
from gracelstm_xr.simulate.thrusters import firings
from gracelstm_xr.simulate.truth import open_truth

if TYPE_CHECKING:
    import xarray as xr


#: Step at which the series are compared [s].
STEP = 10


def anchors(source: str | os.PathLike[str] | xr.Dataset) -> xr.Dataset:
    """Measure a simulated archive against the numbers of real data.

    Parameters
    ----------
    source : str, PathLike or xarray.Dataset
        Folder written by `simulate_archive`, or what `open_truth` or
        `simulate_truth` returned.

    Returns
    -------
    xarray.Dataset
        Per whole GPS day of ``source`` (dim ``day``): ``ap``, ``solar_flux``;
        ``transplant`` (day, axis), RMS that a transplant of the first satellite to
        the second leaves without thrusters [m s-2]; ``swing`` (day, satellite, axis),
        median peak to peak per revolution [m s-2]; ``spike`` (day, satellite), 90th
        percentile of the filtered peaks of single firings, largest axis [m s-2];
        ``firings``; ``raw_mean`` (day, satellite, axis) [m s-2]; ``noise`` (day,
        satellite, axis), RMS over 0.1-35 mHz in units of Kim (2000); ``lag`` [s];
        ``observed`` (day, satellite), share of the day with records.

    Raises
    ------
    GraceError
        When ``source`` holds no whole GPS day.

    Notes
    -----
    The transplant here shifts by the lag, rotates with both attitudes and fits
    one scale, bias and drift per axis and day.
    """
    import xarray as xr

    truth = source if isinstance(source, xr.Dataset) else open_truth(source)
    scenario = Scenario.from_json(truth.attrs["simulation"])
    parts = _whole_days(truth)
    days = [
        _one_day(scenario, day_number(date), day_truth.compute())
        for date, day_truth in parts.items()
    ]
    dims = {
        "transplant": ("axis",),
        "swing": ("satellite", "axis"),
        "spike": ("satellite",),
        "firings": ("satellite",),
        "raw_mean": ("satellite", "axis"),
        "noise": ("satellite", "axis"),
        "observed": ("satellite",),
    }
    variables = {
        name: (("day", *dims.get(name, ())), np.stack([day[name] for day in days]))
        for name in days[0]
    }
    ds = xr.Dataset(variables, attrs={"source": truth.attrs["source"]})
    return ds.assign_coords(
        day=np.array(list(parts), dtype="datetime64[ns]"),
        satellite=list(scenario.satellites),
        axis=list("xyz"),
    )


def _whole_days(truth: xr.Dataset) -> dict[dt.date, xr.Dataset]:
    """The whole GPS days of a truth, which may be a part of its scenario."""
    axis = axis_of(truth)
    parts: dict[dt.date, xr.Dataset] = {}
    for place in day_slices(axis):
        if place.stop - place.start == SECONDS:
            date = (axis.start + place.start * axis.step).astype("datetime64[D]")
            parts[date.item()] = truth.isel(time=place)
    if not parts:
        raise GraceError(
            f"found {axis.size} s of simulated truth, expected a whole GPS day: "
            "select days from midnight to midnight"
        )
    return parts


def _one_day(scenario: Scenario, day: int, truth: xr.Dataset) -> dict[str, Any]:
    raw = truth["lin_accl"].to_numpy()
    scale = truth["scale"].to_numpy()[:, None]
    felt = scale * raw - truth["thruster"].to_numpy()
    coarse = np.arange(0.0, 86400.0, 600.0)
    return {
        "ap": atmosphere.ap_index(scenario, day, coarse).mean(),
        "solar_flux": atmosphere.solar_flux(scenario, day, coarse)[0].mean(),
        "lag": geometry.lag(scenario, day, coarse).mean(),
        "transplant": _transplant(scenario, day, felt, truth["bias"].to_numpy()),
        "swing": _swing(scenario, felt),
        "spike": np.array([_spike(scenario, day, k) for k in (0, 1)]),
        "firings": np.array([len(firings(scenario, day, k).time) for k in (0, 1)]),
        "raw_mean": raw.mean(axis=1),
        "noise": np.stack([_noise_ratio(n) for n in truth["noise"].to_numpy()]),
        "observed": truth["observed"].to_numpy().mean(axis=1),
    }


def _transplant(scenario: Scenario, day: int, felt: Array, bias: Array) -> Array:
    """RMS [m s-2] per axis of second minus transplanted first satellite."""
    from scipy.interpolate import CubicSpline

    t = np.arange(120.0, 86280.0, STEP)
    lag = geometry.lag(scenario, day, t)
    # the leading donor passed here one lag ago, the trailing one will
    shifted = t - lag if geometry.leader(scenario, day) == 0 else t + lag
    donor = felt[0] + bias[0].mean(axis=0)
    seen = CubicSpline(np.arange(86400.0), donor)(shifted)
    own = states(scenario, day, t).attitude[1]
    other = states(scenario, day, shifted).attitude[0]
    moved = np.einsum("nij,nkj,nk->ni", own, other, seen)
    target = felt[1][t.astype(int)] + bias[1].mean(axis=0)
    drift = np.linspace(-1.0, 1.0, len(t))
    result = []
    for axis in range(3):
        a = np.stack([moved[:, axis] * 1e9, np.ones(len(t)), drift], axis=1)
        b = target[:, axis] * 1e9
        fitted, *_ = np.linalg.lstsq(a, b, rcond=None)
        result.append(1e-9 * np.sqrt(np.mean((b - a @ fitted) ** 2)))
    return np.array(result)


def _swing(scenario: Scenario, felt: Array) -> Array:
    """Median peak to peak per revolution [m s-2], (satellite, axis)."""
    revolution = round(2 * np.pi / geometry.nodal_rate(scenario))
    count = felt.shape[1] // revolution
    cut = felt[:, : count * revolution].reshape(2, count, revolution, 3)
    result: Array = np.median(np.ptp(cut, axis=2), axis=1)
    return result


def _spike(scenario: Scenario, day: int, satellite: int) -> float:
    peak = instrument.crn_response(np.zeros(1))[0]
    velocity = firings(scenario, day, satellite).velocity
    return float(np.quantile(np.abs(velocity).max(axis=1) * peak, 0.9))


def _noise_ratio(noise: Array) -> Array:
    """RMS over 0.1-35 mHz divided by that of Kim (2000), per axis."""
    from scipy.signal import welch

    f, density = welch(noise.astype(np.float64), fs=1.0, nperseg=21600, axis=0)
    band = (f >= 1e-4) & (f <= 0.03)
    expected = instrument.kim_density(f[band])
    result: Array = np.sqrt(density[band].sum(axis=0) / expected.sum(axis=0))
    return result


def anchors_table(measured: xr.Dataset) -> str:
    """Lines of text: every anchor, what was measured, what real data show.

    Parameters
    ----------
    measured : xarray.Dataset
        Result of `anchors`.
    """
    nano = 1e9 * measured[["transplant", "swing", "spike"]]
    lines = [
        "day         ap   F10.7  transplant x    y    z   swing x    y    z  nm/s2"
    ]
    for i, stamp in enumerate(measured["day"].to_numpy()):
        one, extra = nano.isel(day=i), measured.isel(day=i)
        left = " ".join(f"{v:4.1f}" for v in one["transplant"].to_numpy())
        swing = " ".join(f"{v:4.0f}" for v in one["swing"].max("satellite").to_numpy())
        lines.append(
            f"{str(stamp)[:10]} {float(extra['ap']):4.0f} "
            f"{float(extra['solar_flux']):7.1f}       {left}      {swing}"
        )
    rows = [
        ("transplant x, quietest day [nm s-2]", _at(nano, measured, low=True), "< 1"),
        (
            "transplant x, most disturbed day",
            _at(nano, measured, low=False),
            "storm: 2",
        ),
        ("swing x, largest day", nano["swing"].sel(axis="x").max(), "10 to 350"),
        ("swing y, median", nano["swing"].sel(axis="y").median(), "20 to 80"),
        ("swing z, median", nano["swing"].sel(axis="z").median(), "20 to 80"),
        ("thruster spikes, 90th percentile", nano["spike"].mean(), "10 to 40"),
        ("firings per satellite and day", measured["firings"].mean(), "350"),
        ("noise x over Kim", measured["noise"].sel(axis="x").mean(), "1"),
        ("noise y over Kim", measured["noise"].sel(axis="y").mean(), "1"),
        ("lag [s]", measured["lag"].mean(), "21 to 35"),
    ]
    lines += ["", f"{'simulated':>44}   real data"]
    lines += [f"{name:<36}{float(value):8.2f}   {real}" for name, value, real in rows]
    return "\n".join(lines)


def _at(nano: xr.Dataset, measured: xr.Dataset, *, low: bool) -> xr.DataArray:
    ap = measured["ap"].to_numpy()
    index = int(np.argmin(ap) if low else np.argmax(ap))
    return nano["transplant"].sel(axis="x").isel(day=index)
