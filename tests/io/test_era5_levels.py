"""ERA5 on model levels: heights of the standard atmosphere, balance of known pressure fields."""

import numpy as np
import pytest

from floecast.core.calendar import HOUR, to_seconds
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.projection import rotate_to_grid
from floecast.io import hybrid_levels
from floecast.io.era5_levels import HEIGHTS
from floecast.io.readers import check_use, identify, read_aloft, read_forcing

from . import layouts
from .weather_layouts import STANDARD, model_levels

GRID = Grid.preset("arctic100")
START = to_seconds("2016-11-20")
HEIGHT = (10.0, 100.0, 500.0, 1000.0)
GAS, GRAVITY = 287.0597, 9.80665
# Of a wind of 10 m/s times the cosine of latitude, around the pole of a sphere.
ROTATION, RADIUS, SPEED = 7.292115e-5, 6.371e6, 10.0


@pytest.fixture
def written(tmp_path):
    """Write a dataset and give its path."""
    return lambda dataset, name="file.nc": layouts.write(dataset, tmp_path / name)


def test_pressures_of_the_levels():
    """Two of the pressures that ECMWF prints for a surface pressure of 1013.25 hPa."""
    lower, upper, middle = hybrid_levels.interfaces(STANDARD)
    assert middle.shape == (40,)
    assert middle[-1] == pytest.approx(101204.94, abs=0.02)
    assert lower[-1] == pytest.approx(101325.0) and upper[-1] == pytest.approx(101084.86, abs=0.02)
    np.testing.assert_array_equal(lower[:-1], upper[1:])
    assert (np.diff(middle) > 0).all()
    assert hybrid_levels.interfaces(STANDARD, 120)[2] == pytest.approx(middle[22:])


def test_heights_of_the_standard_atmosphere():
    """6.5 K per km from 288.15 K: height from pressure in closed form."""
    middle = hybrid_levels.interfaces(STANDARD)[2]
    exponent = 6.5e-3 * GAS / GRAVITY
    temperature = 288.15 * (middle / 101325.0) ** exponent
    height = (288.15 - temperature) / 6.5e-3
    full = (40, *GRID.shape)
    made = hybrid_levels.profiles(
        np.broadcast_to(temperature[:, None, None], full),
        *[np.zeros(full)] * 3,
        np.full(GRID.shape, STANDARD),
        np.zeros(GRID.shape),
        GRID,
        98,
    )
    assert made["height"][-1, 0, 0] == pytest.approx(10.0, abs=0.01)
    np.testing.assert_allclose(made["height"][:, 0, 0], height, rtol=1e-3)
    # Potential temperature: that of the surface at the surface, and rising with height.
    theta = made["potential_temperature"][:, 0, 0]
    np.testing.assert_allclose(theta, temperature * (101325.0 / middle) ** (2 / 7), rtol=1e-12)
    np.testing.assert_allclose(made["geostrophic_u"], 0.0, atol=1e-9)


def hill(height=2000.0, width=600e3):
    """Surface geopotential of a hill on the ocean [m2/s2]."""
    x, y = np.meshgrid(GRID.x, GRID.y)
    return GRAVITY * height * np.exp(-(((x + 5e5) ** 2 + y**2) / width**2))


def test_the_two_terms_cancel_over_a_hill():
    """Air at rest of one temperature."""
    orography, full = hill(), (40, *GRID.shape)
    log_pressure = STANDARD - orography / (GAS * 260.0)
    made = hybrid_levels.profiles(
        np.full(full, 260.0), *[np.zeros(full)] * 3, log_pressure, orography, GRID, 98
    )
    slope = hybrid_levels.gradient(orography, "x", GRID) / GRID.coriolis
    assert np.abs(slope).max() > 150.0  # either term alone, as a wind
    speed = np.hypot(made["geostrophic_u"], made["geostrophic_v"])
    assert speed[-1].max() < 1e-9  # where the level follows the surface
    assert speed.max() < 0.3


