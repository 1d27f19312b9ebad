"""Small files laid out exactly as the products are, with values that a test can choose."""

import numpy as np
import pyproj
import xarray as xr

from floecast.core.grid import Grid
from floecast.core.projection import EPSG_3411, EPSG_3413, PolarStereographic
from floecast.observation.footprint import containing_cell

GRID = Grid.preset("arctic50")
KIMURA = PolarStereographic(70.0, 0.0, 6378273.0, 6356889.449)


def axis(first, step, number):
    return first + step * np.arange(number)


def grid_mapping(longitude):
    return xr.Variable(
        (),
        np.int32(0),
        {
            "grid_mapping_name": "polar_stereographic",
            "straight_vertical_longitude_from_pole": float(longitude),
            "latitude_of_projection_origin": 90.0,
            "standard_parallel": 70.0,
            "false_easting": 0.0,
            "false_northing": 0.0,
            "semi_major_axis": 6378273.0,
            "semi_minor_axis": 6356889.449,
        },
    )


def projected_axis(dim, values, unit):
    return (dim, values, {"units": unit, "standard_name": f"projection_{dim[0]}_coordinate"})


def times(dim, values, unit):
    return (dim, np.asarray(values), {"units": unit, "calendar": "proleptic_gregorian"})


def places(projection, x, y, dims):
    latitude, longitude = projection.inverse(*np.meshgrid(x, y))
    return {
        "lat": (dims, latitude.astype("f4"), {"units": "degrees_north"}),
        "lon": (dims, longitude.astype("f4"), {"units": "degrees_east"}),
    }


def nsidc(codes=None, days=(0, 1)):
    """NSIDC-0081 with the land of the Arctic and open sea, or with the codes given."""
    x, y = axis(-3837500.0, 25e3, 304), axis(5837500.0, -25e3, 448)
    if codes is None:
        codes = nsidc_codes()
    return xr.Dataset(
        {
            "icecon": (
                ("time", "y", "x"),
                np.broadcast_to(codes, (len(days), 448, 304)),
                {"grid_mapping": "crs"},
            ),
            "crs": grid_mapping(-45.0),
        },
        {
            "time": times("time", np.asarray(days, "i4"), "days since 2015-01-01"),
            "x": projected_axis("x", x, "m"),
            "y": projected_axis("y", y, "m"),
        },
    )


def nsidc_codes(sea=0):
    """Codes of one day: land 254 with a coast of 253, pole hole 251, the rest as given."""
    x, y = nsidc_positions()
    _, ocean = containing_cell(GRID, x, y)
    codes = np.where(ocean, sea, 254).astype("u1")
    padded = np.pad(ocean, 1)
    beside = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    codes[~ocean & beside] = 253
    codes[ocean & (np.hypot(x, y) < 100e3)] = 251
    return codes


def nsidc_positions():
    """Position of each NSIDC cell on the plane of EPSG:3413."""
    x, y = axis(-3837500.0, 25e3, 304), axis(5837500.0, -25e3, 448)
    return EPSG_3413.forward(*EPSG_3411.inverse(*np.meshgrid(x, y)))


def cryosat(
    latitude=(75.0, 76.0, 82.0),
    longitude=(-140.0, -135.0, -120.0),
    thickness=(1.5, -0.2, 3.0),
    year=2015,
    month=1,
):
    """Monthly CryoSat-2 cells."""
    x, y = EPSG_3411.forward(latitude, longitude)
    days = (np.datetime64(f"{year}-{month:02d}-01") - np.datetime64("2010-01-01")).astype(int)
    n = len(latitude)
    return xr.Dataset(
        {
            "sit_m": ("obs", np.asarray(thickness, float), {"units": "m"}),
            "year": ("obs", np.full(n, year, "i2"), {"units": "1"}),
            "month": ("obs", np.full(n, month, "i1"), {"units": "1"}),
            "time": times("obs", np.full(n, days, "i4"), "days since 2010-01-01"),
            "lat": ("obs", np.asarray(latitude, float), {"units": "degrees_north"}),
            "lon": ("obs", np.asarray(longitude, float), {"units": "degrees_east"}),
            "x": ("obs", x, {"units": "m"}),
            "y": ("obs", y, {"units": "m"}),
        }
    )


