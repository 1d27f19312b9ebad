"""Transport of the ice: budgets, bounds, ridging, what travels with the volume."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floecast.core.grid import Grid
from floecast.core.state import IceState
from floecast.simulator.advection import MAX_SPEED, Mesh, Upwind, count_substeps
from floecast.simulator.transport import transport
from floecast.simulator.weno import WENO

from .conftest import random_state

DT = 21600
SCHEMES = [Upwind(), WENO()]
each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=["upwind", "weno"])
carry = jax.jit(transport, static_argnums=(2, 3, 4))


class AgedState(IceState):
    """An ice state that knows the age of its ice."""

    age: jax.Array


def aged(state, age):
    return AgedState(**state.fields(), age=age)


def volumes(state, grid):
    return np.array([np.sum(grid.area * state.ice_volume), np.sum(grid.area * state.snow_volume)])


@each_scheme
@pytest.mark.parametrize("name", ["arctic100", "box"])
def test_volume_is_kept(name, scheme, request):
    grid = request.getfixturevalue(name)
    mesh = Mesh.of(grid)
    state = random_state(grid, 0)
    before, substeps = volumes(state, grid), count_substeps(mesh, DT)
    for seed in range(50):
        flow = random_state(grid, seed, MAX_SPEED)
        state, _ = carry(replace(state, u=flow.u, v=flow.v), mesh, DT, substeps, scheme)
    np.testing.assert_allclose(volumes(state, grid), before, rtol=1e-13)
    assert not np.any(np.asarray(state.ice_volume)[~grid.mask_t])


@each_scheme
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_bounds_hold_in_violent_winds(scheme, seed):
    mesh = Mesh.of(Grid.box((9, 12), 20e3))
    before = random_state(Grid.box((9, 12), 20e3), seed, MAX_SPEED)
    age = np.random.default_rng(seed).uniform(0.0, 3e8, (9, 12))
    content = -age - 1e8
    after, (carried,) = carry(
        aged(before, age), mesh, DT, count_substeps(mesh, DT), scheme, (content,)
    )
    for field in jax.tree.leaves(after):
        assert np.all(np.isfinite(field))
    assert np.all((after.concentration >= 0) & (after.concentration <= 1))
    assert np.all((after.damage >= 0) & (after.damage <= 1))
    assert np.all(after.ice_volume >= 0) and np.all(after.snow_volume >= 0)
    ice = np.asarray(after.ice_volume) > 1e-12
    assert np.all((after.age >= 0) & (after.age <= age.max() * (1 + 1e-12)))
    low, high = content.min(), content.max()
    assert np.all((carried >= low * (1 + 1e-12)) & (carried <= high * (1 - 1e-12)))
    if scheme == Upwind():
        np.testing.assert_allclose(carried[ice], -after.age[ice] - 1e8, rtol=1e-10)


@each_scheme
def test_a_cell_that_empties_through_all_sides_stays_positive(scheme):
    mesh = Mesh.of(Grid.box((3, 3), 20e3))
    ice = np.zeros((3, 3))
    ice[1, 1] = 1.0
    u, v = np.zeros((2, 3, 3))
    u[1], v[:, 1] = [-MAX_SPEED, MAX_SPEED, 0], [-MAX_SPEED, MAX_SPEED, 0]
    state = IceState(ice, ice, ice, u, v, np.zeros((3, 3)))
    after, _ = carry(state, mesh, DT, count_substeps(mesh, DT), scheme)
    assert 0 <= after.ice_volume[1, 1] < 1e-2
    assert np.all(after.ice_volume >= 0)
    assert np.sum(after.ice_volume) == pytest.approx(1.0, rel=1e-14)


def test_open_water_closes_before_ice_is_ridged():
    mesh = Mesh.of(Grid.box((1, 2), 10e3))
    zero = np.zeros((1, 2))

    def squeezed(concentration, displacement):
        ice = np.array([concentration])
        state = IceState(ice, 2 * ice, zero, np.array([[displacement / DT, 0]]), zero, zero)
        return carry(state, mesh, DT, 1, Upwind())[0]

    closing = squeezed([0.8, 0.5], 1e3)  # a tenth of the western ice moves east
    np.testing.assert_allclose(closing.concentration, [[0.72, 0.58]], rtol=1e-14)
    np.testing.assert_allclose(closing.thickness, [[2.0, 2.0]], rtol=1e-14)
    ridging = squeezed([0.8, 1.0], 1e3)
    np.testing.assert_allclose(ridging.concentration, [[0.72, 1.0]], rtol=1e-14)
    np.testing.assert_allclose(ridging.ice_volume, [[1.44, 2.16]], rtol=1e-14)


@each_scheme
def test_damage_age_and_contents_mix_by_volume(scheme):
    mesh = Mesh.of(Grid.box((1, 2), 10e3))
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    ice, damage = np.array([[2.0, 0.6]]), np.array([[0.9, 0.2]])
    state = IceState(0.5 * one, ice, zero, np.array([[0.1, 0.0]]), zero, damage)
    age = 1.0 + 10.0 * damage
    after, (content,) = carry(aged(state, age), mesh, 10000, 1, scheme, (-age,))
    total = np.sum(ice * damage)
    assert np.sum(after.ice_volume * after.damage) == pytest.approx(total, rel=1e-14)
    np.testing.assert_allclose(after.age, 1.0 + 10.0 * after.damage, rtol=1e-14)
    np.testing.assert_allclose(content, -after.age, rtol=1e-14)
    if scheme == Upwind():  # a tenth of the west moves east
        expected = [[0.9, (0.2 * 0.9 + 0.6 * 0.2) / 0.8]]
        np.testing.assert_allclose(after.damage, expected, rtol=1e-14)


@each_scheme
def test_snow_without_ice_is_not_lost(scheme):
    grid = Grid.box((5, 6), 20e3)
    state = random_state(grid, 1)
    bare = replace(
        state,
        concentration=state.concentration * (np.arange(6) < 3),
        ice_volume=state.ice_volume * (np.arange(6) < 3),
        snow_volume=np.full((5, 6), 0.2),
    )
    after, (content,) = carry(bare, Mesh.of(grid), 3600, 1, scheme, (np.full((5, 6), -7.0),))
    np.testing.assert_allclose(volumes(after, grid), volumes(bare, grid), rtol=1e-14)
    empty = np.asarray(after.ice_volume) == 0
    assert np.any(empty) and np.all(after.snow_volume[empty] > 0)
    assert not np.any(after.damage[empty])
    np.testing.assert_allclose(content, -7.0, rtol=1e-14)


@each_scheme
def test_compact_ice_that_only_turns_stays_as_it_is(scheme):
    grid = Grid.box((16, 16), 10e3)
    rng = np.random.default_rng(0)
    stream = np.pad(rng.uniform(-4e3, 4e3, (15, 15)), 1)
    one = np.ones(grid.shape)
    u, v = -np.diff(stream, axis=0)[:, 1:] / 10e3, np.diff(stream, axis=1)[1:] / 10e3
    state = aged(IceState(one, 2 * one, 0.2 * one, u, v, 0.4 * one), 5e6 * one)
    mesh = Mesh.of(grid)
    after, _ = carry(state, mesh, DT, count_substeps(mesh, DT), scheme)
    for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_float32_stays_float32():
    grid = Grid.box((9, 12), 20e3)
    state = jax.tree.map(lambda a: a.astype(np.float32), random_state(grid, 3))
    mesh = Mesh.of(grid)
    mesh = jax.tree.map(lambda a: a if a.dtype == bool else a.astype(np.float32), mesh)
    after, _ = carry(state, mesh, DT, 10, WENO())
    assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {jnp.dtype("float32")}
    assert np.all((after.damage >= 0) & (after.damage <= 1))


def test_ice_at_rest_passes_gradients_unchanged():
    # Also where damage and concentration are at their bounds.
    grid = Grid.box((4, 5), 20e3)
    one, zero = np.ones(grid.shape), np.zeros(grid.shape)
    state = IceState(one, one, zero, zero, zero, zero)

    def total(state):
        after, _ = transport(state, Mesh.of(grid), DT, 1, WENO())
        return jnp.sum(after.concentration) + jnp.sum(after.damage)

    gradient = eqx.filter_jit(eqx.filter_grad(total))(jax.tree.map(jnp.asarray, state))
    np.testing.assert_allclose(gradient.concentration, 1.0, rtol=1e-14)
    np.testing.assert_allclose(gradient.damage, 1.0, rtol=1e-14)
    np.testing.assert_allclose(gradient.ice_volume, 0.0, atol=1e-14)
