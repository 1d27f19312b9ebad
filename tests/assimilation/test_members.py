"""Members updated around a variational analysis: dense gains, other filters, and what may fail."""

from functools import partial

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
ENSEMBLE = jnp.asarray(3 + 0.5 * RNG.normal(size=(MEMBERS, SIZE)))
STATIC = MatrixCovariance.of(0.5 * np.exp(-np.abs(np.subtract.outer(range(SIZE), range(SIZE)))))
TAPER = GaspariCohn(circle(SIZE), 3.0, period=float(SIZE))
HYBRID = HybridCovariance(STATIC, localisation=EigenRoot.of_taper(TAPER, 1.0), weight=0.6)
SAMPLE = HybridCovariance()
KEY = jax.random.key(4)
EXACT = Minimiser(outer=2, inner=40, tolerance=1e-13)
GAIN = ReducedGain(iterations=8)


class Turning:
    """A linear model."""

    grid, dt = None, 10
    matrix = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0] * 1.1

    def step(self, state, forcing, key):
        return jnp.asarray(self.matrix, state.dtype) @ state


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


def run(method, background=ENSEMBLE, observations=OBS):
    return method.analyse(background, observations, Unforced(), key=KEY)


def anomalies(ensemble):
    return np.asarray(ensemble - jnp.mean(ensemble, axis=0))


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values) @ vectors.T


def reduced_gain(prior, matrix, errors=R):
    """By dense roots: (S + S^1/2)^-1 with S the covariance of the scaled departures."""
    inverse = np.linalg.inv(root(errors))
    scaled = inverse @ matrix
    total = scaled @ prior @ scaled.T + np.eye(len(matrix))
    return prior @ scaled.T @ np.linalg.inv(total + root(total)) @ inverse


def dense(covariance, ensemble=ENSEMBLE):
    around = covariance.around(ensemble)
    return np.stack([around.apply(row) for row in jnp.eye(SIZE)])


def test_hybrid_gain_of_a_linear_window():
    found = run(made(En4DVar, HYBRID))
    prior = dense(HYBRID)
    gain = reduced_gain(prior, SEEN)
    before = anomalies(ENSEMBLE)
    close(anomalies(found.ensemble), before - before @ SEEN.T @ gain.T)
    close(jnp.mean(found.ensemble, axis=0), found.state)
    assert found.status == Status.GOOD and not found.member_status.any()
    after = prior - prior @ SEEN.T @ np.linalg.inv(SEEN @ prior @ SEEN.T + R) @ SEEN @ prior
    close(found.posterior.variance(), np.diag(after), 1e-8)


@pytest.mark.parametrize("kind", [En4DVar, EnVar4D])
def test_sample_covariance_is_that_of_the_kalman_filter(kind):
    found = run(made(kind, SAMPLE))
    prior = np.cov(np.asarray(ENSEMBLE).T)
    after = prior - prior @ SEEN.T @ np.linalg.inv(SEEN @ prior @ SEEN.T + R) @ SEEN @ prior
    close(np.cov(np.asarray(found.ensemble).T), after)


def test_one_instant_is_the_modulated_filter():
    inflation = Inflation(1.2, 0.3, 0.2, 1.1)
    local = HybridCovariance(localisation=HYBRID.localisation)
    members = ReducedGain(inflation, iterations=4)
    found = made(En4DVar, local, window=0, members=members).analyse(ENSEMBLE, NOW)
    other = GETKF(HYBRID.localisation, observe_points, inflation, Unbounded())
    close(found.ensemble, other.analyse(ENSEMBLE, NOW).ensemble)


@pytest.mark.parametrize("kind", [Var3D, Var4D])
def test_static_covariance_moves_an_ensemble(kind):
    found = run(made(kind, STATIC))
    single = run(made(kind, STATIC, members=None), jnp.mean(ENSEMBLE, axis=0))
    close(found.state, single.state)
    assert single.ensemble is None
    prior, matrix = np.asarray(STATIC.matrix @ STATIC.matrix.T), SEEN if kind is Var4D else POINTS
    before = anomalies(ENSEMBLE)
    gain = reduced_gain(prior, matrix)
    close(anomalies(found.ensemble), before - before @ matrix.T @ gain.T)


