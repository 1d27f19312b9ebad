"""One cycle after the other on Lorenz-96: better than a free run, and nothing harms it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.analysis import Status
from floecast.assimilation.asynchronous import Asynchronous
from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.covariance import HybridCovariance, MatrixCovariance
from floecast.assimilation.cycle import Recentred, cycle, padded
from floecast.assimilation.inflation import Inflation
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.members import ReducedGain
from floecast.assimilation.minimise import Minimiser
from floecast.assimilation.variational import En4DVar, Var4D
from floecast.core.errors import InputError
from floecast.core.rollout import rollout
from floecast.testbeds import Lorenz96, Unforced, observe_points, point_observations

SIZE, MEMBERS, STEPS, CYCLES = 12, 8, 4, 12
MODEL, FREE, KEY = Lorenz96(SIZE), Unbounded(), jax.random.key(3)
ETKF = Asynchronous(LETKF(observe_points, inflation=Inflation(1.1), control=FREE), MODEL, STEPS)
OPTIONS = {
    "operator": observe_points,
    "control": FREE,
    "minimiser": Minimiser(outer=2, inner=SIZE),
}
STATIC = MatrixCovariance(0.3 * np.eye(SIZE))
EN4DVAR = En4DVar(MODEL, HybridCovariance(STATIC, weight=0.8), STEPS, **OPTIONS)


@pytest.fixture(scope="module")
def truth():
    start = 3 + jax.random.normal(KEY, (SIZE,))
    start = rollout(MODEL, start, Unforced(), 200, key=KEY, start=0).final
    later = rollout(MODEL, start, Unforced(), STEPS * CYCLES, key=KEY, start=0).state
    return np.concatenate([np.asarray(start)[None], np.asarray(later)])


def observed(truth, number):
    """All variables in the middle and at the end of a window."""
    step = number * STEPS + np.repeat([2, 4], SIZE)
    index = np.tile(np.arange(SIZE), 2)
    noise = np.random.default_rng(number).normal(size=index.size)
    time = step * MODEL.dt
    return point_observations(truth[step, index] + 0.5 * noise, 0.5, index, time=time)


def first_guess(truth):
    noise = np.random.default_rng(7).normal(size=(MEMBERS + 1, SIZE))
    return jnp.asarray(truth[0] + noise[:1] + noise[1:])


def one(method, ensemble, observations, number=0, **options):
    return cycle(
        method,
        MODEL,
        ensemble,
        observations,
        Unforced(),
        start=number * STEPS * MODEL.dt,
        steps=STEPS,
        key=jax.random.fold_in(KEY, number),
        operator=observe_points,
        **options,
    )


def errors(method, truth):
    ensemble, found = first_guess(truth), []
    for number in range(CYCLES):
        ensemble = one(method, ensemble, observed(truth, number), number).analysis.ensemble
        error = np.mean(ensemble, axis=0) - truth[(number + 1) * STEPS]
        found.append(np.sqrt(np.mean(error**2)))
    return found


def test_every_method_knows_more_than_a_free_run(truth):
    free = np.mean(errors(None, truth)[4:])
    assert free > 2
    gained = En4DVar(
        MODEL, EN4DVAR.covariance, STEPS, members=ReducedGain(Inflation(1.1)), **OPTIONS
    )
    static = Recentred(Var4D(MODEL, STATIC, STEPS, **OPTIONS), ETKF)
    for method in (ETKF, Recentred(EN4DVAR, ETKF), gained, static):
        assert np.mean(errors(method, truth)[4:]) < 0.35


def test_members_of_the_filter_stand_about_the_variational_analysis(truth):
    ensemble, obs = first_guess(truth), observed(truth, 0)
    found = one(Recentred(EN4DVAR, ETKF), ensemble, obs).variational
    alone = EN4DVAR.analyse(ensemble, obs, Unforced(), start=0, key=KEY)
    np.testing.assert_allclose(np.mean(found.ensemble, axis=0), alone.state, atol=1e-6)


def test_nothing_observed_is_a_free_run_to_the_bit(truth):
    ensemble = first_guess(truth)
    free = one(None, ensemble, observed(truth, 0)).analysis.ensemble
    nothing = observed(truth, 0)
    nothing = nothing.replace(flag=np.ones_like(nothing.flag))
    empty = jax.tree.map(lambda field: field[:0], nothing)
    for method in (ETKF, Recentred(EN4DVAR, ETKF)):
        for obs in (nothing, empty):
            found = one(method, ensemble, obs).analysis
            assert found.status == Status.NO_OBSERVATIONS
            assert (np.asarray(found.ensemble) == np.asarray(free)).all()
            assert found.equivalents.shape == (MEMBERS, obs.size)


def test_a_lost_member_does_not_harm_the_others(truth):
    ensemble, obs = first_guess(truth).at[3].set(jnp.nan), observed(truth, 0)
    found = one(Recentred(EN4DVAR, ETKF), ensemble, obs).analysis
    assert found.member_status.tolist() == [0, 0, 0, Status.MEMBER_NOT_FINITE, 0, 0, 0, 0]
    assert np.isfinite(np.delete(found.ensemble, 3, axis=0)).all()


def test_the_check_sees_the_background_and_its_flags_count(truth):
    ensemble, obs = first_guess(truth), observed(truth, 0)
    absurd = obs.replace(value=np.where(np.arange(obs.size) == 5, 1e20, obs.value))

    def check(observations, equivalents):
        far = np.abs(observations.value - np.mean(equivalents, axis=0)) > 50
        return observations.replace(flag=observations.flag | far)

    found = one(ETKF, ensemble, absurd, check=check).analysis
    assert np.flatnonzero(found.observations.flag).tolist() == [5]
    without = one(ETKF, ensemble, jax.tree.map(lambda f: np.delete(f, 5), obs)).analysis
    np.testing.assert_allclose(found.ensemble, without.ensemble, atol=1e-9)


def test_bad_use_is_refused(truth):
    ensemble, obs = first_guess(truth), observed(truth, 0)
    with pytest.raises(InputError, match="En4DVar has no members"):
        one(EN4DVAR, ensemble, obs)
    short = En4DVar(MODEL, EN4DVAR.covariance, 2, members=ReducedGain(), **OPTIONS)
    with pytest.raises(InputError, match=f"is {2 * MODEL.dt} s long and that of the cycle"):
        one(short, ensemble, obs)


def test_what_fills_up_observations_has_a_flag(truth):
    obs = observed(truth, 0)
    more = padded(obs, 30)
    assert more.size == 30 and (more.flag[obs.size :] != 0).all() and (more.error_std > 0).all()
    assert (more.value[: obs.size] == obs.value).all()
