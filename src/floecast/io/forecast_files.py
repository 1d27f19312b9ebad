"""Products of an ensemble forecast as CF-1.8 datasets."""

from dataclasses import replace

import numpy as np
import xarray as xr

from floecast.core.projection import EPSG_3413
from floecast.core.variables import ICE_EDGE
from floecast.forecast.dates import NEVER, date_quantiles

from .cf import (
    FILL,
    degrees,
    global_attributes,
    grid_coordinates,
    grid_mapping,
    gridded,
    place,
    time_coordinates,
    time_variable,
    variable_of,
    without_fill,
)

_CENTRED = "at the centre of the cell, of members brought there before"
_EVENTS = {"freeze_up": "freeze-up", "break_up": "break-up"}


def products_dataset(told, grid, *, time, issued, levels, classes, probability):
    """Products of one time.

    Parameters
    ----------
    told : Products
        From `forecast.products.products`.
    grid : Grid
    time, issued : int
        Valid time and start of the forecast [s since 2000-01-01].
    levels, classes, probability
        As `told` was made with.

    Returns
    -------
    xarray.Dataset
        With a ``time`` of length 1 and the dimensions ``quantile`` and ``thickness_class``.
    """
    variables = {}
    for name, field in told.fields.items():
        variable = variable_of(name)
        dims: tuple[str, ...] = ("time", "y", "x")
        if name.endswith("_quantile"):
            dims = ("quantile", *dims)
        elif name == "probability_of_thickness_class":
            dims = ("thickness_class", *dims)
        velocity = variable.point != "T"
        field = np.expand_dims(field, -3)
        made = gridded(replace(variable, point="T"), field, dims, grid, False)
        if velocity:
            made.attrs["comment"] = _CENTRED
        if name.startswith("drift_ellipse"):
            made.attrs["comment"] = f"it holds the velocity with a probability of {probability:g}"
        variables[name] = made
    series = {
        "members": (told.members, "number of members that the products stand on", "1"),
        "ice_edge_width": (
            told.edge.width,
            "mean along the median ice edge of the distance between the edges of the "
            "probabilities 0.9 and 0.1",
            "m",
        ),
        "ice_edge_length": (told.edge.length.sum(), "length of the median ice edge", "m"),
    }
    for name, (value, text, unit) in series.items():
        attributes = {"long_name": text, "units": unit}
        variables[name] = xr.Variable("time", np.array([value], np.float32), attributes)
        variables[name].encoding["_FillValue"] = FILL
    coordinates = grid_coordinates(grid) | time_coordinates(np.array([time]), issued)
    coordinates |= _quantile(levels) | _classes(classes)
    attributes = global_attributes(
        "Sea-ice ensemble forecast", {"references": "quantiles: doi:10.1080/00031305.1996.10473566"}
    )
    return without_fill(xr.Dataset(variables, coordinates, attributes))


def edge_dataset(edges, grid):
    """The median ice edge along time, one point after the other.

    Parameters
    ----------
    edges : sequence of (int, IceEdge)
        With the time of each [s since 2000-01-01].
    grid : Grid

    Returns
    -------
    xarray.Dataset
        Along ``point``; those of a time and line follow each other.
    """

    def joined(name):
        return np.concatenate([np.zeros(0), *(getattr(edge, name) for _, edge in edges)])

    times = np.concatenate(
        [np.zeros(0, int), *(np.full(len(edge.x), time) for time, edge in edges)]
    )
    variables = {
        "line": xr.Variable(
            "point",
            joined("line").astype(np.int32),
            {"long_name": "number of the line in its time"},
        )
    }
    for name, text in (
        ("length", "length of the edge that the point stands for"),
        ("inner", "distance to the nearest edge of the probability of ice 0.9"),
        ("outer", "distance to the nearest edge of the probability of ice 0.1"),
    ):
        attributes = {"long_name": text, "units": "m"}
        variables[name] = _floats("point", joined(name), attributes)
        if grid.epsg is not None:
            variables[name].encoding["grid_mapping"] = "crs"
    x, y = joined("x"), joined("y")
    coordinates = {"time": time_variable("point", times, "time")}
    coordinates |= {"x": place("x", x, "point"), "y": place("y", y, "point")}
    coordinates |= _geographic("point", x, y, grid)
    title = f"Median sea-ice edge (concentration {ICE_EDGE}) of an ensemble forecast"
    attributes = {
        "featureType": "point",
        "references": "doi:10.1002/qj.3242 (median edge), doi:10.5194/os-15-615-2019 (distances)",
    }
    return without_fill(xr.Dataset(variables, coordinates, global_attributes(title, attributes)))


