"""Figures of a Dataset by their content: lines, labels, units, limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import xarray as xr
from figures import check_colours, check_layout, lines_by_label

from gracelstm_xr import plot
from gracelstm_xr.errors import GraceError
from gracelstm_xr.plot.blocks import Thinned, thin
from gracelstm_xr.plot.cells import between_fixes, turn_cells
from gracelstm_xr.plot.missing import missing_by_day
from gracelstm_xr.plot.spectra import density
from gracelstm_xr.signal.noise import design_noise, ranging_noise

DAY = 86_400


@pytest.fixture(autouse=True)
def backend() -> Iterator[None]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="module")
def day(make_grid: Any) -> xr.Dataset:
    gaps = {"A": [(20000, 26000)], "B": [(1000, 5000), (40000, 80000)]}
    ds = make_grid(gaps=gaps, filled=True, orbit=True)
    ds.attrs["title"] = "Simulated twin archive"
    return ds


@pytest.fixture(scope="module")
def days(make_grid: Any) -> xr.Dataset:
    """Five days from noon on, one lost second, one lost day, one spike."""
    gaps = {"A": [(100_000, 100_001)], "B": [(DAY // 2, 3 * DAY // 2), (0, 10)]}
    ds = make_grid(
        start="2008-02-28T12:00", size=5 * DAY, gaps=gaps, orbit=True, filled=True
    )
    values = ds["lin_accl"].values.copy()
    values[0, 200_000, 0] += 3e-7
    return ds.assign(lin_accl=(ds["lin_accl"].dims, values, ds["lin_accl"].attrs))


def test_series_lines_units_and_shading(day: xr.Dataset) -> None:
    ax = day.grace.plot.series(satellite="B", axis="y")
    lines = lines_by_label(ax)
    values = day["lin_accl"].sel(satellite="B", axis="y").values
    drawn = lines["observed"].get_ydata()
    mean = np.nanmean(values)
    assert np.nanmax(drawn) == pytest.approx(1e9 * (np.nanmax(values) - mean))
    assert np.nanmin(drawn) == pytest.approx(1e9 * (np.nanmin(values) - mean))
    made = day["lin_accl_filled"].sel(satellite="B", axis="y").values[np.isnan(values)]
    assert np.nanmin(lines["filled"].get_ydata()) == pytest.approx(
        1e9 * (made.min() - mean)
    )
    assert ax.get_ylabel() == "y acceleration $-$ mean [nm s$^{-2}$]"
    assert ax.get_title(loc="left") == "GRACE B, simulated data"
    assert ax.get_xlabel() == "GPS time"
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["observed", "gap", "filled", "$\\pm$2 sigma"]
    check_layout(ax.figure)


def test_series_shades_gaps_and_bands_them(day: xr.Dataset) -> None:
    """Gaps of 4000 s and 40,000 s, the band 2 sigma of 2 nm s-2 on either side."""
    ax = day.grace.plot.series(satellite="B", axis="z")
    shaded = next(c for c in ax.collections if c.get_label() == "gap")
    spans = [p.get_extents().width * DAY for p in shaded.get_paths()]
    np.testing.assert_allclose(spans, [4000, 40_000], atol=2 * DAY / 2000)
    band = next(c for c in ax.collections if "sigma" in str(c.get_label()))
    edge = np.concatenate([path.vertices[:, 1] for path in band.get_paths()])
    made = 1e9 * day["lin_accl_filled"].sel(satellite="B", axis="z").values
    gap = np.isnan(day["lin_accl"].sel(satellite="B", axis="z").values)
    mean = 1e9 * float(day["lin_accl"].sel(satellite="B", axis="z").mean())
    assert edge.max() == pytest.approx(made[gap].max() - mean + 4, abs=1e-3)


def test_series_shows_what_cleaning_condemned(day: xr.Dataset) -> None:
    flag = xr.zeros_like(day["acc_qualflg"])
    flag[0, 50_000:50_500] = 1
    ds = day.assign(acc_cleanflg=flag.assign_attrs(treated_as_missing=1))
    lines = lines_by_label(ds.grace.plot.series(satellite="A"))
    assert set(lines) == {"observed", "marked", "filled"}
    assert np.isfinite(lines["marked"].get_ydata()).sum() > 10


def test_series_draws_where_told_and_returns_it(day: xr.Dataset) -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    span = {"start": "2008-01-01T01:00", "stop": "2008-01-01T02:00"}
    assert plot.series(day, ax=ax, color="k", **span) is ax
    assert ax.get_lines()[0].get_color() == "k"
    check_layout(ax.figure)


def test_overview_has_a_panel_per_axis(day: xr.Dataset) -> None:
    figure = day.grace.plot.overview(satellite="A")
    assert [ax.get_ylabel()[0] for ax in figure.axes] == ["x", "y", "z"]
    check_layout(figure)


def test_thinning_keeps_spikes_and_breaks() -> None:
    values = np.zeros(1_000_000)
    values[123_457], values[700_001] = 50.0, -20.0
    values[400_000:420_000] = np.nan
    found = Thinned.of(values, 500)
    at, drawn = found.line()
    assert len(drawn) < 5000
    assert at[np.nanargmax(drawn)] == 123_457
    assert (np.nanmax(drawn), np.nanmin(drawn)) == (50.0, -20.0)
    assert np.isnan(drawn[(at >= 400_000) & (at < 420_000)]).all()
    assert (np.diff(at) > 0).all()
    assert found.missing.sum() == 20_000
    assert found.mean == pytest.approx(30 / 980_000)


@pytest.mark.parametrize("chunk", [DAY, 100_000, 5 * DAY])
def test_reductions_do_not_depend_on_chunks(days: xr.Dataset, chunk: int) -> None:
    one = days.isel(satellite=0)
    cut = one.chunk({"time": chunk})
    value = {"value": one["lin_accl"].isel(axis=0)}
    lazy = {"value": cut["lin_accl"].isel(axis=0)}
    for name in ("low", "high", "low_at", "high_at", "known"):
        a, b = (thin(dict, v, d)["value"] for v, d in ((value, one), (lazy, cut)))
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    value["position"], lazy["position"] = one["position"], cut["position"]
    a, b = (turn_cells(v, d, columns=50) for v, d in ((value, one), (lazy, cut)))
    np.testing.assert_array_equal(a.count, b.count)
    np.testing.assert_array_equal(a.high, b.high)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-12)
    spectra = [density(v["value"], d) for v, d in ((value, one), (lazy, cut))]
    np.testing.assert_allclose(spectra[0][1], spectra[1][1], rtol=1e-9)
    shares = [missing_by_day(d) for d in (days, days.chunk({"time": chunk}))]
    np.testing.assert_array_equal(*shares)


def test_gaps_shows_bars_and_fractions(day: xr.Dataset) -> None:
    ax = day.grace.plot.gaps()
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["A  1 gap, 6.9 %", "B  2 gaps, 51 %"]
    bars = [c.get_paths() for c in ax.collections]
    assert [len(b) for b in bars] == [1, 1, 1, 2]
    assert bars[1][0].get_extents().width == pytest.approx(6000 / DAY)
    assert ax.get_title(loc="left") == "GRACE A, B, simulated data"
    check_layout(ax.figure)


def test_missing_by_day_counts_every_second(days: xr.Dataset) -> None:
    """From noon: half a day, four whole ones, half a day."""
    share = missing_by_day(days)
    assert str(share["day"].values[0])[:10] == "2008-02-28"
    half = DAY / 2
    np.testing.assert_allclose(share.sel(satellite="A"), [0, 1 / DAY, 0, 0, 0, 0])
    np.testing.assert_allclose(share.sel(satellite="B"), [10 / half, 1, 0, 0, 0, 0])


def test_calendar_puts_days_in_rows_and_classes(days: xr.Dataset) -> None:
    ax = days.grace.plot.calendar()
    rows = [t.get_text() for t in ax.get_yticklabels()]
    assert rows == ["A  2008-02", "A  2008-03", "B  2008-02", "B  2008-03"]
    table = ax.collections[0].get_array().reshape(5, 31)
    # 28 and 29 February, then March; classes: none, a minute, ..., all
    assert table[0, 27:29].tolist() == [0, 1]
    assert table[1, :4].tolist() == [0, 0, 0, 0]
    assert table[3, 27:29].tolist() == [1, 6]
    assert table.mask[2].all()
    assert table.mask[0, :27].all()
    assert "GPS time" in ax.get_xlabel()
    check_layout(ax.figure)


def test_calendar_of_years_keeps_dates_under_each_other(days: xr.Dataset) -> None:
    ax = days.grace.plot.calendar(rows="year", satellite="A")
    table = ax.collections[0].get_array().reshape(1, 366)
    assert np.flatnonzero(~table.mask[0]).tolist() == [58, 59, 60, 61, 62, 63]
    assert [t.get_text() for t in ax.get_xticklabels()][:3] == ["Jan", "Feb", "Mar"]
    check_layout(ax.figure)
    with pytest.raises(GraceError, match="expected 'month' or 'year'"):
        plot.calendar(days, rows="week")


def test_spectrum_recovers_a_known_density(make_grid: Any) -> None:
    """White noise of 1 nm s-2 at 1 Hz has sqrt(2) nm s-2 Hz-1/2."""
    ds = make_grid(size=40000, noise=1e-9, seed=3)
    ax = ds.grace.plot.spectrum(satellite="A", axis="z")
    f, asd = ax.get_lines()[0].get_data()
    assert np.sqrt(np.mean(asd[f > 0.05] ** 2)) == pytest.approx(np.sqrt(2), rel=0.05)
    lines = lines_by_label(ax)
    assert len(lines) == 3
    f, kim = lines["design, Kim (2000)"].get_data()
    np.testing.assert_allclose(kim, 1e9 * np.sqrt((1 + 0.005 / f) * 1e-20))
    assert ax.get_ylabel().endswith("[nm s$^{-2}$ Hz$^{-1/2}$]")
    assert ax.get_xlabel() == "frequency [Hz]"
    assert "unstated origin" in ax.get_title(loc="left")
    check_layout(ax.figure)
    check_colours(
        [(x.get_color(), x.get_marker(), x.get_linestyle()) for x in lines.values()]
    )


def test_spectrum_of_a_series_with_gaps_matches_scipy(make_grid: Any) -> None:
    from scipy.signal import welch

    ds = make_grid(size=40_960, noise=1e-9, seed=4)
    series = ds["lin_accl"].isel(satellite=0, axis=2)
    f, asd = density(series, ds)
    estimate: Any = welch
    options = {"nperseg": 16_384, "noverlap": 12_288, "detrend": "linear"}
    wanted, power = estimate(series.values, fs=1.0, **options)
    np.testing.assert_allclose(f, wanted[2:])
    # scipy's window is the same; its last bin is not doubled
    np.testing.assert_allclose(asd[:-1], np.sqrt(power[2:-1]), rtol=1e-6)


def test_noise_curves_are_those_of_the_papers() -> None:
    """Kim (2000); 1.5 um Hz-1/2 as 5.9e-11, 5.3e-10 and 5.9e-9 m s-2 Hz-1/2."""
    f = np.array([0.005, 0.1])
    np.testing.assert_allclose(design_noise(f, "x") ** 2, [2e-20, 1.05e-20])
    np.testing.assert_allclose(design_noise(f, "y") ** 2, [2.1e-17, 2e-18])
    found = ranging_noise(np.array([1e-3, 3e-3, 1e-2]))
    np.testing.assert_allclose(found, [5.9e-11, 5.3e-10, 5.9e-9], rtol=0.01)


def test_between_fixes_follows_the_orbit() -> None:
    """Against a circular orbit, fixes a minute apart."""
    from gracelstm_xr.physics.earth import argument_of_latitude, to_inertial

    def place(t: np.ndarray) -> np.ndarray:
        u, turn = 2 * np.pi * t / 5640, 7.2921151467e-5 * t
        return 6.86e6 * np.stack(
            [np.cos(u) * np.cos(turn), -np.cos(u) * np.sin(turn), np.sin(u)], axis=-1
        )

    nodes, wanted = np.arange(0.0, 6001, 60), np.arange(1.0, 5990, 7)
    found, motion = between_fixes(wanted, nodes, place(nodes))
    exact = place(wanted)
    apart = np.linalg.norm(np.cross(found, exact), axis=1) / 6.86e6**2
    assert np.degrees(apart).max() < 0.005
    angle = np.degrees(argument_of_latitude(*to_inertial(wanted, found, motion)))
    error = (angle - 360 * wanted / 5640 + 180) % 360 - 180
    assert np.abs(error).max() < 0.01
    five, _ = between_fixes(wanted, nodes[::5], place(nodes[::5]))
    apart = np.linalg.norm(np.cross(five, exact), axis=1) / 6.86e6**2
    assert np.degrees(apart).max() < 0.12
    far, _ = between_fixes(np.array([200.0]), np.array([0.0, 400.0]), place(nodes[:2]))
    assert np.isnan(far).all()


def test_latitude_time_shows_the_signal_and_circles_the_spike(
    days: xr.Dataset,
) -> None:
    """x is 40 nm s-2 times the sine of the phase; u starts where the orbit does."""
    ax = days.grace.plot.latitude_time(satellite="A")
    mesh = ax.collections[0]
    shown = mesh.get_array()
    assert 38 < np.abs(shown).max() < 60
    assert ax.get_ylim() == (0, 360)
    assert "degree" in ax.get_ylabel()
    circles = next(c for c in ax.collections if "sample over" in str(c.get_label()))
    (point,) = circles.get_offsets()
    from matplotlib.dates import date2num

    number: Any = date2num
    when = number(np.datetime64("2008-02-28T12:00") + np.timedelta64(200_000, "s"))
    assert abs(point[0] - when) * DAY < 5700
    assert "nm s" in ax.figure.axes[-1].get_ylabel()
    check_layout(ax.figure)


def test_ground_track_puts_points_under_the_satellite(day: xr.Dataset) -> None:
    ax = day.grace.plot.ground_track(satellite="B", axis="x")
    points = np.asarray(ax.collections[0].get_offsets())
    x, y, z = day["position"].sel(satellite="B").values.T
    good = np.isfinite(x)
    latitude = np.degrees(np.arcsin(z / np.sqrt(x**2 + y**2 + z**2)))[good]
    longitude = np.degrees(np.arctan2(y, x))[good]
    away = np.abs(points[::100, None, 1] - latitude) + np.abs(
        (points[::100, None, 0] - longitude + 180) % 360 - 180
    ) * np.cos(np.radians(latitude))
    # fixes are 60 s apart, and so 3.8 degrees
    assert away.min(axis=1).max() < 2.5
    gap = 44_000 / DAY
    assert len(points) == pytest.approx(10_800 * 2 * (1 - gap), rel=0.1)
    assert "GPS time" in ax.get_title(loc="left")
    check_layout(ax.figure)


def test_ground_track_of_days_is_a_map_with_its_spike_circled(days: xr.Dataset) -> None:
    ax = days.grace.plot.ground_track(satellite="A")
    shown = ax.collections[0].get_array()
    assert shown.shape == (90, 180)
    circles = next(c for c in ax.collections if "sample over" in str(c.get_label()))
    (point,) = circles.get_offsets()
    x, y, z = days["position"].isel(satellite=0, time=slice(199_980, 200_041)).values.T
    at = np.flatnonzero(np.isfinite(x))[0]
    assert point[0] == pytest.approx(np.degrees(np.arctan2(y, x))[at], abs=5)
    assert point[1] == pytest.approx(
        np.degrees(np.arctan2(z, np.hypot(x, y)))[at], abs=5
    )


def test_maps_colour_the_error_in_gaps_only(days: xr.Dataset, make_grid: Any) -> None:
    """The estimates are 1 nm s-2 above the truth."""
    truth = make_grid(start="2008-02-28T12:00", size=5 * DAY)
    for draw in (plot.ground_track, plot.latitude_time):
        ax = draw(days, satellite="B", variable="lin_accl_filled", truth=truth)
        shown = ax.collections[0].get_array().compressed()
        np.testing.assert_allclose(shown, 1.0, rtol=1e-5)
        assert "error" in ax.figure.axes[-1].get_ylabel()
    with pytest.raises(GraceError, match="cut both to the same span"):
        plot.ground_track(days, truth=truth.isel(time=slice(0, DAY)))


def test_transplant_residual_in_three_views(days: xr.Dataset) -> None:
    rng = np.random.default_rng(0)
    one = days.sel(satellite="A", drop=True)
    error = 2e-9 * rng.standard_normal(one["lin_accl"].shape)
    carried = xr.Dataset(
        {
            "lin_accl_transplant": one["lin_accl"] - error,
            "lin_accl_transplant_sigma": xr.full_like(one["lin_accl"], 2e-9),
        }
    ).assign_coords(satellite="A")
    draw = days.grace.plot.transplant_residual
    ax = draw(transplant=carried, axis="y")
    assert "RMS 2 nm" in ax.get_title(loc="left")
    lines = lines_by_label(ax)
    assert lines["$\\pm$2 sigma"].get_ydata().min() == pytest.approx(-4)
    residual = lines["recipient $-$ transplant"].get_ydata()
    known = np.isfinite(one["lin_accl"].values[:, 1])
    assert np.nanmax(residual) == pytest.approx(1e9 * error[known, 1].max(), rel=1e-3)
    check_layout(ax.figure)
    ax = draw(transplant=carried, axis="y", view="spectrum")
    f, asd = lines_by_label(ax)["recipient $-$ transplant"].get_data()
    assert np.median(asd[f > 0.01]) == pytest.approx(2 * np.sqrt(2), rel=0.05)
    ax = draw(transplant=carried, axis="y", view="histogram")
    assert "68 % within sigma" in ax.get_legend().get_title().get_text()
    check_layout(ax.figure)
    with pytest.raises(GraceError, match="expected one of"):
        draw(transplant=carried, view="pie")


def test_forecast_with_history_and_truth(make_grid: Any) -> None:
    whole = make_grid(size=30_000)
    past, later = (
        whole.isel(time=slice(0, 20_000)),
        whole.isel(time=slice(20_000, None)),
    )
    ahead = xr.Dataset(
        {
            "lin_accl_forecast": later["lin_accl"] + 3e-9,
            "lin_accl_forecast_sigma": xr.full_like(later["lin_accl"], 1e-9),
        }
    )
    ax = past.grace.plot.forecast(ahead, truth=later, satellite="B", before="2h")
    lines = lines_by_label(ax)
    assert list(lines) == ["observed", "truth", "forecast"]
    gap = np.nanmean(lines["forecast"].get_ydata()) - np.nanmean(
        lines["truth"].get_ydata()
    )
    assert gap == pytest.approx(3, abs=0.3)
    assert "RMS error 3 nm" in ax.get_title(loc="left")
    low, high = ax.get_xlim()
    assert (high - low) * DAY == pytest.approx(7200 + 10_000, abs=2)
    check_layout(ax.figure)
    assert list(lines_by_label(plot.forecast(ahead))) == ["forecast"]
    with pytest.raises(GraceError, match="no variable 'lin_accl_forecast' found"):
        plot.forecast(past)


def test_titles_say_simulated_or_real() -> None:
    real = {"source": "NASA JPL Level-1B files ACC1B, release 02"}
    assert plot.style.title("CD", real) == "GRACE-FO C, D, real data"
    made = {"source": "simulated Level-1B files"}
    assert plot.style.title("A", real, made) == "GRACE A, simulated data"
    assert plot.style.title("?", {}) == "GRACE, data of unstated origin"


def test_figures_say_what_is_missing(day: xr.Dataset) -> None:
    with pytest.raises(GraceError, match="satellite 'Q' wanted"):
        plot.series(day, satellite="Q")
    with pytest.raises(GraceError, match="axis 'w' wanted"):
        plot.series(day, axis="w")
    with pytest.raises(GraceError, match="no data between"):
        plot.series(day, start="2010", stop="2011")
    with pytest.raises(GraceError, match="open the archive with GNV1B"):
        plot.ground_track(day.drop_vars("position"))
    with pytest.raises(GraceError, match="no variable 'wind' found"):
        plot.latitude_time(day, variable="wind")
    with pytest.raises(GraceError, match="expected a stretch of 320"):
        plot.spectrum(day.isel(time=slice(0, 100)))