def osisaf(dx=4.0, dy=-2.0, days=(152, 153)):
    """OSI-405 with displacements [km] that are the same everywhere north of 75 N."""
    x, y = axis(-3750e3, 62.5e3, 119), axis(5750e3, -62.5e3, 177)
    dims = ("yc", "xc")
    positions = places(EPSG_3411, x, y, dims)
    north = positions["lat"][1] > 75
    hours = 24 * np.asarray(days) + 12
    fields = {
        name: (
            ("time", *dims),
            np.where(north, np.full((len(days), 1, 1), value), np.nan),
            {"units": "km", "grid_mapping": "crs"},
        )
        for name, value in (("dX", dx), ("dY", dy))
    }
    return xr.Dataset(
        {
            **fields,
            **positions,
            "crs": grid_mapping(-45.0),
            "time_bnds": (("time", "nv"), np.stack([hours - 48, hours], 1)),
        },
        {
            "time": ("time", hours, {"units": "hours since 2017-01-01", "bounds": "time_bnds"}),
            "xc": projected_axis("xc", x / 1e3, "km"),
            "yc": projected_axis("yc", y / 1e3, "km"),
        },
    )


def kimura(vx=5.0, vy=0.0, days=(324, 325)):
    """Kimura drift with velocities [cm/s] that are the same everywhere north of 75 N."""
    x, y = axis(4320e3, -60e3, 145), axis(-4320e3, 60e3, 145)
    dims = ("y", "x")
    positions = places(KIMURA, x, y, dims)
    north = positions["lat"][1] > 75
    fields = {
        name: (
            ("time", *dims),
            np.where(north, np.full((len(days), 1, 1), value), np.nan),
            {"units": "cm s-1", "grid_mapping": "crs"},
        )
        for name, value in (("vx", vx), ("vy", vy))
    }
    return xr.Dataset(
        {**fields, **positions, "crs": grid_mapping(0.0)},
        {
            "time": times("time", np.asarray(days), "days since 2016-01-01"),
            "x": projected_axis("x", x, "m"),
            "y": projected_axis("y", y, "m"),
        },
    )


def nextsim(thickness=2.0, number=160, spacing=40e3):
    """neXtSIM thickness on a grid that is turned against all others, with a corner of land."""
    x = (np.arange(number) - number / 2 + 0.5) * spacing
    latitude, longitude = PolarStereographic(70.0, 20.0, 6378137.0, 6356752.3).inverse(
        *np.meshgrid(x, x)
    )
    mask = np.ones((number, number), "f4")
    mask[:5, :5] = 0
    dims = ("y", "x")
    sit = np.where(mask == 1, np.broadcast_to(thickness, mask.shape), np.nan).astype("f4")
    return xr.Dataset(
        {
            "latitude": (dims, latitude.astype("f4"), {"units": "degrees_north"}),
            "longitude": (dims, longitude.astype("f4"), {"units": "degrees_east"}),
            "mask": (dims, mask, {"units": "1"}),
            "sit": (dims, sit, {"units": "m"}),
            "time": times((), 1420081200.0, "seconds since 1970-01-01"),
        }
    )


def climatology(days=("1018", "0115", "0228", "0412"), thickness=(500, 2000, 40, 2500)):
    """CS2SMOS climatology with one thickness [mm] a day."""
    index = np.arange(359) - 179
    east, south = np.meshgrid(index, index)
    radius = np.hypot(east, south) / (360 * np.sqrt(2))
    latitude = 90 - 2 * np.degrees(np.arcsin(np.minimum(radius, 1)))
    latitude = np.where(radius < 0.68, latitude, np.nan)
    longitude = np.where(np.isfinite(latitude), np.degrees(np.arctan2(east, south)), np.nan)
    dims = ("row", "col")
    ocean = (latitude > 60).astype("i1")
    fields = np.asarray(thickness, "i2")[:, None, None] * ocean
    return xr.Dataset(
        {
            "sit_mm": (("day", *dims), fields.astype("i2"), {"units": "mm"}),
            "ocean": (dims, ocean, {"units": "1"}),
            "lat": (dims, latitude.astype("f4"), {"units": "degrees_north"}),
            "lon": (dims, longitude.astype("f4"), {"units": "degrees_east"}),
            "mmdd": ("day", np.asarray(days, "S4")),
        }
    )


