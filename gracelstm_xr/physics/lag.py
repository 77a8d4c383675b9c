"""The lag: how much later or earlier the twin is where a satellite is now."""

from __future__ import annotations

import numpy as np

from gracelstm_xr.arrays import Array
from gracelstm_xr.physics.earth import gravity
from gracelstm_xr.physics.states import StateNodes

#: Longest lag that is searched [s]; the twins fly 21-35 s apart.
LONGEST_LAG = 600.0
#: Newton steps: the second is below 1e-2 s, the fourth below 1e-9 s.
ITERATIONS = 5
#: Largest last step of an iteration that has converged [s].
CONVERGED = 1e-5


def lag_to_twin(own: StateNodes, twin: StateNodes, t: Array) -> Array:
    """Lag at which the twin is closest to where this satellite is now.

    Minimises ``|r_own(t) - r_twin(t + lag)|`` in the inertial frame by Newton's
    method, started at every epoch from the distance along the track. Positive when
    the twin follows (it comes here later), negative when it leads; it passes through
    zero smoothly where the two change places.

    Parameters
    ----------
    own, twin : StateNodes
        Orbits of this satellite and of its twin.
    t : ndarray, shape (n,)
        GPS seconds.

    Returns
    -------
    ndarray, shape (n,)
        Lag [s], NaN where either orbit is missing or the lag is longer than 10 min.
        Converges below 1e-5 s.

    Notes
    -----
    The iteration is the one of the GROOPS transplant program (Mayer-Guerr et
    al. 2021, doi:10.1016/j.cageo.2021.104864).
    """
    here, _ = own.at(t)
    there, velocity = twin.at(t)
    dt = -((there - here) * velocity).sum(1) / (velocity * velocity).sum(1)
    step = dt
    for _ in range(ITERATIONS):
        other, velocity = twin.at(t + dt)
        miss = here - other
        slope = (velocity * velocity).sum(1) - (miss * gravity(other)).sum(1)
        step = (miss * velocity).sum(1) / slope
        dt = dt + step
    converged = (np.abs(step) < CONVERGED) & (np.abs(dt) <= LONGEST_LAG)
    return np.where(converged, dt, np.nan)
