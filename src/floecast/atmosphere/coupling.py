"""What every ice model does that stands under a boundary layer."""

import jax
import jax.numpy as jnp
import numpy as np

from floecast.core.errors import InputError

from .forcing import Aloft

SUPPLIED = ("wind_u", "wind_v", "air_temperature", "humidity")
"""Forcing fields that the boundary layer supplies: 10 m wind, 2 m temperature and humidity."""


def first_aloft(forcing, grid):
    """The large scale at the first time of a forcing.

    Parameters
    ----------
    forcing : Forcing or None
    grid : Grid

    Returns
    -------
    Aloft
        Without time, with harmless values on land.

    Raises
    ------
    InputError
        If the forcing says nothing of the air aloft.
    """
    if forcing is None or forcing.aloft is None:
        raise InputError(
            "the boundary layer needs the air aloft to start from: give forcing with `aloft`, such "
            "as SyntheticWeather.draw(key, grid).with_aloft(...)"
        )
    return _at_sea(forcing.aloft, lambda field: field[0], grid)


def middle_aloft(forcing, grid):
    """The large scale in the mean over the times of a forcing; see `first_aloft`."""
    return _at_sea(forcing.aloft, lambda field: field.mean(axis=0), grid)


def sea_cells(grid):
    """Numbers of the cells of the ocean, row by row: columns stand over these."""
    return jnp.asarray(np.flatnonzero(np.asarray(grid.mask_t)))


def packed(tree, cells):
    """Some cells of fields: leaves ``(..., y, x)`` to ``(..., cell)``."""
    return jax.tree.map(lambda leaf: leaf.reshape(*leaf.shape[:-2], -1)[..., cells], tree)


def unpacked(tree, onto, cells):
    """The fields `onto`, leaves ``(..., y, x)``, with the values of some cells in their place."""

    def placed(values, field):
        flat = field.reshape(*field.shape[:-2], -1).at[..., cells].set(values)
        return flat.reshape(field.shape)

    return jax.tree.map(placed, tree, onto)


def _at_sea(aloft, function, grid):
    """The large scale without its time axis, harmless on land, where a file may have none."""
    ocean = jnp.asarray(grid.mask_t)
    rest = {"potential_temperature": 260.0, "humidity": 1e-3}
    fields = {
        name: jnp.where(ocean, function(field), rest.get(name, 0.0))
        for name, field in aloft.profiles().items()
    }
    return Aloft(aloft.height, **fields)
