"""What a fill chooses from, and how well it knows what it puts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gracelstm_xr.filling.choice import LEAST
from gracelstm_xr.filling.conditions import CHECKED, Conditions, Grid
from gracelstm_xr.filling.sigma import Spread

__all__ = ["Calibration", "Pool", "witnesses_of"]

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Methods whose distance from the first of `INFORMED` tells how well a sample is
#: known, by covariate.
WITNESSES = {"polynomial": "polynomial", "alone": "bridge_single"}
INFORMED = ("bridge", "bridge_single")


@dataclass(frozen=True)
class Pool:
    """Methods that are to be had under some circumstances, and their shares.

    Attributes
    ----------
    methods : tuple of str
        Those with a share anywhere.
    witnesses : dict of str to tuple of str
        Two methods by covariate, on whose distance sigma depends.
    grid : Grid
        Where the shares stand.
    shares : ndarray, shape (2, l, d, 3, method)
        Far from firings and next to one.
    spread : Spread
        Error of the blend.

    Raises
    ------
    ValueError
        When a factor on sigma lacks its witnesses.
    """

    methods: tuple[str, ...]
    witnesses: dict[str, tuple[str, str]]
    grid: Grid
    shares: Array
    spread: Spread

    def __post_init__(self) -> None:
        """Check that what sigma depends on can be had."""
        for name in WITNESSES:
            used = (self.spread.factors[name] != 1).any()
            if used and name not in self.witnesses:
                raise ValueError(
                    f"found no witnesses for the factor {name} on sigma, expected two"
                )

    def wanted(self, conditions: Conditions, axis: int) -> set[str]:
        """Methods with a share under any of the conditions, and the witnesses."""
        share = self.grid.at(self.shares[:, :, :, axis], conditions).max(axis=0)
        checked = bool((conditions.length <= CHECKED).any())
        return {
            *(name for name, s in zip(self.methods, share, strict=True) if s >= LEAST),
            *(self.witnessing if checked else ()),
        }

    @property
    def witnessing(self) -> set[str]:
        """Methods that sigma in short gaps asks for."""
        return {name for pair in self.witnesses.values() for name in pair}

    def sigma(
        self, found: Mapping[str, Array], conditions: Conditions, axis: int
    ) -> Array:
        """1-sigma [m s-2] of the blend, for arguments as in `blend`."""
        checked = conditions.checked(found, axis, self.witnesses)
        return self.spread.at(checked, axis)

    def blend(
        self, found: Mapping[str, Array], conditions: Conditions, axis: int
    ) -> tuple[Array, IntArray]:
        """Blended estimates of one axis, and the method with the largest share.

        Parameters
        ----------
        found : mapping of str to ndarray, shape (m, 3)
            Estimates.
        conditions : Conditions
            Of the m samples.
        axis : int

        Returns
        -------
        values : ndarray, shape (m,)
            NaN where half of the shares or more have no estimate.
        first : ndarray of int64, shape (m,)
            Position in ``methods``.
        """
        share = self.grid.at(self.shares[:, :, :, axis], conditions)
        values = np.full_like(share, np.nan)
        for column, name in enumerate(self.methods):
            if name in found:
                values[:, column] = found[name][:, axis]
        known = np.isfinite(values)
        share = np.where(known & (share >= LEAST), share, 0.0)
        total = share.sum(axis=1)
        enough = total > 0.5
        share /= np.where(enough, total, 1.0)[:, None]
        mixed = (share * np.where(known, values, 0.0)).sum(axis=1)
        return np.where(enough, mixed, np.nan), share.argmax(axis=1)


@dataclass(frozen=True)
class Calibration:
    """What held-out gaps taught about choice and error.

    Attributes
    ----------
    pools : tuple of Pool
        The best informed first; the next serves where one has no estimate.
    spreads : dict of str to Spread
        1-sigma of every method alone.
    """

    pools: tuple[Pool, ...]
    spreads: dict[str, Spread]

    @property
    def methods(self) -> set[str]:
        """Names of all methods that a fill may use."""
        return {name for pool in self.pools for name in pool.methods}


def witnesses_of(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Those that are to be had among the methods of a pool."""
    first = next((name for name in INFORMED if name in names), None)
    return {
        covariate: (first, other)
        for covariate, other in WITNESSES.items()
        if first not in (None, other) and other in names
    }
