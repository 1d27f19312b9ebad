"""Drifters in every member: closed forms, when they are let go, where they may not be."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.forcing import Forcing
from floecast.core.calendar import HOUR
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.rollout import rollout
from floecast.core.state import IceState
from floecast.forecast.trajectories import Following, on_ice, seeded, spread_of

GRID = Grid.box((9, 9), 50e3)
ARCTIC = Grid.preset("arctic100")


class Steady(eqx.Module):
    """Ice that gains speed at a steady rate."""

    grid: Grid = GRID
    dt: int = 12 * HOUR
    gain: float = 1e-6

    def step(self, state, forcing, key):
        return eqx.tree_at(lambda s: s.u, state, state.u + self.gain * self.dt)


def test_a_drifter_goes_with_ice_that_gains_speed(key):
    zero = jnp.zeros(GRID.shape)
    state = IceState(zero + 1, zero + 1, zero, zero + 0.1, zero, zero)
    weather = Forcing(jnp.array([0, 10 * 86400]), wind_u=jnp.zeros((2, *GRID.shape)))
    at, begin = jnp.array([[100e3, 200e3]] * 3), jnp.array([0, 30 * HOUR, 10**9])
    model = Following(Steady(), begin)
    run = rollout(model, (state, at), weather, 4, key=key)
    seconds = np.array([48 * HOUR, 18 * HOUR, 0])
    speed = 0.1 + 1e-6 * (48 * HOUR - seconds)
    travelled = run.final[1] - at
    expected = speed * seconds + 0.5e-6 * seconds**2
    np.testing.assert_allclose(travelled[:, 0], expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(travelled[:, 1], 0)
    none = rollout(Following(Steady(), begin[:0]), (state, None), weather, 4, key=key)
    np.testing.assert_array_equal(none.final[0].u, run.final[0].u)


def test_a_place_on_the_grid():
    x, y = seeded("buoy", -150.0, 75.0, ARCTIC)
    row, column = np.argmin(np.abs(ARCTIC.y - y)), np.argmin(np.abs(ARCTIC.x - x))
    assert abs(ARCTIC.latitude[row, column] - 75) < 0.8


@pytest.mark.parametrize(
    ("longitude", "latitude", "words"),
    [(-42.0, 75.0, "drifter ship at 75 N, -42 E is on land"), (0.0, 40.0, "outside of the grid")],
)
def test_a_place_where_no_ice_drifts(longitude, latitude, words):
    with pytest.raises(InputError, match=words):
        seeded("ship", longitude, latitude, ARCTIC)


def test_among_ice_or_not():
    concentration = np.zeros((2, *GRID.shape))
    concentration[1, 3, 5] = 0.5
    at = np.array([[[275e3 + 20e3, 175e3 - 20e3], [np.nan, np.nan]]] * 2)
    assert on_ice(at, concentration, GRID).tolist() == [[False, False], [True, False]]


def test_spread_is_in_true_metres():
    random = np.random.default_rng(1)
    at = random.normal(0, 5e3, (30, 2)) * [2, 1] + seeded("buoy", -150.0, 72.0, ARCTIC)
    told = spread_of(at[:, None], 0.9, ARCTIC)
    scale = ARCTIC.spacing / ARCTIC.dx_t.ravel()[np.argmin(np.abs(ARCTIC.latitude - 72.0))]
    expected = np.sqrt(np.var(at, axis=0, ddof=1).sum()) / scale
    assert told.spread.item() == pytest.approx(expected, rel=2e-3)
    assert told.major.item() > told.minor.item() > 0
    flat = spread_of(at[:, None], 0.9, GRID)
    assert flat.spread.item() / told.spread.item() == pytest.approx(scale, rel=2e-3)


def test_members_are_mapped_over(key):
    zero, speed = jnp.zeros((3, *GRID.shape)), jnp.array([0, 0.1, 0.2])
    state = IceState(zero + 1, zero + 1, zero, zero + speed[:, None, None], zero, zero)
    at = jnp.broadcast_to(jnp.array([[100e3, 200e3]]), (3, 1, 2))
    model = Following(Steady(gain=0.0), jnp.array([0]))
    weather = Forcing(jnp.array([0, 86400]), wind_u=jnp.zeros((2, *GRID.shape)))
    stepped = jax.vmap(lambda s, p: model.step((s, p), weather, key))(state, at)[1]
    np.testing.assert_allclose(stepped[:, 0, 0], 100e3 + np.array([0, 0.1, 0.2]) * 43200, rtol=1e-6)
