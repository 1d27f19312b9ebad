"""Scores: closed forms, fairness, weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.state import IceState
from floecast.emulator.losses import almost_fair_crps, errors, score, weights

from .conftest import fields, scaling


def test_crps_of_two_members_by_hand():
    # Fair: (2 + 1) / 2 - 3 / 2 = 0 for a truth between them; the standard one takes half the pair.
    members, truth = jnp.array([1.0, 4.0]), jnp.array(3.0)
    assert almost_fair_crps(members, truth, 1.0) == pytest.approx(0.0)
    assert almost_fair_crps(members, truth, 0.0) == pytest.approx(0.75)
    assert almost_fair_crps(members, truth, 0.95) == pytest.approx(0.05 * 0.75)


def test_fair_score_does_not_depend_on_the_number_of_members():
    random = np.random.default_rng(0)
    truth = random.normal(size=200_000)
    scores = [
        float(
            jnp.mean(almost_fair_crps(jnp.asarray(random.normal(size=(m, truth.size))), truth, 1))
        )
        for m in (2, 5)
    ]
    # Of a standard normal forecast of a standard normal truth: 1 / sqrt(pi).
    assert scores == pytest.approx([1 / np.sqrt(np.pi)] * 2, rel=0.01)


def test_score_is_least_for_the_right_spread():
    random = np.random.default_rng(0)
    truth, members = random.normal(size=100_000), random.normal(size=(4, 100_000))
    told = [float(jnp.mean(almost_fair_crps(jnp.asarray(s * members), truth))) for s in (0.5, 1, 2)]
    assert told[1] < min(told[0], told[2])


def test_weights_are_shares_of_sea_and_of_ice(grid):
    truth, _ = fields(grid, 0)
    share = weights(truth, grid)
    assert all(float(jnp.sum(one)) == pytest.approx(1.0) for one in share.values())
    assert np.all(share["ice_volume"][~grid.mask_t] == 0) and np.all(share["u"][~grid.mask_u] == 0)
    row, column = 5, 2
    cover = truth.concentration[row, column] + truth.concentration[row, column + 1]
    assert (share["u"][row, column] > 0) == bool(cover > 0.3)


def test_a_perfect_member_scores_nothing_and_land_does_not_count(grid):
    truth, _ = fields(grid, 0)
    change = scaling().change
    elsewhere = jax.tree.map(lambda leaf: leaf + 5.0 * (~grid.mask_t), truth)
    members = jax.tree.map(lambda leaf: leaf[None], elsewhere)
    told = score(members, truth, grid, change)
    assert all(float(told[name]) < 1e-25 for name in ("concentration", "ice_volume", "damage"))


def test_errors_and_spread_of_a_known_ensemble(grid):
    random = np.random.default_rng(0)
    truth, _ = fields(grid, 0)
    members = jax.tree.map(
        lambda leaf: leaf[None] + 0.1 * random.normal(size=(400, *leaf.shape)), truth
    )
    told = errors(IceState(**members.fields()), truth, grid)
    for name in ("ice_volume", "u"):
        error, spread = told[name]
        assert float(spread) == pytest.approx(0.01, rel=0.03) and float(error) < 1e-4
