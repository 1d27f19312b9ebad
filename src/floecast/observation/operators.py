"""Observation operators: what a sensor would see of a state."""

import jax.numpy as jnp

from floecast.core.operators import south, west

from .altimetry import freeboard_of

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
        concentration, the latter not below `LEAST_CONCENTRATION` [m]. Snow depth: the same of the
        snow volume [m]. Freeboard: `freeboard_of` such ice under such snow [m]. Drift: mean of the
        two faces of each cell, of which coasts are at rest, footprint mean [m/s].

    Notes
    -----
    Concentration and drift are linear in the state; what is per ice area is smooth where there is
    ice and has finite derivatives where there is none. The state is one instant: windows take the
    mean over the span of an observation, see `floecast.assimilation.window.schedule`.
    """
    fields = jnp.stack(
        [
            state.concentration,
            state.ice_volume,
            0.5 * (state.u + west(state.u)),
            0.5 * (state.v + south(state.v)),
            state.snow_volume,
        ]
    ).reshape(5, -1)
    seen = jnp.sum(fields[:, observations.cell] * observations.weight[None], axis=-1)
    concentration, volume, drift_u, drift_v, snow_volume = seen
    cover = jnp.maximum(concentration, LEAST_CONCENTRATION)
    thickness, snow_depth = volume / cover, snow_volume / cover
    freeboard, laser = (freeboard_of(thickness, snow_depth, laser=laser) for laser in (False, True))
    # In the order of observations.KINDS.
    by_kind = jnp.stack([concentration, thickness, drift_u, drift_v, freeboard, laser, snow_depth])
    return jnp.take_along_axis(by_kind, observations.kind[None], axis=0)[0]
