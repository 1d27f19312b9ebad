"""Observation operators: what a sensor would see of a state."""

import jax.numpy as jnp

from floecast.core.operators import south, west

LEAST_CONCENTRATION = 0.05
"""Below this footprint concentration the thickness over the ice is not resolved [1]."""


def observe(state, observations):
    """Equivalents of observations in a state.

    Parameters
    ----------
    state : IceState
        Of one member, ``(y, x)``.
    observations : Observations
        Along p.

    Returns
    -------
    (p,) array
        Concentration: footprint mean [1]. Thickness: footprint volume over footprint
        concentration, the latter not below `LEAST_CONCENTRATION` [m]. Drift: mean of the two faces
        of each cell, of which coasts are at rest, footprint mean [m/s].

    Notes
    -----
    Linear in the state but for thickness, which is smooth where there is ice and has finite
    derivatives where there is none.
    """
    fields = jnp.stack(
        [
            state.concentration,
            state.ice_volume,
            0.5 * (state.u + west(state.u)),
            0.5 * (state.v + south(state.v)),
        ]
    ).reshape(4, -1)
    seen = jnp.sum(fields[:, observations.cell] * observations.weight[None], axis=-1)
    concentration, volume, drift_u, drift_v = seen
    thickness = volume / jnp.maximum(concentration, LEAST_CONCENTRATION)
    # In the order of observations.KINDS.
    by_kind = jnp.stack([concentration, thickness, drift_u, drift_v])
    return jnp.take_along_axis(by_kind, observations.kind[None], axis=0)[0]
