"""Thinning: what stays, and that the best of neighbours does."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.observation.observations import FLAGS, Observations, observations
from floecast.observation.thinning import thin_distance, thin_every


def made(x, y=0.0, error=0.1, kind="concentration", time=0, flag=0):
    count = len(x)
    return observations(
        kind, np.zeros(count), error, x, y, time, np.zeros(count), np.ones(count), flag=flag
    )


def test_every_third_of_each_kind_and_time():
    parts = [made(np.arange(7.0)), made(np.arange(4.0), time=5), made([0.0], kind="thickness")]
    obs = Observations.concatenate(parts)
    mixed = np.random.default_rng(0).permutation(obs.size)
    kept = thin_every(obs, 3).flag == 0
    assert kept.tolist() == [True, False, False] * 2 + [True] + [True, False, False, True, True]
    assert (thin_every(obs.select(mixed), 3).flag == 0).sum() == 3 + 2 + 1
    assert (thin_every(obs, 1).flag == 0).all()
    # Bad ones neither count nor gain a second flag.
    spoilt = thin_every(made(np.arange(6.0), flag=[4, 0, 4, 0, 0, 4]), 2)
    assert spoilt.flag.tolist() == [4, 0, 4, FLAGS["thinned"], 0, 4]


def test_distance_keeps_the_least_error():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 1e6, (2, 300))
    error = rng.uniform(0.1, 1.0, 300)
    obs = made(x, y, error)
    kept = thin_distance(obs, 100e3).flag == 0
    far = np.hypot(np.subtract.outer(x, x), np.subtract.outer(y, y))
    among = far[np.ix_(kept, kept)][~np.eye(kept.sum(), dtype=bool)]
    assert among.min() >= 100e3
    # Whoever went had a better one near that stayed.
    near = (far < 100e3) & kept[None]
    assert (np.where(near, error[None], np.inf).min(axis=1)[~kept] < error[~kept]).all()
    assert kept[np.argmin(error)] and 20 < kept.sum() < 100


def test_distance_of_a_row_and_of_others_alone():
    row = made(np.arange(6) * 10e3)
    assert (thin_distance(row, 20e3).flag == 0).tolist() == [True, False] * 3
    apart = Observations.concatenate([row, made([0.0], time=9), made([0.0], kind="thickness")])
    assert (thin_distance(apart, 1e6).flag == 0).tolist() == [True] + 5 * [False] + [True, True]
    flagged = made([0.0, 1.0], flag=[1, 0])
    assert thin_distance(flagged, 1e3).flag.tolist() == [1, 0]


@pytest.mark.parametrize(
    "call",
    [lambda o: thin_every(o, 0), lambda o: thin_every(o, 1.5), lambda o: thin_distance(o, 0.0)],
)
def test_refuses(call):
    with pytest.raises(InputError):
        call(made([0.0]))
