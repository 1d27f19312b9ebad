"""Superobservations against hand-made numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.observation.observations import FLAGS, Observations, observations
from floecast.observation.superob import superobservations

OCEAN = np.ones((4, 4), bool)
OCEAN[0, 0] = False
GRID = Grid.box((4, 4), 50e3, ocean=OCEAN)


def points(value, error, x, y, kind="concentration", time=0, **other):
    cell = np.full((len(value), 2), 5)
    return observations(kind, value, error, x, y, time, cell, np.full(cell.shape, 0.5), **other)


FOUR = points(
    [0.2, 0.4, 0.9, 0.5], [0.1, 0.1, 0.1, 0.3], [80e3, 60e3, 130e3, 10e3], [80e3, 70e3, 80e3, 10e3]
)


@pytest.mark.parametrize(
    ("correlation", "error"), [(0.0, 0.1 / np.sqrt(2)), (1.0, 0.1), (0.5, 0.1 * np.sqrt(0.75))]
)
def test_two_in_a_cell(correlation, error):
    made = superobservations(FOUR, GRID, correlation=correlation)
    # The first two share cell (1, 1), the third is in (1, 2), the last on land.
    np.testing.assert_allclose(made.value, [0.3, 0.9])
    np.testing.assert_allclose(made.error_std, [error, 0.1])
    np.testing.assert_array_equal(made.cell, [[5], [5]])
    np.testing.assert_array_equal(made.weight, 1.0)
    np.testing.assert_allclose(made.x, [75e3, 125e3])
    np.testing.assert_allclose(made.y, [75e3, 75e3])


def test_unequal_errors():
    pair = points([1.0, 2.0], [0.3, 0.4], [80e3, 60e3], [80e3, 60e3], "thickness")
    made = superobservations(pair, GRID, correlation=0.5)
    assert made.error_std[0] == pytest.approx(np.sqrt(0.5 * 0.25 + 0.5 * 0.49) / 2)


def test_flagged_ones_are_left_out():
    flagged = FOUR.replace(flag=np.array([FLAGS["suspect"], 0, 0, 0]))
    np.testing.assert_allclose(superobservations(flagged, GRID).value, [0.4, 0.9])


def test_kinds_times_and_spans_stay_apart():
    same = dict(x=[80e3, 60e3], y=[80e3, 60e3])
    mixed = Observations.concatenate(
        [
            points([0.1, 0.3], 0.1, **same),
            points([0.5, 0.7], 0.1, **same, time=60),
            points([2.0, 4.0], 0.3, **same, kind="thickness", group=[9, 4]),
            points([0.8, 0.8], 0.1, **same, span=60),
        ]
    )
    made = superobservations(mixed, GRID)
    np.testing.assert_allclose(made.value, [0.2, 0.8, 0.6, 3.0])
    np.testing.assert_array_equal(made.kind, [0, 0, 0, 1])
    np.testing.assert_array_equal(made.time, [0, 0, 60, 0])
    np.testing.assert_array_equal(made.group, [0, 0, 0, 4])


def test_nothing_good_gives_nothing():
    made = superobservations(FOUR.replace(flag=np.full(4, FLAGS["near_coast"])), GRID)
    assert made.size == 0 and made.cell.shape == (0, 1)


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_error_lies_between_that_of_one_and_of_independent_ones(seed, correlation):
    numbers = np.random.default_rng(seed)
    n = 60
    many = points(
        numbers.uniform(size=n),
        numbers.uniform(0.05, 0.2, n),
        numbers.uniform(0, 200e3, n),
        numbers.uniform(0, 200e3, n),
    )
    made = superobservations(many, GRID, correlation=correlation)
    lowest = superobservations(many, GRID, correlation=0.0)
    highest = superobservations(many, GRID, correlation=1.0)
    assert (made.error_std >= lowest.error_std * (1 - 1e-12)).all()
    assert (made.error_std <= highest.error_std * (1 + 1e-12)).all()
    assert ((made.value >= many.value.min()) & (made.value <= many.value.max())).all()
    assert OCEAN.reshape(-1)[made.cell].all()


@pytest.mark.parametrize("correlation", [-0.1, 1.1, np.nan])
def test_correlation_has_bounds(correlation):
    with pytest.raises(InputError, match=r"0\.\.1"):
        superobservations(FOUR, GRID, correlation=correlation)


def test_footprint_is_the_mean_of_the_footprints():
    cells = np.array([[0, 1], [1, 2]])
    two = observations(
        "concentration", [0.2, 0.4], 0.1, 75e3, 75e3, 0, cells, [[0.5, 0.5], [0.25, 0.75]]
    )
    made = superobservations(two, GRID)
    told = dict(zip(made.cell[0].tolist(), made.weight[0].tolist(), strict=True))
    assert told == pytest.approx({0: 0.25, 1: 0.375, 2: 0.375})
