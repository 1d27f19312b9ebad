"""Small files laid out exactly as products of concentration, thickness and drift are.

Cut-outs about the pole, on the axes of the products, unless the whole grid is needed.
"""

import numpy as np
import pyproj
import xarray as xr

from floecast.core.projection import EPSG_3411

from .layouts import axis, grid_mapping, projected_axis

REACH = 700e3
"""Half the side of the cut-outs [m]."""
DAY_2020 = {"units": "seconds since 1978-01-01 00:00:00", "calendar": "standard"}


def seconds_1978(time):
    return (np.datetime64(time, "s") - np.datetime64("1978-01-01", "s")).astype(float)


def places(crs, x, y, dims=("yc", "xc")):
    longitude, latitude = pyproj.Proj(crs)(*np.meshgrid(x, y), inverse=True)
    return {
        "lat": (dims, latitude.astype("f4"), {"units": "degrees_north"}),
        "lon": (dims, longitude.astype("f4"), {"units": "degrees_east"}),
    }


def cut(first, step, number):
    values = axis(first, step, number)
    return values[np.abs(values) < REACH]


def laea():
    return xr.Variable(
        (),
        np.int32(0),
        {
            "grid_mapping_name": "lambert_azimuthal_equal_area",
            "longitude_of_projection_origin": np.float32(0),
            "latitude_of_projection_origin": np.float32(90),
            "false_easting": np.float32(0),
            "false_northing": np.float32(0),
            "semi_major_axis": np.float32(6378137),
            "inverse_flattening": np.float32(298.257223563),
            "proj4_string": "+proj=laea +lon_0=0 +datum=WGS84 +ellps=WGS84 +lat_0=90.0",
        },
    )


def stere():
    mapping = grid_mapping(-45.0)
    mapping.attrs["proj4_string"] = (
        "+proj=stere +a=6378273 +b=6356889.44891 +lat_0=90 +lat_ts=70 +lon_0=-45"
    )
    return mapping


def times(day="2020-03-01", days=1):
    begin = seconds_1978(day) + 86400 * np.arange(days)
    return {
        "time": ("time", begin + 43200, DAY_2020 | {"bounds": "time_bnds"}),
        "time_bnds": (("time", "nv"), np.stack([begin, begin + 86400], 1)),
    }


CDR_MEANINGS = (
    "land lake open_water_filter land_spill_over high_t2m spatial_interpolation "
    "temporal_interpolation max_ice_climatology"
)


def osisaf_record(value=90.0, error="uncertainty", meanings=True, days=1, **changes):
    """OSI-450, 430 or 458 on EASE-Grid 2.0; `changes` are functions of x, y [m] by variable."""
    x = cut(-5387.5e3, 25e3, 432)
    return _osisaf(
        x,
        -x,
        "EPSG:6931",
        ("Lambert_Azimuthal_Grid", laea()),
        {
            "ice_conc": (value, "%"),
            "raw_ice_conc_values": (np.nan, "%"),
            f"total_standard_{error}": (5.0, "%"),
            f"algorithm_standard_{error}": (3.0, "%"),
            f"smearing_standard_{error}": (4.0, "%"),
        },
        {
            "flag_masks": np.array([1, 2, 4, 8, 16, 32, 64, -128], "i1"),
            "flag_meanings": CDR_MEANINGS,
        }
        if meanings
        else {},
        days,
        changes,
    )


def osisaf_daily(value=90.0, days=1, sensor="AMSR2", **changes):
    """OSI-401 or 408 as it was between 2017 and 2023, with an unfiltered field."""
    x, y = cut(-3845e3, 10e3, 760), cut(5845e3, -10e3, 1120)
    made = _osisaf(
        x,
        y,
        "EPSG:3411",
        ("Polar_Stereographic_Grid", stere()),
        {
            "ice_conc": (value, "%"),
            "ice_conc_unfiltered": (value, "%"),
            "total_uncertainty": (6.0, "%"),
            "algorithm_uncertainty": (3.0, "%"),
            "smearing_uncertainty": (5.0, "%"),
        },
        {},
        days,
        changes,
    )
    made["confidence_level"] = xr.full_like(made.status_flag, 5)
    if "confidence_level" in changes:
        level = changes["confidence_level"](*np.meshgrid(x, y))
        made["confidence_level"][:] = level
    made.attrs["title"] = f"Daily sea ice concentration analysis from {sensor}"
    return made


