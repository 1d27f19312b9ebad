import jax
import jax.numpy as jnp
import numpy as np
import pytest

from floecast.core.calendar import DAY, to_seconds
from floecast.core.grid import Grid
from floecast.core.operators import divergence
from floecast.core.precision import cast
from floecast.core.projection import EPSG_3413, rotate_to_east_north
from floecast.simulator.arctic_ocean import (
    CORIOLIS,
    FREEZING_POINT,
    GRAVITY,
    ArcticOcean,
    circulation_parts,
    face_currents,
    still_ocean,
    stream_function,
    summer_part,
)
from floecast.simulator.typical_state import typical_state

MARCH, SEPTEMBER = to_seconds("2015-03-15"), to_seconds("2015-09-15")


@pytest.fixture(scope="module")
def grid():
    return Grid.preset("arctic50")


@pytest.fixture(scope="module")
def ocean(grid):
    return ArcticOcean.of(grid)


@pytest.fixture(scope="module")
def corners(grid):
    return stream_function(grid)


def near(grid, latitude, longitude, radius=80e3):
    """Sea cells around a place."""
    x, y = EPSG_3413.forward(latitude, longitude)
    return grid.mask_t & (np.hypot(grid.x[None] - x, grid.y[:, None] - y) < radius)


def at(grid, field, latitude, longitude):
    x, y = EPSG_3413.forward(latitude, longitude)
    return np.asarray(field)[np.abs(grid.y - y).argmin(), np.abs(grid.x - x).argmin()]


def annual(ocean):
    """Annual means of the current along the grid's axes."""
    return ocean.current_u.sum(axis=0), ocean.current_v.sum(axis=0)


@pytest.mark.parametrize("name", ["arctic100", "arctic50"])
def test_flow_through_the_faces_has_no_divergence(name):
    grid = Grid.preset(name)
    for part in stream_function(grid):
        u, v = face_currents(part, grid)
        inner = np.asarray(divergence(u, v, grid))[1:-1, 1:-1]
        assert np.abs(inner).max() < 1e-10 * max(np.abs(u).max(), np.abs(v).max()) / grid.spacing


def test_stream_function_is_constant_on_each_coast(grid, corners):
    # Every face between land and sea, and between two land cells, lets nothing through.
    closed_u = ~grid.mask_t[:, :-1] | ~grid.mask_t[:, 1:]
    closed_v = ~grid.mask_t[:-1] | ~grid.mask_t[1:]
    for part in corners:
        through_u = np.diff(part[:, 1:-1], axis=0)
        through_v = np.diff(part[1:-1], axis=1)
        assert np.abs(through_u[closed_u]).max() < 1e-9 * np.ptp(part)
        assert np.abs(through_v[closed_v]).max() < 1e-9 * np.ptp(part)


def test_eurasia_and_america_differ_by_the_inflow_of_bering_strait(grid, corners):
    for places, proper, inflow in (
        (((66, 100), (62, 15)), 0.0, 0.0),
        (((66, -110), (72, -40), (80, -80), (68, -70)), 0.0, 18e3),
    ):
        for place in places:
            assert not at(grid, grid.mask_t, *place)
            np.testing.assert_allclose(at(grid, corners[0], *place), proper, atol=1e-9)
            np.testing.assert_allclose(at(grid, corners[1], *place), inflow)


def test_islands_of_the_open_sea_lie_in_the_flow(grid, corners):
    for place, lowest, highest in (((65, -18.5), -16e3, -10e3), ((79, 16), -12e3, -6e3)):
        assert not at(grid, grid.mask_t, *place)
        assert lowest < at(grid, corners[0], *place) < highest


def test_flow_through_the_edge_of_the_domain_is_weak(grid, corners):
    along = np.concatenate([np.diff(corners[..., 0, :]), np.diff(corners[..., -1, :])], axis=-1)
    assert np.abs(along.sum(axis=0)).max() / grid.spacing < 0.03


def test_current_is_geostrophic(grid, ocean, corners):
    u, v = annual(ocean)
    height = ocean.sea_surface_height.sum(axis=0)
    # Exact where it is defined, at the corners: f v = g d(eta)/dx with eta = f psi / g.
    _, face_v = face_currents(corners.sum(axis=0), grid)
    slope = np.diff(CORIOLIS / GRAVITY * corners.sum(axis=0)[1:], axis=1) / grid.dx_v
    np.testing.assert_allclose(
        CORIOLIS * face_v[grid.mask_v], GRAVITY * slope[grid.mask_v], atol=1e-15
    )
    # With the local Coriolis parameter and what a model sees at the centres.
    inner = grid.mask_t.copy()
    for _ in range(3):
        inner &= np.roll(inner, 1, 0) & np.roll(inner, -1, 0)
        inner &= np.roll(inner, 1, 1) & np.roll(inner, -1, 1)
    inner &= grid.latitude > 65
    inner[:4], inner[-4:], inner[:, :4], inner[:, -4:] = False, False, False, False
    slope_x = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / (2 * grid.dx_t)
    slope_y = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / (2 * grid.dx_t)
    away = np.hypot(grid.coriolis * u + GRAVITY * slope_y, grid.coriolis * v - GRAVITY * slope_x)
    size = grid.coriolis * np.hypot(u, v)
    assert inner.sum() > 2000
    assert np.sqrt(np.mean(away[inner] ** 2) / np.mean(size[inner] ** 2)) < 0.06


