"""States, winds and grids of the simulator's tests."""

import numpy as np
import pytest

from floecast.atmosphere.forcing import Forcing
from floecast.core.grid import Grid
from floecast.core.state import IceState


def random_state(grid, seed, speed=1.0):
    """Ice of every kind: none, full, thin, thick, broken; velocities of either sign."""
    rng = np.random.default_rng(seed)
    concentration = np.clip(rng.uniform(-0.3, 1.3, grid.shape), 0.0, 1.0) * grid.mask_t
    volume = concentration * rng.uniform(0.05, 6.0, grid.shape)
    u, v = rng.uniform(-speed, speed, (2, *grid.shape))
    return IceState(
        concentration=concentration,
        ice_volume=volume,
        snow_volume=concentration * rng.uniform(0.0, 0.5, grid.shape),
        u=np.where(grid.mask_u, u, 0.0),
        v=np.where(grid.mask_v, v, 0.0),
        damage=np.where(volume > 0, rng.uniform(0.0, 1.0, grid.shape), 0.0),
    )


def steady_forcing(grid, wind_u, wind_v, air_temperature, **more):
    """Forcing of two times with the same fields; numbers fill the grid."""
    fields = {"wind_u": wind_u, "wind_v": wind_v, "air_temperature": air_temperature, **more}
    shape = (2, *grid.shape)
    return Forcing(
        np.array([0, 86400 * 365]),
        **{name: np.array(np.broadcast_to(field, shape), float) for name, field in fields.items()},
    )


@pytest.fixture(scope="session")
def arctic100():
    """The Arctic on 64 x 64 cells."""
    return Grid.preset("arctic100")


@pytest.fixture(scope="session")
def box():
    """A closed box of sea."""
    return Grid.box((9, 12), 20e3)
