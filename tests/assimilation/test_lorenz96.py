"""The filter against published scores on Lorenz-96."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.inflation import Inflation
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.localisation import GaspariCohn
from floecast.core.keys import named_key
from floecast.core.model import Model
from floecast.core.rollout import rollout
from floecast.observation.observations import observations

SIZE, CYCLES, SPIN_UP = 40, 1000, 400


class Lorenz96(eqx.Module):
    """Lorenz-96 with Runge-Kutta steps of 0.05 time units, called six hours."""

    grid: None = None
    dt: int = eqx.field(static=True, default=21600)

    def step(self, state, forcing, key):
        def tendency(x):
            return (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + forcing

        h = 0.05
        k1 = tendency(state)
        k2 = tendency(state + h / 2 * k1)
        k3 = tendency(state + h / 2 * k2)
        k4 = tendency(state + h * k3)
        return state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


class Constant(eqx.Module):
    """A forcing that never changes."""

    value: float = 8.0
    start: int = 0

    def between(self, start, end):
        return self.value


def analysis_errors(key, members, radius, inflation):
    """Root-mean-square error of the analysis mean in each cycle, everything observed."""
    model, forcing = Lorenz96(), Constant()
    place = np.arange(SIZE, dtype=float)
    points = np.stack([place, np.zeros(SIZE)], axis=-1)
    obs = observations(
        "thickness", np.zeros(SIZE), 1.0, place, 0.0, 0, np.arange(SIZE), np.ones((SIZE, 1))
    )
    letkf = LETKF(
        lambda state, obs: state[obs.cell[:, 0]],
        GaspariCohn(points, 1.82 * radius, period=float(SIZE)),
        Inflation(prior=inflation**2),
        Unbounded(),
    )
    neighbours = letkf.neighbours(obs)

    def draw(name, *shape):
        return jax.random.normal(named_key(key, name), shape)

    def initial(name, *shape):
        return (jnp.sqrt(0.001) * draw(name, *shape, SIZE)).at[..., 0].add(1.0)

    truth = rollout(model, initial("truth"), forcing, CYCLES, key=key).state
    values = truth + draw("observations", CYCLES, SIZE)

    def forecast(state, cycle):
        run = rollout(model, state, forcing, 1, key=key, start=cycle * model.dt)
        return run.final

    @jax.jit
    def assimilate(ensemble):
        def cycle(ensemble, now):
            number, value, true = now
            ensemble = jax.vmap(forecast, in_axes=(0, None))(ensemble, number)
            ensemble = letkf.analyse(ensemble, obs.replace(value=value), neighbours).ensemble
            error = jnp.mean(ensemble, axis=0) - true
            return ensemble, jnp.sqrt(jnp.mean(error**2))

        cycles = (jnp.arange(CYCLES), values, truth)
        return jax.lax.scan(cycle, ensemble, cycles)[1]

    return assimilate(initial("members", members))


def test_is_a_model():
    assert isinstance(Lorenz96(), Model)


def test_filter_reaches_the_published_error():
    """Ten members, half-width 1.82 * 6, inflation 1.04: 0.20 in published tables."""
    scores = [
        float(jnp.mean(analysis_errors(jax.random.key(seed), 10, 6.0, 1.04)[SPIN_UP:]))
        for seed in range(3)
    ]
    assert 0.17 < np.median(scores) < 0.215, scores