def test_weak_constraint_takes_errors_of_the_model_into_account():
    """In the mean over what is drawn the members have the covariance of the smoother."""
    errors = StateError(MatrixCovariance.of(0.3 * np.eye(SIZE)), Unbounded(), block=2)
    many = jnp.asarray(3 + RNG.normal(size=(600, SIZE)) @ np.asarray(STATIC.matrix))
    members = ReducedGain(iterations=1, batch=600)
    found = run(made(Var4D, STATIC, errors=errors, members=members), many)
    expected = found.posterior.variance()
    without = run(made(Var4D, STATIC, members=members), many).posterior.variance()
    assert (expected > 1.05 * without).any()
    close(jnp.var(found.ensemble, axis=0, ddof=1) / expected, 1.0, 0.25)


def test_perturbed_observations_have_the_covariance_of_the_analysis():
    many = jnp.asarray(3 + RNG.normal(size=(300, SIZE)) @ np.asarray(STATIC.matrix))
    inner = Minimiser(outer=1, inner=8, tolerance=1e-8)
    method = made(Var4D, STATIC, members=PerturbedObservations(), minimiser=inner)
    found = run(method, many)
    close(jnp.mean(found.ensemble, axis=0), found.state)
    prior = np.asarray(STATIC.matrix @ STATIC.matrix.T)
    gain = prior @ SEEN.T @ np.linalg.inv(SEEN @ prior @ SEEN.T + R)
    after = prior - gain @ SEEN @ prior
    close(np.cov(np.asarray(found.ensemble).T), after, 0.2 * after.max())
    again = run(method, many)
    close(again.ensemble, found.ensemble, 0)


def test_each_member_of_the_ensemble_of_analyses_is_one():
    """With hardly any error of the observations all members find the same."""
    exact = point_observations(np.arange(8.0), 1e-4, np.arange(8), time=0)
    method = made(
        EnVar4D,
        HybridCovariance(localisation=HYBRID.localisation),
        window=0,
        members=PerturbedObservations(),
        place=lambda obs: obs.index,
    )
    found = run(method, observations=exact)
    close(found.ensemble, np.tile(np.arange(8.0), (MEMBERS, 1)), 1e-3)


@pytest.mark.parametrize("members", [GAIN, PerturbedObservations()])
def test_bad_members(members):
    method, keep = made(En4DVar, HYBRID, members=members), np.arange(MEMBERS) != 4
    found = run(method, ENSEMBLE.at[4, 0].set(jnp.nan))
    assert found.member_status.tolist() == [0, 0, 0, 0, Status.MEMBER_NOT_FINITE, 0]
    assert jnp.isnan(found.ensemble[4, 0])
    close(found.ensemble[4, 1:], ENSEMBLE[4, 1:], 0)
    assert jnp.isfinite(found.ensemble[keep]).all()
    if members is GAIN:
        close(found.ensemble[keep], run(method, ENSEMBLE[keep]).ensemble)
    close(jnp.mean(found.ensemble[keep], axis=0), found.state)


@pytest.mark.parametrize("members", [GAIN, PerturbedObservations()])
def test_nothing_analysed(members):
    method = made(En4DVar, HYBRID, members=members)
    found = run(method, observations=OBS.replace(flag=np.ones(7, int)))
    assert found.status == Status.NO_OBSERVATIONS
    close(found.ensemble, ENSEMBLE, 0)
    lone = ENSEMBLE.at[1:].set(jnp.inf)
    found = run(method, lone)
    assert found.status == Status.TOO_FEW_MEMBERS
    close(found.ensemble, lone, 0)


@pytest.mark.parametrize("members", [GAIN, PerturbedObservations()])
def test_single_precision(members):
    single = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == float else leaf, (HYBRID, ENSEMBLE)
    )
    obs = OBS.replace(value=np.float32(OBS.value), error_std=np.float32(1e-3 * OBS.error_std))
    settings = Minimiser(outer=2, inner=20)
    method = made(En4DVar, single[0], members=members, minimiser=settings)
    found = run(method, single[1], obs)
    assert found.ensemble.dtype == jnp.float32 and jnp.isfinite(found.ensemble).all()
    assert jnp.isfinite(found.posterior.variance()).all()
    if members is GAIN:
        whole = run(made(En4DVar, HYBRID), ENSEMBLE, OBS.replace(error_std=1e-3 * OBS.error_std))
        close(anomalies(found.ensemble), anomalies(whole.ensemble), 2e-3)


