"""What is assumed about a transplant before any overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gracelstm_xr.baselines.overlap import Prior
from gracelstm_xr.physics.frames import FACING
from gracelstm_xr.preprocess import calibrate as calibration

if TYPE_CHECKING:
    from gracelstm_xr.baselines.carry import Chain, DonorLevel

#: Factors of the force model on the overlap: 1 give or take so much.
MODEL_SIGMA = {"drag": 0.4, "solar": 0.1, "albedo": 0.3, "infrared": 0.3}
#: The donor's factor without calibration: 1 give or take so much.
SCALE_SIGMA = 0.05
#: Differences by place and sunlight: 0 give or take so much [nm s-2], and across the
#: track far from the overlap: what a few weeks show there turns as the Sun moves.
PLACE_SIGMA, PLACE_SIGMA_FAR = 5.0, 1e-6
#: Errors of the published biases of A and B [m s-2], an estimate of this package.
PUBLISHED_BIAS = (5e-8, 2e-7, 5e-8)
#: Raw biases that occur [m s-2]; the error of a bias nobody knows.
RAW_BIAS = (1e-6, 3e-5, 1e-6)


def nominal_prior(chain: Chain, donor: DonorLevel, size: int) -> Prior:
    """Nominal scale and bias before any overlap.

    Parameters
    ----------
    chain : Chain
        Satellites, and components of the force model.
    donor : DonorLevel
    size : int
        Number of terms, see `gracelstm_xr.baselines.carry.Carried.terms`.

    Returns
    -------
    Prior
        From GRACE TN-02 for A and B; scale 1 and no bias for others.
    """
    model = [MODEL_SIGMA[name] for name in chain.components]
    place = [PLACE_SIGMA] * (size - 1 - len(model))
    near = np.tile(np.array([SCALE_SIGMA, *model, *place]), (3, 1))
    modelled = slice(1, 1 + len(model))
    far = near.copy()
    far[1, modelled.stop :] = PLACE_SIGMA_FAR
    scale = np.zeros((3, size))
    scale[:, : modelled.stop] = 1.0
    level, level_sigma = np.zeros(3), np.array(RAW_BIAS)
    if {chain.recipient, chain.donor} <= set(calibration.SCALE):
        both = (chain.recipient, chain.donor)
        own, twin = (np.array(calibration.SCALE[s]) for s in both)
        scale[:, 0], scale[:, modelled] = twin / own, 1 / own[:, None]
        middle = donor.t[len(donor.t) // 2 : len(donor.t) // 2 + 1]
        bias = [calibration.published_bias(s, middle)[0] for s in both]
        # true = bias + scale * raw, on both satellites at the same place
        force = FACING * (twin * np.nan_to_num(donor.offset) + bias[1])
        level, level_sigma = (force - bias[0]) / own, np.array(PUBLISHED_BIAS)
    return Prior(
        scale=scale,
        scale_sigma=near,
        scale_sigma_far=far,
        level=level,
        level_sigma=level_sigma,
    )
