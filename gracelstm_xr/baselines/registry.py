"""Table of the methods that fill a gap: what each is called, needs and reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from gracelstm_xr.arrays import Array, BoolArray, IntArray
from gracelstm_xr.core.conventions import FILL_METHODS

if TYPE_CHECKING:
    from gracelstm_xr.physics.frames import Frame


class Baseline(Protocol):
    """What a gap-filling method offers."""

    def estimate(self, frame: Frame, visible: BoolArray, index: IntArray) -> Array:
        """Estimate the series at ``index`` from the visible samples.

        Parameters
        ----------
        frame : Frame
            Series and covariates, n samples.
        visible : ndarray of bool, shape (n, 3)
            Samples of the own series that may be used.
        index : ndarray of int64, shape (m,)
            Positions wanted.

        Returns
        -------
        ndarray, shape (m, 3)
            Estimate [m s-2], NaN where the method has none.
        """
        ...


@dataclass(frozen=True)
class Method:
    """A baseline as the rest of the package knows it.

    Attributes
    ----------
    name : str
        As users write it.
    family : str
        Meaning of its flag in ``lin_accl_fill_method``, a key of
        `gracelstm_xr.core.conventions.FILL_METHODS`.
    rank : int
        Place in tables, simplest first.
    kind : type
        Class of the fitted method, a frozen dataclass: a model file holds its fields.
    fit : callable
        From frames at the working step, each with its training samples of shape (n,),
        to the fitted method.
    reads : frozenset of {"orbit", "donor"}
        What it reads beside the series itself where it is there.
    needs : {"latitude_argument", "donor"} or None
        Attribute of a frame that it cannot do without.
    learns : bool
        Whether its numbers come from training samples.
    """

    name: str
    family: str
    rank: int
    kind: type
    fit: Callable[[list[tuple[Frame, BoolArray]]], Baseline]
    reads: frozenset[Literal["orbit", "donor"]] = frozenset()
    needs: Literal["latitude_argument", "donor"] | None = None
    learns: bool = True


#: Registered baselines by name.
METHODS: dict[str, Method] = {}
#: Value of ``lin_accl_fill_method`` by name of the method, those of the network and
#: of what it starts from among them; `register` adds the baselines.
METHOD_CODES = {
    name: FILL_METHODS[family]
    for name, family in {
        "lstm": "lstm",
        "lstm_single": "lstm",
        "tracked": "transplant",
        "tracked_single": "harmonic",
        "bridge": "interpolation",
        "bridge_single": "interpolation",
        "none": "none",
    }.items()
}


def register(*methods: Method) -> None:
    """Add baselines to the table.

    Raises
    ------
    ValueError
        When a name is taken or a family is none of ``lin_accl_fill_method``.
    """
    for method in methods:
        if method.name in METHOD_CODES:
            raise ValueError(
                f"found a second method {method.name!r}, expected a new name: rename it"
            )
        if method.family not in FILL_METHODS:
            raise ValueError(
                f"found family {method.family!r} of method {method.name!r}, expected "
                f"one of {', '.join(FILL_METHODS)}: choose one of these"
            )
        METHODS[method.name] = method
        METHOD_CODES[method.name] = FILL_METHODS[method.family]


def baseline_names() -> tuple[str, ...]:
    """Names of the registered baselines, simplest first."""
    return tuple(sorted(METHODS, key=lambda name: METHODS[name].rank))


def baseline_kinds() -> dict[str, type]:
    """Classes of fitted baselines by their name, as model files say it."""
    return {m.kind.__name__: m.kind for m in METHODS.values()}


def reads_series_only(name: str) -> bool:
    """Whether ``name`` is a baseline that reads nothing but the series itself."""
    return name in METHODS and not METHODS[name].reads


def reads_donor(name: str) -> bool:
    """Whether ``name`` is a baseline that reads the twin where there is one."""
    return name in METHODS and "donor" in METHODS[name].reads


def needs_donor(name: str) -> bool:
    """Whether ``name`` is a baseline that has no estimate without the twin."""
    return name in METHODS and METHODS[name].needs == "donor"