def _osisaf(x, y, crs, mapping, fields, flags, days, changes):
    dims, plane = ("time", "yc", "xc"), np.meshgrid(x, y)
    shape = (days, y.size, x.size)
    variables = {
        name: (
            dims,
            np.broadcast_to(
                changes.get(name, lambda x, y, v=value: np.full_like(x, v))(*plane), shape
            ),
            {"units": unit, "grid_mapping": mapping[0], "coordinates": "lat lon"},
        )
        for name, (value, unit) in fields.items()
    }
    status = changes.get("status_flag", lambda x, y: np.zeros_like(x))(*plane)
    status = np.broadcast_to(status, shape).astype("u1").view("i1")
    variables["status_flag"] = (dims, status, {"grid_mapping": mapping[0]} | flags)
    made = xr.Dataset(
        variables
        | places(crs, x, y)
        | times(days=days)
        | {
            mapping[0]: mapping[1],
            "xc": projected_axis("xc", x / 1e3, "km"),
            "yc": projected_axis("yc", y / 1e3, "km"),
        }
    )
    for name in fields:
        made[name].encoding = {"dtype": "i4", "scale_factor": 0.01, "_FillValue": -32767}
    return made


def cdr(version=4, value=0.9, days=2, **changes):
    """NOAA/NSIDC record G02202."""
    x, y = cut(-3837500.0, 25e3, 304), cut(5837500.0, -25e3, 448)
    plane, shape = np.meshgrid(x, y), (days, y.size, x.size)
    dims = ("tdim" if version == 4 else "time", "y", "x")
    names = {
        4: ("stdev_of_cdr_seaice_conc", "qa_of_cdr_seaice_conc", "projection", "xgrid", "ygrid"),
        5: ("cdr_seaice_conc_stdev", "cdr_seaice_conc_qa_flag", "crs", "x", "y"),
    }[version]
    codes = changes.get("codes", lambda x, y: np.full(x.shape, 100 * value))(*plane)
    field = np.broadcast_to(codes, shape) / 100.0
    meanings = (
        "BT_weather_filter_applied NT_weather_filter_applied Land_spillover_filter_applied "
        "No_input_data invalid_ice_mask_applied spatial_interpolation_applied "
        "temporal_interpolation_applied melt_start_detected"
    )
    qa = changes.get("qa", lambda x, y: np.zeros_like(x))(*plane)
    made = xr.Dataset(
        {
            "cdr_seaice_conc": (dims, field, {"units": "1", "grid_mapping": names[2]}),
            names[0]: (dims, np.full(shape, 0.12, "f4"), {"units": "1"}),
            names[1]: (
                dims,
                np.broadcast_to(qa, shape).astype("u1"),
                {
                    "flag_masks": np.array([1, 2, 4, 8, 16, 32, 64, 128], "u1"),
                    "flag_meanings": meanings,
                },
            ),
            names[2]: grid_mapping(-45.0),
            names[3]: ("x", x, {"units": "meters"}),
            names[4]: ("y", y, {"units": "meters"}),
            "time": (dims[0], np.arange(days) + 18322, {"units": "days since 1970-01-01"}),
        }
    )
    made["cdr_seaice_conc"].encoding = {
        "dtype": "u1",
        "scale_factor": np.float32(0.01),
        "_FillValue": np.uint8(255),
    }
    return made


