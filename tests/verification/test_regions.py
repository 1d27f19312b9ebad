"""Boxes, zones of the ice, seasons."""

import numpy as np
import pytest

from floecast.core.calendar import to_seconds
from floecast.core.errors import InputError
from floecast.verification import regions


def test_boxes_may_cross_the_date_line_and_hold_the_pole():
    latitude = np.array([[75.0, 75, 75, 80, 90]])
    longitude = np.array([[170.0, 190, -160, 0, 123]])
    boxes = {
        "across": regions.Box(70, 80, 160, -165),
        "round": regions.Box(80, 90, -180, 180),
        "east": regions.Box(70, 80, 160, 180),
    }
    found = regions.box_regions(boxes, latitude, longitude)
    assert found["across"].tolist() == [[True, True, False, False, False]]
    assert found["round"].tolist() == [[False, False, False, True, True]]
    assert found["east"].tolist() == [[True, False, False, False, False]]


@pytest.mark.parametrize(
    "box", [(80, 70, 0, 10), (70, 95, 0, 10), (70, 80, 0, 1000), (70, 80, 0, np.nan)]
)
def test_a_box_that_is_no_place_is_refused(box):
    with pytest.raises(InputError, match="'mine'"):
        regions.box_regions({"mine": regions.Box(*box)}, np.zeros((1, 1)), np.zeros((1, 1)))


def test_seas_do_not_overlap():
    latitude, longitude = np.meshgrid(np.arange(60, 90, 0.7), np.arange(-180, 180, 1.3))
    found = regions.box_regions(regions.SEAS, latitude, longitude)
    assert sum(cells.astype(int) for cells in found.values()).max() == 1
    assert all(cells.any() for cells in found.values())


def test_zones_are_of_the_observation():
    zones = regions.ice_zones([[0.0, 0.14, 0.15, 0.8, 0.81, np.nan]])
    assert zones["marginal zone"].tolist() == [[False, False, True, True, False, False]]
    assert zones["pack"].tolist() == [[False, False, False, False, True, False]]


def test_seasons_hold_each_month_once():
    assert sorted(sum(regions.SEASONS.values(), ())) == list(range(1, 13))
    days = ["2015-01-31T23:59", "1999-12-01", "2016-05-01", "2016-09-30", "2016-10-01"]
    found = regions.season_of([to_seconds(day) for day in days])
    assert found.tolist() == ["winter", "freeze-up", "melt", "late summer", "freeze-up"]