def dates_dataset(crossings, grid, *, issued, end, levels, spell_days):
    """When cells freeze up and break up.

    Parameters
    ----------
    crossings : Crossings
        At the end of the forecast, of the members that did not fail.
    grid : Grid
    issued, end : int
        First and last time of the forecast [s since 2000-01-01].
    levels : sequence of float
        Of the quantiles.
    spell_days : int
        As `crossings` was made with.

    Returns
    -------
    xarray.Dataset
        ``freeze_up`` and ``break_up`` ``(quantile, y, x)``, missing where fewer members have had
        it, and the share of the members that have. Times are not decoded.
    """
    rule = (
        f"first time at which concentration crosses {ICE_EDGE} and stays across for {spell_days} "
        "days within the forecast"
    )
    variables = {}
    for name, text in _EVENTS.items():
        leads = getattr(crossings, name)
        found = date_quantiles(leads, levels)
        known = np.isfinite(found) & grid.mask_t
        # Encoded here: xarray cannot encode dates of which all are missing.
        made = xr.Variable(
            ("quantile", "y", "x"),
            np.where(known, issued + np.where(known, found, 0.0), np.nan),
            {
                "long_name": f"date of {text}: quantile over members",
                "comment": f"{rule}; missing where fewer members have it",
                "units": "seconds since 2000-01-01 00:00:00",
                "calendar": "standard",
            },
            {"_FillValue": float(FILL)},
        )
        share = variable_of("probability_of_ice")
        share = replace(share, long_name=f"probability of a {text} within the forecast")
        share = gridded(share, np.mean(leads != NEVER, axis=0), ("y", "x"), grid, False)
        share.attrs["comment"] = rule
        if grid.epsg is not None:
            made.encoding["grid_mapping"] = "crs"
        variables |= {name: made, f"probability_of_{name}": share}
    coordinates = grid_coordinates(grid) | _quantile(levels)
    for name, time, text in (
        ("forecast_reference_time", issued, "start of the forecast"),
        ("forecast_end", end, "end of the forecast"),
    ):
        coordinates[name] = time_variable((), time, text)
    coordinates["forecast_reference_time"].attrs["standard_name"] = "forecast_reference_time"
    attributes = {"references": "doi:10.1029/2007JC004269 (day of advance)"}
    title = "Freeze-up and break-up in an ensemble forecast"
    return without_fill(xr.Dataset(variables, coordinates, global_attributes(title, attributes)))


