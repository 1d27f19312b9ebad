"""Observations put to steps, and errors of the model along a window."""

from typing import NamedTuple

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
    assert plan.index.ravel()[plan.place[inside, 0]].tolist() == inside.tolist()
    # Windows that meet: each belongs to one.
    assert (schedule(obs, 130, 10, 2).inside & plan.inside).sum() == 0
    assert schedule(obs, 130, 10, 2).inside[4]
    assert plan.place.shape == (8, 1) and (plan.weight[:, 0] == plan.inside).all()


class Spanned(NamedTuple):
    """Observations of single variables with a span."""

    time: np.ndarray
    span: np.ndarray
    index: np.ndarray


def weights(time, span, start=100, steps=4):
    """Weight ``(p, steps + 1)`` of each step in each observation, steps of 10 s."""
    plan = schedule(Spanned(np.asarray(time), np.asarray(span), None), start, 10, steps)
    dense = np.zeros((len(time), steps + 1))
    number, column = np.nonzero(plan.weight)
    slot = plan.place[number, column]
    step = slot // plan.index.shape[1]
    assert (plan.index.ravel()[slot] == number).all()
    np.add.at(dense, (number, step), plan.weight[number, column])
    return dense, plan.inside


def test_spans_are_averages_over_their_steps():
    dense, inside = weights([120, 120, 120, 125, 127, 120], [20, 40, 10, 20, 25, 0])
    quarter, eighth = [0, 1, 2, 1, 0], [1, 2, 2, 2, 1]
    np.testing.assert_allclose(dense[0], np.divide(quarter, 4))
    np.testing.assert_allclose(dense[1], np.divide(eighth, 8))
    np.testing.assert_array_equal(dense[2], [0, 0, 1, 0, 0])
    np.testing.assert_allclose(dense[3], [0, 0, 0.5, 0.5, 0])
    # From 114.5 to 139.5: 0.5, 10, 10 and 4.5 seconds.
    np.testing.assert_allclose(dense[4], np.array([0, 0.5, 10, 10, 4.5]) / 25)
    np.testing.assert_array_equal(dense[5], [0, 0, 1, 0, 0])
    assert inside.all()


def test_spans_end_with_the_window():
    # The second step of 10 s beyond the end, the whole month, and a centre outside.
    dense, inside = weights([140, 120, 90, 145], [40, 3000, 200, 20])
    np.testing.assert_allclose(dense[0], np.array([0, 0, 1, 2, 2]) / 5)
    np.testing.assert_allclose(dense[1], np.full(5, 0.2))
    assert inside.tolist() == [True, True, False, False] and (dense[2:] == 0).all()
    # It belongs to the next window.
    assert weights([140, 120, 90, 145], [40, 3000, 200, 20], start=150)[1][3]


def test_mean_of_a_linear_trend_is_its_value_at_the_centre():
    rng = np.random.default_rng(0)
    time, span = rng.uniform(160, 240, 50), rng.uniform(10, 120, 50)
    dense, _ = weights(time, span, steps=20)
    np.testing.assert_allclose(dense.sum(axis=1), 1)
    near = dense @ (100 + 10.0 * np.arange(21)) - time
    # What a step stands for is not resolved at the ends.
    assert np.abs(near).max() < 5


def test_window_run_averages_the_equivalents():
    model = Lorenz96(dt=10)
    obs = Spanned(np.array([20, 20, 40, 10, 99]), np.array([20, 0, 40, 15, 20]), np.arange(5))

    def operator(state, seen):
        return state[seen.index] ** 2

    window = Window(model, operator, Unbounded(), 4, checkpoint=2)
    plan = schedule(obs, 0, 10, 4)
    seen = window.observed(obs, plan)

    @jax.jit
    def equivalents(state):
        found, _ = window.run(state, Unforced(), 0, jax.random.key(0), seen)
        return window.gathered(found, plan)

    states = [STATE]
    for _ in range(4):
        states.append(model.step(states[-1], None))
    square = np.stack(states) ** 2
    expected = [
        square[1:4, 0] @ [0.25, 0.5, 0.25],
        square[2, 1],
        square[2:5, 2] @ np.array([0.2, 0.4, 0.4]),
        square[0:3, 3] @ np.array([2.5, 10, 2.5]) / 15,
        0.0,
    ]
    np.testing.assert_allclose(equivalents(STATE), expected, rtol=1e-12)
    # An instant is the equivalent itself, to the bit.
    alone = jax.jit(
        lambda state: operator(
            window.run(state, Unforced(), 0, jax.random.key(0), lambda x, step: x)[0][2], obs
        )
    )
    assert equivalents(STATE)[1] == alone(STATE)[1]
    change, pull = (jnp.asarray(x) for x in np.random.default_rng(1).normal(size=(2, SIZE)))
    pushed = jax.jvp(equivalents, (STATE,), (change,))[1]
    pulled = jax.vjp(equivalents, STATE)[1](pull[:5])[0]
    np.testing.assert_allclose(pushed @ pull[:5], change @ pulled, rtol=1e-12)


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