def test_sea_level_spans_tens_of_centimetres(grid, ocean):
    height = ocean.sea_surface_height.sum(axis=0)
    assert 0.3 < height[near(grid, 75.5, -148)].mean() < 0.6  # the dome of the Beaufort Gyre
    assert -0.7 < height[near(grid, 74, 0)].mean() < -0.4
    assert abs(height[grid.mask_t].mean()) < 1e-12


# Latitude, longitude, direction of the current (degrees clockwise from north) and bounds of its
# speed [cm/s] that hold for a mean over some cells; sources in the docstring of `ArcticOcean`.
@pytest.mark.parametrize(
    "latitude, longitude, towards, slowest, fastest",
    [
        pytest.param(72.5, -148, 270, 2, 6, id="Beaufort Gyre south"),
        pytest.param(78.8, -145, 90, 1, 5, id="Beaufort Gyre north"),
        pytest.param(75.5, -163, 0, 2, 7, id="Beaufort Gyre west"),
        pytest.param(86.0, -5, 180, 2, 7, id="Transpolar Drift"),
        pytest.param(79.0, -4, 185, 10, 25, id="East Greenland Current, Fram Strait"),
        pytest.param(75.0, -11, 200, 10, 25, id="East Greenland Current, 75 N"),
        pytest.param(78.8, 7, 345, 8, 25, id="West Spitsbergen Current"),
        pytest.param(69.0, 13.5, 25, 8, 30, id="Norwegian Atlantic Current"),
        pytest.param(72.0, 20, 40, 2, 10, id="Barents Sea opening"),
        pytest.param(66.0, -169, 0, 8, 30, id="Bering Strait"),
        pytest.param(70.0, -66, 155, 3, 15, id="Baffin Island Current"),
    ],
)
def test_currents_at_named_places(grid, ocean, latitude, longitude, towards, slowest, fastest):
    cells = near(grid, latitude, longitude)
    east, north = rotate_to_east_north(*annual(ocean), grid.angle)
    east, north = 100 * east[cells].mean(), 100 * north[cells].mean()
    assert slowest < np.hypot(east, north) < fastest
    turn = (np.degrees(np.arctan2(east, north)) - towards + 180) % 360 - 180
    assert abs(turn) < 40


def test_no_current_is_faster_than_the_boundary_currents(grid, ocean):
    for date in ("2015-02-15", "2015-07-15"):
        fields = ocean.fields(to_seconds(date))
        speed = np.hypot(fields["current_u"], fields["current_v"])
        assert 0.15 < speed.max() < 0.35
        assert np.all(speed[~grid.mask_t] == 0)
        assert np.median(speed[grid.mask_t]) < 0.05


def test_bering_strait_flows_fastest_in_summer_and_the_rest_in_winter():
    winter, summer = (circulation_parts(to_seconds(f"2015-{month}-15")) for month in ("02", "07"))
    assert winter[0] > 1.1 > 0.9 > summer[0]
    assert summer[1] > 1.3 > 0.75 > winter[1]


# On the mean 15 % ice edges of March 2015-2017 and September 2015-2016 in NSIDC-0081, between the
# knots of the temperature.
EDGES = {
    MARCH: (
        (58.2, -169.7), (59.9, -174.1), (61.3, 178.5), (77.6, 55.2), (77.4, 46.6), (76.5, 37.7),
        (76.5, 27.7), (60.9, -177.1), (77.4, -2.0), (75.4, -5.9), (73.8, -11.1), (72.4, -14.8),
        (70.8, -17.8), (68.9, -20.9), (67.5, -25.8), (66.8, -29.9), (65.6, -33.5), (63.6, -54.1),
    ),
    SEPTEMBER: (
        (82.0, 87.9), (81.8, 72.7), (82.2, 47.6), (81.6, 34.7), (81.3, 21.4), (80.5, 8.5),
        (78.9, 0.9), (76.3, -14.4), (74.0, -128.7), (75.4, -130.5), (76.3, -137.4),
        (77.5, -153.7), (76.7, -172.8), (77.2, 173.7), (75.9, 159.6), (77.5, 149.7),
        (78.1, 131.1), (79.0, 110.9),
    ),
}  # fmt: skip


