"""The simulator as a model: budgets, bounds, derivatives, reproducibility."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floecast.atmosphere.arctic_climate import seasonal_temperatures
from floecast.atmosphere.weather import SyntheticWeather
from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.model import Model
from floecast.core.rollout import rollout, stream
from floecast.core.state import IceState, check_state
from floecast.simulator.advection import MAX_SPEED
from floecast.simulator.free_drift import FreeDrift
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.model import Simulator
from floecast.simulator.thermodynamics import SimpleFreezing, ocean_heat_flux_beyond_edge

from .conftest import random_state, steady_forcing

BOX = Grid.box((7, 8), 40e3)
JANUARY = to_seconds("2015-01-15")
step = eqx.filter_jit(lambda model, state, forcing: model.step(state, forcing, None))


def smooth_state(grid, seed=0):
    """Ice away from every kink: 0.3 < concentration < 0.9, no cell filled up within a step."""
    rng = np.random.default_rng(seed)
    concentration = rng.uniform(0.4, 0.8, grid.shape)
    volume = concentration * rng.uniform(1.0, 2.5, grid.shape)
    still = np.zeros(grid.shape)
    return IceState(
        concentration, volume, 0.2 * concentration, still, still, rng.uniform(0.2, 0.8, grid.shape)
    )


def smooth_forcing(grid, seed=1):
    rng = np.random.default_rng(seed)
    wind = rng.uniform(2.0, 9.0, (2, 2, *grid.shape))
    return steady_forcing(grid, wind[0], wind[1], rng.uniform(245, 262, (2, *grid.shape)))


def pack_ice(grid):
    """Winter ice where the air is cold enough."""
    concentration = np.clip((260.0 - seasonal_temperatures(grid)[0]) / 3.0, 0.0, 0.98)
    return IceState.at_rest(grid, concentration, np.full(grid.shape, 1.8), np.full(grid.shape, 0.2))


def test_it_is_a_model():
    model = Simulator(BOX)
    assert isinstance(model, Model)
    assert model.dt == 21600 and model.needs == ("wind_u", "wind_v", "air_temperature")
    for dt in (0, -5, 0.5, 10.5):
        with pytest.raises(InputError, match="dt must be"):
            Simulator(BOX, dt=dt)


def test_a_winter_week_over_the_arctic(arctic100, key):
    start = pack_ice(arctic100)
    heat = ocean_heat_flux_beyond_edge(start.concentration, arctic100)
    model = Simulator(arctic100, thermodynamics=SimpleFreezing(ocean_heat_flux=heat))
    weather = SyntheticWeather.draw(key, arctic100)
    run = rollout(model, start, weather, 28, key=key, start=JANUARY)
    check_state(run.state, arctic100)
    last = run.final
    for name, field in last.fields().items():
        assert not np.any(np.asarray(field)[~arctic100.mask_t]), name
    none = np.asarray(last.ice_volume) == 0
    for name in ("concentration", "snow_volume", "damage"):
        assert not np.any(np.asarray(getattr(last, name))[none]), name
    assert not np.any(np.asarray(last.u)[none & np.roll(none, -1, 1)])
    assert not np.any(np.asarray(last.v)[none & np.roll(none, -1, 0)])
    # The edge stays about where it was.
    was, now = start.concentration > 0.15, last.concentration > 0.15
    moved = np.sum(arctic100.area * (was != now)) / np.sum(arctic100.area * was)
    assert 0.0 < moved < 0.15


def test_transport_alone_keeps_the_volume(arctic100, key):
    model = Simulator(arctic100, thermodynamics=NoThermodynamics())
    weather, start = SyntheticWeather.draw(key, arctic100), pack_ice(arctic100)
    last = rollout(model, start, weather, 60, key=key, start=JANUARY, save_every=60).final
    for name in ("ice_volume", "snow_volume"):
        before, after = (np.sum(arctic100.area * getattr(s, name)) for s in (start, last))
        assert after == pytest.approx(float(before), rel=1e-13)


def test_wind_against_a_coast_does_not_pile_ice_up_without_limit():
    model = Simulator(Grid.box((1, 20), 50e3), thermodynamics=NoThermodynamics())
    ones = np.ones((1, 20))
    state = IceState(ones, 2.0 * ones, *(np.zeros((1, 20)),) * 4)
    forcing = steady_forcing(model.grid, 8.0, 0.0, 260.0)
    for _ in range(240):
        state = step(model, state, forcing)
    thickness = np.asarray(state.ice_volume)[0]
    assert 4.0 < thickness.max() < 10.0 and thickness.argmax() == 19
    assert np.sum(thickness) == pytest.approx(40.0, rel=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.0, 300.0), st.floats(200.0, 310.0))
def test_bounds_hold_in_any_weather(seed, wind, air):
    state = random_state(BOX, seed)
    rng = np.random.default_rng(seed)
    forcing = steady_forcing(BOX, *rng.normal(0.0, wind, (2, 2, *BOX.shape)), air)
    after = step(Simulator(BOX), state, forcing)
    check_state(after, BOX)
    assert np.all(np.abs(after.u) <= MAX_SPEED) and np.all(np.abs(after.v) <= MAX_SPEED)


def test_mirrored_ice_in_mirrored_wind(key):
    grid = Grid.box((7, 8), 40e3)
    state, forcing = smooth_state(grid), smooth_forcing(grid)

    def flip(tree):
        return jax.tree.map(lambda field: np.flip(field, -1) if np.ndim(field) > 1 else field, tree)

    after = flip(step(Simulator(grid), state, forcing))
    mirror = Simulator(grid, rheology=FreeDrift(turning_angle=-22.0))
    flipped = flip(forcing)
    found = step(mirror, flip(state), replace(flipped, wind_u=-flipped.wind_u))
    expected = replace(after, u=-np.roll(after.u, -1, -1))
    for name, field in found.fields().items():
        np.testing.assert_allclose(
            field, getattr(expected, name), rtol=1e-12, atol=1e-13, err_msg=name
        )


def test_tangent_and_adjoint_of_a_step():
    model, state, forcing = Simulator(BOX), smooth_state(BOX), smooth_forcing(BOX)
    state = jax.tree.map(jnp.asarray, state)
    rng = np.random.default_rng(8)
    change, weight = (jax.tree.map(lambda x: rng.normal(size=x.shape), state) for _ in range(2))

    def dot(a, b):
        pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        return sum(float(np.sum(x * y)) for x, y in pairs)

    after, tangent = jax.jvp(lambda s: step(model, s, forcing), (state,), (change,))
    (adjoint,) = jax.vjp(lambda s: step(model, s, forcing), state)[1](weight)
    assert dot(tangent, weight) == pytest.approx(dot(change, adjoint), rel=1e-12)

    def remainder(size):
        moved = step(model, jax.tree.map(lambda x, d: x + size * d, state, change), forcing)
        errors = jax.tree.map(lambda m, a, t: m - a - size * t, moved, after, tangent)
        return np.sqrt(dot(errors, errors))

    remainders = np.array([remainder(size) for size in 1e-3 * 0.5 ** np.arange(6)])
    slopes = np.log2(remainders[:-1] / remainders[1:])
    assert np.all((slopes > 1.9) & (slopes < 2.1)), slopes


def test_slopes_of_the_parameters_against_differences():
    state, forcing = smooth_state(BOX), smooth_forcing(BOX)
    model = Simulator(BOX)

    def score(physics):
        changed = eqx.tree_at(lambda m: (m.rheology, m.thermodynamics), model, physics)
        after = changed.step(state, forcing, None)
        return jnp.sum(after.ice_volume**2) + jnp.sum(after.concentration * after.u)

    score = jax.jit(score)
    physics = (model.rheology, model.thermodynamics)
    leaves, tree = jax.tree.flatten(physics)
    slopes = jax.tree.leaves(jax.grad(score)(physics))
    for number, slope in enumerate(slopes):
        value, size = leaves[number], 1e-5 * leaves[number]
        ends = (
            score(jax.tree.unflatten(tree, [*leaves[:number], v, *leaves[number + 1 :]]))
            for v in (value + size, value - size)
        )
        upper, lower = (float(end) for end in ends)
        difference = (upper - lower) / (2 * float(size))
        # Parameters without effect here, such as that of surface melt, have slope zero.
        assert float(slope) == pytest.approx(difference, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("wind", [0.0, 10.0])
@pytest.mark.parametrize(
    ("concentration", "thickness", "damage"),
    [(0.0, 0.0, 0.0), (1.0, 2.0, 1.0), (1.0, 0.0, 0.0), (1e-12, 1.0, 0.5)],
)
def test_gradients_are_finite_at_the_bounds(wind, concentration, thickness, damage):
    fill = jnp.ones(BOX.shape)
    state = replace(
        IceState.at_rest(BOX, concentration * fill, thickness * fill), damage=damage * fill
    )
    forcing = steady_forcing(BOX, wind, 0.0, 255.0)

    def total(state, wind_u):
        after = step(Simulator(BOX), state, replace(forcing, wind_u=wind_u))
        return sum(jnp.sum(field) for field in after.fields().values())

    slopes = jax.grad(total, argnums=(0, 1))(state, jnp.asarray(forcing.wind_u))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))


def test_members_together_are_members_alone():
    model, forcing = Simulator(BOX), smooth_forcing(BOX)
    members = [jax.tree.map(jnp.asarray, random_state(BOX, seed)) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    together = eqx.filter_vmap(step, in_axes=(None, 0, None))(model, stacked, forcing)
    for number, member in enumerate(members):
        alone = step(model, member, forcing)
        for name, field in alone.fields().items():
            np.testing.assert_allclose(
                getattr(together, name)[number], field, rtol=1e-13, atol=1e-15, err_msg=name
            )


def test_single_precision():
    model, forcing = Simulator(BOX), smooth_forcing(BOX)
    double = random_state(BOX, 6)
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), double)
    found, expected = step(model, single, forcing), step(model, double, forcing)
    for name, field in found.fields().items():
        assert field.dtype == jnp.float32
        np.testing.assert_allclose(field, getattr(expected, name), atol=2e-5, err_msg=name)


def test_a_run_cut_in_two_or_streamed_is_the_same_run(key):
    model = Simulator(BOX)
    weather, start = SyntheticWeather.draw(key, BOX), smooth_state(BOX)
    whole = rollout(model, start, weather, 6, key=key, start=JANUARY)
    first = rollout(model, start, weather, 3, key=key, start=JANUARY)
    rest = rollout(model, first.final, weather, 3, key=key, start=JANUARY + 3 * model.dt)
    blocks = []
    streamed = stream(
        model,
        start,
        weather,
        6,
        key=key,
        start=JANUARY,
        block=3,
        sink=lambda time, state: blocks.append(state),
    )
    for name, field in whole.final.fields().items():
        np.testing.assert_array_equal(getattr(rest.final, name), field, err_msg=name)
        np.testing.assert_array_equal(getattr(streamed, name), field, err_msg=name)
        joined = np.concatenate([getattr(block, name) for block in blocks])
        np.testing.assert_array_equal(joined, getattr(whole.state, name), err_msg=name)
