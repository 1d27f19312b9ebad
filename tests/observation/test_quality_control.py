"""Quality control: what is flagged, and that nothing is lost."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.observation.observations import FLAGS, Observations, observations
from floecast.observation.quality_control import (
    check_coast,
    check_departure,
    check_range,
    summary,
)


def made(value, kind="thickness", error=0.3, x=0.0, y=0.0, flag=0):
    count = np.size(value)
    return observations(kind, value, error, x, y, 0, np.zeros(count), np.ones(count), flag=flag)


def test_range_by_kind():
    obs = Observations.concatenate(
        [made([-0.97, 3.0, 20.0]), made([-0.1, 1.05, 3.0], "concentration")]
    )
    checked = check_range(obs)
    assert checked.flag.tolist() == [0, 0, 4, 0, 0, 4]
    assert check_range(obs, {"thickness": (0, 2)}).flag.tolist() == [4, 4, 4, 0, 0, 4]
    assert checked.size == obs.size and (checked.value == obs.value).all()


def test_earlier_flags_stay():
    obs = made([20.0, 1.0], flag=FLAGS["suspect"])
    assert check_range(obs).flag.tolist() == [20, 16]


def test_unknown_kind_is_refused():
    with pytest.raises(InputError, match="snow"):
        check_range(made([1.0]), {"snow": (0, 1)})


@pytest.mark.parametrize(("cells", "near"), [(0, 1), (1, 9), (2, 25)])
def test_distance_to_the_coast(cells, near):
    ocean = np.ones((9, 9), bool)
    ocean[4, 4] = False
    grid = Grid.box((9, 9), 10.0, ocean=ocean)
    x, y = (field.ravel() for field in np.meshgrid(grid.x, grid.y))
    flag = check_coast(made(np.zeros(81), x=x, y=y), grid, cells=cells).flag
    inner = (np.minimum(x, y) > 10 * cells) & (np.maximum(x, y) < 90 - 10 * cells)
    assert (flag[inner] == FLAGS["near_coast"]).sum() == near
    assert (flag[~inner] == FLAGS["near_coast"]).all()


def test_outside_the_grid_is_land():
    grid = Grid.box((4, 4), 10.0)
    obs = made(np.zeros(4), x=np.array([-1.0, 1e9, 20.0, 39.0]), y=np.array([5.0, 5.0, 41.0, 39.0]))
    assert (check_coast(obs, grid).flag > 0).tolist() == [True, True, True, False]


def test_coast_only_for_some_kinds():
    grid = Grid.box((3, 3), 10.0, ocean=np.zeros((3, 3), bool))
    obs = Observations.concatenate([made([1.0]), made([1.0], "concentration")])
    assert check_coast(obs, grid, kinds=["concentration"]).flag.tolist() == [0, 2]


def test_departure_in_units_of_spread_and_error():
    # Spread 0.4 and error 0.3 make 0.5.
    equivalents = np.array([[1.0], [1.0]]) + 0.4 * np.array([[-1.0], [1.0]]) / np.sqrt(2)
    values = np.array([1.0, 2.9, 3.1, -1.1])
    checked = check_departure(made(values), np.repeat(equivalents, 4, axis=1), factor=4.0)
    assert (checked.flag == FLAGS["failed_gross_check"]).tolist() == [False, False, True, True]


def test_departure_without_equivalents():
    equivalents = np.array([[1.0, np.nan, 1.0], [1.0, np.nan, np.nan], [1.1, 1.0, np.nan]])
    flag = check_departure(made([1.0, 1.0, 1.0]), equivalents).flag
    assert (flag > 0).tolist() == [False, True, True]


def test_departure_needs_one_equivalent_for_each():
    with pytest.raises(InputError, match="shape"):
        check_departure(made([1.0, 2.0]), np.ones((5, 3)))


def test_summary_counts_every_reason():
    obs = Observations.concatenate(
        [made([1.0, 2.0, 3.0], flag=[0, 4, 12]), made([0.5], "concentration", flag=1)]
    )
    concentration, thickness = summary(obs)
    assert concentration == {
        "kind": "concentration",
        "total": 1,
        "good": 0,
        "pole_hole": 1,
        "near_coast": 0,
        "out_of_range": 0,
        "failed_gross_check": 0,
        "suspect": 0,
    }
    assert thickness["total"] == 3 and thickness["good"] == 1
    assert thickness["out_of_range"] == 2 and thickness["failed_gross_check"] == 1
