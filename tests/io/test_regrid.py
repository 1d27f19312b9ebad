"""Regridding keeps constants, straight lines, integrals and directions, and knows of gaps."""

import numpy as np
import pyproj
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.projection import rotate_to_east_north, rotate_to_grid
from floecast.io import regrid as regrid_module
from floecast.io.grids import GridDefinition
from floecast.io.regrid import METHODS, cache_folder, regrid, regrid_vector, weights
from floecast.io.weights import _shared_area

FINE, COARSE = Grid.preset("arctic50"), Grid.preset("arctic100")
LATLON = GridDefinition.latlon(np.arange(40.5, 90, 1.0), np.arange(0.0, 360))
EASE = GridDefinition.projected(*2 * [(np.arange(200) - 99.5) * 50e3], "EPSG:6931")
SOURCES = {
    "same": COARSE,
    "finer": FINE,
    "latlon": LATLON,
    "to_the_pole": GridDefinition.latlon(np.arange(90.0, 39, -1), np.arange(-180.0, 180, 1.5)),
    "ease": EASE,
    "curvilinear": GridDefinition.curvilinear(EASE.latitude, EASE.longitude),
}

each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
each_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of weights of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOECAST_CACHE", str(tmp_path_factory.mktemp("cache")))
        weights.cache_clear()
        yield
    weights.cache_clear()


def smooth(definition):
    """A smooth field on the Earth, known everywhere."""
    latitude, longitude = np.radians(definition.latitude), np.radians(definition.longitude)
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.sin(3 * x) + np.cos(2 * y) * x


@each_method
@each_source
def test_constant(source, method):
    field = np.full(source.shape, 2.5)
    np.testing.assert_allclose(regrid(field, source, COARSE, method=method), 2.5, rtol=1e-12)


@each_method
@each_source
def test_no_weight_is_negative(source, method):
    """So that no value leaves the range of those it is made of."""
    pair = GridDefinition.of(source), GridDefinition.of(COARSE)
    assert weights(*pair, method).matrix.data.min() > -1e-8


@each_method
@each_source
def test_smooth_field(source, method):
    error = regrid(smooth(source), source, COARSE, method=method) - smooth(COARSE)
    assert np.abs(error).max() < {"nearest": 0.05, "conservative": 6e-3, "bilinear": 2e-3}[method]


@each_method
@pytest.mark.parametrize("grid", [COARSE, Grid.box((7, 5), 1e3)], ids=["arctic", "box"])
def test_identity(grid, method):
    field = np.random.default_rng(1).normal(size=grid.shape)
    np.testing.assert_allclose(regrid(field, grid, grid, method=method), field, rtol=0, atol=1e-9)


def test_linear_field_between_projected_grids():
    x, y = np.meshgrid(COARSE.x, COARSE.y)
    fine_x, fine_y = np.meshgrid(FINE.x, FINE.y)
    made = regrid(3 * x - 2 * y + 7, COARSE, FINE, method="bilinear")
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(made[inner], (3 * fine_x - 2 * fine_y + 7)[inner], atol=1e-6)
    # The outer half cell takes the value of the edge.
    assert made[0, 0] == pytest.approx(3 * x[0, 0] - 2 * y[0, 0] + 7)
    # Linear on the source's map, whatever that of the target.
    x, y = EASE.seen_from(EASE)
    here_x, here_y = pyproj.Proj("EPSG:6931")(COARSE.longitude, COARSE.latitude)
    made = regrid(3 * x - 2 * y, EASE, COARSE, method="bilinear")
    np.testing.assert_allclose(made, 3 * here_x - 2 * here_y, atol=1e-5)


def test_linear_field_on_triangles():
    x, y = np.moveaxis(EASE.centres, -1, 0)
    here_x, here_y = np.moveaxis(GridDefinition.of(COARSE).centres, -1, 0)
    made = regrid(3 * x - 2 * y, SOURCES["curvilinear"], COARSE, method="bilinear")
    np.testing.assert_allclose(made, 3 * here_x - 2 * here_y, atol=1e-5)


