"""Datasets that follow the CF conventions 1.8, made from fields, the grid and `VARIABLES`."""

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
import pyproj
import xarray as xr

from floecast.core.calendar import HOUR, to_datetime64
from floecast.core.errors import InputError
from floecast.core.operators import u_to_t, v_to_t
from floecast.core.projection import EPSG_3413
from floecast.core.variables import ICE_EDGE, PACK_ICE, VARIABLES, Variable
from floecast.observation.observations import FLAGS, KINDS

from . import accessor  # noqa: F401 (registers `dataset.floecast`)
from .store import ZarrWriter, read_dataset, write_netcdf, write_zarr

__all__ = [
    "ZarrWriter",
    "points_dataset",
    "read_dataset",
    "to_dataset",
    "variable_of",
    "write_netcdf",
    "write_zarr",
]

FILL = np.float32(9.96921e36)
"""Missing value in files: the default of the netCDF library for float32."""

_UNIT_OF_KIND = "in the unit of its kind: concentration 1, drift_u and drift_v m s-1, the others m"

_ELLIPSE = "prediction ellipse of the sea-ice velocity"

_PRODUCTS = {
    name: Variable(name, long_name, None, unit)
    for name, long_name, unit in (
        ("probability_of_ice", f"probability of a sea-ice concentration above {ICE_EDGE}", "1"),
        (
            "probability_of_pack_ice",
            f"probability of a sea-ice concentration above {PACK_ICE}",
            "1",
        ),
        (
            "probability_of_thickness_class",
            f"probability of ice (concentration above {ICE_EDGE}) of a class of mean thickness",
            "1",
        ),
        ("drift_ellipse_major", f"semi-major axis of the {_ELLIPSE}", "m s-1"),
        ("drift_ellipse_minor", f"semi-minor axis of the {_ELLIPSE}", "m s-1"),
        (
            "drift_ellipse_angle",
            f"angle from the x axis to the major axis of the {_ELLIPSE}, counter-clockwise",
            "degree",
        ),
    )
}


def variable_of(name):
    """What a name in a product means.

    Parameters
    ----------
    name : str
        A name of `VARIABLES`, also with ``_background``, ``_increment``, ``_spread`` or
        ``_quantile`` after it, or a product such as ``probability_of_ice``.

    Returns
    -------
    Variable

    Raises
    ------
    InputError
        If there is no such name.

    Notes
    -----
    The spread is the uncertainty that the ensemble states for its mean, so its standard name has
    the modifier ``standard_error``. For analysis minus background CF has no standard name.
    """
    if name in VARIABLES:
        return VARIABLES[name]
    if name in _PRODUCTS:
        return _PRODUCTS[name]
    base, _, kind = name.rpartition("_")
    if kind == "spread":
        of = variable_of(base)
        long_name = f"{of.long_name}: standard deviation over members"
        standard_name = of.standard_name and f"{of.standard_name} standard_error"
        return replace(of, name=name, long_name=long_name, standard_name=standard_name)
    if kind == "quantile":
        of = variable_of(base)
        return replace(of, name=name, long_name=f"{of.long_name}: quantile over members")
    if kind == "background":
        of = variable_of(base)
        return replace(of, name=name, long_name=f"{of.long_name}: before the analysis")
    if kind == "increment":
        of = variable_of(base)
        long_name = f"{of.long_name}: analysis minus background"
        return replace(of, name=name, long_name=long_name, standard_name=None)
    raise InputError(f"no variable {name!r}; there are {', '.join([*VARIABLES, *_PRODUCTS])}")