def test_gradient_of_a_plane():
    x, y = np.meshgrid(GRID.x, GRID.y)
    scale = GRID.spacing / GRID.dx_t
    for axis, expected in (("x", 3.0), ("y", -2.0)):
        made = hybrid_levels.gradient((3.0 * x - 2.0 * y)[None], axis, GRID)
        np.testing.assert_allclose(made[0], expected * scale, rtol=1e-9)
    field = np.where(x < 0, np.nan, 3.0 * x)
    made = hybrid_levels.gradient(field, "x", GRID)
    np.testing.assert_array_equal(np.isnan(made), x < 0)
    np.testing.assert_allclose(made[x > 0], 3.0 * scale[x > 0], rtol=1e-9)


def solid_body(temperature=250.0, step=1.0, **options):
    """Pressure in balance with the wind around the pole, the same at all heights."""
    latitude = np.radians(layouts.axis(90.0, -step, int(50 / step) + 1))[:, None]
    fall = ROTATION * SPEED * RADIUS / (GAS * temperature) * np.sin(latitude) ** 2
    wind = (SPEED * np.cos(latitude), 0.0)
    return model_levels(temperature, STANDARD - fall, wind=wind, step=step, humidity=0.0, **options)


@pytest.mark.parametrize("generation", ["new", "old"])
def test_geostrophic_wind_of_a_known_pressure(written, generation):
    path = written(solid_body(generation=generation))
    assert identify(path) == "model_levels"
    forcing = read_aloft(path, GRID, heights=HEIGHT)
    aloft = forcing.aloft
    assert forcing.time.tolist() == [START] and forcing.fields() == {}
    assert aloft.wind_u.shape == (1, 4, *GRID.shape) and aloft.wind_u.dtype == np.float32
    expected = rotate_to_grid(SPEED * np.cos(np.radians(GRID.latitude)), 0.0, GRID.angle)
    for name, wanted in zip("uv", expected, strict=True):
        for level in range(4):
            # The file was written on a sphere of one degree, our grid is on the ellipsoid.
            balanced = getattr(aloft, f"geostrophic_{name}")[0, level]
            assert np.abs(balanced - wanted)[GRID.mask_t].max() < 0.1
            assert np.sqrt(np.mean((balanced - wanted)[GRID.mask_t] ** 2)) < 0.03
            wind = getattr(aloft, f"wind_{name}")[0, level]
            np.testing.assert_allclose(wind[GRID.mask_t], wanted[GRID.mask_t], atol=0.01)


def test_fields_at_heights(written):
    """Isothermal air: potential temperature grows as exp(kappa g z / R T)."""
    aloft = read_aloft(written(model_levels(250.0)), GRID, heights=HEIGHT).aloft
    np.testing.assert_array_equal(aloft.height, HEIGHT)
    moist = 250.0 * (1 + (461.525 / GAS - 1) * 1e-3)
    theta = 250.0 * np.exp(2 / 7 * GRAVITY * np.array(HEIGHT) / (GAS * moist))
    middle = aloft.potential_temperature[0, :, 32, 32]
    np.testing.assert_allclose(middle, theta, rtol=2e-5)
    np.testing.assert_allclose(aloft.humidity, 1e-3, rtol=1e-5)
    np.testing.assert_allclose(aloft.geostrophic_u, 0.0, atol=1e-4)


def test_separate_files_and_surface_weather_together(written, tmp_path):
    """Aloft six-hourly in two files, at the surface hourly: one forcing, one time axis."""
    whole = model_levels(
        np.array([250.0, 256.0])[:, None, None, None], hours=(0, 6), first=100, step=5.0
    )
    written(whole[["t", "q", "u", "v"]], "ml_tquv.nc")
    written(whole[["lnsp", "z"]].isel(valid_time=[0, 1]), "ml_lnspz.nc")
    written(layouts.weather(hours=range(7), step=5.0), "surface.nc")
    forcing = read_forcing(tmp_path / "*.nc", GRID)
    aloft = forcing.aloft
    assert aloft.height.tolist() == list(HEIGHTS) and len(forcing.time) == 7
    assert aloft.wind_u.shape == (7, len(HEIGHTS), *GRID.shape)
    lowest = aloft.potential_temperature[:, 0, 32, 32]
    np.testing.assert_allclose(np.diff(lowest), 1.0, rtol=2e-3)
    assert read_forcing(tmp_path / "surface.nc", GRID).aloft is None
    check_use(tmp_path / "*.nc", "read_forcing", "2016-11-20", "2016-11-20T06:00")
    whole.isel(valid_time=[0]).to_netcdf(tmp_path / "ml_early.nc")
    with pytest.raises(InputError, match="model levels cover .* expected"):
        read_forcing([tmp_path / "surface.nc", tmp_path / "ml_early.nc"], GRID)