def test_bilinear_in_latitude_and_longitude():
    field = np.random.default_rng(2).normal(size=LATLON.shape)
    field[-1] = field[-1].mean()
    periodic = np.concatenate([field[:, -1:], field, field[:, :1]], axis=1)
    oracle = RegularGridInterpolator((LATLON.y, np.arange(-1.0, 361)), periodic)
    outside = COARSE.latitude < 89.5
    expected = oracle((COARSE.latitude[outside], COARSE.longitude[outside] % 360))
    made = regrid(field, LATLON, COARSE, method="bilinear")
    np.testing.assert_allclose(made[outside], expected, atol=1e-9)


@each_method
def test_direction_of_axes_does_not_matter(method):
    field = smooth(EASE)
    flipped = GridDefinition.projected(EASE.x[::-1], EASE.y[::-1], "EPSG:6931")
    one = regrid(field, EASE, COARSE, method=method)
    other = regrid(field[::-1, ::-1], flipped, COARSE, method=method)
    np.testing.assert_allclose(one, other, atol=1e-12)


@each_method
def test_date_line(method):
    """A region across 180 degrees, counted either way, covers itself and nothing else."""
    latitude = np.arange(66.0, 81)
    east = GridDefinition.latlon(latitude, np.arange(165.0, 196))
    west = GridDefinition.latlon(latitude, np.arange(-195.0, -164))
    field = np.random.default_rng(3).normal(size=east.shape)
    made = regrid(field, east, FINE, method=method)
    np.testing.assert_allclose(made, regrid(field, west, FINE, method=method), rtol=1e-9)
    turned = (FINE.longitude + 180 + 180) % 360 - 180
    beyond = (np.abs(turned) > 18) | (FINE.latitude < 64) | (FINE.latitude > 82)
    inside = (np.abs(turned) < 14) & (FINE.latitude > 67) & (FINE.latitude < 79)
    assert np.isnan(made[beyond]).all() and np.isfinite(made[inside]).all()


def test_conservation_on_a_plane():
    fine, coarse = Grid.box((30, 42), 1e3), Grid.box((6, 7), 5e3)
    shifted = GridDefinition(coarse.x * 1.2, coarse.y, None)  # 6 km wide: sides do not match
    field = np.random.default_rng(4).normal(size=fine.shape)
    made = regrid(field, fine, shifted)
    assert (made * shifted.area).sum() == pytest.approx(field.sum() * 1e6, rel=1e-10)
    expected = field.reshape(6, 5, 7, 6).mean(axis=(1, 3))
    np.testing.assert_allclose(made, expected, atol=1e-12)


def test_conservation_between_projected_grids():
    """All of the finer presets lies in the coarser one: the integral stays to 2e-5."""
    field = np.random.default_rng(5).random(FINE.shape)
    integral = (regrid(field, FINE, COARSE) * COARSE.area).sum()
    assert integral == pytest.approx((field * FINE.area).sum(), rel=2e-5)


def test_conservation_from_latitude_and_longitude():
    """Ice north of 62 N only, from 1 degree: the integral over the ellipsoid stays to 2e-4."""
    field = np.random.default_rng(6).random(LATLON.shape) * (LATLON.y > 62)[:, None]
    band = pyproj.Geod(ellps="WGS84")
    areas = []
    for low in LATLON.y - 0.5:
        ring = [0.0, 0.5, 1.0, 1.0, 0.5, 0.0], [low] * 3 + [low + 1] * 3
        areas.append(abs(band.polygon_area_perimeter(*ring)[0]))
    exact = (field * np.array(areas)[:, None]).sum()
    made = (regrid(field, LATLON, COARSE) * COARSE.area).sum()
    assert made == pytest.approx(exact, rel=2e-4)


def test_areas_are_true():
    np.testing.assert_allclose(GridDefinition.of(COARSE).area, COARSE.area, rtol=1e-4)


def test_areas_of_a_product(data_folder):
    """Against the cell areas that NSIDC publishes for its grid."""
    with xr.open_dataset(data_folder / "nsidc0081_sic" / "psn25_grid.nc") as file:
        made = GridDefinition.projected(file["x"], file["y"], "EPSG:3411").area
        np.testing.assert_allclose(made, file["cell_area_km2"] * 1e6, rtol=1e-3)


