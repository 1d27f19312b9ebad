"""Output of your own model: a state and an ensemble out of it, and a set to train an emulator on.

The files are made here to the layout of NEMO-SI3 with BBM; leave that out and name your own.
"""

import json
from pathlib import Path

import numpy as np
import pyproj
import xarray as xr

import floecast as fc
from floecast.core.projection import EPSG_3413, rotate_to_east_north
from floecast.dataset_schema import dataset_config
from floecast.experiment.dataset import dataset
from floecast.io.ice_model_files import IceOutput
from floecast.io.ice_on_grid import IceOnGrid
from floecast.observation.footprint import containing_cell

grid = fc.Grid.preset("arctic100")
folder = Path("model_output")
folder.mkdir(exist_ok=True)

# Cells of 200 km on a plane that is turned against that of floecast, with their land.
TURN = np.radians(65.0)
axis = 200e3 * (np.arange(40) - 19.5)
plane = pyproj.Proj("+proj=stere +lat_0=90 +lat_ts=70 +lon_0=20 +ellps=WGS84")
longitude, latitude = plane(*np.meshgrid(axis, axis), inverse=True)
ocean = containing_cell(grid, *EPSG_3413.forward(latitude, longitude))[1]


def wind(days):
    """Along the axes of EPSG:3413, x + i y [m/s]: it turns about once a week."""
    return (6 + 2 * np.cos(days / 3)) * np.exp(2j * np.pi * days / 7)


def ice(year):
    """A year of the model, every twelve hours, on its C grid: 1e20 on land."""
    times = np.arange(f"{year}-01-01", f"{year + 1}-01-01", 12, dtype="datetime64[h]")
    days = (times - np.datetime64("2010-01-01")) / np.timedelta64(1, "D")
    season = np.cos(2 * np.pi * (days - 75) / 365.25)[:, None, None]  # 1 in the middle of March
    cover = np.clip((latitude - 73 + 4 * season) / 5, 0, 0.98)
    drift = (0.02 * wind(days) * np.exp(-1j * (np.radians(25) + TURN)))[:, None, None]
    like = np.ones_like(cover)
    fields = {
        "siconc-t": (cover, "1"),
        "sivolu": (cover * (1.8 + 0.4 * season), "m"),
        "snvolu": (cover * (0.15 + 0.1 * season), "m"),
        "damage-t": (0.3 * like, "1"),
        "u_ice-u": (drift.real * like, "m/s"),
        "v_ice-v": (drift.imag * like, "m/s"),
        "tos": (-1.8 + 5 * (cover == 0), "degC"),
        "uos": (0.02 * like, "m/s"),
        "vos": (0.0 * like, "m/s"),
    }
    dims, attributes = ("time_counter", "y", "x"), {"coordinates": "time_counter nav_lat nav_lon"}
    return xr.Dataset(
        {
            name: (dims, np.where(ocean, field, 1e20).astype("f4"), {"units": unit} | attributes)
            for name, (field, unit) in fields.items()
        }
        | {
            "nav_lat": (("y", "x"), latitude, {"units": "degrees_north"}),
            "nav_lon": (("y", "x"), longitude, {"units": "degrees_east"}),
            "time_counter": ("time_counter", times.astype("datetime64[ns]")),
        }
    )


def weather(ice):
    """The weather of these times on latitude and longitude, to the layout of ERA5."""
    days = (ice.time_counter - np.datetime64("2010-01-01")).values / np.timedelta64(1, "D")
    latitude, longitude = np.arange(90.0, 39.0, -5.0), np.arange(0.0, 360.0, 5.0)
    like = np.ones((days.size, latitude.size, longitude.size))
    along = wind(days)[:, None, None] * like
    east, north = rotate_to_east_north(along.real, along.imag, EPSG_3413.rotation(longitude))
    season = -np.cos(2 * np.pi * (days - 15) / 365.25)[:, None, None] * like  # 1 in mid July
    fields = {
        "u10": (east, "m s**-1"),
        "v10": (north, "m s**-1"),
        "t2m": (258 + 15 * season, "K"),
        "d2m": (255 + 15 * season, "K"),
        "sp": (101_000 * like, "Pa"),
        "avg_sdswrf": (120 * (1 + season), "W m**-2"),
        "avg_sdlwrf": (230 + 60 * season, "W m**-2"),
        "avg_tsrwe": (1e-5 * like, "kg m**-2 s**-1"),
    }
    return xr.Dataset(
        {
            name: (("valid_time", "latitude", "longitude"), field.astype("f4"), {"units": unit})
            for name, (field, unit) in fields.items()
        },
        {
            "valid_time": ice.time_counter.values,
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
    )


for year in (2010, 2011):
    written = ice(year)
    written.to_netcdf(folder / f"icemod_{year}.nc")
    weather(written).to_netcdf(folder / f"era5_{year}.nc")

# One field, as `background.thickness` of a configuration is read.
day = "2010-03-15T12:00"
thickness = fc.read_thickness_field(folder / "icemod_2010.nc", grid, time=day)
print(f"thickness: mean {np.nanmean(thickness):.2f} m, most {np.nanmax(thickness):.2f} m")

# All fields of one time as a state, and likely errors about it as a background.
output = IceOutput([folder / "icemod_2010.nc"])
fields = IceOnGrid(output.cells, grid).state(output.read(fc.to_seconds([day])))
state = fc.IceState(**{name: field[0] for name, field in fields.items()})
background = fc.initial_ensemble(fc.named_key(1, "members"), state, grid, 20)
print(state)
print(background)

# Two years as training and validation split; `floecast dataset` does the same with a file.
source = {
    "kind": "files",
    "ice": ["icemod_*.nc"],
    "forcing": ["era5_*.nc"],
    "years": {"training": [2010], "validation": [2011]},
}
config = dataset_config(None, [f"preset={grid.name}", f"source={json.dumps(source)}"])
made = dataset(config, data=folder, out="own_training_set")
for kind in ("notes", "warnings"):
    for told in made.manifest[kind]:
        print(f"{kind}: {told}")
change = json.loads(made.file("statistics.json").read_text())["change_std"]["12"]
print("usual change in 12 hours:", {name: float(f"{size:.2g}") for name, size in change.items()})
print("next: floecast train --preset arctic100 --dataset own_training_set")
