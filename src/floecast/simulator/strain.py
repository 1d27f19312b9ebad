"""Strain rate of the ice and divergence of its stress on the C grid, one the other's adjoint."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class Stress(eqx.Module):
    """Vertically integrated stress.

    Parameters
    ----------
    total : (y, x) array
        S11 + S22, T points [N/m].
    difference : (y, x) array
        S11 - S22, T points [N/m].
    shear : (y + 1, x + 1) array
        S12 at all corners of all cells, those on the outer walls included [N/m].
    """

    total: Float[Array, "*member y x"]
    difference: Float[Array, "*member y x"]
    shear: Float[Array, "*member y1 x1"]


class Metric(eqx.Module):
    """Sides of cells and coasts at all faces and corners, those on the outer walls included.

    Parameters
    ----------
    dx_t : (y, x) array
        [m]
    dx_u : (y + 2, x + 1) array
        Faces across x, from the west wall to the east wall, a row more at both ends [m].
    dx_v : (y + 1, x + 2) array
        Faces across y, from the south wall to the north wall, a column more at both ends [m].
    dx_f : (y + 1, x + 1) array
        Corners [m].
    open_u : (y, x - 1) bool array
        Inner faces across x with sea on both sides.
    open_v : (y - 1, x) bool array
        Inner faces across y with sea on both sides.
    sea : (y, x) array
        1 at sea, 0 on land.
    slip : (y + 1, x + 1) array
        Factor of the shear at corners: 1 at sea, 2 at coasts, 0 on land.
    wet : (y + 1, x + 1) array
        Number of sea cells round a corner, at least 1.
    """

    dx_t: Array
    dx_u: Array
    dx_v: Array
    dx_f: Array
    open_u: Array
    open_v: Array
    sea: Array
    slip: Array
    wet: Array

    @classmethod
    def of(cls, grid):
        """Metric of a grid.

        Notes
        -----
        The tangential velocity is 0 on the coast, half a cell from the nearest face that has one,
        which makes the shear there twice the difference to a face on land.
        """
        dx_t, dx_u, dx_v, dx_f = map(jnp.asarray, (grid.dx_t, grid.dx_u, grid.dx_v, grid.dx_f))
        sea = jnp.asarray(grid.mask_t).astype(dx_t.dtype)
        wet = sum_to_corners(sea)
        return cls(
            dx_t=dx_t,
            dx_u=jnp.pad(dx_u, ((1, 1), (1, 0)), "edge"),
            dx_v=jnp.pad(dx_v, ((1, 0), (1, 1)), "edge"),
            dx_f=jnp.pad(dx_f, ((1, 0), (1, 0)), "edge"),
            open_u=jnp.asarray(grid.mask_u)[:, :-1],
            open_v=jnp.asarray(grid.mask_v)[:-1],
            sea=sea,
            slip=jnp.where(wet == 4, 1.0, jnp.where(wet > 0, 2.0, 0.0)).astype(dx_t.dtype),
            wet=jnp.maximum(wet, 1.0),
        )


def strain_rate(u, v, metric):
    """Strain rates of a velocity.

    Parameters
    ----------
    u : (y + 2, x + 1) array
        Inner faces across x within `walls` [m/s]; 0 at coasts.
    v : (y + 1, x + 2) array
        Inner faces across y within `walls` [m/s]; 0 at coasts.
    metric : Metric

    Returns
    -------
    divergence : (y, x) array
        e11 + e22, T points [1/s].
    tension : (y, x) array
        e11 - e22, T points [1/s].
    shear : (y + 1, x + 1) array
        2 e12, corners [1/s].

    Notes
    -----
    On a conformal grid ``d_i(dx u) + d_j(dx v)`` over dx^2, ``d_i(u / dx) - d_j(v / dx)`` and
    ``slip (d_j(u / dx) + d_i(v / dx))`` (Hunke and Dukowicz 2002). On land the first two are 0
    because all faces are.
    """
    relative_u, relative_v = u / metric.dx_u, v / metric.dx_v
    divergence = across_x((u * metric.dx_u)[1:-1]) + across_y((v * metric.dx_v)[:, 1:-1])
    tension = across_x(relative_u[1:-1]) - across_y(relative_v[:, 1:-1])
    shear = across_y(relative_u) + across_x(relative_v)
    return divergence / metric.dx_t**2, tension, metric.slip * shear


def stress_divergence(stress, metric):
    """Force of the stress, the exact adjoint of `strain_rate`.

    Parameters
    ----------
    stress : Stress
    metric : Metric

    Returns
    -------
    force_u : (y, x - 1) array
        Inner faces across x [N/m2].
    force_v : (y - 1, x) array
        Inner faces across y [N/m2].

    Notes
    -----
    The work of the force on a velocity that is 0 at coasts, summed with dx^2 of the faces, is
    minus that of the stress on its strain rate, ``(total divergence + difference tension) / 2``
    with dx^2 of the cells and ``shear_stress shear`` with dx^2 / slip of the corners: half the
    area of a corner cell at a straight coast is land.
    """
    difference = metric.dx_t**2 * stress.difference
    shear = metric.dx_f**2 * stress.shear
    dx_u, dx_v = inner(metric.dx_u), inner(metric.dx_v)
    along_u = 0.5 * across_x(difference) + across_y(shear[:, 1:-1])
    along_v = -0.5 * across_y(difference) + across_x(shear[1:-1])
    return (
        (0.5 * dx_u * across_x(stress.total) + along_u / dx_u) / dx_u**2,
        (0.5 * dx_v * across_y(stress.total) + along_v / dx_v) / dx_v**2,
    )


def walls(field):
    """Field at the inner faces within a ring of zeros, the walls and what lies behind them."""
    return jnp.pad(field, 1)


def inner(field):
    """Field without its outermost rows and columns."""
    return field[1:-1, 1:-1]


def across_x(field):
    """Difference of neighbours along x."""
    return field[:, 1:] - field[:, :-1]


def across_y(field):
    """Difference of neighbours along y."""
    return field[1:] - field[:-1]


def mean_x(field):
    """Mean of neighbours along x."""
    return 0.5 * (field[:, 1:] + field[:, :-1])


def mean_y(field):
    """Mean of neighbours along y."""
    return 0.5 * (field[1:] + field[:-1])


def sum_to_corners(field):
    """Sum over the cells round each corner, nothing beyond the walls."""
    field = jnp.pad(field, 1)
    field = field[1:] + field[:-1]
    return field[:, 1:] + field[:, :-1]
