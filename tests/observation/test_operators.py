import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.observation.observations import KINDS, Observations, observations
from floecast.observation.operators import LEAST_CONCENTRATION, observe

GRID = Grid.box((6, 7), 50e3)


def state_of(seed=0, **fields):
    rng = np.random.default_rng(seed)
    made = {name: rng.uniform(0.2, 0.9, GRID.shape) for name in ("concentration", "damage")}
    made |= {name: rng.uniform(0.5, 2, GRID.shape) for name in ("ice_volume", "snow_volume")}
    made |= {"u": rng.normal(size=GRID.shape) * GRID.mask_u}
    made |= {"v": rng.normal(size=GRID.shape) * GRID.mask_v}
    return IceState(**{name: jnp.asarray(field) for name, field in (made | fields).items()})


def seen(kind, cells=((8, 9, 15),), weights=((0.5, 0.3, 0.2),)):
    count = len(cells)
    return observations(
        kind, np.zeros(count), 0.1, np.zeros(count), np.zeros(count), 0, cells, weights
    )


ALL = Observations.concatenate([seen(kind) for kind in KINDS])


def test_closed_forms():
    state = state_of()
    cells, weights = np.array([8, 9, 15]), np.array([0.5, 0.3, 0.2])
    concentration = np.asarray(state.concentration).ravel()[cells] @ weights
    volume = np.asarray(state.ice_volume).ravel()[cells] @ weights
    u = np.asarray(state.u)
    at_centre = 0.5 * (u + np.pad(u, ((0, 0), (1, 0)))[:, :-1])
    told = observe(state, ALL)
    np.testing.assert_allclose(told[0], concentration)
    np.testing.assert_allclose(told[1], volume / concentration)
    np.testing.assert_allclose(told[2], at_centre.ravel()[cells] @ weights)
    thickness = volume / concentration
    snow = np.asarray(state.snow_volume).ravel()[cells] @ weights / concentration
    np.testing.assert_allclose(told[4], (109 * thickness - 330 * snow) / 1026)
    np.testing.assert_allclose(told[5], (109 * thickness + 696 * snow) / 1026)
    np.testing.assert_allclose(told[6], snow)


def test_thickness_of_almost_no_ice_stays_finite():
    thin = state_of(concentration=np.full(GRID.shape, 1e-9), ice_volume=np.full(GRID.shape, 1e-9))
    assert 0 <= observe(thin, seen("thickness"))[0] <= 1e-9 / LEAST_CONCENTRATION * 1.01


def test_no_ice_has_finite_derivatives_in_single_precision():
    single = ALL.replace(weight=ALL.weight.astype(np.float32))

    @jax.jit
    def derivatives(size):
        state = jax.tree.map(lambda leaf: jnp.full(GRID.shape, size), state_of())
        told, back = jax.vjp(lambda state: observe(state, single), state)
        return told, jax.vmap(back)(jnp.eye(ALL.size, dtype=told.dtype))

    for size in (0.0, 1e-20, 1e-40):
        told, slopes = derivatives(jnp.float32(size))
        assert told.dtype == jnp.float32 and np.abs(told).max() < 1e-17
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((told, slopes)))


@pytest.mark.parametrize("seed", range(3))
def test_tangent_and_adjoint_agree(seed):
    state, direction = state_of(seed), state_of(seed + 10)
    weights = jnp.asarray(np.random.default_rng(seed).normal(size=ALL.size))
    _, tangent = jax.jvp(lambda s: observe(s, ALL), (state,), (direction,))
    _, adjoint = jax.vjp(lambda s: observe(s, ALL), state)
    (back,) = adjoint(weights)
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), back, direction)
    right = sum(jax.tree.leaves(products))
    np.testing.assert_allclose(tangent @ weights, right, rtol=1e-12)


def test_remainder_falls_with_the_square_of_the_step():
    state, direction = state_of(), state_of(1)
    value, tangent = jax.jvp(lambda s: observe(s, ALL), (state,), (direction,))

    def remainder(step):
        moved = jax.tree.map(lambda a, b: a + step * b, state, direction)
        return float(jnp.linalg.norm(observe(moved, ALL) - value - step * tangent))

    steps = 2.0 ** -np.arange(4, 10)
    slopes = np.diff(np.log([remainder(step) for step in steps])) / np.diff(np.log(steps))
    assert np.all(np.abs(slopes - 2) < 0.1)