def test_model_grid_of_any_shape(data_folder):
    """A curvilinear model grid of 112 km."""
    with xr.open_dataset(data_folder / "topaz_tp0_grid" / "topaz_tp0_cice_grid.nc") as file:
        places = (np.degrees(file[name].values) for name in ("ulat", "ulon"))
        source = GridDefinition.curvilinear(*places)
    here = COARSE.latitude > 71
    for method, limit in {"conservative": 0.01, "bilinear": 0.01, "nearest": 0.05}.items():
        made = regrid(smooth(source), source, COARSE, method=method)
        assert np.abs(made - smooth(COARSE))[here].max() < limit


sides = st.floats(0.1, 3.0)
places = st.floats(-2.0, 2.0)


@given(sides, sides, sides, sides, places, places, st.floats(0, 6.3))
def test_shared_area_of_rectangles(a, b, c, d, x, y, turn):
    """Closed form for two rectangles with parallel sides, turned together by any angle."""
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    one = square * [a, b] @ rotation.T
    other = (square * [c, d] + [x, y]) @ rotation.T
    wide = max(0.0, min(a, c + x) - max(0.0, x))
    high = max(0.0, min(b, d + y) - max(0.0, y))
    shared = _shared_area(np.array([one, other]), np.array([other, one]))
    np.testing.assert_allclose(shared, wide * high, atol=1e-12)


@given(st.floats(0.05, 1.5))
def test_shared_area_of_turned_squares(turn):
    """The unit square and itself turned by t share 2 / (1 + sin t + cos t)."""
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shared = _shared_area(square[None], (square @ rotation.T)[None])[0]
    assert shared == pytest.approx(2 / (1 + np.sin(turn) + np.cos(turn)), rel=1e-12)


def four_to_one():
    return Grid.box((4, 4), 1e3), Grid.box((2, 2), 2e3)


@pytest.mark.parametrize(
    ("values", "least", "expected"),
    [
        ([[1, 2, np.nan, np.nan], [3, 4, np.nan, 8]], 0.5, [2.5, np.nan]),
        ([[1, 2, np.nan, np.nan], [3, 4, np.nan, 8]], 0.25, [2.5, 8]),
        ([[1, np.nan, np.nan, np.nan], [3, 4, 6, 8]], 0.5, [8 / 3, 7]),
        ([[1, np.nan, np.nan, np.nan], [3, 4, 6, 8]], 0.75, [8 / 3, np.nan]),
        ([[np.nan] * 4] * 2, 0.01, [np.nan, np.nan]),
    ],
)
def test_gaps(values, least, expected):
    made = regrid(np.tile(values, (2, 1)), *four_to_one(), minimum_share=least)
    np.testing.assert_allclose(made, [expected, expected])


def test_masked_cells_have_no_say():
    fine, coarse = four_to_one()
    mask = np.tile([[True, True, False, True], [True, False, True, True]], (2, 1))
    field = np.tile([[1, 2, 1e30, 3], [4, -1e30, 5, 6.0]], (2, 1))
    made = regrid(field, fine, coarse, mask=mask)
    np.testing.assert_allclose(made, [[7 / 3, 14 / 3]] * 2)


def test_leading_axes_and_types():
    field = np.random.default_rng(7).normal(size=(2, 3, *FINE.shape))
    field[1, 2, :40] = np.nan
    made = regrid(field, FINE, COARSE)
    assert made.shape == (2, 3, *COARSE.shape)
    np.testing.assert_array_equal(made[1, 2], regrid(field[1, 2], FINE, COARSE))
    assert regrid(field.astype(np.float32), FINE, COARSE).dtype == np.float32
    assert regrid(np.ones(FINE.shape, np.int8), FINE, COARSE).dtype == np.float64


@pytest.mark.parametrize("source", [LATLON, SOURCES["to_the_pole"]], ids=["latlon", "pole"])
@pytest.mark.parametrize("method", ["conservative", "bilinear"])
def test_straight_wind_across_the_pole(source, method):
    """The same wind along the grid's axes everywhere, told as east and north components."""
    angle = np.radians(-45 - source.longitude)
    everywhere = np.ones(source.shape)
    east, north = rotate_to_east_north(8 * everywhere, -3 * everywhere, angle)
    u, v = regrid_vector(east, north, source, FINE, method=method)
    np.testing.assert_allclose(u, 8.0, rtol=1e-12)
    np.testing.assert_allclose(v, -3.0, rtol=1e-12)


