"""Observation operators: what a sensor would see of a state."""

import jax.numpy as jnp

from floecast.core.operators import u_to_t, v_to_t

LEAST_CONCENTRATION = 0.05
"""Below this footprint concentration the thickness over the ice is not resolved [1]."""


def observe(state, observations, grid):
    """Equivalents of observations in a state.

    Parameters
    ----------
    state : IceState
        Of one member, ``(y, x)``.
    observations : Observations
        Along p.
    grid : Grid

    Returns
    -------
    (p,) array
        Concentration: footprint mean [1]. Thickness: footprint volume over footprint
        concentration, the latter not below `LEAST_CONCENTRATION` [m]. Drift: velocity brought to
        T points, footprint mean [m/s].

    Notes
    -----
    Linear in the state but for thickness, which is smooth where there is ice and has finite
    derivatives where there is none.
    """
    fields = jnp.stack(
        [
            state.concentration,
            state.ice_volume,
            u_to_t(state.u, grid),
            v_to_t(state.v, grid),
        ]
    ).reshape(4, -1)
    seen = jnp.sum(fields[:, observations.cell] * observations.weight[None], axis=-1)
    concentration, volume, drift_u, drift_v = seen
    thickness = volume / jnp.maximum(concentration, LEAST_CONCENTRATION)
    # In the order of observations.KINDS.
    by_kind = jnp.stack([concentration, thickness, drift_u, drift_v])
    return jnp.take_along_axis(by_kind, observations.kind[None], axis=0)[0]
