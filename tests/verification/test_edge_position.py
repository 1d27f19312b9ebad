"""Distances between ice edges on fields, with sign."""

import numpy as np
import pytest

import floecast as fc
from floecast.verification import edge_position as ep
from floecast.verification import ice_edge

GRID = fc.Grid.box((20, 30), 10e3)
PLACES = ep.cell_positions(GRID)


def half_plane(columns):
    field = np.zeros(GRID.shape)
    field[:, :columns] = 1
    return field


@pytest.mark.parametrize(("columns", "bias"), [(13, 30e3), (10, 0), (6, -40e3)])
def test_shifted_half_plane(columns, bias):
    found = ep.edge_position_errors(
        half_plane(columns), half_plane(10), weights=GRID.area, positions=PLACES
    )
    expected = ep.EdgePosition(abs(bias), abs(bias), bias, abs(bias))
    np.testing.assert_allclose(found, expected)
    signed = ice_edge.signed_displacement(half_plane(columns), half_plane(10), weights=GRID.area)
    assert signed == pytest.approx(bias, rel=0.05, abs=1e-9)


def test_agrees_with_the_distances_of_point_sets():
    rng = np.random.default_rng(0)
    forecast, truth = rng.random((2, *GRID.shape))
    mask = rng.random(GRID.shape) > 0.1
    weights = GRID.area * mask
    found = ep.edge_position_errors(
        forecast, truth, weights=weights, positions=PLACES, threshold=0.7
    )
    edges = [
        PLACES[ice_edge.edge_cells(field, weights=weights, threshold=0.7)]
        for field in (forecast, truth)
    ]
    expected = ice_edge.edge_distances(*edges)
    assert found.mean == pytest.approx(expected.mean)
    assert found.rms == pytest.approx(expected.rms)
    assert found.modified_hausdorff == pytest.approx(expected.modified_hausdorff)
    assert abs(found.bias) < found.mean
    swapped = ep.edge_position_errors(
        truth, forecast, weights=weights, positions=PLACES, threshold=0.7
    )
    assert swapped.mean == pytest.approx(found.mean)
    for fill in (np.nan, 1e20):
        filled = [np.where(mask, field, fill) for field in (forecast, truth)]
        again = ep.edge_position_errors(*filled, weights=weights, positions=PLACES, threshold=0.7)
        assert again == found


def test_distances_are_arcs_of_great_circles():
    # Ice north of 75 and of 72 degrees on a fan of meridians.
    latitude = np.repeat(np.arange(60.0, 90.0, 0.5)[:, None], 90, axis=1)
    longitude = np.repeat(np.arange(90)[None] * 4.0, 60, axis=0)
    places = ep.positions_on_sphere(latitude, longitude)
    found = ep.edge_position_errors(
        latitude > 75, latitude > 72, weights=np.ones(latitude.shape), positions=places
    )
    assert found.mean == pytest.approx(ep.EARTH_RADIUS * np.radians(3))
    assert found.bias == pytest.approx(-found.mean)
    apart = ep._nearest(
        ep.positions_on_sphere([0.0], [0.0]), ep.positions_on_sphere([0.0], [180.0])
    )
    assert apart[0] == pytest.approx(np.pi * ep.EARTH_RADIUS)


def test_an_empty_edge_is_undefined():
    for forecast, truth in ((0, 1), (1, 0), (0, 0)):
        found = ep.edge_position_errors(
            forecast * half_plane(5), truth * half_plane(9), weights=GRID.area, positions=PLACES
        )
        assert np.isnan(found).all()


def test_score_over_the_length_of_the_edge():
    members = np.stack([half_plane(12), half_plane(14)])
    truth = half_plane(10)
    length = ice_edge.edge_length(truth, weights=GRID.area)
    # P - o is 1 in two columns of 20 cells, 1/2 in two more; fair takes 1/4 off in the latter.
    for fair, area in ((False, 20 * (2 + 2 * 0.25) * 1e8), (True, 20 * 2 * 1e8)):
        value = ice_edge.sps_per_length(members, truth, weights=GRID.area, fair=fair)
        assert value == pytest.approx(area / length)
    assert np.isnan(ice_edge.sps_per_length(members, 0 * truth, weights=GRID.area))