def nsidc_v2(**satellites):
    """NSIDC-0081 version 2: codes by satellite, such as ``F17=codes``."""
    x, y = axis(-3837500.0, 25e3, 304), axis(5837500.0, -25e3, 448)
    mapping = grid_mapping(315.0)
    made = xr.Dataset({"crs": mapping, "x": projected_axis("x", x, "m")})
    made["y"] = projected_axis("y", y, "m")
    made["time"] = ("time", [18322], {"units": "days since 1970-01-01"})
    for name, codes in satellites.items():
        made[f"{name}_ICECON"] = (
            ("time", "y", "x"),
            np.asarray(codes, "u1")[None],
            {
                "grid_mapping": "crs",
                "units": "1",
                "scale_factor": np.float64(0.004),
                "add_offset": np.float64(0),
                "flag_values": np.array([251, 252, 253, 254, 255], "u1"),
                "flag_meanings": "pole_hole_mask unused coast_mask land_mask missing_data",
            },
        )
    return made


def bremen(value=80.0, ellipsoid="EPSG:3413"):
    """ASI of Bremen at 6.25 km as netCDF: the y axis ascends, no time."""
    x = cut(-3846875.0, 6250.0, 1216)
    y = cut(-5346875.0, 6250.0, 1792)
    plane = np.meshgrid(x, y)
    field = value(*plane) if callable(value) else np.full(plane[0].shape, value)
    return xr.Dataset(
        {
            "z": (
                ("y", "x"),
                field.astype("f4"),
                {"long_name": "z", "grid_mapping": "polar_stereographic"},
            ),
            "polar_stereographic": xr.Variable((), np.int32(0), pyproj.CRS(ellipsoid).to_cf()),
            "x": projected_axis("x", x, "m"),
            "y": projected_axis("y", y, "m"),
        },
        attrs={
            "title": "ASI-AMSR2",
            "history": "grdmath asi-AMSR2-n6250-20200301-v5.4.hdf.nc FLIPUD = out.nc",
        },
    )


def bremen_hdf(value, upwards=False):
    """The HDF file of Bremen as netCDF: a field ``(1792, 1216)`` and nothing else."""
    field = value[::-1] if upwards else value
    return xr.Dataset({"ASI Ice Concentration": (("phony_dim_0", "phony_dim_1"), field)})


def ease(spacing):
    number = int(round(10800e3 / spacing))
    return cut(-5400e3 + spacing / 2, spacing, number)


def cs2smos_points(thickness=1.5, uncertainty=0.2):
    """CS2SMOS version 2 with uncertainty and the bounds of its week."""
    x = ease(25e3)
    plane = np.meshgrid(x, -x)
    dims = ("time", "yc", "xc")

    def layer(value):
        return (
            dims,
            np.broadcast_to(value, (1, *plane[0].shape)).astype("f4"),
            {"units": "m", "grid_mapping": "Lambert_Azimuthal_Grid"},
        )

    begin = seconds_1978("2020-03-12")
    made = {
        "analysis_sea_ice_thickness": layer(thickness),
        "Lambert_Azimuthal_Grid": laea(),
        "xc": projected_axis("xc", x / 1e3, "km"),
        "yc": projected_axis("yc", -x / 1e3, "km"),
        "time": ("time", [begin + 3.5 * 86400], DAY_2020 | {"bounds": "time_bnds"}),
        "time_bnds": (("time", "nv"), [[begin, begin + 7 * 86400]]),
    }
    if uncertainty is not None:
        made["analysis_sea_ice_thickness_unc"] = layer(uncertainty)
    return xr.Dataset(made | places("EPSG:6931", x, -x))


CS3SMOS_QUALITY = (
    "combined_altimetry_radiometry altimetry_only radiometry_only interpolated no_sea_ice"
)


