"""Power spectra of fields that are known."""

import numpy as np
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.verification.spectra import power_spectrum, sea_boxes


@pytest.mark.parametrize("waves", [3, 5, 11])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_cosine_falls_into_its_ring(waves, axis):
    size, spacing = 32, 50e3
    place = np.arange(size) - (size - 1) / 2
    place = place[:, None] if axis == 0 else place
    field = np.broadcast_to(np.cos(2 * np.pi * waves * place / size), (size, size))
    told = power_spectrum(field, spacing=spacing)
    peak = np.argmax(told.power)
    assert told.wavelength[peak] == pytest.approx(size * spacing / waves)
    # The window spreads it over the two rings beside, and no further.
    away = np.abs(np.arange(1, size // 2 + 1) - waves) > 2
    assert told.power[away].max() < 2e-3 * told.power[peak]


def test_noise_has_the_power_of_its_variance():
    field = 3.0 * np.random.default_rng(0).normal(size=(400, 16, 16))
    told = power_spectrum(field, spacing=1.0)
    assert told.power.shape == (400, 8) and list(told.wavelength[[0, -1]]) == [16.0, 2.0]
    assert np.mean(told.power, axis=0)[1:] == pytest.approx(9.0, rel=0.05)


def test_a_plane_has_none():
    y, x = np.mgrid[:12, :12]
    assert power_spectrum(4.0 + 0.3 * x - 2.0 * y, spacing=1.0).power.max() < 1e-24


def test_what_is_no_box_is_refused():
    for field in (np.zeros((8, 9)), np.zeros(8), np.zeros((3, 3))):
        with pytest.raises(InputError, match="expected"):
            power_spectrum(field, spacing=1.0)
    with pytest.raises(InputError, match="not finite"):
        power_spectrum(np.full((8, 8), np.nan), spacing=1.0)


def test_boxes_lie_in_the_sea():
    ocean = np.ones((10, 14), bool)
    ocean[4, 6] = False
    grid = Grid.box((10, 14), 1e3, ocean=ocean)
    boxes = sea_boxes(grid, 4)
    assert len(boxes) > 3
    for row, column in boxes:
        inside = (slice(row, row + 4), slice(column, column + 4))
        assert grid.mask_t[inside].all() and grid.mask_u[inside].all()
    apart = np.abs(boxes[:, None] - boxes[None]).max(-1)
    assert apart[~np.eye(len(boxes), dtype=bool)].min() >= 1
    assert sea_boxes(grid, 9).shape == sea_boxes(grid, 30).shape == (0, 2)
    assert not len(sea_boxes(Grid.box((10, 14), 1e3, latitude=60.0), 4))