def trajectories_dataset(names, positions, told, among_ice, grid, *, time, issued, probability):
    """Where drifters go.

    Parameters
    ----------
    names : sequence of str
    positions : (time, member, drifter, 2) array
        On the projected plane [m]; NaN before a drifter is let go, and of members that failed.
    told : Spread
        Arrays ``(time, drifter)``, from `forecast.trajectories.spread_of`.
    among_ice : (time, drifter) array
        Share of the members in which a drifter is among ice [1].
    grid : Grid
    time : (time,) int array
    issued : int
        [s since 2000-01-01]
    probability : float
        Of the ellipses.

    Returns
    -------
    xarray.Dataset
        ``(drifter, realization, time)`` and, of mean and spread, ``(drifter, time)``.
    """
    each = np.moveaxis(np.asarray(positions, float), (2, 1, 0), (0, 1, 2))
    mean = np.stack([told.x.T, told.y.T], -1)
    variables = {}
    for suffix, dims, at, text in (
        ("", ("drifter", "realization", "time"), each, "drifter"),
        ("_mean", ("drifter", "time"), mean, "mean position of the drifter over members"),
    ):
        # Positions with missing values are data here: they are no coordinates of anything else.
        x, y = at[..., 0], at[..., 1]
        placed = {"x": (x, "m"), "y": (y, "m")}
        if grid.epsg is not None:
            latitude, longitude = EPSG_3413.inverse(x, y)
            placed = {
                "latitude": (latitude, "degree"),
                "longitude": (longitude, "degree"),
            } | placed
        for name, (values, unit) in placed.items():
            attributes = {"long_name": f"{text}: {name}", "units": unit}
            if unit == "m" and grid.epsg is not None:
                attributes["comment"] = f"on the projection EPSG:{grid.epsg}"
            variables[f"drifter_{name}{suffix}"] = _floats(dims, values, attributes)
    ellipse = f"prediction ellipse of probability {probability:g}"
    for name, values, text, unit in (
        ("spread", told.spread, "root mean square distance of members from their mean", "m"),
        ("ellipse_major", told.major, f"semi-major axis of the {ellipse}", "m"),
        ("ellipse_minor", told.minor, f"semi-minor axis of the {ellipse}", "m"),
        (
            "ellipse_angle",
            told.angle,
            f"angle from the x axis of the grid to the major axis of the {ellipse}, "
            "counter-clockwise",
            "degree",
        ),
        (
            "among_ice",
            among_ice,
            f"share of the members in which the drifter is in a cell of concentration above "
            f"{ICE_EDGE}; ice alone carries it",
            "1",
        ),
    ):
        variables[f"drifter_{name}"] = _floats(
            ("drifter", "time"), np.asarray(values).T, {"long_name": text, "units": unit}
        )
    coordinates = time_coordinates(np.asarray(time), issued)
    coordinates["drifter_name"] = xr.Variable(
        "drifter", np.array(names, dtype=str), {"long_name": "name of the drifter"}
    )
    coordinates["realization"] = xr.Variable(
        "realization",
        np.arange(each.shape[1], dtype=np.int32),
        {"standard_name": "realization", "long_name": "ensemble member", "units": "1"},
    )
    title = "Trajectories of drifters in an ensemble forecast"
    attributes = {"references": "ellipses: doi:10.1080/01621459.1966.10480892"}
    return without_fill(xr.Dataset(variables, coordinates, global_attributes(title, attributes)))


def _floats(dims, values, attributes):
    return xr.Variable(dims, np.asarray(values, float), attributes, {"_FillValue": float(FILL)})


def _geographic(dims, x, y, grid):
    if grid.epsg is None:
        return {}
    latitude, longitude = EPSG_3413.inverse(x, y)
    return {
        "latitude": degrees(dims, "latitude", latitude),
        "longitude": degrees(dims, "longitude", longitude),
        "crs": grid_mapping(grid.epsg),
    }


def _quantile(levels):
    attributes = {"long_name": "quantile over members", "units": "1"}
    return {"quantile": xr.Variable("quantile", np.asarray(levels, float), attributes)}


def _classes(inner):
    """Lower bounds of the classes of thickness, and both bounds; the last has none above."""
    lower, upper = np.append(0.0, inner), np.append(inner, np.inf)
    attributes = {
        "long_name": "lower bound of the class of sea-ice thickness, mean over the ice",
        "units": "m",
        "bounds": "thickness_class_bounds",
    }
    return {
        "thickness_class": xr.Variable("thickness_class", lower, attributes),
        "thickness_class_bounds": xr.Variable(
            ("thickness_class", "bound"), np.stack([lower, upper], -1)
        ),
    }
