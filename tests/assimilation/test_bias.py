"""Bias correction of sensors in scalar twins, against a full Kalman filter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.assimilation.analysis import Analysis, Status
from floecast.assimilation.bias import BiasCorrection
from floecast.core.errors import InputError
from floecast.observation.observations import KINDS, Observations, observations

MEMBERS, SENSORS = 40, 20
ERROR = 0.2
# The anchors see the same as the sensor; what they are called does not matter.
SENSOR, ANCHOR = "thickness", "freeboard"


def made(kind, count, error=ERROR, cell=0, group=0):
    return observations(
        kind, np.zeros(count), error, 0.0, 0.0, 0, np.full(count, cell), np.ones(count), group=group
    )


BOTH = Observations.concatenate([made(SENSOR, SENSORS), made(ANCHOR, SENSORS)])


def analysis_of(members, seen, flag=None, status=Status.GOOD):
    """Of an ensemble of one number, as the sensors see it; the analysis itself by hand."""
    seen = seen if flag is None else seen.replace(flag=flag)
    equivalents = jnp.repeat(members[:, None], seen.size, axis=1)
    health = jnp.zeros(members.shape[0], int)
    return Analysis(members, members, seen, equivalents, equivalents, health, jnp.asarray(status))


@jax.jit
def after_of(correction, analysis):
    return correction.after(analysis)


@jax.jit
def run(correction, sensor_bias, model_bias, flag, keys):
    """Estimate and error of the analysis along cycles."""
    biased = jnp.where(BOTH.kind == KINDS.index(SENSOR), sensor_bias, 0.0)
    obs = jax.tree.map(jnp.asarray, BOTH).replace(flag=flag)

    def cycle(carry, key):
        truth, members, correction = carry
        keys = jax.random.split(key, 3)
        truth = 0.9 * truth + 0.2 * jax.random.normal(keys[0])
        members = 0.9 * members + model_bias + 0.2 * jax.random.normal(keys[1], (MEMBERS,))
        raw = truth + biased + ERROR * jax.random.normal(keys[2], biased.shape)
        seen = correction.apply(obs.replace(value=raw))
        found = correction.after(analysis_of(members, seen))
        used = obs.flag == 0
        precision = jnp.sum(used) / ERROR**2
        spread = jnp.var(members, ddof=1)
        gain = spread * precision / (1 + spread * precision)
        departure = jnp.sum(jnp.where(used, seen.value, 0.0)) / jnp.sum(used) - members.mean()
        anomalies = (members - members.mean()) * jnp.sqrt(1 - gain)
        after = members.mean() + gain * departure + anomalies
        return (truth, after, found), (found.of(SENSOR)[0][0], after.mean() - truth)

    start = (0.0, jnp.asarray(np.random.default_rng(0).normal(size=MEMBERS)), correction)
    return jax.lax.scan(cycle, start, keys)[1]


def twin(correction, *, sensor_bias, model_bias, anchors):
    """Mean over the last half of the cycles of the estimate and of the error of the analysis."""
    flag = np.where(np.asarray(BOTH.kind) == KINDS.index(ANCHOR), 0 if anchors else 1, 0)
    keys = jax.random.split(jax.random.key(0), 300)
    estimate, error = run(correction, sensor_bias, model_bias, flag, keys)
    return float(estimate[150:].mean()), float(error[150:].mean())


def test_finds_the_bias_of_a_sensor():
    correction = BiasCorrection({SENSOR: 0.5}, memory=0.995)
    estimate, error = twin(correction, sensor_bias=0.4, model_bias=0.0, anchors=True)
    assert abs(estimate - 0.4) < 0.03 and abs(error) < 0.03
    # Where nothing is corrected the analysis is off by half of it.
    nothing = BiasCorrection({SENSOR: 1e-9}, memory=0.995)
    assert twin(nothing, sensor_bias=0.4, model_bias=0.0, anchors=True)[1] > 0.15


def test_anchors_keep_it_from_following_the_model():
    correction = BiasCorrection({SENSOR: 0.5}, memory=0.995)
    for bias in (0.0, 0.4):
        estimate, _ = twin(correction, sensor_bias=bias, model_bias=0.1, anchors=True)
        assert abs(estimate - bias) < 0.04
    # The limit: without anchors it becomes minus the bias of the free model, which is 1.
    estimate, _ = twin(correction, sensor_bias=0.0, model_bias=0.1, anchors=False)
    assert estimate < -0.3


def test_one_update_is_the_kalman_filter_of_state_and_bias():
    rng = np.random.default_rng(3)
    members = 1.5 + rng.normal(size=MEMBERS)
    value = rng.normal(size=BOTH.size) + 2
    error = rng.uniform(0.1, 0.5, BOTH.size)
    flag = (rng.uniform(size=BOTH.size) < 0.2).astype(int)
    # One group for some of the sensors.
    group = np.where(np.arange(BOTH.size) < 6, 7, 0)
    obs = BOTH.replace(value=value, error_std=error, flag=flag, group=group)
    obs = obs.replace(value=np.where(flag, 1e20, value))
    correction = BiasCorrection({SENSOR: 0.5}, memory=0.9, shared_error=0.3)
    after = after_of(correction, analysis_of(jnp.asarray(members), obs))
    # All sensors one by one, unknowns state and bias. The filter of the mean is the same if the
    # errors of the mean are, which for a group is so only with its own weights: use them.
    used = flag == 0
    mean, noise = [], []
    for kind in (SENSOR, ANCHOR):
        some = used & (BOTH.kind == KINDS.index(kind))
        weight = error[some] ** -2 / np.sum(error[some] ** -2)
        covariance = np.diag(error[some] ** 2)
        alike = (group[some][:, None] == group[some]) & (group[some] > 0)
        shared = 0.3 * np.outer(error[some], error[some]) * alike
        covariance = np.where(np.eye(some.sum(), dtype=bool), covariance, shared)
        mean.append(weight @ value[some])
        noise.append(weight @ covariance @ weight)
    prior = np.diag([members.var(ddof=1), 0.25])
    operator = np.array([[1.0, 1.0], [1.0, 0.0]])
    gain = prior @ operator.T @ np.linalg.inv(operator @ prior @ operator.T + np.diag(noise))
    expected = gain[1] @ (np.array(mean) - members.mean())
    left = (np.eye(2) - gain @ operator) @ prior
    np.testing.assert_allclose(after.bias, [0.9 * expected], rtol=1e-10)
    np.testing.assert_allclose(after.covariance, [[0.81 * left[1, 1] + 0.19 * 0.25]], rtol=1e-10)


def test_regions_and_kinds_have_their_own():
    regions = np.array([[0, 1], [1, 2]])
    correction = BiasCorrection({ANCHOR: 1.0, SENSOR: 2.0}, regions=regions)
    obs = Observations.concatenate([made(SENSOR, 50, cell=1), made(SENSOR, 30, cell=3)])
    obs = obs.replace(value=np.where(np.arange(80) < 50, 1.0, -1.0))
    members = jnp.asarray(1e-3 * np.random.default_rng(0).normal(size=MEMBERS))
    after = after_of(correction, analysis_of(members, obs))
    np.testing.assert_allclose(after.of(SENSOR)[0], [0, 1, -1], atol=5e-3)
    np.testing.assert_allclose(after.of(ANCHOR)[0], 0)
    assert (after.of(SENSOR)[1][1:] < 0.05).all() and after.of(SENSOR)[1][0] == 2
    corrected = after.apply(Observations.concatenate([obs, made(ANCHOR, 1)]))
    np.testing.assert_allclose(corrected.value[:80], 0, atol=5e-3)
    np.testing.assert_allclose(corrected.value[80:], 0)


def test_forgets_where_nothing_is_seen():
    known = BiasCorrection({SENSOR: 0.5}, memory=0.8)
    members = jnp.asarray(np.random.default_rng(0).normal(size=MEMBERS))
    learnt = after_of(known, analysis_of(members, BOTH.replace(value=BOTH.value + 3.0)))
    for nothing in (
        analysis_of(members, BOTH, flag=np.ones(BOTH.size, int)),
        analysis_of(members, BOTH, status=Status.TOO_FEW_MEMBERS),
    ):
        after = after_of(learnt, nothing)
        np.testing.assert_allclose(after.bias, 0.8 * learnt.bias, rtol=1e-12)
        assert learnt.covariance < after.covariance < 0.25
    forever = after_of(BiasCorrection({SENSOR: 0.5}), nothing)
    assert forever.bias == 0 and forever.covariance == 0.25


def test_single_precision_is_finite():
    single = [
        jax.tree.map(
            lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == float else leaf,
            jax.tree.map(jnp.asarray, made),
        )
        for made in (BiasCorrection({SENSOR: 0.1}), BOTH)
    ]
    after = single[0]
    for _ in range(20):
        members = jnp.linspace(1, 1.001, MEMBERS, dtype=jnp.float32)
        after = after_of(after, analysis_of(members, after.apply(single[1])))
    assert after.bias.dtype == jnp.float32 and np.isfinite(after.bias).all()
    assert after.covariance > 0 and abs(after.bias + 1) < 0.05


def test_without_observations():
    members = jnp.asarray(np.random.default_rng(0).normal(size=MEMBERS))
    after = BiasCorrection({SENSOR: 0.5}).after(analysis_of(members, BOTH.select(slice(0, 0))))
    assert after.bias == 0


@pytest.mark.parametrize(
    ("prior", "fields"),
    [
        ({"salinity": 1.0}, {}),
        ({}, {}),
        ({SENSOR: 0.0}, {}),
        ({SENSOR: 1.0}, {"memory": 0.0}),
        ({SENSOR: 1.0}, {"shared_error": 1.0}),
        ({SENSOR: 1.0}, {"regions": np.array([[0.5]])}),
        ({SENSOR: 1.0}, {"regions": np.array([[-1]])}),
    ],
)
def test_refuses(prior, fields):
    with pytest.raises(InputError):
        BiasCorrection(prior, **fields)
