"""Derivatives of the boundary layer: against differences, between modes, defined everywhere."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.surface_layer import SurfaceLayer

from .columns import SHARES, aloft, random_case, surface

# One time for all heights, since the depth, which shapes the relaxation, has no derivative.
LAYER = BoundaryLayer(
    SurfaceLayer(),
    Levels.stretched(12, 1000.0, 5.0),
    relaxation_inside=5400.0,
    relaxation_above=5400.0,
)
CORIOLIS = jnp.full(5, 1.4e-4)
BELOW = surface((5,), jnp.asarray(SHARES))


def score(layer, column, above, below, dt=120.0):
    """One number of everything that a step gives, each part of like size."""
    after, contact = layer.advance(column, above, below, CORIOLIS, dt)
    height = jnp.arange(1.0, 13.0)[:, None]
    return (
        jnp.sum(after.wind_u / height)
        + jnp.sum(after.potential_temperature / height)
        + 1e3 * jnp.sum(after.humidity / height)
        + jnp.sum(after.turbulent_energy[1:] / height)
        + 10.0 * jnp.sum(contact.stress_ice_u + contact.stress_water_v)
        + 0.1 * jnp.sum(contact.sensible_ice + contact.latent_water)
        + jnp.sum(contact.wind_u + contact.air_temperature + contact.heat_response)
    )


def value(point):
    """`score` of a column, what it is under and over, and the constants of the layer."""
    column, above, below, constants = point
    return score(eqx.combine(constants, STATIC), column, above, below)


STATIC = eqx.filter(LAYER, eqx.is_array, inverse=True)
VALUE, SLOPES = jax.jit(value), jax.jit(jax.grad(value))
FORWARD = jax.jit(lambda point, direction: jax.jvp(value, (point,), (direction,))[1])
develop = eqx.filter_jit(LAYER.advance)


def inputs(wind):
    """A column an hour old and what it is under."""
    above = aloft((5,), wind)
    column = LAYER.start(above, BELOW, CORIOLIS)
    column, _ = develop(column, above, BELOW, CORIOLIS, 3600.0)
    return column, above


@pytest.mark.parametrize(
    "wind, warmth", [((9.0, -4.0), -15.0), ((9.0, -4.0), 15.0), ((0.0, 0.0), 3.0)]
)
def test_agree_with_differences(wind, warmth, key):
    """State, large scale, surface and all constants together, along random directions."""
    column, above = inputs(wind)
    below = replace(BELOW, ice_temperature=BELOW.ice_temperature + warmth)
    point = column, above, below, eqx.filter(LAYER, eqx.is_array)
    # The depth has no derivative, heights are not displaced, ice stays within its bounds, and an
    # infinite time has no neighbour.
    leaves, tree = jax.tree.flatten(point)
    keys = jax.random.split(key, len(leaves))
    directions = [
        1e-3 * jax.random.normal(k, leaf.shape) * jnp.where(jnp.isfinite(leaf), leaf, 0.0)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    direction = jax.tree.unflatten(tree, directions)
    direction = eqx.tree_at(
        lambda d: (d[0].depth, d[1].height, d[2].concentration),
        direction,
        replace_fn=jnp.zeros_like,
    )
    forward = float(FORWARD(point, direction))
    reverse = sum(
        jnp.vdot(slope, change)
        for slope, change in zip(
            jax.tree.leaves(SLOPES(point)),
            jax.tree.leaves(direction),
            strict=True,
        )
    )

    def difference(size):
        ends = [
            VALUE(jax.tree.map(lambda x, d, s=sign: x + s * size * d, point, direction))
            for sign in (1, -1)
        ]
        return float(ends[0] - ends[1]) / (2 * size)

    coarse, fine = difference(2e-3), difference(1e-3)
    assert forward == pytest.approx(float(reverse), rel=1e-9)
    assert forward == pytest.approx((4 * fine - coarse) / 3, rel=1e-6)


def test_concentration_at_its_bounds():
    """One-sided differences up to 1, from which ice cannot grow."""
    column, above = inputs((9.0, -4.0))

    @jax.jit
    def value(share):
        return score(LAYER, column, above, replace(BELOW, concentration=share))

    share = BELOW.concentration
    slopes = jax.grad(value)(share)
    # The heat that floe edges give has a square root of the concentration at 0.
    for k in range(1, 5):
        inward = 1.0 if share[k] < 0.5 else -1.0
        unit = jnp.zeros(5).at[k].set(inward)
        steps = [float(value(share + size * unit)) for size in (0.0, 1e-5, 2e-5)]
        one_sided = inward * (4 * steps[1] - 3 * steps[0] - steps[2]) / 2e-5
        assert float(slopes[k]) == pytest.approx(one_sided, rel=1e-4), k


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_defined_for_random_states(key, dtype):
    """Calm and storm, every concentration, through an hour of steps."""
    layer = jax.tree.map(lambda leaf: leaf.astype(dtype), LAYER)
    above, below, coriolis = random_case(key, 105, dtype)
    column = layer.start(above, below, coriolis)

    @jax.jit
    def slopes(column, above, below, layer):
        def value(column, above, below, layer):
            after, contact = layer.advance(column, above, below, coriolis, 3600.0)
            return sum(jnp.sum(leaf) for leaf in jax.tree.leaves((after, contact)))

        return jax.grad(value, argnums=(0, 1, 2, 3))(column, above, below, layer)

    for leaf in jax.tree.leaves(slopes(column, above, below, layer)):
        assert leaf.dtype == dtype and np.isfinite(leaf).all()


def test_modes_nest():
    """Reverse over vmap over forward, under jit, agrees with one column at a time."""
    column, above = inputs((9.0, -4.0))

    def value(temperature, column, above, below):
        below = replace(below, ice_temperature=temperature)
        after, _ = LAYER.step(column, above, below, CORIOLIS[:1], 120.0)
        return jnp.sum(after.potential_temperature[0])

    def curvature(temperature, *rest):
        return jax.grad(lambda t: jax.jvp(lambda s: value(s, *rest), (t,), (jnp.ones(1),))[1])(
            temperature
        )

    found = []
    for k in range(2):
        parts = jax.tree.map(lambda leaf, k=k: leaf[..., k : k + 1], (column, BELOW))
        mine = eqx.tree_at(
            lambda above: tuple(above.profiles().values()),
            above,
            tuple(field[:, k : k + 1] for field in above.profiles().values()),
        )
        found.append((parts[0], mine, parts[1]))
    batched = jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)
    temperature = jnp.stack([one[2].ice_temperature for one in found])
    mapped = jax.jit(jax.vmap(curvature))(temperature, *batched)
    for k, one in enumerate(found):
        np.testing.assert_allclose(
            mapped[k], curvature(temperature[k], *one), rtol=1e-7, atol=1e-14
        )
