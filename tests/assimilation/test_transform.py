"""Filters without localisation and GETKF: the Kalman formulas, and equivalences of methods."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.analysis import Status
from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.filter import SpectralWeights, departures, random_rotation
from floecast.assimilation.getkf import GETKF
from floecast.assimilation.inflation import AdaptiveInflation, Inflation
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.localisation import GaspariCohn
from floecast.assimilation.modulation import EigenRoot
from floecast.assimilation.transform import DEnKF, EnKF, EnKFN, finite_size, least_dual
from floecast.core.errors import InputError
from floecast.testbeds import circle, observe_points, point_observations

MEMBERS, SIZE = 7, 12
RNG = np.random.default_rng(4)
ENSEMBLE = RNG.normal(size=(MEMBERS, SIZE))
INDEX = np.array([0, 3, 4, 9])
OBS = point_observations(RNG.normal(size=4), RNG.uniform(0.5, 1.0, 4), INDEX)
FREE = Unbounded()
KEY = jax.random.key(3)
FLAT = EigenRoot(jnp.ones((SIZE, 1)))
METHODS = {
    "enkf": EnKF(observe_points, control=FREE),
    "denkf": DEnKF(observe_points, control=FREE),
    "enkf_n": EnKFN(observe_points, control=FREE),
    "getkf": GETKF(FLAT, observe_points, control=FREE),
    "etkf": LETKF(observe_points, control=FREE),
}


def close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def moments(ensemble):
    return np.mean(ensemble, axis=0), np.cov(np.asarray(ensemble).T)


def kalman(covariance):
    """Mean, covariance, gain and operator by the textbook formula."""
    matrix, mean = np.eye(SIZE)[INDEX], np.mean(ENSEMBLE, axis=0)
    gain = covariance @ matrix.T
    gain = gain @ np.linalg.inv(matrix @ gain + np.diag(OBS.error_std**2))
    return mean + gain @ (OBS.value - matrix @ mean), covariance - gain @ matrix @ covariance, gain


PRIOR = np.cov(np.asarray(ENSEMBLE).T)


@pytest.mark.parametrize("name", ["etkf", "getkf"])
def test_square_root_filters_are_the_kalman_filter(name):
    found = moments(METHODS[name].analyse(ENSEMBLE, OBS).ensemble)
    for actual, expected in zip(found, kalman(PRIOR), strict=False):
        close(actual, expected)


def test_denkf_adds_a_quarter():
    mean, covariance = moments(METHODS["denkf"].analyse(ENSEMBLE, OBS).ensemble)
    wanted, exact, gain = kalman(PRIOR)
    close(mean, wanted)
    close(covariance, exact + 0.25 * gain @ PRIOR[np.ix_(INDEX, INDEX)] @ gain.T)


def test_enkf_has_the_mean_and_on_average_the_covariance():
    def analysed(key):
        return METHODS["enkf"].analyse(ENSEMBLE, OBS, key=key).ensemble

    ensembles = jax.jit(jax.vmap(analysed))(jax.random.split(KEY, 4000))
    wanted, exact, _ = kalman(PRIOR)
    close(ensembles.mean(axis=1), np.broadcast_to(wanted, (4000, SIZE)))
    close(np.mean([np.cov(e.T) for e in np.asarray(ensembles)], axis=0), exact, 0.02)


def test_getkf_without_taper_is_the_etkf():
    inflation = Inflation(prior=1.3, relaxation=0.2, perturbations=0.1, posterior=1.1)
    one = GETKF(FLAT, observe_points, inflation, FREE).analyse(ENSEMBLE, OBS)
    other = LETKF(observe_points, None, inflation, FREE).analyse(ENSEMBLE, OBS)
    close(one.ensemble, other.ensemble)


def test_getkf_is_the_kalman_filter_of_the_localised_covariance():
    """More modulated members than observations, and fewer."""
    root = EigenRoot.of_taper(GaspariCohn(circle(SIZE), 3.0, period=float(SIZE)), kept=0.9)
    modes = np.asarray(root.modes())
    covariance = PRIOR * (modes.T @ modes)
    few, many = OBS, point_observations(0.3, 0.7, np.arange(500) % SIZE)
    assert MEMBERS * root.rank < many.size
    for obs in (few, many):
        matrix = np.eye(SIZE)[obs.index]
        innovation = covariance @ matrix.T
        total = matrix @ innovation + np.diag(obs.error_std**2)
        # The reduced gain of Whitaker and Hamill, with roots of symmetric matrices.
        values, vectors = np.linalg.eigh(total / np.outer(obs.error_std, obs.error_std))
        half = vectors @ np.diag(1 / (values + np.sqrt(values))) @ vectors.T
        reduced = innovation @ (half / np.outer(obs.error_std, obs.error_std))
        gain = innovation @ np.linalg.inv(total)
        mean = ENSEMBLE.mean(axis=0)
        anomalies = ENSEMBLE - mean
        wanted = mean + gain @ (obs.value - mean[obs.index])
        wanted = wanted + anomalies - anomalies[:, obs.index] @ reduced.T
        close(GETKF(root, observe_points, control=FREE).analyse(ENSEMBLE, obs).ensemble, wanted)


@pytest.mark.parametrize("certainty", [1.0, 2.0])
def test_primal_and_dual_cost_of_the_finite_size_filter(certainty):
    seen = departures(ENSEMBLE[:, INDEX], jnp.ones(MEMBERS, bool), OBS)
    spectral = SpectralWeights.of(seen)
    e, c = finite_size(spectral.values, MEMBERS, certainty)

    def primal(w):
        misfit = seen.innovation - seen.anomalies @ w
        return 0.5 * misfit @ misfit + 0.5 * c * jnp.log(e + w @ w)

    z = least_dual(spectral, e, c)
    weights, _ = spectral.symmetric(z, MEMBERS - 1)
    close(jax.grad(primal)(weights), np.zeros(MEMBERS), 1e-9)
    close(z, c / (e + weights @ weights), 1e-9)
    matrix = jnp.eye(4) + seen.anomalies @ seen.anomalies.T / z
    dual = 0.5 * seen.innovation @ jnp.linalg.solve(matrix, seen.innovation)
    close(primal(weights), dual + 0.5 * (e * z + c * jnp.log(c / z) - c), 1e-9)
    others = weights[None] + 0.1 * jax.random.normal(KEY, (200, MEMBERS))
    assert (jax.vmap(primal)(others) > primal(weights)).all()


def test_finite_size_without_information_does_not_inflate():
    vague = OBS.replace(error_std=1e6 * OBS.error_std)
    close(METHODS["enkf_n"].analyse(ENSEMBLE, vague).ensemble, ENSEMBLE, 1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_member_that_is_not_finite_is_isolated(name):
    keep = np.arange(MEMBERS) != 2
    spoilt = np.where(keep[:, None] | (np.arange(SIZE) != 5), ENSEMBLE, np.nan)
    analysis = METHODS[name].analyse(spoilt, OBS, key=KEY)
    assert analysis.status == Status.GOOD and analysis.healthy.tolist() == keep.tolist()
    np.testing.assert_array_equal(analysis.ensemble[2], spoilt[2])
    alone = METHODS[name].analyse(ENSEMBLE[keep], OBS, key=KEY)
    close(analysis.ensemble[keep].mean(axis=0), alone.ensemble.mean(axis=0))
    if name != "enkf":
        close(analysis.ensemble[keep], alone.ensemble)


@pytest.mark.parametrize("name", METHODS)
def test_flagged_observations(name):
    spoilt = OBS.replace(
        flag=np.array([0, 4, 0, 0]), value=jnp.where(np.arange(4) == 1, jnp.nan, OBS.value)
    )
    analysis = METHODS[name].analyse(ENSEMBLE, spoilt, key=KEY)
    keep = np.array([0, 2, 3])
    few = point_observations(OBS.value[keep], OBS.error_std[keep], INDEX[keep])
    wanted = METHODS[name].analyse(ENSEMBLE, few, key=KEY).ensemble
    close(analysis.ensemble.mean(axis=0), wanted.mean(axis=0))
    nothing = METHODS[name].analyse(ENSEMBLE, OBS.replace(flag=np.ones(4, int)), key=KEY)
    assert nothing.status == Status.NO_OBSERVATIONS
    np.testing.assert_array_equal(nothing.ensemble, ENSEMBLE)


def test_rotation_keeps_mean_and_covariance():
    good = np.arange(MEMBERS) != 2
    turn = random_rotation(KEY, jnp.asarray(good))
    close(turn @ turn.T, np.eye(MEMBERS), 1e-12)
    close(turn @ good, good, 1e-12)
    close(turn[2], np.eye(MEMBERS)[2], 1e-12)
    taper = GaspariCohn(circle(SIZE), 3.0)
    plain, turned = (
        LETKF(observe_points, taper, control=FREE, rotation=rotation).analyse(
            ENSEMBLE, OBS, key=KEY
        )
        for rotation in (False, True)
    )
    for one, other in zip(moments(plain.ensemble), moments(turned.ensemble), strict=True):
        close(one, other)
    assert np.abs(plain.ensemble - turned.ensemble).max() > 0.1


def test_numbers_are_not_drawn_without_a_key():
    for method in (METHODS["enkf"], DEnKF(observe_points, control=FREE, rotation=True)):
        with pytest.raises(InputError, match="key="):
            method.analyse(ENSEMBLE, OBS)


def test_relaxations_and_posterior_factor():
    anomalies, prior = jnp.array([[-1.0], [1.0]]), jnp.array([[-3.0], [3.0]])
    found = Inflation(perturbations=0.5, posterior=1.5).restore(anomalies, prior, 0.5)
    close(found, 1.25 * np.array([[-2.0], [2.0]]), 1e-14)
    with pytest.raises(InputError, match="posterior"):
        Inflation(posterior=0.5)


def test_adaptive_inflation_finds_the_factor():
    """Spread half of what the innovations say: the factor on the covariance is 4."""
    obs = point_observations(0.0, 0.5, np.arange(400))
    etkf, inflation = LETKF(observe_points, control=FREE), AdaptiveInflation(variance=0.5)

    @jax.jit
    def cycle(inflation, key):
        one, two, three = jax.random.split(key, 3)
        ensemble = jax.random.normal(one, (20, 400))
        truth = 2 * jax.random.normal(two, (400,)) + ensemble.mean(axis=0)
        value = truth + 0.5 * jax.random.normal(three, (400,))
        seen = obs.replace(value=value)
        found = etkf.neighbours(obs)
        return inflation.after(inflation.within(etkf).analyse(ensemble, seen, found))

    for key in jax.random.split(KEY, 8):
        inflation = cycle(inflation, key)
    assert 3.5 < inflation.factor < 4.5
    flagged = etkf.analyse(ENSEMBLE, OBS.replace(flag=np.ones(4, int)))
    assert inflation.after(flagged).factor == inflation.factor
