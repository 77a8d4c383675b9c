"""``Dataset.grace``: every verb of the package on a Dataset.

The accessor holds the Dataset and nothing else. A verb is the function of the module
named here, with its own signature and docstring; it is imported when it is first used.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import MethodType
from typing import Any, Generic, TypeVar, overload

import xarray as xr

__all__ = ["GraceAccessor", "LSTMAccessor", "PlotAccessor"]

T = TypeVar("T")


class Verb:
    """A function of the package as a method of an accessor.

    Parameters
    ----------
    home : str
        ``module:function`` below the package.
    dataset : str or None, default ""
        Keyword that takes the Dataset of the accessor; by default it is the first
        argument. None: the function is of something else, such as a score.
    """

    def __init__(self, home: str, *, dataset: str | None = "") -> None:
        self.home = home
        self.dataset = dataset

    def __get__(self, obj: _Verbs | None, owner: type) -> Any:
        module, _, name = self.home.partition(":")
        function = getattr(import_module(f"gracelstm_xr.{module}"), name)
        if obj is None or self.dataset is None:
            return function
        from gracelstm_xr.core.components import as_data_model

        ds = as_data_model(obj._ds)
        if not self.dataset:
            return MethodType(function, ds)
        bound = partial(function, **{self.dataset: ds})
        bound.__doc__ = function.__doc__
        return bound


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


class _Verbs:
    """Verbs on one Dataset; the repr lists them."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def _told(self) -> dict[str, str]:
        """First line of every verb's docstring."""
        names = [n for n, v in vars(type(self)).items() if isinstance(v, Verb)]
        return {
            n: (getattr(type(self), n).__doc__ or "").partition("\n")[0] for n in names
        }

    def _title(self) -> str:
        return (type(self).__doc__ or "").partition("\n")[0]

    def __repr__(self) -> str:
        told = self._told()
        width = max(map(len, told))
        return "\n".join(
            [self._title(), *(f"  {n:{width}}  {text}" for n, text in told.items())]
        )

    def _repr_html_(self) -> str:
        from gracelstm_xr.core.html import facts

        lines = (f"{name}: {text}" for name, text in self._told().items())
        return facts("\n".join([self._title(), *lines]))


class LSTMAccessor(_Verbs):
    """Windows, training and inference: ``ds.grace.lstm``."""

    windows = Verb("lstm.windowing:windows")
    fit = Verb("filling.fit:fit")
    fill = Verb("filling.fill:fill")
    forecast = Verb("filling.forecast:forecast")
    hindcast = Verb("filling.hindcast:hindcast")


class PlotAccessor(_Verbs):
    """Figures: ``ds.grace.plot``; every method returns matplotlib Axes or a Figure."""

    series = Verb("plot:series")
    overview = Verb("plot:overview")
    gaps = Verb("plot:gaps")
    calendar = Verb("plot:calendar")
    latitude_time = Verb("plot:latitude_time")
    ground_track = Verb("plot:ground_track")
    spectrum = Verb("plot:spectrum")
    transplant_residual = Verb("plot:transplant_residual")
    training = Verb("plot:training", dataset=None)
    forecast = Verb("plot:forecast", dataset="history")
    evaluation = Verb("plot:evaluation", dataset=None)
    error_spectrum = Verb("plot:error_spectrum", dataset=None)
    coverage = Verb("plot:coverage", dataset=None)


@xr.register_dataset_accessor("grace")  # type: ignore[no-untyped-call]
class GraceAccessor(_Verbs):
    """GRACE and GRACE-FO accelerometer verbs on a Dataset: ``ds.grace``.

    Parameters
    ----------
    ds : xarray.Dataset
        From ``open_archive``, ``open_store`` or the ``grace_l1b`` engine.
    """

    lstm = _Nested(LSTMAccessor)
    plot = _Nested(PlotAccessor)

    to_zarr = Verb("store.write:to_zarr")
    to_netcdf = Verb("export.netcdf:to_netcdf")
    to_l1b = Verb("export.l1b:to_l1b")
    gaps = Verb("preprocess.gaps:find_gaps")
    clean = Verb("preprocess.clean:clean")
    marks = Verb("preprocess.clean:count_marks")
    calibrate = Verb("preprocess.calibrate:calibrate")
    resample = Verb("preprocess.resample:resample")
    features = Verb("physics.features:features")
    transplant = Verb("baselines.transplant:transplant")
    thruster_response = Verb("physics.thrusters:response")
    force_model = Verb("physics.forces:force_model")
    fit = Verb("filling.fit:fit")
    fill = Verb("filling.fill:fill")
    forecast = Verb("filling.forecast:forecast")
    evaluate = Verb("evaluate.evaluation:evaluate")

    def __repr__(self) -> str:
        from gracelstm_xr.core.summary import describe

        return describe(self._ds)

    def _repr_html_(self) -> str:
        from gracelstm_xr.core.html import facts

        return facts(repr(self))
