"""The boundary layer: exact states, budgets, limits of the mosaic, switches, order in time."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere import air
from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.column import (
    LEAST_HELD_DEPTH,
    relaxation_rate,
    turn_to_geostrophic,
)
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.surface_layer import SurfaceLayer
from floecast.atmosphere.turbulence import Closure
from floecast.core.errors import InputError

from .columns import (
    CORIOLIS,
    FRICTIONLESS,
    SHARES,
    FixedExchange,
    aloft,
    random_case,
    surface,
)

LEVELS = Levels.stretched(20, 1500.0, 5.0)
FREE = BoundaryLayer(FixedExchange(), LEVELS, relaxation_above=np.inf)
SHARES_ARRAY = jnp.asarray(SHARES)
WHOLE = BoundaryLayer(SurfaceLayer(), LEVELS)
start = eqx.filter_jit(lambda layer, *arguments: layer.start(*arguments))
advance = eqx.filter_jit(lambda layer, *arguments: layer.advance(*arguments))
compiled_step = eqx.filter_jit(lambda layer, *arguments: layer.step(*arguments))


def step(layer, column, above, below, coriolis, dt):
    """One step, compiled once for all lengths."""
    return compiled_step(layer, column, above, below, coriolis, jnp.asarray(dt, coriolis.dtype))


def stepped(layer, column, above, below, coriolis, dt, count):
    """A column after some steps."""
    for _ in range(count):
        column, _ = step(layer, column, above, below, coriolis, dt)
    return column


def developed(layer, above, below, coriolis, steps=12, dt=120.0):
    """A column some steps after its start."""
    column = start(layer, above, below, coriolis)
    return stepped(layer, column, above, below, coriolis, dt, steps)


@pytest.mark.parametrize("dt", [10.0, 60.0, 600.0, 3600.0])
def test_geostrophic_balance_is_kept(dt):
    layer = BoundaryLayer(FRICTIONLESS, LEVELS)
    above, below, coriolis = aloft((2,)), surface((2,)), jnp.array([CORIOLIS, -CORIOLIS])
    first = start(layer, above, below, coriolis)
    column = stepped(layer, first, above, below, coriolis, dt, 5)
    np.testing.assert_allclose(column.wind_u, first.wind_u, rtol=1e-12)
    np.testing.assert_allclose(column.wind_v, first.wind_v, rtol=1e-12)


@pytest.mark.parametrize("dt", [60.0, 600.0, 3600.0])
def test_ageostrophic_wind_turns_as_published(dt):
    angle = 1.43e-4 * dt
    factor = (1 - 1j * 0.45 * angle) / (1 + 1j * 0.55 * angle)
    assert 0.98 < abs(factor) < 1
    found = turn_to_geostrophic(
        *(jnp.full((1, 1), x) for x in (5.0, 1.0, 8.0, 3.0)), jnp.full(1, 1.43e-4), dt
    )
    assert complex(found[0][0, 0], found[1][0, 0]) == pytest.approx(
        8 + 3j + factor * (-3 - 2j), rel=1e-12
    )


def test_budgets_close():
    """Momentum, heat and vapour of the column change by what the surface gives."""
    dt = 120.0
    above, below, coriolis = aloft((5,)), surface((5,), SHARES_ARRAY), jnp.zeros(5)
    layer = replace(FREE, surface_layer=SurfaceLayer())
    before = developed(layer, above, below, coriolis)
    after, contact = step(layer, before, above, below, coriolis, dt)
    thickness = LEVELS.thickness[:, None]
    ice, water = below.concentration, 1.0 - below.concentration
    capacity = air.heat_capacity(contact.lowest_humidity)
    for name, over_ice, over_water, factor in (
        ("wind_u", contact.stress_ice_u, contact.stress_water_u, -1.0),
        ("wind_v", contact.stress_ice_v, contact.stress_water_v, -1.0),
        ("potential_temperature", contact.sensible_ice, contact.sensible_water, 1.0 / capacity),
        ("humidity", contact.vapour_ice, contact.vapour_water, 1.0),
    ):
        change = getattr(after, name) - getattr(before, name)
        gain = (thickness * change).sum(axis=0)
        given = factor * dt * (ice * over_ice + water * over_water) / contact.density
        content = (thickness * jnp.abs(getattr(before, name))).sum(axis=0)
        assert (jnp.abs(given) > 1e-6 * content).all(), name
        np.testing.assert_allclose(gain, given, rtol=0, atol=1e-14 * content.max(), err_msg=name)


def test_fluxes_of_advance_are_means():
    above, below, coriolis = aloft((5,)), surface((5,)), jnp.full(5, CORIOLIS, float)
    column = developed(WHOLE, above, below, coriolis)
    whole, contact = advance(
        replace(WHOLE, longest_step=100.0), column, above, below, coriolis, 300
    )
    parts = []
    for _ in range(3):
        column, part = step(WHOLE, column, above, below, coriolis, 100.0)
        parts.append(part)
    for mine, known in zip(jax.tree.leaves(whole), jax.tree.leaves(column), strict=True):
        np.testing.assert_allclose(mine, known, rtol=1e-12)
    for name in ("stress_ice_u", "sensible_water", "vapour_ice"):
        mean = np.mean([getattr(part, name) for part in parts], axis=0)
        np.testing.assert_allclose(getattr(contact, name), mean, rtol=1e-12)
    np.testing.assert_allclose(contact.wind_u, parts[-1].wind_u, rtol=1e-12)
    np.testing.assert_allclose(contact.heat_response, parts[-1].heat_response, rtol=1e-12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_surface_alone(share):
    """What does not lie below has no say."""
    above, coriolis = aloft((5,)), jnp.full(5, CORIOLIS, float)
    below = surface((5,), share)
    other = {"ice_temperature": 230.0, "ice_u": 3.0} if share == 0 else {"water_temperature": 290.0}
    changed = replace(below, **{name: jnp.full(5, value, float) for name, value in other.items()})
    layer = replace(WHOLE, surface_layer=SurfaceLayer(form_drag=0.0))
    column = start(layer, above, below, coriolis)
    found = [step(layer, column, above, each, coriolis, 120.0)[0] for each in (below, changed)]
    for mine, known in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_array_equal(mine, known)


def test_equal_surfaces_may_be_exchanged():
    above, coriolis = aloft((5,)), jnp.full(5, CORIOLIS, float)
    layer = replace(FREE, surface_layer=FixedExchange((0.01, 0.006), (0.01, 0.006)), moist=False)
    same = {"ice_temperature": 268.0, "water_temperature": 268.0, "water_u": 0.2, "water_v": -0.1}
    column = start(layer, above, surface((5,), 0.5, **same), coriolis)
    found, _ = step(layer, column, above, surface((5,), SHARES_ARRAY, **same), coriolis, 120.0)
    for field in jax.tree.leaves(found):
        np.testing.assert_allclose(field, field[..., :1] + 0 * field, rtol=1e-13)


def test_response_is_the_derivative_of_the_flux():
    """With exchange coefficients that stay, sensible and latent flux are linear in the surface."""
    below, above, coriolis = surface((5,), SHARES_ARRAY), aloft((5,)), jnp.full(5, CORIOLIS, float)
    column = developed(FREE, above, below, coriolis)

    def fluxes(change):
        changed = replace(below, ice_temperature=below.ice_temperature + change)
        _, contact = step(FREE, column, above, changed, coriolis, 180.0)
        capacity = contact.density * air.heat_capacity(contact.lowest_humidity)
        saturation = air.saturation_over_ice(changed.ice_temperature, FREE.pressure)
        return contact.sensible_ice / capacity, contact.vapour_ice / contact.density, saturation

    heat, vapour, saturation = (
        warm - cold for warm, cold in zip(fluxes(2.0), fluxes(-2.0), strict=True)
    )
    _, contact = step(FREE, column, above, below, coriolis, 180.0)
    np.testing.assert_allclose(heat, 4.0 * 0.006 * contact.heat_response, rtol=1e-11)
    np.testing.assert_allclose(vapour, 0.006 * contact.moisture_response * saturation, rtol=1e-9)
    assert contact.heat_response[0] == 1.0 and (jnp.diff(contact.heat_response) < 0).all()


def test_columns_do_not_know_of_each_other(key):
    """Columns mapped one by one against a grid of them."""
    above, below, coriolis = random_case(key, 12)
    axes = jax.tree.map(lambda leaf: leaf.ndim - 1, (above, below, coriolis))
    axes = eqx.tree_at(lambda axes: axes[0].height, axes, None, is_leaf=lambda x: x is None)

    def one(above, below, coriolis):
        column = WHOLE.start(above, below, coriolis)
        return WHOLE.step(column, above, below, coriolis, 150.0)

    alone = jax.jit(jax.vmap(one, in_axes=axes, out_axes=-1))(above, below, coriolis)
    fields = tuple(field.reshape(5, 3, 4) for field in above.profiles().values())
    above = eqx.tree_at(lambda above: tuple(above.profiles().values()), above, fields)
    square = jax.tree.map(lambda leaf: leaf.reshape(3, 4), (below, coriolis))
    for known, mine in zip(
        *map(jax.tree.leaves, (alone, jax.jit(one)(above, *square))), strict=True
    ):
        np.testing.assert_allclose(mine.reshape(known.shape), known, rtol=1e-9, atol=1e-12)


def test_each_feedback_can_be_taken_away():
    above, below, coriolis = aloft((5,)), surface((5,)), jnp.full(5, CORIOLIS, float)
    column = developed(WHOLE, above, below, coriolis)
    warmer = replace(below, ice_temperature=below.ice_temperature + 5.0)
    faster = replace(below, ice_u=below.ice_u + 0.5)

    def stress(layer, below):
        column_after, contact = step(layer, column, above, below, coriolis, 120.0)
        return column_after, contact

    for name, changed in (("thermal", warmer), ("ice_motion", faster)):
        without = replace(WHOLE, **{name: False})
        (first, _), (second, _) = stress(without, below), stress(without, changed)
        (third, _), (fourth, _) = stress(WHOLE, below), stress(WHOLE, changed)
        assert all(map(np.array_equal, jax.tree.leaves(first), jax.tree.leaves(second))), name
        assert not np.array_equal(third.wind_u, fourth.wind_u), name

    neutral = replace(WHOLE, thermal=False)
    (_, cold), (_, warm) = stress(neutral, below), stress(neutral, warmer)
    assert (warm.sensible_ice > cold.sensible_ice).all() and (cold.heat_response == 1.0).all()
    no_edges = stress(replace(WHOLE, form_drag=False), below)[1]
    smooth = stress(replace(WHOLE, surface_layer=SurfaceLayer(form_drag=0.0)), below)[1]
    np.testing.assert_array_equal(no_edges.stress_ice_u, smooth.stress_ice_u)
    assert (smooth.stress_ice_u < stress(WHOLE, below)[1].stress_ice_u).all()


def test_large_scale_acts_above_the_layer_only():
    """Below half the depth nothing; above one and a half, decay in the time given."""
    shape, coriolis = (2,), jnp.zeros(2)
    above, below = aloft(shape), surface(shape)
    column = start(FREE, above, below, coriolis)
    column = replace(column, wind_u=column.wind_u + 1.0, depth=jnp.full(2, 400.0, float))
    layer = replace(FREE, surface_layer=FRICTIONLESS)
    free, _ = step(layer, column, above, below, coriolis, 90.0)
    held, _ = step(replace(layer, relaxation_above=5400.0), column, above, below, coriolis, 90.0)
    change = np.asarray(held.wind_u - free.wind_u)[:, 0]
    # Three levels at least lie above one and a half of it.
    depth = np.clip(float(free.depth[0]), LEAST_HELD_DEPTH, LEVELS.edges[-4] / 1.5)
    height = LEVELS.centres
    assert (change[height < 0.5 * depth] == 0).all() and (height < 0.5 * depth).any()
    np.testing.assert_allclose(change[height > 1.5 * depth], 1 / (1 + 90 / 5400) - 1, rtol=1e-9)


def test_levels_do_not_let_the_large_scale_into_a_shallow_layer():
    """However fine the levels are, air below half of the least depth is free."""
    for levels in (Levels.stretched(20), Levels.stretched(60, 2000.0, 2.0)):
        rate = relaxation_rate(levels, jnp.array([30.0, 160.0]), np.inf, 5400.0)
        height = np.asarray(levels.centres)
        np.testing.assert_array_equal(rate[:, 0], rate[:, 1])
        assert (rate[height < 80.0, 0] == 0.0).all() and (height < 80.0).sum() > 3
        assert (rate[height > 81.0, 0] > 0.0).all()


def test_random_states(key, dtype=jnp.float32):
    """Energy never below its least, nothing undefined, in every weather, over every surface."""
    layer = jax.tree.map(lambda leaf: leaf.astype(dtype), WHOLE)
    above, below, coriolis = random_case(key, 350, dtype)
    column = start(layer, above, below, coriolis)
    for dt in (10.0, *(120.0,) * 30, 600.0, 600.0, 1800.0, 1800.0):
        column, contact = step(layer, column, above, below, coriolis, dt)
    leaves = jax.tree.leaves((column, contact))
    assert all(leaf.dtype == dtype and jnp.isfinite(leaf).all() for leaf in leaves)
    assert (column.turbulent_energy >= layer.closure.least_energy).all()
    assert (column.depth >= 0.0).all() and (column.depth <= LEVELS.top).all()
    assert (jnp.hypot(column.wind_u, column.wind_v) < 60.0).all()
    assert (column.humidity > 0).all()
    assert (column.potential_temperature > 220).all() and (column.potential_temperature < 300).all()


def test_first_order_in_time():
    """Half the step, half the error, from one developed profile."""
    layer = replace(WHOLE, corrections=2)
    above, below, coriolis = aloft((5,)), surface((5,)), jnp.full(5, CORIOLIS, float)
    column = developed(WHOLE, above, below, coriolis, steps=60)

    @jax.jit
    def after(parts):
        def step(_, column):
            return layer.step(column, above, below, coriolis, 600.0 / parts)[0]

        final = jax.lax.fori_loop(0, parts, step, column)
        return jnp.concatenate([final.wind_u[:8], final.potential_temperature[:8]])

    known = after(2048)
    errors = np.array([float(jnp.abs(after(parts) - known).max()) for parts in (64, 128, 256)])
    orders = np.log2(errors[:-1] / errors[1:])
    assert (orders > 0.85).all() and (orders < 1.25).all(), (errors, orders)


def test_refusals():
    with pytest.raises(InputError, match="longest_step is -1"):
        BoundaryLayer(FRICTIONLESS, LEVELS, longest_step=-1.0)
    with pytest.raises(InputError, match="corrections is -1"):
        BoundaryLayer(FRICTIONLESS, LEVELS, corrections=-1)
    with pytest.raises(InputError, match="pairing is 'both'"):
        Closure(pairing="both")
