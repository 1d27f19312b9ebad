"""A sound file for every reader there is, and ways to damage it."""

import json
import shutil
import traceback
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import xarray as xr

from floecast.atmosphere.forcing import WEATHER
from floecast.config import load_config
from floecast.core.calendar import to_datetime64
from floecast.core.errors import InputError
from floecast.core.grid import Grid
from floecast.core.variables import STATE
from floecast.experiment.files import read_states
from floecast.io.cf import to_dataset
from floecast.io.checkpoint import load_checkpoint, save_checkpoint
from floecast.io.ice_model_files import IceOutput
from floecast.io.json_lines import read_lines
from floecast.io.nemo_files import read_mesh
from floecast.io.observation_file import write_observations
from floecast.io.readers import (
    identify,
    read_aloft,
    read_forcing,
    read_observations,
    read_thickness_field,
    read_wind_series,
)
from floecast.io.run_folder import read_manifest
from floecast.io.scored_fields import FieldFile
from floecast.io.store import read_dataset, write_netcdf, write_zarr
from floecast.io.training_archive import OCEAN_CLIMATOLOGY, read_training_archive

from . import ice_layouts, layouts, product_layouts, weather_layouts

GRID = layouts.GRID
SMALL = Grid.preset("arctic100")
EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Case:
    """A kind of file.

    Parameters
    ----------
    name : str
    file : str
        Name of the file, of its folder for a store, with what the reader takes as its ending.
    write : callable
        ``write(path)``
    read : callable
        ``read(path)``, which returns or raises an `InputError`.
    """

    name: str
    file: str
    write: object
    read: object


def _whole(dataset):
    for variable in dataset.variables.values():
        _ = variable.values


def _ice(path):
    output = IceOutput(path)
    output.read(output.time[:1])


def _levels(path):
    read_aloft(path, SMALL)


def _scored(path):
    file = FieldFile(path)
    try:
        file.at("concentration", 0)
    finally:
        file.close()


def _zarr(path):
    with read_dataset(path) as dataset:
        try:
            _whole(dataset)
        # What a damaged value gives is told by the readers that use `read_dataset`.
        except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
            raise InputError(f"{path}: {error}".replace("\n", " ")) from error


def _table(path):
    start = np.datetime64("2020-03-01T00:00:00")
    rows = [(start + np.timedelta64(3 * n, "h"), 80 + 0.01 * n, 10 + 0.1 * n) for n in range(40)]
    path.write_text(product_layouts.buoy_table("3-hourly", rows))


def _own(path):
    thickness = path.with_name("from.nc")
    layouts.write(product_layouts.cs2smos_points(), thickness)
    write_observations(path, read_observations(thickness, SMALL), SMALL)


def _noise(names, shape, **options):
    random = np.random.default_rng(0)
    bounds = {"air_temperature": (250, 270), "longwave": (200, 300), "snowfall": (0, 1e-5)}
    fields = {
        name: random.uniform(*bounds.get(name, (0.0, 0.5)), (*shape, *SMALL.shape)).astype("f4")
        for name in names
    }
    return to_dataset(fields, SMALL, title="noise", **options)


def _field_file(path):
    dataset = _noise(("concentration", "ice_volume"), (2,), time=np.array([0, 86400]))
    write_netcdf(dataset, path)


def _members(path):
    write_netcdf(_noise(STATE, (3,), time=0, members=True, staggered=True), path)


def _training(path):
    time = 900_028_800 + 86400 * np.arange(3)
    write_zarr(_noise((*STATE, *WEATHER), (3,), time=time, staggered=True), path)


def write_data_set(folder):
    """A small data set of noise to train on, thirteen days of each split; gives its folder."""
    time = 900_028_800 + 86400 * np.arange(13)
    for split in ("training", "validation"):
        dataset = _noise((*STATE, *WEATHER), (13,), time=time, staggered=True)
        write_zarr(dataset, folder / f"{split}.zarr")
    ocean = {name: (("month", "y", "x"), np.zeros((12, 64, 64))) for name in OCEAN_CLIMATOLOGY}
    write_netcdf(xr.Dataset(ocean), folder / "ocean.nc")
    (folder / "manifest.json").write_text(json.dumps({"config": {"name": "noise"}, "stages": []}))
    return folder


