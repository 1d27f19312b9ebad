"""The real samples: what they hold, brought to the grid arctic100 where they are maps."""

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator

from floecast.core.projection import EPSG_3413
from floecast.io.atmosphere import read_surface_forcing
from floecast.io.source import open_source

COAST = (70.0, 72.0, -155.0, -130.0)
"""South, north, west and east of what we take as the coastal southern Beaufort Sea [degrees]."""
STATION_HEIGHT, ROUGHNESS = 3.8, 1e-3
"""Of the sonic anemometers of the MOSAiC flux stations (Cox et al. 2023), and of the snow [m]."""
TO_10_M = np.log(10 / ROUGHNESS) / np.log(STATION_HEIGHT / ROUGHNESS)
"""10 m wind over that of the station in neutral air [1]."""


def gfs(folder, grid):
    """10 m wind of the GFS analyses: times and ``(time, y, x)``, complex along the grid's axes."""
    path = folder / "gfs_wind_20161120" / "gfs_1deg_u10v10_20161120_22.nc"
    with open_source(path) as source:
        forcing = read_surface_forcing([source], grid)
    return np.asarray(forcing.time), np.asarray(forcing.wind_u) + 1j * np.asarray(forcing.wind_v)


def coast(folder):
    """ERA5 in the southern Beaufort Sea: hourly wind ``u + i v`` [m/s] and pressure [Pa]."""
    path = folder / "sidex_2021" / "era5_southern_beaufort_mean_20201101_20210601.nc"
    with xr.open_dataset(path) as data:
        return data.u.values + 1j * data.v.values, 100 * data.msl.values


def buoys(folder):
    """ERA5 at the SIDEx buoys: hourly wind ``u + i v``, ``(time, buoy)``, NaN where missing."""
    path = folder / "sidex_2021" / "sidex_buoy_wind_20210301_20210430.nc"
    with xr.open_dataset(path) as data:
        return data.wind_u.values + 1j * data.wind_v.values


def station(folder):
    """MOSAiC station: hourly 10 m wind, temperature [C], humidity [g/kg] and pressure [Pa]."""
    path = folder / "mosaic_202001" / "asfs50_1min_20200115_20200123.nc"
    with xr.open_dataset(path) as data:
        hourly = data.resample(time="1h").mean()
        wind = TO_10_M * (hourly.wspd_u_mean.values + 1j * hourly.wspd_v_mean.values)
        celsius, pressure = hourly.temp.values, 100 * hourly.atmos_pressure.values
    # Relative humidity is that over water.
    vapour = hourly.rh.values * 6.112 * np.exp(17.62 * celsius / (243.12 + celsius))
    return wind, celsius, 622.0 * vapour / (pressure - 0.378 * vapour), pressure


def ensemble(folder, grid):
    """ERA5 ensemble on the grid: z [m] and t [K], ``(member, time, level, y, x)`` each."""
    path = folder / "era5_eda_20170101" / "era5_eda_z_t_20170101_20170102.nc"
    with xr.open_dataset(path) as data:
        data = data.isel(latitude=slice(0, 25))
        latitude, longitude = data.latitude.values, data.longitude.values
        fields = {"z": data.z.values / 9.80665, "t": data.t.values}
    places = np.stack([-grid.latitude, grid.longitude % 360], axis=-1)
    found = []
    for field in fields.values():
        field = np.concatenate([field, field[..., :1]], axis=-1)
        last = np.moveaxis(field, (-2, -1), (0, 1))
        interpolate = RegularGridInterpolator((-latitude, np.append(longitude, 360.0)), last)
        found.append(np.moveaxis(interpolate(places), (0, 1), (-2, -1)))
    return found


def sampled(field, grid):
    """A ``(..., y, x)`` field as every third cell has it: ERA5's members are as coarse."""
    every = slice(None, None, 3)
    moved = np.moveaxis(field[..., every, every], (-2, -1), (0, 1))
    axes = (grid.y[every], grid.x[every])
    interpolate = RegularGridInterpolator(axes, moved, bounds_error=False, fill_value=None)
    places = np.stack(np.meshgrid(grid.y, grid.x, indexing="ij"), axis=-1)
    return np.moveaxis(interpolate(places), (0, 1), (-2, -1))


def geostrophic(height, grid):
    """Geostrophic wind of the height of a pressure level, complex ``(..., y, x)`` [m/s]."""
    slope_y, slope_x = np.gradient(height, grid.spacing, axis=(-2, -1))
    scale = 9.80665 * grid.spacing / grid.dx_t / grid.coriolis
    return scale * (-slope_y + 1j * slope_x)


def near(grid, latitude, longitude):
    """Row and column of the cell nearest to a place."""
    x, y = EPSG_3413.forward(latitude, longitude)
    return np.abs(grid.y - y).argmin(), np.abs(grid.x - x).argmin()


def on_coast(grid):
    """Ocean cells of `COAST`."""
    south, north, west, east = COAST
    inside = (grid.latitude > south) & (grid.latitude < north)
    return inside & (grid.longitude > west) & (grid.longitude < east) & grid.mask_t
