"""Quality control: what is flagged, and that nothing is lost."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.io.rejected import write_rejected
from floecast.observation.observations import FLAGS, KINDS, Observations, observations
from floecast.observation.quality_control import (
    check_coast,
    check_departure,
    check_duplicates,
    check_mask,
    check_range,
    rejected,
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
    expected = dict.fromkeys(FLAGS, 0) | {"kind": "concentration", "total": 1, "good": 0}
    assert concentration == expected | {"pole_hole": 1}
    assert thickness["total"] == 3 and thickness["good"] == 1
    assert thickness["out_of_range"] == 2 and thickness["failed_gross_check"] == 1


def test_one_of_equals_stays():
    obs = made([1.0, 1.0, 1.0, 2.0, 1.0, 1.0], x=[0.0, 0.3, 2.0, 0.0, 0.0, 0.0])
    obs = obs.replace(time=np.array([0, 0, 0, 0, 5, 0]), kind=np.array([1, 1, 1, 1, 1, 0]))
    assert check_duplicates(obs).flag.tolist() == [0, 32, 0, 0, 0, 0]
    # The one without a flag stays.
    twice = check_duplicates(made([1.0, 1.0, 1.0], flag=[4, 0, 0]))
    assert twice.flag.tolist() == [36, 0, 32]
    assert (check_duplicates(twice).good().value == [1.0]).all()


def test_mask_by_cell_and_kind():
    grid = Grid.box((2, 3), 10.0)
    mask = np.array([[True, False, False], [False, False, True]])
    x, y = np.array([5.0, 9.9, 10.1, 25.0, -0.1, 31.0]), np.array([5.0, 5.0, 5.0, 15.0, 5.0, 15.0])
    found = check_mask(made(np.zeros(6), x=x, y=y), grid, mask, reason="ice_type")
    assert found.flag.tolist() == [256, 256, 0, 256, 0, 0]
    assert check_mask(made([0.0], x=x[:1], y=5.0), grid, mask).flag.tolist() == [FLAGS["masked"]]
    other = check_mask(made([0.0], x=5.0, y=5.0), grid, mask, kinds=["freeboard"])
    assert other.flag.tolist() == [0]
    with pytest.raises(InputError, match="bool"):
        check_mask(made([0.0]), grid, mask.astype(int))
    with pytest.raises(InputError, match="tilted"):
        check_mask(made([0.0]), grid, mask, reason="tilted")


def test_absurd_values_of_every_kind_are_out_of_range():
    for kind in KINDS:
        obs = made([1e20, -999.0, -32768.0, 9.97e36, 0.2], kind)
        assert check_range(obs).flag.tolist() == [4, 4, 4, 4, 0]


@pytest.mark.parametrize("value", [[98.0, 0.0, 100.0], [3.5, 99.9, 1e20], [0.0, 0.0, 15.0]])
def test_percent_are_refused(value):
    with pytest.raises(InputError, match="divide values and errors by 100"):
        made(value, "concentration")
    made(value, "thickness")


def test_a_few_absurd_fractions_are_not_percent():
    made([0.5, 0.98, 3.0], "concentration")
    made([-999.0, 0.0, 1e20], "concentration")


def test_record_of_what_was_rejected(tmp_path):
    obs = made([1.0, 20.0, 2.0], x=[0.0, 5e3, 1.0], flag=[0, FLAGS["near_coast"], 0])
    checked = check_range(obs.replace(time=np.array([0, 3600, 0])))
    row = {"kind": "thickness", "time": "2000-01-01T01:00:00Z", "x": 5e3, "y": 0.0}
    row |= {"value": 20.0, "error": 0.3, "reasons": "near_coast out_of_range"}
    assert rejected(checked) == [row]
    write_rejected(tmp_path / "rejected.csv", checked)
    head, line = (tmp_path / "rejected.csv").read_text().splitlines()
    assert head == "kind,time,x,y,value,error,reasons"
    assert line == "thickness,2000-01-01T01:00:00Z,5000.0,0.0,20.0,0.3,near_coast out_of_range"
    assert rejected(obs.good()) == []
