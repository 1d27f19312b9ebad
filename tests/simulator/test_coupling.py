"""Ice under a boundary layer: what passes between them, feedbacks, budgets, derivatives."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere import air
from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.forcing import Aloft, Forcing
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.surface_balance import SUBLIMATION_HEAT, SurfaceBalance
from floecast.core.constants import AIR_DENSITY
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.model import Model
from floecast.core.operators import u_to_t, v_to_t
from floecast.core.precision import cast
from floecast.simulator.bbm import BBM
from floecast.simulator.coupling import advance_column
from floecast.simulator.interfaces import NoThermodynamics
from floecast.simulator.mevp import MEVP
from floecast.simulator.model import Simulator
from floecast.simulator.momentum import air_stress
from floecast.simulator.winton import Winton

from .conftest import random_state, steady_forcing

BOX = Grid.box((5, 6), 20e3, latitude=80.0)
HOUR = 3600
LAYER = BoundaryLayer(levels=Levels.stretched(20), relaxation_above=np.inf)


step = eqx.filter_jit(lambda model, state, forcing: model.step(state, forcing, None))


def forcing_of(grid, wind=8.0, warmth=255.0, **more):
    """Steady wind aloft along x over cold air that is stably layered."""
    height = np.array([0.0, 200.0, 2000.0])
    shape = (2, len(height), *grid.shape)
    along, still = np.full(shape, wind), np.zeros(shape)
    rise = np.array([0.0, 1.0, 14.0])[None, :, None, None]
    aloft = Aloft(height, along, still, along, still, still + warmth + rise, still + 5e-4)
    more = {"shortwave": 0.0, "longwave": 180.0, "snowfall": 0.0} | more
    forcing = steady_forcing(grid, 5.0, 2.0, warmth, **more)
    return replace(forcing, aloft=aloft)


def ice_on(grid, concentration=0.7):
    rng = np.random.default_rng(3)
    state = random_state(grid, 3, speed=0.0)
    cover = np.clip(concentration + rng.uniform(-0.2, 0.2, grid.shape), 0.0, 1.0)
    return replace(
        state,
        concentration=cover,
        ice_volume=1.5 * cover,
        snow_volume=0.1 * cover,
        damage=np.full(grid.shape, 0.5),
    )


def under(layer, thermodynamics=None, rheology=None, dt=180, **more):
    thermodynamics = Winton() if thermodynamics is None else thermodynamics
    rheology = MEVP(iterations=20) if rheology is None else rheology
    return Simulator(
        BOX,
        rheology=rheology,
        thermodynamics=thermodynamics,
        boundary_layer=layer,
        dt=dt,
        **more,
    )


def one_step(model, state=None, forcing=None):
    forcing = forcing_of(BOX) if forcing is None else forcing
    state = model.start(ice_on(BOX) if state is None else state, forcing)
    return state, step(model, state, forcing)


def test_it_is_a_model_that_needs_the_air_aloft():
    model = under(LAYER)
    assert isinstance(model, Model)
    assert model.needs == ("shortwave", "longwave", "aloft")
    _, after = one_step(model)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))


@pytest.mark.parametrize("rheology", [BBM(), MEVP(iterations=20)], ids=["bbm", "mevp"])
def test_ice_moves_with_the_stress_of_the_column(rheology):
    model = under(LAYER, NoThermodynamics(), rheology)
    state, after = one_step(model)
    along = np.asarray(u_to_t(after.u, BOX))[1:-1, 1:-1]
    # The wind blows along x; near the ground it turns to the left, and the ice to its right.
    assert np.all(along > 0.0)
    # Twice the wind aloft, more than twice the pull.
    _, faster = one_step(model, forcing=forcing_of(BOX, wind=16.0))
    assert np.all(np.asarray(u_to_t(faster.u, BOX))[1:-1, 1:-1] > 1.5 * along)


def test_the_stress_given_is_the_stress_felt():
    forcing = forcing_of(BOX)
    wind_u, wind_v = forcing.middle()["wind_u"], forcing.middle()["wind_v"]
    pull = AIR_DENSITY * 1.6e-3 * np.sqrt(wind_u**2 + wind_v**2)
    contact = _contact(stress_ice_u=pull * wind_u, stress_ice_v=pull * wind_v)
    given = air_stress(replace(forcing, contact=contact), np.nan, BOX)
    bulk = air_stress(forcing, 1.6e-3, BOX)
    for one, other in zip(jax.tree.leaves(given), jax.tree.leaves(bulk), strict=True):
        inside = np.asarray(other) != 0.0
        np.testing.assert_allclose(np.asarray(one)[inside], np.asarray(other)[inside], rtol=1e-9)


def _contact(**fields):
    """A contact of which only some fields are read."""
    model = under(LAYER)
    state = model.start(ice_on(BOX), forcing_of(BOX))
    _, forcing = advance_column(model, state, forcing_of(BOX))
    return replace(forcing.contact, **fields)


def test_heat_of_the_surface_balance_is_that_of_the_column():
    contact = _contact()
    weather = forcing_of(BOX, humidity=5e-4).middle() | {"contact": contact}
    dark = SurfaceBalance(ice_emissivity=0.0)
    temperature = jnp.full(BOX.shape, -15.0)
    flux = dark.over_ice(weather, temperature, jnp.ones(BOX.shape), jnp.ones(BOX.shape))
    expected = contact.sensible_ice + SUBLIMATION_HEAT * contact.vapour_ice
    np.testing.assert_allclose(flux.net, expected, rtol=1e-12)
    np.testing.assert_allclose(flux.sublimation, contact.vapour_ice, rtol=1e-12)
    assert np.all(np.asarray(flux.slope) > 0.0)


def test_slope_is_that_of_one_step_of_the_column():
    model = under(BoundaryLayer(levels=Levels.stretched(20), corrections=0), dt=120)
    state = model.start(ice_on(BOX), forcing_of(BOX))

    def sensible(change):
        memory = state.thermodynamics
        warmer = replace(memory, surface_temperature=memory.surface_temperature + change)
        _, forcing = advance_column(model, replace(state, thermodynamics=warmer), forcing_of(BOX))
        return forcing.contact

    contact = sensible(0.0)
    capacity = contact.density * air.heat_capacity(contact.lowest_humidity)
    slope = capacity * contact.exchange.ice.heat * contact.heat_response
    assert np.all(np.asarray(contact.heat_response) < 1.0)
    # The coefficients change with stability too, which an exact slope at fixed ones leaves out.
    change = 1e-3
    found = (sensible(change).sensible_ice - contact.sensible_ice) / change
    assert np.all(np.asarray(found) > np.asarray(slope) * 0.5)


def test_air_gains_what_ice_and_water_lose():
    model = under(LAYER, dt=180)
    state, _ = one_step(model)
    after, forcing = advance_column(model, state, forcing_of(BOX))
    contact, thickness = forcing.contact, np.asarray(LAYER.levels.thickness)
    before = np.einsum("k,kyx->yx", thickness, state.boundary_layer.potential_temperature)
    later = np.einsum("k,kyx->yx", thickness, after.boundary_layer.potential_temperature)
    share = np.asarray(state.concentration)
    heat = share * contact.sensible_ice + (1 - share) * contact.sensible_water
    capacity = contact.density * air.heat_capacity(contact.lowest_humidity)
    np.testing.assert_allclose((later - before) * capacity, 180 * heat, rtol=1e-9, atol=1e-6)


def test_feedbacks_can_be_taken_away():
    state = ice_on(BOX)
    moving = replace(state, u=np.full(BOX.shape, 0.3), v=np.zeros(BOX.shape))

    def stress(state=state, **switches):
        model = under(replace(LAYER, **switches), dt=120)
        started = model.start(state, forcing_of(BOX))
        _, forcing = advance_column(model, started, forcing_of(BOX))
        return np.asarray(forcing.contact.stress_ice_u)[2, 2]

    whole = stress()
    assert stress(form_drag=False) < 0.95 * whole
    assert stress(moving) < 0.97 * whole
    assert stress(moving, ice_motion=False) == pytest.approx(stress(ice_motion=False), rel=1e-12)
    assert abs(stress(thermal=False) / whole - 1.0) > 1e-3


def test_members_of_an_ensemble_are_runs_of_their_own():
    model, forcing = under(LAYER), forcing_of(BOX)
    states = [model.start(ice_on(BOX, cover), forcing) for cover in (0.3, 0.8)]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    both = eqx.filter_jit(eqx.filter_vmap(lambda s: model.step(s, forcing, None)))(together)
    for number, state in enumerate(states):
        alone = step(model, state, forcing)
        for one, other in zip(jax.tree.leaves(both), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(one[number], other, rtol=1e-9, atol=1e-12)


def test_single_precision_stays_single():
    forcing = cast(jax.tree.map(jnp.asarray, forcing_of(BOX)), jnp.float32)
    model = under(LAYER)
    ice = cast(jax.tree.map(jnp.asarray, ice_on(BOX)), jnp.float32)

    def started(ice, forcing):
        return model.step(cast(model.start(ice, forcing), jnp.float32), forcing, None)

    after = jax.eval_shape(started, ice, forcing)
    assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {jnp.dtype("float32")}


def test_drift_by_roughness_and_wind_against_differences():
    forcing = forcing_of(BOX)

    @jax.jit
    @jax.value_and_grad
    def drift(parameters):
        roughness, wind = parameters
        aloft = forcing.aloft
        pushed = replace(
            aloft, geostrophic_u=aloft.geostrophic_u * wind, wind_u=aloft.wind_u * wind
        )
        model = under(LAYER, NoThermodynamics())
        model = eqx.tree_at(lambda m: m.ice_roughness, model, roughness)
        now = replace(forcing, aloft=pushed)
        state = model.start(ice_on(BOX), now)
        state = model.step(state, now, None)
        return jnp.mean(u_to_t(state.u, BOX)) + 2.0 * jnp.mean(v_to_t(state.v, BOX))

    at = jnp.array([7e-4, 1.1])
    _, gradient = drift(at)
    for number, size in enumerate((7e-8, 1e-4)):
        change = jnp.zeros(2).at[number].set(size)
        found = (drift(at + change)[0] - drift(at - change)[0]) / (2 * size)
        assert float(gradient[number]) == pytest.approx(float(found), rel=1e-3)


def test_a_restarted_run_is_the_same():
    model, forcing = under(LAYER), forcing_of(BOX)
    _, half = one_step(model)
    stored = jax.tree.map(np.asarray, half)
    whole, again = step(model, half, forcing), step(model, stored, forcing)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_refused():
    model, forcing = under(LAYER), forcing_of(BOX)
    with pytest.raises(InputError, match="air aloft"):
        model.start(ice_on(BOX), replace(forcing, aloft=None))
    state = model.start(ice_on(BOX), forcing)
    with pytest.raises(InputError, match="lacks `aloft`"):
        model.check(state, replace(forcing, aloft=None), 0, HOUR)
    wrong = forcing.aloft.humidity.copy()
    wrong[1, 2, 3, 4] = np.nan
    bad = replace(forcing, aloft=replace(forcing.aloft, humidity=wrong))
    with pytest.raises(InputError, match=r"humidity aloft is nan at 2000 m.*cell \(3, 4\)"):
        model.check(state, bad, 0, HOUR)
    upside_down = replace(forcing.aloft, height=forcing.aloft.height[::-1])
    with pytest.raises(InputError, match="must ascend"):
        model.check(state, replace(forcing, aloft=upside_down), 0, HOUR)
    assert isinstance(forcing, Forcing)
