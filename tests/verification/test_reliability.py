"""Reliability diagrams, classes of spread, unevenness of ranks."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification import probabilistic, reliability


def test_parts_of_the_brier_score_by_hand():
    # Two members; the event is a value above 0. Probabilities 0, 1/2, 1 with 4, 2 and 4 cells,
    # frequencies 1/4, 1 and 1/2: the last two violate the order and are pooled to (2 + 2) / 6.
    first = np.array([[0.0] * 4 + [1] * 2 + [1] * 4])
    second = np.array([[0.0] * 4 + [0] * 2 + [1] * 4])
    truth = np.array([[1.0, 0, 0, 0, 1, 1, 1, 1, 0, 0]])
    diagram = reliability.reliability_diagram(
        np.stack([first, second]), truth, weights=np.ones((1, 10)), threshold=0.0
    )
    np.testing.assert_allclose(diagram.probability, [0, 0.5, 1])
    np.testing.assert_allclose(diagram.frequency, [0.25, 1, 0.5])
    np.testing.assert_allclose(diagram.calibrated, [0.25, 2 / 3, 2 / 3])
    np.testing.assert_allclose(diagram.weight, [4, 2, 4])
    brier = (1 + 2 * 0.25 + 2) / 10
    calibrated = (4 * 0.25 * 0.75 + 6 * (2 / 3) * (1 / 3)) / 10
    assert diagram.uncertainty == pytest.approx(0.25)
    assert diagram.miscalibration == pytest.approx(brier - calibrated)
    assert diagram.discrimination == pytest.approx(0.25 - calibrated)
    assert diagram.brier == pytest.approx(brier)


def test_parts_add_up_to_the_brier_score():
    rng = np.random.default_rng(0)
    ensemble, truth, weights = rng.random((7, 9, 8)), rng.random((9, 8)), rng.random((9, 8))
    weights[0] = 0
    truth[0], ensemble[:, 0] = np.nan, 1e20
    diagram = reliability.reliability_diagram(ensemble, truth, weights=weights, threshold=0.4)
    brier = probabilistic.brier(ensemble, truth, weights=weights, threshold=0.4)
    assert diagram.brier == pytest.approx(brier)
    assert (np.diff(diagram.calibrated) >= 0).all()
    empty = reliability.reliability_diagram(ensemble, truth, weights=0 * weights, threshold=0.4)
    assert empty.probability.size == 0 and np.isnan(empty.brier)


def test_spread_classes_lie_on_the_diagonal_of_a_reliable_ensemble():
    rng = np.random.default_rng(1)
    scale = np.exp(rng.normal(size=(200, 200)))
    ensemble, truth = scale * rng.normal(size=(20, 200, 200)), scale * rng.normal(size=(200, 200))
    classes = reliability.spread_skill_classes(
        ensemble, truth, weights=np.ones(truth.shape), classes=5
    )
    np.testing.assert_allclose(classes.weight, truth.size / 5)
    # Classes are chosen by the estimated spread, so that the outer ones regress to the middle.
    np.testing.assert_allclose(classes.error / classes.spread, 1, atol=0.12)
    assert classes.spread[-1] > 5 * classes.spread[0]


def test_spread_classes_average_variances_and_add_the_observation_error():
    ensemble = np.array([[[0.0, 0.0]], [[2.0, 4.0]]])  # variances 2 and 8, means 1 and 2
    truth = np.array([[0.0, 0.0]])
    classes = reliability.spread_skill_classes(
        ensemble, truth, weights=np.array([[3.0, 1.0]]), classes=1, error_std=2.0
    )
    assert classes.spread == pytest.approx(np.sqrt(1.5 * (3 * 2 + 8) / 4 + 4))
    assert classes.error == pytest.approx(np.sqrt((3 * 1 + 4) / 4))


def test_equal_spreads_share_a_class_and_what_is_tied_is_left_out():
    rng = np.random.default_rng(2)
    ensemble, truth = np.zeros((3, 1, 12)), np.zeros((1, 12))
    truth[0, 4:8] = 0.5  # no spread, but an error
    ensemble[:, 0, 8:] = rng.random((3, 4))
    classes = reliability.spread_skill_classes(ensemble, truth, weights=np.ones((1, 12)), classes=4)
    assert classes.weight.sum() == 8
    assert classes.weight[0] == 0 and classes.weight[1] == 4
    assert classes.spread[1] == 0 and classes.error[1] == 0.5 and np.isnan(classes.error[0])
    order = rng.permutation(12)
    again = reliability.spread_skill_classes(
        ensemble[..., order], truth[:, order], weights=np.ones((1, 12)), classes=4
    )
    np.testing.assert_allclose(again.error, classes.error)
    with pytest.raises(InputError, match="classes"):
        reliability.spread_skill_classes(ensemble, truth, weights=np.ones((1, 12)), classes=0)


def test_unevenness_of_ranks():
    assert reliability.rank_unevenness([5, 5, 5, 5]) == 0
    # One case: (1 - 1/2)^2 + (1/2)^2 over 1/2.
    assert reliability.rank_unevenness([1, 0]) == 1
    assert np.isnan(reliability.rank_unevenness([0, 0]))
    rng = np.random.default_rng(3)
    drawn = rng.multinomial(500, np.full(11, 1 / 11), size=400)
    assert np.mean([reliability.rank_unevenness(one) for one in drawn]) == pytest.approx(1, abs=0.1)