def test_long_tails_and_reused_pairs():
    """A gross error counts less; the pairs of the members are those of the weighted Hessian."""
    value = OBS.value.copy()
    value[2] += 30
    reuse = Minimiser(outer=30, inner=40, tolerance=1e-10, decrease=1e-13, reuse=True)
    method = made(En4DVar, HYBRID, misfit=GaussianMisfit(huber=1.0), minimiser=reuse)
    found = run(method, observations=OBS.replace(value=value))
    residual = (found.equivalents - value) / OBS.error_std
    weight = 1 / np.maximum(np.abs(residual), 1)
    assert weight[2] < 0.1
    prior, before = dense(HYBRID), anomalies(ENSEMBLE)
    gain = reduced_gain(prior, SEEN, R / weight[:, None])
    close(anomalies(found.ensemble), before - before @ SEEN.T @ gain.T, 1e-4)


def test_nonlinear_window_with_localisation():
    truth = jnp.asarray(3 + RNG.normal(size=12))
    model = Lorenz96(dt=10)
    for _ in range(60):
        truth = model.step(truth)
    ensemble = truth + 0.5 * jnp.asarray(RNG.normal(size=(8, 12)))
    end = truth
    for _ in range(STEPS):
        end = model.step(end)
    obs = point_observations(end, 0.1, np.arange(12), time=10 * STEPS)
    local = HybridCovariance(localisation=GaspariCohn(circle(12), 3.0, period=12.0), weight=1.0)
    found = run(made(En4DVar, local, model=model, minimiser=Minimiser(5)), ensemble, obs)
    errors = [np.abs(x - truth).mean() for x in (found.background, found.state)]
    spreads = [np.std(x, axis=0, ddof=1).mean() for x in (ensemble, found.ensemble)]
    assert errors[1] < 0.7 * errors[0] and 0.1 * spreads[0] < spreads[1] < 0.6 * spreads[0]


def test_cost_that_cannot_fall():
    @jax.custom_jvp
    def wrong(state):
        return state

    wrong.defjvp(lambda primals, tangents: (primals[0], -tangents[0]))
    method = made(En4DVar, HYBRID, operator=lambda state, obs: wrong(state)[obs.index])
    found = run(method)
    assert found.status == Status.NO_DESCENT
    close(found.state, found.background, 1e-12)
    assert jnp.isfinite(found.ensemble).all()


def test_functions_of_a_matrix():
    """Right-hand sides that depend on each other, a space that ends early, failures."""
    matrix = RNG.normal(size=(12, 4))
    matrix = np.eye(12) + matrix @ np.diag([1, 10, 100, 1e4]) @ matrix.T
    right = RNG.normal(size=(5, 12))
    right[3], right[4] = 0, right[0] - 2 * right[1]
    values, vectors = np.linalg.eigh(matrix)
    wanted = right @ vectors / (values + np.sqrt(values)) @ vectors.T
    for dtype, tolerance in ((float, 1e-12), (np.float32, 1e-5)):
        given = partial(jnp.matmul, b=jnp.asarray(matrix, dtype))
        ritz = block_lanczos(given, jnp.asarray(right, dtype), iterations=6)
        found = ritz.function(lambda value: 1 / (value + jnp.sqrt(value)), right.astype(dtype))
        close(found, wanted, tolerance)
        rows = np.asarray(ritz.vectors[jnp.linalg.norm(ritz.vectors, axis=1) > 0.5])
        close(rows @ rows.T, np.eye(len(rows)), 100 * np.finfo(dtype).eps)
        assert ritz.residuals.max() < 1e-4 * values.max() and len(rows) <= 12
    nothing = block_lanczos(lambda rows: rows, jnp.zeros((3, 12)), iterations=2)
    close(nothing.values, 1, 0)
    failed = block_lanczos(lambda rows: rows * jnp.nan, jnp.ones((3, 12)), iterations=2)
    assert jnp.isnan(failed.values).all()


def test_refusals():
    with pytest.raises(InputError, match="iterations"):
        ReducedGain(iterations=0)
    method = made(Var3D, STATIC, window=0, members=PerturbedObservations())
    with pytest.raises(InputError, match="key="):
        method.analyse(ENSEMBLE, NOW)
    refused = []

    class Careful(Turning):
        def check(self, state, forcing, start, end):
            refused.append((state.shape, start, end))

    method = made(En4DVar, HYBRID, model=Careful())
    method.analyse(ENSEMBLE.at[0].set(jnp.nan), OBS, Unforced(20), key=KEY)
    assert refused == [((MEMBERS - 1, SIZE), 20, 60)]
