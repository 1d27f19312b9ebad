"""Censored concentration: its likelihood, its derivatives, and the bias that it takes away."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from floecast.assimilation.analysis import Status
from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.covariance import MatrixCovariance
from floecast.assimilation.misfit import CensoredMisfit, GaussianMisfit
from floecast.assimilation.variational import Var3D
from floecast.core.errors import InputError
from floecast.observation.observations import Observations, observations
from floecast.testbeds import Lorenz96

ERROR = 0.1


def made(value, kind="concentration", group=0, error=ERROR):
    count = len(value)
    return observations(
        kind, value, error, 0.0, 0.0, 0, np.zeros(count), np.ones(count), group=group
    )


def test_cost_is_minus_the_logarithm_of_the_probability():
    at = np.array([-1.4, -0.3, -0.02, 0.0, 0.3, 0.9, 1.0, 1.2, 2.5])
    misfit = CensoredMisfit()
    residual = jax.jit(misfit.residual)
    empty, full, half = (
        misfit.cost(residual(at, made(np.full(at.size, y)))) for y in (0.0, 1.0, 0.5)
    )
    # Where the probability is 1 to eight digits, the cost is cut off.
    near = at > -0.8
    np.testing.assert_allclose(empty[near], -norm.logcdf(-at / ERROR)[near], rtol=1e-10, atol=1e-14)
    near = at < 1.8
    np.testing.assert_allclose(
        full[near], -norm.logcdf((at - 1) / ERROR)[near], rtol=1e-10, atol=1e-14
    )
    np.testing.assert_allclose(half, 0.5 * ((at - 0.5) / ERROR) ** 2, rtol=1e-13)
    within = misfit.residual(np.array([1.0]), made([1 - 5e-4]))
    np.testing.assert_allclose(within, -np.sqrt(2 * np.log(2)), rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_residual_is_smooth_with_finite_derivatives(dtype):
    """From far within the bounds to far beyond them; in double precision against differences."""
    misfit = CensoredMisfit()
    small = 1e-6
    at = jnp.asarray(np.concatenate([np.linspace(-1.3, 1.3, 521), [-1e3, 1e3]]), dtype)

    def both(c):
        obs = jax.tree.map(lambda field: jnp.asarray(field), made([0.0, 1.0], error=0.05))
        obs = obs.replace(value=obs.value.astype(dtype), error_std=obs.error_std.astype(dtype))
        return misfit.residual(jnp.stack([c, c]), obs)

    residual, slope = jax.jit(jax.vmap(lambda c: jax.jvp(both, (c,), (jnp.ones_like(c),))))(at)
    assert residual.dtype == dtype and np.isfinite(residual).all() and np.isfinite(slope).all()
    assert (slope >= 0).all() and (slope <= 1.001 / 0.05).all()
    assert (residual[:, 0] >= 0).all() and (residual[:, 1] <= 0).all()
    if dtype == jnp.float64:
        # Not at -0.4 and 1.4, where what is left of the residual is cut off.
        middle = at[abs(at) < 0.39]
        many = jax.jit(jax.vmap(both))
        difference = (many(middle + small) - many(middle - small)) / (2 * small)
        np.testing.assert_allclose(slope[abs(at) < 0.39], difference, rtol=1e-6, atol=1e-7)


def test_everything_else_as_before():
    rng = np.random.default_rng(1)
    thickness = made(np.array([0.0, 1.0, 0.5, 2.0]), "thickness", group=[3, 3, 3, 0])
    cover = made(np.array([0.2, 1.0, 0.7, -0.03, 1.05]), group=[5, 5, 5, 0, 0])
    obs = Observations.concatenate([thickness, cover])
    at = rng.normal(size=9)
    misfit, normal = CensoredMisfit(0.4, 1.5), GaussianMisfit(0.4, 1.5)
    residual = jax.jit(misfit.residual)(at, obs)
    # The censored one has left its group.
    alone = obs.replace(group=np.where(np.arange(9) == 5, 0, obs.group))
    rest = np.arange(9) != 5
    np.testing.assert_allclose(
        residual[rest], jax.jit(normal.residual)(at, alone)[rest], rtol=1e-13
    )
    for name in ("cost", "weight"):
        ours, theirs = getattr(misfit, name), getattr(normal, name)
        np.testing.assert_array_equal(ours(residual), theirs(residual))


def retrievals(truth, count, seed=0):
    noise = ERROR * np.random.default_rng(seed).normal(size=(truth.size, count))
    return np.clip(truth[:, None] + noise, 0, 1)


def test_bias_of_bounded_retrievals():
    """Shift of the mean by truncation and by clipping, at an error of 0.1."""
    truth = np.array([0.0, 0.05, 0.5, 0.95, 1.0])
    noise = ERROR * np.random.default_rng(3).normal(size=(truth.size, 200_000))
    raw = truth[:, None] + noise
    clipped = np.clip(raw, 0, 1).mean(axis=1) - truth
    truncated = np.mean(raw, axis=1, where=(raw >= 0) & (raw <= 1)) - truth
    np.testing.assert_allclose(clipped, [0.040, 0.020, 0, -0.020, -0.040], atol=1e-3)
    np.testing.assert_allclose(truncated, [0.080, 0.051, 0, -0.051, -0.080], atol=1e-3)


def test_censoring_removes_the_bias():
    """Gauss-Newton minimum of each of many scalars, all observed 30 times."""
    truth = np.repeat([0.0, 0.02, 0.05, 0.5, 0.95, 0.98, 1.0], 400)
    value = retrievals(truth, 30)

    def analysed(misfit):
        def one(values):
            obs = jax.tree.map(jnp.asarray, made(np.zeros(30))).replace(value=values)

            def step(_, c):
                found, slope = jax.jvp(
                    lambda c: misfit.residual(jnp.full(30, 1.0) * c, obs), (c,), (1.0,)
                )
                # A background of variance 1 at 0.5.
                pull = jnp.sum(misfit.weight(found) * found * slope) + (c - 0.5)
                return c - pull / (jnp.sum(misfit.weight(found) * slope**2) + 1)

            return jax.lax.fori_loop(0, 25, step, 0.5)

        return np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(value)))

    bias = (analysed(CensoredMisfit()) - truth).reshape(7, 400).mean(axis=1)
    assert np.abs(bias).max() < 0.005
    bias = (analysed(GaussianMisfit()) - truth).reshape(7, 400).mean(axis=1)
    assert bias[0] > 0.035 and bias[-1] < -0.035


def test_noise_repeats_the_retrieval():
    obs = Observations.concatenate(
        [made([1.0, 0.0, 0.97, 1.04]), made([0.5], "thickness", error=0.3)]
    )
    draw = jax.jit(jax.vmap(lambda key: CensoredMisfit().noise(key, obs)))
    drawn = obs.value + np.asarray(draw(jax.random.split(jax.random.key(0), 20_000)))
    assert (drawn[:, :3] >= 0).all() and (drawn[:, :3] <= 1).all()
    np.testing.assert_allclose((drawn == 1).mean(axis=0)[[0, 2]], norm.cdf([0, -0.3]), atol=0.02)
    np.testing.assert_allclose((drawn[:, 1] == 0).mean(), 0.5, atol=0.02)
    expected = 1 - ERROR * norm.pdf(0)
    np.testing.assert_allclose(drawn[:, 0].mean(), expected, atol=2e-3)
    np.testing.assert_allclose(drawn[:, 3:].std(axis=0), [ERROR, 0.3], rtol=0.03)


@pytest.mark.parametrize("bad", [{"shared_error": 1.0}, {"huber": 0.0}, {"tolerance": -1.0}])
def test_refuses(bad):
    with pytest.raises(InputError):
        CensoredMisfit(**bad)


def test_analysis_of_clipped_concentration():
    """3D-Var of cells near both bounds, ten retrievals each, some of them flagged."""
    rng = np.random.default_rng(4)
    truth = np.repeat([0.0, 0.03, 0.97, 1.0], 100)
    cell = np.tile(np.arange(400), 10)
    obs = observations(
        "concentration",
        np.clip(truth[cell] + ERROR * rng.normal(size=4000), 0, 1),
        ERROR,
        0.0,
        0.0,
        0,
        cell,
        np.ones(4000),
        flag=rng.uniform(size=4000) < 0.05,
    )
    background = jnp.asarray(truth + ERROR * rng.normal(size=400))
    covariance = MatrixCovariance(ERROR * np.eye(400))

    method = Var3D(
        Lorenz96(), covariance, 0, lambda x, seen: x[seen.cell[:, 0]], Unbounded(), CensoredMisfit()
    )
    found = method.analyse(background, obs)
    assert found.status in (Status.GOOD, Status.STOPPED_EARLY)
    # It is 0.03 with normal errors.
    assert abs(np.mean((found.state - truth) * np.sign(0.5 - truth))) < 0.005
