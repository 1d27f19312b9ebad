"""The files through which stages speak to each other, and to the user."""

import jax.numpy as jnp
import numpy as np

from floecast.core.ensemble import mean, spread
from floecast.core.errors import InputError
from floecast.core.state import IceState
from floecast.core.variables import STATE, VARIABLES
from floecast.forecast.statistics import summary
from floecast.io.cf import points_dataset, read_dataset, to_dataset, write_netcdf
from floecast.io.store import values_of
from floecast.observation.observations import Observations

TOLD = ("concentration", "ice_volume", "thickness", "snow_volume", "u", "v", "damage")
"""Fields of an analysis."""

FORECAST = ("concentration", "ice_volume", "thickness", "u", "v")
"""Fields of a forecast."""

SCORED = ("concentration", "ice_volume")
"""Fields kept of every member."""


def write_states(path, states, grid, time, *, title, members):
    """States as a model restarts from them: float32, velocities on their faces."""
    write_netcdf(
        to_dataset(states.fields(), grid, time=time, members=members, staggered=True, title=title),
        path,
    )


def read_states(path, grid):
    """States written by `write_states`; 0 on land.

    Returns
    -------
    IceState
        Leaves ``(member or time, y, x)``, float32; NaN where a value is missing on the ocean.

    Raises
    ------
    InputError
        If the file lacks a field, is on another grid, has another unit or velocities at centres.
    """
    with read_dataset(path) as dataset:
        absent = [name for name in STATE if name not in dataset]
        if absent:
            raise InputError(
                f"{path} lacks {', '.join(absent)}; expected an ensemble of ice states"
            )
        fields = {name: values_of(dataset[name], path) for name in STATE}
        attributes = {name: dataset[name].attrs for name in STATE}
    masks = {"T": grid.mask_t, "U": grid.mask_u, "V": grid.mask_v}
    for name, field in fields.items():
        if field.shape[1:] != grid.shape:
            raise InputError(
                f"{path}: {name} has shape {field.shape}, expected members on {grid.shape}"
            )
        expected, told = VARIABLES[name], attributes[name]
        same = expected.unit, expected.unit.replace(" s-1", "/s")
        if told.get("units", expected.unit) not in same:
            raise InputError(f"{path}: {name} is in {told['units']}, expected {expected.unit}")
        if "mean of the two faces" in told.get("comment", ""):
            raise InputError(f"{path}: {name} is at the centres of cells, expected on their faces")
        fields[name] = np.where(masks[expected.point], field, 0.0)
    return IceState(**{name: jnp.asarray(field, jnp.float32) for name, field in fields.items()})


def write_analysis(path, background, analysis, grid, time):
    """Mean and spread before and after the analysis, and the increment."""
    fields = {}
    for name in TOLD:
        before, after = _field(background, name), _field(analysis, name)
        fields[name] = mean(after)
        fields[f"{name}_spread"] = spread(after)
        fields[f"{name}_background"] = mean(before)
        fields[f"{name}_background_spread"] = spread(before)
        fields[f"{name}_increment"] = fields[name] - fields[f"{name}_background"]
    write_netcdf(to_dataset(fields, grid, time=time, title="Sea-ice analysis"), path)


def write_observations(path, used, withheld, grid, background, analysis):
    """All observations with what the ensembles show in their place.

    Parameters
    ----------
    path : path-like
    used, withheld : Observations
        Handed to the analysis, and kept out of it.
    grid : Grid
    background, analysis : callable
        Observations to their ``(member, p)`` equivalents.
    """
    everything = Observations.concatenate([used, withheld])
    assimilated = np.arange(everything.size) < used.size
    assimilated &= np.asarray(everything.flag) == 0
    equivalents = {}
    for name, seen in (("background", background), ("analysis", analysis)):
        members = np.asarray(seen(everything))
        equivalents[name] = members.mean(axis=0)
        equivalents[f"{name}_spread"] = members.std(axis=0, ddof=1)
    dataset = points_dataset(
        everything, grid, title="Observations", assimilated=assimilated, equivalents=equivalents
    )
    write_netcdf(dataset, path)


def write_forecast(path, forecast):
    """Mean, spread and probability of ice at every lead."""
    members = {
        name: np.asarray(_field(forecast.ensemble, name))[forecast.healthy] for name in FORECAST
    }
    dataset = to_dataset(
        summary(members),
        forecast.grid,
        time=forecast.time,
        reference_time=forecast.issued,
        title="Sea-ice ensemble forecast",
    )
    write_netcdf(dataset, path)


def write_members(path, forecast):
    """The scored fields of every member that did not fail."""
    fields = {
        name: np.asarray(getattr(forecast.ensemble, name))[forecast.healthy] for name in SCORED
    }
    dataset = to_dataset(
        fields,
        forecast.grid,
        time=forecast.time,
        members=True,
        reference_time=forecast.issued,
        title="Sea-ice ensemble forecast, members",
    )
    write_netcdf(dataset, path)


def read_members(path):
    """Members by name, ``(lead, member, y, x)``."""
    with read_dataset(path) as dataset:
        return {name: np.moveaxis(values_of(dataset[name], path), 0, 1) for name in SCORED}


def write_fields(path, fields, grid, time, title):
    """Fields along time."""
    write_netcdf(to_dataset(fields, grid, time=time, title=title), path)


def _field(states, name):
    return states.thickness if name == "thickness" else getattr(states, name)
