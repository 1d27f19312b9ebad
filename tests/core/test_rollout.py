"""Running a model forward: the same numbers however a run is cut."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from floecast.atmosphere.forcing import Forcing
from floecast.core.errors import InputError
from floecast.core.model import Model
from floecast.core.rollout import rollout, stream

DT = 600
START = 1200


class Relaxation(eqx.Module):
    """x <- rate x + wind at the end of the step + noise."""

    rate: Array
    noise: Array
    grid: None = None
    dt: int = eqx.field(static=True, default=DT)

    def step(self, state, forcing, key):
        wind = forcing.wind_u[1]
        return self.rate * state + wind + self.noise * jax.random.normal(key, state.shape)


@pytest.fixture
def model():
    return Relaxation(jnp.asarray(0.9), jnp.asarray(0.1))


@pytest.fixture
def forcing():
    time = np.array([START, START + 100 * DT])
    return Forcing(time, wind_u=jnp.array([0.0, 100.0])[:, None, None] * jnp.ones((1, 2, 3)))


STATE = np.arange(6.0).reshape(2, 3)


def test_the_model_obeys_the_protocol(model):
    assert isinstance(model, Model)


def test_closed_form(forcing, key):
    still = Relaxation(jnp.asarray(0.5), jnp.asarray(0.0))
    run = rollout(still, STATE, forcing, 6, key=key)
    state = STATE
    for step in range(6):
        state = 0.5 * state + (step + 1)
        np.testing.assert_allclose(run.state[step], state, rtol=1e-14)
    np.testing.assert_array_equal(run.time, START + DT * np.arange(1, 7))
    np.testing.assert_array_equal(run.final, run.state[-1])


def test_saving_less_changes_nothing(model, forcing, key):
    all_states = rollout(model, STATE, forcing, 12, key=key)
    some = rollout(model, STATE, forcing, 12, key=key, save_every=4)
    np.testing.assert_array_equal(some.state, all_states.state[3::4])
    np.testing.assert_array_equal(some.time, all_states.time[3::4])


def test_a_run_cut_in_two_is_the_same_run(model, forcing, key):
    whole = rollout(model, STATE, forcing, 10, key=key)
    first = rollout(model, STATE, forcing, 4, key=key)
    rest = rollout(model, first.final, forcing, 6, key=key, start=START + 4 * DT)
    np.testing.assert_array_equal(whole.final, rest.final)
    np.testing.assert_array_equal(whole.state[4:], rest.state)


def first_row(state):
    return state[0]


@pytest.mark.parametrize("block", [3, 100])  # 3 leaves a rest
def test_a_streamed_run_is_the_same_run(model, forcing, key, block):
    whole = rollout(model, STATE, forcing, 12, key=key, save_every=3, observe=first_row)
    times, states = [], []

    def sink(time, state):
        assert isinstance(state, np.ndarray) and len(time) == len(state) <= block
        times.extend(time)
        states.extend(state)

    options = {"save_every": 3, "observe": first_row, "block": block}
    final = stream(model, STATE, forcing, 12, key=key, sink=sink, **options)
    np.testing.assert_array_equal(final, whole.final)
    np.testing.assert_array_equal(states, whole.state)
    np.testing.assert_array_equal(times, whole.time)


def test_gradient_and_its_checkpoints(forcing, key):
    def last(rate, save_every):
        still = Relaxation(rate, jnp.asarray(0.0))
        return rollout(still, STATE, forcing, 8, key=key, save_every=save_every).final[0, 1]

    def closed(rate):  # state 1, wind 1, 2, ...
        return rate**8 + sum((step + 1) * rate ** (7 - step) for step in range(8))

    expected = jax.grad(closed)(0.7)
    for save_every in (1, 8):
        slope = jax.grad(last)(jnp.asarray(0.7), save_every)
        assert float(slope) == pytest.approx(float(expected), rel=1e-13)


def test_members_together_are_members_alone(model, forcing, key):
    keys = jax.random.split(key, 3)
    states = jnp.stack([STATE, 2 * STATE, 3 * STATE])
    together = jax.vmap(lambda s, k: rollout(model, s, forcing, 5, key=k).final)(states, keys)
    for number in range(3):
        alone = rollout(model, states[number], forcing, 5, key=keys[number]).final
        np.testing.assert_allclose(together[number], alone, rtol=1e-14)


@pytest.mark.parametrize(("steps", "save_every"), [(0, 1), (-4, 2), (5, 2), (4, 0)])
def test_bad_lengths(model, forcing, key, steps, save_every):
    with pytest.raises(InputError, match="positive multiple of save_every"):
        rollout(model, STATE, forcing, steps, key=key, save_every=save_every)
    with pytest.raises(InputError, match="positive multiple of save_every"):
        stream(model, STATE, forcing, steps, key=key, sink=print, block=1, save_every=save_every)
