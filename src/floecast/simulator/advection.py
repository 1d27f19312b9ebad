"""Transport of the ice by its own motion: conservative upwind fluxes, ridging in convergence."""

from dataclasses import replace
from math import ceil

import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.operators import east, north, south, west

MAX_SPEED = 1.5
"""Bound of each component of the ice velocity [m/s]; see `limit_speed`."""

LEAST_VOLUME = 1e-10
"""Ice volume per area below which ratios to it are not formed [m]."""


def limit_speed(component):
    """Velocity component held below `MAX_SPEED` by a smooth function.

    Parameters
    ----------
    component : array
        [m/s]

    Returns
    -------
    array
        ``c / (1 + (c / MAX_SPEED)^8)^(1/8)``: less than 1e-4 away from `component` up to 0.6 m/s,
        which ice seldom exceeds.
    """
    return component * (1.0 + (component / MAX_SPEED) ** 8) ** -0.125


def count_substeps(grid, dt):
    """Substeps of `upwind` that keep every tracer positive.

    Parameters
    ----------
    grid : Grid
    dt : int
        [s]

    Returns
    -------
    int
        So many that a cell cannot give away more than it holds, even if ice left through all of
        its four sides at `MAX_SPEED`.
    """
    mask_u, mask_v = np.asarray(grid.mask_u), np.asarray(grid.mask_v)
    length_u = np.where(mask_u, grid.dx_u, 0.0)
    length_v = np.where(mask_v, grid.dx_v, 0.0)
    sides = length_u + np.roll(length_u, 1, axis=1) + length_v + np.roll(length_v, 1, axis=0)
    return max(1, ceil(1.001 * MAX_SPEED * dt * np.max(sides / grid.area)))


def upwind(tracers, u, v, grid, dt, substeps, constrain):
    """Carry amounts per area with the flow.

    Parameters
    ----------
    tracers : (n, y, x) array
        T points, amounts per area of the cell.
    u, v : (y, x) array
        U and V points, components below `MAX_SPEED` [m/s].
    grid : Grid
    dt : int
        [s]
    substeps : int
        From `count_substeps`.
    constrain : callable
        Applied to the tracers after each substep.

    Returns
    -------
    (n, y, x) array

    Notes
    -----
    First-order donor cell in flux form, forward in time, both directions at once. The sum over
    cells of tracer times area is kept to round-off. Each new value is a sum of old ones with
    weights that are not negative, so that tracers stay positive and the ratio of two of them
    stays between its old extremes.
    """
    time = dt / substeps
    swept_u = jnp.where(grid.mask_u, u * grid.dx_u * time, 0.0)
    swept_v = jnp.where(grid.mask_v, v * grid.dx_v * time, 0.0)
    eastward, westward = jnp.maximum(swept_u, 0.0), jnp.maximum(-swept_u, 0.0)
    northward, southward = jnp.maximum(swept_v, 0.0), jnp.maximum(-swept_v, 0.0)
    leaving = eastward + west(westward) + northward + south(southward)
    keep = 1.0 - leaving / grid.area

    def substep(_, amount):
        inflow = (
            west(eastward[None] * amount)
            + westward[None] * east(amount)
            + south(northward[None] * amount)
            + southward[None] * north(amount)
        )
        return constrain(keep[None] * amount + inflow / grid.area[None])

    return jax.lax.fori_loop(0, substeps, substep, tracers)


def transport(state, grid, dt, substeps):
    """Carry concentration, volumes and damage with the ice; ridge it where it converges.

    Parameters
    ----------
    state : IceState
        With the velocity of the step.
    grid : Grid
    dt : int
        [s]
    substeps : int
        From `count_substeps`.

    Returns
    -------
    IceState

    Notes
    -----
    Ice and snow volume are kept. Convergence first closes the open water; once a cell is full,
    ridges take the ice area that does not fit (Hibler 1979, Thorndike et al. 1975), which thickens
    the ice. Damage travels as intact volume, ``(1 - damage) ice_volume``, so that it mixes by
    volume and stays in its bounds.
    """
    intact = (1.0 - state.damage) * state.ice_volume
    tracers = jnp.stack([state.concentration, state.ice_volume, state.snow_volume, intact])
    concentration, volume, snow, intact = upwind(
        tracers, state.u, state.v, grid, dt, substeps, _ridge
    )
    # A quotient of two sums with the same weights can leave [0, 1] by round-off.
    ice = volume > LEAST_VOLUME
    fraction = jnp.where(ice, intact / jnp.where(ice, volume, 1.0), 1.0)
    return replace(
        state,
        concentration=concentration,
        ice_volume=volume,
        snow_volume=snow,
        damage=1.0 - jnp.minimum(fraction, 1.0),
    )


def _ridge(tracers):
    return tracers.at[0].set(jnp.minimum(tracers[0], 1.0))
