"""Weather files laid out as AROME-Arctic, CARRA and ERA5 on model levels are."""

import numpy as np
import pyproj
import xarray as xr

from .layouts import axis, times

LAMBERT = {
    "grid_mapping_name": "lambert_conformal_conic",
    "standard_parallel": [77.5, 77.5],
    "longitude_of_central_meridian": -25.0,
    "latitude_of_projection_origin": 77.5,
    "earth_radius": 6371000.0,
    "proj4": "+proj=lcc +lat_0=77.5 +lon_0=-25 +lat_1=77.5 +lat_2=77.5 +no_defs +R=6.371e+06",
}
STANDARD = float(np.log(101325.0))
UNITS = {
    "x_wind_10m": "m/s",
    "y_wind_10m": "m/s",
    "u10": "m s**-1",
    "v10": "m s**-1",
    "air_temperature_2m": "K",
    "specific_humidity_2m": "kg/kg",
    "relative_humidity_2m": "1",
    "surface_air_pressure": "Pa",
    "integral_of_surface_downwelling_shortwave_flux_in_air_wrt_time": "W s/m^2",
    "integral_of_surface_downwelling_longwave_flux_in_air_wrt_time": "W s/m^2",
    "snowfall_amount_acc": "kg/m^2",
    "ssrd": "J m**-2",
}


def lambert(spacing=40e3, size=(60, 50)):
    """Axes of a Lambert grid around Svalbard and its longitudes and latitudes."""
    x, y = axis(200e3, spacing, size[1]), axis(-600e3, spacing, size[0])
    longitude, latitude = pyproj.Proj(LAMBERT["proj4"])(*np.meshgrid(x, y), inverse=True)
    return x, y, longitude, latitude


def along_lambert(east, north, longitude):
    """Components along x and y by the convergence of meridians, n times the longitude."""
    turn = np.sin(np.radians(77.5)) * np.radians(longitude + 25.0)
    cosine, sine = np.cos(turn), np.sin(turn)
    return east * cosine - north * sine, east * sine + north * cosine


def arome(fields, hours=(0, 1, 2), spacing=40e3, size=(60, 50), reference=0):
    """AROME-Arctic: a Lambert grid, heights of length one, sums since the reference time."""
    x, y, longitude, latitude = lambert(spacing, size)
    shape = (len(hours), 1, *latitude.shape)
    attributes = {"grid_mapping": "projection_lambert", "coordinates": "longitude latitude"}
    made = xr.Dataset(
        {
            name: (
                ("time", "height0", "y", "x"),
                np.broadcast_to(np.asarray(value, "f4"), shape),
                {"units": UNITS[name], **attributes},
            )
            for name, value in fields.items()
        },
        {
            "time": times("time", np.asarray(hours), "hours since 2016-11-20"),
            "x": ("x", x, {"units": "m", "standard_name": "projection_x_coordinate"}),
            "y": ("y", y, {"units": "m", "standard_name": "projection_y_coordinate"}),
        },
    )
    for name in fields:
        made[name].attrs.pop("coordinates")
    made["latitude"] = (("y", "x"), latitude, {"units": "degree_north"})
    made["longitude"] = (("y", "x"), longitude, {"units": "degree_east"})
    made["projection_lambert"] = ((), np.int32(0), LAMBERT)
    if reference is not None:
        made["forecast_reference_time"] = times((), reference, "hours since 2016-11-20")
    return made


def carra(fields, along_grid=True, **options):
    """CARRA as the Copernicus data store converts it: places alone, names of GRIB."""
    made = arome(fields, reference=None, **options).drop_vars(["x", "y", "projection_lambert"])
    made = made.squeeze("height0").rename(time="valid_time")
    for name in fields:
        made[name].attrs.pop("grid_mapping")
        if along_grid is not None:
            made[name].attrs["GRIB_uvRelativeToGrid"] = int(along_grid)
    return made


def model_levels(
    temperature=250.0,
    log_pressure=STANDARD,
    *,
    orography=0.0,
    wind=(0.0, 0.0),
    humidity=1e-3,
    step=2.0,
    first=115,
    hours=(0,),
    generation="new",
):
    """ERA5 on model levels: t, q, u, v ``(time, level, latitude, longitude)``, lnsp and z."""
    latitude, longitude = axis(90.0, -step, int(50 / step) + 1), axis(0.0, step, int(360 / step))
    level = np.arange(first, 138)
    time_dim, dim = {"new": ("valid_time", "model_level"), "old": ("time", "level")}[generation]
    flat = (len(hours), latitude.size, longitude.size)
    shape = (len(hours), level.size, *flat[1:])
    dims = (time_dim, dim, "latitude", "longitude")

    def full(value, unit):
        return dims, np.broadcast_to(np.asarray(value, "f8"), shape), {"units": unit}

    def single(value, unit):
        field = np.broadcast_to(np.asarray(value, "f8"), flat)
        return (dims[0], *dims[2:]), field, {"units": unit}

    return xr.Dataset(
        {
            "t": full(temperature, "K"),
            "q": full(humidity, "kg kg**-1"),
            "u": full(wind[0], "m s**-1"),
            "v": full(wind[1], "m s**-1"),
            "lnsp": single(log_pressure, "Numeric"),
            "z": single(orography, "m**2 s**-2"),
        },
        {
            time_dim: times(time_dim, np.asarray(hours), "hours since 2016-11-20"),
            dim: (dim, level, {"long_name": "model_level_number", "units": "1"}),
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
    )
