"""The small chaotic models: published behaviour, order of the scheme, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import floecast as fc
from floecast.core.errors import InputError
from floecast.core.model import Model
from floecast.core.rollout import rollout
from floecast.testbeds import (
    Lorenz63,
    Lorenz96,
    PointObservations,
    Unforced,
    initial_ensemble,
    observe_points,
    point_observations,
)

MODELS = {"lorenz63": (Lorenz63(), 3), "lorenz96": (Lorenz96(), 40)}
each = pytest.mark.parametrize("model, size", MODELS.values(), ids=MODELS)


@each
def test_are_models(model, size, key):
    assert isinstance(model, Model)
    assert fc.testbeds.Lorenz96 is Lorenz96
    state = initial_ensemble(key, np.ones(size), 1.0)
    run = rollout(model, state, Unforced(), 3, key=key)
    expected = model.step(model.step(model.step(state)))
    np.testing.assert_allclose(run.final, expected, rtol=1e-12)


def test_tendencies_at_given_states():
    x = np.arange(5.0)
    expected = [(x[(i + 1) % 5] - x[i - 2]) * x[i - 1] - x[i] + 8.5 for i in range(5)]
    np.testing.assert_allclose(Lorenz96().tendency(x, 0.5), expected, rtol=1e-14)
    np.testing.assert_allclose(
        Lorenz63().tendency(np.array([1.0, 2.0, 3.0])), [10, 23, -6], rtol=1e-14
    )


@each
def test_scheme_is_of_fourth_order(model, size):
    state = model.step(2.0 + jnp.sin(jnp.arange(float(size))))

    def after(steps):
        kind = type(model)(time_step=0.08 / steps)
        return jax.lax.fori_loop(0, steps, lambda _, x: kind.step(x), state)

    fine = after(64)
    coarse, half = (float(jnp.max(jnp.abs(after(n) - fine))) for n in (2, 4))
    assert 10 < coarse / half < 22


@each
def test_tangent_and_adjoint(model, size, key):
    keys = jax.random.split(key, 3)
    state, dx, dy = (initial_ensemble(k, np.ones(size), 2.0) for k in keys)

    @jax.jit
    def window(x):
        return jax.lax.scan(lambda x, _: (model.step(x), None), x, length=16)[0]

    forward, tangent = jax.jvp(window, (state,), (dx,))
    (adjoint,) = jax.vjp(window, state)[1](dy)
    scale = jnp.linalg.norm(tangent)
    assert abs(tangent @ dy - dx @ adjoint) < 1e-12 * scale * jnp.linalg.norm(dy)
    remainder = (window(state + 1e-7 * dx) - forward) / 1e-7 - tangent
    assert jnp.linalg.norm(remainder) < 1e-5 * scale


def test_climate_of_lorenz96(key):
    state = initial_ensemble(key, 8 * np.eye(40)[0], 1.0)
    run = rollout(Lorenz96(), state, Unforced(), 4000, key=key).state[400:]
    assert abs(jnp.std(run) - 3.63) < 0.05
    # The energy is steady: the waves only pass it on.
    assert float(jnp.mean(run**2)) == pytest.approx(8 * float(jnp.mean(run)), rel=0.01)


def test_observations_of_points():
    obs = point_observations(0.0, 0.5, [4, 0])
    assert isinstance(obs, PointObservations) and obs.size == 2
    np.testing.assert_array_equal(observe_points(np.arange(5.0) ** 2, obs), [16, 0])
    np.testing.assert_array_equal(obs.position, [[4.0], [0.0]])
    with pytest.raises(InputError, match="not positive"):
        point_observations(0.0, [0.5, 0.0], [4, 0])
