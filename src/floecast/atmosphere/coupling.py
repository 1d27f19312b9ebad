"""What every ice model does that stands under a boundary layer."""

import jax.numpy as jnp

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


def _at_sea(aloft, function, grid):
    """The large scale without its time axis, harmless on land, where a file may have none."""
    ocean = jnp.asarray(grid.mask_t)
    rest = {"potential_temperature": 260.0, "humidity": 1e-3}
    fields = {
        name: jnp.where(ocean, function(field), rest.get(name, 0.0))
        for name, field in aloft.profiles().items()
    }
    return Aloft(aloft.height, **fields)
