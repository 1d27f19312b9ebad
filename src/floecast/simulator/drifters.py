"""Points that move with the ice, such as buoys."""

import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates


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
        By the midpoint rule (second order in time), with velocity linear between faces. As the
        velocity across a coast is 0, no drifter crosses one.
    """
    middle = positions + 0.5 * dt * velocity_at(positions, u, v, grid)
    return positions + dt * velocity_at(middle, u, v, grid)


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