def test_levels_in_any_order_and_single_ones_among_all(written):
    """One request to the archive gives all on levels 1 and 115 to 137, filled with gaps."""
    source = model_levels(np.linspace(240.0, 270.0, 23)[:, None, None], 11.5, step=5.0)
    plain = read_aloft(written(source), GRID, heights=HEIGHT).aloft
    upward = source.isel(model_level=slice(None, None, -1))
    mixed = source.reindex(model_level=[1, *range(115, 138)])
    only = mixed.model_level == 1
    for name in ("lnsp", "z"):
        field = source[name].expand_dims(model_level=mixed.model_level).where(only)
        mixed[name] = field.transpose("valid_time", "model_level", ...)
        mixed[name].attrs = source[name].attrs
    for other in (upward, mixed):
        made = read_aloft(written(other), GRID, heights=HEIGHT).aloft
        for name, field in plain.profiles().items():
            np.testing.assert_array_equal(getattr(made, name), field)


def test_fields_on_different_numbers_of_levels(written, tmp_path):
    """Only those that all have are used."""
    profile = np.linspace(240.0, 270.0, 28)[:, None, None]
    source = model_levels(profile, step=5.0, first=110, wind=(profile / 10, 0.0))
    written(source.drop_vars(["u", "v"]), "deep.nc")
    written(source[["u", "v"]].sel(model_level=slice(115, None)), "shallow.nc")
    whole = written(source.sel(model_level=slice(115, None)), "all.nc")
    expected = read_aloft(whole, GRID, heights=HEIGHT).aloft
    made = read_aloft([tmp_path / "deep.nc", tmp_path / "shallow.nc"], GRID, heights=HEIGHT).aloft
    for name, field in expected.profiles().items():
        np.testing.assert_array_equal(getattr(made, name), field)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.drop_vars("lnsp"), "lnsp on model levels is missing"),
        (lambda s: s.drop_vars("z"), "z on model levels, the geopotential of the surface"),
        (lambda s: s.drop_vars(["u", "v"]), "u, v on model levels is missing"),
        (lambda s: s.isel(model_level=slice(0, -1)), r"lacks \[137\], expected every level down"),
        (lambda s: s.drop_sel(model_level=[130, 131]), r"lacks \[130, 131\], expected every"),
        (lambda s: s.sel(model_level=slice(133, None)), "the levels end .* m above the surface"),
        (lambda s: s.isel(latitude=slice(0, 5)), "aloft is missing on .* ocean cells of arctic100"),
        (lambda s: s.isel(valid_time=[0, 1, 3]), "lacks 2016-11-20T02:00:00Z"),
        (lambda s: s.assign(t=(s.t - 273.15).assign_attrs(s.t.attrs)), "t is .* out of range"),
    ],
)
def test_wrong_levels_are_refused(written, change, message):
    source = model_levels(step=5.0, hours=range(4))
    with pytest.raises(InputError, match=message) as caught:
        read_aloft(written(change(source)), GRID, heights=HEIGHT)
    assert "\n" not in str(caught.value)


def test_other_files_are_told_apart(written):
    levels, pressure = written(model_levels(step=5.0), "a.nc"), written(layouts.pressure_levels())
    assert identify(pressure) == "pressure_levels"
    with pytest.raises(InputError, match="for read_aloft; read_forcing reads surface weather"):
        read_forcing(levels, GRID)
    with pytest.raises(InputError, match="on pressure levels"):
        read_aloft(pressure, GRID)
    with pytest.raises(InputError, match="model levels cover .* expected"):
        check_use(levels, "read_aloft", START, START + HOUR)