def to_dataset(
    fields,
    grid,
    *,
    title,
    time=None,
    members=False,
    reference_time=None,
    staggered=False,
    **attributes,
):
    """CF-1.8 dataset of fields on a grid.

    Parameters
    ----------
    fields : dict of (..., y, x) arrays
        By name (`variable_of`), each at its point of the C grid. The axes before y and x are
        members, then times, as far as there are any; a field may lack the members.
    grid : Grid
    title : str
    time : int or (time,) int array, optional
        Seconds since 2000-01-01; one time for all fields, or their axis of times.
    members : bool
        Whether there is an axis of members.
    reference_time : int, optional
        Start of the forecast [s since 2000-01-01]; adds ``forecast_period``.
    staggered : bool
        Keep u and v at their faces, as a model restarts from them. Else they are brought to the
        cell centres, where users expect what stands beside x and y.
    **attributes : str
        Others of the whole file: ``history``, ``references``, ``source``, ``institution``,
        ``comment``.

    Returns
    -------
    xarray.Dataset
        float32, NaN on land; ready for `write_netcdf` and `write_zarr`.

    Raises
    ------
    InputError
        If a name is unknown or the shape of a field does not fit.
    """
    lead = ["realization"] * members + ["time"] * (np.ndim(time) == 1)
    sizes = {"time": np.size(time), "y": grid.shape[0], "x": grid.shape[1]}
    variables = {}
    for name, field in fields.items():
        field = np.asarray(field)
        dims = (*lead, "y", "x")
        if members and field.ndim == len(dims) - 1:
            dims = dims[1:]
        fits = field.ndim == len(dims) and all(
            sizes.setdefault(dim, size) == size for dim, size in zip(dims, field.shape, strict=True)
        )
        if not fits:
            expected = ", ".join(f"{dim} {sizes.get(dim, 'any')}" for dim in dims)
            raise InputError(f"{name} has shape {field.shape}, expected ({expected})")
        variables[name] = gridded(variable_of(name), field, dims, grid, staggered)
    coordinates = grid_coordinates(grid) | time_coordinates(time, reference_time)
    if members:
        coordinates["realization"] = xr.Variable(
            "realization",
            np.arange(sizes["realization"], dtype=np.int32),
            {"standard_name": "realization", "long_name": "ensemble member", "units": "1"},
        )
    dataset = xr.Dataset(variables, coordinates, global_attributes(title, attributes))
    return without_fill(dataset)


def points_dataset(observations, grid, *, title, assimilated=None, equivalents=None, **attributes):
    """CF-1.8 dataset of observations, one after the other along ``obs``.

    Parameters
    ----------
    observations : Observations
    grid : Grid
    title : str
    assimilated : (p,) bool array, optional
        Which were used in the analysis.
    equivalents : dict of (p,) arrays, optional
        What states would show in place of each observation, in its unit; NaN where not computed:
        ``background``, ``background_spread``, ``analysis``, ``analysis_spread``.
    **attributes : str
        As in `to_dataset`.

    Returns
    -------
    xarray.Dataset
    """
    columns = {
        "value": ("observed value", observations.value),
        "error_std": ("standard deviation of the observation error", observations.error_std),
    }
    for name, values in (equivalents or {}).items():
        columns[name] = (f"equivalent of the observation: {name.replace('_', ' ')}", values)
    variables = {}
    for name, (text, values) in columns.items():
        variables[name] = _along_obs(values, float, long_name=text, comment=_UNIT_OF_KIND)
        variables[name].encoding["_FillValue"] = float(FILL)
        if grid.epsg is not None:
            variables[name].encoding["grid_mapping"] = "crs"
    variables["kind"] = _along_obs(
        observations.kind,
        np.int8,
        long_name="kind of observation",
        flag_values=np.arange(len(KINDS), dtype=np.int8),
        flag_meanings=" ".join(KINDS),
    )
    variables["group"] = _along_obs(
        observations.group, np.int32, long_name="group that shares a correlated error, 0 for none"
    )
    variables["flag"] = _along_obs(
        observations.flag,
        np.int32,
        long_name="quality flags, 0 for good",
        flag_masks=np.array(list(FLAGS.values()), np.int32),
        flag_meanings=" ".join(FLAGS),
    )
    variables["span"] = _along_obs(
        observations.span, float, long_name="length of the averaging span", units="s"
    )
    if assimilated is not None:
        variables["assimilated"] = _along_obs(
            assimilated,
            np.int8,
            long_name="whether the analysis used the observation",
            flag_values=np.arange(2, dtype=np.int8),
            flag_meanings="not_used used",
        )
    coordinates = _point_coordinates(observations, grid)
    attributes = global_attributes(title, {"featureType": "point"} | attributes)
    return without_fill(xr.Dataset(variables, coordinates, attributes))


def gridded(variable, field, dims, grid, staggered):
    """A field as stored: at its point, without land, with its attributes."""
    mask, comment = grid.mask_t, None
    if variable.point != "T":
        side, axis = ("east", "x") if variable.point == "U" else ("north", "y")
        if staggered:
            mask = grid.mask_u if variable.point == "U" else grid.mask_v
            comment = f"at the {side} face of the cell, half a cell towards larger {axis}"
        else:
            to_centre = u_to_t if variable.point == "U" else v_to_t
            levels = field.reshape(-1, *grid.shape)
            field = jax.vmap(lambda level: to_centre(level, grid))(levels).reshape(field.shape)
            comment = f"mean of the two faces of the cell along {axis}, 0 on coasts"
    described = {
        "standard_name": variable.standard_name,
        "long_name": variable.long_name,
        "units": variable.unit,
        "cell_methods": variable.cell_methods,
        "comment": comment,
    }
    encoding: dict[str, Any] = {"_FillValue": FILL}
    if grid.epsg is not None:
        encoding["grid_mapping"] = "crs"
    return xr.Variable(
        dims,
        np.where(mask, field, np.nan).astype(np.float32),
        {key: text for key, text in described.items() if text is not None},
        encoding,
    )


