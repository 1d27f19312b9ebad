"""Filters along a window: the Kalman filter, one instant, and what must not harm them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.analysis import Status
from floecast.assimilation.asynchronous import Asynchronous
from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.getkf import GETKF
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.localisation import GaspariCohn
from floecast.assimilation.modulation import EigenRoot
from floecast.assimilation.transform import EnKFN
from floecast.core.errors import InputError
from floecast.testbeds import Unforced, circle, observe_points, point_observations

MEMBERS, SIZE, STEPS = 6, 8, 4
RNG = np.random.default_rng(3)
ENSEMBLE = jnp.asarray(3 + 0.3 * RNG.normal(size=(MEMBERS, SIZE)))
FREE, KEY = Unbounded(), jax.random.key(1)
INDEX, TIME = np.array([0, 2, 3, 5, 7, 1, 1]), np.array([0, 12, 40, 20, 33, 20, 5])
AT = np.array([0, 1, 4, 2, 3, 2, 1])
OBS = point_observations(3 + RNG.normal(size=7), RNG.uniform(0.5, 1, 7), INDEX, time=TIME)


class Turning:
    """A linear model."""

    grid, dt = None, 10
    matrix = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0] * 1.1

    def step(self, state, forcing, key):
        return self.matrix @ state


def close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def run(method, ensemble=ENSEMBLE, observations=OBS):
    return method.analyse(ensemble, observations, Unforced(), start=0, key=KEY)


ETKF = Asynchronous(LETKF(observe_points, control=FREE), Turning(), STEPS, batch=3)


def test_linear_model_gives_the_kalman_filter():
    found = run(ETKF)
    powers = [np.linalg.matrix_power(Turning.matrix, k) for k in range(STEPS + 1)]
    seen = np.stack([powers[k][i] for k, i in zip(AT, INDEX, strict=True)])
    mean, prior = np.mean(ENSEMBLE, axis=0), np.cov(np.asarray(ENSEMBLE).T)
    gain = prior @ seen.T @ np.linalg.inv(seen @ prior @ seen.T + np.diag(OBS.error_std**2))
    mean, after = mean + gain @ (OBS.value - seen @ mean), prior - gain @ seen @ prior
    close(np.mean(found.ensemble, axis=0), powers[-1] @ mean)
    close(np.cov(np.asarray(found.ensemble).T), powers[-1] @ after @ powers[-1].T)
    close(np.mean(found.equivalents, axis=0), seen @ mean)
    close(found.background, np.asarray(ENSEMBLE) @ powers[-1].T)


def test_no_window_is_the_filter_itself():
    local = LETKF(observe_points, GaspariCohn(circle(SIZE), 3.0), control=FREE)
    now = OBS.replace(time=np.zeros(7, int))
    found, wanted = (
        Asynchronous(local, Turning()).analyse(ENSEMBLE, now),
        local.analyse(ENSEMBLE, now),
    )
    close(found.ensemble, wanted.ensemble, 1e-14)
    close(found.equivalents, wanted.equivalents, 1e-14)


def test_flags_and_what_lies_outside_count_for_nothing():
    flagged = OBS.replace(value=OBS.value + 99 * (INDEX == 1), flag=np.where(INDEX == 1, 1, 0))
    without = jax.tree.map(lambda field: field[INDEX != 1], OBS)
    close(run(ETKF, observations=flagged).ensemble, run(ETKF, observations=without).ensemble)
    late = OBS.replace(time=np.where(INDEX == 1, 900, TIME), value=OBS.value + 99 * (INDEX == 1))
    close(run(ETKF, observations=late).ensemble, run(ETKF, observations=without).ensemble)
    nothing = run(ETKF, observations=OBS.replace(flag=np.ones(7, int)))
    assert nothing.status == Status.NO_OBSERVATIONS
    assert (np.asarray(nothing.ensemble) == np.asarray(nothing.background)).all()


def test_a_member_lost_on_the_way_is_left_out():
    broken = ENSEMBLE.at[2].set(jnp.nan)
    found, wanted = run(ETKF, broken), run(ETKF, jnp.delete(ENSEMBLE, 2, axis=0))
    close(jnp.delete(found.ensemble, 2, axis=0), wanted.ensemble)
    assert (
        found.member_status[2] == Status.MEMBER_NOT_FINITE and np.isnan(found.equivalents[2]).all()
    )


def test_each_member_may_have_its_own_forcing():
    finite = Asynchronous(EnKFN(observe_points, control=FREE), Turning(), STEPS)
    each = finite.analyse(ENSEMBLE, OBS, [Unforced()] * MEMBERS, start=0, key=KEY)
    close(each.ensemble, run(finite).ensemble, 1e-14)


def test_bad_use_is_refused():
    with pytest.raises(InputError, match="2 forcings for 6 members"):
        ETKF.analyse(ENSEMBLE, OBS, [Unforced()] * 2, start=0, key=KEY)
    with pytest.raises(InputError, match="give both"):
        ETKF.analyse(ENSEMBLE, OBS, start=0)
    root = EigenRoot.of_taper(GaspariCohn(circle(SIZE), 3.0))
    with pytest.raises(InputError, match="one instant"):
        run(Asynchronous(GETKF(root, observe_points, control=FREE), Turning(), STEPS))
