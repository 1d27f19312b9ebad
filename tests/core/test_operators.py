"""Staggered operators: adjoint, conservation, closed forms."""

import numpy as np
import pytest

from floecast.core import operators
from floecast.core.grid import Grid

ISLAND = np.ones((9, 12), bool)
ISLAND[3:5, 6:8] = False
GRIDS = {
    "arctic100": lambda: Grid.preset("arctic100"),
    "box": lambda: Grid.box((9, 12), 7e3, ocean=ISLAND),
}


@pytest.fixture(params=GRIDS)
def grid(request):
    return GRIDS[request.param]()


def random_fields(grid, count=3):
    return np.random.default_rng(5).normal(size=(count, *grid.shape))


def test_divergence_is_minus_the_adjoint_of_the_gradient(grid):
    field, u, v = random_fields(grid)
    field = np.where(grid.mask_t, field, 0.0)
    gradient_x, gradient_y = operators.gradient(field, grid)
    terms = np.asarray(operators.divergence(u, v, grid) * field * grid.area)
    work = np.asarray(gradient_x * u * grid.dx_u**2 + gradient_y * v * grid.dx_v**2)
    assert abs(terms.sum() + work.sum()) < 1e-13 * np.abs(work).sum()


def test_nothing_crosses_the_coast(grid):
    _, u, v = random_fields(grid)
    amount = np.asarray(operators.divergence(u, v, grid)) * grid.area
    assert abs(amount.sum()) < 1e-13 * np.abs(amount).sum()
    assert np.all(amount[~grid.mask_t] == 0)


def test_gradient_of_the_map_coordinate_is_the_scale_factor(grid):
    x, y = np.meshgrid(grid.x, grid.y)
    gradient_x, gradient_y = operators.gradient(3.0 * x - 2.0 * y, grid)
    expected_x = np.where(grid.mask_u, 3.0 * grid.spacing / grid.dx_u, 0.0)
    expected_y = np.where(grid.mask_v, -2.0 * grid.spacing / grid.dx_v, 0.0)
    np.testing.assert_allclose(gradient_x, expected_x, rtol=1e-12, atol=0)
    np.testing.assert_allclose(gradient_y, expected_y, rtol=1e-12, atol=0)


def test_divergence_of_a_linear_flow():
    grid = Grid.box((6, 8), 500.0)
    u = np.broadcast_to(2e-6 * (grid.x[None] + 250.0), grid.shape)
    v = np.broadcast_to(5e-6 * (grid.y[:, None] + 250.0), grid.shape)
    interior = operators.divergence(u, v, grid)[1:-1, 1:-1]
    np.testing.assert_allclose(interior, 7e-6, rtol=1e-12)


def test_means_of_two_neighbours(grid):
    field, u, v = random_fields(grid)
    rows, columns = np.nonzero(grid.mask_u)
    expected = 0.5 * (field[rows, columns] + field[rows, columns + 1])
    np.testing.assert_array_equal(operators.t_to_u(field, grid)[rows, columns], expected)
    rows, columns = np.nonzero(grid.mask_v)
    expected = 0.5 * (field[rows, columns] + field[rows + 1, columns])
    np.testing.assert_array_equal(operators.t_to_v(field, grid)[rows, columns], expected)
    assert not np.any(operators.t_to_u(field, grid)[~grid.mask_u])
    assert not np.any(operators.t_to_v(field, grid)[~grid.mask_v])

    u, v = np.where(grid.mask_u, u, 0.0), np.where(grid.mask_v, v, 0.0)
    rows, columns = np.nonzero(grid.mask_t[1:, 1:])
    expected = 0.5 * (u[1:, 1:] + u[1:, :-1])[rows, columns]
    np.testing.assert_array_equal(operators.u_to_t(u, grid)[1:, 1:][rows, columns], expected)
    expected = 0.5 * (v[1:, 1:] + v[:-1, 1:])[rows, columns]
    np.testing.assert_array_equal(operators.v_to_t(v, grid)[1:, 1:][rows, columns], expected)
    assert not np.any(operators.u_to_t(u, grid)[~grid.mask_t])


def test_neighbours():
    field = np.arange(12.0).reshape(3, 4)
    assert operators.east(field)[1, 1] == field[1, 2]
    assert operators.west(field)[1, 1] == field[1, 0]
    assert operators.north(field)[1, 1] == field[2, 1]
    assert operators.south(field)[1, 1] == field[0, 1]