def cs2smos(thickness=1.5, with_time=True):
    """Weekly CS2SMOS analysis, with the time axis of the producer's files or without."""
    x = axis(-5387.5e3, 25e3, 432)
    longitude, latitude = pyproj.Proj("EPSG:6931")(*np.meshgrid(x, -x), inverse=True)
    dims = ("yc", "xc")
    field = np.where(latitude > 70, np.float32(thickness), np.float32(np.nan))
    made = xr.Dataset(
        {
            "analysis_sea_ice_thickness": (dims, field, {"units": "m"}),
            "lat": (dims, latitude.astype("f4"), {"units": "degrees_north"}),
            "lon": (dims, longitude.astype("f4"), {"units": "degrees_east"}),
        },
        {"xc": projected_axis("xc", x, "m"), "yc": projected_axis("yc", -x, "m")},
    )
    if not with_time:
        return made
    name = "analysis_sea_ice_thickness"
    made[name] = made[name].expand_dims("time")
    return made.assign_coords(time=times("time", [1.428e9], "seconds since 1978-01-01"))


def weather(
    names=("u10", "v10"),
    values=(3.0, -1.0),
    units=("m s**-1", "m s**-1"),
    *,
    step=2.0,
    generation="new",
    hours=(0, 6),
):
    """Surface weather, in the form of the old or the new Copernicus data store, or of GFS."""
    latitude, longitude = axis(90.0, -step, int(50 / step) + 1), axis(0.0, step, int(360 / step))
    time_dim, lat, lon = {
        "new": ("valid_time", "latitude", "longitude"),
        "old": ("time", "latitude", "longitude"),
        "gfs": ("time", "lat", "lon"),
    }[generation]
    if generation == "old":
        longitude = axis(-180.0, step, int(360 / step))
    shape = (len(hours), len(latitude), len(longitude))
    fields = {
        name: ((time_dim, lat, lon), np.broadcast_to(value, shape).astype("f4"), {"units": unit})
        for name, value, unit in zip(names, values, units, strict=True)
    }
    made = xr.Dataset(
        fields,
        {
            time_dim: times(time_dim, np.asarray(hours), "hours since 2016-11-20"),
            lat: (lat, latitude, {"units": "degrees_north"}),
            lon: (lon, longitude, {"units": "degrees_east"}),
        },
    )
    if generation == "new":
        made = made.assign_coords(
            number=0,
            expver=("valid_time", np.full(len(hours), "0001")),
        )
    return made


def pressure_levels():
    """A field of ten members on pressure levels."""
    made = weather(("z",), (5e4,), ("m2 s-2",), generation="old")
    return made.expand_dims(number=np.arange(10), pressure_level=[850.0, 500.0])


def area_wind():
    """Wind of an area along time."""
    return xr.Dataset(
        {
            "u": ("time", [1.0, 2.0, 3.0], {"units": "m s-1", "long_name": "10 m eastward wind"}),
            "v": (
                "time",
                [0.0, np.nan, -1.0],
                {"units": "m s-1", "long_name": "10 m northward wind"},
            ),
            "msl": ("time", [1000.0, 1001.0, 1002.0], {"units": "hPa"}),
            "time": times("time", [0, 1, 2], "hours since 2020-11-01"),
        }
    )


def buoys():
    """Wind at two buoys."""
    dims = ("time", "buoyID")
    numbers = np.array([[1.0, 2.0], [3.0, np.nan]])
    return xr.Dataset(
        {
            "wind_u": (dims, numbers, {"units": "m s-1", "long_name": "east wind component"}),
            "wind_v": (dims, -numbers, {"units": "m s-1", "long_name": "north wind component"}),
            "latitude": (dims, 70 + numbers, {"units": "degrees_north"}),
            "longitude": (dims, -150 + numbers, {"units": "degrees_east"}),
            "time": times("time", [0, 1], "hours since 2021-03-01"),
        }
    )


def write(dataset, path, *, packed=()):
    """Write a file; the variables named in `packed` as short integers."""
    encoding = {
        name: {"dtype": "i2", "scale_factor": 0.01, "_FillValue": -32768} for name in packed
    }
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
    return path
