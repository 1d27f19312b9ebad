"""Fluxes through faces: nothing lost, nothing negative, second order, a derivative everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.grid import Grid
from floecast.emulator.transport import outflow


def carried(content, courant_u, courant_v, grid, excess=0.0):
    excess = jnp.full(grid.shape, excess)
    return outflow(content, courant_u, courant_v, excess, excess, grid).carry(content, grid.area)


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_conserves_and_stays_positive_whatever_the_flow(grid, size):
    random = np.random.default_rng(0)
    content = random.uniform(0, 3, grid.shape) * (random.uniform(size=grid.shape) > 0.4)
    content = jnp.asarray(content * grid.mask_t)
    u, v, excess = size * random.normal(size=(3, *grid.shape))
    faces = outflow(content, u, v, np.clip(excess, -1, 1), np.clip(-excess, -1, 1), grid)
    after = faces.carry(content, grid.area)
    assert after.min() >= 0 and np.all(after[~grid.mask_t] == 0)
    total = np.sum(content * grid.area)
    assert abs(np.sum(after * grid.area) - total) < 1e-13 * total


def test_what_is_still_stays():
    grid = Grid.box((6, 8), 1e3)
    content = jnp.asarray(np.random.default_rng(0).uniform(0, 1, grid.shape))
    still = jnp.zeros(grid.shape)
    assert np.abs(carried(content, still, still, grid) - content).max() < 3e-3


def error_of_a_travelling_wave(cells):
    """Of a bell that goes a tenth of a long channel."""
    grid = Grid.box((1, cells), 1.0 / cells)
    x = np.asarray(grid.x)
    courant = jnp.full(grid.shape, 0.25)

    def bell(centre):
        return np.exp(-(((x - centre) / 0.08) ** 2))[None]

    content = jnp.asarray(bell(0.4))
    step = jax.jit(lambda content: carried(content, courant, 0 * courant, grid))
    for _ in range(int(0.1 * cells / 0.25)):
        content = step(content)
    return float(np.mean(np.abs(content - bell(0.5))))


def test_second_order_in_smooth_fields():
    coarse, fine = error_of_a_travelling_wave(80), error_of_a_travelling_wave(160)
    assert np.log2(coarse / fine) > 1.6


def test_east_is_like_west_and_like_north(grid):
    box = Grid.box((8, 8), 1e3)
    random = np.random.default_rng(0)
    content = jnp.asarray(random.uniform(0, 1, box.shape))
    u = jnp.asarray(random.normal(0, 0.3, box.shape))
    zero = jnp.zeros(box.shape)
    east = carried(content, u, zero, box)
    # A face is to the east of its cell: seen from the other side it is one place further.
    west = carried(content[:, ::-1], -jnp.roll(u[:, ::-1], -1, 1), zero, box)[:, ::-1]
    north = carried(content.T, zero, u.T, box).T
    assert np.abs(east - west).max() < 1e-15 and np.abs(east - north).max() < 1e-15


def test_derivatives_are_finite_at_nothing_and_at_rest(grid):
    zero = jnp.zeros(grid.shape)
    gradients = jax.grad(
        lambda *given: jnp.sum(carried(*given, grid) * np.arange(grid.mask_t.size).reshape(8, 12)),
        argnums=(0, 1, 2),
    )(zero, zero, zero)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert np.abs(gradients[0]).max() > 0
