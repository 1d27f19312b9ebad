"""Thinning keeps what is connected and leaves lines one cell wide."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from floecast.verification.thinning import NEIGHBOURS, neighbour_codes, thin


def topology(cells):
    """Number of connected parts and of separate parts of the outside."""
    outside = np.pad(~cells, 1, constant_values=True)
    return label(cells, np.ones((3, 3)))[1], label(outside)[1]


@pytest.mark.parametrize("density", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("width", [0.0, 1.5])
def test_topology_is_kept(density, width):
    rng = np.random.default_rng(5)
    field = gaussian_filter(rng.normal(size=(80, 80)), width)
    cells = field < np.quantile(field, density)
    skeleton = thin(cells)
    assert not np.any(skeleton & ~cells)
    assert topology(skeleton) == topology(cells)
    np.testing.assert_array_equal(thin(skeleton), skeleton)


def test_no_cell_is_left_that_could_go():
    rng = np.random.default_rng(6)
    skeleton = thin(gaussian_filter(rng.normal(size=(60, 60)), 2) > 0)
    for row, column in np.argwhere(skeleton & (NEIGHBOURS[neighbour_codes(skeleton)] > 1)):
        fewer = skeleton.copy()
        fewer[row, column] = False
        assert topology(fewer) != topology(skeleton)


def test_bars_become_lines():
    cells = np.zeros((21, 31), bool)
    cells[8:13, 3:28] = True
    skeleton = thin(cells)
    assert skeleton.sum(axis=0).max() == 1
    assert skeleton[:, 8:23].sum() == 15
    np.testing.assert_array_equal(np.argwhere(skeleton[:, 8:23])[:, 0], 10)
    assert not thin(np.zeros((4, 4), bool)).any()


def test_codes():
    cells = np.zeros((3, 3), bool)
    cells[1, 2] = cells[2, 1] = True
    codes = neighbour_codes(cells)
    assert codes[1, 1] == 0b101 and NEIGHBOURS[codes[1, 1]] == 2
    assert codes[0, 0] == 0
