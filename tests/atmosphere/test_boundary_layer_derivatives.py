"""Derivatives of the boundary layer: against differences, between modes, defined everywhere."""

from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.atmosphere.boundary_layer import BoundaryLayer
from floecast.atmosphere.levels import Levels
from floecast.atmosphere.surface_layer import SurfaceLayer

from .columns import SHARES, aloft, random_case, surface

LAYER = BoundaryLayer(
    SurfaceLayer(),
    Levels.stretched(12, 1000.0, 5.0),
    relaxation_inside=5400.0,
    relaxation_above=5400.0,
)
CORIOLIS = jnp.full(5, 1.4e-4)
BELOW = surface((5,), jnp.asarray(SHARES))
STATIC = eqx.filter(LAYER, eqx.is_array, inverse=True)


def score(after, contact):
    """One number of everything that a step gives, each part of like size."""
    height = jnp.arange(1.0, 13.0).reshape((-1,) + (1,) * (after.wind_u.ndim - 1))
    return score_of_column(after, height) + (
        10.0 * jnp.sum(contact.stress_ice_u + contact.stress_water_v)
        + 0.1 * jnp.sum(contact.sensible_ice + contact.latent_water)
        + jnp.sum(contact.wind_u + contact.air_temperature + contact.heat_response)
    )


def score_of_column(after, height):
    return (
        jnp.sum(after.wind_u / height)
        + jnp.sum(after.potential_temperature / height)
        + 1e3 * jnp.sum(after.humidity / height)
        + jnp.sum(after.turbulent_energy[1:] / height)
    )


def value(point, with_contact):
    """`score` of a column, what it is under and over, and the constants of the layer."""
    column, above, below, constants = point
    layer = eqx.combine(constants, STATIC)
    after, contact = layer.step(column, above, below, CORIOLIS, 120.0)
    contact = jax.tree.map(lambda leaf: with_contact * leaf, contact)
    return score(after, contact)


# Most of the time is compilation, of code that runs a few times.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
VALUE, SLOPES = compiled(value), compiled(jax.grad(value))


@compiled
def develop(above, below, coriolis):
    """A column an hour old."""
    column = LAYER.start(above, below, coriolis)
    return LAYER.advance(column, above, below, coriolis, 3600.0)[0]


def point_of(wind, warmth=0.0):
    """Where derivatives are asked for."""
    above = aloft((5,), wind)
    column = develop(above, BELOW, CORIOLIS)
    below = replace(BELOW, ice_temperature=BELOW.ice_temperature + warmth)
    return column, above, below, eqx.filter(LAYER, eqx.is_array)


@pytest.mark.parametrize(
    "wind, warmth", [((9.0, -4.0), -15.0), ((9.0, -4.0), 15.0), ((0.0, 0.0), 3.0)]
)
def test_agree_with_differences(wind, warmth, key):
    """State, large scale, surface and all constants together, along random directions."""
    point = point_of(wind, warmth)
    # A step does not read the last depth, heights are not displaced, ice stays within its bounds,
    # and an infinite time has no neighbour.
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
    reverse = sum(
        jnp.vdot(slope, change)
        for slope, change in zip(
            jax.tree.leaves(SLOPES(point, 1.0)), jax.tree.leaves(direction), strict=True
        )
    )

    def difference(size):
        ends = [
            VALUE(jax.tree.map(lambda x, d, s=sign: x + s * size * d, point, direction), 1.0)
            for sign in (1, -1)
        ]
        return float(ends[0] - ends[1]) / (2 * size)

    # Small enough that in calm, convective air, whose stratification is near zero, no eddy comes
    # to be bounded by another height: 0.01 mK.
    coarse, fine = difference(4e-5), difference(2e-5)
    assert float(reverse) == pytest.approx((4 * fine - coarse) / 3, rel=1e-6)


def test_concentration_from_bound_to_bound():
    """One-sided differences at 0 and at 1, two-sided ones between."""
    point = point_of((9.0, -4.0))
    share = point[2].concentration

    def moved(k, by, with_contact):
        below = replace(point[2], concentration=share.at[k].add(by))
        return float(VALUE((*point[:2], below, point[3]), with_contact))

    for k in range(1, 4):
        found = (moved(k, 2e-5, 1.0) - moved(k, -2e-5, 1.0)) / 4e-5
        assert float(SLOPES(point, 1.0)[2].concentration[k]) == pytest.approx(found, rel=1e-6), k

    # Floe edges hold the wind up by the power 1.4 of the open water, and the heat that they give
    # has a square root, so that one-sided differences have an error of the power 0.4 or 0.5 of the
    # step. Per area of ice that heat has no derivative where there is none; the cell has.
    for k, inward, with_contact, power in ((0, 1.0, 0.0, 0.5), (4, -1.0, 1.0, 0.4)):
        slope = SLOPES(point, with_contact)[2].concentration[k]
        here = moved(k, 0.0, with_contact)
        near, far = (
            (moved(k, inward * size, with_contact) - here) / (inward * size)
            for size in (1e-6, 1e-5)
        )
        limit = (10**power * near - far) / (10**power - 1)
        assert float(slope) == pytest.approx(limit, rel=1e-4), k


def test_defined_for_random_states(key):
    """Calm and storm, every concentration, of one step."""
    constants = eqx.filter(LAYER, eqx.is_array)
    for one in jax.random.split(key, 21):
        above, below, coriolis = random_case(one, 5)
        slopes = SLOPES((develop(above, below, coriolis), above, below, constants), 1.0)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_defined_in_single_precision(key):
    """As before, through an hour of steps."""
    layer = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), LAYER)
    above, below, coriolis = random_case(key, 105, jnp.float32)

    @compiled
    def slopes(layer, above, below):
        def value(layer, above, below):
            column = layer.start(above, below, coriolis)
            after, contact = layer.advance(column, above, below, coriolis, 3600.0)
            return sum(jnp.sum(leaf) for leaf in jax.tree.leaves((after, contact)))

        return jax.grad(value, argnums=(0, 1, 2))(layer, above, below)

    for leaf in jax.tree.leaves(slopes(layer, above, below)):
        assert leaf.dtype == jnp.float32 and np.isfinite(leaf).all()


def test_modes_nest():
    """Reverse over forward, under vmap and jit, against second differences."""
    column, above, below, _ = point_of((9.0, -4.0))
    layer = replace(LAYER, corrections=0)
    cases = column, (above.profiles(), below)

    def one(temperature, column, rest):
        fields, below = rest
        below = replace(below, ice_temperature=temperature)
        here = type(above)(above.height, **fields)
        after, _ = layer.step(column, here, below, CORIOLIS[0], 120.0)
        return score_of_column(after, jnp.arange(1.0, 13.0))

    def curvature(temperature, *rest):
        def slope(temperature):
            return jax.jvp(lambda t: one(t, *rest), (temperature,), (jnp.ones(()),))[1]

        return jax.grad(slope)(temperature)

    def mapped(function):
        axes = jax.tree.map(lambda leaf: leaf.ndim - 1, cases)
        return compiled(jax.vmap(function, in_axes=(0, *axes)))

    values, at = mapped(one), below.ice_temperature
    low, middle, high = (values(at + by, *cases) for by in (-0.02, 0.0, 0.02))
    found = mapped(curvature)(at, *cases)
    assert (jnp.abs(found[1:]) > 1e-5).all()
    np.testing.assert_allclose(found, (high - 2 * middle + low) / 4e-4, rtol=1e-3, atol=1e-8)
