"""Observations put to steps, and errors of the model along a window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.covariance import MatrixCovariance
from floecast.assimilation.window import ForcingError, NoiseError, StateError, Window, schedule
from floecast.core.errors import InputError
from floecast.testbeds import Lorenz96, Unforced, observe_points, point_observations

SIZE = 6
UNIT = MatrixCovariance(np.eye(SIZE))
STATE = jnp.linspace(1.0, 4.0, SIZE)


def test_observations_belong_to_the_nearest_step_of_one_window():
    time = np.array([94, 95, 104, 105, 125, 124, 100, 300])
    obs = point_observations(0.0, 1.0, np.arange(8), time=time)
    plan = schedule(obs, 100, 10, 2)
    assert plan.inside.tolist() == [False, True, True, True, False, True, True, False]
    assert plan.index.shape == (3, 3)
    assert sorted(plan.index[0]) == [1, 2, 6] and plan.index[1, 0] == 3 and plan.index[2, 0] == 5
    inside = np.flatnonzero(plan.inside)
    assert plan.index.ravel()[plan.place[inside]].tolist() == inside.tolist()
    # Windows that meet: each belongs to one.
    assert (schedule(obs, 130, 10, 2).inside & plan.inside).sum() == 0
    assert schedule(obs, 130, 10, 2).inside[4]


@pytest.mark.parametrize("persistence", [0.0, 0.6, 1.0])
def test_errors_are_an_autoregressive_series(persistence):
    errors = ForcingError(UNIT, block=2, persistence=persistence)
    zero = errors.zero(7)
    assert zero.shape == (4, SIZE)
    root = jax.vmap(errors.along, out_axes=-1)(jnp.eye(zero.size).reshape(-1, *zero.shape))
    root = np.asarray(root).reshape(zero.size, zero.size)
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    expected = np.kron(float(persistence) ** lag, np.eye(SIZE))
    np.testing.assert_allclose(root @ root.T, expected, rtol=0, atol=1e-12)


def test_each_kind_of_error_acts_on_its_own_step():
    model, series = Lorenz96(dt=10), jnp.asarray([[0.1] * SIZE, [-0.2] * SIZE])
    kinds = {
        "forcing": ForcingError(UNIT, block=2, add=lambda forcing, error: error),
        "noise": NoiseError(UNIT, lambda model, x, _, key, noise: model.step(x, noise), block=2),
        "state": StateError(UNIT, Unbounded(), block=2),
    }
    for name, errors in kinds.items():
        window = Window(model, observe_points, Unbounded(), 4, errors=errors)
        seen, final = window.run(
            STATE, Unforced(), 0, jax.random.key(0), lambda x, step: x, errors=series
        )
        expected = STATE
        for step in range(4):
            error = series[step // 2]
            added = name == "state"
            expected = model.step(expected, None if added else error) + (error if added else 0)
            np.testing.assert_allclose(seen[step + 1], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(final, expected, rtol=0, atol=1e-12)


def test_refusals():
    with pytest.raises(InputError, match="block"):
        ForcingError(UNIT, block=0)
    with pytest.raises(InputError, match="persistence"):
        StateError(UNIT, Unbounded(), persistence=1.1)
    with pytest.raises(InputError, match="negative"):
        Window(Lorenz96(), observe_points, Unbounded(), 4, checkpoint=-1)
