"""Winton and ZeroLayer on a grid: budgets, bounds, new ice, seasons, gradients."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.constants import THICK, THIN
from floecast.core.grid import Grid
from floecast.core.precision import cast
from floecast.core.state import IceState
from floecast.simulator.winton import Winton
from floecast.simulator.zero_layer import ZeroLayer

from .ice_columns import (
    DAY,
    GRID,
    HOUR,
    YEAR,
    lindsay_forcing,
    random_cover,
    random_weather,
    run,
    state_of,
    weather_of,
)

PHYSICS = [Winton(), ZeroLayer()]
each = pytest.mark.parametrize("physics", PHYSICS, ids=lambda physics: type(physics).__name__)


def step(physics, state, weather, dt, grid=GRID):
    return advance(physics, state, weather, grid, np.asarray(dt, float))


@eqx.filter_jit
def advance(physics, state, weather, grid, dt):
    """Compiled once for all steps."""
    return physics.advance_with_budget(state, weather, grid, dt)


def first(field):
    return float(np.asarray(field)[2, 3])


def heat(physics, state):
    return np.asarray(physics.cover(state).heat(physics.mixed_layer))


def assert_closes(physics, before, after, budget):
    """Heat and ice volume of every cell close to round-off."""
    gain = np.asarray(budget.surface_heat + budget.relaxation_heat)
    start, end = heat(physics, before), heat(physics, after)
    scale = np.abs(start) + np.abs(end) + np.abs(gain) + 1e6
    np.testing.assert_array_less(np.abs(end - start - gain), 1e-9 * scale)
    ice = budget.frozen - budget.melted - budget.sublimated + budget.flooded
    found = np.asarray(after.ice_volume - before.ice_volume)
    np.testing.assert_allclose(found, ice, rtol=0, atol=1e-13)


def assert_bounded(state):
    area, volume = np.asarray(state.concentration), np.asarray(state.ice_volume)
    assert np.all((area >= 0) & (area <= 1) & (volume >= 0))
    assert np.all(np.asarray(state.snow_volume) >= 0)
    assert np.all((area > 0) == (volume > 0))
    thickness = volume[area > 0] / area[area > 0]
    assert np.all((thickness > THIN * (1 - 1e-9)) & (thickness < THICK * (1 + 1e-9)))
    assert np.all(np.asarray(state.age) >= 0)
    assert np.all((np.asarray(state.damage) >= 0) & (np.asarray(state.damage) <= 1))


@each
@pytest.mark.parametrize("dt", [900, DAY])
def test_heat_and_ice_close_in_random_states(physics, dt):
    melted = frozen = flooded = gone = 0
    for seed in range(8):
        before = random_cover(physics, seed)
        after, budget = step(physics, before, random_weather(seed), dt)
        assert_closes(physics, before, after, budget)
        assert_bounded(after)
        frozen += np.sum(budget.frozen > 0)
        melted += np.sum(budget.melted > 0)
        flooded += np.sum(budget.flooded > 0)
        gone += np.sum((before.ice_volume > 0) & (after.ice_volume == 0))
    assert min(frozen, melted) > 20 and (dt < DAY or min(flooded, gone) > 0)


@each
def test_heat_closes_when_everything_melts(physics):
    state = state_of(physics, concentration=0.7, ice_volume=0.2, snow_volume=0.1)
    hot = weather_of(air_temperature=290.0, humidity=8e-3, shortwave=400.0, longwave=350.0)
    gone = False
    for _ in range(12):
        before, (state, budget) = state, step(physics, state, hot, DAY)
        assert_closes(physics, before, state, budget)
        gone |= not np.any(state.ice_volume)
    assert gone and not np.any(state.snow_volume) and not np.any(state.concentration)
    assert np.all(state.thermodynamics.mixed_layer_temperature > 0)
    if isinstance(physics, Winton):
        np.testing.assert_allclose(
            state.thermodynamics.lower_temperature, physics.mixed_layer.freezing_point
        )


@each
def test_specks_of_ice_and_lonely_snow_go_to_the_sea_with_their_heat(physics):
    state = state_of(physics, concentration=1e-11, ice_volume=5e-11, snow_volume=0.3)
    after, budget = step(physics, state, weather_of(air_temperature=280.0, longwave=320.0), HOUR)
    assert not np.any(after.snow_volume > 0.0)
    assert_closes(physics, state, after, budget)


def test_many_steps_close_from_open_water_through_winter():
    physics = Winton()
    state = state_of(physics)
    start, gain = heat(physics, state), 0.0
    for index in range(60):
        air = 250.0 + 15 * np.sin(index / 4)
        weather = weather_of(air_temperature=air, ocean_temperature=271.9)
        before, (state, budget) = state, step(physics, state, weather, DAY)
        gain = gain + budget.surface_heat + budget.relaxation_heat
        assert_closes(physics, before, state, budget)
        assert_bounded(state)
    assert first(state.ice_volume) > 0.3
    np.testing.assert_allclose(heat(physics, state) - start, gain, rtol=1e-10)


@each
def test_open_water_freezes_over_when_the_layer_is_at_freezing(physics):
    state = state_of(physics)
    weather = weather_of(air_temperature=245.0)
    after, budget = step(physics, state, weather, 3 * HOUR)
    water = physics.mixed_layer.freezing_point * np.ones(GRID.shape)
    loss = physics.surface.over_water(weather.given, water).net
    loss = (loss + 333550.0 * 2e-6) * 3 * HOUR
    frozen = loss / -sum(physics.new_ice(water)) * len(physics.new_ice(water))
    np.testing.assert_allclose(after.ice_volume, frozen, rtol=1e-12)
    np.testing.assert_allclose(after.concentration, -np.expm1(-frozen / 0.5), rtol=1e-12)
    np.testing.assert_allclose(after.thermodynamics.mixed_layer_temperature, water)
    # Warm water has to cool first.
    warm = eqx.tree_at(
        lambda s: s.thermodynamics.mixed_layer_temperature,
        state,
        state.thermodynamics.mixed_layer_temperature + 1.0,
    )
    after, budget = step(physics, warm, weather, 3 * HOUR)
    assert not np.any(after.ice_volume)
    capacity = physics.mixed_layer.heat_capacity
    cooled = after.thermodynamics.mixed_layer_temperature - water - 1.0
    np.testing.assert_allclose(cooled, budget.surface_heat / capacity, rtol=1e-12)


@each
def test_melt_shrinks_the_area_by_hiblers_half(physics):
    state = state_of(physics, concentration=0.8, ice_volume=1.6)
    hot = weather_of(air_temperature=278.0, shortwave=250.0, longwave=330.0, humidity=5e-3)
    after, budget = step(physics, state, hot, DAY)
    left = first(after.ice_volume) / 1.6
    assert left < 0.98
    assert first(after.concentration) == pytest.approx(0.8 * 2 * left / (1 + left), rel=1e-9)


@each
def test_inconsistent_ice_becomes_consistent(physics):
    still = weather_of(air_temperature=271.0, longwave=300.0)
    sea = {"ocean_temperature": np.full(GRID.shape, 273.15)}  # melts the snow that falls into it
    slush = state_of(physics, fields=sea, concentration=0.8, ice_volume=0.02, snow_volume=0.004)
    after, _ = step(physics, slush, still, 1)
    assert first(after.concentration) == pytest.approx(0.02 / THIN, rel=1e-3)
    assert first(after.snow_volume) == pytest.approx(0.002, rel=1e-2)
    piled = state_of(physics, concentration=0.0, ice_volume=0.6)
    after, _ = step(physics, piled, still, 1)
    assert first(after.concentration) == pytest.approx(0.6 / THICK, rel=1e-2)
    assert first(after.ice_volume) == pytest.approx(0.6, rel=1e-4)


@each
def test_age_and_damage_are_diluted_by_new_ice(physics):
    state = state_of(
        physics, concentration=0.5, ice_volume=0.5, damage=0.8, age=10 * DAY, snow_volume=0.0
    )
    after, budget = step(physics, state, weather_of(air_temperature=240.0), DAY)
    old = 1 - first(budget.frozen) / first(after.ice_volume)
    assert 0.5 < old < 1.0
    assert first(after.age) == pytest.approx(11 * DAY * old, rel=1e-12)
    expected = 0.8 * 0.5 / first(after.concentration)
    assert first(after.damage) == pytest.approx(expected, rel=2e-3)  # a little ice left as vapour


def test_contents_travel_as_enthalpy_and_come_back():
    physics, state = Winton(), random_cover(Winton(), 5)
    upper, lower = physics.contents(state)
    assert np.all(np.asarray(lower) < -2.9e8) and np.all(np.asarray(upper) < 0)
    back = physics.with_contents(state, (upper, lower))
    ice = np.asarray(state.ice_volume) > 0
    for name in ("upper_temperature", "lower_temperature"):
        found = np.asarray(getattr(back.thermodynamics, name))
        expected = np.asarray(getattr(state.thermodynamics, name))
        np.testing.assert_allclose(found[ice], expected[ice], rtol=1e-12)
        np.testing.assert_allclose(found[~ice], physics.mixed_layer.freezing_point)
    nothing = physics.with_contents(state, (0.0 * upper, 0.0 * lower))
    assert np.all(np.asarray(nothing.thermodynamics.lower_temperature)[~ice] < -1.7)
    zero = ZeroLayer()
    assert zero.contents(state) == () and zero.with_contents(state, ()) is state


def test_new_ice_mixes_its_heat_with_the_old():
    physics = Winton(closing_thickness=0.3)
    state = state_of(physics, fields={"air_temperature": np.full(GRID.shape, 243.0)},
                     concentration=0.6, ice_volume=0.9)  # fmt: skip
    frost = weather_of(air_temperature=243.0)
    with_leads, budget = step(physics, state, frost, DAY)
    closed = replace(state, concentration=jnp.ones(GRID.shape), ice_volume=1.5 * state.age + 1.5)
    without, _ = step(physics, closed, frost, DAY)
    lead_ice = first(budget.frozen) - 0.6 * (first(without.ice_volume) - 1.5)
    upper, _ = physics.contents(with_leads)
    old_upper, _ = physics.contents(without)
    new_upper, _ = physics.new_ice(physics.mixed_layer.freezing_point)
    share = lead_ice / first(with_leads.ice_volume)
    expected = first(old_upper) + share * (float(new_upper) - first(old_upper))
    assert first(upper) == pytest.approx(expected, rel=1e-6)


@each
def test_memory_is_a_plausible_balance(physics):
    air = np.full(GRID.shape, 243.15)
    sea = np.full(GRID.shape, 275.15)
    fields = {"air_temperature": air, "ocean_temperature": sea}
    ice = IceState.at_rest(GRID, np.full(GRID.shape, 0.9), 2.0, 0.2)
    memory = physics.memory(ice, fields, GRID)
    freezing = float(physics.mixed_layer.freezing_point)
    assert first(memory.surface_temperature) == pytest.approx(-30.0)
    expected = freezing + 0.1 * (2.0 - freezing)
    assert first(memory.mixed_layer_temperature) == pytest.approx(expected)
    if isinstance(physics, Winton):
        upper, lower = first(memory.upper_temperature), first(memory.lower_temperature)
        assert -30 < upper < lower < freezing
        conducted = 2.0334 * (lower - upper) / 1.0
        through_snow = 0.31 * (upper - 0.25 * (lower - upper) / 0.5 + 30.0) / 0.2
        assert conducted == pytest.approx(through_snow, rel=1e-9)
    nothing = physics.memory(IceState.at_rest(GRID, np.zeros(GRID.shape), 0.0), None, GRID)
    np.testing.assert_allclose(nothing.surface_temperature, freezing)
    np.testing.assert_allclose(nothing.mixed_layer_temperature, freezing)


@each
def test_land_stays_bare_and_its_forcing_does_not_matter(physics):
    ocean = np.ones(GRID.shape, bool)
    ocean[1, 2] = False
    grid = Grid.box(GRID.shape, 20e3, ocean=ocean)
    state = random_cover(physics, 3, grid)
    weather = random_weather(3, grid)
    holes = {name: jnp.where(ocean, field, jnp.nan) for name, field in weather.given.items()}
    full, _ = step(physics, state, weather, HOUR, grid)
    holed, _ = step(physics, state, replace(weather, given=holes), HOUR, grid)
    for one, other in zip(jax.tree.leaves(full), jax.tree.leaves(holed), strict=True):
        np.testing.assert_array_equal(one, other)
    assert float(full.ice_volume[1, 2]) == float(full.concentration[1, 2]) == 0.0


CORNERS = [
    (0.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (1.0, 2.0, 0.2),
    (0.0, 1.0, 0.0),
    (1.0, 0.05, 0.5),
    (1e-12, 1e-12, 0.0),
    (1e-9, 1e-9, 1e-9),
    (0.5, 1e-30, 1e-3),
]


@each
def test_gradients_are_finite_in_the_corners(physics):
    dtype = jnp.float32  # in which more is 0 or infinite than in double precision
    corners = jnp.array(CORNERS, dtype).T.reshape(3, 2, 4)
    grid = Grid.box((2, 4), 20e3)
    physics, grid = cast((physics, grid), dtype)

    def total(fields, air):
        area, volume, snow = fields
        state = state_of(physics, grid)
        state = cast(replace(state, concentration=area, ice_volume=volume, snow_volume=snow), dtype)
        weather = weather_of(grid)
        given = cast(weather.given, dtype) | {"air_temperature": air, "longwave": 2 * air - 300}
        found = physics.advance(state, replace(weather, given=given), grid, HOUR)
        leaves = [leaf for leaf in jax.tree.leaves(found)]
        assert all(leaf.dtype == dtype for leaf in leaves)
        return sum(jnp.sum(leaf) for leaf in leaves)

    slopes = jax.jit(jax.vmap(jax.grad(total, (0, 1)), (None, 0)))
    airs = jnp.array([230.0, 271.35, 273.15, 300.0], dtype)
    airs = jnp.broadcast_to(airs[:, None, None], (4, 2, 4))
    for slope in slopes(corners, airs):
        assert np.all(np.isfinite(slope))


@each
def test_gradient_against_finite_differences(physics):
    grid = Grid.box((1, 1), 20e3)
    base = state_of(physics, grid, {"air_temperature": np.full((1, 1), 250.0)})

    def end(values):
        area, volume, snow, warmth, air, conductivity, albedo = values
        model = eqx.tree_at(
            lambda m: (m.ice_conductivity, m.surface.cold_snow), physics, (conductivity, albedo)
        )
        full = lambda value: jnp.full((1, 1), value)  # noqa: E731
        state = replace(
            base, concentration=full(area), ice_volume=full(volume), snow_volume=full(snow)
        )
        state = eqx.tree_at(
            lambda s: s.thermodynamics.mixed_layer_temperature, state, full(warmth - 1.75)
        )
        weather = weather_of(grid, shortwave=120.0, current_u=0.2)
        given = weather.given | {"air_temperature": full(air)}
        weather = replace(weather, given=given)
        once = lambda s, _: (model.advance(s, weather, grid, 6 * HOUR), None)  # noqa: E731
        state, _ = jax.lax.scan(once, state, length=3)
        return (state.ice_volume + state.concentration + 0.1 * state.snow_volume)[0, 0]

    point = jnp.array([0.8, 1.6, 0.1, 0.02, 255.0, 2.1, 0.84])
    both = jax.jit(jax.value_and_grad(end))
    _, slope = both(point)
    measured = []
    for index in range(point.size):
        change = 1e-5 * jnp.zeros_like(point).at[index].set(1.0)
        measured.append((both(point + change)[0] - both(point - change)[0]) / 2e-5)
    np.testing.assert_allclose(slope, measured, rtol=1e-5, atol=1e-9)


@each
def test_members_by_vmap_and_single_precision(physics):
    states = [random_cover(physics, seed) for seed in range(3)]
    weather = random_weather(1)
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    mapped = jax.jit(jax.vmap(lambda s: physics.advance(s, weather, GRID, HOUR)))(together)
    for index, state in enumerate(states):
        alone, _ = step(physics, state, weather, HOUR)
        for one, other in zip(jax.tree.leaves(alone), jax.tree.leaves(mapped), strict=True):
            np.testing.assert_allclose(other[index], one, rtol=1e-12, atol=1e-12)
    single = cast((physics, states[0], weather, GRID), jnp.float32)
    rough, _ = eqx.filter_jit(lambda p, s, w, g: p.advance_with_budget(s, w, g, HOUR))(*single)
    exact, _ = step(physics, states[0], weather, HOUR)
    for name in ("concentration", "ice_volume", "snow_volume"):
        assert getattr(rough, name).dtype == jnp.float32
        np.testing.assert_allclose(getattr(rough, name), getattr(exact, name), rtol=2e-5, atol=2e-6)


# Range of the mean volume of the balanced year [m].
SEASONS = {"Winton": (1.4, 1.55), "ZeroLayer": (1.6, 1.75)}


@each
def test_five_years_of_central_arctic_climate_repeat(physics):
    one = Grid.box((1, 1), 20e3)
    air = {"air_temperature": np.full((1, 1), 242.0)}
    start = {"Winton": 1.365, "ZeroLayer": 1.62}[type(physics).__name__]
    state = state_of(physics, one, air, concentration=0.995, ice_volume=start, snow_volume=0.17)
    forcing = lindsay_forcing(one, 5)
    steps = 5 * YEAR // (6 * HOUR)
    _, history = jax.jit(lambda s: run(physics, s, forcing, one, 6 * HOUR, steps))(state)
    volume, snow, area, surface, water = (np.asarray(f).reshape(5, -1) for f in history)
    low, high = SEASONS[type(physics).__name__]
    assert low < volume[-1].mean() < high
    np.testing.assert_allclose(volume[-1], volume[-2], atol=0.02)  # the year repeats
    assert 1.9 < volume[-1].max() < 2.4 and 0.5 < volume[-1].min() < 1.1
    assert 0.2 < snow[-1].max() < 0.35 and snow[-1].min() < 1e-3
    assert area[-1].max() > 0.98 and 0.5 < area[-1].min() < 0.75
    assert -36 < surface[-1].min() < -31 and surface[-1].max() <= 0.0
    assert water[-1].max() < -1.2
    months = (np.argmax(volume[-1]), np.argmin(volume[-1]))
    months = [12 * index / volume.shape[1] for index in months]
    assert 4 < months[0] < 6 and 7.5 < months[1] < 9.5  # thickest in May, thinnest in September
