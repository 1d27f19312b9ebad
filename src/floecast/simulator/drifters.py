"""Points that move with the ice, such as buoys."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from floecast.core.errors import InputError


def drift(positions, u, v, grid, dt):
    """Positions one step later.

    Parameters
    ----------
    positions : (drifter, 2) array
        x and y on the projected plane [m].
    u, v : (y, x) array
        U and V points [m/s].
    grid : Grid
    dt : float
        [s]

    Returns
    -------
    (drifter, 2) array
        By the midpoint rule (second order in time), with velocity linear between faces. Where that
        leads ashore, as it can where a coast ends or turns, a drifter goes along the coast.
    """
    middle = positions + 0.5 * dt * velocity_at(positions, u, v, grid)
    there = positions + dt * velocity_at(middle, u, v, grid)
    (x, y), (new_x, new_y) = positions.T, there.T
    x = jnp.where(at_sea(new_x, y, grid), new_x, x)
    y = jnp.where(at_sea(x, new_y, grid), new_y, y)
    return jnp.stack([x, y], axis=-1)


def at_sea(x, y, grid):
    """True for the positions x, y [m] in wet cells."""
    column = jnp.floor((x - grid.x[0]) / grid.spacing + 0.5)
    row = jnp.floor((y - grid.y[0]) / grid.spacing + 0.5)
    rows, columns = grid.shape
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    row, column = (jnp.where(inside, index, 0.0).astype(int) for index in (row, column))
    return inside & jnp.asarray(grid.mask_t)[row, column]


def check_drifters(positions, grid):
    """Refuse positions that are not points at sea.

    Parameters
    ----------
    positions : array
        x and y on the projected plane [m].
    grid : Grid

    Returns
    -------
    (drifter, 2) array
        The same.

    Raises
    ------
    InputError
        If it has another shape, or a drifter is on land or outside of the grid; it names the first.
    """
    positions = jnp.asarray(positions, float)
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise InputError(
            f"drifters have shape {positions.shape}; expected (number, 2), x and y in metres"
        )
    if not isinstance(positions, jax.core.Tracer):
        ashore = np.flatnonzero(~np.asarray(at_sea(*positions.T, grid)))
        if len(ashore):
            x, y = map(float, positions[ashore[0]])
            raise InputError(
                f"drifter {ashore[0]} at x = {x / 1e3:.6g} km, y = {y / 1e3:.6g} km is on land or "
                f"outside of the grid {grid.name}, and {len(ashore)} in all; leave them out"
            )
    return positions


def velocity_at(positions, u, v, grid):
    """Velocity on the map, bilinear between the faces.

    Parameters
    ----------
    positions : (drifter, 2) array
        [m]
    u, v : (y, x) array
        [m/s]
    grid : Grid

    Returns
    -------
    (drifter, 2) array
        True velocity times the scale of the map [m/s].
    """
    column = (positions[:, 0] - grid.x[0]) / grid.spacing
    row = (positions[:, 1] - grid.y[0]) / grid.spacing
    on_map_u = u * grid.spacing / grid.dx_u
    on_map_v = v * grid.spacing / grid.dx_v
    along_x = map_coordinates(on_map_u, [row, column - 0.5], order=1)
    along_y = map_coordinates(on_map_v, [row - 0.5, column], order=1)
    return jnp.stack([along_x, along_y], axis=-1)
