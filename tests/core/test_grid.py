"""Grids against PROJ, against each other, and by hand."""

import numpy as np
import pyproj
import pytest

from floecast.core.errors import InputError
from floecast.core.grid import EARTH_ROTATION, PRESETS, Grid

PROJECTION = pyproj.Proj("EPSG:3413")
GEOD = pyproj.Geod(ellps="WGS84")


@pytest.fixture(scope="module", params=["arctic100", "arctic12"])
def grid(request):
    return Grid.preset(request.param)


@pytest.mark.parametrize(
    ("name", "shift_x", "shift_y"),
    [("dx_t", 0.0, 0.0), ("dx_u", 0.5, 0.0), ("dx_v", 0.0, 0.5), ("dx_f", 0.5, 0.5)],
)
def test_sides_agree_with_the_scale_factors_of_proj(grid, name, shift_x, shift_y):
    step = max(1, grid.shape[0] // 32)
    x, y = np.meshgrid(
        grid.x[::step] + shift_x * grid.spacing, grid.y[::step] + shift_y * grid.spacing
    )
    factors = PROJECTION.get_factors(*PROJECTION(x, y, inverse=True))
    side = getattr(grid, name)[::step, ::step]
    np.testing.assert_allclose(side, grid.spacing / factors.meridional_scale, rtol=1e-7)
    np.testing.assert_allclose(side, grid.spacing / factors.parallel_scale, rtol=1e-7)


def cell_area(grid, row, column):
    """Area on the ellipsoid of a cell whose sides are straight on the map."""
    along = np.linspace(-0.5, 0.5, 41)[:-1]
    x = np.concatenate([along, np.full(40, 0.5), -along, np.full(40, -0.5)])
    y = np.concatenate([np.full(40, -0.5), along, np.full(40, 0.5), -along])
    longitude, latitude = PROJECTION(
        grid.x[column] + x * grid.spacing, grid.y[row] + y * grid.spacing, inverse=True
    )
    return GEOD.polygon_area_perimeter(longitude, latitude)[0]


def test_area_agrees_with_geodesic_area(grid):
    # The scale factor at the centre stands for the cell: the error goes with spacing^2.
    tolerance = 1e-4 * (grid.spacing / 100e3) ** 2
    for row in range(0, grid.shape[0], grid.shape[0] // 5):
        for column in range(0, grid.shape[1], grid.shape[1] // 5):
            area = cell_area(grid, row, column)
            assert grid.area[row, column] == pytest.approx(area, rel=tolerance)


def test_positions_and_rotation_agree_with_proj(grid):
    x, y = np.meshgrid(grid.x, grid.y)
    longitude, latitude = PROJECTION(x, y, inverse=True)
    np.testing.assert_allclose(grid.latitude, latitude, atol=1e-9)
    east_x, east_y = PROJECTION(grid.longitude + 1e-5, grid.latitude)
    direction = np.arctan2(east_y - y, east_x - x)  # of true east, from the map's x axis
    turned = np.angle(np.exp(1j * (direction + grid.angle)))
    np.testing.assert_allclose(turned, 0.0, atol=1e-4)
    np.testing.assert_allclose(
        grid.coriolis, 2 * EARTH_ROTATION * np.sin(np.radians(latitude)), rtol=1e-12
    )


def test_masks(grid):
    ocean = grid.mask_t
    np.testing.assert_array_equal(grid.mask_u[:, :-1], ocean[:, 1:] & ocean[:, :-1])
    np.testing.assert_array_equal(grid.mask_v[:-1], ocean[1:] & ocean[:-1])
    four = ocean[1:, 1:] & ocean[1:, :-1] & ocean[:-1, 1:] & ocean[:-1, :-1]
    np.testing.assert_array_equal(grid.mask_f[:-1, :-1], four)
    assert not grid.mask_u[:, -1].any() and not grid.mask_v[-1].any()
    assert not grid.mask_f[:, -1].any() and not grid.mask_f[-1].any()


def test_presets_nest_and_ascend():
    names = list(PRESETS)
    for coarse, fine in zip(names, names[1:], strict=False):
        coarse, fine = Grid.preset(coarse), Grid.preset(fine)
        assert fine.spacing * 2 == coarse.spacing
        for coarse_edges, fine_edges in zip(coarse.edges(), fine.edges(), strict=True):
            np.testing.assert_array_equal(coarse_edges, fine_edges[::2])
            assert np.all(np.diff(fine_edges) == fine.spacing)
            assert fine_edges[0] == -3.2e6 and fine_edges[-1] == 3.2e6


def test_unknown_preset():
    with pytest.raises(InputError, match="no grid preset 'arctic7'; there are arctic100"):
        Grid.preset("arctic7")


def test_box():
    ocean = np.ones((3, 4), bool)
    ocean[0, 0] = False
    box = Grid.box((3, 4), 2e3, latitude=30.0, ocean=ocean)
    assert box.shape == (3, 4) and box.epsg is None and box.name == "box"
    np.testing.assert_array_equal(box.x, [1e3, 3e3, 5e3, 7e3])
    np.testing.assert_array_equal(box.y, [1e3, 3e3, 5e3])
    np.testing.assert_array_equal(box.area, 4e6)
    np.testing.assert_allclose(box.coriolis, EARTH_ROTATION, rtol=1e-12)
    assert not box.mask_u[0, 0] and not box.mask_v[0, 0] and not box.mask_f[0, 0]
    assert box.mask_u.sum() == 8 and box.mask_v.sum() == 7 and box.mask_f.sum() == 5
    edges_x, edges_y = box.edges()
    np.testing.assert_array_equal(edges_x, [0, 2e3, 4e3, 6e3, 8e3])
    np.testing.assert_array_equal(edges_y, [0, 2e3, 4e3, 6e3])


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": (0, 3), "spacing": 1e3},
        {"shape": (2, 3), "spacing": 0.0},
        {"shape": (2, 3), "spacing": float("nan")},
        {"shape": (2, 3), "spacing": 1e3, "ocean": np.ones((3, 2), bool)},
    ],
)
def test_bad_box(arguments):
    with pytest.raises(InputError):
        Grid.box(**arguments)
