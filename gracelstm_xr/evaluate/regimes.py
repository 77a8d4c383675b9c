"""Conditions that errors are told apart by."""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import BoolArray
from gracelstm_xr.evaluate.parts import Part
from gracelstm_xr.filling.conditions import along_orbit

#: A sample is disturbed where the activity exceeds this many times its median.
DISTURBED = 2.0
#: Limits of the latitude bands [degree].
BANDS = ((0, 30), (30, 60), (60, 90))


def regimes(part: Part) -> dict[str, BoolArray]:
    """Samples of every regime that the data tell.

    Parameters
    ----------
    part : Part

    Returns
    -------
    dict of str to ndarray of bool, shape (m,)
        ``firing``: within 30 s of a firing of the recipient, or of the donor at the
        lag, and ``no firing``; ``shadow crossing``: within 70 s of penumbra, and
        ``no crossing``; ``latitude 0-30``, ``30-60``, ``60-90``: distance of the
        argument of latitude from the equator [degree], that of the satellite to a
        degree in these orbits; ``disturbed``: activity above twice its median over
        the hidden samples, and ``quiet``.
    """
    errors = part.errors
    masks: dict[str, BoolArray] = {}
    if errors.thruster is not None:
        masks |= {"firing": errors.thruster, "no firing": ~errors.thruster}
    if errors.shadow is not None:
        masks |= {"shadow crossing": errors.shadow, "no crossing": ~errors.shadow}
    angle = along_orbit(errors.latitude_argument)
    if angle is not None:
        for low, high in BANDS:
            inside = (angle >= low) & ((angle < high) | (high == 90))
            masks[f"latitude {low}-{high}"] = np.asarray(inside)
    measured = np.isfinite(part.activity)
    if measured.any():
        limit = DISTURBED * np.median(part.activity[measured])
        masks["disturbed"] = np.asarray(measured & (part.activity > limit))
        masks["quiet"] = np.asarray(measured & (part.activity <= limit))
    return masks
