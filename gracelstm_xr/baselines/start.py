"""Two ways to estimate a series: with the twin's data, or from the satellite alone.

A track is what its network starts from: a regression on covariates, the slow part of
what that leaves, and what the rest repeats from one revolution to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gracelstm_xr.arrays import Array, BoolArray
from gracelstm_xr.baselines import regression, repeating
from gracelstm_xr.baselines import slow as tracking
from gracelstm_xr.baselines.bridge import NO_BRIDGE, Bridge
from gracelstm_xr.baselines.moments import columns
from gracelstm_xr.baselines.regression import LocalRegression
from gracelstm_xr.baselines.repeating import Repeating
from gracelstm_xr.baselines.slow import SlowResidual
from gracelstm_xr.physics.frames import FEATURES, Frame

#: Time before and after a sample that its start depends on [s].
CONTEXT = regression.CONTEXT_OF_CHANGES + tracking.CONTEXT + repeating.CONTEXT
#: Names of the tracks.
TWIN, SINGLE = "twin", "single"


@dataclass(frozen=True)
class Start:
    """What a network starts from, at the working step.

    Attributes
    ----------
    coefficients : dict of float to ndarray
        Of the regression, per node.
    smooth, slow : ndarray, shape (n, 3)
        Estimate of the regression, and what is expected of its residual: the slow
        part and what other revolutions repeat [m s-2].
    sigma : ndarray, shape (n, 3), or None
        1-sigma of that expectation in a gap [m s-2], where asked for.
    """

    coefficients: dict[float, Array]
    smooth: Array
    slow: Array
    sigma: Array | None = None


@dataclass(frozen=True)
class Track:
    """Fitted start of one satellite's network.

    Attributes
    ----------
    name : str
        ``twin``, or ``single``, which sees nothing of the donor.
    regression : LocalRegression
        Like the ridge baseline, but fitted to changes: right where the bias wanders.
    slow : SlowResidual
        Carries what it leaves of the wandering bias through gaps.
    residual_scale : ndarray, shape (3,)
        Standard deviation of what both leave in hidden gaps [m s-2].
    donor_scale : ndarray, shape (3,)
        Standard deviation of the donor series [m s-2].
    repeating : Repeating
        What other revolutions say of the rest.
    bridge : Bridge
        Leads from what both leave of the observations into a gap.
    features : tuple of str
        Groups of covariates the network sees, see `Settings`.
    """

    name: str
    regression: LocalRegression
    slow: SlowResidual
    residual_scale: Array
    donor_scale: Array
    repeating: Repeating = field(default_factory=Repeating.nothing)
    bridge: Bridge = NO_BRIDGE
    features: tuple[str, ...] = FEATURES

    def view(self, frame: Frame) -> Frame:
        """What this track may see of a frame."""
        if self.name == TWIN:
            return frame
        return replace(frame, donor=None, donor_thrust=None, lag=None)

    def start(
        self,
        thin: Frame,
        visible: BoolArray,
        *,
        within: tuple[float, float] | None = None,
        errors: bool = False,
    ) -> Start:
        """Regression and slow residual from the visible samples, at the working step.

        Parameters
        ----------
        thin : Frame
            Of `view`, at the working step.
        visible : ndarray of bool, shape (n, 3)
        within : tuple of float, optional
            Limits the work to what this stretch of GPS seconds depends on.
        errors : bool, default False
            Work out the 1-sigma.
        """
        outer = reach = None
        if within is not None:
            outer = (within[0] - repeating.CONTEXT, within[1] + repeating.CONTEXT)
            reach = (outer[0] - tracking.CONTEXT, outer[1] + tracking.CONTEXT)
        terms = columns(thin, self.regression.terms)
        coefficients = self.regression.coefficients(
            thin, visible, within=reach, known=terms
        )
        smooth = self.regression.predict(thin, coefficients, terms)
        left = thin.own - smooth
        slow, sigma = self.slow.estimate(
            thin.t, left, visible, donor=thin.donor, within=outer, errors=errors
        )
        again, variance = self.repeating.estimate(
            thin.t,
            left - slow,
            visible,
            thin.latitude_argument,
            within=within,
            errors=errors,
        )
        total = np.sqrt(sigma**2 + variance) if errors else None
        return Start(coefficients, smooth, slow + again, total)
