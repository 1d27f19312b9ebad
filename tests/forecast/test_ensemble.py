import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import floecast as fc
from floecast.core.errors import InputError
from floecast.forecast.statistics import summary


class Weather(eqx.Module):
    """Forcing that is one number, and starts at second 0."""

    push: jax.Array
    start: int = 0

    def between(self, start, end):
        return self.push


class Decay(eqx.Module):
    """dx = (push - x / 10) a step, with a little noise."""

    dt: int = 21600
    grid: None = None
    noise: float = 0.0

    def step(self, state, forcing, key):
        noise = self.noise * jax.random.normal(key, state.shape)
        return state + forcing - state / 10 + noise


def members(count=5):
    return jnp.arange(1.0, count + 1)[:, None, None] * jnp.ones((count, 2, 3))


def test_each_member_lives_through_its_own_weather(key):
    weathers = [Weather(jnp.asarray(float(m))) for m in range(5)]
    out = fc.forecast(Decay(), members(), weathers, days=3, key=key)
    start, push = np.arange(1.0, 6.0), np.arange(5.0)
    expected = 10 * push + (start - 10 * push) * 0.9**12
    np.testing.assert_allclose(out.ensemble[:, -1, 0, 0], expected, rtol=1e-12)
    assert out.ensemble.shape == (5, 4, 2, 3)
    assert list(out.lead_hours) == [0, 24, 48, 72]


def test_the_answer_does_not_depend_on_how_many_members_go_at_once(key):
    run = [
        fc.forecast(
            Decay(noise=1.0), members(), Weather(jnp.asarray(0.1)), days=2, key=key, at_once=n
        ).ensemble
        for n in (1, 2, 5)
    ]
    np.testing.assert_array_equal(run[0], run[1])
    np.testing.assert_array_equal(run[0], run[2])


def test_a_member_keeps_its_noise_when_others_join(key):
    few = fc.forecast(Decay(noise=1.0), members(3), Weather(jnp.asarray(0.0)), days=1, key=key)
    many = fc.forecast(Decay(noise=1.0), members(6), Weather(jnp.asarray(0.0)), days=1, key=key)
    np.testing.assert_array_equal(few.ensemble, many.ensemble[:3])


def test_one_failed_member_is_flagged_and_alone(key):
    ensemble = members().at[2, 0, 0].set(jnp.nan)
    out = fc.forecast(Decay(), ensemble, Weather(jnp.asarray(0.0)), days=1, key=key)
    assert list(out.healthy) == [True, True, False, True, True]
    good = fc.forecast(Decay(), members(), Weather(jnp.asarray(0.0)), days=1, key=key)
    np.testing.assert_array_equal(out.ensemble[out.healthy], good.ensemble[out.healthy])


def test_forcings_and_members_must_match(key):
    with pytest.raises(InputError, match="2 forcings for 5 members"):
        fc.forecast(Decay(), members(), [Weather(jnp.asarray(0.0))] * 2, days=1, key=key)


def test_steps_must_fill_a_day(key):
    with pytest.raises(InputError, match="50000"):
        fc.forecast(Decay(dt=50000), members(), Weather(jnp.asarray(0.0)), days=1, key=key)


def test_summary_of_a_hand_made_ensemble():
    told = summary({"concentration": np.array([0.1, 0.2, 0.9])[:, None, None]})
    assert told["concentration"].item() == pytest.approx(0.4)
    assert told["concentration_spread"].item() == pytest.approx(np.sqrt(0.19))
    assert told["probability_of_ice"].item() == pytest.approx(2 / 3)


def test_forcing_without_what_the_model_needs_is_refused_by_name(key):
    grid = fc.Grid.box((4, 4), 50e3)
    wind = np.zeros((2, 4, 4))
    known = fc.Forcing(np.array([0, 10 * 86400]), wind_u=wind, wind_v=wind)
    ice = fc.IceState.at_rest(grid, np.full(grid.shape, 0.5), np.ones(grid.shape))
    ensemble = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), ice)
    with pytest.raises(InputError, match="air_temperature"):
        fc.forecast(fc.Simulator(grid), ensemble, known, days=1, key=key)
    filled = fc.FilledForcing(known, fc.SyntheticWeather.draw(key, grid))
    out = fc.forecast(fc.Simulator(grid), ensemble, filled, days=1, key=key)
    assert out.healthy.all()


def test_weather_without_a_beginning_asks_for_a_start(key):
    grid = fc.Grid.box((4, 4), 50e3)
    weather = fc.SyntheticWeather.draw(key, grid)
    ice = fc.IceState.at_rest(grid, np.full(grid.shape, 0.5), np.ones(grid.shape))
    with pytest.raises(InputError, match="start="):
        fc.rollout(fc.Simulator(grid), ice, weather, 2, key=key)
