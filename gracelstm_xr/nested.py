"""Nested parts of the accessor: ``ds.grace.lstm`` and ``ds.grace.plot``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gracelstm_xr.filling.model import FittedModel

__all__ = ["LSTMAccessor", "PlotAccessor"]


class LSTMAccessor:
    """Windows, training and inference: ``ds.grace.lstm``."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def windows(self, **options: Any) -> xr.DataArray:
        """Return training windows as (window, lag, feature), lazily.

        Parameters
        ----------
        **options
            See `gracelstm_xr.lstm.windowing`.

        Returns
        -------
        xarray.DataArray
            Windows computed on access, never held whole.
        """
        from gracelstm_xr.lstm.windowing import windows

        return windows(self._ds, **options)

    def fit(self, **options: Any) -> FittedModel:
        """Train a model; the same as ``ds.grace.fit``.

        Parameters
        ----------
        **options
            See `gracelstm_xr.lstm.fit`.

        Returns
        -------
        FittedModel
            Network, baseline coefficients, training history and scores.
        """
        from gracelstm_xr.filling.fit import fit

        return fit(self._ds, **options)

    def fill(
        self, model: FittedModel | None = None, *, method: str | None = None
    ) -> xr.Dataset:
        """Fill the gaps; the same as ``ds.grace.fill``.

        Parameters
        ----------
        model : FittedModel, optional
            What ``ds.grace.fit`` or ``load_model`` returned.
        method : str, optional
            One method for all gaps; see `gracelstm_xr.lstm.fill`.

        Returns
        -------
        xarray.Dataset
            The input with the ``lin_accl_filled*`` variables, lazily.
        """
        from gracelstm_xr.filling.fill import fill

        return fill(self._ds, model, method=method)

    def forecast(self, model: FittedModel, **options: Any) -> xr.Dataset:
        """Extrapolate past the end; the same as ``ds.grace.forecast``.

        Parameters
        ----------
        model : FittedModel
            What ``ds.grace.fit`` or ``load_model`` returned.
        **options
            See `gracelstm_xr.lstm.forecast`.

        Returns
        -------
        xarray.Dataset
            ``lin_accl_forecast``, its sigma [m s-2] and method.
        """
        from gracelstm_xr.filling.forecast import forecast

        return forecast(self._ds, model, **options)

    def hindcast(self, model: FittedModel, **options: Any) -> xr.Dataset:
        """Judge forecasts made in the past, by method and lead time.

        Parameters
        ----------
        model : FittedModel
            What ``ds.grace.fit`` or ``load_model`` returned.
        **options
            See `gracelstm_xr.lstm.hindcast`.

        Returns
        -------
        xarray.Dataset
            Errors [m s-2] on the test span, coverage of sigma, one-step errors.
        """
        from gracelstm_xr.filling.hindcast import hindcast

        return hindcast(self._ds, model, **options)


