"""Observation terms against full covariances and the Huber norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.misfit import GaussianMisfit
from floecast.core.errors import InputError
from floecast.testbeds import point_observations

RNG = np.random.default_rng(2)
GROUP = np.array([4, 0, 4, 9, 4, 9, 0, 7])
OBS = point_observations(RNG.normal(size=8), RNG.uniform(0.5, 2, 8), np.arange(8), group=GROUP)
SAME = (GROUP[:, None] == GROUP) & (GROUP > 0)
COVARIANCE = np.outer(OBS.error_std, OBS.error_std) * np.where(np.eye(8), 1, 0.3 * SAME)
AT = RNG.normal(size=8)


def close(actual, expected, tolerance):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def test_shared_error_is_a_full_covariance():
    departure = AT - OBS.value
    misfit = GaussianMisfit(0.3)
    residual = misfit.residual(AT, OBS)
    full = 0.5 * departure @ np.linalg.solve(COVARIANCE, departure)
    close(misfit.cost(residual).sum(), full, 1e-12)
    close(GaussianMisfit().residual(AT, OBS), departure / OBS.error_std, 1e-15)


def test_noise_has_the_covariance():
    draw = jax.jit(jax.vmap(lambda key: GaussianMisfit(0.3).noise(key, OBS)))
    draws = np.asarray(draw(jax.random.split(jax.random.key(0), 20000)))
    close(np.cov(draws.T), COVARIANCE, 0.04 * COVARIANCE.max())


def test_huber_cost_is_smooth_and_its_weight_the_derivative():
    misfit = GaussianMisfit(huber=1.5)
    at = jnp.array([-4.0, -1.5001, -1.4999, 0.2, 1.0, 6.0])
    slope = jax.vmap(jax.grad(misfit.cost))(at)
    close(slope, misfit.weight(at) * at, 1e-12)
    close(slope, np.clip(at, -1.5, 1.5), 1e-12)
    close(misfit.cost(at[1]), misfit.cost(at[2]), 1e-3)


@pytest.mark.parametrize("bad", [{"shared_error": 1.0}, {"shared_error": -0.1}, {"huber": 0.0}])
def test_refuses(bad):
    with pytest.raises(InputError):
        GaussianMisfit(**bad)
