"""Prediction ellipses: published quantiles, the share they hold, their geometry."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.forecast.ellipses import prediction_ellipse
from floecast.verification.drift import ellipse_quantile


@pytest.mark.parametrize("members", [5, 20])
@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_it_holds_the_share_it_says(members, probability):
    random = np.random.default_rng(1)
    x, y = random.normal(size=(2, members + 1, 20000))
    y = 0.6 * x + 0.3 * y
    held = prediction_ellipse(x[1:], y[1:], probability).holds(x[0], y[0])
    assert held.mean() == pytest.approx(probability, abs=0.012)


def test_axes_and_angle_of_a_cross():
    long, short = 3.0 * np.array([1, -1, 0, 0]), np.array([0, 0, 1, -1])
    for turn in (-60.0, 0.0, 25.0, 90.0):
        cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        x, y = 7 + long * cosine - short * sine, -2 + long * sine + short * cosine
        found = prediction_ellipse(x, y, 0.9)
        size = np.sqrt(ellipse_quantile(0.9, 4) * 2 / 3)
        np.testing.assert_allclose(found[:4], [7, -2, 3 * size, size], rtol=1e-12)
        assert np.cos(np.radians(2 * (found.angle - turn))) == pytest.approx(1)
        edge = 7 + 0.999 * 3 * size * cosine, -2 + 0.999 * 3 * size * sine
        beyond = edge[0] + 0.05 * cosine, edge[1] + 0.05 * sine
        assert found.holds(*edge) and not found.holds(*beyond)


def test_members_that_agree_have_a_point():
    found = prediction_ellipse(np.full((4, 2), 1.5), np.zeros((4, 2)), 0.9)
    assert not found.major.any() and not found.minor.any() and np.isfinite(found.angle).all()


def test_wrong_use():
    with pytest.raises(InputError, match="at least 3"):
        prediction_ellipse(np.zeros(2), np.zeros(2), 0.9)
    with pytest.raises(InputError, match="between 0 and 1"):
        prediction_ellipse(np.zeros(3), np.zeros(3), 90)
