"""The packaged masks and coastline against places that anybody can look up."""

import numpy as np
import pytest
import scipy.ndimage

from floecast.core.errors import InputError
from floecast.core.land import coastline, land_polygons, ocean_mask
from floecast.core.projection import EPSG_3413

HALF_WIDTH = 3.2e6
PRESETS = {"arctic100": 64, "arctic50": 128, "arctic25": 256, "arctic12": 512}
OCEAN = {
    "North Pole": (90.0, 0.0),
    "Beaufort Sea": (73.0, -140.0),
    "Laptev Sea": (76.0, 125.0),
    "Barents Sea": (74.0, 38.0),
    "Bering Sea": (60.0, -178.0),
    "Baffin Bay": (73.0, -67.0),
    "Hudson Bay": (60.0, -85.0),
    "White Sea": (65.6, 37.8),
    "Greenland Sea": (75.0, -3.0),
}
LAND = {
    "Greenland": (72.0, -40.0),
    "Siberia": (67.0, 110.0),
    "Alaska": (66.0, -152.0),
    "Yukon": (63.0, -135.0),
    "Sweden": (65.0, 17.5),
    "Iceland": (64.8, -18.5),
    "Lake Ladoga": (60.8, 31.5),
    "Gulf of Bothnia": (62.0, 19.5),
}
CAPES = {
    "Point Barrow": (71.388, -156.481),
    "Cape Chelyuskin": (77.727, 104.25),
    "Cape Morris Jesup": (83.63, -32.7),
    "Cape Farewell": (59.77, -43.92),
    "Cape Dezhnev": (66.08, -169.65),
}


def cell(place, side):
    """Indices (j, i) of the cell that holds a place."""
    x, y = EPSG_3413.forward(*place)
    spacing = 2.0 * HALF_WIDTH / side
    return int((y + HALF_WIDTH) // spacing), int((x + HALF_WIDTH) // spacing)


def positions(side):
    """Latitude and longitude of the cell centres."""
    axis = (np.arange(side) + 0.5) * 2.0 * HALF_WIDTH / side - HALF_WIDTH
    return EPSG_3413.inverse(*np.meshgrid(axis, axis))


def joined(water, start, end):
    """Whether a path through cell sides leads from one place to the other."""
    labels, _ = scipy.ndimage.label(water)
    first, second = labels[cell(start, len(water))], labels[cell(end, len(water))]
    return first == second and first > 0


@pytest.mark.parametrize(("name", "side"), PRESETS.items())
def test_places_are_what_they_are(name, side):
    ocean = ocean_mask(name)
    assert ocean.shape == (side, side) and ocean.dtype == bool
    assert [place for place in OCEAN if not ocean[cell(OCEAN[place], side)]] == []
    assert [place for place in LAND if ocean[cell(LAND[place], side)]] == []


@pytest.mark.parametrize("name", ["arctic25", "arctic12"])
def test_islands_of_the_fine_presets(name):
    ocean = ocean_mask(name)
    for island in [(79.0, 17.0), (75.0, 141.0), (73.0, 54.5), (71.0, -180.0)]:
        assert not ocean[cell(island, len(ocean))]


@pytest.mark.parametrize("name", PRESETS)
def test_the_ocean_is_one_piece(name):
    _, count = scipy.ndimage.label(ocean_mask(name))
    assert count == 1


@pytest.mark.parametrize(("name", "side"), PRESETS.items())
def test_straits_are_open(name, side):
    ocean = ocean_mask(name)
    latitude, longitude = positions(side)
    fram = (longitude > -20.0) & (longitude < 12.0)
    assert joined(ocean & fram, (84.0, 0.0), (75.0, -3.0))
    bering = (latitude < 72.0) & ((longitude > 175.0) | (longitude < -160.0))
    assert joined(ocean & bering, (60.0, -178.0), (70.0, -170.0))
    gorlo = (longitude > 35.0) & (longitude < 46.0) & (latitude < 70.0)
    assert joined(ocean & gorlo, (65.6, 37.8), (69.0, 41.0))
    parry = (longitude > -128.0) & (longitude < -70.0) & (latitude > 72.0) & (latitude < 77.0)
    assert joined(ocean & parry, (74.0, -75.0), (75.5, -126.0))


@pytest.mark.parametrize("name", ["arctic50", "arctic25", "arctic12"])
def test_nares_strait_is_open_where_cells_are_not_far_wider(name):
    ocean = ocean_mask(name)
    latitude, longitude = positions(len(ocean))
    nares = (latitude > 76.0) & (longitude > -78.0) & (longitude < -45.0)
    assert joined(ocean & nares, (76.3, -72.0), (84.3, -55.0))


def test_land_area_hardly_depends_on_the_spacing():
    area = {}
    for name, side in PRESETS.items():
        latitude, _ = positions(side)
        true_area = (2.0 * HALF_WIDTH / side / EPSG_3413.scale(latitude)) ** 2
        area[name] = np.sum(true_area[~ocean_mask(name) & (latitude > 60.0)])
    for name in PRESETS:
        assert area[name] == pytest.approx(area["arctic25"], rel=0.02)


@pytest.mark.parametrize("name", ["arctic100", "arctic50", "arctic25"])
def test_presets_agree_with_the_finest(name):
    ocean = ocean_mask(name)
    block = 512 // len(ocean)
    share = ocean_mask("arctic12").reshape(len(ocean), block, len(ocean), block).mean(axis=(1, 3))
    assert np.all(share[ocean] > 0.0)
    assert np.mean(ocean == (share > 0.5)) > 0.985


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match="arctic7.*arctic100, arctic50, arctic25, arctic12"):
        ocean_mask("arctic7")


def test_the_coastline_passes_the_capes():
    x, y = coastline()
    assert x.dtype == y.dtype == np.float32 and x.shape == y.shape
    gaps = np.isnan(x)
    np.testing.assert_array_equal(gaps, np.isnan(y))
    latitude, _ = EPSG_3413.inverse(x[~gaps], y[~gaps])
    assert 39.9 < latitude.min() and latitude.max() < 83.8
    for cape in CAPES.values():
        cape_x, cape_y = EPSG_3413.forward(*cape)
        assert np.nanmin(np.hypot(x - cape_x, y - cape_y)) < 1.0e4


def test_polygons_are_closed_and_enclose_the_land():
    polygons = land_polygons()
    enclosed = 0.0
    for ring in polygons:
        assert ring.ndim == 2 and ring.shape[1] == 2 and len(ring) >= 4
        assert np.all(np.isfinite(ring)) and np.all(np.abs(ring) <= HALF_WIDTH + 4.0e5)
        np.testing.assert_array_equal(ring[0], ring[-1])
        x, y = ring.astype(np.float64).T
        enclosed += abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2.0
    inside_square = np.mean(~ocean_mask("arctic12")) * (2.0 * HALF_WIDTH) ** 2
    assert inside_square < enclosed < inside_square + 7.2e6**2 - 6.4e6**2
