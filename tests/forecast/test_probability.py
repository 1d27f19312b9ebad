"""Quantiles, probabilities, classes, dates: by hand."""

import numpy as np
import pytest

from floecast.core.calendar import DAY
from floecast.forecast.dates import Crossings, date_quantiles
from floecast.forecast.probability import probability_above, quantiles, thickness_classes


def test_quantiles_are_the_estimator_of_hyndman_and_fan():
    # Number 8: position p (n + 1/3) + 1/3 in the ordered sample.
    members = np.array([4.0, 1.0, 3.0, 2.0, 5.0])[:, None]
    found = quantiles(members, [0.25, 0.5, 0.75])[:, 0]
    np.testing.assert_allclose(found, [0.25 * 16 / 3 + 1 / 3, 3.0, 0.75 * 16 / 3 + 1 / 3])
    assert quantiles(members.astype(np.float32), [0.1]).dtype == np.float32


def test_probability_above_is_strict():
    assert probability_above(np.array([0.15, 0.16, 0.9, 0.0]), 0.15) == 0.5


def test_classes_add_up_to_the_probability_of_ice():
    random = np.random.default_rng(1)
    concentration, thickness = random.uniform(0, 0.5, (20, 7)), random.uniform(0, 3, (20, 7))
    found = thickness_classes(concentration, thickness)
    assert found.shape == (6, 7)
    np.testing.assert_allclose(found.sum(0), probability_above(concentration, 0.15))
    exact = thickness_classes(np.ones((4, 1)), np.array([[0.1], [0.29], [2.0], [5.0]]))
    assert exact[:, 0].tolist() == [0, 0.5, 0, 0, 0, 0.5]


def followed(*days, spell=2):
    """Crossings of members given by their concentrations day by day."""
    days = np.asarray(days, float).T[:, :, None, None]
    told = Crossings.begin(days[0])
    for lead, now in enumerate(days[1:], 1):
        told = told.after(now, lead * DAY, spell)
    return told


@pytest.mark.parametrize(
    ("days", "freeze_up", "break_up"),
    [
        ([0, 0, 0.2, 0.3, 0.4, 0.4], 2, None),  # freezes and stays
        ([0, 0.2, 0, 0.3, 0.4, 0.4], 3, None),  # a day of ice is no freeze-up
        ([0, 0, 0, 0, 0.4, 0.4], None, None),  # two days are not seen
        ([0, 0, 0, 0.15, 0.15, 0.15], None, None),  # 15 % itself is no ice
        ([1, 1, 0.1, 0.1, 0.1, 0.1], None, 2),
        ([1, 0, 0, 0, 1, 1], None, 1),
        ([1, 0, 0, 1, 1, 1], 3, None),  # opens for two days less one
        ([0, 1, 1, 1, 0, 0], 1, None),
        ([0] * 6, None, None),
        ([1] * 6, None, None),
    ],
)
def test_crossings(days, freeze_up, break_up):
    told = followed(days)
    for found, expected in ((told.freeze_up, freeze_up), (told.break_up, break_up)):
        assert found.item() == (-1 if expected is None else expected * DAY)


def test_the_first_of_two_counts():
    told = followed([0, 1, 1, 0, 0, 1, 1], spell=1)
    assert told.freeze_up.item() == DAY and told.break_up.item() == 3 * DAY


def test_date_quantiles_count_members_without_the_event():
    leads = np.array([3, -1, 1, 2, -1])[:, None] * [[DAY]]
    leads = np.where(leads < 0, -1, leads)
    found = date_quantiles(leads, [0.2, 0.21, 0.6, 0.61])[:, 0] / DAY
    np.testing.assert_array_equal(found, [1, 2, 3, np.nan])
