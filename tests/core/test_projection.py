"""The polar stereographic projection against PROJ and against its own differences."""

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from floecast.core.projection import (
    EPSG_3411,
    EPSG_3413,
    PolarStereographic,
    rotate_to_east_north,
    rotate_to_grid,
)

OTHER_VARIANT = PolarStereographic(60.0, 10.0, 6370000.0, 6300000.0)
CASES = [
    pytest.param(EPSG_3413, pyproj.CRS("EPSG:3413"), id="3413"),
    pytest.param(EPSG_3411, pyproj.CRS("EPSG:3411"), id="3411"),
    pytest.param(
        OTHER_VARIANT,
        pyproj.CRS("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +a=6370000 +b=6300000 +type=crs"),
        id="other",
    ),
]
LATITUDE, LONGITUDE = np.meshgrid(
    np.concatenate([np.linspace(20.0, 89.9, 40), 90.0 - 10.0 ** -np.arange(2.0, 9.0), [90.0]]),
    np.linspace(-180.0, 360.0, 41),
)


@pytest.mark.parametrize(("projection", "crs"), CASES)
def test_forward_agrees_with_proj(projection, crs):
    x, y = projection.forward(LATITUDE, LONGITUDE)
    expected_x, expected_y = pyproj.Proj(crs)(LONGITUDE, LATITUDE)
    np.testing.assert_allclose(x, expected_x, rtol=0, atol=1e-6)
    np.testing.assert_allclose(y, expected_y, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("projection", "crs"), CASES)
def test_inverse_agrees_with_proj(projection, crs):
    axis = np.linspace(-6.0e6, 6.0e6, 41)
    x, y = np.meshgrid(axis, axis[::-1] + 1.0)
    latitude, longitude = projection.inverse(x, y)
    expected_longitude, expected_latitude = pyproj.Proj(crs)(x, y, inverse=True)
    np.testing.assert_allclose(latitude, expected_latitude, rtol=0, atol=1e-9)
    difference = (longitude - expected_longitude + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(difference, 0.0, rtol=0, atol=1e-9)
    assert np.all((longitude >= -180.0) & (longitude < 180.0))


@pytest.mark.parametrize(("projection", "crs"), CASES)
def test_the_pole_is_the_origin(projection, crs):
    for zero in (0.0, -0.0):
        latitude, longitude = projection.inverse(zero, zero)
        assert latitude == 90.0
        assert longitude == pytest.approx(projection.central_longitude, abs=1e-12)
    assert np.hypot(*projection.forward(90.0, 123.0)) == 0.0
    just_off, _ = projection.inverse(1.0e-3, 0.0)
    assert 0.0 < 90.0 - just_off < 1.0e-7


@pytest.mark.parametrize(("projection", "crs"), CASES)
def test_scale_agrees_with_proj(projection, crs):
    # PROJ differentiates numerically, which fails at the pole itself; that point has its own test.
    away = LATITUDE < 89.95
    factors = pyproj.Proj(crs).get_factors(LONGITUDE[away], LATITUDE[away])
    scale = projection.scale(LATITUDE[away])
    np.testing.assert_allclose(scale, factors.meridional_scale, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scale, factors.parallel_scale, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("projection", "crs"), CASES)
def test_scale_is_one_on_its_parallel_and_flat_at_the_pole(projection, crs):
    assert projection.scale(projection.latitude_true_scale) == pytest.approx(1.0, abs=1e-15)
    near = projection.scale(90.0 - np.array([1.0e-4, 1.0e-6, 1.0e-8, 0.0]))
    assert np.all(np.isfinite(near))
    np.testing.assert_allclose(near, near[-1], rtol=1e-11)


@pytest.mark.parametrize(("projection", "crs"), CASES)
def test_rotation_is_the_direction_of_the_map_axes(projection, crs):
    latitude, longitude = LATITUDE[:, :40:6], LONGITUDE[:, :40:6]
    step = 1.0e-4
    x1, y1 = projection.forward(latitude, longitude - step)
    x2, y2 = projection.forward(latitude, longitude + step)
    length = np.hypot(x2 - x1, y2 - y1)
    angle = projection.rotation(longitude)
    east_u, east_v = rotate_to_grid(1.0, 0.0, angle)
    np.testing.assert_allclose(east_u, (x2 - x1) / length, rtol=0, atol=1e-8)
    np.testing.assert_allclose(east_v, (y2 - y1) / length, rtol=0, atol=1e-8)
    x1, y1 = projection.forward(latitude - step, longitude)
    x2, y2 = projection.forward(latitude + step, longitude)
    length = np.hypot(x2 - x1, y2 - y1)
    north_u, north_v = rotate_to_grid(0.0, 1.0, angle)
    np.testing.assert_allclose(north_u, (x2 - x1) / length, rtol=0, atol=1e-8)
    np.testing.assert_allclose(north_v, (y2 - y1) / length, rtol=0, atol=1e-8)
    assert np.all((angle >= -np.pi) & (angle < np.pi))


def test_map_axes_of_epsg_3413_by_hand():
    # Along 45 W the map's x is east; along 45 E, a quarter turn on, east points up the map.
    np.testing.assert_allclose(
        rotate_to_grid(1.0, 0.0, EPSG_3413.rotation(-45.0)), [1.0, 0.0], atol=1e-15
    )
    np.testing.assert_allclose(
        rotate_to_grid(1.0, 0.0, EPSG_3413.rotation(45.0)), [0.0, 1.0], atol=1e-15
    )
    x, y = EPSG_3413.forward([70.0, 70.0], [-45.0, 45.0])
    assert x[0] == pytest.approx(0.0, abs=1e-9) and y[0] < 0.0
    assert x[1] > 0.0 and y[1] == pytest.approx(0.0, abs=1e-9)


component = st.floats(-100.0, 100.0)


@settings(deadline=None)
@given(east=component, north=component, longitude=st.floats(-720.0, 720.0))
def test_rotation_returns_and_keeps_the_length(east, north, longitude):
    angle = EPSG_3413.rotation(longitude)
    u, v = rotate_to_grid(east, north, angle)
    assert np.hypot(u, v) == pytest.approx(np.hypot(east, north), rel=1e-13, abs=1e-13)
    np.testing.assert_allclose(rotate_to_east_north(u, v, angle), [east, north], rtol=0, atol=1e-12)


@settings(deadline=None)
@given(latitude=st.floats(0.0, 90.0), longitude=st.floats(-180.0, 179.0))
def test_round_trip(latitude, longitude):
    x, y = EPSG_3413.forward(latitude, longitude)
    back_latitude, _ = EPSG_3413.inverse(x, y)
    assert back_latitude == pytest.approx(latitude, abs=1e-11)
    np.testing.assert_allclose(
        EPSG_3413.forward(*EPSG_3413.inverse(x, y)), [x, y], rtol=0, atol=1e-6
    )