class PlotAccessor:
    """Figures: ``ds.grace.plot``. Every method returns matplotlib Axes."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def series(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one axis of one satellite against time, gaps shaded.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.series`.

        Returns
        -------
        matplotlib Axes
            Acceleration minus its mean [nm s-2].
        """
        from gracelstm_xr.plot import series

        return series(self._ds, ax=ax, **options)

    def overview(self, **options: Any) -> Figure:
        """Draw the three axes of one satellite under each other.

        Parameters
        ----------
        **options
            See `gracelstm_xr.plot.overview`.

        Returns
        -------
        matplotlib Figure
            Three panels, acceleration minus its mean [nm s-2].
        """
        from gracelstm_xr.plot import overview

        return overview(self._ds, **options)

    def gaps(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw when each satellite has data.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.gaps`.

        Returns
        -------
        matplotlib Axes
            One bar per satellite along time.
        """
        from gracelstm_xr.plot import gaps

        return gaps(self._ds, ax=ax, **options)

    def calendar(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw a calendar of the share of each day that is missing.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.calendar`.

        Returns
        -------
        matplotlib Axes
            Months or years against the day.
        """
        from gracelstm_xr.plot import calendar

        return calendar(self._ds, ax=ax, **options)

    def latitude_time(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw a signal over argument of latitude and time.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.latitude_time`.

        Returns
        -------
        matplotlib Axes
            Argument of latitude [degree] against time.
        """
        from gracelstm_xr.plot import latitude_time

        return latitude_time(self._ds, ax=ax, **options)

    def ground_track(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw sub-satellite points coloured by a signal or an error.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.ground_track`.

        Returns
        -------
        matplotlib Axes
            Latitude against longitude [degree].
        """
        from gracelstm_xr.plot import ground_track

        return ground_track(self._ds, ax=ax, **options)

    def spectrum(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw amplitude spectral densities against the design noise.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.spectrum`.

        Returns
        -------
        matplotlib Axes
            ASD [nm s-2 Hz-1/2] against frequency [Hz].
        """
        from gracelstm_xr.plot import spectrum

        return spectrum(self._ds, ax=ax, **options)

    def transplant_residual(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw what a transplant leaves of the recipient's series.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.transplant_residual`.

        Returns
        -------
        matplotlib Axes
            Residual [nm s-2], its ASD, or its distribution.
        """
        from gracelstm_xr.plot import transplant_residual

        return transplant_residual(self._ds, ax=ax, **options)

    def forecast(
        self, ahead: xr.Dataset, *, ax: Axes | None = None, **options: Any
    ) -> Axes:
        """Draw a forecast after what was observed.

        Parameters
        ----------
        ahead : xarray.Dataset
            What ``ds.grace.forecast`` returned.
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.forecast`.

        Returns
        -------
        matplotlib Axes
            Acceleration minus the mean of the history [nm s-2].
        """
        from gracelstm_xr.plot import forecast

        return forecast(ahead, history=self._ds, ax=ax, **options)

    def training(
        self, model: FittedModel, *, ax: Axes | None = None, **options: Any
    ) -> Axes:
        """Draw the loss of a fitted model against the epoch.

        Parameters
        ----------
        model : FittedModel
            What ``ds.grace.fit`` returned.
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.training`.

        Returns
        -------
        matplotlib Axes
            Training and validation loss.
        """
        from gracelstm_xr.plot import training

        return training(model, ax=ax, **options)

    def evaluation(
        self, score: xr.Dataset, *, ax: Axes | None = None, **options: Any
    ) -> Axes:
        """Draw the error of each method against the gap length.

        Parameters
        ----------
        score : xarray.Dataset
            What ``ds.grace.evaluate`` returned.
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.evaluation`.

        Returns
        -------
        matplotlib Axes
            RMS error [nm s-2] against gap length.
        """
        from gracelstm_xr.plot import evaluation

        return evaluation(score, ax=ax, **options)

    def error_spectrum(
        self, score: xr.Dataset, *, ax: Axes | None = None, **options: Any
    ) -> Axes:
        """Draw the amplitude spectral density of each method's error.

        Parameters
        ----------
        score : xarray.Dataset
            What ``ds.grace.evaluate`` returned.
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.error_spectrum`.

        Returns
        -------
        matplotlib Axes
            ASD [nm s-2 Hz-1/2] against frequency [Hz].
        """
        from gracelstm_xr.plot import error_spectrum

        return error_spectrum(score, ax=ax, **options)

    def coverage(
        self, score: xr.Dataset, *, ax: Axes | None = None, **options: Any
    ) -> Axes:
        """Draw how many errors lie within sigma, expected and found.

        Parameters
        ----------
        score : xarray.Dataset
            What ``ds.grace.evaluate`` returned.
        ax : matplotlib Axes, optional
            Drawn on a new figure when left out.
        **options
            See `gracelstm_xr.plot.coverage`.

        Returns
        -------
        matplotlib Axes
            Share of the errors [%] against gap length.
        """
        from gracelstm_xr.plot import coverage

        return coverage(score, ax=ax, **options)