def grid_coordinates(grid):
    """Coordinates of a grid by name: axes, places, and the projection if there is one."""
    coordinates = {"x": place("x", grid.x), "y": place("y", grid.y)}
    coordinates["x"].attrs["axis"], coordinates["y"].attrs["axis"] = "X", "Y"
    if grid.epsg is not None:
        for name, values in (("latitude", grid.latitude), ("longitude", grid.longitude)):
            coordinates[name] = degrees(("y", "x"), name, values)
        coordinates["crs"] = grid_mapping(grid.epsg)
    return coordinates


def _point_coordinates(observations, grid):
    coordinates = {"time": time_variable("obs", observations.time, "centre of the averaging span")}
    for axis, values in (("x", observations.x), ("y", observations.y)):
        coordinates[axis] = place(axis, values, dim="obs")
    if grid.epsg is not None:
        latitude, longitude = EPSG_3413.inverse(observations.x, observations.y)
        coordinates["latitude"] = degrees("obs", "latitude", latitude)
        coordinates["longitude"] = degrees("obs", "longitude", longitude)
        coordinates["crs"] = grid_mapping(grid.epsg)
    return coordinates


def place(axis, values, dim=None):
    """Position along an axis of the projection [m], over `dim` or an axis of its own."""
    attributes = {
        "standard_name": f"projection_{axis}_coordinate",
        "long_name": f"{axis} of the grid",
        "units": "m",
    }
    return xr.Variable(dim or axis, np.asarray(values, float), attributes)


def degrees(dims, name, values):
    """Latitude or longitude, as `name` says."""
    unit = "degrees_north" if name == "latitude" else "degrees_east"
    attributes = {"standard_name": name, "long_name": name, "units": unit}
    return xr.Variable(dims, np.asarray(values, float), attributes)


def grid_mapping(epsg):
    """The variable that tells of the projection."""
    # pyproj leaves out the latitude of the origin, which CF asks for.
    described = pyproj.CRS.from_epsg(epsg).to_cf() | {"latitude_of_projection_origin": 90.0}
    return xr.Variable((), np.int32(0), described)


def time_coordinates(time, reference_time):
    """Valid time, and with a reference time that and the lead, by name; see `to_dataset`."""
    if time is None:
        return {}
    dims = ("time",) * np.ndim(time)
    coordinates = {"time": time_variable(dims, time, "time")}
    if dims:
        coordinates["time"].attrs["axis"] = "T"
    if reference_time is not None:
        start = time_variable((), reference_time, "start of the forecast")
        start.attrs["standard_name"] = "forecast_reference_time"
        coordinates["forecast_reference_time"] = start
        lead = (np.asarray(time, np.int64) - reference_time) / HOUR
        coordinates["forecast_period"] = xr.Variable(
            dims,
            lead,
            {
                "standard_name": "forecast_period",
                "long_name": "time since the start of the forecast",
                "units": "hours",
            },
        )
    return coordinates


def time_variable(dims, seconds, long_name):
    """Times, of seconds since 2000-01-01."""
    attributes = {"standard_name": "time", "long_name": long_name}
    encoding = {
        "units": "seconds since 2000-01-01 00:00:00",
        "calendar": "standard",
        "dtype": "f8",
    }
    return xr.Variable(dims, to_datetime64(seconds), attributes, encoding)


def _along_obs(values, dtype, **attributes):
    return xr.Variable("obs", np.asarray(values).astype(dtype), attributes)


def global_attributes(title, attributes):
    """Attributes of a file, with the conventions it follows and what made it."""
    source = f"floecast {version('floecast')}"
    return {"Conventions": "CF-1.8", "title": title, "source": source} | attributes


def without_fill(dataset):
    """The same without the missing value that xarray adds where nothing can be missing."""
    for variable in dataset.variables.values():
        variable.encoding.setdefault("_FillValue", None)
    return dataset
