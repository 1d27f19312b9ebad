"""The ice edge where it is known, and how far apart its quantiles are."""

import numpy as np
import pytest

from floecast.core.grid import Grid
from floecast.forecast.ice_edge import ice_edge
from floecast.forecast.probability import quantiles

GRID = Grid.box((12, 40), 10e3)


def ramp(position):
    """Concentration that falls along x by 1 % a kilometre and is 15 % at a position [m]."""
    row = np.clip(0.15 - (GRID.x - position) * 1e-5, 0, 1)
    return np.broadcast_to(row, GRID.shape)


def test_straight_edges_are_as_far_apart_as_their_quantiles():
    positions = 200e3 + 12e3 * np.random.default_rng(1).normal(size=21)
    edge = ice_edge(np.stack([ramp(position) for position in positions]), GRID)
    inner, median, outer = quantiles(positions, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(edge.x, median, rtol=1e-9)
    np.testing.assert_allclose(edge.inner, median - inner, rtol=1e-6)
    np.testing.assert_allclose(edge.outer, outer - median, rtol=1e-6)
    assert edge.width == pytest.approx(outer - inner)
    assert set(edge.line) == {0} and edge.length.sum() == pytest.approx(110e3)


def test_members_that_agree_have_no_distance_between_their_edges():
    edge = ice_edge(np.stack([ramp(173e3)] * 5), GRID)
    assert edge.width == 0 and len(edge.x) >= 12


def test_a_coast_is_no_edge():
    ocean = np.ones((12, 40), bool)
    ocean[:, 20:] = False
    grid = Grid.box((12, 40), 10e3, ocean=ocean)
    members = np.where(ocean, np.ones((5, 12, 40)), 0.0)
    edge = ice_edge(members, grid)
    assert len(edge.x) == 0 and np.isnan(edge.width)


def test_without_an_inner_edge_its_distance_is_unknown():
    members = np.stack([ramp(100e3 if number < 3 else -1e6) for number in range(5)])
    edge = ice_edge(members, GRID)
    assert len(edge.x) and np.isnan(edge.inner).all() and np.isnan(edge.width)


def test_distances_are_true_on_the_map():
    grid = Grid.preset("arctic100")
    # Edges along circles about the pole, 2.0 and 2.4 thousand kilometres from it on the map.
    radius = np.hypot(*np.meshgrid(grid.x, grid.y))
    members = [np.clip(0.15 - (radius - r) * 1e-6, 0, 1) for r in [2.0e6] * 2 + [2.4e6] * 3]
    grid = Grid(**{**vars(grid), "mask_t": np.ones(grid.shape, bool)})
    edge = ice_edge(np.stack(members), grid)
    column = np.abs(edge.y) < 60e3
    assert column.any()
    # On the map the inner edge is 400 km away.
    scale = grid.spacing / grid.dx_t[32, np.argmin(np.abs(grid.x - 2.4e6))]
    np.testing.assert_allclose(edge.inner[column], 0.4e6 / scale, rtol=4e-3)
