"""The iterative smoother: the transform filter, the Kalman smoother, a nonlinear minimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.inflation import Inflation
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.smoother import IEnKS
from floecast.bench import lorenz, lorenz96
from floecast.core.errors import InputError
from floecast.testbeds import Lorenz96, Unforced, observe_points, point_observations

MEMBERS, SIZE = 6, 8
RNG = np.random.default_rng(7)
ENSEMBLE = jnp.asarray(3 + 0.3 * RNG.normal(size=(MEMBERS, SIZE)))
OBS = point_observations(3 + RNG.normal(size=5), 0.8, [0, 2, 3, 5, 7])
FREE, KEY = Unbounded(), jax.random.key(1)


class Turning:
    """A linear model."""

    grid, dt = None, 1
    matrix = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0] * 1.1

    def step(self, state, forcing, key):
        return self.matrix @ state


def close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def test_one_iteration_without_lag_is_the_transform_filter():
    inflation = Inflation(prior=1.2, posterior=1.1)
    one = IEnKS(Turning(), 0, observe_points, inflation, FREE, iterations=1)
    found = one.analyse(ENSEMBLE, OBS)
    wanted = LETKF(observe_points, None, inflation, FREE).analyse(ENSEMBLE, OBS)
    close(found.analysis.ensemble, wanted.ensemble)
    close(found.start, wanted.ensemble)
    close(found.analysis.equivalents, wanted.equivalents)


@pytest.mark.parametrize("bundle", [False, True])
def test_linear_model_gives_the_kalman_smoother(bundle):
    method = IEnKS(Turning(), 3, observe_points, control=FREE, bundle=bundle)
    found = method.analyse(ENSEMBLE, OBS, Unforced(), key=KEY)
    assert found.converged and found.iterations == 2
    model = np.linalg.matrix_power(Turning.matrix, 3)
    matrix = np.eye(SIZE)[OBS.index] @ model
    mean, prior = np.mean(ENSEMBLE, axis=0), np.cov(np.asarray(ENSEMBLE).T)
    gain = prior @ matrix.T
    gain = gain @ np.linalg.inv(matrix @ gain + np.diag(OBS.error_std**2))
    mean, after = mean + gain @ (OBS.value - matrix @ mean), prior - gain @ matrix @ prior
    tolerance = 1e-8 if bundle else 1e-10
    close(np.mean(found.start, axis=0), mean, tolerance)
    close(np.cov(np.asarray(found.start).T), after, tolerance)
    close(np.mean(found.analysis.ensemble, axis=0), model @ mean, tolerance)
    close(np.cov(np.asarray(found.analysis.ensemble).T), model @ after @ model.T, tolerance)


def test_bundle_finds_the_minimum_of_the_nonlinear_cost():
    model = Lorenz96()
    method = IEnKS(
        model, 4, observe_points, control=FREE, bundle=True, tolerance=1e-8, iterations=30
    )
    found = method.analyse(ENSEMBLE, OBS, Unforced(), key=KEY)
    anomalies = ENSEMBLE - ENSEMBLE.mean(axis=0)[None]

    def cost(w):
        state = ENSEMBLE.mean(axis=0) + w @ anomalies
        state = jax.lax.scan(lambda x, _: (model.step(x), None), state, length=4)[0]
        misfit = (OBS.value - state[OBS.index]) / OBS.error_std
        return 0.5 * misfit @ misfit + 0.5 * (MEMBERS - 1) * w @ w

    assert found.converged
    zero, least = (jnp.linalg.norm(jax.grad(cost)(w)) for w in (0 * found.weights, found.weights))
    assert least < 1e-4 * zero and cost(found.weights) < cost(0 * found.weights)


def test_bad_members_and_refusals():
    method = IEnKS(Lorenz96(), 2, observe_points, control=FREE)
    spoilt, keep = ENSEMBLE.at[1, 0].set(jnp.inf), np.arange(MEMBERS) != 1
    found = method.analyse(spoilt, OBS, Unforced(), key=KEY)
    alone = method.analyse(ENSEMBLE[keep], OBS, Unforced(), key=KEY)
    close(found.start[keep], alone.start)
    close(found.analysis.ensemble[keep], alone.analysis.ensemble)
    assert found.analysis.healthy.tolist() == keep.tolist()
    with pytest.raises(InputError, match="forcing"):
        method.analyse(ENSEMBLE, OBS, key=KEY)
    with pytest.raises(InputError, match="key="):
        method.analyse(ENSEMBLE, OBS, Unforced())
    with pytest.raises(InputError, match="steps"):
        IEnKS(Lorenz96(), -1)


@pytest.mark.parametrize("name", ["denkf_n40", "enkf_n_n24", "letkf_n10"])
def test_filters_do_not_diverge(name):
    method, members = lorenz96.filters()[name]
    case = lorenz96.case(cycles=500, burn_in=100)
    assert lorenz.rmse(case, lorenz.filtering(case, method), members, seeds=1) < 0.26


def test_smoother_does_not_diverge():
    case = lorenz96.case(4, cycles=120, burn_in=40)
    cycle = lorenz.smoothing(case, 4, control=FREE, certainty=2.0)
    assert lorenz.rmse(case, cycle, 20, delay=4, seeds=1) < 0.4