def test_solid_body_rotation():
    """Wind to the east, as fast as the ground turns, has the same components on every grid."""
    east = np.cos(np.radians(LATLON.latitude))
    u, v = regrid_vector(east, 0 * east, LATLON, FINE)
    expected = rotate_to_grid(np.cos(np.radians(FINE.latitude)), 0.0, FINE.angle)
    np.testing.assert_allclose(u, expected[0], atol=2e-4)
    np.testing.assert_allclose(v, expected[1], atol=2e-4)
    back_east, back_north = regrid_vector(u, v, FINE, LATLON)
    seen = LATLON.latitude > 65
    np.testing.assert_allclose(back_east[seen], east[seen], atol=2e-4)
    np.testing.assert_allclose(back_north[seen], 0, atol=2e-4)


def test_vector_along_the_axes_of_another_projection():
    """Drift along x of a map whose y axis points down the Greenwich meridian, not 45 W."""
    ones = np.ones(EASE.shape)
    u, v = regrid_vector(ones, 0 * ones, EASE, COARSE, central_longitude=0)
    np.testing.assert_allclose(u, np.cos(np.pi / 4), rtol=1e-12)
    np.testing.assert_allclose(v, np.sin(np.pi / 4), rtol=1e-12)


def test_vector_between_grids():
    u, v = np.random.default_rng(8).normal(size=(2, *COARSE.shape))
    np.testing.assert_allclose(regrid_vector(u, v, COARSE, COARSE), [u, v], atol=1e-12)
    box = Grid.box((4, 5), 1e3)
    u, v = np.random.default_rng(8).normal(size=(2, *box.shape))
    np.testing.assert_array_equal(regrid_vector(u, v, box, box), [u, v])


def test_weights_are_made_once(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOECAST_CACHE", str(tmp_path))
    made = []
    conservative = METHODS["conservative"]
    monkeypatch.setitem(
        regrid_module.METHODS, "conservative", lambda *grids: made.append(1) or conservative(*grids)
    )
    weights.cache_clear()
    pair = [GridDefinition.of(grid) for grid in four_to_one()]
    first = weights(*pair, "conservative").matrix
    assert weights(*pair, "conservative").matrix is first
    weights.cache_clear()
    assert (weights(*pair, "conservative").matrix != first).nnz == 0
    assert len(made) == 1
    (file,) = cache_folder().iterdir()
    for damaged in (b"", file.read_bytes()[:-30], bytes(200)):
        file.write_bytes(damaged)
        weights.cache_clear()
        assert (weights(*pair, "conservative").matrix != first).nnz == 0
    assert len(made) == 4
    weights(pair[1], pair[0], "conservative")
    assert len(made) == 5 and len(list(cache_folder().iterdir())) == 2


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("FLOECAST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "floecast" / "weights"


def test_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FLOECAST_CACHE", str(tmp_path / "file"))
    weights.cache_clear()
    with pytest.warns(UserWarning, match="not kept on disk"):
        made = regrid(np.ones((4, 4)), *four_to_one())
    np.testing.assert_array_equal(made, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regrid(np.ones((3, 3)), FINE, COARSE), r"the field has shape \(3, 3\), its grid"),
        (lambda: regrid(np.ones(FINE.shape), FINE, COARSE, mask=True), "the mask has shape"),
        (lambda: regrid(np.ones(FINE.shape), FINE, COARSE, method="cubic"), "no regridding method"),
        (lambda: regrid(np.ones((4, 4)), four_to_one()[0], COARSE), "a flat box has no place"),
        (lambda: GridDefinition.projected([1, 2, 2], [1, 2], 3413), "the axis x of shape"),
        (lambda: GridDefinition.projected([1, 2], [1, 2], "nonsense"), "'nonsense' is not under"),
        (lambda: GridDefinition.projected([1, 2], [1, 2], 4326), "4326 is no map projection"),
        (lambda: GridDefinition.latlon([80], [1, 2]), "the axis latitude"),
        (lambda: GridDefinition.curvilinear(np.ones((2, 3)), np.ones((3, 2))), "must be"),
    ],
)
def test_wrong_input(make, message):
    with pytest.raises(InputError, match=message):
        make()
