"""Footprints against closed forms, near land and at the edge of the grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.observation.footprint import (
    containing_cell,
    footprints,
    grid_position,
)

BOX = Grid.box((8, 10), 50e3)
ARCTIC = Grid.preset("arctic100")


def dense(seen, grid):
    """Weights of each observation as a field."""
    field = np.zeros((len(seen.cell), grid.mask_t.size))
    for weights, cells, row in zip(seen.weight, seen.cell, field, strict=True):
        np.add.at(row, cells, weights)
    return field.reshape(-1, *grid.shape)


def test_box_of_one_cell_on_its_centre_sees_that_cell():
    seen = footprints(BOX, BOX.x[[3]], BOX.y[[2]], 50e3, shape="box")
    assert seen.cell.tolist() == [[2 * 10 + 3]] and seen.weight.tolist() == [[1.0]]


def test_box_is_shared_by_area():
    x, y = BOX.x[[3]] + 10e3, BOX.y[[2]] + 25e3
    field = dense(footprints(BOX, x, y, 50e3, shape="box"), BOX)[0]
    expected = np.zeros(BOX.shape)
    expected[2:4, 3], expected[2:4, 4] = 0.4, 0.1
    np.testing.assert_allclose(field, expected, atol=1e-12)


def test_gaussian_has_the_width_asked_for():
    grid = Grid.box((201, 201), 1e3)
    field = dense(footprints(grid, grid.x[[100]], grid.y[[100]], 50e3), grid)[0]
    sigma, cut = 50e3 / np.sqrt(8 * np.log(2)), np.sqrt(8 * np.log(2))
    inside = 0.98151
    truncated = sigma**2 * (1 - 2 * cut * np.exp(-(cut**2) / 2) / np.sqrt(2 * np.pi) / inside)
    along = field.sum(axis=0)
    assert along @ (grid.x - grid.x[100]) == pytest.approx(0, abs=1e-6)
    assert field[100].argmax() == 100
    # The lightest cells, in the corners, are left out, so a little less.
    width = along @ (grid.x - grid.x[100]) ** 2
    assert 0.99 * truncated < width < truncated


def test_gaussian_weights_are_integrals_of_the_kernel():
    seen = footprints(BOX, BOX.x[[4]], BOX.y[[4]], 50e3)
    field = dense(seen, BOX)[0]
    # By numerical integration on a fine mesh of the cut Gaussian.
    fine = np.arange(-50e3, 50e3, 100.0) + 50.0
    kernel = np.exp(-4 * np.log(2) * (fine / 50e3) ** 2)
    middle = kernel[np.abs(fine) < 25e3].sum() / kernel.sum()
    side = (1 - middle) / 2
    expected = np.outer([side, middle, side], [side, middle, side])
    np.testing.assert_allclose(field[3:6, 3:6], expected, atol=1e-6)


def test_land_gets_nothing_and_the_sea_all():
    ocean = np.ones(BOX.shape, bool)
    ocean[:, :4] = False
    grid = Grid.box(BOX.shape, BOX.spacing, ocean=ocean)
    edge = (grid.x[3] + grid.x[4]) / 2
    seen = footprints(grid, np.array([edge, grid.x[1]]), np.full(2, grid.y[4]), 50e3, shape="box")
    np.testing.assert_allclose(seen.ocean_share, [0.5, 0.0])
    field = dense(seen, grid)
    assert field[0, 4, 4] == 1.0 and field[1].sum() == 0.0


def test_beyond_the_grid_counts_as_land():
    seen = footprints(BOX, np.array([0.0, -1e6, 6e6]), np.full(3, BOX.y[4]), 50e3, shape="box")
    np.testing.assert_allclose(seen.ocean_share, [0.5, 0.0, 0.0])
    assert (seen.cell >= 0).all() and (seen.cell < 80).all()


@given(
    st.floats(-3.3e6, 3.3e6),
    st.floats(-3.3e6, 3.3e6),
    st.floats(5e3, 300e3),
    st.sampled_from(["gaussian", "box"]),
)
def test_footprints_are_averages_over_ocean(x, y, size, shape):
    seen = footprints(ARCTIC, np.array([x]), np.array([y]), size, shape=shape)
    assert -1e-12 <= seen.ocean_share[0] <= 1 + 1e-9
    assert (seen.weight >= 0).all()
    if seen.ocean_share[0] > 0.01:
        assert seen.weight.sum() == pytest.approx(1.0)
        assert ARCTIC.mask_t.reshape(-1)[seen.cell[seen.weight > 0]].all()


@pytest.mark.parametrize(("size", "shape"), [(0.0, "box"), (-1.0, "box"), (np.nan, "box")])
def test_size_must_be_positive(size, shape):
    with pytest.raises(InputError, match="positive size"):
        footprints(BOX, BOX.x[:1], BOX.y[:1], size, shape=shape)


def test_unknown_shape():
    with pytest.raises(InputError, match="'disc'"):
        footprints(BOX, BOX.x[:1], BOX.y[:1], 50e3, shape="disc")


def test_containing_cell_round_trip():
    x, y = np.meshgrid(ARCTIC.x, ARCTIC.y)
    for shift in (-0.49, 0.0, 0.49):
        cell, ocean = containing_cell(ARCTIC, x + shift * 100e3, y + shift * 100e3)
        np.testing.assert_array_equal(cell, np.arange(64 * 64).reshape(64, 64))
        np.testing.assert_array_equal(ocean, ARCTIC.mask_t)
    _, ocean = containing_cell(ARCTIC, np.array([3.3e6, -3.3e6]), np.array([0.0, 0.0]))
    assert not ocean.any()


def test_position_of_grid_cells():
    x, y = grid_position(ARCTIC, ARCTIC.latitude, ARCTIC.longitude)
    np.testing.assert_allclose(x, np.broadcast_to(ARCTIC.x, x.shape), atol=0.01)
    np.testing.assert_allclose(y, np.broadcast_to(ARCTIC.y[:, None], y.shape), atol=0.01)


def test_a_box_has_no_position():
    with pytest.raises(InputError, match="nowhere on the Earth"):
        grid_position(BOX, 80.0, 0.0)
