"""Snow-covered ice of Andreas (2005): published coefficients, one root, derivatives, a column."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import floecast as fc
from floecast.atmosphere import air
from floecast.atmosphere.ice_drag import form_drag_per_ice, snow_roughness
from floecast.atmosphere.similarity import HoltslagDeBruin
from floecast.atmosphere.snow_roughness import SnowRoughness

from .columns import random_case
from .test_surface_layer import CONCENTRATIONS, PRESSURE, air_of, flat, surface_of

# Roughness Reynolds number, and the coefficients b0, b1, b2 that hold there, of Andreas (1987).
PUBLISHED = [
    [0.13501, (1.25, 0.0, 0.0), (1.61, 0.0, 0.0)],
    [0.5, (0.149, -0.55, 0.0), (0.351, -0.628, 0.0)],
    [2.4, (0.149, -0.55, 0.0), (0.351, -0.628, 0.0)],
    [2.6, (0.317, -0.565, -0.183), (0.396, -0.512, -0.18)],
    [100.0, (0.317, -0.565, -0.183), (0.396, -0.512, -0.18)],
]
# AeroBulk, 10 m over 258.15 K at 6 m/s: warmer air [K], 1e3 C_d, 1e3 C_h, u* [m/s].
PRINTED = [
    [-15.0, 2.3134, 1.8192, 0.28859],
    [-5.0, 2.0991, 1.6375, 0.27489],
    [-1.0, 1.9252, 1.4789, 0.26326],
    [1.0, 1.7107, 1.3138, 0.24817],
    [3.0, 1.4312, 1.1336, 0.22698],
    [8.0, 0.7764, 0.6969, 0.16719],
]
STILL = {name: 0.0 for name in ("ice_u", "ice_v", "water_u", "water_v")}


def snow(**other):
    return fc.SurfaceLayer(snow_roughness=SnowRoughness(), **other)


@pytest.mark.parametrize(("reynolds", "heat", "moisture"), PUBLISHED)
def test_lengths_have_the_published_coefficients(reynolds, heat, moisture):
    friction = 0.25
    # z0 = 0.135 nu / u* + a, so that R = 0.135 + a u* / nu.
    rough = 0.035 * friction**2 / 9.8 * (5.0 * np.exp(-(((friction - 0.18) / 0.1) ** 2)) + 1.0)
    nu = rough * friction / (reynolds - 0.135)
    momentum, *found = snow_roughness(friction, nu)
    np.testing.assert_allclose(momentum, 0.135 * nu / friction + rough, rtol=1e-14)
    for length, (b0, b1, b2) in zip(found, (heat, moisture), strict=True):
        log = np.log(reynolds)
        expected = momentum * np.exp(b0 + b1 * log + b2 * log**2)
        # Near the limit of smooth flow the polynomials change where they cross.
        rtol = 2e-3 if reynolds < 0.136 else 1e-12
        np.testing.assert_allclose(length, expected, rtol=rtol)


def test_lengths_do_not_jump():
    friction = jnp.geomspace(0.01, 1.5, 200001)
    for length in snow_roughness(friction, 1.2e-5):
        assert np.max(np.abs(np.diff(np.log(length)))) < 5e-4


def test_neutral_air_has_the_coefficients_of_its_own_lengths():
    layer = snow(moist=False, gustiness=0.0)
    surface = surface_of(ice=260.0, water=260.0, **STILL)
    for height, wind in ((3.0, 2.0), (10.0, 6.0), (10.0, 20.0)):
        found = layer.exchange(height, *air_of(wind, 0.0), surface, PRESSURE).ice
        edges = form_drag_per_ice(CONCENTRATIONS, height)
        friction = jnp.sqrt((found.momentum - wind * edges) * wind)
        np.testing.assert_allclose(friction, friction[0], rtol=1e-12)
        length, heat, vapour = jnp.log(
            height / jnp.stack(snow_roughness(friction, air.viscosity(260.0)))
        )
        np.testing.assert_allclose(friction, 0.4 * wind / length, rtol=1e-12)
        full = CONCENTRATIONS == 1.0
        prandtl = layer.similarity.prandtl
        for one, log in ((found.heat, heat), (found.moisture, vapour)):
            expected = 0.16 * wind / (prandtl * length * log)
            np.testing.assert_allclose(one[full], expected[full], rtol=1e-12)
    assert np.all(found.moisture > found.heat)


def test_printed_values():
    """The table leaves out the stability at the roughness length and rounds at neutral."""
    layer = snow(similarity=HoltslagDeBruin(), gustiness=0.0, form_drag=0.0)
    warmer, drag, transfer, friction = jnp.array(PRINTED).T
    theta, one = 258.15 + warmer, jnp.ones_like(warmer)
    humidity = 0.9 * air.saturation_over_ice(theta, PRESSURE)
    above = air_of(6.0, 0.0, theta, humidity, like=one)
    found = layer.exchange(10.0, *above, surface_of(one, ice=258.15, **STILL), PRESSURE).ice
    np.testing.assert_allclose(found.momentum / 6.0, 1e-3 * drag, rtol=0.025)
    np.testing.assert_allclose(found.heat / 6.0, 1e-3 * transfer, rtol=0.02)
    np.testing.assert_allclose(jnp.sqrt(6.0 * found.momentum), friction, rtol=0.0125)


def test_roughness_of_the_surface_does_not_matter():
    layer, above = snow(), air_of()
    one = flat(layer, above, surface_of())
    np.testing.assert_array_equal(one, flat(layer, above, surface_of(ice_roughness=1e-2)))
    assert not np.allclose(one, flat(fc.SurfaceLayer(), above, surface_of()), rtol=1e-2)


def test_water_does_not_feel_the_snow():
    above, surface = air_of(), surface_of()
    found, expected = (
        jax.tree.leaves(layer.exchange(4.0, *above, surface, PRESSURE).water)
        for layer in (snow(), fc.SurfaceLayer())
    )
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_profile_at_its_own_level_is_what_was_known():
    above = air_of()
    found = snow().profile(4.0, 4.0, *above, surface_of(), PRESSURE)
    expected = above[0], above[1], above[2] - air.LAPSE * 4.0, above[3]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13)


# Unstable, nearly neutral and stable over the ice, each in calm and in wind.
def test_derivatives():
    layer = snow()
    theta, wind = (
        a.ravel() for a in jnp.meshgrid(jnp.array([250.0, 258.1, 264.0]), jnp.array([0.0, 7.0]))
    )
    u, v, theta, humidity = air_of(wind, 0.3 * wind, theta, like=theta)
    surface = surface_of(jnp.full(6, 0.7))
    weights = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, (6, 6)))

    @jax.jit
    def total(u, theta, humidity, ice):
        below = eqx.tree_at(lambda s: s.ice_temperature, surface, ice)
        given = u, v, theta, humidity
        near = jnp.stack(layer.profile(2.0, 4.0, *given, below, PRESSURE))
        return jnp.sum(1e3 * weights * flat(layer, given, below), axis=0) + jnp.sum(near, axis=0)

    arguments = u, theta, humidity, surface.ice_temperature
    reverse = jax.jit(jax.grad(lambda *a: jnp.sum(total(*a)), (0, 1, 2, 3)))(*arguments)
    steps = 1e-4, 1e-4, 1e-7, 1e-4
    for k, (step, slope) in enumerate(zip(steps, reverse, strict=True)):

        def moved(by, k=k, step=step):
            return total(*(a + by * step if i == k else a for i, a in enumerate(arguments)))

        expected = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step)
        np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-7, err_msg=str(k))


def test_columns_of_random_states_in_single_precision():
    layer = fc.BoundaryLayer(surface_layer=snow(), levels=fc.Levels.stretched(count=12))
    layer = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), layer)
    above, below, coriolis = random_case(jax.random.key(2), 500, jnp.float32)

    @jax.jit
    @jax.value_and_grad
    def energy(below):
        column = layer.start(above, below, coriolis)
        column, contact = layer.step(column, above, below, coriolis, 120.0)
        return jnp.sum(column.wind_u**2) + 1e-3 * jnp.sum(contact.sensible_ice + contact.latent_ice)

    value, slopes = energy(below)
    assert value.dtype == jnp.float32 and np.isfinite(value)
    for slope in jax.tree.leaves(slopes):
        assert np.all(np.isfinite(slope))


def test_drifting_snow_takes_more_momentum_from_a_storm():
    """Over level ice of one length the share of the wind does not depend on the wind so."""
    wind = jnp.array([5.0, 25.0])
    surface = surface_of(jnp.ones(2), ice=262.0, **STILL)
    above = air_of(wind, 0.0, 262.0, like=wind)
    rise = []
    for layer in (snow(moist=False), fc.SurfaceLayer(moist=False)):
        drag = layer.exchange(10.0, *above, surface, PRESSURE).ice.momentum / wind
        rise.append(drag[1] / drag[0])
    assert rise[0] > 1.1 and abs(rise[1] - 1.0) < 0.01
