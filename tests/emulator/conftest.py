"""Small emulators with random weights, on boxes with an island."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.forcing import Forcing
from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.emulator.features import Scaling, feature_names
from floecast.emulator.model import Emulator


@pytest.fixture(scope="module")
def grid():
    ocean = np.ones((8, 12), bool)
    ocean[0], ocean[:, 0], ocean[3:5, 5:7] = False, False, False
    return Grid.box((8, 12), 50e3, ocean=ocean)


def fields(grid, seed, *, cover=(0.0, 1.0)):
    """A state with bounds, traces and empty cells, and forcing of winter."""
    random = np.random.default_rng(seed)
    ocean = grid.mask_t
    concentration = random.uniform(*cover, grid.shape)
    concentration.flat[::5], concentration.flat[::7] = 0.0, 1.0
    concentration *= ocean
    thickness = random.uniform(0.05, 4.0, grid.shape)
    damage = random.uniform(0.0, 1.0, grid.shape) * (concentration > 0)
    state = IceState(
        concentration,
        concentration * thickness,
        concentration * random.uniform(0.0, 0.5, grid.shape),
        random.normal(0.0, 0.2, grid.shape) * grid.mask_u,
        random.normal(0.0, 0.2, grid.shape) * grid.mask_v,
        damage,
    )

    def between(low, high):
        return random.uniform(low, high, (2, *grid.shape))

    forcing = Forcing(
        jnp.array([900_000_000, 900_043_200]),
        wind_u=between(-15, 15),
        wind_v=between(-15, 15),
        air_temperature=between(240, 275),
        humidity=between(1e-4, 4e-3),
        shortwave=between(0, 200),
        longwave=between(150, 300),
        snowfall=between(0, 5e-5),
        current_u=between(-0.1, 0.1),
        current_v=between(-0.1, 0.1),
        ocean_temperature=between(271, 276),
    )
    return jax.tree.map(jnp.asarray, state), jax.tree.map(jnp.asarray, forcing)


@pytest.fixture
def state_and_forcing(grid):
    return fields(grid, 1)


def scaling():
    """Statistics of about the size of true ones."""
    count = len(feature_names())
    change = {"concentration": 0.03, "ice_volume": 0.05, "snow_volume": 0.01, "damage": 0.1}
    change |= {"u": 0.05, "v": 0.05}
    return Scaling(
        jnp.zeros(count),
        jnp.full(count, 10.0),
        {name: jnp.asarray(size) for name, size in change.items()},
    )


@pytest.fixture(scope="module")
def emulator(grid):
    """With random weights that all do something."""
    drawn = Emulator.untrained(grid, scaling(), key=jax.random.key(3), widths=(6, 8))
    random = np.random.default_rng(4)
    network = jax.tree.map(lambda leaf: leaf + 0.1 * random.normal(size=leaf.shape), drawn.network)
    return Emulator(grid, network, drawn.scaling)
