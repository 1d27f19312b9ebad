import numpy as np
import pytest

from floecast.core.calendar import to_seconds
from floecast.core.grid import Grid
from floecast.core.state import check_state
from floecast.simulator.typical_state import typical_state


@pytest.fixture(scope="module")
def grid():
    return Grid.preset("arctic50")


def extent(grid, date):
    concentration = np.asarray(typical_state(grid, to_seconds(date)).concentration)
    return grid.area[concentration > 0.15].sum() / 1e12


def test_extent_follows_the_season_within_what_the_domain_holds(grid):
    assert 11 < extent(grid, "2030-03-10") < 15
    assert 4 < extent(grid, "2030-09-10") < 7


def test_thickest_ice_lies_off_greenland_and_canada(grid):
    state = typical_state(grid, to_seconds("2030-03-10"))
    check_state(state, grid)
    thickness = np.where(state.concentration > 0.15, state.thickness, 0)
    row, column = np.unravel_index(np.argmax(thickness), grid.shape)
    assert grid.latitude[row, column] > 80
    assert -130 < grid.longitude[row, column] < -20
    assert 2.5 < thickness.max() < 4.5
