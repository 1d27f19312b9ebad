"""Variational methods: each other, the Kalman smoother, and what must not harm them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.analysis import Status
from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.cost import Cost, Propagated
from floecast.assimilation.covariance import HybridCovariance, MatrixCovariance
from floecast.assimilation.localisation import GaspariCohn
from floecast.assimilation.minimise import Minimiser
from floecast.assimilation.misfit import GaussianMisfit
from floecast.assimilation.variational import En4DVar, EnVar4D, Var3D, Var4D
from floecast.assimilation.window import StateError, Window, schedule
from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.observation.observations import observations
from floecast.testbeds import Lorenz96, Unforced, circle, observe_points, point_observations

MEMBERS, SIZE, STEPS = 6, 8, 4
RNG = np.random.default_rng(11)
STATE = jnp.asarray(3 + RNG.normal(size=SIZE))
ENSEMBLE = jnp.asarray(3 + 0.3 * RNG.normal(size=(MEMBERS, SIZE)))
STATIC = MatrixCovariance.of(0.5 * np.exp(-np.abs(np.subtract.outer(range(SIZE), range(SIZE)))))
B = np.asarray(STATIC.matrix @ STATIC.matrix.T)
FREE, KEY = Unbounded(), jax.random.key(1)
EXACT = Minimiser(outer=2, inner=30, tolerance=1e-13)


class Turning:
    """A linear model."""

    grid, dt = None, 10
    matrix = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0] * 1.1

    def step(self, state, forcing, key):
        return self.matrix @ state


MODEL = Turning()
INDEX, TIME = np.array([0, 2, 3, 5, 7, 1, 1]), np.array([0, 12, 40, 20, 33, 20, 5])
OBS = point_observations(3 + RNG.normal(size=7), RNG.uniform(0.5, 1, 7), INDEX, time=TIME)
AT = np.array([0, 1, 4, 2, 3, 2, 1])
POINTS = np.eye(SIZE)[INDEX]
SEEN = np.stack(
    [np.linalg.matrix_power(MODEL.matrix, k)[i] for k, i in zip(AT, INDEX, strict=True)]
)
R = np.diag(OBS.error_std**2)


def close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def kalman(mean, prior, matrix, departure, error=R):
    gain = prior @ matrix.T @ np.linalg.inv(matrix @ prior @ matrix.T + error)
    return mean + gain @ departure, prior - gain @ matrix @ prior


def made(kind, *arguments, model=MODEL, **fields):
    options = {"operator": observe_points, "control": FREE, "minimiser": EXACT} | fields
    return kind(model, *arguments, **{"window": STEPS} | options)


def run(method, background, observations=OBS):
    return method.analyse(background, observations, Unforced(), key=KEY)


def test_strong_constraint_is_the_kalman_smoother():
    found = run(made(Var4D, STATIC), STATE)
    mean, after = kalman(STATE, B, SEEN, OBS.value - SEEN @ STATE)
    assert found.status == Status.GOOD and found.used.all()
    close(found.state, mean)
    close(found.final, np.linalg.matrix_power(MODEL.matrix, STEPS) @ mean)
    close(found.equivalents, SEEN @ mean)
    close(found.posterior.variance(), np.diag(after), 1e-8)
    departure = SEEN @ STATE - OBS.value
    close(found.minimum.history.cost[0], 0.5 * departure @ np.linalg.inv(R) @ departure)
    total = departure @ np.linalg.inv(SEEN @ B @ SEEN.T + R) @ departure
    close(found.minimum.history.last, 0.5 * total)
    draws = np.asarray(found.draw(KEY, 3000))
    close(np.cov(draws.T), after, 0.15 * after.max())


def test_first_guess_at_the_appropriate_time():
    found = run(made(Var3D, STATIC), STATE)
    close(found.state, kalman(STATE, B, POINTS, OBS.value - SEEN @ STATE)[0])
    once = Minimiser(outer=1, inner=30, tolerance=1e-13)
    instant = Var3D(MODEL, STATIC, 0, observe_points, FREE, minimiser=once)
    found = instant.analyse(STATE, OBS.replace(time=0 * TIME))
    close(found.state, kalman(STATE, B, POINTS, OBS.value - POINTS @ STATE)[0])
    assert found.status == Status.STOPPED_EARLY


def test_ensemble_methods_agree_without_localisation():
    one, other = (run(made(kind), ENSEMBLE) for kind in (En4DVar, EnVar4D))
    mean, prior = np.mean(ENSEMBLE, axis=0), np.cov(np.asarray(ENSEMBLE).T)
    mean, after = kalman(mean, prior, SEEN, OBS.value - SEEN @ mean)
    for found in (one, other):
        assert found.status == Status.GOOD
        close(found.state, mean)
        close(found.posterior.variance(), np.diag(after), 1e-8)
    close(one.minimum.history.last, other.minimum.history.last)


def test_hybrid_is_the_kalman_smoother_of_its_covariance():
    hybrid = HybridCovariance(STATIC, weight=0.6, localisation=GaspariCohn(circle(SIZE), 3.0))
    found = run(made(En4DVar, hybrid), ENSEMBLE)
    around = hybrid.around(ENSEMBLE)
    prior = np.stack([around.apply(row) for row in jnp.eye(SIZE)])
    mean = np.mean(ENSEMBLE, axis=0)
    close(found.state, kalman(mean, prior, SEEN, OBS.value - SEEN @ mean)[0])


def test_localisation_of_4denvar_is_taken_at_the_observation():
    """Over one instant there is no difference between localising before or after the model."""
    local = HybridCovariance(localisation=GaspariCohn(circle(SIZE), 3.0))
    obs = OBS.replace(time=0 * TIME)
    one = run(made(En4DVar, local, window=0), ENSEMBLE, obs)
    other = run(made(EnVar4D, local, window=0, place=lambda obs: obs.index), ENSEMBLE, obs)
    close(one.state, other.state)


def test_weak_constraint_is_least_squares_with_all_errors():
    q = 0.1 * B
    errors = StateError(MatrixCovariance.of(q), FREE, block=2, persistence=0.5)
    found = run(made(Var4D, STATIC, errors=errors), STATE)
    # All unknowns: the start, and the error of the steps 1-2 and 3-4.
    powers = [np.linalg.matrix_power(MODEL.matrix, k) for k in range(STEPS + 1)]
    bend = np.zeros((STEPS + 1, SIZE, 3 * SIZE))
    for k in range(STEPS + 1):
        bend[k][:, :SIZE] = powers[k]
        for step in range(1, k + 1):
            block = SIZE * (1 + (step - 1) // 2)
            bend[k][:, block : block + SIZE] += powers[k - step]
    matrix = np.stack([bend[k][i] for k, i in zip(AT, INDEX, strict=True)])
    prior = np.zeros((3 * SIZE, 3 * SIZE))
    prior[:SIZE, :SIZE] = B
    prior[SIZE:, SIZE:] = np.kron([[1, 0.5], [0.5, 1]], q)
    start = np.append(STATE, np.zeros(2 * SIZE))
    mean, after = kalman(start, prior, matrix, OBS.value - SEEN @ STATE)
    close(found.state, mean[:SIZE])
    close(np.ravel(found.errors), mean[SIZE:])
    close(found.final, bend[-1] @ mean)
    close(found.posterior.variance(), np.diag(after)[:SIZE], 1e-8)


@pytest.mark.parametrize("checkpoint", [0, 2])
def test_adjoint_and_tangent_of_the_window(checkpoint):
    window = Window(Lorenz96(dt=10), observe_points, FREE, STEPS, checkpoint)
    plan = schedule(OBS, 0, 10, STEPS)
    predict = Propagated(window, STATE, plan, Unforced(), jnp.asarray(0), KEY)
    cost = Cost(STATIC, window, predict, GaussianMisfit(0.3, 2.0), OBS, jnp.ones(7, bool))
    point, change, pull = (jnp.asarray(RNG.normal(size=n)) for n in (SIZE, SIZE, 7))
    sizes = jnp.asarray([0.0, 1e-4, 1e-5])

    @jax.jit
    def derivatives(point):
        linear = cost.linearise(point)
        gradient = point + linear.backward(linear.weight * linear.residual)
        exact = jax.grad(lambda chi: sum(cost.parts(chi)))(point)
        residuals = jax.lax.map(lambda e: cost.residual(cost.increments(point + e * change)), sizes)
        return linear.forward(change), linear.backward(pull), gradient, exact, residuals

    pushed, pulled, gradient, exact, residuals = derivatives(point)
    assert abs(pushed @ pull - change @ pulled) < 1e-12 * abs(pushed @ pull)
    close(gradient, exact, 1e-11)
    for size, residual in zip(sizes[1:], residuals[1:], strict=True):
        rest = (residual - residuals[0]) / size - pushed
        assert np.linalg.norm(rest) < 20 * size * np.linalg.norm(pushed)


def test_minimum_of_a_nonlinear_cost():
    settings = Minimiser(outer=20, inner=30, tolerance=1e-8, decrease=1e-13)
    method = made(Var4D, STATIC, model=Lorenz96(dt=10), minimiser=settings)
    found = run(method, STATE)
    assert found.status == Status.GOOD
    cost = np.asarray(found.minimum.history.cost)
    cost = cost[np.isfinite(cost)]
    assert (np.diff(cost) <= 0).all() and cost[-1] < 0.5 * cost[0]


def test_flagged_and_absurd_observations_are_ignored():
    bad = np.array([False, True, False, True, True, False, True])
    value, error, time = OBS.value.copy(), OBS.error_std.copy(), TIME.copy()
    value[1], error[3], time[4] = np.nan, np.inf, 1000
    flag = np.where(np.arange(7) == 6, 1, 0)
    spoilt = OBS.replace(value=value, error_std=error, time=time, flag=flag)
    method = made(Var4D, STATIC)
    found = run(method, STATE, spoilt)
    assert found.used.tolist() == (~bad).tolist() and found.status == Status.GOOD
    seen, kept = SEEN[~bad], R[np.ix_(~bad, ~bad)]
    close(found.state, kalman(STATE, B, seen, OBS.value[~bad] - seen @ STATE, kept)[0])


def test_operator_that_fails_on_some():
    def failing(state, obs):
        return state[obs.index] * jnp.where(obs.index == 3, jnp.nan, 1.0)

    found = run(made(Var4D, STATIC, operator=failing), STATE)
    kept = INDEX != 3
    assert found.used.tolist() == kept.tolist() and found.status == Status.GOOD
    obs = OBS.replace(flag=np.where(kept, 0, 1))
    close(found.state, run(made(Var4D, STATIC), STATE, obs).state)


def test_ice_stays_inside_its_bounds():
    shape = (12, 2, 3)
    concentration = np.clip(RNG.uniform(-0.3, 1.3, shape), 0, 1)
    depth, drift = RNG.uniform(0.1, 2, shape), RNG.normal(size=shape)
    ensemble = IceState(
        *map(jnp.asarray, (concentration, concentration * depth, 0.1 * concentration)),
        *map(jnp.asarray, (drift, -drift, RNG.uniform(size=shape))),
    )
    cell = np.arange(6)[:, None]
    value = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.99])
    obs = observations("concentration", value, 0.01, 0.0, 0.0, 0, cell, np.ones((6, 1)))
    found = En4DVar(Lorenz96(), HybridCovariance(weight=1.0)).analyse(ensemble, obs)
    assert found.status in (Status.GOOD, Status.STOPPED_EARLY)
    drawn = found.draw(KEY, 20)
    for ice in (found.state, drawn):
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(ice))
        for field in (ice.concentration, ice.damage):
            assert (field >= 0).all() and (field <= 1).all()
        assert (ice.ice_volume >= 0).all() and (ice.snow_volume >= 0).all()
    before, after = (
        np.abs(x - value).mean() for x in (found.background_equivalents, found.equivalents)
    )
    assert after < 0.5 * before


@pytest.mark.parametrize("kind", [Var3D, Var4D, EnVar4D, En4DVar])
def test_without_observations_the_background(kind):
    single = kind in (Var3D, Var4D)
    method, background = (made(kind, STATIC), STATE) if single else (made(kind), ENSEMBLE)
    state = STATE if single else np.mean(ENSEMBLE, axis=0)
    none = point_observations(np.zeros(0), np.zeros(0) + 1, np.zeros(0, int))
    # Nothing at all needs a compilation of its own: one method of either kind stands for both.
    several = [OBS.replace(flag=np.ones(7, int))] + [none] * (kind in (Var4D, EnVar4D))
    for obs in several:
        found = run(method, background, obs)
        assert found.status == Status.NO_OBSERVATIONS
        close(found.state, state, 0 if single else 1e-15)
        assert (found.state == found.background).all() and not found.used.any()
    told = eqx.filter_eval_shape(lambda background: run(method, background, none), background)
    assert told.used.shape == (0,) and told.state.shape == (SIZE,)


@pytest.mark.parametrize("kind", [EnVar4D, En4DVar])
def test_bad_members(kind):
    method, keep = made(kind), np.arange(MEMBERS) != 1
    found = run(method, ENSEMBLE.at[1, 0].set(jnp.nan))
    mean, prior = np.mean(ENSEMBLE[keep], axis=0), np.cov(np.asarray(ENSEMBLE[keep]).T)
    close(found.state, kalman(mean, prior, SEEN, OBS.value - SEEN @ mean)[0])
    assert found.member_status.tolist() == [Status.GOOD, Status.MEMBER_NOT_FINITE] + 4 * [0]
    one = run(method, ENSEMBLE.at[1:].set(jnp.inf))
    assert one.status == Status.TOO_FEW_MEMBERS
    close(one.state, ENSEMBLE[0])


def test_background_that_is_not_finite():
    for kind, window in ((Var4D, STEPS), (Var3D, 0)):
        obs = OBS.replace(time=TIME if window else 0 * TIME)
        found = run(made(kind, STATIC, window=window), STATE.at[4].set(jnp.nan), obs)
        assert found.status == Status.NOT_FINITE
        close(jnp.delete(found.state, 4), jnp.delete(STATE, 4), 0)


def test_refusals():
    method = made(Var4D, STATIC)
    with pytest.raises(InputError, match="forcing"):
        method.analyse(STATE, OBS, key=KEY)
    with pytest.raises(InputError, match="key="):
        method.analyse(STATE, OBS, Unforced())
    with pytest.raises(InputError, match="shape"):
        run(method, ENSEMBLE)
    with pytest.raises(InputError, match="ensemble"):
        run(made(Var4D, HybridCovariance(STATIC)), STATE)
    with pytest.raises(InputError, match="alone"):
        run(made(EnVar4D, HybridCovariance(STATIC)), ENSEMBLE)
    with pytest.raises(InputError, match="multiple"):
        run(made(Var4D, STATIC, checkpoint=3), STATE)
    with pytest.raises(InputError, match="step"):
        Minimiser(outer=0)
