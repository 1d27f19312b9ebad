"""Derivatives written out beside those of JAX; they pass through both modes and through maps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.simulator import bbm_kernel as kernel
from floecast.simulator.slopes import by_slopes


def cut(vector):
    return vector[2:-2]


def of_ice(seed, count=400):
    """Stress of every kind in the units of its strength, and intactness."""
    rng = np.random.default_rng(seed)
    stress = rng.normal(0.0, 2.0, (3, count))
    return [jnp.asarray(field) for field in (*stress, rng.uniform(1e-6, 1.0, count))]


def positive(seed, number, count=400):
    return [jnp.asarray(field) for field in np.random.default_rng(seed).random((number, count))]


def case(name):
    if name == "unrelaxed":
        relaxation, resistance = positive(1, 2)
        given = *of_ice(0), 50.0 * relaxation, resistance, jnp.asarray(0.1)
        return partial(kernel._unrelaxed, 4), partial(kernel._unrelaxed_slopes, 4), given
    if name == "unbroken":
        given = *of_ice(2), *positive(3, 3), jnp.asarray(0.7)
        return kernel._unbroken, kernel._unbroken_slopes, given
    signed = [field - 0.5 for field in positive(4, 4)]
    given = *signed[:3], *positive(5, 4), signed[3], *positive(6, 2)
    return partial(kernel._solve, -1.0), partial(kernel._solve_slopes, -1.0), given


@pytest.mark.parametrize("name", ["unrelaxed", "unbroken", "solve"])
def test_slopes_are_the_derivatives(name):
    stage, slopes, given = case(name)

    def plain(*given):
        return stage(*(field if field.ndim == 0 else cut(field) for field in given))[0]

    rng = np.random.default_rng(7)
    tangents = tuple(jnp.asarray(rng.normal(size=field.shape)) for field in given)
    value = by_slopes(stage, slopes, cut)
    for number in range(len(given)):
        alone = tuple(t * (place == number) for place, t in enumerate(tangents))
        found, slope = jax.jvp(value, given, alone)
        expected, want = jax.jvp(plain, given, alone)
        assert np.allclose(found, expected, rtol=1e-13, atol=0), number
        assert np.allclose(slope, want, rtol=1e-9, atol=1e-9 * np.max(np.abs(want))), number
        assert np.any(want != 0), number


def test_modes_agree_and_what_does_not_move_costs_nothing():
    stage, slopes, given = case("unbroken")
    value = by_slopes(stage, slopes, cut)
    stress, rest = given[0], given[1:]
    slope = jax.jvp(lambda stress: value(stress, *rest), (stress,), (jnp.ones_like(stress),))[1]
    weight = jnp.arange(float(len(slope)))
    back = jax.grad(lambda stress: weight @ value(stress, *rest))(stress)
    assert jnp.sum(back) == pytest.approx(float(weight @ slope), rel=1e-12)
    members = jax.vmap(lambda factor: value(factor * stress, *rest))(jnp.array([1.0, 0.5]))
    assert np.array_equal(members[0], value(*given))
