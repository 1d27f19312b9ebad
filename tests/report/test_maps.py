"""Scales, windows and palettes of the maps."""

import io

import cmocean
import numpy as np
import pytest
from PIL import Image

from floecast.core.grid import Grid
from floecast.report.drawing import style
from floecast.report.maps import (
    LAND,
    MARGIN,
    TRUE_EDGE,
    FieldMap,
    Plane,
    fraction_scale,
    positive_scale,
    symmetric_scale,
)


def picture(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)


def holds(pixels, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((pixels == wanted).all(axis=1).sum())


@pytest.fixture(scope="module")
def grid():
    return Grid.preset("arctic100")


@pytest.mark.parametrize(
    ("largest", "limit"), [(0.9, 1), (1.0, 1), (1.2, 1.5), (3.3, 4), (0.052, 0.06), (9.0, 10)]
)
def test_scale_ends_at_a_round_number(largest, limit):
    scale = positive_scale("", np.array([np.nan, 0.0, largest]), cmocean.cm.dense)
    assert (scale.lower, scale.upper) == (0.0, pytest.approx(limit))


def test_change_is_drawn_symmetrically_and_nothing_is_white():
    scale = symmetric_scale("", np.array([-0.7, 0.1, np.nan]))
    assert scale.lower == -scale.upper == pytest.approx(-0.8)
    middle = scale.colours.resampled(scale.steps)(0.5)
    assert min(middle[:3]) > 0.9
    assert symmetric_scale("", np.zeros(3)).upper == 1.0


def test_window_shows_all_ice_and_the_pole(grid):
    ice = np.zeros(grid.shape, bool)
    ice[10:14, 40:44] = True
    west, east, south, north = Plane.around(grid.x, grid.y, ice, True).window
    assert east - west == pytest.approx(north - south)
    assert west < grid.x[40] and grid.x[43] < east and south <= grid.y[10] - MARGIN < 0 < north
    assert west < 0
    everywhere = Plane.around(grid.x, grid.y, np.ones(grid.shape, bool), True)
    assert everywhere.window == pytest.approx(everywhere.extent)


def test_box_has_neither_land_nor_graticule():
    box = Grid.box((20, 30), 2e3)
    plane = Plane.around(box.x, box.y, np.ones((20, 30), bool), False)
    with style():
        png = FieldMap(plane, fraction_scale(""), (TRUE_EDGE,)).draw(np.ones((20, 30)), "box")
    assert holds(picture(png), LAND) == 0


def test_map_is_redrawn_without_a_trace(grid):
    """Drawing another field in between changes nothing."""
    first = np.where(grid.mask_t, (grid.latitude > 75) * 1.0, np.nan)
    second = np.where(grid.mask_t, (grid.latitude > 65) * 1.0, np.nan)
    plane = Plane.around(grid.x, grid.y, first > 0, True)
    with style():
        drawing = FieldMap(plane, fraction_scale("ice"), (TRUE_EDGE,))
        once = drawing.draw(first, "first", edges=[(TRUE_EDGE, first)])
        drift = (first, second, 0.5)
        other = drawing.draw(second, "second", edges=[(TRUE_EDGE, second)], drift=drift)
        again = drawing.draw(first, "first", edges=[(TRUE_EDGE, first)])
        nothing = drawing.draw(first * np.nan, "none", edges=[(TRUE_EDGE, first * np.nan)])
    assert once == again != other
    assert len({once, other, nothing}) == 3


def test_flat_colours_are_the_same_in_every_picture(grid):
    field = np.where(grid.mask_t, np.linspace(0, 1, grid.x.size), np.nan)
    plane = Plane.around(grid.x, grid.y, field > 2, True)
    with style():
        for scale in (fraction_scale(""), symmetric_scale("", field)):
            pixels = picture(FieldMap(plane, scale, (TRUE_EDGE,)).draw(field, ""))
            assert holds(pixels, LAND) > 10_000
            assert holds(pixels, "#ffffff") > 10_000
            assert holds(pixels, TRUE_EDGE.colour) > 20  # in the legend alone
            assert len(np.unique(pixels, axis=0)) <= 64
