"""What the moving ice carries with it, and what happens where it converges."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from .advection import Upwind


def transport(state, mesh, dt, substeps, scheme=None, ratios=()):
    """Carry the ice with its own motion; ridge it where it converges.

    Parameters
    ----------
    state : IceState, or a state with the same fields and more
        With the velocity of the step, its components below `MAX_SPEED`; where it has an `age`
        [s], that is carried too.
    mesh : Mesh
        Of the T cells.
    dt : float
        [s]
    substeps : int
        From `count_substeps`.
    scheme : AbstractScheme, optional
        `Upwind()` if left out.
    ratios : tuple of (y, x) array
        More that belongs to the ice by volume, such as the enthalpy per volume of a layer.

    Returns
    -------
    state
        With new `concentration`, `ice_volume`, `snow_volume`, `damage` and `age`. Without ice,
        damage and age are 0.
    ratios : tuple of (y, x) array
        Where no ice is left they keep their values.

    Notes
    -----
    Ice and snow volume are kept, each by itself: snow does not vanish with the ice under it.
    Convergence first closes the open water; once a cell is full, ridges take the ice area that
    does not fit (Hibler 1979, Thorndike et al. 1975), which thickens the ice. Everything else
    mixes by ice volume and stays between its old extremes, damage as the intact fraction
    ``1 - damage``.
    """
    scheme = Upwind() if scheme is None else scheme
    aged = hasattr(state, "age")
    amounts = jnp.stack([state.concentration, state.ice_volume, state.snow_volume])
    own = (1.0 - state.damage, state.age) if aged else (1.0 - state.damage,)
    carried = jnp.stack([*own, *ratios])
    bare = jnp.stack([jnp.ones_like(own[0]), *map(jnp.zeros_like, own[1:]), *ratios])
    (concentration, volume, snow), carried = scheme.carry(
        amounts,
        carried,
        state.u,
        state.v,
        mesh,
        dt,
        substeps,
        base=1,
        defaults=bare,
        constrain=_ridge,
    )
    fields = {"age": _bounded(carried[1], 0.0, jnp.inf)} if aged else {}
    state = replace(
        state,
        concentration=concentration,
        ice_volume=volume,
        snow_volume=snow,
        damage=1.0 - _bounded(carried[0], 0.0, 1.0),
        **fields,
    )
    return state, tuple(carried[len(own) :])


def _ridge(amounts):
    area = amounts[0]
    return amounts.at[0].set(jnp.where(area > 1.0, 1.0, area))


def _bounded(ratio, low, high):
    # Only round-off can leave the bounds, so that the derivative is that of the ratio.
    return ratio + jax.lax.stop_gradient(jnp.clip(ratio, low, high) - ratio)