def _store(path):
    values = np.random.default_rng(0).uniform(size=(20, 8, 8))
    time = to_datetime64(3600 * np.arange(20))
    dataset = xr.Dataset({"ice": (("time", "y", "x"), values)}, {"time": ("time", time)})
    write_zarr(dataset, path)


LIKE = {"state": jnp.arange(40.0).reshape(5, 8), "step": 3}


def _text(text):
    return lambda path: path.write_text(text)


def _in_folder(read):
    return lambda path: read(path.parent)


def _netcdf(name, make, read, write=layouts.write):
    return Case(name, f"{name}.nc", lambda path: write(make(), path), read)


def _classic(name, make, read):
    return Case(name, f"{name}.nc", lambda path: make().to_netcdf(path, engine="scipy"), read)


observations = partial(read_observations, grid=GRID)
thickness = partial(read_thickness_field, grid=GRID)
forcing = partial(read_forcing, grid=SMALL)
HOURS = np.arange(3, 27, 6)
SOLID = {"x_wind_10m": 3.0, "y_wind_10m": 1.0}
products = product_layouts

CASES = (
    _netcdf("nsidc0081", partial(layouts.nsidc, days=(0,)), observations),
    _netcdf("nsidc_v2", lambda: products.nsidc_v2(F17=layouts.nsidc_codes()), observations),
    _netcdf("nsidc_cdr", partial(products.cdr, days=1), observations),
    _netcdf("osisaf_record", products.osisaf_record, observations),
    _netcdf("osisaf_daily", products.osisaf_daily, observations),
    _netcdf("amsr2_bremen", products.bremen, identify),
    _netcdf("cryosat2_monthly", layouts.cryosat, observations),
    _netcdf("cryosat2_l2i", products.l2i, observations),
    _netcdf("cryosat2_l2p", products.l2p, observations),
    _netcdf("smos_thin_ice", products.smos, observations),
    _netcdf("osisaf_drift", partial(layouts.osisaf, days=(152,)), observations),
    _netcdf("osi455", products.osi455, observations),
    _netcdf("osi405", products.osi405, observations),
    Case("iabp", "buoys.csv", _table, observations),
    _netcdf("kimura", partial(layouts.kimura, days=(324,)), observations),
    _netcdf("nextsim", layouts.nextsim, thickness),
    _netcdf("cs2smos_climatology", layouts.climatology, partial(thickness, time="2015-01-15")),
    _netcdf("cs2smos", layouts.cs2smos, thickness),
    _netcdf("cs2smos_points", products.cs2smos_points, observations),
    _netcdf("gridded_thickness", products.gridded_thickness, observations),
    _netcdf("moorings", partial(ice_layouts.moorings, HOURS), _ice, ice_layouts.write),
    _netcdf("cmems", partial(ice_layouts.cmems, HOURS), _ice, ice_layouts.write),
    _netcdf("icemod", partial(ice_layouts.icemod, HOURS), _ice, ice_layouts.write),
    _netcdf("nemo_mesh", ice_layouts.mesh_mask, read_mesh, ice_layouts.write),
    _netcdf("model_levels", partial(weather_layouts.model_levels, step=10.0, first=100), _levels),
    _netcdf("latlon_forcing", partial(layouts.weather, step=5.0), forcing),
    _netcdf("arome", partial(weather_layouts.arome, SOLID), identify),
    _netcdf("carra", partial(weather_layouts.carra, SOLID), identify),
    _netcdf("wind_series", layouts.area_wind, read_wind_series),
    _netcdf("wind_of_buoys", layouts.buoys, read_wind_series),
    _netcdf("pressure_levels", layouts.pressure_levels, identify),
    _classic("classic_wind", layouts.area_wind, read_wind_series),
    _classic("classic_drift", partial(products.osi405), observations),
    Case("floecast_observations", "own.nc", _own, partial(read_observations, grid=SMALL)),
    Case("field_file", "fields.nc", _field_file, _scored),
    Case("members", "members.nc", _members, partial(read_states, grid=SMALL)),
    Case("netcdf", "any.nc", _field_file, _zarr),
    Case("zarr", "any.zarr", _store, _zarr),
    Case(
        "training_archive", "training.zarr", _training, partial(read_training_archive, grid=SMALL)
    ),
    Case(
        "checkpoint",
        "state.npz",
        lambda path: save_checkpoint(path, LIKE),
        partial(load_checkpoint, like=LIKE),
    ),
    Case(
        "manifest",
        "manifest.json",
        _text(json.dumps({"config": {}, "stages": []}, indent=1)),
        _in_folder(read_manifest),
    ),
    Case("log", "log.jsonl", _text("".join(f'{{"cycle": {n}}}\n' for n in range(20))), read_lines),
    Case("configuration", "run.yaml", _text((EXAMPLES / "twin.yaml").read_text()), load_config),
)
"""One for each layout, container and index that floecast reads."""


