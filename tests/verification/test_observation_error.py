"""Ensembles scored against observations with an error."""

import numpy as np

from floecast.verification import probabilistic
from floecast.verification.observation_error import perturbed_members

SHAPE, STD = (80, 80), 0.1


def flatness(members, observed, rng):
    counts = probabilistic.rank_histogram(members, observed, weights=np.ones(SHAPE), rng=rng).counts
    return counts / counts.mean()


def test_ranks_are_flat_only_with_perturbed_members():
    # Truth and members from one law, full of atoms at 0 and 1; observations cut to the bounds.
    rng = np.random.default_rng(0)
    ice = (rng.uniform(-0.2, 1.2, SHAPE) + 0.1 * rng.normal(size=(11, *SHAPE))).clip(0, 1)
    observed = (ice[0] + STD * rng.normal(size=SHAPE)).clip(0, 1)
    seen = perturbed_members(ice[1:], STD, rng=rng, lower=0, upper=1)
    np.testing.assert_allclose(flatness(seen, observed, rng), 1, atol=0.15)
    assert np.ptp(flatness(ice[1:], observed, rng)) > 0.5
    # An error that is not cut has no mean at the bounds: the members no longer match.
    uncut = perturbed_members(ice[1:], STD, rng=rng)
    assert np.ptp(flatness(uncut, observed, rng)) > 0.5


def test_no_error_changes_nothing_and_the_generator_decides():
    rng = np.random.default_rng
    ensemble = rng(1).random((3, 4, 5))
    np.testing.assert_array_equal(perturbed_members(ensemble, 0.0, rng=rng(2)), ensemble)
    first, again = (perturbed_members(ensemble, 0.1, rng=rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (perturbed_members(ensemble, 0.1, rng=rng(4)) != first).all()