@pytest.mark.parametrize("time, mean, most", [(MARCH, 1.25, 2.6), (SEPTEMBER, 0.4, 1.5)])
def test_ice_edge_lies_where_water_begins_to_warm(grid, ocean, time, mean, most):
    # In March the supply of heat has set in there: 79 W/m2 for each kelvin, see ArcticOcean.
    warmth = ocean.fields(time)["ocean_temperature"] - FREEZING_POINT
    at_edge = np.array([at(grid, warmth, *place) for place in EDGES[time]])
    assert 0.03 < at_edge.mean() < mean and at_edge.max() < most


@pytest.mark.parametrize("time, extent", [(MARCH, 12.48), (SEPTEMBER, 4.63)])
def test_extent_of_cold_water_is_that_of_the_ice(grid, ocean, time, extent):
    # Extents of NSIDC-0081 on the same cells, means of the years above [1e6 km2].
    cold = np.asarray(ocean.fields(time)["ocean_temperature"]) < FREEZING_POINT + 0.4
    assert grid.area[cold & grid.mask_t].sum() / 1e12 == pytest.approx(extent, rel=0.1)
    typical = np.asarray(typical_state(grid, time).concentration) > 0.15
    apart = grid.area[(cold != typical) & grid.mask_t].sum() / 1e12
    assert apart < 1.5


def test_temperature_is_never_below_freezing_and_follows_the_season(grid, ocean):
    months = range(12)
    fields = [ocean.fields(MARCH + month * 30 * DAY)["ocean_temperature"] for month in months]
    for field in fields:
        assert np.isfinite(field).all() and field.min() >= FREEZING_POINT
        assert field[grid.mask_t].max() < 273.15 + 18
    warmth = np.array([np.asarray(field) for field in fields]) - FREEZING_POINT
    # Central pack; Norwegian, Chukchi and Laptev Seas.
    assert warmth[:, near(grid, 88, 0)].max() < 0.01
    assert 7 < warmth[:, near(grid, 68, 5)].mean(axis=1).min() < 11
    assert 10 < warmth[:, near(grid, 68, 5)].mean(axis=1).max() < 15
    for place, warm in (((70, -168), 4), ((75, 125), 2), ((72, 160), 2), ((77, 77), 2.5)):
        sea = warmth[:, near(grid, *place)].mean(axis=1)
        assert sea.min() < 0.05 and sea.max() > warm
        assert sea.argmax() in (5, 6)  # mid-August or mid-September


def test_seasons_repeat(ocean):
    year = round(365.2425 * DAY)
    for time in (0, MARCH, SEPTEMBER):
        first, later = ocean.fields(time), ocean.fields(time + 3 * year)
        for name, field in first.items():
            np.testing.assert_allclose(field, later[name], atol=1e-5)


def test_summer_part_has_its_ends_in_march_and_september():
    assert summer_part(MARCH) < 0.02 and summer_part(SEPTEMBER) > 0.98


def test_between_gives_the_two_ends(ocean):
    both = ocean.between(MARCH, SEPTEMBER)
    assert set(both) == {"current_u", "current_v", "sea_surface_height", "ocean_temperature"}
    for name, field in both.items():
        np.testing.assert_array_equal(field[0], ocean.fields(MARCH)[name])
        np.testing.assert_array_equal(field[1], ocean.fields(SEPTEMBER)[name])


def test_works_compiled_mapped_and_in_single_precision(ocean):
    times = jnp.array([0, MARCH, SEPTEMBER])
    mapped = jax.jit(jax.vmap(cast(ocean, jnp.float32).fields))(times)
    for index, time in enumerate((0, MARCH, SEPTEMBER)):
        for name, field in ocean.fields(time).items():
            assert mapped[name].dtype == jnp.float32
            np.testing.assert_allclose(mapped[name][index], field, atol=2e-4)


def test_same_ocean_each_time(grid, ocean):
    again = ArcticOcean.of(grid)
    for one, other in zip(jax.tree.leaves(ocean), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_currents_hardly_depend_on_the_grid(grid, ocean):
    coarse = Grid.preset("arctic100")
    rough = ArcticOcean.of(coarse)
    wide = [near(g, 80, -150, 600e3) for g in (grid, coarse)]
    for one, other in zip(annual(ocean), annual(rough), strict=True):
        assert abs(one[wide[0]].mean() - other[wide[1]].mean()) < 0.003


def test_box_has_still_water_at_the_freezing_point(box):
    for ocean in (ArcticOcean.of(box), still_ocean(box)):
        fields = ocean.fields(SEPTEMBER)
        for name in ("current_u", "current_v", "sea_surface_height"):
            assert fields[name].shape == box.shape and not np.any(fields[name])
        np.testing.assert_array_equal(fields["ocean_temperature"], FREEZING_POINT)