def gridded_thickness(spacing=12.5e3, thickness=1.5, quality=None, meanings=CS3SMOS_QUALITY):
    """CS3SMOS version 3, or a month of CCI with the meanings of its flags."""
    made = cs2smos_points().drop_vars(["analysis_sea_ice_thickness_unc", "xc", "yc", "lat", "lon"])
    x = ease(spacing)
    plane = np.meshgrid(x, -x)
    shape, dims = (1, *plane[0].shape), ("time", "yc", "xc")
    made = made.drop_vars("analysis_sea_ice_thickness")
    unit = {"units": "m", "grid_mapping": "Lambert_Azimuthal_Grid"}
    made["sea_ice_thickness"] = (dims, np.broadcast_to(thickness, shape).astype("f4"), unit)
    made["sea_ice_thickness_uncertainty"] = (dims, np.full(shape, 0.3, "f4"), unit)
    code = np.zeros(shape) if quality is None else quality(*plane)[None]
    made["quality_flag"] = (
        dims,
        code.astype("i1"),
        {"flag_values": np.arange(len(meanings.split()), dtype="i1"), "flag_meanings": meanings},
    )
    made["xc"] = projected_axis("xc", x / 1e3, "km")
    made["yc"] = projected_axis("yc", -x / 1e3, "km")
    return made.assign(places("EPSG:6931", x, -x))


def smos(thickness=0.4, uncertainty=0.2, saturation=50.0):
    """SMOS thin ice, version 3."""
    x, y = cut(-3843750.0, 12.5e3, 608), cut(-5343750.0, 12.5e3, 896)
    latitude, longitude = EPSG_3411.inverse(*np.meshgrid(x, y))
    dims, shape = ("time", "y", "x"), (1, *latitude.shape)

    def layer(value, unit):
        return dims, np.broadcast_to(value, shape).astype("f4"), {"units": unit}

    return xr.Dataset(
        {
            "sea_ice_thickness": layer(thickness, "m"),
            "ice_thickness_uncertainty": layer(uncertainty, "m"),
            "saturation_ratio": layer(saturation, "%"),
            "latitude": (("y", "x"), latitude.astype("f4"), {"units": "degrees_north"}),
            "longitude": (("y", "x"), longitude.astype("f4"), {"units": "degrees_east"}),
            "time": ("time", [3698], {"units": "days since 2010-01-01"}),
        }
    )


def l2p(number=60, names=("lat", "lon"), **fields):
    """A track of level 2P of CCI (lat, lon) or AWI (latitude, longitude) along 150 W."""
    latitude = np.linspace(75, 85, number)
    values = {
        "radar_freeboard": np.full(number, 0.2),
        "sea_ice_freeboard": np.full(number, 0.25),
        "sea_ice_freeboard_uncertainty": np.full(number, 0.05),
        "snow_depth": np.full(number, 0.3),
        "sea_ice_thickness": np.full(number, 2.0),
        "sea_ice_thickness_uncertainty": np.full(number, 0.6),
    } | fields
    made = {name: ("time", value, {"units": "m"}) for name, value in values.items()}
    made["flag_miz"] = ("time", np.zeros(number, "i1"))
    made[names[0]] = ("time", latitude, {"units": "degrees_north"})
    made[names[1]] = ("time", np.full(number, -150.0), {"units": "degrees_east"})
    seconds = 1583064000 + np.arange(number) * 2.0
    made["time"] = ("time", seconds, {"units": "seconds since 1970-01-01", "calendar": "standard"})
    return xr.Dataset(made)


def l2i(number=40, freeboard=0.1, code=2):
    """A track of level 2I, baseline D, along 150 W on 15 February 2015."""
    dims = "time_20_ku"
    tai = (np.datetime64("2015-02-15", "s") - np.datetime64("2000-01-01", "s")).astype(int) + 35
    made = xr.Dataset(
        {
            "freeboard_20_ku": (dims, np.full(number, freeboard), {"units": "m"}),
            "flag_freeboard_20_ku": (dims, np.full(number, code, "i4")),
            "snow_depth_20_ku": (dims, np.full(number, 0.3), {"units": "m"}),
            "snow_density_20_ku": (dims, np.full(number, 400.0), {"units": "kg/m^3"}),
            "flag_instr_mode_op_20_ku": (dims, np.full(number, 2, "i1")),
            "lat_20_ku": (dims, np.linspace(75, 80, number), {"units": "degrees_north"}),
            "lon_20_ku": (dims, np.full(number, -150.0), {"units": "degrees_east"}),
            "time_20_ku": (
                dims,
                tai + np.arange(number, dtype=float),
                {"units": "seconds since 2000-01-01 00:00:00.0"},
            ),
        }
    )
    made["freeboard_20_ku"].encoding = {
        "dtype": "i4",
        "scale_factor": 0.001,
        "_FillValue": -2147483648,
    }
    return made


