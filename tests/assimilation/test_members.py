"""Members updated around a variational analysis: dense gains, other filters, and what may fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.analysis import Status
from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.covariance import HybridCovariance, MatrixCovariance
from floecast.assimilation.getkf import GETKF
from floecast.assimilation.inflation import Inflation
from floecast.assimilation.lanczos import block_lanczos
from floecast.assimilation.localisation import GaspariCohn
from floecast.assimilation.members import PerturbedObservations, ReducedGain
from floecast.assimilation.minimise import Minimiser
from floecast.assimilation.misfit import GaussianMisfit
from floecast.assimilation.modulation import EigenRoot
from floecast.assimilation.variational import En4DVar, EnVar4D, Var3D, Var4D
from floecast.assimilation.window import StateError
from floecast.core.errors import InputError
from floecast.testbeds import Lorenz96, Unforced, circle, observe_points, point_observations

MEMBERS, SIZE, STEPS = 6, 8, 4
RNG = np.random.default_rng(5)
STATIC = MatrixCovariance.of(0.5 * np.exp(-np.abs(np.subtract.outer(range(SIZE), range(SIZE)))))
B = np.asarray(STATIC.matrix @ STATIC.matrix.T)
ENSEMBLE = jnp.asarray(3 + 0.5 * RNG.normal(size=(MEMBERS, SIZE)))
TAPER = GaspariCohn(circle(SIZE), 3.0, period=float(SIZE))
LOCAL = HybridCovariance(localisation=EigenRoot.of_taper(TAPER, 1.0))
HYBRID = HybridCovariance(STATIC, localisation=LOCAL.localisation, weight=0.6)
KEY = jax.random.key(4)
EXACT = Minimiser(outer=2, inner=40, tolerance=1e-13)
GAIN = ReducedGain(iterations=8)
PERTURBED = PerturbedObservations()


class Turning:
    """A linear model."""

    grid, dt, checked = None, 10, []
    matrix = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0] * 1.1

    def step(self, state, forcing, key):
        return self.matrix @ state

    def check(self, state, forcing, start, end):
        self.checked.append((state.shape, start, end))


MODEL = Turning()
INDEX, TIME = np.array([0, 2, 3, 5, 7, 1, 1]), np.array([0, 12, 40, 20, 33, 20, 5])
AT = np.array([0, 1, 4, 2, 3, 2, 1])
OBS = point_observations(3 + RNG.normal(size=7), RNG.uniform(0.5, 1, 7), INDEX, time=TIME)
NOW = OBS.replace(time=0 * TIME)
POINTS = np.eye(SIZE)[INDEX]
SEEN = np.stack(
    [np.linalg.matrix_power(MODEL.matrix, k)[i] for k, i in zip(AT, INDEX, strict=True)]
)
R = np.diag(OBS.error_std**2)


def close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def made(kind, *arguments, model=MODEL, **fields):
    options = {"operator": observe_points, "control": Unbounded(), "minimiser": EXACT}
    return kind(model, *arguments, **{"window": STEPS, "members": GAIN} | options | fields)


def instant(kind, *arguments, **fields):
    return made(kind, *arguments, **{"window": 0} | fields)


# Compiled once for several tests.
WINDOW = made(En4DVar, HYBRID)


def run(method, background=ENSEMBLE, observations=None):
    observations = observations or (OBS if method.window else NOW)
    return method.analyse(background, observations, Unforced(), key=KEY)


def drawn(count):
    return jnp.asarray(3 + RNG.normal(size=(count, SIZE)) @ np.asarray(STATIC.matrix))


def anomalies(ensemble):
    return np.asarray(ensemble) - np.asarray(ensemble).mean(axis=0)


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values) @ vectors.T


def reduced(before, prior, matrix, errors=R):
    """Anomalies after the reduced gain: (S + S^1/2)^-1, S of the scaled departures, dense."""
    inverse = np.linalg.inv(root(errors))
    scaled = inverse @ matrix
    total = scaled @ prior @ scaled.T + np.eye(len(matrix))
    gain = prior @ scaled.T @ np.linalg.inv(total + root(total)) @ inverse
    return before - before @ matrix.T @ gain.T


def kalman(prior, matrix):
    return prior - prior @ matrix.T @ np.linalg.inv(matrix @ prior @ matrix.T + R) @ matrix @ prior


def dense(covariance, ensemble=ENSEMBLE):
    around = covariance.around(ensemble)
    return np.stack([around.apply(row) for row in jnp.eye(SIZE)])


def test_hybrid_gain_of_a_linear_window():
    found = run(WINDOW)
    prior = dense(HYBRID)
    close(anomalies(found.ensemble), reduced(anomalies(ENSEMBLE), prior, SEEN))
    close(jnp.mean(found.ensemble, axis=0), found.state)
    assert found.status == Status.GOOD and not found.member_status.any()
    close(found.posterior.variance(), np.diag(kalman(prior, SEEN)), 1e-8)


def test_sample_covariance_is_that_of_the_kalman_filter():
    found = run(made(EnVar4D))
    close(np.cov(np.asarray(found.ensemble).T), kalman(np.cov(np.asarray(ENSEMBLE).T), SEEN))


def test_one_instant_is_the_modulated_filter():
    inflation = Inflation(1.2, 0.3, 0.2, 1.1)
    found = run(instant(En4DVar, LOCAL, members=ReducedGain(inflation, iterations=4)))
    other = GETKF(HYBRID.localisation, observe_points, inflation, Unbounded())
    close(found.ensemble, other.analyse(ENSEMBLE, NOW).ensemble)


def test_first_guess_at_the_appropriate_time():
    """An ensemble as background of a static covariance."""
    found = run(made(Var3D, STATIC))
    close(anomalies(found.ensemble), reduced(anomalies(ENSEMBLE), B, POINTS))
    mean = np.asarray(ENSEMBLE).mean(axis=0)
    gain = B @ POINTS.T @ np.linalg.inv(POINTS @ B @ POINTS.T + R)
    close(found.state, mean + gain @ (OBS.value - SEEN @ mean))


def test_weak_constraint_takes_errors_of_the_model_into_account():
    """Members with drawn errors of the model have the covariance of the smoother."""
    errors = StateError(MatrixCovariance.of(np.eye(SIZE)), Unbounded(), block=2)
    members = ReducedGain(iterations=1, batch=4000)
    found = run(made(Var4D, STATIC, errors=errors, members=members), drawn(4000))
    expected = found.posterior.variance()
    assert (expected > 1.05 * np.diag(kalman(B, SEEN))).any()
    ratio = jnp.var(found.ensemble, axis=0, ddof=1) / expected
    close(ratio, 1.0, 0.08)
    assert abs(jnp.mean(ratio) - 1) < 0.02


def test_perturbed_observations():
    inner = Minimiser(outer=1, inner=8, tolerance=1e-8)
    method = instant(Var3D, STATIC, members=PERTURBED, minimiser=inner)
    many = drawn(300)
    found = run(method, many)
    close(jnp.mean(found.ensemble, axis=0), found.state)
    after = kalman(B, POINTS)
    close(np.cov(np.asarray(found.ensemble).T), after, 0.2 * after.max())
    close(run(method, many).ensemble, found.ensemble, 0)
    failed = many.at[4, 0].set(jnp.nan)
    found = run(method, failed)
    assert found.member_status.tolist() == [0] * 4 + [Status.MEMBER_NOT_FINITE] + [0] * 295
    close(found.ensemble[4], failed[4], 0)
    close(jnp.mean(jnp.delete(found.ensemble, 4, axis=0), axis=0), found.state)
    found = run(method, many, NOW.replace(flag=np.ones(7, int)))
    assert found.status == Status.NO_OBSERVATIONS
    close(found.ensemble, many, 0)


def test_each_member_of_the_ensemble_of_analyses_is_one():
    """With hardly any error of the observations all members find the same."""
    exact = point_observations(np.arange(8.0), 1e-4, np.arange(8))
    method = instant(EnVar4D, LOCAL, members=PERTURBED, place=lambda obs: obs.index)
    found = run(method, observations=exact)
    close(found.ensemble, np.tile(np.arange(8.0), (MEMBERS, 1)), 1e-3)


def test_bad_members():
    MODEL.checked.clear()
    failed, keep = ENSEMBLE.at[4, 0].set(jnp.nan), np.arange(MEMBERS) != 4
    found = run(WINDOW, failed)
    assert found.member_status.tolist() == [0, 0, 0, 0, Status.MEMBER_NOT_FINITE, 0]
    close(found.ensemble[4], failed[4], 0)
    before = ENSEMBLE[keep]
    close(anomalies(found.ensemble[keep]), reduced(anomalies(before), dense(HYBRID, before), SEEN))
    close(jnp.mean(found.ensemble[keep], axis=0), found.state)
    assert MODEL.checked == [((MEMBERS - 1, SIZE), 0, 10 * STEPS)]


def test_nothing_analysed():
    ensemble = jnp.asarray(RNG.normal(size=ENSEMBLE.shape))
    found = run(WINDOW, ensemble, OBS.replace(flag=np.ones(7, int)))
    assert found.status == Status.NO_OBSERVATIONS
    close(found.ensemble, ensemble, 0)
    lone = ENSEMBLE.at[1:].set(jnp.inf)
    found = run(WINDOW, lone)
    assert found.status == Status.TOO_FEW_MEMBERS
    close(found.ensemble, lone, 0)


@pytest.mark.parametrize("members", [GAIN, PERTURBED])
def test_single_precision(members):
    def single(tree):
        def cast(leaf):
            return jnp.float32(leaf) if np.asarray(leaf).dtype.kind == "f" else leaf

        return jax.tree.map(cast, tree)

    exact = NOW.replace(error_std=0.03 * NOW.error_std)
    method = instant(En4DVar, single(HYBRID), members=members, minimiser=Minimiser(2, 20))
    found = run(method, single(ENSEMBLE), single(exact))
    assert found.ensemble.dtype == jnp.float32 and jnp.isfinite(found.ensemble).all()
    assert jnp.isfinite(found.posterior.variance()).all()
    if members is GAIN:
        wanted = reduced(anomalies(ENSEMBLE), dense(HYBRID), POINTS, 9e-4 * R)
        close(anomalies(found.ensemble), wanted, 1e-3)


def test_long_tails_and_reused_pairs():
    """A gross error counts less, for the members too."""
    value = NOW.value.copy()
    value[2] += 30
    reuse = Minimiser(outer=30, inner=40, tolerance=1e-10, decrease=1e-13, reuse=True)
    method = instant(En4DVar, HYBRID, misfit=GaussianMisfit(huber=1.0), minimiser=reuse)
    found = run(method, observations=NOW.replace(value=value))
    weight = 1 / np.maximum(np.abs((found.equivalents - value) / NOW.error_std), 1)
    assert weight[2] < 0.1
    wanted = reduced(anomalies(ENSEMBLE), dense(HYBRID), POINTS, R / weight[:, None])
    close(anomalies(found.ensemble), wanted, 1e-4)


def test_nonlinear_window_with_localisation():
    model = Lorenz96(dt=10)

    @jax.jit
    def later(state, steps):
        return jax.lax.fori_loop(0, steps, lambda _, x: model.step(x), state)

    truth = later(jnp.asarray(3 + RNG.normal(size=12)), 60)
    ensemble = jnp.asarray(np.asarray(truth) + 0.5 * RNG.normal(size=(8, 12)))
    obs = point_observations(later(truth, STEPS), 0.1, np.arange(12), time=10 * STEPS)
    local = HybridCovariance(localisation=GaspariCohn(circle(12), 3.0, period=12.0))
    found = run(made(En4DVar, local, model=model, minimiser=Minimiser(5)), ensemble, obs)
    errors = [np.abs(x - truth).mean() for x in (found.background, found.state)]
    spreads = [np.std(x, axis=0, ddof=1).mean() for x in (ensemble, found.ensemble)]
    assert errors[1] < 0.7 * errors[0] and 0.1 * spreads[0] < spreads[1] < 0.6 * spreads[0]


def test_cost_that_cannot_fall():
    @jax.custom_jvp
    def wrong(state):
        return state

    wrong.defjvp(lambda primals, tangents: (primals[0], -tangents[0]))
    method = instant(En4DVar, HYBRID, operator=lambda state, obs: wrong(state)[obs.index])
    found = run(method)
    assert found.status == Status.NO_DESCENT
    close(found.state, found.background, 1e-12)
    assert jnp.isfinite(found.ensemble).all()


def test_functions_of_a_matrix():
    """Right-hand sides that depend on each other, a space that ends early, failures."""
    values = np.append(np.geomspace(1, 1e4, 26), np.ones(4))
    vectors = np.linalg.qr(RNG.normal(size=(30, 30)))[0]
    matrix = vectors * values @ vectors.T
    right = RNG.normal(size=(5, 30))
    right[3], right[4] = 0, right[0] - 2 * right[1]
    wanted = right @ vectors / (values + np.sqrt(values)) @ vectors.T

    @jax.jit
    def pairs(matrix, right):
        return block_lanczos(lambda rows: rows @ matrix, right, iterations=12)

    for kind, tolerance in ((float, 1e-10), (np.float32, 1e-2)):
        ritz = pairs(jnp.asarray(matrix, kind), jnp.asarray(right, kind))
        found = ritz.function(lambda value: 1 / (value + jnp.sqrt(value)), right.astype(kind))
        close(found, wanted, tolerance)
        rows = np.asarray(ritz.vectors[jnp.linalg.norm(ritz.vectors, axis=1) > 0.5])
        close(rows @ rows.T, np.eye(len(rows)), 30 * np.finfo(kind).eps)
        assert len(rows) <= 30 and ritz.residuals.max() < 10 * np.finfo(kind).eps * 1e4
    close(pairs(matrix, 0 * right).values, 1, 0)
    assert jnp.isnan(pairs(np.nan * matrix, right).values).all()


def test_refusals():
    with pytest.raises(InputError, match="iterations"):
        ReducedGain(iterations=0)
    with pytest.raises(InputError, match="key="):
        instant(Var3D, STATIC, members=PERTURBED).analyse(ENSEMBLE, NOW)
