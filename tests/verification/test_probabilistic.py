"""Scores of an ensemble against one field."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.core.errors import InputError
from floecast.verification import probabilistic as prob
from floecast.verification.deterministic import mean_absolute_error

ONE = np.ones((1, 1))


def cell(*values):
    """Members or a truth in a single cell."""
    return np.array(values, dtype=float)[:, None, None]


def reliable(members, shape, *, seed=0, spread=0.5):
    """Ensemble and truth drawn from one distribution that varies from cell to cell."""
    rng = np.random.default_rng(seed)
    draws = rng.normal(size=shape) + spread * rng.normal(size=(members + 1, *shape))
    return draws[1:], draws[0]


@pytest.mark.parametrize(
    ("members", "truth", "ecdf", "fair"),
    [
        ((0, 1), 0, 0.25, 0.0),
        ((1, 2, 4), 2.5, 0.5, 1 / 6),
        ((0, 0, 0.4, 1), 1, 0.4375, 0.366667),
    ],
)
def test_crps_table(members, truth, ecdf, fair):
    truth = cell(truth)[0]
    assert prob.crps(cell(*members), truth, weights=ONE) == pytest.approx(ecdf, abs=1e-6)
    assert prob.crps(cell(*members), truth, weights=ONE, fair=True) == pytest.approx(fair, abs=1e-6)


@pytest.mark.parametrize(
    ("mean", "std", "censored", "truth", "expected"),
    [
        (0, 1, False, 0, 0.233695),
        (0.2, 0.3, True, 0, 0.115032),
        (0.9, 0.2, True, 1, 0.059403),
    ],
)
def test_crps_of_closed_forms(mean, std, censored, truth, expected):
    law = NormalDist(mean, std)
    members = np.array([law.inv_cdf((i + 0.5) / 20_000) for i in range(20_000)])
    if censored:
        members = members.clip(0, 1)
    value = prob.crps(members[:, None, None], cell(truth)[0], weights=ONE)
    assert value == pytest.approx(expected, abs=2e-6)


def test_crps_equals_the_double_sum():
    ensemble, truth = reliable(7, (4, 5))
    pairs = np.abs(ensemble[:, None] - ensemble[None]).sum(axis=(0, 1))
    distance = np.abs(ensemble - truth).mean(axis=0)
    for fair, count in ((False, 49), (True, 42)):
        expected = distance - pairs / (2 * count)
        np.testing.assert_allclose(prob.crps_cells(ensemble, truth, fair=fair), expected)


def test_one_member_gives_the_absolute_error():
    ensemble, truth = reliable(1, (6, 7))
    weights = np.random.default_rng(1).random((6, 7))
    assert prob.crps(ensemble, truth, weights=weights) == pytest.approx(
        mean_absolute_error(ensemble[0], truth, weights=weights)
    )


def test_fair_forms_do_not_depend_on_the_number_of_members():
    shape = (250, 250)
    weights = np.ones(shape)
    large, truth = reliable(60, shape, seed=4)
    for score in (
        lambda ensemble: prob.crps(ensemble, truth, weights=weights, fair=True),
        lambda ensemble: prob.brier(ensemble, truth, weights=weights, threshold=0.3, fair=True),
    ):
        assert score(large[:3]) == pytest.approx(score(large), rel=0.02)
    plain = prob.crps(large[:3], truth, weights=weights)
    assert plain > 1.2 * prob.crps(large, truth, weights=weights)


def test_brier_table():
    members, truth = cell(1, 1, 1, 0, 0), cell(1)[0]
    options = {"weights": ONE, "threshold": 0.15}
    assert prob.brier(members, truth, **options) == pytest.approx(0.16)
    assert prob.brier(members, truth, **options, fair=True) == pytest.approx(0.10)


def test_spread_skill_by_hand():
    ensemble = np.array([[[0.0, 1.0]], [[2.0, 5.0]]])
    truth = np.array([[2.0, 0.0]])
    # Variances 2 and 8 with weights 3 and 1, squared errors 1 and 9, factor (M + 1) / M = 3 / 2.
    value = prob.spread_skill(ensemble, truth, weights=np.array([[3.0, 1.0]]))
    assert value == pytest.approx(np.sqrt((1.5 * 14 / 4) / (12 / 4)))


@pytest.mark.parametrize("members", [2, 8])
def test_reliable_ensemble_has_spread_equal_to_error(members):
    ensemble, truth = reliable(members, (400, 400))
    weights = np.ones((400, 400))
    assert prob.spread_skill(ensemble, truth, weights=weights) == pytest.approx(1, abs=0.01)
    assert prob.reduced_variable(ensemble, truth, weights=weights) == pytest.approx(1, abs=0.02)
    observed = truth + np.random.default_rng(9).normal(scale=0.7, size=truth.shape)
    assert prob.spread_skill(ensemble, observed, weights=weights) < 0.8
    for score in (prob.spread_skill, prob.reduced_variable):
        value = score(ensemble, observed, weights=weights, error_std=0.7)
        assert value == pytest.approx(1, abs=0.02)
    narrow = ensemble.mean(axis=0) + 0.2 * (ensemble - ensemble.mean(axis=0))
    assert prob.reduced_variable(narrow, truth, weights=weights) == pytest.approx(25, abs=0.5)
    assert prob.spread_skill(narrow, truth, weights=weights) == pytest.approx(0.2, abs=0.01)


def test_ranks_of_a_reliable_ensemble_are_flat():
    ensemble, truth = reliable(4, (300, 300))
    result = prob.rank_histogram(
        ensemble, truth, weights=np.ones(truth.shape), rng=np.random.default_rng(0)
    )
    assert result.tied_fraction == 0
    np.testing.assert_allclose(result.counts / truth.size, 0.2, atol=0.01)


def test_ties_are_shared_at_random():
    ensemble, truth = reliable(5, (300, 300))
    ensemble, truth = ensemble.clip(0, 1), truth.clip(0, 1)
    weights = np.ones(truth.shape)
    result = prob.rank_histogram(ensemble, truth, weights=weights, rng=np.random.default_rng(0))
    tied = (ensemble == truth).all(axis=0)
    assert result.tied_fraction == tied.mean() > 0.1
    assert result.counts.sum() == (~tied).sum()
    # An atom may be left out only as a whole: the rest is not exactly exchangeable, but no rank
    # collects the ties, which are a third of the cells.
    np.testing.assert_allclose(result.counts / result.counts.sum(), 1 / 6, atol=0.03)


def test_rank_by_hand_and_repeatable():
    ensemble, truth = cell(0, 0, 3), cell(0)[0]
    options = {"weights": ONE}
    ranks = {
        int(
            prob.rank_histogram(
                ensemble, truth, **options, rng=np.random.default_rng(seed)
            ).counts.argmax()
        )
        for seed in range(30)
    }
    assert ranks == {0, 1, 2}
    above = prob.rank_histogram(ensemble, cell(2)[0], **options, rng=np.random.default_rng(0))
    assert above.counts.tolist() == [0, 0, 1, 0]


def test_observation_error_widens_the_members():
    ensemble, truth = reliable(4, (300, 300))
    observed = truth + np.random.default_rng(9).normal(scale=0.7, size=truth.shape)
    options = {"weights": np.ones(truth.shape)}
    sharp = prob.rank_histogram(ensemble, observed, **options, rng=np.random.default_rng(0))
    wide = prob.rank_histogram(
        ensemble, observed, **options, rng=np.random.default_rng(1), error_std=0.7
    )
    assert sharp.counts[0] > 0.25 * truth.size
    np.testing.assert_allclose(wide.counts / truth.size, 0.2, atol=0.01)


@pytest.mark.parametrize(("members", "level"), [(9, 0.6), (9, 0.8), (19, 0.9)])
def test_coverage_of_a_reliable_ensemble_is_nominal(members, level):
    ensemble, truth = reliable(members, (200, 200))
    value = prob.interval_coverage(ensemble, truth, weights=np.ones(truth.shape), level=level)
    assert value == pytest.approx(level, abs=0.01)


def test_small_ensembles_are_refused():
    ensemble, truth = reliable(1, (2, 2))
    weights = np.ones((2, 2))
    with pytest.raises(InputError, match="at least 2 members"):
        prob.crps(ensemble, truth, weights=weights, fair=True)
    with pytest.raises(InputError, match="at least 2 members"):
        prob.brier(ensemble, truth, weights=weights, threshold=0.15, fair=True)
    with pytest.raises(InputError, match="at least 2 members"):
        prob.spread_skill(ensemble, truth, weights=weights)
    with pytest.raises(InputError, match=r"at most 0\.818 with 10 members"):
        prob.interval_coverage(*reliable(10, (2, 2)), weights=weights, level=0.9)


def all_scores(ensemble, truth, weights):
    options = {"weights": weights}
    ranks = prob.rank_histogram(ensemble, truth, **options, rng=np.random.default_rng(0))
    return [
        prob.crps(ensemble, truth, **options),
        prob.crps(ensemble, truth, **options, fair=True),
        prob.brier(ensemble, truth, **options, threshold=0.15),
        prob.brier(ensemble, truth, **options, threshold=0.15, fair=True),
        prob.spread_skill(ensemble, truth, **options),
        prob.reduced_variable(ensemble, truth, **options, error_std=0.1),
        prob.interval_coverage(ensemble, truth, **options, level=0.5),
        *ranks.counts,
        ranks.tied_fraction,
    ]


@given(seed=st.integers(0, 2**32 - 1))
def test_members_and_cells_may_be_permuted(seed):
    rng = np.random.default_rng(seed)
    ensemble, truth = rng.random((5, 1, 12)), rng.random((1, 12))
    weights = rng.random((1, 12)) * (rng.random((1, 12)) > 0.2)
    reference = all_scores(ensemble, truth, weights)
    members, cells = rng.permutation(5), rng.permutation(12)
    shuffled = all_scores(ensemble[members][..., cells], truth[:, cells], weights[:, cells])
    np.testing.assert_allclose(shuffled, reference, rtol=1e-9)


@pytest.mark.parametrize("fill", [np.nan, np.inf, 1e20])
def test_masked_cells_do_not_matter(fill):
    ensemble, truth = reliable(6, (9, 9))
    ensemble, truth = ensemble.clip(0, 1), truth.clip(0, 1)
    weights = np.ones((9, 9)) * (np.random.default_rng(2).random((9, 9)) > 0.4)
    reference = all_scores(ensemble, truth, weights)
    filled = (np.where(weights > 0, field, fill) for field in (ensemble, truth))
    np.testing.assert_array_equal(all_scores(*filled, weights), reference)


def test_leading_axes_equal_a_loop():
    ensemble, truth = reliable(6, (3, 8, 9))
    weights = np.random.default_rng(2).random((8, 9))
    for score in (prob.crps, prob.spread_skill):
        loop = [score(ensemble[:, k], truth[k], weights=weights) for k in range(3)]
        np.testing.assert_allclose(score(ensemble, truth, weights=weights), loop)


def test_threshold_weighted_crps_is_an_integral_over_thresholds():
    rng = np.random.default_rng(5)
    ensemble, truth = rng.random((4, 1, 1)), rng.random((1, 1))
    lower, upper = 0.2, 0.7
    edges = np.linspace(lower, upper, 20001)
    middle = (edges[1:] + edges[:-1]) / 2
    step = (ensemble[:, 0, 0] <= middle[:, None]).mean(axis=1) - (truth[0, 0] <= middle)
    value = prob.threshold_weighted_crps(
        ensemble, truth, weights=np.ones((1, 1)), lower=lower, upper=upper
    )
    assert value == pytest.approx(np.mean(step**2) * (upper - lower), abs=1e-4)


def test_ranges_add_up_to_the_crps_and_the_wrong_order_is_refused():
    rng = np.random.default_rng(6)
    ensemble, truth, weights = rng.random((4, 5, 6)), rng.random((5, 6)), rng.random((5, 6))
    for fair in (False, True):
        options = {"weights": weights, "fair": fair}
        parts = [
            prob.threshold_weighted_crps(ensemble, truth, **bounds, **options)
            for bounds in ({"upper": 0.15}, {"lower": 0.15, "upper": 0.8}, {"lower": 0.8})
        ]
        whole = prob.crps(ensemble, truth, **options)
        assert sum(parts) == pytest.approx(whole)
    with pytest.raises(InputError, match="lower below upper"):
        prob.threshold_weighted_crps(ensemble, truth, weights=weights, lower=1, upper=0)
