"""Exchange with a mosaic of ice and water: single surfaces, symmetry, consistency, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere import air, ice_drag
from floecast.atmosphere.similarity import Grachev, Gryanik, LinearSimilarity, stretches
from floecast.atmosphere.surface import Surface
from floecast.atmosphere.surface_layer import ConstantRoughness, SurfaceLayer, WaveRoughness

PRESSURE = 101000.0
CONCENTRATIONS = jnp.array([0.0, 0.05, 0.5, 0.95, 1.0])


def surface_of(concentration=CONCENTRATIONS, ice=258.0, water=271.35, **other):
    values = {
        "ice_temperature": ice,
        "water_temperature": water,
        "ice_u": 0.1,
        "ice_v": -0.05,
        "water_u": 0.02,
        "water_v": 0.03,
        "ice_roughness": 6.9e-4,
    } | other
    one = jnp.ones_like(concentration)
    return Surface(concentration, **{name: value * one for name, value in values.items()})


def air_of(wind_u=6.0, wind_v=1.0, theta=260.0, humidity=8e-4, like=CONCENTRATIONS):
    return tuple(x * jnp.ones_like(like) for x in (wind_u, wind_v, theta, humidity))


@eqx.filter_jit
def flat(layer, air_above, surface, height=4.0):
    found = layer.exchange(height, *air_above, surface, PRESSURE)
    return jnp.stack(jax.tree.leaves(found))


def test_neutral_air_has_the_published_coefficients():
    layer = SurfaceLayer(moist=False, gustiness=0.0)
    surface = surface_of(ice=260.0, water=260.0, ice_u=0.0, ice_v=0.0)
    for height in (3.0, 10.0):
        found = layer.exchange(height, *air_of(6.0, 0.0), surface, PRESSURE)
        edges = ice_drag.form_drag_per_ice(CONCENTRATIONS, height)
        expected = ice_drag.skin_drag(height) + edges
        np.testing.assert_allclose(found.ice.momentum, 6.0 * expected, rtol=1e-12)
        prandtl = Gryanik().prandtl
        heat = ice_drag.skin_heat_transfer(height) / prandtl
        heat = heat + edges * ice_drag.form_heat_transfer(CONCENTRATIONS * edges)
        np.testing.assert_allclose(found.ice.heat, 6.0 * heat, rtol=1e-12)


def test_cell_has_the_mean_of_luepkes_and_gryanik():
    """``A C_s f_i + C_f (A f_i + (1 - A) f_w) + (1 - A) C_w f_w``, with our stability functions."""
    layer = SurfaceLayer(gustiness=0.0)
    still = {name: 0.0 for name in ("ice_u", "ice_v", "water_u", "water_v")}
    surface, above = surface_of(**still), air_of(6.0, 0.0)
    found = layer.exchange(10.0, *above, surface, PRESSURE)
    cell = CONCENTRATIONS * found.ice.momentum + (1 - CONCENTRATIONS) * found.water.momentum
    bare = eqx.tree_at(lambda x: x.form_drag, layer, jnp.asarray(0.0))
    skin = bare.exchange(10.0, *above, surface, PRESSURE)
    neutral = ice_drag.skin_drag(10.0)
    length, _ = layer.water_roughness.lengths(6.0, 10.0, 271.35)
    water = ice_drag.skin_drag(10.0, length)
    over_ice = skin.ice.momentum / (6.0 * neutral)
    over_water = skin.water.momentum / (6.0 * water)
    ice, open_water = CONCENTRATIONS, 1 - CONCENTRATIONS
    form = ice * ice_drag.form_drag_per_ice(ice)
    expected = ice * neutral * over_ice + form * (ice * over_ice + open_water * over_water)
    expected = expected + open_water * water * over_water
    np.testing.assert_allclose(cell, 6.0 * expected, rtol=1e-12)


def test_full_and_empty_cells_are_single_surfaces():
    layer, above = SurfaceLayer(), air_of()
    usual, other = surface_of(), surface_of(ice=240.0, ice_u=-0.4, ice_roughness=5e-3)
    warmer = surface_of(water=280.0, water_v=1.0)
    empty, full = 0, -1
    for surface, cell, part in ((other, empty, "water"), (warmer, full, "ice")):
        found, expected = (
            jax.tree.leaves(getattr(layer.exchange(4.0, *above, s, PRESSURE), part))
            for s in (surface, usual)
        )
        for one, two in zip(found, expected, strict=True):
            assert one[cell] == two[cell]
        found, expected = (layer.profile(2.0, 4.0, *above, s, PRESSURE) for s in (surface, usual))
        for one, two in zip(found, expected, strict=True):
            assert one[cell] == two[cell]


def test_ice_and_water_of_equal_properties_can_be_swapped():
    layer = SurfaceLayer(
        form_drag=0.0, moist=False, water_roughness=ConstantRoughness(6.9e-4, 1.38e-4)
    )
    same = {"ice": 262.0, "water": 262.0, "water_u": 0.1, "water_v": -0.05}
    found = layer.exchange(4.0, *air_of(), surface_of(**same), PRESSURE)
    for one, two in zip(jax.tree.leaves(found.ice), jax.tree.leaves(found.water), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-14)
    *found, _ = layer.profile(2.0, 4.0, *air_of(), surface_of(**same), PRESSURE)
    for value in found:  # no matter how much is ice
        np.testing.assert_allclose(value, value[0], rtol=1e-14)


def test_only_relative_winds_matter_and_no_direction():
    layer, surface = SurfaceLayer(), surface_of()
    u, v, *other = air_of()
    expected = flat(layer, (u, v, *other), surface)
    shifted = surface_of(ice_u=1.1, ice_v=-2.05, water_u=1.02, water_v=-1.97)
    np.testing.assert_allclose(flat(layer, (u + 1, v - 2, *other), shifted), expected, rtol=1e-12)
    turned = surface_of(ice_u=0.05, ice_v=0.1, water_u=-0.03, water_v=0.02)
    np.testing.assert_allclose(flat(layer, (-v, u, *other), turned), expected, rtol=1e-13)


@pytest.mark.parametrize("similarity", [Gryanik(), Grachev(), LinearSimilarity()])
@pytest.mark.parametrize("theta", [250.0, 258.0, 259.5])
def test_fluxes_do_not_change_with_height(similarity, theta):
    """Exchange from a lower level of the profile gives the fluxes of the level above."""
    layer = SurfaceLayer(similarity=similarity, form_drag=0.0, gustiness=0.0, moist=False)
    surface, above = surface_of(jnp.ones(1)), air_of(5.0, 2.0, theta, like=jnp.ones(1))
    u, v, temperature, humidity = layer.profile(2.0, 6.0, *above, surface, PRESSURE)
    below = u, v, temperature + air.LAPSE * 2.0, humidity

    def fluxes(height, values):
        got = layer.exchange(height, *values, surface, PRESSURE).ice
        return [
            got.momentum * (values[0] - surface.ice_u),
            got.momentum * (values[1] - surface.ice_v),
            got.heat * (values[2] - surface.ice_temperature),
        ]

    # Not exact: the mean temperature in the Richardson number is that of another layer.
    for one, two in zip(fluxes(6.0, above), fluxes(2.0, below), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-4, atol=1e-12)


def test_profile_at_its_own_level_is_what_was_known():
    above = air_of()
    found = SurfaceLayer().profile(4.0, 4.0, *above, surface_of(), PRESSURE)
    expected = above[0], above[1], above[2] - air.LAPSE * 4.0, above[3]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13)


def test_neutral_profile_is_logarithmic():
    layer = SurfaceLayer(moist=False)
    surface = surface_of(jnp.ones(1), ice=260.0, ice_u=0.0, ice_v=0.0)
    u, _, temperature, _ = layer.profile(
        2.0, 10.0, *air_of(6.0, 0.0, like=jnp.ones(1)), surface, PRESSURE
    )
    np.testing.assert_allclose(u, 6.0 * np.log(2 / 6.9e-4) / np.log(10 / 6.9e-4), rtol=1e-12)
    np.testing.assert_allclose(temperature, 260.0 - air.LAPSE * 2.0, rtol=1e-14)


def test_stable_air_exchanges_less():
    theta = jnp.linspace(245.0, 275.0, 61)
    surface = surface_of(jnp.full(61, 0.7), ice=258.0, water=258.0)
    found = flat(SurfaceLayer(), air_of(theta=theta, like=theta), surface)
    assert np.all(np.diff(found, axis=1) < 0)


def test_waves():
    wind, waves = jnp.array([0.5, 2.0, 5.0, 10.0, 20.0, 25.0]), WaveRoughness()
    length, heat = waves.lengths(wind, 10.0, 272.0)
    drag = ice_drag.skin_drag(10.0, length)
    root = length
    for _ in range(100):
        friction = 0.4 * wind / jnp.log(10.0 / root)
        root = 0.011 * friction**2 / 9.8 + 0.11 * air.viscosity(272.0) / friction
    np.testing.assert_allclose(drag, ice_drag.skin_drag(10.0, root), rtol=0.02)
    # Large and Yeager (2004) from 5 to 20 m/s
    known = 1e-3 * (2.7 / wind + 0.142 + wind / 13.09)
    np.testing.assert_allclose(drag[2:5], known[2:5], rtol=0.15)
    np.testing.assert_allclose(
        0.4 * jnp.sqrt(drag) / jnp.log(10.0 / heat), 32.7e-3 * jnp.sqrt(drag), rtol=1e-3
    )


def test_vapour_counts_only_in_moist_layers():
    above, moister = air_of(), air_of(humidity=1.5e-3)
    dry = SurfaceLayer(moist=False)
    np.testing.assert_array_equal(flat(dry, above, surface_of()), flat(dry, moister, surface_of()))
    assert np.all(flat(SurfaceLayer(), above, surface_of()) > 0)
    assert not np.allclose(
        flat(SurfaceLayer(), above, surface_of()), flat(SurfaceLayer(), moister, surface_of())
    )


# Unstable, neutral and stable over the ice.
@pytest.mark.parametrize("theta", [250.0, 258.1, 264.0])
@pytest.mark.parametrize("wind", [0.0, 7.0])
def test_derivatives(theta, wind):
    layer, count = SurfaceLayer(), len(CONCENTRATIONS)
    above, surface = air_of(wind, 0.3 * wind, theta), surface_of()
    weights = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, (6, count)))
    profile_weights = weights[:4] * jnp.array([[1.0], [1.0], [0.1], [100.0]])

    def total(layer, above, surface):
        near = jnp.stack(layer.profile(2.0, 4.0, *above, surface, PRESSURE))
        exchange = weights * flat(layer, above, surface)
        return jnp.sum(1e3 * exchange, axis=0) + jnp.sum(profile_weights * near, axis=0)

    arguments, inside = (layer, above, surface), (CONCENTRATIONS > 0) & (CONCENTRATIONS < 1)
    reverse = jax.jit(jax.grad(lambda *a: jnp.sum(total(*a)), (0, 1, 2)))(*arguments)
    leaves, tree = jax.tree.flatten(arguments)
    run = jax.jit(lambda *x: total(*jax.tree.unflatten(tree, x)))
    for k, (leaf, slope) in enumerate(zip(leaves, jax.tree.leaves(reverse), strict=True)):
        step = 1e-4 * jnp.maximum(jnp.abs(leaf), jnp.where(leaf == 0, 1.0, 0.0))
        step = jnp.where(jnp.abs(leaf) > 100, 1e-6 * jnp.abs(leaf), step)

        def moved(by, k=k, leaf=leaf, step=step):
            return run(*leaves[:k], leaf + by * step, *leaves[k + 1 :])

        near, far = moved(1) - moved(-1), moved(2) - moved(-2)
        expected = (8 * near - far) / (12 * step)
        is_concentration = leaf is surface.concentration
        if leaf.ndim == 0:
            expected = jnp.sum(expected)
        assert np.all(np.isfinite(slope))
        chosen = inside if is_concentration else ...
        found, expected = np.asarray(slope)[chosen], np.asarray(expected)[chosen]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=str(k))


def test_derivatives_by_concentration_at_its_ends():
    layer, theta = SurfaceLayer(), 264.0

    def cell(concentration):
        surface = surface_of(concentration)
        above = air_of(theta=theta, like=concentration)
        found = layer.exchange(4.0, *above, surface, PRESSURE)
        ice, water = jnp.stack(jax.tree.leaves(found.ice)), jnp.stack(jax.tree.leaves(found.water))
        return jnp.sum(concentration * ice + (1 - concentration) * water)

    for end, inward in ((0.0, 1.0), (1.0, -1.0)):
        step = inward * 1e-9
        difference = (cell(jnp.asarray(end + step)) - cell(jnp.asarray(end))) / step
        np.testing.assert_allclose(
            jax.grad(cell)(jnp.asarray(end)), difference, rtol=1e-3, atol=3e-5
        )


@pytest.mark.parametrize("similarity", [Gryanik(), Grachev(), LinearSimilarity()])
def test_random_states_in_single_precision(similarity):
    count, rng = 4000, np.random.default_rng(7)

    def draw(low, high):
        return jnp.asarray(rng.uniform(low, high, count), jnp.float32)

    def rarely_zero(x):
        return jnp.where(jnp.asarray(rng.uniform(size=count) < 0.2), 0.0, x).astype(x.dtype)

    concentration = jnp.asarray(rng.choice([0, 0.05, 0.5, 0.95, 1.0], count), jnp.float32)
    drift = [rarely_zero(draw(-1, 1)) for _ in range(4)]
    surface = Surface(concentration, draw(215, 274), draw(271, 285), *drift, 10 ** draw(-6, -1))
    above = rarely_zero(draw(-30, 30)), rarely_zero(draw(-30, 30)), draw(215, 290), draw(0, 8e-3)
    layer = SurfaceLayer(similarity=similarity)
    layer = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), layer)

    def total(layer, above, surface):
        values = flat(layer, above, surface, 2.5)
        near = layer.profile(2.0, 2.5, *above, surface, PRESSURE)
        return jnp.sum(values) + sum(jnp.sum(x) for x in near), (values, near)

    run = jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))
    (_, (values, near)), slopes = run(layer, above, surface)
    assert values.dtype == jnp.float32 and np.all(values > 0)
    for leaf in jax.tree.leaves((values, near, slopes)):
        assert leaf.dtype == jnp.float32 and np.all(np.isfinite(leaf))


def test_vmap_and_forward_mode():
    layer, surface = SurfaceLayer(), surface_of()
    expected = flat(layer, air_of(), surface)
    each = jax.vmap(lambda a, s: flat(layer, a, s), out_axes=1)(air_of(), surface)
    np.testing.assert_allclose(each, expected, rtol=1e-13)
    wind = jnp.asarray(4.0)

    def stress(wind):
        return jnp.sum(flat(layer, air_of(wind), surface))

    forward, reverse = jax.jit(lambda x: (jax.jacfwd(stress)(x), jax.grad(stress)(x)))(wind)
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)


def test_stability_of_the_layer_is_that_of_the_similarity():
    """A closed form: the exchange of a given zeta, over ice alone."""
    layer = SurfaceLayer(similarity=LinearSimilarity(), form_drag=0.0, gustiness=0.0, moist=False)
    zeta, height, wind = 0.4, 5.0, 4.0
    momentum, heat = stretches(zeta, 6.9e-4 / height, 1.38e-4 / height, layer.similarity)
    number = zeta * heat / momentum**2
    theta_ice = 255.0
    # Ri = g z (theta - theta_i) / (mean U^2), with mean = (theta_i + theta - g z / c_p) / 2
    weight = number * wind**2 / (air.GRAVITY * height)
    theta = (theta_ice + 0.5 * weight * (theta_ice - air.LAPSE * height)) / (1 - 0.5 * weight)
    surface = surface_of(jnp.ones(1), ice=theta_ice, ice_u=0.0, ice_v=0.0)
    found = layer.exchange(height, *air_of(wind, 0.0, theta, like=jnp.ones(1)), surface, PRESSURE)
    np.testing.assert_allclose(found.ice.momentum, 0.16 / momentum**2 * wind, rtol=1e-12)
    np.testing.assert_allclose(found.ice.heat, 0.16 / (momentum * heat) * wind, rtol=1e-12)
