"""Scores of the ice edge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.core.errors import InputError
from floecast.verification import ice_edge


def half_plane(columns, shape=(60, 40)):
    field = np.zeros(shape)
    field[:, :columns] = 1
    return field


def test_shifted_half_plane():
    forecast, truth, weights = half_plane(13), half_plane(10), np.ones((60, 40))
    error = ice_edge.iiee(forecast, truth, weights=weights)
    assert (error.overestimate, error.underestimate, error.iiee) == (180, 0, 180)
    assert (error.absolute_extent_error, error.misplacement) == (180, 0)
    # The two ends of the edge count (1 + sqrt(2)) / 2 each, so it is a little longer than 60.
    value = ice_edge.displacement(forecast, truth, weights=weights)
    assert value == pytest.approx(180 / (59 + np.sqrt(2)))
    assert value == pytest.approx(3, abs=0.03)


@given(seed=st.integers(0, 2**32 - 1))
def test_error_is_extent_error_plus_misplacement(seed):
    forecast, truth, weights = np.random.default_rng(seed).random((3, 6, 7))
    error = ice_edge.iiee(forecast, truth, weights=weights, threshold=0.5)
    assert error.iiee == pytest.approx(error.absolute_extent_error + error.misplacement)
    wrong = (forecast > 0.5) != (truth > 0.5)
    assert error.iiee == pytest.approx(weights[wrong].sum())
    swapped = ice_edge.iiee(truth, forecast, weights=weights, threshold=0.5)
    assert swapped == (error.underestimate, error.overestimate)


def test_sps_table():
    ensemble = np.array([[[0.0, 0.0, 1.0]], [[0.0, 1.0, 1.0]]])
    truth = np.array([[0.0, 1.0, 1.0]])
    weights = np.ones((1, 3))
    assert ice_edge.sps(ensemble, truth, weights=weights) == 0.25
    assert ice_edge.sps(ensemble, truth, weights=weights, fair=True) == 0.0


@given(seed=st.integers(0, 2**32 - 1))
def test_sps_of_one_member_is_the_ice_edge_error(seed):
    forecast, truth, weights = np.random.default_rng(seed).random((3, 6, 7))
    expected = ice_edge.iiee(forecast, truth, weights=weights).iiee
    assert ice_edge.sps(forecast[None], truth, weights=weights) == pytest.approx(expected)
    with pytest.raises(InputError, match="at least 2 members"):
        ice_edge.sps(forecast[None], truth, weights=weights, fair=True)


def test_sps_does_not_depend_on_the_order_of_members():
    rng = np.random.default_rng(0)
    ensemble, truth, weights = rng.random((5, 6, 7)), rng.random((6, 7)), rng.random((6, 7))
    for fair in (False, True):
        value = ice_edge.sps(ensemble, truth, weights=weights, fair=fair)
        assert ice_edge.sps(ensemble[::-1], truth, weights=weights, fair=fair) == value


def test_median_edge():
    ensemble = np.array([[[0.9, 0.9, 0.0]], [[0.2, 0.1, 0.0]]])
    assert ice_edge.median_edge(ensemble).tolist() == [[True, False, False]]


@pytest.mark.parametrize(
    ("rows", "columns", "length"),
    [(np.full(10, 5), np.arange(3, 13), 10.4142), (np.arange(2, 12), np.arange(3, 13), 14.1421)],
)
def test_length_of_straight_and_diagonal_run(rows, columns, length):
    concentration = np.zeros((15, 16))
    concentration[rows, columns] = 1
    for side in (1.0, 25e3):
        weights = np.full((15, 16), side**2)
        value = ice_edge.edge_length(concentration, weights=weights)
        assert value == pytest.approx(length * side, rel=1e-5)


def test_coast_and_border_are_no_edge():
    concentration, weights = half_plane(10, (6, 20)), np.ones((6, 20))
    edge = ice_edge.edge_cells(concentration, weights=weights)
    assert np.argwhere(edge).tolist() == [[row, 9] for row in range(6)]
    weights[:, 10] = 0
    assert not ice_edge.edge_cells(concentration, weights=weights).any()
    assert ice_edge.edge_length(concentration, weights=weights) == 0


def test_distances_table():
    a, b = np.array([[0, 0], [1, 0]]), np.array([[0, 3], [1, 0]])
    for distances in (ice_edge.edge_distances(a, b), ice_edge.edge_distances(b, a)):
        assert distances.modified_hausdorff == 1.5
        assert distances.mean == 1.0
        assert distances.rms == pytest.approx(1.58114, abs=1e-5)


def test_distance_of_shifted_edges():
    weights = np.ones((60, 40))
    points = [
        np.argwhere(ice_edge.edge_cells(half_plane(columns), weights=weights))
        for columns in (13, 10)
    ]
    assert ice_edge.edge_distances(*points) == (3, 3, 3)


def test_no_edge_is_undefined():
    water, weights = np.zeros((4, 4)), np.ones((4, 4))
    assert np.isnan(ice_edge.displacement(water, water, weights=weights))
    assert np.isnan(ice_edge.edge_distances(np.zeros((0, 2)), np.ones((3, 2)))).all()


@pytest.mark.parametrize("fill", [np.nan, np.inf, 1e20])
def test_masked_cells_do_not_matter(fill):
    rng = np.random.default_rng(5)
    ensemble, truth = rng.random((4, 3, 12, 12)), rng.random((3, 12, 12))
    weights = rng.uniform(1, 2, (12, 12)) * (rng.random((12, 12)) > 0.3)

    def scores(ensemble, truth):
        options = {"weights": weights, "threshold": 0.5}
        return [
            *ice_edge.iiee(ensemble[0], truth, **options),
            ice_edge.sps(ensemble, truth, **options),
            ice_edge.edge_length(truth, **options),
            ice_edge.displacement(ensemble[0], truth, **options),
        ]

    filled = (np.where(weights > 0, field, fill) for field in (ensemble, truth))
    np.testing.assert_array_equal(scores(*filled), scores(ensemble, truth))
    loop = [scores(ensemble[:, k], truth[k]) for k in range(3)]
    np.testing.assert_allclose(scores(ensemble, truth), np.transpose(loop))


def test_quarter_turn():
    rng = np.random.default_rng(6)
    forecast, truth = rng.random((2, 12, 12)) > 0.6
    weights = rng.uniform(1, 2, (12, 12)) * (rng.random((12, 12)) > 0.3)
    turned = (np.rot90(field) for field in (forecast, truth))
    assert ice_edge.displacement(*turned, weights=np.rot90(weights)) == pytest.approx(
        ice_edge.displacement(forecast, truth, weights=weights)
    )
