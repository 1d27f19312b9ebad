import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.observation.observations import FLAGS, KINDS, Observations, observations


def some(kind="thickness", value=(1.0, 2.0), cells=1, **more):
    value = np.asarray(value, float)
    shape = (value.size, cells)
    arguments = {
        "error_std": 0.3,
        "x": 0.0,
        "y": 0.0,
        "time": 5,
        "cell": np.zeros(shape, int),
        "weight": np.full(shape, 1 / cells),
    }
    return observations(kind, value, **{**arguments, **more})


def test_scalars_stand_for_all():
    made = some(group=4)
    assert made.size == 2 and list(made.group) == [4, 4] and list(made.error_std) == [0.3, 0.3]
    assert made.position.shape == (2, 2)


def test_none_is_a_number_of_observations_too():
    assert some(value=[]).size == 0
    assert Observations.concatenate([some(value=[]), some()]).size == 2


def test_joining_keeps_order_and_footprints():
    joined = Observations.concatenate([some(cells=1), some("concentration", (0.5,), cells=3)])
    assert list(joined.value) == [1.0, 2.0, 0.5]
    np.testing.assert_allclose(joined.weight.sum(axis=1), 1)
    assert joined.of_kind("concentration").size == 1


def test_flagged_ones_are_not_good():
    assert some(flag=[0, FLAGS["suspect"]]).good().size == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "salinity"}, "salinity"),
        ({"value": (1.0, np.nan)}, "1 thickness values are not finite"),
        ({"error_std": 0.0}, "2 thickness errors"),
        ({"weight": np.full((2, 1), 0.5)}, "sum to 1"),
        ({"weight": np.ones((3, 1))}, "one row each"),
        ({"cell": np.zeros((1, 1), int), "weight": np.ones((1, 1))}, "one row each"),
    ],
)
def test_wrong_ones_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        some(**changes)


def test_nothing_to_join_is_an_error():
    with pytest.raises(InputError, match="no observations"):
        Observations.concatenate([])


def test_kinds_and_flags_keep_their_numbers_in_files():
    assert KINDS[:4] == ("concentration", "thickness", "drift_u", "drift_v")
    assert KINDS[4:] == ("freeboard", "laser_freeboard", "snow_depth")
    assert sorted(FLAGS.values()) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