def mutated(content, random):
    """A file with one or a few faults.

    Parameters
    ----------
    content : bytes
    random : numpy.random.Generator

    Returns
    -------
    bytes
    """
    changed = bytearray(content)
    size = len(changed)
    # Where the description of a file lies more often than its values.
    reach = size if random.random() < 0.5 else min(size, 4096)
    place = int(random.integers(reach))
    span = int(min(random.integers(1, 64), size - place))
    kind = random.integers(7)
    if kind == 0:  # cut
        return bytes(changed[:place])
    if kind == 1:  # a few bytes of chance
        for _ in range(random.integers(1, 9)):
            changed[int(random.integers(reach))] = int(random.integers(256))
    elif kind == 2:  # one bit
        changed[place] ^= 1 << int(random.integers(8))
    elif kind == 3:  # a gap of zeros, or all ones as of a length that is huge
        changed[place : place + span] = bytes([int(random.choice([0, 255]))]) * span
    elif kind == 4:  # lost
        del changed[place : place + span]
    elif kind == 5:  # doubled
        changed[place:place] = changed[place : place + span]
    else:  # a piece of another place
        other = int(random.integers(size))
        piece = changed[other : other + span]
        changed[place : place + len(piece)] = piece
    return bytes(changed)


def damage(sound, path, random):
    """Write a mutated copy of a file; of a store, with one of its files mutated.

    Returns
    -------
    str
        What was changed.
    """
    if sound.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(sound, path)
        files = sorted(one for one in path.rglob("*") if one.is_file())
        # Each description as often as all pieces of values together.
        told = [one for one in files if one.name == "zarr.json"]
        chosen = told if random.random() < 0.5 else files
        file = chosen[int(random.integers(len(chosen)))]
    else:
        path.write_bytes(sound.read_bytes())
        file = path
    file.write_bytes(mutated(file.read_bytes(), random))
    return file.name


def outcome_of(case, path):
    """Read a file.

    Returns
    -------
    outcome : str
        read, refused or unclean.
    fault : str or None
        What is unclean about how it was refused.
    """
    try:
        case.read(path)
    except InputError as error:
        message = str(error)
        fault = None
        if "\n" in message:
            fault = f"several lines: {message[:200]!r}"
        elif len(message) > 5000:
            fault = f"{len(message)} characters"
        elif path.name not in message and str(path.parent) not in message:
            fault = f"does not name the file: {message[:200]}"
        return ("refused" if fault is None else "unclean"), fault
    # Whatever else comes out is what is looked for.
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)
        where = [one for one in last if "floecast" in one.filename] or last
        place = f"{Path(where[-1].filename).name}:{where[-1].lineno}"
        return "unclean", f"{place}: {type(error).__name__}: {str(error)[:200]}"
    return "read", None
