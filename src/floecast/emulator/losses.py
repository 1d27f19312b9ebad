"""Scores by which an emulator learns: of members against the truth, at two scales."""

import jax.numpy as jnp
import numpy as np

from floecast.core.operators import east, north
from floecast.core.variables import ICE_EDGE, STATE, VARIABLES

COARSE = 4
"""Cells along a side of the blocks whose means are scored beside the cells."""


def almost_fair_crps(members, truth, fairness=0.95):
    """Continuous ranked probability score of a small ensemble, place by place.

    Parameters
    ----------
    members : (member, ...) array
        At least two.
    truth : (...) array
    fairness : float
        Weight of the fair score, whose expectation is that of a large ensemble; the rest goes to
        the standard one. Below 1, because the fair score alone takes no notice of one member when
        all others are perfect [1].

    Returns
    -------
    (...) array
        In the unit of `truth`.

    Notes
    -----
    Lang et al. (2024), arXiv:2412.15832, eq. 4: with m members and e = (1 - fairness) / m, the sum
    over pairs j != k of |x_j - y| + |x_k - y| - (1 - e) |x_j - x_k|, over 2 m (m - 1).
    """
    count = members.shape[0]
    error = jnp.mean(jnp.abs(members - truth[None]), axis=0)
    apart = sum(
        jnp.abs(members[one] - members[other]) for one in range(count) for other in range(one)
    )
    return error - (1.0 - (1.0 - fairness) / count) * apart / (count * (count - 1))


def squared_error(members, truth):
    """Square of the error of a single member; the shapes of `almost_fair_crps`."""
    return jnp.mean((members - truth[None]) ** 2, axis=0)


def weights(truth, grid):
    """Where each field counts, as a share of what counts.

    Parameters
    ----------
    truth : IceState
        Leaves ``(y, x)``.
    grid : Grid

    Returns
    -------
    dict of (y, x) arrays
        Area of the sea; for velocities, of faces between cells with ice on average. Each adds up
        to 1.
    """
    cover, area = truth.concentration, jnp.asarray(grid.area, truth.concentration.dtype)
    counts = {
        "T": jnp.asarray(grid.mask_t, area.dtype),
        "U": jnp.where(grid.mask_u & (cover + east(cover) > 2 * ICE_EDGE), 1.0, 0.0),
        "V": jnp.where(grid.mask_v & (cover + north(cover) > 2 * ICE_EDGE), 1.0, 0.0),
    }
    total = {
        point: area * where / jnp.maximum(jnp.sum(area * where), 1.0)
        for point, where in counts.items()
    }
    return {name: total[VARIABLES[name].point] for name in STATE}


def score(members, truth, grid, change):
    """Loss of a step.

    Parameters
    ----------
    members : IceState
        Leaves ``(member, y, x)``; of a single one the squared error, of more the score of
        `almost_fair_crps`.
    truth : IceState
        Leaves ``(y, x)``.
    grid : Grid
    change : dict of scalars
        Standard deviation of the change over a step, by which each field is divided.

    Returns
    -------
    dict of scalars
        For each field the mean over cells plus that over blocks of `COARSE` cells.
    """
    single = members.concentration.shape[0] == 1
    measure = squared_error if single else almost_fair_crps
    share = weights(truth, grid)
    losses = {}
    for name in STATE:
        told, true = getattr(members, name) / change[name], getattr(truth, name) / change[name]
        weight = share[name]
        fine = jnp.sum(weight * measure(told, true))
        block = _blocks(weight)
        safe = jnp.where(block > 0, block, 1.0)
        coarse = measure(_blocks(weight[None] * told) / safe[None], _blocks(weight * true) / safe)
        losses[name] = fine + jnp.sum(block * coarse)
    return losses


def _blocks(field):
    """Sums over blocks of cells; rows and columns that fill no block are left out."""
    *lead, ny, nx = field.shape
    ny, nx = ny // COARSE, nx // COARSE
    field = field[..., : ny * COARSE, : nx * COARSE]
    return field.reshape(*lead, ny, COARSE, nx, COARSE).sum((-3, -1))


def errors(members, truth, grid):
    """Mean square error of the ensemble mean and mean variance of the members.

    Parameters
    ----------
    members, truth, grid
        As in `score`.

    Returns
    -------
    dict of (2,) arrays
        By field, in the square of its unit; weighted as in `weights`.
    """
    share = weights(truth, grid)
    told = {}
    for name in STATE:
        field = getattr(members, name)
        error = jnp.sum(share[name] * (jnp.mean(field, axis=0) - getattr(truth, name)) ** 2)
        count = field.shape[0]
        # Of a draw like the members around their mean (Fortin et al. 2014).
        spread = jnp.var(field, axis=0) * (count + 1) / np.maximum(count - 1, 1)
        told[name] = jnp.stack([error, jnp.sum(share[name] * spread)])
    return told
