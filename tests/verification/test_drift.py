"""Scores of drift and of prediction ellipses."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification import drift


def vectors(*complex_numbers):
    field = np.array([complex_numbers])
    return np.stack([field.real, field.imag])


def test_scores_by_hand():
    truth, forecast = vectors(1, 2j, 0), vectors(1j, 2j, 1)
    found = drift.drift_scores(forecast, truth, weights=np.array([[1.0, 1.0, 2.0]]))
    assert found.vector_rmse == pytest.approx(np.sqrt((2 + 0 + 2 * 1) / 4))
    assert found.bias_u == pytest.approx((-1 + 0 + 2) / 4)
    assert found.bias_v == pytest.approx(1 / 4)
    assert found.speed_bias == pytest.approx(2 / 4)
    product = (1 * 1j + 4) / np.sqrt((1 + 4 + 2) * (1 + 4))
    assert found.coherence == pytest.approx(abs(product))
    assert found.turning == pytest.approx(np.degrees(np.angle(product)))
    # The cell where the truth stands still has no direction.
    assert found.direction_error == pytest.approx((1 * 90 + 2 * 0) / 3)


def test_turned_and_stretched_drift():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 6, 7))
    turned = 1.3 * np.exp(1j * np.radians(-20)) * (truth[0] + 1j * truth[1])
    found = drift.drift_scores(
        np.stack([turned.real, turned.imag]), truth, weights=rng.random((6, 7))
    )
    assert found.coherence == pytest.approx(1)
    assert found.turning == pytest.approx(-20)
    assert found.direction_error == pytest.approx(20)


def test_what_does_not_move_or_count_is_undefined():
    still = drift.drift_scores(vectors(0, 0), vectors(0, 0), weights=np.ones((1, 2)))
    assert still.vector_rmse == 0
    assert np.isnan([still.coherence, still.turning, still.direction_error]).all()
    assert np.isnan(drift.drift_scores(vectors(1), vectors(1), weights=np.zeros((1, 1)))).all()
    weights = np.array([[1.0, 0.0]])
    for fill in (np.nan, 1e20):
        found = drift.drift_scores(vectors(1, fill), vectors(2, 3), weights=weights)
        assert found.vector_rmse == 1


@pytest.mark.parametrize(("probability", "quantile"), [(0.5, 1.597), (0.9, 5.816), (0.95, 7.879)])
def test_published_quantiles(probability, quantile):
    assert drift.ellipse_quantile(probability, 20) == pytest.approx(quantile, abs=5e-4)
    chi_square = -2 * np.log(1 - probability)
    assert drift.ellipse_quantile(probability, 100_000) == pytest.approx(chi_square, rel=1e-3)


def test_capture_is_nominal_with_few_members_and_not_by_chi_square():
    rng = np.random.default_rng(1)
    law = np.array([[2.0, 0.0], [1.5, 0.5]])
    drawn = np.einsum("ij,jmyx->imyx", law, rng.normal(size=(2, 21, 150, 150)))
    members, truth, weights = drawn[:, 1:], drawn[:, 0], np.ones((150, 150))
    for probability in (0.5, 0.9, 0.95):
        capture, area = drift.ellipse_capture(
            members, truth, weights=weights, probability=probability
        )
        assert capture == pytest.approx(probability, abs=0.008)
        # The mean of sqrt(det S) is sqrt(det C) (N - 2) / (N - 1).
        quantile = drift.ellipse_quantile(probability, 20)
        assert area == pytest.approx(np.pi * quantile * 1.0 * 18 / 19, rel=0.01)
    inside = drift.ellipses(members, truth).distance <= -2 * np.log(1 - 0.9)
    assert inside.mean() == pytest.approx(0.845, abs=0.01)


def test_ellipse_by_hand():
    members = np.array([[2.0, -2, 0, 0], [0, 0, 1, -1]])[:, :, None]
    found = drift.ellipses(members, np.array([[2.0], [1.0]]))
    # Variances 8/3 and 2/3.
    assert found.distance == pytest.approx(4 / (8 / 3) + 1 / (2 / 3))
    assert found.area == pytest.approx(np.pi * 4 / 3)
    assert found.eccentricity == pytest.approx(np.sqrt(1 - 1 / 4))


def test_members_that_agree_or_lie_on_a_line():
    line = np.array([[-1.0, 0, 1], [-2.0, 0, 2]])[:, :, None].repeat(2, axis=2)
    found = drift.ellipses(line, np.array([[0.0, 1.0], [0.0, 0.0]]))
    assert found.distance[0] == pytest.approx(0) and np.isinf(found.distance[1])
    assert found.area == pytest.approx(0) and found.eccentricity == pytest.approx(1)
    same = drift.ellipses(np.ones((2, 3, 2)), np.array([[1.0, 1.0], [1.0, 2.0]]))
    assert same.distance[0] == 0 and np.isinf(same.distance[1])
    with pytest.raises(InputError, match="at least 3"):
        drift.ellipses(np.ones((2, 2, 1)), np.ones((2, 1)))
    with pytest.raises(InputError, match="between 0 and 1"):
        drift.ellipse_quantile(90, 20)
