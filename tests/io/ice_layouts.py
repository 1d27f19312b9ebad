"""Small files laid out as ice models write them, with fields that are known everywhere.

The ice is the same in all: fields smooth on the plane of EPSG:3413, drift uniform there.
"""

import numpy as np
import xarray as xr

from floecast.core.projection import EPSG_3413, PolarStereographic
from floecast.core.variables import STATE

DRIFT = (0.12, -0.05)
"""Along the axes of EPSG:3413 [m/s]."""
TURN = 65.0
"""From the x axis of EPSG:3413 to that of the files, counter-clockwise [degrees]."""
PLANE = PolarStereographic(60.0, EPSG_3413.central_longitude + TURN, 6378273.0, 6356889.449)
HOUR = 3600


def truth(x, y):
    """Fields at places on the plane of EPSG:3413."""
    concentration = np.clip(1.2 - np.hypot(x, y) / 2.5e6, 0.0, 1.0)
    thickness = 1.5 + x / 5e6
    return {
        "concentration": concentration,
        "ice_volume": concentration * thickness,
        "snow_volume": 0.1 * concentration,
        "damage": np.clip(0.5 + y / 8e6, 0, 1),
        "u": np.full_like(x, DRIFT[0]),
        "v": np.full_like(x, DRIFT[1]),
    }


def places(spacing=160e3, size=48):
    """Latitude, longitude and position on EPSG:3413 of a grid that is turned against ours."""
    axis = (np.arange(size) - (size - 1) / 2) * spacing
    latitude, longitude = PLANE.inverse(*np.meshgrid(axis, axis))
    return latitude, longitude, *EPSG_3413.forward(latitude, longitude)


def along_file():
    """Components of the drift along the axes of the files."""
    turn = np.radians(TURN)
    u, v = DRIFT
    return u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)


def fields(times, changing=True, **options):
    """Fields ``(time, y, x)`` of `truth`, the concentration falling by 1 % from time to time."""
    latitude, longitude, x, y = places(**options)
    now = truth(x, y)
    made = {name: np.broadcast_to(now[name], (len(times), *x.shape)).copy() for name in STATE}
    if changing:
        fall = np.maximum(1 - 0.01 * np.arange(len(times)), 0.5)[:, None, None]
        for name in ("concentration", "ice_volume", "snow_volume"):
            made[name] *= fall
    made["u"][:], made["v"][:] = np.reshape(along_file(), (2, 1, 1, 1))
    return latitude, longitude, made


def land(latitude, longitude):
    """Some land, around Novaya Zemlya."""
    return (np.abs(latitude - 74) < 2.5) & (np.abs(longitude - 58) < 6)


def moorings(hours, origin="2010-01-01", **options):
    """neXtSIM moorings at hours after the origin, six-hourly means."""
    latitude, longitude, made = fields(hours, **options)
    days = (np.datetime64(origin) - np.datetime64("1900-01-01")).astype(int)
    time = days + np.asarray(hours, float) / 24
    names = {
        "concentration": ("sic", "1"),
        "ice_volume": ("sit", "m"),
        "snow_volume": ("snt", "m"),
        "damage": ("damage", "1"),
        "u": ("siu", "m s-1"),
        "v": ("siv", "m s-1"),
    }
    ocean = ~land(latitude, longitude)
    variables = {
        short: (
            ("time", "y", "x"),
            np.where(ocean, made[name], np.nan).astype("f4"),
            {
                "units": unit,
                "cell_methods": "time: mean (interval: 6 hours) area: mean",
                "coordinates": "time latitude longitude",
            },
        )
        for name, (short, unit) in names.items()
    }
    variables["siu"][2]["standard_name"] = "sea_ice_x_velocity"
    variables["Polar_Stereographic_Grid"] = (
        (),
        np.int32(0),
        {"grid_mapping_name": "polar_stereographic", "false_easting": np.float32(1)},
    )
    variables["latitude"] = (("y", "x"), latitude.astype("f4"), {"units": "degrees_north"})
    variables["longitude"] = (("y", "x"), longitude.astype("f4"), {"units": "degrees_east"})
    variables["time_bnds"] = (("time", "nv"), np.stack([time - 0.125, time + 0.125], 1))
    clock = {"units": "days since 1900-01-01 00:00:00", "calendar": "standard"}
    variables["time"] = ("time", time, clock | {"bounds": "time_bnds"})
    return xr.Dataset(variables, attrs={"Conventions": "CF-1.6"})


