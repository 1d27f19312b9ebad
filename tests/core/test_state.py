"""The ice state, its variables and its checks."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.state import IceState, check_state
from floecast.core.variables import STATE, VARIABLES

OCEAN = np.ones((3, 4), bool)
OCEAN[2, 3] = False
GRID = Grid.box((3, 4), 1e4, ocean=OCEAN)


@pytest.fixture
def state():
    return IceState.at_rest(GRID, np.full((3, 4), 0.8), np.full((3, 4), 2.0), np.full((3, 4), 0.1))


def test_at_rest(state):
    np.testing.assert_allclose(state.concentration, np.where(OCEAN, 0.8, 0.0))
    np.testing.assert_allclose(state.ice_volume, np.where(OCEAN, 1.6, 0.0))
    np.testing.assert_allclose(state.snow_volume, np.where(OCEAN, 0.08, 0.0))
    np.testing.assert_allclose(state.thickness, np.where(OCEAN, 2.0, 0.0))
    assert not np.any(state.u) and not np.any(state.v) and not np.any(state.damage)
    assert tuple(state.fields()) == STATE and set(STATE) <= set(VARIABLES)
    check_state(state, GRID)


def test_an_ensemble_at_rest():
    members = IceState.at_rest(GRID, np.full((5, 3, 4), 0.5), 1.0)
    assert members.ice_volume.shape == (5, 3, 4)
    check_state(members, GRID)


def test_thickness_without_ice_has_a_finite_gradient():
    def total(concentration, volume):
        still = jnp.zeros((1, 3))
        return jnp.sum(IceState(concentration, volume, still, still, still, still).thickness)

    concentration, volume = jnp.array([[0.0, 1e-9, 0.5]]), jnp.array([[0.0, 1e-9, 1.5]])
    assert total(concentration, volume) == 3.0
    slopes = jax.grad(total, argnums=(0, 1))(concentration, volume)
    np.testing.assert_allclose(slopes[0], [[0, 0, -6.0]])
    np.testing.assert_allclose(slopes[1], [[0, 0, 2.0]])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("concentration", 1.01, r"concentration is 1\.01 at cell \(1, 2\), and bad in 1 cells"),
        ("concentration", -1e-9, "concentration is -1e-09"),
        ("ice_volume", -0.1, "ice_volume is -0.1"),
        ("damage", 2.0, "damage is 2"),
        ("u", np.nan, "u is nan"),
        ("snow_volume", np.inf, "snow_volume is inf"),
    ],
)
def test_a_bad_value_is_named(state, name, value, message):
    field = np.array(getattr(state, name))
    field[1, 2] = value
    with pytest.raises(InputError, match=message):
        check_state(replace(state, **{name: field}), GRID)


def test_land_may_hold_anything(state):
    field = np.array(state.ice_volume)
    field[2, 3] = np.nan
    check_state(replace(state, ice_volume=field), GRID)


def test_a_wrong_shape_is_named(state):
    with pytest.raises(InputError, match=r"v has shape \(4, 3\), the grid box has \(3, 4\)"):
        check_state(replace(state, v=jnp.zeros((4, 3))), GRID)


def test_what_stands_on_land_does_not_matter():
    ocean = np.ones((3, 3), bool)
    ocean[0] = False
    grid = Grid.box((3, 3), 1e4, ocean=ocean)
    on_land = np.where(ocean, 1.0, np.nan)
    state = IceState.at_rest(grid, 0.5 * on_land, on_land, 0.1 * on_land)
    assert all(np.isfinite(field).all() for field in state.fields().values())
    assert np.asarray(state.ice_volume)[ocean] == pytest.approx(0.5)