def osi455(dx=8.0, dy=-4.0, status=30):
    """OSI-455: 24 h on EASE-Grid 2.0 of 75 km."""
    x = cut(-5362.5e3, 75e3, 144)
    return _drift(x, -x, "EPSG:6931", ("Lambert_Azimuthal_Equal_Area", laea()), dx, dy, status, 24)


def osi405(dx=8.0, dy=-4.0, status=30, **extra):
    """OSI-405 as it is distributed: one window of 48 h, status, uncertainty, dt0 and dt1."""
    x, y = axis(-3750e3, 62.5e3, 119), axis(5750e3, -62.5e3, 177)
    made = _drift(x, y, "EPSG:3411", ("Polar_Stereographic_Grid", stere()), dx, dy, status, 48)
    for name, value in extra.items():
        made[name] = (made.dX.dims, np.full(made.dX.shape, value, "i4"))
    return made


def _drift(x, y, crs, mapping, dx, dy, status, hours):
    dims = ("time", "yc", "xc")
    where = places(crs, x, y)
    north = where["lat"][1] > 75
    end = seconds_1978("2020-03-03T12:00")

    def layer(value, unit="km"):
        field = np.where(north, np.float32(value), np.float32(np.nan))[None]
        return dims, field, {"units": unit, "grid_mapping": mapping[0]}

    made = xr.Dataset(
        {
            "dX": layer(dx),
            "dY": layer(dy),
            "uncert_dX_and_dY": layer(3.0),
            "status_flag": (dims, np.where(north, status, 1)[None].astype("i1")),
            mapping[0]: mapping[1],
            "xc": projected_axis("xc", x / 1e3, "km"),
            "yc": projected_axis("yc", y / 1e3, "km"),
            "time": ("time", [end], DAY_2020 | {"bounds": "time_bnds"}),
            "time_bnds": (("time", "nv"), [[end - hours * 3600, end]]),
        }
        | where
    )
    for name in ("dX", "dY", "uncert_dX_and_dY"):
        made[name].encoding = {"_FillValue": np.float32(-1e10)}
    return made


IABP = {
    "full resolution": ("BuoyID Year Hour Min DOY POS_DOY Lat Lon BP Ts Ta", " "),
    "full resolution, commas": ("BuoyID,Year,Hour,Min,DOY,POS_DOY,Lat,Lon,BP", ","),
    "3-hourly": ("BuoyID,Year,Hour,DOY,Lat,Lon,Ts", ","),
    "calendar": ("BuoyID;Year;Month;Day;Hour;Lat;Lon", ";"),
    "daily of all": (None, ";"),
}


def buoy_table(form, positions, buoy=300234066299840):
    """Text of positions ``(time, latitude, longitude)`` in one of the forms of `IABP`."""
    header, separator = IABP[form]
    names = header or IABP["full resolution"][0].replace(" ", ";")
    names = names.replace(",", ";").replace(" ", ";").split(";")
    rows = [] if header is None else [header]
    for time, latitude, longitude in positions:
        time = np.datetime64(time, "s")
        year = time.astype("datetime64[Y]")
        days = (time - year.astype("datetime64[s]")).astype(float) / 86400 + 1
        clock = time.item()
        values = {
            "BuoyID": buoy,
            "Year": clock.year,
            "Month": clock.month,
            "Day": clock.day,
            "Hour": clock.hour,
            "Min": clock.minute,
            "DOY": f"{days:.6f}",
            "POS_DOY": f"{days:.6f}",
            "Lat": f"{latitude:.5f}",
            "Lon": f"{longitude:.5f}",
        }
        rows.append(separator.join(str(values.get(name, "-999.00")) for name in names))
    return "\n".join(rows) + "\n"