def cmems(hours, origin="2010-01-01", **options):
    """CMEMS neXtSIM: thickness over the ice, percent, packed, rows from north to south."""
    latitude, longitude, made = fields(hours, **options)
    cover = made["concentration"]
    ice = np.where(cover > 0, cover, np.nan)
    ocean = ~land(latitude, longitude)
    written = {
        "siconc": (100 * cover, "%"),
        "sithick": (made["ice_volume"] / ice, "m"),
        "sisnthick": (made["snow_volume"] / ice, "m"),
        "vxsi": (np.where(cover > 0, made["u"], np.nan), "m s-1"),
        "vysi": (np.where(cover > 0, made["v"], np.nan), "m s-1"),
    }
    variables = {
        name: (
            ("time", "y", "x"),
            np.where(ocean, field, np.nan).astype("f4")[:, ::-1],
            {"units": unit},
        )
        for name, (field, unit) in written.items()
    }
    for name in ("sithick", "sisnthick"):
        variables[name][2]["cell_methods"] = "area: mean where sea_ice"
    axis = (np.arange(latitude.shape[0]) - (latitude.shape[0] - 1) / 2) * 160.0
    variables |= {
        "latitude": (("y", "x"), latitude[::-1], {"units": "degrees_north"}),
        "longitude": (("y", "x"), longitude[::-1], {"units": "degrees_east"}),
        "x": ("x", axis, {"units": "km", "standard_name": "projection_x_coordinate"}),
        "y": ("y", axis[::-1], {"units": "km", "standard_name": "projection_y_coordinate"}),
        "time": ("time", np.asarray(hours, float), {"units": f"hours since {origin}"}),
    }
    return xr.Dataset(variables)


def icemod(hours, origin="2010-01-01", fill=True, **options):
    """NEMO-SI3 with BBM: C grid, 1e20 on land, in-ice thickness absent."""
    latitude, longitude, made = fields(hours, **options)
    start = (np.datetime64(origin) - np.datetime64("1900-01-01")).astype(int) * 24 * HOUR
    time = start + np.asarray(hours, float) * HOUR
    ocean = ~land(latitude, longitude)
    names = {
        "concentration": ("siconc-t", ""),
        "ice_volume": ("sivolu", "m"),
        "snow_volume": ("snvolu", "m"),
        "damage": ("damage-t", ""),
        "u": ("u_ice-u", "m/s"),
        "v": ("v_ice-v", "m/s"),
    }
    variables = {
        short: (
            ("time_counter", "y", "x"),
            np.where(ocean, made[name], 1e20).astype("f4"),
            {
                "units": unit,
                "cell_methods": "time: point (interval: 300 s)",
                "coordinates": "time_instant nav_lat nav_lon",
            }
            | ({"_FillValue": np.float32(1e20), "missing_value": np.float32(1e20)} if fill else {}),
        )
        for name, (short, unit) in names.items()
    }
    clock = {"units": "seconds since 1900-01-01 00:00:00", "calendar": "gregorian"}
    variables |= {
        "nav_lat": (("y", "x"), latitude.astype("f4"), {"units": "degrees_north"}),
        "nav_lon": (("y", "x"), longitude.astype("f4"), {"units": "degrees_east"}),
        "time_instant": ("time_counter", time, clock),
        "time_counter": ("time_counter", time, clock),
    }
    return xr.Dataset(variables)


def with_ocean(dataset):
    """The same with surface temperature and currents as the ice has them."""
    dims, like = ("time_counter", "y", "x"), dataset["siconc-t"]
    warm = np.where(like.values > 1e19, 1e20, -1.0).astype("f4")
    return dataset.assign(
        tos=(dims, warm, {"units": "degC"} | {"_FillValue": np.float32(1e20)}),
        uos=dataset["u_ice-u"],
        vos=dataset["v_ice-v"],
    )


def mesh_mask(**options):
    """Mesh mask that goes with `icemod`."""
    latitude, longitude, _, _ = places(**options)
    ocean = ~land(latitude, longitude)
    dims = ("time_counter", "y", "x")
    return xr.Dataset(
        {
            "glamt": (dims, longitude[None]),
            "gphit": (dims, latitude[None]),
            "tmask": (("time_counter", "nav_lev", "y", "x"), np.stack([ocean, ocean])[None]),
            "tmaskutil": (dims, ocean[None].astype("i1")),
        }
    ).assign(tmask=lambda d: d.tmask.astype("i1"))


def write(dataset, path):
    """Write a file as it is, without what xarray would add."""
    dataset = dataset.copy()
    for variable in dataset.variables.values():
        for name in ("_FillValue", "coordinates"):
            if name in variable.attrs:
                variable.encoding[name] = variable.attrs.pop(name)
        variable.encoding.setdefault("_FillValue", None)
    dataset.to_netcdf(path, engine="netcdf4")
    return path
