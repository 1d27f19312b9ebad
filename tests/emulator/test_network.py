"""The network: blind to land, quiet at first, of any size of grid."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.emulator.network import Masks, UNet, _refine

WIDTHS = (4, 6, 8)


def trained(widths):
    """A network of which every weight does something."""
    drawn = UNet.draw(jax.random.key(0), 5, 3, widths)
    random = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: leaf + 0.1 * random.normal(size=leaf.shape), drawn)


@pytest.fixture(scope="module")
def network():
    return trained(WIDTHS)


applied = eqx.filter_jit(lambda network, *given: network(*given))


def noise_of(network, shape, seed):
    random = np.random.default_rng(seed)
    return tuple(jnp.asarray(random.normal(size=one)) for one in network.noise_shapes(shape))


def test_masks_tell_land_at_every_level(grid):
    masks = Masks.of(grid, 3)
    assert [one.shape for one in masks.sea] == [(8, 12, 1), (4, 6, 1), (2, 3, 1)]
    assert np.array_equal(masks.sea[0][..., 0], grid.mask_t)
    assert masks.share[0][6, 9, 0] == 1.0 and masks.share[0][7, 9, 0] == 9 / 6
    assert masks.share[0][2, 4, 0] == 9 / 8  # beside the corner of the island
    assert np.all(masks.share[0][~grid.mask_t] == 0)


def test_what_stands_on_land_does_not_matter_and_nothing_comes_out_there(grid, network):
    masks = Masks.of(grid, 3)
    fields = jnp.asarray(np.random.default_rng(0).normal(size=(8, 12, 5))) * masks.sea[0]
    result = applied(network, fields, masks, noise_of(network, grid.shape, 0))
    assert np.all(result[~grid.mask_t] == 0) and np.abs(result[grid.mask_t]).min() > 0


def test_partial_convolution_makes_up_for_land(grid):
    from floecast.emulator.network import Convolution

    mean = Convolution(jnp.full((3, 3, 1, 1), 1 / 9), jnp.zeros(1), 1)
    masks = Masks.of(grid, 1)
    result = mean(jnp.asarray(masks.sea[0]), masks.share[0]) * masks.sea[0]
    assert np.allclose(result[grid.mask_t], 1.0, rtol=1e-12)


def test_untrained_says_nothing(grid):
    network = UNet.draw(jax.random.key(0), 5, 3, WIDTHS)
    fields = jnp.ones((8, 12, 5))
    assert np.all(
        applied(network, fields, Masks.of(grid, 3), noise_of(network, grid.shape, 0)) == 0
    )


def test_noise_of_each_level_is_felt(grid, network):
    masks, fields = Masks.of(grid, 3), jnp.ones((8, 12, 5))
    noise = noise_of(network, grid.shape, 0)
    calm = applied(network, fields, masks, noise)
    for level in range(3):
        other = list(noise)
        other[level] = other[level] + 1.0
        assert np.abs(applied(network, fields, masks, tuple(other)) - calm).max() > 1e-6
    assert np.array_equal(
        applied(network, fields, masks, tuple(0 * one for one in noise)),
        applied(network, fields, masks),
    )


def test_moves_with_the_grid():
    """Away from the edges a shift by the coarsest cell shifts the answer."""
    grid, network = Grid.box((48, 48), 1e3), trained(WIDTHS[:2])
    masks = Masks.of(grid, 2)
    fields = np.zeros((48, 48, 5))
    fields[20:24, 20:24] = np.random.default_rng(0).normal(size=(4, 4, 5))
    shifted = np.roll(fields, (4, 4), (0, 1))
    one, other = (applied(network, jnp.asarray(given), masks) for given in (fields, shifted))
    inner = slice(20, 28)
    assert np.abs(np.roll(one, (4, 4), (0, 1)) - other)[inner, inner].max() < 1e-12


def test_grid_that_cannot_be_halved_is_refused():
    with pytest.raises(InputError, match="multiples of 4"):
        Masks.of(Grid.box((8, 10), 1e3), 3)


def test_refined_fields_are_linear_between_centres():
    coarse = np.add.outer(3.0 * np.arange(6), 5.0 * np.arange(7))[..., None]
    fine = np.asarray(_refine(jnp.asarray(coarse)))[..., 0]
    true = np.add.outer(3.0 * (np.arange(12) - 0.5) / 2, 5.0 * (np.arange(14) - 0.5) / 2)
    assert np.allclose(fine[1:-1, 1:-1], true[1:-1, 1:-1])
