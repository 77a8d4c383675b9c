"""``Dataset.grace``: every verb of the package as a docstring and one call.

The accessor holds the Dataset and nothing else; the logic lives in the modules
named in each method, which can be called without it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import xarray as xr

from gracelstm_xr.nested import LSTMAccessor, PlotAccessor

if TYPE_CHECKING:
    from gracelstm_xr.filling.model import FittedModel

__all__ = ["GraceAccessor"]

T = TypeVar("T")


class _Nested(Generic[T]):
    """Descriptor for ``ds.grace.lstm``: an instance on objects, the class on classes.

    Reading it on the class returns the class, so that documentation tools find the
    nested methods.
    """

    def __init__(self, cls: type[T]) -> None:
        self._cls = cls
        self.__doc__ = cls.__doc__

    @overload
    def __get__(self, obj: None, owner: type) -> type[T]: ...
    @overload
    def __get__(self, obj: GraceAccessor, owner: type) -> T: ...
    def __get__(self, obj: GraceAccessor | None, owner: type) -> T | type[T]:
        return self._cls if obj is None else self._cls(obj._ds)  # type: ignore[call-arg]


@xr.register_dataset_accessor("grace")  # type: ignore[no-untyped-call]
class GraceAccessor:
    """GRACE and GRACE-FO accelerometer verbs on a Dataset: ``ds.grace``.

    Parameters
    ----------
    ds : xarray.Dataset
        From ``open_archive``, ``open_store`` or the ``grace_l1b`` engine.
    """

    lstm = _Nested(LSTMAccessor)
    plot = _Nested(PlotAccessor)

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def __repr__(self) -> str:
        from gracelstm_xr.core.summary import describe

        return describe(self._ds)

    def to_zarr(
        self,
        store: str | os.PathLike[str],
        *,
        mode: str = "w-",
        **options: Any,
    ) -> Any:
        """Write a Zarr store that ``open_store`` opens.

        Parameters
        ----------
        store : str or PathLike
            Folder or fsspec URL of the store.
        mode : {"w-", "w", "a"}, optional
            ``"w-"`` refuses to replace an existing store, ``"w"`` replaces it, ``"a"``
            brings one up to date with the files of an archive.
        **options
            ``progress``, ``compute``, ``quantise``, ...: see
            `gracelstm_xr.store.to_zarr`.

        Returns
        -------
        None or dask.delayed.Delayed
            The Delayed with ``compute=False``.
        """
        from gracelstm_xr.store.write import to_zarr

        return to_zarr(self._ds, store, mode=mode, **options)

    def to_netcdf(
        self, path: str | os.PathLike[str], *, progress: bool = False, **options: Any
    ) -> Path:
        """Write a CF-1.11 netCDF-4 file in bounded memory.

        Parameters
        ----------
        path : str or PathLike
            The file; it appears under this name only when complete.
        progress : bool, optional
            Show progress on standard error.
        **options
            See `gracelstm_xr.export.to_netcdf`.

        Returns
        -------
        pathlib.Path
            The file written.
        """
        from gracelstm_xr.export.netcdf import to_netcdf

        return to_netcdf(self._ds, path, progress=progress, **options)

    def to_l1b(
        self,
        directory: str | os.PathLike[str],
        *,
        format: str | None = None,
        product: str | None = None,
        progress: bool = False,
        **options: Any,
    ) -> list[Path]:
        """Write one Level-1B file per satellite and GPS day.

        Parameters
        ----------
        directory : str or PathLike
            Made when it is not there.
        format : {"binary", "ascii", "text"}, optional
            By default binary for GRACE and text for GRACE-FO.
        product : str, optional
            Product code in the file names; ``"ACT1B"`` for filled series and
            ``"ACC1B"`` otherwise.
        progress : bool, optional
            Show progress on standard error.
        **options
            See `gracelstm_xr.export.to_l1b`.

        Returns
        -------
        list of pathlib.Path
            The files written, in order of satellite and day.
        """
        from gracelstm_xr.export.l1b import to_l1b

        return to_l1b(
            self._ds,
            directory,
            format=format,
            product=product,
            progress=progress,
            **options,
        )

    def gaps(self, *, min_length: Any = "1s") -> xr.Dataset:
        """List the gaps in ``lin_accl``.

        Parameters
        ----------
        min_length : str or timedelta, optional
            Shorter gaps are left out.

        Returns
        -------
        xarray.Dataset
            Over dimension ``gap``: start, stop (exclusive), length [s], satellite.
        """
        from gracelstm_xr.preprocess.gaps import find_gaps

        return find_gaps(self._ds, min_length=min_length)

    def clean(self, **options: Any) -> xr.Dataset:
        """Mark outliers and manoeuvres in flags; nothing is deleted.

        Parameters
        ----------
        **options
            See `gracelstm_xr.preprocess.clean.clean`.

        Returns
        -------
        xarray.Dataset
            The input with ``acc_cleanflg``, one bit per reason.
        """
        from gracelstm_xr.preprocess.clean import clean

        return clean(self._ds, **options)

    def marks(self) -> xr.Dataset:
        """Count what `clean` marked.

        Returns
        -------
        xarray.Dataset
            ``samples`` and ``events`` by satellite and reason, lazily.
        """
        from gracelstm_xr.preprocess.clean import count_marks

        return count_marks(self._ds)

    def calibrate(self, *, inverse: bool = False) -> xr.Dataset:
        """Apply the published scale and bias of GRACE A and B (TN-02).

        Parameters
        ----------
        inverse : bool, optional
            Take the calibration off again.

        Returns
        -------
        xarray.Dataset
            The input with calibrated accelerations [m s-2], lazily.
        """
        from gracelstm_xr.preprocess.calibrate import calibrate

        return calibrate(self._ds, inverse=inverse)

    def resample(self, step: Any, **options: Any) -> xr.Dataset:
        """Change the sampling, band-limited.

        Parameters
        ----------
        step : str or timedelta
            New sampling interval, e.g. ``"10s"``.
        **options
            See `gracelstm_xr.preprocess.resample.resample`.

        Returns
        -------
        xarray.Dataset
            The same variables on the new regular axis.
        """
        from gracelstm_xr.preprocess.resample import resample

        return resample(self._ds, step, **options)

    def features(self, **options: Any) -> xr.Dataset:
        """Compute the covariates the data allow.

        Parameters
        ----------
        **options
            See `gracelstm_xr.physics.features.features`.

        Returns
        -------
        xarray.Dataset
            Argument of latitude, geodetic coordinates, beta-prime, local solar time,
            shadow, Sun direction, lag to the twin, donor series and thrusters, as
            far as their products or stand-ins are present.
        """
        from gracelstm_xr.physics.features import features

        return features(self._ds, **options)

    def transplant(
        self, *, donor: str | None = None, recipient: str | None = None, **options: Any
    ) -> xr.Dataset:
        """Carry one satellite's accelerations over to the other.

        Parameters
        ----------
        donor, recipient : str, optional
            Satellite letters.
        **options
            ``thrusters``, ``attitude``, ``force_model``, ``f107``, ``ap``, ``mass``:
            see `gracelstm_xr.baselines.transplant.transplant`.

        Returns
        -------
        xarray.Dataset
            ``lin_accl_transplant`` [m s-2], its sigma and its components.
        """
        from gracelstm_xr.baselines.transplant import transplant

        return transplant(self._ds, donor=donor, recipient=recipient, **options)

    def thruster_response(self, satellite: str | None = None) -> xr.Dataset:
        """Estimate what every pair of attitude thrusters does to the accelerometer.

        Parameters
        ----------
        satellite : str, optional
            Letter; all satellites by default.

        Returns
        -------
        xarray.Dataset
            ``thruster_accl`` (satellite, thruster_pair, axis) [m s-2] while the pair
            fires, and its sigma; see `gracelstm_xr.physics.thrusters.response`.
        """
        from gracelstm_xr.physics.thrusters import response

        return response(self._ds, satellite)

    def force_model(self, **options: Any) -> xr.Dataset:
        """Model drag, sunlight, albedo and Earth infrared on every satellite.

        Parameters
        ----------
        **options
            ``f107``, ``f107a``, ``ap``, ``mass``, ``filtered``: see
            `gracelstm_xr.physics.forces.force_model`.

        Returns
        -------
        xarray.Dataset
            ``drag``, ``solar``, ``albedo``, ``infrared`` in the SRF [m s-2].
        """
        from gracelstm_xr.physics.forces import force_model

        return force_model(self._ds, **options)

    def fit(self, **options: Any) -> FittedModel:
        """Train the gap filler; with no options every satellite with gaps is learnt.

        Parameters
        ----------
        **options
            ``recipient``, ``epochs``, ``seed``, ``progress`` and more: see
            `gracelstm_xr.lstm.fit`.

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
        """Fill the gaps of every satellite, lazily.

        Parameters
        ----------
        model : FittedModel, optional
            What ``ds.grace.fit`` or ``load_model`` returned.
        method : str, optional
            One method for all gaps, for example ``"transplant"``; needs no model.
            See `gracelstm_xr.lstm.fill`.

        Returns
        -------
        xarray.Dataset
            The input with ``lin_accl_filled``, its 1-sigma [m s-2] and the method of
            every sample; observed samples are untouched.
        """
        from gracelstm_xr.filling.fill import fill

        return fill(self._ds, model, method=method)

    def forecast(
        self, model: FittedModel, *, horizon: Any = "90min", **options: Any
    ) -> xr.Dataset:
        """Extrapolate past the end of the data.

        Parameters
        ----------
        model : FittedModel
            What ``ds.grace.fit`` or ``load_model`` returned.
        horizon : str or timedelta, optional
            How far to go.
        **options
            See `gracelstm_xr.lstm.forecast`.

        Returns
        -------
        xarray.Dataset
            ``lin_accl_forecast``, its sigma [m s-2] and method, past the data.
        """
        from gracelstm_xr.filling.forecast import forecast

        return forecast(self._ds, model, horizon=horizon, **options)

    def evaluate(self, model: FittedModel, **options: Any) -> xr.Dataset:
        """Hide observed spans, fill them by every method, and score.

        Parameters
        ----------
        model : FittedModel
            What ``ds.grace.fit`` or ``load_model`` returned.
        **options
            ``lengths``, ``count``, ``seed``, ``span``, ``allow_training``,
            ``products``, ``controls``, ``keep`` and ``progress``: see
            `gracelstm_xr.evaluate.evaluate`.

        Returns
        -------
        xarray.Dataset
            ``rms`` [m s-2] by method, satellite, axis and gap length [s], and more.
        """
        from gracelstm_xr.evaluate.evaluation import evaluate

        return evaluate(self._ds, model, **options)
