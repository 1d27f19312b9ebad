"""Statistics of departures against hand counts and known statistics."""

import numpy as np
import pytest

from floecast.assimilation.bounds import Unbounded
from floecast.assimilation.diagnostics import innovation_statistics
from floecast.assimilation.kalman import LETKF
from floecast.assimilation.localisation import GaspariCohn
from floecast.observation.observations import Observations, observations


def made(value, error=1.0, kind="thickness", **fields):
    count = np.size(value)
    return observations(
        kind,
        value,
        error,
        np.arange(count) * 1.0,
        0.0,
        0,
        np.arange(count),
        np.ones(count),
        **fields,
    )


def drawn(seed, count=6000, members=40, background=0.8, error=0.5):
    """Independent cells with known errors, in groups of one cell each."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=count)
    centre = truth + background * rng.normal(size=count)
    ensemble = centre + background * rng.normal(size=(members, count))
    return ensemble, made(truth + error * rng.normal(size=count), error)


def test_right_statistics_are_recognised():
    ensemble, obs = drawn(0)
    places = np.stack([obs.x, obs.y], axis=-1)
    letkf = LETKF(lambda state, obs: state, GaspariCohn(places, 0.4), control=Unbounded())
    found = innovation_statistics(letkf.analyse(ensemble, obs))
    assert set(found) == {"thickness", "all"}
    assert found["all"] == found["thickness"]
    numbers = found["all"]
    gain = 0.64 / (0.64 + 0.25)
    assert numbers["count"] == 6000
    assert numbers["chi2"] == pytest.approx(1.0, abs=0.06)
    assert numbers["innovation_rms"] == pytest.approx(np.sqrt(0.89), rel=0.05)
    assert numbers["observation_variance"] == pytest.approx(0.25, rel=0.08)
    assert numbers["background_variance"] == pytest.approx(0.64, rel=0.08)
    assert numbers["analysis_variance"] == pytest.approx(gain * 0.25, rel=0.1)
    assert numbers["assumed_observation_variance"] == pytest.approx(0.25)
    assert numbers["signal"] == pytest.approx(6000 * gain, rel=0.05)


def test_signal_is_the_trace_of_the_influence_matrix():
    rng = np.random.default_rng(2)
    ensemble, matrix = rng.normal(size=(6, 5)), rng.normal(size=(4, 5))
    obs = made(rng.normal(size=4), rng.uniform(0.5, 1, 4))
    analysis = LETKF(lambda s, o: matrix @ s, control=Unbounded()).analyse(ensemble, obs)
    spread = matrix @ np.cov(ensemble.T) @ matrix.T
    influence = spread @ np.linalg.inv(spread + np.diag(obs.error_std**2))
    found = innovation_statistics(analysis)["all"]["signal"]
    assert found == pytest.approx(np.trace(influence), abs=1e-10)


def test_each_kind_has_its_own_row():
    obs = Observations.concatenate(
        [made([0.0, 1.0]), made([0.5], kind="concentration"), made([3.0], kind="drift_u", flag=8)]
    )
    analysis = LETKF(lambda s, o: s, control=Unbounded()).analyse(
        np.random.default_rng(0).normal(size=(5, 4)), obs
    )
    found = innovation_statistics(analysis)
    assert {name: row["count"] for name, row in found.items()} == {
        "thickness": 2,
        "concentration": 1,
        "all": 3,
    }
