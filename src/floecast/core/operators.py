"""Staggered operators of the Arakawa C grid on a conformal plane.

U(j, i) is the east face of T(j, i), V(j, i) its north face. A cell has side ``dx_t`` both ways, a
face the length ``dx_u`` or ``dx_v``, which is also the distance between the centres it parts. No
flux crosses a coast or the edge of the domain. With the inner products sum(a b dx_t^2) at T
points and sum(a b dx^2) at faces, the divergence is minus the adjoint of the gradient.
"""

import jax.numpy as jnp


def east(field):
    """Value of the neighbour to the east; the last column gets the first, which masks remove."""
    return jnp.roll(field, -1, axis=-1)


def west(field):
    """Value of the neighbour to the west."""
    return jnp.roll(field, 1, axis=-1)


def north(field):
    """Value of the neighbour to the north."""
    return jnp.roll(field, -1, axis=-2)


def south(field):
    """Value of the neighbour to the south."""
    return jnp.roll(field, 1, axis=-2)


def gradient(field, grid):
    """Gradient of a field at T points.

    Parameters
    ----------
    field : (y, x) array
        T points.
    grid : Grid

    Returns
    -------
    gradient_x : (y, x) array
        U points [unit of `field` / m]; 0 across coasts.
    gradient_y : (y, x) array
        V points.
    """
    gradient_x = jnp.where(grid.mask_u, (east(field) - field) / grid.dx_u, 0.0)
    gradient_y = jnp.where(grid.mask_v, (north(field) - field) / grid.dx_v, 0.0)
    return gradient_x, gradient_y


def divergence(u, v, grid):
    """Divergence of a vector at faces.

    Parameters
    ----------
    u, v : (y, x) array
        Components at U and V points; what stands on a coast is taken as 0.
    grid : Grid

    Returns
    -------
    (y, x) array
        T points [unit of `u` / m]; 0 on land.

    Notes
    -----
    (1 / dx_t^2) [ d_i(u dx_u) + d_j(v dx_v) ]: its sum over the area of a closed domain is 0.
    """
    flux_x = jnp.where(grid.mask_u, u * grid.dx_u, 0.0)
    flux_y = jnp.where(grid.mask_v, v * grid.dx_v, 0.0)
    outflow = flux_x - west(flux_x) + flux_y - south(flux_y)
    return jnp.where(grid.mask_t, outflow / grid.area, 0.0)


def t_to_u(field, grid):
    """Mean of the two T cells beside each U point; 0 on coasts."""
    return jnp.where(grid.mask_u, 0.5 * (field + east(field)), 0.0)


def t_to_v(field, grid):
    """Mean of the two T cells beside each V point; 0 on coasts."""
    return jnp.where(grid.mask_v, 0.5 * (field + north(field)), 0.0)


def u_to_t(field, grid):
    """Mean of the two U faces of each T cell, coasts counting as 0."""
    field = jnp.where(grid.mask_u, field, 0.0)
    return jnp.where(grid.mask_t, 0.5 * (field + west(field)), 0.0)


def v_to_t(field, grid):
    """Mean of the two V faces of each T cell, coasts counting as 0."""
    field = jnp.where(grid.mask_v, field, 0.0)
    return jnp.where(grid.mask_t, 0.5 * (field + south(field)), 0.0)
