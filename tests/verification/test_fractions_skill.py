"""Fractions skill score and the scale from which on it tells of use."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.verification.fractions_skill import fractions_skill_score, useful_scale

LINES = np.zeros((2, 30, 40), bool)
LINES[0, :, 18] = LINES[1, :, 21] = True


@pytest.mark.parametrize(("window", "score"), [(1, 0), (3, 0), (5, 0.4), (7, 0.5714), (9, 0.6667)])
def test_two_parallel_lines(window, score):
    weights = np.full((30, 40), 6e8)
    value = fractions_skill_score(*LINES, weights=weights, window=window)
    assert value == pytest.approx(score, abs=5e-5)


def test_masked_cells_do_not_matter_and_coasts_do_not_dilute():
    rng = np.random.default_rng(0)
    forecast, truth = rng.random((2, 20, 30)) > 0.5
    weights = rng.uniform(0.5, 1.5, (20, 30)) * (rng.random((20, 30)) > 0.3)
    value = fractions_skill_score(forecast, truth, weights=weights, window=5)
    for fill in (np.nan, 1e20):
        filled = [np.where(weights > 0, field, fill) for field in (forecast, truth)]
        assert fractions_skill_score(*filled, weights=weights, window=5) == value
    # Ice everywhere but on land: every fraction is 1, next to the coast too.
    full, half = np.ones((20, 30)), np.full((20, 30), 0.5)
    value = fractions_skill_score(half, full, weights=weights, window=5)
    assert value == pytest.approx(1 - 0.25 / 1.25)


def test_fraction_by_hand():
    rng = np.random.default_rng(1)
    forecast, truth = rng.random((2, 7, 9)) > 0.6
    weights = rng.uniform(0.5, 1.5, (7, 9))
    error = largest = 0.0
    for j in range(7):
        for i in range(9):
            box = slice(max(j - 1, 0), j + 2), slice(max(i - 1, 0), i + 2)
            first, second = (
                np.sum((weights * field)[box]) / np.sum(weights[box]) for field in (forecast, truth)
            )
            error += weights[j, i] * (first - second) ** 2
            largest += weights[j, i] * (first**2 + second**2)
    value = fractions_skill_score(forecast, truth, weights=weights, window=3)
    assert value == pytest.approx(1 - error / largest)


def test_equal_empty_and_wrong_windows():
    weights, empty = np.ones((30, 40)), np.zeros((30, 40))
    assert fractions_skill_score(LINES[0], LINES[0], weights=weights, window=5) == 1
    assert np.isnan(fractions_skill_score(empty, empty, weights=weights, window=5))
    assert fractions_skill_score(LINES[0], empty, weights=weights, window=5) == pytest.approx(0)
    with pytest.raises(InputError, match="odd"):
        fractions_skill_score(*LINES, weights=weights, window=4)


def test_useful_scale():
    windows = [1, 3, 5, 7, 9]
    scores = np.array([0, 0, 0.4, 0.5714, 0.6667])
    assert useful_scale(scores, windows, 1 / 40) == 7
    assert useful_scale(np.ones(5), windows, 0.5) == 1
    assert np.isnan(useful_scale(scores, windows, 0.5))
    assert useful_scale(np.array([0.9, 0.2, 0.9, 0.9, 0.9]), windows, 0.0) == 5
    assert np.isnan(useful_scale(np.full(5, np.nan), windows, 0.0))
    both = useful_scale(np.stack([scores, np.ones(5)], axis=1), windows, np.array([0.0, 0.0]))
    np.testing.assert_array_equal(both, [7, 1])
