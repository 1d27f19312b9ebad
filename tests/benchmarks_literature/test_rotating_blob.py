"""A smooth bump after one turn of solid rotation, against published and measured errors.

Domain, flow and bump are those of the advection test of neXtSIM-DG (Richter et al. 2023,
doi:10.5194/gmd-16-3907-2023): 409.6 km by 512 km in 12 by 13 cells and finer, error in the L2
norm over the width. Its scheme of lowest order (DG0) is the upwind scheme.
"""

import jax
import numpy as np
import pytest

from floecast.simulator.advection import Mesh, Upwind
from floecast.simulator.weno import WENO

OPTIMISED = True

WIDTH, HEIGHT = 409600.0, 512000.0
POINTS = 8
DG0 = {12: 0.051256, 24: 0.048288, 48: 0.043106, 96: 0.035794}
WENO5 = {12: 0.0315, 24: 0.01125, 48: 0.00442, 96: 0.00137}
WENO7 = {12: 0.0268, 24: 0.00722, 48: 0.00291, 96: 0.000732}
"""The WENO rows come from an independent implementation with cell means."""


def bump(x, y):
    r = ((x / WIDTH - 0.25) ** 2 + (y / WIDTH - 0.5) ** 2) / 0.025
    inside = r < 1
    return np.where(inside, np.exp(-1.0 / (1.0 - np.where(inside, r, 0.0))), 0.0)


def midpoints(size, length):
    return (np.arange(size) + 0.5) * length / size


def fine_bump(cells):
    """The bump at `POINTS` by `POINTS` points a cell."""
    rows = 13 * cells // 12
    x, y = midpoints(cells * POINTS, WIDTH), midpoints(rows * POINTS, HEIGHT)
    return bump(x, y[:, None]).reshape(rows, POINTS, cells, POINTS)


def after_one_turn(scheme, cells, steps, start):
    """The bump carried round the centre of the lower square once."""
    rows = 13 * cells // 12
    shape, dx, dy = (rows, cells), WIDTH / cells, HEIGHT / rows
    everywhere = np.ones(shape, bool)
    open_u, open_v = everywhere.copy(), everywhere.copy()
    open_u[:, -1], open_v[-1] = False, False
    mesh = Mesh(
        np.full(shape, dx * dy), np.full(shape, dy), np.full(shape, dx), open_u, open_v, everywhere
    )
    x, y = midpoints(cells, WIDTH), midpoints(rows, HEIGHT)
    u = np.broadcast_to(2 * np.pi * (y[:, None] - WIDTH / 2) / WIDTH, shape)
    v = np.broadcast_to(2 * np.pi * (WIDTH / 2 - x) / WIDTH, shape)
    none = np.zeros((0, *shape))
    carry = jax.jit(scheme.carry, static_argnums=(5, 6))
    found = np.asarray(carry(start[None], none, u, v, mesh, WIDTH, steps)[0][0])
    assert found.min() >= 0 and np.sum(found) == pytest.approx(np.sum(start), rel=1e-12)
    return found


def norm(error):
    """L2 norm over the width of the domain."""
    return np.sqrt(np.mean(error**2) * WIDTH * HEIGHT) / WIDTH


@pytest.mark.parametrize("cells", DG0)
def test_upwind(cells):
    # With these short steps the error of the time step is below 1 %.
    rows = 13 * cells // 12
    start = bump(midpoints(cells, WIDTH), midpoints(rows, HEIGHT)[:, None])
    found = after_one_turn(Upwind(), cells, 400 * cells // 12, start)
    error = norm(found[:, None, :, None] - fine_bump(cells))
    assert error == pytest.approx(DG0[cells], rel=0.01)


@pytest.mark.parametrize("cells", WENO5)
@pytest.mark.parametrize(("order", "published"), [(5, WENO5), (7, WENO7)])
def test_weno(order, published, cells):
    start = fine_bump(cells).mean((1, 3))
    found = after_one_turn(WENO(order), cells, 100 * cells // 12, start)
    assert norm(found - start) < 1.05 * published[cells]
