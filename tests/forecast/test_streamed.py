"""Members forward in parts are the members forward at once, whatever goes together."""

import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import floecast as fc
from floecast.forecast.streamed import MemberWeather, advanced, begun, chunk, member_mesh


class Push(eqx.Module):
    """Weather of one number, from second 0."""

    push: jax.Array
    start: int = 0

    def between(self, start, end):
        return self.push


class Decay(eqx.Module):
    """dx = (push - x / 10) a step, with noise."""

    dt: int = 21600
    grid: None = None

    def step(self, state, forcing, key):
        return 0.9 * state + forcing + jax.random.normal(key, state.shape)


def run(states, key, at_once=2, parts=(4, 4), mesh=None):
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(len(states)))
    weather = MemberWeather(Push(jnp.arange(float(len(states))), jnp.zeros(len(states), int)))
    states = begun(Decay(), states, weather, jnp.asarray(0), at_once)
    time = 0
    for steps in parts:
        states = advanced(Decay(), states, weather, keys, jnp.asarray(time), steps, at_once, mesh)
        time += steps * Decay().dt
    return states


def members():
    return jnp.arange(1.0, 6.0)[:, None] * jnp.ones((5, 3))


def test_they_are_those_of_a_forecast_in_memory(key):
    weathers = [Push(jnp.asarray(float(number))) for number in range(5)]
    whole = fc.forecast(Decay(), members(), weathers, days=2, key=key).ensemble[:, -1]
    np.testing.assert_allclose(run(members(), key), whole, rtol=1e-14)
    np.testing.assert_array_equal(run(members(), key), run(members(), key, parts=(1, 5, 2)))
    np.testing.assert_allclose(run(members(), key, at_once=5), whole, rtol=1e-14)


def test_a_member_that_is_lost_touches_no_other(key):
    lost = run(members().at[2, 1].set(jnp.nan), key)
    others = np.array([0, 1, 3, 4])
    np.testing.assert_array_equal(lost[others], run(members(), key)[others])
    assert np.isnan(lost[2, 1]) and np.isfinite(lost[2, 0])


def on_devices():
    """Members on 4 devices, and on as many as their number does not fit, beside one device."""
    states, key = members().at[2, 1].set(jnp.nan), jax.random.key(0)
    assert jax.local_device_count() == member_mesh().size == 4
    for number, devices in ((4, 4), (5, 2)):
        one, shared = (run(states[:number], key, mesh=member_mesh(n)) for n in (1, devices))
        np.testing.assert_array_equal(shared, one)
        if number == devices:  # a member stays where it is
            assert shared.addressable_shards[0].data.shape[0] == 1
    assert member_mesh(1) is None


def test_members_on_many_devices_are_those_of_one():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_weather_that_all_share_and_weather_of_their_own():
    wind = jnp.stack([jnp.zeros((1, 1)), jnp.full((1, 1), 4.0)])
    known = fc.Forcing(jnp.array([0, 100]), wind_u=wind)
    heat = jnp.array([250.0, 260.0])[:, None, None, None] * jnp.ones((2, 2, 1, 1))
    own = fc.Forcing(
        jnp.array([[0, 100]] * 2), wind_u=-jnp.ones((2, 2, 1, 1)), air_temperature=heat
    )
    second = MemberWeather(own, known).member(1).between(0, 50)
    assert second.wind_u.ravel().tolist() == [0, 2]
    assert second.air_temperature.ravel().tolist() == [260, 260]
    assert MemberWeather(own).member(1).between(0, 50).wind_u.ravel().tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("members", "at_once", "expected"),
    [(20, 8, 5), (40, 8, 8), (50, 8, 5), (23, 8, 8), (4, 8, 4), (5, 1, 1), (3, 8, 3), (7, 8, 7)],
)
def test_chunks_are_of_one_size_if_possible(members, at_once, expected):
    assert chunk(members, at_once) == expected


if __name__ == "__main__":
    on_devices()
